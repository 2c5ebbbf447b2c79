"""A site that is open for one command: its home, state, log and key, held by this process alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache, partial
from pathlib import Path

from securesystemslib.signer import Signer
from tuf.api.metadata import Root

from sealift_signing import statements
from sealift_signing.canonical import Json
from sealift_signing.clock import SKEW, is_possible
from sealift_signing.errors import FailedError, SealiftError
from sealift_signing.keys import open_signer
from sealift_signing.login import login_name
from sealift_signing.public_key import PublicKey
from sealift_signing.statements import SiteRequest
from sealift_signing.transparency.checkpoint import site_origin
from sealift_signing.transparency.entry import Entry, Term, new_entry
from sealift_signing.tuf_walk import read_metadata
from sealift_signing.vocabulary import moment
from sealift_signing.words import fingerprint
from sealift_sync.site.log.appending import SiteLog
from sealift_sync.site.log.restored_site import marked
from sealift_sync.site.setup.disk_reserve import Reserve
from sealift_sync.site.setup.enrolment import REQUEST, Enrolment, enrolment
from sealift_sync.site.setup.home_folder import Home, find_home
from sealift_sync.site.setup.home_locks import Hold, no_medium, one_medium, only_one
from sealift_sync.site.state.database import State

Clock = Callable[[], datetime]


@dataclass(frozen=True)
class OpenSite:
    """An enrolled site, held by one command.

    Attributes:
        home: its folder.
        state: its database.
        signer: opens the site's key when it is first needed.
        enrolment: as the hub answered it.
        clock: this machine's.
        hold: of the home.
        reserve: of its disk; given up where the command stops something.
        reads_medium: the command also holds what is taken from a medium.
        home_now: the folder once more, with its settings as they are by then.
    """

    home: Home
    state: State
    signer: Callable[[], Signer]
    enrolment: Enrolment
    clock: Clock
    hold: Hold
    reserve: Reserve
    reads_medium: bool
    home_now: Callable[[], Home]
    _entries: list[str] = field(default_factory=list)
    """The ids of those that this command appended, in transactions that may not have ended well."""

    @property
    def key(self) -> PublicKey:
        """The site's public key, as it asked to be enrolled with."""
        request = statements.read(SiteRequest, self.state.fact(REQUEST) or b"", what="the request")
        return PublicKey.parse(request.predicate.key)

    @property
    def fingerprint(self) -> str:
        """The organisation's fingerprint, by the newest root that this site trusts."""
        roots = self.state.roots()
        return fingerprint(read_metadata(roots[max(roots)], "root", Root))

    @property
    def origin(self) -> str:
        """The name of this site's log."""
        return site_origin(self.enrolment.organisation, self.enrolment.site)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Let other commands work here while a medium is looked at: a rollback cannot wait.

        What was read of the state before is to be read again afterwards; what was taken from a
        medium stays only where this command `reads_medium`. The disk's reserve is there for them.
        """
        with self.reserve.resting(), self.hold.aside():
            yield

    def as_set_now(self) -> OpenSite:
        """This site with its settings as they are now: while others work, people change them too.

        Raises:
            FailedError: they cannot be read, which is no medium's fault.
        """
        try:
            return replace(self, home=self.home_now())
        except SealiftError as bad:
            words = {"subject": bad.subject, "next_step": bad.next_step}
            raise FailedError(bad.code, bad.what, **words) from bad

    @contextmanager
    def leftovers(self) -> Iterator[bool]:
        """Whether what is taken from a medium is nobody's now but this command's."""
        with nullcontext(True) if self.reads_medium else no_medium(self.home) as free:  # noqa: FBT003 - is it free
            yield free

    def record(self, entry: Entry) -> None:
        """Append `entry` to the log, within the transaction of what it tells of.

        Raises:
            FailedError: it could not be written; then what it tells of did not happen.
            RestoredError: this log is not all that was signed, and takes no such entry; likewise.
        """
        log = SiteLog(self.state.connection, self.signer(), self.origin)
        appended = log.append(marked(self.state, entry))
        self.state.recorded(appended.seq, entry.type)
        self._entries.append(entry.id)

    def has_logged(self) -> bool:
        """Whether this command has written to the log; others may have, too."""
        known = "SELECT 1 FROM log_entry WHERE id = ?"
        return any(self.state.connection.execute(known, [one]).fetchone() for one in self._entries)

    def trusted_time(self) -> datetime:
        """The later of this machine's clock and the highest authenticated time seen.

        A clock that was set back does not make an expired signature good again.
        """
        now, seen = self.clock(), self.state.high_water()
        return now if seen is None else max(now, seen)

    def wrong_clock(self) -> str:
        """What people here are told of a clock that cannot be right; empty where it may be.

        It stops nothing: what runs, goes back or is recalled must not wait for a clock.
        """
        now, seen = self.clock(), self.state.high_water()
        if is_possible(now) and (seen is None or seen - now <= SKEW):
            return ""
        known = (
            f"this site has seen what was signed at {moment(seen)[:16]}"
            if seen
            else ("that is before Sealift was made")
        )
        return (
            f"The clock of this machine says {moment(now)[:16]}, and {known}. Set it: until then "
            "its log and receipts bear that date."
        )

    def entry(
        self, kind: str, data: Mapping[str, Json], terms: Iterable[Term] = (), *, actor: str = ""
    ) -> Entry:
        """An entry of this site's log, not yet appended."""
        return new_entry(
            kind, actor or whoami(), self.clock(), data, terms, site=self.enrolment.site
        )


@contextmanager
def open_site(  # noqa: PLR0913 - what a command does here, each said by name
    root: Path,
    environment: Mapping[str, str],
    clock: Clock,
    command: str,
    *,
    reads_medium: bool = False,
    stops: bool = False,
    looks: bool = False,
    told: Callable[[str], None] = lambda _: None,
) -> Iterator[OpenSite]:
    """The enrolled site at `root`, for `command` alone.

    Args:
        root: the home.
        environment: where the passphrase of the site's key may be.
        clock: this machine's.
        command: as others are told who works here.
        reads_medium: it takes in a bundle, or judges one; one such command at a time.
        stops: it may stop something: it has the disk's reserve, and waits for others who work
            here, however long.
        looks: it writes nothing, and works also where nothing can be written.
        told: what it waits for, as a sentence, where others are long.

    Raises:
        NotFoundError: no home, or not enrolled.
        HomeBusyError: another command is working there.
        FailedError: it cannot be read, or newer software has worked there.
    """
    home = find_home(root, environment)
    for sentence in home.close_to_others():
        told(sentence)
    with (
        one_medium(home, command) if reads_medium else nullcontext(),
        only_one(home, command, told, patient=stops, looks=looks) as hold,
    ):
        reserve = Reserve(home)
        reserve.keep()
        if stops:
            reserve.give_up()  # before the database is opened, which takes room by itself
        state = None
        try:
            state = State(home.database, looks=looks)
            state.bring_forward()  # after the reserve, too: what stops a model may be what takes it
            known = enrolment(state)
            signer = cache(lambda: open_signer(str(home.key), home.passphrases(environment)))
            now = partial(find_home, root, environment)
            yield OpenSite(home, state, signer, known, clock, hold, reserve, reads_medium, now)
        finally:
            if state is not None:
                state.close()
            reserve.take_back()


def whoami() -> str:
    """Who runs this command, as this machine knows them."""
    return f"{login_name() or 'somebody'} at this site"
