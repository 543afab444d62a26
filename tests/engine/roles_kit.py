"""How right the names are that are told from the data flow: each value that has one, held against that stage's in our own family."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from encoder_tui.engine import Encoder
from encoder_tui.engine.models.traced.kept import KeptValues
from encoder_tui.engine.models.traced.roles import roles_of
from encoder_tui.engine.models.traced.tracer import Tracer
from encoder_tui.engine.program.program import Program
from encoder_tui.engine.program.tokens import Tokens
from encoder_tui.engine.program.torch_calls import without_fast_path
from family_kit import Sample, open_pair, plain_inputs, random_model, tokens_for

HEAD = ("family", "class", "operations", "named", "right", "precision", "our stages", "recall")
# What no module computes by itself, or no rule looks at: poolers and heads keep their modules' paths.
ASIDE = ("head.", "tokens.one_hot", "input.vectors")


@dataclass(frozen=True)
class Measured:
    """The names of one passage.

    Attributes:
        kind: the class of the module.
        calls: how many operations there were.
        right: names of values that are equal to our stage's.
        wrong: those of values that are not, and names that our family has no stage of.
        missed: our stages that have no value with their name.
    """

    kind: str
    calls: int
    right: tuple[str, ...]
    wrong: tuple[str, ...]
    missed: tuple[str, ...]

    @property
    def cells(self) -> tuple[str, ...]:
        """Its line of the table, from the class on."""
        named, stages = len(self.right) + len(self.wrong), len(self.right) + len(self.missed)
        shares = (f"{len(self.right) / max(1, named):.2f}", f"{len(self.right) / stages:.2f}")
        return f"`{self.kind}`", str(self.calls), str(named), str(len(self.right)), shares[0], str(stages), shares[1]


def measured(sample: Sample, lengths: tuple[int, ...] = (), seed: int = 0, **options: Any) -> Measured:
    """What is named of a family's module, and how much of it is right."""
    encoder, theirs = open_pair(sample, random_model(sample, seed, **options))
    return compared(sample, encoder, theirs, tokens_for(sample, encoder, lengths or _lengths(sample), seed))


def _lengths(sample: Sample) -> tuple[int, ...]:
    few = sample.shortest + 4
    return (sample.longest, sample.longest) if sample.longest < 40 else (few, sample.shortest + 2)


def compared(sample: Sample, encoder: Encoder, theirs: Any, tokens: Tokens) -> Measured:
    """The names that a module's values have, each held against the stage of that name in a run of ours on the same tokens."""
    run = encoder.run(tokens)
    kept = KeptValues()
    given = (sample.inputs or plain_inputs)(run.tokens)
    with torch.no_grad(), without_fast_path():
        passage = Tracer(theirs, kept).run((), given)
    roles = roles_of(passage.graph)
    values = {**passage.inputs, **kept}
    named = {name: values[value] for value, name in roles.names.items()}
    named |= {stack.name: torch.stack([values[value] for value in stack.values], 1) for stack in roles.heads}
    named = {_with_kind(name, run.program): value for name, value in named.items()}
    right = [name for name, value in named.items() if name in run.program and _same(value, run[name].tensor())]
    stages = [stage.name for stage in run.program if not stage.name.startswith(ASIDE)]
    return Measured(
        type(theirs).__name__, len(passage.graph.calls), tuple(right), tuple(sorted(set(named) - set(right))),
        tuple(name for name in stages if name not in right),
    )  # fmt: skip


def _with_kind(name: str, program: Program) -> str:
    """`rotary.cos` as a family of two kinds of layers calls it where a model has one of them alone."""
    function = name.removeprefix("rotary.")
    kinds = [stage.name for stage in program if stage.name in (f"rotary.global.{function}", f"rotary.local.{function}")]
    return kinds[0] if name.startswith("rotary.") and len(kinds) == 1 else name


def _same(theirs: torch.Tensor, ours: torch.Tensor) -> bool:
    """Whether two values are the same numbers: in another shape, with tokens before texts, or once for all texts."""
    orders = [ours, ours.transpose(0, 1)] if ours.ndim > 1 else [ours]
    if theirs.numel() == ours.numel():
        return any(_close(theirs.reshape(-1), order.reshape(-1)) for order in orders)

    try:
        return _close(theirs.expand(ours.shape), ours)
    except RuntimeError:  # shapes that do not go together
        return False


def _close(one: torch.Tensor, other: torch.Tensor) -> bool:
    return torch.allclose(one.double(), other.double(), rtol=1e-5, atol=1e-5)
