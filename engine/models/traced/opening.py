"""A module from the command line: from a file of somebody's, or opened by transformers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...messages.errors import InputError
from ...traces.run import Run
from ..hub import locate
from ..text.given_ids import read_ids
from .attach import ModuleEncoder
from .by_transformers import transformers_module
from .user_file import module_from


def open_module(
    place: str | None, model: str | None, tokenizer: str | None, texts: Sequence[str], ids: Sequence[str], pair: str | None = None,
    max_length: int | None = None, budget: int | None = None,
) -> tuple[Run, ModuleEncoder]:  # fmt: skip
    """A run of a module, and the module as an encoder.

    Args:
        place: `FILE.py:NAME`; None for a model that transformers opens.
        model: that model.
        tokenizer: the directory of a tokenizer.
        texts, ids, pair, max_length: what it is called with, where its file does not say.
        budget: as of `load`.

    Raises:
        InputError: see `module_from` and `attach`; inputs given twice, or not at all.
    """
    notes: list[str] = []
    if place is not None:
        module, given = module_from(place)
        name = place.rpartition("/")[2]
    else:
        name, directory = locate(model, lambda _: None)
        (module, notes), given, tokenizer = transformers_module(directory), None, str(directory)
    if given is not None and (texts or ids):
        raise InputError(
            f"{place} gives its own inputs, and takes no {'text' if texts else '--ids'}; leave one of them out"
        )
    if given is None and not texts and not ids:
        raise InputError(
            f"{name} needs something to be called with: a text with --tokenizer DIR, --ids '12 5 7', or (module, inputs) from its file"
        )
    encoder = ModuleEncoder(
        module,
        given,
        tokenizer=None if tokenizer is None else Path(tokenizer),
        name=name,
        budget=budget,
        tell=lambda _: None,
    )
    encoder.checkpoint.notes += notes
    if encoder.first is not None:
        return encoder.first, encoder
    if ids:
        return encoder.run(encoder.read_ids(read_ids(ids))), encoder
    return encoder.run(list(texts), pair, max_length), encoder
