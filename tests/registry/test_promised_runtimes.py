"""What a hardware target promises of its runtime is tried at both ends, and held to by the hub."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sealift_registry.conversion import build_run
from sealift_registry.conversion.building import Built
from sealift_registry.proof.prove import prove
from sealift_registry.runtimes import environments
from sealift_registry.runtimes.environments import MADE, Environments
from sealift_registry.runtimes.ranges import Release
from sealift_registry.runtimes.releases import known
from sealift_registry.runtimes.runtimes_report import RuntimesReport, by_release
from sealift_signing import features, shape
from sealift_signing.errors import RefusedError, SealiftError
from sealift_signing.evidence import EVIDENCE_PURPOSE
from sealift_signing.statements import Evidence
from sealift_sync.site.setup.initialising import begin_enrolment, finish_enrolment
from tests.registry import a_runtime
from tests.registry.hub_fixture import GROUP, SITE, STAGE, TEAM, Acme, founded, version
from tests.registry.signing_people import assign
from tests.registry.test_conversion_hardware import EXAMPLE
from tests.registry.test_hub_cli import Capsys, Cli
from tests.registry.test_letting_rows_out import lets
from tests.registry.test_regression import asks as stage_asks
from tests.registry.test_what_sites_read import says, without
from tests.sampling import drawn
from tests.site_on_paper import SiteOnPaper, as_told
from tests.words.listening import TRIED, Heard, Words
from tests.words.planting import free, planted

__all__ = ["founded"]

LINE = "press-line"
OWN = str(environments.own())
OLD = "1.21.1"
"""It reads what `tests.models.tiny_onnx` is written in."""


@pytest.fixture
def line(acme: Acme, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Acme:
    """A hub with version 1, and a hardware target of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    acme.ingest(1, acme.goldens(1))
    return acme


def asks(acme: Acme, asked: str, **changed: str) -> None:
    """Have the hardware target promise these releases."""
    text = EXAMPLE.replace('id = "cpu-x86_64"', f'id = "{LINE}"')
    text = text.replace('runtime_version = "installed"', f'runtime_version = "{asked}"')
    for name, value in changed.items():
        text = text.replace(f'{name} = "{shown(name)}"', f'{name} = "{value}"')
    folder = acme.root / "hardware-targets"
    folder.mkdir(exist_ok=True)
    (folder / f"{LINE}.toml").write_text(text)
    acme.close()


def shown(name: str) -> str:
    return {"arch": "x86_64", "runtime": "onnxruntime"}[name]


def there(acme: Acme, number: str, how: str = "right", calls_itself: str = "") -> None:
    """Make it seem that an environment of that release was added."""
    release = Release.parse(number)
    assert release is not None
    folder = Environments.located(dict(acme.app.runtimes._environment)).place(release)
    a_runtime.python_of(folder, calls_itself or number, how)
    said = {"software": {"onnxruntime": number, "numpy": "1.0"}, "wheels": {}, "pinned": True}
    (folder / MADE).write_text(json.dumps(said))


def bad(acme: Acme, number: str, reason: str) -> None:
    (acme.root / "runtimes").mkdir(exist_ok=True)
    text = f'[[onnxruntime]]\nrelease = "{number}"\nreason = "{reason}"\n'
    (acme.root / "runtimes/known-bad.toml").write_text(text)
    acme.close()


def evidence(built: Built, kind: str = "runtimes") -> Evidence | None:
    found = [one.predicate for one in built.evidence if one.predicate.kind == kind]
    return found[0] if found else None


def report(built: Built) -> RuntimesReport:
    said = evidence(built)
    assert said is not None
    return shape.from_json(RuntimesReport, said.details, what="it")


def refused(action: Callable[[], object], code: str) -> SealiftError:
    with pytest.raises(SealiftError) as caught:
        action()
    assert caught.value.code == code, caught.value
    return caught.value


def test_p0_111_the_installed_release_alone_needs_no_more_evidence(line: Acme) -> None:
    built = line.convert(1)
    assert {one.predicate.kind for one in built.evidence} == {"scan", "parity", "provenance"}
    assert built.untried == ()
    parity = evidence(built, "parity")
    assert parity is not None
    assert parity.tools["onnxruntime"] == OWN
    line.request(1)


def test_p0_112_both_ends_of_a_range_run_goldens_and_probes(line: Acme, capsys: Capsys) -> None:
    asks(line, f">={OLD},<={OWN}")
    there(line, OLD)
    answer = Cli(line, capsys).json("convert", str(version(1)), "--for", LINE)
    assert answer["artifacts"][0]["evidence"]["runtimes"] == "pass"
    assert answer["artifacts"][0]["untried"] == []
    built = line.convert(1, LINE)
    assert not built.new
    found = report(built)
    assert [one.release for one in found.tried] == [OLD, OWN]
    assert found.tried[0].rows == found.tried[1].rows > 100
    assert [one.wrong for one in found.tried] == [0, 0]
    assert found.tried[0].software["onnxruntime"] == OLD
    assert found.without == {"1.26.0": known().bad["1.26.0"]}
    assert (found.asked, found.measured_on_target) == (f">={OLD},<={OWN}", True)
    said = evidence(built)
    assert said is not None
    names = [f"onnxruntime-{OLD}", f"onnxruntime-{OWN}", "without"]
    assert [one.name for one in said.checks] == names
    assert "1.26.0: it answers binary forests wrongly" in said.checks[-1].words
    line.request(1)
    home = str(line.folder)
    assert home not in json.dumps(shape.to_json(said)), "a path of the cache"
    assert line.types().count("variant.built") == 1


def test_p0_112_its_evidence_is_a_builders() -> None:
    assert EVIDENCE_PURPOSE["runtimes"] == "builder"


def test_p0_123_what_was_tried_is_signed_shown_and_installed_with_the_variant(
    line: Acme, tmp_path: Path, capsys: Capsys
) -> None:
    """A site goes by no evidence that its stage does not ask for, and takes it along."""
    asks(line, f">={OLD},<={OWN}")
    there(line, OLD)
    line.convert(1, LINE)
    promotion = line.promoted(1)
    shown = Cli(line, capsys).says("show", f"P-{promotion}")
    assert f"On onnxruntime {OLD} with NumPy " in shown
    plant = SiteOnPaper(tmp_path / "site", datetime.now(UTC))
    wanted = begin_enrolment(plant.root, {}, SITE, {GROUP: LINE}, plant.clock)
    finish_enrolment(plant.root, {}, line.enrolled(wanted).answer, plant.clock, as_told)
    assign(line.app, SITE, version(1), {GROUP: LINE}, None, line.signer("dispatcher-1"))
    folder = line.export().folder
    (outcome,) = plant.take(folder).receipt.artifacts
    assert (outcome.outcome, outcome.artifact) == ("installed", f"catalog/vision/tiny/1/{LINE}")
    said = "".join(
        base64.b64decode(json.loads(one.read_bytes())["payload"]).decode()
        for one in (folder / "statements").iterdir()
    )
    assert f"onnxruntime-{OLD}" in said


@pytest.mark.parametrize(
    "how, words",
    [
        ("wrong", "are answered differently"),
        ("refuses", "cannot load"),
        ("crashes", "ended with status 3"),
    ],
)
def test_p0_113_a_release_that_fails_is_told_by_name_and_not_promised(
    line: Acme, capsys: Capsys, how: str, words: str
) -> None:
    """The variant is there, for it is faithful; what fails is what was promised of runtimes."""
    asks(line, f">={OLD},<={OWN}")
    there(line, OLD, how)
    built = line.convert(1, LINE)
    parity, runtimes = evidence(built, "parity"), evidence(built)
    assert parity is not None
    assert runtimes is not None
    assert (parity.verdict, runtimes.verdict) == ("pass", "fail")
    (failed,) = runtimes.failures
    assert failed.name == f"onnxruntime-{OLD}"
    assert words in failed.words
    stopped = refused(lambda: line.request(1), "runtime-failed")
    assert f"catalog/vision/tiny/1/{LINE} failed on {OLD}" in stopped.what
    shown = Cli(line, capsys).says("convert", str(version(1)), "--for", LINE)
    assert "runtimes: fail" in shown
    # What is promised is taken back: then it may go.
    asks(line, f"=={OWN}")
    again = line.convert(1, LINE)
    assert [one.release for one in report(again).tried] == [OWN]
    line.request(1)


def test_p0_114_a_range_whose_ends_were_not_tried_is_refused_with_the_command(
    line: Acme, capsys: Capsys
) -> None:
    asks(line, f">={OLD},<={OWN}")
    answer = Cli(line, capsys).json("convert", str(version(1)), "--for", LINE)
    (untried,) = answer["artifacts"][0]["untried"]
    assert untried.startswith(f"onnxruntime {OLD} was not tried.")
    stopped = refused(lambda: line.request(1), "runtime-untried")
    assert f"never tried on {OLD}" in stopped.what
    assert f"sealift runtime add {OLD}; and then: sealift convert" in stopped.advice
    assert line.convert(1, LINE).untried == (untried,), "nothing can be done yet, and nothing is"
    assert "variant.measured" not in line.types()
    there(line, OLD)
    again = line.convert(1, LINE)
    assert (again.new, again.untried) == (False, ())
    assert [one.release for one in report(again).tried] == [OLD, OWN]
    line.request(1)


def test_p0_114_what_was_tried_on_other_goldens_counts_no_more(line: Acme) -> None:
    asks(line, f">={OLD},<={OWN}")
    there(line, OLD)
    line.convert(1, LINE)
    line.ingest(1, line.goldens(2))
    refused(lambda: line.request(1), "gate")
    again = line.convert(1, LINE)
    assert len(report(again).tried) == 2
    line.request(1)
    parity, runtimes = evidence(again, "parity"), evidence(again)
    assert parity is not None
    assert {str(one) for one in by_release(parity, runtimes, report(again).goldens)} == {OLD, OWN}
    assert by_release(parity, runtimes, "0" * 64) == {}


def test_p0_114_an_approval_is_held_to_it_too(line: Acme) -> None:
    """The range was made wider after it was asked for."""
    asks(line, "installed")
    line.convert(1, LINE)
    promotion = line.request(1)
    asks(line, f">={OLD},<={OWN}")
    refused(lambda: line.approve(promotion, "carla"), "runtime-untried")
    asks(line, "installed")
    line.approve(promotion, "carla")


def test_p0_114_the_installed_release_needs_no_environment(
    line: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sealift was brought forward: what came with it is another release than was tried."""
    line.convert(1)
    newer = Release.parse("1.99.0")
    with monkeypatch.context() as patch:
        patch.setattr(environments, "own", lambda: newer)
        stopped = refused(lambda: line.request(1), "runtime-untried")
    assert stopped.advice == "Run: sealift convert vision/tiny/1 --for cpu-x86_64"


def test_p0_115_an_environment_that_holds_another_release_proves_nothing(line: Acme) -> None:
    asks(line, f">={OLD},<={OWN}")
    there(line, OLD, calls_itself="1.22.0")
    built = line.convert(1, LINE)
    assert "runs 1.22.0" in built.untried[0]
    assert evidence(built) is None
    refused(lambda: line.request(1), "runtime-untried")


def test_p0_116_a_known_bad_release_at_an_end_stops_conversion_and_promotion(line: Acme) -> None:
    asks(line, f">={OLD},<={OWN}")
    there(line, OLD)
    line.convert(1, LINE)
    bad(line, OLD, "we saw it hang")
    stopped = refused(lambda: line.request(1), "runtime-known-bad")
    assert "we saw it hang" in stopped.what
    refused(lambda: line.convert(1, LINE), "runtime-known-bad")


def test_p0_116_a_range_without_two_ends_stops_them(line: Acme) -> None:
    asks(line, ">=1.17")
    refused(lambda: line.convert(1, LINE), "runtime-range")
    assert LINE in line.app.hardware_targets, "and nothing else of the hub"


def test_p0_117_for_another_architecture_it_is_said_that_it_was_never_run_there(
    line: Acme,
) -> None:
    asks(line, f">={OLD},<={OWN}", arch="riscv64")
    built = line.convert(1, LINE)
    parity = evidence(built, "parity")
    assert parity is not None
    assert "it was never run there" in " ".join(one.words for one in parity.checks)
    assert parity.passed
    lets(line)
    line.request(1)
    # What was tried all the same, and failed, stops it.
    there(line, OLD, "wrong")
    line.convert(1, LINE)
    refused(lambda: line.request(1), "runtime-failed")


def test_p0_205_what_never_ran_on_its_architecture_is_not_promoted_where_no_rows_may_travel(
    line: Acme,
) -> None:
    asks(line, "installed", arch="riscv64")
    line.convert(1, LINE)
    stopped = refused(lambda: line.request(1), "never-run")
    assert f"team {TEAM} does not let check rows travel" in stopped.what
    assert f"sealift team check-rows {TEAM} --travel" in str(stopped.next_step)
    lets(line)
    promotion = line.request(1)
    lets(line, travel=False)
    refused(lambda: line.approve(promotion, "carla"), "never-run")
    lets(line)
    line.approve(promotion, "carla")


def test_p0_267_convert_says_so_at_once(line: Acme, capsys: Capsys) -> None:
    asks(line, "installed", arch="riscv64")
    cli = Cli(line, capsys)
    told = cli.says("convert", version(1), "--for", LINE)
    assert f"It cannot be promoted: catalog/{version(1)}/{LINE} was never run" in told
    assert f"sealift team check-rows {TEAM} --travel" in told
    lets(line)
    assert "It cannot be promoted" not in cli.says("convert", version(1), "--for", LINE)


def test_p0_267_and_says_nothing_of_what_ran_here(line: Acme, capsys: Capsys) -> None:
    asks(line, "installed")
    told = Cli(line, capsys).says("convert", version(1), "--for", LINE)
    assert "It cannot be promoted" not in told


def test_p0_205_what_ran_on_its_own_needs_no_rows_to_travel(line: Acme) -> None:
    asks(line, "installed")
    line.convert(1, LINE)
    line.request(1)


def test_p0_206_nor_where_its_proof_left_none_and_convert_makes_them(
    line: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a proof of before did, or one whose rows are too large."""
    asks(line, "installed", arch="riscv64")
    lets(line)
    with monkeypatch.context() as before:
        before.setattr(build_run, "prove", lambda *args, **_given: prove(*args))
        line.convert(1, LINE)
    stopped = refused(lambda: line.request(1), "no-check-rows")
    assert f"sealift convert {version(1)} --for {LINE}" in str(stopped.next_step)
    assert not line.convert(1, LINE).new
    line.request(1)
    rows = line.rows()
    line.convert(1, LINE)
    assert line.rows() == rows, "once is enough"


def test_p0_208_a_stage_may_ask_that_both_ends_were_tried(line: Acme, plant: SiteOnPaper) -> None:
    asks(line, f">={OLD},<={OWN}")
    line.convert(1, LINE)
    stage_asks(line, "scan", "parity", "runtimes")
    stopped = refused(lambda: line.request(1), "gate")
    assert f"{STAGE} asks for runtimes evidence about {version(1).path(LINE)}" in stopped.what
    there(line, OLD)
    line.convert(1, LINE)
    line.promoted(1)
    asked = begin_enrolment(plant.root, {}, SITE, {GROUP: LINE}, plant.clock)
    finish_enrolment(plant.root, {}, line.enrolled(asked).answer, plant.clock, as_told)
    assign(line.app, SITE, version(1), {GROUP: LINE}, None, line.signer("dispatcher-1"))
    (outcome,) = plant.take(line.export().folder).receipt.artifacts
    assert outcome.outcome == "installed"
    # Whose software does not know the kind is told of before a byte is written for it.
    says(line, without(features.LATER_EVIDENCE.full))
    told = refused(line.export, "site-lacks-features")
    assert f"{features.LATER_EVIDENCE.full} (policy.json)" in told.what


def test_p0_118_what_the_oldest_release_does_not_read_is_refused_before_the_proof(
    line: Acme,
) -> None:
    """The tiny model is ONNX already, written in IR 10 with opset 21."""
    asks(line, f">=1.17.3,<={OWN}")
    stopped = refused(lambda: line.convert(1, LINE), "variant-too-new")
    assert isinstance(stopped, RefusedError)
    assert "is written in ONNX IR version 10, and onnxruntime 1.17.3" in stopped.what
    assert "reads 9 and nothing newer" in stopped.what
    assert "conversion.refused" in line.types()


def test_p0_118_nor_an_operator_set(line: Acme) -> None:
    (line.root / "runtimes").mkdir()
    pins = known().releases[OLD]
    (line.root / "runtimes/releases.toml").write_text(
        f'[onnxruntime."{OLD}"]\nnumpy = "{pins.numpy}"\nir = 10\nsha256 = []\n'
        'opsets = { "ai.onnx" = 20 }\n'
    )
    asks(line, f">={OLD},<={OWN}")
    stopped = refused(lambda: line.convert(1, LINE), "variant-too-new")
    assert "opset of ai.onnx: 21" in stopped.what


def test_p0_119_another_runtime_is_none_that_is_tried_here(line: Acme) -> None:
    asks(line, "whatever it says", runtime="server")
    built = line.convert(1, LINE)
    assert built.untried == ()
    line.request(1)


def test_p0_119_nobodys_words_about_a_release_are_a_line_of_ours(
    line: Acme, capsys: Capsys
) -> None:
    """Whoever has the builder's key may write anything there."""
    asks(line, f">={OLD},<={OWN}")
    there(line, OLD, "wrong")
    line.convert(1, LINE)
    names = {"RuntimesReport.asked", "RuntimesReport.without", "Tried.software", "Tried.words"}
    for first in drawn(range(len(TRIED)), 12, "words of a release"):
        words = Words(first)
        words.program = "sealift"
        heard, cli = Heard(words), Cli(line, capsys)
        with planted(words, free() - names) as seen:
            code, _, err = cli("promote", version(1), "--to", STAGE, "--reason", "better")
        assert (code, seen) == (1, names)
        assert "failed on 1.21.1" in err
        assert "ZQ.Tried.words" in err
        heard.raw(err)
        heard.check()


def test_p0_119_check_says_what_is_promised_and_what_can_be_tried(
    line: Acme, capsys: Capsys
) -> None:
    asks(line, f">={OLD},<={OWN}")
    cli = Cli(line, capsys)

    def checked() -> dict[str, Any]:
        found = cli.json("runtime", "check")["promises"]
        return next(one for one in found if one["hardware_target"] == LINE)

    assert [one["can_be_tried"] for one in checked()["ends"]] == [False, True]
    there(line, OLD)
    assert [one["can_be_tried"] for one in checked()["ends"]] == [True, True]
    assert list(checked()["without"]) == ["1.26.0"]
    asks(line, ">=1.17")
    code, out, err = cli("runtime", "check")
    assert code == 1
    assert f"{LINE}: The hardware target {LINE} asks for onnxruntime “>=1.17”" in out
    assert "it has no two ends" in err
