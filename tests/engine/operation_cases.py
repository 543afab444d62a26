"""A case of every operation that computes: what real programs hand it, and small numbers for those that none of these programs has."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import torch
from encoder_tui.engine.ops import ClampInfinite, Convolution, MeanPool, Normalize, Op, WeightedMeanPool, WithoutPrompt
from encoder_tui.engine.ops.base import OPERATIONS
from encoder_tui.engine.ops.torch_operation import Placeholder, TorchStep, TorchWholeNumbers
from encoder_tui.engine.traces.run import Run
from family_kit import open_pair, random_model, sample_of, tokens_for
from gpu.scenes import attached, bundled, of_images
from scratch import scratch
from test_cards import EXAMPLES, LONGER

# Each has operations that those before it have not.
FAMILIES = ("BART", "M2M100", "DeBERTa", "DeBERTa-v2", "GTE", "CLIP images", "CLIP classes", "MPNet", "T5")
HIDDEN, SEEN = (2, 4, 6), torch.tensor([[1, 1, 1, 0], [0, 1, 1, 1]])


@dataclass(frozen=True, eq=False, slots=True)
class Case:
    """An operation with what it is given, on the CPU.

    Attributes:
        op: it.
        inputs, weights: tensors.
    """

    op: Op
    inputs: tuple[torch.Tensor, ...]
    weights: tuple[torch.Tensor, ...]

    def __str__(self) -> str:
        return type(self.op).__name__


def computing() -> set[str]:
    """The operations of the table that compute; what is given to a run is moved, not computed."""
    return {
        name for name, kind in OPERATIONS.items() if not kind.card.given and kind.__module__.startswith("encoder_tui.")
    }


@cache
def cases() -> tuple[Case, ...]:
    """The examples of `test_cards`, then of each operation not among them the first stage that has it."""
    found = [*_examples(), *_by_hand()]
    known = {str(case) for case in found}
    for run in _runs():
        for stage in run.program:
            if isinstance(stage.op, Op) and stage.inputs and stage.kind not in known:
                known.add(stage.kind)
                weights = tuple(run.weights[name] for name in stage.weights)
                found.append(Case(stage.op, tuple(run[name].tensor() for name in stage.inputs), weights))
    return tuple(found)


def _examples() -> Iterator[Case]:
    draw = torch.Generator().manual_seed(0)
    for op, shapes in EXAMPLES.items():
        size = LONGER.get(type(op), (4, 4))
        inputs, weights = (
            tuple(
                torch.randint(shape, size, generator=draw)
                if isinstance(shape, int)
                else torch.randn(shape, generator=draw)
                for shape in each
            )
            for each in shapes
        )
        yield Case(op, inputs, weights)


def _by_hand() -> Iterator[Case]:
    draw = torch.Generator().manual_seed(1)
    x = torch.randn(HIDDEN, generator=draw)
    infinite = x.clone()
    infinite[0, 1, 2] = torch.inf
    for when in ("infinite", "not finite", "always"):
        yield Case(ClampInfinite(when), (infinite,), ())
    yield Case(Convolution(2), (x,), (torch.randn(6, 3, 3, generator=draw), torch.randn(6, generator=draw)))
    yield Case(Normalize(), (x,), ())
    yield Case(WithoutPrompt(), (SEEN, torch.tensor([[1, 0, 0, 0], [0, 0, 1, 0]])), ())
    counted = TorchStep("aten.cumsum.default", (Placeholder(0), 1))
    yield Case(TorchWholeNumbers((counted,), (2, 4), "int64"), (SEEN,), ())
    for op in (MeanPool(), MeanPool(root=True), WeightedMeanPool()):
        yield Case(op, (x, SEEN), ())


def _runs() -> Iterator[Run]:
    folder = scratch("cases")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is stored and not used
        yield bundled("cpu", folder).trace
        yield bundled("cpu", folder, ["the cat sat on the mat", "a dog"], "cbow").trace
        yield of_images("cpu", folder).trace
        yield attached("cpu", folder, training=True).trace
        for name in FAMILIES:
            sample = sample_of(name)
            encoder, _ = open_pair(sample, random_model(sample))
            yield encoder.run(tokens_for(sample, encoder, [7, 5]))
