"""Where in somebody's own files something was asked for."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from types import FrameType

import torch

DEEPEST = 8  # frames that are kept of one operation
# Files are known by the path they were imported from, which a link may be.
OURS = tuple({str(path.parents[2]) for path in (Path(__file__), Path(__file__).resolve())})
TORCH = tuple({str(path.parent) for path in (Path(torch.__file__), Path(torch.__file__).resolve())})


def author_lines(outermost: FrameType | None = None) -> tuple[str, ...]:
    """`file:line` of each function that is running, innermost first; those of torch and of this package are left out.

    Args:
        outermost: a frame from which on none is looked at: whoever called the module.
    """
    lines: list[str] = []
    frame: FrameType | None = sys._getframe(1)  # pyright: ignore[reportPrivateUsage] # what `inspect.currentframe` returns
    while frame is not None and frame is not outermost and len(lines) < DEEPEST:
        if _is_authors(frame.f_code.co_filename):
            lines.append(f"{frame.f_code.co_filename}:{frame.f_lineno}")
        frame = frame.f_back
    return tuple(lines)


def line_of_error(error: BaseException) -> str:
    """` (at my_model.py:42)`, where the author's code was when something was raised; "" where it was not in any."""
    trace, where = error.__traceback__, ""
    while trace is not None:
        path = trace.tb_frame.f_code.co_filename
        if _is_authors(path):
            where = f" (at {Path(path).name}:{trace.tb_lineno})"
        trace = trace.tb_next
    return where


@cache
def _is_authors(path: str) -> bool:
    """Whether a file is neither torch's nor ours, nor made up (`<string>`, `<frozen importlib>`)."""
    if path.startswith("<") and not path.startswith("<ipython"):
        return False
    return not (path.startswith((*TORCH, *OURS)) or path == sys.modules["contextlib"].__file__)
