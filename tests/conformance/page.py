"""The page of differences, made of the layer's own words and of what the suite's runs found."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from sealift_signing.walk.layer import STRICT, Rule

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
WORDS = HERE / "page.md"
PAGE = HERE.parent.parent / "docs" / "explanation" / "conformance.md"

OFF, ON, SPELLING_LIFTED = "off", "on", "on, but for one spelling"
SPELLING = "one spelling"


@dataclass(frozen=True)
class Results:
    """What the runs found.

    Attributes:
        version: of the suite.
        sha256: of its test files.
        tests: how many there are.
        failed: the tests that failed, by run: `OFF`, `ON`, `SPELLING_LIFTED`, or a rule's name for
            the letter and that rule, of which only tests were run that fail with the others on.
    """

    version: str
    sha256: str
    tests: int
    failed: dict[str, list[str]]

    @classmethod
    def read(cls) -> Results:
        """What stands in `RESULTS`."""
        return cls(**json.loads(RESULTS.read_text()))

    def write(self) -> None:
        """Put it in `RESULTS`."""
        RESULTS.write_text(json.dumps(vars(self), indent=1) + "\n")

    def passed(self, run: str) -> int:
        """How many tests pass in a run of all."""
        return self.tests - len(self.failed[run])

    def refused(self, rule: Rule) -> list[str]:
        """The tests that fail because of a rule."""
        if rule.name == SPELLING:
            return sorted(set(self.failed[ON]) - set(self.failed[SPELLING_LIFTED]))
        return self.failed[rule.name]


def page(results: Results) -> str:
    """conformance.md."""
    numbers = {
        "off": results.passed(OFF),
        "on": results.passed(ON),
        "lifted": results.passed(SPELLING_LIFTED),
        "rules": len(STRICT),
        "tests": results.tests,
        "version": results.version,
        "sha256": results.sha256,
    }
    sections = "\n".join(_section(rule, results) for rule in STRICT)
    return WORDS.read_text().format(sections=sections, **numbers)


def _section(rule: Rule, results: Results) -> str:
    refused = results.refused(rule)
    return "\n".join(
        [
            f"### {rule.name.capitalize()}",
            "",
            f"It {rule.refuses}.",
            "",
            f"*Why:* {rule.reason}",
            "",
            *_tests(rule, refused),
            "",
        ]
    )


def _tests(rule: Rule, refused: list[str]) -> Iterator[str]:
    if not refused:
        yield "No test of the suite fails because of it."
        return
    if rule.name == SPELLING:
        yield f"With the layer on and this rule lifted, these {len(refused)} tests pass:"
    else:
        yield f"With this rule alone, {_counted(len(refused))}:"
    yield ""
    for file, tests in groupby(sorted(refused), key=lambda one: one.partition("::")[0]):
        yield f"- `{file}`: {', '.join(_cases(one.partition('::')[2] for one in tests))}"


def _cases(tests: Iterable[str]) -> Iterator[str]:
    """Each function once: with its case, or with how many of them."""
    for function, cases in groupby(tests, key=lambda one: one.partition("[")[0]):
        found = list(cases)
        if len(found) > 1:
            yield f"`{function}` ({len(found)} cases)"
        else:
            yield f"`{re.sub('`', '', found[0])}`"


def _counted(number: int) -> str:
    return "this test fails" if number == 1 else f"these {number} tests fail"
