"""docs/reference/commands.md, and what every command owes its users."""

from __future__ import annotations

import importlib
import re
import shlex
import sys
from itertools import takewhile
from pathlib import Path
from types import ModuleType

import click
import pytest

DOCS = Path(__file__).parents[1] / "docs"
REFERENCE = DOCS / "reference"


def _make_commands() -> ModuleType:
    sys.path.insert(0, str(REFERENCE))
    try:
        return importlib.import_module("make_commands")
    finally:
        sys.path.remove(str(REFERENCE))


COMMANDS = {one.words: one for one in _make_commands().commands()}


def test_the_page_is_what_the_commands_say() -> None:
    kept = (REFERENCE / "commands.md").read_text(encoding="utf-8")
    assert kept == _make_commands().page(), (
        "commands.md is out of date: run .venv/bin/python docs/reference/make_commands.py"
    )


def test_the_hub_lists_its_commands_in_the_order_of_the_journey() -> None:
    names = [words.split()[1] for words in COMMANDS if words.startswith("sealift ")]
    first_seen = list(dict.fromkeys(names))
    journey = (
        "init key team person next ingest convert job runtime promote approve object submit site"
    )
    rest = "assign unassign export receive worker builder serve account login logout whoami"
    last = "sites list show comment policy settings audit blobs discard gc renew fingerprint"
    last += " db migrate"
    assert first_seen == [*journey.split(), *rest.split(), *last.split()]


@pytest.mark.parametrize("words", COMMANDS)
def test_a1_09_every_command_has_help_with_an_example(words: str) -> None:
    one = COMMANDS[words]
    assert one.about, "no help"
    assert one.example.startswith(words), "no example of itself"
    assert all(text.strip() for _, text in one.options()), "an option without help"


@pytest.mark.parametrize("words", COMMANDS)
def test_a1_09_every_command_answers_machines(words: str) -> None:
    options = {name for parameter in COMMANDS[words].command.params for name in parameter.opts}
    assert "--json" in options


@pytest.mark.parametrize("words", COMMANDS)
def test_a1_09_the_example_is_a_command_line_that_the_command_takes(words: str) -> None:
    _take(COMMANDS[words].example)


PAGES = sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(DOCS)))
def test_every_command_line_in_the_documentation_is_one_that_the_command_takes(page: Path) -> None:
    blocks = re.findall(r"^```bash\n(.*?)^```$", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    for line in "\n".join(blocks).replace("\\\n", " ").splitlines():
        command = line.strip().rpartition("bin/sealift")[2] if "bin/sealift" in line else line
        if command.strip().startswith("sealift"):
            _take(command)


def test_the_guide_to_refusals_names_no_code_that_there_is_not() -> None:
    guide = (DOCS / "how-to/refused-or-held.md").read_text()
    first_cells = "".join(re.findall(r"^\| (`.*?) \|", guide, flags=re.MULTILINE))
    named = set(re.findall(r"`([a-z0-9-]+)`", first_cells)) - {"assign", "receive"}
    known = set(
        re.findall(r"^`([a-z0-9-]+)`$", (REFERENCE / "errors.md").read_text(), re.MULTILINE)
    )
    assert named
    assert named <= known


def _take(line: str) -> None:
    """Parse a command line, as the command would before it does anything."""
    program, *arguments = takewhile("|".__ne__, shlex.split(line))
    command: click.Command = _make_commands().PROGRAMS[program]
    context = command.make_context(program, arguments)
    while isinstance(command, click.Group):
        left = [*context._protected_args, *context.args]
        name, inner, left = command.resolve_command(context, left)
        assert inner is not None, line
        command, context = inner, inner.make_context(name, left, parent=context)


@pytest.mark.parametrize("name", ["sealift", "sealift-sign", "sealift-site"])
def test_a_list_of_commands_fits_eighty_columns_and_cuts_nothing_off(name: str) -> None:
    top = _make_commands().PROGRAMS[name]
    for group in [top, *(one for one in top.commands.values() if isinstance(one, click.Group))]:
        told = group.get_help(click.Context(group, info_name=name, terminal_width=80))
        cut_off = [line for line in told.splitlines() if line.endswith("...")]
        assert [line for line in cut_off if not line.startswith("Usage:")] == []
