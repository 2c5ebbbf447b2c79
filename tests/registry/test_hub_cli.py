"""`sealift` as people and machines meet it: output, errors, exit codes, help."""

from __future__ import annotations

import json
import os
import pwd
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import click
import pytest

from sealift_registry import guide
from sealift_registry.audit.writer import utc_now
from sealift_registry.cli.group import sealift
from sealift_registry.cli.run import run
from sealift_signing import shape
from sealift_signing.documents import Withdrawal
from sealift_signing.vocabulary import moment
from sealift_signing.words import words_of
from sealift_sync.site.setup.initialising import begin_enrolment
from tests import models
from tests.registry.hub_fixture import (
    GROUP,
    MODEL,
    PASSPHRASE,
    TARGET,
    Acme,
    Loose,
    copied,
)
from tests.site_on_paper import SiteOnPaper

Capsys = pytest.CaptureFixture[str]


class Cli:
    """Runs commands in this process, on the home of `acme`."""

    def __init__(self, acme: Acme, capsys: Capsys) -> None:
        self.acme = acme
        self._capsys = capsys
        (acme.folder / "pass").write_text(f"{PASSPHRASE}\n")
        os.environ["SEALIFT_TRUST"] = str(acme.folder / "trust")
        if acme.root.exists():
            acme.trusted()

    def card(self, name: str) -> Path:
        """The key card of a person, in a file."""
        path = self.acme.folder / f"{name}.card"
        path.write_bytes(self.acme.card(name)[1])
        return path

    def __call__(self, *arguments: object) -> tuple[int, str, str]:
        """Exit code, standard output and standard error."""
        given = [str(one) for one in arguments]
        if given[0] == "--home-is":
            home, given = given[1], given[2:]
        else:
            home = str(self.acme.root)
        self._capsys.readouterr()
        code = run([*given, "--home", home, "--passphrase-file", str(self.acme.folder / "pass")])
        out, err = self._capsys.readouterr()
        assert "Traceback" not in out + err
        return code, out, err

    def says(self, *arguments: object) -> str:
        code, out, err = self(*arguments)
        assert (code, bool(out)) == (0, True), err
        return out

    def json(self, *arguments: object) -> Loose:
        """The one object; nothing else is printed, and standard error is silent."""
        code, out, err = self(*arguments, "--json")
        assert (code, err) == (0, ""), err
        said = json.loads(out)
        assert out.count("\n") == 1
        assert re.fullmatch(r"sealift/[a-z-]+/1", said["schema"])
        return said

    def key(self, name: str) -> Path:
        return self.acme.key(name)


def test_t0_107_what_a_request_sets_aside_is_the_first_thing_that_is_shown(
    hub: Acme, capsys: Capsys
) -> None:
    wrong = Withdrawal("w-1", "production", None, MODEL, 2, "It is wrong.", moment(utc_now()))
    hub.change_members(lambda members: replace(members, withdrawn=(wrong,)))
    cli = Cli(hub, capsys)
    expected = [
        "This request sets aside what the team's stewards withdrew:",
        f"  w-1: vision/tiny below 2 for production, withdrawn {wrong.made}",
        "    reason       “It is wrong.”",
        f"    sha256       {wrong.digest}",
        "",
    ]
    asked = ["--to", "production", "--reason", "x", "--despite", "w-1", "--at-hub"]
    by = ("--key", cli.key("dora"))
    assert cli.says("promote", "vision/tiny/1", *asked, *by).splitlines()[:5] == expected
    assert cli.says("show", "P-1").splitlines()[:5] == expected
    told = cli.json("show", "P-1")["despite"]
    assert told == [{"withdrawal": wrong.digest} | shape.to_json(wrong)]
    said = ("--meaning", "validated", "--reason", "y", "--yes", "--at-hub")
    code, _, err = cli("approve", "P-1", *said, "--key", cli.key("carla"))
    assert code == 0
    words = " ".join(err.split())
    given, _, shown = words.partition("signed at the hub. ")
    assert f"Now opened on this machine, to sign here: {cli.key('carla')}. " in given
    assert shown.startswith(f"SETS ASIDE the withdrawal w-1, of {MODEL} below version 2")
    assert f"“It is wrong.” ({wrong.digest})" in shown


def test_a_card_is_never_written_over_another(cli: Cli, tmp_path: Path) -> None:
    """Somebody may have taken the key in by the one that is there, and asks for its words."""
    path = tmp_path / "carla.card"
    words = ("key", "card", "carla", "--key", cli.key("carla"), "--out", path)
    first, made = cli.json(*words), path.read_bytes()
    assert first["sha256"] == sha256(made).hexdigest()
    code, _, err = cli(*words)
    assert (code, "exists already" in err) == (4, True)
    assert path.read_bytes() == made


def test_an_approval_is_given_anew_at_the_hub_only_where_that_is_said(
    hub: Acme, capsys: Capsys
) -> None:
    """It runs out; without `--anew` the one that was signed is given out again."""
    cli = Cli(hub, capsys)
    hub.request()
    said = ("--meaning", "validated", "--reason", "y", "--days", 40, "--yes", "--at-hub")
    words = ("approve", "P-1", *said, "--key", cli.key("carla"))
    cli.says(*words)
    _, _, err = cli(*words)
    assert "given out again" in err
    assert len(hub.rows()["approval"]) == 1
    cli.says(*words, "--anew")
    assert len(hub.rows()["approval"]) == 2


def test_a_request_despite_a_withdrawal_that_was_rewritten_says_so(
    hub: Acme, capsys: Capsys
) -> None:
    wrong = Withdrawal("w-1", "production", None, MODEL, 2, "It is wrong.", moment(utc_now()))
    hub.change_members(lambda members: replace(members, withdrawn=(wrong,)))
    for name in ("w-1", wrong.digest):  # the same request, and so the same promotion
        assert hub.asked(despite=[name]) == 1
        assert hub.standing(1).promotion.request.predicate.despite == (wrong.digest,)
    other = replace(wrong, reason="It is worse.")
    hub.change_members(lambda members: replace(members, withdrawn=(other,)))
    shown = Cli(hub, capsys).says("show", "P-1").splitlines()
    assert shown[1] == f"  {wrong.digest}: no withdrawal of the team's present list"


@pytest.fixture(scope="module")
def stall(stocked: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Acme]:
    """A hub on which something of everything has happened."""
    acme = copied(stocked, tmp_path_factory.mktemp("stall"))
    plant = SiteOnPaper(acme.folder / "site", datetime.now(UTC))
    acme.promoted()
    acme.request(2)
    acme.enrol(plant)
    acme.assign()
    plant.take(acme.export().folder)
    acme.app.returns.receive(acme.returned(plant))
    (acme.folder / "plant-8.request").write_bytes(
        begin_enrolment(acme.folder / "site-8", {}, "plant-8", {GROUP: TARGET}, plant.clock)
    )
    (acme.folder / "quantum.request").write_bytes(
        begin_enrolment(acme.folder / "site-9", {}, "plant-9", {GROUP: "quantum-1"}, plant.clock)
    )
    (acme.folder / "broken").write_bytes(b"\x00\xff")
    (acme.folder / "empty").mkdir()
    models.tiny_onnx(acme.folder / "new.onnx", 8)
    (acme.folder / "evil.pkl").write_bytes(b"\x80\x04cos\nsystem\n.")
    acme.close()
    yield acme
    acme.close()


@pytest.fixture
def cli(stall: Acme, capsys: Capsys) -> Cli:
    return Cli(stall, capsys)


# -------------------------------------------------------------------- help and output


def commands(group: click.Group = sealift, path: str = "sealift") -> dict[str, click.Command]:
    found: dict[str, click.Command] = {}
    for name, command in group.commands.items():
        inner = isinstance(command, click.Group)
        found |= commands(command, f"{path} {name}") if inner else {f"{path} {name}": command}  # type: ignore[arg-type]
    return found


@pytest.mark.parametrize("name", commands())
def test_a1_09_every_command_has_help_with_an_example(name: str, capsys: Capsys) -> None:
    assert run([*name.split()[1:], "--help"]) == 0
    said = capsys.readouterr().out
    assert f"{name} " in said[said.index("Example:") :].replace("\n", " ")
    assert "--json" in said
    command = commands()[name]
    assert command.help
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help, f"{name} {option.name}"


@pytest.mark.parametrize(
    "arguments, words",
    [
        ("list", "vision/tiny/1  file    onnx    cpu-x86_64  production"),
        ("list versions", "vision/tiny/2"),
        ("list promotions", "P-000001"),
        ("list sites", "plant-7"),
        ("list hardware-targets", "cpu-aarch64"),
        ("show vision/tiny/1", "signed by hub-builder"),
        ("show P-1", "approvals      2 of 2; listed"),
        ("show P-000002", "0 of 2; not listed"),
        ("show plant-7", "runs           line-1: vision/tiny/1"),
        ("show plant-7-000001", "installed line-1"),
        ("team list", "approve:production, approve:staging"),
        ("next", "P-000002"),
        ("audit list", "promotion.requested"),
        ("audit list --type transfer.exported --limit 1", "plant-7-000001"),
        ("audit verify", "whole"),
        ("audit fsck", "whole"),
    ],
)
def test_a1_09_what_prints_data_prints_json_too(cli: Cli, arguments: str, words: str) -> None:
    assert words in cli.says(*arguments.split())
    assert len(cli.json(*arguments.split())) > 1


def test_what_machines_are_told(cli: Cli) -> None:
    version = cli.json("show", "vision/tiny/1")
    assert version["schema"] == "sealift/show-version/1"
    assert version["promotions"][0]["listed"]
    (running,) = version["running"]
    assert (running["site"], running["group"]) == ("plant-7", "line-1")
    artifacts = cli.json("show", "P-1")["artifacts"]
    assert {a["signers"]["scan"] for a in artifacts} == {"hub-scanner"}
    ids = [entry["id"] for entry in cli.json("audit", "list", "--limit", "2")["entries"]]
    (one,) = cli.json("audit", "list", "--id", ids[0])["entries"]
    assert one["id"] == ids[0]


# -------------------------------------------------------------------- errors


ERRORS = [
    # what is not there, or is not so yet: 3
    ("show vision/tiny/9", "no-version", 3),
    ("show vision/none/1", "no-version", 3),
    ("show P-99", "no-promotion", 3),
    ("show nothing", "nothing-of-that-name", 3),
    ("convert vision/tiny/9 --for cpu-x86_64", "no-version", 3),
    ("convert vision/tiny/1 --for abacus", "hardware-target-unknown", 3),
    ("promote vision/tiny/9 --to production --reason x --at-hub --key {dora}", "no-version", 3),
    ("promote vision/tiny/1 --to moon --reason x --at-hub --key {dora}", "no-stage", 3),
    ("approve P-99 --meaning validated --reason x --yes --at-hub --key {carla}", "no-promotion", 3),
    ("assign plant-9 vision/tiny/1 --for line-1=cpu-x86_64 --key {dispatcher-1}", "no-site", 3),
    ("assign plant-7 vision/tiny/1 --for line-9=cpu-x86_64 --key {dispatcher-1}", "no-group", 3),
    ("assign plant-7 vision/tiny/9 --for line-1=cpu-x86_64 --key {dispatcher-1}", "no-version", 3),
    ("export plant-9 --to {here}/empty --key {dispatcher-1}", "no-site", 3),
    ("export plant-7 --to {here}/none --key {dispatcher-1}", "medium-missing", 3),
    ("export plant-7 --to {here}/pass --key {dispatcher-1}", "medium-missing", 3),
    ("receive {here}/empty", "no-return", 3),
    ("receive {here}/none", "no-return", 3),
    ("ingest onnx {here}/new.onnx --as none/tiny", "no-team", 3),
    ("team approver none {here}/new.card", "no-team", 3),
    ("team approver vision {here}/new.card --stage moon", "no-stage", 3),
    ("team approver vision nonsense", "no-file", 3),
    ("renew snapshot --key {root-1}", "not-renewable", 3),
    ("renew nobody --key {root-1}", "not-renewable", 3),
    ("key show {here}/none", "no-key-file", 3),
    (
        "site enroll {here}/plant-8.request --stage moon {by} --at-hub --key {fleet-1}",
        "no-stage",
        3,
    ),
    (
        "site enroll {here}/quantum.request --stage staging {by} --at-hub --key {fleet-1}",
        "no-hardware-target",
        3,
    ),
    ("--home-is {here}/none list", "no-hub", 3),
    (
        "promote vision/tiny/2 --to staging --reason x --at-hub --key {here}/none.pem",
        "no-key-file",
        3,
    ),
    # what was not understood: 2
    ("show vision/tiny/", "bad-version", 2),
    ("show vision/tiny/01", "bad-version", 2),
    ("show ../../etc/1", "bad-version", 2),
    ("show source/tiny/1", "bad-model", 2),
    ("approve 7 --meaning validated --reason x --at-hub --key {carla}", "bad-promotion", 2),
    ("approve P-2 --meaning validated --reason x --at-hub --key {carla}", "nothing-signed", 2),
    ("approve P-2 --meaning maybe --reason x --yes --at-hub --key {carla}", "bad-meaning", 2),
    (
        "approve P-2 --meaning validated --reason x --days 999 --yes --at-hub --key {carla}",
        "bad-validity",
        2,
    ),
    ("approve P-2 --meaning validated --reason x --yes --at-hub", "key-needed", 2),
    ("approve P-2 --meaning validated --reason x --yes --at-hub --key hv:key/1", "key-scheme", 2),
    ("ingest onnx {here}/new.onnx --as Vision/Tiny", "bad-model", 2),
    ("ingest onnx {here}/new.onnx --as vision/source", "bad-model", 2),
    ("assign plant-7 vision/tiny/1 --for line-1 --key {dispatcher-1}", "bad-pair", 2),
    (
        (
            "assign plant-7 vision/tiny/1 --for line-1=cpu-x86_64 --for line-1=cpu-aarch64 "
            "--key {dispatcher-1}"
        ),
        "twice",
        2,
    ),
    (
        "assign plant-7 vision/tiny/1 --for line-1=cpu-aarch64 --key {dispatcher-1}",
        "other-hardware-target",
        2,
    ),
    (
        "assign plant-7 vision/tiny/1 --for line-1=cpu-x86_64 --fallback 1 --key {dispatcher-1}",
        "bad-fallback",
        2,
    ),
    (
        "assign plant-7 vision/tiny/1 --for line-1=cpu-x86_64 --fallback 99999999999999999999",
        "usage",
        2,
    ),
    ("team approver vision {carla}", "private-key-given", 2),
    ("init --solo", "home-not-new", 2),
    ("init --offline-keys {here}/off2", "home-not-new", 2),
    ("init", "init-how", 2),
    ("init --solo --offline-keys {here}/off2", "init-how", 2),
    ("list teapots", "usage", 2),
    ("frobnicate", "usage", 2),
    ("show", "usage", 2),
    ("audit list --since yesterday", None, 2),
    ("audit list --term nonsense", "bad-pair", 2),
    ("site enroll {here}/plant-8.request --stage staging --answer {here}/pass", "answer-exists", 2),
    ("show \udcff", "not-utf-8", 2),
    ("promote vision/tiny/2 --to staging --reason= --at-hub --key {dora}", "bad-reason", 2),
    ("approve P-2 --meaning validated --reason=\x07 --yes --at-hub --key {carla}", "bad-reason", 2),
    (
        "promote vision/tiny/2 --to staging --reason x --despite w-1 --at-hub --key {dora}",
        "no-withdrawal",
        3,
    ),
    # what a rule refuses: 1
    ("team add source --steward {here}/carla.card", "bad-name", 1),
    ("team add vision --steward {here}/carla.card", "team-exists", 1),
    ("team add fraud --steward {here}/new.card", "too-few-stewards", 1),
    ("team add fraud --steward {here}/x.card --steward {here}/carla.card", "key-of-another", 1),
    ("team add fraud --steward {carla}.pub", "no-card", 2),
    ("team approver vision {here}/x.card", "key-of-another", 1),
    ("team approver vision {here}/carla.card --at-hub", "key-needed", 2),
    ("team approver vision {here}/new.card --at-hub --key {anna}", None, 1),
    ("team approver vision {here}/new.card --at-hub --key {dora} --key {ben}", None, 1),
    ("team stewards vision anna", "too-few-stewards", 1),
    ("team stewards vision anna ben", "nothing-changes", 1),
    ("team stewards nobody anna ben", "no-team", 3),
    ("submit {here}/none", "no-file", 3),
    ("submit {here}/broken", None, 1),
    ("renew team.vision --over {here}/broken", None, 1),
    ("promote vision/tiny/2 --to staging --reason x --at-hub --key {carla}", "not-entitled", 1),
    ("promote vision/tiny/2 --to staging --reason x --at-hub --key {anna}", "key-unknown", 1),
    (
        "approve P-1 --meaning validated --reason x --yes --at-hub --key {carla}",
        "approved-twice",
        1,
    ),
    ("approve P-2 --meaning validated --reason x --yes --at-hub --key {dora}", "not-entitled", 1),
    ("assign plant-7 vision/tiny/2 --for line-1=cpu-x86_64 --key {dispatcher-1}", "not-listed", 1),
    ("assign plant-7 vision/tiny/1 --for line-1=cpu-x86_64 --key {carla}", None, 1),
    ("export plant-7 --to {here}/empty --key {fleet-1}", "not-the-dispatcher", 1),
    ("site enroll {here}/broken --stage staging", None, 1),
    ("site enroll {here}/plant-8.request --stage staging {by} --at-hub --key {carla}", None, 1),
    ("site enroll {here}/empty --stage staging", "not-a-file", 1),
    ("site enroll /dev/stdin --stage staging", "not-a-file", 1),
    ("site enroll /dev/zero --stage staging", "not-a-file", 1),
    ("site enroll {here}/none --stage staging", "no-file", 3),
    ("site enroll {here}/plant-8.request --stage staging", "no-dispatcher", 2),
    ("site enroll {here}/plant-8.request --stage staging --dispatcher ina", "no-card", 3),
    ("site enroll {here}/plant-8.request --stage staging --dispatcher {carla}", None, 2),
    ("site answer plant-9 --out {here}/a", "no-site", 3),
    ("site answer plant-7 --out {here}/pass", "answer-exists", 2),
    ("export plant-7 --to {here}/empty --draft {here}/pass", "draft-exists", 2),
    ("renew root --at-hub --key {root-1}", None, 1),
    ("ingest onnx {here}/evil.pkl --as vision/evil", None, 1),
    # what could not be read or written: 4
    ("key new {carla}", "key-exists", 4),
]


@pytest.mark.parametrize("line, code, exit_code", ERRORS, ids=[ascii(one[0]) for one in ERRORS])
def test_a1_09_an_error_is_a_sentence_a_next_step_and_an_exit_code(
    cli: Cli, line: str, code: str | None, exit_code: int
) -> None:
    keys = ("anna", "ben", "carla", "dora", "new", "root-1", "targets-1", "fleet-1", "dispatcher-1")
    if not cli.key("new").exists():
        cli.acme.new_key("new")
    for person in ("carla", "new"):
        cli.card(person)
    _, card = cli.acme.card("x", cli.acme.public("carla"))
    (cli.acme.folder / "x.card").write_bytes(card)
    by = "--dispatcher dispatcher-1"
    places = {key: cli.key(key) for key in keys} | {"here": cli.acme.folder, "by": by}
    arguments = line.format(**places).split()

    found, out, err = cli(*arguments, "--json")
    assert found == exit_code, (out, err)
    told = json.loads(err.splitlines()[-1])["error"]
    assert set(told) == {"code", "what", "subject", "next"}
    assert (found, told["code"]) == (exit_code, code or told["code"]), told
    assert told["next"], told
    assert out == ""
    sentences(told["what"])

    found, out, err = cli(*arguments)
    assert (found, out) == (exit_code, "")
    if told["code"] != "usage":
        assert f"Error: {told['what']}\n" in err
        assert f"\n  Next: {told['next']}\n" in err
    assert not (cli.acme.folder / "a").exists()


def sentences(what: str) -> None:
    """One or two, each with its end, and none a stack trace or an object's inside."""
    assert len(what) < 600, what
    assert (
        what[0].isupper()
        or what[0] in "'\"/"
        or "/" in what.split(maxsplit=1)[0]
        or what[0].islower()
    )
    assert what.rstrip(" ”")[-1] in ".?:'\"", what
    for inside in ("Traceback", "sqlalchemy", "<class", "object at 0x", "b'"):
        assert inside not in what, what


def test_a1_09_a_wrong_or_missing_passphrase(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    here, carla = cli.acme.folder, cli.key("carla")
    approve = f"approve P-2 --meaning validated --reason x --yes --at-hub --key {carla}".split()
    (here / "wrong").write_text("wrong\n")
    (here / "blank").write_text("\n")
    at = [*approve, "--home", str(cli.acme.root)]
    for file, exit_code in (("wrong", 1), ("blank", 2), ("none", 4)):
        assert run([*at, "--passphrase-file", str(here / file)]) == exit_code
    assert run(at) == 2
    monkeypatch.setenv("SEALIFT_PASSPHRASE_CARLA", "wrong")
    assert run(at) == 1


def test_a1_09_what_nobody_foresaw_is_a_sentence_too(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def break_down(*_: object) -> None:
        raise ZeroDivisionError("deep inside")

    monkeypatch.setattr(guide, "missing", break_down)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    code, out, err = cli("next", "--json")
    told = json.loads(err)["error"]
    assert (code, out, told["code"]) == (4, "", "unexpected")
    (trace,) = tmp_path.glob("sealift-*.trace")
    assert str(trace) in told["next"]
    assert "deep inside" in trace.read_text()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    code, out, err = cli("next")
    assert (code, "Please report it" in err) == (4, True)


@pytest.mark.embedded("SQLite's file is damaged, and removed")
def test_a1_09_a_database_that_cannot_be_read_is_a_sentence(
    stocked: Path, tmp_path: Path, capsys: Capsys
) -> None:
    acme = copied(stocked, tmp_path)
    cli = Cli(acme, capsys)
    database = acme.root / "sealift.db"
    for file in acme.root.glob("sealift.db-*"):
        file.unlink()
    database.write_bytes(b"rubbish" * 1000)
    for command in (["list"], ["next"], ["audit", "list"], ["audit", "verify"]):
        code, _, err = cli(*command)
        assert (code, "could not be read" in err) == (4, True), err
    database.unlink()
    code, _, err = cli("list")
    assert (code, "is missing" in err) == (4, True)


def test_a1_09_interrupted(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(guide, "missing", interrupt)
    code, _, err = cli("next")
    assert (code, "Error: Stopped. Nothing was changed." in err) == (130, True)


def test_an_answer_nobody_can_be_asked_for_is_no(cli: Cli) -> None:
    code, _, err = cli(
        *f"approve P-2 --meaning validated --reason x --at-hub --key {cli.key('carla')}".split()
    )
    assert code == 2
    assert "catalog/vision/tiny/2/cpu-x86_64" in err
    assert "signed by hub-scanner" in err
    assert "Nothing was signed." in err


def test_a_user_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as in a container that runs as an arbitrary user."""
    from sealift_registry.cli.session import user

    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)

    def nobody(_: int) -> None:
        raise KeyError("uid not found")

    monkeypatch.setattr("pwd.getpwuid", nobody)
    assert re.fullmatch(r"uid-[0-9]+", user())


def test_t1_66_the_log_says_who_it_was_and_not_what_the_environment_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from sealift_registry.cli.session import user
    from sealift_sync.site.setup.open_site import whoami

    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "carla")
    mine = pwd.getpwuid(os.getuid()).pw_name
    assert (user(), whoami()) == (mine, f"{mine} at this site")


# -------------------------------------------------------------------- setting up


def test_setting_up_for_one_person(tmp_path: Path, capsys: Capsys) -> None:
    acme = Acme(tmp_path)
    cli = Cli(acme, capsys)
    assert "There is no hub at" in cli.says("next")
    said = cli.says("init", "--solo", "--name", "One", "--person", "me")
    assert "UNPROTECTED: one signature suffices for root" in said
    assert "sealift team add" in cli.says("next")
    assert "Team lab is added, with 1 steward." in cli.says("team", "add", "lab")
    (row,) = cli.json("team", "list")["people"]
    assert row["may"] == "approve:production, approve:staging, request"
    assert "within the hour, and stays" in cli.says("renew", "team.lab")
    fingerprint = cli.json("renew", "root")["fingerprint"]
    assert fingerprint in said
    assert words_of(fingerprint) in said
    assert cli.json("audit", "verify")["ok"]


def test_setting_up_in_full(tmp_path: Path, capsys: Capsys) -> None:
    acme = Acme(tmp_path)
    cli = Cli(acme, capsys)
    made = cli.json("init", "--offline-keys", tmp_path / "offline", "--name", "Acme")
    assert made["unprotected"] == []
    for person in ("anna", "ben", "carla"):
        told = cli.json("key", "new", tmp_path / f"people/{person}.pem")
        assert cli.says("key", "show", told["file"]).startswith(told["public"])
        card = tmp_path / f"{person}.card"
        cli.json("key", "card", person, "--key", told["file"], "--out", card)
    stewards = [f"--steward={tmp_path / name}.card" for name in ("anna", "ben")]
    keys = ["--at-hub", *(f"--key={acme.key(name)}" for name in ("targets-1", "targets-3"))]
    assert cli.json("team", "add", "vision", *stewards, *keys)["team"] == "vision"
    both = ["--at-hub", *(f"--key={acme.key(name)}" for name in ("anna", "ben"))]
    carla = tmp_path / "carla.card"
    cli.json("team", "requester", "vision", carla, *both)
    cli.json("team", "approver", "vision", carla, "--stage", "staging", *both)
    (row,) = cli.json("team", "list")["people"]
    assert row["may"] == "approve:staging, request"
    assert cli.json("renew", "team.vision", *both)["version"] == 2, "signed so just now"
    fleet = ("--at-hub", f"--key={acme.key('fleet-2')}")
    assert "fleet is now version 2" in cli.says("renew", "fleet", *fleet)
    roots = ["--at-hub", *(f"--key={acme.key(name)}" for name in ("root-1", "root-3"))]
    renewed = cli.json("renew", "root", *roots)
    assert (renewed["version"], renewed["fingerprint"] == made["fingerprint"]) == (2, False)


def test_who_signs_at_the_hub_is_told_and_the_log_says_so(cli: Cli) -> None:
    cli.acme.new_key("gina")
    both = ["--at-hub", *(f"--key={cli.key(name)}" for name in ("anna", "ben"))]
    code, _, told = cli("team", "approver", "vision", cli.card("gina"), *both)
    assert (code, "opened on this machine, to sign here" in told) == (0, True)
    entries = cli.json("audit", "list", "--type", "team.members-changed")["entries"]
    assert entries[0]["data"]["at_hub"] is True


def test_the_same_request_again_gets_the_same_answer(cli: Cli, tmp_path: Path) -> None:
    """The first run may have been cut before it wrote its answer; for another stage it is new."""
    request = cli.acme.folder / "plant-8.request"
    signed = ("--dispatcher", "dispatcher-1", "--at-hub", "--key", cli.key("fleet-1"))
    enroll: Callable[[str, str], Loose] = lambda name, stage: cli.json(  # noqa: E731
        "site", "enroll", request, "--stage", stage, "--answer", tmp_path / name, *signed
    )
    first, again = enroll("one", "staging"), enroll("two", "staging")
    assert first["words"] == again["words"]
    assert len(first["words"].split()) == 8
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert enroll("one", "staging") == first, "cut after it wrote it"
    again = cli.json("site", "answer", "plant-8", "--out", tmp_path / "one")
    assert again["words"] == first["words"]
    other = enroll("three", "production")
    assert other["words"] != first["words"]
    assert cli.json("show", "plant-8")["enrolment"] == other["enrolment"]
    code, _, err = cli("site", "answer", "plant-8", "--out", tmp_path / "one")
    assert (code, "exists already" in err) == (2, True)


def test_ctrl_c_before_the_command_is_even_loaded_shows_no_stack_trace() -> None:
    """In a process of its own: what is imported once stays imported."""
    early = (
        "import builtins, signal; genuine = builtins.__import__\n"
        "def load(name, *rest, **named):\n"
        "    if name == 'sealift_registry.cli.run': signal.raise_signal(signal.SIGINT)\n"
        "    return genuine(name, *rest, **named)\n"
        "from sealift_registry.cli import main; builtins.__import__ = load; main()"
    )
    command = [sys.executable, "-c", early]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 130
    assert done.stderr == "Stopped. Nothing was changed. Run the command again.\n"


def test_a_good_return_beside_a_damaged_one(stall: Acme, tmp_path: Path, capsys: Capsys) -> None:
    cli = Cli(copied(stall.folder, tmp_path), capsys)
    medium = tmp_path / "medium"
    (newest,) = (medium / "sealift/returns/plant-7").iterdir()
    damaged = medium / "sealift/returns/plant-6/1/log"
    damaged.mkdir(parents=True)
    (damaged / "extract.json").write_bytes(b"{}")
    code, out, err = cli("receive", medium, "--json")
    said, told = json.loads(out), json.loads(err)["error"]
    assert code == 1
    assert [one["site"] for one in said["returns"]] == ["plant-7"]
    assert said["refused"] == [told]
    code, out, err = cli("receive", medium)
    assert (code, out) == (
        1,
        f"plant-7: 0 new receipts, 0 new log entries ({newest.name} in all).\n",
    )
    assert f"Error: {told['what']}" in err


def test_receiving_says_what_a_site_has_lost(stall: Acme, tmp_path: Path, capsys: Capsys) -> None:
    """A check found it, so there is no receipt of it; the log tells."""
    hub = copied(stall.folder, tmp_path)
    plant = SiteOnPaper(hub.folder / "site", datetime.now(UTC))
    file = next((plant.root / "models").rglob("*.onnx"))
    (plant.root / "store/sha256" / sha256(file.read_bytes()).hexdigest()).unlink()
    plant.examined()
    (tmp_path / "home").mkdir()
    home = hub.returned(plant, tmp_path / "home")
    hub.close()
    cli = Cli(hub, capsys)
    (told,) = cli.json("receive", home)["returns"]
    assert told["lost"] == 1
    out = cli.says("receive", home)
    assert "  1 blob of what plant-7 is assigned is lost there.\n" in out
    assert "  The next bundle brings it: sealift export plant-7 --to DIR\n" in out


def test_t1_47_a_team_that_is_there_is_not_added_and_no_option_is_left_out_that_was_not_given(
    cli: Cli,
) -> None:
    stewards = [word for one in ("anna", "ben") for word in ("--steward", cli.card(one))]
    assert "Team vision is there already, with 2 stewards." in cli.says(
        "team", "add", "vision", *stewards
    )
    line = ("renew", "team.vision", "--key", cli.key("anna"))
    assert "Or leave out --at-hub, and" in cli(*line, "--at-hub")[2]
