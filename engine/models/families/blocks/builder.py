"""Writes a program down stage by stage, keeping count of the weights it needs."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import CodeType

from ....ops import Activation, LayerNorm, Linear, Lookup, Op
from ....program.index import TOKEN_AXES
from ....program.modules import Modules
from ....program.program import Program
from ....program.stage import MAIN, Shape, Stage

_ABOVE = str(Path(__file__).parents[4]) + os.sep  # the folder that `engine` is in
HIDDEN = ("batch", "token", "hidden")


class Builder:
    """Every method adds one stage and returns its name, to be the input of later ones.

    Args:
        modules: what transformers calls the parts that hold several stages.
    """

    def __init__(self, modules: Modules | None = None) -> None:
        self.modules = modules
        self.stages: list[Stage] = []
        self.aliases: dict[str, str] = {}
        self.weights: dict[str, Shape] = {}
        self.wide: set[str] = set()  # weights to be kept in float32
        self._several: dict[str, Stage] = {}  # stages of another sequence than the one that every program has

    @classmethod
    def after(cls, program: Program) -> Builder:
        """A builder that goes on where a program ends."""
        builder = cls(program.modules)
        builder.stages, builder.aliases, builder.weights = (
            list(program.stages),
            dict(program.aliases),
            dict(program.weights),
        )
        builder.wide = set(program.wide)
        builder._several = {stage.name: stage for stage in program if stage.sequences}
        return builder

    def axes(self, name: str) -> tuple[str, ...]:
        """The axes of a stage that has been added."""
        return next(stage.axes for stage in self.stages if stage.name == self.aliases.get(name, name))

    def fresh(self, name: str) -> str:
        """The name, or with a number where it is taken: `head.sentence.dense_2`."""
        taken = {stage.name for stage in self.stages}
        return next(free for free in (name, *(f"{name}_{n}" for n in range(2, len(taken) + 3))) if free not in taken)

    def add(
        self,
        name: str,
        op: Op,
        inputs: Sequence[str] = (),
        axes: Sequence[str] = HIDDEN,
        weights: Sequence[tuple[str, Shape]] = (),
        module: str = "",
        labels: tuple[str, ...] = (),
        sequence: str = MAIN,
    ) -> str:
        """Add a stage; `weights` are names and shapes, `labels` what the places of its last axis stand for.

        Whose tokens its places are follows from its inputs; of what has none, `sequence` says it.
        """
        self.weights.update(weights)
        names = tuple(weight for weight, _ in weights)
        inputs = [self.aliases.get(source, source) for source in inputs]
        of = self._sequences(inputs, axes, sequence)
        self.stages.append(Stage(name, op, tuple(inputs), names, tuple(axes), module, labels, _caller(), of))
        if of:
            self._several[name] = self.stages[-1]
        return name

    def _sequences(self, inputs: Sequence[str], axes: Sequence[str], sequence: str) -> tuple[str, ...]:
        """The sequence of each axis of a result; () where all are of the one that every program has."""
        if not inputs:
            return () if sequence == MAIN else tuple(sequence if axis in TOKEN_AXES else "" for axis in axes)
        if not any(name in self._several for name in inputs):
            return ()
        sources = [next(stage for stage in self.stages if stage.name == name) for name in inputs]
        return tuple(_sequence_along(axis, sources) if axis in TOKEN_AXES else "" for axis in axes)

    def lookup(self, name: str, ids: str, module: str, rows: int, columns: int, axes: Sequence[str] = HIDDEN) -> str:
        """Rows of an embedding matrix."""
        return self.add(name, Lookup(), (ids,), axes, [(f"{module}.weight", (rows, columns))], module)

    def linear(
        self,
        name: str,
        x: str,
        module: str,
        fan_in: int,
        fan_out: int,
        axes: Sequence[str] = HIDDEN,
        *,
        bias: bool = True,
        labels: tuple[str, ...] = (),
    ) -> str:
        """A product with a weight matrix, and a bias where there is one."""
        weights = [(f"{module}.weight", (fan_out, fan_in)), (f"{module}.bias", (fan_out,))]
        return self.add(name, Linear(), (x,), axes, weights[: 1 + bias], module, labels)

    def norm(
        self,
        name: str,
        x: str,
        module: str,
        size: int,
        epsilon: float,
        axes: Sequence[str] = HIDDEN,
        *,
        bias: bool = True,
        single: bool = False,
    ) -> str:
        """A layer norm; `single` as of `LayerNorm`."""
        weights = [(f"{module}.weight", (size,)), (f"{module}.bias", (size,))]
        return self.add(name, LayerNorm(epsilon, single), (x,), axes, weights[: 1 + bias], module)

    def activation(self, name: str, x: str, kind: str, axes: Sequence[str] = HIDDEN, module: str = "") -> str:
        """A function of each element."""
        return self.add(name, Activation(kind), (x,), axes, module=module)

    def alias(self, name: str, stage: str) -> str:
        """Another name for a stage."""
        self.aliases[name] = stage
        return stage

    def program(self) -> Program:
        """What has been written down."""
        return Program(self.stages, self.aliases, self.weights, self.wide, self.modules)


def _sequence_along(axis: str, sources: Sequence[Stage]) -> str:
    """The sequence that a result's axis takes over from what it is made of: queries from what comes first, keys from the last."""
    first, last = sources[0], sources[-1]
    same = {"token": "query", "query": "token"}.get(axis, axis)  # attention turns one into the other, and back
    for stage, name in ((first, axis), (first, same), (last, "token"), *((source, axis) for source in sources)):
        if name in stage.axes:
            return stage.sequence_along(name)
    return MAIN


_places: dict[tuple[int, int], tuple[CodeType, str]] = {}  # by code and instruction: layers are added by the same ones


def _caller() -> str:
    """File and line of whoever asked the builder for a stage."""
    frame = sys._getframe(2)  # pyright: ignore[reportPrivateUsage] # inspect's own way to it takes longer
    while frame.f_code.co_filename == __file__ and frame.f_back is not None:
        frame = frame.f_back
    key = id(frame.f_code), frame.f_lasti
    place = _places.get(key)
    if place is None:  # the code is kept, so that no other is ever taken for it; counting its lines takes time
        written = f"{frame.f_code.co_filename.removeprefix(_ABOVE)}:{frame.f_lineno}"
        place = _places[key] = (frame.f_code, written)
    return place[1]
