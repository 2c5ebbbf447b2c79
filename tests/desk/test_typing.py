"""What somebody is asked to type can be had, and said to them: on a terminal and without one."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from sealift_signing import keys, memory_folder
from sealift_signing.desk.cli.terminal import Asking, Terminal
from sealift_signing.errors import FailedError
from sealift_signing.gate import is_typed
from sealift_signing.gate_history import Confirmation
from sealift_signing.organisation import Organisation
from sealift_signing.words import eight_words, words_of
from sealift_sync import durable
from tests.desk.people import Home
from tests.desks import STEWARDS, TEAM, Acme

ROLE = f"team.{TEAM}"


def at_home(acme: Acme, name: str, tmp_path: Path) -> Home:
    made = Home(acme, name, tmp_path / name)
    made.trusts()
    return made


def test_t1_40_of_stewards_who_were_exchanged_wholly_a_colleague_reads_the_words(
    acme: Acme, tmp_path: Path
) -> None:
    """Cora never saw what anna and ben signed, and has nobody's memory but the words of one."""
    anna = at_home(acme, "anna", tmp_path)
    cora = at_home(acme, "cora", tmp_path)
    acme.publish(STEWARDS, "add-approver", TEAM, "emil", cards=["emil"])
    anna.takes(acme.draft("renew", ROLE), "seen.draft")
    anna("learn", "seen.draft")
    acme.publish(("tina", "toni"), "set-stewards", TEAM, "cora", "dirk", cards=["cora", "dirk"])
    acme.later(hours=1)
    cora.takes(acme.draft("renew", ROLE), "renew.draft")
    line = ("renew", ROLE, "renew.draft", "--key", "cora.pem", "--yes")
    said = cora(*line, code=2)
    assert "held the role before others did" in said
    assert f"sealift-sign heads --at {ROLE}=2" in " ".join(said.split())
    digest = Organisation(acme.paper, former=True).head(ROLE).digest
    assert digest not in said, "who could copy it from the screen has asked nobody"
    told = anna("heads", "--at", f"{ROLE}=2")
    words = words_of(digest)
    assert words in told
    cora(*line, "--confirm", "babab " * 8, code=2)
    cora(*line, "--confirm", words)


def test_t1_41_the_words_are_as_good_as_all_digits_and_nothing_less_is() -> None:
    digest = "0123456789abcdef" * 4
    one = Confirmation("Something.", digest, "Ask.")
    words = words_of(digest)
    for typed in (digest, digest.upper(), words, words.replace(" ", "-"), words.upper()):
        assert is_typed(typed, one)
    for typed in (digest[:12], digest[:63], " ".join(words.split()[:7]), "", "yes"):
        assert not is_typed(typed, one)


def test_t1_42_a_terminal_asks_for_what_it_also_says_where_to_find(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = Terminal(as_json=False)
    terminal.interactive = True
    asked: list[str] = []

    def prompt(what: str, **_: object) -> str:
        asked.append(what)
        return "typed"

    monkeypatch.setattr("click.prompt", prompt)
    one = Confirmation("It was lost.", "0" * 64, "It is listed by: sealift-sign signed")
    assert Asking(terminal, (), (), yes=False).typed(one) == "typed"
    assert asked == ["Its eight words, or all 64 digits"]
    assert "It is listed by: sealift-sign signed" in capsys.readouterr().err


def test_t1_43_two_new_stewards_are_confirmed_by_two_times_eight_words(
    acme: Acme, tmp_path: Path
) -> None:
    """Without a terminal and without their cards; in whichever order."""
    tina = at_home(acme, "tina", tmp_path)
    people = ("anna", "cora", "dirk")
    tina.takes(acme.draft("set-stewards", TEAM, *people, cards=["cora", "dirk"]), "s.draft")
    words = [eight_words(acme.person(one).card(acme.now)) for one in ("dirk", "cora")]
    line = ("set-stewards", TEAM, *people, "s.draft", "--key", "tina.pem", "--yes")
    assert "came with the draft" in tina(*line, "--words", words[0], code=2)
    tina(*line, "--words", words[0], "--words", words[1])


@pytest.mark.parametrize("full", [False, True])
def test_t1_44_what_cannot_be_written_is_signed_and_can_be_had_again(
    acme: Acme, tmp_path: Path, *, full: bool
) -> None:
    anna = at_home(acme, "anna", tmp_path)
    anna.takes(acme.draft("renew", ROLE), "r.draft")
    line = ("renew", ROLE, "r.draft", "--key", "anna.pem", "--yes")
    out = "gone/no/further/r.signed" if full else "there.signed"
    (anna.folder / "there.signed").write_text("something else")
    said = " ".join(anna(*line, "--out", out, code=4).split())
    assert "It is signed all the same, and remembered." in said
    assert "--out FILE" in said
    again = said.partition("sealift-sign again ")[2].split()[0]
    anna("again", again, "once.signed")
    anna(*line, "--out", "more.signed")
    assert anna.read("once.signed") == anna.read("more.signed")


def full(_descriptor: int) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_t1_45_on_a_full_disk_nothing_half_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty key file would pass for a key and bar the next try; half a file takes room."""
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(FailedError):
        keys.new_key(tmp_path / "anna.pem", b"secret", rounds=1)
    for write in (memory_folder.write, durable.write):
        with pytest.raises(FailedError):
            write(tmp_path / "anna.signed", b"it")
        assert list(tmp_path.iterdir()) == []


def test_t1_46_a_medium_of_before_a_key_was_exchanged_is_old_and_no_forgery(
    acme: Acme, tmp_path: Path
) -> None:
    """What anna and ben signed is known here; that ben was exchanged since makes it no lie."""
    anna = at_home(acme, "anna", tmp_path)
    before = acme.paper.copy()
    acme.publish(("tina", "toni"), "set-stewards", TEAM, "anna", "cora", cards=["cora"])
    anna.takes(acme.draft("renew", "targets"), "seen.draft")
    anna("learn", "seen.draft")
    acme.trusting("cora")
    acme.later(hours=1)
    acme.publish(("anna", "cora"), "renew", ROLE, typed=True)
    anna.takes(acme.draft("renew", ROLE), "newer.draft")
    anna("learn", "newer.draft")
    bundle = anna.folder / "disk/sealift/plant-7-000001"
    (bundle / "metadata").mkdir(parents=True)
    for role, versions in before.roles.items():
        for one, data in versions.items():
            (bundle / f"metadata/{one}.{role}.json").write_bytes(data)
    said = anna("learn", "disk")
    assert f"{ROLE} version 2" in said
    assert "is known; theirs is older, version 1" in said
    assert "not believed" not in said
