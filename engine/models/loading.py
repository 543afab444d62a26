"""From what a model is called, or from a module, to an encoder."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from .checkpoint import Checkpoint
from .devices import device_of, dtype_of
from .encoder import Encoder
from .hub import locate
from .presets import PREFIX, preset
from .torch_module.reading import load_module

Progress = Callable[[str], None]


def load(
    model: str | Path | nn.Module | None = None,
    device: str = "auto",
    dtype: str = "float32",
    *,
    budget: int | None = None,
    causal: bool = False,
    train_seed: int | None = None,
    dropout: float | None = None,
    side: str | None = None,
    progress: Progress | None = None,
    tell: Callable[[str], None] | None = None,
) -> Encoder:
    """Load an encoder.

    Args:
        model: a directory, a Hub id (`org/name` or `org/name@revision`), `preset:NAME`, None for the bundled model, or a
            `torch.nn.TransformerEncoder` (`load_module` keeps its dtype and device).
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
        dtype: `float32`, `float64`, `bfloat16` or `float16`.
        budget: bytes of values a run keeps; the rest is computed again on demand.
        causal: hide from each token those after it, as in a masked self-attention.
        train_seed: run as in training, with dropout drawn from this seed.
        dropout: its rate in place of the config's, from 0 to less than 1.
        side: `text` or `image`, for a model that takes both; None for what it takes, text if it takes both.
        progress: is told in a few words what is being done.
        tell: is told a sentence for each thing that is not as the files or the text alone would have it: a stored layer that is not
            used, a text that was cut, a prompt put before it. None for Python's warnings. `run.notes` has the same sentences.

    Raises:
        InputError: anything about the model, the device or the dtype that cannot be used.
    """
    if isinstance(model, torch.nn.Module):
        return load_module(model, dtype, device=device, budget=budget, causal=causal)
    say = progress or (lambda _: None)
    place, number = device_of(device), dtype_of(dtype)
    if isinstance(model, str) and model.startswith(PREFIX):
        made = preset(model)
        place = place if made.preset.numbers else torch.device("meta")
        return Encoder(
            model, made, place, number, budget, causal=causal, train_seed=train_seed, dropout=dropout, side=side
        )
    name, directory = locate(model, say)
    say(f"reading {name}")
    checkpoint = Checkpoint(directory)
    encoder = Encoder(
        name,
        checkpoint,
        place,
        number,
        budget,
        causal=causal,
        train_seed=train_seed,
        dropout=dropout,
        side=side,
    )
    encoder.tell = tell or _warn
    reference, says = checkpoint.reference_dtype
    if number == torch.float32 and reference != "float32":
        checkpoint.notes.append(
            f"computed in float32; transformers runs it in {reference} ({says}), as --dtype {reference} does here"
        )
    for note in checkpoint.notes:
        encoder.tell(note)
    return encoder


def _warn(note: str) -> None:
    warnings.warn(note, stacklevel=3)  # where `load` or `run` was called
