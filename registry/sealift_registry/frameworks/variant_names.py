"""The names that a variant bears: its features, its classes, and the codes of its categories.

They stand in the ONNX file's metadata, where ONNX Runtime hands them out
(`get_modelmeta().custom_metadata_map`). They are a stranger's words: each text is JSON in printable
ASCII without what HTML reads, of a bounded length. What is longer is left out, and not cut: half a
list would name the wrong columns.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

PREFIX = "sealift."
LONGEST_NAME = 200
"""Characters of one name."""
LONGEST = 64 * 1024
"""Characters of one text in the metadata."""
_ESCAPED = str.maketrans({one: f"\\u{ord(one):04x}" for one in "<>&'"})


@dataclass(frozen=True)
class Names:
    """What the source calls things; empty where it says nothing of its own.

    Attributes:
        features: the columns, in their order.
        classes: the labels, in the order of the probabilities' columns.
        categories: column → its categories, the first of which has the code 0.
    """

    features: Sequence[str] = ()
    classes: Sequence[str] = ()
    categories: Mapping[int, Sequence[str | float]] = field(default_factory=dict)


def bear(model: Any, names: Names) -> None:  # noqa: ANN401 - onnx is Any to us
    """Write `names` into the metadata of `model`, an onnx.ModelProto."""
    categories = {str(column): list(said) for column, said in sorted(names.categories.items())}
    said: Mapping[str, Any] = {
        "categories": categories,
        "classes": list(names.classes),
        "features": list(names.features),
    }
    for name, value in said.items():
        text = _spelled(value)
        if value and text:
            model.metadata_props.add(key=PREFIX + name, value=text)


def _spelled(value: Any) -> str:  # noqa: ANN401 - JSON
    """`value` as JSON; nothing where a name, or all of it, is too long."""
    texts = value if isinstance(value, list) else [one for some in value.values() for one in some]
    if any(isinstance(one, str) and len(one) > LONGEST_NAME for one in texts):
        return ""
    # Only strings may hold these letters, and there they are spelled by their number.
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    text = text.translate(_ESCAPED).replace("\x7f", "\\u007f")
    return text if len(text) <= LONGEST else ""


def borne(metadata: Mapping[str, str]) -> Names:
    """The names that a model bears; what it bears no list of is empty."""
    found = {name: _read(metadata.get(PREFIX + name, "")) for name in ("features", "classes")}
    said = _read(metadata.get(f"{PREFIX}categories", ""))
    categories = {
        int(column): known
        for column, known in (said.items() if isinstance(said, dict) else ())
        if column.isascii() and column.isdigit() and isinstance(known, list)
    }
    return Names(_texts(found["features"]), _texts(found["classes"]), categories)


def _read(text: str) -> Any:  # noqa: ANN401 - JSON
    try:
        return json.loads(text) if text else None
    except (ValueError, RecursionError):
        return None


def _texts(found: Any) -> list[str]:  # noqa: ANN401 - JSON
    is_list = isinstance(found, list) and all(isinstance(one, str) for one in found)
    return found if is_list else []
