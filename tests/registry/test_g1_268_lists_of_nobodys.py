"""What is listed of versions, and shown of one, is what was taken in; else it is named."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from sqlalchemy import delete, update

from sealift_registry.catalog.tables import artifact, model_version, version_alias
from tests.registry.hub_fixture import MODEL, Acme, Loose
from tests.registry.test_g1_210_rows_that_nobody_signed import put
from tests.registry.test_hub_cli import Capsys, Cli
from tests.stores import unguard

REFUSED = 1
"""The exit code."""


def changed(acme: Acme, number: int, **values: Loose) -> None:
    """The owner has the row of a version say something else."""
    with acme.stranger() as connection:
        unguard(connection)
        of = model_version.c.number == number
        connection.execute(update(model_version).where(of).values(**values))
    acme.close()


def without(acme: Acme, form: str) -> None:
    with acme.stranger() as connection:
        unguard(connection)
        gone = connection.execute(delete(artifact).where(artifact.c.form == form)).rowcount
    assert gone
    acme.close()


@pytest.mark.parametrize(
    "change, name",
    [
        (lambda one: put(one, "model_version", number=3, identity="forged"), "3"),
        (lambda one: changed(one, 2, source_version="approved by the bank"), "2"),
        (lambda one: changed(one, 2, format="skops"), "2"),
        (
            lambda one: put(one, "artifact", path=f"catalog/{MODEL}/1/npu-9", form="npu-9"),
            "1",
        ),
        (lambda one: without(one, "source"), "1"),
    ],
    ids=["added", "named", "format", "variant", "missing"],
)
def test_g1_268_no_row_of_nobodys_is_listed(
    ready: Acme, capsys: Capsys, change: Callable[[Acme], None], name: str
) -> None:
    cli = Cli(ready, capsys)
    assert cli("list", "versions")[0] == 0
    change(ready)
    code, said, told = cli("list", "versions")
    assert code == REFUSED
    assert f"Not listed is {MODEL}/{name}: " in said
    assert "sealift audit fsck" in said + told
    code, said, _ = cli("list", "versions", "--json")
    found = json.loads(said)
    assert f"{MODEL}/{name}" not in {one["version"] for one in found["versions"]}
    assert "npu-9" not in json.dumps(found["versions"])


def test_g1_268_a_version_is_listed_as_taken_in_when_it_was(ready: Acme, capsys: Capsys) -> None:
    cli = Cli(ready, capsys)
    before = cli("list", "versions", "--json")[1], cli("show", f"{MODEL}/2")[1]
    changed(ready, 2, made="2001-01-01T00:00:00Z")
    assert (cli("list", "versions", "--json")[1], cli("show", f"{MODEL}/2")[1]) == before


def test_g1_268_an_alias_of_nobodys_is_not_shown(ready: Acme, capsys: Capsys) -> None:
    row = {"team": "vision", "model": "tiny", "number": 1}
    cli = Cli(ready, capsys)
    assert cli("show", f"{MODEL}/1")[0] == 0
    with ready.behind() as connection:
        connection.execute(version_alias.insert().values(**row, alias="champion", made="now"))
    code, said, told = cli("show", f"{MODEL}/1")
    assert code == REFUSED
    assert "champion" not in said
    assert "The database has the alias" in told
    assert "sealift audit fsck" in told


def test_g1_268_nor_a_form_of_nobodys(ready: Acme, capsys: Capsys) -> None:
    put(ready, "artifact", path=f"catalog/{MODEL}/1/npu-9", form="npu-9")
    code, said, told = Cli(ready, capsys)("show", f"{MODEL}/1")
    assert code == REFUSED
    assert "npu-9" not in said
    assert "The database has the artifact" in told
