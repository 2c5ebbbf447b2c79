"""Real models of a few bytes with check rows, and runtimes of host groups that are not honest."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from sealift_sync import check_rows
from sealift_sync.bundle.writer import Contents
from sealift_sync.check_rows import CheckRowsContent, ExpectedOutput, GivenInput, tensor
from tests.hub_on_paper import MODEL, Changes, HubOnPaper, Release
from tests.site_on_paper import SiteOnPaper

ROWS = ((0.0, 1.0), (2.0, -1.0), (0.5, 0.25))


def model(weight: float = 1.0) -> bytes:
    """Scores are the inputs times `weight`; the label is the larger one's place."""
    graph = helper.make_graph(
        [
            helper.make_node("Mul", ["x", "weight"], ["scores"]),
            helper.make_node("ArgMax", ["scores"], ["label"], axis=1, keepdims=0),
        ],
        "larger",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 2])],
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, ["rows"]),
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["rows", 2]),
        ],
        [numpy_helper.from_array(np.array(weight, np.float32), "weight")],
    )
    opsets = [helper.make_opsetid("", 17)]
    made = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    return bytes(made.SerializeToString())


def content(weight: float = 1.0, rows: Sequence[tuple[float, float]] = ROWS) -> CheckRowsContent:
    """What `model` must answer to `rows`."""
    scores = [weight * one for row in rows for one in row]
    labels = [0 if weight * a >= weight * b else 1 for a, b in rows]
    count = len(rows)
    return CheckRowsContent(
        rows=count,
        alone=False,
        inputs=(
            GivenInput("x", tensor("float32", (count, 2), [one for row in rows for one in row])),
        ),
        outputs=(
            ExpectedOutput("label", tensor("int64", (count,), labels), "labels", shown=True),
            ExpectedOutput(
                "scores",
                tensor("float32", (count, 2), scores),
                "numbers",
                tensor("float64", (count, 2), [1e-6] * (2 * count)),
                shown=True,
            ),
        ),
    )


def promote(
    hub: HubOnPaper,
    version: int,
    rows: CheckRowsContent | bytes | None = None,
    *,
    weight: float | None = None,
    by: str = "builder-1",
    name: str = MODEL,
    **evidence: Changes,
) -> Release:
    """A version whose parity evidence names `rows`, which lie in the hub's store."""
    weight = float(version) if weight is None else weight
    rows = content(weight) if rows is None else rows
    data = rows if isinstance(rows, bytes) else check_rows.pack(rows)
    hub.store.put_bytes(data)
    release = hub.build(version, content=model(weight), model=name)
    named = {"sha256": sha256(data).hexdigest(), "size": len(data), "rows": 3}
    said = {"details": {"check_rows": named}} | evidence
    release.evidence = (
        hub.evidence(release, "scan", "scanner-1"),
        hub.evidence(release, "parity", by, **said),
    )
    release.request = hub.request(release)
    release.approvals = (hub.approve(release, "bert"), hub.approve(release, "carla"))
    hub.list_artifact(release)
    return release


def digests(hub: HubOnPaper, *releases: Release) -> frozenset[str]:
    """What the parity evidence of these names."""
    import json

    found = set()
    for release in releases:
        for one in release.evidence:
            said = json.loads(hub.payload(one))["predicate"]
            if rows := said["details"].get("check_rows"):
                found.add(rows["sha256"])
    return frozenset(found)


def export(hub: HubOnPaper, medium: Path, *releases: Release, **changes: Changes) -> Path:
    """A bundle that brings the check rows of `releases`."""
    rows = digests(hub, *releases)

    def edit(contents: Contents) -> Contents:
        return replace(contents, checks=rows)

    said: dict[str, Any] = {"requires": (check_rows.FEATURE,)} | changes
    return hub.export(medium, edit=edit, **said)


def configure(site: SiteOnPaper, *runtime: str, more: str = "", seconds: int = 30) -> None:
    """The host group cpu has a runtime: this Python, where none is named."""
    command = ", ".join(f'"{part}"' for part in runtime or (sys.executable,))
    (site.root / "settings.toml").write_text(
        f"[groups.cpu]\nruntime = [{command}]\ntimeout_seconds = {seconds}\n{more}\n"
    )


def program(site: SiteOnPaper, text: str) -> tuple[str, ...]:
    """A runtime that is a program of its own, and not honest."""
    file = site.root / "runtime.py"
    file.write_text(text)
    return sys.executable, str(file)
