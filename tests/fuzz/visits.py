"""A visit to a repository, as the walk of TUF makes it, over files that were changed."""

from __future__ import annotations

from datetime import timedelta
from functools import cache

from sealift_signing import roles
from sealift_signing.errors import SealiftError
from sealift_signing.tuf_walk import Keep, Need, Walk, drive
from tests.fuzz.forging import TAPES, Files, resigned, role_of
from tests.fuzz.mutating import mutate, mutate_bytes
from tests.fuzz.organisation import organisation
from tests.fuzz.tape import Tape
from tests.fuzz.target import Target, check_told
from tests.hub_on_paper import HubOnPaper


@cache
def _published() -> tuple[HubOnPaper, Files, dict[tuple[str, str], bytes]]:
    """A hub; its files after two rounds, by TUF's names; what the first round left kept."""
    hub, _ = organisation("walk")
    _, kept = hub.repository.walk()
    hub.repository.rotate("timestamp", 1, "new-timestamp")
    hub.recall("9" * 64)
    hub.repository.refresh()
    return hub, dict(hub.repository.files), kept


def _walk(data: bytes) -> None:
    hub, files, kept = _published()
    tape = Tape(data)
    changed = dict(files)
    for _ in range(1 + tape.below(3)):
        name = tape.pick(sorted(files))
        _edit_metadata(hub, changed, name, tape)
    before = kept if tape.chance(2) else {}
    now = hub.now + timedelta(days=tape.pick((0, 0, 0, 29, 400, 4000, -4000)))
    walk = Walk(files["1.root.json"], before, now, check_expiry=not tape.chance(4))
    seen: dict[tuple[str, str], int] = {}

    def keep(step: Keep) -> None:
        assert changed[Need(step.role, _version(step), 0).file_name] == step.data
        assert step.version >= seen.get((step.delegator, step.role), 0)
        seen[step.delegator, step.role] = step.version

    def fetch(need: Need) -> bytes | None:
        return changed.get(need.file_name)

    drive(walk.top(), fetch, keep)
    for role in hub.repository.holders:
        if role in roles.TOP_ROLES:
            continue
        try:
            drive(walk.delegated(roles.delegator(role), role), fetch, keep)
            roles.check_layout(role, walk.role(roles.delegator(role), role))
        except SealiftError as told:
            check_told(told)
        except LookupError:
            assert (roles.delegator(role), roles.delegator(role)) not in walk.versions()


def _version(step: Keep) -> int | None:
    return None if step.role == "timestamp" else step.version


def _edit_metadata(hub: HubOnPaper, files: Files, name: str, tape: Tape) -> None:
    how = tape.below(8)
    if how == 0:
        files.pop(name, None)
    elif how == 1:
        files[name] = tape.pick(sorted(hub.repository.files.items()))[1]
    elif name in files:
        random = tape.random()
        edited = mutate(files[name], random, list(hub.repository.files.values()))
        if how == 2:
            edited = mutate_bytes(files[name], random)
        files[name] = resigned(hub, role_of(name), edited) if how > 3 else edited


WALK = Target("walk", _walk, lambda: TAPES, "tape", 64)
