"""`sealift ingest`: from MLflow, from DVC, from a plain ONNX model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sealift_registry.cli import asking_jobs
from sealift_registry.cli.detaching import ask, detach_options
from sealift_registry.cli.group import sealift
from sealift_registry.cli.session import F, Session, command, user
from sealift_signing.errors import UsageError

if TYPE_CHECKING:
    from sealift_registry.kinds import IngestArguments


def _target(help_text: str) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        function = click.option(
            "--goldens",
            metavar="FILE.npz",
            help="Inputs (and what is expected) on which variants are compared with the source.",
        )(function)
        function = detach_options(function)
        return click.option("--as", "model", required=True, metavar="TEAM/MODEL", help=help_text)(
            function
        )

    return decorate


@sealift.group()
def ingest() -> None:
    """Take a model in: fetched, scanned, recorded, numbered.

    The same version again adds nothing.
    """


@command(
    ingest,
    "mlflow",
    example="sealift ingest mlflow models:/digits@champion --tracking http://localhost:5000 "
    "--as vision/digits",
)
@click.argument("uri", metavar="models:/NAME/VERSION|models:/NAME@ALIAS")
@click.option(
    "--tracking",
    required=True,
    envvar="MLFLOW_TRACKING_URI",
    metavar="URI",
    help="The MLflow server (http://…) or its sqlite store (sqlite:///FILE).",
)
@_target("What it becomes a version of.")
def mlflow(
    session: Session,
    *,
    uri: str,
    tracking: str,
    model: str,
    goldens: str | None,
    detached: int | None,
) -> None:
    """Ingest a model version from an MLflow registry."""
    from sealift_registry.intake.mlflow_source import MlflowSource
    from sealift_registry.kinds import IngestArguments

    source = MlflowSource(tracking, uri)
    _ingest(session, IngestArguments(model, goldens, mlflow=source), detached)


@command(
    ingest,
    "dvc",
    example="sealift ingest dvc /srv/models --path fraud.ubj --rev v2.0 --as risk/fraud",
)
@click.argument("repository", metavar="REPOSITORY")
@click.option("--path", help="The model's path in the repository.")
@click.option("--rev", help="With --path: a tag, branch or commit.  [default: HEAD]")
@click.option(
    "--artifact",
    metavar="NAME@VERSION|NAME#STAGE",
    help="Instead of --path: its name in GTO's registry, also NAME@latest.",
)
@_target("What it becomes a version of.")
def dvc(
    session: Session,
    *,
    repository: str,
    path: str | None,
    rev: str | None,
    artifact: str | None,
    model: str,
    goldens: str | None,
    detached: int | None,
) -> None:
    """Ingest a model that DVC tracks in a Git repository."""
    from sealift_registry.intake.dvc_source import DvcSource
    from sealift_registry.kinds import IngestArguments

    _check_one_way(path, rev, artifact)
    source = DvcSource(repository, path or "", rev or "HEAD", artifact or "")
    _ingest(session, IngestArguments(model, goldens, dvc=source), detached)


def _check_one_way(path: str | None, rev: str | None, artifact: str | None) -> None:
    if bool(path) == bool(artifact) or (rev and artifact):
        raise UsageError(
            "dvc-which",
            "Say which model either by its path, or by its name in GTO's registry.",
            subject=artifact or path or "",
            next_step="Give --path and, if it is not at HEAD, --rev; or --artifact alone, which "
            "names the commit too.",
        )


@command(
    ingest,
    "onnx",
    example="sealift ingest onnx model.onnx --as vision/plates --goldens plates.npz",
    at_server=True,
)
@click.argument("path", metavar="FILE|FOLDER")
@_target("What it becomes a version of.")
def onnx(
    session: Session, *, path: str, model: str, goldens: str | None, detached: int | None
) -> None:
    """Ingest an ONNX file, or a folder with its external data.

    To a server the file is sent, and it is a job there, which is waited for without --detach.
    """
    from sealift_registry.kinds import IngestArguments

    if session.server is not None:
        _send(session, path, model, goldens, detached)
        return
    _ingest(session, IngestArguments(model, goldens, onnx=path), detached)


@command(
    ingest,
    "named",
    example="sealift ingest named lab models:/digits@champion --as vision/digits",
    at_server=True,
)
@click.argument("source", metavar="SOURCE")
@click.argument("reference", metavar="REFERENCE")
@click.option("--rev", help="Of a path in a repository: a tag, branch or commit.")
@_target("What it becomes a version of.")
def named(
    session: Session,
    *,
    source: str,
    reference: str,
    rev: str | None,
    model: str,
    goldens: str | None,
    detached: int | None,
) -> None:
    """Ingest a model from a source that the hub's settings name.

    In MLflow REFERENCE is models:/NAME/VERSION or models:/NAME@ALIAS. In a repository with DVC it
    is a path, or NAME@VERSION or NAME#STAGE of GTO's registry. Of a server it is a job, which is
    waited for without --detach.
    """
    from sealift_registry.catalog.reference import ModelRef
    from sealift_registry.client.address import address_of
    from sealift_registry.intake.named_sources import NamedReference
    from sealift_registry.kinds import IngestArguments

    if session.server is not None:
        ref = ModelRef.parse(model)
        said = {"model": ref.model, "source": source, "reference": reference, "revision": rev}
        if goldens is not None:
            said["goldens"] = session.remote.upload(ref.team, "goldens", Path(goldens))
        asking_jobs.ask(session, address_of("teams", ref.team, "versions"), said, detached)
        return
    asked = NamedReference(source, reference, rev or "")
    _ingest(session, IngestArguments(model, goldens, named=asked), detached)


def _send(
    session: Session, path: str, model: str, goldens: str | None, detached: int | None
) -> None:
    """Send a model and its goldens to a server, and have it taken in."""
    from sealift_registry.catalog.reference import ModelRef
    from sealift_registry.client.address import address_of

    ref, remote = ModelRef.parse(model), session.remote
    said = {"model": ref.model, "upload": remote.upload(ref.team, "onnx", Path(path))}
    if goldens is not None:
        said["goldens"] = remote.upload(ref.team, "goldens", Path(goldens))
    asking_jobs.ask(session, address_of("teams", ref.team, "versions"), said, detached)


def _ingest(session: Session, asked: IngestArguments, detached: int | None) -> None:
    from sealift_registry.kinds import INGEST, ingest_wanted
    from sealift_registry.shown.ingested import ingested_lines

    if detached is not None:
        ask(session, [ingest_wanted(session.app, asked, detached)])
        return
    with session.terminal.steps("fetch") as progress:
        done = INGEST.in_foreground(session.app, asked, user(), progress)
    session.terminal.answer("ingest", {"goldens": None, **done}, ingested_lines(done))
