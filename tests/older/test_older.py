"""What lay on disks before drafts and links goes on, or is refused with what brings it forward."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import insert
from tuf.api.metadata import Metadata, Targets

from sealift_registry.trust.stored import stored
from sealift_registry.trust.tables import tuf_metadata
from sealift_signing import publishing
from tests.desk.days import Days
from tests.older.unpacking import extract

ARCHIVE = Path(__file__).with_name("c2b2927.tar.xz")
MADE = datetime(2026, 11, 29, 19, 30, tzinfo=UTC)
"""When it was made, with half an hour to be sure; bundles are fresh for 30 days."""
CPU = "cpu-x86_64"
STEWARDS = ("anna", "ben")


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("older")
    extract(ARCHIVE, folder)
    return folder / "older"


@pytest.fixture
def days(unpacked: Path, tmp_path: Path) -> Iterator[Days]:
    """The older homes, a day after they were last used; people sign at desks of their own."""
    folder = tmp_path / "older"
    shutil.copytree(unpacked, folder, symlinks=True)
    (folder / "off").rename(folder / "offline")
    (folder / "people").mkdir()
    for key in folder.glob("*.pem*"):
        key.rename(folder / "people" / key.name)
    made = Days(folder)
    made.clock.time = MADE
    made.later(days=1)
    yield made
    made.close()


def linked(days: Days, role: str) -> bool:
    """Whether the newest version of a role names what it follows."""
    acme = days.acme
    with acme.app.hub.reading() as connection:
        head = stored(connection).head(role)
    acme.close()
    return head.follows is not None


def unlinked(days: Days, role: str, people: Sequence[str], count: int) -> None:
    """Renewals as they were signed then, with a number and nothing else."""
    acme = days.acme
    signers = [acme.signer(name) for name in people]
    with acme.app.hub.engine.begin() as connection:
        data = stored(connection).head(role).data
        found = Metadata[Targets].from_bytes(data)
        for _ in range(count):
            found.signed.version += 1
            found.signatures.clear()
            publishing.sign(found, signers)
            row = {"role": role, "version": found.signed.version}
            connection.execute(insert(tuf_metadata).values(**row, body=publishing.to_bytes(found)))
    acme.close()


READING = (
    *("next", "list", "show vision/tiny/1", "show P-2", "show plant-7", "show plant-7-000002"),
    *("list sites", "list promotions", "list hardware-targets", "team list", "audit list"),
    *("audit verify", "audit fsck", "key show people/anna.pem.pub"),
)


def test_t0_60_every_command_that_reads_reads_an_older_home(days: Days) -> None:
    for line in READING:
        days.hub(line)
    days.hub("list", home="solo")
    days.hub("audit fsck", home="solo")
    for line in ("status", "audit list", "audit verify", "audit fsck", "fsck", "verify medium"):
        days.site(line, "plant-7")


def test_t0_61_a_bundle_of_then_is_imported_now_and_the_next_one_too(days: Days) -> None:
    done = days.site("import medium", "plant-7")
    assert [one["outcome"] for one in done["receipt"]["artifacts"]] == ["installed", "installed"]
    days.site("return --to medium", "plant-7")
    (home,) = days.hub("receive medium")["returns"]
    assert len(home["receipts"]) == 2
    assign = (
        f"assign plant-7 vision/tiny/1 --for line-1={CPU} --back --reason better "
        "--key offline/dispatcher-1.pem"
    )
    assert "--alone" in days.hub(assign, code=3)["next"]
    days.first_trusts()
    days.hub(assign)
    days.hub("export plant-7 --to medium --key offline/dispatcher-1.pem")
    days.site("import medium", "plant-7")
    assert days.site("status", "plant-7")["runs"][0]["version"] == 1


def test_t0_62_the_chain_of_a_role_starts_with_its_next_version(days: Days) -> None:
    anna, ben = days.trusting(*STEWARDS)
    assert not linked(days, "team.vision")
    days.person("gina").card()
    days.carry_out("team approver vision gina.card", anna, ben)
    assert linked(days, "team.vision")
    targets = days.trusting("targets-1", "targets-2")
    for role, holders in (
        ("targets", targets),
        ("root", days.trusting("root-1", "root-2")),
        ("fleet", days.trusting("fleet-1")),
        ("recall", days.trusting("recall-1")),
    ):
        days.carry_out(f"renew {role}", *holders)
        assert linked(days, role)
    dispatcher = days.trusting("dispatcher-1")
    days.carry_out("renew site.plant-7", *dispatcher)
    assert days.hub("audit fsck")["ok"]
    # The site goes on, over its unlinked versions, and from then on by the links.
    days.site("import medium", "plant-7")
    days.hub("export plant-7 --to medium --key offline/dispatcher-1.pem")
    days.site("import medium", "plant-7")
    days.later(days=1)
    days.carry_out("renew team.vision", anna, ben)
    days.hub("export plant-7 --to medium --key offline/dispatcher-1.pem")
    days.site("import medium", "plant-7")
    days.site("audit fsck", "plant-7")


def test_t0_63_a_site_ten_unlinked_and_ten_linked_versions_behind(days: Days) -> None:
    """Numbers up to where the chain starts, and links from there on; in one bundle."""
    unlinked(days, "team.vision", STEWARDS, 10)
    anna, ben = days.trusting(*STEWARDS)
    for _ in range(10):
        days.carry_out("renew team.vision", anna, ben)
        days.later(hours=2)
    days.hub("export plant-8 --to medium --key offline/dispatcher-1.pem")
    days.site("import medium", "plant-8")
    assert days.hub("audit fsck")["ok"]
    # From then on numbers are not enough for it.
    days.later(days=1)
    days.carry_out("renew team.vision", anna, ben)
    days.hub("export plant-8 --to medium --key offline/dispatcher-1.pem")
    days.site("import medium", "plant-8")


def test_t0_64_what_was_asked_for_then_is_approved_now(days: Days) -> None:
    """The approval that it had counts, beside one that was made at a desk."""
    (emil,) = days.trusting("emil")
    days.carry_out("approve P-3 --meaning validated --reason tested", emil)
    assert "production" in json.dumps(days.hub("show P-3"))
    assert days.hub("show P-3")["listed"]


def test_t0_68_of_four_stewards_two_sufficed_and_that_is_shown(days: Days) -> None:
    fran, gus, hal = days.trusting("fran", "gus", "hal")
    days.person("carla").card()
    export = "export plant-8 --to medium --key offline/dispatcher-1.pem"
    (told,) = days.hub(export)["unprotected"]
    assert "sound" in told
    days.carry_out("team approver sound carla.card", fran, gus)
    targets = days.trusting("targets-1", "targets-2")
    days.later(hours=2)
    days.carry_out("team stewards sound fran gus hal", *targets)
    days.carry_out("renew team.sound", gus, hal)
    assert days.hub(export)["unprotected"] == []


@pytest.mark.parametrize(
    "line",
    [
        "team add light --steward anna=people/anna.pem.pub",
        "team approver vision people/emil.pem.pub",
        "team requester vision emil=people/emil.pem.pub",
    ],
)
def test_t0_65_a_key_without_a_card_is_refused_with_what_makes_one(days: Days, line: str) -> None:
    code = 3 if "=" in line else 2
    assert "sealift key card PERSON --key FILE" in days.hub(line, code=code)["next"]


def test_t0_66_a_dispatcher_of_the_settings_is_passed_over_and_the_option_is_told(
    days: Days,
) -> None:
    days.site(f"init --id plant-9 --group line-1={CPU} --request asked", "plant-9")
    refused = days.hub("site enroll asked --stage production --answer answer", code=2)
    assert "--dispatcher" in refused["next"]
    days.hub("next")


def test_t0_67_the_solo_home_goes_on(days: Days) -> None:
    for line in ("team add vision", "renew root", "renew targets"):
        days.hub(line, home="solo")
    days.hub("audit fsck", home="solo")


def test_f2_126_what_its_hub_signed_by_itself_is_pruned_and_nothing_of_it_is_missed(
    days: Days,
) -> None:
    """The first command does it; copies that are superseded go with the next publishing."""
    metadata = days.folder / "hub" / "metadata"
    assert len(list(metadata.glob("*.snapshot.json"))) > 1
    said = days.hub("audit fsck")
    assert said["ok"]
    assert said["pruned"] > 3
    anna, ben = days.trusting(*STEWARDS)
    days.carry_out("renew team.vision", anna, ben)
    assert days.hub("audit fsck")["pruned"] == said["pruned"] + 2
    roles = [path.name.split(".", 1)[1] for path in metadata.iterdir()]
    assert sorted(roles) == sorted(set(roles)), "the newest of each; of root there is one"
    assert "1.root.json" in {path.name for path in metadata.iterdir()}
    days.hub("export plant-7 --to medium --key offline/dispatcher-1.pem")
    days.site("import medium", "plant-7")
