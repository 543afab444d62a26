"""An ONNX graph run on tokens, with what every node computes: by onnxruntime, node by node as the graph stands, or as it was optimised."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ..messages.errors import InputError, one_line
from ..program.arrays import Array
from ..program.dtypes import DTYPES
from ..program.tokens import Tokens
from ..traces.matched import ForeignTensor
from .text.given_ids import PARTS

LARGEST = 1 << 31  # bytes of a protobuf message
NEEDS = "comparing with an ONNX graph needs onnx and onnxruntime: pip install 'encoder-tui[onnx]'"


@dataclass(frozen=True, slots=True)
class OnnxPassage:
    """What came of a graph.

    Attributes:
        tensors: what each node computed, in the order of the graph, by the names there.
        notes: what is to be said of how it ran, a sentence each.
    """

    tensors: Mapping[str, ForeignTensor]
    notes: tuple[str, ...]


def onnx_passage(path: Path, tokens: Tokens, *, optimised: bool = False) -> OnnxPassage:
    """Run a graph once, with every intermediate result given out.

    Args:
        path: the .onnx file; weights beside it are read too.
        tokens: what goes in. A graph for longer texts alone gets padding.
        optimised: as onnxruntime makes it before it runs it, fused where it fuses, rather than as it stands.

    Raises:
        InputError: onnx or onnxruntime is not installed, it is no graph, or takes something else than tokens.
    """
    try:
        onnx: Any = import_module("onnx")
        onnxruntime: Any = import_module("onnxruntime")
    except ImportError:
        raise InputError(NEEDS) from None
    if not path.is_file():
        raise InputError(f"no file {str(path)!r}; give the path of an .onnx file")
    try:
        with tempfile.TemporaryDirectory(prefix="encoder-tui-onnx-") as folder:
            source = path
            if optimised:
                source = Path(folder) / "optimised.onnx"
                options = _options(onnxruntime, "ORT_ENABLE_ALL")
                options.optimized_model_filepath = str(source)
                onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            model: Any = onnx.load(str(source))
            plain = onnxruntime.InferenceSession(
                str(path), _options(onnxruntime, "ORT_ENABLE_ALL"), providers=["CPUExecutionProvider"]
            )
            feeds = _feeds(plain.get_inputs(), tokens, str(path))
            given: list[str] = [each.name for each in plain.get_outputs()]
            inner = [name for node in model.graph.node for name in node.output if name and name not in given]
            model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in inner)
            exposed = onnxruntime.InferenceSession(
                _loadable(onnx, model, Path(folder)),
                _options(onnxruntime, "ORT_DISABLE_ALL"),
                providers=["CPUExecutionProvider"],
            )
            order: dict[str, int] = {
                name: at for at, name in enumerate(name for node in model.graph.node for name in node.output)
            }
            wanted: list[str] = sorted(
                (each.name for each in exposed.get_outputs()), key=lambda name: order.get(name, 0)
            )
            arrays: dict[str, Any] = dict(zip(wanted, exposed.run(wanted, feeds), strict=True))
            beside: dict[str, Any] = dict(zip(given, plain.run(given, feeds), strict=True))
    except InputError:
        raise
    except Exception as error:  # whatever protobuf and the runtime raise of a file
        raise InputError(f"cannot run {path}: {one_line(error)[:300]}") from None
    tensors = {
        name: _tensor(name, array)
        for name, array in arrays.items()
        if hasattr(array, "dtype") and str(array.dtype) in DTYPES and array.size > 1
    }
    return OnnxPassage(tensors, _notes(arrays, beside, optimised, len(model.graph.node)))


def _options(onnxruntime: Any, level: str) -> Any:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    return options


def _loadable(onnx: Any, model: Any, folder: Path) -> bytes | str:
    """A graph as the runtime takes it: one message, or a file with its weights beside it."""
    if model.ByteSize() < LARGEST:
        return model.SerializeToString()
    onnx.save(model, str(folder / "exposed.onnx"), save_as_external_data=True)
    return str(folder / "exposed.onnx")


def _feeds(inputs: Sequence[Any], tokens: Tokens, path: str) -> dict[str, Array]:
    """What a graph is fed with, by the names of what it takes."""
    feeds: dict[str, Array] = {}
    for each in inputs:
        part = next((part for part, names in PARTS.items() if each.name.lower() in names), None)
        if part is None and len(inputs) == 1:
            part = "ids"
        if part is None:
            raise InputError(
                f"{path} takes {each.name!r}, which is no part of a text; it may take {', '.join(names[1] for names in PARTS.values())}"
            )
        array = _padded(np.asarray(getattr(tokens, part)), each.shape, path)
        feeds[each.name] = array.astype(
            {"tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(bool)": np.bool_}.get(each.type, np.float32)
        )
    return feeds


def _padded(array: Array, shape: Sequence[Any], path: str) -> Array:
    """Ids as long as a graph of fixed sizes takes them."""
    sizes = [size if isinstance(size, int) and size > 0 else own for size, own in zip(shape, array.shape, strict=False)]
    if len(sizes) != 2 or sizes[0] != array.shape[0] or sizes[1] < array.shape[1]:
        raise InputError(
            f"{path} takes {list(shape)}, and this is a batch of {list(array.shape)}; give it as many texts, and not longer"
        )
    return np.pad(array, ((0, 0), (0, sizes[1] - array.shape[1])))


def _tensor(name: str, array: Array) -> ForeignTensor:
    return ForeignTensor(name, tuple(array.shape), str(array.dtype), _held(array))


def _held(array: Array) -> Callable[[], Array]:
    return lambda: array


def _notes(arrays: Mapping[str, Any], beside: Mapping[str, Any], optimised: bool, nodes: int) -> tuple[str, ...]:
    """How far what runs when nobody looks is from what is shown."""
    form = "as onnxruntime optimises it" if optimised else "as it stands"
    apart = max(
        (
            float(np.abs(np.subtract(arrays[name], array, dtype=np.float64)).max(initial=0.0))
            for name, array in beside.items()
            if name in arrays and array.dtype.kind == "f"
        ),
        default=0.0,
    )
    said = f"differs from what is shown by up to {apart:.2g}" if apart else "is what is shown, bit for bit"
    return (f"{nodes} nodes of the graph {form}, one after the other; what onnxruntime gives when nobody looks {said}",)
