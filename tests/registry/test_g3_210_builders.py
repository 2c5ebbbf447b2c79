"""Builders on other machines: their role at the database, their place on S3, and what counts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Literal

import psycopg
import pytest
from securesystemslib.signer import Signer
from sqlalchemy import event, select, update

from sealift_migrations import postgres_session
from sealift_registry import builder_desk, builder_keys
from sealift_registry.builder_desk import Desk
from sealift_registry.catalog import storing
from sealift_registry.conversion import building, work_order
from sealift_registry.conversion.build_result import RESULT, BuildResult, Refusal
from sealift_registry.gc import old_jobs
from sealift_registry.jobs import elsewhere, records, setbacks, tables
from sealift_registry.jobs.elsewhere import Answer, AnsweredFile
from sealift_registry.jobs.problems import problem_of
from sealift_registry.kinds import ConvertArguments, convert_wanted
from sealift_registry.storage import postgres_check
from sealift_registry.storage.builder_database import BuilderDatabase
from sealift_registry.storage.builder_settings import BuilderSettings
from sealift_registry.storage.home import BlobSettings, DatabaseSettings
from sealift_registry.storage.host import Host
from sealift_registry.storage.postgres_roles import Roles, steps
from sealift_registry.storage.postgresql import PostgresDatabase
from sealift_registry.storage.s3_address import s3_address
from sealift_registry.storage.s3_blobs import S3Blobs
from sealift_registry.trust import founding
from sealift_registry.trust.online_keys import OnlineKeys
from sealift_registry.trust.repository import Repository
from sealift_signing import dsse, events, shape, statements
from sealift_signing.documents import MachineKey
from sealift_signing.errors import FailedError, RefusedError
from sealift_signing.statements import subject
from sealift_signing.vocabulary import instant, moment
from sealift_sync.blobs import BlobStore
from tests import models
from tests.blob_faults import spoil
from tests.registry.hub_fixture import (
    MODEL,
    STEWARDS,
    TARGET,
    TEAM,
    Acme,
    converted,
    secrets,
    version,
)
from tests.registry.test_built_elsewhere import entered, fleet
from tests.registry.test_g3_40_workers import until
from tests.registry.test_hub_cli import Capsys, Cli
from tests.servers.postgres import Database, postgres
from tests.servers.seaweed import seaweed

pytestmark = pytest.mark.socket

SHOP, ROLE = "shop-2", "sealift_builder"
MADE = "2026-01-01T00:00:00.000000Z"
ASKED = ConvertArguments(f"{MODEL}/1", TARGET)
PATIENCE = 60.0
PURPOSES: Mapping[Literal["builder", "scanner"], str] = {
    "builder": SHOP,
    "scanner": f"{SHOP}-scanner",
}


@dataclass
class Play:
    """A hub on servers, and a builder elsewhere.

    Attributes:
        acme: the hub.
        database: its database.
        bucket: where blobs are, and where builders put theirs.
        folder: the builder's.
    """

    acme: Acme
    database: Database
    bucket: str
    folder: Path

    @contextmanager
    def desk(self, **more: object) -> Iterator[Desk]:
        """The builder, in this process."""
        self.folder.mkdir(exist_ok=True)
        server = seaweed()
        hub = s3_address(f"s3://{self.bucket}/hub", server.endpoint)
        inbox = s3_address(f"s3://{self.bucket}/inbox", server.endpoint)
        given = {
            "name": SHOP,
            "hardware_targets": (TARGET,),
            "database": BuilderDatabase(self.database.url(ROLE)),
            "inputs": S3Blobs(hub, self.folder),
            "inbox": lambda whose: S3Blobs(inbox, self.folder, whose),
            "keys": self.folder / "keys",
            "work": self.folder,
        }
        with closing(Desk(**{**given, **more})) as made:  # type: ignore[arg-type]
            yield made

    def asked(self) -> list[elsewhere.Ordered]:
        with self.acme.app.hub.reading() as connection:
            return elsewhere.orders(connection, [TARGET])


def settings_of(play: Play) -> str:
    """A builder's settings."""
    return (
        f'[builder]\nname = "{SHOP}"\nhardware_targets = ["{TARGET}"]\nkeys = "keys"\n'
        f'work = "work"\n[database]\nurl = "{play.database.url(ROLE)}"\n'
        f'[blobs]\nurl = "s3://{play.bucket}/hub"\nendpoint = "{seaweed().endpoint}"\n'
        f'[inbox]\nurl = "s3://{play.bucket}/inbox"\n'
    )


def with_builder(database: Database) -> None:
    """A role for builders, as `sealift db init --builder` and `sealift db upgrade` make it."""
    database.run(*(step.sql for step in steps(Roles(builder=ROLE))))
    with (
        closing(PostgresDatabase(database.url(Roles().migrator))) as migrator,
        postgres_session.migrating(migrator.engine),
    ):
        pass


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Play]:
    server = seaweed()
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(building, "LOOK", 0.1)
    database, bucket = postgres().migrated(), server.bucket()
    with_builder(database)
    acme = Acme(tmp_path / "acme")
    acme.folder.mkdir()
    stores = replace(
        founding.EMBEDDED,
        database=DatabaseSettings(database.url(Roles().application)),
        blobs=BlobSettings(f"s3://{bucket}/hub", server.endpoint, "us-east-1"),
        builders=BuilderSettings(TARGET, f"s3://{bucket}/inbox"),
    )
    founding.found(acme.root, "Acme", acme.folder / "offline", secrets(), {}, stores).close()
    for person in STEWARDS:
        acme.new_key(person)
    acme.add_team(TEAM, {name: acme.public(name) for name in STEWARDS})
    made = Play(acme, database, bucket, tmp_path / "shop")
    keys = builder_keys.make(made.folder / "keys", {})
    machines = [
        MachineKey(keys.public(one).text, name, one, "active") for one, name in PURPOSES.items()
    ]
    fleet(acme, lambda known: entered(known, *machines))
    acme.ingest(1, acme.goldens())
    yield made
    acme.close()
    database.drop()


def ask(play: Play) -> None:
    """Ask builders for the variant, as a job does that is put off then."""
    hub = play.acme.app.hub
    app = replace(play.acme.app, hub=replace(hub, job="J-000001"))
    with pytest.raises(FailedError) as caught:
        converted(app, version(1), TARGET)
    assert caught.value.code == elsewhere.WAITS


def test_g3_210_a_builder_elsewhere_builds_what_the_hub_asks_for(play: Play) -> None:
    ask(play)
    (ordered,) = play.asked()
    assert ordered.is_whole
    happened = list[builder_desk.Happened]()
    with play.desk(told=happened.append) as desk:
        desk.run(once=True)
    assert [one.error for one in happened] == [None]
    built = play.acme.convert()
    assert built.new
    said = {one.predicate.kind: one.predicate.details for one in built.evidence}
    assert said["provenance"]["builder"] == SHOP
    assert play.asked() == []
    with play.desk(told=happened.append) as desk:
        desk.run(once=True)
    assert len(happened) == 1


def test_g3_211_a_builders_role_sees_orders_and_adds_answers_alone(play: Play) -> None:
    ask(play)
    with play.database.connect(ROLE) as connection:
        tables = [
            (row[0], row[1])
            for row in connection.execute(
                "SELECT nspname, relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace "
                "WHERE nspname IN ('sealift', 'sealift_jobs') AND relkind = 'r'"
            )
        ]
    assert len(tables) > 30
    may = {("SELECT", "build_order"), ("SELECT", "build_result"), ("INSERT", "build_result")}
    for table in tables:
        for verb in ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"):
            with play.database.connect() as connection:
                query = "SELECT has_table_privilege(%s, %s, %s)"
                name = f"{table[0]}.{table[1]}"
                found = connection.execute(query, (ROLE, name, verb)).fetchone()
            assert (found or (None,))[0] == ((verb, table[1]) in may), (verb, name)
    with (
        play.database.connect(ROLE) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute("SELECT * FROM sealift.log_entry")


def test_g3_212_the_command_does_the_same_in_a_process_of_its_own(play: Play) -> None:
    ask(play)
    play.acme.close()
    file = play.folder / "builder.toml"
    file.write_text(settings_of(play))
    line = [str(Path(sys.executable).with_name("sealift")), "builder", "run", "--once"]
    # As the page has it: in the folder of the file, which names its own folders.
    found = subprocess.run(
        [*line, "--settings", file.name],
        check=False,
        capture_output=True,
        text=True,
        cwd=play.folder,
    )
    assert found.returncode == 0, found.stderr
    assert f"catalog/vision/tiny/1/{TARGET} answered" in found.stdout
    assert play.acme.convert().new


def answered(play: Play) -> list[tuple[str, object]]:
    """What lies in the inbox, by its rows' keys."""
    with play.acme.app.hub.reading() as connection:
        (ordered,) = play.asked()
        return list(elsewhere.answers(connection, ordered.digest))


def forge(play: Play, files: Mapping[str, bytes], **more: str) -> None:
    """Whoever has a builder's role, and its place on S3, answers this to what is asked."""
    (ordered,) = play.asked()
    with play.desk() as desk:
        store = desk.inbox(organisation_of(play))
        put = {data: store.put_bytes(data) for data in set(files.values())}
        named = {
            path: AnsweredFile(put[data].sha256, put[data].size) for path, data in files.items()
        }
        made = Answer(1, (), more.get("order", ordered.digest), "shop-9", MADE, named)
        row = (made.digest(), ordered.digest, made.machine, shape.write(made), made.made)
    with play.database.connect(ROLE) as connection:
        connection.execute(
            "INSERT INTO sealift.build_result (digest, build_order, machine, files, made) "
            "VALUES (%s, %s, %s, %s, %s)",
            row,
        )


def organisation_of(play: Play) -> str:
    with play.acme.app.hub.reading() as connection:
        return Repository(connection).organisation()


def refused_by(play: Play, signer: Signer, digest: str = "") -> bytes:
    """A result of the order, or of one of that digest, that says that nothing came of it."""
    (ordered,) = play.asked()
    order = work_order.read_order(ordered.body)
    said = BuildResult(
        format=1,
        requires=(),
        organisation=order.organisation,
        artifact=order.artifact,
        goldens=order.goldens,
        machine=SHOP,
        made=moment(play.acme.app.hub.now()),
        outcome="refused",
        manifest=None,
        files=(),
        evidence=(),
        untried=(),
        refusal=Refusal("variant-unfaithful", "It is not faithful.", None, None),
    )
    return statements.sign(said, [subject(work_order.ORDER, digest or order.digest())], signer)


@pytest.mark.parametrize(
    "how, why",
    [
        ("rubbish", "json-unreadable"),
        ("nothing", "bad-answer"),
        ("stranger", "result-signer"),
        ("other", "bad-answer"),
        ("replayed", "result-of-another-order"),
        ("huge", "bad-answer"),
        ("heavy", "bad-answer"),
    ],
)
def test_g3_213_what_no_builder_signed_is_taken_out_and_waited_beyond(
    play: Play, how: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(play)
    play.acme.new_key("mallory")
    if how == "rubbish":
        forge(play, {RESULT: b"no result at all"})
    elif how == "nothing":
        forge(play, {"variant/model.onnx": b"no result at all"})
    elif how == "huge":
        forge(play, {f"{'x' * 200}/{one}": b"" for one in range(20_000)})
    elif how == "heavy":
        forge(play, {RESULT: b" " * (dsse.LARGEST_ENVELOPE + 1)})
    elif how == "replayed":
        signer = OnlineKeys(play.folder / "keys", {}).signer("builder")
        older = refused_by(play, signer, "1" * 64)
        forge(play, {RESULT: older, f"{RESULT}/x": b"x", "large": b"x" * 1000})
    elif how == "other":
        forge(play, {RESULT: b"{}"}, order="0" * 64)
    else:
        forge(play, {RESULT: refused_by(play, play.acme.signer("mallory")), "large": b"x" * 1000})
    fetched = list[str]()
    genuine = storing.copy_out

    def copied(blobs: BlobStore, digest: str, target: Path) -> None:
        fetched.append(target.name)
        genuine(blobs, digest, target)

    said, before = list[str](), play.acme.types()
    with monkeypatch.context() as watched:
        watched.setattr("sealift_registry.conversion.inbox.copy_out", copied)
        watched.setattr(events, "tell", lambda *_, **told: said.append(told["code"]))
        ask(play)
    assert said == [why]
    assert play.acme.types() == before, "nothing of it is in the log"
    assert answered(play) == []
    assert set(fetched) <= ({RESULT} - {RESULT if how == "heavy" else ""}), "of nobody's"
    with play.desk() as desk:
        desk.run(once=True)
    assert play.acme.convert().new


def test_g3_238_an_order_whose_bytes_are_others_is_not_run(play: Play) -> None:
    """Whoever owns the database has a builder run what the hub would not ask for."""
    ask(play)
    (ordered,) = play.asked()
    other = replace(
        work_order.read_order(ordered.body), artifact=f"catalog/{TEAM}/other/1/{TARGET}"
    )
    with play.acme.behind() as connection:
        connection.execute(update(tables.build_order).values(body=shape.write(other)))
    happened = list[object]()
    with play.desk(begun=happened.append) as desk:
        desk.run(once=True)
    assert happened == []
    assert answered(play) == []


def test_g3_239_what_was_answered_until_the_claim_was_had_is_not_built_again(play: Play) -> None:
    ask(play)
    begun = list[object]()
    with play.desk() as first, play.desk(begun=begun.append) as second:
        genuine = second.database.claim

        def claim(name: str, why: str) -> object:
            first.run(once=True)  # as another process of this builder's name
            return genuine(name, why)

        second.database.claim = claim  # type: ignore[method-assign, assignment]
        second.run(once=True)
    assert begun == []
    assert len(answered(play)) == 1


def test_g3_240_of_very_many_answers_some_are_looked_at_in_one_go(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(play)
    for number in range(7):
        forge(play, {RESULT: b"rubbish %d" % number})
    with monkeypatch.context() as patched:
        patched.setattr(elsewhere, "AT_ONCE", 3)
        for left in (4, 1, 0):
            ask(play)
            with play.acme.app.hub.reading() as connection:
                rows = connection.execute(select(tables.build_result.c.digest)).all()
            assert len(rows) == left


def test_g3_241_an_order_that_is_too_large_is_asked_of_nobody(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("sealift_registry.conversion.inbox.LARGEST_ORDER", 100)
        with pytest.raises(RefusedError) as caught:
            play.acme.convert()
    assert caught.value.code == "order-too-large"
    assert play.asked() == []


def test_g3_242_what_a_worker_asks_each_beat_does_not_grow_with_what_waits(play: Play) -> None:
    hub = play.acme.app.hub
    ask(play)
    (ordered,) = play.asked()

    def asked() -> int:
        said = list[str]()

        def note(*what: object) -> None:
            said.append(str(what[2]))

        with hub.reading() as connection:
            waiting = [one.number for one in records.waiting(connection)]
            event.listen(connection, "before_cursor_execute", note)
            assert setbacks.due_among(connection, waiting, hub.now()) == set()
        return len(said)

    counts = []
    for _ in range(2):
        for _ in range(4):
            job = records.ask(hub, convert_wanted(play.acme.app, ASKED), "dora")
            attempt = records.begin(hub, job.number, "w", Host("0" * 32, "here"))
            bad = elsewhere.waits(TARGET, ordered.digest)
            records.set_back(hub, attempt, problem_of(bad, final=False))
        counts.append(asked())
    assert counts == [2, 2]
    with play.desk() as desk:
        desk.run(once=True)
    with hub.reading() as connection:
        waiting = [one.number for one in records.waiting(connection)]
        assert setbacks.due_among(connection, waiting, hub.now()) == set(waiting)


def test_g3_244_hosts_that_ask_otherwise_take_ever_longer_turns(play: Play) -> None:
    """Two hosts whose settings differ ask for other orders of one variant, and end each other's."""
    hub = play.acme.app.hub
    job = records.ask(hub, convert_wanted(play.acme.app, ASKED), "dora")
    waits = problem_of(elsewhere.waits(TARGET, "0" * 64), final=False)  # which nobody asks for now
    pauses = []
    for _ in range(5):
        attempt = records.begin(hub, job.number, "w", Host("0" * 32, "here"))
        made = records.set_back(hub, attempt, waits)
        with hub.reading() as connection:
            pauses.append(
                next(
                    seconds
                    for seconds in (0, 10, 60, 300)
                    if setbacks.due(
                        connection, job.number, instant(made.made) + timedelta(seconds=seconds)
                    )
                )
            )
    assert pauses == [0, 10, 60, 300, 300]


HOW = ("answered", "refused", "withdrawn", "superseded")


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("who", ["a job", "another job", "a person"])
def test_g3_243_whoever_waits_goes_on_whatever_becomes_of_the_order(
    play: Play, who: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table: who waits, and what happens to what they wait for."""
    hub = play.acme.app.hub
    job = records.ask(hub, convert_wanted(play.acme.app, ASKED), "dora")
    attempt = records.begin(hub, job.number, "w", Host("0" * 32, "here"))
    app = replace(play.acme.app, hub=records.at_work(hub, attempt))
    if who == "another job":
        with pytest.raises(FailedError):
            converted(replace(play.acme.app, hub=replace(hub, job="J-000009")), version(1), TARGET)
    with pytest.raises(FailedError) as caught:
        converted(app, version(1), TARGET)
    records.set_back(hub, attempt, problem_of(caught.value, final=False))

    def is_due() -> bool:
        with hub.reading() as connection:
            return bool(setbacks.due_among(connection, [job.number], hub.now()))

    assert not is_due()
    (ordered,) = play.asked()
    if how == "answered":
        with play.desk() as desk:
            desk.run(once=True)
    elif how == "refused":
        signer = OnlineKeys(play.folder / "keys", {}).signer("builder")
        forge(play, {RESULT: refused_by(play, signer)})
    elif how == "withdrawn":
        with hub.database.writing() as connection, connection.begin():
            elsewhere.withdraw(connection, ordered.digest)
    else:
        play.acme.ingest(1, models.tiny_goldens(play.acme.folder / "others.npz", 5))
        ask(play)
    assert is_due()
    newer = records.begin(hub, job.number, "w", Host("0" * 32, "here"))
    again = replace(play.acme.app, hub=records.at_work(hub, newer))
    if who == "a person":
        again = play.acme.app
        monkeypatch.setattr(building, "LOOK", 0.01)
    if how == "answered":
        assert converted(again, version(1), TARGET).new
        return
    if how == "refused":
        with pytest.raises(RefusedError, match="shop-2 built no variant"):
            converted(again, version(1), TARGET)
        return
    with ThreadPoolExecutor(1) as hands, play.desk() as desk:
        if who == "a person":
            waiting = hands.submit(converted, again, version(1), TARGET)
            until(play.asked)
            desk.run(once=True)
            assert waiting.result(PATIENCE).new
            return
        with pytest.raises(FailedError):
            converted(again, version(1), TARGET)
        desk.run(once=True)
    assert converted(again, version(1), TARGET).new


@pytest.mark.parametrize("name", [RESULT, "evidence/", "variant/"])
def test_g3_213_what_was_damaged_on_its_way_is_built_again(play: Play, name: str) -> None:
    ask(play)
    with play.desk() as desk:
        desk.run(once=True)
        ((_, answer),) = answered(play)
        assert isinstance(answer, Answer)
        file = next(file for path, file in answer.files.items() if path.startswith(name))
        spoil(desk.inbox(organisation_of(play)), file.sha256, b"x" * file.size)
        ask(play)
        assert answered(play) == []
        assert "conversion.refused" not in play.acme.types()
        desk.run(once=True)
    assert play.acme.convert().new


def test_g3_214_two_builders_never_run_one_order_at_once(play: Play) -> None:
    ask(play)
    (ordered,) = play.asked()
    with play.desk() as one, play.desk(name="shop-3") as other:
        held = one.database.claim(f"build {ordered.digest}", "builds it")
        assert held is not None
        happened = list[builder_desk.Happened]()
        other.told = happened.append
        other.run(once=True)
        assert happened == []
        assert play.acme.app.conversion.is_elsewhere(TARGET)
        held.let_go()
        one.run(once=True)
    assert play.acme.convert().new


def test_g3_215_what_a_killed_builder_had_begun_another_builds(play: Play) -> None:
    ask(play)
    with play.desk() as desk:
        pid = os.fork()
        if not pid:  # it dies as soon as it has begun
            desk.begun = lambda _: os.kill(os.getpid(), signal.SIGKILL)
            desk.run(once=True)
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    with play.desk() as desk:

        def built() -> bool:
            desk.run(once=True)
            return bool(answered(play))

        until(built)  # as soon as the server has noticed that it died
    left = [one for one in play.folder.iterdir() if one.name not in {"keys", "blobs-swept"}]
    assert left == []
    assert play.acme.convert().new


def test_g3_216_that_no_variant_comes_of_it_is_told_as_the_builders_word(play: Play) -> None:
    ask(play)
    keys = OnlineKeys(play.folder / "keys", {})
    forge(play, {RESULT: refused_by(play, keys.signer("builder"))})
    with pytest.raises(RefusedError, match="shop-2 built no variant") as caught:
        play.acme.convert()
    assert caught.value.code == "variant-unfaithful"
    assert "conversion.refused" in play.acme.types()
    assert play.asked() == []


def test_g3_231_a_refusal_that_was_taken_in_is_no_answer_again(play: Play) -> None:
    """Whoever has the old result puts it there once more, dated before all others."""
    ask(play)
    signer = OnlineKeys(play.folder / "keys", {}).signer("builder")
    older = refused_by(play, signer)
    forge(play, {RESULT: older})
    with pytest.raises(RefusedError, match="shop-2 built no variant"):
        play.acme.convert()
    ask(play)
    with play.desk() as desk:
        desk.run(once=True)
    forge(play, {RESULT: older})
    assert len(answered(play)) == 2
    assert play.acme.convert().new


def test_g3_232_an_answer_that_cannot_be_read_hides_no_other(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(play)
    forge(play, {RESULT: b"not to be read"})
    with play.desk() as desk:
        desk.run(once=True)
    genuine = S3Blobs.size
    bad = sha256(b"not to be read").hexdigest()

    def size(self: S3Blobs, digest: str) -> int:
        if digest == bad:
            raise FailedError("blobs-failed", "It answered InvalidArgument.", next_step="Ask it.")
        return genuine(self, digest)

    with monkeypatch.context() as patched:
        patched.setattr(S3Blobs, "size", size)
        assert play.acme.convert().new


def test_g3_233_of_two_who_wait_for_one_order_both_are_answered(play: Play) -> None:
    with (
        play.acme.another() as other,
        ThreadPoolExecutor(2) as hands,
        play.desk() as desk,
    ):
        waiting = [hands.submit(one.convert) for one in (play.acme, other)]
        until(play.asked)
        desk.run(once=True)
        built = [one.result(PATIENCE) for one in waiting]
    assert len({one.artifact.sha256 for one in built}) == 1
    assert play.acme.types().count("variant.built") == 1
    assert play.asked() == []


def test_g3_234_an_attempt_that_may_record_nothing_leaves_the_answer(play: Play) -> None:
    hub = play.acme.app.hub
    job = records.ask(hub, convert_wanted(play.acme.app, ASKED), "dora")
    late = records.begin(hub, job.number, "w", Host("0" * 32, "here"))
    app = replace(play.acme.app, hub=records.at_work(hub, late))
    with pytest.raises(FailedError):
        converted(app, version(1), TARGET)
    with play.desk() as desk:
        desk.run(once=True)
    newer = records.begin(hub, job.number, "w", Host("0" * 32, "here"))
    with pytest.raises(records.SupersededError):
        converted(app, version(1), TARGET)
    assert len(answered(play)) == 1
    again = replace(play.acme.app, hub=records.at_work(hub, newer))
    assert converted(again, version(1), TARGET).new


def test_g3_235_whoever_ends_waiting_has_nobody_asked_any_more(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_seconds: float) -> None:
        assert len(play.asked()) == 1
        raise KeyboardInterrupt

    monkeypatch.setattr("sealift_registry.conversion.building.time.sleep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        play.acme.convert()
    assert play.asked() == []


def test_g3_236_a_late_answer_is_not_added(play: Play) -> None:
    ask(play)
    (ordered,) = play.asked()
    with play.desk() as desk:

        def withdrawn(_order: object) -> None:
            with play.acme.app.hub.database.writing() as connection, connection.begin():
                elsewhere.withdraw(connection, ordered.digest)

        desk.begun = withdrawn
        desk.run(once=True)
    with play.acme.app.hub.reading() as connection:
        assert not elsewhere.is_answered(connection, ordered.digest)


def test_g3_237_what_lost_its_source_meanwhile_is_not_built(play: Play) -> None:
    ask(play)
    with play.desk() as desk:
        desk.run(once=True)
    home = ("--home", play.acme.root)
    sealift(play, "discard", f"{MODEL}/1", "--reason", "mistaken", "--yes", *home)
    with pytest.raises(RefusedError) as caught:
        play.acme.convert()
    assert caught.value.code == "discarded"
    assert "variant.built" not in play.acme.types()


def test_g3_217_another_order_for_the_same_variant_takes_its_place(play: Play) -> None:
    ask(play)
    (before,) = play.asked()
    with play.desk() as desk:
        desk.run(once=True)
    play.acme.ingest(1, models.tiny_goldens(play.acme.folder / "others.npz", 5))
    ask(play)
    (after,) = play.asked()
    assert before.digest != after.digest
    with play.desk() as desk:
        desk.run(once=True)
    assert play.acme.convert().new


def findings(play: Play) -> list[str]:
    with (
        closing(PostgresDatabase(play.database.url(Roles().application))) as database,
        database.reading() as connection,
    ):
        found = postgres_check.check(connection, Roles().application, failover=False)
        return [one.what for one in found if one.is_fault and "role" in one.what]


def test_g3_218_what_a_builders_role_may_too_much_is_named(play: Play) -> None:
    assert findings(play) == []
    play.database.run(
        f"GRANT SELECT ON sealift.log_entry TO {ROLE}",
        f"REVOKE INSERT ON sealift.build_result FROM {ROLE}",
        f"GRANT CREATE ON SCHEMA sealift TO {ROLE}",
    )
    said = "\n".join(findings(play))
    assert f"The builders' role {ROLE} may SELECT on log_entry" in said
    assert f"The builders' role {ROLE} lacks INSERT on build_result" in said
    assert f"The builders' role {ROLE} may make tables in the schema sealift" in said
    with_builder(play.database)
    assert "log_entry" not in "\n".join(findings(play))


def sealift(play: Play, *words: object) -> str:
    """What a command in a process of its own says."""
    play.acme.close()
    line = [str(Path(sys.executable).with_name("sealift")), *map(str, words)]
    found = subprocess.run(line, check=False, capture_output=True, text=True, timeout=100)
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout + found.stderr


def test_g3_219_a_job_waits_for_a_builder_and_costs_no_attempt(play: Play) -> None:
    home = ("--home", play.acme.root)
    said = sealift(play, "convert", f"{MODEL}/1", "--for", TARGET, "--detach", *home)
    assert "J-000001" in said
    for _ in range(2):
        said = sealift(play, "worker", "--once", *home)
    said = sealift(play, "job", "show", "J-000001", *home)
    assert "A builder on another machine is to build it" in said
    assert "state          waits" in said
    with play.desk() as desk:
        desk.run(once=True)
    said = sealift(play, "worker", "--once", *home)
    assert "J-000001 done" in said
    with play.acme.app.hub.reading() as connection:
        assert setbacks.spent(connection, 1) == 1
    assert play.asked() == []


def test_g3_219_nobody_is_asked_for_what_was_cancelled(play: Play) -> None:
    home = ("--home", play.acme.root)
    sealift(play, "convert", f"{MODEL}/1", "--for", TARGET, "--detach", *home)
    sealift(play, "worker", "--once", *home)
    assert len(play.asked()) == 1
    sealift(play, "job", "cancel", "J-000001", *home)
    assert play.asked() == []


def test_g3_219_gc_forgets_what_nobody_waits_for_any_more(play: Play) -> None:
    ask(play)
    with play.desk() as desk:
        desk.run(once=True)
    hub = play.acme.app.hub
    old_jobs.forget_orders(hub, hub.now() - timedelta(days=1))
    assert len(answered(play)) == 1
    old_jobs.forget_orders(hub, hub.now() + timedelta(days=1))
    with hub.reading() as connection:
        assert connection.execute(select(tables.build_order)).first() is None
        assert connection.execute(select(tables.build_result)).first() is None


def test_g3_220_a_fleet_administrator_enters_a_builder_and_takes_it_out(
    play: Play, capsys: Capsys
) -> None:
    cli, folder = Cli(play.acme, capsys), play.folder / "new"
    folder.mkdir()
    file = folder / "builder.toml"
    file.write_text(settings_of(play).replace(SHOP, "shop-3"))
    code, first, _ = cli("builder", "keys", "--settings", file)
    assert code == 0
    assert cli("builder", "keys", "--settings", file)[1] == first, "shown again as they are"
    cards = [folder / "keys" / f"{one}.card" for one in ("shop-3", "shop-3-scanner")]
    key = play.acme.folder / "offline" / "fleet-1.pem"
    code, said, told = cli("builder", "add", *reversed(cards), "--at-hub", "--key", key)
    assert code == 2
    assert "scanner" in told
    code, said, told = cli("builder", "add", *cards, "--at-hub", "--key", key)
    assert code == 0, told
    assert "The builder shop-3 may build now." in said
    assert play.acme.types()[-1] == "builder.added"
    code, _, told = cli("builder", "add", *cards, "--at-hub", "--key", key)
    assert code == 1
    assert "names a machine shop-3 already" in told
    ask(play)
    with play.desk(name="shop-3", keys=folder / "keys") as desk:
        desk.run(once=True)
    gone = ("--status", "compromised", "--at-hub", "--key", key)
    assert cli("builder", "remove", "shop-3", *gone)[0] == 0
    assert play.acme.types()[-1] == "builder.removed"
    ask(play)
    assert answered(play) == [], "what it built counts no more"
    assert cli("builder", "remove", "hub-builder", *gone)[0] == 1
    assert cli("builder", "remove", "nobody", *gone)[0] == 3


@pytest.mark.parametrize(
    "before, after, code, told",
    [
        ('keys = "keys"', 'keys = "none"', 3, "sealift builder keys"),
        (f"//{ROLE}@", f"//{Roles().application}@", 1, "sealift db init --builder"),
        (f"//{ROLE}@", "//nobody@", 4, "nobody"),
        ("/hub", "-not-there/hub", 4, "-not-there"),
        ("/inbox", "-not-there/inbox", 4, "-not-there"),
    ],
    ids=["keys", "role", "login", "blobs", "inbox"],
)
def test_g3_223_what_a_builder_lacks_is_said_before_it_waits(
    play: Play, capsys: Capsys, before: str, after: str, code: int, told: str
) -> None:
    file = play.folder / "builder.toml"
    said = settings_of(play)
    assert before in said
    file.write_text(said.replace(before, after))
    found = Cli(play.acme, capsys)("builder", "run", "--once", "--settings", file)
    assert found[0] == code, found
    assert told in found[2]
    assert "Builds as" not in found[1]


def test_g3_224_that_nothing_could_be_built_is_no_success(play: Play, capsys: Capsys) -> None:
    ask(play)
    file = play.folder / "builder.toml"
    file.write_text(settings_of(play).replace("/hub", "/another"))
    code, said, told = Cli(play.acme, capsys)("builder", "run", "--once", "--settings", file)
    assert code == 4
    assert "put off" in said
    assert "blobs.url" in said
    assert "1 order could not be built here" in told
    assert len(play.asked()) == 1


def test_g3_225_the_same_asked_for_twice_is_one_job(play: Play, capsys: Capsys) -> None:
    cli = Cli(play.acme, capsys)
    words = ("convert", f"{MODEL}/1", "--for", TARGET, "--detach")
    assert "J-000001 waits" in cli(*words)[1]
    said = cli(*words)[1]
    assert "asked for the same, and it has not ended" in said
    assert "J-000001 waits" in said
    assert json.loads(cli(*words, "--json")[1])["jobs"][0]["new"] is False
    assert cli("job", "cancel", "J-1")[0] == 0
    assert "J-000002 waits" in cli(*words)[1]


def test_g3_226_a_job_whose_answer_another_took_in_goes_on_at_once(play: Play) -> None:
    wanted = convert_wanted(play.acme.app, ConvertArguments(f"{MODEL}/1", TARGET))
    for _ in range(2):
        records.ask(play.acme.app.hub, wanted, "dora")
    home = ("--home", play.acme.root)
    sealift(play, "worker", "--once", *home)
    with play.desk() as desk:
        desk.run(once=True)
    sealift(play, "worker", "--once", *home)
    sealift(play, "worker", "--once", *home)
    with play.acme.app.hub.reading() as connection:
        ends = [records.end(connection, number) for number in (1, 2)]
    assert [one and one.outcome for one in ends] == ["done", "done"]


def test_g3_227_hardware_targets_that_there_are_not_are_named(play: Play, capsys: Capsys) -> None:
    play.acme.close()
    settings = play.acme.root / "settings.toml"
    settings.write_text(settings.read_text().replace(f'"{TARGET}"', '"cpu_x86"'))
    code, _, told = Cli(play.acme, capsys)("convert", f"{MODEL}/1", "--for", TARGET)
    assert code == 2
    assert "cpu_x86" in told


@pytest.mark.parametrize(
    "change, why",
    [
        ("", "it has no"),
        ("[builder]\nname = 3\n", "no text"),
        ("[other]\n", "nothing is called other"),
        ("not toml", "no TOML"),
    ],
)
def test_g3_221_bad_settings_of_a_builder_are_named(
    acme: Acme, capsys: Capsys, change: str, why: str
) -> None:
    file = acme.folder / "builder.toml"
    file.write_text(change)
    code, _, told = Cli(acme, capsys)("builder", "run", "--settings", file)
    assert code == 2
    assert why in told
    assert str(file) in told
    assert Cli(acme, capsys)("builder", "run", "--settings", acme.folder / "none")[0] == 4


def test_g3_222_a_hub_that_builds_elsewhere_needs_servers(acme: Acme, capsys: Capsys) -> None:
    acme.ingest(1, acme.goldens())
    acme.close()
    with (acme.root / "settings.toml").open("a") as file:
        file.write(f'\n[builders]\nhardware_targets = "{TARGET}"\n')
    settings = (acme.root / "settings.toml").read_text()
    kept = settings.replace('[builders]\nhardware_targets = ""\ninbox = ""\n', "", 1)
    (acme.root / "settings.toml").write_text(kept)
    code, _, told = Cli(acme, capsys)("convert", f"{MODEL}/1", "--for", TARGET)
    assert code == 2
    assert "builders.inbox is not set" in told
