"""YAML from a source is read only where it is no larger than it looks.

An alias (`*name`) stands for a node that was written once; aliases of nodes that hold aliases stand
for ten times more with every line (YAML 1.2, section 3.2.2.2). Some hundred bytes so become
gigabytes as soon as somebody writes them out again, or merges them (`<<`). How much would stand
there is counted from the parser's events, before anything is built.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sealift_registry.intake.misled import MisledError

MOST_ALIASED = 10_000
"""Values that aliases may stand for in all of a file; people's own files have a few dozen."""


class AliasesError(MisledError):
    """YAML whose aliases stand for more than anybody writes."""


def check_size(events: Iterable[Any], *, what: str) -> None:
    """Check what the `events` of PyYAML or ruamel.yaml would become.

    Raises:
        AliasesError: aliases stand for more than MOST_ALIASED values, or one for what it is in.
    """
    open_nodes: list[tuple[str | None, int]] = []
    sizes: dict[str, int] = {}
    aliased = size = 0
    for event in events:
        match type(event).__name__:
            case "AliasEvent":
                stands_for = sizes.get(event.anchor, 0)
                if not stands_for:
                    raise _refused(what, "an alias stands for what it is in, or for nothing")
                aliased += stands_for
                size += stands_for
            case "ScalarEvent":
                size += 1
                _name(sizes, event.anchor, 1)
            case "SequenceStartEvent" | "MappingStartEvent":
                open_nodes.append((event.anchor, size))
                size += 1
                if event.anchor:
                    sizes.pop(event.anchor, None)  # until it ends, it is in itself
            case "SequenceEndEvent" | "MappingEndEvent":
                anchor, before = open_nodes.pop()
                _name(sizes, anchor, size - before)
            case _:
                continue
        if aliased > MOST_ALIASED:
            raise _refused(what, f"its aliases stand for more than {MOST_ALIASED:,} values")


def of_dvc() -> None:
    """Have DVC read no YAML of a repository that is larger than it looks."""
    from dvc.utils import strictyaml
    from ruamel.yaml import YAML

    def checked(parse: Any) -> Any:  # noqa: ANN401 - DVC is Any to us
        def parse_checked(text: str, path: str, *more: Any, **named: Any) -> Any:  # noqa: ANN401
            check_size(YAML(typ="safe", pure=True).parse(text), what=str(path))
            return parse(text, path, *more, **named)

        return parse_checked

    strictyaml.parse_yaml = checked(strictyaml.parse_yaml)
    strictyaml.parse_yaml_for_update = checked(strictyaml.parse_yaml_for_update)


def _name(sizes: dict[str, int], anchor: str | None, size: int) -> None:
    if anchor:
        sizes[anchor] = size


def _refused(what: str, why: str) -> AliasesError:
    return AliasesError(
        "yaml-aliases",
        f"{what} is not read: {why}.",
        subject=what,
        next_step="Write the values out, without YAML aliases (*name), and store it again.",
    )
