"""What a family of encoders is: the module-level names that every file in this folder has."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Protocol

from ...program.program import Program
from ..config import Config

TEXT, IMAGE = "text", "image"


@dataclass(frozen=True, slots=True)
class Options:
    """How a program is wanted, whatever the checkpoint.

    Attributes:
        dtype: to compute in, as torch calls it: `float32`.
        causal: hide from each token those after it, also where the model itself does not.
        train_seed: run as in training, with dropout drawn from this seed; None to run as in use, without.
        dropout: how likely a number is dropped in training; None for what the config says.
        side: which encoder of a model that has several: `text` or `image`.
    """

    dtype: str = "float32"
    causal: bool = False
    train_seed: int | None = None
    dropout: float | None = None
    side: str = TEXT


@dataclass(frozen=True, slots=True)
class Limits:
    """What text a model can take.

    Attributes:
        vocabulary: how many ids it knows.
        longest: how many tokens, special ones included; None where it sets no limit.
        segments: how many segments; None where it has none, and whatever the tokenizer says of them makes no difference.
        padding_id: the id that fills up shorter texts, where the tokenizer names none.
        skips: the id at which positions stand still; None where they are counted whatever the ids.
    """

    vocabulary: int
    longest: int | None
    segments: int | None = None
    padding_id: int = 0
    skips: int | None = None


@dataclass(frozen=True, slots=True)
class Sight:
    """What images a model takes, and what tokens it makes of one.

    Attributes:
        height, width: in pixels.
        channels: of a pixel; 3 are red, green and blue.
        tall, wide: of a patch, in pixels.
        before: the tokens before the patches: `("[CLS]",)`.
    """

    height: int
    width: int
    channels: int
    tall: int
    wide: int
    before: tuple[str, ...]

    @property
    def rows(self) -> int:
        """How many rows of patches."""
        return self.height // self.tall

    @property
    def columns(self) -> int:
        """How many patches a row has."""
        return self.width // self.wide

    @property
    def tokens(self) -> tuple[str, ...]:
        """The tokens' strings: a patch is called by its row and column, `3,5`."""
        return (*self.before, *(f"{row},{column}" for row in range(self.rows) for column in range(self.columns)))


class Seeing(Protocol):
    """What a module has besides if some or all of its models look at images."""

    def sides(self, config: Config) -> tuple[str, ...]:
        """Which encoders a model has, of `text` and `image`; the first is what it is for if nothing is said."""
        ...

    def sight(self, config: Config) -> Sight:
        """What images it takes.

        Raises:
            InputError: a config that cannot be.
        """
        ...


class Family(Protocol):
    """A module of this folder.

    Attributes:
        MODEL_TYPES: of config.json -> how the names of transformers' classes for it begin, "" where it has none. This and the
            marks below are read off the file's text (see `declarations`), so they are dicts of literals.
        PREFIXES: what its checkpoints may put before the names of weights: `("bert.",)`.
        TIED: weights that are another one, unless both are stored and differ, or the config says
            `tie_word_embeddings: false`: name -> that other name (see `ties`).

    A module may have besides:

    - `MODULES`, for its `Builder`: what transformers calls the modules that hold others (see `program.modules`).
    - `TOKENIZERS` and `POSITIONS`: by model type as well (see `declarations`).
    - `MARKS`: a regular expression that names of weights match in this family alone -> what to call it; `SHARED_MARKS`, where
      others have such names as well.
    - `ALWAYS_TIED`, if the config has no say in what is tied.
    - `HARMLESS`: reasons, each with the keys of a config that change no number of this family for it, or that are read in some
      checkpoints alone (see `config_keys`).
    - `RENAMED`: what others call the weights, as pairs of a regular expression and what to put for it. `{q,k,v}` in that stands
      for three names: the stored tensor holds three equal parts of rows, one below the other.
    """

    MODEL_TYPES: Mapping[str, str]
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
