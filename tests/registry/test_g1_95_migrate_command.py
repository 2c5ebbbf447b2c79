"""`sealift migrate` as people and machines meet it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sealift_registry.cli.run import run
from tests.registry.hub_fixture import Acme
from tests.registry.moving_hubs import new_database, url_of

pytestmark = pytest.mark.embedded(
    "it begins in the home, and is moved to servers by the test itself"
)


def said(capsys: pytest.CaptureFixture[str], hub: Acme, *words: str, code: int = 0) -> Any:  # noqa: ANN401 - JSON
    """What a command answers machines, or its error."""
    hub.close()
    capsys.readouterr()
    assert run([*words, "--home", str(hub.root), "--json"]) == code
    out, err = capsys.readouterr()
    return json.loads(err)["error"] if code else json.loads(out)


def test_a_plan_writes_nothing_and_a_move_tells_all(
    hub: Acme, capsys: pytest.CaptureFixture[str]
) -> None:
    url = url_of(new_database())
    before = hub.rows()
    plan = said(capsys, hub, "migrate", "--to-database", url, "--plan")
    assert plan["schema"] == "sealift/migrate-plan/1"
    assert hub.rows() == before
    done = said(capsys, hub, "migrate", "--to-database", url)
    assert (done["again"], done["rows"]) == (False, plan["rows"])
    assert done["database"]["from"] == str(hub.root / "sealift.db")
    assert done["database"]["to"].startswith("postgresql://")
    whole = said(capsys, hub, "audit", "fsck")
    assert (whole["ok"], whole["size"]) == (True, done["size"] + 1)
    (entry,) = said(capsys, hub, "audit", "list", "--type", "hub.moved")["entries"]
    assert (entry["data"]["size"], entry["data"]["root"]) == (done["size"], done["root"])
    again = said(capsys, hub, "migrate", "--to-database", url)
    assert (again["already"], again["again"]) == (True, False)
    assert run(["migrate", "--to-database", "home", "--home", str(hub.root)]) == 0
    told = capsys.readouterr().out
    assert f"to   {hub.root / 'sealift.db'}" in told
    assert "each whole" in told


def test_the_old_home_says_where_it_went(
    hub: Acme, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = url_of(new_database())
    said(capsys, hub, "migrate", "--to-database", url)
    monkeypatch.setenv("SEALIFT_DATABASE__URL", "")  # as if the old settings counted
    error = said(capsys, hub, "renew", "catalog.vision", code=1)
    assert error["code"] == "database-moved"
    assert "postgresql://" in error["what"]
    assert "database.url" in error["next"]
    assert run(["list", "versions", "--home", str(hub.root)]) == 0
    assert "were moved to" in capsys.readouterr().err  # who only looks is warned
    again = said(capsys, hub, "migrate", "--to-database", url)
    assert again["overruled"] == ["SEALIFT_DATABASE__URL"]


def test_no_password_is_told(
    hub: Acme, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """There and back, and the address of the server that was left holds one."""
    url = url_of(new_database())
    said(capsys, hub, "migrate", "--to-database", url)
    secret = url.replace("sealift_app@", "sealift_app:hunter2@")
    monkeypatch.setenv("SEALIFT_DATABASE__URL", secret)
    assert run(["migrate", "--to-database", "home", "--home", str(hub.root)]) == 0
    monkeypatch.delenv("SEALIFT_DATABASE__URL")
    assert run(["audit", "list", "--json", "--home", str(hub.root)]) == 0
    out, err = capsys.readouterr()
    assert "hunter2" not in out + err
    assert b"hunter2" not in (hub.root / "sealift.db").read_bytes()


def test_what_is_named_wrongly(hub: Acme, capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["--blobs-region", "eu"]):
        assert said(capsys, hub, "migrate", *words, code=2)["code"] == "move-where"
    wrong = said(capsys, hub, "migrate", "--to-database", "mysql://x/y", code=2)
    assert wrong["code"] == "bad-database-url"
    wrong = said(capsys, hub, "migrate", "--to-blobs", "http://x/y", code=2)
    assert wrong["code"] == "bad-blobs-url"
