"""What builders on other machines are asked for, and what they answer: an outbox and an inbox.

A builder has a role at the hub's database that reads orders, adds answers and sees nothing else. An
answer is data, whoever wrote it: it counts by the signature in it, for an order that the hub would
make itself (`conversion.acceptance`). Rows go once an order is answered.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import ClassVar, Literal

from sqlalchemy import Connection, delete, func, insert, select

from sealift_registry.jobs import tables
from sealift_signing import shape
from sealift_signing.errors import FailedError, MalformedError, SealiftError
from sealift_signing.vocabulary import Count, MediumPath, Moment, Name, Sha256

WAITS = "waits-for-builder"
"""The code of what is no fault: nobody has built it yet."""
LARGEST_ANSWER = 4 * 1024 * 1024
"""Bytes that say which files there are."""
AT_ONCE = 100
"""Answers to one order that are looked at in one go."""


@dataclass(frozen=True)
class AnsweredFile:
    """A file of a result, and which blob of the builders' it is."""

    sha256: Sha256
    size: Count


@dataclass(frozen=True)
class Answer:
    """What a builder says that it put: none of it is believed.

    Attributes:
        format: of these bytes.
        requires: features that a reader must know.
        order: the sha256 of the work order that it ran.
        machine: by the name that its builder's key has in fleet/keys.json.
        made: when.
        files: of the result, by their paths in its folder.
    """

    DOCUMENT: ClassVar[str] = "build-answer"

    format: Literal[1]
    requires: tuple[str, ...]
    order: Sha256
    machine: Name
    made: Moment
    files: Mapping[MediumPath, AnsweredFile]

    def digest(self) -> str:
        """The sha256 of its bytes: its row's key."""
        return sha256(shape.write(self)).hexdigest()


@dataclass(frozen=True)
class Ordered:
    """A work order as a row has it."""

    digest: str
    artifact: str
    hardware_target: str
    body: bytes
    made: str

    @property
    def is_whole(self) -> bool:
        """Whether its bytes are those that it is called by."""
        return sha256(self.body).hexdigest() == self.digest


def place(connection: Connection, ordered: Ordered) -> None:
    """Have builders asked for it; nothing is added where they are asked already.

    Nobody is asked for what was wanted of the same artifact before: it is another order by now.
    """
    t = tables.build_order
    older = select(t.c.digest).where(t.c.artifact == ordered.artifact, t.c.digest != ordered.digest)
    for one in connection.execute(older).scalars().all():
        withdraw(connection, one)
    there = select(t.c.digest).where(t.c.digest == ordered.digest)
    if connection.execute(there).first() is None:
        connection.execute(insert(t).values(**vars(ordered)))


def withdraw(connection: Connection, order: str) -> None:
    """Have nobody asked for it any more; what was answered goes with it."""
    connection.execute(delete(tables.build_order).where(tables.build_order.c.digest == order))
    t = tables.build_result
    connection.execute(delete(t).where(t.c.build_order == order))


def orders(connection: Connection, hardware_targets: Collection[str]) -> list[Ordered]:
    """What is asked of builders for these hardware targets, the oldest first."""
    t = tables.build_order
    query = select(t).where(t.c.hardware_target.in_(hardware_targets))
    rows = connection.execute(query.order_by(t.c.made, t.c.digest)).all()
    return [
        Ordered(one.digest, one.artifact, one.hardware_target, bytes(one.body), one.made)
        for one in rows
    ]


def answer(connection: Connection, made: Answer) -> None:
    """Add what a builder answers; the same again, or to what nobody asks any more, adds nothing."""
    if not is_placed(connection, made.order):
        return
    t = tables.build_result
    there = select(t.c.digest).where(t.c.digest == made.digest())
    if connection.execute(there).first() is not None:
        return
    row = {"build_order": made.order, "machine": made.machine, "made": made.made}
    connection.execute(insert(t).values(digest=made.digest(), files=shape.write(made), **row))


def is_answered(connection: Connection, order: str, machine: str | None = None) -> bool:
    """Whether somebody answered an order, or this machine did, by rows that are not believed."""
    t = tables.build_result
    query = select(t.c.digest).where(t.c.build_order == order)
    if machine is not None:
        query = query.where(t.c.machine == machine)
    return connection.execute(query.limit(1)).first() is not None


def is_placed(connection: Connection, order: str) -> bool:
    """Whether builders are asked for an order."""
    t = tables.build_order
    query = select(t.c.digest).where(t.c.digest == order)
    return connection.execute(query).first() is not None


def placed(connection: Connection) -> dict[str, bool]:
    """Every order that builders are asked for, and whether somebody answered it."""
    o, r = tables.build_order, tables.build_result
    answered = o.c.digest.in_(select(r.c.build_order))
    query = select(o.c.digest, answered.label("answered"))
    return {row.digest: bool(row.answered) for row in connection.execute(query)}


def answers(connection: Connection, order: str) -> Iterator[tuple[str, Answer | SealiftError]]:
    """What was answered to an order, by its row's key; or why that is no answer to it.

    The first of them, where somebody adds very many.
    """
    t = tables.build_result
    size = func.length(t.c.files)
    query = select(t.c.digest, size.label("size")).where(t.c.build_order == order)
    for row in connection.execute(query.order_by(t.c.made, t.c.digest).limit(AT_ONCE)).all():
        try:
            if row.size > LARGEST_ANSWER:
                raise _no_answer()
            files = select(t.c.files).where(t.c.digest == row.digest)
            yield row.digest, _read(bytes(connection.execute(files).scalar_one()), order)
        except SealiftError as bad:
            yield row.digest, bad


def remove(connection: Connection, digest: str) -> None:
    """Take out an answer that does not count."""
    t = tables.build_result
    connection.execute(delete(t).where(t.c.digest == digest))


def forget(connection: Connection, before: str) -> None:
    """Remove orders that were placed before that moment, and answers to orders that are gone."""
    o, r = tables.build_order, tables.build_result
    connection.execute(delete(o).where(o.c.made < before))
    connection.execute(delete(r).where(r.c.build_order.not_in(select(o.c.digest))))


def waits(hardware_target: str, order: str) -> FailedError:
    """What is raised where nobody has built it yet."""
    return FailedError(
        "waits-for-builder",
        f"No builder for {hardware_target} has answered yet.",
        subject=order,
        next_step="See that one is at work there: sealift builder run --settings FILE",
    )


def _read(data: bytes, order: str) -> Answer:
    found = shape.read(Answer, data, what="a builder's answer")
    if found.order != order:
        raise _no_answer()
    return found


def _no_answer() -> MalformedError:
    return MalformedError(
        "bad-answer", "What lies there as a builder's answer is of another order, or too large."
    )
