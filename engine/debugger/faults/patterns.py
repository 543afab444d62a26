"""Masks that hide more than padding on purpose: causal ones the future, local ones what is far away."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...program.arrays import Array
from ...program.stage import Stage
from ...program.value import Value
from .query_blocks import HIDES, Stopped, windows


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Where a mask is not what it is meant to be, in one text.

    Attributes:
        text: which.
        place: index of the first place in the mask; shown: whether it shows there what is to be hidden.
        count: how many places there are; queries are those of real tokens.
    """

    text: int
    place: tuple[int, ...]
    shown: bool
    count: int


@dataclass(frozen=True, slots=True)
class Pattern:
    """What a mask hides besides padding.

    Attributes:
        causal: what comes after the query.
        window: what is farther away than this; None for nothing.
    """

    causal: bool
    window: int | None

    @classmethod
    def of(cls, stage: Stage) -> Pattern | None:
        """The pattern of a stage's mask; None where it is to hide padding only."""
        options = stage.options if stage.kind == "AdditiveMask" else {}
        causal, window = bool(options.get("causal")), options.get("window")
        return cls(causal, None if window is None else int(window)) if causal or window is not None else None

    def hides(self, queries: Array, keys: Array) -> Array:
        """Whether it hides: (query, key)."""
        away = keys - queries[:, None]
        hidden = away > 0 if self.causal else np.zeros(away.shape, bool)
        return hidden if self.window is None else hidden | (np.abs(away) > self.window)

    def apart(self, value: Value, real: Array, stopped: Stopped) -> Iterator[Mismatch]:
        """Each text in which the mask is something else, as far as queries of real tokens go.

        Args:
            real: (batch, token), whether a token stands there.
        """
        keys = np.arange(int(real.shape[1]))
        first: dict[int, tuple[tuple[int, ...], bool]] = {}
        count = np.zeros(len(real), int)
        for text in range(len(real)):
            for _, start, window in windows(value, stopped, text):
                queries = np.arange(start, start + int(window.shape[2]))
                hidden = np.asarray(window[0, 0], dtype=np.float64) < HIDES
                meant = self.hides(queries, keys) | ~real[text]
                wrong = (hidden != meant) & real[text, queries, None]
                count[text] += int(wrong.sum())
                if wrong.any() and text not in first:
                    query, key = (int(part) for part in np.argwhere(wrong)[0])
                    first[text] = (text, 0, start + query, key), bool(meant[query, key])
        for text, (place, shown) in first.items():
            yield Mismatch(text, place, shown, int(count[text]))

    def write(self) -> str:
        """What it hides, in words."""
        hidden = ["what comes after it"] * self.causal
        hidden += [f"what is more than {self.window} tokens away"] * (self.window is not None)
        kind = " and ".join(["causal"] * self.causal + ["local"] * (self.window is not None))
        return f"{kind} on purpose: padding and {' and '.join(hidden)} are hidden from each query, and nothing else"
