"""A hub's log as it looks after years: its types in their proportions, each entry a commit.

What an entry says is made by the product's own code once for each type, with marks where actors,
models, numbers and digests stand; those are filled in afterwards. Making a million entries one by
one takes minutes, and the log's bytes are the same. They are inserted past the writer's thread, in
few transactions and without its triggers, as rows that the writer's own step computed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from sealift_signing.canonical import Json
from sealift_signing.transparency import checkpoint
from sealift_signing.transparency.checkpoint import Checkpoint
from sealift_signing.transparency.entry import Term, body_of, new_entry
from sealift_signing.transparency.frontier import Frontier
from sealift_signing.transparency.growth import Growth, grow
from sealift_signing.vocabulary import moment
from tests.logs import ORIGIN, SIGNER

BEGAN = datetime(2024, 1, 1, tzinfo=UTC)
SPAN = timedelta(days=3 * 365)
"""The time that a log of any size here covers, from `BEGAN` on."""
AT_ONCE = 10_000
"""Entries in one transaction of the building; each is a commit of the log's own."""
TEAMS, SITES, MODELS_A_TEAM, PEOPLE = 200, 1_000, 10, 400


@dataclass(frozen=True)
class Kind:
    """A type of entry: how many of ten thousand, who does it, its terms and what it says."""

    type: str
    share: int
    actor: str
    terms: tuple[tuple[str, str], ...]
    data: dict[str, Json]
    at_site: bool = False


_VERSION: dict[str, Json] = {"version": "@model/7", "artifact": "@digest"}
_ASKED: dict[str, Json] = {
    "promotion": "P-@number",
    "request": "@digest",
    "stage": "production",
    "version": "@model/7",
    "artifacts": [{"name": "catalog/@model/7/cpu-x86_64", "sha256": "@digest"}] * 3,
}
_OF_MODEL = (("model", "@model"),)
_OF_PROMOTION = (("person", "@person"), ("model", "@model"), ("promotion", "P-@number"))
_OF_TRANSFER = (("transfer", "@site-@number"), ("site", "@site"))
_CARRIED: dict[str, Json] = {"transfer": "@site-@number", "enrolment": "@digest"}

KINDS = (
    Kind("version.ingested", 400, "@person", _OF_MODEL, _VERSION | {"scan": "@digest"}),
    Kind("version.seen-again", 190, "@person", _OF_MODEL, _VERSION),
    Kind("intake.refused", 50, "@person", _OF_MODEL, {"code": "scan-failed"}),
    Kind("variant.built", 800, "hub-builder", _OF_MODEL, _VERSION),
    Kind("variant.measured", 200, "hub-builder", _OF_MODEL, _VERSION),
    Kind("conversion.refused", 100, "@person", _OF_MODEL, {"code": "unsupported"}),
    Kind("promotion.requested", 600, "@person", _OF_PROMOTION, _ASKED),
    Kind("promotion.approved", 1_200, "@person", _OF_PROMOTION, _ASKED | {"approval": "@digest"}),
    Kind(
        "site.assigned",
        1_200,
        "@person",
        (("site", "@site"), ("model", "@model")),
        {"version": "@model/7", "groups": {"line-1": "cpu-x86_64"}, "enrolment": "@digest"},
        at_site=True,
    ),
    Kind("transfer.begun", 1_500, "@person", _OF_TRANSFER, _CARRIED, at_site=True),
    Kind(
        "transfer.exported",
        1_500,
        "@person",
        _OF_TRANSFER,
        _CARRIED | {"sha256": "@digest", "medium": "/media/disk", "base": ["@digest"]},
        at_site=True,
    ),
    Kind(
        "return.accepted",
        1_400,
        "site @site",
        _OF_TRANSFER,
        {"site": "@site", "receipts": ["@digest"], "size": 7, "root": "@digest"},
        at_site=True,
    ),
    Kind("return.refused", 50, "hub", (("site", "@site"),), {"code": "proof-wrong"}, at_site=True),
    Kind("role.renewed", 600, "@person", (), {"roles": ["timestamp"], "days": 30}),
    Kind("team.members-changed", 109, "@person", (("person", "@person"),), {"status": "active"}),
    Kind("site.enrolled", 100, "@person", (("site", "@site"),), {"key": "@digest"}, at_site=True),
    Kind("recall.published", 1, "@person", (("artifact", "@digest"),), {"reason": "Drifts."}),
)


class Made(NamedTuple):
    """One entry: its bytes, what it is found by, and its terms."""

    body: bytes
    columns: tuple[str, str, str | None, str, str]
    terms: tuple[tuple[str, str], ...]


class _Commit(NamedTuple):
    """One entry with what its commit wrote beside it."""

    made: Made
    growth: Growth
    root: bytes
    note: bytes


def entries(size: int) -> Iterator[Made]:
    """`size` entries in their order; the same ones each time but for their ids."""
    order = _order()
    moulds = {kind.type: _mould(kind) for kind in KINDS}
    for number in range(size):
        kind = order[number * 7_919 % len(order)]  # a prime: every type everywhere
        yield _fill(kind, moulds[kind.type], number, BEGAN + SPAN / size * number)


def build(path: Path, size: int) -> None:
    """Fill the empty log in the database at `path` with `size` entries, a checkpoint each."""
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        for pragma in ("synchronous = OFF", "cache_size = -400000", "foreign_keys = OFF"):
            raw.execute(f"PRAGMA {pragma}")
        triggers = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
        guards = raw.execute(triggers).fetchall()
        for name, _ in guards:
            raw.execute(f"DROP TRIGGER {name}")
        _insert(raw, size)
        for _, sql in guards:
            raw.execute(sql)
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _insert(raw: sqlite3.Connection, size: int) -> None:
    hashes: dict[int, list[bytes]] = {}

    def stored(level: int, first: int, end: int) -> Sequence[bytes]:
        return hashes[level][first:end]

    frontier = Frontier()
    batch: list[_Commit] = []
    for made in entries(size):
        growth = grow(frontier, [made.body], stored)
        frontier = growth.frontier
        hashes.setdefault(0, []).append(growth.leaves)
        for tile in growth.tiles:
            hashes.setdefault(tile.level + 1, []).append(tile.root)
        said = Checkpoint(ORIGIN, frontier.size, frontier.root)
        batch.append(_Commit(made, growth, said.root, _note(said, newest=frontier.size == size)))
        if len(batch) == AT_ONCE or frontier.size == size:
            _write(raw, batch)
            batch.clear()


def _note(said: Checkpoint, *, newest: bool) -> bytes:
    """The checkpoint's note; the newest one's signature alone is true, and looked at."""
    if newest:
        return checkpoint.sign(said, SIGNER)
    return b"%b\n\xe2\x80\x94 %b %b\n" % (said.body(), ORIGIN.encode(), b"A" * 92)


def _write(raw: sqlite3.Connection, batch: Sequence[_Commit]) -> None:
    rows = [(one.made, one.growth.rows[0]) for one in batch]
    raw.execute("BEGIN")
    raw.executemany(
        "INSERT INTO log_entry VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        ((row.seq, row.leaf, row.body, *made.columns) for made, row in rows),
    )
    raw.executemany(
        "INSERT INTO log_term VALUES (?, ?, ?)",
        ((kind, value, row.seq) for made, row in rows for kind, value in made.terms),
    )
    raw.executemany(
        "INSERT INTO log_tile VALUES (?, ?, ?, ?)",
        (tile for one in batch for tile in one.growth.tiles),
    )
    raw.executemany(
        "INSERT INTO log_checkpoint VALUES (?, ?, ?, ?, ?)",
        (
            (edge.size, one.root, edge.encode(), one.growth.leaves, one.note)
            for one in batch
            for edge in (one.growth.frontier,)
        ),
    )
    raw.execute("COMMIT")


def _order() -> list[Kind]:
    order = [kind for kind in KINDS for _ in range(kind.share)]
    if len(order) != 10_000:
        raise AssertionError(len(order))
    return order


def _mould(kind: Kind) -> bytes:
    """The bytes of an entry of this kind, with its marks in it."""
    terms = [Term(name, value) for name, value in kind.terms]
    site = "site-0000" if kind.at_site else None
    return body_of(new_entry(kind.type, kind.actor, BEGAN, kind.data, terms, site))


def _fill(kind: Kind, mould: bytes, number: int, at: datetime) -> Made:
    said = _values(number)

    def filled(text: str) -> str:
        for mark, value in said.items():
            text = text.replace(mark, value)
        return text

    when, id_ = moment(at), _id(at, number)
    site = said["@site"] if kind.at_site else None
    body = mould.decode()
    at_mark, id_mark = body.index('"at":"') + 6, body.index('"id":"') + 6
    body = body[:at_mark] + when + body[at_mark + 27 : id_mark] + id_ + body[id_mark + 36 :]
    body = filled(body.replace('"site":"site-0000"', f'"site":"{site}"'))
    terms = tuple((name, filled(value)) for name, value in kind.terms)
    return Made(body.encode(), (id_, kind.type, site, when, filled(kind.actor)), terms)


def _values(number: int) -> dict[str, str]:
    """What stands for each mark in entry `number`: some models and sites are busier than others."""
    team = number * 31 % TEAMS * (number * 17 % TEAMS) // TEAMS
    model = f"team-{team:03d}/model-{number * 13 % MODELS_A_TEAM}"
    return {
        "@model": model,
        "@person": f"person-{number * 101 % PEOPLE:03d}",
        "@site": f"site-{number * 37 % SITES:04d}",
        "@number": f"{number:06d}",
        "@digest": f"{number:064x}",
    }


def _id(at: datetime, number: int) -> str:
    """An id as a hub gives it, with the entry's number for chance."""
    text = f"{int(at.timestamp() * 1000) << 80 | 7 << 76 | 0b10 << 62 | number:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
