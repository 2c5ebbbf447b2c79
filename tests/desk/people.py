"""People with a memory on a disk, who sign at a desk of their own."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from unittest import mock

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from sealift_signing import drafts, shape, statements
from sealift_signing.acts.material import Ask
from sealift_signing.desk.cli.run import run
from sealift_signing.desk.signing import Desk
from sealift_signing.drafts import Draft
from sealift_signing.gate_history import Confirmation
from sealift_signing.memory import Memory
from sealift_signing.memory_updates import Offer, everything, offered, shared
from sealift_signing.organisation import Organisation
from sealift_signing.organisation_memory import OrganisationMemory
from sealift_signing.pkcs8 import encrypted_pem
from sealift_signing.statements import KeyCard
from tests.desks import Acme


@dataclass
class Listener:
    """Somebody who reads all, and agrees; what they type is written down before."""

    types: Sequence[str] = ()
    agrees: bool = True
    shown: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def show(self, words: Sequence[str]) -> None:
        self.shown += words

    def typed(self, confirmation: Confirmation) -> str | None:
        self.asked.append(confirmation.what)
        return confirmation.digest if confirmation.digest in self.types else None

    def agree(self, question: str) -> bool:
        self.asked.append(question)
        return self.agrees


@dataclass
class Signer:
    """Somebody at a desk: their memory lies in `folder`."""

    acme: Acme
    name: str
    folder: Path
    said: Listener = field(default_factory=Listener)

    @property
    def memory(self) -> Memory:
        return Memory(self.folder)

    @property
    def known(self) -> OrganisationMemory:
        (known,) = self.memory.organisations()
        return known

    def trust(self, offer: Offer | None = None, *, alone: bool = False) -> OrganisationMemory:
        given = offer or everything(self.acme.paper, "the hub")
        return self.memory.begin(
            given, self.acme.organisation.root.digest, self.acme.now, alone=alone
        )

    def sign(
        self,
        draft: Draft,
        ask: Ask | None = None,
        *,
        types: Sequence[str] = (),
        agrees: bool = True,
        anew: bool = False,
    ) -> Draft:
        self.said = Listener(types, agrees)
        desk = Desk(self.memory, lambda: self.acme.now, self.said)
        named = ask or Ask(draft.act, draft.object, draft.details)
        return desk.sign(draft, named, self.acme.keys[self.name], self.cards(draft), anew=anew)

    def cards(self, draft: Draft) -> list[bytes]:
        """The cards that the draft goes by, got from their owners."""
        found = [drafts.decoded(one) for one in draft.statements]
        return [one for one in found if is_card(one)]

    def share(self) -> Offer:
        """What this memory tells a colleague, by way of a file."""
        offer = self.memory.offer(self.known)
        carried = shared(offer, Organisation(offer.files, former=True))
        return offered(carried, f"{self.name}'s memory", colleague=True)


def is_card(data: bytes) -> bool:
    return statements.predicate_type(data, what="a statement") == KeyCard.PREDICATE_TYPE


@dataclass
class Home:
    """A machine of somebody's own: a folder with a key, a memory, and what was carried there."""

    acme: Acme
    name: str
    folder: Path

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        plain = self.acme.keys[self.name].private_bytes
        private = load_pem_private_key(plain, None)
        der = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        (self.folder / f"{self.name}.pem").write_bytes(encrypted_pem(der, b"secret", 1))

    def __call__(self, *arguments: str, code: int = 0) -> str:
        """Run `sealift-sign` as this person, who sits at no terminal."""
        out, err, found = self.run(*arguments)
        assert found == code, (out, err)
        return out + err

    def run(self, *arguments: str) -> tuple[str, str, int]:
        """What it prints, on both streams, and its exit code."""
        environment = {
            "SEALIFT_TRUST": str(self.folder / "trust"),
            f"SEALIFT_PASSPHRASE_{self.name.upper()}": "secret",
        }
        out, err = io.StringIO(), io.StringIO()
        before = Path.cwd()
        os.chdir(self.folder)
        try:
            with (
                mock.patch.dict(os.environ, environment),
                mock.patch("sealift_signing.desk.cli.group.datetime", _Clock(self.acme)),
                mock.patch("sys.stdin", io.StringIO()),
                redirect_stdout(out),
                redirect_stderr(err),
            ):
                found = run(arguments)
        finally:
            os.chdir(before)
        return out.getvalue(), err.getvalue(), found

    @property
    def memory(self) -> Memory:
        return Memory(self.folder / "trust")

    def takes(self, draft: Draft, name: str) -> Path:
        """Have somebody carry a draft here."""
        path = self.folder / name
        path.write_bytes(drafts.write(draft))
        return path

    def read(self, name: str) -> Draft:
        return drafts.read((self.folder / name).read_bytes())

    def trusts(self) -> None:
        """Begin from a colleague, who has seen all that there is."""
        offer = everything(self.acme.paper, "the hub")
        told = shared(offer, Organisation(offer.files, former=True))
        (self.folder / "colleague.memory").write_bytes(shape.write(told))
        self("trust", self.acme.organisation.root.digest, "colleague.memory")


class _Clock:
    """The time at a desk: that of the story."""

    def __init__(self, acme: Acme) -> None:
        self._acme = acme

    def now(self, _zone: object) -> datetime:
        return self._acme.now
