"""A test finds the programs that are declared for it and no others, wherever it runs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import conftest, programs
from tests.programs import EVERYWHERE, FOUND_ON, LIST, SYSTEM, Paths, listed, needed

ROOT = Path(__file__).parents[1]
UNDECLARED = "ls"
"""A program that every machine has, and of which no line of the list tells."""
MISSING = "no-such-program     its-package       test          shows what is said of it\n"


@pytest.mark.parametrize(
    "uses", [EVERYWHERE, pytest.param(SYSTEM, marks=pytest.mark.system)], ids=["test", "system"]
)
def test_f1_40_what_is_not_declared_is_not_found(uses: frozenset[str]) -> None:
    assert shutil.which(UNDECLARED, path=FOUND_ON)
    assert shutil.which(UNDECLARED) is None
    with pytest.raises(FileNotFoundError):
        subprocess.run([UNDECLARED], check=False)
    said = subprocess.run(["sh", "-c", UNDECLARED], check=False, capture_output=True)
    assert said.returncode == 127
    assert {one.name for one in Path(os.environ["PATH"]).iterdir()} == {
        one.name for one in needed(uses)
    }


def test_f1_41_what_is_declared_and_missing_is_said_with_its_package(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tmp_path / "programs.list"
    mine.write_text(LIST.read_text("utf-8") + MISSING, "utf-8")
    monkeypatch.setattr(programs, "LIST", mine)
    (tmp_path / "links").mkdir()
    monkeypatch.setitem(request.config.stash._storage, conftest.PATHS, Paths(tmp_path / "links"))
    with pytest.raises(pytest.fail.Exception) as failed:
        conftest.pytest_runtest_setup(request.node)
    assert str(failed.value) == (
        "The tests need no-such-program: install with apt-get install its-package"
    )


def made(folder: Path, more: str) -> subprocess.CompletedProcess[str]:
    """What `make system-tools` says where no package can be installed, and `more` is declared."""
    for name in ("Makefile", "requirements/programs.list"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    declared = [one for one in listed(LIST.read_text("utf-8")) if shutil.which(one.name)]
    lines = [f"{one.name} {one.package} system it\n" for one in declared]
    (folder / "requirements/programs.list").write_text("".join([*lines, more]), "utf-8")
    command = ["make", "--no-print-directory", "-C", str(folder), "system-tools"]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_f1_42_make_asks_for_what_is_declared_and_missing(tmp_path: Path) -> None:
    done = made(tmp_path, "")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    other = made(tmp_path, MISSING.replace(" test ", " other "))
    assert (other.returncode, other.stderr) == (0, "")
    lines = MISSING + MISSING.replace("no-such-program", "nor-this")
    done = made(tmp_path, lines)
    assert done.returncode == 2
    assert "The system tests need its-package: install with apt-get install its-package," in (
        done.stderr
    )


def test_f1_43_make_names_no_program_besides_the_list() -> None:
    """Each target asks for a part of it."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    asked = re.findall(r"\$\(call debian,([^)]*)\)", makefile)
    uses = {use for one in listed(LIST.read_text("utf-8")) for use in one.needed_for}
    assert asked
    assert {use for one in asked for use in one.split("|")} <= uses
    recipes = re.sub("##.*", "", makefile)
    for one in listed(LIST.read_text("utf-8")):
        if "test" not in one.needed_for:
            assert not re.search(rf"(?<![\w-]){re.escape(one.name)}(?![\w-])", recipes), one


def test_f1_44_where_time_goes_counts_what_a_test_starts(tmp_path: Path) -> None:
    """Also where several workers run the tests."""
    test = tmp_path / "test_one.py"
    test.write_text(BUSY, "utf-8")
    options = ["-p", "no:cacheprovider", "-c", str(tmp_path / "pytest.ini"), "--rootdir"]
    (tmp_path / "pytest.ini").write_text("[pytest]\n", "utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", *options, str(tmp_path)]
    for workers in ("0", "2"):
        done = subprocess.run(
            [*command, "--where-time-goes", "-n", workers, str(test)],
            check=False,
            capture_output=True,
            text=True,
            cwd=ROOT,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        found = re.findall(r"(?m)^ *([0-9.]+) s  test_one\.py(::test_busy)?$", done.stdout)
        seconds = [float(one) for one, _ in found]
        assert sum(one >= 0.3 for one in seconds) == 2, done.stdout  # the file, and the test
        whole = re.search(r"processor time: (\d+) s", done.stdout)
        assert whole
        assert int(whole[1]) >= 1


BUSY = """
import subprocess, sys

BUSY = "import time\\nwhile time.process_time() < 0.35: pass"

def test_busy():
    subprocess.run([sys.executable, "-S", "-c", BUSY], check=True)
"""
