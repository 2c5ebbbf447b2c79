"""What is kept of the surface: as it was recorded once, and each change since, with its reason."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
RECORDED = HERE / "recorded"
CHANGES = HERE / "changes.txt"
KINDS = {
    "answer": "a key of what a command answers under --json",
    "command": "a command, an argument, an option, or an exit code",
    "document": "a member of a document",
    "entry": "a type of a log's entries",
    "entry-data": "a member of what an entry of a log says",
    "error": "an error's code, or its exit code",
    "setting": "a setting, or a variable",
}


@dataclass(frozen=True)
class Changed:
    """One line that came, or went, and why."""

    sign: str
    kind: str
    line: str
    reason: str


def recorded(kind: str) -> set[str]:
    """The lines of one kind, as they were recorded."""
    return set((RECORDED / f"{kind}.txt").read_text(encoding="utf-8").splitlines())


def changes() -> list[Changed]:
    """Each change since, in order."""
    found, reason = [], ""
    for line in CHANGES.read_text(encoding="utf-8").splitlines():
        if line.startswith("# ") or not line.strip():
            continue
        if line[:2] in {"+ ", "- "}:
            kind, _, rest = line[2:].partition(" ")
            found.append(Changed(line[0], kind, rest, reason))
        else:
            reason = line
    return found


def expected(kind: str) -> set[str]:
    """The lines of one kind as they are to be now."""
    lines = recorded(kind)
    for one in changes():
        if one.kind == kind:
            (lines.add if one.sign == "+" else lines.discard)(one.line)
    return lines


def told(kind: str, found: set[str]) -> str:
    """What to do about lines that are not as they are kept; empty where all are."""
    known = expected(kind)
    gone, new = sorted(known - found), sorted(found - known)
    if not gone and not new:
        return ""
    lines = [*(f"- {kind} {one}" for one in gone), *(f"+ {kind} {one}" for one in new)]
    what = (
        f"What users, sites and files see has changed ({KINDS[kind]}). If that is meant, say why "
        f"in one line in {CHANGES.relative_to(HERE.parents[1])}, put these under it, and tell it "
        "in CHANGELOG.md"
    )
    if gone:
        what += "; what stands after a - breaks whoever goes by it, so it is better left as it was"
    return "\n".join([f"{what}:", *lines])


REASON = re.compile(r"[A-Z].{20,}\.")
