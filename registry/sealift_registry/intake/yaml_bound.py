"""YAML from a source is read only where it is no larger than it looks.

An alias (`*name`) stands for a node that was written once; aliases of nodes that hold aliases stand
for ten times more with every line (YAML 1.2, section 3.2.2.2). Some hundred bytes so become
gigabytes as soon as somebody writes them out again, or merges them (`<<`). How much would stand
there is counted from the parser's events, before anything is built.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sealift_registry.intake.library_refusals import MisledError

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
    """Have DVC, and what it calls, read no YAML of a repository that is larger than it looks.

    Checked is where ruamel.yaml reads: stages, locks, parameters, metrics and variables each come
    there in a way of their own. What is no YAML at all is told by ruamel.yaml's own error, which
    DVC knows.
    """
    from dvc.utils import serialize, strictyaml
    from dvc.utils.serialize import _yaml
    from ruamel.yaml import YAML

    load, parse = YAML.load, _yaml.parse_yaml
    reading = ["A YAML file of the repository"]

    def load_checked(self: Any, stream: Any) -> Any:  # noqa: ANN401 - as ruamel.yaml has it
        if isinstance(stream, Path):
            text: Any = stream.read_bytes()
        else:
            text = stream.read() if hasattr(stream, "read") else stream
        check_size(YAML(typ="safe", pure=True).parse(text), what=reading[-1])
        return load(self, text)

    def parse_named(text: str, path: str, *more: Any, **named: Any) -> Any:  # noqa: ANN401
        reading.append(str(path))
        try:
            return parse(text, path, *more, **named)
        finally:
            reading.pop()

    YAML.load = load_checked  # type: ignore[method-assign]
    for module in (_yaml, serialize, strictyaml):
        module.parse_yaml = parse_named


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
