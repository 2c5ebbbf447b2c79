"""At a desk a bundle is written to a folder of the hub's and signed for; what came home is sent."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sealift_registry.access.calling import Grant
from sealift_registry.cli import remote_jobs, remote_returns
from sealift_registry.jobs import records
from sealift_registry.storage.named_places import ExportSettings
from sealift_registry.web import delivery_routes
from sealift_signing import drafts
from sealift_signing.acts.material import Ask
from sealift_sync.bundle import layout
from tests.registry.at_servers import AtServer, Desk, at_server
from tests.registry.http_answers import Asked
from tests.registry.hub_fixture import MODEL, SITE, Acme
from tests.registry.signing_people import sign
from tests.registry.test_delivery import carried
from tests.registry.test_g2_150_the_page_of_desks import lines
from tests.registry.test_g2_190_writing import entries
from tests.registry.test_g2_260_asking_for_models import done
from tests.site_on_paper import SiteOnPaper

pytestmark = pytest.mark.socket
FIRST = f"{SITE}-000001"
EXPORT = ("export", SITE, "--to", "gate")


@pytest.fixture
def gate(ready: Acme) -> Path:
    """A folder of the hub's for bundles to the site; another is another site's."""
    found, other = ready.folder / "gate", ready.folder / "other"
    found.mkdir()
    other.mkdir()
    vars(ready.app.hub.home.settings)["exports"] = {
        "gate": ExportSettings(str(found), SITE),
        "other": ExportSettings(str(other), "plant-8"),
    }
    return found


@pytest.fixture
def at(ready: Acme, monkeypatch: pytest.MonkeyPatch) -> Iterator[AtServer]:
    """Whoever waits for a job has a worker do it meanwhile."""

    def works(_seconds: float) -> None:
        hub = ready.app.hub
        with hub.reading() as connection:
            jobs = records.waiting(connection)
        for job in jobs:
            made = done(ready, job)
            with hub.reading() as connection:
                attempt = records.newest_attempt(connection, job.number)
            records.finish(hub, job.number, "done", attempt=attempt, result=made)

    monkeypatch.setattr(remote_jobs, "sleep", works)
    with at_server(ready) as made:
        yield made


def dispatcher(at: AtServer) -> Desk:
    return at.desk("dispatcher-1", bound=True)


def exported(acme: Acme) -> list[str]:
    return [one.actor for one in entries(acme) if one.type == "transfer.exported"]


# ---------------------------------------------------------------------- out


def test_g2_70_a_bundle_is_written_signed_at_a_desk_and_finished_in_one_go(
    at: AtServer, gate: Path, plant: SiteOnPaper
) -> None:
    desk = dispatcher(at)
    said = desk.types(*EXPORT, "--yes", *desk.key)
    assert said.code == 0, said.err
    assert f"Vouch for the transfer {FIRST} to site {SITE}" in said.out
    plant.take(gate / "sealift" / FIRST)
    assert exported(at.acme) == ["dispatcher-1"]
    secret = at.acme.key("dispatcher-1").read_bytes()[30:60]
    assert secret not in b"".join(one.body for one in at.asked), "the key stays at the desk"
    again = desk(*EXPORT, "--yes", *desk.key)
    assert again["transfer"] == FIRST, "whose connection ended is answered what is there"
    assert len(exported(at.acme)) == 1
    assert f"sealift-site import {gate}/sealift/{FIRST}" in desk.types(*EXPORT, *desk.key).out


def test_g2_70_without_a_key_its_draft_is_written_and_submitted_later(
    at: AtServer, gate: Path, plant: SiteOnPaper
) -> None:
    desk = dispatcher(at)
    told = desk(*EXPORT)
    assert told["act"] == "transfer"
    assert told["sign"].startswith(f"sealift-sign transfer {FIRST} ")
    said = desk.types(*EXPORT, "--draft", "again.draft")
    assert f"sealift submit FILE… --server {at.address}" in said.out
    file = desk.folder / told["draft"]
    assert (desk.folder / "again.draft").read_bytes() == file.read_bytes(), "the same waits"
    assert not (gate / "sealift" / FIRST).exists()
    made = drafts.read(file.read_bytes(), what="it")
    assert desk.refused("submit", str(file)) == "not-signed-enough"
    signed = desk.types(*EXPORT, "--yes", *desk.key)
    assert signed.code == 0, signed.err
    assert made.object == (FIRST,)
    plant.take(gate / "sealift" / FIRST)


def test_g2_70_detached_it_is_asked_for_alone_and_signed_for_later(
    at: AtServer, gate: Path
) -> None:
    desk = dispatcher(at)
    (job,) = desk(*EXPORT, "--detach", "--priority", "2")["jobs"]
    assert (job["kind"], job["priority"]) == ("export", 2)
    assert desk.refused(*EXPORT, "--detach", *desk.key) == "key-in-job"
    assert list(gate.iterdir()) == []
    (told,) = desk(*EXPORT, "--yes", *desk.key)["submitted"]
    assert told["transfer"] == FIRST
    assert len(exported(at.acme)) == 1


def test_g2_71_no_folder_but_one_that_has_a_name_and_nobody_but_the_dispatcher(
    at: AtServer, gate: Path
) -> None:
    desk = dispatcher(at)
    for folder in ("other", str(gate), "../gate", "nowhere"):
        line = ["export", SITE, "--to", folder, "--yes", *desk.key]
        assert desk.refused(*line) == "no-export-folder", folder
    assert desk.refused(*EXPORT, "--plan") == "hub-needed"
    assert desk.refused(*EXPORT, "--at-hub", *desk.key) == "at-hub-from-desk"
    assert desk.refused(*EXPORT, *desk.key, *desk.key) == "twice"
    olaf = at.desk("olaf", Grant("operator"))
    assert olaf.refused(*EXPORT, "--yes", *olaf.keys("dispatcher-1")) == "not-bound"
    dora = at.desk("dora", bound=True)
    assert dora.refused(*EXPORT, "--yes", *dora.key) == "forbidden"
    assert exported(at.acme) == []


def test_g2_71_nothing_is_signed_without_a_yes_and_the_same_goes_on(
    at: AtServer, gate: Path, plant: SiteOnPaper
) -> None:
    desk = dispatcher(at)
    assert desk.refused(*EXPORT, *desk.key) == "not-confirmed"
    assert not any(one.path.endswith("/submissions") for one in at.asked)
    (told,) = desk(*EXPORT, "--yes", *desk.key)["submitted"]
    assert told["transfer"] == FIRST, "what waits is signed for, and no other is written"
    plant.take(gate / "sealift" / FIRST)


def test_g2_72_a_server_that_answers_with_another_sites_transfer_gets_no_signature(
    at: AtServer, gate: Path
) -> None:
    desk = dispatcher(at)

    wrong: object = None

    def another(asked: Asked, said: dict[str, Any]) -> dict[str, Any]:
        result = said.get("result")
        if "/jobs/" not in asked.path or not isinstance(result, dict):
            return said
        return {**said, "result": {**result, "object": wrong}}

    at.alters = another
    for wrong in (["plant-8-000001"], [], "x", [FIRST, FIRST], [7], [f"{FIRST}/../../../me"]):
        assert desk.refused(*EXPORT, "--yes", *desk.key) == "server-answer", wrong
    wrong = [f"{SITE}-000009"]
    assert desk.refused(*EXPORT, "--yes", *desk.key) == "transfer-not-waiting"
    assert not any(one.path.endswith("/submissions") for one in at.asked)
    assert gate.is_dir()


def test_g2_72_what_was_signed_elsewhere_is_handed_in_and_compared_with_what_lies_there(
    at: AtServer, gate: Path, plant: SiteOnPaper
) -> None:
    desk = dispatcher(at)
    draft = drafts.read((desk.folder / desk(*EXPORT)["draft"]).read_bytes(), what="it")
    signers, now = [at.acme.signer("dispatcher-1")], at.acme.app.hub.now()
    file = desk.folder / "it.signed"
    file.write_bytes(drafts.write(sign(draft, Ask("transfer", (FIRST,)), signers, now)))
    blob = next(one for one in gate.rglob("*") if one.is_file() and one.parent.name == "sha256")
    right = blob.read_bytes()
    blob.chmod(0o600)
    blob.write_bytes(right[:-1] + bytes([right[-1] ^ 1]))
    assert desk.refused("submit", str(file)) == "not-signed-for"
    assert exported(at.acme) == []
    blob.write_bytes(right)
    (told,) = desk("submit", str(file))["submitted"]
    assert told["transfer"] == FIRST
    plant.take(gate / "sealift" / FIRST)


# ---------------------------------------------------------------------- home


@pytest.fixture
def medium(at: AtServer, plant: SiteOnPaper) -> Path:
    """What a site wrote to a medium on its way home."""
    carried(at.acme, plant)
    return at.acme.returned(plant)


def returns(acme: Acme) -> int:
    return sum(one.type == "return.accepted" for one in entries(acme))


def test_g2_73_what_came_home_is_sent_from_a_desk(at: AtServer, medium: Path) -> None:
    desk = dispatcher(at)
    told = desk("receive", str(medium))
    (one,) = told["returns"]
    assert (one["site"], one["receipts"], told["refused"]) == (SITE, [FIRST], [])
    assert returns(at.acme) == 1
    said = desk.types("receive", str(medium))
    assert said.out.splitlines()[0].startswith(f"{SITE}: 0 new receipts, 0 new log entries")
    assert f"sealift show {SITE} --server {at.address}" in said.out
    assert desk.refused("receive", str(at.acme.folder / "gate")) == "no-return"
    vera = at.desk("vera", Grant("viewer"))
    assert vera.refused("receive", str(medium)) == "forbidden"


def test_g2_73_what_the_page_shows_of_it_is_so(at: AtServer, gate: Path, medium: Path) -> None:
    desk, typed = dispatcher(at), []
    for line in lines():
        if not line.startswith(("sealift assign", "sealift export", "sealift receive")):
            continue
        words = shlex.split(line)[1:]
        words = [
            {"vision/digits/3": f"{MODEL}/1", "/media/disk": str(medium)}.get(w, w) for w in words
        ]
        if "--key" in words:
            words = [*words[: words.index("--key")], "--yes", *desk.key]
        said = desk.types(*words)
        assert said.code == 0, f"{line}\n{said.err}"
        typed.append(words[0])
    assert typed == ["assign", "export", "receive"]
    assert [one.name for one in (gate / "sealift").iterdir() if one.name[0] != "."]


def test_g2_73_a_longer_return_that_is_nobodys_does_not_keep_the_sites_own_away(
    at: AtServer, medium: Path
) -> None:
    desk = dispatcher(at)
    top = medium / layout.SEALIFT / layout.RETURNS / SITE
    (own,) = top.iterdir()
    shutil.copytree(own, top / "999")
    extract = top / "999" / layout.EXTRACT
    extract.write_bytes(extract.read_bytes().replace(b"plant-7", b"plant-9"))
    said = desk.types("receive", str(medium), "--json")
    assert said.code != 0, "the other is told of"
    assert [one["site"] for one in json.loads(said.out)["returns"]] == [SITE]
    assert returns(at.acme) == 1


def test_g2_73_what_is_longer_than_a_server_takes_is_not_sent(
    at: AtServer, medium: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert remote_returns.LARGEST == delivery_routes.LARGEST_RETURN
    desk = dispatcher(at)
    monkeypatch.setattr(remote_returns, "LARGEST", 2000)
    assert desk.refused("receive", str(medium)) == "return-too-long"
    assert not any(one.path.endswith("/receipts") for one in at.asked)
