"""Honest people at their own machines: a hub, desks and sites, all by their commands.

Each person is a folder with a key, a memory and what was carried there; nobody has a terminal, so
whatever is asked is an option. Days pass by one clock for all.
"""

from __future__ import annotations

import io
import json
import os
import shlex
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

from sealift_registry.cli.run import run as run_hub
from sealift_registry.trust.repository import Repository
from sealift_signing import drafts, shape, version_links
from sealift_signing.clock import LONGEST_SILENCE
from sealift_signing.desk.cli.run import run as run_desk
from sealift_signing.memory import Memory
from sealift_sync.cli.run import run as run_site
from tests.registry.hub_fixture import GROUP, PASSPHRASE, TARGET, Acme
from tests.stores import copy_tree

Told = Any
"""What a command said under --json; of a refusal, its error."""
CLOCKS = (
    "sealift_registry.audit.writer.datetime",
    "sealift_registry.cli.group.datetime",
    "sealift_registry.cli.session.datetime",
    "sealift_signing.desk.cli.group.datetime",
    "sealift_sync.cli.commands.datetime",
)


@dataclass
class Clock:
    """Stands for `datetime` wherever a command asks for the time."""

    time: datetime

    def now(self, _zone: object) -> datetime:
        return self.time


@dataclass(frozen=True)
class Drafted:
    """A draft that the hub wrote, and the line by which it is signed."""

    file: Path
    sign: str


class Days:
    """What happens in `folder`, where a hub may lie already."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = Clock(datetime.now(UTC) + timedelta(hours=2))
        self._count = 0
        self._states_date = False
        self._clocks = ExitStack()
        for name in CLOCKS:
            self._clocks.enter_context(mock.patch(name, self.clock))
        (folder / "pass").write_text(f"{PASSPHRASE}\n")

    def close(self) -> None:
        self._clocks.close()

    @property
    def now(self) -> datetime:
        """The time everywhere."""
        return self.clock.time

    def later(self, **span: float) -> None:
        """Time passes everywhere; after more than a year of silence people say the date."""
        self.clock.time += timedelta(**span)
        self._states_date = self._states_date or timedelta(**span) >= LONGEST_SILENCE

    # ------------------------------------------------------------------ the hub

    def hub(
        self, line: str | Sequence[str], *files: Path, code: int = 0, home: str = "hub"
    ) -> Told:
        """Run `sealift` where the hub's home is, as whoever looks after it."""
        given = line.split() if isinstance(line, str) else line
        dated = ["--today", f"{self.now:%Y-%m-%d}"] if self._states_date else []
        words = [*dated, *given, *map(str, files), "--json", "--home", str(self.folder / home)]
        words += ["--passphrase-file", str(self.folder / "pass")]
        return _run(run_hub, words, self.folder, self._trust, code)

    def draft(self, line: str | Sequence[str], *over: Path, code: int = 0) -> Drafted:
        """Have the hub write the draft of a command."""
        self._count += 1
        name = f"{self._count}.draft"
        given = line.split() if isinstance(line, str) else line
        words = [*given, "--draft", name]
        words += [word for one in over for word in ("--over", str(one))]
        told = self.hub(words, code=code)
        return Drafted(self.folder / name, told["sign"] if code == 0 else told["code"])

    def submit(self, *files: Path, code: int = 0) -> Told:
        return self.hub("submit", *files, code=code)

    def carry_out(
        self, line: str | Sequence[str], *people: Person, over: Sequence[Path] = ()
    ) -> Drafted:
        """From draft to submission: each signs a copy, and all copies come back."""
        made = self.draft(line, *over)
        self.submit(*(person.sign(made) for person in people))
        return made

    def looks(self, person: Person, role: str = "team.vision") -> None:
        """Have somebody see what the hub has: any draft shows it, and none has to be signed."""
        self.later(hours=2)
        person.learns(self.draft(f"renew {role}").file)

    def splits(self, made: Drafted, *names: str) -> list[Path]:
        """Have a draft signed by people who remember nothing that the hub did not show them now."""
        people = [self.person(name, machine=f"{name} and {made.file.stem}") for name in names]
        for one in people:
            one("trust", self.paper, str(one.takes(made.file)), "--alone")
        return [one.sign(made) for one in people]

    @property
    def paper(self) -> str:
        """The fingerprint, as it was written down."""
        return (self.folder / "paper").read_text()

    def operator(self) -> Path:
        """What whoever set the hub up knows, for others to begin from."""
        told = self.folder / "operator.memory"
        _run(run_desk, ["share", str(told), "--json"], self.folder, self._trust, 0)
        return told

    def empty(self, name: str) -> Days:
        """Another place, where there is nothing yet."""
        folder = self.folder / name
        folder.mkdir()
        (folder / "pass").write_text(f"{PASSPHRASE}\n")
        found = copy(self)
        found.folder = folder
        return found

    def restored(self, backup: Path) -> None:
        """The hub is what it was when `backup` was made."""
        shutil.rmtree(self.folder / "hub")
        copy_tree(backup, self.folder / "hub", symlinks=True)

    def backup(self) -> Path:
        self._count += 1
        there = self.folder / f"backup-{self._count}"
        return copy_tree(self.folder / "hub", there, symlinks=True)

    @property
    def acme(self) -> Acme:
        """The hub by its use cases, for what is not the matter of a test; close it afterwards."""
        return Acme(self.folder)

    # ------------------------------------------------------------------ people and sites

    def trusting(self, *names: str) -> list[Person]:
        """People who began from the memory of whoever set the hub up."""
        people = self.people(*names)
        told = self.folder / "operator.memory"
        if not told.exists():
            self._told()
        for one in people:
            one.begins_with(told)
        return people

    def enrols(self, name: str, fleet: Person, dispatcher: str) -> None:
        """Enrol a site in the folder of its name; its operator types what they were told."""
        group = f"--group {GROUP}={TARGET}"
        self.site(f"init --id {name} {group} --request {name}.request", name)
        line = f"site enroll {name}.request --stage production --dispatcher {dispatcher}"
        self.carry_out(line, fleet)
        told = self.hub(f"site answer {name} --out {name}.answer")
        words = told["words"].replace(" ", "-")
        typed = f"--fingerprint {self.paper} --words {words}"
        self.site(f"init --answer {name}.answer {typed}", name)

    def first_trusts(self) -> None:
        """Whoever looks after the hub begins from what it has, as the first of all."""
        self.hub("fingerprint --out first.draft")
        paper = self.paper if (self.folder / "paper").exists() else self._fingerprint()
        words = ["trust", paper, str(self.folder / "first.draft"), "--alone", "--json"]
        _run(run_desk, words, self.folder, self._trust, 0)

    def _fingerprint(self) -> str:
        acme = self.acme
        with acme.app.hub.reading() as connection:
            fingerprint = Repository(connection).fingerprint()
        acme.close()
        (self.folder / "paper").write_text(fingerprint)
        return fingerprint

    def _told(self) -> None:
        with mock.patch.dict(os.environ, {"SEALIFT_TRUST": str(self.folder / "trust")}):
            acme = self.acme
            acme.trusted()
            acme.close()
        self._fingerprint()
        self.operator()

    @property
    def _trust(self) -> dict[str, str]:
        return {"SEALIFT_TRUST": str(self.folder / "trust")}

    def person(self, name: str, machine: str = "") -> Person:
        """Somebody at a machine of theirs, which is new if `machine` names another."""
        folder = self.folder / "desks" / (machine or name)
        folder.mkdir(parents=True, exist_ok=True)
        key = folder / f"{name}.pem"
        for kept in ("offline", "people"):
            if (self.folder / kept / key.name).exists() and not key.exists():
                shutil.copy(self.folder / kept / key.name, key)
        return Person(self, name, folder)

    def people(self, *names: str) -> list[Person]:
        return [self.person(name) for name in names]

    def site(self, line: str, site: str = "site", code: int = 0) -> Told:
        words = ["--home", str(self.folder / site), *line.split(), "--json"]
        return _run(run_site, words, self.folder, {}, code)


@dataclass(frozen=True)
class Person:
    """Somebody at a machine of their own."""

    days: Days
    name: str
    folder: Path

    def __call__(self, *words: str, code: int = 0) -> Told:
        """Run `sealift-sign` here."""
        return _run(run_desk, [*words, "--json"], self.folder, self._environment, code)

    @property
    def _environment(self) -> dict[str, str]:
        name = self.name.upper().replace("-", "_")
        trust = str(self.folder / "trust")
        return {"SEALIFT_TRUST": trust, f"SEALIFT_PASSPHRASE_{name}": PASSPHRASE}

    def sign(self, made: Drafted, *more: str, code: int = 0) -> Path:
        """Sign a draft by the line that the hub printed; the signed file."""
        self.takes(made.file)
        for card in self.days.folder.glob("*.card"):
            self.takes(card)  # its owner gave it to everybody who signs
        line = made.sign.removeprefix("sealift-sign ").replace("FILE", f"{self.name}.pem")
        told = self(*shlex.split(line), "--yes", *more, code=code)
        return self.folder / told["file"] if code == 0 else Path(told["code"])

    def takes(self, file: Path) -> Path:
        """Have somebody carry a file here."""
        return Path(shutil.copy(file, self.folder / file.name))

    def says(self, made: Drafted) -> str:
        """All that a draft is shown to say, by somebody who then does not sign it."""
        self.takes(made.file)
        line = made.sign.removeprefix("sealift-sign ").replace("FILE", f"{self.name}.pem")
        out, err, _ = said(run_desk, shlex.split(line), self.folder, self._environment)
        return out + err

    def types(self, *words: str) -> str:
        """Run `sealift-sign` here, for people; all that it says, whatever comes of it."""
        out, err, _ = said(run_desk, words, self.folder, self._environment)
        return out + err

    def heads(self, role: str) -> str:
        """The words of a role's newest version, as they are read out by telephone."""
        told = self("heads")["heads"]
        return str(next(one["words"] for one in told if one["role"] == role))

    def card(self) -> Path:
        """Make a key here, unless there is one, and its card, which everybody gets."""
        word = str(self.days.folder / "pass")
        key, card = f"{self.name}.pem", self.days.folder / f"{self.name}.card"
        if not (self.folder / key).exists():
            self("key", "new", key, "--passphrase-file", word)
        self("card", self.name, "--key", key, "--passphrase-file", word, "--out", str(card))
        return card

    def shares(self) -> Path:
        """Write what is known here, for a colleague."""
        file = self.folder / f"{self.name}-{self.days.now:%j%H%M%S}.memory"
        file.unlink(missing_ok=True)
        self("share", str(file))
        return file

    def begins_with(self, file: Path) -> None:
        """Begin a memory, by the fingerprint on paper."""
        self("trust", self.days.paper, str(self.takes(file)))

    def learns(self, file: Path, code: int = 0) -> Told:
        said = ["--colleague"] if file.suffix == ".memory" else []
        return self("learn", str(self.takes(file)), *said, code=code)

    @property
    def signed(self) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = self("signed")["signed"]
        return found

    @property
    def memory(self) -> Memory:
        return Memory(self.folder / "trust")


def _run(
    program: Callable[[list[str]], int],
    words: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    code: int,
) -> Told:
    out, err, found = said(program, words, folder, environment)
    assert found == code, (words, out, err)
    if code:
        return json.loads(err[err.index('{"') :])["error"]
    return json.loads(out)


def said(
    program: Callable[[list[str]], int],
    words: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
) -> tuple[str, str, int]:
    out, err = io.StringIO(), io.StringIO()
    before = Path.cwd()
    os.chdir(folder)
    try:
        with (
            mock.patch.dict(os.environ, environment),
            mock.patch("sys.stdin", io.StringIO()),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            found = program(list(words))
    finally:
        os.chdir(before)
    return out.getvalue(), err.getvalue(), found


def digest(file: Path) -> str:
    """Of the version that somebody gave back."""
    version = shape.read(drafts.RoleVersion, file.read_bytes(), what="it")
    return version_links.digest(drafts.spelled_role(version.role, drafts.decoded(version.data)))
