"""How a model is asked for: everything that `load` takes, as one thing to be kept, sent and asked for otherwise."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..messages.errors import InputError

if TYPE_CHECKING:
    from torch import nn


UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "KI": 2**10, "MI": 2**20, "GI": 2**30}


@dataclass(frozen=True, slots=True)
class Settings:
    """What a model is opened with. `loading.open_encoder` opens one; `dataclasses.replace(encoder.settings, dtype=...)` is another.

    It can be pickled, and imports no torch: whoever starts an engine elsewhere sends it there.

    Attributes:
        model: a directory, a Hub id, `preset:NAME`, None for the bundled model, or a `torch.nn.TransformerEncoder`.
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
        dtype: `float32`, `float64`, `bfloat16` or `float16`.
        budget: bytes of values a run keeps; None for no limit.
        causal: hide from each token those after it, whatever the checkpoint says.
        train_seed: the seed of dropout in training mode; None outside it.
        dropout: its rate in place of the config's; None for the config's.
        side: `text` or `image`; None for what the model takes, text if it takes both.
        prompt: name of the prompt put before every text; "" for none, None for what the checkpoint says.
    """

    model: str | nn.Module | None = None
    device: str = "auto"
    dtype: str = "float32"
    budget: int | None = None
    causal: bool = False
    train_seed: int | None = None
    dropout: float | None = None
    side: str | None = None
    prompt: str | None = None


def memory_size(text: str) -> int:
    """Bytes in `512MiB`, `2G`, `1000000`.

    Raises:
        InputError: something else.
    """
    size = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]I?)?B?", text.strip().upper())
    if not size or not 0 < float(size[1]) < float("inf"):
        raise InputError(f"--memory {text!r} is not a size; write for instance 512MiB or 2GB")
    return int(float(size[1]) * UNITS[size[2] or ""])
