"""The hub's own keys were stolen, used once to count far ahead, and are replaced by people."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import select, update
from tuf.api.metadata import Metadata, MetaFile

from sealift_registry.audit.reading import LogReader
from sealift_registry.audit.tables import log_checkpoint
from sealift_registry.delivery import bundle_contents
from sealift_registry.trust import hub_drafts, key_rotation, online_keys
from sealift_registry.trust.checking import check
from sealift_registry.trust.hub import Hub, newest_note
from sealift_registry.trust.hub_drafts import Wanted
from sealift_registry.trust.keeping import keep
from sealift_registry.trust.repository import Repository
from sealift_registry.trust.submitting import AcceptedSubmission
from sealift_registry.trust.tables import tuf_metadata
from sealift_signing import floors, gate, publishing, roles
from sealift_signing.errors import FailedError, RefusedError
from sealift_signing.transparency import checkpoint
from sealift_signing.transparency.checkpoint import Checkpoint, claimed, hub_origin
from tests import stores
from tests.registry.hub_fixture import TEAM, Acme, copied
from tests.registry.signing_people import carry_out
from tests.registry.test_hub_cli import Cli
from tests.sampling import some
from tests.site_on_paper import SiteOnPaper

FAR = 10**15 - 100


class Killed(BaseException):
    """As a process is: nothing catches it."""


HOLDERS = {
    "freshness": ("root-1", "root-2"),
    "catalog": ("targets-1", "targets-2"),
    "log": ("fleet-1",),
    "scanner": ("fleet-1",),
    "builder": ("fleet-1",),
}
CATALOG = roles.catalog_role(TEAM)


def rotate(acme: Acme, what: str, status: str = "compromised") -> AcceptedSubmission:
    with acme.app.hub.reading() as connection:
        wanted = key_rotation.wanted(acme.app.hub, connection, what, status)
    return carry_out(acme.app, wanted, [acme.signer(name) for name in HOLDERS[what]])


def count_far_ahead(hub: Hub, *counted: str) -> None:
    """What whoever has the keys and the database writes there."""
    with stores.behind(hub.database) as connection:
        repository = Repository(connection)
        expires = publishing.expiry(hub.now(), 30)
        new: dict[str, Metadata[Any]] = {}
        for role in (CATALOG, "snapshot", "timestamp"):
            found = cast("Metadata[Any]", repository.metadata(role))
            new[role] = publishing.successor(found, expires=expires)
            if role in counted:
                new[role].signed.version = FAR
        if CATALOG in counted:
            new["snapshot"].signed.meta[f"{CATALOG}.json"] = MetaFile(FAR)
        else:
            del new[CATALOG]
        new["timestamp"].signed.snapshot_meta = MetaFile(new["snapshot"].signed.version)
        for role, one in new.items():
            publishing.sign(one, [hub.online.signer(role.partition(".")[0])])
            keep(connection, role, one)


@pytest.fixture
def stolen(
    ready: Acme, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., list[Path]]:
    """Bundles that a thief's copy of the hub writes; its dispatcher did not notice."""

    def write(*counted: str, log: bool = False) -> list[Path]:
        ready.close()
        copied(ready.root, tmp_path / "thief/hub")
        shutil.copytree(ready.folder / "offline", tmp_path / "thief/offline")
        thief = Acme(tmp_path / "thief")
        hub = thief.app.hub
        if counted:
            count_far_ahead(hub, *counted)
        with monkeypatch.context() as patched:
            if log:
                patched.setattr(
                    bundle_contents, "newest_note", lambda one: far_note(hub, newest_note(one))
                )
            found = [export(thief, name) for name in ("one", "two")]
        thief.close()
        return found

    return write


def far_note(hub: Hub, note: bytes) -> bytes:
    said = claimed(note)
    return checkpoint.sign(Checkpoint(said.origin, FAR, said.root), hub.online.signer("log"))


def export(acme: Acme, name: str) -> Path:
    (acme.folder / name).mkdir()
    return acme.export(to=acme.folder / name, full=True).folder


FORWARDS: list[tuple[tuple[str, ...], bool, tuple[str, ...]]] = [
    (("timestamp",), False, ("freshness",)),
    (("snapshot",), False, ("freshness",)),
    ((CATALOG,), False, ("catalog", "freshness")),
    ((), True, ("log",)),
    (("timestamp", "snapshot", CATALOG), True, tuple(HOLDERS)),
]


@pytest.mark.parametrize(
    "counted, log, replaced, status",
    some(
        [(*one, status) for one in FORWARDS for status in ("retired", "compromised")],
        4,
        "fast forwards",
    ),
)
def test_t1_01_each_fast_forward_has_a_way_out_by_people(
    ready: Acme,
    plant: SiteOnPaper,
    stolen: Callable[..., list[Path]],
    counted: tuple[str, ...],
    log: bool,
    replaced: Sequence[str],
    status: str,
) -> None:
    plant.take(export(ready, "first"))
    taken, later = stolen(*counted, log=log)
    plant.take(taken)
    for name in ("on-its-way", "lost"):  # past the numbers that the thief used
        export(ready, name)
    refusal = plant.refuses(export(ready, "barred"))
    assert refusal.code == ("hub-log-went-back" if log and not counted else "role-went-back")
    for what in replaced:
        rotate(ready, what, status if what not in {"scanner", "builder"} else "retired")
    plant.take(export(ready, "again"))
    assert plant.refuses(later).code in {"no-key", "checkpoint-by-another-key", "role-went-back"}
    plant.take(export(ready, "and-on"))
    ready.close()
    plant.take(export(ready, "another-process"))
    assert whole(ready)


def whole(acme: Acme) -> bool:
    """What `audit fsck` says of log and metadata."""
    hub = acme.app.hub
    key = hub.online.public("log")
    with hub.reading() as connection:
        former = key_rotation.followed(connection, key)
        origin = hub_origin(Repository(connection).organisation())
        findings = list(check(connection))
    reader = LogReader(hub.database)
    verdicts = reader.verify(key, origin, former=former), reader.fsck(key, origin, former=former)
    assert findings == []
    assert [one.findings for one in verdicts] == [(), ()]
    return True


@pytest.mark.parametrize("what", HOLDERS)
def test_t1_01_what_the_hub_signs_next_is_signed_by_the_new_key(ready: Acme, what: str) -> None:
    names = ("snapshot", "timestamp") if what == "freshness" else (what,)
    before = {name: ready.app.hub.online.public(name) for name in names}
    rotate(ready, what)
    assert not list((ready.root / "keys/next").glob("*.pem"))
    after = {name: ready.app.hub.online.public(name) for name in names}
    assert all(before[name] != after[name] for name in names)
    with ready.app.hub.reading() as connection:
        for name in names:
            assert set(key_rotation.held_as(Repository(connection), name)) == {after[name]}
    ready.ingest(2)
    assert whole(ready)


def test_t1_01_the_floor_is_the_next_number_and_the_hub_goes_on_from_it(ready: Acme) -> None:
    with ready.app.hub.reading() as connection:
        before = Repository(connection).versions()
    rotate(ready, "freshness")
    rotate(ready, "catalog")
    with ready.app.hub.reading() as connection:
        repository = Repository(connection)
        root, targets = repository.root().signed, repository.targets().signed
        assert floors.stated(root, "timestamp") == before["timestamp"] + 1
        assert floors.stated(root, "snapshot") == before["snapshot"] + 1
        assert floors.stated(targets, CATALOG) == before[CATALOG] + 1
        assert repository.versions()[CATALOG] == before[CATALOG] + 1
        listed = repository.targets(CATALOG).signed.targets
    assert listed


def test_t1_01_compromised_keys_never_come_back(ready: Acme) -> None:
    old = ready.app.hub.online.public("timestamp").text
    rotate(ready, "freshness")
    hub = ready.app.hub
    with hub.reading() as connection:
        wanted = key_rotation.wanted(hub, connection, "freshness", "retired")
    back = {**wanted.facts, "key": (wanted.facts["key"][0], old)}
    forged = Wanted(wanted.ask, facts=back)
    with pytest.raises(RefusedError) as refused:
        carry_out(ready.app, forged, [ready.signer(name) for name in HOLDERS["freshness"]])
    assert refused.value.code in {"key-compromised", "not-signed-enough"}


POINTS = ("published", "signed-on", "moved-away", "moved-in")


@pytest.mark.parametrize("what", ["freshness", "catalog", "log"])
@pytest.mark.parametrize("point", POINTS)
def test_t1_01_a_replacement_that_was_cut_goes_on(
    ready: Acme,
    plant: SiteOnPaper,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
    point: str,
) -> None:
    plant.take(export(ready, "first"))

    def cut(*_: object, **__: object) -> None:
        raise Killed

    moves = []
    move = online_keys._move

    def moved(key: Path, to: Path) -> None:
        moves.append(to)
        if point == "moved-away" and len(moves) > 1:
            raise Killed
        half = Path(f"{key}.pub").read_bytes()
        move(key, to)
        if point == "moved-in" and len(moves) > 1:
            Path(f"{key}.pub").write_bytes(half)  # it goes last
            raise Killed

    with monkeypatch.context() as patched:
        if point == "published":
            patched.setattr(key_rotation, "take_up", cut)
        elif point == "signed-on":
            patched.setattr(online_keys.OnlineKeys, "take_up", cut)
        patched.setattr(online_keys, "_move", moved)
        with pytest.raises(Killed):
            rotate(ready, what)
    ready.close()
    plant.take(export(ready, "again"))
    assert not list((ready.root / "keys/next").iterdir())
    assert whole(ready)


def test_t1_01_a_hub_without_the_key_that_was_signed_for_publishes_nothing(ready: Acme) -> None:
    hub = ready.app.hub
    with hub.reading() as connection:
        wanted = key_rotation.wanted(hub, connection, "freshness", "retired")
        before = Repository(connection).versions()
    hub.online.forget_next("timestamp")
    with pytest.raises(FailedError) as failed:
        carry_out(ready.app, wanted, [ready.signer(name) for name in HOLDERS["freshness"]])
    # Of several hosts, it may be another that has it.
    assert failed.value.code == ("online-key-" + ("elsewhere" if stores.shared() else "missing"))
    with hub.reading() as connection:
        assert Repository(connection).versions() == before


def test_t1_01_what_was_drafted_before_keeps_its_keys_unless_it_is_begun_anew(
    ready: Acme,
) -> None:
    hub = ready.app.hub
    with hub.reading() as connection:
        first = key_rotation.wanted(hub, connection, "freshness", "retired").facts["key"]
        again = key_rotation.wanted(hub, connection, "freshness", "retired").facts["key"]
        anew = key_rotation.wanted(hub, connection, "freshness", "retired", anew=True).facts["key"]
    assert first == again
    assert not set(first) & set(anew)


@pytest.mark.parametrize("status", ["retired", "compromised"])
def test_t1_01_one_person_alone_replaces_each_key_by_one_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], status: str
) -> None:
    cli = Cli(Acme(tmp_path), capsys)
    cli.says("init", "--solo", "--name", "One", "--person", "me")
    cli.says("team", "add", "lab")
    for what in HOLDERS:
        told = cli.json("key", "rotate", what, "--status", status)
        assert told["details"] == ({} if status == "retired" else {"status": ["compromised"]})
        again = cli.says("key", "rotate", what, "--status", status)
        assert f"The keys of {what} were replaced within the hour" in again
    assert cli.json("audit", "verify")["ok"]
    assert cli.json("audit", "fsck")["ok"]
    cli.says("key", "rotate", "log", "--other-keys")
    assert cli.json("audit", "fsck")["ok"]
    (entry,) = cli.json("audit", "list", "--type", "log.key-taken-up", "--limit", "1")["entries"]
    assert entry["data"]["key"] == cli.acme.app.hub.online.public("log").text
    cli.acme.close()


def test_t1_01_whoever_signs_is_shown_the_keys_and_the_numbers(ready: Acme) -> None:
    hub = ready.app.hub
    for what, words in {
        "freshness": ("timestamp: {0}", "NEW, in place of", "from version", "COMPROMISED"),
        "catalog": (f"{CATALOG}: {{0}}", "NEW, in place of", "from version", "COMPROMISED"),
        "log": ("new: hub (log, active): {0}", "compromised: ed25519:", "its log has"),
        "scanner": ("new: hub-scanner (scanner, active): {0}", "never counts again"),
    }.items():
        with hub.reading() as connection:
            wanted = key_rotation.wanted(hub, connection, what, "compromised")
            made = hub_drafts.draft(hub, connection, wanted)
        signer = ready.public(HOLDERS[what][0])
        shown = "\n".join(gate.examine(made, wanted.ask, None, hub.now(), signer).words)
        for one in words:
            assert one.format(wanted.facts["key"][-1]) in shown


def test_t1_01_a_log_that_goes_on_by_a_key_that_it_does_not_follow_is_noticed(
    ready: Acme,
) -> None:
    """Who has the old key of the log and the database writes on with it."""
    old = ready.app.hub.online.signer("log")
    rotate(ready, "log")
    hub = ready.app.hub
    with hub.reading() as connection:
        said = claimed(newest_note(connection))
    forged = checkpoint.sign(Checkpoint(said.origin, said.size, said.root), old)
    ready.sql("DROP TRIGGER log_checkpoint_no_update")
    with ready.behind() as connection:
        newest = log_checkpoint.c.size == said.size
        connection.execute(update(log_checkpoint).where(newest).values(note=forged))
    key = hub.online.public("log")
    with hub.reading() as connection:
        former = key_rotation.followed(connection, key)
    reader = LogReader(hub.database)
    for verdict in (
        reader.verify(key, said.origin, former=former),
        reader.fsck(key, said.origin, former=former),
    ):
        assert [one.code for one in verdict.findings] == ["checkpoint-unsigned"]


def test_t1_01_a_draft_that_waits_hides_no_damage(
    ready: Acme, capsys: pytest.CaptureFixture[str]
) -> None:
    """A key that waits to be named is no reason not to open a hub whose rows were changed."""
    cli = Cli(ready, capsys)
    with ready.app.hub.reading() as connection:
        key_rotation.wanted(ready.app.hub, connection, "log", "retired")
    ready.sql("DROP TRIGGER tuf_metadata_no_update")
    fleets = tuf_metadata.c.role == "fleet"
    with ready.behind() as connection:
        for version, body in connection.execute(
            select(tuf_metadata.c.version, tuf_metadata.c.body).where(fleets)
        ).all():
            changed = body.replace(b"fleet/keys", b"fleet/kexs")
            assert changed != body
            row = update(tuf_metadata).where(fleets, tuf_metadata.c.version == version)
            connection.execute(row.values(body=changed))
    ready.close()
    code, out, _ = cli("audit", "fsck")
    assert code == 1
    assert "fleet is not signed by anybody who held the role" in out
