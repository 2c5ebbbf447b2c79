"""YAML that becomes larger than it looks is refused before anything is built of it."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from sealift_registry.intake import mlflow_worker
from sealift_registry.intake.dvc_source import DvcSource
from sealift_registry.intake.yaml_bound import MOST_ALIASED, AliasesError, check_size
from sealift_signing.errors import RefusedError, SealiftError
from tests.sources import GIT_WHO, DvcRepository


def silent(_path: str, _done: int, _total: int) -> None: ...


def bomb(levels: int = 9, width: int = 10) -> str:
    """Some hundred bytes that stand for width^levels values."""
    lines = (
        f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * width)}]\n"
        for level in range(1, levels + 1)
    )
    return "a0: &a0 [lol]\n" + "".join(lines)


def merging(levels: int = 9, width: int = 10) -> str:
    """The same by merge keys, which are written out while they are read."""
    lines = (
        f"m{level}: &m{level} {{<<: [{', '.join([f'*m{level - 1}'] * width)}]}}\n"
        for level in range(1, levels + 1)
    )
    return "m0: &m0 {lol: 1}\n" + "".join(lines)


def checked(text: str) -> None:
    check_size(yaml.parse(text, Loader=yaml.SafeLoader), what="it")


@pytest.mark.parametrize(
    "text", [bomb(), merging(), bomb(20, 2), bomb(4, 10), "a: &a [*a]", "- *b"]
)
def test_what_aliases_would_become_is_refused(text: str) -> None:
    with pytest.raises((AliasesError, yaml.YAMLError)):
        checked(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a: &a 1\nb: *a\n",
        "base: &base {x: 1, y: [1, 2]}\nother: {<<: *base, z: 3}\n",
        bomb(3, 10),
        "- &again [1]\n- &again [2]\n- *again\n",
        "\n".join(f"- {number}" for number in range(3 * MOST_ALIASED)),
    ],
)
def test_what_people_write_is_read(text: str) -> None:
    checked(text)


def test_the_bound_counts_what_would_stand_there() -> None:
    row = "- &row [" + ", ".join("1" * 99) + "]\n"  # a hundred values
    checked(row + "- *row\n" * (MOST_ALIASED // 100))
    with pytest.raises(AliasesError, match="10,000"):
        checked(row + "- *row\n" * (MOST_ALIASED // 100 + 1))


@pytest.mark.parametrize("text", [bomb(), merging()])
def test_t1_06_an_mlmodel_that_is_a_bomb(tmp_path: Path, text: str) -> None:
    (tmp_path / "MLmodel").write_text(text)
    with pytest.raises(RefusedError, match="aliases stand for more") as refused:
        mlflow_worker._mlmodel(tmp_path)
    assert refused.value.code == "yaml-aliases"
    (tmp_path / "MLmodel").write_text("flavors: &one {python: 1}\nsignature: *one\n")
    assert mlflow_worker._mlmodel(tmp_path)["signature"] == {"python": 1}


@pytest.mark.parametrize("file", ["dvc.yaml", "model.txt.dvc"])
@pytest.mark.parametrize("text", [bomb(), merging()])
def test_t1_06_a_dvc_file_that_is_a_bomb(
    dvc_repository: DvcRepository, tmp_path: Path, file: str, text: str
) -> None:
    mine = dvc_repository.copied(tmp_path / "mine")
    (mine.path / file).write_text(text)
    git = ("git", "-C", str(mine.path), *GIT_WHO)
    subprocess.run([*git, "add", "-A", "--force"], check=True, capture_output=True)
    subprocess.run([*git, "commit", "-q", "-m", "A bomb"], check=True, capture_output=True)
    began = time.monotonic()
    with pytest.raises(RefusedError, match="aliases stand for more") as refused:
        DvcSource(str(mine.path), "model.txt", "HEAD").fetch(tmp_path / "into", silent)
    assert refused.value.code == "yaml-aliases"
    assert time.monotonic() - began < 120


FILES_OF_DVC = {
    "params.yaml": {"params": ["params.yaml"]},
    "metrics.yaml": {"metrics": ["metrics.yaml"]},
    "values.yaml": {"vars": ["values.yaml"]},
    "folder/params.yaml": {"params": ["folder/params.yaml"]},
}
"""What DVC reads besides dvc.yaml → what in dvc.yaml names it."""
NEEDED = {"params.yaml", "values.yaml"}
"""Of these, what DVC takes values of dvc.yaml from; the others it only shows."""


def committed(repository: DvcRepository, folder: Path, **files: str) -> str:
    """The path of a copy in which the last commit adds these files."""
    mine = repository.copied(folder)
    for name, text in files.items():
        (mine.path / name).parent.mkdir(exist_ok=True)
        (mine.path / name).write_text(text)
    git = ("git", "-C", str(mine.path), *GIT_WHO)
    subprocess.run([*git, "add", "-A", "--force"], check=True, capture_output=True)
    subprocess.run([*git, "commit", "-q", "-m", "More"], check=True, capture_output=True)
    return str(mine.path)


@pytest.mark.parametrize(
    "file, text", [*((file, bomb()) for file in FILES_OF_DVC), ("params.yaml", merging())]
)
def test_t1_70_whatever_yaml_dvc_reads_is_no_bomb(
    dvc_repository: DvcRepository, tmp_path: Path, file: str, text: str
) -> None:
    """What only describes a model is left out, and what DVC needs to read on is refused."""
    files = {file: text, "dvc.yaml": json.dumps(FILES_OF_DVC[file])}
    mine = committed(dvc_repository, tmp_path / "mine", **files)
    began = time.monotonic()
    source = DvcSource(mine, "models/digits.txt", "HEAD")
    if file in NEEDED:
        with pytest.raises(RefusedError, match=file) as refused:
            source.fetch(tmp_path / "into", silent)
        assert refused.value.code == "yaml-aliases"
    else:
        assert "lol" not in json.dumps(source.fetch(tmp_path / "into", silent).details)
    assert time.monotonic() - began < 120


@pytest.mark.parametrize(
    "file, text",
    [
        ("dvc.yaml", "outs: [\n"),
        ("folder/dvc.yaml", "a: 1\n\tb: 2\n"),
        ("other.txt.dvc", "outs: [\n"),
        ("params.yaml", "a: 1\n\tb: 2\n"),
    ],
)
def test_t1_71_a_file_that_is_no_yaml_is_named(
    dvc_repository: DvcRepository, tmp_path: Path, file: str, text: str
) -> None:
    mine = committed(dvc_repository, tmp_path / "mine", **{file: text})
    with pytest.raises(SealiftError) as told:
        DvcSource(mine, "models/digits.txt", "HEAD").fetch(tmp_path / "into", silent)
    assert told.value.code == "dvc-failed"
    assert Path(file).name in told.value.what


def test_t1_71_people_s_own_anchors_are_read_everywhere(
    dvc_repository: DvcRepository, tmp_path: Path
) -> None:
    rows = "".join(f"run-{number}: {{<<: *base, seed: {number}}}\n" for number in range(100))
    files = {
        "params.yaml": "base: &base {depth: 3, rate: 0.1}\n" + rows,
        "values.yaml": "shared: &größe {x: 1}\nsame: *größe\n",
        "dvc.yaml": "vars: [values.yaml]\nparams: [params.yaml]\nmetrics: [metrics.json]\nstages:\n"
        "  one: &stage\n    cmd: python one.py\n    deps: [models/digits.txt]\n"
        "  two:\n    <<: *stage\n    cmd: python two.py ${same.x}\n",
    }
    mine = committed(dvc_repository, tmp_path / "mine", **files)
    record = DvcSource(mine, "models/digits.txt", "HEAD").fetch(tmp_path / "into", silent)
    details = json.loads(json.dumps(record.details))
    assert details["params"]["params.yaml"]["run-99"]["seed"] == 99
    assert details["params"]["params.yaml"]["run-99"]["depth"] == 3
