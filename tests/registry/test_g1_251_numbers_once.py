"""A number is given once: also where the row that had it is gone, for the log says who had it."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, text

from sealift_registry import fsck
from sealift_registry.catalog import logged
from sealift_registry.catalog.reference import ModelRef
from sealift_registry.delivery import transfers
from sealift_registry.jobs import records
from sealift_registry.moving import checks
from sealift_registry.trust import signed_log
from sealift_signing.errors import FailedError, RefusedError, SealiftError
from tests.registry.hub_fixture import Acme

OTHER = "team = 'vision' AND model = 'other'"


def owner(acme: Acme, *statements: str) -> None:
    """What the owner of the tables does; the guards are back in place after it."""
    acme.close()
    with acme.stranger() as connection:
        guards = _guards(connection)
        for name, _ in guards:
            connection.exec_driver_sql(f'DROP TRIGGER "{name}"')
        for one in statements:
            assert connection.execute(text(one)).rowcount, one
        for _, guard in guards:
            connection.exec_driver_sql(guard)
    acme.close()


def _guards(connection: Connection) -> list[tuple[str, str]]:
    if connection.dialect.name != "sqlite":
        return []  # there they are off for such a transaction
    query = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
    return [(name, sql) for name, sql in connection.exec_driver_sql(query)]


def refused(acme: Acme, act: str, *given: object, **more: object) -> str:
    before = acme.types()
    with pytest.raises(SealiftError) as caught:
        getattr(acme, act)(*given, **more)
    assert isinstance(caught.value, RefusedError)
    assert caught.value.code == "row-missing"
    assert "sealift audit fsck" in caught.value.next_step
    assert acme.types() == before, "nothing was signed"
    return caught.value.what


def codes(acme: Acme) -> set[str]:
    with acme.app.hub.reading() as connection:
        return {one.code for one in fsck.check(connection)}


def test_g1_251_the_number_of_a_version_is_given_once(ready: Acme) -> None:
    ready.ingest(2, model="vision/other")
    owner(
        ready,
        "DELETE FROM statement WHERE sha256 IN "
        "(SELECT sha256 FROM evidence WHERE path LIKE 'catalog/vision/other/%')",
        "DELETE FROM evidence WHERE path LIKE 'catalog/vision/other/%'",
        f"DELETE FROM artifact WHERE {OTHER}",  # noqa: S608 - our words
        f"DELETE FROM model_version WHERE {OTHER}",  # noqa: S608 - our words
    )
    assert "vision/other/1" in refused(ready, "ingest", 3, model="vision/other")
    assert "row-missing" in codes(ready)
    ready.ingest(3, model="vision/third")


def test_g1_251_the_number_of_a_promotion_is_given_once(ready: Acme) -> None:
    ready.request(1)
    owner(
        ready,
        "DELETE FROM promotion",
        "DELETE FROM statement WHERE kind = 'request'",
    )
    ready.convert(2)
    assert "P-000001" in refused(ready, "asked", 2, reason="Another version.")
    assert "row-missing" in codes(ready)


def test_g1_251_the_number_of_a_transfer_is_given_once(ready: Acme) -> None:
    ready.export()
    newest = "(SELECT id FROM transfer ORDER BY number DESC LIMIT 1)"
    owner(
        ready,
        f"DELETE FROM bundle WHERE transfer = {newest}",  # noqa: S608 - our words
        "DELETE FROM transfer WHERE number = (SELECT max(number) FROM transfer)",
    )
    (ready.folder / "another").mkdir()
    told = refused(ready, "export", to=ready.folder / "another")
    assert "plant-7-000001" in told
    assert "row-missing" in codes(ready)


@pytest.mark.parametrize(
    "kind, data",
    [
        (logged.INGESTED, {"version": "vision/tiny/1", "goldens": ""}),
        (logged.REQUESTED, {"promotion": "P-000001", "request": "0" * 64}),
        (transfers.BEGUN, {"transfer": "plant-7-000001", "enrolment": "x"}),
        (records.ASKED, {"job": "J-000001", "order": "0" * 64}),
    ],
)
def test_g1_252_a_name_that_was_given_twice_is_named(
    ready: Acme, kind: str, data: dict[str, str]
) -> None:
    """As earlier releases gave them, to a database whose owner had taken the row out."""
    hub = ready.app.hub
    before = [one for one in checks.faults(hub) if "twice" in one]
    for _ in range(2):
        hub.log.commit_entry(hub.entry(kind, "hub", data, {}, "plant-7"))
    assert not before
    assert any("twice, by the log" in one for one in checks.faults(hub))


def test_g1_253_a_newest_entry_that_is_spoiled_has_no_older_one_speak(ready: Acme) -> None:
    ready.ingest(2, model="vision/other")
    ready.ingest(3, model="vision/other")
    newest = "(SELECT max(seq) FROM log_entry WHERE type = 'version.ingested')"
    for body in (b"garbage", b"{}"):
        spoil = f"UPDATE log_entry SET body = x'{body.hex()}' WHERE seq = {newest}"  # noqa: S608 - our words
        owner(ready, spoil)
        with ready.app.hub.reading() as connection:
            with pytest.raises(FailedError) as caught:
                logged.last_version(connection, ModelRef("vision", "other"))
            assert caught.value.code == "log-damaged"
            # What checks them all goes on, and the check of the log names it.
            assert list(signed_log.oldest_first(connection, logged.INGESTED))
    assert codes(ready)
