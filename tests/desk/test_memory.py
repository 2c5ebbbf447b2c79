"""The signer's memory: what it keeps, what it takes from others, and how it is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sealift_signing import drafts, publishing, shape
from sealift_signing.errors import MalformedError, NotFoundError, RefusedError
from sealift_signing.memory import Memory
from sealift_signing.memory_updates import everything, offered
from sealift_signing.organisation_memory import OrganisationMemory
from sealift_signing.tuf_walk import WentBackError
from tests.desk.people import Signer
from tests.desks import STEWARDS, TEAM, Acme, over

ROLE = f"team.{TEAM}"


@pytest.fixture
def anna(acme: Acme, tmp_path: Path) -> Signer:
    made = Signer(acme, "anna", tmp_path / "anna")
    made.trust()
    return made


@pytest.fixture
def ben(acme: Acme, tmp_path: Path) -> Signer:
    made = Signer(acme, "ben", tmp_path / "ben")
    made.trust()
    return made


def modes(folder: Path) -> set[int]:
    return {one.stat().st_mode & 0o777 for one in folder.rglob("*") if one.is_file()}


def test_only_its_owner_reads_it(anna: Signer, acme: Acme) -> None:
    anna.sign(acme.draft("renew", ROLE))
    assert modes(anna.folder) == {0o600}
    folders = {anna.folder, *(one for one in anna.folder.rglob("*") if one.is_dir())}
    assert {one.stat().st_mode & 0o777 for one in folders} == {0o700}


def test_it_lies_where_the_environment_says(tmp_path: Path) -> None:
    home = {"HOME": "/home/anna"}
    assert Memory.located(home).folder == Path("/home/anna/.config/sealift")
    config = {**home, "XDG_CONFIG_HOME": "/config"}
    assert Memory.located(config).folder == Path("/config/sealift")
    assert Memory.located({**config, "SEALIFT_TRUST": "/keys"}).folder == Path("/keys")


def test_it_begins_with_all_that_was_verified(anna: Signer, acme: Acme) -> None:
    known = anna.known
    assert known.name == "Acme"
    assert known.root == acme.organisation.root.named
    assert [one.role for one in known.roles] == ["fleet", "recall", "targets", ROLE]
    assert not known.alone
    assert anna.memory.version(known, known.role(ROLE).file).documents  # type: ignore[union-attr]


def test_another_fingerprint_begins_nothing(acme: Acme, tmp_path: Path) -> None:
    memory = Memory(tmp_path / "m")
    with pytest.raises(RefusedError) as error:
        memory.begin(everything(acme.paper, "the hub"), "0" * 64, acme.now)
    assert error.value.code == "fingerprint-differs"
    acme.trusting("rosa", "rolf")
    old = acme.organisation.root.digest
    acme.publish(("rosa", "rolf"), "renew", "root")
    with pytest.raises(RefusedError) as stale:
        memory.begin(everything(acme.paper, "the hub"), old, acme.now)
    assert stale.value.code == "fingerprint-old"
    assert not memory.organisations()


def test_the_pin_is_replaced_at_each_rotation(acme: Acme, anna: Signer) -> None:
    acme.trusting("rosa", "rolf")
    acme.publish(("rosa", "rolf"), "renew", "root")
    anna.sign(acme.draft("renew", ROLE))
    assert anna.known.root == acme.organisation.root.named
    acme.paper.roles["root"].pop(2)
    acme.later(hours=1)
    with pytest.raises(WentBackError):
        anna.sign(acme.draft("renew", ROLE))


def test_an_unknown_organisation_is_signed_for_by_nobody(acme: Acme, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError) as error:
        Signer(acme, "anna", tmp_path / "new").sign(acme.draft("renew", ROLE))
    assert error.value.code == "not-trusted"


def test_what_was_looked_at_is_remembered_and_never_goes_back(anna: Signer, acme: Acme) -> None:
    """Somebody reads a draft that would set a published version aside, and does not sign it."""
    yesterday = acme.paper.copy()
    lost = acme.publish(STEWARDS, "add-approver", TEAM, "emil", cards=["emil"])
    anna.memory.learn(everything(acme.paper, "the hub"), acme.now)
    acme.paper = yesterday
    acme.later(hours=1)
    with pytest.raises(RefusedError) as error:
        anna.sign(acme.draft("renew", ROLE, over=[over(lost)]), agrees=False)
    assert error.value.code == "not-typed"
    assert anna.known.role(ROLE).version == 2  # type: ignore[union-attr]


@pytest.mark.parametrize("spoil", ["cut", "remove", "other"])
def test_a_damaged_memory_is_refused_by_name(
    anna: Signer, ben: Signer, acme: Acme, spoil: str
) -> None:
    draft = acme.draft("renew", ROLE)
    anna.sign(draft)
    path = anna.folder / anna.known.organisation / "known.json"
    if spoil == "cut":
        path.write_bytes(path.read_bytes()[:-10])
    elif spoil == "remove":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes().replace(b'"alone":false', b'"alone":0'))
    for act in (lambda: anna.sign(draft), anna.share, anna.trust):
        with pytest.raises(RefusedError) as error:
            act()
        assert error.value.code in {"memory-damaged", "known-already"}
        assert not isinstance(error.value, MalformedError) or str(path) in error.value.subject


def test_a_damaged_file_is_refused_by_name(anna: Signer, acme: Acme) -> None:
    draft = acme.draft("renew", ROLE)
    anna.sign(draft)
    (once,) = anna.known.signed
    path = anna.folder / anna.known.organisation / "files" / once.file
    path.write_bytes(b"{}")
    with pytest.raises(MalformedError) as error:
        anna.sign(draft)
    assert error.value.code == "memory-damaged"


def test_a_colleagues_memory_is_begun_from(anna: Signer, acme: Acme, tmp_path: Path) -> None:
    zoe = Signer(acme, "zoe", tmp_path / "zoe")
    known = zoe.trust(anna.share())
    assert [one.named for one in known.roles] == [one.named for one in anna.known.roles]
    assert not known.signed


def test_alone_is_marked_and_said_until_somebody_was_met(
    anna: Signer, acme: Acme, tmp_path: Path
) -> None:
    ben = Signer(acme, "ben", tmp_path / "b")
    draft = acme.draft("renew", ROLE)
    ben.trust(offered(draft, "a draft"), alone=True)
    ben.sign(draft)
    assert ben.said.shown[-1].startswith("ALONE")
    ben.memory.learn(anna.share(), acme.now)
    assert not ben.known.alone


def test_a_newer_version_is_taken_and_an_older_one_said(
    anna: Signer, ben: Signer, acme: Acme
) -> None:
    acme.publish(STEWARDS, "add-approver", TEAM, "emil", cards=["emil"])
    anna.sign(acme.draft("renew", ROLE))
    found = ben.memory.learn(anna.share(), acme.now)
    assert not found.forks
    assert ben.known.role(ROLE).version == 2  # type: ignore[union-attr]
    said = "\n".join(anna.memory.learn(Signer(acme, "x", ben.folder).share(), acme.now).lines)
    assert "the same" in said
    assert not anna.memory.learn(everything(acme.paper, "the hub"), acme.now).forks


def test_a_newer_root_is_taken_from_a_colleague(acme: Acme, anna: Signer, ben: Signer) -> None:
    acme.trusting("rosa", "rolf")
    acme.publish(("rosa", "rolf"), "renew", "root")
    anna.sign(acme.draft("renew", ROLE))
    assert "is taken" in ben.memory.learn(anna.share(), acme.now).lines[0]
    assert ben.known.root == acme.organisation.root.named
    zoe = Signer(acme, "zoe", anna.folder.parent / "zoe")
    zoe.trust(ben.share())
    assert "one before it" in zoe.memory.learn(anna.share(), acme.now).lines[0]


def test_a_forked_root_is_refused(acme: Acme, anna: Signer, tmp_path: Path) -> None:
    """Two of three root holders signed one root 2, and others another."""
    other = Acme(paper=acme.paper.copy(), keys=acme.keys, now=acme.now)
    other.later(hours=1)
    for side, names in ((acme, ("rosa", "rolf")), (other, ("rolf", "ruth"))):
        side.trusting(*names)
        side.publish(names, "renew", "root")
    anna.memory.learn(everything(acme.paper, "the hub"), acme.now)
    zoe = Signer(other, "zoe", tmp_path / "zoe")
    zoe.trust()
    with pytest.raises(RefusedError) as error:
        anna.memory.learn(zoe.share(), acme.now)
    assert error.value.code == "root-forked"


def test_what_nobody_signed_is_not_believed(anna: Signer, ben: Signer, acme: Acme) -> None:
    before = ben.known
    forged = publishing.following(
        acme.organisation.head(ROLE).metadata, expires=publishing.expiry(acme.now, 180)
    )
    publishing.sign(forged, [acme.keys["mallory"], acme.keys["eve"]])
    draft = acme.draft("renew", ROLE)
    acme.paper.put(ROLE, publishing.to_bytes(forged))
    carried = next(one for one in draft.roles if one.role == ROLE)
    bad = replace(carried, data=drafts.encoded(publishing.to_bytes(forged)))
    roles = tuple(bad if one.role == ROLE else one for one in draft.roles)
    found = ben.memory.learn(offered(replace(draft, roles=roles), "a draft"), acme.now)
    assert any("not believed" in line for line in found.lines)
    assert ben.known.role(ROLE) == before.role(ROLE)


def test_another_organisations_memory_is_refused(anna: Signer, tmp_path: Path) -> None:
    other = Acme()
    with pytest.raises(NotFoundError):
        anna.memory.learn(everything(other.paper, "another"), other.now)


def test_its_document_has_one_spelling(anna: Signer) -> None:
    path = anna.folder / anna.known.organisation / "known.json"
    assert (
        shape.write(shape.read(OrganisationMemory, path.read_bytes(), what="it"))
        == path.read_bytes()
    )


def test_a_key_that_was_called_compromised_is_kept(acme: Acme, anna: Signer) -> None:
    """The hub shows a list in which she is active again, and the stewards signed it."""
    members = acme.organisation.members(TEAM)
    assert members is not None
    (carla,) = members.people
    for status in ("compromised", "active"):
        people = (replace(carla, status=status),)
        acme.put_members(replace(members, people=people), STEWARDS)
        anna.memory.learn(everything(acme.paper, "the hub"), acme.now)
    assert [(one.role, one.key) for one in anna.known.compromised] == [(ROLE, carla.keys[0].key)]


def test_what_former_stewards_signed_is_passed_on(acme: Acme, tmp_path: Path) -> None:
    """The stewards changed, and the list of people is still the one that the former signed."""
    acme.publish(("tina", "toni"), "set-stewards", TEAM, "cora", "dirk", cards=["cora", "dirk"])
    acme.later(hours=1)
    cora, zoe = Signer(acme, "cora", tmp_path / "cora"), Signer(acme, "zoe", tmp_path / "zoe")
    cora.trust(offered(acme.draft("renew", ROLE), "a draft"), alone=True)
    assert [one.role for one in cora.known.older] == ["targets"]
    zoe.trust(cora.share())
    assert zoe.known.role(ROLE) == replace(cora.known.role(ROLE), source="cora's memory")  # type: ignore[type-var]
