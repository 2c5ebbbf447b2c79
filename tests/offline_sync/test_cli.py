"""`sealift-site` as people and machines meet it: words, JSON, exit codes, and no network at all."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import click
import pytest

from sealift_signing import publishing
from sealift_signing.transparency.checkpoint import claimed
from sealift_signing.version_links import named
from sealift_signing.words import eight_words, fingerprint, words_of
from sealift_sync import pace
from sealift_sync.bundle.returned import find_returns, read_return
from sealift_sync.cli import commands
from sealift_sync.cli.run import run
from tests.hub_on_paper import PINS, HubOnPaper
from tests.site_on_paper import SiteOnPaper


@dataclass
class Said:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever was printed
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, str]:
        found: dict[str, str] = json.loads(self.err)["error"]
        return found


class Shell:
    """Runs commands in this process, as `main` does, against one home."""

    def __init__(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.home = home
        self._capsys = capsys

    def __call__(self, *arguments: str | Path) -> Said:
        self._capsys.readouterr()
        code = run(["--home", str(self.home), *map(str, arguments)])
        captured = self._capsys.readouterr()
        return Said(code, captured.out, captured.err)


@pytest.fixture
def hub(tmp_path: Path) -> HubOnPaper:
    return HubOnPaper(tmp_path, now=datetime.now(UTC))


@pytest.fixture
def shell(tmp_path: Path, hub: HubOnPaper, capsys: pytest.CaptureFixture[str]) -> Shell:
    """A site that is enrolled for production."""
    found = Shell(tmp_path / "site", capsys)
    SiteOnPaper(found.home, hub.now).enrol(hub)
    return found


@pytest.fixture
def medium(tmp_path: Path, hub: HubOnPaper) -> Path:
    """Carries version 2 with 1 as its fallback."""
    folder = tmp_path / "medium"
    first = hub.promote(1)
    hub.assign(hub.promote(2), first)
    hub.export(folder)
    return folder


def test_from_request_to_status(
    hub: HubOnPaper, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shell = Shell(tmp_path / "site", capsys)
    request, answer = tmp_path / "plant-7.request", tmp_path / "plant-7.answer"
    asked = shell("init", "--id", "plant-7", "--group", "cpu=cpu-x86_64", "--request", request)
    assert asked.code == 0
    assert eight_words(request.read_bytes()) in asked.out
    pins = replace(PINS, least_approvals=2)
    answer.write_bytes(hub.answer(request.read_bytes(), pins=pins))
    words, digits = eight_words(answer.read_bytes()), fingerprint(hub.repository.current["root"])
    typed = ("--fingerprint", digits, "--words", words)
    unsaid = {typed[:2]: "--words", typed[2:]: "--fingerprint", (): "--fingerprint and --words"}
    for given, missing in unsaid.items():
        unasked = shell("init", "--answer", answer, *given)
        assert unasked.code == 2
        assert f"or add {missing}." in unasked.err
        assert "each artifact: at least 2 approvals" in unasked.err
        for said in (words, digits, words_of(digits), sha256(answer.read_bytes()).hexdigest()):
            assert said not in unasked.err
    assert shell("init", "--answer", answer, "--json").error["code"] == "not-confirmed"
    enrolled = shell("init", "--answer", answer, *typed)
    assert enrolled.code == 0
    assert words in enrolled.out
    assert words_of(digits) in enrolled.out
    assert "Nothing has been imported yet" in shell("status").out


def test_every_command_prints_its_json(shell: Shell, medium: Path) -> None:
    for arguments, schema in (
        (("verify", medium), "sealift/verify/1"),
        (("import", medium), "sealift/import/1"),
        (("status",), "sealift/status/1"),
        (("rollback", "vision/digits", "--reason", "Wrong."), "sealift/rollback/1"),
        (("return", "--to", medium), "sealift/return/1"),
        (("return", "--print"), "sealift/return-print/1"),
        (("fsck",), "sealift/fsck/1"),
        (("audit", "list"), "sealift/audit-list/1"),
        (("audit", "verify"), "sealift/audit-verify/1"),
        (("audit", "fsck"), "sealift/audit-fsck/1"),
    ):
        said = shell(*arguments, "--json")
        assert (said.code, said.err) == (0, ""), arguments
        assert said.json["schema"] == schema


def test_what_was_set_aside_is_said_in_words_and_in_json(
    hub: HubOnPaper, shell: Shell, medium: Path
) -> None:
    """Two stewards signed a version that got lost; the next one says that it is not to count."""
    role, before = "team.vision", deepcopy(hub.repository.current["team.vision"])
    hub.withdraw(model="vision/other", below=2)
    lost = named(hub.repository.current[role])
    assert shell("import", hub.export(medium)).code == 0
    hub.repository.current[role] = before
    draft = hub.repository.draft(role, set_aside=[lost], version=lost.version + 1)
    listed = hub.documents["teams/vision/members.json"]
    publishing.list_document(draft.signed, "teams/vision/members.json", listed)
    hub.repository.publish(role, draft)
    folder = hub.export(medium)
    words = f"{role}: {lost}, which this site went by, is given up: version {lost.version + 1}"
    assert words in " ".join(shell("verify", folder).err.split())
    assert words in shell("verify", folder, "--json").json["remarks"][0]
    assert words in shell("import", folder, "--json").json["remarks"][0]


def test_status_in_words_and_in_json(shell: Shell, medium: Path) -> None:
    shell("import", medium)
    shell("rollback", "vision/digits", "--reason", "Wrong on dim images.")
    said = shell("status")
    assert "cpu\tvision/digits\t1\t2\t-\trolled back: Wrong on dim images." in said.out
    (runs,) = shell("status", "--json").json["runs"]
    assert (runs["version"], runs["assigned"], runs["fallback"]) == (1, 2, None)


def test_a_return_can_be_read_over_a_telephone(
    hub: HubOnPaper, shell: Shell, medium: Path, tmp_path: Path
) -> None:
    """And somebody at the hub can compute its words, once the log is there."""
    assert "none has been imported yet" in shell("return", "--print").out
    held = hub.vouch(hub.build(1, model="letters"))
    hub.list_artifact(held)
    hub.assign(held)
    shell("import", hub.export(medium))
    said = shell("return", "--print")
    assert "Last transfer  plant-7-000002: 1 held, 2 installed" in said.out
    assert "Held           vision/letters/1 in cpu: not-approved" in said.out
    assert "Runs           vision/digits/2 in cpu" in said.out
    assert "Log            3 entries" in said.out
    assert max(map(len, said.out.splitlines())) < 80
    (words,) = (line[15:] for line in said.out.splitlines() if line.startswith("Its words"))
    log = shell("return", "--print", "--json").json["log"]
    shell("return", "--to", medium)
    ((at_home, *_),) = find_returns(medium)
    checkpoint = claimed(read_return(at_home).log.checkpoint.encode())
    assert words == log["words"] == eight_words(checkpoint.body())
    assert (log["size"], log["root"]) == (checkpoint.size, checkpoint.root.hex())
    shell("rollback", "vision/digits", "--reason", "Wrong.")
    assert words not in shell("return", "--print").out


def test_the_newest_transfer_for_this_site_is_found_on_a_medium(
    hub: HubOnPaper, shell: Shell, medium: Path
) -> None:
    hub.add_site("ship-2")
    hub.assign(hub.promote(5), site="ship-2")
    hub.export(medium, "ship-2")
    hub.export(medium)
    (medium / "sealift" / ".plant-7-000009.partial").mkdir()
    assert shell("import", medium, "--json").json["transfer"] == "plant-7-000002"


def test_a_medium_with_nothing_for_this_site_says_what_it_carries(
    hub: HubOnPaper, shell: Shell, tmp_path: Path
) -> None:
    hub.add_site("ship-2")
    hub.assign(hub.promote(5), site="ship-2")
    hub.export(tmp_path / "other", "ship-2")
    said = shell("import", tmp_path / "other")
    assert said.code == 3
    assert "carries nothing for plant-7; it carries ship-2-000001" in said.err


def test_a_refusal_is_a_sentence_a_next_step_and_exit_code_1(shell: Shell, medium: Path) -> None:
    file = medium / "sealift/plant-7-000001/metadata/timestamp.json"
    file.write_bytes(file.read_bytes().replace(b'"version":', b'"version" :'))
    said = shell("import", medium)
    assert (said.code, said.out) == (1, "")
    assert len(said.err.splitlines()) in {1, 2, 3}
    told = shell("import", medium, "--json").error
    assert set(told) == {"code", "what", "subject", "next"}
    assert told["next"]
    refused = shell("audit", "list", "--type", "transfer.refused", "--json").json["entries"]
    assert [one["data"]["code"] for one in refused] == [told["code"]] * 2


@pytest.mark.parametrize(
    "arguments, code, words",
    [
        (["frobnicate"], 2, "No such command"),
        (["import"], 2, "Missing argument"),
        (["rollback", "vision/digits"], 2, "--reason"),
        (["rollback", "vision/digits", "--reason", "x"], 3, "does not run here"),
        (["rollback", "vision/digits", "--reason", "\x1b[2J"], 2, "The reason must be"),
        (["import", "/no/such/medium"], 3, "There is no bundle in"),
        (["init", "--answer", "/no/such/answer"], 3, "There is no file"),
        (["init"], 2, "Give either"),
        (["init", "--id", "UP", "--group", "a=b", "--request", "x.request"], 2, "is not a name"),
        (
            ["init", "--id", "p", "--group", "a", "--request", "x.request"],
            2,
            "NAME=HARDWARE-TARGET",
        ),
        (["return", "--to", "/no/such/medium"], 4, "There is no medium"),
        (["return"], 2, "Give either --to DIR"),
        (["return", "--print", "--to", "/no/such/medium"], 2, "Give either --to DIR"),
        (["return", "--print", "--all"], 2, "Give either --to DIR"),
    ],
)
def test_errors_and_their_exit_codes(
    shell: Shell, arguments: list[str], code: int, words: str
) -> None:
    said = shell(*arguments)
    assert said.code == code
    assert words in said.err
    assert "Traceback" not in said.err
    assert 1 <= len(said.err.splitlines()) <= 3
    told = shell(*arguments, "--json")
    assert told.code == code
    assert words in told.error["what"] + " " + told.error["next"]


def test_no_home_says_how_to_make_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = Shell(tmp_path / "nowhere", capsys)("status")
    assert said.code == 3
    assert "sealift-site init --help" in said.err


def test_what_nobody_expected_is_a_sentence_and_a_trace_in_a_file(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("sealift_sync.site.reports.site_status.site_status", fail)
    said = shell("status", "--json")
    assert said.code == 4
    trace = Path(said.error["subject"])
    assert "ZeroDivisionError" in trace.read_text()
    trace.unlink()


def test_a_failed_health_check_is_exit_code_1(shell: Shell, medium: Path) -> None:
    (shell.home / "settings.toml").write_text('[groups.cpu]\nhealth_check = ["/bin/false"]')
    said = shell("import", medium)
    assert said.code == 1
    assert "nothing runs there" in said.out


def test_a_damaged_store_is_told_of_and_does_not_keep_anyone_from_going_back(
    shell: Shell, medium: Path
) -> None:
    digest = shell("import", medium, "--json").json["receipt"]["artifacts"][0]["sha256"]
    manifest = shell.home / "store/sha256" / digest
    manifest.chmod(0o644)
    manifest.write_bytes(b"damaged")
    said = shell("status")
    assert said.code == 0
    assert f"cannot be shown: The blob {digest[:12]} is damaged" in said.err
    back = shell("rollback", "vision/digits", "--reason", "The disk is failing.")
    assert (back.code, back.out) == (0, "vision/digits in host group cpu runs version 1.\n")


def test_what_is_no_longer_needed_is_kept_and_told(
    hub: HubOnPaper, shell: Shell, medium: Path
) -> None:
    shell("import", medium)
    assert shell("status", "--json").json["unused"] == {"blobs": 0, "bytes": 0}
    hub.assign(hub.promote(3))
    hub.export(medium)
    shell("import", medium)
    assert shell("status", "--json").json["unused"]["blobs"] == 6
    assert "Kept and no longer used: 6 blobs" in shell("status").out


def test_a_database_that_is_none_is_a_sentence(shell: Shell) -> None:
    for leftover in shell.home.glob("sealift.db*"):
        leftover.unlink()
    (shell.home / "sealift.db").write_bytes(b"this is no database, and long enough to be read" * 9)
    said = shell("status")
    assert said.code == 4
    assert "could not be used: file is not a database" in said.err


def test_t1_88_a_home_that_is_closed_to_this_user_says_whose_it_is(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = os.geteuid()
    monkeypatch.setattr("os.geteuid", lambda: owner + 7)
    monkeypatch.setattr("os.access", lambda _path, _mode: False)
    said = " ".join(shell("status").err.split())
    assert f"belongs to another user of this machine (number {owner}), and is closed" in said
    assert "Next: Run the command as that user" in said


def test_t1_87_a_full_disk_is_not_called_an_error_of_the_disk(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    (shell.home / "sealift.db").write_bytes(b"whatever SQLite says of it" * 99)
    monkeypatch.setattr("sealift_signing.disk.is_full", lambda folder: folder == shell.home)
    said = " ".join(shell("status").err.split())
    assert "is full. Next: Nothing was changed. Make room there" in said
    assert "rollback" in said


def test_audit_names_what_was_changed(shell: Shell, medium: Path) -> None:
    import sqlite3

    shell("import", medium)
    connection = sqlite3.connect(shell.home / "sealift.db")
    connection.execute("DROP TRIGGER log_entry_no_update")
    connection.execute(
        "UPDATE log_entry SET body = replace(body, 'plant-7', 'plant-8') WHERE seq=1"
    )
    connection.commit()
    connection.close()
    said = shell("audit", "verify")
    assert said.code == 1
    assert said.out.startswith("Row 1 was edited: ")
    assert "not the one that was signed" in said.err


def test_every_command_has_help_with_an_example() -> None:
    def walk(command: click.Command) -> list[click.Command]:
        inner = command.commands.values() if isinstance(command, click.Group) else ()
        return [command, *(found for one in inner for found in walk(one))]

    for command in walk(commands.site):
        assert command.help, command.name
        assert command.epilog, command.name
        assert command.epilog.startswith("Example: sealift-site"), command.name


def sealift_site(home: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    script = "from sealift_sync.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", script, "--home", str(home), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"COLUMNS": "100"},
    )


def test_as_a_process_it_is_plain_when_piped(shell: Shell, medium: Path) -> None:
    done = sealift_site(shell.home, "import", medium)
    assert done.returncode == 0
    assert "\x1b" not in done.stdout + done.stderr
    assert "vision/digits in host group cpu runs version 2." in done.stdout
    assert sealift_site(shell.home, "import", medium).stdout.endswith("nothing changed.\n")


def test_no_two_passes_over_bytes_are_told_by_one_name(
    shell: Shell, medium: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "BIG", 0)

    def stages(*arguments: str | Path) -> list[str]:
        told = [line.partition(": ") for line in shell(*arguments).err.splitlines()]
        return [name for name, _, words in told if words.startswith("0 of ")]

    assert stages("verify", medium) == ["verify"]
    assert stages("import", medium) == ["copy"]
    assert stages("verify", medium) == ["verify", "check the store"]
    assert stages("fsck") == ["check the store"]
    assert stages("fsck", "--json") == []


def own_seconds() -> float:
    """What the commands that were run so far have used of a processor."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_a1_06_the_rollback_command_takes_under_a_second(
    hub: HubOnPaper, shell: Shell, tmp_path: Path
) -> None:
    """As a process from start to end; its own seconds, as others may be using this machine."""
    hub.assign(*(hub.promote(number) for number in (4, 3, 2, 1)))
    hub.export(tmp_path / "medium")
    assert shell("import", tmp_path / "medium").code == 0
    taken = []
    for version in (3, 2, 1):
        began = own_seconds()
        command = ("rollback", "vision/digits", "--from", str(version + 1), "--reason", "Wrong.")
        done = sealift_site(shell.home, *command)
        taken.append(own_seconds() - began)
        assert f"runs version {version}" in done.stdout
    assert min(taken) < 1, taken


def test_the_network_is_refused_before_the_first_other_import() -> None:
    script = """
import sys
sys.argv = ["sealift-site", "--version"]
from sealift_sync.cli import main
before = set(sys.modules)
assert not any(name.startswith(("click", "rich", "tuf", "securesystemslib")) for name in before)
try:
    main()
except SystemExit as end:
    assert end.code == 0, end.code
import socket
for attempt in (
    lambda: socket.socket(),
    lambda: socket.getaddrinfo("example.org", 80),
    lambda: socket.gethostbyname("localhost"),
):
    try:
        attempt()
    except RuntimeError as refused:
        assert "uses no network" in str(refused)
    else:
        raise AssertionError("the network was reached")
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("sealift-offline-sync")
