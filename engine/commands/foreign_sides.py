"""One side of a test that has no program of its own: tensors in somebody's files, an ONNX graph, a module or recording under other names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..messages.errors import InputError
from ..program.trace import Trace
from ..traces.matched import Matched

if TYPE_CHECKING:
    from ..analysis.matching.map_file import NameMap
    from ..traces.matched import ForeignTensor

Over = Callable[[Trace], Matched]
DUMPS = (".npz", ".npy", ".pt", ".pth")
ONNX = ".onnx"
MODEL = (
    "config.json",
    "modules.json",
    "adapter_config.json",
)  # a folder with one of them is a model, whatever else lies in it
# What tensors of what went in are called -> what `forward` of many a module calls them.
WENT_IN = {
    "input_ids": "input_ids", "tokens.ids": "input_ids", "attention_mask": "attention_mask", "tokens.mask": "attention_mask",
    "token_type_ids": "token_type_ids", "tokens.segments": "token_type_ids",
}  # fmt: skip
NAMED = 0.5  # share of the stages of the smaller program that are called alike, from which on names are enough


def tensors_at(place: Path, names: NameMap | None) -> Mapping[str, ForeignTensor] | None:
    """Somebody's tensors, where a path is of those; None for a recording, a model, or what is not there.

    Raises:
        InputError: they cannot be read.
    """
    from ..traces.dump import ENDINGS, RAW, read_dump

    ending = place.suffix.lower()
    if place.is_file():
        holds = ending in DUMPS or (ending == ".safetensors" and not _is_recording(place))
    else:
        holds = place.is_dir() and not any((place / name).exists() for name in MODEL)
        holds = holds and any(each.suffix.lower() in (*ENDINGS, *RAW) for each in place.iterdir())
    return read_dump(str(place), names.raw if names is not None else None) if holds else None


def _is_recording(place: Path) -> bool:
    from safetensors import SafetensorError, safe_open

    from ..traces.recording import ENTRY

    try:
        with safe_open(place, "numpy") as file:
            return ENTRY in (file.metadata() or {})
    except (SafetensorError, OSError):
        return True  # or damaged, which whoever opens it says


def over_tensors(tensors: Mapping[str, ForeignTensor], title: str, names: NameMap | None) -> Over:
    """Gives the trace of somebody's tensors over the program of another."""
    from ..analysis.matching import match_tensors

    return lambda other: match_tensors(other, tensors, title=title, named=names)


def over_graph(place: Path, title: str, names: NameMap | None) -> Over:
    """The same of an ONNX graph, run on what went into the other."""
    from ..analysis.matching import match_tensors
    from ..models.onnx_graph import onnx_passage

    return lambda other: match_tensors(
        other, onnx_passage(place, other.original_tokens, optimised=False).tensors, title=title, named=names
    )


def ids_among(tensors: Mapping[str, ForeignTensor]) -> dict[str, Any]:
    """What went in, as a module is called with it, where the tensors say it; {} where they hold no ids."""
    import torch

    arrays = {WENT_IN[name]: tensor.read() for name, tensor in tensors.items() if name in WENT_IN}
    if "input_ids" not in arrays:
        return {}
    return {name: torch.tensor(array.reshape(-1, array.shape[-1]), dtype=torch.int64) for name, array in arrays.items()}


def under_names_of(ours: Trace, theirs: Trace, names: NameMap | None, title: str) -> Trace:
    """Theirs, matched to the stages of ours where it does not call them alike; itself where it does, or nothing belongs to anything.

    Args:
        names: a mapping file, which is followed in any case.

    Raises:
        InputError: a map that does not fit.
    """
    from ..analysis.matching import match_trace

    alike = sum(stage.name in theirs.program for stage in ours.program)
    if names is None and alike > NAMED * min(len(ours.program), len(theirs.program)):
        return theirs
    try:
        return match_trace(ours, theirs, title=title, named=names)
    except InputError:
        if names is not None:
            raise
        return theirs


def unmatched_numbers(trace: Matched) -> list[str]:
    """Tensors of numbers that no stage is, where the result of the program is none of theirs either: what they hold was not looked at."""
    from ..analysis.matching.likeness import FLOATS

    program = trace.program
    result = program["output"].name if "output" in program else program[len(program) - 1].name
    if trace.has(result):
        return []
    left = [trace.tensors[name] for name in trace.unmatched]
    return [tensor.name for tensor in left if tensor.dtype in FLOATS or not tensor.is_read]
