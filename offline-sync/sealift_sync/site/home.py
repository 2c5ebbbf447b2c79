"""A site's folder: where everything lies, and that one command at a time works in it."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sealift_signing.errors import FailedError, NotFoundError
from sealift_signing.keys import Passphrases, variable
from sealift_sync import durable
from sealift_sync.blobs import BlobFolder
from sealift_sync.site.settings import FIRST_SETTINGS, Settings, read_settings

HOME_VARIABLE = "SEALIFT_SITE_HOME"
DEFAULT_HOME = "sealift-site"


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

    def passphrases(self, environment: Mapping[str, str]) -> Passphrases:
        """Where the passphrase of the site's key is: the environment, else the file."""
        said = environment.get(variable(self.key))
        return Passphrases(None if said else self.passphrase, environment, None)


def choose_home(option: Path | None, environment: Mapping[str, str]) -> Path:
    """`--home`, else SEALIFT_SITE_HOME, else ./sealift-site (DESIGN section 8, choice 1)."""
    return (option or Path(environment.get(HOME_VARIABLE) or DEFAULT_HOME)).absolute()


def make_home(root: Path, environment: Mapping[str, str]) -> Home:
    """The home at `root`, made if it is not there; nothing that is there is changed.

    Raises:
        FailedError: it could not be made.
    """
    try:
        for folder, mode in (("", 0o755), ("store", 0o755), ("models", 0o755), ("keys", 0o700)):
            (root / folder).mkdir(parents=True, exist_ok=True, mode=mode)
        (root / "keys").chmod(0o700)
        if not (root / "settings.toml").exists():
            durable.write(root / "settings.toml", FIRST_SETTINGS.encode())
    except OSError as bad:
        raise durable.unwritable(root, bad) from bad
    return Home(root, read_settings(root / "settings.toml", environment))


def find_home(root: Path, environment: Mapping[str, str]) -> Home:
    """The home at `root`, which `init` made.

    Raises:
        NotFoundError: there is none.
    """
    if not (root / "sealift.db").is_file():
        raise NotFoundError(
            "no-home",
            f"There is no Sealift site at {root}.",
            subject=str(root),
            next_step=f"Give --home or set {HOME_VARIABLE}, or make one: sealift-site init --help",
        )
    return Home(root, read_settings(root / "settings.toml", environment))


@contextmanager
def only_one(home: Home, command: str) -> Iterator[None]:
    """Hold the home for `command`: two imports at once would judge by each other's half-truths.

    Raises:
        FailedError: another command holds it and did not end soon.
    """
    path = home.root / "lock"
    try:
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o644), "r+", encoding="utf-8")
    except OSError as bad:
        raise durable.unwritable(path, bad) from bad
    with file:
        _wait(file.fileno(), home, path)
        _say(file.fileno(), f"sealift-site {command} (process {os.getpid()})")
        try:
            yield
        finally:
            _say(file.fileno(), "")


def _say(descriptor: int, words: str) -> None:
    """Tell whoever waits who works here; on a full disk nobody is told, and the work goes on."""
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, words.encode(), 0)


def _wait(descriptor: int, home: Home, path: Path) -> None:
    end = time.monotonic() + home.settings.limits.lock_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() < end:
                time.sleep(0.05)
                continue
            holder = path.read_text(encoding="utf-8", errors="replace")[:200] or "another command"
            raise FailedError(
                "home-busy",
                f"{holder} is working in {home.root}.",
                subject=str(home.root),
                next_step="Wait until it has ended, then run this command again.",
            ) from None
        else:
            return
