"""What is kept of an address means elsewhere what it meant here; and whom a socket verifies."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine import URL

from sealift_registry.storage.postgres_address import (
    NEVER_SHOWN,
    connecting,
    in_force,
    noted,
    parse_url,
    shown,
)
from sealift_registry.storage.postgresql import PostgresDatabase
from sealift_signing.errors import FailedError
from tests.servers.postgres import starting

HOSTS = st.sampled_from(["h1", "db.example", "127.0.0.1", "/run/pg", "localhost"])
PORTS = st.sampled_from(["5432", "5433", "1", ""])
ADDRESSES = st.sampled_from(["127.0.0.1", "192.0.2.1", "::1"])


@contextmanager
def around(variables: dict[str, str]) -> Iterator[None]:
    """Only these variables are libpq's."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [one for one in os.environ if one.startswith("PG")]:
            patch.delenv(name)
        patch.setenv("HOME", "/nowhere")
        for name, value in variables.items():
            patch.setenv(name, value)
        yield


def goes_to(url: URL) -> tuple[object, ...]:
    """Each host with its port and its address, as libpq reads them, and as whom."""
    found = in_force(url)
    hosts, addresses, ports = (
        found.get(key, "").split(",") for key in ("host", "hostaddr", "port")
    )
    count = max(len(hosts), len(addresses))
    each = [one * count if len(one) == 1 else one for one in (hosts, addresses, ports)]
    each[2] = [one or "5432" for one in each[2]]
    assert {len(one) for one in each} == {count}
    return url.database, url.username or found.get("user"), *zip(*each, strict=True)


@st.composite
def addresses(draw: st.DrawFn) -> tuple[str, dict[str, str]]:
    """An address and the variables around it, which fit together."""
    count = draw(st.integers(1, 3))

    def some(one: st.SearchStrategy[str], *, alone: bool = False) -> str:
        sizes = st.sampled_from([1, count]) if alone else st.just(count)
        return ",".join(draw(st.tuples(*[one] * draw(sizes))))

    made: tuple[dict[str, str], dict[str, str]] = ({}, {})
    for where in made:
        for key, value, alone in (
            ("host", HOSTS, False),
            ("port", PORTS, True),
            ("hostaddr", ADDRESSES, False),
        ):
            if draw(st.booleans()):
                where[key] = some(value, alone=alone)
    said, variables = made
    # Several ports are told apart by hosts: to libpq as well.
    for where, named_there in ((said, said), (variables, said | variables)):
        if not {"host", "hostaddr"} & named_there.keys():
            where["port"] = draw(PORTS)
    user = draw(st.sampled_from(["", "a@"]))
    authority = ""
    if "/" not in said.get("host", "/") and draw(st.booleans()):
        authority = said.pop("host")
    query = "&".join(f"{key}={value}" for key, value in said.items())
    named = {f"PG{key.upper()}": value for key, value in variables.items()}
    named |= draw(st.sampled_from([{}, {"PGUSER": "b"}]))
    return f"postgresql://{user}{authority}/x?{query}", named


@given(addresses())
def test_g1_231_what_is_kept_of_an_address_means_the_same_elsewhere(
    made: tuple[str, dict[str, str]],
) -> None:
    url, variables = made
    with around(variables):
        here = goes_to(parse_url(url))
        kept, told = noted(parse_url(url)), shown(parse_url(url))
        assert goes_to(parse_url(told)) == here
    with around({}):
        again = parse_url(kept)
        assert goes_to(again) == here
        assert noted(again) == kept
        assert again.username is not None
        with closing(PostgresDatabase(kept)) as database:  # SQLAlchemy takes it, too
            database.engine.dialect.create_connect_args(database.url)


def test_g1_231_one_port_is_each_host_s() -> None:
    for url in ("postgresql://a@/x?host=h1,h2&port=5433", "postgresql://a@h1,h2/x?port=5433"):
        assert shown(parse_url(url)) == "postgresql://a@/x?host=h1,h2&port=5433,5433"
    assert "," not in connecting(parse_url("postgresql://a@h1/x?port=5433"))["port"]


def test_g1_231_so_does_what_a_service_file_says(tmp_path: Path) -> None:
    file = tmp_path / "service.conf"
    file.write_text("[hub]\nhost=h1,h2\nport=5433\nuser=c\n", encoding="utf-8")
    with around({"PGSERVICEFILE": str(file), "PGSERVICE": "hub"}):
        kept = noted(parse_url("postgresql:///x"))
    with around({}):
        assert shown(parse_url(kept)) == "postgresql://c@/x?host=h1,h2&port=5433,5433"


def asked(url: str) -> str | None:
    """What a server that asks for a password is held to."""
    found: str | None = connecting(parse_url(url)).get("require_auth")
    return found


def test_g1_232_a_socket_verifies_by_requirepeer() -> None:
    """Who runs the server is asked of the kernel, before anything is sent."""
    near = "postgresql://a@/x?host=/run/pg"
    with around({}):
        assert asked(near) == NEVER_SHOWN
        assert asked(f"{near}&requirepeer=postgres") is None
        assert asked("postgresql://a@/x?requirepeer=postgres") is None
        # Over a network libpq does not look at it.
        for url in (
            "postgresql://a@localhost/x?requirepeer=postgres",
            "postgresql://a@/x?hostaddr=192.0.2.1&requirepeer=postgres",
            f"{near}&hostaddr=192.0.2.1&requirepeer=postgres",
            f"{near},db.example&requirepeer=postgres",
        ):
            assert asked(url) == NEVER_SHOWN
        both = f"{near},db.example&requirepeer=postgres&sslmode=verify-full"
        assert asked(both) is None
    with around({"PGREQUIREPEER": "postgres"}):
        assert asked(near) is None
        assert asked("postgresql://a@localhost/x") == NEVER_SHOWN


@pytest.mark.embedded("it asks a server of its own how it lets people in")
def test_g1_232_a_socket_on_which_a_password_is_asked_for_openly() -> None:
    with starting() as server:
        there = server.migrated()
        server.administration.run("ALTER ROLE sealift_app PASSWORD 'correct-horse-battery'")
        rules = server.data / "pg_hba.conf"
        before = rules.read_text(encoding="utf-8")
        rules.write_text("local all sealift_app password\n" + before, encoding="utf-8")
        server.administration.run("SELECT pg_reload_conf()")
        url = there.url("sealift_app").replace("@", ":correct-horse-battery@", 1)
        owner = rules.owner()

        def refused(address: str) -> FailedError:
            with closing(PostgresDatabase(address)) as database, pytest.raises(FailedError) as bad:
                database.check_exists()
            return bad.value

        bad = refused(url)
        assert bad.code == "database-open-password"
        assert "requirepeer=USER" in bad.next_step
        bad = refused(f"{url}&requirepeer=somebody-else")
        assert bad.code == "database-untrusted"
        assert "requirepeer" in bad.what
        assert "sslrootcert" not in bad.next_step
        with closing(PostgresDatabase(f"{url}&requirepeer={owner}")) as database:
            database.check_exists()
