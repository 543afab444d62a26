"""A tokenizer that someone else made, within bounds: what it makes of a text is no longer than some hundred texts.

A tokenizer.json is a small program. Forty steps that double a letter fill any memory, and the library ends the whole process
where it gets none; a table of characters may hold a megabyte for a letter. Steps whose product is harmless, as those of every
published model are, run as they are. Otherwise they are taken one by one, each only where what it can make at most is bounded.

The library is written in Rust, and some of its faults are panics: an exception that is no `Exception`, and a message on
standard error before it. Here they are errors like others.
"""

from __future__ import annotations

import base64
import json
import math
import os
import sys
import tempfile
import threading
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from ....messages.errors import InputError, one_line
from ....program.json_values import is_object

if TYPE_CHECKING:
    from tokenizers import Tokenizer

MOST_TIMES = 300  # as long as its text
SPARE = 10_000  # letters that any text may become
MOST_LETTERS = 20_000_000  # of what a step may make, before it is tried: the library takes some 20 bytes for each
# How much longer Unicode's own forms make a text at most: U+FDFA is 18 letters, a letter is at most 3 in lower case.
UNICODE = {"NFKC": 18, "NFKD": 18, "NFC": 3, "NFD": 4, "BertNormalizer": 4, "Lowercase": 3, "ByteLevel": 4}
_lock = threading.RLock()


class BoundedTokenizer:
    """A tokenizer of the library, in its place, whose `encode` is bounded.

    Args:
        tokenizer: the library's.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        object.__setattr__(self, "_tokenizer", tokenizer)
        object.__setattr__(self, "_growing", None)  # steps that may grow, looked for with the first text

    def encode(self, *texts: Any, **options: Any) -> Any:
        """As the library's.

        Raises:
            InputError: it would make some hundred times of a text, cannot read it, or has other ids than tokens.
        """
        with library_errors("the tokenizer cannot read this text"):
            steps = self._growing
            if steps is None:
                steps = growing_steps(self._tokenizer)
                object.__setattr__(self, "_growing", steps)
            for text in texts if steps else ():
                if isinstance(text, str):
                    _normalize(steps, text)
            encoding = self._tokenizer.encode(*texts, **options)
        if len(encoding.ids) != len(encoding.tokens):  # a special token of several ids, or of none
            raise InputError(
                f"the tokenizer gives {len(encoding.ids)} ids for {len(encoding.tokens)} tokens; "
                "its post_processor has a special token that is not one id"
            )
        return encoding

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._tokenizer, name, value)
        object.__setattr__(self, "_growing", None)


def bounded(tokenizer: Tokenizer) -> Tokenizer:
    """The tokenizer within bounds; it has all that the library's has."""
    return cast("Tokenizer", BoundedTokenizer(tokenizer))


@contextmanager
def library_errors(what: str) -> Generator[None]:
    """Turn whatever the library raises into one line, a panic too, and keep its own message off standard error.

    Raises:
        InputError: it raised something.
    """
    try:
        with _off_standard_error():
            yield
    except InputError:
        raise
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise InputError(f"{what}: {one_line(error)}") from None


@contextmanager
def _off_standard_error() -> Generator[None]:
    """Have what a library writes to the process's standard error wait; after a panic it is not written at all."""
    with _lock:
        kept = _waiting().fileno()
        before = os.dup(2)
        os.dup2(kept, 2)
        try:
            yield
        finally:
            os.dup2(before, 2)
            os.close(before)
            written = os.lseek(kept, 0, os.SEEK_CUR)  # the position is one for both numbers of the file
            if written:
                said = os.pread(kept, written, 0).decode("utf-8", "replace")
                os.ftruncate(kept, 0)
                os.lseek(kept, 0, os.SEEK_SET)
                if "panicked at" not in said and sys.stderr is not None:
                    sys.stderr.write(said)


@cache
def _waiting() -> IO[bytes]:
    """The file in which it waits: one for all texts, since a new one costs more than a short text does."""
    return tempfile.TemporaryFile(buffering=0)


def check_table(table: bytes, path: Path) -> None:
    """Refuse a compiled table of characters that is shorter than it says.

    Raises:
        InputError: it is.
    """
    size = int.from_bytes(table[:4], "little")
    if len(table) < 4 or size > len(table) - 4:
        raise InputError(f"cannot read {path}: its table of characters has {len(table):,} bytes, and says {size:,}")


def growing_steps(tokenizer: Tokenizer) -> list[dict[str, Any]]:
    """The steps of a normalizer that may make some hundred times of a text; none where they cannot.

    Raises:
        InputError: what is done after them would, whatever the text.
    """
    steps = leaves(_state(tokenizer.normalizer), "normalizers")
    prepended = sum(len(str(step.get("prepend", ""))) for step in steps if step.get("type") == "Prepend")
    if prepended > MOST_TIMES:
        raise InputError(f"the tokenizer puts {prepended:,} letters before a text, and {MOST_TIMES} is the most")
    parts = [step.get("type") for step in leaves(_state(tokenizer.pre_tokenizer), "pretokenizers")]
    apart = 4 ** parts.count("ByteLevel") * 2 ** parts.count("Metaspace")
    around = math.prod(_repeats(step) for step in leaves(_state(tokenizer.post_processor), "processors"))
    if max(apart, around) > MOST_TIMES:
        where = "pre_tokenizer" if apart > MOST_TIMES else "post_processor"
        raise InputError(f"the tokenizer's {where} makes a text up to {max(apart, around):,} times as long, {_MOST}")
    return steps if math.prod(map(_times, steps)) > MOST_TIMES else []


_MOST = f"and {MOST_TIMES} times is the most"


def _state(part: Any) -> Any:
    """What a part of a tokenizer is made of, as its file says it."""
    return None if part is None else json.loads(part.__getstate__())


def leaves(part: Any, name: str) -> list[dict[str, Any]]:
    """The steps of a part, those of sequences one by one."""
    if not is_object(part):
        return []
    if part.get("type") != "Sequence":
        return [part]
    return [leaf for inner in part.get(name, ()) for leaf in leaves(inner, name)]


def _times(step: dict[str, Any]) -> int:
    """How many letters a step makes of one, at most."""
    kind = step.get("type")
    if kind == "Replace":
        shortest = len(str(step.get("pattern", {}).get("String", "")))
        content = len(str(step.get("content", "")))
        return max(1, -(-content // shortest)) if shortest else 1 + content
    if kind == "Prepend":
        return 1 + len(str(step.get("prepend", "")))
    if kind == "Precompiled":
        return _longest(character_table(step))
    return UNICODE.get(str(kind), 1)


def character_table(step: dict[str, Any]) -> bytes:
    """The compiled table of characters of a step."""
    table = str(step.get("precompiled_charsmap") or "")
    try:
        return base64.b64decode(table + "=" * (-len(table) % 4))
    except ValueError:
        return b""


def _longest(data: bytes) -> int:
    """The longest text in a compiled table of characters: after its trie they stand one after another, each ended by a zero."""
    size = int.from_bytes(data[:4], "little")
    return max((len(part.decode("utf-8", "replace")) for part in data[4 + size :].split(b"\0")), default=1) or 1


def _repeats(step: dict[str, Any]) -> int:
    """How often a text comes in what is made of it, special tokens counted as texts of a hundred."""
    if step.get("type") != "TemplateProcessing":
        return 1
    sizes = {name: len(token.get("ids", ())) for name, token in step.get("special_tokens", {}).items()}
    most = 1
    for template in (step.get("single", ()), step.get("pair", ())):
        texts = sum("Sequence" in piece for piece in template)
        special = sum(sizes.get(piece["SpecialToken"]["id"], 1) for piece in template if "SpecialToken" in piece)
        most = max(most, (texts + 1) // 2, special // 100)
    return most


def _normalize(steps: list[dict[str, Any]], text: str) -> None:
    """Take the steps one by one, and stop before one that may make too much."""
    from tokenizers import Tokenizer

    most = MOST_TIMES * len(text) + SPARE
    for step in steps:
        pattern = step.get("pattern", {}).get("String") if step.get("type") == "Replace" else None
        count = text.count(pattern) if pattern else len(text) + 1
        size = len(str(step.get("content", ""))) * count + len(text) if pattern else _times(step) * count
        if size > MOST_LETTERS:
            raise InputError(f"the tokenizer's {step.get('type')} may make {size:,} letters of {len(text):,}, {_MOST}")
        probe: dict[str, Any] = {"normalizer": step, "model": {"type": "BPE", "vocab": {}, "merges": []}}
        normalizer: Any = Tokenizer.from_str(json.dumps(probe)).normalizer
        text = normalizer.normalize_str(text)
        if len(text) > most:
            raise InputError(f"the tokenizer's normalizer makes {len(text):,} letters and more of a text, {_MOST}")
