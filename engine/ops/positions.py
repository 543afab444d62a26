"""Positions that are computed: waves instead of learned ones, and places that skip padding or begin later."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..program.explanation import Explanation, Term, Terms
from ..program.kinds import Card
from ..program.stage import Shape
from ..program.torch_calls import from_numpy
from . import rounding
from .base import Op, Out, Tensors
from .element import Element, at
from .lazy import torch

LONGEST_WAVE = 10000.0


@dataclass(frozen=True, slots=True)
class Sinusoid(Op):
    """PE(p, 2i) = sin(p / 10000^(2i/d)) and PE(p, 2i+1) = cos of the same (Vaswani et al. 2017, section 3.5).

    (batch, token) -> (batch, token, hidden). The waves are computed in float32, as the reference implementations do.

    Attributes:
        hidden: d, how many features.
        dtype: of the result.
        layout: `turns`, as above; `halves`: all sines, then all cosines, computed in float64 (Marian); `spread`: halves as
            well, whose longest wave is 2π · 10000 exactly, so that 2i/d is i/(d/2 − 1) (tensor2tensor, M2M100).
        places: rows of the table that halves are taken from, where its size plays a part in the last bits.
        padding: the position whose row is 0; -1 for none.
    """

    hidden: int
    dtype: str
    layout: str = "turns"
    places: int = 0
    padding: int = -1
    card: ClassVar[Card] = Card(elementwise=True, single=True, by_position=True, may_be_alike=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        (positions,) = inputs
        if self.layout != "turns":
            table = halves(self.hidden, self.places) if self.layout == "halves" else spread(self.hidden, self.places)
            if self.padding >= 0:
                table[self.padding] = 0
            # not waited for: memory of the host that is not pinned is copied before the call returns
            table = table.to(positions.device, getattr(torch, self.dtype), non_blocking=True)
            return table.index_select(0, positions.reshape(-1)).view(*positions.shape, self.hidden)
        steps = torch.arange(0, self.hidden, 2, device=positions.device, dtype=torch.float32)
        speed = torch.exp(steps * (-math.log(LONGEST_WAVE) / self.hidden))  # (hidden / 2,)
        angle = positions.to(torch.float32).unsqueeze(-1) * speed  # (batch, token, hidden / 2)
        waves = torch.stack((torch.sin(angle), torch.cos(angle)), dim=-1).flatten(
            -2
        )  # (batch, token, hidden, rounded up)
        return waves[..., : self.hidden].to(getattr(torch, self.dtype))

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        return (*inputs[0], self.hidden)

    def write(self, *operands: str) -> str:
        if self.layout == "turns":
            return f"sin and cos of {operands[0]} / 10000^(2i/{self.hidden}), in turns"
        half = self.hidden // 2
        power = f"2i/{self.hidden}" if self.layout == "halves" else f"i/{half - 1}"
        return f"sin of {operands[0]} / 10000^({power}), then cos"

    @staticmethod
    def explain(element: Element) -> Explanation:
        """PE(p, j) = sin or cos of p / 10000^(2i/d), 2i being j or the even number before it (Vaswani et al. 2017, 3.5).

        Other layouts have all sines first.
        """
        batch, token, j = element.index
        position = element.one(0, (batch, token))
        layout, size = element.options.get("layout", "turns"), int(element.options["hidden"])
        even, cosine = j - j % 2, j % 2 == 1
        if layout != "turns":
            half = size // 2 if layout == "spread" else size - size // 2  # an odd column is one of sines in Marian's
            even, cosine = j % half, j >= half
            even, size = (2 * even, size) if layout == "halves" else (even, half - 1)
            if j >= 2 * half or int(position.value) == int(element.options["padding"]):
                terms = Terms([0.0], lambda _: Term(0.0, (position,), "no wave: 0"))
                return element.explain("0", terms)
        angle = position.value / 10000.0 ** (even / size)
        wave = "cos" if cosine else "sin"
        value = math.cos(angle) if cosine else math.sin(angle)
        terms = Terms([value], lambda _: Term(value, (position,), f"{wave}(p / 10000^({even}/{size}))"))
        length = 2 * math.pi * 10000.0 ** (even / size)
        notes = [f"this feature's wave comes round every {length:,.4g} positions"]
        bound = rounding.of_steps("float32", 16, abs(angle)) + rounding.of_steps(element.value.dtype, 2, 1.0)
        formula = f"{wave}({element.input_name(0)}{at(batch, token)} / 10000^({even}/{size}))"
        return element.explain(formula, terms, facts={"angle": angle, "wavelength": length}, notes=notes, bound=bound)


def halves(hidden: int, rows: int) -> torch.Tensor:
    """Marian's table, (rows, hidden): sines in float64, then cosines, rounded to float32."""
    places = np.arange(rows)[:, None]
    angles = places / np.power(10000, 2 * (np.arange(hidden) // 2) / hidden)  # (rows, hidden)
    return from_numpy(np.concatenate((np.sin(angles[:, 0::2]), np.cos(angles[:, 1::2])), 1)).float()


def spread(hidden: int, rows: int) -> torch.Tensor:
    """M2M100's table, (rows, hidden), in float32; an odd last column is 0."""
    half = hidden // 2
    speed = torch.exp(torch.arange(half).float() * -(math.log(LONGEST_WAVE) / (half - 1)))
    angles = torch.arange(rows).float().unsqueeze(1) * speed  # (rows, half)
    columns = [torch.sin(angles), torch.cos(angles)] + [torch.zeros(rows, 1)] * (hidden % 2)
    return torch.cat(columns, dim=1)


@dataclass(frozen=True, slots=True)
class PositionsFrom(Op):
    """The place of each token, counted from a first one, whatever the tokens: (batch, token) -> the same.

    Attributes:
        first: the first token's; BART's positions begin at 2.
    """

    first: int
    card: ClassVar[Card] = Card(whole_numbers=True, counts=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        (ids,) = inputs
        places = torch.arange(self.first, self.first + ids.shape[-1], device=ids.device)
        return places.expand(ids.shape).clone()

    def highest(self, tokens: int, rows: int) -> int | None:
        return rows - 1

    def write(self, *operands: str) -> str:
        return f"{self.first} + which token it is of {operands[0]}, from 0"

    @staticmethod
    def explain(element: Element) -> Explanation:
        """The first token's position and how many tokens stand before this one."""
        token, first = element.index[-1], int(element.options["first"])
        parts = (("the first token's", float(first)), ("tokens before it", float(token)))
        terms = Terms([value for _, value in parts], lambda i: Term(parts[i][1], (), parts[i][0]), 0)
        return element.explain(f"{first} + {token}", terms)


@dataclass(frozen=True, slots=True)
class PositionsAfterPadding(Op):
    """The how-manieth token that is not padding, plus the padding's id; padding stays at that: (batch, token) -> the same.

    As `create_position_ids_from_input_ids` of transformers' RoBERTa and MPNet.

    Attributes:
        padding: the padding's id.
    """

    padding: int
    card: ClassVar[Card] = Card(whole_numbers=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        seen = inputs[0].ne(self.padding).to(torch.int64)
        return torch.add(torch.cumsum(seen, dim=1) * seen, self.padding, out=out())

    def highest(self, tokens: int, rows: int) -> int | None:
        return rows - 1

    def write(self, *operands: str) -> str:
        return f"{self.padding} + which token it is, from 1, of those in {operands[0]} that are not {self.padding}; {self.padding} where it is {self.padding}"

    @staticmethod
    def explain(element: Element) -> Explanation:
        """The padding's id and how many tokens there are up to this one that are not padding."""
        batch, token = element.index
        padding = int(element.options["padding"])
        ids = element.read(0, (batch, slice(0, token + 1)))
        counted = (ids != padding).astype(np.float64) if ids[-1] != padding else np.zeros(1)

        def make(i: int) -> Term:
            if i == len(counted):
                return Term(float(padding), (), "the padding's id")
            return Term(counted[i], (element.operand(0, (batch, i), ids[i]),), f"1 unless {padding}")

        terms = Terms(np.append(counted, padding), make, np.append(np.ones(len(counted), np.int64), [0]))
        note = f"token {int(counted.sum())} of those that are not padding, counted from 1"
        note = "padding keeps its own place" if ids[-1] == padding else note
        counting = f"how many of {element.input_name(0)}{at(batch, f'0 … {token}')} are not {padding}"
        return element.explain(f"{padding} + {counting}", terms, notes=[note])
