"""The log file: what hub and site write down for operators, and that no secret is in it."""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sealift_registry.cli.run import run as run_hub
from sealift_signing import events, keys, locks, log_file
from sealift_sync.cli.run import run as run_site
from tests import models
from tests.journey.test_thin_journey import CPU, PASSPHRASE, Journey, journey

__all__ = ["journey"]

MEMBERS = ["time", "level", "logger", "event", "pid", "fields"]
SECRETS = {
    "SEALIFT_PASSPHRASE_GINA": "PlantedPassphraseOfGina",
    "SEALIFT_PIN": "7391739",
    "MLFLOW_TRACKING_URI": "http://erna:PlantedTrackingWord@127.0.0.1:9/",
    "MLFLOW_TRACKING_TOKEN": "PlantedTrackingToken",
    "AWS_SECRET_ACCESS_KEY": "PlantedSecretOfS3",
    "AWS_SESSION_TOKEN": "PlantedSessionOfS3",
    "SEALIFT_DATABASE_DSN": "postgres://erna:Planted/Word@of#DSN@db.example/sealift",
    "ANYTHING_AT_ALL": "PlantedInTheEnvironment",
}
"""What stands in the environment, and nothing of which may stand in the log file."""
WORDS = ("Planted", "7391739", PASSPHRASE, "PRIVATE KEY", "erna")


def lines(file: Path) -> list[dict[str, Any]]:
    """Every line of the log file, as it must be."""
    data = file.read_bytes()
    assert data.endswith(b"\n")
    assert data.isascii()
    assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", data)
    found = [json.loads(line) for line in data.decode().split("\n")[:-1]]
    for one in found:
        assert list(one) == MEMBERS
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", one["time"])
        assert one["level"] in {"info", "warning", "error"}
        assert one["logger"].startswith("sealift.")
        assert one["pid"] > 0
    return found


def of(found: list[dict[str, Any]], event: str) -> list[dict[str, Any]]:
    return [one["fields"] for one in found if one["event"] == event]


@pytest.fixture
def asked(journey: Journey, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The log file of a journey on which secrets lie everywhere."""
    file = journey.folder / "operations.jsonl"
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv(log_file.VARIABLE, str(file))
    return file


def whole_way(journey: Journey) -> None:
    """One person's journey: to the site, and home again; and what is refused on the way."""
    journey.hub("init --solo --person me")
    journey.hub("team add vision")
    journey.hub("ingest onnx {at}/model-1.onnx --as vision/tiny --goldens {at}/goldens.npz")
    journey.hub(f"convert vision/tiny/1 --for {CPU}")
    asked = journey.hub("promote vision/tiny/1 --to production --reason PlantedReason")
    said = f"approve {asked['promotion']} --meaning validated --reason PlantedReason --yes"
    journey.hub(said)
    journey.enrolled()
    journey.hub(f"assign plant-7 vision/tiny/1 --for line-1={CPU}")
    journey.hub("export plant-7 --to {at}/medium")
    journey.site("verify {at}/medium")
    journey.site("import {at}/medium")
    journey.site("status")
    journey.site("return --to {at}/medium")
    journey.hub("receive {at}/medium")
    journey.hub("key new {at}/gina.pem")
    journey.hub("next")
    journey.hub("audit fsck")
    journey.site("audit verify")


def refused(journey: Journey) -> None:
    """What fails, and whose error quotes whatever it was given."""
    journey.hub("show PlantedName", 3)
    journey.hub("show plant-7 PlantedArgument", 2)
    journey.hub("ingest onnx {at}/model-1.onnx --as PlantedPassphraseOfGina", 2)
    journey.hub("team requester vision {at}/PlantedFolder/me.card", 3)
    url = "https://erna:PlantedWord@127.0.0.1:9/models.git"
    journey.hub(f"ingest dvc {url} --path model.onnx --as vision/tiny", 4)
    taken = "ingest mlflow models:/tiny/1 --as vision/tiny --tracking"
    journey.hub(f"{taken} http://erna:PlantedWord@127.0.0.1:9/?token=PlantedQuery", 4)
    journey.site("import {at}/PlantedMedium?secret=PlantedQuery", 3)
    journey.site("rollback vision/tiny --reason PlantedReason", 3)


def test_f2_424_a_journey_is_written_down_and_no_secret_of_it(
    journey: Journey, asked: Path
) -> None:
    whole_way(journey)
    found = lines(asked)
    assert stat.S_IMODE(asked.stat().st_mode) == 0o600
    begun, ended = of(found, "command-started"), of(found, "command-ended")
    assert len(begun) == len(ended) > 15
    assert {"program": "sealift", "command": "key new"} in begun
    assert {"program": "sealift-site", "command": "audit verify"} in begun
    assert all(one["exit_code"] == 0 and one["seconds"] >= 0 for one in ended)
    committed = [(one["seq"], one["type"]) for one in of(found, "entry-committed")]
    assert (0, "organisation.founded") in committed
    assert [one for _, one in committed if one == "transfer.imported"] == ["transfer.imported"]
    assert any("catalog.vision" in one["versions"] for one in of(found, "metadata-published"))
    phases = of(found, "phase-ended")
    assert any(one["bytes"] > 0 for one in phases)
    assert all(one["seconds"] >= 0 and one["phase"] for one in phases)
    workers = of(found, "worker-ended")
    assert len(workers) == len(of(found, "worker-started")) >= 3
    assert all(one["answered"] for one in workers)
    for word in WORDS:
        assert word not in asked.read_text(), word


def test_f2_425_what_fails_is_written_down_without_what_was_typed(
    journey: Journey, asked: Path
) -> None:
    journey.hub("init --solo --person me")
    journey.hub("team add vision")
    journey.enrolled()
    (journey.folder / "PlantedFolder").write_text("no folder")
    refused(journey)
    found = lines(asked)
    failed = [one for one in found if one["event"] in {"command-failed", "command-refused"}]
    assert len(failed) == 8
    assert all(one["level"] in {"warning", "error"} for one in failed)
    codes = [one["fields"]["code"] for one in failed]
    assert {"nothing-of-that-name", "usage"} <= set(codes)
    assert all("what" not in one["fields"] for one in failed if one["fields"]["exit_code"] == 2)
    text = asked.read_text()
    for word in ("PlantedArgument", "PlantedPassphrase", "PlantedWord", "PlantedQuery", "erna"):
        assert word not in text, word
    for word in ("PlantedReason", "PlantedTracking", "PlantedSe", "PlantedIn", "7391739"):
        assert word not in text, word


@pytest.mark.parametrize("value", [None, ""])
def test_f2_426_silent_where_nobody_asked(
    journey: Journey,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    value: str | None,
) -> None:
    if value is not None:
        monkeypatch.setenv(log_file.VARIABLE, value)
    monkeypatch.setattr(log_file, "open_log_file", None)  # it is not called
    assert run_hub(["--home", str(journey.folder / "none"), "next"]) == 0
    out, err = capsys.readouterr()
    assert "There is no hub" in out
    assert err == ""
    handlers = logging.getLogger(log_file.ROOT).handlers
    assert not [one for one in handlers if isinstance(one, log_file._File)]


@pytest.mark.parametrize("run", [run_hub, run_site])
def test_f2_426_nothing_is_printed_but_what_is_printed_without(
    run: Any,  # noqa: ANN401 - either program
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(log_file.VARIABLE, raising=False)
    given = ["--home", str(tmp_path / "none"), "audit", "verify"]
    without = run(given), capsys.readouterr()
    assert (run(["--log-file", str(tmp_path / "log"), *given]), capsys.readouterr()) == without
    (begun, failed, ended) = lines(tmp_path / "log")
    assert begun["fields"]["command"] == "audit verify"
    assert failed["fields"]["exit_code"] == ended["fields"]["exit_code"] == without[0] == 3


@pytest.mark.parametrize(
    "kind", ["no folder", "folder", "pipe", "device", "key", "database", "another's"]
)
def test_f2_427_what_cannot_be_opened_is_an_error_before_anything_is_done(
    journey: Journey, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = journey.folder / "log"
    if kind == "no folder":
        file = journey.folder / "none" / "log"
    elif kind == "folder":
        file.mkdir()
    elif kind == "pipe":
        os.mkfifo(file)
    elif kind == "device":
        file = Path("/dev/null")
    elif kind == "another's":
        monkeypatch.setattr(os, "geteuid", lambda: 4711)
        file.touch()
        os.chown(file, 4712, -1)
    else:
        file.write_text("-----BEGIN" if kind == "key" else "SQLite format 3\0")
    before = file.read_bytes() if file.is_file() else b""
    for program in (run_hub, run_site):
        given = ["--log-file", str(file), "--json", "--home", str(journey.folder / "home")]
        end = ["init", "--solo"] if program is run_hub else ["status"]
        error = journey._said(program, [*given[:2], *given[3:], *end, "--json"], 4)["error"]
        assert error["code"] == "log-file-unusable"
        assert str(file) in error["what"]
    assert not (journey.folder / "home").exists()
    assert not file.is_file() or file.read_bytes() == before


def test_f2_427_the_option_counts_before_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(log_file.VARIABLE, str(tmp_path / "variable"))
    run_site(["--log-file", str(tmp_path / "option"), "--home", str(tmp_path / "none"), "status"])
    assert lines(tmp_path / "option")
    assert not (tmp_path / "variable").exists()


@contextmanager
def opened(file: Path, environment: Mapping[str, str] | None = None) -> Iterator[None]:
    log_file.open_log_file(str(file), environment or {}, "test", "test")
    try:
        yield
    finally:
        events.end()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EBADF])
def test_f2_428_a_full_disk_stops_no_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    file, write, room = tmp_path / "log", os.write, [10, 0, 0]

    def full(descriptor: int, data: bytes) -> int:
        if not room:
            return write(descriptor, data)
        taken = room.pop(0)
        if not taken:
            raise OSError(code, os.strerror(code))
        return write(descriptor, data[:taken])

    with opened(file):
        monkeypatch.setattr(os, "write", full)
        for number in range(4):
            events.tell("test", "test-happened", number=number)
        monkeypatch.undo()
    whole, cut, last = file.read_text().splitlines()
    assert json.loads(whole)["event"] == "command-started"
    assert cut == json.dumps({"time": ""})[:9] + cut[9:]
    assert json.loads(last)["fields"] == {"number": 3}
    assert capsys.readouterr() == ("", "")


def test_f2_428_a_field_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    class Odd:
        def __str__(self) -> str:
            raise ValueError

    with opened(tmp_path / "log"):
        events.tell("test", "test-odd", value=Odd())
        events.tell("test", "test-large", **{f"n{n}": "x" * 900 for n in range(100)})
        events.tell("test", "test-happened", value="\ud800", path=tmp_path)
    _, large, last = lines(tmp_path / "log")
    assert large["fields"] == {}
    assert last["fields"]["path"] == str(tmp_path)


WRITES = """
import sys
from sealift_signing import events, log_file
log_file.open_log_file(sys.argv[1], {}, "test", sys.argv[2])
for number in range(300):
    events.tell("test", "test-happened", number=number, words="x" * 900)
events.end()
"""


def test_f2_428_lines_of_several_processes_stay_whole(tmp_path: Path) -> None:
    file = tmp_path / "log"
    command = [sys.executable, "-c", WRITES, str(file)]
    processes = [subprocess.Popen([*command, str(number)]) for number in range(4)]
    assert [one.wait() for one in processes] == [0] * 4
    found = lines(file)
    assert len(found) == 4 * 301
    for pid in {one["pid"] for one in found}:
        own = [one["fields"] for one in found if one["pid"] == pid]
        assert [one["number"] for one in own[1:]] == list(range(300))


HOSTILE = [
    'x"}\n{"time":"2026-01-01T00:00:00.000000Z","level":"info","event":"forged"}',
    "a\r\nb\x1b[2J\x00\x7f\u2028\u2029\u202e\x85",
    "\ud800",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_f2_429_what_somebody_else_wrote_forges_no_line(tmp_path: Path, text: str) -> None:
    with opened(tmp_path / "log"):
        events.tell("test", "test-happened", words=text, nested=[{"deep": text}])
    begun, happened = lines(tmp_path / "log")
    assert begun["event"] == "command-started"
    assert happened["fields"] == {"words": text, "nested": [{"deep": text}]}


@pytest.mark.parametrize(
    "text",
    [
        "postgres://user:hunter22@db/x",
        "postgres://user:hun/hunter22@ter@db/x",
        "could not reach https://hunter22@server/path, twice",
        "user:hunter22@server:path",
        "host=db user=x password=hunter22 dbname=y",
        "PASSWORD: 'hunter22'",
        'token="hunter22"',
        "https://bucket/x?X-Amz-Signature=hunter22&X-Amz-Date=1",
        "https://bucket/x?sig=hunter22",
        "pkcs11:token=x;pin-value=hunter22",
        "Authorization: Bearer hunter22",
        "authorization: basic hunter22==",
        "aws_secret_access_key = hunter22",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nhunter22\n-----END ENCRYPTED PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nhunter22",
        "AKIAHUNTER22HUNTER22",
        f"{'x' * 2000} hunter22",
        f"hunter22 {'x' * 5000}",
        "my_db_password=hunter22",
    ],
)
def test_f2_429_what_looks_like_a_secret_is_struck_out(tmp_path: Path, text: str) -> None:
    with opened(tmp_path / "log"):
        events.tell("test", "test-happened", deep=[{"words": text}])
    assert "hunter22" not in (tmp_path / "log").read_text().lower()


@pytest.mark.parametrize("piece", ["x", "://", "x:", "pass", "a@", "-----BEGIN ", "bearer ", "= "])
def test_f2_429_no_words_take_long_to_look_through(piece: str) -> None:
    text = (piece * log_file.LONGEST_LOOKED_AT)[: log_file.LONGEST_LOOKED_AT]
    began = time.process_time()
    log_file.cleaned(text)
    assert time.process_time() - began < 1


def test_f2_429_what_is_no_secret_stays(tmp_path: Path) -> None:
    words = (
        "There is no Sealift hub at /srv/sealift/hub@home.",
        "vision/digits/3 for cpu-x86_64: 17 of 20 rows at 12:30 differ, see https://x.example/y",
    )
    given = {"PWD": "/srv/sealift", "SSH_AUTH_SOCK": "/srv/sealift", "PASS_FILE": "/srv/sealift"}
    with opened(tmp_path / "log", given):
        events.tell("test", "test-happened", words=words)
    assert lines(tmp_path / "log")[1]["fields"] == {"words": list(words)}


def test_f2_429_a_value_of_the_environment_is_struck_out_wherever_it_stands(
    tmp_path: Path,
) -> None:
    with opened(tmp_path / "log", SECRETS):
        for value in SECRETS.values():
            events.tell("test", "test-happened", words=f"it says {value}!")
        events.tell("test", "test-happened", words="of the DSN: Planted/Word@of#DSN")
    text = (tmp_path / "log").read_text()
    told = text.replace("PlantedInTheEnvironment", "")  # of which nothing says that it is a secret
    assert not [word for word in ("Planted", "7391739", "erna") if word in told]


def test_f2_429_who_waits_for_a_lock_is_written_down(tmp_path: Path) -> None:
    holds = "import sys, time\nfrom pathlib import Path\nfrom sealift_signing import locks\n"
    holds += "with locks.held(Path(sys.argv[1])):\n print('held', flush=True)\n time.sleep(0.5)"
    command = [sys.executable, "-c", holds, str(tmp_path / "lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process, opened(tmp_path / "log"):
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        with locks.held(tmp_path / "lock"):
            pass
        with locks.held(tmp_path / "lock"):
            pass
    (waited,) = of(lines(tmp_path / "log"), "lock-waited")
    assert waited["path"] == str(tmp_path / "lock")
    assert 0 < waited["seconds"] < 20


def test_f2_429_of_a_command_only_its_name_is_told() -> None:
    from sealift_registry.cli.group import sealift

    for given, named in {
        ("--home", "show", "key", "rotate", "log"): "key rotate",
        ("--log-file=x", "--today", "2026-01-01", "export", "plant-7", "--key", "show"): "export",
        ("hunter22",): "",
        ("team", "hunter22"): "team",
        (): "",
    }.items():
        assert events.called(given, sealift) == named


def test_f2_429_keys_and_models_are_what_they_are_without_a_log_file(tmp_path: Path) -> None:
    """A passphrase that is typed reaches no event, whatever tells them."""
    heard: list[str] = []

    class Hearing:
        def tell(self, *told: Any) -> None:  # noqa: ANN401 - whatever is told
            heard.append(repr(told))

        def close(self) -> None:
            pass

    events.hear(Hearing())
    try:
        keys.new_key(tmp_path / "a.pem", b"PlantedPassphrase", rounds=100_000)
        models.tiny_onnx(tmp_path / "m.onnx", 1)
    finally:
        events.end()
    assert not [one for one in heard if "Planted" in one]


def test_f2_424_the_page_names_every_event_and_no_other() -> None:
    root = Path(__file__).parents[2]
    told = set[str]()
    for room in ("signing", "offline-sync", "registry"):
        for file in (root / room).rglob("*.py"):
            told |= set(re.findall(r'\bevents\.tell\(\s*"[a-z]+", "([a-z-]+)"', file.read_text()))
    told |= {"command-refused", "command-failed"}
    page = (root / "docs/how-to/read-the-log-file.md").read_text()
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    assert {name for row in rows for name in re.findall(r"`([a-z-]+)`", row)} == told
    assert len(told) > 10
