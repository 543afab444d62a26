"""Models of the published sizes with initialised weights: for looking at shapes and costs, not at meaning.

`--model preset:transformer-base`. The words are those of the bundled tokenizer. Every weight is made when it is first
used, from a seed and its own name, so that the same preset has the same numbers on every machine.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ..messages.errors import InputError, nearest
from ..program.program import Program
from ..program.stage import Shape
from .config import Config
from .families import TEXT, Family, Limits, Options, family_of
from .hub import BUNDLED
from .seeds import seed_of
from .text.reader import TextReader
from .text.tokenizer.files import open_tokenizer

if TYPE_CHECKING:
    from .images.reader import ImageReader

PREFIX = "preset:"


@dataclass(frozen=True, slots=True)
class Preset:
    """A model of published sizes.

    Attributes:
        about: what it is, with its source.
        config: as its family reads it.
        head: weights of heads that are part of the published model: their first weight's name.
        numbers: whether it has weights at all; otherwise only shapes and costs can be looked at.
    """

    about: str
    config: Mapping[str, Any]
    head: tuple[str, ...] = ()
    numbers: bool = True


def _bert(hidden: int, layers: int, heads: int) -> dict[str, Any]:
    return {
        "model_type": "bert", "hidden_size": hidden, "num_hidden_layers": layers, "num_attention_heads": heads,
        "intermediate_size": 4 * hidden, "vocab_size": 30522,
    }  # fmt: skip


PRESETS: dict[str, Preset] = {
    "transformer-base": Preset(
        "the encoder of the original Transformer, base size (Vaswani et al. 2017, table 3)",
        {
            "model_type": "transformer", "vocab_size": 37000, "d_model": 512, "num_layers": 6, "num_heads": 8,
            "d_ff": 2048, "activation": "relu", "sinusoidal": True, "norm_first": False,
        },
    ),
    "bert-base": Preset("BERT base (Devlin et al. 2018, section 3)", _bert(768, 12, 12), ("pooler.dense.weight",)),
    "bert-large": Preset("BERT large (Devlin et al. 2018, section 3)", _bert(1024, 24, 16), ("pooler.dense.weight",)),
    "gpt3-width": Preset(
        "one block as wide as GPT-3 175B: 12,288 features, 96 heads (Brown et al. 2020, table 2.1)",
        {
            "model_type": "transformer", "vocab_size": 50257, "d_model": 12288, "num_layers": 1, "num_heads": 96,
            "d_ff": 49152, "activation": "gelu", "sinusoidal": False, "norm_first": True, "causal": True,
            "max_positions": 2048, "layer_norm_eps": 1e-5,
        },
        numbers=False,
    ),
}  # fmt: skip


def preset(name: str) -> PresetCheckpoint:
    """The preset of that name, with or without `preset:` before it.

    Raises:
        InputError: there is none.
    """
    short = name.removeprefix(PREFIX)
    if short not in PRESETS:
        raise InputError(f"no preset {short!r}{nearest(short, PRESETS)}; there are {', '.join(PRESETS)}")
    return PresetCheckpoint(PREFIX + short, PRESETS[short])


class PresetCheckpoint:
    """A preset in the place of a checkpoint: what the encoder asks of one.

    Args:
        name: as `--model` takes it.
        made: which preset.
        seed: of the initial weights.
    """

    def __init__(self, name: str, made: Preset, seed: int = 0) -> None:
        self.preset, self.seed = made, seed
        self.config = Config(made.config, name)
        self.family: Family = family_of(self.config.model_type)
        self.directory, self.files = Path(name), [Path("initialised, not trained")]
        lacks = "" if made.numbers else ", no numbers: shapes and costs alone"
        self.notes = [f"{made.about}; weights are initialised, not trained{lacks}"]
        self._shapes: dict[str, Shape] = {}

    @property
    def sides(self) -> tuple[str, ...]:
        """Presets take text."""
        return (TEXT,)

    @property
    def has_numbers(self) -> bool:
        """Whether it is of a size that has weights here."""
        return self.preset.numbers

    @property
    def limits(self) -> Limits:
        """What text it takes, as its family reads it from the config."""
        return self.family.limits(self.config)

    @property
    def reference_dtype(self) -> tuple[str, str]:
        """The dtype its weights are made in."""
        return "float32", "its initial weights"

    @property
    def batch_first(self) -> bool:
        """Presets take text."""
        return True

    @property
    def vector_size(self) -> int | None:
        """Presets take text."""
        return None

    def program(self, options: Options) -> Program:
        """What it computes."""
        program = self.family.build(self.config, self.preset.head, options)
        self._shapes = dict(program.weights)
        return program

    def shape(self, name: str) -> Shape:
        """Shape of a weight."""
        return self._shapes[name]

    def weight(self, name: str) -> torch.Tensor:
        """A weight as it would be before training: ones and zeros in norms and biases, else normal numbers.

        Tables of embeddings have deviation 1/√hidden, or BERT's 0.02; matrices √(2 / (fan in + fan out)) (Glorot and
        Bengio 2010), or again BERT's 0.02.
        """
        shape = self._shapes[name]
        if len(shape) == 1:
            return torch.zeros(shape) if name.endswith("bias") else torch.ones(shape)
        generator = torch.Generator().manual_seed(seed_of(self.seed, name))
        if self.config.model_type == "bert":
            deviation = 0.02
        elif "embeddings" in name:
            deviation = shape[1] ** -0.5
        else:
            deviation = math.sqrt(2.0 / sum(shape))
        return torch.randn(shape, generator=generator) * deviation

    def parameters(self, program: Program) -> int:
        """How many numbers its weights have."""
        return sum(math.prod(shape) for shape in program.weights.values())

    def holder(self, name: str) -> str:
        """What holds a weight: nothing is tied."""
        return name

    def unused(self, program: Program) -> Sequence[str]:
        """Nothing is stored, so nothing is left over."""
        return []

    def leftovers(self, program: Program) -> Sequence[str]:
        """As of `unused`."""
        return []

    @property
    def images(self) -> ImageReader:
        """There is none.

        Raises:
            InputError: always: presets take text.
        """
        raise InputError(f"{self.directory} takes text and no images")

    @property
    def reader(self) -> TextReader:
        """The bundled tokenizer with the preset's limits."""
        return self._reader

    @cached_property
    def _reader(self) -> TextReader:
        return TextReader(open_tokenizer(BUNDLED), self.limits)
