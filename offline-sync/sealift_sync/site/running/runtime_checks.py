"""Whether the runtime of a host group answers as the proof at the hub says that it must.

Before a place is switched to what it did not run before, its runtime is asked the check rows that
came with the variant, where there are some and the group has a runtime. Whatever is not the answer
that is expected keeps that version from being switched to, and nothing else: going back and
stopping wait for no check (docs/adr/0038-what-a-site-asks-of-its-own-runtime.md).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sealift_signing.errors import SealiftError
from sealift_sync.artifact import LARGEST_MANIFEST, read_manifest
from sealift_sync.blobs import Blob, BlobFolder
from sealift_sync.check_rows import (
    LARGEST,
    CheckRowsContent,
    Difference,
    compared,
    differences,
    unpack,
)
from sealift_sync.site.running import programs
from sealift_sync.site.running.choices import Choice, Place
from sealift_sync.site.running.model_tree import ModelTree
from sealift_sync.site.running.programs import CommandFailedError
from sealift_sync.site.running.runtime import Runtime
from sealift_sync.site.setup.open_site import OpenSite
from sealift_sync.site.state.check_results import CheckResult, rows_of

MOST_TOLD = 3
"""Differences that are told; the others are counted."""
LONGEST_TOLD = 1500
"""Characters of how a check ended."""
ONNX = ".onnx"

CheckOutcome = Callable[[], CheckResult | None]
"""How a check ended, None where nobody expects one; it may raise what kept it from being made."""


def lacking(site: OpenSite, place: Place, choice: Choice) -> frozenset[str]:
    """What is not there to check `choice` with in `place`: `runtime`, `rows`."""
    there = {
        "runtime": site.home.settings.group(place.group).runtime,
        "rows": rows_of(site.state).get(choice.sha256),
    }
    return frozenset(name for name, one in there.items() if not one)


def why_unchecked(site: OpenSite, place: Place, choice: Choice) -> str:
    """Why `choice` cannot be checked in `place`, or why nobody expects it; empty if it can be."""
    missing = lacking(site, place, choice)
    if not missing:
        return ""
    if "rows" not in missing:
        return f"the settings name no runtime for host group {place.group}"
    return "no check rows came with it"


def is_expected(site: OpenSite, place: Place, choice: Choice) -> bool:
    """Whether somebody meant `choice` to be checked: there are rows, or a runtime to ask them."""
    return lacking(site, place, choice) != {"runtime", "rows"}


def passed_over(site: OpenSite, place: Place, choice: Choice, why: str) -> CheckResult | None:
    """That `choice` is not checked here, because of `why`; None where nobody expects a check."""
    if not is_expected(site, place, choice):
        return None
    return CheckResult("not-checked", f"Not checked here: {why}.")


@dataclass(frozen=True)
class DueCheck:
    """A check that can be made: all that it takes, so that others may work here meanwhile."""

    runtime: Runtime
    model: Path
    rows: tuple[Blob, ...]
    store: BlobFolder

    def ask(self) -> CheckResult:
        """Ask the runtime, and compare; all of it has the time that the group gives it."""
        rows, answers, release = 0, 0, ""
        end = time.monotonic() + self.runtime.seconds
        try:
            for blob in self.rows:
                content = _read(self.store, blob)
                answer = self.runtime.ask(self.model, content, end)
                release, rows = answer.runtime, rows + content.rows
                answers += compared(content)
                look = partial(self.runtime.check_time, end)
                if found := differences(content, answer.outputs, look):
                    words = _differs(release or self.runtime.words, found)
                    return CheckResult("failed", words, release)
        except CommandFailedError as bad:
            return CheckResult("failed", str(bad)[:LONGEST_TOLD], release)
        told = "1 row was" if rows == 1 else f"{rows} rows were"
        each = "1 answer was" if answers == 1 else f"{answers:,} answers were"
        who = release or self.runtime.words
        words = f"{told} answered as expected by {who}; {each} compared."
        return CheckResult("passed", words, release)


def due_check(site: OpenSite, tree: ModelTree, place: Place, choice: Choice) -> DueCheck | None:
    """The check of `choice` in `place`; None where there can be none.

    Raises:
        FailedError: what is to be checked cannot be put where the runtime finds it.
    """
    if why_unchecked(site, place, choice):
        return None
    folder = tree.prepare(place, choice)
    settings = site.home.settings.group(place.group)
    runtime = Runtime(
        settings.runtime,
        settings.timeout_seconds,
        programs.environment(place, choice, folder),
        site.home.models,
    )
    rows = rows_of(site.state)[choice.sha256]
    return DueCheck(runtime, folder / _model_file(site, choice), rows, site.home.store)


def unchecked(site: OpenSite, place: Place, choice: Choice) -> CheckResult | None:
    """That `choice` cannot be checked, and why; None where nobody expects a check."""
    return passed_over(site, place, choice, why_unchecked(site, place, choice))


def ask(site: OpenSite, place: Place, choice: Choice) -> CheckOutcome:
    """Ask the runtime of `place` about `choice`, and compare; others may work here meanwhile.

    What should run is to be looked at again afterwards. What kept it from being asked, where that
    is no fault of the runtime, is raised by whoever looks at the answer, where that is reported.
    """
    tree = ModelTree(site.home, lost=site.state.lost())
    try:
        tree.check_not_lost(choice)
        found = due_check(site, tree, place, choice)
    except SealiftError as bad:
        return partial(_raise, bad)
    if found is None:
        return partial(unchecked, site, place, choice)
    with site.aside():
        checked = found.ask()
    return lambda: checked


def _raise(bad: SealiftError) -> CheckResult | None:
    raise bad


def _read(store: BlobFolder, blob: Blob) -> CheckRowsContent:
    """The check rows that the store has.

    Raises:
        CommandFailedError: they are not those that the evidence names. To pass a check because its
            rows are spoiled would be to have none.
    """
    try:
        data = store.read(blob.sha256, LARGEST)
        return unpack(data, what=f"the check rows {blob.sha256[:12]}")
    except SealiftError as bad:
        raise CommandFailedError(
            f"The check rows {blob.sha256[:12]} cannot be used: {bad.what} The next bundle brings "
            "them again."
        ) from bad


def _model_file(site: OpenSite, choice: Choice) -> str:
    """The file of the model, below the folder of its version."""
    manifest = site.home.store.read(choice.sha256, LARGEST_MANIFEST)
    artifact = read_manifest(manifest, what=f"the manifest of {choice.path}")
    found = [one.path for one in artifact.files if one.path.endswith(ONNX)]
    usual = f"model{ONNX}"
    # Where there are several the runtime says of the first that it takes other rows.
    return usual if usual in found else next(iter(found), usual)


def _differs(who: str, found: tuple[Difference, ...]) -> str:
    told = "; ".join(one.words for one in found[:MOST_TOLD])
    more = f"; and {len(found) - MOST_TOLD} more" if len(found) > MOST_TOLD else ""
    return f"{who} did not answer as expected: {told}{more}."[:LONGEST_TOLD]
