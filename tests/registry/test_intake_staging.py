"""What is let into the staging folder, and how a source is told to be the same."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from sealift_registry.intake.incoming_folder import Caps, copy_tree, take_stock
from sealift_registry.intake.onnx_source import OnnxSource
from sealift_registry.intake.source import SourceFile, SourceRecord, checked, spelled
from sealift_signing import shape
from sealift_signing.errors import FailedError, NotFoundError, RefusedError


def silent(_path: str, _done: int, _total: int) -> None: ...


def refusal(source: Path, into: Path) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        OnnxSource(source).fetch(into, silent)
    return caught.value


def test_a_file_becomes_a_record(trained: Callable[[str], Path], tmp_path: Path) -> None:
    told = []
    record = OnnxSource(trained("tiny.onnx")).fetch(
        tmp_path / "staging", lambda *said: told.append(said)
    )
    content = trained("tiny.onnx").read_bytes()
    expected = SourceFile("tiny.onnx", len(content), hashlib.sha256(content).hexdigest())
    assert record.files == (expected,)
    assert (record.kind, record.locator, record.source_version) == ("onnx", "tiny.onnx", "file")
    assert (tmp_path / "staging" / "tiny.onnx").read_bytes() == content
    assert told == [("tiny.onnx", len(content), len(content))]
    assert shape.read(SourceRecord, shape.write(record), what="it") == record


def test_a_folder_keeps_its_layout(tmp_path: Path) -> None:
    (tmp_path / "m" / "data").mkdir(parents=True)
    (tmp_path / "m" / "model.onnx").write_bytes(b"model")
    (tmp_path / "m" / "data" / "weights").write_bytes(b"weights")
    record = OnnxSource(tmp_path / "m").fetch(tmp_path / "staging", silent)
    assert [file.path for file in record.files] == ["data/weights", "model.onnx"]
    assert record.size == 12
    assert take_stock(tmp_path / "staging", silent) == list(record.files)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        OnnxSource(tmp_path / "absent").fetch(tmp_path / "staging", silent)


def test_staging_must_be_empty(trained: Callable[[str], Path], tmp_path: Path) -> None:
    (tmp_path / "left-over").touch()
    with pytest.raises(FailedError) as caught:
        OnnxSource(trained("tiny.onnx")).fetch(tmp_path, silent)
    assert caught.value.code == "staging-not-empty"


@pytest.mark.parametrize("to_folder", [False, True])
def test_symbolic_links_are_not_followed(tmp_path: Path, to_folder: bool) -> None:
    model = tmp_path / "m"
    model.mkdir()
    secret = tmp_path / "secret"
    secret.mkdir() if to_folder else secret.write_text("secret")
    (model / "model.onnx").symlink_to(secret)
    error = refusal(model, tmp_path / "staging")
    assert error.code == "source-file-kind"
    assert "model.onnx" in error.what
    assert "symbolic link" in error.what
    assert "cp -rL FOLDER COPY" in error.next_step


def test_a_link_as_the_source_itself(tmp_path: Path, trained: Callable[[str], Path]) -> None:
    (tmp_path / "model.onnx").symlink_to(trained("tiny.onnx"))
    assert refusal(tmp_path / "model.onnx", tmp_path / "staging").code == "source-file-kind"


def test_a_pipe_does_not_hang(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    os.mkfifo(tmp_path / "m" / "model.onnx")
    assert refusal(tmp_path / "m", tmp_path / "staging").code == "source-file-kind"


@pytest.mark.parametrize("name", [".hidden", "a b", "a:b", "ümlaut", "-dash"])
def test_names_that_cannot_travel(tmp_path: Path, name: str) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / name).touch()
    assert refusal(tmp_path / "m", tmp_path / "staging").code == "source-file-name"


@pytest.mark.parametrize("caps", [Caps(files=1), Caps(size=7), Caps(depth=1)])
def test_caps(tmp_path: Path, caps: Caps) -> None:
    (tmp_path / "m" / "deep").mkdir(parents=True)
    (tmp_path / "m" / "a").write_bytes(b"1234")
    (tmp_path / "m" / "deep" / "b").write_bytes(b"5678")
    with pytest.raises(RefusedError) as caught:
        copy_tree(tmp_path / "m", tmp_path / "staging", silent, caps)
    assert caught.value.code == "source-too-big"


def test_an_unreadable_folder_is_named(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        (tmp_path / "m").write_text("root reads everything, but no file is a folder")
        with pytest.raises(FailedError):
            copy_tree(tmp_path / "m", tmp_path / "m", silent)
        return
    (tmp_path / "m").mkdir(mode=0)
    with pytest.raises(FailedError) as caught:
        copy_tree(tmp_path / "m", tmp_path / "staging", silent)
    assert caught.value.subject == str(tmp_path / "m")


# -------------------------------------------------------------------- identity

RECORD = SourceRecord(
    format=1,
    requires=(),
    kind="mlflow",
    locator="models:/digits/17",
    source_version="MLflow v17",
    aliases=("champion",),
    details={"run": "1"},
    files=(SourceFile("a", 1, "a" * 64), SourceFile("b", 2, "b" * 64)),
)


def test_identity_ignores_what_may_change() -> None:
    same = replace(
        RECORD,
        aliases=(),
        details={},
        source_version="x",
        files=(RECORD.files[1], RECORD.files[0]),
    )
    assert same.identity() == RECORD.identity()


@pytest.mark.parametrize(
    "other",
    [
        {"kind": "dvc"},
        {"locator": "models:/digits/18"},
        {"files": (RECORD.files[0],)},
        {"files": (replace(RECORD.files[0], path="c"), RECORD.files[1])},
        {"files": (replace(RECORD.files[0], sha256="c" * 64), RECORD.files[1])},
    ],
)
def test_identity_tells_versions_apart(other: dict[str, object]) -> None:
    assert replace(RECORD, **other).identity() != RECORD.identity()  # type: ignore[arg-type]


def test_details_are_spelled_as_documents_are() -> None:
    said = {"a": 0.1, "b": None, 3: [1, None, {"c": 2**60}], "d": True, "e": float("nan")}
    found = spelled(said)
    assert found == {"a": "0.1", "3": [1, {"c": str(2**60)}], "d": True, "e": "nan"}
    checked(replace(RECORD, details=found))


def test_a_record_that_no_document_can_hold_is_refused() -> None:
    with pytest.raises(RefusedError) as caught:
        checked(replace(RECORD, locator="models:/\x1b[2J/1"))
    assert caught.value.code == "source-record"
