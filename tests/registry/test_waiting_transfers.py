"""A bundle that waits on its medium until its transfer was signed elsewhere."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from sealift_registry.delivery.exports import DraftedBundle
from sealift_signing import drafts
from sealift_signing.desk.cli.run import run
from sealift_signing.errors import NotFoundError
from sealift_sync.site.importing.importer import find_bundle
from tests.registry.hub_fixture import SITE, Acme, stage
from tests.registry.test_hub_cli import Capsys, Cli
from tests.registry.test_promotions import refused
from tests.registry.test_signed_deliveries import exported, exported_again, finished, signed_off
from tests.site_on_paper import SiteOnPaper


def test_the_same_export_again_gives_the_same_draft(ready: Acme, plant: SiteOnPaper) -> None:
    """The first may be at the dispatcher's by now: what is signed of either finishes the bundle."""
    first = exported(ready)
    signed = signed_off(ready, first)
    ready.later(hours=2)
    ready.ingest(3)  # so that the log has grown meanwhile
    second = exported(ready)
    assert drafts.write(second.draft) == drafts.write(first.draft)
    assert drafts.write(signed_off(ready, second)) == drafts.write(signed)
    done = finished(ready, signed)
    plant.take(Path(str(done.data["folder"])))
    assert not list((ready.root / "waiting").iterdir())


@pytest.mark.parametrize("by", ["submit", "export"])
def test_a_run_that_was_killed_once_it_was_recorded_leaves_nothing_waiting(
    ready: Acme, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed = signed_off(ready, exported(ready))
    with monkeypatch.context() as patched:
        patched.setattr("sealift_registry.delivery.unsigned_transfers.forget", lambda *_: None)
        finished(ready, signed)
    assert list((ready.root / "waiting").iterdir())
    if by == "submit":
        assert not finished(ready, signed).new
    else:
        assert ready.export().again
    assert not list((ready.root / "waiting").iterdir())


def other_medium(acme: Acme) -> DraftedBundle:
    made = acme.app.exports.draft(SITE, acme.folder / "other medium", stage)
    assert isinstance(made, DraftedBundle)
    return made


def changed_medium(acme: Acme) -> DraftedBundle:
    (found,) = acme.medium.rglob("timestamp.json")
    found.write_bytes(b"{}")
    return exported(acme)


def two_days_later(acme: Acme) -> DraftedBundle:
    acme.later(days=2)
    return exported(acme)


AGAIN = [other_medium, changed_medium, two_days_later, exported_again]


@pytest.mark.parametrize("again", AGAIN, ids=lambda one: one.__name__)
def test_what_takes_the_place_of_a_draft_has_another_name_and_says_so(
    ready: Acme, again: Callable[[Acme], DraftedBundle]
) -> None:
    first = exported(ready)
    signed = signed_off(ready, first)
    (ready.folder / "other medium").mkdir()
    second = again(ready)
    assert (first.transfer, second.transfer) == (f"{SITE}-000001", f"{SITE}-000002")
    (said,) = (one for one in second.warnings if first.transfer in one)
    assert str(ready.medium) in said
    assert "is replaced by this" in said
    refused(lambda: finished(ready, signed), "transfer-moved-on")
    medium = ready.folder / "other medium" if again is other_medium else ready.medium
    assert ready.app.finish(signed_off(ready, second), medium, stage).new


def test_a_kept_draft_that_somebody_changed_is_not_given_out(ready: Acme) -> None:
    first = exported(ready)
    (kept,) = (ready.root / "waiting").iterdir()
    kept.write_text("{}")
    assert exported(ready).draft != first.draft
    other = json.loads(kept.read_bytes())
    other["draft"] = other["draft"].replace(first.transfer, f"{SITE}-000009")
    kept.write_text(json.dumps(other))
    assert exported(ready).transfer in {first.transfer, f"{SITE}-000002"}


def test_what_waits_to_be_signed_is_told_everywhere(
    ready: Acme, capsys: Capsys, plant: SiteOnPaper
) -> None:
    cli, medium = Cli(ready, capsys), ready.folder / "m 3 Träger"
    medium.mkdir()
    made = ready.app.exports.draft(SITE, medium, stage)
    assert isinstance(made, DraftedBundle)
    line = f"sealift submit FILE --medium '{medium}'"
    assert line in cli.says("next")
    shown = cli.says("show", made.transfer)
    assert "waits to be signed" in shown
    assert line in shown
    assert made.draft.parts[0].digest in shown
    assert cli.json("show", made.transfer)["waits"]["medium"] == str(medium)
    for place in (medium, medium / "sealift" / made.transfer, *(medium / "sealift").iterdir()):
        with pytest.raises(NotFoundError) as caught, plant.opened() as site:
            find_bundle(site, place)
        assert "is not signed yet" in caught.value.what
    ready.app.finish(signed_off(ready, made), medium, stage)
    assert "to be signed" not in cli.says("next")
    assert "to be signed" not in cli.says("show", made.transfer)
    with plant.opened() as site:
        assert find_bundle(site, medium).name == made.transfer


def test_a_transfer_that_another_one_replaced_says_so(ready: Acme, capsys: Capsys) -> None:
    made = exported(ready)
    exported_again(ready)
    assert f"{SITE}-000002 took its place" in Cli(ready, capsys).says("show", made.transfer)


def test_what_is_printed_at_each_end_is_typed_as_it_stands(
    ready: Acme, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the lines that are printed alone, with spaces in every path."""
    cli, folder = Cli(ready, capsys), ready.folder / "my desk"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (folder / "m 3").mkdir()
    said = cli.says("export", SITE, "--to", "m 3", "--draft", "the draft")
    lines = [shlex.split(line) for line in said.splitlines() if line.startswith("  sealift")]
    (_, *signing), (_, *submitting) = lines
    assert submitting[1:] == ["FILE", "--medium", "m 3"]
    key = str(ready.key("dispatcher-1"))
    more = ["--passphrase-file", str(ready.folder / "pass"), "--yes"]
    assert run([*(key if one == "FILE" else one for one in signing), *more]) == 0
    (then,) = (
        shlex.split(line)
        for line in capsys.readouterr().out.splitlines()
        if line.startswith("  sealift")
    )
    assert then == ["sealift", "submit", "the draft.dispatcher-1.signed", "--medium", "DIR"]
    done = cli.says(*("m 3" if one == "DIR" else one for one in then[1:]))
    assert shlex.split(done.splitlines()[-1].partition(":")[2])[-1] == f"m 3/sealift/{SITE}-000001"
