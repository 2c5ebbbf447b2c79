"""A thief of the hub's log key signs a checkpoint far ahead, once; then the key is replaced."""

from pathlib import Path

import pytest

from sealift_signing import documents, shape
from sealift_signing.documents import LOG_STARTS, FleetKeys, LogStart, MachineKey, Status
from sealift_signing.errors import MalformedError
from sealift_sync.site.verifying.log_witness import HUB_CHECKPOINT
from tests.hub_on_paper import HubOnPaper
from tests.site_on_paper import SiteOnPaper
from tests.trust import Keyring

FAR = 10**15


def far_ahead(hub: HubOnPaper, medium: Path) -> Path:
    """A bundle of the thief's, who has the online keys and so can also have it vouched for."""
    return hub.export(medium, log=hub.note(size=FAR).decode())


def replace_key(
    hub: HubOnPaper, name: str = "new-log", size: int | None = 1, status: Status = "compromised"
) -> None:
    """The fleet's administrator says which key follows, and from where on."""
    before = documents.read_fleet_keys(hub.documents["fleet/keys.json"])
    old = next(one for one in before.keys if one.purpose == "log" and one.status == "active")
    others = tuple(one for one in before.keys if one != old)
    starts = None if size is None else LogStart(size, old.key)
    new = MachineKey(hub.public(name), "hub", "log", "active", starts)
    gone = MachineKey(old.key, old.name, "log", status, old.starts)
    required = () if starts is None and not before.requires else (LOG_STARTS,)
    hub.publish_machines(FleetKeys(1, required, (*others, gone, new)))
    hub.log_key = name


@pytest.mark.parametrize("status", ["retired", "compromised"])
def test_t1_01_a_log_counted_far_ahead_has_a_way_out(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, status: Status
) -> None:
    hub.assign(hub.promote(1))
    site.take(hub.export(medium))
    site.take(far_ahead(hub, medium))
    assert site.refuses(hub.export(medium)).code == "hub-log-went-back"

    stolen = hub.note(size=FAR + 1).decode()
    replace_key(hub, status=status)
    site.take(hub.export(medium))
    assert site.refuses(hub.export(medium, log=stolen)).code == "checkpoint-by-another-key"
    old = hub.note().decode()
    site.take(hub.export(medium))
    assert site.refuses(hub.export(medium, log=old)).code == "hub-log-went-back"


def test_t1_01_a_new_log_key_of_which_no_start_is_stated_goes_on_behind_the_old_one(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    hub.assign(hub.promote(1))
    site.take(far_ahead(hub, medium))
    replace_key(hub, size=None)
    refusal = site.refuses(hub.export(medium))
    assert refusal.code == "hub-log-went-back"
    assert str(FAR) in refusal.what


def test_t1_01_a_new_log_key_is_not_taken_below_its_start(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    hub.assign(hub.promote(1))
    site.take(hub.export(medium))
    replace_key(hub, size=5)
    refusal = site.refuses(hub.export(medium))
    assert refusal.code == "hub-log-went-back"
    assert "at least 5" in refusal.what
    hub.log += [b"one", b"two", b"three"]
    site.take(hub.export(medium))


def test_t1_01_a_log_key_that_comes_back_finds_what_was_seen_of_it(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    hub.assign(hub.promote(1))
    site.take(far_ahead(hub, medium))
    replace_key(hub, status="retired")
    site.take(hub.export(medium))
    keys = documents.read_fleet_keys(hub.documents["fleet/keys.json"])
    swapped: dict[str, Status] = {"active": "retired", "retired": "active"}
    again = tuple(
        MachineKey(one.key, one.name, one.purpose, swapped[one.status], one.starts)
        if one.purpose == "log"
        else one
        for one in keys.keys
    )
    hub.publish_machines(FleetKeys(1, keys.requires, again))
    hub.log_key = "hub-log"
    assert site.refuses(hub.export(medium)).code == "hub-log-went-back"


def test_t1_01_what_an_earlier_release_saw_of_the_log_belongs_to_the_key_that_signed_it(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    hub.assign(hub.promote(1))
    site.take(far_ahead(hub, medium))
    with site.opened() as opened, opened.state.transaction():
        (note,) = opened.state.hub_checkpoints().values()
        opened.state.set_fact(HUB_CHECKPOINT, note)
        opened.state.connection.execute("DELETE FROM hub_checkpoint")
    assert site.refuses(hub.export(medium)).code == "hub-log-went-back"
    replace_key(hub)
    site.take(hub.export(medium))
    with site.opened() as opened:
        assert opened.state.fact(HUB_CHECKPOINT) is None
        known = set(opened.state.hub_checkpoints())
    assert known == {hub.public("hub-log"), hub.public("new-log")}


def test_t1_01_where_a_log_starts_is_said_of_logs_and_required() -> None:
    keys = Keyring()
    log, new, scanner = (keys.public(name).text for name in ("log", "new", "scanner"))
    old = MachineKey(log, "hub", "log", "retired")
    scans = MachineKey(scanner, "scanner-1", "scanner", "active")

    def read(*more: MachineKey, requires: tuple[str, ...] = (LOG_STARTS,)) -> FleetKeys:
        return documents.read_fleet_keys(shape.write(FleetKeys(1, requires, (old, scans, *more))))

    right = MachineKey(new, "hub", "log", "active", LogStart(7, log))
    assert read(right).keys[-1] == right
    assert b"starts" not in shape.write(FleetKeys(1, (), (old, scans)))
    for wrong in (
        MachineKey(new, "hub", "log", "active", LogStart(7, scanner)),
        MachineKey(new, "hub", "log", "active", LogStart(7, new)),
        MachineKey(new, "hub", "builder", "active", LogStart(7, log)),
    ):
        with pytest.raises(MalformedError, match="cannot go on with a log"):
            read(wrong)
    with pytest.raises(MalformedError, match="does not require log-starts"):
        read(right, requires=())
