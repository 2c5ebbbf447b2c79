"""Every question that the hub asks its rows is answered the same by SQLite and by PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Connection, select

from sealift_registry import fsck
from sealift_registry.app import App, open_app
from sealift_registry.catalog import discards, pages, tables
from sealift_registry.catalog.catalog import Catalog
from sealift_registry.catalog.logged import DISCARDED
from sealift_registry.catalog.pages import PagePlace, PromotionFilter, VersionFilter
from sealift_registry.catalog.reference import ModelRef, VersionRef, promotion_id
from sealift_registry.delivery import (
    attention,
    derived_rows,
    receipts,
    site_records,
    site_rows,
    whole_logs,
)
from sealift_registry.delivery import tables as delivery
from sealift_registry.delivery import transfers as begun
from sealift_registry.delivery.sites import EnrolledSite, Sites
from sealift_registry.gc.uses import Uses
from sealift_registry.trust import checking, key_rotation, skimming
from sealift_registry.trust.repository import Repository
from sealift_registry.trust.stored import Rows
from sealift_registry.views import asked, due, people, promotions, sites, transfers, trust, versions
from sealift_signing.acts.material import Ask
from sealift_signing.errors import SealiftError
from tests.benchmarks.grown_hub import Size, build
from tests.registry.both_engines import Both, both, rows
from tests.registry.hub_fixture import STAGE, TEAM

SIZE = Size(versions=60, sites=6, entries=12)
NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    grown = build(tmp_path_factory.mktemp("both") / "hub", SIZE)
    with closing(open_app(grown.root, {})) as opened:
        with opened.hub.reading() as connection:
            ref = Catalog(connection).versions()[0].ref
            forms = [(one.path, one.sha256) for one in Catalog(connection).artifacts(ref)]
        said, terms = discards.entry_data(ref, forms, "It is old."), {"model": str(ref.of)}
        opened.hub.commit_entry(opened.hub.entry(DISCARDED, "dora", said, terms))
        yield opened


@pytest.fixture(scope="module")
def engines(app: App) -> Iterator[Both]:
    with both(app.hub.home.root / "sealift.db") as made:
        yield made


Asking = Callable[[App, Connection], Any]


def _places(
    last: Callable[[App, Connection], str],
) -> Iterator[tuple[str, Callable[..., PagePlace]]]:
    for newest_first in (False, True):
        yield f"{newest_first}", lambda _a, _c, n=newest_first: PagePlace(7, None, n)
        yield (
            f"{newest_first}, after",
            lambda a, c, n=newest_first: PagePlace(7, last(a, c), n),
        )


def _paged(
    name: str,
    middle: Callable[[App, Connection], str],
    ask: Callable[[Connection, PagePlace], Any],
) -> dict[str, Asking]:
    """A page from either end, and one that begins behind `middle`."""

    def asking(place: Callable[..., PagePlace]) -> Asking:
        return lambda app, c: ask(c, place(app, c))

    return {f"{name}, {label}": asking(place) for label, place in _places(middle)}


def _version(_app: App, c: Connection) -> str:
    return str(Catalog(c).versions()[20].ref)


def _promotion(_app: App, c: Connection) -> str:
    numbers = Catalog(c).numbers()
    return promotion_id(numbers[len(numbers) // 2])


def _transfer(_app: App, c: Connection) -> str:
    return str(
        c.execute(select(delivery.transfer.c.id).order_by(delivery.transfer.c.id))
        .scalars()
        .all()[3]
    )


def _site(_app: App, c: Connection) -> str:
    return Sites(c).names()[2]


def _of_sites(ask: Callable[[Connection, EnrolledSite], Any]) -> Asking:
    return lambda _app, c: [ask(c, one) for one in Sites(c).all()]


def _refs(c: Connection) -> list[VersionRef]:
    return [one.ref for one in Catalog(c).versions()]


def _of_versions(ask: Callable[[Catalog, VersionRef], Any]) -> Asking:
    return lambda _app, c: [ask(Catalog(c), ref) for ref in _refs(c)]


def _of_promotions(ask: Callable[[Catalog, int], Any]) -> Asking:
    return lambda _app, c: [ask(Catalog(c), number) for number in Catalog(c).numbers()]


def _identities(c: Connection) -> list[Any]:
    t = tables.model_version
    found = c.execute(select(t.c.team, t.c.model, t.c.number, t.c.identity)).all()
    return [Catalog(c).same(VersionRef(*row[:3]).of, row.identity) for row in sorted(found)]


def _requested(c: Connection) -> list[Any]:
    every = [Catalog(c).promotion(number) for number in Catalog(c).numbers()]
    return [Catalog(c).promotion_of(one.request.sha256) for one in every]


def _listed(c: Connection) -> list[Any]:
    t = tables.listing
    found = sorted(c.execute(select(t.c.path, t.c.stage)).all())
    models = Catalog(c).models()
    return [
        [Catalog(c).listings(model, None, stage) for model in models for _, stage in set(found)],
        [
            [one.number for one in Catalog(c).listing(artifact.path, stage)]
            for ref in _refs(c)
            for artifact in Catalog(c).artifacts(ref)
            for stage in (STAGE, "staging")
        ],
    ]


def _signed_for(c: Connection) -> list[Any]:
    found = pages.promotion_rows(c, PromotionFilter(), PagePlace(100))
    wanted = pages.Requests(c, found)
    return [(wanted.promotion(one), wanted.approvals(one.number)) for one in found]


def _waiting(c: Connection) -> list[Any]:
    stages = Repository(c).policy().stages
    now = datetime(2026, 6, 1, tzinfo=UTC)
    return [
        pages.waiting(c, stage, replace(rule, approvals=needed), now)
        for stage, rule in stages.items()
        for needed in (0, 1, 2, 99)
    ]


def _not_there(app: App, c: Connection) -> Iterator[str]:
    """What is refused of names that there are, of which nothing is, and of others."""
    team, model = TEAM, Catalog(c).models()[0]
    checks: list[Callable[[], None]] = [
        *(lambda name=name: asked.check_team(c, name) for name in (team, "none", team.upper())),
        *(lambda one=one: asked.check_model(c, one) for one in (model, ModelRef(team, "none"))),
        *(lambda name=name: asked.check_stage(c, name) for name in (STAGE, "none")),
        *(lambda name=name: asked.check_site(c, name) for name in (_site(app, c), "none")),
        *(
            lambda name=name: asked.check_beyond(c, "transfers", name, ())
            for name in (_transfer(app, c), "none")
        ),
    ]
    for check in checks:
        try:
            check()
            yield "it is there"
        except SealiftError as refused:
            yield refused.what


def _rows(ask: Callable[[Rows, str], Any]) -> Asking:
    return lambda _app, c: [ask(Rows(c), role) for role in Rows(c).roles()]


QUESTIONS: Mapping[str, Asking] = {
    "models": lambda _, c: (Catalog(c).models(), Catalog(c).models(3)),
    "versions": lambda _, c: Catalog(c).versions(),
    "the same version": lambda _, c: _identities(c),
    "a version": _of_versions(lambda c, ref: (c.version(ref), c.next_number(ref.of))),
    "what is of a version": _of_versions(
        lambda c, ref: (
            c.aliases(c.version(ref)),
            c.goldens(ref),
            c.artifacts(ref),
            c.promotions(ref),
        )
    ),
    "what is discarded": lambda _, c: (
        discards.of_all(c),
        [Catalog(c).discards(ref) for ref in _refs(c)],
    ),
    "who needs a version": lambda app, c: [
        list(Uses(app.hub, c).of(ref, Catalog(c).artifacts(ref))) for ref in _refs(c)[:20]
    ],
    "evidence": _of_versions(lambda c, ref: [c.evidence(one.path) for one in c.artifacts(ref)]),
    "promotions": lambda _, c: (Catalog(c).promotions(), Catalog(c).next_promotion()),
    "a promotion": lambda _, c: _requested(c),
    "approvals": _of_promotions(lambda c, number: (c.approvals(number), c.objections(number))),
    "listings": lambda _, c: _listed(c),
    "versions due": lambda _, c: pages.versions_due(c),
    "a page's artifacts": lambda _, c: sorted(map(repr, pages.artifacts(c, _refs(c)).items())),
    "a page's promotions": lambda _, c: pages.promotions_of(c, _refs(c)),
    "promotions by number": lambda _, c: pages.promotions_named(c, Catalog(c).numbers()),
    "a page's requests": lambda _, c: _signed_for(c),
    "waiting": lambda _, c: _waiting(c),
    **_paged("pages of versions", _version, lambda c, p: pages.versions(c, VersionFilter(), p)),
    **_paged(
        "pages of a team's versions",
        _version,
        lambda c, p: pages.versions(c, VersionFilter(team=TEAM), p),
    ),
    **_paged(
        "pages of promotions",
        _promotion,
        lambda c, p: pages.promotion_rows(c, PromotionFilter(stage=STAGE), p),
    ),
    **_paged(
        "shown versions", _version, lambda c, p: versions.versions(c, NOW, VersionFilter(), p)
    ),
    **_paged("shown transfers", _transfer, transfers.transfer_list),
    **_paged("shown sites", _site, sites.sites),
    "shown promotions": lambda _, c: promotions.promotions(c, NOW, PromotionFilter(), PagePlace()),
    "shown people": lambda _, c: (people.team_names(c), people.people(c, PagePlace())),
    "shown teams": lambda _, c: people.teams(c),
    "shown roles": lambda _, c: (trust.trust(c), trust.role_list(c, PagePlace())),
    "a site": _of_sites(lambda c, site: sites.site(c, site.id)),
    "what is due": lambda app, c: (
        due.stale_keys(c),
        due.expiring(c, NOW),
        due.handed_on(c),
        list(due.people(c, TEAM)),
        due.versions(c),
        due.promotions(c, NOW),
        due.sites(app.hub, c),
    ),
    "sites by how they are": lambda app, c: attention.sites(c, app.hub.home.blobs),
    "whether there is what is asked for": lambda app, c: list(_not_there(app, c)),
    "sites": lambda _, c: (
        Sites(c).all(),
        Sites(c).names(3),
        Sites(c).names(2, Sites(c).names()[1], STAGE),
    ),
    "transfers": _of_sites(
        lambda c, site: (
            begun.newest(c, site),
            begun.newest_bundle(c, site),
            [begun.previous(c, site, one.id) for one in [begun.newest(c, site)] if one],
            [begun.recorded(c, one.id) for one in [begun.newest(c, site)] if one],
        )
    ),
    "receipts": _of_sites(
        lambda c, site: (
            receipts.newest(c, site),
            receipts.every(c, site),
            [receipts.answer_to(c, one.predicate) for one in [begun.newest_bundle(c, site)] if one],
        )
    ),
    "logs of sites": _of_sites(
        lambda c, site: (
            site_records.note(c, site),
            site_records.newest_checkpoint(c, site),
            site_records.entries(c, site),
        )
    ),
    "what sites said last": _of_sites(
        lambda c, site: (
            site_rows.rows_of(c, site),
            sorted(site_rows.state_of(c, site).pointers()),
            list(whole_logs.differences(c, site, site_records.entries(c, site))),
        )
    ),
    "where a version runs": lambda _, c: [
        site_rows.running_at(c, str(ref.of), ref.number) for ref in _refs(c)
    ],
    "rows of nobody": lambda _, c: (list(whole_logs.of_nobody(c)), derived_rows.is_filled(c)),
    "roles": lambda _, c: (Rows(c).roles(), sorted(Rows(c).newest_numbers().items())),
    "versions of roles": _rows(
        lambda r, role: (r.newest(role), r.versions(role), r.kept(role), r.metadata(role))
    ),
    "digests of roles": _rows(lambda r, role: (r.digests(role), r.digest(role, 1))),
    "documents": lambda _, c: (Rows(c).documents(), Rows(c).bodies("policy.json", b"stages")),
    "skimmed": lambda _, c: sorted(
        map(repr, [*skimming.skim(c, "site"), *skimming.skim(c, "team")])
    ),
    "pruned": lambda _, c: checking.pruned(c),
    "just rotated": lambda _, c: key_rotation.just_done(c, Ask("rotate-keys", ("log",), {}), NOW),
    "everything checked": lambda _, c: list(fsck.check(c)),
}


def answered(ask: Asking, app: App, connection: Connection) -> str:
    """The answer, or what was refused."""
    try:
        return repr(ask(app, connection))
    except SealiftError as refused:
        return repr((refused.code, refused.what))


OF_NOTHING = {"everything checked", "just rotated"}
"""What finds nothing on a hub that is in order."""


@pytest.mark.parametrize("name", QUESTIONS)
def test_both_engines_answer_the_same(app: App, engines: Both, name: str) -> None:
    with engines.reading() as (one, other):
        expected = answered(QUESTIONS[name], app, one)
        assert answered(QUESTIONS[name], app, other) == expected
    assert (expected in {"[]", "()", "False"}) == (name in OF_NOTHING), expected[:200]


def test_nothing_was_missing_in_the_copy(engines: Both) -> None:
    with engines.reading() as (one, other):
        found = rows(one)
        assert rows(other) == found
    assert {name for name, there in found.items() if not there} == {
        *("account", "account_challenge", "account_grant", "account_secret", "api_token"),
        *("invitation", "once_answer", "one_time_code", "session", "sign_in_failure"),
        *("build_order", "build_result", "condemned_blob"),
        *("job", "job_attempt", "job_end", "job_setback"),
        "log_tile",
        "moved",
        "objection",
        "seen_ahead",
    }
