"""YAML that becomes larger than it looks is refused before anything is built of it."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
import yaml

from sealift_registry.intake import mlflow_worker
from sealift_registry.intake.dvc_source import DvcSource
from sealift_registry.intake.yaml_bound import MOST_ALIASED, AliasesError, check_size
from sealift_signing.errors import RefusedError
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
