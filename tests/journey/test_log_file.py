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
from typing import Any, cast

import pytest

from sealift_registry.cli.run import run as run_hub
from sealift_signing import events, keys, locks, log_file
from sealift_signing.errors import FailedError
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

        def reopen(self) -> str:
            return ""

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
            told |= set(re.findall(r'\bevents\.tell\(\s*"[a-z]+",\s*"([a-z-]+)"', file.read_text()))
    told |= {"command-refused", "command-failed"}
    page = (root / "docs/how-to/read-the-log-file.md").read_text()
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    assert {name for row in rows for name in re.findall(r"`([a-z-]+)`", row)} == told
    assert len(told) > 10


QUIET = ["passphrase", "Password", "PASSWD", "password", "secret", "client_secret", "api-key"]
QUIET += ["AccountKey", "SharedAccessKey", "token", "X-Auth-Token", "Authorization", "Cookie"]
QUIET += ["Set-Cookie", "GH_PAT", "sig", "pin-value", "pwd", "SIGNING_KEY", "connection string"]
BEHIND = ["=", ": ", " = ", '": ', "':"]
VALUES = [
    "correct hunter22 battery",
    "a,hunter22",
    "a;hunter22",
    "a&hunter22",
    "a'hunter22",
    'a"hunter22',
    '"a, hunter22"',
    '"a\nhunter22"',
    "'a \\' hunter22'",
    "token hunter22",
    "Digest username=x, response=hunter22",
    "session=hunter22; path=/",
    "abc/hunter22==",
    "\n  hunter22",
]


@pytest.mark.parametrize("name", QUIET)
def test_f2_430_a_value_behind_a_secret_name_is_struck_out_to_its_end(name: str) -> None:
    for between in BEHIND:
        for value in VALUES:
            told = log_file.cleaned(f"it said {name}{between}{value}\nand went on")
            assert "hunter22" not in told, (name, between, value)
            assert told.startswith("it said ")
            assert told.endswith("and went on")


@pytest.mark.parametrize(
    "text",
    [
        'https://erna:hun"hunter22@host/x',
        "https://erna:hun'hunter22@host/x",
        "https://erna:hun hunter22@host/x",
        "https://erna:hun<hunter22>@host/x",
        "erna:hun'hunter22@host",
        'erna:hun"hunter22@host',
        "--password hunter22",
        "--pin hunter22 --out x",
        "gho_hunter22hunter22",
        "bearer ~hunter22!",
        "eyJhbGciOiJI.hunter22.x",
        "DefaultEndpointsProtocol=https;AccountName=x;AccountKey=hunter22==;EndpointSuffix=y",
    ],
)
def test_f2_431_secrets_of_other_spellings_are_struck_out(text: str) -> None:
    assert "hunter22" not in log_file.cleaned(f"could not read {text}")


def test_f2_431_keys_of_mappings_are_looked_at_too() -> None:
    said = {
        "password": "hunter22",
        "AccountKey": ["hunter22"],
        "https://erna:hunter22@host": 1,
        "deep": [{"authorization": {"x": "hunter22"}}],
        "path": "/srv/log",
    }
    told = log_file.cleaned(said)
    assert "hunter22" not in json.dumps(told)
    assert told["path"] == "/srv/log"


@pytest.mark.parametrize(
    "name",
    [
        *("AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGE_SAS", "AZURE_STORAGE_KEY", "GH_PAT"),
        *("STORAGEKEY", "MY_SAS", "MY_PAT", "MYCONNECTIONSTRING", "SESSION_COOKIE", "LICENSE_KEY"),
    ],
)
def test_f2_432_more_names_of_the_environment_are_secret(name: str) -> None:
    hidden = log_file.hidden_in({name: "hunter22", "PATH": "/usr/bin", "PWD": "/home/erna"})
    assert hidden == ("hunter22",)


def test_f2_432_each_part_of_a_connection_string_is_secret() -> None:
    given = {
        "X": "AccountName=n;AccountKey=hunter22==;EndpointSuffix=y",
        "Y": "a password=hunter33",
    }
    hidden = log_file.hidden_in(given)
    told = log_file.cleaned("it sent hunter22== and hunter33", hidden)
    assert told == "it sent *** and ***"


@pytest.mark.parametrize("mode", [0o666, 0o640, 0o604, 0o620, 0o600])
@pytest.mark.parametrize("run", [run_hub, run_site])
def test_f2_433_a_log_file_that_was_open_to_others_is_closed(
    tmp_path: Path,
    mode: int,
    run: Any,  # noqa: ANN401 - either program
) -> None:
    file = tmp_path / "log"
    file.touch()
    file.chmod(mode)
    run(["--log-file", str(file), "--home", str(tmp_path / "none"), "audit", "verify"])
    assert lines(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_f2_433_roots_file_that_others_may_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "log"
    file.touch(0o644)
    os.chown(file, 0, -1)
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    with pytest.raises(FailedError, match="others than its owner may read or write it"):
        log_file.open_log_file(str(file), {}, "test", "test")
    assert file.read_bytes() == b""


@pytest.mark.parametrize("kind", ["dangling", "log", "twice"])
def test_f2_434_a_link_is_refused_by_name_and_nothing_made_behind_it(
    tmp_path: Path, kind: str
) -> None:
    there, link = tmp_path / "there", tmp_path / "link"
    if kind == "log":
        there.touch()
    link.symlink_to(there)
    if kind == "twice":
        link, there = tmp_path / "again", link
        link.symlink_to(there)
    with pytest.raises(FailedError, match=r"link could not be opened: it is a link|again could"):
        log_file.open_log_file(str(link), {}, "test", "test")
    assert (tmp_path / "there").exists() == (kind == "log")


def test_f2_434_a_link_that_comes_after_the_look_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "there")
    monkeypatch.setattr(Path, "is_symlink", lambda _: False)
    with pytest.raises(FailedError, match="could not be opened"):
        log_file.open_log_file(str(tmp_path / "link"), {}, "test", "test")
    assert not (tmp_path / "there").exists()


@pytest.mark.parametrize("run", [run_hub, run_site])
def test_f2_435_an_empty_name_is_an_error_and_the_variable_does_not_stand_in(
    run: Any,  # noqa: ANN401 - either program
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(log_file.VARIABLE, str(tmp_path / "variable"))
    assert run(["--log-file", "", "--home", str(tmp_path / "none"), "audit", "verify"]) == 4
    assert "The log file (no name) could not be opened" in capsys.readouterr().err
    assert not (tmp_path / "variable").exists()


@pytest.mark.parametrize(
    "run, given, step",
    [
        (run_site, ["status", "--log-file", "F"], "sealift-site --log-file VALUE status …"),
        (run_hub, ["list", "--log-file", "F"], "sealift --log-file VALUE list …"),
        (run_hub, ["audit", "verify", "--log-file=F"], "sealift --log-file VALUE audit verify …"),
    ],
)
def test_f2_436_an_option_behind_its_command_is_told_where_it_belongs(
    run: Any,  # noqa: ANN401 - either program
    given: list[str],
    step: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(given) == 2
    assert f"Put it before the command: {step}" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("run", [run_hub, run_site])
def test_f2_437_a_log_that_was_not_written_to_its_end_is_told_once_at_the_end(
    run: Any,  # noqa: ANN401 - either program
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv(log_file.VARIABLE, raising=False)
    given = ["--home", str(tmp_path / "none"), "audit", "verify"]
    without, (out, err) = run(given), capsys.readouterr()
    write = os.write

    def full(descriptor: int, data: bytes) -> int:
        if data.lstrip().startswith(b"{"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", full)
    assert run(["--log-file", str(tmp_path / "log"), *given]) == without
    monkeypatch.undo()
    told = capsys.readouterr()
    assert told.out == out
    assert told.err.startswith(err)
    (line,) = told.err.removeprefix(err).splitlines()
    assert f"The log file {tmp_path / 'log'} is not whole" in line


def test_f2_438_lines_name_their_site_and_their_transfer(journey: Journey, asked: Path) -> None:
    whole_way(journey)
    begun: dict[int, str] = {}
    ended, found = dict[str, dict[str, Any]](), lines(asked)
    command = ""
    for one in found:
        if one["event"] == "command-started":
            command = one["fields"]["command"]
        begun[len(begun)] = command
        if one["event"] == "command-ended":
            ended[command] = one["fields"]
    this = {"site": "plant-7", "transfer": "plant-7-000001"}
    for name in ("export", "import"):
        assert this.items() <= ended[name].items()
    for name in ("status", "return"):
        assert ended[name]["site"] == "plant-7"
    phases = [
        one["fields"]
        for at, one in enumerate(found)
        if one["event"] == "phase-ended" and begun[at] == "export"
    ]
    assert phases
    assert all(this.items() <= one.items() for one in phases)
    assert of(found, "return-written")[0]["transfers"] == ["plant-7-000001"]
    (received,) = of(found, "return-received")
    assert (received["site"], received["transfers"]) == ("plant-7", ["plant-7-000001"])
    assert received["entries"] > 0
    assert "site" not in ended["next"]


def test_f2_439_short_waits_are_not_told_and_locks_have_whole_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    moments = iter([0.0, 0.09, 0.0, 0.11])
    with opened(tmp_path / "log"), Path("lock").open("w+b") as file:
        monkeypatch.setattr(time, "monotonic", lambda: next(moments))
        for _ in range(2):
            locks._tell_waited(cast("Any", file), time.monotonic())
        monkeypatch.undo()
    (waited,) = of(lines(tmp_path / "log"), "lock-waited")
    assert waited == {"path": str(tmp_path / "lock"), "seconds": 0.11}


@pytest.mark.parametrize("left", [b"", b"\n", b'{"tim', b'{"tim\n', b'{"time": "2026'])
def test_f2_446_a_log_whose_first_line_was_cut_short_goes_on_for_ever(
    tmp_path: Path, left: bytes
) -> None:
    """A disk that was full for a moment must not stop every later command."""
    file = tmp_path / "log"
    file.write_bytes(left)
    for _ in range(2):
        with opened(file):
            events.tell("command", "command-ended", code=0)
    whole = [line for line in file.read_bytes().splitlines() if line.endswith(b"}")]
    assert len(whole) == 4
    assert [json.loads(line)["event"] for line in whole[:2]] == ["command-started", "command-ended"]


@pytest.mark.parametrize("data", [b'{\n  "a": 1\n}\n', b"\n\n", b"[keys]\n", b'{"a": 1}', b"\n#"])
def test_f2_446_what_is_somebodys_data_is_still_refused(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "log"
    file.write_bytes(data)
    with pytest.raises(FailedError, match="not a log"), opened(file):
        pass
    assert file.read_bytes() == data


def test_f2_447_a_line_that_another_process_left_cut_short_takes_no_other_along(
    tmp_path: Path,
) -> None:
    file = tmp_path / "log"
    with opened(file):
        descriptor = os.open(file, os.O_WRONLY | os.O_APPEND)
        os.write(descriptor, b'{"time": "2026-12-01T00:00:00.000000Z", "lev')
        os.close(descriptor)
        events.tell("command", "command-ended", code=0)
    found = file.read_bytes().splitlines()
    assert json.loads(found[0])["event"] == "command-started"
    assert json.loads(found[2])["event"] == "command-ended"
    assert len(found) == 3
