"""Formats are told by content: what a file is called says nothing."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import random
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from sealift_registry.intake.formats import PICKLE, UNKNOWN, recognise
from sealift_registry.intake.model_folder import survey
from sealift_registry.intake.side_files import fault, is_side_file
from sealift_signing.errors import RefusedError

PICKLED = Path("x")
"""Something whose pickle needs code."""


def written(folder: Path, content: bytes, name: str = "model") -> Path:
    (folder / name).write_bytes(content)
    return folder / name


def safetensors(tensors: dict[str, object], data: bytes) -> bytes:
    header = json.dumps(tensors).encode()
    return len(header).to_bytes(8, "little") + header + data


def archive(*names: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as zipped:
        for name in names:
            zipped.writestr(name, b"{}")
    return content.getvalue()


@pytest.mark.parametrize(
    "name, expected",
    [
        ("tiny.onnx", "onnx"),
        ("logreg.skops", "skops"),
        ("xgboost.ubj", "xgboost-ubj"),
        ("xgboost.json", "xgboost-json"),
        ("lightgbm.txt", "lightgbm"),
    ],
)
def test_real_models_under_a_misleading_name(
    trained: Callable[[str], Path], tmp_path: Path, name: str, expected: str
) -> None:
    assert recognise(written(tmp_path, trained(name).read_bytes(), "model.pkl")) == expected


def test_safetensors(tmp_path: Path) -> None:
    tensor = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
    content = safetensors({"w": tensor}, bytes(8))
    assert recognise(written(tmp_path, content)) == "safetensors"


def test_a_safetensors_header_of_a_length_that_looks_like_a_pickle(tmp_path: Path) -> None:
    tensor = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    name = "w" * (0x0480 - len(json.dumps({"": tensor})))
    content = safetensors({name: tensor}, b"")
    assert content[:2] == b"\x80\x04"
    assert recognise(written(tmp_path, content)) == "safetensors"


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "compress",
    [bytes, zlib.compress, gzip.compress, bz2.compress, lzma.compress],
    ids=["plain", "zlib", "gzip", "bz2", "xz"],
)
def test_pickles_in_every_protocol_and_wrapping(
    tmp_path: Path, protocol: int, compress: Callable[[bytes], bytes]
) -> None:
    content = compress(pickle.dumps(PICKLED, protocol=protocol))
    assert recognise(written(tmp_path, content, "model.onnx")) == PICKLE


def polyglot(model: bytes) -> bytes:
    """An ONNX file that a pickle's reader runs: its first fields are a version and a text.

    `(` is the key of model_version and MARK, `)` its value and EMPTY_TUPLE, `2` the key of
    doc_string and DUP, `X` its length and BINUNICODE, whose own length are its first four bytes.
    """
    code = b"cbuiltins\nlist\n((V ran \nltR."
    return b"()2X" + (bytes(4) + code).ljust(ord("X"), b" ") + model


def test_t1_09_a_model_that_is_a_pickle_too(trained: Callable[[str], Path], tmp_path: Path) -> None:
    import onnx

    content = polyglot(trained("tiny.onnx").read_bytes())
    assert pickle.loads(content) == [" ran "]  # noqa: S301 - it is ours
    onnx.checker.check_model(onnx.load_from_string(content))
    assert recognise(written(tmp_path, content, "model.onnx")) == PICKLE


@pytest.mark.parametrize(
    "content",
    [
        b"cposix\nsystem\n(S'true'\ntR.",
        b"cposix\nsystem\n(S'true'\ntR" + bytes(9),  # it has run before it fails
        b"(S'true'\niposix\nsystem\n",
        b"\x8c\x05posix\x8c\x06system\x93(S'true'\ntR",
        b"N0N0cposix\nsystem\n)\x81",
        b"(" * 2_000_000,
        b"V" + b"A" * 70_000 + b"\n0cposix\nsystem\n(S'true'\ntR.",
        b"csys\npath\nS'/dir'\na0cevilmod\nx\n.",
        b"cos\nenviron\nS'LD_PRELOAD'\nS'/x'\ns.",
    ],
)
def test_t1_09_pickles_need_no_beginning_and_no_end(tmp_path: Path, content: bytes) -> None:
    assert recognise(written(tmp_path, content, "model.onnx")) == PICKLE


@pytest.mark.parametrize(
    "content", [b"python: 3.11.7\nbuild_dependencies:\n- pip==24\n", b"buildR", b")R", b"cR\n"]
)
def test_words_of_opcodes_that_no_unpickler_follows(tmp_path: Path, content: bytes) -> None:
    assert recognise(written(tmp_path, content)) == UNKNOWN


@pytest.mark.parametrize(
    "words",
    [
        "cat dog",
        "car truck bus",
        "chair couch bed table",
        "cloudpickle numpy scikit-learn",
        "cell cell2 p",
        "c quit",
    ],
)
def test_t1_75_a_list_of_words_is_no_pickle(tmp_path: Path, words: str) -> None:
    """Labels and requirements, one a line: `c` is an opcode that takes two lines."""
    content = ("\n".join(words.split()) + "\n").encode()
    assert recognise(written(tmp_path, content, "labels.txt")) == UNKNOWN


@pytest.mark.parametrize(
    "content",
    [
        b"Predicts digits.\ncalibrated on data of 2024.\nSee the report.\nbuilt by the team.\n",
        b"If you create a new model, you may\ncreate and use a label of your own,\nunless\nbut\n",
        b"If X starts a lawsuit against Y\n(including a claim) alleging that the\nProgram is bad\n",
    ],
)
def test_t1_75_prose_is_no_pickle(tmp_path: Path, content: bytes) -> None:
    """Of 24,000 beginnings of lines in packages' licenses, 11 passed for one."""
    assert recognise(written(tmp_path, content, "README.md")) == UNKNOWN


@pytest.mark.parametrize("protocol", range(2))
@pytest.mark.parametrize("thing", [{}, {"a": 1}, [], [[1]], list, PICKLED, b"x", {1}])
def test_t1_75_old_pickles_are_known_by_how_they_begin(
    tmp_path: Path, thing: object, protocol: int
) -> None:
    content = pickle.dumps(thing, protocol=protocol)
    plain = protocol and isinstance(thing, dict | list)  # which call nothing, and begin as a text
    expected = UNKNOWN if plain else PICKLE
    for one in (content, content.replace(b"p0\n", b"p1\n").replace(b"q\x00", b"q\x01")):
        assert recognise(written(tmp_path, one)) == expected


def test_t1_75_a_text_that_would_run_is_told_how_it_becomes_none(tmp_path: Path) -> None:
    written(tmp_path, b"tree\nversion=v4\n", "model.txt")
    written(tmp_path, b"cat\ndog\ncow\nhen\nbee\n", "labels.txt")
    with pytest.raises(RefusedError, match="would run as a pickle") as refused:
        survey(tmp_path)
    assert refused.value.code == "pickle"
    written(tmp_path, b"Cat\ndog\ncow\nhen\nbee\n", "labels.txt")
    assert survey(tmp_path).side_files == ("labels.txt",)


def test_an_argument_of_any_length_is_skipped(tmp_path: Path) -> None:
    for content in (
        b"B" + (2**31).to_bytes(4, "little"),
        b"\x8e" + (2**63).to_bytes(8, "little"),
        b"T" + (2**31 + 5).to_bytes(4, "little"),
        b"V" + b"x" * 70_000 + b"\n.",
    ):
        assert recognise(written(tmp_path, content)) == UNKNOWN


def test_a_joblib_file(tmp_path: Path) -> None:
    import joblib  # type: ignore[import-untyped]

    joblib.dump(PICKLED, tmp_path / "model.json", compress=("zlib", 3))
    assert recognise(tmp_path / "model.json") == PICKLE


def test_a_torch_checkpoint(tmp_path: Path) -> None:
    content = archive("archive/data.pkl", "archive/data/0", "schema.json")
    assert recognise(written(tmp_path, content)) == PICKLE


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"{}",
        b"tree\n",
        b"PK\x03\x04",
        b"\x80\x04",
        b"\x08\x08",
        bytes(100),
        b"\x7fELF" + bytes(60),
        archive("model.npy"),
        b"#!/bin/sh\n" + archive("schema.json"),  # an archive with something in front of it
        b"\x08" * 300_000,
        safetensors({}, b"")[:9],
        (2**63).to_bytes(8, "little") + b"{}",
    ],
)
def test_what_is_none_of_them(tmp_path: Path, content: bytes) -> None:
    assert recognise(written(tmp_path, content, "model.onnx")) == UNKNOWN


@pytest.mark.parametrize("bits", [62, 63, 69])
def test_weights_that_begin_like_a_field_of_any_length(tmp_path: Path, bits: int) -> None:
    """One file of random weights in a few hundred does; no file system goes so far."""
    length, field = 2**bits + 1, 7 << 3 | 2
    content = bytes([field]) + bytes(
        (length >> shift & 0x7F) | (0x80 if length >> (shift + 7) else 0)
        for shift in range(0, bits + 1, 7)
    )
    assert recognise(written(tmp_path, content, "weights.bin")) == UNKNOWN


def test_onnx_must_fit_to_the_last_byte(trained: Callable[[str], Path], tmp_path: Path) -> None:
    content = trained("tiny.onnx").read_bytes()
    for other in (content[:-1], content + b"\x00", content + b"PK\x03\x04", content[1:]):
        assert recognise(written(tmp_path, other)) == UNKNOWN


def test_noise_is_nothing(tmp_path: Path) -> None:
    draw = random.Random(7)  # noqa: S311 - noise
    for begin in (b"", b"{L", b"\x1f\x8b", b"\x78\x9c", b"BZh9", b"PK\x03\x04", b"\x08\x0a"):
        for _ in range(50):
            found = recognise(written(tmp_path, begin + draw.randbytes(500)))
            assert found == UNKNOWN


@pytest.mark.parametrize(
    "name, content, words",
    [
        ("config.json", b'{"a": 1}', ""),
        ("config.json", b"{", "is not JSON"),
        ("MLmodel", b"flavors: {}\n", ""),
        ("MLmodel", b"a: !!python/object/apply:os.system [ls]\n", "is not plain YAML"),
        ("conda.yaml", b"\x00\x01", "is not plain YAML"),
        ("requirements.txt", "skops==0.16 # größer\n".encode(), ""),
        ("requirements.txt", b"\x7fELF", "is not plain text"),
        ("README.md", "größer".encode("latin-1"), "is not plain text"),
    ],
)
def test_side_files_are_what_their_name_says(
    tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    assert is_side_file(f"folder/{name}")
    assert fault(name, written(tmp_path, content, name)) == words


@pytest.mark.parametrize("name", ["model.pkl", "code.py", "MLmodel.bak", "mlmodel", "run.sh"])
def test_other_names_are_no_side_files(name: str) -> None:
    assert not is_side_file(name)
