"""A site's folder: where everything lies, and that one command at a time works in it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self

from sealift_signing import file_access, locks
from sealift_signing.errors import FailedError, NotFoundError
from sealift_signing.keys import Passphrases, variable
from sealift_signing.login import check_may_open, check_not_of_another
from sealift_sync import durable
from sealift_sync.blobs import BlobFolder
from sealift_sync.site.setup.settings import FIRST_SETTINGS, Settings, read_settings

HOME_VARIABLE = "SEALIFT_SITE_HOME"
DEFAULT_HOME = "sealift-site"
MEDIUM_LOCK = "lock-medium"
RETURN_LOCK = "lock-return"


class HomeBusyError(FailedError):
    """Another command works here; `at_medium`: it takes something in from one."""

    at_medium = False


@dataclass(frozen=True)
class Home:
    """The folder of one site."""

    root: Path
    settings: Settings

    @property
    def database(self) -> Path:
        """The one database: log, receipts and state."""
        return self.root / "sealift.db"

    @property
    def store(self) -> BlobFolder:
        """Every blob that was installed."""
        return BlobFolder(self.root / "store")

    @property
    def staged(self) -> Path:
        """Blobs of an import that is not committed yet."""
        return self.root / "store" / "incoming"

    @property
    def quarantine(self) -> Path:
        """The copy of a bundle's small files, while it is judged."""
        return self.root / "quarantine"

    @property
    def models(self) -> Path:
        """What consumers read."""
        return self.root / "models"

    @property
    def key(self) -> Path:
        """The site's own key."""
        return self.root / "keys" / "site.pem"

    @property
    def passphrase(self) -> Path:
        """The file with the passphrase of the site's key, unless the environment has it."""
        return self.root / "keys" / "passphrase"

    def close_to_others(self) -> tuple[str, ...]:
        """Leave others on this machine nothing but `models`; what is to be told of it."""
        return file_access.close_home(
            self.root, most=file_access.PASSABLE, shown=["models", "store/sha256/"]
        )

    def passphrases(self, environment: Mapping[str, str]) -> Passphrases:
        """Where the passphrase of the site's key is: the environment, else the file."""
        said = environment.get(variable(self.key))
        return Passphrases(None if said else self.passphrase, environment, None)


def choose_home(option: Path | None, environment: Mapping[str, str]) -> Path:
    """`--home`, else SEALIFT_SITE_HOME, else ./sealift-site (docs/reference/settings.md).

    Raises:
        RefusedError: nobody named it, and it is another user's.
    """
    named = option or environment.get(HOME_VARIABLE)
    home = Path(named or DEFAULT_HOME).absolute()
    if not named:
        check_not_of_another(home, HOME_VARIABLE)
    return home


def make_home(root: Path, environment: Mapping[str, str]) -> Home:
    """The home at `root`, made if it is not there; nothing that is there is changed.

    Raises:
        FailedError: it could not be made.
    """
    try:
        file_access.shown_folders(root)  # whoever reads models must get there
        if not (root / "settings.toml").exists():
            file_access.show(root, file_access.PASSABLE)
        for name in ("store", "keys"):
            (root / name).mkdir(mode=file_access.FOLDER, exist_ok=True)
        file_access.shown_folder(root / "models")
        if not (root / "settings.toml").exists():
            durable.write(root / "settings.toml", FIRST_SETTINGS.encode())
    except OSError as bad:
        raise durable.unwritable(root, bad) from bad
    return Home(root, read_settings(root / "settings.toml", environment))


def find_home(root: Path, environment: Mapping[str, str]) -> Home:
    """The home at `root`, which `init` made.

    Raises:
        NotFoundError: there is none.
        RefusedError: it is another user's, and closed.
    """
    check_may_open(root)
    if not (root / "sealift.db").is_file():
        raise NotFoundError(
            "no-home",
            f"There is no Sealift site at {root}.",
            subject=str(root),
            next_step=f"Give --home or set {HOME_VARIABLE}, or make one: sealift-site init --help",
        )
    return Home(root, read_settings(root / "settings.toml", environment))


class Hold:
    """A lock file of a home that this process holds, and may let go of for a while."""

    def __init__(
        self,
        home: Home,
        path: Path,
        command: str,
        told: Callable[[str], None] = lambda _: None,
        *,
        patient: bool = False,
        looks: bool = False,
        next_step: str = "Wait until it has ended, then run this command again.",
    ) -> None:
        self._home = home
        self._path = path
        self._told = told
        self._held = False
        self._patient = patient
        self._next_step = next_step
        self._words = f"sealift-site {command} (process {os.getpid()})"
        with self._lockable():
            self._file = locks.open_file(path, looks=looks)

    @contextmanager
    def taken(self) -> Iterator[Self]:
        """Hold it, if whoever does lets go of it soon; who is patient, however late that is.

        Raises:
            HomeBusyError: another command holds it and did not end soon.
        """
        with self._file:
            if self._patient:
                self._wait()
            elif not self._is_free_within(self._home.settings.limits.lock_seconds):
                raise self._busy()
            self._take()
            try:
                yield self
            finally:
                self._leave()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Let others have it meanwhile; it is waited for, however long they take.

        Whoever is stopped meanwhile has nothing to do here any more, and does not wait.
        """
        self._leave()
        locks.unlock(self._file)
        try:
            yield
        except Exception:
            self._take_again()
            raise
        self._take_again()

    def _take_again(self) -> None:
        self._wait()
        self._take()

    def _wait(self) -> None:
        def waiting() -> None:
            self._told(f"Waiting until {_holder(self._path)} has ended.")

        with self._lockable():
            locks.lock(self._file, waiting)

    def _take(self) -> None:
        self._held = True
        locks.say(self._file, self._words)

    def _leave(self) -> None:
        """Say nothing in the place of others: whoever was stopped while waiting holds nothing."""
        if self._held:
            locks.say(self._file, "")
        self._held = False

    def _is_free_within(self, seconds: float) -> bool:
        with self._lockable():
            return locks.lock_within(self._file, seconds)

    @contextmanager
    def _lockable(self) -> Iterator[None]:
        """Where there are no locks nobody works, and the lock never will be ours."""
        try:
            yield
        except OSError as bad:
            raise durable.unwritable(self._path, bad) from bad

    def _busy(self) -> HomeBusyError:
        holder = _holder(self._path)
        busy = HomeBusyError(
            "home-busy",
            f"{holder} is working in {self._home.root}.",
            subject=str(self._home.root),
            next_step=self._next_step,
        )
        busy.at_medium = self._path.name == MEDIUM_LOCK
        return busy


def only_one(
    home: Home,
    command: str,
    told: Callable[[str], None] = lambda _: None,
    *,
    patient: bool = False,
    looks: bool = False,
) -> AbstractContextManager[Hold]:
    """Hold the home for `command`: two at once would judge by each other's half-truths.

    Args:
        home: the site's.
        command: as others are told who works here.
        told: for what it waits, where others are long.
        patient: it is there to stop something, and waits rather than fail.
        looks: it writes nothing; the home may lie where nothing can be written.

    Raises:
        HomeBusyError: another command holds it and did not end soon.
    """
    return Hold(home, home.root / "lock", command, told, patient=patient, looks=looks).taken()


def one_medium(home: Home, command: str) -> AbstractContextManager[Hold]:
    """Hold what `command` takes from a medium: the quarantine, and what is staged.

    It is held as long as the medium is read, for hours if need be, and comes before the home's own
    lock; others work in the home meanwhile.

    Raises:
        HomeBusyError: another command does, and did not end soon.
    """
    step = "Wait until it has ended, or stop it if this cannot wait; then run this command again."
    return Hold(home, home.root / MEDIUM_LOCK, command, next_step=step).taken()


def one_return(home: Home, command: str) -> AbstractContextManager[Hold]:
    """Hold what `command` writes to a medium; others work in the home meanwhile.

    Raises:
        HomeBusyError: another command writes a return, and did not end soon.
    """
    return Hold(home, home.root / RETURN_LOCK, command).taken()


@contextmanager
def no_medium(home: Home) -> Iterator[bool]:
    """Whether no command reads a medium, nor begins to within: what one left is left over then."""
    try:
        file = (home.root / MEDIUM_LOCK).open("rb")
    except FileNotFoundError:  # none ever did, and none begins while we hold the home's own lock
        yield True
        return
    except OSError:
        yield False
        return
    with file:
        yield _is_free(file)


def at_a_medium(home: Home) -> str:
    """The command that reads a medium now, as it says itself; empty if none does."""
    with no_medium(home) as free:
        return "" if free else _holder(home.root / MEDIUM_LOCK)


def _holder(path: Path) -> str:
    return locks.holder(path) or "another command"


def _is_free(file: BinaryIO) -> bool:
    """Whether nobody holds it but who only looks. A file system without locks does not tell."""
    try:
        return locks.try_lock(file, shared=True)
    except OSError:
        return False
