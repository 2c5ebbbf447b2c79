"""A job is followed as it changes: to its end, no longer than one may, and never silently."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest import mock

import pytest
from litestar.testing import TestClient

from sealift_registry import changing_jobs
from sealift_registry.jobs import records
from sealift_registry.jobs.job import Job
from sealift_registry.jobs.records import Wanted
from sealift_registry.storage.host import Host
from sealift_registry.web import job_events
from sealift_registry.web.api import Served, make_api
from sealift_registry.web.health import Health
from sealift_signing.errors import FailedError
from tests.registry.hub_fixture import Acme
from tests.registry.served_hub import URL, Doorkeeper, signed_in

HERE = Host("0" * 32, "here")


@pytest.fixture(autouse=True)
def quick() -> Iterator[None]:
    with mock.patch.object(job_events, "PAUSE", 0.02):
        yield


def asked(acme: Acme) -> Job:
    arguments = {"version": "vision/tiny/1", "hardware_target": "cpu-x86_64"}
    return records.ask(acme.app.hub, Wanted("convert", arguments), "anna")


def finish(acme: Acme, job: Job) -> None:
    hub = acme.app.hub
    attempt = records.begin(hub, job.number, "w", HERE)
    records.finish(hub, job.number, "done", attempt=attempt, result={"artifacts": []})


def told(text: str) -> list[Mapping[str, Any]]:
    """The data of each event, in order; each is of one line, and has the next number."""
    events = [part for part in text.split("\n\n") if part and not part.startswith(":")]
    for number, one in enumerate(events, 1):
        assert one.startswith(f"id: {number}\nevent: job\ndata: {{")
        assert one.count("\n") == 2
    return [json.loads(one.partition("data: ")[2]) for one in events]


def path(job: Job) -> str:
    return f"/api/v1/jobs/{job.id}/events"


@contextmanager
def doing(act: Any) -> Iterator[None]:  # noqa: ANN401 - what somebody does meanwhile
    """While it is listened to, somebody does this."""
    hand = threading.Timer(0.3, act)
    hand.start()
    try:
        yield
    finally:
        hand.join()


@contextmanager
def listening(acme: Acme, keeper: Doorkeeper) -> Iterator[tuple[TestClient[Any], Served]]:
    """The hub, asked in this process, and what is known of serving it."""
    made = Served(acme.app, keeper, URL, "0.0.1", Health(acme.app.hub))
    with TestClient(make_api(made), base_url=URL, raise_server_exceptions=False) as client:
        yield client, made


def followed(client: TestClient[Any], keeper: Doorkeeper, job: Job) -> str:
    answer = client.get(path(job), headers=dict(signed_in(keeper)))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["x-accel-buffering"] == "no"  # a proxy would keep it
    assert answer.headers["cache-control"] == "no-store, no-transform"
    return answer.text


def test_g2_180_a_job_is_told_as_it_changes_until_it_has_ended(acme: Acme) -> None:
    keeper, job = Doorkeeper(), asked(acme)
    with listening(acme, keeper) as (client, _), doing(lambda: finish(acme, job)):
        events = told(followed(client, keeper, job))
        shown = client.get(f"/api/v1/jobs/{job.id}", headers=dict(signed_in(keeper))).json()
    states = [one["state"] for one in events]
    assert (states[0], states[-1]) == ("waits", "done")
    assert len(states) == len(list(dict.fromkeys(map(str, events)))), "none is told twice"
    assert events[-1] == shown


def test_g2_180_of_one_that_has_ended_its_end_is_told_at_once(acme: Acme) -> None:
    keeper, job = Doorkeeper(), asked(acme)
    finish(acme, job)
    with listening(acme, keeper) as (client, _):
        (event,) = told(followed(client, keeper, job))
    assert event["state"] == "done"


def test_g2_181_whoever_may_no_more_hears_no_more(acme: Acme) -> None:
    keeper, job = Doorkeeper(), asked(acme)
    with (
        mock.patch.object(job_events, "ASKED_AGAIN", 0.05),
        listening(acme, keeper) as (client, _),
        doing(lambda: setattr(keeper, "may", lambda *_: False)),
    ):
        events = told(followed(client, keeper, job))
    assert [one["state"] for one in events] == ["waits"]
    assert len([one for one in keeper.asked if one[1] == "job.read"]) > 2


def test_g2_181_who_may_not_see_it_hears_nothing(acme: Acme) -> None:
    keeper, job = Doorkeeper(may=lambda *_: False), asked(acme)
    with listening(acme, keeper) as (client, _):
        answer = client.get(path(job), headers=dict(signed_in(keeper)))
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
        keeper.may = lambda *_: True
        answer = client.get("/api/v1/jobs/J-000099/events", headers=dict(signed_in(keeper)))
        assert (answer.status_code, answer.json()["code"]) == (404, "no-job")


def test_g2_181_it_ends_with_the_server(acme: Acme) -> None:
    keeper, job = Doorkeeper(), asked(acme)
    with listening(acme, keeper) as (client, made):
        health = made.health
        with doing(lambda: setattr(health, "stopping", True)):
            assert [one["state"] for one in told(followed(client, keeper, job))] == ["waits"]


def test_g2_182_what_is_quiet_for_long_is_not_silent(acme: Acme) -> None:
    keeper, job = Doorkeeper(), asked(acme)
    with (
        mock.patch.object(job_events, "BEAT", 0.05),
        listening(acme, keeper) as (client, _),
        doing(lambda: finish(acme, job)),
    ):
        assert "\n\n: still so\n\n" in followed(client, keeper, job)


def test_g2_182_a_database_that_is_away_for_a_while_ends_nothing(acme: Acme) -> None:
    keeper, job = Doorkeeper(), asked(acme)
    genuine, calls = changing_jobs.look, []

    def away(*given: Any) -> Any:  # noqa: ANN401 - as it is
        calls.append(given)
        if 1 < len(calls) < 6:
            raise FailedError("database-unreachable", "It is away.")
        return genuine(*given)

    with (
        mock.patch.object(job_events, "look", away),
        listening(acme, keeper) as (client, _),
        doing(lambda: finish(acme, job)),
    ):
        assert told(followed(client, keeper, job))[-1]["state"] == "done"
    assert len(calls) > 6


def test_g2_183_very_many_listeners_are_told_to_come_later(acme: Acme) -> None:
    keeper, job = Doorkeeper(), asked(acme)
    finish(acme, job)
    with mock.patch.object(job_events, "MOST", 0), listening(acme, keeper) as (client, _):
        answer = client.get(path(job), headers=dict(signed_in(keeper)))
        assert (answer.status_code, answer.json()["code"]) == (429, "too-many-requests")
        assert int(answer.headers["retry-after"]) > 0
    with listening(acme, keeper) as (client, made):
        for _ in range(3):
            followed(client, keeper, job)
        assert made.listeners.count == 0, "who has gone is not counted"
