"""Models from a source that settings.toml names: for who may ask a server, and name no address.

What is asked for is a reference within the source: it is checked to stay in the source's root, when
it is asked for and again by whoever fetches it, by the settings of then. The source's credential is
given to the reader of this one source, which follows nothing to another server
(`intake.origins`); what else a worker has in its environment to sign in with is not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from urllib.parse import quote, urlsplit, urlunsplit

from sealift_registry.intake import dvc_source, mlflow_source
from sealift_registry.intake.dvc_source import DvcSource
from sealift_registry.intake.mlflow_source import MlflowSource
from sealift_registry.intake.source import Source, SourceRecord
from sealift_registry.storage.named_places import SourceSettings, credential
from sealift_registry.workers.channel import Progress
from sealift_registry.workers.runner import Worker
from sealift_signing.drawing import word
from sealift_signing.errors import NotFoundError, RefusedError
from sealift_signing.vocabulary import Name, Sentence

SIGNING_IN = frozenset(
    {
        "HOME",  # netrc, MLflow's and Git's credentials are there
        "MLFLOW_TRACKING_USERNAME",
        "MLFLOW_TRACKING_PASSWORD",
        "MLFLOW_TRACKING_TOKEN",
        "MLFLOW_TRACKING_CLIENT_CERT_PATH",
    }
)
"""Of a worker's own environment: with what it would sign in anywhere."""
FOR_MLFLOW = {
    "USERNAME": "MLFLOW_TRACKING_USERNAME",
    "PASSWORD": "MLFLOW_TRACKING_PASSWORD",
    "TOKEN": "MLFLOW_TRACKING_TOKEN",
}
"""Under which names MLflow looks for a credential."""
_ARTIFACT = re.compile(r"[^@#]+[@#][^@#]+")


@dataclass(frozen=True)
class NamedReference:
    """A model in a source that settings.toml names.

    Attributes:
        source: its name there.
        reference: in MLflow `models:/NAME/VERSION` or `models:/NAME@ALIAS`; with DVC the path of a
            file or folder, or without a revision `NAME@VERSION` or `NAME#STAGE` of GTO's registry.
        revision: with DVC, of a path: a tag, branch or commit.
    """

    source: Name
    reference: Sentence
    revision: str = ""


def check(sources: Mapping[str, SourceSettings], team: str, asked: NamedReference) -> bool:
    """Check that models of a team may come from there; whether only this host has it.

    Raises:
        NotFoundError: no such source is there for the team.
        UsageError: the reference is spelled wrongly.
        RefusedError: it leads out of the source's root.
    """
    of = _settings(sources, team, asked.source)
    _at(of, asked)
    return of.origin.startswith(("/", "sqlite:"))


def source(
    sources: Mapping[str, SourceSettings],
    team: str,
    asked: NamedReference,
    environment: Mapping[str, str],
) -> Source:
    """Where it comes from, with what it takes to sign in there.

    Raises:
        UsageError: the environment lacks its credential; or as `check`.
        SealiftError: as `check`.
    """
    of = _settings(sources, team, asked.source)
    found = _at(of, asked)
    own = credential(of.credential, environment)
    if isinstance(found, MlflowSource):
        return _Registry(found, own)
    return _Repository(found, own)


def _settings(sources: Mapping[str, SourceSettings], team: str, name: str) -> SourceSettings:
    found = sources.get(name)
    if found is None or not found.is_for(team):
        there = sorted(one for one, said in sources.items() if said.is_for(team))
        raise NotFoundError(
            "no-named-source",
            f"There is no source {word(name)} for models of team {team}.",
            subject=name,
            next_step=f"There are: {', '.join(there)}."
            if there
            else "Have one named in settings.toml, [sources.NAME].",
        )
    return found


def _at(of: SourceSettings, asked: NamedReference) -> MlflowSource | DvcSource:
    if of.kind == "mlflow":
        name = mlflow_source.name_of(asked.reference)
        if not name.startswith(of.root):
            raise _outside(of, asked)
        return MlflowSource(of.origin, asked.reference)
    by_name = _ARTIFACT.fullmatch(asked.reference) and not asked.revision
    if by_name:  # where it lies, the repository says alone: in no root that is a folder
        found = DvcSource(of.origin, artifact=asked.reference)
    else:
        found = DvcSource(of.origin, asked.reference, asked.revision or "HEAD")
    dvc_source.checked_repository(found)
    if of.root and not PurePosixPath(found.path).is_relative_to(of.root.strip("/")):
        raise _outside(of, asked)
    return found


def _outside(of: SourceSettings, asked: NamedReference) -> RefusedError:
    return RefusedError(
        "source-root",
        f"{word(asked.reference)} is not in {word(of.root)}, which is all that is read of the "
        f"source {asked.source}.",
        subject=asked.reference,
        next_step=f"Name a model by what is in {word(of.root)}"
        + (", by its path." if of.kind == "dvc" else "."),
    )


@dataclass(frozen=True)
class _Registry:
    """A version in a registry, read with the credential of its source and no other."""

    at: MlflowSource
    credential: Mapping[str, str]

    def fetch(self, into: Path, progress: Progress) -> SourceRecord:
        """As `Source.fetch`."""
        given = {FOR_MLFLOW[part]: value for part, value in self.credential.items()}
        return self.at.fetch_by(_alone(mlflow_source.WORKER, given), into, progress)


@dataclass(frozen=True)
class _Repository:
    """What DVC tracks in a repository, likewise."""

    at: DvcSource
    credential: Mapping[str, str]

    def fetch(self, into: Path, progress: Progress) -> SourceRecord:
        """As `Source.fetch`."""
        if not self.credential:
            return self.at.fetch(into, progress)
        user = self.credential.get("USERNAME", "oauth2")
        password = self.credential.get("PASSWORD") or self.credential.get("TOKEN", "")
        parts = urlsplit(self.at.repository)
        place = f"{quote(user, safe='')}:{quote(password, safe='')}@{parts.netloc}"
        there = replace(self.at, repository=urlunsplit(parts._replace(netloc=place)))
        # Given by a variable as well: what it holds is struck out of whatever the reader says.
        worker = _alone(dvc_source.WORKER, {"SOURCE_PASSWORD": password})
        return there.fetch_by(worker, into, progress)


def _alone(worker: Worker, given: Mapping[str, str]) -> Worker:
    """A reader without what its process signs in with elsewhere."""
    carry = tuple(one for one in worker.carry if one not in SIGNING_IN)
    return replace(worker, carry=carry, given={**worker.given, **given})
