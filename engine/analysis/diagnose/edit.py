"""A run otherwise: with other operations, weights or inputs, so that a cause can be tried."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ...program.inputs import Inputs
from ...program.program import Program
from ...program.stage import Operation, Stage

if TYPE_CHECKING:
    import torch

    from ...traces.run import Run


@dataclass(frozen=True)
class Edit:
    """What is otherwise.

    Attributes:
        stages: in the place of those of the same names, or more of them; each comes after its inputs, wherever those are.
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


def put_between(program: Program, name: str, op: Operation, word: str) -> Edit:
    """Whatever takes a value takes what is made of it instead: one stage more, after that of the value."""
    made = replace(program[name], name=f"{name}_{word}", op=op, inputs=(name,), weights=(), module="")
    users = [program[user] for user in program.users(name)]
    taking = {
        user.name: replace(user, inputs=tuple(made.name if each == name else each for each in user.inputs)) for user in users
    }  # fmt: skip
    return Edit({**taking, made.name: made})


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


def straightened(stages: Mapping[str, Stage]) -> list[Stage]:
    """Stages in their order, but for those that need what comes later: each of them stands after its inputs.

    Raises:
        ValueError: one needs itself.
    """
    ordered: dict[str, Stage] = {}
    waiting: list[str] = list(stages)[::-1]
    under = set[str]()
    while waiting:
        name = waiting[-1]
        missing = [each for each in stages[name].inputs if each not in ordered] if name not in ordered else []
        if not missing:
            ordered.setdefault(waiting.pop(), stages[name])
        elif name in under:
            raise ValueError(f"{name} is made of itself")
        else:
            under.add(name)
            waiting += missing[::-1]
    return list(ordered.values())


def edited(run: Run, edit: Edit) -> Run:
    """The same run with something otherwise. What does not depend on that is not computed again.

    Raises:
        InputError: its patches cannot be put upon that.
    """
    from ...traces.run import Run
    from .fitting import FittingComputation

    known, before = run.computation, run.program
    shapes = {**before.weights, **{name: tuple(weight.shape) for name, weight in edit.weights.items()}}
    program = Program(
        straightened({**{stage.name: stage for stage in before}, **edit.stages}), before.aliases, shapes, before.wide, before.modules,
        before.shown,
    )  # fmt: skip
    weights = Overlaid(run.weights, edit.weights)
    inputs = edit.inputs if edit.inputs is not None else run.original_inputs
    computation = FittingComputation(program, weights, inputs, run.device, known.dtype_given, run.budget)
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
