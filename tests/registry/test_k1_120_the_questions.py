"""The questions of a trial, one command each, at a hub of three sites and very many entries."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sealift_signing.canonical import Json
from sealift_signing.transparency.entry import Entry, Term, new_entry
from tests.registry.hub_fixture import GROUP, MODEL, SITE, Acme, copied
from tests.registry.test_hub_cli import Capsys, Cli
from tests.registry.test_k1_80_every_log import says
from tests.site_on_paper import SiteOnPaper
from tests.terminals import lasting, on_a_terminal

SITES = (SITE, "plant-8", "a-plant-with-a-long-name")
SOME, MANY = 900, 12_000
"""Entries of all sites together, each time and in the long run."""
RUN = "import sys; from sealift_registry.cli.run import run; sys.exit(run(sys.argv[1:]))"
MODELS = (MODEL, "vision/digits")


@dataclass
class Year:
    """What three sites did, as whoever wrote it down knows it.

    Attributes:
        runs: the version by site and model.
        imports: how many imports there were, by site and month.
        back: the reasons of rollbacks, by site.
    """

    runs: dict[tuple[str, str], int] = field(default_factory=dict)
    imports: Counter[tuple[str, str]] = field(default_factory=Counter)
    back: dict[str, list[str]] = field(default_factory=dict)

    def log(self, site: str, count: int, first: datetime) -> Iterator[Entry]:
        """A site's year, in so many entries."""
        dice = random.Random(site)  # noqa: S311 - a test's
        for number in range(count):
            at = first + timedelta(days=365) * (number / count)
            yield self._entry(site, dice, at, number)

    def _entry(self, site: str, dice: random.Random, at: datetime, number: int) -> Entry:
        model = dice.choice(MODELS)
        terms = [Term("model", model), Term("host-group", GROUP)]
        kind = dice.choices(
            ["model.checked", "transfer.imported", "model.activated", "model.rolled-back"],
            [80, 10, 9, 1],
        )[0]
        data: dict[str, Json] = {}
        if kind == "transfer.imported":
            self.imports[site, at.strftime("%Y-%m")] += 1
            terms = [Term("transfer", f"{site}-{number:06}")]
        elif kind == "model.activated":
            version = dice.randint(1, 4)
            self.runs[site, model] = version
            data = {"before": 0, "after": version, "words": "Ok.", "reason": "assigned"}
        elif kind == "model.rolled-back":
            reason = f"It misreads sevens on line {number}."
            self.back.setdefault(site, []).append(reason)
            data = {"from": 4, "to": 3, "reason": reason}
        return new_entry(kind, "olga", at, data, terms, site=site)


@pytest.fixture(scope="module", params=[SOME, pytest.param(MANY, marks=pytest.mark.long)])
def year(
    request: pytest.FixtureRequest, assigned: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Year]:
    """The hub, and what it should answer."""
    acme, told = copied(assigned, tmp_path_factory.mktemp("year")), Year()
    now = datetime.now(UTC)
    for name in SITES:
        plant = SiteOnPaper(acme.folder / ("site" if name == SITE else name), now)
        if name != SITE:
            acme.enrol(plant, name)
        count = request.param // len(SITES)
        says(acme, plant, *told.log(name, count, now - timedelta(days=365)))
    acme.close()
    return acme.folder, told


@pytest.fixture
def hub_of_a_year(year: tuple[Path, Year], tmp_path: Path) -> Iterator[Acme]:
    """The same."""
    made = copied(year[0], tmp_path)
    yield made
    made.close()


def lines(cli: Cli, *words: str) -> list[dict[str, Json]]:
    """What a command answers as lines of JSON."""
    code, out, err = cli(*words, "--json-lines")
    assert code == 0, err
    return [json.loads(line) for line in out.splitlines()]


def test_k1_120_who_runs_version_3(
    hub_of_a_year: Acme, year: tuple[Path, Year], capsys: Capsys
) -> None:
    cli = Cli(hub_of_a_year, capsys)
    for model in MODELS:
        should = {
            site for (site, of), version in year[1].runs.items() if (of, version) == (model, 3)
        }
        if model == MODEL:
            assert {one["site"] for one in lines(cli, "sites", f"{model}/3")} == should
    every = {(str(one["site"]), str(one["model"])): one["runs"] for one in lines(cli, "sites")}
    assert every == dict(year[1].runs)


def test_k1_120_what_was_rolled_back_and_why_and_every_import_of_a_month(
    hub_of_a_year: Acme, year: tuple[Path, Year], capsys: Capsys
) -> None:
    cli, told = Cli(hub_of_a_year, capsys), year[1]
    back = lines(cli, "audit", "list", "--type", "model.rolled-back", "--limit", "10000")
    found: dict[str, list[str]] = {}
    for one in reversed(back):
        assert isinstance(one["data"], dict)
        found.setdefault(str(one["log"]), []).append(str(one["data"]["reason"]))
    assert found == told.back
    month = sorted({month for _, month in told.imports})[5]
    begin = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)
    end = (begin + timedelta(days=32)).replace(day=1)
    asked = (
        "--type",
        "transfer.imported",
        "--since",
        f"{begin:%Y-%m-%d}",
        "--until",
        f"{end:%Y-%m-%d}",
    )
    imports = lines(cli, "audit", "list", *asked, "--limit", "10000")
    assert Counter(str(one["log"]) for one in imports) == Counter(
        {site: count for (site, of), count in told.imports.items() if of == month}
    )


def test_k1_121_which_key_signed_what_and_what_waits(hub_of_a_year: Acme, capsys: Capsys) -> None:
    cli, acme = Cli(hub_of_a_year, capsys), hub_of_a_year
    signed = lines(cli, "audit", "list", "--actor", acme.public("carla").keyid)
    assert {one["type"] for one in signed} == {"promotion.approved"}
    assert {one["actor"] for one in signed} == {"carla"}
    assert "plant-8" in cli.says("next")


@pytest.mark.parametrize("columns", [80, 40])
def test_k1_121_all_of_it_fits_a_terminal_and_breaks_no_name(
    hub_of_a_year: Acme, capsys: Capsys, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    Cli(hub_of_a_year, capsys)
    hub_of_a_year.close()
    asked = (
        ("sites",),
        ("audit", "list", "--type", "model.rolled-back", "--limit", "2", "--site", SITES[2]),
    )
    for words in asked:
        shown = drawn(hub_of_a_year, columns, *words)
        assert max(map(len, shown)) <= columns, shown
        assert SITES[2] in "\n".join(shown), "a name stays whole"
        with monkeypatch.context() as patch:
            patch.setenv("NO_COLOR", "1")
            assert drawn(hub_of_a_year, columns, *words) == shown


def drawn(acme: Acme, columns: int, *words: str) -> list[str]:
    """What a command draws on a terminal."""
    given = ("-c", RUN, *words, "--home", str(acme.root))
    return lasting(on_a_terminal(*given, columns=columns))
