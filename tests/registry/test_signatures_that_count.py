"""What is submitted is published and logged with the signatures that verify, and no other."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text
from tuf.api.metadata import Metadata

from sealift_registry import fsck
from sealift_registry.delivery import assignments
from sealift_registry.trust import hub_drafts, returned_signatures, teams
from sealift_registry.trust.hub_drafts import Wanted
from sealift_registry.trust.repository import Change
from sealift_registry.trust.stored import stored
from sealift_registry.trust.submitting import AcceptedSubmission, with_fingerprint
from sealift_signing import drafts, publishing, roles
from sealift_signing.drafts import Draft, PartSignature, RoleVersion, encoded
from sealift_signing.errors import RefusedError
from tests.registry import test_stored_metadata as rows
from tests.registry.hub_fixture import GROUP, SITE, TARGET, TEAM, Acme, version
from tests.registry.signing_people import sign
from tests.registry.test_hub_cli import Cli
from tests.registry.test_stored_sites import no_triggers

NONSENSE = encoded(bytes(range(64)))
ROLE = roles.team_role(TEAM)
Capsys = pytest.CaptureFixture[str]


def drafted(acme: Acme, wanted: Wanted) -> Draft:
    with acme.app.hub.reading() as connection:
        return hub_drafts.draft(acme.app.hub, connection, wanted)


def by(acme: Acme, made: Draft, wanted: Wanted, *names: str) -> Draft:
    return sign(made, wanted.ask, [acme.signer(one) for one in names], acme.app.hub.now())


def with_more(made: Draft, *more: PartSignature) -> Draft:
    """A copy in which somebody put signatures of their own, in place of any of the same key."""
    keyids = {one.keyid for one in more}
    (part, *others) = made.parts
    kept = [one for one in part.signatures if one.keyid not in keyids]
    signatures = tuple(sorted((*kept, *more), key=lambda one: one.keyid))
    return replace(made, parts=(replace(part, signatures=signatures), *others))


def keyid(acme: Acme, name: str) -> str:
    return acme.public(name).keyid


def submit(acme: Acme, capsys: Capsys, *copies: Draft) -> tuple[int, str, str]:
    files = []
    for number, one in enumerate(copies):
        files.append(acme.folder / f"{number}.signed")
        files[-1].write_bytes(drafts.write(one))
    return Cli(acme, capsys)("submit", *files)


def requester(acme: Acme) -> tuple[Draft, Wanted]:
    wanted = teams.requester(TEAM, acme.card("emil"))
    return drafted(acme, wanted), wanted


def logged(acme: Acme) -> str:
    with acme.app.hub.engine.connect() as connection:
        bodies = connection.execute(text("SELECT body FROM log_entry")).scalars()
        return "\n".join(bytes(one).decode() for one in bodies)


def checked(acme: Acme) -> list[str]:
    with acme.app.hub.reading() as connection:
        return [one.sentence for one in fsck.check(connection)]


@pytest.mark.parametrize("many", [1, 880, 2_000])
def test_a_key_that_never_signed_is_not_published_nor_logged(
    acme: Acme, capsys: Capsys, many: int
) -> None:
    made, wanted = requester(acme)
    carla = keyid(acme, "carla")
    ids = [carla, *(f"{number:064x}" for number in range(1, many))]
    copy = with_more(
        by(acme, made, wanted, "anna", "ben"), *(PartSignature(one, NONSENSE) for one in ids)
    )
    code, out, err = submit(acme, capsys, copy)
    assert code == 0, err
    said = " ".join(out.split())
    assert f"0.signed: nobody may sign {ROLE} with the key" in said
    assert f"{ROLE} is now version" in said
    assert "signed by anna, ben." in said
    stored_now = rows.newest(acme, ROLE)
    assert set(stored_now.signatures) == {keyid(acme, "anna"), keyid(acme, "ben")}
    assert ids[-1] not in logged(acme)
    assert carla not in logged(acme)
    assert checked(acme) == []


def test_the_same_goes_for_what_a_memory_gives_back(acme: Acme) -> None:
    acme.later(days=1)
    acme.renew("recall", "recall-1")
    with acme.app.hub.reading() as connection:
        found = stored(connection)
        head, recalls = found.head(roles.RECALL), found.document(roles.RECALL, "recall.json")
    assert recalls is not None
    acme.sql("DROP TRIGGER tuf_metadata_no_delete")
    rows.drop(acme, roles.RECALL, head.version)
    said = json.loads(head.data)
    carla = keyid(acme, "carla")
    said["signatures"] = sorted(
        [*said["signatures"], {"keyid": carla, "sig": "00" * 64}], key=lambda one: one["keyid"]
    )
    data = publishing.to_bytes(Metadata[Any].from_dict(said))
    document = drafts.CarriedDocument("recall.json", encoded(recalls))
    lost = RoleVersion(1, (), found.id, roles.RECALL, encoded(data), (document,), (), ())
    assert acme.app.take_back(lost).new
    assert set(rows.newest(acme, roles.RECALL).signatures) == set(head.metadata.signatures)
    assert carla not in logged(acme)


def test_nothing_is_published_past_that_rule(acme: Acme) -> None:
    """Whatever calls it."""
    made, wanted = requester(acme)
    signed = by(acme, made, wanted, "anna", "ben")
    copy = with_more(signed, PartSignature(keyid(acme, "carla"), NONSENSE))
    (part,) = copy.parts
    listed = {one.path: drafts.decoded(one.data) for one in part.documents}
    change = Change({ROLE: drafts.to_metadata(part)}, listed)
    hub, before = acme.app.hub, acme.rows()
    with pytest.raises(RefusedError, match="does not count"):
        hub.commit_change(change, hub.entry("team.members-changed", "x", {}))
    assert acme.rows() == before


def test_a_damaged_copy_stands_in_nobodys_way(acme: Acme, capsys: Capsys) -> None:
    made, wanted = requester(acme)
    good = [by(acme, made, wanted, one) for one in ("anna", "ben")]
    bad = with_more(good[1], PartSignature(keyid(acme, "ben"), NONSENSE))
    for copies in itertools.permutations((*good, bad)):
        with acme.app.hub.reading() as connection:
            joined, said = returned_signatures.joined(
                connection, [(f"{'bad' if one is bad else 'good'}.signed", one) for one in copies]
            )
        assert joined == by(acme, made, wanted, "anna", "ben")
        assert [one.partition(":")[0] for one in said] == ["bad.signed"]
        assert "the signature of ben" in said[0]
    code, out, _ = submit(acme, capsys, bad, *good)
    assert code == 0
    assert "0.signed: the signature of ben" in " ".join(out.split())


def test_what_is_wrong_is_said_where_too_few_are_right(acme: Acme, capsys: Capsys) -> None:
    made, wanted = requester(acme)
    bad = with_more(by(acme, made, wanted, "anna"), PartSignature(keyid(acme, "ben"), NONSENSE))
    before = acme.rows()
    code, _, err = submit(acme, capsys, bad)
    said = " ".join(err.split())
    assert (code, acme.rows()) == (1, before)
    assert "0.signed: the signature of ben" in said
    assert "signed by 1 of the 2 people" in said
    assert "medium" not in said


def test_a_statement_of_ones_own_likewise(hub: Acme, capsys: Capsys) -> None:
    number = hub.request()
    with hub.app.hub.reading() as connection:
        wanted = hub.app.promotions.approval_wanted(connection, number, "validated", "x", None)
    good = by(hub, drafted(hub, wanted), wanted, "carla")
    bad = with_more(good, PartSignature(keyid(hub, "carla"), NONSENSE))
    more = with_more(good, PartSignature(keyid(hub, "emil"), NONSENSE))
    for copies in ((good, bad), (bad, good), (more,)):
        code, out, err = submit(hub, capsys, *copies)
        assert code == 0, err
        assert "left out" in " ".join(out.split())
    assert len(hub.rows()["approval"]) == 1
    assert submit(hub, capsys, bad)[0] == 1


@pytest.mark.parametrize("copies", [1, 2])
def test_what_nobody_signed_yet_is_said_so(hub: Acme, capsys: Capsys, copies: int) -> None:
    number = hub.request()
    with hub.app.hub.reading() as connection:
        wanted = hub.app.promotions.approval_wanted(connection, number, "validated", "x", None)
    code, _, err = submit(hub, capsys, *[drafted(hub, wanted)] * copies)
    assert (code, "Nobody has signed this approval yet" in " ".join(err.split())) == (1, True)


def test_an_old_copy_says_what_stands_now(acme: Acme, capsys: Capsys) -> None:
    made, wanted = requester(acme)
    old = by(acme, made, wanted, "anna", "ben")
    acme.app.submit(old, at_hub=False)
    assert "is now version" in submit(acme, capsys, old)[1]
    number = rows.newest(acme, ROLE).signed.version
    acme.renew(ROLE, "anna", "ben")
    acme.later(days=1)
    acme.renew(ROLE, "anna", "ben")
    newest = rows.newest(acme, ROLE).signed.version
    bad = with_more(old, PartSignature(keyid(acme, "ben"), NONSENSE))
    code, out, _ = submit(acme, capsys, bad)
    said = " ".join(out.split())
    assert code == 0
    assert f"Version {number} of {ROLE} was published before; version {newest} stands now" in said
    assert "is now version" not in said
    assert "the signature of ben" in said


def test_an_old_assignment_likewise(ready: Acme, capsys: Capsys) -> None:
    hub, copies = ready.app.hub, []
    for hours in (1, 2):
        ready.later(hours=hours)
        wanted = assignments.wanted(hub, SITE, version(1), {GROUP: TARGET}, None)
        copies.append(by(ready, drafted(ready, wanted), wanted, "dispatcher-1"))
        ready.app.submit(copies[-1], at_hub=False)
    code, out, err = submit(ready, capsys, copies[0])
    assert code == 0, err
    assert f"of {roles.site_role(SITE)} was published before; version" in " ".join(out.split())
    assert "falling back to" not in out
    assert "falling back to" in submit(ready, capsys, copies[1])[1]


# ---------------------------------------------------------------------- what fsck says


def of_nobody(acme: Acme) -> str:
    return keyid(acme, "carla")


def of_a_holder(acme: Acme) -> str:
    return keyid(acme, "ben")


def put_again(acme: Acme, role: str, metadata: Metadata[Any]) -> None:
    rows.drop(acme, role, metadata.signed.version)
    rows.put(acme, role, metadata)


@pytest.mark.parametrize(
    "whose, words",
    [
        (of_nobody, ["bears the signature of nobody who held it"]),
        (of_a_holder, ["the signature by ben", "is wrong"]),
    ],
)
def test_a_stored_signature_that_does_not_count_is_named(
    acme: Acme, whose: Callable[[Acme], str], words: list[str]
) -> None:
    no_triggers(acme)
    found = rows.newest(acme, ROLE)
    said = found.to_dict()
    said["signatures"] = [one for one in said["signatures"] if one["keyid"] != whose(acme)]
    said["signatures"].append({"keyid": whose(acme), "sig": "00" * 64})
    put_again(acme, ROLE, Metadata.from_dict(said))
    named = [one for one in checked(acme) if all(part in one for part in words)]
    assert named, checked(acme)
    assert whose(acme)[:12] in named[0]
    assert f"version {found.signed.version} of {ROLE}" in named[0].lower()


def test_also_of_root_and_of_what_the_hub_signs(acme: Acme) -> None:
    no_triggers(acme)
    for role in (roles.ROOT, roles.TIMESTAMP):
        said = rows.newest(acme, role).to_dict()
        said["signatures"].append({"keyid": keyid(acme, "carla"), "sig": "00" * 64})
        put_again(acme, role, Metadata.from_dict(said))
    sentences = checked(acme)
    for role in (roles.ROOT, roles.TIMESTAMP):
        assert any(f"of {role} bears the signature of nobody" in one for one in sentences)


def test_whoever_held_a_role_when_it_was_signed_is_somebody(acme: Acme) -> None:
    """Three stewards sign; one of them leaves: the old version bears no stray signature."""
    gina = acme.card("gina", acme.new_key("gina"))
    for people, cards in ((("anna", "ben", "gina"), [gina]), (("anna", "ben"), [])):
        wanted = teams.stewards(TEAM, people, cards)
        made = by(acme, drafted(acme, wanted), wanted, "targets-1", "targets-2")
        acme.app.submit(made, at_hub=False)
        acme.later(days=len(people))
        acme.renew(ROLE, *people)
    assert checked(acme) == []


def test_a_root_that_stays_replaces_nothing_on_paper(acme: Acme, capsys: Capsys) -> None:
    cli = Cli(acme, capsys)
    keys = [f"--key={cli.key(name)}" for name in ("root-1", "root-2")]
    said = " ".join(cli.says("renew", "root", "--at-hub", *keys).split())
    assert "stays" in said  # it was founded just now
    assert "in place of the one before" not in said
    assert "This is what your paper says" in said
    new = AcceptedSubmission(new=True, sentence="root is now version 2.", data={"role": "root"})
    assert "in place of the one before" in " ".join(with_fingerprint(acme.app.hub, new).more)
