"""A page of docs/, followed to the letter: its files written, its changes made, its commands run.

A page shows one block after the other. A file or a change of one (`diff`) follows a paragraph that
ends with its path and a colon; a block of `text` is what the commands before it printed, with "…"
for what is another each time.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.forked_commands import PROGRAMS

ROOT = Path(__file__).parents[1]
COMMAND = "#!{python}\nfrom {module} import main\nmain()\n"
SHELL = ("bash", "-e", "-u", "-o", "pipefail")
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_PLACE = re.compile(r"`([\w./-]+)`:\s*\Z")


@dataclass(frozen=True)
class Block:
    """What a page shows between fences.

    Attributes:
        language: that it is marked with.
        place: the path that the paragraph before ends with; empty where there is none.
    """

    language: str
    text: str
    place: str


def blocks(page: Path, *languages: str) -> list[Block]:
    """What a page shows, in order: all of it, or in these languages."""
    text = page.read_text("utf-8")
    found = []
    for match in _BLOCK.finditer(text):
        place = _PLACE.search(text[: match.start()])
        found.append(Block(match[1], match[2], place[1] if place else ""))
    return [one for one in found if not languages or one.language in languages]


def changed(text: str, block: Block) -> str:
    """`text` after what a block of the language `diff` shows: each part, which "@@" divides.

    What a part stands on is there once.
    """
    for part in re.split(r"^@@.*\n", block.text, flags=re.MULTILINE):
        lines = part.splitlines(keepends=True)
        before = "".join(line[1:] for line in lines if line[0] != "+")
        after = "".join(line[1:] for line in lines if line[0] != "-")
        assert text.count(before) == 1, f"{block.place} does not hold, or not once:\n{before}"
        text = text.replace(before, after)
    return text


def change(root: Path, block: Block) -> None:
    """Change a file as a block says."""
    file = root / block.place
    file.write_text(changed(file.read_text("utf-8"), block), "utf-8")


def follow(page: Path, folder: Path, environment: Mapping[str, str]) -> str:
    """Do all that a page says, in `folder`, and hold what it shows to what was printed.

    Each block of commands is run by a shell of its own, which begins in that folder.
    """
    said, every = "", ""
    for block in blocks(page):
        if block.language == "bash":
            said = shell(block.text, folder, environment)
            every += said
        elif block.language == "text":
            check_shown(block.text, said)
        elif block.language == "diff":
            change(folder, block)
        elif block.place:
            file = folder / block.place
            assert not file.exists(), f"{block.place} is there already"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text, "utf-8")
    return every


def check_shown(shown: str, said: str) -> None:
    """Each line that a page shows was printed, in that order."""
    printed = iter(said.splitlines())
    for line in shown.splitlines():
        pattern = re.compile(".*".join(map(re.escape, line.strip().split("…"))))
        found = any(pattern.fullmatch(one.strip()) for one in printed)
        assert found, f"The page shows, and nobody printed so there: {line}\n\n{said[-4000:]}"


def shell(script: str, folder: Path, environment: Mapping[str, str]) -> str:
    """What one shell prints that runs `script` in `folder`."""
    return run(SHELL, script, folder, environment)


def run(
    command: Sequence[str | Path], given: str, folder: Path, environment: Mapping[str, str]
) -> str:
    """What a command prints that is given a text to read."""
    done = subprocess.run(
        list(command),
        input=given,
        cwd=folder,
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=540,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


def environment(folder: Path, *places: Path) -> dict[str, str]:
    """Of somebody who has our programs, or those that lie in `places`, and no settings of ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SEALIFT_")}
    path = (*map(str, places), str(Path(sys.executable).parent), os.environ["PATH"])
    own = {"PATH": os.pathsep.join(path), "XDG_CONFIG_HOME": str(folder / "config")}
    return kept | own | {"SEALIFT_LIMITS__RESERVE_MIB": "0"}


PACKAGES = ("migrations", "offline-sync", "registry", "signing")
"""The folders in which our packages lie."""
BESIDE = ("docs", "requirements", "tests", "CHANGELOG.md", "Makefile", "pyproject.toml")
"""What tests and targets read besides."""


@dataclass(frozen=True)
class Tree:
    """A copy of our code, with an interpreter that finds it before ours: workers use it, too.

    Attributes:
        root: of the copy; its environment is `.venv`, as in a repository.
    """

    root: Path

    @classmethod
    def copied(cls, root: Path, *names: str) -> Tree:
        """A copy of these folders and files of the repository in the new folder `root`."""
        for name in names:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            copy(ROOT / name, root / name)
        tree = cls(root)
        tree._make_environment([root / name for name in names if name in PACKAGES])
        return tree

    @property
    def bin(self) -> Path:
        """Its interpreter and its commands."""
        return self.root / ".venv/bin"

    def environment(self, folder: Path) -> dict[str, str]:
        """Of somebody who works in `folder` with the programs of this copy."""
        return environment(folder, self.bin)

    def python(self, script: str, *arguments: str | Path) -> str:
        """What its interpreter prints."""
        command = [self.bin / "python", "-c", script, *arguments]
        return run(command, "", self.root, self.environment(self.root))

    def _make_environment(self, packages: Sequence[Path]) -> None:
        venv.create(self.root / ".venv", symlinks=True, with_pip=False)
        paths = {"base": str(self.root / ".venv"), "platbase": str(self.root / ".venv")}
        found = Path(sysconfig.get_path("purelib", "venv", paths)) / "tree.pth"
        ours = sysconfig.get_path("purelib")
        first = "".join(f"{package}\n" for package in packages)
        found.write_text(f"{first}import site; site.addsitedir({ours!r})\n")
        for stamp in (".uv", ".dev"):  # make finds the environment up to date
            (self.root / ".venv" / stamp).touch()
        for name, module in PROGRAMS.items():
            command = self.bin / name
            command.write_text(COMMAND.format(python=self.bin / "python", module=module))
            command.chmod(0o755)
