"""Text to token ids, mask, segments and positions, with the tokens' strings and their places in the text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .byte_level import readable, roberta_tokenizer
from .errors import InputError, one_line
from .files import read_object, regular
from .messages.visible import quoted, visible
from .pieces import made_tokenizer

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PIXELS = "image.pixels"  # the stage that programs for images begin with
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
        notes: what was done to the texts before they became these tokens, that is not in what was typed: a sentence each.
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
    arrays: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict, repr=False)
    notes: tuple[str, ...] = ()

    def given(self, stage: str) -> npt.NDArray[Any]:
        """What goes in at a stage: `tokens.ids`, `image.pixels`."""
        front, _, what = stage.partition(".")
        return getattr(self, what) if front == "tokens" else self.arrays[stage]

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


class TextReader:
    """A checkpoint's tokenizer together with the limits of its model.

    Args:
        tokenizer: of the `tokenizers` library.
        longest: how many tokens the model takes; None where it sets no limit.
        segments: how many segments it knows; None where it tells none apart.
        padding_id: id of the padding token.
        vocabulary: how many ids the model knows.
    """

    def __init__(
        self, tokenizer: Tokenizer, longest: int | None, segments: int | None, padding_id: int, vocabulary: int
    ) -> None:
        self.tokenizer, self.longest, self.segments, self.padding_id = tokenizer, longest, segments, padding_id
        self.vocabulary = vocabulary
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self._of_bytes = "ByteLevel" in repr(tokenizer.decoder)

    def shown(self, token: str) -> str:
        """A token as people read it: the bytes of a byte-level one as the letters they are, `Ġ` where a space stands before it."""
        return visible(readable(token) if self._of_bytes else token)

    def word(self, number: int) -> str | None:
        """The token of an id, as it is shown; None where there is none."""
        found = self.tokenizer.id_to_token(number)
        return None if found is None else self.shown(found)

    def read(self, texts: str | Sequence[str], pair: str | None = None, max_length: int | None = None) -> Tokens:
        """Turn texts into one padded batch.

        Args:
            texts: one or several.
            pair: a second segment for each text.
            max_length: cut longer texts to this many tokens, special ones included.

        Raises:
            InputError: no text, an empty one, one longer than the model takes, a pair where there is one segment.
        """
        rows = (texts,) if isinstance(texts, str) else tuple(texts)
        self._check(rows, pair, max_length)
        limits = [limit for limit in (max_length, self.longest) if limit is not None]
        limit = min(limits) if limits else None
        encoded = [
            self.tokenizer.encode(text, pair) if pair is not None else self.tokenizer.encode(text) for text in rows
        ]
        for row, encoding in enumerate(encoded):
            if not encoding.ids:
                raise InputError(
                    f"text {row} has no word that this tokenizer keeps ({quoted(rows[row])}); write at least one"
                )
            if self.longest is not None and len(encoding.ids) > self.longest and max_length is None:
                raise InputError(
                    f"text {row} is {len(encoding.ids)} tokens long and the model takes {self.longest}; "
                    f"`--max-length {self.longest}` cuts it to its first {self.longest} tokens"
                )
        if limit is not None and any(len(encoding.ids) > limit for encoding in encoded):
            encoded = [self._cut(text, pair, limit) for text in rows]
        return self._batch(rows, pair, encoded)

    def _check(self, rows: tuple[str, ...], pair: str | None, max_length: int | None) -> None:
        if not rows:
            raise InputError("no text given; write one in quotes, or `-` to read standard input")
        for row, text in enumerate((*rows, pair) if pair is not None else rows):
            assert text is not None
            if not text.strip():
                which = "the --pair text" if row == len(rows) else f"text {row}"
                raise InputError(f"{which} is empty ({quoted(text)}); write at least one word")
            if any(0xD800 <= ord(character) <= 0xDFFF for character in text):
                raise InputError(f"text {row} is not valid UTF-8 ({text[:40]!a}); give it in UTF-8")
        if max_length is not None and max_length < 3:
            raise InputError(
                f"--max-length {max_length} leaves no room for a word between the special tokens; give at least 3"
            )

    def _cut(self, text: str, pair: str | None, limit: int) -> Any:
        self.tokenizer.enable_truncation(limit)
        try:
            return self.tokenizer.encode(text, pair) if pair is not None else self.tokenizer.encode(text)
        except Exception as error:  # the tokenizers library raises plain Exception
            raise InputError(f"--max-length {limit} is too short for a pair ({one_line(error)}); give more") from None
        finally:
            self.tokenizer.no_truncation()

    def _batch(self, rows: tuple[str, ...], pair: str | None, encoded: Sequence[Any]) -> Tokens:
        width = max(len(encoding.ids) for encoding in encoded)
        shape = (len(rows), width)
        ids, mask, segments = (np.full(shape, fill, dtype=np.int64) for fill in (self.padding_id, 0, 0))
        padding = self.tokenizer.id_to_token(self.padding_id) or "[PAD]"
        strings, places, second = [], [], []
        for row, encoding in enumerate(encoded):
            length = len(encoding.ids)
            ids[row, :length], mask[row, :length], segments[row, :length] = encoding.ids, 1, encoding.type_ids
            if self.segments is not None and max(encoding.type_ids, default=0) >= self.segments:
                raise InputError(f"--pair needs a model with two segments, and this one has {self.segments}")
            if max(encoding.ids, default=0) >= self.vocabulary:
                raise InputError(
                    f"the tokenizer gives id {max(encoding.ids)}, and the model has {self.vocabulary} words"
                )
            strings.append((*map(self.shown, encoding.tokens), *[padding] * (width - length)))
            places.append((*encoding.offsets, *[(0, 0)] * (width - length)))
            second.append((*(part == 1 for part in encoding.sequence_ids), *[False] * (width - length)))
        positions = np.broadcast_to(np.arange(width, dtype=np.int64), shape).copy()
        size = self.tokenizer.get_vocab_size(with_added_tokens=True)
        return Tokens(
            rows, pair, ids, mask, segments, positions, tuple(strings), tuple(places), size,
            tuple(second) if pair is not None else (),
        )  # fmt: skip


def open_tokenizer(directory: Path) -> Tokenizer:
    """The tokenizer of a checkpoint directory: `tokenizer.json`, or one made from older files.

    Those are `vocab.txt` (WordPiece), RoBERTa's `vocab.json` with `merges.txt` (byte-level pairs), and what `pieces` reads.

    Raises:
        InputError: neither is there, or it cannot be read.
    """
    from tokenizers import BertWordPieceTokenizer, Tokenizer

    whole, words = directory / "tokenizer.json", directory / "vocab.txt"
    try:
        if regular(whole):
            return Tokenizer.from_file(str(whole))
        if regular(words):
            return BertWordPieceTokenizer(str(words), lowercase=_lowercase(directory))._tokenizer
        made = made_tokenizer(directory)
        if made is not None:
            return made
        if regular(directory / "vocab.json") and regular(directory / "merges.txt"):
            return roberta_tokenizer(directory)
    except InputError:
        raise
    except Exception as error:  # the tokenizers library raises plain Exception
        raise InputError(f"cannot read the tokenizer in {directory}: {one_line(error)}") from None
    pieces = [path.name for path in sorted(directory.glob("*.model"))]
    if pieces:
        raise InputError(
            f"no tokenizer.json in {directory}, and sentencepiece's {pieces[0]} is not read; have transformers write it: "
            f"`AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR)`"
        )
    raise InputError(f"no tokenizer in {directory}: tokenizer.json or vocab.txt is needed")


def _lowercase(directory: Path) -> bool:
    """What `tokenizer_config.json` says of case, as transformers' BertTokenizer takes it: lower unless told."""
    return bool(read_object(directory / "tokenizer_config.json").get("do_lower_case", True))
