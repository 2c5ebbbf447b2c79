"""`gc` removes what nothing names, and nothing else: against a model, and against attacks."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert, select

from sealift_registry import blob_fsck, fsck
from sealift_registry.app import open_app
from sealift_registry.catalog import tables as catalog
from sealift_registry.delivery.unsigned_transfers import FOLDER
from sealift_registry.gc import collecting, marking, old_jobs
from sealift_registry.gc.collecting import Found, collect, look
from sealift_registry.jobs import records, tables
from sealift_registry.storage import blob_claims
from sealift_registry.storage.blob_tables import blob_claim, condemned_blob
from sealift_registry.storage.schema import metadata
from sealift_registry.trust.hub import Hub
from sealift_signing import disk
from sealift_signing.errors import FailedError, MalformedError, RefusedError
from sealift_signing.statements import Evidence, Signed
from sealift_sync.artifact import Artifact, read_manifest
from tests.registry.hub_fixture import Acme, copied, stage
from tests.registry.many_versions import add_version
from tests.registry.test_jobs import HERE, asked


class Killed(BaseException):
    """As kill -9 would: nothing catches it."""


@pytest.fixture
def hub(acme: Acme) -> Hub:
    return acme.app.hub


def anew(hub: Hub) -> Hub:
    """Another process on the same home: the one before relies on nothing any more."""
    assert hub.claims is not None
    hub.claims.close()
    return open_app(hub.home.root, {}).hub


def there(hub: Hub) -> set[str]:
    return set(hub.home.blobs.digests())


def collected(hub: Hub) -> Found:
    fresh = anew(hub)
    found = collect(fresh, "dora", stage)
    fresh.close()
    return found


@pytest.mark.parametrize(
    "versions", [60, pytest.param(10_000, marks=[pytest.mark.long, pytest.mark.timeout(7200)])]
)
def test_g3_110_exactly_the_right_set_is_kept(hub: Hub, tmp_path: Path, versions: int) -> None:
    """The model: whatever a version was made of is needed, and whatever else was put is not.

    On two cores 10,000 versions take three minutes in a folder in memory, most of it to make them,
    and 260 MB; `sealift gc` of what comes of it takes 7 seconds and 140 MB. Of as many that were
    converted and promoted (`tests.benchmarks.grown_hub`) it takes 52 seconds and 240 MB.
    """
    chance = random.Random(110)  # noqa: S311 - the same hub each time
    shared = [b"%d" % n * 70_000 for n in range(5)]
    needed, rubbish = there(hub), set[str]()
    for number in range(versions):
        files = {f"{n}.bin": chance.randbytes(chance.choice([10, 300])) for n in range(3)}
        files |= {f"shared-{n}.bin": chance.choice(shared) for n in range(chance.randrange(3))}
        goldens = chance.randbytes(20) if chance.random() < 0.3 else None
        _, digests = add_version(hub, tmp_path / str(number), files, goldens)
        needed |= digests
        if chance.random() < 0.5:
            rubbish.add(hub.home.blobs.put_bytes(chance.randbytes(40)).sha256)
        if chance.random() < 0.1:
            needed.add(hub.home.blobs.put_bytes(chance.choice(shared)).sha256)
    needed -= (unnamed := needed & _shared_alone(shared, hub))
    assert there(hub) == needed | rubbish | unnamed
    seen = look(anew(hub), stage)
    assert there(hub) == needed | rubbish | unnamed, "nothing is changed by looking"
    found = collected(hub)
    assert there(hub) == needed
    assert found.removed == seen.unnamed
    assert found.removed.blobs == len(rubbish | unnamed)
    assert sum(one.blobs for one in found.kept.values()) == len(needed)
    assert collected(hub).removed.blobs == 0


def _shared_alone(shared: list[bytes], hub: Hub) -> set[str]:
    """Those of the shared files that no version got."""
    files = {sha256(one).hexdigest() for one in shared}
    with hub.reading() as connection:
        sources = connection.execute(select(catalog.model_version.c.source)).scalars().all()
    return {one for one in files if not any(one.encode() in bytes(body) for body in sources)}


def test_g3_111_what_this_process_relies_on_stays(hub: Hub) -> None:
    digest = hub.home.blobs.put_bytes(b"put, and not named yet").sha256
    other = open_app(hub.home.root, {}).hub
    found = collect(other, "dora", stage)
    assert found.kept["work"].blobs >= 1
    assert hub.home.blobs.has(digest)
    assert collected(hub).removed.blobs == 1
    assert not hub.home.blobs.has(digest)
    other.close()


def test_g3_112_what_drafts_and_jobs_name_stays(hub: Hub) -> None:
    blobs = hub.home.blobs
    drafted, ordered, done = (blobs.put_bytes(one).sha256 for one in (b"draft", b"job", b"done"))
    waiting = hub.home.root / FOLDER
    waiting.mkdir(exist_ok=True)
    (waiting / "plant-7-000009.json").write_text(f'{{"draft": "… {drafted} …"}}')
    asked(hub, arguments={"of": ordered})
    ended = asked(hub, arguments={"of": done})
    records.finish(hub, ended.number, "done", attempt=None, result={})
    found = collected(hub)
    assert (found.kept["draft"].blobs, found.kept["job"].blobs) == (1, 1)
    assert [blobs.has(one) for one in (drafted, ordered, done)] == [True, True, False]


def test_g3_113_old_jobs_go_and_the_newest_stays(hub: Hub) -> None:
    jobs = [asked(hub) for _ in range(4)]
    records.begin(hub, jobs[0].number, "w", HERE)
    for job in (jobs[0], jobs[1], jobs[3]):
        records.finish(hub, job.number, "done", attempt=None, result={})
    assert collected(hub).jobs == 0
    with hub.reading() as connection:
        old = old_jobs.ended_before(connection, hub.now() + timedelta(days=1))
    assert old == [jobs[0].number, jobs[1].number]
    old_jobs.forget(hub, old)
    with hub.reading() as connection:
        for table in (tables.job, tables.job_attempt, tables.job_end):
            column = table.c.number if table is tables.job else table.c.job
            left = set(connection.execute(select(column)).scalars())
            assert left <= {jobs[2].number, jobs[3].number}, table.name
        assert records.job(connection, jobs[3].number) == jobs[3]
    assert asked(hub).number == 5


@pytest.fixture
def stock(stocked: Path, tmp_path: Path) -> Iterator[Acme]:
    """Two versions with a variant each, and somewhere to put rubbish."""
    made = copied(stocked, tmp_path)
    made.app.hub.home.blobs.put_bytes(b"nobody needs this")
    yield made
    made.close()


@pytest.mark.parametrize("name", ["artifact", "evidence", "goldens", "model_version"])
def test_g3_120_a_row_that_somebody_deleted_lets_nothing_go(stock: Acme, name: str) -> None:
    """Whoever has the database would have gc remove what that row named."""
    hub, before = stock.app.hub, there(stock.app.hub)
    assert look(anew(hub), stage).unnamed.blobs == 1
    with stock.stranger() as connection:
        assert connection.execute(delete(metadata.tables[name])).rowcount
    for act in (look, lambda one, told: collect(one, "dora", told)):
        with pytest.raises(RefusedError) as told:
            act(anew(hub), stage)
        assert told.value.code == "gc-not-sound"
    assert there(hub) == before


def test_g3_121_a_manifest_that_is_lost_lets_nothing_go(stock: Acme) -> None:
    hub = stock.app.hub
    with hub.reading() as connection:
        digest = connection.execute(select(catalog.artifact.c.sha256)).scalars().first()
    assert digest
    hub.home.blobs.remove(digest)
    before = there(hub)
    with pytest.raises(RefusedError) as told:
        collected(hub)
    assert told.value.code == "gc-manifest-lost"
    assert there(hub) == before


def test_g3_206_a_manifest_that_is_not_read_lets_nothing_go(
    stock: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another host has newer software, which wrote it."""
    hub, before = stock.app.hub, there(stock.app.hub)
    with hub.reading() as connection:
        newer = connection.execute(select(catalog.artifact.c.sha256)).scalars().first()
    read = read_manifest

    def older(data: bytes, *, what: str) -> Artifact:
        if what == newer:
            raise MalformedError("newer", f"{what} is newer.")
        return read(data, what=what)

    monkeypatch.setattr(blob_fsck, "read_manifest", older)
    for act in (look, lambda one, told: collect(one, "dora", told)):
        with pytest.raises(RefusedError) as told:
            act(anew(hub), stage)
        assert told.value.code == "gc-manifest-unread"
    assert there(hub) == before


def test_g3_207_a_draft_that_is_signed_just_now_is_no_error(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = hub.home.root / FOLDER
    waiting.mkdir(exist_ok=True)
    for number in (1, 2):
        (waiting / f"plant-7-00000{number}.json").write_text("{}")
    read = disk.read

    def signed_meanwhile(path: Path) -> bytes:
        path.unlink(missing_ok=True)
        return read(path)

    with monkeypatch.context() as patched:
        patched.setattr(disk, "read", signed_meanwhile)
        assert list(marking._drafts(waiting)) == []
    (waiting / "plant-7-000003.json").mkdir()
    with pytest.raises(FailedError) as told:
        collected(hub)
    assert told.value.subject == str(waiting / "plant-7-000003.json")


def test_g3_208_a_job_that_is_not_read_keeps_what_it_names(acme: Acme, hub: Hub) -> None:
    """Another host has newer software, which asked for it."""
    needed = hub.home.blobs.put_bytes(b"of a newer kind of job").sha256
    with acme.behind() as connection:
        row = {"number": 1, "key": "0" * 32, "body": f'{{"newer": "{needed}"}}'.encode()}
        connection.execute(insert(tables.job), row)
    with hub.reading() as connection:
        named = marking.mark(hub, connection)
        assert old_jobs.wanted(connection) == {"0" * 32}
    assert named.others == {needed: "job"}


def test_g3_209_no_report_is_kept_while_rows_are_compared(stock: Acme) -> None:
    """Of 10,000 versions they are a gigabyte: marking would hold all of it in memory."""
    kept: dict[str, Signed[Any]] = {}
    with stock.app.hub.reading() as connection:
        assert list(fsck._statements(connection, kept)) == []
        reports = [one for one, _ in blob_fsck.all_evidence(connection)]
    evidence = [one for one in kept.values() if isinstance(one.predicate, Evidence)]
    assert len(evidence) == len(reports) > 3
    for one in evidence:
        assert (one.predicate.details, one.envelope.data, one.envelope.payload) == ({}, b"", b"")


def test_g3_122_forged_rows_only_keep_more(acme: Acme, hub: Hub) -> None:
    digest = hub.home.blobs.put_bytes(b"nobody needs this").sha256
    other = anew(hub)
    row = {"digest": digest, "holder": "process-" + "0" * 32, "made": ""}
    with acme.behind() as connection:
        connection.execute(delete(blob_claim))
        connection.execute(insert(blob_claim), [row, {**row, "holder": "../../forged"}])
        connection.execute(insert(condemned_blob).values(digest=digest, holder="x", made=""))
    held = other.database.claim(row["holder"], "somebody lives")
    assert held is not None
    assert collect(other, "dora", stage).removed.blobs == 0
    held.let_go()
    assert collect(other, "dora", stage).removed.blobs == 1
    with other.reading() as connection:
        assert connection.execute(select(blob_claim)).all() == []
        assert connection.execute(select(condemned_blob)).all() == []
    other.close()


@pytest.mark.parametrize("where", ["condemned", "removed"])
def test_g3_123_it_may_be_killed_anywhere(
    hub: Hub, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = there(hub)
    rubbish = [hub.home.blobs.put_bytes(b"rubbish %d" % n).sha256 for n in range(5)]
    monkeypatch.setattr(collecting, "BATCH", 2)

    def killed(name: str) -> None:
        if name == where:
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(collecting, "step", killed)
        with pytest.raises(Killed):
            collect(anew(hub), "dora", stage)
    assert there(hub) >= needed
    later = anew(hub)
    first = next(iter(sorted(rubbish)))
    later.home.blobs.put_bytes(b"rubbish %d" % rubbish.index(first))
    assert later.home.blobs.has(first), "who needs it meanwhile has it"
    collect(later, "dora", stage)
    assert there(hub) == needed | {first}
    with hub.reading() as connection:
        assert connection.execute(select(condemned_blob)).all() == []
    later.close()


def test_g3_124_one_at_a_time(hub: Hub) -> None:
    held = hub.database.claim(collecting.GC, "somebody else")
    assert held is not None
    with pytest.raises(FailedError) as told:
        collect(hub, "dora", stage)
    assert told.value.code == "gc-under-way"
    held.let_go()


def test_g3_125_what_was_removed_is_in_the_log(acme: Acme, hub: Hub) -> None:
    hub.home.blobs.put_bytes(b"nobody needs this")
    count = len(acme.types())
    collected(hub)
    assert acme.types()[count:] == ["gc.removing", "gc.removed"]
    collected(hub)
    assert acme.types()[count:] == ["gc.removing", "gc.removed"], "of nothing nothing is said"


def test_g3_125_what_cannot_be_logged_is_not_removed(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.home.blobs.put_bytes(b"nobody needs this")
    before = there(hub)

    def fails(*_: object) -> None:
        raise FailedError("log-not-written", "It could not be written.", next_step="Try again.")

    with monkeypatch.context() as patched:
        patched.setattr(Hub, "commit_entry", fails)
        with pytest.raises(FailedError, match="could not be written"):
            collected(hub)
    assert there(hub) == before


def test_g3_126_a_claim_of_the_moment_of_removal_counts(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was marked as going before somebody came who needs it: condemning asks again."""
    data = b"nobody needs this yet"
    digest = hub.home.blobs.put_bytes(data).sha256
    late = open_app(hub.home.root, {}).hub
    mark = marking.finish

    def and_then(*given: Any) -> object:  # noqa: ANN401 - as it is
        found = mark(*given)
        late.home.blobs.put_bytes(data)
        return found

    monkeypatch.setattr(marking, "finish", and_then)
    fresh = anew(hub)
    monkeypatch.setattr(blob_claims, "relied_on", lambda *_: set())
    assert collect(fresh, "dora", stage).removed.blobs == 0
    assert late.home.blobs.has(digest)
    for one in (late, fresh):
        one.close()
