"""The how-to *Add a framework*, followed to the letter in a copy of the hub's code."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.pages import ROOT, Tree, blocks, change, shell

PAGE = ROOT / "docs/how-to/add-a-framework.md"
MODULE = "registry/sealift_registry/frameworks/slope.py"
LIST = "registry/sealift_registry/frameworks/supported.py"
WEIGHTS, BIAS = (0.5, -1.25, 2.0), 0.75
"""Of the model on the page."""

WHO = {"GIT_AUTHOR_NAME": "Sealift", "GIT_AUTHOR_EMAIL": "tests@sealift.invalid"}
WHO |= {name.replace("AUTHOR", "COMMITTER"): value for name, value in WHO.items()}


def shown(language: str) -> list[str]:
    """What the page shows in one language, in order."""
    return [one.text for one in blocks(PAGE, language)]


def follow(tree: Tree) -> None:
    """Do what the page's steps 1 and 2 say."""
    (module,), (line,) = shown("python"), blocks(PAGE, "diff")
    (tree.root / MODULE).write_text(module)
    change(tree.root, replace(line, place=LIST))


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """The copy, after steps 1 and 2."""
    tree = Tree.copied(tmp_path_factory.mktemp("added") / "tree", "registry")
    follow(tree)
    return tree


@pytest.fixture(scope="module")
def tried(tree: Tree) -> tuple[Path, str]:
    """The folder in which step 3 was done, and what was printed there."""
    folder = tree.root.parent / "try"
    folder.mkdir()
    return folder, shell("".join(shown("bash")), folder, WHO | tree.environment(folder))


def test_f1_30_a_framework_is_one_module_and_one_line() -> None:
    (added,) = shown("diff")
    assert [line for line in added.splitlines() if line[0] in "+-"] == ['+    "slope",']
    assert len(shown("python")) == 1
    page = PAGE.read_text()
    assert page.index(f"`{MODULE}`") < page.index("```python")
    assert page.index(f"`{LIST}`") < page.index("```diff")


@pytest.mark.timeout(600)
def test_f1_31_the_page_works_to_the_letter_as_far_as_a_site(tried: tuple[Path, str]) -> None:
    import numpy as np
    import onnxruntime

    folder, said = tried
    assert "lab/prices/1 is new" in said
    assert re.search(r"On 8 golden rows and \d+ probe rows .*; compared with Slope, ", said)
    assert "installed  lab/prices/1 in cpu" in said
    current = folder / "sealift-site/models/cpu/lab/prices/current/model.onnx"
    session = onnxruntime.InferenceSession(current, providers=["CPUExecutionProvider"])
    rows = np.array([[1, 0, 0], [0, 2, 0], [0.5, 1, -3]], np.float32)
    (found,) = session.run(["variable"], {"inputs": rows})
    assert np.allclose(found[:, 0], rows @ np.array(WEIGHTS) + BIAS, atol=1e-6)


@pytest.mark.timeout(600)
def test_f1_32_the_bundle_s_statements_are_made_from_the_record(tried: tuple[Path, str]) -> None:
    folder, _ = tried
    details = {}
    for file in folder.glob("disk/sealift/cellar-000001/statements/*"):
        said = json.loads(base64.b64decode(json.loads(file.read_text())["payload"]))["predicate"]
        if "kind" in said:
            details[said["kind"]] = said["details"]
    recipe = details["provenance"]["recipe"]
    assert (recipe["converter"], recipe["source_format"]) == ("slope", "slope")
    assert recipe["shapes"] == {"inputs": ["rows", "features"]}
    assert recipe["toolchain"].keys() == {"numpy", "onnx", "python"}
    assert (details["parity"]["reference"], details["parity"]["rows"]) == ("Slope", 8)


FORMAT = """
import sys
from pathlib import Path
from sealift_registry.intake.formats import recognise
print(recognise(Path(sys.argv[1])))
"""


def test_f1_33_without_the_line_the_module_is_not_known(tmp_path: Path) -> None:
    bare = Tree.copied(tmp_path / "tree", "registry")
    (bare.root / MODULE).write_text(shown("python")[0])
    model = tmp_path / "model"
    model.write_text("slope 1\nlink identity\nweights 1\nbias 0\n")
    assert bare.python(FORMAT, model).strip() == "unknown"
    follow(bare)
    assert bare.python(FORMAT, model).strip() == "slope"


CONVERT = """
import sys
from pathlib import Path
from sealift_registry.conversion import convert, hardware
from sealift_registry.proof import models
from sealift_registry.intake.scan import scan
from sealift_registry.intake.incoming_folder import take_stock
from sealift_signing.errors import SealiftError

folder = Path(sys.argv[1])
report = scan(folder, tuple(take_stock(folder, lambda *_: None)))
source = models.SourceModel(folder, report.model_format, report.model_files)
try:
    refused = report.refusal()
    if refused:
        raise refused
    convert.convert(source, hardware.get("cpu-x86_64"), folder.parent / "made")
except SealiftError as refused:
    print(refused.code, refused.what)
"""


@pytest.mark.parametrize(
    "lines, said",
    [
        (
            "link log\nweights 1\nbias 0\n",
            "converter-unknown There is no converter for “Slope's link log” (known to be right: ",
        ),
        ("link identity\nweights 1\n", "scan-slope-whole"),
        ("link identity\nweights 1e999\nbias 0\n", "scan-slope-whole"),
        ("link identity\nweights 1\nbias 0\nlink log\n", "scan-slope-whole"),
    ],
    ids=["what it is not known to honour", "cut off", "not finite", "said twice"],
)
def test_f1_34_what_the_record_s_checks_and_converter_do_not_know_is_refused(
    tree: Tree, tmp_path: Path, lines: str, said: str
) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model/model.slope").write_text(f"slope 1\n{lines}")
    assert tree.python(CONVERT, tmp_path / "model").startswith(said)


def test_f1_35_the_page_s_module_is_written_as_ours_are(tree: Tree) -> None:
    ruff, settings = Path(sys.executable).with_name("ruff"), ROOT / "pyproject.toml"
    for check in (["check"], ["format", "--check", "--diff"]):
        command = [
            str(ruff),
            *check,
            "--no-cache",
            "--config",
            str(settings),
            str(tree.root / MODULE),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
