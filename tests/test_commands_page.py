"""docs/reference/commands.md, and what every command owes its users."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

import click
import pytest

REFERENCE = Path(__file__).parents[1] / "docs/reference"


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
    journey = "init key team next ingest convert promote approve site assign export receive"
    assert first_seen == [*journey.split(), "list", "show", "audit", "renew"]


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
    import shlex

    one = COMMANDS[words]
    arguments = shlex.split(one.example)[len(words.split()) :]
    context = click.Context(one.command, info_name=words)
    left = one.command.parse_args(context, list(arguments))
    assert not left


@pytest.mark.parametrize("name", ["sealift", "sealift-site"])
def test_a_list_of_commands_fits_eighty_columns_and_cuts_nothing_off(name: str) -> None:
    group = _make_commands().PROGRAMS[name]
    context = click.Context(group, info_name=name, terminal_width=80)
    cut_off = [line for line in group.get_help(context).splitlines() if line.endswith("...")]
    assert [line for line in cut_off if not line.startswith("Usage:")] == []
