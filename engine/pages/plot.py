"""Values drawn by matplotlib, which is asked for only here."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

from ..messages.errors import InputError
from ..program.dtypes import floor_of
from ..program.element import face_at
from ..program.per_text import Index, Rectangle, is_rectangle
from ..program.value import Value

MOST_WORDS = 64  # along an axis; of more places every so many has its number


def draw(value: Value, index: Index | str, axes: Any) -> Any:
    """See `Value.plot`."""
    plane = _plane(value, index)
    along = [axis for axis, part in enumerate(plane) if isinstance(part, slice)]
    new_figure = _pyplot().subplots  # before anything is computed for it
    numbers = np.asarray(value.read(plane), np.float64)
    hidden = np.isfinite(numbers) & (numbers <= floor_of(value.dtype))  # by a mask: it stays white
    signed, reach = bool((numbers[~hidden] < 0).any()), _reach(numbers[np.isfinite(numbers) & ~hidden])
    numbers = np.where(hidden, np.nan, numbers)
    drawn: Any = axes if axes is not None else new_figure(layout="constrained")[1]
    if len(along) == 1:
        drawn.bar(np.arange(len(numbers)), numbers)
        _name(drawn.xaxis, value, plane, along[0])
    else:
        look = {"cmap": "RdBu_r", "vmin": -reach} if signed else {"cmap": "viridis", "vmin": 0.0}
        picture = drawn.imshow(numbers, vmax=reach, aspect="auto", interpolation="nearest", **look)
        drawn.figure.colorbar(picture, ax=drawn)
        _name(drawn.yaxis, value, plane, along[0])
        _name(drawn.xaxis, value, plane, along[1])
    places = [f"{axis}={at}" for axis, at in zip(value.axes, plane, strict=True) if isinstance(at, int)]
    drawn.set_title(f"{value.name}[{', '.join(places)}]" if places else value.name)
    return drawn


def _reach(numbers: npt.NDArray[np.float64]) -> float:
    """The magnitude of the strongest colour."""
    return float(np.abs(numbers).max(initial=0.0)) or 1.0


def _plane(value: Value, index: Index | str) -> Rectangle:
    """The window, without its leading axes of size one."""
    bound = value.bind(index)
    if not is_rectangle(bound):
        raise InputError("a token stands elsewhere in each text; plot one of them: write batch=0 in the index")
    plane = list(bound)
    for axis, part in enumerate(bound):
        if isinstance(part, slice) and value.shape[axis] == 1 and sum(isinstance(each, slice) for each in plane) > 2:
            plane[axis] = 0
    left = [axis for axis, part in zip(value.axes, plane, strict=True) if isinstance(part, slice)]
    if not 1 <= len(left) <= 2:
        example = ", ".join(f"{axis}=0" for axis in left[:-2])
        what = f"leaves {', '.join(left)} open; write for instance .plot({example!r})" if left else "is one number"
        raise InputError(f"a plot has one axis or two, and the window of {value.name} {what}")
    return tuple(plane)


def _name(axis: Any, value: Value, plane: Rectangle, at: int) -> None:
    """Write what the places along an axis are called."""
    part, called = plane[at], value.axes[at]
    assert isinstance(part, slice)
    places = range(*part.indices(value.shape[at]))
    axis.set_label_text(called)
    first = plane[0] if value.axes[0] == "batch" and isinstance(plane[0], int) else 0
    words = [face_at(value, called, place, (first,)) for place in places[:MOST_WORDS]]
    if len(places) <= MOST_WORDS and all(words):
        upright = {"rotation": 90} if axis.axis_name == "x" else {}
        axis.set_ticks(range(len(places)), [word.replace("$", r"\$") for word in words], **upright)
    else:
        step = max(1, len(places) // 8)
        axis.set_ticks(range(0, len(places), step), [str(place) for place in places[::step]])


def _pyplot() -> Any:
    try:
        return import_module("matplotlib.pyplot")  # by name, as it is no dependency whose types could be known
    except ImportError:
        raise InputError("plots need matplotlib, which is not installed; pip install 'encoder-tui[plot]'") from None
