"""How a memory begins where nobody has one, and what shows that it met somebody else's."""

from __future__ import annotations

import json
from pathlib import Path

from sealift_signing.words import words_of
from tests.desk.days import Days, Person


def first(days: Days, name: str = "anna") -> Person:
    """Somebody who begins from what the hub wrote, for nobody has a memory."""
    days.hub("fingerprint --out acme.draft")
    person = days.person(name, machine=f"{name}, who is the first")
    person("trust", told(days), str(person.takes(days.folder / "acme.draft")), "--alone")
    return person


def told(days: Days) -> str:
    """The words that the hub printed, as they were copied to paper."""
    return str(days.hub("fingerprint")["words"])


def is_alone(person: Person) -> bool:
    (known,) = person.memory.organisations()
    return known.alone


def rows(days: Days) -> object:
    acme = days.acme
    try:
        return acme.rows()
    finally:
        acme.close()


def test_the_hub_prints_the_fingerprint_and_changes_nothing(days: Days) -> None:
    before = rows(days)
    said = days.hub("fingerprint")
    assert said["words"] == words_of(said["fingerprint"])
    assert (said["root"], said["signed_by"]) == (1, ["root-1", "root-2"])
    root = json.loads((days.folder / "hub" / "metadata" / "1.root.json").read_text())
    assert said["expires"].startswith(root["signed"]["expires"][:10])
    assert said["file"] is None
    days.hub("fingerprint --out acme.draft")
    assert rows(days) == before
    assert not (days.folder / "trust").exists()


def test_the_hubs_file_is_never_written_over_another(days: Days) -> None:
    (days.folder / "acme.draft").write_text("something else")
    assert days.hub("fingerprint --out acme.draft", code=4)["code"] == "file-exists"
    assert (days.folder / "acme.draft").read_text() == "something else"


def test_a_memory_begins_from_the_hubs_file_with_all_that_people_signed(days: Days) -> None:
    days.hub("fingerprint --out acme.draft")
    anna = days.person("anna", machine="a new one")
    file = str(anna.takes(days.folder / "acme.draft"))
    assert anna("trust", told(days), file, code=2)["code"] == "from-a-colleague"
    assert anna("trust", told(days), file, "--alone")["alone"]
    roles = {one["role"] for one in anna("heads")["heads"]}
    assert {"root", "targets", "fleet", "recall", "team.vision"} <= roles


def test_the_hubs_file_brings_what_former_stewards_signed(days: Days) -> None:
    """Whoever begins must know what the present stewards will go on from."""
    targets = days.trusting("targets-1", "targets-2")
    days.person("ben2").card()
    days.carry_out("team stewards vision anna --card ben2.card", *targets)
    anna, ben2 = first(days), days.person("ben2")
    assert "team.vision" in {one["role"] for one in anna("heads")["heads"]}
    ben2("trust", told(days), str(ben2.takes(days.folder / "acme.draft")), "--alone")
    days.carry_out("renew team.vision", anna, ben2)


def test_nothing_can_be_signed_or_submitted_of_the_hubs_file(days: Days) -> None:
    anna = first(days)
    signed = ("renew", "team.vision", "acme.draft", "--key", "anna.pem", "--yes")
    assert anna(*signed, code=1)["code"] == "other-act"
    assert days.hub("submit acme.draft", code=2)["code"] == "no-act"


def test_who_is_not_trusted_here_is_told_the_very_commands(days: Days) -> None:
    made = days.draft("renew team.vision")
    stranger = days.person("anna", machine="a new one")
    stranger.takes(made.file)
    words = ("renew", "team.vision", made.file.name, "--key", "anna.pem", "--yes")
    step = stranger(*words, code=3)["next"]
    assert "sealift fingerprint --out FILE" in step
    assert "sealift-sign trust FINGERPRINT FILE --alone" in step
    assert stranger("heads", code=3)["next"] == step


def test_a_memory_of_ones_own_or_the_hubs_is_no_colleagues(days: Days) -> None:
    """Begun alone it says so at each signature, until it was held against somebody else's."""
    anna = first(days)
    anna("share", "mine.memory")
    anna("learn", "mine.memory")
    assert is_alone(anna)
    refused = anna("learn", "mine.memory", "--colleague", code=1)
    assert refused["code"] == "own-memory"
    assert is_alone(anna)


def test_the_form_of_a_file_does_not_show_that_it_is_a_colleagues(days: Days) -> None:
    """Whoever owns the hub writes one in the form of somebody's memory."""
    anna, mallory = first(days), first(days, "ben")
    mallory("share", "bens.memory")
    said = anna("learn", str(anna.takes(mallory.folder / "bens.memory")))
    assert is_alone(anna)
    assert "--colleague" in "\n".join(said["roles"])
    draft = days.draft("renew team.vision")
    assert "ALONE" in anna.says(draft)


def test_who_learns_says_that_it_is_a_colleagues(days: Days) -> None:
    anna, ben = first(days), first(days, "ben")
    ben("share", "ben.memory")
    anna.learns(ben.folder / "ben.memory")
    assert not is_alone(anna)
    assert anna("trust", told(days), "ben.memory", code=1)["code"] == "known-already"


def test_begun_the_same_again_nothing_changes_and_otherwise_it_is_refused(days: Days) -> None:
    """The first run may have been killed when the memory was begun, and nothing was said."""
    anna = first(days)
    words = ("trust", told(days), "acme.draft")
    before = anna("heads"), anna("signed"), anna.memory.organisations()
    days.later(hours=1)
    assert anna(*words, "--alone")["alone"]
    assert (anna("heads"), anna("signed"), anna.memory.organisations()) == before
    anna.learns(days.draft("renew targets").file)
    days.carry_out("renew team.vision", *days.trusting("anna", "ben"))
    days.looks(anna)
    assert anna(*words, "--alone", code=1)["code"] == "known-already"


def test_a_hubs_file_is_no_colleagues_whatever_is_said(days: Days) -> None:
    anna = first(days)
    assert anna("learn", "acme.draft", "--colleague", code=2)["code"] == "from-a-hub"
    assert is_alone(anna)


def test_begun_from_a_colleagues_file_but_alone_is_alone(days: Days, tmp_path: Path) -> None:
    """Who gives --alone means it, whatever the file is."""
    anna = first(days)
    anna("share", "anna.memory")
    ben = days.person("ben", machine=tmp_path.name)
    file = str(ben.takes(anna.folder / "anna.memory"))
    assert ben("trust", told(days), file, "--alone")["alone"]
