"""A run otherwise: with other operations, weights or inputs, so that a cause can be tried."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...program.inputs import Inputs
from ...program.program import Program
from ...program.stage import Stage

if TYPE_CHECKING:
    import torch

    from ...traces.run import Run


@dataclass(frozen=True)
class Edit:
    """What is otherwise.

    Attributes:
        stages: in the place of those of the same names.
        weights: in the place of those of the same names, or more of them.
        inputs: in the place of what goes in; None for the same.
    """

    stages: Mapping[str, Stage] = field(default_factory=dict[str, Stage])
    weights: Mapping[str, torch.Tensor] = field(default_factory=dict[str, "torch.Tensor"])
    inputs: Inputs | None = None

    def __or__(self, other: Edit) -> Edit:
        return Edit({**self.stages, **other.stages}, {**self.weights, **other.weights}, other.inputs or self.inputs)

    def touched(self, program: Program) -> frozenset[str]:
        """Stages whose value may be another."""
        if self.inputs is not None:
            return frozenset(stage.name for stage in program)
        using = [stage.name for stage in program if not self.weights.keys().isdisjoint(stage.weights)]
        return program.all_downstream([*self.stages, *using])


class Overlaid(Mapping[str, "torch.Tensor"]):
    """Weights, some of which are others."""

    def __init__(self, below: Mapping[str, torch.Tensor], above: Mapping[str, torch.Tensor]) -> None:
        self._below, self._above = below, dict(above)

    def __getitem__(self, name: str) -> torch.Tensor:
        return self._above[name] if name in self._above else self._below[name]

    def __iter__(self) -> Iterator[str]:
        yield from self._below
        yield from (name for name in self._above if name not in self._below)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def edited(run: Run, edit: Edit) -> Run:
    """The same run with something otherwise. What does not depend on that is not computed again.

    Raises:
        InputError: its patches cannot be put upon that.
    """
    from ...traces.compute import Computation
    from ...traces.run import Run

    known, before = run.computation, run.program
    shapes = {**before.weights, **{name: tuple(weight.shape) for name, weight in edit.weights.items()}}
    program = Program(
        [edit.stages.get(stage.name, stage) for stage in before], before.aliases, shapes, before.wide, before.modules,
        before.shown,
    )  # fmt: skip
    weights = Overlaid(run.weights, edit.weights)
    inputs = edit.inputs if edit.inputs is not None else run.original_inputs
    computation = Computation(program, weights, inputs, run.device, known.dtype_given, run.budget)
    otherwise = Run(computation, inputs, run.about, None, run.named)
    if run.patches:
        otherwise.set_patches(run.patches)
    elif run.budget is None:
        touched = edit.touched(program)
        for stage in program:
            tensor = None if stage.name in touched else known.known(stage.name)
            if tensor is not None and not computation.is_windowed(stage.name):
                computation.cache.put(stage.name, tensor)
    return otherwise
