"""Snapshots: a run's values in one file, and a file looked at as if it were a run.

A snapshot is a .safetensors file. Tensor names are those of stages, or addresses of what else was chosen; the metadata entry `encoder_tui` holds the manifest, JSON
that says everything else (program, tokens, formulas). It opens without torch.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError

from ..messages.errors import InputError, one_line
from ..messages.visible import visible
from ..program.addresses import AT
from ..program.foreign.transformer_lens import ENCODER
from ..program.index import NO_TOKENS, TOKEN_AXES
from ..program.inputs import Inputs
from ..program.json_values import is_list, is_object
from ..program.kinds import KEPT, UNKNOWN, Card
from ..program.modules import Modules
from ..program.program import Program
from ..program.stage import MAIN, Shape, Stage
from ..program.tokens import PARTS, Ids, Tokens
from ..program.trace import Trace
from ..program.value import ShapeAlone, Value
from ..program.weight import StageWeight, axes_of_weight
from .manifest import ENTRY, FORMAT, expect
from .one_hot import OneHotValue
from .recorded_values import LeftOut, LeftOutValue, RecordedValue, no_weights
from .tensor_file import TensorFile, open_safetensors

ONE_HOT = "tokens.one_hot"
BLOCK_OF_T5 = "encoder.block."
WITHOUT_MODULES = (
    "recorded by an encoder-tui that did not keep transformers' names of modules which hold others (encoder.layer.0); "
    "names of stages and of single modules work"
)


def open_snapshot(path: str | Path) -> Recording:
    """Look at a recording as one looks at a run; needs no model and no torch.

    Raises:
        InputError: not there, not a snapshot, damaged, or of a newer format.
    """
    target = Path(os.path.expanduser(path))
    if not os.path.isfile(target):
        raise InputError(f"no snapshot {str(path)!r}; `--export PATH.safetensors` writes one")
    if target.suffix == ".npz":
        raise InputError(f"{path} is for numpy.load; --open reads what was exported to .safetensors")
    try:
        with open_safetensors(target, "numpy") as file:  # checks that the header and the size agree
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise InputError(f"cannot read {path}: truncated or not safetensors ({one_line(error)})") from None
    if ENTRY not in metadata:
        raise InputError(f"{path} holds tensors but is not a snapshot of encoder-tui: it has no {ENTRY!r} entry")
    try:
        facts = _visible(json.loads(metadata[ENTRY]))
        if facts["format"] <= FORMAT:
            expect(facts)
            return Recording(facts, TensorFile(target))
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise InputError(f"{path} has a damaged {ENTRY!r} entry ({one_line(error)}); export it again") from None
    raise InputError(f"{path} has format {facts['format']}, and this encoder-tui reads up to {FORMAT}; update it")


def _visible(facts: Any) -> Any:
    """The manifest as it may be shown; the texts as they are, since they are encoded again."""
    if isinstance(facts, str):
        return visible(facts)
    if is_list(facts):
        return [_visible(fact) for fact in facts]
    if is_object(facts):
        return {visible(name): fact if name in ("texts", "pair") else _visible(fact) for name, fact in facts.items()}
    return facts


@dataclass(frozen=True, slots=True)
class Recorded:
    """The operation of a recorded stage: what it wrote is known, what it does is not needed.

    Attributes:
        written: the right-hand side of the formula.
        called: what kind of operation it was; "" in recordings that do not say.
        options: its settings.
        symbols: what it called its weights.
    """

    written: str
    called: str = ""
    options: Mapping[str, Any] = field(default_factory=dict[str, Any], hash=False)
    symbols: tuple[str, ...] = ()

    @property
    def card(self) -> Card:
        """What is known of operations of that name; nothing where none is called so."""
        from ..ops.base import OPERATIONS  # with all there are; a recording opens without them

        operation = OPERATIONS.get(self.called)
        return operation.card if operation is not None else UNKNOWN

    def write(self, *operands: str) -> str:
        """The formula as it was recorded."""
        return self.written


class Recording(Trace):
    """A snapshot, to be walked like a run. Made by `open_snapshot`."""

    def __init__(self, facts: Mapping[str, Any], file: TensorFile) -> None:
        self._file, self.written = file, file.path.stat().st_mtime
        self._facts = {stage["name"]: stage for stage in facts["stages"]}
        self._shapes = {name: tuple(stage["shape"]) for name, stage in self._facts.items()}
        self._words = {int(number): str(word) for number, word in facts["words"].items()}
        self._patched = frozenset(facts["patched"])
        self._beside = {beside["name"]: beside for beside in facts.get("beside", ())}
        self.about = {str(name): str(fact) for name, fact in facts["about"].items()}
        others = {name: _tokens(sequence) for name, sequence in facts.get("sequences", {}).items()}
        self.inputs = Inputs(_tokens(facts["tokens"]), others)
        self.program = Program(
            [_stage(stage) for stage in facts["stages"]],
            facts["aliases"],
            {name: tuple(shape) for name, shape in facts["weights"].items()},
            modules=_modules(facts),
        )
        self.model_notes = (*facts.get("notes", ()), *(() if "modules" in facts else (WITHOUT_MODULES,)))
        self.assurances = frozenset(facts.get("assurances", ()))
        self._check()

    def _check(self) -> None:
        """Refuse a manifest that contradicts itself or the tensors (`ValueError`): nobody else looks again."""
        for sequence in self.inputs.sequences.values():
            _check_tokens(sequence)
        for stage in self.program:
            if unknown := [name for name in stage.weights if name not in self.program.weights]:
                raise ValueError(f"{stage.name} uses {unknown[0]!r}, whose shape it does not say")
        for name, shape in self._shapes.items():
            axes = self.program[name].axes
            if not all(isinstance(part, int) and part >= 0 for part in shape) or len(shape) != len(axes):
                raise ValueError(f"{name}: shape {shape} and axes {axes}")
            if unknown := [of for of in self.program[name].sequences if of and of not in self.inputs.sequences]:
                raise ValueError(f"{name} is of the sequence {unknown[0]!r}, which is not there")
            self._check_places(self.program[name], shape)
            if name in self._file and self._file.kind(name) != (self._facts[name]["dtype"], shape):
                raise ValueError(f"{name} is not what the tensor of that name is")
        for name, beside in self._beside.items():
            if name.partition(AT)[0] not in self._shapes or len(beside["axes"]) != len(beside["shape"]):
                raise ValueError(f"{name}: shape {beside['shape']} and axes {beside['axes']}")
            if name not in self._file or self._file.kind(name) != (beside["dtype"], tuple(beside["shape"])):
                raise ValueError(f"{name} is not what the tensor of that name is")
            if name.partition(AT)[2] == KEPT:
                self._check_corner(name, tuple(beside["shape"]))
        if ONE_HOT in self._shapes and self._shapes[ONE_HOT][:-1] != self.tokens.shape:
            raise ValueError(f"{ONE_HOT}: shape {self._shapes[ONE_HOT]}")

    def _check_corner(self, address: str, shape: Shape) -> None:
        """Refuse a corner that is none of its stage's value (`ValueError`)."""
        name = address.partition(AT)[0]
        whole, kind = self._shapes[name], self._facts[name]["dtype"]
        fits = len(whole) == len(shape) and all(one <= other for one, other in zip(shape, whole, strict=True))
        if not fits or self._file.kind(address)[0] != kind:
            raise ValueError(f"{address}: shape {shape} of {whole}, in {kind}")

    def _check_places(self, stage: Stage, shape: Shape) -> None:
        """Refuse an axis over texts or tokens that is not as long as there are of them (`ValueError`)."""
        sizes, given = self.inputs.sizes, not (stage.inputs or stage.weights)
        if not self.tokens.texts:  # an empty batch, of which nothing is to be told apart
            return
        for axis, size in zip(stage.axes, shape, strict=True):
            sequence = MAIN if axis == "batch" else stage.sequence_along(axis)
            there = sizes[sequence][axis != "batch"] if axis in ("batch", *TOKEN_AXES) else size
            if size != there and (size != 1 or given):  # one place may stand for all, but for what goes in
                raise ValueError(f"{stage.name} is {size} along {axis!r}, and {sequence} are {there}")

    @property
    def shapes(self) -> Mapping[str, Shape]:
        return self._shapes

    @property
    def patched(self) -> frozenset[str]:
        return self._patched

    def has(self, name: str) -> bool:
        return name in self._file or name == ONE_HOT

    def word(self, number: int) -> str:
        return self._words.get(number, str(number))

    def weight_value(self, weight: StageWeight) -> Value:
        shape = self.weight_shapes[weight.name]
        axes = axes_of_weight(weight.stage, len(shape))
        return ShapeAlone(weight.address, axes, shape, self.about.get("dtype", "float32"), no_weights(weight.name))

    def formulas(self, name: str) -> tuple[str, str]:
        return self._facts[name]["formula"], self._facts[name]["formula_of_shapes"]

    def beside(self, stage: Stage) -> dict[str, Callable[[], Value]]:
        recorded = [name for name in self._beside if name.partition(AT)[0] == stage.name]
        return (
            super().beside(stage)
            | {name.partition(AT)[2]: partial(self._recorded, stage, name) for name in recorded}
            | (value.beside() if isinstance(value := self.value(stage.name), LeftOutValue) else {})
        )

    def _recorded(self, stage: Stage, address: str) -> Value:
        facts = self._beside[address]
        value = RecordedValue(address, tuple(facts["axes"]), self._file.array(address), facts["dtype"])
        value.word, value.labels = self.reader(stage), stage.labels
        value.tokens = self.inputs.strings_along(stage) if "batch" in value.axes else NO_TOKENS
        return value

    def value(self, name: str) -> Value:
        stage, facts = self.program[name], self._facts[name]
        if name == ONE_HOT:
            value: Value = OneHotValue(name, stage.axes, self.tokens.ids, self.shapes[name])
        elif name in self._file:
            value = RecordedValue(name, stage.axes, self._file.array(name), str(facts["dtype"]))
        elif (left_out := LeftOut.read(facts)) is not None:
            corner = f"{name}{AT}{KEPT}"
            left_out = replace(left_out, corner=self._file.array(corner) if corner in self._beside else None)
            value = LeftOutValue(name, stage.axes, self.shapes[name], str(facts["dtype"]), left_out)
        else:
            refusal = f"{name} is not in this recording; export it as well: export PATH {name!r}"
            value = ShapeAlone(name, stage.axes, self.shapes[name], str(facts["dtype"]), refusal)
        value.tokens, value.word, value.labels = self.inputs.strings_along(stage), self.reader(stage), stage.labels
        return value


def _check_tokens(tokens: Tokens) -> None:
    """Refuse tokens of which some are told more than of others (`ValueError`)."""
    if tokens.ids.ndim != 2:
        raise ValueError("its tokens are not of one shape")
    batch, width = tokens.shape
    of_tokens = [tokens.strings, tokens.places, tokens.mask, tokens.segments, tokens.positions]
    of_tokens += [tokens.second] if tokens.second else []
    if any([len(row) for row in rows] != [width] * batch for rows in of_tokens):
        raise ValueError("its tokens are not of one shape")
    if len(tokens.texts) != batch:
        raise ValueError(f"it has {batch} rows of tokens, of {len(tokens.texts)} texts")


def _stage(facts: Mapping[str, Any]) -> Stage:
    rest = str(facts["formula"]).partition(" = ")[2]
    return Stage(
        facts["name"],
        Recorded(rest, str(facts.get("kind", "")), dict(facts.get("options", {})), tuple(facts.get("symbols", ()))),
        tuple(facts["inputs"]),
        tuple(facts["weights"]),
        tuple(facts["axes"]),
        facts["module"],
        tuple(map(str, facts.get("labels", ()))),
        facts.get("source", ""),
        tuple(facts.get("sequences", ())),
    )


def _modules(manifest: Mapping[str, Any]) -> Modules:
    """The table of modules that hold others; of a recording from before it was kept, only whether it is of a T5."""
    facts = manifest.get("modules")
    if facts is None:
        of_t5 = any(stage["module"].startswith(BLOCK_OF_T5) for stage in manifest["stages"])
        return Modules(blocks=ENCODER) if of_t5 else Modules()
    tables = {name: dict(facts[name]) for name in ("whole", "parts", "heads", "none")}
    return Modules(
        tuple(facts["prefixes"]), facts["layer"], **tables, blocks=facts["blocks"], decoders=tuple(facts["decoders"])
    )


def _of_tokens(rows: Sequence[Sequence[int]]) -> Ids:
    """(batch, token); of an empty batch it is not written how long it was."""
    array = np.array(rows, dtype=np.int64)
    return array if array.ndim == 2 or len(rows) else array.reshape(0, 0)


def _tokens(facts: Mapping[str, Any]) -> Tokens:
    ids, mask, segments, positions = (_of_tokens(facts[name]) for name in PARTS)
    strings = tuple(tuple(map(str, row)) for row in facts["strings"])
    places = tuple(tuple((int(a), int(b)) for a, b in row) for row in facts["places"])
    return Tokens(
        tuple(facts["texts"]), facts["pair"], ids, mask, segments, positions, strings, places,
        vocabulary_size=int(facts["vocabulary_size"]),
        second=tuple(tuple(map(bool, row)) for row in facts.get("second", ())),
        from_ids=bool(facts.get("from_ids")), prompt_length=int(facts.get("prompt_length", 0)),
        cut=tuple(map(int, facts.get("cut", ()))), cut_left=bool(facts.get("cut_left")),
        unknown=str(facts.get("unknown", "[UNK]")),
        known_in=tuple((str(typed), str(known)) for typed, known in facts.get("known_in", ())),
        notes=tuple(map(str, facts.get("notes", ()))), masking=str(facts.get("masking", "[MASK]")),
    )  # fmt: skip
