"""The log says of everything that people signed what it is, and with which keys they signed it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from tuf.api.metadata import Metadata

import sealift_registry
from sealift_registry import wanting
from sealift_registry.audit.reading import LogReader
from sealift_registry.audit.writer import utc_now
from sealift_registry.trust import builders, key_rotation, teams
from sealift_registry.trust.stored import stored
from sealift_signing import canonical, dsse, roles, statements, version_links
from sealift_signing.acts.material import Ask
from sealift_signing.canonical import Json
from sealift_signing.documents import RECALL_PATH
from sealift_signing.drafts import CarriedDocument, RoleVersion, encoded
from sealift_signing.errors import RefusedError
from sealift_signing.statements import Evidence, Receipt, SiteRequest
from sealift_signing.transparency.checkpoint import hub_origin
from sealift_signing.transparency.entry import Entry, Term, new_entry
from sealift_signing.transparency.question import Question
from tests.registry.hub_fixture import MODEL, SITE, STEWARDS, TEAM, Acme
from tests.registry.signing_people import carry_out
from tests.registry.test_hub_entries import (
    USE_CASES,
    Act,
    adding_a_team,
    approving,
    assigning,
    converting,
    enrolling,
    enrolling_again,
    entitling,
    exporting,
    ingesting,
    ingesting_again,
    letting_rows_out,
    listing,
    measuring_again,
    objecting,
    receiving,
    renewing,
    requesting,
    retiring,
)
from tests.site_on_paper import SiteOnPaper

BY_MACHINES = {one.PREDICATE_TYPE for one in (Evidence, Receipt, SiteRequest)}
OF_NOTHING_SIGNED = {
    "artifact.discarded",
    "artifact.restored",
    "conversion.refused",
    "access.failed",
    "access.refused",
    "access.refused-more",
    "account.opened",
    "account.password-changed",
    "right.revoked",
    "session.closed",
    "session.opened",
    "token.made",
    "token.revoked",
    "hub.leaving",
    "hub.moved",
    "hub.settings-changed",
    "gc.removed",
    "gc.removing",
    "intake.refused",
    "job.asked",
    "job.ended",
    "request.refused",
    "log.key-taken-up",
    "promotion.commented",
    "return.accepted",
    "return.refused",
    "transfer.begun",
    "variant.built",
    "variant.compared",
    "variant.measured",
    "version.ingested",
    "version.seen-again",
}
"""Types of entries about what machines did, and nobody signed."""
TAKEN_ONCE = {"account.bound"}
"""About what somebody signed for a server alone, of which no row is kept: it names its digest, the
person and the key itself, which test_g2_40_binding looks at."""


def changing_stewards(acme: Acme, _: SiteOnPaper) -> Act:
    gina = acme.card("gina", acme.new_key("gina"))
    wanted = teams.stewards(TEAM, (*STEWARDS, "gina"), [gina])
    signers = [acme.signer("targets-1"), acme.signer("targets-2")]
    return lambda: carry_out(acme.app, wanted, signers)


def losing_somebody(acme: Acme, _: SiteOnPaper) -> Act:
    wanted = wanting.wanted(acme.app, wanting.Asked(Ask("retire-person", (TEAM, "carla"))))
    return lambda: carry_out(acme.app, wanted, acme.stewards)


def replacing_keys(acme: Acme, _: SiteOnPaper) -> Act:
    with acme.app.hub.reading() as connection:
        wanted = key_rotation.wanted(acme.app.hub, connection, "freshness", "compromised")
    signers = [acme.signer("root-1"), acme.signer("root-2")]
    return lambda: carry_out(acme.app, wanted, signers)


def changing_the_policy(acme: Acme, _: SiteOnPaper) -> Act:
    ask = Ask("set-stage", ("staging",), {"days": ("90",)})
    wanted = wanting.wanted(acme.app, wanting.Asked(ask))
    signers = [acme.signer("targets-1"), acme.signer("targets-2")]
    return lambda: carry_out(acme.app, wanted, signers)


def entering_a_builder(acme: Acme, _: SiteOnPaper) -> Act:
    cards = [acme.card(name, acme.new_key(name)) for name in ("shop-2", "shop-2-scanner")]
    wanted = builders.added("shop-2", cards)
    return lambda: carry_out(acme.app, wanted, [acme.signer("fleet-1")])


def removing_a_builder(acme: Acme, _: SiteOnPaper) -> Act:
    entering_a_builder(acme, _)()
    wanted = builders.removed("shop-2", "compromised")
    return lambda: carry_out(acme.app, wanted, [acme.signer("fleet-1")])


def restoring(acme: Acme, _: SiteOnPaper) -> Act:
    acme.later(days=1)
    acme.renew("recall", "recall-1")
    with acme.app.hub.reading() as connection:
        found = stored(connection)
        head, recalls = found.head(roles.RECALL), found.document(roles.RECALL, RECALL_PATH)
        organisation = found.id
    assert recalls is not None
    acme.sql("DROP TRIGGER tuf_metadata_no_delete")
    acme.sql(f"DELETE FROM tuf_metadata WHERE role = 'recall' AND version = {head.version}")  # noqa: S608
    documents = (CarriedDocument(RECALL_PATH, encoded(recalls)),)
    lost = RoleVersion(1, (), organisation, roles.RECALL, encoded(head.data), documents, (), ())
    return lambda: acme.app.take_back(lost)


CASES: Mapping[Callable[[Acme, SiteOnPaper], Act], list[str]] = {
    **USE_CASES,
    changing_stewards: ["team.stewards-changed"],
    losing_somebody: ["team.members-changed"],
    replacing_keys: ["keys.rotated"],
    changing_the_policy: ["policy.changed"],
    entering_a_builder: ["builder.added"],
    removing_a_builder: ["builder.removed"],
    restoring: ["role.restored"],
}


def test_every_type_of_entry_is_looked_at_here() -> None:
    looked_at = {kind for kinds in CASES.values() for kind in kinds} | {"organisation.founded"}
    assert set(_types()) == looked_at | OF_NOTHING_SIGNED | TAKEN_ONCE


def _types() -> Iterator[str]:
    """The types of the hub's entries, as its code names them."""
    package = Path(sealift_registry.__file__).parent
    there = [one for one in package.rglob("*.py") if "demo" not in one.relative_to(package).parts]
    trees = [ast.parse(file.read_text("utf-8")) for file in there]
    constants = dict[str, list[ast.expr]]()
    for name, value in (one for tree in trees for one in _constants(tree)):
        constants.setdefault(name, []).append(value)
    for tree in trees:
        for node in ast.walk(tree):
            found: list[ast.expr] = []
            if isinstance(node, ast.Call):
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                found = node.args if name in {"entry", "_entry", "SignedRetirement"} else []
                named = [one.id for one in found[:1] if isinstance(one, ast.Name)]
                found = [*found, *(value for one in named for value in constants.get(one, ()))]
            elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in NAMED:
                found = node.value.values if isinstance(node.value, ast.Dict) else [node.value]
            for one in found:
                if isinstance(one, ast.Constant) and "." in str(one.value):
                    yield str(one.value)


def _constants(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """What the names of a module stand for, alone or several at once."""
    for node in tree.body:
        if isinstance(node, ast.Assign):
            (target,), value = node.targets, node.value
            names = target.elts if isinstance(target, ast.Tuple) else [target]
            values = value.elts if isinstance(value, ast.Tuple) else [value]
            yield from (
                (getattr(one, "id", ""), it) for one, it in zip(names, values, strict=False)
            )


NAMED = {"ENTRIES", "BEGUN", "FOUNDED", "REFUSED"}


@pytest.mark.parametrize("use_case", CASES, ids=lambda one: one.__name__)
def test_an_entry_names_what_people_signed_and_their_keys(
    hub: Acme, plant: SiteOnPaper, use_case: Callable[[Acme, SiteOnPaper], Act]
) -> None:
    act = use_case(hub, plant)
    before, entries = hub.rows(), len(hub.types())
    act()
    found = dict(_signed(hub.rows(), before))
    assert bool(found) != set(CASES[use_case]).issubset(OF_NOTHING_SIGNED)
    _check_told(hub, found, entries)


def test_the_founding_names_what_was_signed_and_the_keys(acme: Acme) -> None:
    with acme.app.hub.engine.connect() as connection:
        first = "SELECT role, body FROM tuf_metadata WHERE version = 1 AND role IN "
        query = text(f"{first}('root', 'targets', 'fleet', 'recall')")
        rows = [tuple(row) for row in connection.execute(query)]
    found = dict(_signed({"tuf_metadata": rows}, {}))
    assert len(found) == 4
    _check_told(acme, found, 0)


@pytest.mark.parametrize("use_case", CASES, ids=lambda one: one.__name__)
def test_an_entry_is_found_by_whoever_signed_and_whom_it_is_about(
    hub: Acme, plant: SiteOnPaper, use_case: Callable[[Acme, SiteOnPaper], Act]
) -> None:
    act = use_case(hub, plant)
    before, entries = hub.rows(), len(hub.types())
    act()
    signed = [keyids for _, keyids in _signed(hub.rows(), before)]
    _check_found(hub, {keyid for keyids in signed for keyid in keyids}, entries)
    kinds = {kind for kind in CASES[use_case] if kind not in OF_NOTHING_SIGNED}
    for seq, entry in _entries(hub, entries):
        if entry.type in kinds:
            for term in ABOUT[use_case]:
                assert seq in _found(hub, Question(terms=(term,))), term


def test_the_founding_is_found_by_whoever_signed(acme: Acme) -> None:
    names = ("root-1", "root-2", "targets-1", "targets-2", "fleet-1", "recall-1")
    _check_found(acme, {acme.public(name).keyid for name in names}, 0, 1)
    assert 0 in _found(acme, Question(terms=(Term("role", "root"),)))


def test_entries_of_before_are_found_by_the_names_that_they_give(acme: Acme) -> None:
    """They never change, and have no terms of who signed; nor is anything wrong with them."""
    data: dict[str, Json] = {"role": "team.vision", "at_hub": True}
    acme.app.hub.log.commit_entry(new_entry("role.renewed", "anna, ben", utc_now(), data))
    seq = len(acme.types()) - 1
    for who in STEWARDS:
        assert seq in _found(acme, Question(actor=who))
    for part in ("ann", "anna, ", "nna"):
        assert seq not in _found(acme, Question(actor=part))
    with acme.app.hub.reading() as connection:
        origin = hub_origin(stored(connection).id)
    reader = LogReader(acme.app.hub.database)
    assert reader.fsck(acme.app.hub.online.public("log"), origin).ok


def test_what_was_signed_at_the_hub_is_found(acme: Acme) -> None:
    acme.later(days=1)
    acme.renew("recall", "recall-1")
    at_hub = Term("signed-at", "hub")
    assert len(acme.types()) - 1 in _found(acme, Question(terms=(at_hub,)))


ABOUT: Mapping[Callable[[Acme, SiteOnPaper], Act], list[Term]] = {
    adding_a_team: [Term("team", "fraud"), Term("person", "hans"), Term("person", "ines")],
    entitling: [Term("team", TEAM), Term("person", "gina")],
    letting_rows_out: [Term("team", TEAM)],
    changing_stewards: [Term("team", TEAM), Term("person", "gina")],
    losing_somebody: [Term("team", TEAM), Term("person", "carla")],
    replacing_keys: [],
    changing_the_policy: [],
    entering_a_builder: [Term("builder", "shop-2")],
    removing_a_builder: [Term("builder", "shop-2")],
    requesting: [Term("team", TEAM), Term("model", MODEL)],
    approving: [Term("team", TEAM), Term("model", MODEL)],
    objecting: [Term("team", TEAM), Term("model", MODEL)],
    listing: [Term("team", TEAM), Term("model", MODEL)],
    assigning: [Term("team", TEAM), Term("site", SITE)],
    retiring: [Term("team", TEAM), Term("site", SITE)],
    enrolling: [Term("site", SITE), Term("person", "dispatcher-1")],
    enrolling_again: [Term("site", SITE)],
    exporting: [Term("site", SITE)],
    renewing: [Term("role", "recall")],
    restoring: [Term("role", "recall")],
    ingesting: [],
    ingesting_again: [],
    converting: [],
    measuring_again: [],
    receiving: [],
}


def _check_found(hub: Acme, keyids: set[str], since: int, until: int | None = None) -> None:
    """Every key that signed since finds an entry, and so does whoever holds it, by name."""
    owners = {hub.public(path.stem).keyid: path.stem for path in hub.folder.glob("*/*.pem")}
    owners = {keyid: owners[keyid] for keyid in keyids if keyid in owners}
    assert len(owners) >= bool(keyids)
    there = {seq for seq, _ in _entries(hub, since, until)}
    for keyid, name in owners.items():
        by_key = _found(hub, Question(actor=keyid)) & there
        assert by_key, f"no entry by the key of {name}"
        assert by_key <= _found(hub, Question(terms=(Term("key", keyid),)))
        assert by_key <= _found(hub, Question(terms=(Term("person", name),)))
        for seq, entry in _entries(hub, since, until):
            if "at_hub" in entry.data and seq in by_key:
                assert seq in _found(hub, Question(actor=name))


def _found(hub: Acme, question: Question) -> set[int]:
    return {row.seq for row in LogReader(hub.app.hub.database).page(question, limit=1_000)}


def _entries(hub: Acme, since: int, until: int | None = None) -> list[tuple[int, Entry]]:
    rows = LogReader(hub.app.hub.database).page(Question(), limit=1_000, newest_first=False)
    return [(row.seq, row.entry) for row in rows[since:until]]


def _check_told(hub: Acme, found: Mapping[str, list[str]], since: int) -> None:
    with hub.app.hub.engine.connect() as connection:
        query = text(f"SELECT body FROM log_entry WHERE seq >= {since} ORDER BY seq")  # noqa: S608
        entries = [
            canonical.decode(bytes(one), what="it") for one in connection.execute(query).scalars()
        ]
    for digest, keyids in found.items():
        told = [one for one in _objects(entries) if digest in one.values()]
        assert told, f"the log does not name {digest}"
        assert keyids
        assert any(set(keyids) <= _named(one) for one in told), f"nor who signed {digest}"


def _objects(value: object) -> Iterator[Mapping[str, object]]:
    """Every object in some JSON."""
    if isinstance(value, Mapping):
        yield value
    inner = value.values() if isinstance(value, Mapping) else value
    for one in inner if isinstance(inner, Iterable) and not isinstance(inner, str) else ():
        yield from _objects(one)


def _named(one: Mapping[str, object]) -> set[object]:
    """The ids of keys that an object names."""
    several = one.get("keyids", ())
    assert isinstance(several, list | tuple)
    return {one.get("keyid"), *several}


def _signed(
    rows: Mapping[str, list[Any]], before: Mapping[str, list[Any]]
) -> Iterator[tuple[str, list[str]]]:
    """What people signed in the rows that are new: its digest, and the keys' ids."""
    for table, found in rows.items():
        for row in set(found) - set(before.get(table, ())):
            for body in (one for one in row if isinstance(one, bytes)):
                yield from _signatures(body)


def _signatures(body: bytes) -> Iterator[tuple[str, list[str]]]:
    try:
        envelope = dsse.read(body, what="a column")
    except RefusedError:
        if body.startswith(b"{") and b'"signed"' in body:
            metadata = Metadata[Any].from_bytes(body)
            if metadata.signed.type not in {roles.SNAPSHOT, roles.TIMESTAMP}:
                yield version_links.digest(metadata), sorted(metadata.signatures)
        return
    if statements.predicate_type(body, what="a column") not in BY_MACHINES:
        yield sha256(body).hexdigest(), [envelope.keyid]
