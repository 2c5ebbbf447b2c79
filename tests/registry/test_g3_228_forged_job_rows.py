"""Whoever may add and remove rows of jobs has none done again, and none that cannot be ended."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import delete, insert, update

from sealift_registry import fsck
from sealift_registry.jobs import records, setbacks, tables
from sealift_registry.jobs.job import MOST_ATTEMPTS, Job
from sealift_registry.jobs.records import Wanted
from sealift_registry.storage.host import Host
from sealift_registry.trust import signed_log
from sealift_signing.errors import RefusedError
from tests.registry.hub_fixture import Acme

HERE = Host("0" * 32, "here")
EVIL = "\x1b[2Jhost-7\nApproved by anna"


def asked(acme: Acme) -> Job:
    return records.ask(acme.app.hub, Wanted("convert", {}), "dora")


def named(acme: Acme) -> str:
    with acme.app.hub.reading() as connection:
        return "\n".join(one.sentence for one in fsck.check(connection))


@pytest.mark.parametrize("outcome", ["cancelled", "done"])
def test_g3_228_an_end_that_somebody_took_out_has_nothing_done_again(
    acme: Acme, outcome: str
) -> None:
    hub, job = acme.app.hub, asked(acme)
    if outcome == "done":
        attempt = records.begin(hub, job.number, "w", HERE)
        records.finish(hub, job.number, "done", attempt=attempt, result={})
    else:
        records.finish(hub, job.number, "cancelled", attempt=None, by="dora")
    assert named(acme) == ""
    with acme.behind() as connection:
        connection.execute(delete(tables.job_end))
    before = acme.types()
    for act in (
        lambda: records.begin(hub, job.number, "w", HERE),
        lambda: records.finish(hub, job.number, "done", attempt=None, result={}),
    ):
        with pytest.raises(RefusedError) as caught:
            act()
        assert caught.value.code == "row-missing"
    assert acme.types() == before
    assert f"The end of {job.id} is in the log, and has no row." in named(acme)


def test_g3_228_a_job_that_somebody_took_out_is_named(acme: Acme) -> None:
    job = asked(acme)
    assert named(acme) == ""
    with acme.behind() as connection:
        connection.execute(delete(tables.job))
    assert f"The job {job.id} was asked for by the log and has not ended, and has" in named(acme)
    assert asked(acme).number == 2, "and its number is no other's"


def test_g3_228_two_ends_of_one_job_are_named(acme: Acme) -> None:
    hub, job = acme.app.hub, asked(acme)
    records.finish(hub, job.number, "cancelled", attempt=None, by="dora")
    hub.log.commit_entry(hub.entry(records.ENDED, "hub", {"job": job.id, "end": "0" * 64}, {}))
    assert f"The job {job.id} ended twice, by the log." in named(acme)


def test_g3_229_nothing_of_an_attempt_that_somebody_added_is_signed(acme: Acme) -> None:
    hub, job = acme.app.hub, asked(acme)
    row = {"job": 1, "token": "t", "host": "h", "host_name": EVIL, "worker": "w", "made": EVIL}
    with acme.behind() as connection:
        for number in range(1, MOST_ATTEMPTS + 1):
            connection.execute(
                insert(tables.job_attempt).values(**row, number=number, software=EVIL)
            )
    with pytest.raises(records.EndedError):
        records.begin(hub, job.number, "w", HERE)
    with hub.reading() as connection:
        end = records.end(connection, job.number)
    assert end is not None
    assert end.outcome == "set-aside"
    assert "By what workers noted" in str(end.problem)
    with hub.reading() as connection:
        (entry,) = signed_log.oldest_first(connection, records.ENDED)
    assert "anna" not in json.dumps(entry.data)


@pytest.mark.parametrize(
    "forged", [{"body": b"{}"}, {"again": "garbage"}, {"made": "garbage"}], ids=str
)
def test_g3_230_a_setback_that_cannot_be_read_stops_nothing(
    acme: Acme, forged: dict[str, object]
) -> None:
    hub, job = acme.app.hub, asked(acme)
    attempt = records.begin(hub, job.number, "w", HERE)
    records.give_back(hub, attempt)
    with acme.behind() as connection:
        connection.execute(update(tables.job_setback).values(**forged))
    with hub.reading() as connection:
        assert setbacks.every(connection, job.number) == []
        assert setbacks.due(connection, job.number, hub.now())
        assert setbacks.due_among(connection, [job.number], hub.now()) == {job.number}
    records.begin(hub, job.number, "w", HERE)
    records.finish(hub, job.number, "cancelled", attempt=None, by="dora")
