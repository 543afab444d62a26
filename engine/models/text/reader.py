"""Text to tokens: as the checkpoint's own files say it is cut, padded, and what goes before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...messages.errors import InputError, nearest, one_line
from ...messages.visible import quoted, visible
from ...program.tokens import Tokens
from ..families.family import Limits
from .coverage import other_case
from .tokenizer.byte_level import readable
from .tokenizer.files import Tokenization
from .tokenizer.library_calls import cut_to

MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Habits:
    """What sentence-transformers does to a text before its model reads it.

    Attributes:
        longest: how many tokens texts are cut to; None for no limit.
        longest_from: the file that says so, and the key: `sentence_bert_config.json's max_seq_length`.
        prompts: what may go before a text, by name.
        default: name of the prompt that goes before every text; None for none.
    """

    longest: int | None = None
    longest_from: str = ""
    prompts: Mapping[str, str] = field(default_factory=dict[str, str])
    default: str | None = None

    def prompt(self, name: str | None) -> str:
        """The text of a prompt: of the default one where None, "" where none is wanted.

        Raises:
            InputError: there is none of that name.
        """
        name = self.default if name is None else name
        if not name:
            return ""
        if name not in self.prompts:
            known = f"it has {', '.join(self.prompts)}" if self.prompts else "it has none; write it before the text"
            raise InputError(f"the model has no prompt {name!r}{nearest(name, self.prompts)}; {known}")
        return self.prompts[name]


class TextReader:
    """A checkpoint's tokenizer together with the limits of its model.

    Args:
        opened: the tokenizer and how it is used.
        limits: what text the model takes.
        habits: what else is done to texts; None outside sentence-transformers.
    """

    def __init__(self, opened: Tokenization, limits: Limits, habits: Habits | None = None) -> None:
        self.opened, self.limits, self.habits = opened, limits, habits
        self.tokenizer = opened.tokenizer
        self.longest, self.segments, self.vocabulary = limits.longest, limits.segments, limits.vocabulary
        own = None if opened.padding is None else self.tokenizer.token_to_id(opened.padding)
        self.padding_id = limits.padding_id if own is None else own
        self.names_padding = own is not None
        self._of_bytes = "ByteLevel" in repr(self.tokenizer.decoder)

    def shown(self, token: str) -> str:
        """A token as people read it: the bytes of a byte-level one as the letters they are, `Ġ` where a space stands before it."""
        return visible(readable(token) if self._of_bytes else token)

    def word(self, number: int) -> str | None:
        """The token of an id, as it is shown; None where there is none."""
        token = self.tokenizer.id_to_token(number)
        return None if token is None else self.shown(token)

    @property
    def unknown(self) -> str:
        """The token for what the vocabulary lacks, as it is shown; "" where there is none."""
        token = getattr(self.tokenizer.model, "unk_token", None) or self.opened.unknown
        return "" if token is None else self.shown(token)

    @property
    def masking(self) -> str:
        """The token for a word that is to be guessed, as it is shown; "" where there is none."""
        return "" if self.opened.masking is None else self.shown(self.opened.masking)

    def read(
        self,
        texts: str | Sequence[str],
        pair: str | None = None,
        max_length: int | None = None,
        prompt: str | None = None,
    ) -> Tokens:
        """Turn texts into one padded batch.

        Args:
            texts: one or several.
            pair: a second segment for each text.
            max_length: cut longer texts to this many tokens, special ones included, whatever the files say.
            prompt: name of the prompt to put before each text; "" for none, None for what the files say.

        Raises:
            InputError: no text, an empty one, one longer than the model takes, a pair where there is one segment, a prompt
                of another name.
        """
        rows = (texts,) if isinstance(texts, str) else tuple(texts)
        _check(rows, pair, max_length)
        before = (self.habits or Habits()).prompt(prompt)
        notes = [*self.opened.notes, *([self._said_of_prompt(before, prompt)] if before or prompt else [])]
        whole = [self._encode(before + text, pair) for text in rows]
        for row, encoding in enumerate(whole):
            if not encoding.ids:
                raise InputError(
                    f"text {row} has no word that this tokenizer keeps ({quoted(rows[row])}); write at least one"
                )
        encoded = self._within(rows, pair, before, whole, max_length, notes)
        cut = tuple(len(long.ids) - len(kept.ids) for long, kept in zip(whole, encoded, strict=True))
        tokens = self._batch(rows, pair, encoded, len(before))
        notes += [
            *self._said_of_ids(rows, pair, before, whole),
            *self._said_of_segments(tokens),
            *self._said_of_padding(tokens),
        ]
        length = self._prompt_length(before, max_length) if before else 0
        return Tokens(
            rows, pair, tokens.ids, tokens.mask, tokens.segments, tokens.positions, tokens.strings, tokens.places,
            tokens.vocabulary_size, tokens.second, notes=tuple(notes), prompt_length=length, cut=cut if any(cut) else (),
            cut_left=self.opened.cuts_left, unknown=self.unknown, known_in=other_case(self.tokenizer, self.unknown, rows, tokens),
            masking=self.masking,
        )  # fmt: skip

    def _encode(self, text: str, pair: str | None) -> Any:
        return self.tokenizer.encode(text, pair) if pair is not None else self.tokenizer.encode(text)

    def _within(
        self,
        rows: tuple[str, ...],
        pair: str | None,
        before: str,
        whole: list[Any],
        asked: int | None,
        notes: list[str],
    ) -> list[Any]:
        """The encodings, cut where they are longer than is asked for, or than sentence-transformers makes them.

        Raises:
            InputError: one is longer than the model takes, and nobody said that it may be cut.
        """
        habits = self.habits or Habits()
        limit = asked if asked is not None else habits.longest
        longest = self.longest
        if asked is not None and longest is not None:
            limit = min(asked, longest)
        lengths = [len(encoding.ids) for encoding in whole]
        over = [row for row, length in enumerate(lengths) if limit is not None and length > limit]
        for row, length in enumerate(lengths):
            if longest is not None and min(length, limit or length) > longest:
                why = f", though {habits.longest_from} says {limit}" if limit is not None else ""
                raise InputError(
                    f"text {row} is {length} tokens long and the model takes {longest}{why}; "
                    f"`--max-length {longest}` cuts it to its {self._end} {longest} tokens"
                )
        notes += self._said_of_lengths(lengths, over, limit, asked)
        if limit is None or not over:
            return whole
        return [
            self._cut(before + rows[row], pair, limit) if row in over else encoding
            for row, encoding in enumerate(whole)
        ]

    @property
    def _end(self) -> str:
        return "last" if self.opened.cuts_left else "first"

    def _cut(self, text: str, pair: str | None, limit: int) -> Any:
        try:
            cut_to(self.tokenizer, limit, "left" if self.opened.cuts_left else "right")
            return self._encode(text, pair)
        except BaseException as error:  # the tokenizers library raises plain Exception, and panics
            if isinstance(error, KeyboardInterrupt):
                raise
            raise InputError(
                f"{limit} tokens are too few for a pair ({one_line(error)}); --max-length gives more"
            ) from None
        finally:
            self.tokenizer.no_truncation()

    def _batch(self, rows: tuple[str, ...], pair: str | None, encoded: Sequence[Any], before: int) -> Tokens:
        """The padded batch; places count from the beginning of what was typed, `before` letters after the prompt's."""
        width = max(len(encoding.ids) for encoding in encoded)
        shape = (len(rows), width)
        ids, mask, segments = (np.full(shape, fill, dtype=np.int64) for fill in (self.padding_id, 0, 0))
        padding = self.word(self.padding_id) or "[PAD]"
        strings: list[tuple[str, ...]] = []
        places: list[tuple[tuple[int, int], ...]] = []
        second: list[tuple[bool, ...]] = []
        for row, encoding in enumerate(encoded):
            length = len(encoding.ids)
            type_ids = encoding.type_ids if self.opened.segments else [0] * length
            here = slice(width - length, None) if self.opened.pads_left else slice(length)
            ids[row, here], mask[row, here], segments[row, here] = encoding.ids, 1, type_ids
            if self.segments is not None and max(type_ids, default=0) >= self.segments:
                raise InputError(f"--pair needs a model with two segments, and this one has {self.segments}")
            if ids[row].max() >= self.vocabulary:
                raise InputError(f"the tokenizer gives id {ids[row].max()}, and the model has {self.vocabulary} words")
            parts = encoding.sequence_ids
            offsets = [
                (max(0, a - before), max(0, b - before)) if part == 0 else (a, b)
                for (a, b), part in zip(encoding.offsets, parts, strict=True)
            ]
            strings.append(self._padded(map(self.shown, encoding.tokens), padding, width))
            places.append(self._padded(offsets, (0, 0), width))
            second.append(self._padded((part == 1 for part in parts), False, width))
        positions = np.broadcast_to(np.arange(width, dtype=np.int64), shape).copy()
        size = self.tokenizer.get_vocab_size(with_added_tokens=True)
        return Tokens(
            rows, pair, ids, mask, segments, positions, tuple(strings), tuple(places), size,
            tuple(second) if pair is not None else (),
        )  # fmt: skip

    def _padded(self, row: Any, padding: Any, width: int) -> tuple[Any, ...]:
        row = tuple(row)
        rest = (padding,) * (width - len(row))
        return (*rest, *row) if self.opened.pads_left else (*row, *rest)

    def left_to_ids(self, longest: int) -> list[str]:
        """What is not done to ids and vectors, and would be to a text.

        Args:
            longest: how many tokens the longest row has.
        """
        habits = self.habits or Habits()
        notes: list[str] = []
        if habits.prompt(None):
            notes.append(
                f"the default prompt {habits.prompt(None)!r} ({habits.default}) is not put before what is no text"
            )
        if habits.longest is not None and longest > habits.longest:
            notes.append(
                f"nothing is cut: {longest} tokens are more than {habits.longest}, to which texts are cut by {habits.longest_from}"
            )
        return notes

    def _prompt_length(self, before: str, asked: int | None) -> int:
        """How many tokens the prompt alone is, without a special one at its end, as sentence-transformers counts them."""
        limit = asked if asked is not None else (self.habits or Habits()).longest
        encoding = self._encode(before, None)
        ids = encoding.ids if limit is None or len(encoding.ids) <= limit else self._cut(before, None, limit).ids
        added = self.tokenizer.get_added_tokens_decoder()
        return len(ids) - bool(ids and ids[-1] in added and added[ids[-1]].special)

    def _said_of_prompt(self, before: str, asked: str | None) -> str:
        habits = self.habits or Habits()
        name = habits.default if asked is None else asked
        why = (
            "the default of config_sentence_transformers.json; --no-prompt leaves it out"
            if asked is None
            else "as asked for"
        )
        if not before:
            return f"the prompt {name!r} is empty: nothing stands before the texts"
        return f"the prompt {before!r} ({name}) stands before each text: {why}"

    def _said_of_lengths(self, lengths: list[int], over: list[int], limit: int | None, asked: int | None) -> list[str]:
        habits = self.habits or Habits()
        own = habits.longest
        notes: list[str] = []
        if over:
            why = f"as {habits.longest_from} says; --max-length N takes more"
            if asked is not None:
                why = (
                    "as asked for" if asked == limit else f"the most that the model takes: --max-length {asked} is more"
                )
            many = [
                f"text {row} was cut to its {self._end} {limit} tokens of {lengths[row]}" for row in over[:MOST_NAMED]
            ]
            more = f" and {len(over) - MOST_NAMED} more texts" * (len(over) > MOST_NAMED)
            notes.append(f"{'; '.join(many)}{more}, {why}")
        if asked is not None and own is not None and asked != own and max(lengths) > min(own, asked):
            notes.append(f"--max-length {asked} goes before {own}, which {habits.longest_from} says")
        said = self.opened.longest
        if limit is None and self.habits is None and said is not None and max(lengths) > said:
            notes.append(
                f"text {lengths.index(max(lengths))} has {max(lengths)} tokens, and tokenizer_config.json says model_max_length "
                f"{said}: transformers cuts only where it is asked to, as --max-length {said} does"
            )
        return notes

    def _said_of_ids(self, rows: tuple[str, ...], pair: str | None, before: str, whole: list[Any]) -> list[str]:
        """Where tokenizer.json as it stands would give other ids than the class that transformers makes of it."""
        other = self.opened.as_it_stands
        if other is None:
            return []
        for row, (text, ours) in enumerate(zip(rows, whole, strict=True)):
            theirs = other.encode(before + text, pair) if pair is not None else other.encode(before + text)
            if theirs.ids != ours.ids:
                return [
                    f"text {row} is read as transformers' {self.opened.kind} reads it, which takes the vocabulary of tokenizer.json "
                    f"and makes the rest as tokenizer_config.json says; tokenizer.json as it stands gives {_few(theirs.tokens)}"
                ]
        return []

    def _said_of_segments(self, tokens: Tokens) -> list[str]:
        if tokens.pair is None or self.opened.segments or (self.segments or 1) < 2:
            return []
        kind = self.opened.kind or "the tokenizer"
        return [f"both texts of a pair are in segment 0: {kind} hands out no segments (model_input_names)"]

    def _said_of_padding(self, tokens: Tokens) -> list[str]:
        """Whether tokenizer and config mean the same padding, and what it does to positions if not."""
        padded = not tokens.mask.all()
        own, skipped = self.padding_id, self.limits.skips
        if not self.names_padding:
            said = f"the tokenizer names no padding token: padded with id {own}, config.json's pad_token_id"
            return [said] if padded else []
        if skipped is not None and skipped != own:
            real = int(((tokens.ids == skipped) & (tokens.mask == 1)).sum())
            return [
                f"the tokenizer pads with id {own} ({self.word(own)}), and the model takes {skipped} ({self.word(skipped)}) for "
                f"padding: positions skip {skipped}, so {real} real tokens get the padding position, and padding is counted on"
            ]
        left = padded and self.opened.pads_left
        notes = ["shorter texts are padded at their beginning, as padding_side says"] if left else []
        if skipped is None and padded and self.limits.padding_id != own:
            notes.append(
                f"the tokenizer pads with id {own}, and config.json's pad_token_id is {self.limits.padding_id}: no number of this "
                "family depends on the latter"
            )
        return notes


def _few(words: Sequence[str], most: int = 8) -> str:
    return " ".join(words[:most]) + " ..." * (len(words) > most)


def _check(rows: tuple[str, ...], pair: str | None, max_length: int | None) -> None:
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
