"""Every command that is printed can be typed as it stands: what may hold a space is quoted."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from sealift_registry.cli.drafts import draft_path
from sealift_registry.cli.signing import Signing
from sealift_signing.acts.material import Ask

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
    ("acts.py", "' '.join(words)"),
    ("acts.py", "name"),
    ("acts.py", "more"),
    ("acts.py", "digest"),
    ("asked.py", "kind"),
    ("blobs.py", "record.kind"),
    ("blobs.py", "ref.of"),
    ("gate_history.py", "roles.RECALL"),
    ("fsck.py", "name"),
    ("gate_history.py", "one.digest[:12]"),
    ("home_locks.py", "os.getpid()"),
    ("key_owners.py", "owner.name"),
    ("reactivation.py", "model"),
    ("showing.py", "place.model"),
    ("teams.py", "name"),
    ("guide.py", "stewards"),
    ("guide.py", "first_team"),
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
    how = Signing((), at_hub=False, draft="", over=(), confirm=())
    draft = draft_path(Ask(act[0], act[1:], {}), how)
    assert f"sealift submit {draft.stem}.dispatcher-1.signed" in page
