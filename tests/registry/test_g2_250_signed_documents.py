"""What was signed is fetched in its own bytes, by who may read what it is about, and as signed."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import msgspec
import pytest
from sqlalchemy import update

from sealift_registry.catalog import tables
from sealift_registry.web import shapes
from sealift_signing import statements
from sealift_signing.statements import Approval, Evidence, Objection, Receipt, Request, Transfer
from tests.registry.hub_fixture import SITE, TEAM, Acme
from tests.registry.served_hub import Doorkeeper, served, signed_in
from tests.registry.test_delivery import carried, received
from tests.registry.test_hub_cli import Capsys, Cli
from tests.registry.test_stored_sites import no_triggers
from tests.site_on_paper import SiteOnPaper

ENVELOPE = "application/vnd.dsse.envelope.v1+json"
VERSION = "versions/vision/tiny/1"


@pytest.fixture
def home(ready: Acme, plant: SiteOnPaper) -> Acme:
    """A hub to which a site has answered."""
    carried(ready, plant)
    received(ready, ready.returned(plant))
    return ready


def got(acme: Acme, path: str, **headers: str) -> Any:  # noqa: ANN401 - a client's
    keeper = Doorkeeper()
    with served(acme, keeper) as client:
        return client.get(f"/api/v1/{path}", headers={**signed_in(keeper), **headers})


@pytest.mark.parametrize(
    "path,command,members",
    [
        ("models", ("list", "models"), shapes.Models),
        ("models?team=vision&limit=1", ("list", "models", "--team", TEAM), shapes.Models),
        ("receipts", ("list", "receipts"), shapes.Receipts),
        ("receipts?site=plant-7", ("list", "receipts", "--site", SITE), shapes.Receipts),
    ],
)
def test_g2_250_lists_are_those_of_the_commands(
    home: Acme, capsys: Capsys, path: str, command: tuple[str, ...], members: type[msgspec.Struct]
) -> None:
    cli = Cli(home, capsys)
    said, told = cli.json(*command), cli.says(*command)
    answer, lines = got(home, path), got(home, path, accept="text/plain")
    del said["schema"]
    assert (answer.json(), lines.text) == (said, told)
    assert msgspec.to_builtins(msgspec.convert(answer.json(), members)) == answer.json()
    (row,) = answer.json()[path.partition("?")[0]]
    assert "vision/tiny/2" in row.values() or SITE in row.values()


def test_g2_250_models_are_told_by_their_newest_versions_page_by_page(home: Acme) -> None:
    for number, name in enumerate(("alpha", "zeta", "beta")):
        home.ingest(30 + number, home.goldens(), model=f"{TEAM}/{name}")
    first = got(home, "models?limit=2").json()
    rest = got(home, f"models?limit=2&beyond={first['beyond']}").json()
    names = [one["newest"] for page in (first, rest) for one in page["models"]]
    assert names == [f"{TEAM}/{one}" for one in ("alpha/1", "beta/1", "tiny/2", "zeta/1")]
    assert rest["beyond"] is None
    no_triggers(home)
    home.sql("UPDATE model_version SET format = 'skops' WHERE model = 'beta'")
    assert got(home, "models").json()["refused"][0]["code"] == "row-not-logged"


def test_g2_250_a_model_is_shown_with_what_is_listed_of_it(
    home: Acme, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sealift_registry.shown import model

    said = got(home, "models/vision/tiny").json()
    assert (said["model"], said["listed"]) == ("vision/tiny", {"production": "vision/tiny/1"})
    assert [one["version"] for one in said["versions"]] == ["vision/tiny/2", "vision/tiny/1"]
    cli = Cli(home, capsys)
    assert "  for production   vision/tiny/1" in cli.says("show", "vision/tiny").splitlines()
    monkeypatch.setattr(model, "USUAL", 1)
    assert cli.says("show", "vision/tiny").splitlines()[-1] == (
        "There is more:  sealift list versions --model vision/tiny --newest-first"
    )
    unlisted = cli.says("show", "vision/tiny").splitlines()[1]
    assert unlisted == "  None of its newest versions is listed for a stage."
    assert got(home, "models/vision/none").json()["code"] == "no-model"
    assert got(home, "models/fraud/tiny").json()["code"] == "no-team"
    assert cli("show", "vision/none")[0] == 3


def test_g2_251_evidence_says_what_it_says_and_who_signed_it(home: Acme) -> None:
    answer = got(home, f"{VERSION}/evidence")
    said = answer.json()
    assert msgspec.to_builtins(msgspec.convert(said, shapes.EvidenceList)) == said
    kinds = {(one["path"].rpartition("/")[2], one["kind"]) for one in said["evidence"]}
    assert {("source", "scan"), ("cpu-x86_64", "parity"), ("cpu-x86_64", "scan")} <= kinds
    assert all(
        one["signer"] and one["checks"] and one["verdict"] == "pass" for one in said["evidence"]
    )
    lines = got(home, f"{VERSION}/evidence", accept="text/plain").text
    for one in said["evidence"]:
        envelope = got(home, f"{VERSION}/evidence/{one['sha256']}")
        assert envelope.headers["content-type"] == ENVELOPE
        assert sha256(envelope.content).hexdigest() == one["sha256"]
        read = statements.read(Evidence, envelope.content, what="it").predicate
        assert (read.kind, read.verdict, read.made) == (one["kind"], one["verdict"], one["made"])
        assert one["sha256"] in lines
        assert one["signer"] in lines
        again = got(
            home,
            f"{VERSION}/evidence/{one['sha256']}",
            **{"if-none-match": envelope.headers["etag"]},
        )
        assert (again.status_code, again.content) == (304, b"")


def test_g2_251_evidence_of_no_machine_of_ours_is_told_as_what_the_hub_says(
    home: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sealift_registry.trust.repository import Repository

    monkeypatch.setattr(Repository, "signer_of", lambda *_: None)
    assert {one["signer"] for one in got(home, f"{VERSION}/evidence").json()["evidence"]} == {None}
    lines = got(home, f"{VERSION}/evidence", accept="text/plain").text
    assert "the hub says scan: pass" in lines
    assert "signed by no machine of ours" in lines


def test_g2_251_evidence_that_is_not_what_was_signed_is_not_sent(home: Acme) -> None:
    (first, second, *_) = got(home, f"{VERSION}/evidence").json()["evidence"]
    no_triggers(home)
    other = f"(SELECT body FROM statement WHERE sha256 = '{second['sha256']}')"  # noqa: S608 - a digest
    home.sql(f"UPDATE statement SET body = {other} WHERE sha256 = '{first['sha256']}'")  # noqa: S608 - likewise
    for path in (f"{VERSION}/evidence", f"{VERSION}/evidence/{first['sha256']}"):
        answer = got(home, path)
        assert answer.status_code == 409, answer.content
        assert answer.json()["next"]


def test_g2_251_what_is_damaged_here_is_not_said_to_be_asked_wrongly(home: Acme) -> None:
    (first, *_) = got(home, f"{VERSION}/evidence").json()["evidence"]
    no_triggers(home)
    t = tables.statement
    with home.behind() as connection:
        connection.execute(update(t).where(t.c.sha256 == first["sha256"]).values(body=b"{}"))
    answer = got(home, f"{VERSION}/evidence")
    assert (answer.status_code, answer.json()["status"]) == (409, 409)
    assert answer.json()["code"] == "bad-shape"


def test_g2_252_a_promotion_gives_all_that_it_consists_of(home: Acme) -> None:
    home.objects(1, "emil")
    shown = got(home, "promotions/P-000001").json()
    documents: list[tuple[str, type[Any]]] = [(shown["request"], Request)]
    documents += [(one["sha256"], Approval) for one in shown["approvals"]]
    documents += [(one["sha256"], Objection) for one in shown["objections"]]
    assert len(documents) >= 3
    for digest, kind in documents:
        answer = got(home, f"promotions/P-000001/documents/{digest}")
        assert answer.headers["content-type"] == ENVELOPE
        assert sha256(answer.content).hexdigest() == digest
        found = statements.read(kind, answer.content, what="it")
        for one in getattr(found.predicate, "evidence", ()) if kind is Request else ():
            evidence = got(home, f"promotions/P-000001/documents/{one}")
            assert sha256(evidence.content).hexdigest() == one


def test_g2_253_transfers_and_receipts_as_they_were_signed(home: Acme) -> None:
    name = f"{SITE}-000001"
    carried_there = got(home, f"transfers/{name}/document")
    shown = got(home, f"transfers/{name}").json()
    assert sha256(carried_there.content).hexdigest() == shown["sha256"]
    assert statements.read(Transfer, carried_there.content, what="it").predicate.id == name
    answered = got(home, f"sites/{SITE}/receipts/{shown['receipt']}")
    assert sha256(answered.content).hexdigest() == shown["receipt"]
    assert statements.read(Receipt, answered.content, what="it").predicate.transfer == name


@pytest.mark.parametrize(
    "path,status,code",
    [
        (f"{VERSION}/evidence/{'0' * 64}", 404, "no-document-of-that"),
        ("versions/vision/tiny/9/evidence", 404, "no-version"),
        (f"promotions/P-000001/documents/{'0' * 64}", 404, "no-document-of-that"),
        (f"promotions/P-000009/documents/{'0' * 64}", 404, "no-promotion"),
        (f"transfers/{SITE}-000009/document", 404, "transfer-not-signed"),
        (f"sites/{SITE}/receipts/{'0' * 64}", 404, "no-document-of-that"),
        (f"sites/plant-9/receipts/{'0' * 64}", 404, "no-site"),
        (f"receipts?beyond={'0' * 64}", 404, "no-receipt"),
        ("models?beyond=vision/none", 404, "no-model"),
        ("models?beyond=vision", 400, "bad-model"),
    ],
)
def test_g2_254_what_there_is_not_is_said(home: Acme, path: str, status: int, code: str) -> None:
    answer = got(home, path)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.json()


def test_g2_255_no_document_is_had_by_way_of_another_thing(home: Acme) -> None:
    """By its digest alone nothing is found: each belongs to what one may read about."""
    evidence = got(home, "versions/vision/tiny/2/evidence").json()["evidence"][0]["sha256"]
    assert got(home, f"{VERSION}/evidence/{evidence}").status_code == 404
    assert got(home, f"promotions/P-000001/documents/{evidence}").status_code == 404
    keeper = Doorkeeper(may=lambda _caller, _action, _where: False)
    with served(home, keeper) as client:
        for path, action, team, site in (
            ("models?team=vision", "model.read", TEAM, None),
            (f"{VERSION}/evidence", "evidence.read", TEAM, None),
            (f"{VERSION}/evidence/{evidence}", "evidence.read", TEAM, None),
            (f"promotions/P-000001/documents/{evidence}", "promotion.read", TEAM, None),
            (f"transfers/{SITE}-000001/document", "transfer.read", None, SITE),
            (f"sites/{SITE}/receipts/{evidence}", "receipt.read", None, SITE),
            (f"receipts?site={SITE}", "receipt.read", None, SITE),
        ):
            assert client.get(f"/api/v1/{path}", headers=signed_in(keeper)).status_code == 403
            _, asked, where = keeper.asked[-1]
            assert (asked, where.team, where.site) == (action, team, site)
