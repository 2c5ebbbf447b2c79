"""A hub behind its server: what a desk can ask of it, by name and type.

Nothing that it answers is believed where something is signed: a draft is examined by the desk's own
gate, with its own memory (`sealift_signing.desk`). The rest is shown, each line drawn anew.
"""

from __future__ import annotations

import base64
import json
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sealift_registry.client import sending
from sealift_registry.client.address import ServerAddress, address_of
from sealift_registry.client.answers import (
    JSON,
    TEXT,
    Answer,
    Object,
    bytes_of,
    of_theirs,
    text_of,
    texts_of,
)
from sealift_registry.client.asking import Asking, Query, Tls
from sealift_registry.client.sessions import SECRET
from sealift_signing import drafts
from sealift_signing.acts.material import Ask, SetAsideVersion
from sealift_signing.drafts import Draft
from sealift_signing.errors import RefusedError

API = "/api/v1"
DRAFT = "application/octet-stream"
ENVELOPE = "application/vnd.dsse.envelope.v1+json"
Wants = Mapping[str, type]
"""Members of an answer, by their names."""
NOTHING: Wants = {}
LONGEST_NOTE = 200
"""Characters of what a session is known by among others."""


@dataclass(frozen=True)
class Submitted:
    """What a server says became of what was submitted.

    Attributes:
        new: it was published now; else it was there already.
        data: what it is, for machines.
        lines: the same for people.
        left_out: what is said of signatures that do not count.
    """

    new: bool
    data: Object
    lines: tuple[str, ...]
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Offered:
    """A draft that a server offers, and what it says of it.

    Attributes:
        draft: nobody's word until it was examined.
        warnings: the server's.
    """

    draft: Draft
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Opened:
    """A session that was opened; `device` is shown when signing in from here again."""

    secret: str
    account: str
    name: str
    ends: str
    device: str


@dataclass(frozen=True)
class Seed:
    """A seed of one-time codes for `account`: typed, or as a link that an authenticator takes."""

    account: str
    text: str
    uri: str


class RemoteHub:
    """A hub's server, asked by somebody who is signed in there, or by nobody yet."""

    def __init__(
        self,
        address: ServerAddress,
        tls: Tls,
        secret: str = "",
        told: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.address = address
        self._asking = Asking(address, tls, secret, told)

    def close(self) -> None:
        """Let go of the connections."""
        self._asking.close()

    # ------------------------------------------------------------------ who asks

    def sign_in(self, account: str, password: str, code: str = "", device: str = "") -> Opened:
        """Open a session, as whoever was told `device` when they signed in from here before.

        Raises:
            SealiftError: the server's: it is another password, or too many were tried.
        """
        said = {"account": account, "password": password, "code": code, "for": "desk"}
        said |= {"device": device} if device else {}
        said["note"] = f"desk {platform.node()}"[:LONGEST_NOTE]
        answer = self._asking.write("POST", f"{API}/session", _json(said))
        found = answer.json()
        shown = text_of(found, "session", answer)
        if not SECRET.fullmatch(shown):  # it is sent in a header each time
            raise answer.odd("a session that cannot be shown")
        return Opened(
            shown,
            text_of(found, "account", answer),
            text_of(found, "name", answer),
            text_of(found, "ends", answer),
            text_of(found, "device", answer),
        )

    def sign_out(self) -> None:
        """End the session that is shown."""
        self._asking.write("DELETE", f"{API}/session")

    def seed(self, invitation: str) -> Seed:
        """A seed of one-time codes, for whoever shows an invitation.

        Raises:
            SealiftError: the server's: it is none that waits.
        """
        said = _json({"invitation": invitation})
        answer = self._asking.write("POST", f"{API}/invitations/seed", said)
        found = answer.json()
        return Seed(
            text_of(found, "account", answer),
            text_of(found, "seed", answer),
            text_of(found, "uri", answer),
        )

    def take_invitation(self, invitation: str, password: str, seed: str, code: str) -> str:
        """Have the account sign in with this from now on: what is shown as `device` at first.

        Raises:
            SealiftError: the server's: the password is too weak, or it is no code of the seed.
        """
        said = {"invitation": invitation, "password": password, "seed": seed, "code": code}
        answer = self._asking.write("POST", f"{API}/invitations/take", _json(said))
        return text_of(answer.json(), "device", answer)

    def change_password(self, old: str, new: str, code: str) -> tuple[str, ...]:
        """Have the account sign in with a new password: the sessions that ended with that.

        Raises:
            SealiftError: the server's: the old one is wrong, or the new one too weak.
        """
        said = _json({"old": old, "new": new, "code": code})
        answer = self._asking.write("POST", f"{API}/me/password", said)
        return texts_of(answer.json(), "ended", answer)

    # ------------------------------------------------------------------ what is signed

    def draft(
        self,
        ask: Ask,
        *,
        cards: Sequence[bytes] = (),
        aside: Sequence[SetAsideVersion] = (),
        request: bytes = b"",
        any_software: bool = False,
        other_keys: bool = False,
    ) -> Offered | Submitted:
        """The draft of an act; or what is published already, and just now.

        Args:
            ask: the act, as the person names it.
            cards: key cards that it is to carry.
            aside: versions of a role that are to be set aside.
            request: a site's, to be enrolled.
            any_software: go on though a site said that it cannot read, or try, what it would get.
            other_keys: make other keys than those of an earlier draft.

        Raises:
            SealiftError: the server's; or what it answers is no draft.
        """
        said = {
            "act": ask.act,
            "object": list(ask.object),
            "details": {name: list(given) for name, given in ask.details.items()},
            "cards": [_text(one) for one in cards],
            "aside": [
                {
                    "role": one.role,
                    "data": _text(one.data),
                    "documents": {path: _text(data) for path, data in one.documents.items()},
                }
                for one in aside
            ],
            "request": _text(request),
            "any_software": any_software,
            "other_keys": other_keys,
        }
        answer = self._asking.write("POST", f"{API}/drafts", _json(said))
        found = answer.json()
        unchanged = found.get("unchanged")
        if isinstance(unchanged, dict):
            return _submitted(unchanged, answer)
        return self._offered(found, answer)

    def _offered(self, found: Object, answer: Answer) -> Offered:
        data = bytes_of(found, "draft", answer)
        made = drafts.read(data, what=f"the draft that {self.address} offers")
        return Offered(made, texts_of(found, "warnings", answer))

    def submit(self, signed: bytes) -> Submitted:
        """Hand in what somebody signed: a draft's file, or a version that was remembered.

        Raises:
            SealiftError: the server's: it does not count, or no longer follows.
        """
        answer = self._asking.write("POST", f"{API}/submissions", signed, kind=DRAFT)
        return _submitted(answer.json(), answer)

    def transfer_draft(self, transfer: str) -> Draft:
        """The draft of a transfer whose bundle waits to be signed for: nobody's word either.

        Raises:
            SealiftError: the server's; or what it answers is no draft.
        """
        answer = self._asking.read(f"{API}{address_of('transfers', transfer, 'draft')}", DRAFT)
        if answer.kind != DRAFT:
            raise answer.odd("something else than a draft")
        return drafts.read(answer.body, what=f"the draft that {self.address} offers")

    def submit_transfer(self, transfer: str, signed: bytes) -> Submitted:
        """Hand in the signed draft of a transfer: its bundle is finished where it lies.

        Raises:
            SealiftError: the server's: it does not count, or something else lies there.
        """
        path = f"{API}{address_of('transfers', transfer, 'submissions')}"
        answer = self._asking.write("POST", path, signed, kind=DRAFT)
        return _submitted(answer.json(), answer)

    # ------------------------------------------------------------------ whose account it is

    def binding_draft(self) -> Offered:
        """The draft of what binds the account to whoever signs it, with a challenge of now.

        Raises:
            SealiftError: the server's; or what it answers is no draft.
        """
        answer = self._asking.write("POST", f"{API}/me/binding/draft")
        return self._offered(answer.json(), answer)

    def bind(self, signed: bytes) -> Submitted:
        """Hand in what binds the account, as it was signed.

        Raises:
            SealiftError: the server's: it answers another challenge, or is by a key of nobody's.
        """
        answer = self._asking.write("POST", f"{API}/me/binding", signed, kind=DRAFT)
        return _submitted(answer.json(), answer)

    # ------------------------------------------------------------------ what is shown

    def lines(self, path: str, query: Query | None = None) -> list[str]:
        """What the hub prints of something, a line each; none is ours.

        Raises:
            SealiftError: the server's.
        """
        return self._asking.read(f"{API}{path}", TEXT, query).lines()

    def members(self, path: str, query: Query | None = None) -> Object:
        """The same for machines.

        Raises:
            SealiftError: the server's.
        """
        return self._asking.read(f"{API}{path}", JSON, query).json()

    def envelope(self, path: str) -> bytes:
        """Something that was signed, in its own bytes: nobody's word until it was verified.

        Raises:
            SealiftError: the server's.
        """
        answer = self._asking.read(f"{API}{path}", ENVELOPE)
        if answer.kind != ENVELOPE:
            raise answer.odd("something else than what was signed")
        return answer.body

    def order(self, path: str) -> Object:
        """Have something done that takes no further words, such as a job cancelled.

        Raises:
            SealiftError: the server's.
        """
        return self._asking.write("POST", f"{API}{path}").json()

    def change(
        self, method: str, path: str, said: Object | None = None, wants: Wants = NOTHING
    ) -> Object:
        """Have something made or ended: what is answered, with the members that it `wants`.

        Raises:
            SealiftError: the server's; or it answers something else.
        """
        body = b"" if said is None else _json(said)
        return _with(self._asking.write(method, f"{API}{path}", body), wants)

    def change_of(
        self,
        thing: str,
        method: str,
        path: str,
        said: Object | None = None,
        wants: Wants = NOTHING,
    ) -> Object:
        """Have something changed at `path` below `thing`, as that stands now; else as `change`.

        Raises:
            SealiftError: the server's; somebody else may have changed it meanwhile.
        """
        body = b"" if said is None else _json(said)
        try:
            tag = self._asking.read(f"{API}{thing}").tag
        except RefusedError as bad:
            if bad.code != "forbidden":
                raise
            tag = ""  # what was asked for is refused by its own name, or for want of a tag
        return _with(self._asking.write(method, f"{API}{thing}{path}", body, match=tag), wants)

    def upload(self, team: str, kind: str, path: Path) -> str:
        """Send a file for models of a team, a model (`onnx`) or `goldens`: its name there.

        Raises:
            SealiftError: the server's; or as `sending.send`.
        """
        return sending.send(self._asking, f"{API}/teams/{team}/uploads", kind, path)


def _with(answer: Answer, wants: Wants) -> Object:
    """What is answered, where it has these members.

    Raises:
        MalformedError: it has not.
    """
    found = answer.json()
    for name, kind in wants.items():
        if not isinstance(found.get(name), kind):
            raise answer.odd(f"no {name} that is one")
    return found


def _submitted(said: Object, answer: Answer) -> Submitted:
    new, data = said.get("new"), said.get("data")
    if not isinstance(new, bool) or not isinstance(data, dict):
        raise answer.odd("something else than what became of what was submitted")
    lines = tuple(map(of_theirs, texts_of(said, "lines", answer)))
    return Submitted(new, data, lines, texts_of(said, "left_out", answer))


def _json(value: Any) -> bytes:  # noqa: ANN401 - JSON
    return json.dumps(value, ensure_ascii=True).encode()


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
