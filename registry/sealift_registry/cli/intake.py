"""`sealift ingest`: from MLflow, from DVC, from a plain ONNX model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sealift_registry.cli.group import sealift
from sealift_registry.cli.session import F, Session, command, user
from sealift_registry.cli.terminal import short
from sealift_signing.drawing import word
from sealift_signing.errors import UsageError

if TYPE_CHECKING:
    from sealift_registry.intake.ingest import Ingested
    from sealift_registry.intake.source import Source


def _target(help_text: str) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        function = click.option(
            "--goldens",
            metavar="FILE.npz",
            help="Inputs (and what is expected) on which variants are compared with the source.",
        )(function)
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
def mlflow(session: Session, *, uri: str, tracking: str, model: str, goldens: str | None) -> None:
    """Ingest a model version from an MLflow registry."""
    from sealift_registry.intake.mlflow_source import MlflowSource

    _ingest(session, MlflowSource(tracking, uri), model, goldens)


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
) -> None:
    """Ingest a model that DVC tracks in a Git repository."""
    from sealift_registry.intake.dvc_source import DvcSource

    _check_one_way(path, rev, artifact)
    source = DvcSource(repository, path or "", rev or "HEAD", artifact or "")
    _ingest(session, source, model, goldens)


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
)
@click.argument("path", metavar="FILE|FOLDER")
@_target("What it becomes a version of.")
def onnx(session: Session, *, path: str, model: str, goldens: str | None) -> None:
    """Ingest an ONNX file, or a folder with its external data."""
    from sealift_registry.intake.onnx_source import OnnxSource

    _ingest(session, OnnxSource(Path(path)), model, goldens)


def _ingest(session: Session, source: Source, model: str, goldens: str | None) -> None:
    from sealift_registry.catalog.reference import ModelRef

    ref = ModelRef.parse(model)
    given = Path(goldens) if goldens else None
    with session.terminal.steps("fetch") as progress:
        done = session.app.intake.ingest(source, ref, user(), given, progress)
    _tell(session, done)


def _tell(session: Session, done: Ingested) -> None:
    version = done.version
    state = "is new" if done.new else "was here already; nothing was added"
    if not done.new and done.aliases:
        state = f"was here already; now also known as {', '.join(map(word, done.aliases))}"
    lines = [
        f"{version.ref} {state} ({word(version.source_version)}, {version.format}).",
        f"  source record  {short(version.source_sha256)}",
        f"  goldens        {short(done.goldens) if done.goldens else 'none yet'}",
    ]
    if done.kept is not None:
        lines.append(f"                 {done.kept.words}")
    if not done.goldens:
        lines.append("  Next: ingest it again with --goldens FILE.npz, which converting needs.")
    data = {
        "version": str(version.ref),
        "new": done.new,
        "source": version.source_version,
        "format": version.format,
        "source_record": version.source_sha256,
        "aliases": list(done.aliases),
        "goldens": done.goldens,
    }
    session.terminal.answer("ingest", data, lines)
