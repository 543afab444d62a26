"""From what a model is called, or from a module, to an encoder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from torch import nn

from .checkpoint import Checkpoint
from .devices import device_of, dtype_of
from .encoder import Encoder
from .hub import locate
from .notes import Tell, silent, warn
from .presets import PREFIX, preset
from .settings import Settings
from .source import Source

OnProgress = Callable[[str], None]


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
    progress: OnProgress | None = None,
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
    called = str(model) if isinstance(model, Path) else model
    settings = Settings(called, device, dtype, budget, causal, train_seed, dropout, side)
    return open_encoder(settings, progress or (lambda _: None), tell or warn)


def open_encoder(settings: Settings, progress: OnProgress = lambda _: None, tell: Tell = silent) -> Encoder:
    """The encoder that is asked for; `load` says what may be asked, what is told and what is raised.

    Here and not a method of `Settings`: an encoder keeps those it was opened with, so they stand below it.
    """
    if isinstance(settings.model, nn.Module):
        from .torch_module.reading import load_module  # of no use to a model from files

        return load_module(
            settings.model, settings.dtype, device=settings.device, budget=settings.budget, causal=settings.causal, tell=tell
        )  # fmt: skip
    device_of(settings.device)  # refused before anything is read, as is the dtype
    dtype_of(settings.dtype)
    name, source = _source(settings.model, progress)
    encoder = Encoder(name, source, settings, tell)
    reference, says = source.reference_dtype
    if settings.dtype == "float32" and reference != "float32":
        source.notes.append(
            f"computed in float32; transformers runs it in {reference} ({says}), as --dtype {reference} does here"
        )
    for note in source.notes:
        tell(note)
    return encoder


def _source(model: str | None, progress: OnProgress) -> tuple[str, Source]:
    """What a model is called, and where it comes from."""
    if model is not None and model.startswith(PREFIX):
        return model, preset(model)
    name, directory = locate(model, progress)
    progress(f"reading {name}")
    return name, Checkpoint(directory)
