"""A row of numbers over patches, laid out as the image they are patches of."""

from __future__ import annotations

import numpy as np

from ..messages.errors import InputError
from ..program.index import TOKEN_AXES, split_index
from ..program.tokens import PIXELS
from ..program.writing import write_number
from .session import Session
from .table import Command, Reply

USAGE = "picture STAGE[INDEX]"
EXAMPLE = 'picture layers.0.attention.weights[0, head=3, query="[CLS]"]'
SHADES = " ░▒▓█"


def _picture(session: Session, rest: str) -> Reply:
    trace = session.trace
    if PIXELS not in trace.program:
        raise InputError("picture lays numbers over patches out as an image, and this is a run of text")
    name, index = split_index(rest)
    value = trace.value(session.stage_or_here(name))
    bound = value.bind(index or "")
    open_axes = [
        axis
        for axis, part, size in zip(value.axes, bound, value.shape, strict=True)
        if isinstance(part, slice) and (size > 1 or axis in TOKEN_AXES)
    ]
    whole = [
        part for part, axis in zip(bound, value.axes, strict=True) if axis in TOKEN_AXES and isinstance(part, slice)
    ]
    words = list(trace.tokens.strings[0])
    if len(open_axes) != 1 or open_axes[0] not in TOKEN_AXES or whole[0] != slice(0, len(words), 1):
        raise InputError(
            f"picture takes one row over all tokens, and {value.name}[{index or ''}] leaves "
            f"{', '.join(open_axes) or 'none'}; write for instance {EXAMPLE}"
        )
    row = np.asarray(value.read(bound), dtype=np.float64).ravel()
    return Reply(_write(f"{value.name}[{index or ''}]", row, words))


def _write(title: str, row: np.ndarray, words: list[str]) -> str:
    """The numbers of the patches as shades, and those of the tokens before them as they are."""
    before = sum("," not in word for word in words)
    columns = 1 + int(words[-1].partition(",")[2])
    patches = row[before:].reshape(-1, columns)  # (row, column)
    finite = patches[np.isfinite(patches)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    most = np.unravel_index(int(np.argmax(np.where(np.isfinite(patches), patches, -np.inf))), patches.shape)
    lines = [
        title,
        f"  {SHADES[0]!r} {write_number(low)} to {SHADES[-1]!r} {write_number(high)}, at {most[0]},{most[1]}",
        *(f"  {word} {write_number(float(number))}" for word, number in zip(words[:before], row[:before], strict=True)),
        "",
        "     " + "".join(f"{column:<2}" if column % 2 == 0 else "  " for column in range(columns)).rstrip(),
    ]
    for number, line in enumerate(patches):
        cells = "".join(2 * _shade(float(value), low, high) for value in line)
        lines.append(f"{number:>3}  {cells}".rstrip())
    return "\n".join(lines)


def _shade(number: float, low: float, high: float) -> str:
    if not np.isfinite(number):
        return "?"
    share = (number - low) / (high - low) if high > low else 0.0
    return SHADES[min(int(share * len(SHADES)), len(SHADES) - 1)]


COMMANDS = (
    Command(
        "picture", USAGE, "Lay a row of numbers over patches out as the image: where a patch looks.",
        _picture, "values", (), (), "stage",
    ),
)  # fmt: skip
