"""Commands that are printed at a desk name its server again: pasted, they ask the same hub.

A hub prints commands as they are typed there. Whoever named the server in the environment has it
named for the next one as well; whoever named it on the command line has not. What can be done on
the hub's machine alone is left as it is, for whoever sits there.
"""

from __future__ import annotations

import re

import click

from sealift_signing.drawing import pasted

PRINTED = re.compile(
    r"(?<![\w/.-])sealift (?P<one>[a-z]+(?:-[a-z]+)*)(?: (?P<two>[a-z]+(?:-[a-z]+)*))?"
    r"(?P<rest>(?:(?!\bsealift ).)*)"
)
"""A command, and what stands behind it until the next one."""
NAMED = re.compile(r"(?<!\S)--(server|home)\b")
"""It says already which hub is meant."""


def naming(text: str, server: str) -> str:
    """`text`, with each command that can be asked of a server naming this one."""

    def named(found: re.Match[str]) -> str:
        words = [one for one in (found["one"], found["two"]) if one]
        count = _length(words)
        if not count or NAMED.search(found["rest"]):
            return found[0]
        said = ["sealift", *words[:count], "--server", pasted([server]), *words[count:]]
        return " ".join(said) + found["rest"]

    return PRINTED.sub(named, text)


def _length(words: list[str]) -> int:
    """How many of these words are a command that can be asked of a server; 0 where none is."""
    context = click.get_current_context(silent=True)
    there: click.Command | None = None if context is None else context.find_root().command
    for count, word in enumerate(words, 1):
        if context is None or not isinstance(there, click.Group):
            return 0
        there = there.get_command(context, word)
        if there is None:
            return 0
        if not isinstance(there, click.Group):
            return count if any("--server" in one.opts for one in there.params) else 0
    return 0
