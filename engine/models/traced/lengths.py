"""What the places along the axes of a module's values are: its tokens, or those of another length (frames, patches, latents).

Which text a row is and which token a place is must be said by the inputs, or a recording contradicts itself and a name of a token stands
where there is none. So each length has a sequence of its own, and an axis that is no batch of texts (windows of an image) has a number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch

from ...program.index import TOKEN_AXES
from ...program.inputs import Inputs, Size
from ...program.program import Program
from ...program.stage import MAIN, Shape, Stage
from ...program.tokens import Tokens
from .arguments import Word, tokens_of_tensors

BATCH, ASKING = "batch", ("token", "query")


def fitted_together(
    program: Program, shapes: Mapping[str, Shape], given: Mapping[str, str], tensors: Mapping[str, torch.Tensor], word: Word | None,
    named: str,
) -> tuple[Program, Inputs]:  # fmt: skip
    """A program and what goes into it, of a passage.

    Args:
        program, shapes: as of `with_lengths`.
        given, tensors, word, named: as of `tokens_of_tensors`.
    """
    size = size_of_tokens(program, shapes)
    return with_lengths(program, shapes, tokens_of_tensors(given, tensors, word, named, size).tokens)


def with_lengths(program: Program, shapes: Mapping[str, Shape], tokens: Tokens) -> tuple[Program, Inputs]:
    """A program whose axes are as long as what they are named for, and what goes into it.

    Args:
        program: of a passage.
        shapes: of each of its stages.
        tokens: what the module was called with.

    Returns:
        The program and its inputs: `tokens`, and `places`, `places_2`, ... for other lengths, in the order they come up.
    """
    lengths = Lengths(tokens.shape)
    stages = [lengths.fitted(stage, shapes[stage.name]) for stage in program]
    others = {name: _places(tokens, length) for length, name in lengths.names.items()}
    fitted = Program(
        stages, program.aliases, program.weights, program.wide, modules=program.modules, shown=program.shown
    )
    return fitted, Inputs(tokens, others)


class Lengths:
    """The sequences by their lengths, besides the tokens.

    Args:
        size: (batch, token).

    Attributes:
        names: a length -> what the sequence is called.
    """

    def __init__(self, size: Size) -> None:
        self._batch, self._tokens = size
        self.names: dict[int, str] = {}

    def fitted(self, stage: Stage, shape: Shape) -> Stage:
        """A stage with the sequences that its axes over tokens are of, and no batch that is none."""
        given = not (
            stage.inputs or stage.weights
        )  # it stands for itself: one place is not all, and it is of no other sequence
        places = list(zip(stage.axes, shape, strict=True))
        apart = {axis for axis, size in places if axis == BATCH and not self._is(size, self._batch, given)}
        if given:
            apart |= {axis for axis, size in places if axis in TOKEN_AXES and not self._is(size, self._tokens, given)}
        axes = tuple(f"axis_{at}" if axis in apart else axis for at, axis in enumerate(stage.axes))
        sequences = tuple(
            self._sequence(size, BATCH in apart) if axis in TOKEN_AXES and not given else "" for axis, size in places
        )
        if {*sequences} <= {MAIN, ""}:
            sequences = ()
        return stage if axes == stage.axes and not sequences else replace(stage, axes=axes, sequences=sequences)

    def _sequence(self, length: int, apart: bool) -> str:
        if not apart and self._is(length, self._tokens, given=False):
            return MAIN
        number = len(self.names) + 1
        return self.names.setdefault(length, "places" if number == 1 else f"places_{number}")

    @staticmethod
    def _is(size: int, wanted: int, given: bool) -> bool:
        return size == wanted or (size == 1 and not given)


def size_of_tokens(program: Program, shapes: Mapping[str, Shape]) -> Size:
    """(batch, token) as most of a program's values have it, where no ids say it; (1, 1) where none has.

    The batch is that of what goes in, if any value has it: windows of an image are no images.
    """
    sizes: Counter[Size] = Counter()
    for stage in program:
        places = dict(zip(stage.axes, shapes[stage.name], strict=True))
        if BATCH in places and (asking := [places[axis] for axis in ASKING if axis in places]):
            sizes[places[BATCH], asking[0]] += 1
    given = {shapes[stage.name][0] for stage in program if stage.card.given and shapes[stage.name]}
    of_given = [(size, count) for size, count in sizes.items() if size[0] in given]
    (batch, token), _ = max(of_given or sizes.items(), key=lambda each: each[1], default=((1, 1), 0))
    return batch, token


def _places(tokens: Tokens, length: int) -> Tokens:
    """A sequence of another length, whose places are counted."""
    batch = len(tokens.texts)
    shape = (batch, length)
    zeros, counted = np.zeros(shape, np.int64), np.broadcast_to(np.arange(length, dtype=np.int64), shape).copy()
    strings = (tuple(map(str, range(length))),) * batch
    return Tokens(
        tokens.texts, None, zeros, np.ones(shape, np.int64), zeros, counted, strings, (((0, 0),) * length,) * batch, 1
    )
