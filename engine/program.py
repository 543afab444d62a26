"""An encoder as a straight-line program: stages in order, every name assigned once.

Nothing here computes and nothing here needs torch: a program is what the debugger walks, the tree shows and a
snapshot records.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, is_dataclass
from functools import cached_property
from typing import Any, Protocol

from .errors import InputError, nearest

Shape = tuple[int, ...]


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
    """

    name: str
    op: Operation
    inputs: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()
    axes: tuple[str, ...] = ()
    module: str = ""
    labels: tuple[str, ...] = ()

    @property
    def block(self) -> str:
        """What the stage is a part of: `layers.0.attention` for `layers.0.attention.scores`."""
        return self.name.rpartition(".")[0]

    @property
    def layer(self) -> int | None:
        """Number of the layer it is in, counted from 0; None outside the layers."""
        found = re.match(r"layers\.(\d+)\.", self.name)
        return int(found[1]) if found else None

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
    def symbols(self) -> tuple[str, ...]:
        """What the formula calls the weights: `("W", "b")`; their names where the operation has no symbols for them."""
        symbols = getattr(self.op, "symbols", ())
        return tuple(symbols[: len(self.weights)]) if len(symbols) >= len(self.weights) else self.weights


def write_shape(shape: Iterable[int]) -> str:
    """`[1, 12, 14, 14]`."""
    return f"[{', '.join(map(str, shape))}]"


class Program:
    """Stages in the order they run, and other names for some of them.

    Args:
        stages: in order; an input must be the name of an earlier stage.
        aliases: other names, each for one stage: `{"output": "layers.5.ffn.norm"}`.
        weights: the shape of every weight the stages use.
        wide: those that are kept in float32, whatever the rest is brought to.

    Raises:
        ValueError: a name given twice, or an input that no earlier stage produces (a fault of the front end).
    """

    def __init__(
        self,
        stages: Iterable[Stage],
        aliases: Mapping[str, str] | None = None,
        weights: Mapping[str, Shape] | None = None,
        wide: Iterable[str] = (),
    ) -> None:
        self.stages: tuple[Stage, ...] = tuple(stages)
        self.aliases: dict[str, str] = dict(aliases or {})
        self.weights: dict[str, Shape] = dict(weights or {})
        self.wide = frozenset(wide)
        self._index: dict[str, int] = {}
        for position, stage in enumerate(self.stages):
            unknown = [name for name in stage.inputs if name not in self._index]
            if stage.name in self._index or unknown:
                raise ValueError(f"program is not straight-line at {stage.name}: {unknown or 'assigned twice'}")
            self._index[stage.name] = position
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
        found = self._index.get(key)
        return self.stages[self.index(key) if found is None else found]

    def index(self, name: str) -> int:
        """Position of a stage given by its canonical name or an alias; `KeyError` if there is none."""
        found = self._index.get(name)
        return found if found is not None else self._index[self.aliases[name]]

    @cached_property
    def pairs(self) -> dict[str, tuple[Stage, Any]]:
        """Every stage by its name, with its operation."""
        return {stage.name: (stage, stage.op) for stage in self.stages}

    @cached_property
    def anchors(self) -> frozenset[str]:
        """The stages that whole layers can be computed again from: what has another name as well, and what goes in."""
        return frozenset(self.aliases.values()) | {stage.name for stage in self.stages if not stage.inputs}

    @property
    def layers(self) -> int:
        """How many layers there are."""
        return 1 + max((stage.layer for stage in self.stages if stage.layer is not None), default=-1)

    # -- names as people type them ---------------------------------------------------------------------------

    def resolve(self, name: str) -> str:
        """The canonical name of the one stage that is meant.

        Takes canonical names, aliases, TransformerLens hooks, Hugging Face modules, and any unambiguous end of a
        name (`2.attention.weights`).

        Raises:
            InputError: no such stage, or several.
        """
        found = self.match(name)
        if len(found) == 1:
            return found[0]
        if not found:
            raise self._unknown(name)
        shown = ", ".join(found[:3]) + (", ..." if len(found) > 3 else "")
        raise InputError(f"stage {name!r} is ambiguous: {len(found)} stages match ({shown}); write one in full")

    def match(self, pattern: str) -> list[str]:
        """Canonical names of every stage a name or glob (`layers.*.attention.weights`) means, in program order."""
        pattern = pattern.strip()
        if pattern in self:
            return [self[pattern].name]
        if any(mark in pattern for mark in "*?"):
            wanted = re.compile(fnmatch.translate(pattern))
            hits = {self.index(name) for name in (*self._index, *self.aliases) if wanted.match(name)}
            hits |= {self._index[at] for name, stages in self._foreign.items() if wanted.match(name) for at in stages}
            return [self.stages[position].name for position in sorted(hits)]
        if pattern in self._foreign:
            return self._foreign[pattern]
        return [name for name in self._index if name.endswith("." + pattern)] if pattern else []

    def expect(self, pattern: str) -> list[str]:
        """`match`, but nothing matching is an error that suggests the nearest names."""
        found = self.match(pattern)
        if not found:
            raise self._unknown(pattern)
        return found

    def _unknown(self, name: str) -> InputError:
        from .names import why_none

        why = why_none(self, name.strip())
        if why:
            return InputError(f"no stage is {why}")
        known = [*self._index, *self.aliases, *self._foreign]
        return InputError(f"no stage named {name!r}{nearest(name, known) or '; `info stages` lists them all'}")

    @cached_property
    def _foreign(self) -> dict[str, list[str]]:
        from .names import foreign_names

        return foreign_names(self)

    # -- what depends on what --------------------------------------------------------------------------------

    def upstream(self, name: str) -> frozenset[str]:
        """Every stage that the value of `name` depends on, itself not included."""
        return self._closure(name, {stage.name: stage.inputs for stage in self.stages})

    def users(self, name: str) -> tuple[str, ...]:
        """The stages that take `name` as an input."""
        return self._users[name]

    def downstream(self, name: str) -> frozenset[str]:
        """Every stage whose value depends on `name`, itself not included."""
        return self._closure(name, self._users)

    def all_downstream(self, names: Iterable[str]) -> frozenset[str]:
        """The stages named and every one whose value depends on any of them."""
        found = set(names)
        for stage in self.stages:
            if not found.isdisjoint(stage.inputs):
                found.add(stage.name)
        return frozenset(found)

    @cached_property
    def _users(self) -> dict[str, tuple[str, ...]]:
        users: dict[str, list[str]] = {stage.name: [] for stage in self.stages}
        for stage in self.stages:
            for name in stage.inputs:
                users[name].append(stage.name)
        return {name: tuple(found) for name, found in users.items()}

    @staticmethod
    def _closure(name: str, edges: Mapping[str, Iterable[str]]) -> frozenset[str]:
        seen: set[str] = set()
        waiting = list(edges[name])
        while waiting:
            found = waiting.pop()
            if found not in seen:
                seen.add(found)
                waiting.extend(edges[found])
        return frozenset(seen)
