"""*Bring an older hub and its sites forward*, followed to the letter on what lay on disks then."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sealift_registry.cli.run import run as run_hub
from sealift_signing.desk.cli.run import run as run_desk
from sealift_sync.cli.run import run as run_site
from tests.desk.days import Days, said
from tests.older.test_older import days, unpacked
from tests.registry.hub_fixture import PASSPHRASE

__all__ = ["days", "unpacked"]

PAGE = Path(__file__).parents[2] / "docs/how-to/upgrade.md"
PROGRAMS = {"sealift": run_hub, "sealift-sign": run_desk, "sealift-site": run_site}
WORD = "[bdfghjklmnprstvz][aiou][bdfghjklmnprstvz][aiou][bdfghjklmnprstvz]"
WORDS = re.compile(rf"{WORD}(?: {WORD}){{7}}")
CHANGING = (
    (WORDS, "WORDS"),
    (re.compile(r"\b[0-9a-f]{12,64}\b"), "DIGEST"),
    (re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::[\d.]+Z| UTC \(\w+\))?)?"), "DATE"),
)
"""What is another wherever the older homes are made anew."""


@dataclass(frozen=True)
class Played:
    """One block of commands, what they printed, and what the page says that they print."""

    commands: str
    printed: str
    shown: str


def blocks() -> Iterator[tuple[str, str]]:
    """Each block of commands, with the output that stands under it, if there is any."""
    found = re.findall(r"^```(bash|text)\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    for (kind, block), (after, text) in zip(found, [*found[1:], ("", "")], strict=True):
        if kind == "bash":
            yield block, text if after == "text" else ""


def play(days: Days) -> Iterator[Played]:
    for key in (*(days.folder / "offline").iterdir(), *(days.folder / "people").iterdir()):
        shutil.copy(key, days.folder / key.name)
    paper = days.hub("fingerprint")["words"]
    for block, shown in blocks():
        printed, who = "", ""
        for line in WORDS.sub(paper, block).splitlines():
            if line.startswith("# "):
                who = line[2:]
                continue
            printed += typed(days, who, shlex.split(line))
        yield Played(block, printed, shown)


def typed(days: Days, who: str, words: list[str]) -> str:
    """What a command prints to whoever types it; each has a memory of their own."""
    if words[0] == "cp":
        shutil.copytree(days.folder / words[2], days.folder / words[3], symlinks=True)
        return ""
    if "--key" in words and words[0] == "sealift-sign":
        words += ["--yes"]  # nobody can be asked here
    key = (words[words.index("--key") + 1] if "--key" in words else "x.pem").removesuffix(".pem")
    environment = {
        "SEALIFT_TRUST": str(days.folder / "trust" / who),
        f"SEALIFT_PASSPHRASE_{key.upper().replace('-', '_')}": PASSPHRASE,
    }
    out, err, code = said(PROGRAMS[words[0]], words[1:], days.folder, environment)
    assert code == 0, (who, words, out, err)
    return out


def masked(text: str) -> list[str]:
    for pattern, name in CHANGING:
        text = pattern.sub(name, text)
    return [line.rstrip() for line in text.splitlines()]


def test_t0_190_the_page_that_brings_an_older_hub_forward_works_to_the_letter(
    days: Days,
) -> None:
    played = list(play(days))
    for one in played:
        if one.shown:
            printed, shown = masked(one.printed), masked(one.shown)
            starts = range(len(printed) - len(shown) + 1)
            whole = any(printed[n : n + len(shown)] == shown for n in starts)
            assert whole, (one.commands, printed, shown)
    assert "UNPROTECTED" not in played[-1].printed
    assert days.hub("show P-3")["listed"]
