"""What goes into a run: token ids, mask, segments and positions, with the tokens' strings and their places in the text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

PIXELS = "image.pixels"  # the stage that programs for images begin with
VECTORS = "input.vectors"  # the stage that programs for vectors begin with
TOKEN_VECTORS = "embeddings.token"  # the stage in whose place vectors may be given
PARTS = ("ids", "mask", "segments", "positions")  # of a sequence, each of which may go in at a stage of its own
Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Tokens:
    """One padded batch of texts. Every array has the shape (batch, token).

    Attributes:
        texts: what was typed, one text a row; `pair` is the second segment of each, or None.
        ids, segments, positions: what the embeddings look up.
        mask: 1 where a token stands, 0 where a row is padded.
        strings: the tokens' strings, `strings[batch][token]`.
        places: for each token the first and last-but-one character of its text it came from; (0, 0) for special ones.
        vocabulary_size: how many ids there are.
        second: for each token whether it belongs to `pair`; () where none does.
        arrays: whatever else goes in, by the name of its stage: `{"image.pixels": (batch, channel, height, width)}`.
        from_ids: whether ids were given in place of a text; `texts` then says where they came from.
        notes: what was done to the texts before they became these tokens, that is not in what was typed: a sentence each.
        prompt_length: how many tokens at the beginning of each text stand for a prompt that was put before it, the special
            ones before those included; 0 where none was.
        cut: how many tokens of each text were left out; () where none were.
        cut_left: whether they were left out at the beginning.
        unknown: the string that stands for what the vocabulary lacks; "" where nothing does.
        masking: the string that stands for a word to be guessed, `[MASK]`; "" where nothing does.
        known_in: words that are unknown only in their case, with how they are known: `(("The", "the"),)`.
    """

    texts: tuple[str, ...]
    pair: str | None
    ids: Ids
    mask: Ids
    segments: Ids
    positions: Ids
    strings: tuple[tuple[str, ...], ...]
    places: tuple[tuple[tuple[int, int], ...], ...] = field(repr=False, default=())
    vocabulary_size: int = 0
    second: tuple[tuple[bool, ...], ...] = field(repr=False, default=())
    arrays: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict[str, npt.NDArray[Any]], repr=False)
    notes: tuple[str, ...] = ()
    from_ids: bool = False
    prompt_length: int = 0
    cut: tuple[int, ...] = ()
    cut_left: bool = False
    unknown: str = ""
    known_in: tuple[tuple[str, str], ...] = ()
    masking: str = ""

    @property
    def prompt(self) -> Ids:
        """1 at the tokens of the prompt, and of what stands before it: (batch, token)."""
        first: Ids = self.mask.argmax(axis=1)[:, None]  # padding may stand before the text
        place = np.arange(int(self.mask.shape[1]))[None]  # (1, token)
        return ((place >= first) & (place < first + self.prompt_length)).astype(np.int64)

    def is_second(self, batch: int, token: int) -> bool:
        """Whether a token's place is one in `pair`, not in the text itself."""
        return self.pair is not None and batch < len(self.second) and self.second[batch][token]

    def changed(self, arrays: Mapping[str, Ids], word: Callable[[int], str]) -> Tokens:
        """The same texts with other `ids`, `mask`, ...; a token whose id is another is called what `word` says."""
        ids = arrays.get("ids", self.ids)
        strings = tuple(
            tuple(old if now == before else word(int(now)) for old, now, before in zip(words, row, rest, strict=True))
            for words, row, rest in zip(self.strings, ids, self.ids, strict=True)
        )
        return replace(self, **arrays, strings=strings)

    @property
    def shape(self) -> tuple[int, int]:
        """(batch, token)."""
        return int(self.ids.shape[0]), int(self.ids.shape[1])
