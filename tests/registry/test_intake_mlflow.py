"""MLflow: a real server over HTTP, and a real sqlite store."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path

import pytest

from sealift_registry.intake import goldens, mlflow_artifacts, mlflow_source
from sealift_registry.intake.incoming_folder import Caps
from sealift_registry.intake.mlflow_source import MlflowSource
from sealift_registry.intake.scan import scan
from sealift_registry.intake.source import SourceRecord
from sealift_signing.errors import FailedError, NotFoundError, RefusedError, UsageError

LOGGED = {"MLmodel", "conda.yaml", "input_example.json", "model.skops", "python_env.yaml"}
LOGGED |= {"requirements.txt", "serving_input_example.json"}


def silent(_path: str, _done: int, _total: int) -> None: ...


SERVER = pytest.param("server", marks=pytest.mark.system)
"""It takes half a minute to answer, of the few that `make test` has."""


@pytest.fixture(params=[SERVER, "store"])
def registry(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"mlflow_{request.param}"))


def fetch(registry: str, model: str, into: Path) -> SourceRecord:
    return MlflowSource(registry, model).fetch(into, silent)


@pytest.fixture(scope="module")
def first(mlflow_store: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SourceRecord]:
    """The store's digits 1, fetched once, and its folder."""
    folder = tmp_path_factory.mktemp("first")
    return folder, fetch(mlflow_store, "models:/digits/1", folder)


@pytest.fixture(scope="module")
def boosted(
    mlflow_store: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, SourceRecord]:
    """The store's digits-xgb 1, fetched once, and its folder."""
    folder = tmp_path_factory.mktemp("boosted")
    return folder, fetch(mlflow_store, "models:/digits-xgb/1", folder)


def test_a_version_by_number(registry: str, tmp_path: Path) -> None:
    record = fetch(registry, "models:/digits/1", tmp_path / "staging")
    assert record.locator == "models:/digits/1"
    assert record.source_version == "MLflow v1"
    assert record.aliases == ()
    assert {file.path for file in record.files} == LOGGED
    details = record.details
    assert details["tracking_uri"] == registry
    assert details["model_id"].startswith("m-")
    assert details["source"] == f"models:/{details['model_id']}"
    assert details["run"]["params"] == {"C": "1.0"}
    assert float(details["run"]["metrics"]["accuracy"]) > 0.85
    assert "float32" in details["mlmodel"]["signature"]["inputs"]
    assert details["mlmodel"]["flavors"]["sklearn"]["serialization_format"] == "skops"
    assert details["mlmodel"]["saved_input_example_info"]["artifact_path"] == "input_example.json"
    assert len(details["run_id"]) == 32


def test_an_alias_is_resolved_and_is_the_same_version(registry: str, tmp_path: Path) -> None:
    by_alias = fetch(registry, "models:/digits@champion", tmp_path / "a")
    by_number = fetch(registry, "models:/digits/2", tmp_path / "b")
    assert by_alias.locator == "models:/digits/2"
    assert by_alias.aliases == ("champion",)
    assert by_alias.identity() == by_number.identity()


def test_the_input_example_serves_as_goldens(
    first: tuple[Path, SourceRecord], tmp_path: Path
) -> None:
    record = goldens.from_input_example(first[0], tmp_path / "goldens.npz")
    assert (record.rows, record.origin, record.has_answers) == (8, "input example", False)
    assert record.arrays[0].shape == (8, 64)


def test_a_short_input_example_does_not(boosted: tuple[Path, SourceRecord], tmp_path: Path) -> None:
    with pytest.raises(NotFoundError) as caught:
        goldens.from_input_example(boosted[0], tmp_path / "goldens.npz")
    assert "3 rows" in caught.value.what
    assert "--goldens" in caught.value.next_step


@pytest.mark.parametrize("which, expected", [("first", "skops"), ("boosted", "xgboost-ubj")])
def test_every_file_that_mlflow_writes_is_known(
    request: pytest.FixtureRequest, which: str, expected: str
) -> None:
    folder, record = request.getfixturevalue(which)
    report = scan(folder, record.files)
    assert report.refusal() is None
    assert report.model_format == expected


def test_a_pickle_from_mlflow_is_refused(mlflow_store: str, tmp_path: Path) -> None:
    record = fetch(mlflow_store, "models:/digits-pickled/1", tmp_path / "staging")
    refusal = scan(tmp_path / "staging", record.files).refusal()
    assert refusal is not None
    assert refusal.code == "scan-pickle"
    assert refusal.subject == "model.pkl"
    assert "serialization_format='skops'" in refusal.next_step


@pytest.mark.parametrize(
    "model, code, known",
    [
        ("models:/absent/1", "mlflow-model-unknown", "absent"),
        ("models:/digits/99", "mlflow-version-unknown", "99"),
        ("models:/digits@absent", "mlflow-alias-unknown", "champion"),
    ],
)
def test_what_is_not_there(
    registry: str, tmp_path: Path, model: str, code: str, known: str
) -> None:
    with pytest.raises(NotFoundError) as caught:
        fetch(registry, model, tmp_path / "staging")
    assert caught.value.code == code
    assert known in str(caught.value)


@pytest.mark.parametrize("model", ["digits", "models:/digits", "models:/a/b/1", "runs:/1/model"])
def test_addresses_that_are_none(tmp_path: Path, model: str) -> None:
    with pytest.raises(UsageError):
        fetch("http://127.0.0.1:9", model, tmp_path / "staging")


@pytest.mark.parametrize("uri", ["file:///tmp/mlruns", "databricks", "mlruns", "http://"])
def test_tracking_addresses_that_are_not_read(tmp_path: Path, uri: str) -> None:
    with pytest.raises(UsageError):
        fetch(uri, "models:/digits/1", tmp_path / "staging")


def test_a_server_that_does_not_answer(tmp_path: Path) -> None:
    with pytest.raises(FailedError) as caught:
        fetch("http://alice:secret@127.0.0.1:9", "models:/digits/1", tmp_path / "staging")
    assert caught.value.code == "mlflow-unreachable"
    assert "secret" not in str(caught.value)


def test_mlflow_that_is_not_installed(
    mlflow_store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = tmp_path / "absent" / "mlflow"
    absent.mkdir(parents=True)
    (absent / "__init__.py").write_text("raise ModuleNotFoundError('no', name='mlflow')")
    worker = replace(mlflow_source.WORKER, given={"PYTHONPATH": str(absent.parent)})
    monkeypatch.setattr(mlflow_source, "WORKER", worker)
    with pytest.raises(FailedError) as caught:
        fetch(mlflow_store, "models:/digits/1", tmp_path / "staging")
    assert caught.value.code == "mlflow-missing"
    assert "sealift-registry[mlflow]" in caught.value.next_step


@pytest.mark.parametrize("content", [None, b"no database"])
def test_a_store_that_is_none_is_not_made(tmp_path: Path, content: bytes | None) -> None:
    store = tmp_path / "mlflow.db"
    if content is not None:
        store.write_bytes(content)
    with pytest.raises(NotFoundError):
        fetch(f"sqlite:///{store}", "models:/digits/1", tmp_path / "staging")
    assert store.exists() == (content is not None)


@pytest.mark.system
def test_passwords_are_not_recorded(mlflow_server: str, tmp_path: Path) -> None:
    address = mlflow_server.replace("http://", "http://alice:secret@")
    record = fetch(address, "models:/digits/1", tmp_path / "staging")
    assert record.details["tracking_uri"] == mlflow_server


@pytest.mark.system
def test_a_server_may_not_name_a_folder_of_this_machine(
    mlflow_store: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A store whose artifacts lie on disk, served without them: as a hostile server would."""
    from tests.sources import serving_mlflow

    folder = tmp_path_factory.mktemp("hostile")
    with (
        sqlite3.connect(mlflow_store.removeprefix("sqlite:///")) as theirs,
        sqlite3.connect(folder / "server.db") as copy,
    ):
        theirs.backup(copy)
    with serving_mlflow(folder) as address, pytest.raises(RefusedError) as caught:
        fetch(address, "models:/digits/1", tmp_path / "staging")
    assert caught.value.code == "mlflow-local-artifacts"


# -------------------------------------------------------------------- what a hostile server may say


@pytest.mark.parametrize(
    "location, code",
    [
        ("mlflow-artifacts://elsewhere/1/model", "mlflow-artifact-host"),
        ("mlflow-artifacts://host:5001/1/model", "mlflow-artifact-host"),
        ("http://host:5000/model", "mlflow-artifact-kind"),
        ("ftp://host/model", "mlflow-artifact-kind"),
        ("dbfs:/model", "mlflow-artifact-kind"),
        ("models:/m-1", "mlflow-artifact-kind"),
        ("runs:/1/model", "mlflow-artifact-kind"),
        ("/etc", "mlflow-artifact-kind"),
    ],
)
def test_only_the_server_that_was_named_gets_its_password(location: str, code: str) -> None:
    with pytest.raises(RefusedError) as caught:
        mlflow_artifacts.check_location(location, "http://host:5000")
    assert caught.value.code == code


@pytest.mark.parametrize(
    "location", ["mlflow-artifacts:/1/model", "mlflow-artifacts://host:5000/1", "s3://models/1"]
)
def test_addresses_that_are_followed(location: str) -> None:
    mlflow_artifacts.check_location(location, "http://host:5000")


@dataclass
class Liar:
    """A repository that lists what it likes, and of which every file sends `sent`."""

    listed: Callable[[str | None], list[Entry]]
    sent: Callable[[], Iterator[bytes]] = lambda: iter([b"12345"])

    def list_artifacts(self, folder: str | None) -> list[Entry]:
        return self.listed(folder)


@dataclass
class Entry:
    path: str
    file_size: int | None = 5
    is_dir: bool = False


@pytest.fixture
def lying(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[Liar], list[str]]:
    """Downloads from a liar to `staging`, and says what came."""
    into = tmp_path / "staging"
    into.mkdir()

    def download(liar: Liar) -> list[str]:
        monkeypatch.setattr(mlflow_artifacts, "_repository", lambda *_: liar)
        monkeypatch.setattr(mlflow_artifacts, "_stream", lambda *_: liar.sent())
        mlflow_artifacts.download("s3://models/1", "http://host", into, silent)
        return sorted(path.name for path in into.rglob("*") if path.is_file())

    return download


def test_what_is_told_truly_is_downloaded(lying: Callable[[Liar], list[str]]) -> None:
    inner = [Entry("a/b"), Entry("a/c", None)]
    truth = Liar(lambda at: inner if at else [Entry("a", None, is_dir=True), Entry("d")])
    assert lying(truth) == ["b", "c", "d"]


@pytest.mark.parametrize(
    "path",
    ["../x", "/etc/x", "a/../../x", "", ".", "a//b", "a\\b", "-x", "a/" * 9 + "b"],
)
@pytest.mark.parametrize("is_dir", [False, True])
def test_a_listed_name_leads_nowhere_else(
    lying: Callable[[Liar], list[str]], tmp_path: Path, path: str, is_dir: bool
) -> None:
    with pytest.raises(RefusedError) as caught:
        lying(Liar(lambda at: [] if at else [Entry(path, is_dir=is_dir)]))
    assert caught.value.code in {"source-file-name", "source-too-big"}
    assert [found.name for found in tmp_path.rglob("*")] == ["staging"]


def test_a_file_that_never_ends_is_cut_where_it_was_listed_to_end(
    lying: Callable[[Liar], list[str]], tmp_path: Path
) -> None:
    with pytest.raises(RefusedError) as caught:
        lying(Liar(lambda _: [Entry("a")], lambda: repeat(b"123")))
    assert caught.value.code == "source-too-big"
    assert (tmp_path / "staging" / "a").stat().st_size <= 5


def test_a_file_without_a_size_may_fill_what_a_model_may_have(
    lying: Callable[[Liar], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mlflow_artifacts, "CAPS", Caps(size=1000))
    listed = [Entry("a", 900), Entry("b", None)]
    with pytest.raises(RefusedError) as caught:
        lying(Liar(lambda _: listed, lambda: iter([bytes(300)] * 3)))
    assert caught.value.subject == "b"


def test_a_file_that_ends_early_is_not_taken(lying: Callable[[Liar], list[str]]) -> None:
    with pytest.raises(FailedError) as caught:
        lying(Liar(lambda _: [Entry("a", 6)]))
    assert caught.value.code == "mlflow-artifact-cut"


@pytest.mark.parametrize("is_dir", [False, True])
def test_a_listing_that_never_ends(
    lying: Callable[[Liar], list[str]], monkeypatch: pytest.MonkeyPatch, is_dir: bool
) -> None:
    """Also where it is the same folder again and again."""
    monkeypatch.setattr(mlflow_artifacts, "CAPS", Caps(files=100))
    many = [Entry("a", is_dir=is_dir)] * 60
    with pytest.raises(RefusedError) as caught:
        lying(Liar(lambda _: many if is_dir else many * 2))
    assert caught.value.code == "source-too-big"


def test_nothing_is_no_model(lying: Callable[[Liar], list[str]]) -> None:
    with pytest.raises(NotFoundError) as caught:
        lying(Liar(lambda _: []))
    assert caught.value.code == "mlflow-artifact-missing"


@pytest.mark.parametrize(
    "uri", ["postgresql://alice:secret@db/mlflow", "mysql+pymysql://alice:secret@db/mlflow"]
)
def test_an_address_that_is_not_read_is_told_without_its_password(tmp_path: Path, uri: str) -> None:
    with pytest.raises(UsageError) as caught:
        fetch(uri, "models:/digits/1", tmp_path / "staging")
    assert "secret" not in f"{caught.value} {caught.value.subject}"
