"""A tokenizer.json, parsed once: its words, what is done to a text before they are looked up, and what is put around it.

The library's own reading of the whole file is left to those classes that take it as it stands: of a large vocabulary it takes
as long as everything else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....messages.errors import InputError
from ....program.json_values import is_list, is_object
from ...files import read_object
from .bounded import character_table, check_table, leaves

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# What is done to a text besides looking its words up.
STEPS = ("normalizer", "pre_tokenizer", "post_processor", "decoder")
MOST_IDS_A_WORD, SPARE_IDS = 100, 300  # vocabularies have gaps, but not such


class WholeTokenizer:
    """A tokenizer.json whose tables of characters are as long as they say, and whose ids are not far beyond its words.

    Args:
        path: where it is.

    Attributes:
        values: as they stand there; model: those of its model.

    Raises:
        InputError: it cannot be read. The library would ask for as much memory as a table or an id says, and end the process
            where it gets none.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.values = path, read_object(path)
        model = self.values.get("model")
        if not is_object(model):
            raise self._wrong("model", "an object")
        self.model = model
        for step in leaves(self.values.get("normalizer"), "normalizers"):
            if step.get("type") == "Precompiled":
                check_table(character_table(step), path)
        self._check_ids()

    @cached_property
    def words(self) -> dict[str, int]:
        """Id of each word, of a model that looks words up by their letters.

        Raises:
            InputError: it has no such vocabulary.
        """
        vocabulary = self.model.get("vocab")
        if not is_object(vocabulary) or not all(type(number) is int for number in vocabulary.values()):
            raise self._wrong("model.vocab", "an object of words and their ids")
        return vocabulary

    @property
    def pieces(self) -> list[tuple[str, float]]:
        """Text and score of each piece, of a Unigram.

        Raises:
            InputError: it has no such vocabulary.
        """
        try:
            return [(str(text), float(score)) for text, score in self.model["vocab"]]
        except (TypeError, ValueError, KeyError):
            raise self._wrong("model.vocab", "a list of pieces, each with its score") from None

    @property
    def merges(self) -> list[tuple[str, str]]:
        """Pairs that are made one, of byte pairs.

        Raises:
            InputError: there are others than pairs.
        """
        try:
            pairs = [pair.split(" ") if isinstance(pair, str) else pair for pair in self.model.get("merges") or ()]
            return [(str(one), str(other)) for one, other in pairs]
        except (TypeError, ValueError):
            raise self._wrong("model.merges", "a list of pairs") from None

    @property
    def added(self) -> list[Any]:
        """The tokens that it adds to its vocabulary, as they are written."""
        added = self.values.get("added_tokens")
        return added if is_list(added) else []

    def said_of(self, part: str) -> Mapping[str, Any]:
        """What stands of `padding` or `truncation`; nothing where that is off."""
        said = self.values.get(part)
        return said if is_object(said) else {}

    def steps(self) -> Tokenizer:
        """What it does to a text besides looking words up, around a vocabulary of none."""
        from tokenizers import Tokenizer

        empty: dict[str, Any] = {"type": "BPE", "vocab": {}, "merges": []}
        return Tokenizer.from_str(json.dumps({name: self.values.get(name) for name in STEPS} | {"model": empty}))

    def as_it_stands(self) -> Tokenizer:
        """All of it, as the library reads it."""
        from tokenizers import Tokenizer

        return Tokenizer.from_file(str(self.path))

    def _check_ids(self) -> None:
        vocabulary = self.model.get("vocab")
        if not is_object(vocabulary) or not vocabulary:
            return
        last = max(self.words, key=self.words.__getitem__)
        if self.words[last] > len(vocabulary) * MOST_IDS_A_WORD + SPARE_IDS:
            raise InputError(
                f"cannot read {self.path}: the word {last!r} has the id {self.words[last]:,}, among {len(vocabulary):,} words; "
                "number them without gaps"
            )

    def _wrong(self, what: str, wanted: str) -> InputError:
        return InputError(f"cannot read {self.path}: its {what} must be {wanted}")


def states(tokenizer: Tokenizer) -> list[Any]:
    """What a tokenizer does to a text besides looking words up, as a file would say it; turning ids back is no part of it."""
    parts = (getattr(tokenizer, name) for name in STEPS[:-1])
    return [None if part is None else json.loads(part.__getstate__()) for part in parts]
