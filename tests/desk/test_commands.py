"""`sealift-sign` as people type it, with nobody to ask: every answer is an option."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sealift_signing import drafts
from sealift_signing.words import eight_words, words_of
from tests.desk.people import Home
from tests.desks import STEWARDS, TEAM, Acme

ROLE = f"team.{TEAM}"


@pytest.fixture
def anna(acme: Acme, tmp_path: Path) -> Home:
    made = Home(acme, "anna", tmp_path / "anna")
    made.trusts()
    return made


def test_an_act_is_signed(acme: Acme, anna: Home) -> None:
    draft = acme.draft("renew", ROLE)
    anna.takes(draft, "renew.draft")
    said = anna("renew", ROLE, "renew.draft", "--key", "anna.pem", "--yes")
    assert said.splitlines()[0].startswith(f"{ROLE}, version 1 (")
    assert anna.read("renew.anna.signed") == acme.sign(draft, "anna")
    assert "  sealift submit renew.anna.signed" in said.splitlines()


def test_it_runs_again_and_says_so(acme: Acme, anna: Home) -> None:
    anna.takes(acme.draft("renew", ROLE), "renew.draft")
    words = ("renew", ROLE, "renew.draft", "--key", "anna.pem")
    anna(*words, "--yes")
    assert "given out again" in anna(*words)


def test_without_a_terminal_what_is_missing_is_named(acme: Acme, anna: Home) -> None:
    draft = acme.draft("add-approver", TEAM, "emil", cards=["emil"])
    anna.takes(draft, "add.draft")
    words = ("add-approver", TEAM, "emil", "add.draft", "--key", "anna.pem")
    assert "--words" in anna(*words, code=2)
    card = acme.person("emil").card(acme.now)
    told = ("--words", eight_words(card))
    assert "--yes" in anna(*words, *told, code=2)
    assert not list(anna.folder.glob("*.signed"))
    anna(*words, *told, "--yes")


def test_a_card_from_its_owner_is_enough(acme: Acme, anna: Home) -> None:
    anna.takes(acme.draft("add-approver", TEAM, "emil", cards=["emil"]), "add.draft")
    (anna.folder / "emil.card").write_bytes(acme.person("emil").card(acme.now))
    words = ("add-approver", TEAM, "emil", "add.draft", "--key", "anna.pem")
    anna(*words, "--card", "emil.card", "--yes")


def test_another_act_is_refused(acme: Acme, anna: Home) -> None:
    anna.takes(acme.draft("renew", ROLE), "renew.draft")
    said = anna("renew", "fleet", "renew.draft", "--key", "anna.pem", "--yes", code=1)
    assert "is of 'renew team.vision', not of 'renew fleet'" in said


def test_options_are_part_of_what_is_named(acme: Acme, anna: Home) -> None:
    details = {"stage": ("production",)}
    draft = acme.draft("add-approver", TEAM, "emil", cards=["emil"], details=details)
    anna.takes(draft, "add.draft")
    (anna.folder / "emil.card").write_bytes(acme.person("emil").card(acme.now))
    rest = ("emil", "add.draft", "--key", "anna.pem", "--card", "emil.card", "--yes")
    anna("add-approver", TEAM, *rest, code=1)
    anna("add-approver", TEAM, *rest, "--stage", "production")


def test_machines_are_answered_with_one_object(acme: Acme, anna: Home) -> None:
    anna.takes(acme.draft("renew", ROLE), "renew.draft")
    said = anna("renew", ROLE, "renew.draft", "--key", "anna.pem", "--yes", "--json")
    told = json.loads(said)
    assert told["schema"] == "sealift/sign-renew/1"
    assert told["file"] == "renew.anna.signed"
    assert told["words"][0].startswith(f"{ROLE}, version 1")
    out, err, code = anna.run("renew", "fleet", "renew.draft", "--key", "anna.pem", "--json")
    assert (out, code) == ("", 1)
    assert json.loads(err)["error"]["code"] == "other-act"


def test_a_file_is_never_written_over(acme: Acme, anna: Home) -> None:
    anna.takes(acme.draft("renew", ROLE), "renew.draft")
    (anna.folder / "renew.anna.signed").write_text("something else")
    said = anna("renew", ROLE, "renew.draft", "--key", "anna.pem", "--yes", code=4)
    assert "exists already" in said
    anna("renew", ROLE, "renew.draft", "--key", "anna.pem", "--out", "second")
    assert anna.read("second").is_signed


def test_no_pin_no_signature(acme: Acme, tmp_path: Path) -> None:
    ben = Home(acme, "ben", tmp_path / "ben")
    ben.takes(acme.draft("renew", ROLE), "renew.draft")
    said = ben("renew", ROLE, "renew.draft", "--key", "ben.pem", "--yes", code=3)
    assert "sealift-sign trust FINGERPRINT FILE" in said
    ben("trust", acme.organisation.root.digest, "renew.draft", code=2)
    alone = ben("trust", words_of(acme.organisation.root.digest), "renew.draft", "--alone")
    assert "ALONE" in alone
    said = ben("renew", ROLE, "renew.draft", "--key", "ben.pem", "--yes")
    assert "ALONE" in said


def test_another_fingerprint_is_not_taken(acme: Acme, tmp_path: Path) -> None:
    ben = Home(acme, "ben", tmp_path / "ben")
    ben.takes(acme.draft("renew", ROLE), "renew.draft")
    assert "no root" in ben("trust", "0" * 64, "renew.draft", "--alone", code=1).lower()
    assert not list((ben.folder / "trust").glob("*/known.json"))


def test_two_compare_by_file_and_by_telephone(acme: Acme, anna: Home, tmp_path: Path) -> None:
    acme.publish(STEWARDS, "add-approver", TEAM, "emil", cards=["emil"])
    ben = Home(acme, "ben", tmp_path / "ben")
    ben.trusts()
    ben("share", "ben.memory")
    said = anna("learn", str(ben.folder / "ben.memory"))
    assert f"{ROLE} version 2" in said
    assert "What is known here of “Acme”:" in anna("heads")
    at = ("heads", "--at", f"{ROLE}=1")
    assert anna(*at) == ben(*at)
    assert words_of(acme.organisation.head(ROLE).digest) in anna("heads")
    anna("heads", "--at", f"{ROLE}=9", code=3)
    anna("heads", "--at", ROLE, code=2)


def test_what_was_signed_is_listed_and_written_out_again(acme: Acme, anna: Home) -> None:
    assert "Nothing was signed" in anna("signed")
    draft = acme.draft("renew", ROLE)
    anna.takes(draft, "renew.draft")
    anna("renew", ROLE, "renew.draft", "--key", "anna.pem", "--yes")
    said = anna("signed")
    assert f"{ROLE} version 2: renew {ROLE}" in said
    assert "not seen published yet" in said
    (anna.folder / "renew.anna.signed").unlink()
    anna("again", draft.parts[0].digest[:8], "again.signed")
    signed = anna.read("again.signed")
    assert signed == acme.sign(draft, "anna")
    acme.submit(acme.sign(signed, "ben"))
    anna.takes(acme.draft("renew", "targets"), "look.draft")
    anna("learn", "look.draft")
    acme.later(hours=1)
    anna.takes(acme.draft("renew", ROLE), "next.draft")
    anna("learn", "next.draft")
    assert "  published" in anna("signed").splitlines()
    anna("again", "abc", "x", code=3)
    anna("again", "abcdef", "x", code=3)


def test_a_version_is_given_back(acme: Acme, anna: Home) -> None:
    anna("write", ROLE, "vision.version")
    found = drafts.read_any((anna.folder / "vision.version").read_bytes(), what="it")
    assert isinstance(found, drafts.RoleVersion)
    assert drafts.decoded(found.data) == acme.paper.metadata(ROLE)
    assert [one.path for one in found.documents] == [f"teams/{TEAM}/members.json"]
    anna("write", "root", "root.version")
    anna("write", "team.nobody", "x", code=3)


def test_a_key_and_its_card(acme: Acme, anna: Home) -> None:
    (anna.folder / "word").write_text("secret")
    anna("key", "new", "new.pem", "--passphrase-file", "word")
    assert "ed25519:" in anna("key", "show", "new.pem")
    made = anna("card", "anna", "--key", "new.pem", "--passphrase-file", "word")
    words = made.splitlines()[1].strip()
    assert words in anna("card-show", "anna.card")
    assert words == eight_words((anna.folder / "anna.card").read_bytes())
    data = bytearray((anna.folder / "anna.card").read_bytes())
    data[len(data) // 2] ^= 1
    (anna.folder / "anna.card").write_bytes(data)
    anna("card-show", "anna.card", code=1)


def test_which_of_two_organisations_is_asked_for(acme: Acme, anna: Home) -> None:
    other = Home(Acme(), "anna", anna.folder / "other")
    other.trusts()
    (other.folder / "colleague.memory").rename(anna.folder / "other.memory")
    anna("trust", other.acme.organisation.root.digest, "other.memory")
    assert acme.organisation.id[:12] in anna("heads", code=2)
    assert "Acme" in anna("heads", "--organisation", acme.organisation.id[:8])


def test_a_bundle_that_came_back_is_learnt_from(acme: Acme, anna: Home) -> None:
    acme.publish(STEWARDS, "add-approver", TEAM, "emil", cards=["emil"])
    bundle = anna.folder / "disk/sealift/plant-7-000001"
    for role, versions in acme.paper.roles.items():
        number = max(versions)
        for one in versions if role == "root" else [number]:
            path = bundle / f"metadata/{one}.{role}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(versions[one])
    for (name, _), data in acme.paper.documents.items():
        path = bundle / "targets" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    said = anna("learn", "disk")
    assert f"{ROLE} version 2" in said
    assert "is taken" in said
    anna("learn", "trust", code=3)
