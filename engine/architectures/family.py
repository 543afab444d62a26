"""What a family of encoders is: the module-level names that every file in this folder has."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Protocol

from ..config import Config
from ..program import Program


@dataclass(frozen=True, slots=True)
class Options:
    """How a program is wanted, whatever the checkpoint.

    Attributes:
        dtype: to compute in, as torch calls it: `float32`.
        causal: hide from each token those after it, also where the model itself does not.
        train_seed: run as in training, with dropout drawn from this seed; None to run as in use, without.
    """

    dtype: str = "float32"
    causal: bool = False
    train_seed: int | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What text a model can take.

    Attributes:
        vocabulary: how many ids it knows.
        longest: how many tokens, special ones included; None where it sets no limit.
        segments: how many segments.
        padding_id: the id that fills up shorter texts.
    """

    vocabulary: int
    longest: int | None
    segments: int = 1
    padding_id: int = 0


class Family(Protocol):
    """A module of this folder.

    Attributes:
        PREFIXES: what its checkpoints may put before the names of weights: `("bert.",)`.
        TIED: weights that are another one where they are not stored, unless the config says
            `tie_word_embeddings: false`: name -> that other name.
    """

    PREFIXES: tuple[str, ...]
    TIED: Mapping[str, str]

    def limits(self, config: Config) -> Limits:
        """What text it can take.

        Raises:
            InputError: a config that cannot be.
        """
        ...

    def build(self, config: Config, stored: Container[str], options: Options) -> Program:
        """The program of a checkpoint, with the heads whose weights are stored.

        Args:
            config: its config.json.
            stored: names of the weights there are, without prefixes.
            options: how it is wanted.

        Raises:
            InputError: an option of the config that is not implemented, by its name.
        """
        ...
