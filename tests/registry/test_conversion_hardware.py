"""Hardware targets are data, read strictly."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest

from sealift_registry.conversion import hardware
from sealift_signing import shape
from sealift_signing.errors import NotFoundError, RefusedError

OURS = files("sealift_registry.conversion") / "hardware_targets"
EXAMPLE = (OURS / "cpu-x86_64.toml").read_text(encoding="utf-8")


def test_the_two_that_come_with_sealift() -> None:
    known = hardware.load_all()
    assert set(known) == {"cpu-aarch64", "cpu-x86_64"}
    for name, target in known.items():
        assert target.id == name
        assert name.endswith(target.arch)
        assert target.artifact_policy == "portable"
        assert target.execution_provider == "CPUExecutionProvider"
        written = shape.write(target)
        assert shape.read(hardware.HardwareTarget, written, what="it") == target


def test_one_of_our_own(tmp_path: Path) -> None:
    mine = EXAMPLE.replace('id = "cpu-x86_64"', 'id = "press-line-3"')
    (tmp_path / "press-line-3.toml").write_text(mine)
    assert hardware.get("press-line-3", tmp_path).arch == "x86_64"
    assert len(hardware.load_all(tmp_path / "absent")) == 2


def test_an_unknown_one_names_the_known() -> None:
    with pytest.raises(NotFoundError) as caught:
        hardware.get("gpu")
    assert "cpu-aarch64, cpu-x86_64" in caught.value.next_step


@pytest.mark.parametrize(
    "old, new, words",
    [
        ("vendor =", "vendro =", "'vendro' that is not known"),
        ('vendor = "any"\n', "", "lacks 'vendor'"),
        ("opt = 16", "opt = 16.5", "expected an integer"),
        ('precision = "fp32"', 'precision = "fp64"', "fp64"),
        ('"portable"', '"pickled"', "pickled"),
        ("max = 4096", "max = 8", "do not rise"),
        ("min = 1", "min = 0", "do not rise"),
        ('id = "mine"', 'id = "other"', "is not its name"),
        ('id = "mine"', 'id = "MINE"', "MINE"),
        ("format = 1", "format = 2", "1"),
        ("[rows]", "[rows", "not understood"),
    ],
)
def test_files_that_are_not_understood(tmp_path: Path, old: str, new: str, words: str) -> None:
    text = EXAMPLE.replace('id = "cpu-x86_64"', 'id = "mine"')
    assert old in text
    (tmp_path / "mine.toml").write_text(text.replace(old, new))
    with pytest.raises(RefusedError) as caught:
        hardware.load_all(tmp_path)
    assert caught.value.code == "hardware-target-malformed"
    assert "mine.toml" in caught.value.what
    assert words in caught.value.what


def test_source_is_no_hardware_target(tmp_path: Path) -> None:
    (tmp_path / "source.toml").write_text(EXAMPLE.replace('id = "cpu-x86_64"', 'id = "source"'))
    with pytest.raises(RefusedError) as caught:
        hardware.load_all(tmp_path)
    assert "may be called 'source'" in caught.value.what


def test_an_id_that_is_taken(tmp_path: Path) -> None:
    (tmp_path / "cpu-x86_64.toml").write_text(EXAMPLE)
    with pytest.raises(RefusedError) as caught:
        hardware.load_all(tmp_path)
    assert "already taken" in caught.value.what
