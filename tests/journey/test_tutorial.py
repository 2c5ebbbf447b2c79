"""The tutorial *Your own model in 15 minutes*, followed to the letter."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import stores
from tests.forked_commands import stand_ins

PAGE = Path(__file__).parents[2] / "docs/tutorial/your-own-model.md"
FORKED, INSTALLED = "forked", "installed"


@pytest.fixture(scope="module", params=[FORKED, pytest.param(INSTALLED, marks=pytest.mark.system)])
def followed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str, str]:
    """The folder in which the page's commands ran, and what its two halves printed."""
    folder = tmp_path_factory.mktemp("wine")
    page = PAGE.read_text(encoding="utf-8")
    before, alone, together = re.split(r"^## [12]\. .*$", page, flags=re.MULTILINE)
    assert "make demo" in before
    assert "\nexport " not in page, "a variable would not reach the second half"
    # The page's own preparation gives a shell the commands, and a new folder.
    with _programs(request.param, tmp_path_factory) as programs:
        return folder, _run(alone, folder, programs), _run(together, folder, programs)


@contextmanager
def _programs(which: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The first part of a PATH that leads to our programs, and to Python."""
    installed = str(Path(sys.executable).parent)
    if which == INSTALLED:
        yield installed
        return
    with stand_ins(tmp_path_factory.mktemp("programs") / "bin") as folder:
        yield f"{folder}{os.pathsep}{installed}"


@pytest.mark.timeout(600)
def test_a1_10_your_own_model_works_to_the_letter_alone(followed: tuple[Path, str, str]) -> None:
    folder, said, _ = followed
    assert "Approved by" in said
    assert "UNPROTECTED" in said
    assert "lab/wine in host group cpu runs version 2." in said
    assert "cellar-000002 was already imported; nothing changed." in said
    current = folder / "sealift-site/models/cpu/lab/wine/current"
    assert current.readlink().name.startswith("1-"), "rolled back, and it holds"
    assert "The log is whole" in said


@pytest.mark.timeout(600)
def test_a1_10_your_own_model_works_to_the_letter_in_full(followed: tuple[Path, str, str]) -> None:
    folder, _, said = followed
    assert "signed by anna, ben." in said
    assert "1 of 2 approvals; waiting for 1 more" in said
    assert "2 of 2 approvals; listed" in said
    assert "UNPROTECTED" not in said
    assert (
        folder / "organisation/sealift-site/models/cpu/lab/forest/current/forest.onnx"
    ).is_file()
    assert said.rstrip().endswith("Nothing is missing.")


def _run(half: str, folder: Path, programs: str) -> str:
    """Run the commands of one half of the page in one shell; what they printed."""
    script = "\n".join(re.findall(r"^```bash\n(.*?)^```$", half, flags=re.DOTALL | re.MULTILINE))
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SEALIFT_")}
    environment["XDG_CONFIG_HOME"] = str(folder / "config")
    environment["PATH"] = f"{programs}{os.pathsep}{os.environ['PATH']}"
    environment |= stores.environment()
    done = subprocess.run(
        ["bash", "-e", "-u", "-o", "pipefail"],
        input=script,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=540,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-4000:]}"
    stores.check_kept(next(folder.rglob("sealift-hub")))
    return done.stdout
