"""`sealift submit`: what people signed comes back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import click

from sealift_registry.cli.at_desk import hand_in
from sealift_registry.cli.cards import read_file
from sealift_registry.cli.drafts import read_signed
from sealift_registry.cli.group import sealift
from sealift_registry.cli.servers import hub_needed
from sealift_registry.cli.session import Session, command
from sealift_signing import events

if TYPE_CHECKING:
    from sealift_registry.trust.submitting import AcceptedSubmission
    from sealift_signing.drafts import Draft, RoleVersion
    from sealift_signing.errors import SealiftError


@command(
    sealift,
    "submit",
    example="sealift submit add-approver-vision-carla.anna.signed *.signed",
    at_server=True,
)
@click.argument("files", metavar="FILE…", nargs=-1, required=True)
@click.option("--medium", metavar="DIR", help="Of a transfer: the medium it was written to.")
def submit(session: Session, *, files: Sequence[str], medium: str | None) -> None:
    """Take in what people signed.

    FILE is a draft that somebody signed, or a version that this hub lost and somebody's memory gave
    back. Copies of one draft are joined; who carried them decides nothing. Of several drafts each
    is taken in or refused by itself, in whichever order they are given.
    """
    from sealift_registry.trust.submitting import together
    from sealift_signing import drafts

    if medium is not None and session.server is not None:
        raise hub_needed(session.server)
    outcome = _Outcome(session)
    read = _read(files, outcome)
    signed = [(name, one) for name, one in read if isinstance(one, drafts.Draft)]
    each = together(signed)
    _tell_others(session, files[0], each)
    work: list[Work] = [
        partial(_taken_back, session, name, one)
        for name, one in read
        if isinstance(one, drafts.RoleVersion)
    ]
    work += [partial(_submitted, session, copies, medium, outcome.left_out) for copies in each]
    _do_all(work, outcome)
    outcome.end()


TOLD = ("site", "transfer", "promotion", "team", "role")
"""Of what was submitted, what a log file is told: names, and no words of anybody's."""


class Taken(Protocol):
    """What became of something that was submitted, here or at a server."""

    @property
    def new(self) -> bool:
        """It was published now."""
        ...

    @property
    def data(self) -> Mapping[str, Any]:
        """What is so now, for machines."""
        ...

    @property
    def lines(self) -> tuple[str, ...]:
        """The same for people."""
        ...


Work = Callable[[], Taken]


class _Outcome:
    """What became of each thing that was submitted, told as soon as it is known."""

    def __init__(self, session: Session) -> None:
        self._terminal = session.terminal
        self.done: list[Taken] = []
        self.left_out: list[str] = []
        self.refused: list[SealiftError] = []
        self.failed: SealiftError | None = None
        self._said = 0

    def add(self, one: Taken) -> None:
        """It was taken in, or was there already."""
        self.done.append(one)
        named = {name: one.data[name] for name in TOLD if name in one.data}
        events.tell("submit", "submitted", new=one.new, **named)
        if not self._terminal.as_json:
            new, self._said = self.left_out[self._said :], len(self.left_out)
            self._terminal.answer("submit", {}, [*new, *one.lines])

    def end(self) -> None:
        """Tell machines all of it, and end with what was refused.

        Raises:
            SealiftError: something was; or the machine failed.
        """
        from sealift_signing.errors import RefusedError

        if self._terminal.as_json and (self.done or len(self.refused) > 1):
            data = {
                "submitted": [{**one.data, "new": one.new} for one in self.done],
                "left_out": self.left_out,
                "refused": [bad.as_json()["error"] for bad in self.refused],
            }
            self._terminal.answer("submit", data, ())
        if len(self.refused) == 1 and not self.done and self.failed is None:
            raise self.refused[0]
        for bad in self.refused:
            self._terminal.note([f"Refused: {bad.what}", f"  Next: {bad.advice}"])
        if self.failed is not None:
            raise self.failed
        if self.refused:
            raise RefusedError(
                "partly-refused",
                f"{len(self.done)} taken in, {len(self.refused)} refused.",
                next_step="What was taken in stays. Submit the rest again, once what was said of "
                "it is mended.",
            )


def _read(files: Sequence[str], outcome: _Outcome) -> list[tuple[str, Draft | RoleVersion]]:
    from sealift_signing.errors import SealiftError

    found = []
    for name in files:
        try:
            found.append((name, read_signed(name)))
        except SealiftError as bad:
            outcome.refused.append(bad)
    return found


def _do_all(work: Sequence[Work], outcome: _Outcome) -> None:
    """Do each; what was refused once more, as long as something else was taken in since.

    A glob has no order: an approval comes before its request, a team's people before the team. Once
    the machine itself fails, the rest is not tried.
    """
    from sealift_signing.errors import FailedError, SealiftError

    left, refused, moved = list(work), list[SealiftError](), True
    while left and moved:
        again, refused, before = [], [], len(outcome.done)
        for one in left:
            try:
                outcome.add(one())
            except FailedError as bad:
                outcome.refused += refused
                outcome.failed = bad
                return
            except SealiftError as bad:
                again.append(one)
                refused.append(bad)
        left, moved = again, len(outcome.done) > before
    outcome.refused += refused


def _tell_others(session: Session, first: str, each: Sequence[Sequence[tuple[str, Draft]]]) -> None:
    """That files are of another draft than the first: whoever submits may think them copies."""
    from sealift_signing import drafts

    for copies in each[1:]:
        if all(part.kind != drafts.ROLE for part in copies[0][1].parts):
            continue  # what people say themselves is never the same
        names = ", ".join(name for name, _ in copies)
        session.terminal.note(
            [f"{names} is signed over other bytes than {first}: it is another draft."]
        )


def _taken_back(session: Session, name: str, one: RoleVersion) -> Taken:
    """Have the hub take back a version that it lost."""
    if session.server is not None:
        return session.remote.submit(read_file(name))
    return session.app.take_back(one)


def _submitted(
    session: Session,
    copies: Sequence[tuple[str, Draft]],
    medium: str | None,
    left_out: list[str],
) -> Taken:
    """Submit copies of one draft; what is said of signatures that do not count joins `left_out`."""
    from sealift_registry.trust.returned_signatures import joined
    from sealift_registry.trust.submitting import with_fingerprint
    from sealift_signing.errors import SealiftError

    if session.server is not None:
        return _handed_in(session, [one for _, one in copies], left_out)
    # Just before it is submitted: who may sign it may follow from one that came before it.
    with session.app.hub.reading() as connection:
        draft, said = joined(connection, copies)
    try:
        done = _published(session, draft, medium)
    except SealiftError as bad:
        bad.what = " ".join((*said, bad.what))
        raise
    left_out += said
    return with_fingerprint(session.app.hub, done)


def _handed_in(session: Session, copies: Sequence[Draft], left_out: list[str]) -> Taken:
    """The same at a server, which judges every signature: they are joined here, and no more."""
    from sealift_signing import drafts

    joined, _ = drafts.join(copies)
    done = hand_in(session, joined)
    left_out += done.left_out
    return done


def _published(session: Session, draft: Draft, medium: str | None) -> AcceptedSubmission:
    if draft.act != "transfer" or medium is None:
        return session.app.submit(draft, at_hub=False)
    with session.terminal.phases() as begin_phase:
        return session.app.finish(draft, Path(medium), begin_phase)
