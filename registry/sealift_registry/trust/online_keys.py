"""The keys that the hub signs with by itself. Whoever steals the hub has them.

They prove freshness and listing, no more; what a site installs needs people
(docs/explanation/six-conditions.md).
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from securesystemslib.signer import Signer

from sealift_signing import file_access, keys
from sealift_signing.errors import FailedError
from sealift_signing.keys import Passphrases
from sealift_signing.pkcs8 import ROUNDS, ROUNDS_RANDOM
from sealift_signing.public_key import PublicKey
from sealift_sync import durable

NAMES = ("snapshot", "timestamp", "catalog", "log", "scanner", "builder")
PASSPHRASE = "passphrase"  # noqa: S105 - a file's name
NEXT = "next"
"""In the keys' folder: keys that were made to follow others, until they are named."""
FORMER = "former"
"""There: keys that others followed; a backup of the database from before still needs them."""
VARIABLE = "SEALIFT_PASSPHRASE_HUB"


class OnlineKeys:
    """The key files in the hub's `keys/`.

    Their passphrase is in SEALIFT_PASSPHRASE_HUB, else in the file `keys/passphrase`: that file
    keeps a stray copy of a key useless, and nothing more.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = environment
        self._open: dict[str | tuple[str, str], Signer] = {}

    def create(self) -> dict[str, PublicKey]:
        """Make all of them, in an empty folder; the public keys by name."""
        if not self._environment.get(VARIABLE):
            phrase = secrets.token_urlsafe(32)
            durable.write(self._folder / PASSPHRASE, f"{phrase}\n".encode())
        return {name: self.create_key(name) for name in NAMES}

    def create_key(self, name: str) -> PublicKey:
        """Make one more key that the hub keeps."""
        return self._make(self.path(name), self.path(name))

    def _make(self, path: Path, at: Path) -> PublicKey:
        """Make the key whose place is `path`, in the file `at`."""
        rounds = ROUNDS if self._environment.get(VARIABLE) else ROUNDS_RANDOM
        phrase = self.passphrases().of(path)
        return keys.new_key(at, phrase, rounds=rounds, public_mode=file_access.FILE)

    def signer(self, name: str) -> Signer:
        """The signer called `name`, opened once."""
        if name not in self._open:
            self._open[name] = keys.open_signer(str(self.path(name)), self.passphrases())
        return self._open[name]

    def signer_for(self, name: str, held: Iterable[PublicKey]) -> Signer:
        """The signer called `name`, or the one that is to follow it: whichever of `held` it is.

        Raises:
            FailedError: neither; this hub does not have the key that was signed for.
        """
        wanted = {key.raw for key in held}
        if self.path(name).exists() and self.public(name).raw in wanted:
            if name in self._open and _raw(self._open[name]) not in wanted:
                del self._open[name]  # the file is another one since it was opened
            return self.signer(name)
        following = self.following(name)
        if following is None or following.raw not in wanted:
            raise FailedError(
                "online-key-missing",
                f"This hub does not have the key that was signed for: {name}.",
                subject=str(self.path(name)),
                next_step=f"Where another host of this hub replaced it, copy {name}.pem and "
                f"{name}.pem.pub from its keys/ to {self._folder}; else restore the hub's keys "
                "from the backup that goes with its database, or replace the key: sealift key "
                "rotate --help",
            )
        if (NEXT, name) not in self._open:
            path = self._next(name)
            self._open[NEXT, name] = keys.open_signer(str(path), self.passphrases())
        return self._open[NEXT, name]

    def public(self, name: str) -> PublicKey:
        """The public key called `name`."""
        return keys.read_public(f"{self.path(name)}.pub")

    def has_public(self, name: str) -> bool:
        """Whether that public key is here; in a copy for an auditor it is not."""
        return Path(f"{self.path(name)}.pub").exists()

    def following(self, name: str) -> PublicKey | None:
        """The key that was made to follow the one called `name`; None if none was."""
        path = self._next(name)
        return keys.read_public(f"{path}.pub") if path.exists() else None

    def every_public(self, name: str) -> tuple[PublicKey, ...]:
        """The public keys that were ever called `name` here, and the one that is to be."""
        former = sorted((self._folder / FORMER).glob(f"{name}-*.pem.pub"))
        there = (Path(f"{self.path(name)}.pub"), Path(f"{self._next(name)}.pub"), *former)
        return tuple(keys.read_public(str(one)) for one in there if one.exists())

    def make_next(self, name: str) -> PublicKey:
        """The key that is to follow the one called `name`: made once, until it is taken up."""
        aside = self._folder / f"{NEXT}{durable.PARTIAL}"
        shutil.rmtree(aside, ignore_errors=True)
        found = self.following(name)
        if found is not None:
            return found
        aside.mkdir(mode=file_access.FOLDER)
        path = self._next(name)
        path.parent.mkdir(mode=file_access.FOLDER, exist_ok=True)
        made = self._make(path, aside / path.name)
        # Its public half first: a key that is there is whole, wherever this was cut.
        for half in (f"{path.name}.pub", path.name):
            (aside / half).replace(path.with_name(half))
        durable.flush_folder(path.parent)
        aside.rmdir()
        return made

    def forget_next(self, name: str) -> None:
        """The key that was to follow is made anew: somebody may have had it meanwhile."""
        self._next(name).unlink(missing_ok=True)
        self._open.pop((NEXT, name), None)

    def take_up(self, name: str, held: Iterable[PublicKey]) -> bool:
        """Let the key that was made to follow take its place, once it is one of `held`.

        Run again where it was cut, it goes on.
        """
        following = self.following(name)
        if following is None or following.raw not in {key.raw for key in held}:
            return False
        path, after = self.path(name), self._next(name)
        if path.exists() and self.public(name) != following:
            (self._folder / FORMER).mkdir(mode=file_access.FOLDER, exist_ok=True)
            count = len(list((self._folder / FORMER).glob(f"{name}-*.pem")))
            _move(path, self._folder / FORMER / f"{name}-{count + 1}.pem")
        _move(after, path)
        self._open.pop(name, None)
        self._open.pop((NEXT, name), None)
        return True

    def tidy(self, name: str) -> None:
        """Remove the public half that a key left behind that was cut while it took its place."""
        half, own = Path(f"{self._next(name)}.pub"), Path(f"{self.path(name)}.pub")
        left = half.exists() and not self._next(name).exists() and own.exists()
        if left and half.read_bytes() == own.read_bytes():
            half.unlink(missing_ok=True)

    def _next(self, name: str) -> Path:
        return self._folder / NEXT / f"{name}.pem"

    def path(self, name: str) -> Path:
        """The key file called `name`."""
        return self._folder / f"{name}.pem"

    def passphrases(self) -> Passphrases:
        """Where the passphrase of these keys comes from; nobody is asked."""
        phrase = self._environment.get(VARIABLE)
        if phrase:
            known = {keys.variable(self.path(name)): phrase for name in (*NAMES, "solo")}
            return Passphrases(None, known, None)
        return Passphrases(self._folder / PASSPHRASE, {}, None)


def _raw(signer: Signer) -> bytes:
    return PublicKey.from_tuf(signer.public_key).raw


def _move(key: Path, to: Path) -> None:
    """Move a key file. Its public half is copied first and goes last: either place is whole."""
    half, other = Path(f"{key}.pub"), Path(f"{to}.pub")
    durable.write(other, half.read_bytes())
    key.replace(to)
    durable.flush_folder(to.parent)
    half.unlink()
    durable.flush_folder(key.parent)
