"""Every command that is printed can be typed as it stands: what may hold a space is quoted."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import click
import pytest

from sealift_registry.cli import group
from sealift_registry.cli import run as hub
from sealift_registry.trust.draft_files import file_name
from sealift_signing.acts.material import Ask
from sealift_signing.desk.cli import run as desk
from sealift_signing.desk.cli.group import sign
from sealift_signing.errors import UsageError
from sealift_sync.cli import commands as site_commands
from sealift_sync.cli import run as site

ROOT = Path(__file__).parent.parent
PACKAGES = (
    "signing/sealift_signing",
    "offline-sync/sealift_sync",
    "registry/sealift_registry",
)
COMMAND = re.compile(r"\bsealift(-site|-sign)? (--home |[a-z]+\b)")
NAMES = re.compile(
    r"(.*\.)?(owner|full_version|site|_?stage|version|team|id|site_id|form|person|group|role|ref|"
    r"promotion|hardware_target|unsigned)"
)
"""Values that are spelled as names (docs/reference/formats.md): no shell reads more in them."""
OF_OURS = {
    ("accounts.py", "name"),
    ("granting.py", "of.name"),
    ("tokens.py", "name"),
    ("acts.py", "' '.join(words)"),
    ("acts.py", "name"),
    ("acts.py", "more"),
    ("acts.py", "digest"),
    ("asked.py", "kind"),
    ("blobs.py", "record.kind"),
    ("builder.py", "files"),
    ("blobs.py", "ref.of"),
    ("gate_history.py", "roles.RECALL"),
    ("fsck.py", "name"),
    ("gate_history.py", "one.digest[:12]"),
    ("home_locks.py", "os.getpid()"),
    ("key_owners.py", "owner.name"),
    ("reactivation.py", "model"),
    ("job_child.py", "self._id"),
    ("problems.py", "name"),
    ("records.py", "name"),
    ("showing.py", "place.model"),
    ("teams.py", "name"),
    ("guide.py", "stewards"),
    ("guide.py", "teams[0]"),
    ("binding.py", "of.name"),
    ("guide.py", "name"),
    ("guide.py", "min(hardware_targets, key=_x86_first)"),
}
"""Values that are names, digests or words of ours, though they are not called so."""


def _unquoted(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The values that stand in a printed command as they are, each with its line."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.JoinedStr):
            continue
        text = ""
        for part in node.values:
            if isinstance(part, ast.Constant):
                text += str(part.value)
            elif isinstance(part, ast.FormattedValue) and _in_command(text):
                yield part.lineno, ast.unparse(part.value)
                text += "x"
            else:
                text += "x"


def _in_command(text: str) -> bool:
    """Whether a value that follows `text` is a word of a command: nothing has ended it yet."""
    found = list(COMMAND.finditer(text))
    return bool(found) and not re.search(r"[.;,)\n`] |[;`\n]|, ", text[found[-1].start() :])


def _trees() -> Iterator[tuple[str, ast.Module]]:
    for one in PACKAGES:
        for file in sorted((ROOT / one).rglob("*.py")):
            if "demo" not in file.relative_to(ROOT).parts:  # it shows what people typed
                yield file.name, ast.parse(file.read_text("utf-8"))


def test_what_stands_in_a_printed_command_is_a_name_or_quoted() -> None:
    found = {
        (file, what)
        for file, tree in _trees()
        for _, what in _unquoted(tree)
        if not what.startswith("pasted(")
    }
    assert {one for one in found if not NAMES.fullmatch(one[1])} - OF_OURS == set()
    assert found >= OF_OURS, "an excuse that nothing needs"


def test_a_path_in_a_printed_command_is_found() -> None:
    tree = ast.parse('print(f"Then: sealift submit {file} --medium {pasted([medium])}")')
    assert [what for _, what in _unquoted(tree)] == ["file", "pasted([medium])"]


def test_prose_about_a_command_is_none() -> None:
    tree = ast.parse('f"See it with: sealift next. {path} stays." f"{path}: sealift next"')
    assert list(_unquoted(tree)) == []


CARRIED = [("assign", "plant-7", "vision/digits/3"), ("transfer", "plant-7-000001")]


@pytest.mark.parametrize("act", CARRIED)
def test_the_page_names_the_files_as_they_are_called(act: tuple[str, ...]) -> None:
    page = (ROOT / "docs" / "how-to" / "carry-a-disk.md").read_text("utf-8")
    draft = Path(file_name(Ask(act[0], act[1:], {})))
    assert f"sealift submit {draft.stem}.dispatcher-1.signed" in page


# -------------------------------------------------------------------- they are there, and whole

PROGRAMS: dict[str, tuple[click.Group, Callable[[list[str]], int]]] = {
    "sealift": (group.sealift, hub.run),
    "sealift-site": (site_commands.site, site.run),
    "sealift-sign": (sign, desk.run),
}
A_COMMAND = re.compile(r"(?<![\w/.-])(sealift(?:-site|-sign)?)((?: [^\s`;()]+)+)")
PROSE = {
    ("sealift", "process"): "what runs",
    ("sealift", "claim"): "what a session at a server says that it does",
    ("sealift", "ENCODING"): "SQL, of the database that is called so",
    ("sealift-sign", "wrote"): "what a file comes from",
    ("sealift-site", "itself"): "what refuses sockets",
}
"""What follows a program's name, and is none of its commands."""
AS_BEFORE = {
    "sealift promote": "as it was called before",
    "sealift init": "the sentence says that it is run as it was before, or where to begin",
    "sealift db check": "no database is named where there is nothing",
    "sealift db upgrade": "no database is named where there is nothing",
    "sealift key card": "the name of a command",
    "sealift-sign card": "the name of a command",
    "sealift-sign key new": "the name of a command",
    "sealift show": "the name of a command",
    "sealift site enroll": "the name of a command",
    "sealift-sign share": "the name of a command",
    "sealift-sign trust": "the name of a command",
    "sealift-sign write": "the name of a command",
}
"""Commands that need more, and are named without it, each with its reason."""


class Printed(NamedTuple):
    """A command that is printed: its program, the words that name it, and all that follow."""

    program: str
    path: tuple[str, ...]
    rest: tuple[str, ...]

    @property
    def name(self) -> str:
        return " ".join((self.program, *self.path))


def _texts(tree: ast.Module) -> Iterator[str]:
    """Every string that is no docstring, with VALUE in the place of what it is filled in with."""
    skipped = {
        id(part)
        for node in ast.walk(tree)
        for part in (
            node.values
            if isinstance(node, ast.JoinedStr)
            else [node.value]
            if isinstance(node, ast.Expr)
            else []
        )
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            parts = (one.value if isinstance(one, ast.Constant) else "VALUE" for one in node.values)
            yield "".join(map(str, parts))


def _printed(text: str) -> Iterator[Printed]:
    for found in A_COMMAND.finditer(text):
        words, more = list[str](), found[2].split()
        for word in more:
            words.append(word.rstrip(".,:'\")"))
            if words[-1] != word:
                break  # the sentence ends, or goes on
        if (found[1], words[0]) in PROSE:
            continue
        there: click.Command | None = PROGRAMS[found[1]][0]
        path = list[str]()
        while isinstance(there, click.Group) and len(path) < len(words):
            if words[len(path)].startswith(("--", "VALUE", "…")):
                break
            path.append(words[len(path)])
            there = there.get_command(click.Context(there), path[-1])
        yield Printed(found[1], tuple(path), tuple(words[len(path) :]))


def _found(one: Printed) -> click.Command | None:
    there: click.Command | None = PROGRAMS[one.program][0]
    for word in one.path:
        there = (
            there.get_command(click.Context(there), word)
            if isinstance(there, click.Group)
            else None
        )
    return there


@cache
def _all_printed() -> frozenset[Printed]:
    return frozenset(one for _, tree in _trees() for text in _texts(tree) for one in _printed(text))


def _unknown(one: Printed) -> list[str]:
    """The options that a command has not; its own name, where there is none."""
    there = _found(one)
    if there is None:
        return [one.name]
    if isinstance(there, click.Group):
        return []  # which of its commands is filled in
    known = {option for parameter in there.params for option in parameter.opts}
    known |= {option for parameter in PROGRAMS[one.program][0].params for option in parameter.opts}
    given = {word for word in one.rest if word.startswith("--") and word != "--help"}
    return sorted(f"{one.name} {option}" for option in given - known)


def test_g1_223_every_command_that_is_printed_is_there_with_its_options() -> None:
    printed = _all_printed()
    assert len(printed) > 150
    assert sorted(wrong for one in printed for wrong in _unknown(one)) == []


def test_g1_223_what_is_printed_without_more_needs_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is run where there is nothing: that no hub is there may be told, and no usage."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    bare = {one.name: one for one in _all_printed() if one.path and not one.rest}
    assert AS_BEFORE.keys() <= bare.keys(), "an excuse that nothing needs"
    wrong = set()
    for name, one in bare.items():
        if not isinstance(_found(one), click.Group):
            code = PROGRAMS[one.program][1]([*one.path])
            if code == UsageError.exit_code:
                wrong.add(name)
    assert wrong == AS_BEFORE.keys()
    assert capsys.readouterr().err


@pytest.mark.parametrize(
    "text",
    ["See: sealift blobs mind", "See: sealift blobs fsck --nothing.", "sealift-site mend it"],
)
def test_g1_223_one_that_is_not_there_is_found(text: str) -> None:
    (one,) = _printed(text)
    assert _unknown(one)
