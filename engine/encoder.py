"""A loaded model: text goes in, a run comes out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from .architectures import Options, task_heads
from .checkpoint import Checkpoint, Weights
from .devices import device_of, dtype_of
from .errors import InputError
from .outline import Outline
from .presets import PREFIX, PresetCheckpoint, preset
from .program import Program
from .run import Run
from .shadows import Shadow, shadows_of
from .tokens import Tokens
from .trace import Trace

Progress = Callable[[str], None]
KEPT_SHADOWS = 16


class Encoder:
    """A checkpoint made ready to run on one device, in one dtype. Made by `load`.

    Attributes:
        name: what was loaded, for people.
        checkpoint, program: where the numbers come from, and what is computed.
        device, dtype: where and in what.
        budget: bytes of values a run keeps; None for no limit.
        causal: whether each token is kept from those after it, whatever the checkpoint says.
        train_seed: the seed of dropout in training mode; None outside it.
    """

    def __init__(
        self,
        name: str,
        checkpoint: Checkpoint | PresetCheckpoint,
        device: torch.device,
        dtype: torch.dtype,
        budget: int | None,
        *,
        causal: bool = False,
        train_seed: int | None = None,
    ) -> None:
        self.name, self.checkpoint, self.device, self.dtype, self.budget = name, checkpoint, device, dtype, budget
        self.causal, self.train_seed = causal, train_seed
        self.program: Program = checkpoint.program(Options(str(dtype).removeprefix("torch."), causal, train_seed))
        if train_seed is not None and not any(stage.kind == "Dropout" for stage in self.program):
            family = self.checkpoint.config.model_type
            raise InputError(
                f"--train-mode does nothing to {name}: its config sets no dropout, or {family} has none here"
            )
        self.weights = Weights(checkpoint, self.program.weights, device, dtype, self.program.wide)
        self._shadows: dict[tuple[int, int], dict[str, Shadow]] = {}

    def read(self, texts: str | Sequence[str], pair: str | None = None, max_length: int | None = None) -> Tokens:
        """Tokenise texts into one padded batch; see `TextReader.read`."""
        return self.checkpoint.reader.read(texts, pair, max_length)

    @property
    def has_numbers(self) -> bool:
        """Whether values can be computed; of a preset too large for that only shapes and costs are known."""
        return self.device.type != "meta"

    def trace(
        self, texts: str | Sequence[str] | Tokens, pair: str | None = None, max_length: int | None = None
    ) -> Trace:
        """A run, or an outline where there are no numbers; see `run`."""
        if self.has_numbers:
            return self.run(texts, pair, max_length)
        tokens = texts if isinstance(texts, Tokens) else self.read(texts, pair, max_length)
        return Outline(self.program, tokens, self._shadows_of(tokens.shape), self.about)

    def run(
        self,
        texts: str | Sequence[str] | Tokens,
        pair: str | None = None,
        max_length: int | None = None,
        instead_of: Run | None = None,
    ) -> Run:
        """A run over a batch. Nothing is computed until a value is read.

        Args:
            texts: one text, several, or tokens already read.
            pair: a second segment for each text.
            max_length: cut longer texts to this many tokens.
            instead_of: an earlier run whose values are no longer needed; the new one computes in its memory, which
                saves the page faults of fresh memory (a quarter of the time at 512 tokens).

        Raises:
            InputError: text the model cannot take, or a model without numbers.
        """
        if not self.has_numbers:
            raise InputError(f"{self.name} has no numbers to run with, only shapes and costs; open it with `cost`")
        tokens = texts if isinstance(texts, Tokens) else self.read(texts, pair, max_length)
        return Run(
            self.program,
            self.weights,
            tokens,
            device=self.device,
            dtype=self.dtype,
            about=self.about,
            budget=self.budget,
            cache=instead_of.release() if instead_of is not None else None,
            shadows=self._shadows_of(tokens.shape),
            word=self.checkpoint.reader.tokenizer.id_to_token,
        )

    @property
    def about(self) -> dict[str, str]:
        """Facts for people."""
        return {
            "model": self.name,
            "family": self.checkpoint.config.model_type,
            "device": str(self.device),
            "dtype": str(self.dtype).removeprefix("torch."),
        }

    def facts(self) -> dict[str, str]:
        """More facts: where it came from, how large it is, what of it is not used."""
        parameters = self.checkpoint.parameters(self.program)
        unused = self.checkpoint.unused(self.program)
        files = [path.name for path in self.checkpoint.files]
        facts = {
            "directory": str(self.checkpoint.directory),
            "weights": f"{files[0]}" + f" and {len(files) - 1} more shards" * (len(files) > 1),
            "parameters": f"{parameters:,}",
            "not used": ", ".join(unused) or "none of the stored tensors",
            **task_heads.facts(self.checkpoint.config, unused),
        }
        return facts | ({"note": "; ".join(self.checkpoint.notes)} if self.checkpoint.notes else {})

    def _shadows_of(self, shape: tuple[int, int]) -> dict[str, Shadow]:
        if shape not in self._shadows:
            if len(self._shadows) >= KEPT_SHADOWS:
                self._shadows.clear()
            self._shadows[shape] = shadows_of(self.program, self.dtype, shape)
        return self._shadows[shape]


def load(
    model: str | Path | None = None,
    device: str = "auto",
    dtype: str = "float32",
    *,
    budget: int | None = None,
    causal: bool = False,
    train_seed: int | None = None,
    progress: Progress | None = None,
) -> Encoder:
    """Load an encoder.

    Args:
        model: a directory, a Hub id (`org/name` or `org/name@revision`), `preset:NAME`, or None for the bundled model.
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
        dtype: `float32`, `float64`, `bfloat16` or `float16`.
        budget: bytes of values a run keeps; the rest is computed again on demand.
        causal: hide from each token those after it, as in a masked self-attention.
        train_seed: run as in training, with dropout drawn from this seed.
        progress: is told in a few words what is being done.

    Raises:
        InputError: anything about the model, the device or the dtype that cannot be used.
    """
    from .hub import locate

    say = progress or (lambda _: None)
    place, number = device_of(device), dtype_of(dtype)
    if isinstance(model, str) and model.startswith(PREFIX):
        made = preset(model)
        place = place if made.preset.numbers else torch.device("meta")
        return Encoder(model, made, place, number, budget, causal=causal, train_seed=train_seed)
    name, directory = locate(model, say)
    say(f"reading {name}")
    return Encoder(name, Checkpoint(directory), place, number, budget, causal=causal, train_seed=train_seed)
