"""Writes commands.md: every command of `sealift`, `sealift-sign` and `sealift-site`, from its help.

Run it after adding or changing a command:  .venv/bin/python docs/reference/make_commands.py
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

# The modules that run the commands know all of them.
from sealift_registry.cli.run import sealift
from sealift_signing.desk.cli.run import sign
from sealift_sync.cli.run import site

HERE = Path(__file__).parent
PROGRAMS = {"sealift": sealift, "sealift-sign": sign, "sealift-site": site}
WIDTH = 100

TOP = """\
# Commands

```{note}
This page is written by `docs/reference/make_commands.py` from the commands' own help, and a test
compares them.
```

`sealift` is the hub's command, `sealift-sign` that of whoever signs, `sealift-site` a site's. Each
says the same as this page under `--help`. With `--json` a command prints one object for machines;
[exit codes](exit-codes.md) are the same for all. Long work
[says how far it is](../how-to/carry-a-disk.md#how-far-it-is), on standard error.
"""


@dataclass(frozen=True)
class Described:
    """One command: its words, such as `sealift team add`, and what click knows of it."""

    words: str
    command: click.Command
    context: click.Context

    @property
    def example(self) -> str:
        """The command line at the end of its help; empty if there is none."""
        end = self.command.epilog or ""
        found = re.search(r"Example:\s*(.+)", end, re.DOTALL)
        return " ".join(found[1].split()) if found else ""

    @property
    def about(self) -> str:
        """What it does, in Markdown."""
        text = (self.command.help or "").replace("\b\n", "")
        paragraphs = [" ".join(part.split()) for part in text.split("\n\n")]
        return "\n\n".join(_plain(part) for part in paragraphs if "Example:" not in part)

    @property
    def usage(self) -> str:
        """How its command line is made up."""
        return " ".join([self.words, *self.command.collect_usage_pieces(self.context)])

    def options(self) -> Iterator[tuple[str, str]]:
        """Each option as it is written, and what it means; all but `--help`."""
        for parameter in self.command.params:
            told = parameter.get_help_record(self.context)
            if told and isinstance(parameter, click.Option):
                yield told


def shared(program: str) -> list[tuple[str, str]]:
    """The options that every command of a program takes."""
    of_each = [list(one.options()) for one in commands() if one.words.split()[0] == program]
    return [option for option in of_each[0] if all(option in other for other in of_each)]


def commands() -> Iterator[Described]:
    """Every command that can be run, in the order of help."""
    for name, group in PROGRAMS.items():
        yield from _under(
            name, group, click.Context(group, info_name=name, max_content_width=WIDTH)
        )


def page() -> str:
    """The page."""
    parts, program = [TOP], ""
    for one in commands():
        name = one.words.split()[0]
        if name != program:
            program = name
            parts.append(f"\n## {program}\n\n{_program(program)}")
        parts.append(_section(one))
    return "".join(parts)


def _under(words: str, command: click.Command, context: click.Context) -> Iterator[Described]:
    if not isinstance(command, click.Group):
        yield Described(words, command, context)
        return
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        if inner is not None and not inner.hidden:
            below = click.Context(inner, info_name=name, parent=context)
            yield from _under(f"{words} {name}", inner, below)


def _program(name: str) -> str:
    one = Described(name, PROGRAMS[name], click.Context(PROGRAMS[name], info_name=name))
    before, after = _table(list(one.options())), _table(shared(name))
    parts = [one.about]
    parts += ["Before the command:", before] if before else []
    parts += ["After each command:", after]
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


def _section(one: Described) -> str:
    common = shared(one.words.split()[0])
    own = [option for option in one.options() if option not in common]
    usage = f"```text\n{one.usage}\n```"
    parts = [f"\n### {one.words}", one.about, usage, _table(own), _example(one)]
    return "\n\n".join(part.rstrip() for part in parts if part) + "\n"


def _table(options: list[tuple[str, str]]) -> str:
    rows = [f"| {_code(option)} | {_plain(' '.join(text.split()))} |\n" for option, text in options]
    return f"| option | |\n|---|---|\n{''.join(rows)}" if rows else ""


def _code(text: str) -> str:
    return "`" + text.replace("|", "\\|") + "`"


def _example(one: Described) -> str:
    return f"Example:\n\n```bash\n{one.example}\n```\n" if one.example else ""


def _plain(text: str) -> str:
    """Words of help as Markdown: what it would read as markup is shown as it is."""
    parts = text.split("`")
    parts[::2] = [re.sub(r"([\\*_<>\[\]|])", r"\\\1", part) for part in parts[::2]]
    return re.sub(r"(?<![\w`])--[a-z][a-z-]*", r"`\g<0>`", "`".join(parts))


if __name__ == "__main__":
    (HERE / "commands.md").write_text(page(), encoding="utf-8")
