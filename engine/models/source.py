"""Where a program and its weights come from, as far as an encoder asks: a checkpoint, a preset, a module."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ..program.program import Program
from .config import Config
from .families.family import Limits, Options
from .text.reader import TextReader
from .weights import Stored

if TYPE_CHECKING:
    from .images.reader import ImageReader


class Source(Stored, Protocol):
    """What an `Encoder` is made of. Nothing above it asks which kind of source one is.

    Attributes:
        config: options of the model, by the keys of a config.json; its `model_type` is what the family is called.
        directory: what messages call the place.
        notes: what is to be said of how it was read, a sentence each; `program` may add to it.
    """

    config: Config
    directory: Path
    notes: list[str]

    @property
    def files(self) -> Sequence[Path]:
        """The files its weights are in; none where they are in memory."""
        ...

    @property
    def sides(self) -> tuple[str, ...]:
        """What it takes: `text`, `image` or both; the first is meant if nothing is said."""
        ...

    @property
    def has_numbers(self) -> bool:
        """Whether there are weights; otherwise shapes and costs are all there is to look at."""
        ...

    @property
    def limits(self) -> Limits:
        """What text it takes.

        Raises:
            InputError: a config that cannot be.
        """
        ...

    @property
    def vector_size(self) -> int | None:
        """How many numbers each vector has that goes in, of a model that takes vectors; None where it takes text."""
        ...

    @property
    def batch_first(self) -> bool:
        """Whether vectors that go in have their batch before their tokens."""
        ...

    @property
    def reader(self) -> TextReader:
        """The tokenizer with the model's limits.

        Raises:
            InputError: there is none, or it does not belong to the model.
        """
        ...

    @property
    def images(self) -> ImageReader:
        """The image processor with what the model takes.

        Raises:
            InputError: there is none.
        """
        ...

    @property
    def reference_dtype(self) -> tuple[str, str]:
        """What its reference implementation would run it in if not told, and what says so."""
        ...

    def program(self, options: Options) -> Program:
        """What it computes.

        Raises:
            InputError: it cannot be computed as it is wanted.
        """
        ...

    def holder(self, name: str) -> str | None:
        """Under which name a weight is held: the same for weights that are tied; None where there is none."""
        ...

    def parameters(self, program: Program) -> int:
        """How many numbers a program's weights have, tied ones counted once."""
        ...

    def unused(self, program: Program) -> Sequence[str]:
        """Stored tensors that a program does not use."""
        ...

    def leftovers(self, program: Program) -> Sequence[object]:
        """The same by layers, heads and towers; `str` writes each."""
        ...
