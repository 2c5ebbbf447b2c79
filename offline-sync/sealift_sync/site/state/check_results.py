"""What the site's database knows of check rows: which there are, and how the newest checks ended.

Only within `State.transaction` is anything written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sealift_signing.canonical import Json
from sealift_signing.vocabulary import instant, moment
from sealift_sync.blobs import Blob
from sealift_sync.site.state.database import State

Outcome = Literal["passed", "failed", "not-checked"]


@dataclass(frozen=True)
class CheckResult:
    """How a check ended, or why there was none.

    Attributes:
        runtime: what the runtime calls itself; empty where it did not come to that.
        words: a sentence.
    """

    outcome: Outcome
    words: str
    runtime: str = ""

    @property
    def failure(self) -> str:
        """Why what was checked must not be switched to; empty if it may."""
        return self.words if self.outcome == "failed" else ""


@dataclass(frozen=True)
class RecordedCheck:
    """The newest check of an artifact in a host group, and when it was made."""

    checked: CheckResult
    made: datetime


def check_json(result: CheckResult) -> dict[str, Json]:
    """As entries of the log and answers have it."""
    return {"outcome": result.outcome, "runtime": result.runtime, "words": result.words}


def rows_of(state: State) -> Mapping[str, tuple[Blob, ...]]:
    """The files of check rows that belong to each artifact, by its digest."""
    found: dict[str, tuple[Blob, ...]] = {}
    rows = state.connection.execute("SELECT artifact, sha256, size FROM check_rows ORDER BY sha256")
    for artifact, digest, size in rows:
        found[artifact] = (*found.get(artifact, ()), Blob(digest, size))
    return found


def set_rows(state: State, artifact: str, rows: Iterable[Blob]) -> None:
    """These and no others belong to `artifact`."""
    state.connection.execute("DELETE FROM check_rows WHERE artifact = ?", (artifact,))
    state.connection.executemany(
        "INSERT INTO check_rows VALUES (?, ?, ?)",
        [(artifact, one.sha256, one.size) for one in rows],
    )


def recorded_checks(state: State) -> Mapping[tuple[str, str], RecordedCheck]:
    """The newest check of each artifact, by (host group, digest)."""
    query = "SELECT host_group, artifact, outcome, runtime, words, made FROM checked"
    return {
        (group, artifact): RecordedCheck(CheckResult(outcome, words, runtime), instant(made))
        for group, artifact, outcome, runtime, words, made in state.connection.execute(query)
    }


def record_check(
    state: State, group: str, artifact: str, checked: CheckResult, made: datetime
) -> None:
    """`checked` is the newest."""
    state.connection.execute(
        "REPLACE INTO checked VALUES (?, ?, ?, ?, ?, ?)",
        (group, artifact, checked.outcome, checked.runtime, checked.words, moment(made)),
    )
