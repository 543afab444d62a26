"""An operation is its class: one that is made here, and named nowhere else, is run, explained, costed, scanned and compared."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from encoder_tui.engine import Debugger, Encoder, Run, load, open_snapshot, save
from encoder_tui.engine.analysis.compare import compare
from encoder_tui.engine.analysis.cost import costs
from encoder_tui.engine.analysis.explain import explain_stage
from encoder_tui.engine.analysis.why import Explanation, explain, write_why
from encoder_tui.engine.debugger.unexpected import first_fault
from encoder_tui.engine.messages.errors import InputError
from encoder_tui.engine.ops import Op, Out, Tensors, rounding
from encoder_tui.engine.ops.element import ALL, Element, at
from encoder_tui.engine.ops.sizes import Sizes, of_weight
from encoder_tui.engine.program.explanation import Term, Terms
from encoder_tui.engine.program.kinds import Card, Products
from encoder_tui.engine.program.program import Program
from encoder_tui.engine.program.weight import axes_of_weight

STAGE, INPUT = "layers.1.attention.output", "layers.1.attention.concat"
TEXTS = ["one two three four", "one"]


@dataclass(frozen=True, slots=True)
class Detour(Op):
    """x + strength · (x · Wᵀ): a product with a square matrix beside what it is of, (..., hidden) -> the same.

    Attributes:
        strength: what the product is multiplied with.
    """

    strength: float
    symbols: ClassVar[tuple[str, ...]] = ("W",)
    card: ClassVar[Card] = Card(products=Products.WEIGHT, weight_axes=("out", "in"))

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        (x,), (matrix,) = inputs, weights
        return torch.add(x, torch.matmul(x, matrix.t()), alpha=self.strength, out=out())

    def bound(self, sizes: Sizes) -> float:
        return sizes.most(0) + abs(self.strength) * of_weight(sizes)

    def write(self, *operands: str) -> str:
        x, matrix = operands
        return f"{x} + {self.strength:g} · {x} · {matrix}ᵀ"

    @staticmethod
    def explain(element: Element) -> Explanation:
        """y[j] = x[j] + Σₖ strength · x[k] · W[j, k]."""
        *lead, j = element.index
        x, strength = element.read(0, (*lead, ALL)), float(element.options["strength"])
        name, matrix = element.input_name(0), element.symbol(0, "W")
        formula = f"{name}{at(*lead, j)} + Σₖ {strength:g} · {name}{at(*lead, 'k')} · {matrix}{at(j, 'k')}"
        try:
            row = element.weight(0, (j, ALL))
        except InputError as error:
            return element.explain(formula, None, notes=[str(error)])
        factor = element.constant(f"{strength:g}", strength)

        def make(k: int) -> Term:
            if k == len(x):
                return Term(x[j], (element.operand(0, (*lead, j), x[j]),))
            operand = element.operand(0, (*lead, k), x[k])
            return Term(values[k], (factor, operand, element.parameter(0, "W", (j, k), row[k])))

        values = np.append(strength * x * row, x[j])
        terms = Terms(values, make)
        bound = rounding.of_products(element.value.dtype, terms, element.stored, x[j])
        return element.explain(formula, terms, bound=bound)


def with_detour(encoder: Encoder) -> Encoder:
    """The encoder with a detour in the place of a projection."""
    program = encoder.program
    stages = [
        replace(stage, op=Detour(0.5), weights=stage.weights[:1], module="") if stage.name == STAGE else stage
        for stage in program
    ]
    encoder.program = Program(stages, program.aliases, program.weights, program.wide, program.modules)
    return encoder


@pytest.fixture(scope="module")
def encoder(small_dir: Path) -> Encoder:
    return with_detour(load(small_dir, "cpu"))


@pytest.fixture
def run(encoder: Encoder) -> Run:
    return encoder.run(TEXTS)


def test_it_runs(encoder: Encoder, run: Run):
    x, matrix = run.tensor(INPUT), run.weights[run.program[STAGE].weights[0]]
    assert torch.equal(run.tensor(STAGE), torch.add(x, x @ matrix.t(), alpha=0.5))
    assert run.shapes[STAGE] == tuple(x.shape)
    assert run.program[STAGE].formula() == "output = concat + 0.5 · concat · Wᵀ"
    debugger = Debugger(encoder.run(TEXTS))
    debugger.goto(run.program.index(STAGE))
    assert np.array_equal(debugger.trace.value(STAGE).read(), run[STAGE].read())


def test_it_is_explained(run: Run, tmp_path: Path):
    chance = random.Random(0)
    for _ in range(10):
        index = tuple(chance.randrange(size) for size in run.shapes[STAGE])
        explanation = explain(run, STAGE, index)
        assert explanation.holds
        assert 0 < explanation.bound < 1e-4
        assert len(explanation.terms) == run.shapes[STAGE][-1] + 1
        assert explain(run, explanation.operand(1).name, explanation.operand(1).index).holds
    assert "Σₖ 0.5 · concat[0, 1, k] · W[2, k]" in write_why(explain(run, STAGE, (0, 1, 2)))
    save(run, tmp_path / "run.safetensors")
    recorded = explain(open_snapshot(tmp_path / "run.safetensors"), STAGE, (0, 1, 2))
    assert recorded.formula == explain(run, STAGE, (0, 1, 2)).formula
    assert "weights" in recorded.notes[0]


def test_it_is_costed(run: Run):
    cost = next(cost for cost in costs(run) if cost.name == STAGE)
    batch, tokens, hidden = run.shapes[STAGE]
    assert cost.multiply_adds == batch * tokens * hidden * hidden
    assert (cost.parameters, cost.bytes) == (hidden * hidden, batch * tokens * hidden * 4)
    assert axes_of_weight(run.program[STAGE], 2) == ("out", "in")


def test_it_is_scanned(encoder: Encoder, run: Run):
    assert first_fault(run) is None
    # The rule says so: had the numbers been read, both were equal.
    assert np.abs(run[STAGE].read()).max() < run.extents.most(STAGE) < math.inf
    broken = encoder.run(TEXTS)
    broken.override(INPUT, torch.full_like(broken.tensor(INPUT), 3e38))
    assert not broken.extents.most(STAGE) < math.inf
    broken_at = first_fault(broken)
    assert broken_at is not None
    assert broken_at[0].name == STAGE


def test_it_is_compared(run: Run, small_dir: Path):
    wide = with_detour(load(small_dir, "cpu", "float64")).run(TEXTS)
    row = compare(run, wide).row(STAGE)
    assert row.rounding is not None
    assert 0 < row.added_relative <= row.rounding
    assert row.relative <= row.tolerance
    changed = with_detour(load(small_dir, "cpu"))
    stages = [replace(stage, op=Detour(0.6)) if stage.name == STAGE else stage for stage in changed.program]
    changed.program = Program(stages, changed.program.aliases, changed.program.weights)
    comparison = compare(run, changed.run(TEXTS))
    assert comparison.first is not None
    assert comparison.first.name == STAGE


def test_it_has_a_page_without_a_text(run: Run):
    page = explain_stage(run, STAGE, (0, 1, 2))
    assert page.formula == "output = concat + 0.5 · concat · Wᵀ"
