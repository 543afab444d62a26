"""Ids in place of text, typed or from a file: .npy, .npz, .safetensors, or JSON lines. No tokenizer is needed."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt

from ...messages.errors import InputError, one_line
from ...program.json_values import is_list, is_object
from ...program.tokens import Tokens
from ...traces.tensor_file import open_safetensors
from ..families.family import Limits
from ..files import read_text, regular

TYPED = re.compile(r"[\s,\[\]0-9+.eE-]+")
# What goes in with the ids, by our name and by transformers'.
PARTS = {
    "ids": ("ids", "input_ids"), "mask": ("mask", "attention_mask"), "segments": ("segments", "token_type_ids"),
    "positions": ("positions", "position_ids"),
}  # fmt: skip
ENDINGS = (".npy", ".npz", ".safetensors")


@dataclass(frozen=True, slots=True)
class GivenText:
    """One text as ids.

    Attributes:
        name: what it is called.
        parts: `ids`, and `mask`, `segments`, `positions` where they are given: whole numbers, one a token.
    """

    name: str
    parts: Mapping[str, npt.NDArray[np.int64]]


def read_ids(given: str | Sequence[str]) -> list[GivenText]:
    """Rows of ids, each typed (`12 5 7`, commas too) or of a file.

    Raises:
        InputError: neither, a file that cannot be read, or ids that are no whole numbers.
    """
    rows: list[GivenText] = []
    for text in (given,) if isinstance(given, str) else given:
        if not text.strip():
            raise InputError("--ids '' has no ids; write some, as '12 5 7', or the path of a file")
        if TYPED.fullmatch(text):  # a line is a text, as in a file
            rows += [_row(line.strip(), {"ids": _typed(line)}) for line in text.splitlines() if line.strip()]
        else:
            rows += _of_file(text)
    return rows


def given_texts(
    ids: Any, mask: Any = None, segments: Any = None, positions: Any = None, name: str = "ids"
) -> list[GivenText]:
    """Rows of ids from Python: one list of ids, a list of those, or an array (batch, token); the rest alike.

    Raises:
        InputError: shapes that do not go together, or numbers that are not whole.
    """
    given = {"ids": ids, "mask": mask, "segments": segments, "positions": positions}
    return _rows({part: value for part, value in given.items() if value is not None}, name)


def tokens_of_ids(
    rows: Sequence[GivenText],
    limits: Limits,
    *,
    padding: int,
    left: bool = False,
    word: Any = None,
    given: Sequence[str] = (),
) -> Tokens:
    """Rows as one padded batch.

    Args:
        limits: what the model takes.
        padding: the id that fills up shorter rows; left: whether at their beginning.
        word: from an id to its token as it is shown, or None; None where there is no tokenizer.
        given: which parts the model takes from outside, of `segments` and `positions`.

    Raises:
        InputError: ids the model has not, more tokens than it takes, a part that it does not take or that does not fit.
    """
    if not rows:
        raise InputError("no ids given; write some, as --ids '12 5 7'")
    for row in rows:
        _check(row, limits, given)
    width = max(len(row.parts["ids"]) for row in rows)
    shape = (len(rows), width)
    fill = {"ids": padding, "mask": 0, "segments": 0, "positions": 0}
    arrays = {part: np.full(shape, number, np.int64) for part, number in fill.items()}
    arrays["positions"] = np.broadcast_to(np.arange(width, dtype=np.int64), shape).copy()
    for number, row in enumerate(rows):
        length = len(row.parts["ids"])
        here = slice(width - length, None) if left else slice(length)
        for part, array in arrays.items():
            if part in row.parts:
                array[number, here] = row.parts[part]
            elif part == "mask":
                array[number, here] = 1
    known = {int(number): word(int(number)) if word is not None else None for number in np.unique(arrays["ids"])}
    strings = tuple(tuple(known[int(number)] or str(number) for number in row) for row in arrays["ids"])
    return Tokens(
        tuple(row.name for row in rows), None, arrays["ids"], arrays["mask"], arrays["segments"], arrays["positions"],
        strings, tuple(((0, 0),) * width for _ in rows), limits.vocabulary, from_ids=True,
    )  # fmt: skip


def _check(row: GivenText, limits: Limits, given: Sequence[str]) -> None:
    """Refuse what the model cannot take.

    Raises:
        InputError: which number, of which row.
    """
    ids = row.parts["ids"]
    if not len(ids):
        raise InputError(f"{row.name!r} has no ids; give at least one")
    if limits.longest is not None and len(ids) > limits.longest:
        raise InputError(f"{row.name!r} has {len(ids)} ids, and the model takes {limits.longest}; give fewer")
    positions = None if limits.longest is None else limits.longest
    most = {"ids": limits.vocabulary, "mask": 2, "segments": max(limits.segments or 1, 1), "positions": positions}
    for part, numbers in row.parts.items():
        if part in ("segments", "positions") and part not in given and numbers.any():
            raise InputError(
                f"{row.name!r} has {part}, and this model {'makes its own' if part == 'positions' else 'has none'}"
            )
        if len(numbers) != len(ids):
            raise InputError(
                f"{row.name!r} has {len(ids)} ids and {len(numbers)} numbers of {part}; give one for each id"
            )
        end = most[part]
        wrong = numbers[(numbers < 0) | (numbers >= (2**62 if end is None else end))]
        if len(wrong):
            goes = f"from 0 to {end - 1}" if end is not None else "from 0"
            raise InputError(f"{row.name!r}: {wrong[0]} is out of range for {part}, which go {goes}")


def _typed(text: str) -> npt.NDArray[np.int64]:
    words = re.split(r"[\s,]+", text.strip().strip("[]").strip().strip(","))
    wrong = [word for word in words if not re.fullmatch(r"[+-]?\d{1,18}", word)]
    if wrong:
        said = f"{wrong[0]!r} is no whole number" if wrong[0] else "there is none"
        raise InputError(f"--ids {text!r}: {said}; write ids as 12 5 7, or the path of a file")
    return np.array([int(word) for word in words], np.int64)


def _row(name: str, parts: Mapping[str, Any]) -> GivenText:
    return GivenText(name, {part: _whole(value, f"{name!r}: {part}") for part, value in parts.items()})


def _whole(given: Any, what: str) -> npt.NDArray[np.int64]:
    """Whole numbers of one axis.

    Raises:
        InputError: others.
    """
    try:
        array = np.asarray(given.detach().cpu() if hasattr(given, "detach") else given)
    except (ValueError, OverflowError, TypeError) as error:
        raise InputError(f"{what} cannot be read as numbers: {one_line(error)}") from None
    if array.size == 0:
        return np.zeros(0, np.int64)
    if array.dtype == bool:
        raise InputError(f"{what} is true or false; write 1 where a token counts and 0 where it is padding")
    if not np.issubdtype(array.dtype, np.integer):
        listed: Sequence[Any] = given if _is_row(given) else array.ravel().tolist()
        one = next((part for part in listed if not isinstance(part, int | np.integer)), listed[-1])
        raise InputError(f"{what} holds {repr(one)[:80]}, and must hold whole numbers")
    if array.ndim != 1:
        raise InputError(f"{what} has the shape {list(array.shape)}, and must be one number a token")
    if (array > 2**62).any():
        raise InputError(f"{what} holds {array.max()}, which is no id")
    return array.astype(np.int64)


def _of_file(text: str) -> list[GivenText]:
    path = Path(os.path.expanduser(text))
    if not regular(path):
        raise InputError(f"--ids {text!r} is neither ids, such as '12 5 7', nor a file that is there")
    if path.suffix not in ENDINGS:
        return _of_lines(path)
    try:
        if path.suffix == ".npy":
            arrays: Any = {"ids": np.load(path, allow_pickle=False)}
        elif path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as file:
                arrays = dict(file)
        else:
            with open_safetensors(path, "numpy") as file:
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
    except Exception as error:  # what numpy and safetensors raise for a damaged file is not one kind
        raise InputError(f"cannot read {text}: {one_line(error)}") from None
    return _rows(_parts(arrays, path.name), path.name)


def _of_lines(path: Path) -> list[GivenText]:
    """JSON lines: a list of ids each, or an object with them and what goes in with them."""
    rows: list[GivenText] = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if not line.strip():
            continue
        where = f"{path.name} line {number}"
        try:
            written = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(
                f"{where} is no JSON ({one_line(error)}); write a list of ids, or an object with `ids`"
            ) from None
        if is_object(written):
            rows += _rows(_parts(written, where), where)
        elif is_list(written):
            rows += _rows({"ids": written}, where)
        else:
            raise InputError(f"{where} is {line.strip()[:40]!r}; write a list of ids, or an object with `ids`")
    return rows


def _parts(given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """What is given under our names or transformers'."""
    known = {name: part for part, names in PARTS.items() for name in names}
    unknown = [name for name in given if name not in known]
    if unknown:
        raise InputError(f"{where} holds {unknown[0]!r}; known are {', '.join(known)}")
    parts = {known[name]: value for name, value in given.items()}
    if "ids" not in parts:
        raise InputError(f"{where} holds no ids; they are called ids or input_ids")
    return parts


def _rows(parts: Mapping[str, Any], name: str) -> list[GivenText]:
    """One row, or one for each of a batch."""
    parts = {part: value.detach().cpu().numpy() if hasattr(value, "detach") else value for part, value in parts.items()}
    ids = parts["ids"]
    if not _is_batch(ids):
        return [
            _row(
                name,
                {part: value[0] if _is_batch(value) and len(value) == 1 else value for part, value in parts.items()},
            )
        ]
    for part, value in parts.items():
        if not _is_batch(value) or len(value) != len(ids):
            raise InputError(f"{name}: {part} must be one row for each of the {len(ids)} rows of ids")
    return [_row(f"{name} {at}", {part: value[at] for part, value in parts.items()}) for at in range(len(ids))]


def _is_batch(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return value.ndim > 1
    return _is_row(value) and bool(value) and isinstance(value[0], list | tuple | np.ndarray)


def _is_row(value: Any) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, list | tuple)
