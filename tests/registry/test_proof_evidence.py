"""What a proof leaves at the hub: evidence with words, a picture, or nothing at all."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from sealift_registry.catalog.catalog import Catalog, latest
from sealift_registry.conversion import build_run
from sealift_registry.conversion.convert import Conversion, convert
from sealift_registry.proof.batches import BATCHES
from sealift_registry.proof.models import model_file
from sealift_registry.proof.picture import picture
from sealift_registry.proof.proof_report import ProofReport
from sealift_registry.proof.prove import prove
from sealift_registry.shown.about import all_about
from sealift_registry.shown.promotion import status_lines
from sealift_registry.trust.hub_drafts import draft
from sealift_signing import gate
from sealift_signing.drawing import drawn
from sealift_signing.errors import RefusedError
from sealift_signing.statements import Evidence
from sealift_sync.artifact import read_manifest
from tests.registry.hub_fixture import REQUESTER, STAGE, TARGET, Acme, version
from tests.registry.proof_models import linear, proof
from tests.registry.test_hub_cli import Capsys, Cli

VARIANT = version(1).path(TARGET)


def parity(acme: Acme) -> Evidence:
    with acme.app.hub.reading() as connection:
        found = latest(Catalog(connection).evidence(VARIANT))
    return found["parity"].predicate


def shown(acme: Acme) -> str:
    with acme.app.hub.reading() as connection:
        _, _, lines = all_about(acme.app.hub, connection, str(version(1)))
    return "\n".join(lines)


def goldens(acme: Acme, **answers: Any) -> Path:  # noqa: ANN401 - arrays
    """The goldens of a tiny model, and what is expected of it."""
    with np.load(acme.goldens()) as found:
        path = acme.folder / "answered.npz"
        np.savez(path, inputs=found["inputs"], **answers)
    return path


def wrong(change: Callable[[Any], None]) -> Callable[..., Conversion]:
    """A converter that changes the graph that it was to convert."""

    def made(*args: Any) -> Conversion:  # noqa: ANN401 - as convert
        import onnx

        done = convert(*args)
        path = done.variant.folder / done.variant.model
        model = onnx.load(path)
        change(model.graph)
        path.write_bytes(model.SerializeToString())
        file = model_file(done.variant.folder, done.variant.model)
        return replace(done, variant=replace(done.variant, files=(file,)))

    return made


def _clipped(graph: Any) -> None:  # noqa: ANN401 - onnx is Any to us
    """What is beyond three is cut off: no golden row is."""
    import onnx

    limits = [
        onnx.helper.make_tensor(name, 1, [], [value])
        for name, value in (("least", -3.0), ("most", 3.0))
    ]
    graph.initializer.extend(limits)
    graph.node[0].input[0] = "cut"
    cut = onnx.helper.make_node("Clip", ["X", "least", "most"], ["cut"])
    graph.node.insert(0, cut)


def test_p0_41_a_proof_that_fails_leaves_no_artifact(
    acme: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme.ingest(1, acme.goldens())
    monkeypatch.setattr(build_run, "convert", wrong(_clipped))
    before = set(acme.app.hub.home.blobs.digests())
    with pytest.raises(RefusedError) as caught:
        acme.convert(1)
    error = caught.value
    assert error.code == "parity-failed"
    assert re.search(
        r"does not answer as onnx's reference evaluator does on the same file, and the variant is "
        r"not kept: "
        r"(ordinary|range): .*in row \d+ of [\w-]+, "
        r"probabilities, column \d, is \S+ in the source and \S+ in the variant; "
        r"they are \S+ apart; they may be \S+ apart there",
        error.what,
    )
    assert "the variant is not kept" in error.what
    assert "not kept" not in error.next_step
    with acme.app.hub.reading() as connection:
        assert Catalog(connection).artifact(VARIANT) is None
        assert not Catalog(connection).evidence(VARIANT)
    assert set(acme.app.hub.home.blobs.digests()) == before
    monkeypatch.undo()
    assert acme.convert(1).new


def test_p0_40_the_picture_is_a_blob_of_the_hub_and_travels_with_no_artifact(hub: Acme) -> None:
    said = parity(hub)
    assert isinstance(said.details, dict)
    blobs, digest = hub.app.hub.home.blobs, str(said.details["picture"])
    drawing = blobs.read(digest)
    assert ET.fromstring(drawing).tag.endswith("svg")  # noqa: S314 - our own
    assert str(VARIANT) in drawing.decode()
    with hub.app.hub.reading() as connection:
        variant = Catalog(connection).artifact(VARIANT)
    assert variant is not None
    assert digest not in blobs.read(variant.sha256).decode()
    assert all(f.sha256 != digest for f in read_manifest(blobs.read(variant.sha256), what="").files)
    assert f"its picture:  sealift show {version(1)} --pictures FOLDER" in shown(hub)
    blobs.remove(digest)
    assert "its picture" not in shown(hub)


def test_p0_266_pictures_of_two_versions_have_room_in_one_folder(hub: Acme, capsys: Capsys) -> None:
    cli, folder = Cli(hub, capsys), hub.folder / "seen"
    for number in (1, 2):
        hub.convert(number)
        cli.says("show", version(number), "--pictures", folder)
    names = [f"tiny-{number}-{TARGET}.svg" for number in (1, 2)]
    assert sorted(one.name for one in folder.iterdir()) == names


def test_p0_158_the_picture_is_written_to_a_file_that_a_browser_opens(
    hub: Acme, capsys: Capsys
) -> None:
    cli, folder = Cli(hub, capsys), hub.folder / "seen"
    said = parity(hub)
    assert isinstance(said.details, dict)
    words = ("show", version(1), "--pictures", folder)
    file = folder / f"tiny-1-{TARGET}.svg"
    assert f"A picture of its proof is {file}" in cli.says(*words)
    written = file.read_bytes()
    assert written == hub.app.hub.home.blobs.read(str(said.details["picture"]))
    cli.says(*words)  # the same again is left as it is
    file.write_bytes(b"another")
    code, _, err = cli(*words)
    assert (code, "exists already" in err) == (4, True)
    code, _, err = cli("show", "no-site", "--pictures", folder)
    assert code == 3
    hub.app.hub.home.blobs.remove(str(said.details["picture"]))
    code, _, err = cli(*words)
    assert (code, "There is no picture of a proof" in err) == (2, True)


def test_p0_158_convert_says_how_well_it_answers_before_all_and_the_rest_in_few_lines(
    acme: Acme, capsys: Capsys
) -> None:
    cli = Cli(acme, capsys)
    acme.ingest(1)
    acme.ingest(1, goldens(acme, expected=_answers(acme)))
    lines = cli.says("convert", version(1), "--for", TARGET).splitlines()
    assert len(lines) < 12
    assert lines[0].startswith(f"{VARIANT} built")
    (at,) = (n for n, line in enumerate(lines) if line.startswith("  parity: pass"))
    assert "Of 8 expected labels the source gets 100.0% right" in lines[at + 1]
    assert "On 8 golden rows and " in lines[at + 2]
    assert f"Every check:  sealift show {version(1)}" in lines
    whole = cli.says("convert", version(1), "--for", TARGET, "--verbose")
    for one in parity(acme).checks:
        assert drawn(one.words) in whole


def test_p0_40_the_same_proof_makes_the_same_picture() -> None:
    found, again = proof(linear(), linear()), proof(linear(), linear())
    assert picture(found, "it") == picture(again, "it")
    failed = proof(linear(), lambda x: linear()(np.clip(x, -3, 3)))
    assert picture(failed, "it") != picture(found, "it")
    hostile = picture(found, "</text><script>alert(1)</script>&\x1b[2J")
    assert b"<script" not in hostile
    for one in (picture(found, "it"), picture(failed, "it"), hostile):
        ET.fromstring(one)  # noqa: S314 - our own


def test_p0_376_a_picture_says_why_it_counts_more_answers_than_rows() -> None:
    found = proof(linear(), linear())
    said = picture(found, "it").decode()
    (output, *_) = found.outputs
    assert f": {output.rows:,} answers, " in said
    asked = [one.kind for one in found.probes if one.kind in BATCHES]
    assert asked
    for kind in asked:
        assert f">{kind}: {BATCHES[kind]}. They are rows from above, asked again" in said


def test_p0_377_what_is_taken_as_it_is_was_built_by_nobody(hub: Acme) -> None:
    with hub.app.hub.reading() as connection:
        found = Catalog(connection).evidence(VARIANT)
    (words,) = (
        check.words for one in found for check in one.predicate.checks if check.name == "provenance"
    )
    assert words.startswith("taken as it is from the source ")


def test_p0_43_what_was_proved_is_said_in_words_wherever_it_is_shown(hub: Acme) -> None:
    said = parity(hub)
    words = {one.name: one.words for one in said.checks}
    assert words["proof"].startswith("On 8 golden rows and ")
    assert "where" in words["proof"]
    assert "64 permuted" in words["ordinary"]
    assert "missing" in words["coverage"]
    number = hub.request(1)
    with hub.app.hub.reading() as connection:
        wanted = hub.app.promotions.approval_wanted(connection, number, "validated", "tested")
        made = draft(hub.app.hub, connection, wanted)
    drawing = "\n".join(
        gate.examine(made, wanted.ask, None, hub.app.hub.now(), hub.public("carla")).words
    )
    promotion = "\n".join(status_lines(hub.standing(number)))
    for place in (shown(hub), promotion, drawing):
        for text in (words["proof"], words["ordinary"], words["coverage"]):
            assert text[:60] in place


def test_p0_26_wrong_answers_are_the_first_thing_that_whoever_approves_reads(acme: Acme) -> None:
    acme.ingest(1)
    acme.ingest(1, goldens(acme, expected=(_answers(acme) + 1) % 3))
    acme.convert(1)
    assert parity(acme).passed
    number = acme.request(1)
    line = f"LOOK AT THIS FIRST, of {VARIANT}: “THE ANSWERS ARE WRONG: of 8 expected labels"
    with acme.app.hub.reading() as connection:
        hub, promotions = acme.app.hub, acme.app.promotions
        request = promotions.request_wanted(connection, version(1), STAGE, "again")
        approval = promotions.approval_wanted(connection, number, "validated", "tested")
        for one, who in ((request, REQUESTER), (approval, "carla")):
            made = draft(hub, connection, one)
            words = gate.examine(made, one.ask, None, hub.now(), acme.public(who)).words
            assert words[0].startswith(line)
    assert status_lines(acme.standing(number))[0].startswith(line)
    assert line.partition(": ")[2] in shown(acme)


def _answers(acme: Acme) -> Any:  # noqa: ANN401 - an array
    import onnxruntime

    with np.load(acme.goldens()) as found:
        session = onnxruntime.InferenceSession(
            acme.folder / "tiny-1.onnx", providers=["CPUExecutionProvider"]
        )
        return session.run(["label"], {"X": found["inputs"]})[0]


def test_p0_42_labels_that_the_model_does_not_have_stop_the_conversion(acme: Acme) -> None:
    for name in ("expected", "labels"):
        acme.ingest(1, goldens(acme, **{name: np.array([1, 2, 5, 1, 2, 5, 1, 2])}))
        with pytest.raises(RefusedError) as caught:
            acme.convert(1)
        assert caught.value.code == "labels-unknown"
        assert "the label 5, which the model cannot answer" in caught.value.what
    with acme.app.hub.reading() as connection:
        assert Catalog(connection).artifact(VARIANT) is None


def test_p0_39_no_input_stands_in_the_evidence(hub: Acme) -> None:
    written = json.dumps(parity(hub).details)
    with np.load(hub.goldens()) as found:
        for value in found["inputs"].ravel().tolist():
            assert f"{value:.5g}" not in written


def test_p0_167_how_long_rows_may_take_is_a_setting(
    acme: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []

    def timed(*args: Any, **given: Any) -> ProofReport:  # noqa: ANN401 - as prove
        asked.append(given["how"].seconds)
        return prove(*args, **given)

    acme.ingest(1, acme.goldens())
    monkeypatch.setattr(build_run, "prove", timed)
    hurried = Acme(acme.folder, {"SEALIFT_CONVERSION__PROOF_MINUTES": "3"})
    hurried.convert(1)
    assert asked == [180.0]
    assert hurried.app.runtimes.seconds == 180.0
