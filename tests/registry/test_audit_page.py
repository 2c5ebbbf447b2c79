"""docs/how-to/audit-log.md, played as it is written, and what `audit list` shows."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.registry.hub_fixture import MODEL, STEWARDS, TEAM, Acme
from tests.registry.test_hub_cli import Capsys, Cli
from tests.stores import shared

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "audit-log.md"


def commands() -> Iterator[list[str]]:
    """The commands of the page's blocks that are played at the hub, or at the auditor's."""
    for block in re.findall(r"```bash\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL):
        for line in block.splitlines():
            if not line.startswith("sealift-site"):  # tests/offline_sync
                yield shlex.split(line.replace("vision/digits", MODEL))


@pytest.mark.embedded("the page has a home copied with the database in it")
def test_the_page_plays_to_the_letter(
    hub: Acme, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli = Cli(hub, capsys)
    hub.promoted()
    monkeypatch.chdir(hub.folder)
    played = 0
    for words in commands():
        if words[0] != "sealift":
            line = " ".join(words)  # for the shell to expand
            subprocess.run(line, shell=True, check=True)  # noqa: S602 - the page's own line
            continue
        home, given = hub.root, words[1:]
        if given[-2] == "--home":
            home, given = hub.folder / given[-1], given[:-2]
        code, out, err = cli("--home-is", home, *given)
        assert (code, "No entry" in out) == (0, False), (words, err)
        played += 1
    assert played > 8
    copy = hub.folder / "for-the-auditor"
    assert not [one for one in copy.rglob("*") if one.name.endswith((".pem", ".pub"))]


def test_an_auditor_goes_by_the_key_that_people_signed(hub: Acme, capsys: Capsys) -> None:
    """Whoever owns the hub can put another key of the log beside it, and sign all anew."""
    cli, copy = Cli(hub, capsys), hub.folder / "copy"
    hub.close()
    copy.mkdir()
    for name in ("settings.toml", "sealift.db"):
        if (hub.root / name).exists():  # on a server the auditor reads the same database
            shutil.copy(hub.root / name, copy)
    assert cli("--home-is", copy, "audit", "verify")[0] == 0
    (copy / "keys").mkdir()
    shutil.copy(hub.root / "keys" / "catalog.pem.pub", copy / "keys" / "log.pem.pub")
    code, _, told = cli("--home-is", copy, "audit", "verify")
    # A database on a server could be another hub's, so such a home does not even open it.
    assert (code, "holds another hub" in told) == ((4, True) if shared() else (1, False))


def test_the_list_says_who_signed_and_where(hub: Acme, capsys: Capsys) -> None:
    cli = Cli(hub, capsys)
    hub.new_key("gina")
    hub.entitle("gina", "request")
    for who in (*STEWARDS, hub.public("ben").keyid):
        said = cli.says("audit", "list", "--actor", who, "--limit", 1)
        assert "anna, ben (at the hub)" in said
        assert f"  team={TEAM}, person=gina\n" in said
        assert hub.public("ben").keyid not in said
    assert "No entry tells of anybody called be." in cli("audit", "list", "--actor", "be")[2]
