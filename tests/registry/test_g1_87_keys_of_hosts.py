"""Keys that one host replaced: another one signs nothing with the old ones, and says so."""

from __future__ import annotations

import shutil

import pytest

from sealift_registry.trust import key_rotation, teams
from sealift_registry.trust.keys_elsewhere import verifying_key
from sealift_registry.trust.repository import Repository
from sealift_signing.errors import FailedError, SealiftError
from tests.registry.hub_fixture import Acme
from tests.registry.test_replacing_keys import rotate
from tests.registry.two_hosts import Host, TwoHosts, hosts, on_postgresql

__all__ = ["hosts", "on_postgresql"]


def ingested(at: Acme) -> None:
    at.ingest(7)


def exported(at: Acme) -> None:
    assert isinstance(at, Host)
    at.export_here(anew=True)


def logged(at: Acme) -> None:
    at.app.hub.log.commit_entry(at.app.hub.entry("team.members-changed", "stewards", {}))


USES = {"log": logged, "freshness": exported, "scanner": ingested}


def copy_keys(hosts: TwoHosts, *names: str) -> None:
    for name in names:
        for file in (f"{name}.pem", f"{name}.pem.pub"):
            shutil.copy(hosts.one.root / "keys" / file, hosts.two.root / "keys" / file)


@pytest.mark.parametrize("status", ["retired", "compromised"])
@pytest.mark.parametrize("what", USES)
def test_g1_87_the_other_host_says_what_to_copy(hosts: TwoHosts, what: str, status: str) -> None:
    use = USES[what]
    if what == "log":
        use(hosts.two)  # its writer has the old key open, and knows the log's end
    rotate(hosts.one, what, status)
    before = hosts.one.types()
    with pytest.raises(FailedError) as told:
        use(hosts.two)
    assert hosts.one.types() == before, "nothing was signed"
    files = {"freshness": ("snapshot", "timestamp")}.get(what, (what,))
    code = "log-key-replaced" if what == "log" else "online-key-missing"
    assert told.value.code == code
    assert any(f"{name}.pem and {name}.pem.pub" in told.value.next_step for name in files)
    assert str(hosts.two.root / "keys") in told.value.next_step
    hosts.one.close()
    hosts.one.app.hub  # noqa: B018 - whoever opens it next has the key take its place
    copy_keys(hosts, *files)
    use(hosts.two)
    use(hosts.one)
    assert len(hosts.one.types()) > len(before)


def test_g1_87_a_killed_rotation_lets_no_old_key_sign_either(
    hosts: TwoHosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new key is named, and has signed nothing yet: the newest checkpoint is the old one's."""
    with monkeypatch.context() as patched:
        patched.setattr(key_rotation, "take_up", lambda _hub: None)
        rotate(hosts.one, "log", "compromised")
    with pytest.raises(FailedError) as told:
        logged(hosts.two)
    assert told.value.code == "log-key-replaced"


def test_g1_87_a_new_team_gets_the_catalog_key_of_today(hosts: TwoHosts) -> None:
    rotate(hosts.one, "catalog")
    card = hosts.two.card("anna")
    with pytest.raises(FailedError) as told:
        teams.team(hosts.two.app.hub, "sound", [card])
    assert told.value.code == "online-key-missing"
    new = teams.team(hosts.one.app.hub, "sound", [card]).facts["catalog-key"]
    with hosts.one.app.hub.reading() as connection:
        held = key_rotation.held_as(Repository(connection), "catalog")
    assert new == (held[0].text,)


def test_g1_87_a_rotation_is_submitted_where_it_was_drafted(hosts: TwoHosts) -> None:
    with hosts.one.app.hub.reading() as connection:
        wanted = key_rotation.wanted(hosts.one.app.hub, connection, "log", "retired")
    with pytest.raises(SealiftError) as told:
        key_rotation.check_has(hosts.two.app.hub, "log", wanted.facts["key"])
    assert told.value.code == "online-key-elsewhere"
    key_rotation.check_has(hosts.one.app.hub, "log", wanted.facts["key"])


def test_g1_87_the_log_is_verified_by_the_key_of_today(hosts: TwoHosts) -> None:
    rotate(hosts.one, "log")
    with hosts.two.app.hub.reading() as connection:
        key = verifying_key(hosts.two.app.hub.online, connection)
    assert key != hosts.two.app.hub.online.public("log")
    assert key == hosts.one.app.hub.online.public("log")
