"""The hub and the desks as they were before there was a gate.

The hub drafts what follows its newest row, whoever wrote it, and counts what it is told to; whoever
signs goes by the draft. Sites and the oracles verify as ever. Each name that is taken out here is
one that a poisoning has to get past; with all of them out it must succeed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

from sealift_registry.trust import stored
from sealift_signing import gate
from sealift_signing.drafts import Draft, DraftFiles, Part
from sealift_signing.gate import Examined
from sealift_signing.organisation import Organisation

Loose = Any


def _nothing(*_args: object, **_more: object) -> None:
    return None


def _yes(*_args: object, **_more: object) -> bool:
    return True


def _blind(draft: Draft, ask: Loose, known: Loose, now: Loose, key: Loose, *more: Loose) -> Loose:
    """Whoever signs takes the bytes as they come; a statement of one's own is made of them."""
    parts: tuple[Part, ...] = draft.parts
    if not parts:
        return _EXAMINE(draft, ask, None, now, key, *more)
    organisation = Organisation(DraftFiles(draft), former=True)
    return Examined(draft, ask, parts, (), (), organisation.root, (), ())


_EXAMINE = gate.examine

UNREAD = [
    "sealift_signing.organisation.check_signed",
    "sealift_signing.organisation._check_number",
    "sealift_registry.trust.stored.check_signed",
    "sealift_registry.trust.stored.Stored._check_number",
]
"""How the hub, and whoever signs, verify what they read."""
UNASKED = [
    "sealift_signing.gate._check_named",
    "sealift_signing.gate._check_date",
    "sealift_signing.gate._check_nothing_else",
    "sealift_signing.gate.past.check_past",
    "sealift_signing.gate._check_key",
    "sealift_signing.gate.check_act",
    "sealift_signing.gate.past.check_absent",
    "sealift_signing.acts.teams._check_catalog_key",
    "sealift_registry.trust.submitting.check_follows",
    "sealift_registry.trust.submitting._check_enough",
    "sealift_registry.trust.repository.check_follows",
    "sealift_registry.trust.repository.publishing.check_publishable",
    "sealift_registry.delivery.enrolments._check_administrator",
    "sealift_registry.promotion.gates.check_all_signed",
    "sealift_registry.promotion.gates._check_signed",
]
"""What is checked of a draft, and of what comes back."""


@contextmanager
def unread() -> Iterator[None]:
    """Nobody verifies what a hub or a draft holds."""
    with ExitStack() as stack:
        for name in UNREAD:
            stack.enter_context(mock.patch(name, _nothing))
        for kept in (stored._VERIFIED, stored._ROOTS):
            kept.clear()
            stack.callback(kept.clear)
        yield


@contextmanager
def taken_out() -> Iterator[None]:
    """No gate at all."""
    with unread(), ExitStack() as stack:
        for name in UNASKED:
            stack.enter_context(mock.patch(name, _nothing))
        stack.enter_context(mock.patch("sealift_signing.gate.examine", _blind))
        stack.enter_context(mock.patch("tests.poisonings.world.Reader.agree", _yes))
        stack.enter_context(mock.patch("sealift_signing.desk.signing.Desk._before", _nothing))
        stack.enter_context(
            mock.patch("sealift_signing.memory.Memory.remember", lambda _s, _f, *_m: _f and None)
        )
        stack.enter_context(mock.patch("sealift_signing.desk.signing.Desk._known", _nothing))
        stack.enter_context(mock.patch("sealift_signing.desk.signing.Desk._sign", _sign))
        yield


def _sign(_desk: Loose, found: Examined, signer: Loose, *_m: object, **_n: object) -> Draft:
    return gate.sign(found, signer)
