"""The files that may lie beside a model: known by name, and of the content that the name promises.

They say how a model was made and what it takes; nothing here or at a site runs or imports them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

LARGEST = 64 * 1024**2


def _is_text(data: bytes) -> bool:
    """UTF-8 without control characters other than those of lines."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return re.search(r"[\x00-\x08\x0b\x0e-\x1f\x7f]", text) is None


def _is_json(data: bytes) -> bool:
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return False
    return True


def _is_yaml(data: bytes) -> bool:
    """Text that asks no YAML reader for a Python object.

    It is not parsed: a few lines of references can stand for gigabytes.
    """
    return _is_text(data) and b"!!python" not in data and b"tag:yaml.org,2002:python" not in data


_Test = Callable[[bytes], bool]
_TESTS: Mapping[str, tuple[str, _Test]] = {
    "json": ("JSON", _is_json),
    "text": ("plain text", _is_text),
    "yaml": ("plain YAML", _is_yaml),
}

NAMES: Mapping[str, str] = {
    # MLflow
    "MLmodel": "yaml",
    "conda.yaml": "yaml",
    "environment_variables.txt": "text",
    "input_example.json": "json",
    "pyproject.toml": "text",
    "python_env.yaml": "yaml",
    "registered_model_meta": "yaml",
    "requirements.txt": "text",
    "serving_input_example.json": "json",
    "uv.lock": "text",
    # language models
    "added_tokens.json": "json",
    "chat_template.jinja": "text",
    "config.json": "json",
    "generation_config.json": "json",
    "merges.txt": "text",
    "model.safetensors.index.json": "json",
    "preprocessor_config.json": "json",
    "special_tokens_map.json": "json",
    "tokenizer.json": "json",
    "tokenizer_config.json": "json",
    "vocab.json": "json",
    "vocab.txt": "text",
    # anyone
    "LICENSE": "text",
    "LICENSE.txt": "text",
    "NOTICE": "text",
    "README.md": "text",
    "labels.json": "json",
    "labels.txt": "text",
}
"""Name → content. A folder's own path does not matter, the last part does."""


def is_side_file(path: str) -> bool:
    """Whether a file of this name may lie beside a model."""
    return path.rpartition("/")[2] in NAMES


def fault(path: str, file: Path) -> str:
    """What is wrong with the content of a side file, in words; empty where nothing is.

    Raises:
        OSError: it could not be read.
    """
    words, test = _TESTS[NAMES[path.rpartition("/")[2]]]
    with file.open("rb") as data:
        content = data.read(LARGEST + 1)
    if len(content) > LARGEST:
        return f"is longer than {LARGEST:,} bytes"
    return "" if test(content) else f"is not {words}"
