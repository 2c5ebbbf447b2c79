"""Writes performance.md from performance.json, what `make bench` found, and performance.toml.

After measuring on a machine that did nothing else:

    .venv/bin/python docs/reference/make_performance.py build/bench/figures.json

takes the figures into performance.json, where they are kept, and writes the page; without a file it
writes the page again from the figures that are there. Of the same machine, parts that were not
measured this time stay; each says when it was, and of which commit.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
FIGURES = HERE / "performance.json"
sys.path.insert(0, str(ROOT))  # the tests are no installed package

from tests.benchmarks import report  # noqa: E402
from tests.benchmarks.figures import Absent, Claim, Figure, Measured  # noqa: E402
from tests.benchmarks.machine import Description  # noqa: E402
from tests.benchmarks.report import Part  # noqa: E402

TOP = """\
# Performance

```{note}
This page is written by `docs/reference/make_performance.py` from what `make bench` measured, and a
test compares them.
```

How fast Sealift is beside what people use today, what limits it, and what it promised. `make bench`
measures the same on your machine and your disk (`make bench-tools` installs the competitors;
`make bench-quick` takes two minutes).

- Commands are run as people type them, each in a process of its own, and so are the competitors.
- What is read is not in the page cache when a command begins, and what is written is on the disk
  when the clock stops: competitors end with `sync -f` of the file system, which is in their time.
- They take turns: each round runs all of them once, and whoever was first is last in the next. A
  ratio is taken in each round, and the median of those is told, with the lowest and the highest.
- Memory is that of the largest process of a command, in the round that took most. Nothing is told
  as less than 9 MB, which is what the process takes that starts it.
- The first round compares what arrived with what was sent, for competitors too.
- In brackets stand controls: the machine by itself, measured in the same rounds. *Limits* says
  what part of a command's time each of the machine's limits would take by itself, on one core.
  More than all of it is more than one core, or a command that spares what its control pays: the
  disk's controls leave what they read and write in the page cache.
"""

NOTHING_YET = """
No figures have been taken in yet: run `make bench` on a machine that does nothing else, and then
`.venv/bin/python docs/reference/make_performance.py build/bench/figures.json`.
"""

QUICK = """\
```{warning}
Some of these figures are from a quick run: a tenth of the sizes, in fewer rounds. What a command
takes to start is then a large part of its time, and no promise is made of that.
```
"""


@dataclass(frozen=True)
class Words:
    """What a person says of a part: its title, what is done there, what limits it and why."""

    title: str
    about: str
    limits: str = ""


PARTS = {
    name: Words(**said)
    for name, said in tomllib.loads((HERE / "performance.toml").read_text("utf-8")).items()
}
"""By the part's name, in the order of the page."""


def page(figures: Path = FIGURES) -> str:
    """performance.md."""
    if not figures.exists():
        return TOP + NOTHING_YET
    machine, parts = report.read(figures)
    lines = [TOP]
    if any(part.quick for part in parts.values()):
        lines.append(QUICK)
    lines += ["## The machine\n", *_machine(machine)]
    for name in (*PARTS, *(name for name in parts if name not in PARTS)):
        words = PARTS.get(name, Words(name, ""))
        lines += _part(words, parts[name]) if name in parts else _unmeasured(name, words)
    return "\n".join(lines)


def take_in(measured: Path, figures: Path = FIGURES) -> None:
    """Put what was just `measured` in the place of what was known of the same parts."""
    report.write(figures, *report.read(measured))


def _unmeasured(name: str, words: Words) -> Iterator[str]:
    yield f"## {words.title}\n\n{words.about}\n"
    yield f"No figures of it have been taken in yet: run `make bench ARGS={name}`.\n"
    yield from _limits(words, ())


def _machine(machine: Description) -> Iterator[str]:
    shown = {name.replace("_", " "): _value(name, value) for name, value in machine.items()}
    yield _table(("what", "it is"), list(shown.items()))


def _value(name: str, value: str | float) -> str:
    if name == "memory" and not isinstance(value, str):
        return f"{value / 1e9:.1f} GB"
    return f"{value:,}" if not isinstance(value, str) else value


def _part(words: Words, part: Part) -> Iterator[str]:
    yield f"## {words.title}\n"
    if words.about:
        yield f"{words.about}\n"
    measured = [line for line in part.lines if isinstance(line, Measured)]
    figures = [line for line in part.lines if isinstance(line, Figure)]
    claims = [line for line in part.lines if isinstance(line, Claim)]
    if measured:
        columns = (*report.MEASURED, "what it does")
        yield _table(columns, [(*report.measured_row(one), one.note) for one in measured])
    if figures:
        yield _table(report.FIGURES, [report.figure_row(one) for one in figures])
    if claims:
        # The numbers of the lines are those of a list that only we have.
        yield _table(report.CLAIMS, [report.claim_row(one) for one in claims])
    yield from _absent([line for line in part.lines if isinstance(line, Absent)])
    yield from _limits(words, measured)
    busy = f"{part.load:.1f} other processes wanted to run when it began"
    yield f"<small>Measured at {part.made} of commit {part.commit}; {busy}.</small>\n"


def _absent(lines: Sequence[Absent]) -> Iterator[str]:
    for line in lines:
        yield f"Not measured: {line.name} ({line.why}).\n"


def _limits(words: Words, measured: Sequence[Measured]) -> Iterator[str]:
    said = [_limit(one) for one in measured if one.limited_by]
    if words.limits or said:
        yield "**What limits it.** " + " ".join(
            one for one in (*said[:MOST_SAID], words.limits) if one
        )
        yield ""


MOST_SAID = 5
"""Limits that are spelled out; of all commands' starts the table is enough."""


def _limit(one: Measured) -> str:
    share = one.shares[one.limited_by]
    return f"`{one.name}`: {one.limited_by}, by itself {share:.0%} of its time."


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    columns, rows = report.without_empty(columns, rows)
    lines = [columns, ["---" if name in WORDY else "--:" for name in columns]]
    lines += [[cell.replace("|", "\\|") for cell in row] for row in rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


WORDY = {*report.WORDS, "it is", "what it does"}

if __name__ == "__main__":
    if len(sys.argv) > 1:
        take_in(Path(sys.argv[1]))
    (HERE / "performance.md").write_text(page(), encoding="utf-8")
