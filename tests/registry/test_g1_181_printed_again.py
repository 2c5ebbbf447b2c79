"""What commands about stores and databases print can be typed as it stands, by whoever named them.

The other options of a command are in no file yet when somebody tries a bucket or a database: a next
step that leaves them out is about another one.
"""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import cast

import click
import pytest

from sealift_registry.cli.again import again
from sealift_registry.cli.group import sealift
from sealift_registry.cli.run import run
from tests.servers.postgres import postgres
from tests.servers.seaweed import S3Server, seaweed

pytestmark = pytest.mark.socket

Capsys = pytest.CaptureFixture[str]
COMMAND = re.compile(r"sealift ((?:blobs|db) [^\n;.`]*(?:\.\d[^\n;`]*|\.[a-z][^\n;`]*)*)")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> S3Server:
    found = seaweed()
    for name, value in found.environment.items():
        monkeypatch.setenv(name, value)
    return found


def told(capsys: Capsys, *words: str) -> tuple[int, str]:
    capsys.readouterr()
    code = run([*words])
    out, err = capsys.readouterr()
    return code, out + err


def printed(text: str) -> list[list[str]]:
    """Each command that it prints, as words."""
    return [shlex.split(found.rstrip(".")) for found in COMMAND.findall(text)]


def test_g1_181_a_bucket_is_tried_before_there_is_a_hub(
    server: S3Server, tmp_path: Path, capsys: Capsys
) -> None:
    home = tmp_path / "a home"
    where = ["--blobs", "s3://tried-first/hub", "--blobs-endpoint", server.endpoint]
    code, said = told(capsys, "blobs", "check", *where, "--home", str(home))
    assert code == 1
    assert "does not exist" in said
    init, again = printed(said)
    assert init == ["blobs", "init", *where, "--home", str(home)]
    assert again == ["blobs", "check", *where, "--home", str(home)]
    code, said = told(capsys, *init)
    assert code == 0
    (check,) = printed(said)
    assert check == again
    code, said = told(capsys, *check)
    assert code == 0, said
    assert "weak" not in said
    assert not home.exists(), "nothing is made by looking"
    assert json.loads(told(capsys, *check, "--json")[1])["where"].startswith("s3://tried-first/hub")


def test_g1_181_another_store_than_the_hubs_is_tried(
    server: S3Server, tmp_path: Path, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEALIFT_TRUST", str(tmp_path / "trust"))
    home = ["--home", str(tmp_path / "hub")]
    assert told(capsys, "init", "--solo", *home)[0] == 0
    here = told(capsys, "blobs", "check", *home)[1]
    assert "is a folder of the home" in here
    where = ["--blobs", f"s3://{server.bucket()}/new", "--blobs-endpoint", server.endpoint]
    code, said = told(capsys, "blobs", "check", *where, *home)
    assert code == 0
    assert "No hub has written there yet." in said
    assert printed(said) == [["blobs", "init", *where, *home]], "it has no versions"
    code, said = told(capsys, "blobs", "check", "--blobs-endpoint", server.endpoint, *home)
    assert code == 2
    assert "--blobs s3://BUCKET/PREFIX" in said


def test_g1_181_what_fails_on_the_way_to_a_named_store_names_it_again(
    server: S3Server, tmp_path: Path, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEALIFT_TRUST", str(tmp_path / "trust"))
    home = ["--home", str(tmp_path / "hub")]
    endpoint = ["--blobs-endpoint", server.endpoint]
    code, said = told(capsys, "init", "--solo", "--blobs", "s3://nobodys/x", *endpoint, *home)
    assert code == 4
    assert printed(said) == [["blobs", "init", "--blobs", "s3://nobodys/x", *endpoint, *home]]
    assert told(capsys, "init", "--solo", *home)[0] == 0
    code, said = told(capsys, "migrate", "--to-blobs", "s3://nobodys/y", *endpoint, *home)
    assert code == 4
    assert printed(said) == [["blobs", "init", "--blobs", "s3://nobodys/y", *endpoint, *home]]


def test_g1_181_a_database_that_was_named_is_named_again(tmp_path: Path, capsys: Capsys) -> None:
    database = postgres().fresh()
    url, home = database.url(), ["--home", str(tmp_path / "hub")]
    roles = ["--owner", "our_owner", "--migrator", "our_migrator", "--application", "our_hub"]
    code, said = told(capsys, "db", "check", "--as", url, "--application", "our_hub", *home)
    assert code == 1, said
    asked = printed(said)
    again = ["db", "check", "--as", url, "--application", "our_hub", *home]
    assert asked[-1] == again
    assert ["db", "init", "--application", "our_hub", *home] in asked
    assert {tuple(one[:2]) for one in asked} <= {("db", "init"), ("db", "check"), ("db", "upgrade")}
    code, said = told(capsys, "db", "init", "--run", "--as", url, *roles, *home)
    assert code == 0
    (upgrade,) = printed(said)
    assert upgrade[:2] == ["db", "upgrade"]
    assert re.fullmatch(r"postgresql://our_migrator@.*/\w+(\?.*)?", upgrade[3])
    assert upgrade[4:] == home
    assert told(capsys, *upgrade)[0] in {0, 4}


def repeated(group: str, name: str, *options: str) -> str:
    """What is printed for `sealift db check`, within a command of these words."""
    root = sealift.make_context("sealift", [group, name, *options])
    there = cast("click.Group", sealift.get_command(root, group))
    within = there.make_context(group, [name, *options], parent=root)
    command = cast("click.Command", there.get_command(within, name))
    with command.make_context(name, [*options], parent=within):
        return again("Next: sealift db check")


@pytest.mark.parametrize(
    "url, printed",
    [
        ("postgresql://somebody:geheim@db:9/hub", "postgresql://somebody@db:9/hub"),
        ("postgresql://somebody:ge/he:im@db/hub", "postgresql://somebody@db/hub"),
        ("postgresql://somebody:@geheim@db/hub", "postgresql://somebody@db/hub"),
        ("postgresql://:geheim@db/hub", "postgresql://@db/hub"),
        ("postgresql://a@db/hub?sslpassword=geheim", "postgresql://a@db/hub?sslpassword="),
        ("postgresql://db/hub?password=geheim&sslmode=require", "?password=&sslmode=require"),
        ("postgresql://a@db:5432/hub?sslmode=require", "a@db:5432/hub?sslmode=require"),
    ],
)
def test_g1_181_no_password_is_repeated(url: str, printed: str) -> None:
    """No command takes one; what is printed for the next does not count on that."""
    said = repeated("db", "check", "--as", url, "--home", "a home")
    command, _, home = said.partition(" --home ")
    assert command.startswith("Next: sealift db check --as ")
    assert shlex.split(command)[-1].endswith(printed)
    assert home == "'a home'"
    assert "geheim" not in said
