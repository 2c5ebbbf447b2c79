"""One hub on two hosts: two homes, one PostgreSQL database."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sealift_migrations import SCHEMA
from sealift_registry import guide
from sealift_registry.delivery.exports import DraftedBundle
from sealift_registry.shown.transfer import begun_lines
from sealift_registry.storage import host
from sealift_registry.views.transfers import BegunView, transfer
from sealift_signing.errors import RefusedError, SealiftError
from sealift_sync.bundle import writer
from tests.registry.hub_fixture import SITE, Acme, stage
from tests.registry.test_delivery import made
from tests.registry.test_exports_resume import cut
from tests.registry.test_hub_cli import Capsys, Cli
from tests.registry.two_hosts import FIRST, Host, TwoHosts, hosts, on_postgresql

__all__ = ["hosts", "on_postgresql"]

BEGUN, NEXT = "plant-7-000001", "plant-7-000002"


def refusal(at: Host) -> SealiftError:
    try:
        at.export_here()
    except SealiftError as bad:
        return bad
    raise AssertionError("It was not refused.")


def told_of(at: Acme, name: str) -> str:
    with at.app.hub.reading() as connection:
        view = transfer(at.app.hub, connection, name)
    assert isinstance(view, BegunView)
    return "\n".join(begun_lines(view))


def steps(at: Acme) -> str:
    found = guide.missing(at.app.hub, at.app.hardware_targets)
    return "\n".join(f"{one.sentence} {one.command}" for one in found)


def test_g1_80_an_unfinished_transfer_is_gone_on_with_where_it_was_begun(
    hosts: TwoHosts, capsys: Capsys
) -> None:
    with cut(writer, "_read_back"):
        hosts.one.export_here()
    told = refusal(hosts.two)
    assert (told.code, type(told)) == ("transfer-elsewhere", RefusedError)
    assert f"{BEGUN} was begun on {FIRST} at " in told.what
    assert "--anew" in told.next_step
    assert f"Its medium is at {FIRST}" in told_of(hosts.two, BEGUN)
    assert FIRST not in told_of(hosts.one, BEGUN)
    assert f"{BEGUN} for site {SITE} was begun on {FIRST}" in steps(hosts.two)
    assert FIRST not in steps(hosts.one)
    hosts.close()
    assert f"(at {FIRST})" in Cli(hosts.two, capsys).says("list", "transfers")
    assert FIRST not in Cli(hosts.one, capsys).says("list", "transfers")
    assert hosts.one.export_here() == BEGUN
    assert hosts.two.app.hub is not hosts.one.app.hub
    assert hosts.one.types().count("transfer.begun") == 1


def test_g1_81_where_its_host_is_gone_another_transfer_takes_its_place(hosts: TwoHosts) -> None:
    first = hosts.one.app.exports.draft(SITE, hosts.one.medium, stage)
    assert isinstance(first, DraftedBundle)
    assert refusal(hosts.two).code == "transfer-elsewhere"
    other = made(hosts.two.folder / "other")
    exported = hosts.two.app.exports.export(SITE, other, hosts.two.dispatcher(), stage, anew=True)
    assert exported.transfer == NEXT
    assert any(BEGUN in one and "replaced by this" in one for one in exported.warnings)
    hosts.one.close()
    assert f"{NEXT} took its place" in told_of(hosts.one, BEGUN)
    assert hosts.one.export_here(Path(made(hosts.one.folder / "third"))) == "plant-7-000003"


def test_g1_82_a_copied_home_is_another_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its id was copied with it, and tells nobody apart; the machine's own does."""
    home, copy, machine = made(tmp_path / "home"), tmp_path / "copy", tmp_path / "machine-id"
    machine.write_text("5ea11f7\n")
    monkeypatch.setattr(host, "MACHINE_ID", machine)
    assert host.known(home) is None
    first = host.this_host(home)
    assert host.this_host(home) == first
    shutil.copytree(home, copy)
    machine.write_text("another\n")
    assert host.this_host(copy).id != first.id
    machine.unlink()  # as in a container
    in_container = host.this_host(home).id
    assert host.known(home) == in_container
    assert host.this_host(made(tmp_path / "new")).id != in_container


def test_g1_83_homes_that_name_no_host_are_of_this_one(hosts: TwoHosts) -> None:
    """A database that was moved from where it was one home's alone."""
    with cut(writer, "_read_back"):
        hosts.one.export_here()
    hosts.database.run(
        f"ALTER TABLE {SCHEMA}.transfer DISABLE TRIGGER ALL",
        f"UPDATE {SCHEMA}.transfer SET host = NULL, host_name = NULL",  # noqa: S608 - ours
    )
    assert hosts.two.export_here() == BEGUN
