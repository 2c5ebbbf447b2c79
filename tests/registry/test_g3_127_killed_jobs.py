"""The real worker, killed with its job at every step: each job ends once, as if never killed."""

from __future__ import annotations

import base64
import os
import pickle
import pickletools
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from sealift_registry.jobs import folders, records
from sealift_registry.jobs.job import Job
from sealift_registry.kinds import (
    ConvertArguments,
    ExportArguments,
    IngestArguments,
    convert_wanted,
    export_wanted,
    ingest_wanted,
)
from tests import models
from tests.registry.hub_fixture import MODEL, PASSPHRASE, SITE, TARGET, Acme, Loose
from tests.registry.killed_worker import VARIABLE

ROOT = Path(__file__).parents[2]
SECRET = "a-token-that-is-nobody-elses"
MOMENTS = ("asked", "made", "recorded")
WHOLE = ("job ending", "job ended")
POINTS = {
    "ingest": [*(f"{step} {one}" for step in ("fetch", "scan") for one in MOMENTS), *WHOLE],
    "convert": [*(f"build {one}" for one in MOMENTS), *WHOLE],
    "export": [*(f"write {one}" for one in MOMENTS), *WHOLE],
}
QUICK = {("ingest", "scan made"), ("convert", "build recorded"), ("export", "write made")}
ONCE = {"ingest": "version.ingested", "convert": "variant.built", "export": "transfer.begun"}


def points() -> Iterator[Any]:
    for kind, those in POINTS.items():
        for one in those:
            marks = [] if (kind, one) in QUICK else [pytest.mark.long]
            yield pytest.param(kind, one, marks=marks)


def ask(acme: Acme, kind: str) -> Job:
    app = acme.app
    if kind == "ingest":
        path, goldens = models.tiny_onnx(acme.folder / "tiny-3.onnx", 3), acme.goldens(3)
        wanted = ingest_wanted(app, IngestArguments(MODEL, str(goldens), onnx=str(path)))
    elif kind == "convert":
        made = acme.ingest(3, acme.goldens(3)).version.ref
        wanted = convert_wanted(app, ConvertArguments(str(made), TARGET))
    else:
        places = (str(acme.medium), str(acme.folder))
        asked = ExportArguments(SITE, *places, full=False, any_software=False, anew=False)
        wanted = export_wanted(app, asked)
    return records.ask(app.hub, wanted, "dora")


def work(acme: Acme, point: str = "") -> subprocess.CompletedProcess[str]:
    words = ("worker", "--once", "--home", str(acme.root))
    return subprocess.run(
        [sys.executable, "-m", "tests.registry.killed_worker", *words],
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "SEALIFT_PASSPHRASE": PASSPHRASE,
            "MLFLOW_TRACKING_TOKEN": SECRET,
            VARIABLE: point,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def came_of(kind: str, said: Loose) -> object:
    """What came of a job, but for what has a time or a key of its own in it."""
    if kind == "ingest":
        return {name: said[name] for name in ("version", "new", "source", "format", "goldens")}
    if kind == "convert":
        (one,) = said["artifacts"]
        return {name: one[name] for name in ("path", "new", "evidence", "untried", "told_first")}
    bundle = {name: said["bundle"][name] for name in ("transfer", "files", "warnings", "artifacts")}
    return {"act": said["act"], "warnings": said["warnings"], **bundle}


def expected(kind: str) -> Callable[[Loose], bool]:
    """Whether that is what a job that nobody killed comes to."""
    return {
        "ingest": lambda said: said["new"] and said["version"] == f"{MODEL}/3",
        "convert": lambda said: said["new"] and said["path"] == f"catalog/{MODEL}/3/{TARGET}",
        "export": lambda said: said["transfer"] == f"{SITE}-000001" and said["warnings"] == [],
    }[kind]


@pytest.mark.timeout(240)
@pytest.mark.parametrize("kind, point", list(points()))
def test_g3_127_a_worker_killed_with_its_job_at_any_step(
    ready: Acme, kind: str, point: str
) -> None:
    job = ask(ready, kind)
    before = ready.types().count(ONCE[kind])
    killed = work(ready, point)
    assert killed.returncode == -9, killed.stderr
    assert any(job.order.key.encode() in one for one in cells(ready)), "nothing to look at"
    keeps_no_secret(ready)
    done = work(ready)
    assert done.returncode == 0, done.stderr
    with ready.app.hub.reading() as connection:
        end = records.end(connection, job.number)
    assert end is not None
    assert end.outcome == "done", end.problem
    assert end.attempt == (1 if point == "job ended" else 2)
    assert ready.types().count("job.ended") == 1
    assert ready.types().count(ONCE[kind]) == before + 1
    said = came_of(kind, end.result)
    assert expected(kind)(said), said
    assert folders.kept(ready.root / "work") == frozenset()
    keeps_no_secret(ready)


# ---------------------------------------------------------------------- what is kept


def cells(acme: Acme) -> list[bytes]:
    """All that the engine keeps."""
    with closing(sqlite3.connect(acme.root / "jobs.db")) as file:
        names = [
            row[0] for row in file.execute("select name from sqlite_master where type='table'")
        ]
        rows = [row for one in names for row in file.execute(f'select * from "{one}"')]  # noqa: S608 - its own names
    return [
        str(cell).encode() if not isinstance(cell, bytes) else cell for row in rows for cell in row
    ]


def is_pickled(cell: bytes) -> bool:
    """Whether it is a pickle, as it is or in base64."""
    forms = [cell]
    with suppress(ValueError):
        forms.append(base64.b64decode(cell, validate=True))
    return any(one[:1] == b"\x80" and whole_pickle(one) for one in forms)


def whole_pickle(data: bytes) -> bool:
    try:
        return [name for name, *_ in pickletools.genops(data)][-1].name == "STOP"
    except (ValueError, IndexError):
        return False


def keeps_no_secret(acme: Acme) -> None:
    """No job's row has a key, a passphrase, or what its worker's environment has."""
    kept = cells(acme)
    with acme.app.hub.reading() as connection:
        orders = [str(records.job(connection, 1).order.arguments).encode()]
    for cell in (*orders, *kept):
        assert not is_pickled(cell), cell
        for secret in (PASSPHRASE, SECRET, "PRIVATE KEY"):
            assert secret.encode() not in cell


def test_g3_128_a_pickle_would_be_seen() -> None:
    made = pickle.dumps({"a": 1})
    assert is_pickled(made)
    assert is_pickled(base64.b64encode(made))
    assert not is_pickled(b'{"a":1}')
