"""People with offline keys sign over an old base: each version is authentic, and forgets another.

A role that people sign names what it follows. A site takes a version only if it was made with
knowledge of the one that the site holds, or if people have set that one aside.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tuf.api.metadata import Metadata

from sealift_signing import publishing, shape
from sealift_signing.canonical import Json
from sealift_signing.documents import RECALL_PATH, Recall, RecallList
from sealift_signing.roles import RECALL
from sealift_signing.version_links import VersionId, named
from sealift_signing.vocabulary import moment
from sealift_sync.bundle import layout
from sealift_sync.bundle.writer import Contents
from tests.attacks.test_going_back import forge_snapshot
from tests.hub_on_paper import SITE, TEAM, HubOnPaper, relist
from tests.site_on_paper import SiteOnPaper
from tests.trust import STAGE, person

TEAM_ROLE = f"team.{TEAM}"
PEOPLE_ROLES = ("targets", TEAM_ROLE, "fleet", f"site.{SITE}")
STEWARDS = ("stella", "stefan", "sven", "svea")


@pytest.fixture
def installed(hub: HubOnPaper, site: SiteOnPaper, medium: Path) -> SiteOnPaper:
    """The site runs version 1 of the model, and keeps a version of every role."""
    hub.assign(hub.promote(1))
    site.take(hub.export(medium))
    return site


def renew(hub: HubOnPaper, role: str, *aside: VersionId, times: int = 1) -> Metadata[Any]:
    """Holders sign the role again as it stands; `aside` with the first of the versions."""
    for _ in range(times):
        changes: dict[str, Any] = {"set_aside": aside} if aside else {}
        hub.repository.publish(role, hub.repository.draft(role, **changes))
        aside = ()
    return hub.repository.current[role]


def went_back(hub: HubOnPaper, role: str, base: Metadata[Any]) -> None:
    """The newest versions of the role were deleted from the hub's database; `base` is left."""
    hub.repository.current[role] = deepcopy(base)
    hub.now += timedelta(minutes=1)


def with_people(hub: HubOnPaper, *names: str) -> Metadata[Any]:
    """Stewards sign that these may approve, beside bert and carla, and nobody else."""
    hub.people = [one for one in hub.people if one.id in {"anna", "bert", "carla", *names}]
    missing = {*names} - {one.id for one in hub.people}
    hub.people += [person(hub.keys, name, f"approve:{STAGE}") for name in sorted(missing)]
    hub.publish_members()
    return hub.repository.current[TEAM_ROLE]


def remarks(site: SiteOnPaper) -> Json | None:
    """What the log's entry of the last import says of the roles' versions."""
    last = [entry for entry in site.entries() if entry.type == "transfer.imported"][-1]
    assert isinstance(last.data, Mapping)
    return last.data.get("remarks")


def test_t0_01_a_removal_is_not_undone_by_adding_somebody_to_an_older_base(
    hub: HubOnPaper, installed: SiteOnPaper, medium: Path
) -> None:
    """The removal was deleted from the database, and honest stewards signed over the base below."""
    before = hub.repository.current[TEAM_ROLE]
    removal = named(with_people(hub))  # dirk may approve no more
    installed.take(hub.export(medium))
    went_back(hub, TEAM_ROLE, before)
    with_people(hub, "dirk", "erik")
    with_people(hub, "dirk", "erik", "frida")
    refusal = installed.refuses(hub.export(medium))
    assert (refusal.code, refusal.subject) == ("role-forked", TEAM_ROLE)
    assert f"{removal} is known here" in refusal.what


@pytest.mark.parametrize("role", PEOPLE_ROLES)
def test_t0_02_no_role_that_people_sign_forgets_a_version(
    hub: HubOnPaper, installed: SiteOnPaper, medium: Path, role: str
) -> None:
    before = hub.repository.current[role]
    renew(hub, role)
    installed.take(hub.export(medium, publish=False))
    went_back(hub, role, before)
    renew(hub, role, times=3)
    refusal = installed.refuses(hub.export(medium, publish=False))
    assert (refusal.code, refusal.subject) == ("role-forked", role)


def test_t0_79_whoever_a_role_was_given_to_continues_it(
    hub: HubOnPaper, installed: SiteOnPaper, medium: Path
) -> None:
    """With new keys TUF compares with nothing; what is kept here was seen all the same."""
    before = hub.repository.current[TEAM_ROLE]
    with_people(hub)
    installed.take(hub.export(medium))
    hub.repository.holders[TEAM_ROLE] = (2, ("nora", "nils", "nina"))
    with hub.repository.next("targets") as signed:
        hub.repository.delegate(signed, TEAM_ROLE)
    went_back(hub, TEAM_ROLE, before)
    with_people(hub, "dirk", "erik")
    renew(hub, TEAM_ROLE)
    refusal = installed.refuses(hub.export(medium))
    assert (refusal.code, refusal.subject) == ("role-forked", TEAM_ROLE)


def split(hub: HubOnPaper, medium: Path) -> tuple[tuple[Path, VersionId], tuple[Path, VersionId]]:
    """Two of four stewards sign one version and the other two another: nobody signed twice."""
    hub.repository.holders[TEAM_ROLE] = (2, STEWARDS)
    with hub.repository.next("targets") as signed:
        hub.repository.delegate(signed, TEAM_ROLE)
    before = hub.repository.current[TEAM_ROLE]
    one = with_people(hub)
    first = hub.export(medium)
    went_back(hub, TEAM_ROLE, before)
    hub.repository.holders[TEAM_ROLE] = (2, STEWARDS[2:])
    other = with_people(hub, "dirk", "erik")
    return (first, named(one)), (hub.export(medium), named(other))


def test_t0_03_of_two_versions_of_one_number_a_site_keeps_the_one_that_it_took(
    hub: HubOnPaper, installed: SiteOnPaper, medium: Path
) -> None:
    (first, _), (second, _) = split(hub, medium)
    installed.take(first)
    assert installed.refuses(second).code == "role-forked"
    renew(hub, TEAM_ROLE, times=2)  # a later one does not make it better
    assert installed.refuses(hub.export(medium)).code == "role-forked"


def test_t0_04_what_a_later_version_sets_aside_gives_way_and_is_said(
    hub: HubOnPaper, installed: SiteOnPaper, medium: Path
) -> None:
    (first, one), _ = split(hub, medium)
    installed.take(first)
    said = renew(hub, TEAM_ROLE, one).signed.version
    newest = named(renew(hub, TEAM_ROLE, times=3))  # by an ancestor, then
    installed.take(hub.export(medium))
    words = (
        f"{TEAM_ROLE}: {one}, which this site went by, is given up: version {said} set it aside. "
        f"This site goes by {newest} from now on, which svea and sven signed."
    )
    assert remarks(installed) == [words]
    assert words in installed.told
    installed.take(hub.export(medium))
    assert remarks(installed) is None


def test_t0_87_who_never_saw_what_is_set_aside_is_told_nothing(
    hub: HubOnPaper, installed: SiteOnPaper, medium: Path
) -> None:
    (_, one), (second, _) = split(hub, medium)
    installed.take(second)
    renew(hub, TEAM_ROLE, one)
    installed.take(hub.export(medium))
    assert remarks(installed) is None


def test_t0_88_a_published_version_that_was_lost_is_set_aside_by_number_and_digest(
    hub: HubOnPaper, installed: SiteOnPaper, medium: Path
) -> None:
    """A hub restored from yesterday, whose dispatcher was told of the number that got lost."""
    role = f"site.{SITE}"
    before = hub.repository.current[role]
    lost = named(renew(hub, role))
    installed.take(hub.export(medium, publish=False))
    went_back(hub, role, before)
    version = lost.version + 1
    hub.repository.publish(role, hub.repository.draft(role, set_aside=[lost], version=version))
    installed.take(hub.export(medium, publish=False))
    assert str(remarks(installed)).count(f"{lost}, which this site went by") == 1


def test_t0_102_a_site_ten_unlinked_and_ten_linked_versions_behind_catches_up_in_one_bundle(
    tmp_path: Path, medium: Path
) -> None:
    hub, site = before_links(tmp_path)
    site.take(hub.export(medium))
    for linked in (False, True):
        hub.repository.links = linked
        for role in (*PEOPLE_ROLES, RECALL):
            renew(hub, role, times=10)
    folder = hub.export(medium, publish=False)
    site.take(folder)
    assert remarks(site) is None
    values = len((folder / layout.lineage_file(TEAM_ROLE)).read_bytes())
    assert values < 10 * 300  # and not ten files
    for role in (*PEOPLE_ROLES, RECALL):
        renew(hub, role, times=10)
    site.take(hub.export(medium, publish=False))


def before_links(tmp_path: Path) -> tuple[HubOnPaper, SiteOnPaper]:
    """A hub and a site from before any version named what it follows."""
    hub = HubOnPaper(tmp_path, links=False)
    hub.assign(hub.promote(1))
    site = SiteOnPaper(tmp_path / "site", hub.now)
    site.enrol(hub)
    return hub, site


def test_t0_06_a_site_goes_by_numbers_up_to_the_first_link_and_never_again(
    tmp_path: Path, medium: Path
) -> None:
    hub, site = before_links(tmp_path)
    folder = hub.export(medium)
    assert not list(folder.glob("metadata/*.lineage.json"))
    site.take(folder)
    before = hub.repository.current[TEAM_ROLE]
    renew(hub, TEAM_ROLE)
    site.take(hub.export(medium))
    went_back(hub, TEAM_ROLE, before)
    renew(hub, TEAM_ROLE, times=2)
    site.take(hub.export(medium))  # as it was before links, which could not tell
    hub.repository.links = True
    linked = renew(hub, TEAM_ROLE, times=2)
    site.take(hub.export(medium))
    hub.repository.links = False
    renew(hub, TEAM_ROLE)
    del hub.repository.current[TEAM_ROLE].signed.unrecognized_fields["x-sealift-follows"]
    renew(hub, TEAM_ROLE)
    refusal = site.refuses(hub.export(medium))
    assert refusal.code == "role-forked"
    assert f"{named(linked)} is known here" in refusal.what


def test_t0_07_a_gap_is_refused_by_name(
    hub: HubOnPaper, installed: SiteOnPaper, medium: Path
) -> None:
    renew(hub, TEAM_ROLE, times=3)
    gone = layout.lineage_name(TEAM_ROLE)

    def without(contents: Contents) -> Contents:
        left = {name: data for name, data in contents.metadata.items() if name != gone}
        return replace(contents, metadata=left)

    refusal = installed.refuses(hub.export(medium, edit=without))
    assert (refusal.code, refusal.subject) == ("lineage-missing", TEAM_ROLE)
    assert "descends from version" in refusal.what
    installed.take(hub.export(medium))


def test_t0_131_a_lineage_with_one_byte_changed_is_refused(
    hub: HubOnPaper, installed: SiteOnPaper, medium: Path
) -> None:
    """Also in what is said of versions that this site has long gone past."""
    renew(hub, TEAM_ROLE, times=2)
    folder, path = hub.export(medium), layout.lineage_file(TEAM_ROLE)
    whole = (folder / path).read_bytes()
    for place in range(5, len(whole), len(whole) // 12):
        changed = bytearray(whole)
        changed[place] ^= 1
        (folder / path).write_bytes(changed)
        relist(folder, hub, path)
        installed.refuses(folder)
    (folder / path).write_bytes(whole)
    relist(folder, hub, path)
    installed.take(folder)


def test_t0_132_a_version_that_follows_itself_is_refused(
    hub: HubOnPaper, installed: SiteOnPaper, medium: Path
) -> None:
    draft = hub.repository.draft(TEAM_ROLE)
    said = dict(draft.signed.unrecognized_fields["x-sealift-follows"])
    draft.signed.unrecognized_fields["x-sealift-follows"] = said | {"version": draft.signed.version}
    hub.repository.publish(TEAM_ROLE, draft)
    hub.repository.links = False
    assert installed.refuses(hub.export(medium)).code == "follows-itself"


def rotated(hub: HubOnPaper, key: str, base: Metadata[Any], *aside: VersionId) -> Metadata[Any]:
    """Root after `base`: the timestamp's key is another one."""
    went_back(hub, "root", base)
    draft = hub.repository.draft("root", set_aside=aside)
    for keyid in list(draft.signed.roles["timestamp"].keyids):
        draft.signed.revoke_key(keyid, "timestamp")
    draft.signed.add_key(publishing.named_key(hub.keys.public(key), key), "timestamp")
    hub.repository.holders["timestamp"] = (1, (key,))
    hub.repository.publish("root", draft)
    return hub.repository.current["root"]


def test_t0_09_a_root_that_was_set_aside_gives_way_to_the_other_of_its_number(
    hub: HubOnPaper, installed: SiteOnPaper, medium: Path
) -> None:
    base = hub.repository.current["root"]
    lost = named(rotated(hub, "t-2", base))
    installed.take(hub.export(medium))
    rotated(hub, "t-3", base)
    assert installed.refuses(hub.export(medium)).code == "root-forked"
    other = named(rotated(hub, "t-3", base, lost))
    installed.take(hub.export(medium))
    assert f"root: {lost}, which this site went by, is given up: {other} set it aside" in str(
        remarks(installed)
    )
    installed.take(hub.export(medium))
    assert remarks(installed) is None


def test_t0_138_keys_that_a_root_took_away_cannot_set_it_aside(
    hub: HubOnPaper, installed: SiteOnPaper, medium: Path
) -> None:
    """The thief for whose sake root was given to others holds the keys of the root before."""
    base = hub.repository.current["root"]
    hub.repository.rotate("root", 2, "nora", "nils", "nina")
    lost = named(hub.repository.current["root"])
    installed.take(hub.export(medium))
    hub.repository.holders["root"] = (2, ("rosa", "rolf", "ruth"))
    rotated(hub, "t-3", base, lost)
    refusal = installed.refuses(hub.export(medium))
    assert (refusal.code, refusal.subject) == ("no-key", "root")


def test_t0_139_the_same_root_with_another_holders_signature_is_no_fork(
    hub: HubOnPaper, installed: SiteOnPaper, medium: Path
) -> None:
    root = rotated(hub, "t-2", hub.repository.current["root"])
    installed.take(hub.export(medium))
    publishing.sign(root, [hub.keys["ruth"]])
    hub.repository.store("root", publishing.to_bytes(root), root)
    installed.take(hub.export(medium))


def recalled_by(hub: HubOnPaper, officer: str, *digests: str) -> None:
    """A safety officer recalls, over whatever list is the hub's newest."""
    made = tuple(Recall(f"r-{one[:4]}", one, "Wrong.", moment(hub.now)) for one in digests)
    data = hub.documents[RECALL_PATH] = shape.write(RecallList(1, (), made))
    draft = hub.repository.draft(RECALL)
    publishing.list_document(draft.signed, RECALL_PATH, data)
    hub.repository.publish(RECALL, draft, signers=[hub.keys[officer]])


def two_officers(hub: HubOnPaper) -> Metadata[Any]:
    hub.repository.holders[RECALL] = (1, ("olga", "otto"))
    with hub.repository.next("targets") as signed:
        hub.repository.delegate(signed, RECALL)
    return hub.repository.current[RECALL]


@pytest.mark.parametrize("officers", [("olga", "otto"), ("otto", "olga")])
def test_t0_08_two_officers_recall_over_one_base_and_both_recalls_count(
    hub: HubOnPaper, installed: SiteOnPaper, medium: Path, officers: tuple[str, str]
) -> None:
    base, folders = two_officers(hub), []
    for officer, digest in zip(officers, ("a" * 64, "b" * 64), strict=True):
        went_back(hub, RECALL, base)
        recalled_by(hub, officer, digest)
        folders.append(hub.export(medium))
    for folder in folders:
        installed.take(folder)
    assert "recall has forked" in str(remarks(installed))
    with installed.opened() as opened:
        assert {"a" * 64, "b" * 64} <= opened.state.recalls().keys()


def test_t0_135_an_older_list_of_recalls_is_taken_and_takes_nothing_back(
    hub: HubOnPaper, installed: SiteOnPaper, medium: Path
) -> None:
    """A hub restored from yesterday carries models and yesterday's list."""
    older, document = hub.repository.current[RECALL], hub.documents[RECALL_PATH]
    recalled_by(hub, "olga", "a" * 64)
    newer = named(hub.repository.current[RECALL])
    installed.take(hub.export(medium))
    hub.documents[RECALL_PATH] = document
    forge_snapshot(hub, RECALL, older.signed.version)
    went_back(hub, RECALL, older)
    folder = hub.export(medium, refresh=False)
    installed.take(folder)
    assert f"version {newer.version} was already seen" in str(remarks(installed))
    with installed.opened() as opened:
        assert "a" * 64 in opened.state.recalls()
        kept = opened.state.trusted()["targets", RECALL]
        assert kept == hub.repository.files[f"{newer.version}.{RECALL}.json"]
        floors = {role: n for (_, role, _), n in opened.state.floors().items()}
        assert floors[RECALL] == newer.version
    installed.take(hub.export(medium, refresh=False))


def test_t0_136_a_gap_among_lists_of_recalls_is_said(
    hub: HubOnPaper, installed: SiteOnPaper, medium: Path
) -> None:
    recalled_by(hub, "olga", "a" * 64)
    recalled_by(hub, "olga", "a" * 64, "b" * 64)
    recalled_by(hub, "olga", "a" * 64, "b" * 64, "c" * 64)
    folder, path = hub.export(medium), layout.lineage_file(RECALL)
    (folder / path).write_bytes(b"{}")
    relist(folder, hub, path)
    installed.take(folder)
    assert "recall" in str(remarks(installed))
    assert "All that was ever recalled stays recalled." in str(remarks(installed))
