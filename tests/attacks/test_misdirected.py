"""Bundles that are right, and not for this site; and a hub that says they are."""

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from sealift_signing import dsse, statements
from sealift_sync.bundle.writer import Contents
from tests.hub_on_paper import GROUP, HubOnPaper, resign
from tests.site_on_paper import SiteOnPaper


def test_a1_05_another_sites_bundle(hub: HubOnPaper, site: SiteOnPaper, medium: Path) -> None:
    hub.add_site("ship-2")
    hub.assign(hub.promote(1), site="ship-2")
    folder = hub.export(medium, "ship-2")
    refusal = site.refuses(folder)
    assert refusal.code == "another-site"
    assert "ship-2" in refusal.what
    assert "plant-7" in refusal.what


def test_a1_05_another_sites_bundle_readdressed(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    hub.add_site("ship-2")
    hub.assign(hub.promote(1), site="ship-2")
    folder = hub.export(medium, "ship-2")
    resign(folder, hub, site="plant-7", enrolment=hub.enrolments["plant-7"])
    assert "site.plant-7 of version 1 is missing" in site.refuses(folder).what


def test_a1_05_an_earlier_enrolments_bundle(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, tmp_path: Path
) -> None:
    hub.assign(hub.promote(1))
    earlier = hub.export(medium)
    anew = SiteOnPaper(tmp_path / "anew", hub.now)
    anew.enrol(hub)
    refusal = anew.refuses(earlier)
    assert refusal.code == "another-enrolment"
    assert "another enrolment of plant-7" in refusal.what


def test_a1_05_an_earlier_enrolments_assignment_in_a_new_transfer(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, tmp_path: Path
) -> None:
    hub.assign(hub.promote(1))
    hub.publish_assignment()
    anew = SiteOnPaper(tmp_path / "anew", hub.now)
    anew.enrol(hub)
    folder = hub.export(medium, publish=False)
    assert anew.refuses(folder).what.startswith("The assignment is for another enrolment")


def test_a1_05_another_organisations_bundle(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, tmp_path: Path
) -> None:
    other = HubOnPaper(tmp_path / "other")
    other.enrolments = dict(hub.enrolments)
    other.assign(other.promote(1))
    refusal = site.refuses(other.export(medium))
    assert refusal.code == "another-organisation"
    assert other.organisation[:12] in refusal.what


def test_a1_05_another_organisations_bundle_that_claims_ours(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, tmp_path: Path
) -> None:
    other = HubOnPaper(tmp_path / "other")
    other.enrolments = dict(hub.enrolments)
    other.assign(other.promote(1))
    refusal = site.refuses(other.export(medium, organisation=hub.organisation))
    assert refusal.code == "root-differs"
    assert "Root 1" in refusal.what


def test_a1_05_a_transfer_that_another_key_than_the_dispatchers_signed(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    hub.assign(hub.promote(1))
    refusal = site.refuses(hub.export(medium, by="hub-snapshot"))
    assert refusal.code == "transfer-not-by-dispatcher"


def test_a1_05_a_transfer_about_another_assignment(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    hub.assign(hub.promote(1))
    about = statements.subject("sites/plant-7/assignment.json", "a" * 64)
    assert site.refuses(hub.export(medium, about=about)).code == "transfer-of-another"


def test_a1_05_a_transfer_dated_ahead(hub: HubOnPaper, site: SiteOnPaper, medium: Path) -> None:
    hub.assign(hub.promote(1))
    refusal = site.refuses(hub.export(medium, made=hub.ahead(days=2)))
    assert refusal.code == "transfer-dated-ahead"


def test_a1_05_a_format_or_feature_of_the_future(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    hub.assign(hub.promote(1))
    folder = hub.export(medium)
    file = folder / "transfer.json"
    payload = dsse.read(file.read_bytes(), what="").payload
    file.write_bytes(
        dsse.sign(
            dsse.IN_TOTO,
            payload.replace(b'"requires":[]', b'"requires":["delta"]'),
            hub.keys["dora"],
        )
    )
    refusal = site.refuses(folder)
    assert "needs the feature 'delta'" in refusal.what


def test_a1_05_a_hub_whose_log_shrank_or_split(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    hub.assign(hub.promote(1))
    site.take(hub.export(medium))
    kept = list(hub.log)
    hub.log = [b"the hub began"]
    assert site.refuses(hub.export(medium, log=hub.note().decode())).code == "hub-log-went-back"
    hub.log = [*kept[:-1], b"another history"]
    folder = hub.export(medium, log=hub.note().decode())
    assert site.refuses(folder).code == "hub-log-forked"


def test_a1_05_a_checkpoint_that_the_hubs_log_key_did_not_sign(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    hub.assign(hub.promote(1))
    hub.keys._signers["hub-log"] = hub.keys["mallory"]
    assert "another key" in site.refuses(hub.export(medium)).what


def test_a1_05_an_artifact_assigned_to_the_wrong_host_group(
    hub: HubOnPaper, medium: Path, tmp_path: Path
) -> None:
    site = SiteOnPaper(tmp_path / "two-groups", hub.now)
    site.enrol(hub, groups={GROUP: "cpu-x86_64", "arm": "cpu-aarch64"})
    good = hub.promote(1)
    hub.targets_of_groups["arm"] = "cpu-aarch64"
    hub.assign(good)
    hub.assign(good, group="arm")
    done = site.take(hub.export(medium))
    fates = {one.group: (one.outcome, one.code) for one in done.receipt.artifacts}
    assert fates == {
        "cpu": ("installed", "installed"),
        "arm": ("held", "wrong-hardware-target"),
    }
    assert site.running(group="arm") is None
    assert site.running() is not None


def test_a1_05_unassigned(hub: HubOnPaper, site: SiteOnPaper, medium: Path) -> None:
    hub.assign(hub.promote(1))
    stowaway = hub.promote(9)

    def smuggle(contents: Contents) -> Contents:
        return replace(
            contents,
            manifests=dict(contents.manifests) | {stowaway.path: hub.manifests[stowaway.path]},
            blobs=contents.blobs | hub.config_digests[stowaway.path],
        )

    held = site.held(hub.export(medium, edit=smuggle))
    assert held[str(stowaway.path)][0] == "not-assigned"
    assert (
        "gives host group cpu of plant-7 no catalog/vision/digits/9" in held[str(stowaway.path)][1]
    )
    assert not (site.root / "store/sha256" / stowaway.sha256).exists()
    weights = sha256(f"the weights of {stowaway.path}".encode()).hexdigest()
    assert not (site.root / "store/sha256" / weights).exists()
    assert site.running() == b"the weights of catalog/vision/digits/1/cpu-x86_64"
