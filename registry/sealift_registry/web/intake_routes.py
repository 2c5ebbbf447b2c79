"""Routes by which models are taken in and converted: each asks for jobs, as `--detach` does.

A model comes from a source that settings.toml names, or from an upload of whoever asks. No address
and no path of theirs is opened.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from litestar import Response, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody

from sealift_registry.app import App
from sealift_registry.catalog.reference import ModelRef, VersionRef
from sealift_registry.intake.named_sources import NamedReference
from sealift_registry.intake.uploads import Upload
from sealift_registry.jobs.asking_once import ask_once
from sealift_registry.jobs.dbos_watching import watched
from sealift_registry.jobs.job import ORDINARY
from sealift_registry.jobs.records import Wanted
from sealift_registry.kinds import (
    ConvertArguments,
    IngestArguments,
    convert_wanted,
    ingest_wanted,
)
from sealift_registry.shown import job_asked
from sealift_registry.shown.told import Told
from sealift_registry.web import writing
from sealift_registry.web.answering import API, Asking, Reads, answered, served_by
from sealift_registry.web.guarding import caller_of
from sealift_registry.web.upload_routes import uploads_of
from sealift_registry.web.writing import Made, Writes
from sealift_signing import shape
from sealift_signing.drawing import word
from sealift_signing.errors import UsageError

Priority = Annotated[int, msgspec.Meta(ge=1, le=9)]
MOST_TARGETS = 100


class VersionAsked(msgspec.Struct, forbid_unknown_fields=True):
    """A model that is to be taken in: from a source with a name, or from an upload.

    Attributes:
        model: what it becomes a version of, without its team.
        source: the source's name in the hub's settings.
        reference: what to take there: `models:/NAME/VERSION` or `models:/NAME@ALIAS` of MLflow; a
            path of a repository, or `NAME@VERSION` or `NAME#STAGE` of its GTO registry.
        revision: of a path: a tag, branch or commit.
        upload: a model that was sent before.
        goldens: inputs that were sent before, to compare variants on.
        priority: 1 comes first.
    """

    model: str
    source: str | None = None
    reference: str | None = None
    revision: str | None = None
    upload: str | None = None
    goldens: str | None = None
    priority: Priority = ORDINARY


class ConversionsAsked(msgspec.Struct, forbid_unknown_fields=True):
    """Variants that are to be built of a version.

    Attributes:
        hardware_targets: for which.
        priority: 1 comes first.
    """

    hardware_targets: Annotated[list[str], msgspec.Meta(min_length=1, max_length=MOST_TARGETS)]
    priority: Priority = ORDINARY


class JobAsked(msgspec.Struct):
    """A job that was asked for; `new` is false where it was asked for before and has not ended."""

    job: str
    new: bool
    kind: str
    queue: str
    priority: int
    host: str | None


class JobsAsked(msgspec.Struct):
    """Jobs that were asked for."""

    jobs: list[JobAsked]


class SourceShown(msgspec.Struct):
    """A source that settings.toml names.

    Attributes:
        kind: `mlflow` or `dvc`.
        root: what is read of it; empty: all.
    """

    source: str
    kind: str
    root: str


class Sources(msgspec.Struct):
    """From where models of a team may be taken in."""

    sources: list[SourceShown]


def asks_for_jobs(action: str, tag: str) -> dict[str, Any]:
    """How a route that asks for jobs is declared."""
    spec = ResponseSpec(JobsAsked, generate_examples=False, description="Asked for, not done yet.")
    return {
        "tags": [tag],
        "status_code": 202,
        "responses": {202: spec},
        **Writes(action, problems=(404, 413, 422)).declared(),
    }


@post(f"{API}/teams/{{team:str}}/versions", **asks_for_jobs("version.ingest", "models"))
async def ingest_version(request: Asking, data: JSONBody[VersionAsked]) -> Response[bytes]:
    """Have a model taken in: fetched, scanned, recorded, numbered. The same again adds nothing."""
    team, caller = request.path_params["team"], caller_of(request)

    def act(app: App) -> Made:
        model = ModelRef.parse(f"{team}/{data.model}")
        there = uploads_of(app.hub)
        used = [
            None if one is None else there.whole(one, caller.account, team, kind)
            for one, kind in ((data.upload, "onnx"), (data.goldens, "goldens"))
        ]
        asked = _asked(model, data, *used)
        made, (job, *_) = ask_for(app, [ingest_wanted(app, asked, data.priority)], caller.name)
        for one in used:
            if one is not None:
                there.keep_for(one, job)
        return made

    return await writing.once(request, act)


@get(
    f"{API}/teams/{{team:str}}/sources",
    tags=["models"],
    **Reads("version.ingest", Sources).declared(),
)
def list_sources(request: Asking) -> Response[bytes]:
    """List the sources from which models of a team may be taken in."""
    team, there = request.path_params["team"], served_by(request).app.hub.home.settings.sources
    found = {name: said for name, said in sorted(there.items()) if said.is_for(team)}
    rows = [{"source": name, "kind": one.kind, "root": one.root} for name, one in found.items()]
    lines = [f"{name}  {one.kind}  {word(one.root or '-')}" for name, one in found.items()]
    return answered(request, Told({"sources": rows}, lines or ["The settings name none."]))


def _asked(
    model: ModelRef, data: VersionAsked, upload: Upload | None, goldens: Upload | None
) -> IngestArguments:
    given = None if goldens is None else str(goldens.path)
    named = None
    if data.source is not None and data.reference is not None:
        named = NamedReference(data.source, data.reference, data.revision or "")
    elif data.source or data.reference or data.revision:
        raise _which(data)
    if (named is None) == (upload is None):
        raise _which(data)
    onnx = None if upload is None else str(upload.path)
    asked = IngestArguments(str(model), given, onnx=onnx, named=named)
    return shape.from_json(IngestArguments, shape.to_json(asked), what="what is to be taken in")


def _which(data: VersionAsked) -> UsageError:
    return UsageError(
        "ingest-which",
        "It must be said from where the model is taken: a source and a reference, or an upload.",
        subject=data.model,
        next_step="Give source and reference, and of a repository's path the revision; or upload "
        "alone.",
    )


@post(
    f"{API}/versions/{{team:str}}/{{model:str}}/{{number:str}}/conversions",
    **asks_for_jobs("conversion.ask", "models"),
)
async def convert_version(request: Asking, data: JSONBody[ConversionsAsked]) -> Response[bytes]:
    """Have variants of a version built, a job for each hardware target."""
    named, by = request.path_params, caller_of(request).name

    def act(app: App) -> Made:
        ref = VersionRef.parse(f"{named['team']}/{named['model']}/{named['number']}")
        asked = [ConvertArguments(str(ref), one) for one in dict.fromkeys(data.hardware_targets)]
        wanted = [convert_wanted(app, one, data.priority) for one in asked]
        return ask_for(app, wanted, by)[0]

    return await writing.once(request, act)


def ask_for(app: App, wanted: Sequence[Wanted], by: str) -> tuple[Made, list[str]]:
    """Ask for jobs; what is answered, and their names."""
    jobs = [ask_once(app.hub, one, by) for one in wanted]
    seen = watched(app.hub)
    told = job_asked.told(jobs, [bool(seen.takers(one.order)) for one, _ in jobs])
    names = [one.id for one, _ in jobs]
    return Made(dict(told.data), 202, {"location": f"{API}/jobs/{names[0]}"}), names


ROUTES: tuple[Any, ...] = (list_sources, ingest_version, convert_version)
"""All of them."""
