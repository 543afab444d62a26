"""The command line that runs other texts through the model of a session."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from .session import Session

if TYPE_CHECKING:
    from ..analysis.minimise import Batch
    from ..models.settings import Settings

OF_MODULE = ("--module", "--via", "--tokenizer", "-m", "--model")  # what a module in memory was opened with


def command_line(session: Session, batch: Batch, against: Sequence[str]) -> str:
    """`encoder-tui tired --against 'model ./port'`; "" where the model is a module that no command line opened.

    Args:
        batch: the texts.
        against: the words of the reference.
    """
    assert session.encoder is not None
    settings = session.encoder.settings
    opened = list(_model(session, settings))
    if not opened and settings.model is not None:
        return ""
    words = [*opened, *_options(settings), *(["--pair", batch.pair] if batch.pair is not None else [])]
    words += ["--max-length", str(batch.length)] if batch.length is not None else []
    words += ["--against", shlex.join(against)]
    if any(text.startswith("-") for text in batch.texts):
        return shlex.join(["encoder-tui", *words, "--", *batch.texts])
    return shlex.join(["encoder-tui", *batch.texts, *words])


def _model(session: Session, settings: Settings) -> Iterator[str]:
    if isinstance(settings.model, str | Path):
        yield from ("-m", str(settings.model))
    elif settings.model is not None:
        begun = [part for word in session.begun for part in (word.split("=", 1) if word.startswith("--") else [word])]
        for option, value in pairwise(begun):
            if option in OF_MODULE:
                yield from (option, value)


def _options(settings: Settings) -> Iterator[str]:
    if settings.device != "cpu":
        yield from ("--device", settings.device)
    if settings.dtype != "float32":
        yield from ("--dtype", settings.dtype)
    if settings.causal:
        yield "--causal"
    if settings.train_seed is not None:
        yield from ("--train-mode", "--seed", str(settings.train_seed))
    if settings.dropout is not None:
        yield from ("--dropout", str(settings.dropout))
    if settings.prompt is not None:
        yield from ("--prompt", settings.prompt) if settings.prompt else ("--no-prompt",)
