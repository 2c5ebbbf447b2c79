"""Of what the hub signs by itself the newest is kept; of what it superseded, the digest, for ever.

Whoever can write to the database gains nothing by that: each case is an attack that was named
before bodies were pruned, or that pruning could have made possible.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError

from sealift_registry.catalog.reference import VersionRef
from sealift_registry.delivery import exports, finishing, transfer_statement
from sealift_registry.delivery.exports import DraftedBundle
from sealift_registry.trust import catalogs, copies
from sealift_registry.trust.repository import Change, Repository
from sealift_registry.trust.stored import RowError, Rows
from sealift_registry.trust.tables import tuf_metadata, tuf_online_body
from sealift_signing import publishing, roles, version_links
from sealift_sync.bundle import layout, writer
from tests import stores
from tests.registry import signing_people
from tests.registry import test_stored_metadata as rows
from tests.registry.hub_fixture import SITE, STEWARDS, TEAM, Acme, stage
from tests.registry.test_exports_resume import cut_short
from tests.registry.test_hub_cli import Cli
from tests.registry.test_stored_fsck import found
from tests.registry.test_stored_sites import no_triggers
from tests.site_on_paper import SiteOnPaper

CATALOG = roles.catalog_role(TEAM)
ONLINE = (CATALOG, roles.SNAPSHOT, roles.TIMESTAMP)


def list_another(acme: Acme, number: int) -> None:
    """List an artifact that there is not, as the hub lists what was approved."""
    hub = acme.app.hub
    with hub.reading() as connection:
        repository = Repository(connection)
        owner = repository.targets().signed
        catalog = catalogs.following(repository, CATALOG, owner, hub.now())
        path = str(VersionRef(TEAM, "tiny", 1_000 + number).path("cpu-x86_64"))
        listed = publishing.target_file(path, 1, f"{number:064x}")
        catalog.signed.targets[path] = listed
        catalogs.sign(hub.online, catalog, CATALOG, owner)
    hub.commit_change(Change({CATALOG: catalog}), hub.entry("test.listed", "hub", {"n": number}))


def numbers(acme: Acme, role: str) -> tuple[list[int], list[int]]:
    """Every version of a role, and those that have a body; newest first."""
    with acme.app.hub.reading() as connection:
        found_rows = Rows(connection)
        return found_rows.versions(role), found_rows.kept(role)


def body(acme: Acme, role: str) -> bytes:
    with acme.app.hub.reading() as connection:
        data = Rows(connection).metadata(role)
    assert data is not None
    return data


def stored_bytes(acme: Acme) -> int:
    with acme.app.hub.engine.connect() as connection:
        return sum(
            connection.execute(
                select(func.coalesce(func.sum(func.length(t.c.body)), 0))
            ).scalar_one()
            for t in (tuf_metadata, tuf_online_body)
        )


def files(acme: Acme) -> set[str]:
    return {path.name for path in (acme.root / "metadata").iterdir()}


def folder_bytes(acme: Acme) -> int:
    return sum(path.stat().st_size for path in (acme.root / "metadata").iterdir())


# -------------------------------------------------------------------- what is kept


def test_f2_100_the_newest_body_of_each_is_kept_and_every_digest(ready: Acme) -> None:
    for number in range(3):
        list_another(ready, number)
    for role in ONLINE:
        every, kept = numbers(ready, role)
        assert len(every) > 3
        assert every == list(range(every[0], 0, -1))
        assert kept == every[:1]
        with ready.app.hub.reading() as connection:
            noted = Rows(connection).digest(role, every[0])
        assert noted == version_links.digest(rows.newest(ready, role))
    people = (roles.ROOT, roles.TARGETS, roles.FLEET, roles.RECALL, roles.team_role(TEAM))
    for role in (*people, roles.site_role(SITE)):
        every, kept = numbers(ready, role)
        assert kept == every
    assert found(ready)[:3] == [line for line in found(ready) if "nobody approved" in line]


def test_f2_101_what_is_kept_does_not_grow_with_what_was_listed(ready: Acme) -> None:
    """Ten times the listings of the same artifacts take no more than the first ones."""
    list_another(ready, 0)
    before = stored_bytes(ready), folder_bytes(ready), files(ready)
    for number in range(1, 31):
        list_another(ready, number % 2)
    after = stored_bytes(ready), folder_bytes(ready), files(ready)
    assert after[0] < before[0] + 1_000
    assert after[1] < before[1] + 1_000
    assert len(after[2]) == len(before[2])


def test_f2_102_what_people_sign_is_kept_whoever_publishes(ready: Acme) -> None:
    role = roles.team_role(TEAM)
    before = numbers(ready, role)[0]
    ready.later(hours=2)
    ready.renew(role, *STEWARDS)
    every, kept = numbers(ready, role)
    assert every == kept == [before[0] + 1, *before]


@pytest.mark.parametrize("change", ["UPDATE tuf_online_body SET body = x'00'", "newest", "people"])
def test_f2_103_the_database_refuses_that_the_newest_goes_or_any_changes(
    ready: Acme, change: str
) -> None:
    sql = {
        "newest": "DELETE FROM tuf_online_body",
        "people": "DELETE FROM tuf_metadata WHERE version < 1000",
    }.get(change, change)
    before = ready.rows()
    with pytest.raises(IntegrityError), ready.stranger() as connection:
        connection.execute(text(sql))
    assert ready.rows() == before


# -------------------------------------------------------------------- who writes to the database


def newest_body_deleted(acme: Acme) -> None:
    number = numbers(acme, CATALOG)[0][0]
    acme.sql(f"DELETE FROM tuf_online_body WHERE role = '{CATALOG}' AND version = {number}")  # noqa: S608


def older_stands(acme: Acme) -> None:
    """The newest is gone without a trace, and the one before it is as it was."""
    before = rows.newest(acme, CATALOG)
    with acme.app.hub.reading() as connection:
        digest = Rows(connection).digest(CATALOG, before.signed.version)
    list_another(acme, 9)
    rows.drop(acme, CATALOG, before.signed.version + 1)
    rows.drop(acme, CATALOG, before.signed.version)
    rows.put(acme, CATALOG, before)
    assert version_links.digest(before) == digest


def older_stands_of_all(acme: Acme) -> None:
    """So do the snapshot and the timestamp of then: what the hub signs agrees with itself."""
    before = {role: rows.newest(acme, role) for role in ONLINE}
    list_another(acme, 9)
    for role, metadata in before.items():
        rows.drop(acme, role, metadata.signed.version + 1)
        rows.drop(acme, role, metadata.signed.version)
        rows.put(acme, role, metadata)


def snapshot_and_timestamp_of_before(acme: Acme) -> None:
    """No entry of the log names these; what they say of the other roles does not fit."""
    before = {role: rows.newest(acme, role) for role in (roles.SNAPSHOT, roles.TIMESTAMP)}
    list_another(acme, 9)
    for role, metadata in before.items():
        rows.drop(acme, role, metadata.signed.version + 1)
        rows.drop(acme, role, metadata.signed.version)
        rows.put(acme, role, metadata)


def digest_forged(acme: Acme) -> None:
    """Of a version that is pruned, so that nothing is left to compare it with but the log."""
    list_another(acme, 9)
    number = numbers(acme, CATALOG)[0][1]
    acme.sql(
        f"UPDATE tuf_online SET sha256 = '{'ab' * 32}' "  # noqa: S608
        f"WHERE role = '{CATALOG}' AND version = {number}"
    )


def digest_of_the_newest_forged(acme: Acme) -> None:
    """Of a timestamp, which no entry of the log names."""
    number = numbers(acme, roles.TIMESTAMP)[0][0]
    acme.sql(
        f"UPDATE tuf_online SET sha256 = '{'ab' * 32}' "  # noqa: S608
        f"WHERE role = 'timestamp' AND version = {number}"
    )


def digest_deleted(acme: Acme) -> None:
    list_another(acme, 9)
    list_another(acme, 10)
    number = numbers(acme, roles.SNAPSHOT)[0][1]
    acme.sql(f"DELETE FROM tuf_online WHERE role = 'snapshot' AND version = {number}")  # noqa: S608


def invented_digest(acme: Acme) -> None:
    """A version that seems to be pruned, and never was."""
    number = numbers(acme, CATALOG)[0][0] + 1
    acme.sql(f"INSERT INTO tuf_online VALUES ('{CATALOG}', {number}, '{'ab' * 32}')")  # noqa: S608


def invented_body(acme: Acme) -> None:
    """A next version of the attacker's, which nothing notes."""
    acme.sql(
        "INSERT INTO tuf_online_body SELECT role, version + 1, body FROM tuf_online_body "  # noqa: S608
        f"WHERE role = '{CATALOG}'"
    )


def old_body_not_signed(acme: Acme) -> None:
    """Under a number whose body is pruned, something that nobody signed."""
    list_another(acme, 9)
    acme.sql(f"INSERT INTO tuf_online_body VALUES ('{CATALOG}', 1, x'7b7d')")  # noqa: S608


def people_moved(acme: Acme) -> None:
    """A team's list where it could be pruned; the newest of it is out of sight."""
    acme.sql(
        "INSERT INTO tuf_online SELECT role, version + 1, 'x' FROM tuf_metadata "  # noqa: S608
        f"WHERE role = 'team.{TEAM}' LIMIT 1"
    )


def catalog_moved(acme: Acme) -> None:
    acme.sql(f"INSERT INTO tuf_metadata VALUES ('{CATALOG}', 99, x'7b7d')")  # noqa: S608


CASES: list[tuple[Callable[[Acme], None], str]] = [
    (newest_body_deleted, f"of {CATALOG}, its newest, is missing"),
    (older_stands, f"of {CATALOG} is missing, by entry"),
    (older_stands_of_all, f"of {CATALOG} is missing, by entry"),
    (snapshot_and_timestamp_of_before, f"The newest version of {CATALOG} is"),
    (digest_forged, f"of {CATALOG} is not the one that was published, by entry"),
    (digest_of_the_newest_forged, "of timestamp is another one than is noted"),
    (digest_deleted, "of snapshot at least one is missing"),
    (invented_digest, f"of {CATALOG}, its newest, is missing"),
    (invented_body, f"of {CATALOG} is kept, and nothing says that there is one"),
    (old_body_not_signed, f"Version 1 of {CATALOG} is not signed by anybody"),
    (people_moved, f"tuf_online holds team.{TEAM}, which does not belong there"),
    (catalog_moved, f"tuf_metadata holds {CATALOG}, which does not belong there"),
]


@pytest.mark.parametrize("attack, said", CASES)
def test_f2_104_fsck_names_what_was_done_to_what_is_pruned(
    ready: Acme, attack: Callable[[Acme], None], said: str
) -> None:
    no_triggers(ready)
    attack(ready)
    assert said in "\n".join(found(ready))


@pytest.mark.parametrize("attack", [newest_body_deleted, invented_digest])
def test_f2_105_a_newest_version_without_a_body_is_refused_and_none_takes_its_place(
    ready: Acme, attack: Callable[[Acme], None]
) -> None:
    """Read as none at all, it would be followed by a first one, which lists nothing."""
    no_triggers(ready)
    attack(ready)
    before = ready.rows()
    for act in (ready.export, lambda: list_another(ready, 1), lambda: ready.promoted(2)):
        with pytest.raises(RowError) as refused:
            act()
        assert (refused.value.code, refused.value.subject) == ("row-missing", CATALOG)
    for table in ("tuf_online", "tuf_online_body", "transfer"):
        assert ready.rows()[table] == before[table]


def test_f2_106_a_snapshot_without_a_body_is_refused(ready: Acme) -> None:
    no_triggers(ready)
    ready.sql("DELETE FROM tuf_online_body WHERE role = 'snapshot'")
    with pytest.raises(RowError) as refused:
        ready.export()
    assert refused.value.code == "row-missing"


def test_f2_107_a_body_that_nothing_notes_is_gone_by_in_nothing(ready: Acme) -> None:
    """Nor a row of people's where the hub's own lie, or the other way round."""
    no_triggers(ready)
    with ready.app.hub.reading() as connection:
        before = Repository(connection).versions()
    for attack in (invented_body, people_moved, catalog_moved):
        attack(ready)
    with ready.app.hub.reading() as connection:
        repository = Repository(connection)
        assert repository.versions() == before
        assert {role: repository.number(role) for role in before} == before
        assert Rows(connection).newest_numbers() == before


# -------------------------------------------------------------------- who reads on


@pytest.mark.parametrize(
    "owner, name",
    [(exports.Exports, "_begin"), (writer, "_read_back"), (exports, "record_bundle")],
)
def test_f2_108_an_export_that_was_cut_goes_on_after_its_bodies_are_pruned(
    ready: Acme, plant: SiteOnPaper, owner: object, name: str
) -> None:
    """Others published meanwhile; what the site is sent is whole, and it takes it."""
    cut_short(ready, owner, name, after=True)
    old = numbers(ready, roles.SNAPSHOT)[0][0]
    for number in range(2):
        list_another(ready, number)
    assert old not in numbers(ready, roles.SNAPSHOT)[1]
    export = ready.export()
    assert plant.take(export.folder).receipt.artifacts[0].outcome == "installed"


def test_f2_109_what_waits_to_be_signed_elsewhere_is_finished_after_its_bodies_are_pruned(
    ready: Acme, plant: SiteOnPaper
) -> None:
    """It names files of `metadata/` by their sha256, and they lie on the medium."""
    drafted = ready.app.exports.draft(SITE, ready.medium, stage)
    assert isinstance(drafted, DraftedBundle)
    snapshot = numbers(ready, roles.SNAPSHOT)[0][0]
    list_another(ready, 1)
    assert snapshot not in numbers(ready, roles.SNAPSHOT)[1]
    signed = signing_people.sign(
        drafted.draft,
        transfer_statement.ask_of(drafted.draft),
        [ready.signer("dispatcher-1")],
        ready.app.hub.now(),
    )
    finishing.finish(ready.app.hub, signed, ready.medium, stage)
    folder = ready.medium / layout.SEALIFT / drafted.transfer
    assert (folder / f"metadata/{snapshot}.snapshot.json").is_file()
    assert plant.take(folder).receipt.artifacts[0].outcome == "installed"


def test_f2_110_a_site_that_is_many_listings_behind_takes_the_newest(
    ready: Acme, plant: SiteOnPaper
) -> None:
    plant.take(ready.export().folder)
    for number in range(5):
        list_another(ready, number)
    export = ready.export()
    assert plant.take(export.folder).receipt.transfer == export.transfer


def test_f2_111_a_reader_who_began_before_sees_what_was_there(ready: Acme) -> None:
    with ready.app.hub.reading() as connection:
        before = Repository(connection)
        number = before.number(CATALOG)
        with ready.another() as other:
            list_another(other, 1)
        assert Rows(connection).metadata(CATALOG) is not None
        assert before.body(roles.SNAPSHOT)
        assert Repository(connection).number(CATALOG) == number
    with ready.app.hub.reading() as connection:
        assert Repository(connection).number(CATALOG) == number + 1


# -------------------------------------------------------------------- copies


def wanted(acme: Acme) -> set[str]:
    """The newest of each role, and every root."""
    with acme.app.hub.reading() as connection:
        newest = Rows(connection).newest_numbers()
    names = {f"{number}.{role}.json" for role, number in newest.items()}
    names |= {f"{n}.root.json" for n in range(1, newest[roles.ROOT] + 1)}
    return names - {f"{newest[roles.TIMESTAMP]}.timestamp.json"} | {"timestamp.json"}


def test_f2_112_copies_are_of_the_newest_and_of_every_root(ready: Acme) -> None:
    ready.later(hours=2)
    ready.renew(roles.ROOT, "root-1", "root-2")
    ready.renew(roles.team_role(TEAM), *STEWARDS)
    list_another(ready, 1)
    assert files(ready) == wanted(ready)
    assert "1.root.json" in files(ready)
    folder = ready.root / "metadata"
    for role in (CATALOG, roles.SNAPSHOT, roles.team_role(TEAM)):
        (name,) = (one for one in files(ready) if one.endswith(f".{role}.json"))
        assert (folder / name).read_bytes() == body(ready, role)


def test_f2_113_what_was_cut_is_mended_by_the_next_command(
    ready: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it was written, half-way through what is taken away, and where all is lost."""
    ready.later(hours=2)
    ready.renew(roles.ROOT, "root-1", "root-2")
    with monkeypatch.context() as patch:
        patch.setattr("sealift_registry.trust.hub.write_copies", lambda *_: None)
        for number in range(5):
            list_another(ready, number)
    assert files(ready) != wanted(ready)
    with monkeypatch.context() as patch:
        patch.setattr(copies, "MOST", 1)
        list_another(ready, 1)
    ready.app.hub.copy_metadata()
    assert files(ready) == wanted(ready)
    for path in (ready.root / "metadata").iterdir():
        path.unlink()
    ready.app.hub.copy_metadata()
    assert files(ready) == wanted(ready)


def test_f2_114_a_home_from_before_loses_its_superseded_copies_some_at_a_time(
    ready: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = ready.root / "metadata"
    genuine: dict[str, bytes] = {}
    for number in range(4):
        genuine |= {name: (folder / name).read_bytes() for name in files(ready)}
        list_another(ready, number)
    genuine.pop("timestamp.json")
    for name, data in genuine.items():
        (folder / name).write_bytes(data)
    count = len(files(ready) - wanted(ready))
    assert count > 4
    monkeypatch.setattr(copies, "MOST", 3)
    while files(ready) != wanted(ready):
        ready.app.hub.copy_metadata()
        left = len(files(ready) - wanted(ready))
        assert left == max(0, count - 3)
        count = left


def test_f2_115_what_somebody_else_put_there_is_left_alone(ready: Acme) -> None:
    folder = ready.root / "metadata"
    team = f"1.{roles.team_role(TEAM)}.json"
    for number in range(3):
        list_another(ready, number)
    data, number = body(ready, CATALOG), numbers(ready, CATALOG)[0][0]
    theirs = {
        f"1.{CATALOG}.json": b"mine",
        f"2.{CATALOG}.json": data.replace(b":", b": "),
        "1.snapshot.json": b"",
        team: b"{}",
        "01.snapshot.json": b"x",
        "notes.txt": b"x",
        "1.somebody.json": b"x",
        "1.timestamp.json": b"x",
        "999999.snapshot.json": b"x",
    }
    for name, content in theirs.items():
        (folder / name).write_bytes(content)
    (folder / "3.snapshot.json.d").mkdir()
    (folder / "2.snapshot.json").mkdir()
    outside = ready.folder / "outside.json"
    outside.write_bytes(data)
    list_another(ready, 3)
    (folder / f"{number}.{CATALOG}.json").symlink_to(outside)
    list_another(ready, 4)
    for name, content in theirs.items():
        assert (folder / name).read_bytes() == content
    assert (folder / "2.snapshot.json").is_dir()
    assert (folder / f"{number}.{CATALOG}.json").is_symlink()
    assert outside.read_bytes() == data


def test_f2_116_no_body_is_read_whose_copy_is_there(
    ready: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    genuine = Rows.metadata

    def metadata(self: Rows, role: str, version: int | None = None) -> bytes | None:
        asked.append(role)
        return genuine(self, role, version)

    list_another(ready, 1)
    monkeypatch.setattr(Rows, "metadata", metadata)
    monkeypatch.setattr(Rows, "roles", lambda _: pytest.fail("it reads every body"))
    ready.app.hub.copy_metadata()
    assert set(asked) == {roles.ROOT, roles.TIMESTAMP}


# -------------------------------------------------------------------- what is told


def test_f2_117_fsck_tells_how_many_are_pruned(
    ready: Acme, capsys: pytest.CaptureFixture[str]
) -> None:
    cli = Cli(ready, capsys)
    ready.close()
    before = cli.json("audit", "fsck")["pruned"]
    with ready.app.hub.reading() as connection:
        every = sum(len(Rows(connection).versions(role)) for role in ONLINE)
    assert before == every - len(ONLINE) > 0
    ready.later(hours=2)
    ready.renew(roles.team_role(TEAM), *STEWARDS)
    ready.close()
    assert cli.json("audit", "fsck")["pruned"] == before + 2
    _, out, _ = cli("audit", "fsck")
    assert f"superseded versions are pruned: {before + 2}." in out


@pytest.mark.parametrize("role", ONLINE)
def test_f2_128_where_a_newest_body_is_missing_every_command_says_so_or_needs_none(
    ready: Acme, capsys: pytest.CaptureFixture[str], role: str
) -> None:
    cli = Cli(ready, capsys)
    no_triggers(ready)
    ready.sql(f"DELETE FROM tuf_online_body WHERE role = '{role}'")  # noqa: S608 - our names
    ready.close()
    reading = ("next", "list", "list promotions", "list sites", "show vision/tiny/1", "show P-1")
    # On a server it tells of the guards that are off before all else.
    verify = () if stores.shared() else ("audit verify",)
    for line in (*reading, f"show {SITE}", *verify):
        code, _, err = cli(*line.split())
        assert code == 0 or f"of {role}, its newest, is missing" in err, (line, err)
    code, out, err = cli("audit", "fsck")
    assert code == 1
    assert f"of {role}, its newest, is missing" in out
