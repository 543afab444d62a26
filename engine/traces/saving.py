"""A run's values in one file: a snapshot, or arrays for numpy; see `recording` for how it is looked at again."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..messages.errors import InputError
from ..program.addresses import AT
from ..program.program import Program
from ..program.tokens import PARTS, Tokens
from ..program.trace import Trace
from ..program.value import ShapeAlone, Value
from .manifest import ENTRY, FORMAT
from .recorded_values import LeftOutValue
from .recording import ONE_HOT, WITHOUT_MODULES
from .tensor_file import Saved, write_npz, write_safetensors

__all__ = ["Saved", "check_target", "manifest", "save"]


def save(trace: Trace, path: str | Path, select: str | None = None, upto: int | None = None) -> Saved:
    """Write values to a file: .safetensors (a snapshot, can be opened again) or .npz (for numpy).

    The file appears whole or not at all: it is written beside the target and renamed. `tokens.one_hot` is not written,
    since the ids say the same; an opened snapshot has it all the same.

    Args:
        trace: a run or a recording.
        path: where to; a file that is there is replaced.
        select: an address or glob, `layers.*.ffn.up`, `layers.*.ffn.up@W`; None for the values of all stages.
        upto: only stages up to this position, unless `select` names them.

    Returns:
        Which stages were written, and how many bytes.

    Raises:
        InputError: another suffix, nothing selected, or a path that cannot be written.
    """
    target = check_target(path)
    program = trace.program
    names = (
        trace.addresses(select) if select is not None else [stage.name for stage in program][: _count(upto, program)]
    )
    if names == [ONE_HOT]:
        raise InputError(f"{ONE_HOT} is not written, since tokens.ids says the same; write `export PATH tokens.ids`")
    values, refusal = _written(trace, names)
    if not values and not (select is None and _statistics(trace, names)):
        what = f"{select!r} selects nothing that can be written" if select else "nothing has been reached yet"
        raise refusal or InputError(f"{what}; `continue` first, or name stages: export PATH GLOB")
    write = write_npz if target.suffix == ".npz" else write_safetensors
    return write(target, values, {ENTRY: manifest(trace, values)})


def _written(trace: Trace, names: Iterable[str]) -> tuple[list[Value], InputError | None]:
    """Those values that can be had, and why the first that cannot is not: a weight of a recording, what the reference lacks."""
    values: list[Value] = []
    refusal: InputError | None = None
    for name in names:
        if name == ONE_HOT:
            continue
        if not (AT in name or trace.has(name)):
            value = trace.value(name)
            if isinstance(value, LeftOutValue) and (corner := value.corner()) is not None:
                values.append(corner)
            continue
        try:
            value = trace[name]
        except InputError as error:
            refusal = refusal or error
            continue
        if isinstance(value, ShapeAlone):
            refusal = refusal or InputError(value.refusal)
        else:
            values.append(value)
    return values, refusal


def _statistics(trace: Trace, names: Iterable[str]) -> bool:
    """Whether a recording without a number says something of them all the same."""
    left_out = (trace.value(name) for name in names)
    return any(isinstance(value, LeftOutValue) and value.left_out.figures is not None for value in left_out)


def check_target(path: str | Path) -> Path:
    """Where an export goes, before anything is computed for it.

    Raises:
        InputError: another suffix than .safetensors and .npz, or no such directory.
    """
    target = Path(os.path.expanduser(path))
    if target.suffix not in (".safetensors", ".npz"):
        raise InputError(
            f"export path {str(path)!r} ends in neither .safetensors nor .npz, nor .html for a page; give it one of them"
        )
    if not target.parent.is_dir():
        wrong = errno.ENOTDIR if target.parent.exists() else errno.ENOENT
        raise InputError(f"cannot write {str(path)!r}: {os.strerror(wrong)}")
    return target


def manifest(trace: Trace, values: Sequence[Value]) -> str:
    """The JSON that tells a snapshot's reader everything but the numbers of the values that are written."""
    ids = {number for sequence in trace.inputs.sequences.values() for number in sequence.ids.ravel().tolist()}
    for written_value in values:
        if written_value.holds_ids:
            ids |= set(np.unique(written_value.read()).tolist())
    others = {name: _plain(sequence) for name, sequence in trace.inputs.others.items()}
    stages: list[dict[str, Any]] = []
    for stage in trace.program:
        written, sized = trace.formulas(stage.name)
        value = trace.value(stage.name)
        stages.append(
            {
                "name": stage.name, "inputs": stage.inputs, "weights": stage.weights, "axes": stage.axes,
                "kind": stage.kind, "options": stage.options, "module": stage.module,
                "labels": stage.labels, "symbols": stage.symbols, "source": stage.source,
                **({"sequences": stage.sequences} if stage.sequences else {}),
                "formula": written, "formula_of_shapes": sized,
                "shape": trace.shapes[stage.name], "dtype": value.dtype,
                **(value.left_out.written() if isinstance(value, LeftOutValue) else {}),
            }
        )  # fmt: skip
    return json.dumps(
        {
            "format": FORMAT,
            "about": dict(trace.about),
            "tokens": _plain(trace.tokens),
            **({"sequences": others} if others else {}),
            **({"notes": notes} if (notes := [note for note in trace.model_notes if note != WITHOUT_MODULES]) else {}),
            **({"assurances": sorted(trace.assurances)} if trace.assurances else {}),
            "stages": stages,
            "aliases": trace.program.aliases,
            **({} if WITHOUT_MODULES in trace.model_notes else {"modules": asdict(trace.program.modules)}),
            "weights": {name: list(shape) for name, shape in trace.weight_shapes.items()},
            "beside": [
                {"name": value.name, "axes": value.axes, "shape": value.shape, "dtype": value.dtype}
                for value in values
                if AT in value.name
            ],
            "patched": sorted(trace.patched),
            "words": {str(number): trace.word(number) for number in sorted(ids)},
        },
        ensure_ascii=False,
    )


def _plain(tokens: Tokens) -> dict[str, Any]:
    """A sequence as JSON can hold it; whatever else went in is a stage of its own."""
    plain = asdict(replace(tokens, arrays={})) | {name: getattr(tokens, name).tolist() for name in PARTS}
    del plain["arrays"]
    return plain


def _count(upto: int | None, program: Program) -> int:
    return len(program) if upto is None else upto + 1
