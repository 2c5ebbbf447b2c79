"""The kinds of jobs: what each is asked with, and the use case that does it.

The same function is run for a person who waits (`in_foreground`) and by whoever works at jobs. It
answers what the command answers under `--json`, so that a job that is looked at later says the same
(`shown`). Nothing secret is among what a job is asked with: an order is kept, and in the log.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sealift_registry.catalog.reference import ModelRef, VersionRef
from sealift_registry.intake import named_sources
from sealift_registry.intake.dvc_source import DvcSource
from sealift_registry.intake.incoming_folder import check_name
from sealift_registry.intake.ingest import check_team
from sealift_registry.intake.later import check_there, dvc_later, mlflow_later
from sealift_registry.intake.mlflow_source import MlflowSource
from sealift_registry.intake.named_sources import NamedReference
from sealift_registry.intake.onnx_source import OnnxSource
from sealift_registry.jobs import plain
from sealift_registry.jobs.job import HUB, ORDINARY
from sealift_registry.jobs.records import Wanted, said_before
from sealift_registry.jobs.steps import Made, Steps
from sealift_registry.storage.home import Settings, environment
from sealift_registry.storage.host import Host, this_host
from sealift_registry.storage.named_places import export_folder, no_export_folder
from sealift_registry.trust.signed_log import Data
from sealift_signing import locks, shape
from sealift_signing.canonical import Json
from sealift_signing.errors import MalformedError
from sealift_signing.shape import Dataclass
from sealift_signing.vocabulary import Name, Sentence, site_of

if TYPE_CHECKING:
    from sealift_registry.app import App
    from sealift_registry.conversion.building import Built
    from sealift_registry.intake.ingest import Ingested
    from sealift_registry.intake.source import Source
    from sealift_registry.workers.channel import Progress
    from sealift_sync.durable import BeginPhase

HOUR = 60 * 60

A = TypeVar("A", bound=Dataclass)


@dataclass(frozen=True)
class Kind(Generic[A]):
    """A kind of job.

    Attributes:
        name: of it, as orders have it.
        arguments: the type of what it is asked with.
        work: does it for a person, in steps, and answers what the command does.
        seconds: that an attempt at it may take.
        goes_on: whether the same command goes on where one that was killed had stopped.
    """

    name: str
    arguments: type[A]
    work: Callable[[App, A, str, Steps], Made]
    seconds: int
    goes_on: bool = False

    def run(self, app: App, arguments: Mapping[str, Json], actor: str, steps: Steps) -> Made:
        """Do a job that was asked with `arguments`.

        Raises:
            MalformedError: those are none of this kind.
            SealiftError: as the use case.
        """
        what = f"what a job of the kind {self.name} was asked with"
        return self.work(app, shape.from_json(self.arguments, arguments, what=what), actor, steps)

    def in_foreground(self, app: App, arguments: A, actor: str, progress: Progress) -> Made:
        """Do it now, for a person who waits.

        Raises:
            SealiftError: as the use case.
        """
        same = f"{self.name} {shape.write(arguments).decode()}" if self.goes_on else ""
        with plain.in_foreground(app.hub.home.work, progress, same) as steps:
            return self.work(app, arguments, actor, steps)


# ---------------------------------------------------------------------- convert


@dataclass(frozen=True)
class ConvertArguments:
    """What a variant is built with.

    Attributes:
        version: of which one.
        hardware_target: for which.
    """

    version: Sentence
    hardware_target: Name


def _convert(app: App, asked: ConvertArguments, actor: str, steps: Steps) -> Made:
    ref = VersionRef.parse(asked.version)
    return _converted(app.conversion.convert(ref, asked.hardware_target, actor, steps))


def _converted(done: Built) -> Made:
    from sealift_signing.more_member import first_words

    row = done.artifact
    evidence: Json = {one.predicate.kind: one.predicate.verdict for one in done.evidence}
    made: Json = {
        "path": str(row.path),
        "sha256": row.sha256,
        "new": done.new,
        "evidence": evidence,
        "untried": list(done.untried),
        "told_first": list(first_words(done.evidence)),
    }
    return {"artifacts": [made]}


CONVERT = Kind("convert", ConvertArguments, _convert, 6 * HOUR, goes_on=True)


def convert_wanted(app: App, asked: ConvertArguments, priority: int = ORDINARY) -> Wanted:
    """A job that builds a variant, for whoever has that kind of machine.

    Raises:
        NotFoundError: no such version or hardware target, or no goldens yet.
        RefusedError: what its hardware target promises is no range.
    """
    ref = VersionRef.parse(asked.version)
    app.conversion.order(ref, asked.hardware_target)  # what is wrong by now is said now
    return Wanted(
        kind=CONVERT.name,
        arguments=shape.to_json(asked),
        # Where builders on other machines do it, what is left can be done anywhere.
        queue=HUB if app.conversion.is_elsewhere(asked.hardware_target) else asked.hardware_target,
        priority=priority,
        seconds=CONVERT.seconds,
        terms={"model": str(ref.of)},
    )


# ---------------------------------------------------------------------- ingest


@dataclass(frozen=True)
class IngestArguments:
    """What is taken in: a model from one of the three places.

    Attributes:
        model: what it becomes a version of.
        goldens: the path of their file, if there is one.
        mlflow: where it is, if it is there.
        dvc: as above.
        onnx: the path of a file or folder, as above.
        named: in a source that settings.toml names, as above.
    """

    model: Sentence
    goldens: str | None = None
    mlflow: MlflowSource | None = None
    dvc: DvcSource | None = None
    onnx: str | None = None
    named: NamedReference | None = None

    def source(self, settings: Settings) -> Source:
        """Where it comes from.

        Raises:
            MalformedError: it does not name one place.
            SealiftError: as `named_sources.source`.
        """
        named = None
        if self.named is not None:
            team = ModelRef.parse(self.model).team
            named = named_sources.source(settings.sources, team, self.named, environment())
        onnx = None if self.onnx is None else OnnxSource(Path(self.onnx))
        every: tuple[Source | None, ...] = (self.mlflow, self.dvc, onnx, named)
        found = [one for one in every if one is not None]
        if len(found) != 1:
            raise MalformedError(
                "bad-source",
                f"What is taken in comes from one place, and {len(found)} are named.",
                subject=self.model,
            )
        return found[0]


def _ingest(app: App, asked: IngestArguments, actor: str, steps: Steps) -> Made:
    given = None if asked.goldens is None else Path(asked.goldens)
    model = ModelRef.parse(asked.model)
    source = asked.source(app.hub.home.settings)
    return _ingested(app.intake.ingest(source, model, actor, given, steps))


def _ingested(done: Ingested) -> Made:
    version = done.version
    made: Made = {
        "version": str(version.ref),
        "new": done.new,
        "source": version.source_version,
        "format": version.format,
        "source_record": version.source_sha256,
        "aliases": list(done.aliases),
    }
    if done.restored:
        made["restored"] = True
    if done.goldens:
        made["goldens"] = done.goldens
    if done.kept is not None:
        made["goldens_words"] = done.kept.words
    return made


INGEST = Kind("ingest", IngestArguments, _ingest, 24 * HOUR)


def ingest_wanted(app: App, asked: IngestArguments, priority: int = ORDINARY) -> Wanted:
    """A job that takes a model in; what it reads on this host has it done on this host.

    Raises:
        NotFoundError: no such team, or nothing at the path.
        UsageError: it is spelled wrongly, or holds a password.
    """
    model = ModelRef.parse(asked.model)
    with app.hub.reading() as connection:
        check_team(connection, model)
    asked, here = _spelled_out(asked, app.hub.home.settings)
    return Wanted(
        kind=INGEST.name,
        arguments=shape.to_json(asked),
        host=_this_host(app) if here else None,
        priority=priority,
        seconds=INGEST.seconds,
        terms={"model": str(model)},
    )


def _spelled_out(asked: IngestArguments, settings: Settings) -> tuple[IngestArguments, bool]:
    """The same, for another process; and whether only this host has all of it."""
    here = False
    if asked.mlflow is not None:
        mlflow, here = mlflow_later(asked.mlflow)
        asked = replace(asked, mlflow=mlflow)
    if asked.dvc is not None:
        dvc, here = dvc_later(asked.dvc)
        asked = replace(asked, dvc=dvc)
    if asked.named is not None:
        here = named_sources.check(settings.sources, ModelRef.parse(asked.model).team, asked.named)
    if asked.onnx is not None:
        asked, here = replace(asked, onnx=_absolute(asked.onnx)), True
        if Path(str(asked.onnx)).is_file():
            check_name(Path(str(asked.onnx)).name)  # which whoever does it would find wrong
    if asked.goldens is not None:
        asked, here = replace(asked, goldens=_absolute(asked.goldens)), True
    return asked, here


def _absolute(name: str) -> str:
    path = Path(name).absolute()
    check_there(path)
    return str(path)


def _this_host(app: App) -> Host:
    home = app.hub.home
    with locks.held(home.lock):  # two commands that need its name first at once must not differ
        return this_host(home.root)


# ---------------------------------------------------------------------- export


@dataclass(frozen=True)
class ExportArguments:
    """What a bundle is written with, and left on its medium to be signed for.

    Attributes:
        site: whom it is for.
        medium: the path of its top folder.
        draft: the file of the draft; in a folder that is there, one with a name of its own.
        full: nothing is left out.
        any_software: whatever the site said of its software.
        anew: no earlier transfer is gone on with.
        named: the name of the medium in settings.toml, where that is how it was asked for.
    """

    site: Name
    medium: str
    draft: str
    full: bool
    any_software: bool
    anew: bool
    named: Name | None = None


def draft_export(app: App, asked: ExportArguments, begin_phase: BeginPhase) -> Made:
    """Write a bundle but for its signature, and the draft of that; the bundle, if it was signed.

    Raises:
        UsageError: something else is where the draft is to be.
        SealiftError: as `Exports.draft`.
    """
    from sealift_registry.delivery.export_answers import exported_data, waiting_data
    from sealift_registry.delivery.exports import Exported
    from sealift_registry.delivery.transfer_statement import ask_of
    from sealift_registry.trust.draft_files import check_free, file_name, write_file

    medium, path = Path(asked.medium), Path(asked.draft)
    if not path.is_dir():
        check_free(path)  # before hours of writing
    made = app.exports.draft(
        asked.site,
        medium,
        begin_phase,
        full=asked.full,
        any_software=asked.any_software,
        anew=asked.anew,
    )
    if isinstance(made, Exported):
        return exported_data(made)
    ask = ask_of(made.draft)
    file = path / file_name(ask) if path.is_dir() else path
    draft = write_file(app.hub, made.draft, ask, file)
    return {**draft, "bundle": waiting_data(made, medium)}


def _export(app: App, asked: ExportArguments, _actor: str, steps: Steps) -> Made:
    from sealift_registry.delivery.transfers import BEGUN

    def begin_phase(name: str, total: int) -> Callable[[int], None]:
        done = 0

        def told(more: int) -> None:
            nonlocal done
            done += more
            steps.progress(name, done, total)

        told(0)
        return told

    def begun(said: Data) -> bool:
        return site_of(str(said["transfer"])) == asked.site

    _check_named(app, asked)
    with app.hub.reading() as connection:
        again = said_before(app.hub, connection, (BEGUN,), begun)
    going_on = asked if again is None else replace(asked, anew=False)
    return steps.step("write", lambda: draft_export(app, going_on, begin_phase))


def _check_named(app: App, asked: ExportArguments) -> None:
    """Check that a medium with a name is still that one, and still the site's, by the settings.

    Raises:
        NotFoundError: it is not.
    """
    if asked.named is not None:
        found = export_folder(app.hub.home.settings.exports, asked.named, asked.site)
        if found.folder != asked.medium:
            raise no_export_folder(asked.named, asked.site, ())


EXPORT = Kind("export", ExportArguments, _export, 24 * HOUR)


def export_wanted(app: App, asked: ExportArguments, priority: int = ORDINARY) -> Wanted:
    """A job that writes a bundle to a medium of this host.

    Raises:
        NotFoundError: no such site.
        UsageError: something else is where the draft is to be.
        FailedError: the medium is not there, or cannot be written.
    """
    from sealift_registry.delivery.finishing import survey
    from sealift_registry.delivery.sites import Sites
    from sealift_registry.trust.draft_files import check_free

    with app.hub.reading() as connection:
        site = Sites(connection).get(asked.site).id
    medium, draft = Path(asked.medium).absolute(), Path(asked.draft).absolute()
    survey(medium, site)
    if not draft.is_dir():
        check_free(draft)
    asked = replace(asked, medium=str(medium), draft=str(draft))
    return Wanted(
        kind=EXPORT.name,
        arguments=shape.to_json(asked),
        host=_this_host(app),
        priority=priority,
        seconds=EXPORT.seconds,
        terms={"site": site},
    )


KINDS: Mapping[str, Kind[Any]] = {one.name: one for one in (CONVERT, INGEST, EXPORT)}
"""Every kind that this software does, by its name."""
