"""A hostile hub that lists and assigns what people did not approve.

It holds every online key: catalog, snapshot, timestamp, dispatcher, log, scanner and builder. It
does not hold the people's. Each artifact is held with its own sentence, and the rest installs.
"""

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from sealift_signing import dsse, publishing, shape, statements
from sealift_signing.documents import MemberKey, Members, members_path
from sealift_signing.statements import Pins
from sealift_signing.vocabulary import CatalogPath
from tests.hub_on_paper import MODEL, TEAM, Changes, HubOnPaper, Release
from tests.site_on_paper import SiteOnPaper
from tests.trust import STAGE, person, rule

BAD = "catalog/vision/digits/1/cpu-x86_64"
GOOD = "vision/letters"


@pytest.fixture
def attack(hub: HubOnPaper, site: SiteOnPaper, medium: Path) -> Callable[[Release], str]:
    """Ship `release` beside a good model; returns why it was held, and checks that it was."""

    def ship(release: Release) -> str:
        hub.assign(hub.promote(1, model="letters"))
        hub.assign(release)
        held = site.held(hub.export(medium))
        assert set(held) == {str(release.path)}, held
        assert site.running(release.path.full_model) is None
        assert site.running(GOOD) is not None
        assert not (site.root / "store/sha256" / release.sha256).exists()
        code, words = held[str(release.path)]
        assert str(release.path) in words
        return f"{code}: {words}"

    return ship


@pytest.fixture
def release(hub: HubOnPaper) -> Release:
    """Requested by anna, listed by the hub, and approved by nobody."""
    made = hub.vouch(hub.build(1))
    hub.list_artifact(made)
    return made


Attack = Callable[[Release], str]


def test_a1_05_listed_but_unapproved(release: Release, attack: Attack) -> None:
    assert attack(release).startswith(f"not-approved: {BAD} has 0 of the 2 approvals")


def test_a1_05_listed_without_even_a_request(hub: HubOnPaper, attack: Attack) -> None:
    made = hub.build(1)
    made.request = "a" * 64
    hub.list_artifact(made)
    assert attack(made).startswith(f"no-request: {BAD} comes without the request")


def test_a1_05_approved_but_unlisted(hub: HubOnPaper, attack: Attack) -> None:
    made = hub.vouch(hub.build(1))
    made.approvals = (hub.approve(made, "bert"), hub.approve(made, "carla"))
    hub.assign(hub.promote(2))  # so that the catalog is there, and does not list version 1
    assert attack(made) == f"not-listed: The hub's catalog does not list {BAD}."


def test_a1_05_approved_and_listed_with_another_digest(hub: HubOnPaper, attack: Attack) -> None:
    made = hub.promote(1)
    genuine = hub.manifests[made.path]
    hub.list_artifact(hub.build(1, content=b"a back door"))
    hub.manifests[made.path] = genuine
    assert attack(made).startswith("listed-differently:")


def test_a1_05_one_person_approving_with_two_keys(hub: HubOnPaper, attack: Attack) -> None:
    second = MemberKey(hub.public("bert-at-home"), "file", (f"approve:{STAGE}",))
    bert = hub.people[1]
    hub.people[1] = replace(bert, keys=(*bert.keys, second))
    hub.publish_members()
    made = hub.vouch(hub.build(1))
    hub.list_artifact(made)
    made.approvals = (
        hub.approve(made, "bert"),
        hub.approve(made, "bert", key="bert-at-home", reason="Again."),
    )
    assert "Bert has approved already" in attack(made)


def test_a1_05_one_key_for_two_people(hub: HubOnPaper, site: SiteOnPaper, medium: Path) -> None:
    hub.assign(hub.promote(1))
    hub.people[2] = replace(hub.people[2], keys=hub.people[1].keys)
    hub.publish_members()
    refusal = site.refuses(hub.export(medium))
    assert refusal.code == "key-of-two-people"
    assert "both bert and carla" in refusal.what


@pytest.mark.parametrize("spell", [str.upper, lambda text: text + " ", lambda text: "00" + text])
def test_a1_05_one_key_in_two_spellings(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, spell: Callable[[str], str]
) -> None:
    """Stewards who were tricked into signing bert's key for carla, in another spelling."""
    hub.assign(hub.promote(1))
    genuine = Members(1, (), TEAM, tuple(hub.people), ())
    said = json.loads(shape.write(genuine))
    digits = hub.public("bert").removeprefix("ed25519:")
    said["people"][2]["keys"][0]["key"] = "ed25519:" + spell(digits)
    data = json.dumps(said, separators=(",", ":"), sort_keys=True).encode()
    hub.publish(f"team.{TEAM}", members_path(TEAM), data)
    refusal = site.refuses(hub.export(medium))
    assert refusal.code == "bad-shape"
    assert "a public key" in refusal.what


def test_a1_05_the_requester_approving_by_name(
    hub: HubOnPaper, release: Release, attack: Attack
) -> None:
    release.approvals = (hub.approve(release, "anna"), hub.approve(release, "bert"))
    assert "anna made the request, and whoever requests does not approve" in attack(release)


def test_a1_05_the_requester_approving_behind_a_false_name(
    hub: HubOnPaper, release: Release, attack: Attack
) -> None:
    release.approvals = (
        hub.approve(release, "carla", key="anna"),
        hub.approve(release, "bert"),
    )
    assert "not signed with a key of carla" in attack(release)


def test_a1_05_the_requester_behind_a_second_entry_with_the_same_key(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, release: Release
) -> None:
    alias = person(hub.keys, "anna", f"approve:{STAGE}")
    hub.people.append(replace(alias, id="zoe"))
    hub.publish_members()
    release.approvals = (hub.approve(release, "zoe", key="anna"), hub.approve(release, "bert"))
    hub.assign(release)
    assert site.refuses(hub.export(medium)).code == "key-of-two-people"


def test_a1_05_approvals_of_two_requests_added_up(
    hub: HubOnPaper, release: Release, attack: Attack
) -> None:
    first = hub.approve(release, "bert")
    release.request = hub.request(release, reason="Asked a second time.")
    release.approvals = (first, hub.approve(release, "carla"))
    assert f"the approval {first[:12]} by bert is of another request" in attack(release).replace(
        "The approval", "the approval"
    )


@pytest.mark.parametrize(
    "changes",
    [{"version": 2}, {"model": "letters"}, {"team": "audio"}, {"stage": "staging"}],
    ids=lambda changes: next(iter(changes)),
)
def test_a1_05_an_approval_for_another_version_model_team_or_stage(
    hub: HubOnPaper, release: Release, attack: Attack, changes: Changes
) -> None:
    wrong = hub.approve(release, "carla", **changes)
    release.approvals = (hub.approve(release, "bert"), wrong)
    said = attack(release)
    assert "has 1 of the 2 approvals" in said
    assert wrong[:12] in said
    assert str(next(iter(changes.values()))) in said


def test_a1_05_an_approval_for_another_organisation(
    hub: HubOnPaper, release: Release, attack: Attack
) -> None:
    wrong = hub.approve(release, "carla", organisation="a" * 64)
    release.approvals = (hub.approve(release, "bert"), wrong)
    assert wrong[:12] in attack(release)


def test_a1_05_an_approval_for_another_artifact(
    hub: HubOnPaper, release: Release, attack: Attack
) -> None:
    """Carla approved a request for other bytes of the same path; the hub ships it with this one."""
    other = hub.vouch(replace(release, sha256="c" * 64))
    wrong = hub.approve(other, "carla")
    release.approvals = (hub.approve(release, "bert"), wrong)
    said = attack(release)
    assert wrong[:12] in said
    assert "is of another request" in said


def test_a1_05_an_approval_of_other_subjects_of_the_same_request(
    hub: HubOnPaper, release: Release, attack: Attack
) -> None:
    wrong = hub.approve(release, "carla", subjects=release.subjects[:1])
    release.approvals = (hub.approve(release, "bert"), wrong)
    assert "is about artifacts other than the request's" in attack(release)


def test_a1_05_a_second_subject_smuggled_into_an_approval(
    hub: HubOnPaper, release: Release, attack: Attack
) -> None:
    extra = statements.subject("catalog/vision/digits/1/cpu-aarch64", "b" * 64)
    wrong = hub.approve(release, "carla", subjects=(*release.subjects, extra))
    release.approvals = (hub.approve(release, "bert"), wrong)
    assert "is about artifacts other than the request's" in attack(release)


def test_a1_05_a_second_subject_smuggled_under_the_same_name(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, release: Release
) -> None:
    """Two digests under one path: people read the first, the machine the second."""
    good = hub.approve(release, "carla")
    said = json.loads(hub.payload(good))
    said["subject"].append({"digest": {"sha256": "b" * 64}, "name": BAD})
    payload = json.dumps(said, separators=(",", ":"), sort_keys=True).encode()
    release.approvals = (hub.approve(release, "bert"), hub.sign_raw(payload, "carla"))
    hub.assign(release)
    refusal = site.refuses(hub.export(medium))
    assert refusal.code == "subject-twice"
    assert release.approvals[1][:12] in refusal.what


def test_a1_05_a_second_subject_smuggled_into_the_transfer(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    hub.assign(hub.promote(1))
    folder = hub.export(medium)
    file = folder / "transfer.json"
    said = json.loads(dsse.read(file.read_bytes(), what="").payload)
    said["subject"].append({"digest": {"sha256": "b" * 64}, "name": "sites/plant-7/other.json"})
    payload = json.dumps(said, separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode()
    file.write_bytes(dsse.sign(dsse.IN_TOTO, payload, hub.keys["dora"]))
    assert site.refuses(folder).code == "transfer-of-another"


def test_a1_05_another_artifact_under_an_approved_path(hub: HubOnPaper, attack: Attack) -> None:
    """Approved bytes are exchanged for others; path, request and approvals stay."""
    approved = hub.promote(1)
    evil = hub.build(1, content=b"a back door")
    hub.list_artifact(evil)
    assert "request-of-another" in attack(replace(approved, sha256=evil.sha256))


def test_a1_05_the_source_listed_as_a_variant(hub: HubOnPaper, attack: Attack) -> None:
    """The unconverted source is a subject of every request: its digest is approved, as a source."""
    source_path = CatalogPath(TEAM, MODEL, 1, "source")
    source = hub.build(1, form="source")
    made = hub.build(1)
    made.source = statements.subject(str(source_path), source.sha256)
    hub.vouch(made)
    made.approvals = (hub.approve(made, "bert"), hub.approve(made, "carla"))
    listed = replace(made, sha256=source.sha256)
    hub.manifests[made.path] = hub.manifests[source_path]
    hub.config_digests[made.path] = hub.config_digests[source_path]
    hub.list_artifact(listed)
    assert "request-of-another" in attack(listed)


def test_a1_05_a_source_path_in_the_catalog(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    source = hub.build(1, form="source")
    hub.list_artifact(source)
    hub.assign(hub.promote(2))
    refusal = site.refuses(hub.export(medium))
    assert refusal.code == "path-not-of-role"
    assert str(source.path) in refusal.what


def test_a1_05_a_manifest_made_for_another_path(hub: HubOnPaper, attack: Attack) -> None:
    """Approved under one name, and its own manifest says another."""
    made = hub.promote(1, made_for=CatalogPath(TEAM, MODEL, 7, "cpu-x86_64"))
    assert attack(made).startswith("manifest-of-another:")


def test_a1_05_evidence_not_named_by_the_request(
    hub: HubOnPaper, release: Release, attack: Attack
) -> None:
    release.approvals = (hub.approve(release, "bert"), hub.approve(release, "carla"))
    later = hub.evidence(release, "scan", "scanner-1", made=hub.ago(minutes=1))
    release.evidence = (later, release.evidence[1])
    assert attack(release).startswith("evidence-not-named:")


def test_a1_05_evidence_missing_failed_or_signed_by_another_machine(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    hub.assign(hub.promote(1, model="letters"))
    found = {}
    for number, (kind, by, changes) in enumerate(
        [("parity", "scanner-1", {}), ("parity", "builder-1", {"verdict": "fail"}), ("", "", {})],
        start=1,
    ):
        made = hub.build(1, model=f"m{number}")
        made.evidence = (hub.evidence(made, "scan", "scanner-1"),)
        if kind:
            made.evidence += (hub.evidence(made, kind, by, **changes),)
        made.request = hub.request(made)
        made.approvals = (hub.approve(made, "bert"), hub.approve(made, "carla"))
        hub.list_artifact(made)
        hub.assign(made)
        found[number] = str(made.path)
    held = site.held(hub.export(medium))
    assert [held[found[number]][0] for number in (1, 2, 3)] == [
        "evidence-not-entitled",
        "evidence-failed",
        "no-evidence",
    ]


def test_a1_05_a_duplicated_member(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, release: Release
) -> None:
    """`"stage":"staging"` for the reader who takes the first, production for who takes the last."""
    payload = hub.payload(hub.approve(release, "carla"))
    twice = payload.replace(b'"stage":', b'"stage":"staging","stage":')
    release.approvals = (hub.approve(release, "bert"), hub.sign_raw(twice, "carla"))
    hub.assign(release)
    refusal = site.refuses(hub.export(medium))
    assert refusal.code == "json-duplicate"
    assert release.approvals[1][:12] in refusal.what
    assert "'stage' twice" in refusal.what


@pytest.mark.parametrize("change", ["spaces", "order", "escape"])
def test_a1_05_a_payload_of_non_canonical_bytes(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, release: Release, change: str
) -> None:
    payload = hub.payload(hub.approve(release, "carla"))
    said = json.loads(payload)
    spelled = {
        "spaces": json.dumps(said, sort_keys=True).encode(),
        "order": json.dumps(dict(reversed(said.items())), separators=(",", ":")).encode(),
        "escape": payload.replace(b"validated", b"\\u0076alidated"),
    }
    release.approvals = (hub.approve(release, "bert"), hub.sign_raw(spelled[change], "carla"))
    hub.assign(release)
    refusal = site.refuses(hub.export(medium))
    assert refusal.code == "json-not-canonical"
    assert release.approvals[1][:12] in refusal.what


@pytest.mark.parametrize("change", ["newline", "spare bits", "two signatures"])
def test_a1_05_an_envelope_of_non_canonical_bytes(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, release: Release, change: str
) -> None:
    good = hub.carried[hub.approve(release, "carla")]
    said = json.loads(good)
    if change == "spare bits":
        sig = said["signatures"][0]["sig"]
        assert sig.endswith("==")
        other = next(
            sig[:-3] + c + "=="
            for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
            if c != sig[-3] and base64.b64decode(sig[:-3] + c + "==") == base64.b64decode(sig)
        )
        said["signatures"][0]["sig"] = other
    if change == "two signatures":
        said["signatures"] *= 2
    data = json.dumps(said, separators=(",", ":"), sort_keys=True).encode()
    release.approvals = (
        hub.approve(release, "bert"),
        hub.carry(data + b"\n" if change == "newline" else data),
    )
    hub.assign(release)
    refusal = site.refuses(hub.export(medium))
    assert refusal.code in {"json-not-canonical", "base64", "envelope-signatures"}
    assert release.approvals[1][:12] in refusal.what


def test_a1_05_a_forged_approval(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, release: Release
) -> None:
    """Carla's key id over a signature that is not hers: forged, so nothing of it is taken."""
    good = json.loads(hub.carried[hub.approve(release, "carla")])
    good["signatures"][0]["sig"] = base64.b64encode(bytes(64)).decode()
    data = json.dumps(good, separators=(",", ":"), sort_keys=True).encode()
    release.approvals = (hub.approve(release, "bert"), hub.carry(data))
    hub.assign(release)
    refusal = site.refuses(hub.export(medium))
    assert refusal.code == "bad-signature"
    assert "by carla" in refusal.what


def test_a1_05_past_valid_until_is_held_if_new(
    hub: HubOnPaper, release: Release, attack: Attack
) -> None:
    past: Changes = {"made": hub.ago(days=20), "valid_until": hub.ago(days=1)}
    release.approvals = (hub.approve(release, "bert", **past), hub.approve(release, "carla"))
    said = attack(release)
    assert "has 1 of the 2 approvals" in said
    assert "was valid until 2026-11-19" in said


def test_a1_05_past_valid_until_is_untouched_if_installed(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    made = hub.vouch(hub.build(1))
    hub.list_artifact(made)
    until: Changes = {"valid_until": hub.ahead(days=5)}
    made.approvals = (hub.approve(made, "bert", **until), hub.approve(made, "carla", **until))
    hub.assign(made)
    site.take(hub.export(medium))
    running = site.running()
    hub.now = site.now = hub.now.replace(day=30)
    done = site.take(hub.export(medium))
    (told,) = done.receipt.artifacts
    assert (told.outcome, told.code) == ("installed", "not-approved")
    assert told.words.startswith("Stays installed, though it would not be installed now:")
    assert site.running() == running


def test_a1_05_dated_ahead(hub: HubOnPaper, release: Release, attack: Attack) -> None:
    ahead = hub.approve(release, "carla", made=hub.ahead(days=2))
    release.approvals = (hub.approve(release, "bert"), ahead)
    assert "more than a day ahead" in attack(release)


def test_a1_05_a_longer_validity_than_the_policy_allows(
    hub: HubOnPaper, release: Release, attack: Attack
) -> None:
    """It counts as long as the policy lets it, whatever it says itself."""
    hub.publish_policy(**{STAGE: rule(longest_validity_days=9)})
    release.request = hub.request(release, made=hub.ago(days=12))
    made, until = hub.ago(days=10), hub.ahead(days=4000)
    long = hub.approve(release, "carla", made=made, valid_until=until)
    release.approvals = (hub.approve(release, "bert", made=hub.ago(days=8)), long)
    assert "the policy lets none count for more than 9 days" in attack(release)


def test_a1_05_withdrawn_by_digest(hub: HubOnPaper, attack: Attack) -> None:
    made = hub.promote(1)
    hub.withdraw(sha256=made.sha256)
    said = f"withdrawn: {BAD} was withdrawn from production: “Drifts in fog"
    assert attack(made).startswith(said)


def test_a1_05_withdrawn_below_a_version(hub: HubOnPaper, attack: Attack) -> None:
    made = hub.promote(1)
    hub.withdraw(model="vision/digits", below=2)
    assert attack(made).startswith("withdrawn:")


def test_a1_05_a_withdrawal_is_not_forgotten_when_the_list_is(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    made = hub.promote(1)
    hub.withdraw(sha256=made.sha256)
    hub.assign(hub.promote(2))
    site.take(hub.export(medium))
    hub.withdrawn = ()
    hub.publish_members()
    hub.assign(made)
    assert site.held(hub.export(medium))[BAD][0] == "withdrawn"
    assert site.running() == b"the weights of catalog/vision/digits/2/cpu-x86_64"


def test_a1_05_withdrawn_stops_nothing_that_runs(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    made = hub.promote(1)
    hub.assign(made)
    site.take(hub.export(medium))
    hub.withdraw(sha256=made.sha256)
    site.take(hub.export(medium))
    assert site.running() == b"the weights of catalog/vision/digits/1/cpu-x86_64"


def test_a1_05_recalled_before_it_came(hub: HubOnPaper, attack: Attack) -> None:
    made = hub.promote(1)
    hub.recall(made.sha256)
    assert attack(made).startswith(f"recalled: {BAD} was recalled: “It hallucinates.”")


def test_a1_05_machine_and_role_keys_are_nobodys(
    hub: HubOnPaper, release: Release, attack: Attack
) -> None:
    """Stewards were tricked into taking the hub's own builder for a person."""
    robot = person(hub.keys, "builder-1", f"approve:{STAGE}")
    hub.people.append(replace(robot, id="rob"))
    hub.publish_members()
    release.approvals = (hub.approve(release, "bert"), hub.approve(release, "rob", key="builder-1"))
    assert "the key of a machine" in attack(release)


def test_t0_103_a_key_listed_as_a_dispatchers_voids_no_approval(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    """A fleet administrator names bert's key as another site's dispatcher, or bert is a steward."""
    hub.repository.holders["site.ship-2"] = (1, ("bert",))
    with hub.repository.next("fleet") as signed:
        hub.repository.delegate(signed, "site.ship-2")
    hub.repository.holders["team.vision"] = (2, ("stella", "stefan", "carla"))
    with hub.repository.next("targets") as signed:
        hub.repository.delegate(signed, "team.vision")
    hub.assign(hub.promote(1))
    assert not site.held(hub.export(medium))
    assert site.running() == b"the weights of catalog/vision/digits/1/cpu-x86_64"


@pytest.mark.parametrize("status", ["retired", "compromised"])
def test_a1_05_people_who_are_not_active(
    hub: HubOnPaper, release: Release, attack: Attack, status: str
) -> None:
    release.approvals = (hub.approve(release, "bert"), hub.approve(release, "dirk"))
    hub.people[3] = replace(hub.people[3], status=status)  # type: ignore[arg-type]
    hub.publish_members()
    assert f"dirk is {status}" in attack(release)


def test_a1_05_a_lowered_policy_does_not_lower_what_the_site_asks(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    hub.assign(hub.promote(1))
    site.take(hub.export(medium))
    hub.publish_policy(**{STAGE: rule(approvals=1)})
    made = hub.vouch(hub.build(2))
    made.approvals = (hub.approve(made, "bert"),)
    hub.list_artifact(made)
    hub.assign(made)
    code, words = site.held(hub.export(medium))[str(made.path)]
    assert code == "not-approved"
    assert "has 1 of the 2 approvals" in words
    assert site.running() == b"the weights of catalog/vision/digits/1/cpu-x86_64"


def small_team(hub: HubOnPaper) -> Release:
    """Team audio has two stewards; anna, bert and carla are its people too. A version of theirs."""
    hub.repository.holders["team.audio"] = (2, ("uwe", "ute"))
    hub.repository.holders["catalog.audio"] = (1, ("hub-catalog",))
    with hub.repository.next("targets") as signed:
        for role in ("team.audio", "catalog.audio"):
            hub.repository.delegate(signed, role)
    for role in ("team.audio", "catalog.audio"):
        first = publishing.first_targets(expires=hub.repository.expiry(role))
        hub.repository.publish(role, first)
    people = Members(1, (), "audio", tuple(hub.people), ())
    hub.publish("team.audio", members_path("audio"), shape.write(people))
    return hub.promote(1, team="audio")


def large_team(hub: HubOnPaper) -> None:
    """Three of five stewards sign for team vision."""
    five = ("stella", "stefan", "sven", "sara", "simon")
    hub.repository.holders["team.vision"] = (3, five)
    with hub.repository.next("targets") as signed:
        hub.repository.delegate(signed, "team.vision")
    with hub.repository.next("team.vision"):
        pass


@pytest.mark.parametrize("stored", [2, 3], ids=["risen now", "risen in an earlier release"])
def test_t0_129_a_second_smaller_team_bars_no_bundle(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, stored: int
) -> None:
    large_team(hub)
    hub.assign(hub.promote(1))
    site.take(hub.export(medium))
    two = Pins(2, {"root": 2, "targets": 2, "team": 2}, (), ())
    with site.opened() as opened, opened.state.transaction():
        assert opened.state.pins(opened.enrolment.pins) == two
        high = replace(two, least_thresholds={**two.least_thresholds, "team": stored})
        opened.state.set_fact("pins", shape.write(high))
    hub.assign(small_team(hub))
    site.take(hub.export(medium))
    assert site.running("audio/digits") is not None
    with site.opened() as opened:
        assert opened.state.pins(opened.enrolment.pins) == two
    remarks = site.entries()[-2].data.get("remarks", [])
    assert [str(one)[:45] for one in remarks] == (
        ["This site insisted on 3 signatures of team, a"] if stored == 3 else []
    )


def test_a_team_of_which_one_steward_suffices_still_bars_every_bundle(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    hub.assign(hub.promote(1))
    site.take(hub.export(medium))
    hub.repository.holders["team.audio"] = (1, ("uwe",))
    with hub.repository.next("targets") as signed:
        hub.repository.delegate(signed, "team.audio")
    assert site.refuses(hub.export(medium)).code == "threshold-lowered"
