"""Who asks a server has bundles written to folders with names, and sends what comes home."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sealift_registry.access.calling import Grant
from sealift_registry.access.gatekeeper import Gatekeeper
from sealift_registry.storage.host import this_host
from sealift_registry.storage.named_places import ExportSettings
from sealift_signing import canonical, drafts
from sealift_signing.acts.material import Ask
from sealift_signing.errors import SealiftError
from sealift_sync.bundle import layout
from tests.registry.accounts_fixture import signed_in
from tests.registry.desks_of_server import Desk
from tests.registry.hub_fixture import SITE, Acme
from tests.registry.served_hub import served
from tests.registry.signing_people import sign
from tests.registry.test_delivery import carried
from tests.registry.test_g2_190_writing import desks, entries
from tests.registry.test_g2_260_asking_for_models import done, job_of
from tests.registry.test_hub_cli import Capsys, Cli
from tests.site_on_paper import SiteOnPaper

OCTETS = "application/octet-stream"
FIRST = f"{SITE}-000001"
DISPATCHER = "dispatcher-1"


@pytest.fixture
def gate(ready: Acme) -> Path:
    """A folder of the server's that bundles for the site may go to, and one of another site's."""
    found, other = ready.folder / "gate", ready.folder / "other"
    found.mkdir()
    other.mkdir()
    vars(ready.app.hub.home.settings)["exports"] = {
        "gate": ExportSettings(str(found), SITE),
        "other": ExportSettings(str(other), "plant-8"),
    }
    return found


def asks(desk: Desk, site: str = SITE, key: str | None = None, **said: object) -> Any:  # noqa: ANN401
    return desk.post(f"/sites/{site}/exports", json.dumps(said).encode(), key=key)


def signed(acme: Acme, draft: bytes, transfer: str = FIRST) -> bytes:
    read, ask = drafts.read(draft, what="it"), Ask("transfer", (transfer,))
    return drafts.write(sign(read, ask, [acme.signer(DISPATCHER)], acme.app.hub.now()))


def hands_in(desk: Desk, file: bytes, transfer: str = FIRST) -> Any:  # noqa: ANN401
    return desk.post(f"/transfers/{transfer}/submissions", file, OCTETS)


# ---------------------------------------------------------------------- out


def test_g2_245_a_bundle_is_written_signed_at_a_desk_and_finished(
    ready: Acme, gate: Path, plant: SiteOnPaper
) -> None:
    with desks(ready, DISPATCHER) as (desk,):
        job = job_of(ready, asks(desk, folder="gate", priority=3))
        assert job.order.host == this_host(ready.root).id
        assert (job.order.asked_by, job.order.priority) == (DISPATCHER, 3)
        made = done(ready, job)
        assert made["act"] == "transfer"
        assert not (gate / "sealift" / FIRST).exists(), "it waits for its signature"
        draft = desk.get(f"/transfers/{FIRST}/draft")
        assert (draft.status_code, draft.headers["content-type"]) == (200, OCTETS)
        file = signed(ready, draft.content)
        answer = hands_in(desk, file)
        assert (answer.status_code, answer.json()["new"]) == (200, True), answer.json()
        again = hands_in(desk, file)
        assert (again.status_code, again.json()["new"]) == (200, False), again.json()
        shown = desk.get(f"/transfers/{FIRST}").json()
        assert desk.get(f"/transfers/{FIRST}/draft").json()["code"] == "transfer-not-waiting"
    assert shown["sha256"]
    plant.take(gate / "sealift" / FIRST)
    (out,) = [one for one in entries(ready) if one.type == "transfer.exported"]
    assert isinstance(out.data, dict)
    assert out.data["at_hub"] is False
    assert (out.actor, ("account", DISPATCHER)) == (
        DISPATCHER,
        next((one.kind, one.value) for one in out.terms if one.kind == "account"),
    )


def test_g2_246_no_folder_but_one_that_has_a_name_and_is_the_sites(ready: Acme, gate: Path) -> None:
    with desks(ready, DISPATCHER) as (desk,):
        assert desk.get(f"/sites/{SITE}/export-folders").json() == {"folders": ["gate"]}
        for folder in ("other", "nowhere", str(gate), "../gate", "/media"):
            answer = asks(desk, folder=folder)
            assert (answer.status_code, answer.json()["code"]) == (404, "no-export-folder"), folder
            assert answer.json()["next"] == "There are: gate."
        for said in ({"medium": str(gate)}, {}, {"folder": "gate", "draft": "/etc/x"}):
            assert asks(desk, **said).json()["code"] in {"bad-body", "bad-request"}
        gate.rmdir()
        gone = asks(desk, folder="gate")
    assert gone.json()["code"] == "medium-missing"
    assert "job.asked" not in ready.types()


def test_g2_246_a_folder_that_was_taken_from_the_site_while_a_job_waits(
    ready: Acme, gate: Path
) -> None:
    settings = vars(ready.app.hub.home.settings)
    with desks(ready, DISPATCHER) as (desk,):
        job = job_of(ready, asks(desk, folder="gate"))
    for now in (
        ExportSettings(str(gate), "plant-8"),
        ExportSettings(str(ready.folder), SITE),
    ):
        settings["exports"] = {"gate": now}
        with pytest.raises(SealiftError) as caught:
            done_again(ready, job)
        assert caught.value.code == "no-export-folder"
    assert list(gate.iterdir()) == []


def done_again(acme: Acme, job: Any) -> object:  # noqa: ANN401
    folder = acme.folder / f"attempt-{job.number}"
    if folder.exists():
        folder.rename(folder.with_name(f"{folder.name}-before"))
    return done(acme, job)


def test_g2_247_what_is_no_signed_draft_of_it_finishes_nothing(ready: Acme, gate: Path) -> None:
    with desks(ready, DISPATCHER) as (desk,):
        done(ready, job_of(ready, asks(desk, folder="gate")))
        draft = desk.get(f"/transfers/{FIRST}/draft").content
        unsigned = hands_in(desk, draft)
        other = hands_in(desk, signed(ready, draft), f"{SITE}-000002")
        junk = hands_in(desk, b"{}")
        wrong = desk.post(f"/transfers/{FIRST}/submissions", draft)
        (gate / "sealift").rename(gate / "elsewhere")
        moved = hands_in(desk, signed(ready, draft))
        (gate / "elsewhere").rename(gate / "sealift")
        for there in (
            {},
            {"gate": ExportSettings(str(gate), "plant-8")},
            {"gate": ExportSettings(str(ready.folder / "other"), SITE)},
        ):
            vars(ready.app.hub.home.settings)["exports"] = there
            nowhere = hands_in(desk, signed(ready, draft))
            assert nowhere.json()["code"] == "transfer-not-waiting", there
    assert unsigned.status_code == 409, unsigned.json()
    assert (other.status_code, other.json()["code"]) == (400, "draft-of-another")
    assert junk.status_code == 400
    assert wrong.status_code == 415
    assert moved.status_code in {404, 409}, moved.json()
    assert "transfer.exported" not in ready.types()


def test_g2_247_who_may(ready: Acme, gate: Path) -> None:
    opened = signed_in(ready, "olaf", Grant("operator"))
    seen = signed_in(ready, "vera", Grant("viewer"), Grant("publisher"))
    with served(ready, Gatekeeper(ready.app.hub)) as client:
        olaf = Desk(client, ready, "olaf", opened.secret)
        vera = Desk(client, ready, "vera", seen.secret)
        assert asks(vera, folder="gate").status_code == 403
        assert asks(vera, folder="nowhere").status_code == 403
        done(ready, job_of(ready, asks(olaf, folder="gate")))
        for desk in (olaf, vera):
            assert desk.get(f"/transfers/{FIRST}/draft").status_code == 403, "it is to be signed"
            assert hands_in(desk, b"{}").status_code == 403
            assert sends(desk, b"{}", {}).status_code == (400 if desk is olaf else 403)


# ---------------------------------------------------------------------- home


def sends(desk: Desk, extract: bytes, receipts: dict[str, bytes], site: str = SITE) -> Any:  # noqa: ANN401
    told = {name: base64.b64encode(body).decode() for name, body in receipts.items()}
    said = {"extract": base64.b64encode(extract).decode(), "receipts": told}
    return desk.post(f"/sites/{site}/receipts", json.dumps(said).encode())


@pytest.fixture
def home(ready: Acme, plant: SiteOnPaper) -> tuple[bytes, dict[str, bytes]]:
    """What a site wrote to a medium on its way home."""
    carried(ready, plant)
    top = ready.returned(plant) / layout.SEALIFT / layout.RETURNS / SITE
    (folder,) = top.iterdir()
    found = (folder / layout.RECEIPTS).glob("*.json")
    return (folder / layout.EXTRACT).read_bytes(), {one.stem: one.read_bytes() for one in found}


def test_g2_248_what_comes_home_is_taken_in_as_from_a_medium(
    ready: Acme, home: tuple[bytes, dict[str, bytes]], capsys: Capsys
) -> None:
    with desks(ready, DISPATCHER) as (desk,):
        first, before = sends(desk, *home), ready.rows()
        again = sends(desk, *home)
        seen = desk.get(f"/receipts?site={SITE}").json()["receipts"]
    assert first.status_code == 200, first.json()
    (one,) = first.json()["returns"]
    assert (one["site"], one["receipts"], one["ignored"]) == (SITE, [FIRST], [])
    assert first.json()["refused"] == []
    assert again.json()["returns"][0]["receipts"] == []
    changed = {name for name, rows in ready.rows().items() if rows != before[name]}
    assert changed <= {"once_answer", "session"}
    assert [row["transfer"] for row in seen] == [FIRST]
    (taken,) = [each for each in entries(ready) if each.type == "return.accepted"]
    assert ("account", DISPATCHER) in {(term.kind, term.value) for term in taken.terms}
    said = Cli(ready, capsys).json("receive", str(ready.medium))
    assert set(said["returns"][0]) == set(one), "the members of the command"


def test_g2_248_what_is_not_the_sites_is_refused_and_nothing_is_kept(
    ready: Acme, home: tuple[bytes, dict[str, bytes]]
) -> None:
    extract, receipts = home
    (name, body), *_ = receipts.items()

    def forged(edit: Callable[[dict[str, Any]], None]) -> bytes:
        read = json.loads(extract)
        edit(read)
        return canonical.encode(read)

    def other_site(said: dict[str, Any]) -> None:
        said["checkpoint"] = said["checkpoint"].replace(f"/site/{SITE}", "/site/plant-8")

    def other_entries(said: dict[str, Any]) -> None:
        said["entries"] = said["entries"][::-1]

    with desks(ready, DISPATCHER) as (desk,):
        tries = {
            "another site's": sends(desk, forged(other_site), {}),
            "entries turned round": sends(desk, forged(other_entries), receipts),
            "a damaged receipt": sends(desk, extract, {name: body[:-9]}),
            "a receipt under another name": sends(desk, extract, {f"{SITE}-000009": body}),
            "a path": sends(desk, extract, {"../../keys/x": body}),
            "nothing": sends(desk, b"", {}),
        }
        assert tries["another site's"].json()["code"] == "return-of-another"
        assert tries["a path"].json()["code"] == "bad-return"
        for what, answer in tries.items():
            assert 400 <= answer.status_code < 500, (what, answer.json())
            assert answer.json()["next"], what
        assert desk.get(f"/receipts?site={SITE}").json()["receipts"] == []
        elsewhere = sends(desk, *home, site="plant-8")
        assert elsewhere.status_code == 403
    assert "return.accepted" not in ready.types()
    left = [one for one in (ready.root / "work").iterdir() if one.is_dir()]
    assert not any(any(one.iterdir()) for one in left)


def test_g2_249_a_return_that_is_too_long_is_not_read(ready: Acme) -> None:
    from sealift_registry.web import delivery_routes

    assert delivery_routes.LARGEST_RETURN == 64 << 20
    with desks(ready, DISPATCHER) as (desk,):
        answer = desk.post(
            f"/sites/{SITE}/receipts", b"{", headers={"content-length": str((64 << 20) + 1)}
        )
    assert answer.status_code == 413, answer.json()
    assert f"{64 << 20:,}" in answer.json()["title"]
    assert "return.accepted" not in ready.types()
