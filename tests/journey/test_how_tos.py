"""How-tos that anybody can follow in a new folder, followed to the letter."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.forked_commands import stand_ins
from tests.pages import BESIDE, PACKAGES, ROOT, Tree, blocks, environment, follow
from tests.programs import FOUND_ON

EVOLVE = ROOT / "docs/how-to/evolve-a-document.md"
ASK = ROOT / "docs/how-to/add-a-question-to-the-log.md"
SYSTEM = ROOT / "docs/how-to/write-a-system-test.md"
HARDWARE = ROOT / "docs/how-to/describe-a-hardware-target.md"

CODE = (ASK, EVOLVE, SYSTEM)


@pytest.mark.timeout(600)
def test_f2_502_a_hardware_target_of_ones_own_works_to_the_letter(tmp_path: Path) -> None:
    with stand_ins(tmp_path / "programs") as programs:
        follow(HARDWARE, tmp_path, environment(tmp_path, programs))
    current = tmp_path / "sealift-site/models/press/lab/line/current"
    assert (current / "line.onnx").is_file()


@pytest.mark.timeout(600)
def test_f2_503_a_document_is_evolved_to_the_letter(tmp_path: Path) -> None:
    tree = Tree.copied(tmp_path / "tree", *PACKAGES, *BESIDE)
    follow(EVOLVE, tree.root, tree.environment(tree.root))


@pytest.mark.timeout(600)
def test_f2_505_a_question_is_added_to_the_letter(tmp_path: Path) -> None:
    tree = Tree.copied(tmp_path / "tree", *PACKAGES, *BESIDE)
    follow(ASK, tree.root, tree.environment(tree.root))


def declared(folder: Path) -> Path:
    """A folder with a link to the program of which the page's first step tells."""
    folder.mkdir()
    program = shutil.which("sha256sum", path=FOUND_ON)
    assert program
    (folder / "sha256sum").symlink_to(program)
    return folder


@pytest.mark.system
@pytest.mark.timeout(600)
def test_f2_506_a_system_test_is_written_to_the_letter(tmp_path: Path) -> None:
    tree = Tree.copied(tmp_path / "tree", *PACKAGES, *BESIDE)
    programs = declared(tmp_path / "programs")
    follow(SYSTEM, tree.root, environment(tree.root, tree.bin, programs))


@pytest.mark.system
def test_f2_507_without_its_line_the_program_is_found_by_no_test(tmp_path: Path) -> None:
    """Also on a machine that has it."""
    tree = Tree.copied(tmp_path / "tree", *PACKAGES, *BESIDE)
    (test,) = blocks(SYSTEM, "python")
    (tree.root / test.place).write_text(test.text)
    done = subprocess.run(
        [tree.bin / "python", "-m", "pytest", "-q", "-m", "system", test.place],
        cwd=tree.root,
        env=environment(tree.root, tree.bin, declared(tmp_path / "programs")),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "No such file or directory: 'sha256sum'" in done.stdout


@pytest.mark.parametrize("page", CODE, ids=lambda page: page.stem)
def test_f2_508_what_a_page_has_written_is_written_as_ours_is(page: Path) -> None:
    """Tests on pages are read, and copied."""
    ruff = str(Path(sys.executable).with_name("ruff"))
    for block in blocks(page, "python"):
        for check in (["check", "--no-cache"], ["format", "--check", "--diff"]):
            command = [ruff, *check, "--stdin-filename", str(ROOT / block.place), "-"]
            done = subprocess.run(
                command, input=block.text, cwd=ROOT, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stdout + done.stderr
