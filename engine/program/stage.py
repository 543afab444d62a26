"""A stage: one operation that turns named inputs and named weights into one named tensor; and stages in order, by name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, is_dataclass
from functools import cached_property, lru_cache
from typing import Any, Protocol

from .kinds import TABLE, UNKNOWN, Card
from .modules import Modules

Shape = tuple[int, ...]
MAIN = "tokens"  # the sequence that every program has


class Operation(Protocol):
    """What a stage does, as far as those who only look need to know (`ops` has the ones that compute)."""

    def write(self, *operands: str) -> str:
        """The right-hand side of the formula, with the operands (inputs, then weights) written as given."""
        ...


@dataclass(frozen=True, slots=True)
class Stage:
    """One operation that turns named inputs and named weights into one named tensor.

    Attributes:
        name: canonical, dotted, unique in its program: `layers.0.attention.scores`.
        op: the operation.
        inputs: names of earlier stages.
        weights: names of parameters, as the checkpoint's modules call them.
        axes: a name for each axis of the result: `("batch", "head", "query", "key")`.
        module: the Hugging Face module whose output this is, or "".
        labels: names of the places along the axis `label`, or of what the numbers along `rank` stand for; () for tokens.
        source: file and line that added it, `engine/models/families/bert.py:41`; "" where that is not known.
        sequences: for each axis the sequence whose tokens its places are, "" where they are none; () where all are of `tokens`.
    """

    name: str
    op: Operation
    inputs: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()
    axes: tuple[str, ...] = ()
    module: str = ""
    labels: tuple[str, ...] = ()
    source: str = field(default="", compare=False)
    sequences: tuple[str, ...] = ()

    @property
    def sequence(self) -> str:
        """The sequence of its first axis over tokens."""
        return next(filter(None, self.sequences), MAIN)

    def sequence_along(self, axis: str) -> str:
        """The sequence whose tokens the places along an axis are."""
        return (self.sequences[self.axes.index(axis)] or MAIN) if self.sequences else MAIN

    @property
    def block(self) -> str:
        """What the stage is a part of: `layers.0.attention` for `layers.0.attention.scores`."""
        return self.name.rpartition(".")[0]

    @property
    def layer(self) -> int | None:
        """Number of the layer it is in, counted from 0; None outside the layers."""
        return _layer_of(self.name)

    @property
    def room(self) -> str:
        """The largest part it belongs to: `layers.0`, `embeddings`, `tokens`, `head`."""
        return f"layers.{self.layer}" if self.layer is not None else self.name.partition(".")[0]

    @property
    def part(self) -> str:
        """The last word of its name: `scores`."""
        return self.name.rpartition(".")[2]

    @property
    def kind(self) -> str:
        """What its operation is called: `Softmax`, `LayerNorm`; of a recorded stage, what it was called, if that is known."""
        called = getattr(self.op, "called", None)
        return str(called) if called is not None else type(self.op).__name__

    @property
    def card(self) -> Card:
        """What is known of its operation; the careful `UNKNOWN` where nothing is."""
        return getattr(self.op, "card", UNKNOWN)

    @property
    def options(self) -> dict[str, Any]:
        """The operation's own settings: `{"epsilon": 1e-12}`."""
        if hasattr(self.op, "called"):
            return dict(getattr(self.op, "options", {}))
        return asdict(self.op) if is_dataclass(self.op) and not isinstance(self.op, type) else {}

    def formula(self) -> str:
        """`scores = query_heads · key_headsᵀ`, with names shortened to what tells them apart."""
        prefix = self.block + "."
        inputs = [name.removeprefix(prefix) for name in self.inputs]
        return f"{self.part} = {self.op.write(*inputs, *self.symbols)}"

    def formula_of_shapes(self, shapes: Mapping[str, Shape], weights: Mapping[str, Shape]) -> str:
        """The same formula with every name replaced by its shape."""
        operands = [write_shape(shapes[name]) for name in self.inputs]
        operands += [write_shape(weights[name]) for name in self.weights]
        return f"{write_shape(shapes[self.name])} = {self.op.write(*operands)}"

    @property
    def own(self) -> tuple[str, ...]:
        """What it has besides its value whatever it is compared with, by what stands after the `@`: weights, a table of positions."""
        return (*self.symbols, *(TABLE,) * self.card.by_position)

    @property
    def symbols(self) -> tuple[str, ...]:
        """What the formula calls the weights: `("W", "b")`; their names where the operation has no symbols for them."""
        symbols = getattr(self.op, "symbols", ())
        return tuple(symbols[: len(self.weights)]) if len(symbols) >= len(self.weights) else self.weights


@lru_cache(maxsize=4096)  # asked of every stage of a program, for every key
def _layer_of(name: str) -> int | None:
    matched = re.match(r"layers\.(\d+)\.", name)
    return int(matched[1]) if matched else None


def write_shape(shape: Iterable[int]) -> str:
    """`[1, 12, 14, 14]`."""
    return f"[{', '.join(map(str, shape))}]"


class Stages:
    """Stages in the order they run, and other names for some of them.

    Args:
        stages: in order; an input must be the name of an earlier stage.
        aliases: other names, each for one stage: `{"output": "layers.5.ffn.norm"}`.
        modules: what transformers calls the parts that hold several of them.

    Raises:
        ValueError: a name given twice, or an input that no earlier stage produces (a fault of the front end).
    """

    def __init__(
        self, stages: Iterable[Stage], aliases: Mapping[str, str] | None = None, modules: Modules | None = None
    ) -> None:
        self.modules = modules or Modules()
        self.stages: tuple[Stage, ...] = tuple(stages)
        self.aliases: dict[str, str] = dict(aliases or {})
        self._index: dict[str, int] = {}
        for position, stage in enumerate(self.stages):
            unknown = [name for name in stage.inputs if name not in self._index]
            if stage.name in self._index or unknown:
                raise ValueError(f"program is not straight-line at {stage.name}: {unknown or 'assigned twice'}")
            self._index[stage.name] = position
            if stage.sequences and len(stage.sequences) != len(stage.axes):
                raise ValueError(f"{stage.name} has the axes {stage.axes}, and sequences for {stage.sequences}")
        dangling = [name for name in self.aliases.values() if name not in self._index]
        if dangling:
            raise ValueError(f"alias for a stage that is not there: {dangling}")

    def __len__(self) -> int:
        return len(self.stages)

    def __iter__(self) -> Iterator[Stage]:
        return iter(self.stages)

    def __contains__(self, name: object) -> bool:
        return name in self._index or name in self.aliases

    def __getitem__(self, key: str | int) -> Stage:
        if isinstance(key, int):
            return self.stages[key]
        at = self._index.get(key)
        return self.stages[self.index(key) if at is None else at]

    def index(self, name: str) -> int:
        """Position of a stage given by its canonical name or an alias; `KeyError` if there is none."""
        at = self._index.get(name)
        return at if at is not None else self._index[self.aliases[name]]

    @cached_property
    def pairs(self) -> dict[str, tuple[Stage, Any]]:
        """Every stage by its name, with its operation."""
        return {stage.name: (stage, stage.op) for stage in self.stages}

    @cached_property
    def borrowed(self) -> frozenset[str]:
        """Stages whose values are weights seen another way."""
        return frozenset(stage.name for stage in self.stages if stage.card.takes_no_memory and stage.weights)

    @cached_property
    def anchors(self) -> frozenset[str]:
        """The stages that whole layers can be computed again from: what has another name as well, and what goes in."""
        return frozenset(self.aliases.values()) | {stage.name for stage in self.stages if not stage.inputs}

    @cached_property
    def layers(self) -> int:
        """How many layers there are."""
        return 1 + max((stage.layer for stage in self.stages if stage.layer is not None), default=-1)
