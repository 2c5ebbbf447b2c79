"""Two processes on one database that ask for a number at once are given one each, and no other."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from sealift_registry.catalog.reference import VersionRef
from sealift_registry.intake.ingest import Intake
from tests.registry.two_hosts import Host, TwoHosts, hosts, on_postgresql

__all__ = ["hosts", "on_postgresql"]

PATIENCE = 60
"""Seconds: longer, and one of them never came."""


def test_g1_269_versions_described_at_once_follow_each_other(
    hosts: TwoHosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have stored the manifest of the next number before either records it."""
    genuine, both, said = Intake._described, Barrier(2), list[int]()

    def described(self: Intake, *given: object) -> tuple[VersionRef, str]:
        ref, manifest = genuine(self, *given)  # type: ignore[arg-type]
        said.append(ref.number)
        if len(said) <= both.parties:
            both.wait(PATIENCE)
        return ref, manifest

    monkeypatch.setattr(Intake, "_described", described)
    with ThreadPoolExecutor(2) as hands:
        made = [hands.submit(one.ingest, seed) for seed, one in enumerate(hosts.both, 7)]
        taken = sorted(one.result().version.ref.number for one in made)
    assert taken == [2, 3]
    assert said == [2, 2, 3], "who came second described its version anew"


def test_g1_269_promotions_asked_for_at_once_have_a_number_each(hosts: TwoHosts) -> None:
    begin = Barrier(2)

    def asks(host: Host) -> list[int]:
        begin.wait(PATIENCE)
        return [host.asked(1, reason=f"For {host.name}, {turn}.") for turn in range(4)]

    with ThreadPoolExecutor(2) as hands:
        given = [number for found in hands.map(asks, hosts.both) for number in found]
    first = min(given)
    assert sorted(given) == list(range(first, first + 8))
