"""What the manifest of a snapshot must look like: the kind of every value that is used, so that nobody else looks again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..program.json_values import is_list, is_object

FORMAT = 1  # what is written; what is of a higher one is not read
ENTRY = "encoder_tui"  # of the metadata, where it stands
LARGEST = 1 << 53  # no size, id or place is larger; JSON's own numbers are exact up to there

# A list of one kind holds any number of it; a dict of one kind, by `...`, any names; others hold these names, `?` where it may lack.
NUMBERS, WORDS = [int], [str]
STAGE: dict[Any, Any] = {
    "name": str, "inputs": WORDS, "weights": WORDS, "axes": WORDS, "module": str, "formula": str, "formula_of_shapes": str,
    "shape": NUMBERS, "dtype": str, "kind?": str, "options?": {...: object}, "labels?": WORDS, "symbols?": WORDS, "source?": str, "sequences?": WORDS,
    "left_out?": str, "figures?": {
        "count": int, "nan": int, "inf": int, "zeros": int, **dict.fromkeys(("min", "max", "mean", "std", "norm"), (float, int)), "histogram": NUMBERS,
    },
}  # fmt: skip
TOKENS: dict[Any, Any] = {
    "texts": WORDS, "pair": (str, type(None)), "ids": [NUMBERS], "mask": [NUMBERS], "segments": [NUMBERS], "positions": [NUMBERS],
    "strings": [WORDS], "places": [[NUMBERS]], "vocabulary_size": int, "second?": [[(bool, int)]],
}  # fmt: skip
MODULES: dict[Any, Any] = {
    "prefixes": WORDS, "layer": str, "whole": {...: str}, "parts": {...: str}, "heads": {...: str}, "none": {...: str},
    "blocks": str, "decoders": WORDS,
}  # fmt: skip
MANIFEST: dict[Any, Any] = {
    "format": int, "about": {...: object}, "tokens": TOKENS, "stages": [STAGE], "aliases": {...: str}, "weights": {...: NUMBERS},
    "patched": WORDS, "notes?": WORDS, "assurances?": WORDS, "words": {...: str}, "modules?": MODULES, "sequences?": {...: TOKENS},
    "beside?": [{"name": str, "axes": WORDS, "shape": NUMBERS, "dtype": str}],
}  # fmt: skip
OPTIONS = (str, int, float, bool, type(None), list)


def expect(value: Any, kind: Any = MANIFEST, where: str = "the manifest") -> None:
    """Check a value against a kind; what a newer version may have written besides is left alone.

    Raises:
        ValueError: it is of another kind; the message says where.
    """
    if is_object(kind):
        if not is_object(value):
            raise ValueError(f"{where} is {type(value).__name__}, not an object")
        _expect_names(value, kind, where)
    elif is_list(kind):
        if not is_list(value):
            raise ValueError(f"{where} is {type(value).__name__}, not a list")
        for place, part in enumerate(value):
            expect(part, kind[0], f"{where}[{place}]")
    elif kind is object:
        if not isinstance(value, OPTIONS) or (is_list(value) and not all(isinstance(part, OPTIONS) for part in value)):
            raise ValueError(f"{where} is {type(value).__name__}")
    elif not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ValueError(f"{where} is {type(value).__name__}")
    elif isinstance(value, int) and not -LARGEST <= value <= LARGEST:
        raise ValueError(f"{where} is {value}")


def _expect_names(value: Mapping[str, Any], kinds: Mapping[Any, Any], where: str) -> None:
    if ... in kinds:
        for name, part in value.items():
            expect(part, kinds[...], f"{where}.{name}")
        return
    for name, kind in kinds.items():
        known = name.removesuffix("?")
        if known in value:
            expect(value[known], kind, f"{where}.{known}".removeprefix("the manifest."))
        elif known == name:
            raise ValueError(f"{where} has no {name!r}")
