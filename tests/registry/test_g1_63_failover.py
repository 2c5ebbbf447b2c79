"""A failover that lost acknowledged entries: no fork, and it ends when two people say so."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest

from sealift_registry.audit import restored_backup
from sealift_registry.audit.newest_checkpoint import PLACE, NewestCheckpoint, notes
from sealift_registry.audit.restored_backup import RestoredHubError
from sealift_registry.cli.run import run
from sealift_registry.trust import hub_drafts, key_rotation
from sealift_registry.trust.hub_drafts import Wanted
from sealift_signing import gate
from sealift_signing.errors import FailedError, NotSignedEnoughError, RefusedError, SealiftError
from sealift_signing.transparency.checkpoint import claimed
from tests.registry.hub_fixture import Acme, copied
from tests.registry.hubs_on_postgres import another_home, fail_over, moved
from tests.registry.signing_people import carry_out, sign
from tests.servers.postgres import Database, postgres
from tests.site_on_paper import SiteOnPaper


class Lossy(NamedTuple):
    """A hub in two homes, whose server is about to lose what both have acknowledged last."""

    one: Acme
    other: Acme
    plant: SiteOnPaper
    database: Database
    older: Database

    def fails_over(self) -> None:
        fail_over(self.database, self.older)


def noted(acme: Acme) -> None:
    """An entry that says nothing."""
    hub = acme.app.hub
    hub.log.commit_entry(hub.entry("work.resumed", "hub", {}))


def size(acme: Acme) -> int:
    return len(acme.types())


@pytest.fixture
def lossy(assigned: Path, tmp_path: Path) -> Iterator[Lossy]:
    database = postgres().migrated()
    one = copied(assigned, tmp_path / "one")
    plant = SiteOnPaper(tmp_path / "one/site", datetime.now(UTC))
    moved(one, database)
    older = database.copy()
    with another_home(one, tmp_path / "other") as other:
        for each in (other, one, other, one):
            noted(each)
        yield Lossy(one, other, plant, database, older)
    one.close()


def refused(act: Callable[[], object]) -> SealiftError:
    with pytest.raises(RestoredHubError, match="failed over") as caught:
        act()
    assert caught.value.code == "hub-restored"
    assert "sealift key rotate log" in caught.value.next_step
    return caught.value


def test_g1_63_neither_home_signs_in_a_database_that_lost_something(lossy: Lossy) -> None:
    before = size(lossy.one)
    lossy.fails_over()
    for each in (lossy.one, lossy.other, lossy.one):
        with pytest.raises((RestoredHubError, FailedError)) as caught:
            noted(each)
        assert caught.value.code in {"hub-restored", "database-unreachable"}
    refused(lambda: noted(lossy.one))
    refused(lambda: noted(lossy.other))
    assert size(lossy.one) == before - 4
    with lossy.one.app.hub.reading() as connection:
        assert restored_backup.is_remembered(connection)


def test_g1_63_a_home_that_knew_less_is_told_by_the_database(lossy: Lossy, tmp_path: Path) -> None:
    lossy.fails_over()
    with pytest.raises((RestoredHubError, FailedError)):
        noted(lossy.one)
    refused(lambda: noted(lossy.one))
    with another_home(lossy.one, tmp_path / "third") as third:
        assert not (third.root / "newest-checkpoint").exists()
        refused(lambda: noted(third))


def test_g1_63_a_process_that_starts_afterwards_knows_it(
    lossy: Lossy, capsys: pytest.CaptureFixture[str]
) -> None:
    lossy.one.close()
    lossy.other.close()
    lossy.fails_over()
    home = ["--home", str(lossy.one.root)]
    assert run([*home, "next"]) == 0
    told = capsys.readouterr()
    assert "failed over" in told.out
    assert "sealift key rotate log" in told.out
    for question in ("verify", "fsck"):
        assert run([*home, "audit", question]) == 1
        told = capsys.readouterr()
        assert "entries that were signed and seen" in told.out
        assert "sealift key rotate log" in told.err
    refused(lambda: noted(lossy.other))


def test_g1_63_it_refuses_where_the_database_cannot_be_told(lossy: Lossy) -> None:
    lossy.one.close()
    lossy.fails_over()
    lossy.database.run("REVOKE INSERT ON sealift.seen_ahead FROM sealift_app")
    for _ in range(2):
        refused(lambda: noted(lossy.one))
    with lossy.one.app.hub.reading() as connection:
        assert not restored_backup.is_remembered(connection)
    lossy.one.close()


def test_g1_63_without_the_file_it_would_fork(lossy: Lossy) -> None:
    """What the file is for: the same failover, and a home that remembers nothing."""
    lossy.one.close()
    lossy.other.close()
    lossy.fails_over()
    (lossy.one.root / "newest-checkpoint").unlink()
    noted(lossy.one)


# ---------------------------------------------------------------------- how it ends


def rotation(acme: Acme) -> Wanted:
    with acme.app.hub.reading() as connection:
        return key_rotation.wanted(acme.app.hub, connection, "log", "retired")


def test_g1_63_two_people_give_up_what_is_lost_and_work_goes_on(lossy: Lossy) -> None:
    acme, plant = lossy.one, lossy.plant
    lost = size(acme)
    plant.take(acme.export().folder)  # the site has seen all of it
    shutil.rmtree(acme.medium)
    lost = size(acme)
    acme.close()
    lossy.other.close()
    lossy.fails_over()
    there = size(acme)
    wanted = rotation(acme)
    assert wanted.facts["lost"] == (str(lost),)
    with pytest.raises(NotSignedEnoughError, match="2 people sign that, and 1 did"):
        carry_out(acme.app, wanted, [acme.signer("fleet-1")])
    with pytest.raises(NotSignedEnoughError, match="2 people sign that, and 1 did"):
        carry_out(acme.app, wanted, [acme.signer("fleet-1"), acme.signer("fleet-1")])
    assert size(acme) == there
    people = [acme.signer("fleet-1"), acme.signer("fleet-2")]
    with acme.app.hub.reading() as connection:
        made = hub_drafts.draft(acme.app.hub, connection, wanted)
    # Each signs elsewhere, and the two files come back together.
    done = acme.app.submit(sign(made, wanted.ask, people, acme.app.hub.now()), at_hub=False)
    assert any("given up" in line for line in done.lines)
    noted(acme)
    # The number of the bundle that was lost is used again, and the site, which had it, says so.
    with pytest.raises(RefusedError, match="was imported before"):
        plant.take(acme.export().folder)
    shutil.rmtree(acme.medium)
    plant.take(acme.export().folder)
    acme.app.returns.receive(acme.returned(plant))
    acme.close()
    assert run(["--home", str(acme.root), "audit", "verify"]) == 0
    # The other home has the old key, and says so until the new one is brought there.
    with pytest.raises(SealiftError):
        noted(lossy.other)
    lossy.other.close()
    shutil.rmtree(lossy.other.root / "keys")
    shutil.copytree(acme.root / "keys", lossy.other.root / "keys")
    noted(lossy.other)


def test_g1_63_whoever_signs_is_told_what_is_given_up(lossy: Lossy) -> None:
    lost = size(lossy.one)
    lossy.one.close()
    lossy.fails_over()
    hub = lossy.one.app.hub
    wanted = rotation(lossy.one)
    with hub.reading() as connection:
        made = hub_drafts.draft(hub, connection, wanted)
    key = lossy.one.public("fleet-1")
    words = "\n".join(gate.examine(made, wanted.ask, None, hub.now(), key).words)
    assert f"a log of {lost} entries was signed" in words
    assert f"goes on from its {size(lossy.one)} entries" in words


def test_g1_63_a_draft_from_before_is_signed_for_nothing(lossy: Lossy) -> None:
    """Its words do not say that anything is lost, however many sign it."""
    wanted = rotation(lossy.one)
    hub = lossy.one.app.hub
    with hub.reading() as connection:
        made = hub_drafts.draft(hub, connection, wanted)
    people = [lossy.one.signer("fleet-1"), lossy.one.signer("fleet-2")]
    signed = sign(made, wanted.ask, people, hub.now())
    lossy.one.close()
    lossy.fails_over()
    with pytest.raises(RefusedError, match="does not say what is known by now") as caught:
        lossy.one.app.submit(signed, at_hub=False)
    assert caught.value.code == "draft-of-other-losses"


# ---------------------------------------------------------------------- the file


def test_g1_63_processes_of_one_home_never_set_it_back(lossy: Lossy) -> None:
    hub = lossy.one.app.hub
    with lossy.one.another() as second:
        for each in (second, lossy.one, second):
            noted(each)
        kept = max(claimed(note).size for note in notes(lossy.one.root / "newest-checkpoint"))
        assert kept == size(lossy.one)
        older = min(notes(hub.home.newest_checkpoint), key=lambda one: claimed(one).size)
        file = hub.home.newest_checkpoint.read_bytes()
        key, origin = hub.online.public("log"), claimed(older).origin
        mine = NewestCheckpoint(hub.home.newest_checkpoint)
        found = mine.newest(key, origin, tuple)
        assert found is not None
        mine.keep(found._replace(note=older, said=claimed(older)), key, origin)
        assert hub.home.newest_checkpoint.read_bytes() == file


def _notes_of(data: bytes) -> list[bytes]:
    return [
        data[n : n + PLACE].rstrip(b"\n") + b"\n" for n in (0, PLACE) if data[n : n + 1] != b"\n"
    ]


@pytest.mark.parametrize("cut", [0, 1, 100, 200])
def test_g1_63_a_write_that_was_cut_leaves_what_was_there(lossy: Lossy, cut: int) -> None:
    hub = lossy.one.app.hub
    path = hub.home.newest_checkpoint
    first = path.read_bytes()
    noted(lossy.one)
    after = path.read_bytes()
    (changed,) = [n for n in (0, PLACE) if first[n : n + PLACE] != after[n : n + PLACE]]
    before = max(map(claimed, _notes_of(first)), key=lambda one: one.size)
    path.write_bytes(after[: changed + cut] + first[changed + cut :])
    key, origin = hub.online.public("log"), before.origin
    found = NewestCheckpoint(path).newest(key, origin, tuple)
    assert found is not None
    assert found.said == before
    noted(lossy.one)


def test_g1_63_what_no_key_of_ours_signed_stops_the_hub(lossy: Lossy) -> None:
    path = lossy.one.app.hub.home.newest_checkpoint
    lossy.one.close()
    path.write_bytes(b"x" * 2 * PLACE)
    with pytest.raises(FailedError, match="no key of this hub's log") as caught:
        noted(lossy.one)
    assert caught.value.code == "newest-checkpoint-unusable"
    path.unlink()
    path.mkdir()
    with pytest.raises(FailedError):
        noted(lossy.one)


def test_g1_63_an_older_file_is_noticed_while_the_process_runs(lossy: Lossy) -> None:
    path = lossy.one.app.hub.home.newest_checkpoint
    old = path.read_bytes()
    noted(lossy.one)
    lossy.other.close()
    path.write_bytes(old)
    fail_over(lossy.database, lossy.older)
    with pytest.raises((RestoredHubError, FailedError)):
        noted(lossy.one)
    refused(lambda: noted(lossy.one))
