"""What goes into one passage through a program: a batch of each of its sequences.

Most programs have one sequence, that of their tokens. One with a decoder has two, which are of different lengths: what asks and
what is asked about. Every axis over tokens knows which of them its places are of (`Stage.sequences`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy.typing as npt

from ..messages.errors import InputError
from .faces import TokenStrings
from .index import TOKEN_AXES, Along
from .stage import MAIN, Stage
from .tokens import Ids, Tokens

Size = tuple[int, int]


@dataclass(frozen=True)
class Inputs:
    """One batch: its texts' tokens, sequence by sequence.

    Args:
        tokens: of the sequence `tokens`, which every program has.
        others: of further ones, by the word their stages' names begin with: `{"target": ...}` for `target.ids`.

    Raises:
        InputError: sequences of batches of different size, or another one called `tokens`.
    """

    tokens: Tokens
    others: Mapping[str, Tokens] = field(default_factory=dict[str, Tokens])

    def __post_init__(self) -> None:
        if MAIN in self.others:
            raise InputError(f"two sequences are called {MAIN!r}; call the other one by what it is, such as 'target'")
        for name, sequence in self.others.items():
            if sequence.shape[0] != self.tokens.shape[0]:
                raise InputError(
                    f"the sequence {name!r} has {sequence.shape[0]} texts and {MAIN!r} has {self.tokens.shape[0]}; "
                    "give one for each"
                )

    @classmethod
    def of(cls, given: Inputs | Tokens) -> Inputs:
        """What goes in where one sequence alone may be given."""
        return cls(given) if isinstance(given, Tokens) else given

    @property
    def sequences(self) -> Mapping[str, Tokens]:
        """Every sequence by its name, `tokens` first."""
        return {MAIN: self.tokens, **self.others}

    @property
    def sizes(self) -> dict[str, Size]:
        """(batch, token) of every sequence."""
        return {name: sequence.shape for name, sequence in self.sequences.items()}

    def given(self, stage: Stage) -> npt.NDArray[Any]:
        """What goes in at a stage: `tokens.ids`, `target.mask`, `image.pixels`."""
        sequence = self.sequences[stage.sequence]
        front, _, what = stage.name.partition(".")
        return getattr(sequence, what) if front == stage.sequence else sequence.arrays[stage.name]

    def tokens_along(self, stage: Stage, axis: str) -> Tokens | None:
        """The tokens that the places along an axis are; None where they are none, or one place stands for all."""
        return self.sequences[stage.sequence_along(axis)] if axis in TOKEN_AXES and axis in stage.axes else None

    def strings_along(self, stage: Stage) -> Along:
        """The tokens' strings along each axis that has any: `{"query": strings, "key": strings}`."""
        if not stage.sequences:
            return self._of_one
        return {axis: self.called[stage.sequence_along(axis)] for axis in stage.axes if axis in TOKEN_AXES}

    @cached_property
    def called(self) -> Mapping[str, TokenStrings]:
        """The tokens' strings of every sequence, which know what each is called on screen."""
        return {name: TokenStrings.of(sequence) for name, sequence in self.sequences.items()}

    @cached_property
    def _of_one(self) -> Along:
        return dict.fromkeys(TOKEN_AXES, self.called[MAIN])

    def changed(self, arrays: Mapping[str, Mapping[str, Ids]], word: Callable[[int], str]) -> Inputs:
        """The same texts with other `ids`, `mask`, ... of the sequences that are named; see `Tokens.changed`."""
        now = {
            name: sequence.changed(arrays[name], word) if arrays.get(name) else sequence
            for name, sequence in self.sequences.items()
        }
        return Inputs(now.pop(MAIN), now)

    def with_masks(self, masks: Inputs) -> Inputs:
        """These tokens with the masks of others: padding is what was padded, whatever has been patched since."""
        theirs = masks.sequences
        now = {name: replace(sequence, mask=theirs[name].mask) for name, sequence in self.sequences.items()}
        return Inputs(now.pop(MAIN), now)


def sequences_of(stages: Iterable[Stage]) -> tuple[str, ...]:
    """The names of the sequences that go into stages, `tokens` first."""
    return tuple(dict.fromkeys((MAIN, *(name for stage in stages for name in stage.sequences if name))))
