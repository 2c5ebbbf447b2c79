"""What a command was started with: streams that are closed, full, or cannot show every letter."""

from __future__ import annotations

import codecs
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sealift_signing.desk.cli.terminal import FURTHER, Terminal
from sealift_signing.drawing import drawn
from sealift_signing.streams import spelled
from tests.registry.hub_fixture import copied, founded

__all__ = ["founded"]

Done = subprocess.CompletedProcess[bytes]

PACKAGES = {
    "sealift": "sealift_registry.cli",
    "sealift-sign": "sealift_signing.desk.cli",
    "sealift-site": "sealift_sync.cli",
}
SHORT = [
    ["sealift", "next"],
    ["sealift", "audit", "list", "--json"],
    ["sealift-sign", "signed"],
    ["sealift-sign", "key", "show", "{folder}/people/anna.pem"],
    ["sealift-site", "status"],
]


@dataclass(frozen=True)
class Place:
    """Where every command here looks and none writes; what each says undisturbed is asked once."""

    folder: Path
    _said: dict[tuple[str, ...], Done] = field(default_factory=dict)

    def undisturbed(self, words: list[str], **environment: str) -> Done:
        asked = (*words, *environment.values())
        if asked not in self._said:
            self._said[asked] = shell(self.folder, words, **environment)
        return self._said[asked]


@pytest.fixture(scope="module")
def hub(founded: Path, tmp_path_factory: pytest.TempPathFactory) -> Place:
    made = copied(founded, tmp_path_factory.mktemp("hub"))
    made.close()
    return Place(made.folder)


def shell(folder: Path, words: list[str], redirected: str = "", **environment: str) -> Done:
    """A command as a shell starts it, its streams redirected."""
    command, *arguments = words
    script = f"import sys; from {PACKAGES[command]} import main; main()"
    given = [one.format(folder=folder) for one in arguments]
    homes = {
        "SEALIFT_HOME": str(folder / "hub"),
        "SEALIFT_SITE_HOME": str(folder / "site"),
        "SEALIFT_TRUST": str(folder / "memory"),
    }
    return subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {redirected}', "sh", sys.executable, "-c", script, *given],
        capture_output=True,
        check=False,
        env=os.environ | homes | environment,
        cwd=folder,
    )


@pytest.mark.parametrize("redirected", ["<&-", ">&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("words", SHORT, ids=" ".join)
def test_closed_streams_are_no_surprise(hub: Place, words: list[str], redirected: str) -> None:
    expected = hub.undisturbed(words)
    done = shell(hub.folder, words, redirected)
    assert done.returncode == expected.returncode
    if "2>" not in redirected:
        assert done.stderr == expected.stderr
    if ">&-" not in redirected.replace("2>&-", ""):
        assert done.stdout == expected.stdout


def test_no_file_is_opened_where_a_stream_was_closed(hub: Place) -> None:
    """Else an error would be written into the database."""
    database = hub.folder / "hub/sealift.db"
    before = database.read_bytes()
    shell(hub.folder, ["sealift", "submit", "{folder}/nothing"], "<&- >&- 2>&-")
    assert database.read_bytes() == before


@pytest.mark.parametrize("words", SHORT, ids=" ".join)
def test_a_full_output_is_said(hub: Place, words: list[str]) -> None:
    expected = hub.undisturbed(words)
    done = shell(hub.folder, words, "> /dev/full")
    if expected.stdout:
        assert done.returncode == 4
        assert b"No space left" in done.stderr
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr


@pytest.mark.parametrize("encoding", ["cp437"])
@pytest.mark.parametrize("words", [[one, "--help"] for one in PACKAGES] + SHORT, ids=" ".join)
def test_any_terminal_shows_every_answer(hub: Place, words: list[str], encoding: str) -> None:
    expected = hub.undisturbed(words, PYTHONIOENCODING="utf-8")
    done = shell(hub.folder, words, PYTHONIOENCODING=encoding)
    assert done.returncode == expected.returncode
    assert b"unexpected" not in done.stderr
    assert len(done.stdout.decode(encoding).splitlines()) >= len(expected.stdout.splitlines())
    if "--json" in words and expected.stdout:
        assert json.loads(done.stdout.decode(encoding)) == json.loads(expected.stdout)


@pytest.mark.parametrize("encoding", ["latin-1", "cp437"])
def test_what_has_no_letter_is_spelled_and_no_words_of_anothers_look_so(encoding: str) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding)
    for text in ("夜", "“x”", "\N{GRINNING FACE}"):
        assert codecs.decode(spelled(text, out), "unicode_escape") == text
    said = [spelled(drawn(one), out) for one in ("x 夜", "x \\u591c")]
    assert said[0] != said[1]
    assert spelled("C:\\x", out) == "C:\\x"


@pytest.mark.parametrize("width", [40, 80])
def test_there_too_no_line_of_anothers_begins_at_the_margin(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], width: int
) -> None:
    """What is spelled is longer: lines are broken after that, not before."""
    monkeypatch.setattr("sealift_signing.desk.cli.terminal.columns", lambda _: width)
    monkeypatch.setattr(
        "sealift_signing.desk.cli.terminal.spelled",
        lambda text, _: spelled(text, io.TextIOWrapper(io.BytesIO(), "latin-1")),
    )
    Terminal(as_json=False).show([f"You object, because {drawn('夜 ' * 60)}."])
    first, *further = capsys.readouterr().out.splitlines()
    assert len(first) <= width
    assert further
    assert all(line.startswith(FURTHER) and len(line) <= width for line in further)


def test_an_output_spells_by_itself_what_nobody_spelled() -> None:
    script = "from sealift_signing import streams; streams.prepare(); print('夜 \\\\')"
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        check=True,
        env=os.environ | {"PYTHONIOENCODING": "cp437"},
    )
    assert done.stdout == rb"\u591c \\" + b"\n"
