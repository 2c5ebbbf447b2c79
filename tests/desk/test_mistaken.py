"""A wrong file is told what it is and what is wanted, at the desk as at the hub."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sealift_signing import drafts
from sealift_signing.errors import MalformedError, SealiftError
from sealift_signing.wrong_file import reading
from tests.desk.days import Days, Person
from tests.desk.people import Home
from tests.desks import STEWARDS, TEAM, Acme

ROLE = f"team.{TEAM}"


@pytest.fixture
def anna(tmp_path: Path) -> Home:
    acme = Acme()
    acme.trusting(*STEWARDS)
    acme.publish(STEWARDS, "add-approver", TEAM, "carla", cards=["carla"])
    made = Home(acme, "anna", tmp_path / "anna")
    made.trusts()
    made.takes(acme.draft("renew", ROLE), "renew.draft")
    (made.folder / "emil.card").write_bytes(acme.person("emil").card(acme.now))
    made("share", "anna.memory")
    made("write", ROLE, "lost.version")
    made("key", "new", "new.pem", "--passphrase-file", str(_word(made)))
    whole = (made.folder / "renew.draft").read_bytes()
    (made.folder / "half.draft").write_bytes(whole[: len(whole) // 2])
    (made.folder / "crlf.draft").write_bytes(whole + b"\r\n")
    (made.folder / "empty.draft").write_bytes(b"")
    (made.folder / "letter.txt").write_text("Dear Anna")
    return made


def _word(home: Home) -> Path:
    path = home.folder / "word"
    path.write_text("secret\n")
    return path


SIGN = ("renew", ROLE, "FILE", "--key", "anna.pem", "--yes")
TRUST = ("learn", "FILE")
CARD = ("renew", ROLE, "renew.draft", "--key", "anna.pem", "--yes", "--card", "FILE")


@pytest.mark.parametrize(
    "line, file, is_what",
    [
        (SIGN, "emil.card", "is the key card of 'emil'; a draft is wanted."),
        (SIGN, "anna.memory", "is what somebody knows (of sealift-sign share); a draft is wanted."),
        (SIGN, "lost.version", f"is a version of '{ROLE}' (of sealift-sign write); a draft"),
        (SIGN, "new.pem", "is a private key, which never leaves its owner; a draft is wanted."),
        (SIGN, "new.pem.pub", "is a public key; a draft is wanted."),
        (SIGN, "empty.draft", "is empty."),
        (SIGN, "letter.txt", "is no file of Sealift; a draft is wanted."),
        (SIGN, "half.draft", "was cut short on its way."),
        (SIGN, "crlf.draft", "was given extra blank space or an extra line break on its way."),
        (
            TRUST,
            "emil.card",
            "is the key card of 'emil'; what somebody knows or a draft is wanted.",
        ),
        (CARD, "renew.draft", f"is a draft of 'renew {ROLE}'; a key card is wanted."),
        (CARD, "new.pem", "is a private key, which never leaves its owner; a key card is wanted."),
        (("card-show", "FILE"), "anna.memory", "is what somebody knows"),
    ],
)
def test_t1_50_at_the_desk(anna: Home, line: tuple[str, ...], file: str, is_what: str) -> None:
    out, err, code = anna.run(*(file if word == "FILE" else word for word in line))
    said = " ".join(err.split())
    assert code == 1, out
    assert f"{file} {is_what}" in said
    assert "Next:" in said


def test_t1_51_at_the_hub(days: Days, anna_at_hub: Person) -> None:
    gina = days.person("gina").card()
    made = days.draft(f"renew {ROLE}")
    memory = anna_at_hub.shares()
    for line, file, is_what in (
        ("submit", gina, "is the key card of 'gina'; a draft or a version is wanted."),
        ("submit", memory, "is what somebody knows"),
        ("team approver vision", made.file, f"is a draft of 'renew {ROLE}'; a key card is wanted."),
        (f"renew {ROLE} --over", gina, "is the key card of 'gina'; a draft or a version"),
        ("site enroll --stage production --dispatcher dispatcher-1", gina, "a site's request is"),
    ):
        told = days.hub(line, file, code=2 if "approver" in line else 1)
        assert is_what in told["what"]
        assert told["next"]


@pytest.fixture
def anna_at_hub(days: Days) -> Person:
    return days.trusting("anna")[0]


@pytest.mark.parametrize(
    "data",
    [
        b"{}",
        b"[]",
        b"{",
        b"\xff\xfe",
        b'{"act":1,"parts":2,"object":3}',
        b'{"payload":1}',
        b'{"payload":"e30="}',
        json.dumps({"payload": "eyJwcmVkaWNhdGVUeXBlIjoiYTpiOmtleS1jYXJkIn0="}).encode(),
        b'{"role":[],"lineage":0}',
        b"[" * 100_000,
        b'{"act":"\x1b[2J","parts":[]}',
    ],
)
def test_t1_52_whatever_a_file_holds_it_is_told_as_a_file(data: bytes) -> None:
    with pytest.raises(SealiftError) as error, reading(data, "it", "draft"):
        drafts.read(data, what="it")
    assert isinstance(error.value, MalformedError)
    assert "\x1b" not in error.value.what
