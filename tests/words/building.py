"""What a model, a recipe and a class of machines say in words of their own, when one is built."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from sealift_registry.conversion import convert_worker
from sealift_registry.conversion.recipe import recipe_for
from sealift_registry.conversion.toolchains import current
from sealift_registry.frameworks import supported
from sealift_signing import printing, shape
from sealift_signing.errors import SealiftError
from tests import models
from tests.words.listening import Words

Change = Callable[[Any, Words], None]
"""What is done to an ONNX model; `onnx` is Any to us."""

GPU = re.compile(r'id = "cpu-x86_64"|device = "cpu"')
AS_GPU = {
    'id = "cpu-x86_64"': 'id = "gpu-89"',
    'device = "cpu"': 'device = "gpu"\ncompute_capability = "8.9"',
}


def gpu(folder: Path) -> None:
    """Write a hardware target that has a compute capability, and is otherwise as one of ours."""
    like = files("sealift_registry.conversion") / "hardware_targets/cpu-x86_64.toml"
    folder.mkdir(exist_ok=True)
    (folder / "gpu-89.toml").write_text(GPU.sub(lambda found: AS_GPU[found[0]], like.read_text()))


def converting(given: list[str]) -> int:
    """The converter's own work for the model `given`, by a recipe; the hub tells what it refuses.

    No command reads a recipe: the hub writes it, and a process of the converter reads it.
    """
    framework, converter = supported.BY_FORMAT["skops"], supported.CONVERTERS["skops"]
    recipe = recipe_for(framework, converter, "skops", current(converter).pins)
    request = {"recipe": shape.to_json(recipe), "source": given[0], "target": f"{given[0]}.onnx"}
    try:
        convert_worker.convert(request, lambda *_: None)
    except SealiftError as refused:
        return printing.error(refused, for_machines=False)
    return 0


def wordy(folder: Path, words: Words) -> Iterator[Path]:
    """ONNX models in which something that a reader quotes is hostile; each is another file."""
    import onnx

    for number, change in enumerate(CHANGES):
        model = onnx.load(str(models.tiny_onnx(folder / f"wordy{number}.onnx", 9 + number)))
        change(model, words)
        path = folder / f"wordy{number}.onnx"
        path.write_bytes(model.SerializeToString(deterministic=True))
        yield path


def _operator(model: Any, words: Words) -> None:  # noqa: ANN401
    node = model.graph.node[1]
    node.op_type, node.domain = words("op_type"), words("domain")


def _function(model: Any, words: Words) -> None:  # noqa: ANN401
    from onnx import helper

    domain, name = words("own.domain"), words("own.name")
    inner = helper.make_node("Identity", ["a"], ["b"])
    opset = helper.make_opsetid("", 21)
    model.functions.append(helper.make_function(domain, name, ["a"], ["b"], [inner], [opset]))
    model.opset_import.append(helper.make_opsetid(domain, 1))
    model.graph.node.append(helper.make_node(name, ["scores"], ["same"], domain=domain))


def _outside(model: Any, words: Words) -> None:  # noqa: ANN401
    _external(model.graph.initializer[0], f"../{words('location')}", words)


def _absent(model: Any, words: Words) -> None:  # noqa: ANN401
    _external(model.graph.initializer[0], words.named("absent"), words)


def _external(tensor: Any, location: str, words: Words) -> None:  # noqa: ANN401
    from onnx import TensorProto

    tensor.name = words("tensor")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)


def _unordered(model: Any, words: Words) -> None:  # noqa: ANN401
    model.graph.node[0].name = words("node")
    model.graph.node[0].input[0] = words("input")


def _misshapen(model: Any, words: Words) -> None:  # noqa: ANN401
    model.graph.node[0].name = words("node")
    model.graph.initializer[0].name = model.graph.node[0].input[1] = words("weights")
    model.graph.initializer[0].dims[:] = [3, 4]


def _inputs(model: Any, words: Words) -> None:  # noqa: ANN401
    model.graph.input.append(model.graph.input[0])
    model.graph.input[1].name = words("second")


def _attribute(model: Any, words: Words) -> None:  # noqa: ANN401
    model.graph.node[1].attribute[0].name = words("attribute")


def _outputs(model: Any, words: Words) -> None:  # noqa: ANN401
    model.graph.output[1].name = model.graph.node[1].output[0] = words("output")
    model.doc_string = model.producer_name = words("doc")


CHANGES: tuple[Change, ...] = (
    *(_operator, _function, _outside, _absent, _unordered),
    *(_misshapen, _inputs, _attribute, _outputs),
)
