"""Every byte of a draft of each act, changed: as damage, and by whoever makes the check right, too.

The file itself says that it was damaged. Whoever owns the hub writes that check anew; then the gate
refuses what is no longer the act that is named over a verified base. Few changes are taken all the
same, and each of them by a rule (`harmless`): the very same is shown and signed; or it is the hub's
word, of which the threat model speaks, and it is shown.

`make test` tries a seeded sample of bytes, `make test-long` all of them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from random import Random

import pytest

from sealift_signing import canonical, drafts, shape
from sealift_signing.acts.material import Ask
from sealift_signing.acts.names import ACTS
from sealift_signing.drafts import Draft
from sealift_signing.errors import RefusedError, SealiftError
from sealift_signing.gate import ExaminedDraft
from tests.desk.every_act import Case, every_act
from tests.desks import Acme

SEED = 5
SAMPLE = 20
"""Bytes of each draft that `make test` tries, beside some of each of its members."""
IN_EIGHT_WORDS = {"bind-account": "facts"}
"""Where it is read as words, which `test_g2_160_bind_account` looks at."""
HUBS_WORD = {
    **dict.fromkeys(("request", "set-check-rows", "set-stage"), "facts"),
    **dict.fromkeys(("remove-stage", "set-lifetime"), "facts"),
    **dict.fromkeys(("retire-person", "call-compromised"), "facts"),
    **dict.fromkeys(("replace-key", "remove-key"), "facts"),
    "transfer": "parts",
}
"""The acts in which a hub says something that no computing can check, and where it says it."""


@dataclass(frozen=True)
class Desk:
    """A draft at its signer's, who names the act; and what comes of it as the hub wrote it."""

    acme: Acme
    case: Case
    found: ExaminedDraft

    def examine(self, draft: Draft) -> ExaminedDraft:
        case = self.case.draft
        return self.acme.examine(draft, self.case.signer, Ask(case.act, case.object, case.details))


def desks() -> Iterator[Desk]:
    """One of each act, over what stood when it was drafted."""
    acme = Acme(now=datetime.now(UTC))
    for case in every_act(acme):
        if acme.person(case.signer).known is None:
            acme.trusting(case.signer)
        yield Desk(acme, case, acme.examine(case.draft, case.signer))


def tried(desk: Desk, places: Iterable[int]) -> Counter[str]:
    """What became of each changed byte."""
    data = drafts.write(desk.case.draft)
    return Counter(_tried(desk, data, place) for place in places)


def _tried(desk: Desk, data: bytes, place: int) -> str:
    changed = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
    with pytest.raises(RefusedError):
        drafts.read(changed)
    forged = anew(changed)
    if forged is None:
        return "no draft"
    try:
        taken = desk.examine(forged)
    except SealiftError:
        return "refused"
    reason = harmless(desk, forged, taken)
    assert reason, (desk.case.draft.act, place, data[place - 40 : place + 40])
    return reason


def anew(changed: bytes) -> Draft | None:
    """The draft that these bytes spell, its check made right; None where they spell none."""
    try:
        return drafts.read(drafts.write(shape.read(Draft, changed, what="it")))
    except SealiftError:
        return None


def harmless(desk: Desk, forged: Draft, taken: ExaminedDraft) -> str:
    """Why a change may be taken; empty where it may not."""
    before, draft = desk.found, desk.case.draft
    same = (taken.words, taken.parts, taken.confirm) == (before.words, before.parts, before.confirm)
    if same and forged == replace(draft, made=forged.made, check=forged.check):
        return "same: made within the same second"
    if same and ACTS[draft.act].own and taken.ask == before.ask:
        return "same: a statement is made of what its signer typed"
    member = (HUBS_WORD | IN_EIGHT_WORDS).get(draft.act)
    if member is None or taken.words == before.words:
        return ""
    kept = replace(forged, **{member: getattr(draft, member)}, check=draft.check)
    return "the hub's word, shown" if kept == draft else ""


def test_t0_104_what_the_hub_says_in_a_draft_is_shown() -> None:
    """Each thing that no computing can check, and that is signed: another is another word."""
    for desk in desks():
        draft = desk.case.draft
        for name in draft.facts if HUBS_WORD.get(draft.act) == "facts" else ():
            values = draft.facts[name]
            last = values[-1][:-1] + ("1" if values[-1][-1] != "1" else "2")
            other = {**draft.facts, name: (*values[:-1], last)}
            check_shown(desk, replace(draft, facts=other), last.rpartition(" ")[2])
        if draft.act == "transfer":
            said = (b"index.json", b"7" * 64, b"a checkpoint", b"a site said", b"000007", b"000009")
            for word in said:
                part = draft.parts[0]
                data = part.data.replace(word, word[:-1] + b"8")
                forged = replace(part, payload=drafts.encoded(data))
                check_shown(desk, replace(draft, parts=(forged,)), word.decode()[:-1] + "8")


def check_shown(desk: Desk, forged: Draft, word: str) -> None:
    taken = desk.examine(drafts.read(drafts.write(forged)))
    assert any(word in line for line in set(taken.words) - set(desk.found.words)), word


def sampled(data: bytes, random: Random) -> list[int]:
    """Some places anywhere, and the first and two more of each member's value."""
    found = set(random.sample(range(len(data)), SAMPLE))
    for name, value in dict(json.loads(data)).items():
        start = data.index(f'"{name}":'.encode()) + len(name) + 3
        text = canonical.encode(value)
        assert data[start : start + len(text)] == text
        found |= {start + place for place in (1, *(random.randrange(len(text)) for _ in range(2)))}
    return sorted(found)


@pytest.mark.timeout(180)
def test_t0_105_a_byte_changed_in_a_draft_of_each_act_is_refused() -> None:
    random = Random(SEED)  # noqa: S311 - a seed for a test
    seen: set[str] = set()
    for desk in desks():
        found = tried(desk, sampled(drafts.write(desk.case.draft), random))
        assert found["refused"], (desk.case.draft.act, found)
        seen.add(desk.case.draft.act)
    assert seen == set(ACTS)


@pytest.mark.long
@pytest.mark.timeout(0)
@pytest.mark.parametrize("act", sorted(ACTS))
def test_t0_106_every_byte_of_a_draft_of_each_act_is_refused(act: str) -> None:
    for desk in desks():
        if desk.case.draft.act == act:
            found = tried(desk, range(len(drafts.write(desk.case.draft))))
            print(act, dict(found))  # noqa: T201 - for whoever asks with -s
            assert found["refused"] > found.total() / 4, found
