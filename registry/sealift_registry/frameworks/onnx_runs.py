"""ONNX, run in two ways: by the ONNX project's reference evaluator, and by ONNX Runtime."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sealift_registry.frameworks import onnx_missing, onnx_operators, onnx_weights
from sealift_registry.frameworks.framework import INPUT, Array, ModelFacts
from sealift_registry.workers.quoting import first_line
from sealift_signing.drawing import word
from sealift_signing.errors import RefusedError

TYPES: Mapping[str, str] = {
    "tensor(bool)": "bool",
    "tensor(double)": "float64",
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(int16)": "int16",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
    "tensor(int8)": "int8",
    "tensor(uint8)": "uint8",
}
"""ONNX Runtime's names of types → NumPy's."""

_TENSOR = re.compile(r"tensor\((\w+)\)")
_EVALUATOR_RAISES = (RuntimeError, NotImplementedError, ValueError, TypeError, KeyError)

LARGE, FEW = 64 * 1024**2, 32
"""A model with so many bytes of weights is asked for so few rows at once."""


class ReferenceModel:
    """A model as the ONNX specification says it must answer; slow, and in plain NumPy."""

    def __init__(self, path: Path) -> None:
        self._file = onnx_weights.opened(path)
        self._inputs = onnx_weights.types(self._file.inputs)
        self.batch = onnx_weights.batch(self._file.inputs)
        self._path = path
        self._evaluator: Any = None
        self._weights: dict[str, Array] = {}
        self._size = 0

    def answer(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """See `frameworks.framework.Model`."""
        fed = fitted(inputs, self._inputs)
        try:
            evaluator = self._loaded()
        except _EVALUATOR_RAISES as bad:
            raise self._cannot_run(_without(bad) or first_line(bad)) from bad
        try:
            parts = [evaluator.run(None, self._weights | some) for some in self._parts(fed)]
        except MemoryError:
            raise
        except Exception as bad:
            # Its operators raise what NumPy does, and more; their words quote values of the rows.
            raise self._cannot_run(f"it broke off with {type(bad).__name__}") from bad
        names = evaluator.output_names
        if len(parts) == 1:
            return dict(zip(names, map(plain, parts[0]), strict=True))
        import numpy as np

        joined = [
            np.concatenate([plain(one) for one in found]) for found in zip(*parts, strict=True)
        ]
        return dict(zip(names, joined, strict=True))

    def _cannot_run(self, why: str) -> RefusedError:
        return RefusedError(
            "reference-evaluator",
            f"onnx's reference evaluator cannot run {self._path.name}: {why}.",
            subject=self._path.name,
            next_step="Export the model with operators that the evaluator knows, or with "
            "goldens that fit its inputs.",
        )

    def _parts(self, fed: dict[str, Array]) -> list[dict[str, Array]]:
        """All rows, or so few at once that what each node answers is not as large as the model.

        The evaluator keeps all of that until the last node has answered.
        """
        rows = max((len(one) for one in fed.values() if one.ndim), default=0)
        if self._size < LARGE or self.batch is not None or rows <= FEW:
            return [fed]
        return [
            {name: one[at : at + FEW] for name, one in fed.items()} for at in range(0, rows, FEW)
        ]

    def _loaded(self) -> Any:  # noqa: ANN401 - onnx is Any to us
        """The evaluator, made once; it is handed large weights beside the rows."""
        if self._evaluator is None:
            import onnx.reference

            model = self._file.model
            _check_tables(model.graph, self._path.name)
            if lost := onnx_operators.left_out(model.graph):
                raise self._cannot_run(f"it leaves out what the file has of {lost}")
            opsets = {one.domain: one.version for one in model.opset_import}
            opset = opsets.get("", opsets.get("ai.onnx", 0))
            self._weights = self._file.arrays()
            self._evaluator = onnx.reference.ReferenceEvaluator(
                model, new_ops=onnx_operators.own(opset)
            )
            self._size = sum(one.nbytes for one in self._weights.values())
        return self._evaluator

    def facts(self) -> ModelFacts:
        """See `frameworks.framework.Model`; of an ensemble, those that are fed the input itself."""
        from sealift_registry.frameworks import tree_ensembles

        graph = self._file.model.graph
        no_promise = not onnx_missing.looked_for(self._file.model)
        if len(self._inputs) != 1:
            return ModelFacts(no_promise=no_promise)
        (given,) = self._inputs
        ensembles = [one for one in graph.node if one.op_type in tree_ensembles.ENSEMBLES]
        raw = [one for one in ensembles if list(one.input) == [given]]
        told = _told(graph)
        labels = [
            str(label.decode() if isinstance(label, bytes) else label)
            for one in ensembles
            if one.output[0] in told  # the label of trees within another model is not the model's
            for attribute in one.attribute
            if attribute.name.startswith("classlabels_")
            for label in (*attribute.ints, *attribute.strings)
        ]
        return ModelFacts(
            trees=tuple(tree_ensembles.asked(raw)),
            classes=tuple(dict.fromkeys(labels)),
            may_tie=len(raw) < len(ensembles),
            no_promise=no_promise,
        )


class RuntimeModel:
    """A model in ONNX Runtime, on this machine's processor."""

    def __init__(self, path: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # its warnings are for whoever made the model
        options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as bad:
            # ONNX Runtime's own errors have no common class but Exception; they name the folder.
            why = first_line(RuntimeError(str(bad).replace(f"{path.parent}/", "")))
            raise RefusedError(
                "runtime-refuses",
                f"ONNX Runtime cannot load {path.name}: {why}.",
                subject=path.name,
                next_step="Export the model for an ONNX version that the runtime knows.",
            ) from bad

    @property
    def session(self) -> Any:  # noqa: ANN401 - onnxruntime is Any to us
        """The runtime's own, for whoever asks it in another way."""
        return self._session

    @property
    def inputs(self) -> dict[str, str]:
        """Input name → type, in ONNX Runtime's words."""
        return {one.name: one.type for one in self._session.get_inputs()}

    @property
    def lengths(self) -> dict[str, tuple[int | None, ...]]:
        """Input name → the lengths of one row; None where one is not fixed."""
        return {
            one.name: tuple(n if isinstance(n, int) else None for n in one.shape[1:])
            for one in self._session.get_inputs()
        }

    @property
    def metadata(self) -> dict[str, str]:
        """What whoever made the model wrote into it, by name."""
        return dict(self._session.get_modelmeta().custom_metadata_map)

    @property
    def batch(self) -> int | None:
        """How many rows it takes at once, where it takes no other number."""
        shapes = [one.shape for one in self._session.get_inputs()]
        fixed = {shape[0] for shape in shapes if shape and isinstance(shape[0], int)}
        return fixed.pop() if len(fixed) == 1 else None

    @property
    def placed(self) -> dict[tuple[str, str, str], int]:
        """(domain, operator, execution provider) → how many nodes; as the runtime says."""
        found: dict[tuple[str, str, str], int] = {}
        for part in self._session.get_provider_graph_assignment_info():
            for node in part.get_nodes():
                key = (node.domain or "ai.onnx", node.op_type, part.ep_name)
                found[key] = found.get(key, 0) + 1
        return found

    def answer(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """See `frameworks.framework.Model`."""
        names = [one.name for one in self._session.get_outputs()]
        self._check_outputs()
        fed = fitted(inputs, self.inputs)
        try:
            found = self._session.run(None, fed)
        except Exception as bad:
            takes, have = self._takes(), ", ".join(_shaped(one.shape) for one in fed.values())
            # In our own words: an operator's may quote values of the rows, and this is logged.
            raise RefusedError(
                "goldens-unfit",
                f"ONNX Runtime cannot run the model on the goldens: it broke off with "
                f"{type(bad).__name__}. It takes {takes}; they are of {have}.",
                subject=", ".join(self.inputs),
                next_step="Give goldens of the shape that the model takes, with no category that "
                "it does not know.",
            ) from bad
        return dict(zip(names, map(plain, found), strict=True))

    def _check_outputs(self) -> None:
        """What NumPy has no type for, the runtime hands out to nobody."""
        for one in self._session.get_outputs():
            kind = _TENSOR.fullmatch(one.type)
            if kind and not _in_numpy(kind[1]):
                raise RefusedError(
                    "parity-outputs",
                    f"The output {word(one.name)} is of the type {kind[1]}, which ONNX Runtime "
                    "does not hand out.",
                    subject=one.name,
                    next_step="Export the model with a cast to float32 before its outputs.",
                )

    def _takes(self) -> str:
        given = self._session.get_inputs()
        return ", ".join(f"{word(one.name)} of {_shaped(one.shape)}" for one in given)

    def facts(self) -> ModelFacts:
        """See `frameworks.framework.Model`."""
        return ModelFacts()


def _check_tables(graph: Any, name: str) -> None:  # noqa: ANN401 - onnx is Any to us
    """A table of scores is one, and no dictionary a row.

    Raises:
        RefusedError: skl2onnx was left to make those, as it does of itself.
    """
    if any((one.op_type, one.domain) == ("ZipMap", "ai.onnx.ml") for one in graph.node):
        raise RefusedError(
            "reference-evaluator",
            f"{name} answers with a dictionary for each row (the operator ZipMap), which neither "
            "onnx's reference evaluator nor many runtimes can do.",
            subject=name,
            next_step="Export it again as a table: to_onnx(model, rows, "
            'options={"zipmap": False}).',
        )


_WITHOUT = (
    re.compile(r"operator '(?P<name>[^']+)' and domain '(?P<of>[^']*)'"),
    re.compile(r"type '(?P<name>[^']+)' from domain '(?P<of>[^']*)'"),
    re.compile(r"operator '(?P<name>[^']+)' domain '(?P<of>[^']*)' and version (?P<at>\d+)"),
)


def _without(bad: BaseException) -> str:
    """Which operator the evaluator does not have, if that is what it says, over several lines."""
    found = next((one for one in (how.search(str(bad)) for how in _WITHOUT) if one), None)
    if found is None:
        return ""
    at = found.groupdict().get("at")
    opset = f" at opset {at}" if at else ""
    return f"it has no operator {word(found['name'])} of {word(found['of'] or 'ai.onnx')}{opset}"


def _in_numpy(kind: str) -> bool:
    import numpy as np

    return kind in {"double", "float", "string"} or hasattr(np, kind)


def _told(graph: Any) -> set[str]:  # noqa: ANN401 - onnx is Any to us
    """The names of what comes out of the graph as it is, or in another type."""
    found = {one.name for one in graph.output}
    for node in reversed(graph.node):
        if node.op_type in {"Cast", "Identity"} and found & set(node.output):
            found |= set(node.input)
    return found


def fitted(inputs: Mapping[str, Array], wanted: Mapping[str, str]) -> dict[str, Array]:
    """`inputs` by the names and in the types that the model wants.

    Raises:
        RefusedError: other inputs, or a type that the goldens cannot have.
    """
    if set(inputs) == {INPUT} and len(wanted) == 1:
        inputs = {next(iter(wanted)): inputs[INPUT]}
    unknown = [name for name, kind in wanted.items() if kind not in TYPES]
    if set(inputs) != set(wanted) or unknown:
        shown = ", ".join(f"{word(name)}: {kind}" for name, kind in wanted.items())
        given = ", ".join(word(name) for name in sorted(inputs))
        raise RefusedError(
            "goldens-inputs",
            f"The goldens hold {given}; the model takes {shown}.",
            subject=", ".join(wanted),
            next_step="Give goldens with one array for each of the model's inputs, by its name.",
        )
    return {name: inputs[name].astype(TYPES[kind]) for name, kind in wanted.items()}


def _shaped(shape: Sequence[object]) -> str:
    """A shape as sentences show it: `any by 4`; what is not fixed is `any`."""
    return " by ".join(str(one) if isinstance(one, int) else "any" for one in shape) or "one number"


def plain(output: Any) -> Array:  # noqa: ANN401 - an array, or what ZipMap makes of one
    """`output` as one array: a list of one dictionary a row becomes a table."""
    import numpy as np

    if isinstance(output, Sequence) and output and isinstance(output[0], Mapping):
        return np.array([[row[name] for name in sorted(row)] for row in output])
    return np.asarray(output)
