"""Whatever kind of blob is lost, `blobs fsck` says what brings it back, and that does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import event

from sealift_registry.blob_fsck import Part, _all_named
from sealift_registry.catalog.reference import ModelRef, VersionRef
from sealift_registry.conversion import build_run
from sealift_registry.conversion.convert import Conversion, convert
from sealift_registry.conversion.hardware import HardwareTarget
from sealift_registry.intake.onnx_source import OnnxSource
from sealift_registry.intake.source import SourceRecord
from sealift_registry.proof.models import SourceModel, model_file
from sealift_registry.storage.s3_blobs import S3Blobs
from sealift_registry.workers.channel import Progress
from sealift_sync.blobs import BlobFolder
from tests.blob_faults import spoil
from tests.registry.hub_fixture import TARGET, Acme, converted, copied, taken_in
from tests.registry.test_g1_19_blob_commands import Capsys, Commands, on_s3
from tests.servers.seaweed import S3Server, seaweed

pytestmark = pytest.mark.socket


class TrainedSource(OnnxSource):
    """A model as its framework wrote it, and of which DVC would say where it comes from."""

    def fetch(self, into: Path, progress: Progress) -> SourceRecord:
        return replace(super().fetch(into, progress), kind="dvc")


def ingested(acme: Acme, trained: Callable[[str], Path], *, goldens: bool) -> None:
    source, ref = TrainedSource(trained("logreg.skops")), ModelRef.parse("vision/digits")
    given = trained("digits.npz") if goldens else None
    taken_in(acme.app, source, ref, given)


@pytest.fixture(scope="module")
def built(
    founded: Path, trained: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A hub with a model whose variant is another file than its source."""
    acme = copied(founded, tmp_path_factory.mktemp("built"))
    ingested(acme, trained, goldens=True)
    converted(acme.app, VersionRef("vision", "digits", 1), TARGET)
    acme.close()
    return acme.folder


@pytest.fixture
def acme(built: Path, tmp_path: Path) -> Iterator[Acme]:
    made = copied(built, tmp_path)
    yield made
    made.close()


def parts(acme: Acme) -> dict[str, set[Part]]:
    return _all_named(acme.app.hub)[0].parts


def some_of_each(acme: Acme) -> dict[tuple[str, bool], str]:
    """A digest of each kind that is of sources alone, and of each that is of variants alone."""
    found: dict[tuple[str, bool], str] = {}
    for digest, those in sorted(parts(acme).items()):
        kinds = {(part.kind, part.path.is_source) for part in those}
        if len(kinds) == 1:
            found[kinds.pop()] = digest
    return found


FROM_HUB = "sealift blobs mend --from-hub"


def test_g1_182_each_kind_is_brought_back_by_what_is_said(
    acme: Acme, trained: Callable[[str], Path], capsys: Capsys
) -> None:
    store, commands, again = acme.app.hub.home.blobs, Commands(acme.root, capsys), set()
    found = some_of_each(acme)
    assert {kind for kind, _ in found} == {
        *("source-record", "goldens", "manifest", "file", "picture", "check-rows")
    }
    assert {("file", True), ("file", False), ("manifest", False)} <= found.keys()
    for (kind, _), digest in found.items():
        kept = store.read(digest)
        store.remove(digest)
        lost = commands("blobs", "fsck", code=1)["lost"]
        assert [(one["sha256"], one["parts"][0]["kind"]) for one in lost] == [(digest, kind)]
        said = commands.words("blobs", "fsck", code=1)
        if FROM_HUB in said:
            done = commands("blobs", "mend", "--from-hub")
            assert done["mended"] == [digest], kind
        else:
            assert "sealift ingest dvc … --as vision/digits" in said
            again.add(kind)
            assert ("--goldens FILE" in said) == (kind == "goldens")
            assert said.count(f" --home {acme.root}") == 1, "where the version is missing"
            assert "Lost or damaged: 1 blob of 1 version." in said
            ingested(acme, trained, goldens=kind == "goldens")
        assert store.read(digest) == kept
    assert again == {"goldens", "manifest", "file"}, "of a source, what it consists of"
    assert commands("blobs", "fsck")["ok"]


def test_g1_182_all_of_a_variant_is_built_again(acme: Acme, capsys: Capsys) -> None:
    store, commands = acme.app.hub.home.blobs, Commands(acme.root, capsys)
    theirs = {
        digest
        for digest, found in parts(acme).items()
        if not any(part.path.is_source for part in found)
    }
    kept = {one: store.read(one) for one in theirs}
    for one in theirs:
        store.remove(one)
    lost = {one["sha256"] for one in commands("blobs", "fsck", code=1)["lost"]}
    assert lost < theirs, "what a lost manifest names nobody knows"
    done = commands("blobs", "mend", "--from-hub")
    assert set(done["mended"]) == theirs
    assert {one: store.read(one) for one in theirs} == kept
    assert done["ok"]


def test_g1_182_what_comes_out_otherwise_is_not_kept(
    acme: Acme, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other software makes other bytes: they are no more what people approved."""
    store, commands = acme.app.hub.home.blobs, Commands(acme.root, capsys)
    digest = some_of_each(acme)["file", False]
    store.remove(digest)
    before = set(store.digests())
    genuine = convert

    def otherwise(
        source: SourceModel, target: HardwareTarget, into: Path, progress: Progress
    ) -> Conversion:
        made = genuine(source, target, into, progress)
        model = made.variant.folder / made.variant.model
        with model.open("ab") as file:
            file.write(b"\x32\x01x")  # a doc_string, which changes no answer
        files = (model_file(made.variant.folder, made.variant.model),)
        return replace(made, variant=replace(made.variant, files=files))

    monkeypatch.setattr(build_run, "convert", otherwise)
    done = commands("blobs", "mend", "--from-hub", code=1)
    assert done["mended"] == []
    assert "came out otherwise than what was lost" in done["told"][0]
    assert set(store.digests()) == before


# -------------------------------------------------------------------- versions


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> S3Server:
    found = seaweed()
    for name, value in found.environment.items():
        monkeypatch.setenv(name, value)
    return found


def test_g1_183_an_older_version_in_the_bucket_is_brought_back(
    acme: Acme, server: S3Server, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_s3(acme, server, monkeypatch)
    commands = Commands(acme.root, capsys)
    commands("blobs", "init")
    with acme.another() as hub:
        store = hub.app.hub.home.blobs
        found = some_of_each(hub)
    assert isinstance(store, S3Blobs)
    model, goldens = found["file", True], found["goldens", True]
    kept = {one: store.read(one) for one in (model, goldens)}
    for one, data in kept.items():  # as they lie there they are of before there were versions
        spoil(store, one, data)
    spoil(store, model, b"rotten")
    spoil(store, goldens, b"rotten, too")
    store.remove(goldens)
    lost = {one["sha256"]: one for one in commands("blobs", "fsck", code=1)["lost"]}
    faults = {one: (lost[one]["fault"], lost[one]["older_versions"]) for one in lost}
    assert faults == {model: ("damaged", True), goldens: ("missing", True)}
    said = commands.words("blobs", "fsck", code=1)
    assert "The bucket has older versions of it." in said
    assert FROM_HUB in said
    told = commands.words("blobs", "mend", "--from-hub")
    assert "is whole again, from an older version in its bucket" in told.replace("“", "").replace(
        "”", ""
    )
    assert {one: store.read(one) for one in kept} == kept
    assert commands("blobs", "fsck")["ok"]


def test_g1_183_versions_that_are_no_better_mend_nothing(
    acme: Acme, server: S3Server, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_s3(acme, server, monkeypatch)
    commands = Commands(acme.root, capsys)
    with acme.another() as hub:
        store = hub.app.hub.home.blobs
        digest = some_of_each(hub)["goldens", True]
    assert isinstance(store, S3Blobs)
    store.remove(digest)
    commands("blobs", "init")
    for rotten in (b"one", b"two"):
        spoil(store, digest, rotten)
    done = commands("blobs", "mend", "--from-hub", code=1)
    assert done["mended"] == []
    assert [one["sha256"] for one in done["lost"]] == [digest]
    with store.open(digest) as there:
        assert there.read() == b"two", "what lies there is left alone"
    store.remove(digest)
    assert commands("blobs", "mend", "--from-hub", code=1)["lost"][0]["fault"] == "missing"


def test_g1_182_one_place_to_mend_from_is_named(acme: Acme, capsys: Capsys) -> None:
    commands = Commands(acme.root, capsys)
    folder = BlobFolder(acme.folder / "copy")
    folder.put_bytes(b"x")
    for words in ([], ["--from-hub", "--from-blobs", str(folder.root)]):
        said = commands("blobs", "mend", *words, code=2)
        assert said["error"]["code"] == "mend-from"


# -------------------------------------------------------------------- what it asks


def test_g1_185_all_evidence_is_read_by_one_query(acme: Acme) -> None:
    asked = list[str]()

    def note(*given: object) -> None:
        asked.append(str(given[2]))

    event.listen(acme.app.hub.engine, "before_cursor_execute", note)
    assert parts(acme)
    event.remove(acme.app.hub.engine, "before_cursor_execute", note)
    names = ("model_version", "goldens", "artifact", "evidence")
    counts = {name: sum(f"FROM {name}" in one for one in asked) for name in names}
    assert counts == dict.fromkeys(names, 1), "and what the log says of discards beside them"
