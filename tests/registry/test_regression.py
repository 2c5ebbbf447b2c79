"""Before a promotion is asked for, its variants are compared with what is listed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sealift_registry.catalog import findings, recording
from sealift_registry.catalog.catalog import Catalog
from sealift_registry.catalog.findings import Finding
from sealift_registry.frameworks.variant_names import Names
from sealift_registry.regression import (
    comparison_words,
    differences,
    isolation,
    measure,
    side_by_side,
)
from sealift_registry.regression.differences import Taken
from sealift_registry.regression.measurement import Measurement
from sealift_registry.regression.regression_report import KIND, RegressionReport, report_of
from sealift_registry.trust.hub_drafts import draft
from sealift_registry.trust.repository import Change, Repository
from sealift_registry.trust.stored import stored
from sealift_signing import features, gate, publishing, roles, shape
from sealift_signing.documents import Withdrawal
from sealift_signing.errors import FailedError, RefusedError
from sealift_signing.evidence import EVIDENCE_PURPOSE
from sealift_signing.more_member import TOLD_FIRST
from sealift_signing.policy import LATER_KINDS, POLICY_PATH
from sealift_signing.statements import Evidence, Signed
from sealift_signing.vocabulary import moment
from tests.registry.hub_fixture import APPROVERS, MODEL, STAGE, TARGET, Acme, quiet, version
from tests.registry.test_hub_cli import Capsys, Cli
from tests.registry.test_promotions import refused
from tests.sampling import some
from tests.words.listening import TRIED, Heard, Words
from tests.words.planting import free, planted

NOBODY: tuple[Sequence[str], Sequence[str]] = ((), ())


# ------------------------------------------------------------------ what is compared, purely


def labelled(labels: Sequence[object], scores: Sequence[Sequence[float]]) -> dict[str, Any]:
    return {"label": np.array(labels), "probabilities": np.array(scores, dtype=np.float32)}


def test_p0_210_labels_are_what_they_are_spelled_as_and_ties_are_told() -> None:
    sure, torn = [0.9, 0.1], [0.5, 0.5]
    here = labelled([0, 0, 1, 1], [sure, torn, sure, sure])
    there = labelled(["0", "1", "1", "0"], [sure, sure, sure, sure])
    found = differences.label_churn(here, there, NOBODY)
    assert found is not None
    assert (found.differing, found.tied) == (2, 0)
    back = differences.label_churn(there, here, NOBODY)
    assert back == replace(found, tied=1), "by the scores of the listed one"
    assert differences.label_churn(here, here, NOBODY) == replace(found, differing=0, tied=0)
    assert differences.other_outputs(here, there) == [
        "label is of whole numbers of 64 bits, and was of text"
    ]


def test_p0_210_numbers_lie_apart_by_parts_of_the_larger_and_nothing_divides_by_zero() -> None:
    here = {"variable": np.array([1.0, 0.0, 0.0, np.nan, np.inf, np.nan, 2.0])}
    there = {"y": np.array([[1.0], [0.0], [5.0], [np.nan], [np.inf], [1.0], [1.0]])}
    found = differences.number_churn(here, there)
    assert found is not None
    assert (found.median, found.largest, found.no_number) == ("0", "1", 1)
    assert differences.number_churn(here, {"y": np.zeros((7, 2))}) is None
    assert differences.label_churn(here, there, NOBODY) is None


def test_p0_210_a_metric_is_told_only_where_both_can_be_measured_alike() -> None:
    right = np.array([0, 1, 2, 9])
    here = labelled([0, 1, 1, 1], [[1, 0, 0]] * 4)
    there = labelled(["0", "1", "2", "1"], [[1, 0, 0]] * 4)
    assert differences.metrics(right, here, there, NOBODY) == ("labels", "0.5", "0.75")
    numbers = {"variable": np.array([0.0, 1.0, 2.0, 8.0])}
    assert differences.metrics(right, numbers, numbers, NOBODY) == ("numbers", "0.25", "0.25")
    assert differences.metrics(right, here, numbers, NOBODY) == ("numbers", None, "0.25")
    assert differences.metrics(None, here, there, NOBODY) is None
    nobody_knows = np.full(4, np.nan)
    assert differences.metrics(nobody_knows, here, there, NOBODY) is None


FLOAT = "tensor(float)"


@pytest.mark.parametrize(
    "ours, theirs, why",
    [
        ({"X": (FLOAT, (4,))}, {"inputs": ("tensor(double)", (4,))}, ""),
        ({"X": (FLOAT, (None,))}, {"X": (FLOAT, (4,))}, ""),
        ({"X": (FLOAT, (4,))}, {"X": (FLOAT, (5,))}, "a row of X is 5, and here 4"),
        ({"X": (FLOAT, (4,))}, {"X": ("tensor(uint8)", (4,))}, "of the type tensor(uint8)"),
        ({"X": (FLOAT, (4,))}, {"X": (FLOAT, (4, 4))}, "a row of X is 4 by 4"),
        ({"a": (FLOAT, (1,)), "b": (FLOAT, (1,))}, {"a": (FLOAT, (1,))}, "it has 1 of them"),
        (
            {"a": (FLOAT, (1,)), "b": (FLOAT, (1,))},
            {"a": (FLOAT, (1,)), "c": (FLOAT, (1,))},
            "one of them is called c",
        ),
    ],
)
def test_p0_211_inputs_are_others_where_a_row_would_mean_something_else(
    ours: dict[str, Any], theirs: dict[str, Any], why: str
) -> None:
    found = differences.other_inputs(Taken(ours), Taken(theirs))
    assert (why in found) if why else not found


def test_p0_211_columns_of_other_names_and_codes_of_other_categories_are_other_inputs() -> None:
    def taken(features: Sequence[str], codes: Mapping[int, Sequence[str | float]]) -> Taken:
        return Taken({"X": (FLOAT, (2,))}, Names(features, (), codes))

    one = taken(("age", "size"), {1: ("S", "M")})
    assert not differences.other_inputs(one, one)
    assert not differences.other_inputs(one, taken((), {})), "a model that bears no names"
    assert not differences.other_inputs(one, taken(("age", "size"), {1: ("S", "M", "L")}))
    swapped = differences.other_inputs(one, taken(("size", "age"), {}))
    assert swapped == "its column 0 is size, and here age"
    codes = differences.other_inputs(one, taken(("age", "size"), {1: ("M", "S")}))
    assert codes == "the codes of its column 1 stand for other categories"


def test_p0_212_both_are_timed_in_turns_and_time_is_bounded() -> None:
    asked: list[str] = []
    ours, theirs = side_by_side.timed(lambda: asked.append("a"), lambda: asked.append("b"), 0.0)
    assert (len(ours), len(theirs)) == (side_by_side.LEAST, side_by_side.LEAST)
    assert asked == ["b", "a", "a", "b", "b", "a"]
    many, _ = side_by_side.timed(lambda: None, lambda: None)
    assert len(many) == side_by_side.MOST


# ------------------------------------------------------------------ at the hub


def compared(hub: Acme, number: int = 1, stage: str = STAGE) -> RegressionReport:
    """Compare, as `promote` does before it drafts anything; what was found last."""
    hub.app.comparisons.compare(version(number), stage, quiet)
    return report_of(evidence(hub, number, stage)[-1].predicate)


def evidence(hub: Acme, number: int, stage: str = STAGE) -> list[Signed[Evidence]]:
    with hub.app.hub.reading() as connection:
        found = Catalog(connection).evidence(version(number).path(TARGET))
    of_kind = [one for one in found if one.predicate.kind == KIND]
    return [one for one in of_kind if report_of(one.predicate).stage == stage]


def answered(acme: Acme, seed: int = 1, **answers: Any) -> Path:  # noqa: ANN401 - arrays
    """The goldens of a tiny model, and what is expected of it."""
    with np.load(acme.goldens(seed)) as found:
        path = acme.folder / f"answered-{seed}.npz"
        np.savez(path, inputs=found["inputs"], **answers)
    return path


def asks(acme: Acme, *kinds: str) -> None:
    """Have the stage ask for these kinds of evidence: the holders of `targets` sign it so."""
    hub, path = acme.app.hub, POLICY_PATH
    with hub.reading() as connection:
        repository, found = Repository(connection), stored(connection)
        policy = repository.policy()
        rule = replace(policy.stages[STAGE], evidence=kinds)
        later = (features.LATER_EVIDENCE.spelled,) if LATER_KINDS & {*kinds} else ()
        stages = {**policy.stages, STAGE: rule}
        data = shape.write(replace(policy, stages=stages, requires=later))
        base = found.base(roles.TARGETS).metadata
        expires = publishing.expiry(hub.now(), repository.lifetime(roles.TARGETS))
    metadata = publishing.following(base, expires=expires)
    publishing.list_document(metadata.signed, path, data)
    publishing.sign(metadata, [acme.signer("targets-1"), acme.signer("targets-2")])
    change = Change({roles.TARGETS: metadata}, {path: data})
    hub.commit_change(change, hub.entry("role.renewed", "targets", {}))


def test_p0_213_the_first_version_has_nothing_to_be_compared_with(hub: Acme) -> None:
    found = compared(hub)
    assert (found.nothing, found.listed, found.comparison) == ("first", None, None)
    assert (found.stage, found.hardware_target) == (STAGE, TARGET)
    (said,) = evidence(hub, 1)
    words = [one.words for one in said.predicate.checks]
    assert words == [f"Nothing to compare with: no version for {TARGET} is listed for {STAGE}."]
    assert said.predicate.passed
    assert EVIDENCE_PURPOSE[KIND] == "builder"
    assert hub.types()[-1] == "variant.compared"


def test_p0_214_a_candidate_is_compared_with_what_is_listed_on_its_own_goldens(
    hub: Acme,
) -> None:
    hub.promoted(1)
    hub.ingest(2, answered(hub, 1, expected=np.array([0, 1, 2, 0, 1, 2, 0, 1])))
    hub.convert(2)
    found = compared(hub, 2)
    assert found.nothing is None
    assert found.listed is not None
    assert found.comparison is not None
    assert (found.candidate.version, found.listed.version) == (2, 1)
    with hub.app.hub.reading() as connection:
        goldens = Catalog(connection).goldens(version(2))
        first = Catalog(connection).artifact(version(1).path(TARGET))
    assert first is not None
    assert (found.goldens, found.listed.sha256) == (goldens, first.sha256)
    assert found.comparison.rows == 8
    ours, theirs = answers(hub, 2), answers(hub, 1)
    assert found.comparison.labels is not None
    assert found.comparison.labels.differing == int((ours != theirs).sum()) > 0
    right = np.array([0, 1, 2, 0, 1, 2, 0, 1])
    assert float(found.candidate.metric or "-1") == pytest.approx((ours == right).mean(), rel=1e-2)
    assert float(found.listed.metric or "-1") == pytest.approx((theirs == right).mean(), rel=1e-2)
    assert (found.candidate.microseconds or 0) > 0
    assert found.candidate.size == (hub.folder / "tiny-2.onnx").stat().st_size
    (said,) = evidence(hub, 2)
    names = [one.name for one in said.predicate.checks]
    assert names[0] == TOLD_FIRST
    assert {"accuracy", "answers", "latency", "size"} <= set(names)
    assert "It is not a gate" in said.predicate.checks[-2].words


def answers(hub: Acme, seed: int) -> Any:  # noqa: ANN401 - an array
    """What a tiny model answers to the goldens, as ONNX Runtime says without any of our code."""
    import onnxruntime

    with np.load(hub.goldens(1)) as found:
        inputs = found["inputs"]
    session = onnxruntime.InferenceSession(str(hub.folder / f"tiny-{seed}.onnx"))
    return session.run(["label"], {"X": inputs})[0]


def test_p0_214_no_value_of_a_row_stands_in_evidence_or_log(hub: Acme) -> None:
    hub.promoted(1)
    compared(hub, 2)
    (said,) = evidence(hub, 2)
    log = json.dumps(hub.rows()["log_entry"], default=str)
    text = json.dumps(shape.to_json(said.predicate))
    with np.load(hub.goldens(1)) as found:
        for value in found["inputs"].ravel().tolist():
            # Six digits and more: evidence shows three of what was measured, which may be alike.
            assert repr(abs(value))[:8] not in text + log


def test_p0_215_the_same_comparison_is_not_made_again(
    hub: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.promoted(1)
    first = compared(hub, 2)
    entries = len(hub.types())

    def never(*_: object) -> None:
        pytest.fail("it was measured again")

    monkeypatch.setattr("sealift_registry.regression.comparisons.measure", never)
    assert compared(hub, 2) == first
    assert len(hub.types()) == entries
    monkeypatch.undo()
    # Of other software, other goldens or another listed version it is another comparison.
    other = {"sealift": "0"}
    monkeypatch.setattr("sealift_registry.regression.comparisons._software", lambda: other)
    compared(hub, 2)
    monkeypatch.undo()
    assert len(evidence(hub, 2)) == 2
    hub.ingest(2, hub.goldens(7))
    hub.convert(2)
    compared(hub, 2)
    assert len(evidence(hub, 2)) == 3


def test_p0_215_a_request_that_is_made_again_after_it_was_listed_is_the_same(hub: Acme) -> None:
    compared(hub, 1)
    number = hub.promoted(1)
    compared(hub, 1)
    assert len(evidence(hub, 1)) == 1, "what is listed itself is not compared with itself"
    assert hub.request(1) == number


def test_p0_215_what_was_listed_before_there_were_comparisons_is_itself(hub: Acme) -> None:
    hub.promoted(1)
    found = compared(hub, 1)
    assert found.nothing == "itself"
    (said,) = evidence(hub, 1)
    assert said.predicate.checks[0].name != TOLD_FIRST


def test_p0_216_stages_are_compared_apart(hub: Acme) -> None:
    hub.promoted(1, "staging")
    assert compared(hub, 2, "staging").nothing is None
    assert compared(hub, 2, "production").nothing == "first"
    assert len(evidence(hub, 2, "staging")) == len(evidence(hub, 2, "production")) == 1
    number = hub.request(2, "production")
    (named,) = [e for one in hub.standing(number).vouched for e in one.evidence if is_of(e)]
    assert report_of(named.predicate).stage == "production"


def is_of(one: Signed[Evidence]) -> bool:
    return one.predicate.kind == KIND


def test_p0_216_an_older_version_is_compared_with_the_one_that_was_listed_last(hub: Acme) -> None:
    hub.promoted(1)
    hub.promoted(2)
    found = compared(hub, 1)
    assert found.listed is not None
    assert (found.candidate.version, found.listed.version) == (1, 2)
    assert "version 2, which is listed" in comparison_words.summary(found)


def test_p0_216_what_was_withdrawn_is_not_what_is_listed(hub: Acme) -> None:
    hub.promoted(1)
    first = hub.standing(1).vouched[1].artifact
    gone = Withdrawal(
        "w-1", STAGE, first.sha256, None, None, "it is wrong", moment(hub.app.hub.now())
    )
    hub.change_members(lambda members: replace(members, withdrawn=(gone,)))
    assert compared(hub, 2).nothing == "first"


def test_p0_216_other_hardware_targets_are_compared_apart(hub: Acme) -> None:
    text = Path(measure.__file__).parents[1] / "conversion/hardware_targets/cpu-x86_64.toml"
    folder = hub.root / "hardware-targets"
    folder.mkdir()
    (folder / "line.toml").write_text(text.read_text().replace('"cpu-x86_64"', '"line"', 1))
    hub.promoted(1)
    hub.close()
    hub.convert(2, "line")
    compared(hub, 2)
    with hub.app.hub.reading() as connection:
        found = Catalog(connection).evidence(version(2).path("line"))
    (said,) = [report_of(one.predicate) for one in found if one.predicate.kind == KIND]
    assert said.nothing == "first"
    assert evidence(hub, 2)


def other_model(hub: Acme, change: Callable[[Any], None], number: int = 3) -> None:
    """A version whose graph is like that of another, but for something; and its goldens."""
    import onnx

    path = hub.folder / f"tiny-{number}.onnx"
    model = onnx.load(hub.folder / "tiny-2.onnx")
    change(model)
    path.write_bytes(model.SerializeToString())


def _wider(model: Any) -> None:  # noqa: ANN401 - onnx is Any to us
    import onnx

    weights = model.graph.initializer[0]
    wide = np.concatenate([onnx.numpy_helper.to_array(weights)] * 2)
    weights.CopyFrom(onnx.numpy_helper.from_array(wide, weights.name))
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 8


def test_p0_217_a_listed_version_of_other_inputs_is_nothing_to_compare_with(hub: Acme) -> None:
    hub.promoted(1)
    other_model(hub, _wider)
    goldens = hub.folder / "wide.npz"
    np.savez(goldens, inputs=np.random.default_rng(1).normal(size=(8, 8)).astype(np.float32))
    hub.ingest(3, goldens)
    hub.convert(3)
    found = compared(hub, 3)
    assert (found.nothing, found.comparison) == ("inputs", None)
    (said,) = evidence(hub, 3)
    assert said.predicate.checks[0].name == TOLD_FIRST
    assert "takes other inputs: a row of X is 4, and here 8" in said.predicate.checks[0].words
    assert said.predicate.passed


def test_p0_217_a_listed_version_whose_files_are_lost_is_told_so(hub: Acme) -> None:
    hub.promoted(1)
    blobs = hub.app.hub.home.blobs
    with hub.app.hub.reading() as connection:
        first = Catalog(connection).artifact(version(1).path(TARGET))
    assert first is not None
    for one in json.loads(blobs.read(first.sha256))["layers"]:
        blobs.remove(one["digest"].partition(":")[2])
    found = compared(hub, 2)
    assert found.nothing == "gone"
    assert "lost or damaged" in comparison_words.summary(found)
    manifest = blobs.read(first.sha256)
    blobs.remove(first.sha256)
    assert "lost or damaged" in comparison_words.summary(compared(hub, 2))
    blobs.put_bytes(manifest)
    blobs.put_bytes((hub.folder / "tiny-1.onnx").read_bytes())
    assert compared(hub, 2).nothing is None, "what was put back is compared"


def test_p0_217_a_listed_version_that_the_runtime_refuses_is_told_so(
    hub: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.promoted(1)
    shutil.copy(hub.folder / "tiny-2.onnx", hub.folder / "kept.onnx")
    asked: list[str] = []
    from sealift_registry.regression import comparisons

    def broken(candidate: Path, listed: Path, *rest: Any) -> Measurement:  # noqa: ANN401
        listed.write_bytes(b"no model")
        asked.append(listed.name)
        return measure.measure(candidate, listed, *rest)

    monkeypatch.setattr(comparisons, "measure", broken)
    found = compared(hub, 2)
    assert (asked, found.nothing) == (["tiny-1.onnx"], "not-run")
    assert "does not answer these goldens: ONNX Runtime cannot load it" in comparison_words.summary(
        found
    )
    (said,) = evidence(hub, 2)
    assert str(hub.folder) not in json.dumps(shape.to_json(said.predicate))


@pytest.mark.parametrize("at, stops", [("listed", False), ("candidate", True)])
def test_p0_217_whatever_breaks_down_beside_the_listed_one_stops_nobody(
    hub: Acme, monkeypatch: pytest.MonkeyPatch, at: str, *, stops: bool
) -> None:
    def broken(*given: Any, **_: object) -> None:  # noqa: ANN401 - as ask
        given[3](at, 0, 0)
        raise FailedError("worker-crashed", "It was killed; secret.", subject="x", next_step="y")

    hub.promoted(1)
    monkeypatch.setattr(measure, "ask", broken)
    monkeypatch.setattr(isolation, "ask", broken)
    if stops:
        with pytest.raises(FailedError):
            compared(hub, 2)
        assert not evidence(hub, 2)
        return
    found = compared(hub, 2)
    assert (found.nothing, found.broke) == ("broke-down", "both")
    (said,) = evidence(hub, 2)
    assert "secret" not in json.dumps(shape.to_json(said.predicate)), "a runtime's last words"
    monkeypatch.undo()
    assert compared(hub, 2).nothing is None, "a busy machine's answer is not kept"


def _text(model: Any) -> None:  # noqa: ANN401 - onnx is Any to us
    model.graph.output[1].name = "scores"
    model.graph.node[1].output[0] = "scores"
    model.graph.node[0].output[0] = model.graph.node[1].input[0] = "raw"
    model.graph.node[2].input[0] = "raw"


def test_p0_218_outputs_that_are_others_are_told_first(hub: Acme) -> None:
    hub.promoted(1)
    other_model(hub, _text)
    hub.ingest(3, hub.goldens())
    hub.convert(3)
    found = compared(hub, 3)
    assert found.comparison is not None
    assert found.comparison.outputs == ("scores is new", "probabilities is gone")
    (said,) = evidence(hub, 3)
    assert "its outputs or classes DIFFER" in said.predicate.checks[0].words


def test_p0_219_a_stage_that_asks_for_it_refuses_a_promotion_without(
    hub: Acme, capsys: Capsys
) -> None:
    asks(hub, "scan", "parity", KIND)
    why = refused(lambda: hub.request(1), "gate")
    assert f"asks for {KIND} evidence about catalog/{MODEL}/1/{TARGET}, and it is missing" in why
    cli = Cli(hub, capsys)
    words = ("--to", STAGE, "--reason", "better", "--at-hub", "--key", cli.key("dora"))
    answer = cli.json("promote", str(version(1)), *words)
    assert answer["artifacts"][1]["evidence"][KIND] == "pass", "nothing to compare with"
    for person in APPROVERS:
        hub.approve(1, person)
    assert hub.standing(1).listed


def test_p0_220_what_was_compared_with_another_version_is_refused_where_it_is_asked_for(
    hub: Acme,
) -> None:
    asks(hub, "scan", "parity", KIND)
    compared(hub, 1)
    compared(hub, 2)
    number = hub.request(2)
    hub.approve(number, APPROVERS[0])
    first = hub.request(1)
    for person in APPROVERS:
        hub.approve(first, person, days=30)
    why = refused(lambda: hub.approve(number, APPROVERS[1]), "regression-stale")
    assert "it was compared when nothing was listed, and now version 1 is" in why
    why = refused(lambda: hub.asked(2, reason="again"), "gate")
    assert "is missing" in why
    compared(hub, 2)
    again = hub.asked(2, reason="again")
    for person in APPROVERS:
        hub.approve(again, person)
    # What is listed is renewed, whatever is listed since: a site must not see a gap.
    assert hub.standing(first).listed
    hub.approve(first, APPROVERS[0], days=300)


def test_p0_220_where_it_is_not_asked_for_it_is_told_by_show_and_approve(
    hub: Acme, capsys: Capsys
) -> None:
    compared(hub, 2)
    number = hub.request(2)
    hub.promoted(1)
    cli = Cli(hub, capsys)
    told = f"LOOK AT THIS FIRST. “Of catalog/{MODEL}/2/{TARGET}: it was compared when nothing was "
    assert told in cli.says("show", f"P-{number}")
    how = ("--meaning", "validated", "--reason", "tested", "--draft", hub.folder / "a.draft")
    code, _, err = cli("approve", f"P-{number}", *how)
    assert code == 0
    assert told in err


def test_p0_221_goldens_that_changed_since_make_it_old(hub: Acme) -> None:
    asks(hub, "scan", "parity", KIND)
    compared(hub, 1)
    hub.ingest(1, hub.goldens(7))
    hub.convert(1)
    refused(lambda: hub.request(1), "gate")
    compared(hub, 1)
    hub.request(1)


# ------------------------------------------------------------------ attacks


def forge(hub: Acme, number: int, said: RegressionReport, by: str = "builder") -> None:
    """Put evidence into the database that is signed as by who stole a key of the hub's."""
    path = version(number).path(TARGET)
    with hub.app.hub.reading() as connection:
        artifact = Catalog(connection).artifact(path)
        organisation = Repository(connection).organisation()
    assert artifact is not None
    made = moment(hub.app.hub.now())
    finding = Finding(KIND, "pass", comparison_words.checks(said), {}, "m", shape.to_json(said))
    signer = hub.app.hub.online.signer(by)
    body = findings.sign(finding, organisation, path, artifact.sha256, signer, made)
    with hub.behind() as connection:
        recording.add_evidence(connection, body, path)


def test_p0_222_evidence_of_another_pair_is_refused(hub: Acme) -> None:
    asks(hub, "scan", "parity", KIND)
    compared(hub, 1)
    hub.promoted(1)
    honest = compared(hub, 2)
    assert honest.listed is not None
    # Of other bytes than the candidate's.
    forge(hub, 2, replace(honest, candidate=replace(honest.candidate, sha256="0" * 64)))
    refused(lambda: hub.request(2), "gate")
    # With another version than the listed one.
    forge(hub, 2, replace(honest, listed=replace(honest.listed, sha256="1" * 64)))
    refused(lambda: hub.request(2), "gate")
    # Of another stage: it does not count for this one, and is not named.
    forge(hub, 2, replace(honest, stage="staging"))
    number = None
    with pytest.raises(RefusedError):
        number = hub.request(2)
    assert number is None


def test_p0_222_evidence_that_no_builder_signed_stops_the_promotion(hub: Acme) -> None:
    honest = compared(hub, 2)
    forge(hub, 2, honest, by="scanner")
    why = refused(lambda: hub.request(2), "gate")
    assert "not signed by any machine that may sign evidence of its kind" in why


def test_p0_222_the_desk_takes_no_evidence_of_another_stage(
    hub: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hub that is not honest shows what was compared for staging to who approves production."""
    asks(hub, "scan", "parity", KIND)
    compared(hub, 1, "staging")
    monkeypatch.setattr("sealift_registry.promotion.gates.says_of", lambda *_: True)
    monkeypatch.setattr("sealift_registry.promotion.comparison_checks.why_stale", lambda *_: "")
    monkeypatch.setattr("sealift_registry.promotion.comparison_checks.check", lambda *_: None)
    why = refused(lambda: hub.request(1), "gate")
    assert why.endswith("and it is missing.")


def test_p0_223_a_thief_of_the_builders_key_shows_approvers_what_they_like(hub: Acme) -> None:
    """Nobody but the hub compares: the threat model says so."""
    asks(hub, "scan", "parity", KIND)
    compared(hub, 1)
    hub.promoted(1)
    honest = compared(hub, 2)
    forge(hub, 2, replace(honest, candidate=replace(honest.candidate, metric="1")))
    assert hub.request(2) == 2


# ------------------------------------------------------------------ what people are shown


def test_p0_224_the_difference_stands_before_whoever_approves(hub: Acme, capsys: Capsys) -> None:
    hub.promoted(1)
    hub.ingest(2, answered(hub, 1, expected=np.array([0, 1, 2, 0, 1, 2, 0, 1])))
    hub.convert(2)
    cli = Cli(hub, capsys)
    words = ("--to", STAGE, "--reason", "better", "--at-hub", "--key", cli.key("dora"))
    promoted = cli.says("promote", str(version(2)), *words)
    first = f"LOOK AT THIS FIRST, of catalog/{MODEL}/2/{TARGET}: “Compared with version 1, "
    assert first in promoted.partition("P-000002: ")[0]
    assert "version 1 (listed)  version 2" in promoted
    shown = cli.says("show", "P-2")
    assert first in shown
    assert "version 1 (listed)  version 2" in shown
    assert "version 1 (listed)  version 2" in cli.says("show", str(version(2)))
    with hub.app.hub.reading() as connection:
        wanted = hub.app.promotions.approval_wanted(connection, 2, "validated", "tested")
        made = draft(hub.app.hub, connection, wanted)
        now, carla = hub.app.hub.now(), hub.public("carla")
        shows = gate.examine(made, wanted.ask, None, now, carla).words
    told = [line for line in shows if "Compared with version 1" in line]
    assert len(told) == 2
    assert told[0].startswith(first), "before the request itself"
    assert shows.index(told[0]) < next(n for n, one in enumerate(shows) if "asked for by" in one)
    said = cli.json("show", "P-2")
    (data,) = said["regression"]
    assert (data["path"], said["stale"]) == (f"catalog/{MODEL}/2/{TARGET}", [])
    assert data["listed"]["version"] == 1
    assert data["comparison"]["rows"] == 8


@pytest.mark.parametrize("first", some(range(0, len(TRIED), 6), 3, "words of a comparison"))
def test_p0_224_nobodys_words_in_a_comparison_are_a_line_of_ours(
    hub: Acme, capsys: Capsys, first: int
) -> None:
    """Names of outputs are a stranger's, and who has the builder's key writes what they like."""
    hub.promoted(1)
    words, names = Words(first), set(WRITTEN)
    words.program = "sealift"
    heard, cli = Heard(words), Cli(hub, capsys)
    other_model(hub, _text)
    hub.ingest(3, hub.goldens())
    hub.convert(3)
    with planted(words, free() - names) as seen:
        compared(hub, 3)
        hub.request(3)
        _, out, _ = cli("show", "P-2")
        heard.raw(out)
        heard.raw(cli("show", str(version(3)))[1])
        assert "ZQ.Comparison.outputs" in out
        with hub.app.hub.reading() as connection:
            wanted = hub.app.promotions.approval_wanted(connection, 2, "validated", "tested")
            made = draft(hub.app.hub, connection, wanted)
            now, carla = hub.app.hub.now(), hub.public("carla")
            heard.raw("\n".join(gate.examine(made, wanted.ask, None, now, carla).words))
    assert seen == names
    heard.check()


WRITTEN = {"Comparison.outputs", "Comparison.software"}


def test_p0_224_nor_in_why_there_is_nothing_to_compare_with(hub: Acme, capsys: Capsys) -> None:
    hub.promoted(1)
    other_model(hub, _wider)
    goldens = hub.folder / "wide.npz"
    np.savez(goldens, inputs=np.random.default_rng(1).normal(size=(8, 8)).astype(np.float32))
    hub.ingest(3, goldens)
    hub.convert(3)
    words, names = Words(), {"_Answer.why", "RegressionReport.why"}
    words.program = "sealift"
    heard, cli = Heard(words), Cli(hub, capsys)
    with planted(words, free() - names) as seen:
        compared(hub, 3)
        hub.request(3)
        _, out, _ = cli("show", "P-2")
    heard.raw(out)
    assert "ZQ._Answer.why" in out
    assert seen == names
    heard.check()
