"""A site asks its own runtime before it switches to what is new there, and for nothing else."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sealift_signing.errors import SealiftError
from sealift_sync import check_rows
from sealift_sync.check_rows import ExpectedOutput, tensor
from sealift_sync.site.running import runtime
from sealift_sync.site.state.check_results import recorded_checks, rows_of
from tests.hub_on_paper import HubOnPaper, Release, relist, resign
from tests.offline_sync.checked_models import (
    configure,
    content,
    digests,
    export,
    model,
    program,
    promote,
)
from tests.offline_sync.databases import UNCOUNTED, change
from tests.offline_sync.test_cut_short import PowerCutError
from tests.site_on_paper import SiteOnPaper


def runs(site: SiteOnPaper) -> int | None:
    """The version that consumers see, by its weight."""
    found = site.running()
    return next((n for n in range(1, 9) if found == model(float(n))), None)


def checked(site: SiteOnPaper) -> dict[str, object]:
    """What the newest entry says of a check."""
    data = site.entries()[-1].data
    assert isinstance(data, dict)
    return dict(data["checked"])


def test_p0_183_what_is_new_is_asked_of_the_groups_own_runtime(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    configure(site)
    first = promote(hub, 1)
    hub.assign(first)
    (told,) = site.take(export(hub, medium, first)).activations
    assert told.outcome == "activated"
    assert told.checked is not None
    assert told.checked.outcome == "passed"
    assert "3 rows were answered as expected by onnxruntime" in told.checked.words
    assert told.checked.words.endswith("; 9 answers were compared.")
    assert checked(site)["outcome"] == "passed"
    assert runs(site) == 1


def test_p0_183_what_is_answered_otherwise_is_not_switched_to(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, tmp_path: Path
) -> None:
    trace = tmp_path / "hooked"
    hook = tmp_path / "hook.sh"
    hook.write_text(f"#!/bin/sh\necho $SEALIFT_VERSION >> {trace}\n")
    hook.chmod(0o755)
    configure(site, more=f'hook = ["{hook}"]')
    first, second = promote(hub, 1), promote(hub, 2, content(2.5))
    hub.assign(first)
    site.take(export(hub, medium, first))
    hub.assign(second, first)
    folder = export(hub, medium, first, second)
    (told,) = site.take(folder).activations
    assert told.outcome == "switched-back"
    assert "version 2 was not switched to, version 1 runs on" in told.words
    assert "row 1, output scores[1]: expected 2.5 and at most 1e-06 off, answered 2" in told.words
    assert "-1" not in told.words.partition("row 1")[0]
    assert runs(site) == 1
    assert trace.read_text().split() == ["1"]  # nobody was told of a switch that was none
    assert site.entries()[-1].type == "model.activation-failed"
    assert site.take(folder).activations == ()  # not tried again by itself


@pytest.mark.parametrize("which", ["no runtime", "no rows", "neither"])
def test_p0_183_where_one_is_lacking_activation_goes_on_and_says_so(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, which: str
) -> None:
    first = promote(hub, 1)
    hub.assign(first)
    if which == "no rows":
        configure(site)
    folder = export(hub, medium, first) if which == "no runtime" else hub.export(medium)
    (told,) = site.take(folder).activations
    assert (told.outcome, runs(site)) == ("activated", 1)
    if which == "neither":
        assert told.checked is None
    else:
        assert told.checked is not None
        assert told.checked.words == (
            "Not checked here: the settings name no runtime for host group cpu."
            if which == "no runtime"
            else "Not checked here: no check rows came with it."
        )


def fails_from_now_on(site: SiteOnPaper, trace: Path) -> None:
    """The runtime is broken: whoever asks it leaves a trace."""
    text = f"open({str(trace)!r}, 'a').write('asked\\n')\nraise SystemExit(3)"
    configure(site, *program(site, text))


def test_p0_184_going_back_waits_for_no_check(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, tmp_path: Path
) -> None:
    configure(site)
    first, second = promote(hub, 1), promote(hub, 2)
    hub.assign(first)
    site.take(export(hub, medium, first))
    hub.assign(second, first)
    site.take(export(hub, medium, first, second))
    assert runs(site) == 2
    fails_from_now_on(site, tmp_path / "asked")
    told = site.roll_back()
    assert (told.outcome, runs(site)) == ("activated", 1)
    assert told.checked is not None
    assert told.checked.words == "Not checked here: going back waits for no check."
    assert not (tmp_path / "asked").exists()
    with site.opened() as opened:
        kept = recorded_checks(opened.state)["cpu", first.sha256]
    assert kept.checked.outcome == "passed"  # as it was when it was new


def test_p0_184_what_is_recalled_stops_and_the_fallback_waits_for_no_check(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, tmp_path: Path
) -> None:
    configure(site)
    first, second = promote(hub, 1), promote(hub, 2)
    hub.assign(first)
    site.take(export(hub, medium, first))
    hub.assign(second, first)
    site.take(export(hub, medium, first, second))
    fails_from_now_on(site, tmp_path / "asked")
    hub.recall(second.sha256)
    done = site.take(export(hub, medium, first, second))
    assert [one.outcome for one in done.stopped] == ["activated"]
    assert runs(site) == 1
    assert not (tmp_path / "asked").exists()


def test_p0_184_what_was_recalled_is_gone_before_its_successor_is_asked_about(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, tmp_path: Path
) -> None:
    """A check takes its time: nothing recalled is there meanwhile, and a failing one ends there."""
    configure(site)
    first, second, third = promote(hub, 1), promote(hub, 2), promote(hub, 3)
    hub.assign(first)
    site.take(export(hub, medium, first))
    hub.assign(second, first)
    site.take(export(hub, medium, first, second))
    link, trace = site.root / "models/cpu/vision/digits/current", tmp_path / "seen"
    text = f"import os\nopen({str(trace)!r}, 'a').write(str(os.path.lexists({str(link)!r})))\n"
    configure(site, *program(site, f"{text}raise SystemExit(3)"))
    hub.assign(third, first)
    folder = export(hub, medium, first, second, third)
    site.take(folder)
    assert trace.read_text() == "True"  # version 2 ran on
    with site.opened() as opened, opened.state.transaction():
        opened.state.clear_failures()
    trace.unlink()
    hub.recall(second.sha256)
    done = site.take(export(hub, medium, first, third))
    assert trace.read_text() == "False" * 2  # the import that brought the recall tries once more
    assert [one.outcome for one in done.stopped] == ["stopped", "switched-back"]
    assert site.running() is None


def test_p0_184_what_is_recalled_stops_before_anything_else_is_asked(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, tmp_path: Path
) -> None:
    """Another model's check may take a minute, and comes first in the alphabet."""
    configure(site)
    first, second = two(hub)
    other, newer = promote(hub, 1, name="alpha"), promote(hub, 2, name="alpha")
    hub.assign(other)
    site.take(export(hub, medium, first, other))
    hub.assign(second, first)
    site.take(export(hub, medium, first, second, other))
    link, trace = site.root / "models/cpu/vision/digits/current", tmp_path / "seen"
    text = f"import os\nopen({str(trace)!r}, 'a').write(os.readlink({str(link)!r})[0])\n"
    configure(site, *program(site, f"{text}raise SystemExit(3)"))
    hub.assign(newer, other)
    site.take(export(hub, medium, first, second, other, newer))
    with site.opened() as opened, opened.state.transaction():
        opened.state.clear_failures()  # as a cut before that check would leave it
    hub.recall(second.sha256)
    site.take(export(hub, medium, first, second, other, newer))
    assert trace.read_text() == "21"


LIES = {
    "dies": ("raise SystemExit(3)", "ended with 3"),
    "is killed": ("import os; os.kill(os.getpid(), 11)", "killed by signal 11"),
    "says nothing": ("import time; time.sleep(60)", "took longer than 1 seconds"),
    "says no line": (
        "import sys\nwhile True: sys.stdout.write('x' * 65536)",
        "is not an answer",
    ),
    "drips": (
        "import time\nwhile True: print('x', end='', flush=True); time.sleep(0.05)",
        "took longer than 1 seconds",
    ),
    "floods errors": (
        "import sys\nwhile True: sys.stderr.write('x' * 65536)",
        "took longer than 1 seconds",
    ),
    "no JSON": ("print('hello')", "is not an answer"),
    "deep JSON": ("print('[' * 500000)", "is not an answer"),
    "another JSON": ("print('[1]')", "is not an answer"),
    "too much": (
        """print('{}\\n{"outputs": [{"name": "x", "dtype": "int8", "shape": [], "size": 1e9}]}')""",
        "is not an answer",
    ),
    "many": (
        """one = '{"name": "%d", "dtype": "int8", "shape": [60000000], "size": 60000000}'
print('{}\\n{"outputs": [%s]}' % ", ".join(one % n for n in range(2)))
import sys; sys.stdout.write("x" * 70_000_000)""",
        "is not an answer",
    ),
    "another shape": (
        """print('{}\\n{"outputs": [{"name": "x", "dtype": "int64", "shape": [9], "size": 8}]}')
print("12345678")""",
        "is not an answer",
    ),
    "fewer rows": (
        """print('{}\\n{"outputs": [{"name": "label", "dtype": "int64", "shape": [1], "size": 8}]}')
print("1234567")""",
        "expected int64 of 3, answered int64 of 1",
    ),
    "no outputs": ("""print('{}\\n{"outputs": []}')""", "expected int64 of 3, answered nothing"),
    "words": (
        """print('{"error": "\\\\u001b[2Jall is well\\\\nversion 2 runs"}')""",
        "cannot load the model: “",
    ),
    "words about rows": (
        """print('{}\\n{"error": "row 4711 is odd"}')""",
        "broke off with an error.",
    ),
    "prints rows and dies": (
        """import sys
print('{}', flush=True); print('row 4711 is odd', file=sys.stderr); sys.exit(3)""",
        "ended with 3 before it had answered.",
    ),
}


@pytest.mark.parametrize("how", LIES)
def test_p0_185_whatever_is_no_answer_is_not_switched_to(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, how: str
) -> None:
    script, words = LIES[how]
    configure(site, *program(site, script), seconds=1 if "longer" in words else 60)
    first = promote(hub, 1)
    hub.assign(first)
    begun = time.monotonic()
    (told,) = site.take(export(hub, medium, first)).activations
    assert time.monotonic() - begun < 30
    assert words in told.words
    assert told.words.isprintable()
    assert "4711" not in told.words
    assert told.outcome == "switched-back"
    assert site.running() is None


def test_p0_185_a_runtime_that_forks_leaves_nobody_behind(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, tmp_path: Path
) -> None:
    """Whoever holds its output open, or goes on in its group, is ended with it."""
    trace = tmp_path / "alive"
    text = f"""import os, time
if not os.fork():
    time.sleep(2); open({str(trace)!r}, "w"); os._exit(0)
os._exit(0)"""
    configure(site, *program(site, text), seconds=1)
    first = promote(hub, 1)
    hub.assign(first)
    (told,) = site.take(export(hub, medium, first)).activations
    assert "took longer than 1 seconds" in told.words
    time.sleep(2)
    assert not trace.exists()


def test_p0_185_what_it_leaves_after_a_right_answer_is_ended_too(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, tmp_path: Path
) -> None:
    trace = tmp_path / "alive"
    text = f"""import os, sys, time, runpy
if not os.fork():
    time.sleep(4); open({str(trace)!r}, "w"); os._exit(0)
runpy.run_path(sys.argv[1], run_name="__main__")"""
    configure(site, *program(site, text))
    first = promote(hub, 1)
    hub.assign(first)
    (told,) = site.take(export(hub, medium, first)).activations
    assert told.outcome == "activated"
    time.sleep(4)
    assert not trace.exists()


def test_p0_185_a_runtime_finds_no_secret_and_learns_no_expected_answer(
    hub: HubOnPaper,
    site: SiteOnPaper,
    medium: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SEALIFT_PASSPHRASE_SITE", "very secret")
    trace = tmp_path / "seen"
    text = f"""import os, sys
open({str(trace)!r}, "wb").write(sys.stdin.buffer.read() + repr(os.environ).encode())"""
    configure(site, *program(site, text))
    first = promote(hub, 1, content(7.25), weight=7.25)
    hub.assign(first)
    site.take(export(hub, medium, first))
    seen = trace.read_bytes()
    assert b"very secret" not in seen
    assert b"'SEALIFT_VERSION': '1'" in seen
    expected = content(7.25).outputs[1].tensor.data
    assert content(7.25).inputs[0].tensor.data in seen
    assert expected not in seen


def test_p0_186_numbers_where_none_were_expected_and_none_where_some_were(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    nan, inf = float("nan"), float("inf")
    configure(site)
    right = content(1.0, ((nan, 1.0), (inf, -inf)))
    labels = ExpectedOutput("label", tensor("int64", (2,), [1, 0]), "labels", free=(0,))
    first = promote(hub, 1, replace(right, outputs=(labels, right.outputs[1])))
    hub.assign(first)
    (told,) = site.take(export(hub, medium, first)).activations
    assert told.outcome == "activated"
    wrong = content(2.0)
    scores = tensor("float32", (3, 2), [nan] * 6)
    lying = replace(wrong.outputs[1], tensor=scores)
    second = promote(hub, 2, replace(wrong, outputs=(wrong.outputs[0], lying)))
    hub.assign(second, first)
    (told,) = site.take(export(hub, medium, first, second)).activations
    assert "expected nan and at most 1e-06 off, answered 0" in told.words
    assert runs(site) == 1


def test_p0_186_rows_are_asked_one_by_one_where_the_model_takes_one(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    configure(site)
    first = promote(hub, 1, replace(content(1.0), alone=True))
    hub.assign(first)
    (told,) = site.take(export(hub, medium, first)).activations
    assert told.checked is not None
    assert told.checked.outcome == "passed"


def test_p0_186_what_a_model_says_of_rows_that_it_does_not_take_is_not_quoted(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    configure(site)
    rows = content(1.0)
    other = replace(rows, inputs=(replace(rows.inputs[0], name="not-x-4711"),))
    first = promote(hub, 1, other)
    hub.assign(first)
    (told,) = site.take(export(hub, medium, first)).activations
    assert "cannot answer: it broke off with ValueError." in told.words
    assert "4711" not in told.words


# -- what a bundle brings


def two(hub: HubOnPaper) -> tuple[Release, Release]:
    first, second = promote(hub, 1), promote(hub, 2)
    hub.assign(first)
    return first, second


def test_p0_187_only_rows_that_an_entitled_builder_named_are_taken(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    configure(site)
    first = promote(hub, 1)
    stray = hub.store.put_bytes(check_rows.pack(content(9.0))).sha256
    hub.assign(first)
    folder = hub.export(
        medium,
        edit=lambda all_: replace(all_, checks=digests(hub, first) | {stray}),
        requires=(check_rows.FEATURE,),
    )
    site.take(folder)
    with site.opened() as opened:
        kept = rows_of(opened.state)
        assert {one.sha256 for one in kept[first.sha256]} == digests(hub, first)
        assert not opened.home.store.has(stray)
    with site.opened() as opened:
        (row,) = opened.state.connection.execute("SELECT COUNT(*) FROM check_rows").fetchall()
    assert row == (1,)


@pytest.mark.parametrize(
    "evidence",
    [
        {"details": {"check_rows": {"sha256": "../../etc/passwd"}}},
        {"details": {"check_rows": ["x"]}},
        {"details": "check_rows"},
        {"details": {"check_rows": {"sha256": 7}}},
    ],
    ids=str,
)
def test_p0_187_evidence_that_names_no_file_names_none(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, evidence: dict[str, Any]
) -> None:
    configure(site)
    first = promote(hub, 1, **evidence)
    hub.assign(first)
    (told,) = site.take(hub.export(medium)).activations
    assert told.checked is not None
    assert told.checked.words == "Not checked here: no check rows came with it."


def test_p0_187_rows_of_another_artifact_are_no_rows_of_this_one(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    """A builder that names the wrong file stops what it vouches for, and nothing else."""
    configure(site)
    first = promote(hub, 1)
    second = promote(hub, 2, content(1.0))
    hub.assign(first)
    site.take(export(hub, medium, first))
    hub.assign(second, first)
    (told,) = site.take(export(hub, medium, first, second)).activations
    assert told.outcome == "switched-back"
    assert runs(site) == 1


def test_p0_187_a_bundle_with_rows_says_that_it_has_some(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    first = promote(hub, 1)
    hub.assign(first)
    folder = export(hub, medium, first, requires=())
    assert site.refuses(folder).code == "bad-transfer"
    resign(folder, hub, requires=(check_rows.FEATURE,))
    site.take(folder)


@pytest.mark.parametrize("how", ["damaged", "missing", "longer", "misnamed"])
def test_p0_187_rows_that_are_not_as_listed_refuse_the_bundle(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, how: str
) -> None:
    first = promote(hub, 1)
    hub.assign(first)
    folder = export(hub, medium, first)
    (file,) = (folder / "checks").iterdir()
    data = file.read_bytes()
    file.chmod(0o644)
    if how == "damaged":
        file.write_bytes(data[:-1] + b"\xff")
    elif how == "longer":
        file.write_bytes(data + b"\0")
    elif how == "missing":
        file.unlink()
    else:
        file.rename(folder / "checks" / "x")
        relist(folder, hub, "checks/x")
    site.refuses(folder)
    with pytest.raises(SealiftError):
        site.verify(folder)


def test_p0_188_rows_that_are_spoiled_here_let_nothing_new_run(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    """To have no check is never the better state; and the next bundle mends them."""
    configure(site)
    first, second = two(hub)
    hub.assign(second, first)
    folder = export(hub, medium, first, second)
    fails = (site.root / "settings.toml").read_text()
    configure(site, "/no/such/python")
    site.take(folder)
    (site.root / "settings.toml").write_text(fails)
    (digest,) = digests(hub, second)
    file = site.root / "store" / "sha256" / digest
    file.chmod(0o644)
    file.write_bytes(b"x" * file.stat().st_size)
    found = site.examined()
    assert [one.sha256 for one in found.damages] == [digest]
    assert found.damages[0].used_by[0].file == "check rows"
    with site.opened() as opened:
        assert opened.state.lost() == {digest}
    again = site.take(export(hub, medium, first, second))
    assert [one.outcome for one in again.activations] == ["activated"]
    assert runs(site) == 2
    with site.opened() as opened:
        assert opened.state.lost() == frozenset()


def test_p0_188_lost_rows_stop_what_is_new_and_nothing_that_goes_back(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    configure(site)
    first, second = two(hub)
    site.take(export(hub, medium, first))
    hub.assign(second, first)
    site.take(export(hub, medium, first, second))
    for digest in digests(hub, first, second):
        (site.root / "store" / "sha256" / digest).unlink()
    assert site.roll_back().outcome == "activated"
    assert runs(site) == 1
    hub.assign(promote(hub, 3), second, first)
    # Rows that did not come along, of what was never checked: known by nobody.
    (told,) = site.take(hub.export(medium)).activations
    assert told.checked is not None
    assert told.checked.words == "Not checked here: no check rows came with it."


def test_p0_188_the_same_bundle_brings_lost_rows_back(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    configure(site)
    first = promote(hub, 1)
    hub.assign(first)
    folder = export(hub, medium, first)
    site.take(folder)
    (digest,) = digests(hub, first)
    (site.root / "store" / "sha256" / digest).unlink()
    site.examined()
    assert site.take(folder).mended == 1
    with site.opened() as opened:
        assert opened.home.store.fault(digest) == ""
        assert opened.state.lost() == frozenset()


def test_p0_188_rows_that_newer_evidence_replaces_are_taken_away(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    """They are somebody's data; and evidence that names none gets rid of no check."""
    configure(site)
    first = promote(hub, 1)
    before = digests(hub, first)
    hub.assign(first)
    site.take(export(hub, medium, first))
    again = promote(hub, 1, content(1.0, ((3.0, 4.0),)))
    assert again.sha256 == first.sha256
    hub.assign(again)
    site.take(export(hub, medium, again))
    after = digests(hub, again)
    with site.opened() as opened:
        assert {one.sha256 for one in rows_of(opened.state)[first.sha256]} == after != before
        assert not any(opened.home.store.has(one) for one in before)
    hub.assign(promote(hub, 1, details={}))
    site.take(hub.export(medium))
    with site.opened() as opened:
        assert {one.sha256 for one in rows_of(opened.state)[first.sha256]} == after


def test_p0_189_what_was_asked_stays_no_longer_than_it_may(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while a runtime is asked ends it, and the place shows what it showed."""
    configure(site)
    first, second = two(hub)
    site.take(export(hub, medium, first))
    hub.assign(second, first)
    folder = export(hub, medium, first, second)
    started = list[int]()
    honest = runtime.Runtime._understood

    def stop(self: runtime.Runtime, heard: runtime._Heard) -> runtime.Answer:
        started.append(os.getpid())
        honest(self, heard)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(runtime.Runtime, "_understood", stop)
        with pytest.raises(KeyboardInterrupt):
            site.take(folder)
    assert started
    assert runs(site) == 1
    (told,) = site.take(folder).activations
    assert (told.outcome, runs(site)) == ("activated", 2)


CUTS = (
    "sealift_sync.blobs.BlobFolder.adopt",
    "sealift_sync.site.importing.committing.set_rows",
    "sealift_sync.site.importing.committing._remember",
    "sealift_sync.site.importing.committing.make_receipt",
    "sealift_sync.site.state.database.State.add_imported",
    "sealift_sync.site.importing.committing._sweep",
    "sealift_sync.site.running.model_tree.ModelTree.prepare",
    "sealift_sync.site.running.runtime_checks.DueCheck.ask",
    "sealift_sync.site.running.activation._show",
    "sealift_sync.site.running.activation.record_check",
    "sealift_sync.site.running.activation._commit",
    "sealift_sync.site.running.model_tree.ModelTree.switch",
)
"""Where an import with check rows is cut off, each before it does that."""


@pytest.mark.parametrize("where", CUTS)
def test_p0_189_an_import_that_is_cut_anywhere_is_finished_by_the_same_again(
    hub: HubOnPaper,
    site: SiteOnPaper,
    medium: Path,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
) -> None:
    configure(site)
    first, second = two(hub)
    site.take(export(hub, medium, first))
    hub.assign(second, first)
    folder = export(hub, medium, first, second)

    def cut(*_: object, **__: object) -> None:
        raise PowerCutError

    with monkeypatch.context() as patched:
        patched.setattr(where, cut)
        with pytest.raises(PowerCutError):
            site.take(folder)
    assert runs(site) in {1, 2}
    site.take(folder)
    assert runs(site) == 2
    with site.opened() as opened:
        assert recorded_checks(opened.state)["cpu", second.sha256].checked.outcome == "passed"
        kept = {one.sha256 for rows in rows_of(opened.state).values() for one in rows}
        assert kept == digests(hub, first, second)
        assert not any(opened.home.store.fault(one) for one in kept)
    assert site.examined().problems == 0


def test_p0_194_a_home_of_before_is_brought_forward_and_checks_what_comes_next(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    """What it had installed came without rows; it goes on, and is told."""
    first, second = two(hub)
    site.take(hub.export(medium))
    change(site.root, UNCOUNTED)
    configure(site)
    hub.assign(second, first)
    (told,) = site.take(export(hub, medium, first, second)).activations
    assert told.checked is not None
    assert told.checked.outcome == "passed"
    with site.opened() as opened:
        assert {*rows_of(opened.state)} == {first.sha256, second.sha256}
    assert site.roll_back().outcome == "activated"
