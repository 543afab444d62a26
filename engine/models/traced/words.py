"""What the tokens of a recorded module are called: by a tokenizer whose directory somebody names, else by their ids."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from ...messages.errors import InputError
from ..families.family import Limits
from ..text.reader import TextReader
from ..text.tokenizer.files import open_tokenizer


def token_names(directory: str | Path | None) -> Callable[[int], str | None]:
    """From an id to its token; None for ids that are none.

    Args:
        directory: with a tokenizer; None for no names.

    Raises:
        InputError: not there, or no tokenizer.
    """
    if directory is None:
        return lambda number: None
    place = Path(os.path.expanduser(directory))
    if not place.is_dir():
        raise InputError(f"tokenizer {str(directory)!r} is no directory; name the one that holds tokenizer.json")
    opened = open_tokenizer(place)
    reader = TextReader(opened, Limits(opened.tokenizer.get_vocab_size(), None))
    return lambda number: reader.word(number) if number >= 0 else None
