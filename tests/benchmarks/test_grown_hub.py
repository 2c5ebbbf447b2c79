"""A hub that is built as if it had grown is whole, and tells rightly what became of everything."""

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from sealift_registry import fsck
from sealift_registry.app import App, open_app
from sealift_registry.audit.reading import LogReader
from sealift_registry.catalog.catalog import Catalog
from sealift_registry.delivery import assignments, outcomes, receipts, site_records
from sealift_registry.delivery.exports import Exports
from sealift_registry.delivery.running import running
from sealift_registry.delivery.sites import Sites
from sealift_registry.promotion.status import PromotionStatus
from sealift_registry.trust import readiness
from sealift_registry.trust.repository import Repository
from sealift_signing.transparency.checkpoint import hub_origin
from sealift_signing.vocabulary import instant
from tests.benchmarks import lists
from tests.benchmarks.figures import Claim, Measured
from tests.benchmarks.grown_hub import AGE, Size, build

SIZE = Size(versions=111, sites=8, entries=20)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("grown") / "hub", SIZE).root


@pytest.fixture
def app(home: Path) -> Iterator[App]:
    with closing(open_app(home, {})) as opened:
        yield opened


def standings(app: App) -> list[PromotionStatus]:
    with app.hub.reading() as connection:
        numbers = Catalog(connection).numbers()
        return [app.promotions.status(connection, number) for number in numbers]


def test_f2_600_fsck_finds_no_fault_with_a_grown_hub(app: App) -> None:
    with app.hub.reading() as connection:
        assert list(fsck.check(connection)) == []
        repository = Repository(connection)
        key, origin = repository.log_key(), hub_origin(repository.organisation())
    assert LogReader(app.hub.database).fsck(key, origin).findings == ()
    assert readiness.problems(app.hub) == []


def test_f2_601_a_grown_hub_has_the_versions_it_was_asked_for_over_months(app: App) -> None:
    with app.hub.reading() as connection:
        found = Catalog(connection).versions()
    assert len(found) == SIZE.versions
    assert {one.ref.team for one in found} == {"motion", "speech", "text", "vision"}
    made = sorted(instant(one.made) for one in found)
    assert made[-1] - made[0] > AGE / 2
    assert app.hub.now() - made[0] < AGE + timedelta(days=1)


def test_f2_602_each_promotion_of_a_grown_hub_stands_as_its_approvals_say(app: App) -> None:
    found = standings(app)
    assert len(found) == pytest.approx(SIZE.versions / 3, rel=0.1)
    for one in found:
        assert not one.doubt
        assert not one.tally.set_aside
        assert one.listed is one.tally.enough
        evidence = {e.sha256 for vouched in one.vouched for e in vouched.evidence}
        assert set(one.machines) == evidence == set(one.promotion.request.predicate.evidence)
    told = Counter(
        (one.promotion.stage, len(one.tally.counted), one.tally.needed, one.listed) for one in found
    )
    assert told == {
        ("staging", 1, 1, True): 11,
        ("production", 2, 2, True): 20,
        ("production", 1, 2, False): 5,
    }


def test_f2_603_of_each_site_of_a_grown_hub_what_it_signed_is_known(app: App) -> None:
    with app.hub.reading() as connection:
        sites, repository = Sites(connection).all(), Repository(connection)
        heard = {site.id: len(site_records.entries(connection, site)) for site in sites}
        home = {site.id: len(receipts.every(connection, site)) for site in sites}
        assert all(
            bool(n) == (receipts.newest(connection, one) is not None)
            for one, n in zip(sites, home.values(), strict=True)
        )
        assigned = {site.id: assignments.current(repository, site) for site in sites}
        ends = {
            site.id: outcomes.outcomes_at(connection, site, assigned[site.id]) for site in sites
        }
        runs = {site.id: len(running(connection, site)) for site in sites}
    answered = [n % 5 < 3 for n in range(SIZE.sites)]
    assert list(heard.values()) == [SIZE.entries if one else 0 for one in answered]
    assert list(home.values()) == [int(one) for one in answered]
    assert list(runs.values()) == [3 if one else 0 for one in answered]
    assert {len(list(one.artifacts())) for one in assigned.values()} <= {4, 5, 6}
    for one in assigned.values():
        assert len({artifact.parsed.team for _, _, artifact in one.artifacts()}) == 3
    assert [name for name, one in ends.items() if one.failed or one.unlike] == ["plant-0007"]


def test_f2_604_what_a_site_of_a_grown_hub_has_is_left_out_of_its_next_bundle(
    app: App, tmp_path: Path
) -> None:
    plan = Exports(app.hub).plan("plant-0000", tmp_path)
    assert (plan.misfits, plan.ready.lapsed) == ((), ())
    assert plan.ready.left_out
    fresh = Exports(app.hub).plan("plant-0003", tmp_path)
    assert not fresh.ready.left_out


@pytest.mark.system
def test_f2_605_what_looking_at_a_hub_costs_is_told_with_its_growth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "QUICK_SIZES", (11, 21))
    found = list(lists.measure(tmp_path, quick=True))
    measured = [one for one in found if isinstance(one, Measured)]
    names = [
        f"{one}, {size} versions" for one in (lists.OPEN, *lists.COMMANDS) for size in (11, 21)
    ]
    assert [one.name for one in measured] == [lists.START, *names]
    assert all(one.cpu > 0 and one.peak > 0 for one in measured)
    claims = [one for one in found if isinstance(one, Claim)]
    assert [one.unit for one in claims] == ["s", "x"] * len(lists.COMMANDS)
    assert sum(one.aim is not None for one in claims) == len(lists.AIMED)
