"""Notes: what is to be said of a model and its texts, a sentence each, and who is told them."""

from __future__ import annotations

import inspect
import os
import warnings
from collections.abc import Callable
from pathlib import Path

Tell = Callable[[str], None]

_ENGINE = str(Path(__file__).parent.parent) + os.sep


def silent(note: str) -> None:
    """To be told, and to say nothing: for those who read `run.notes` themselves."""


def warn(note: str) -> None:
    """Warn as Python does, at the line that called the engine, however deep in it one is told."""
    frame, level = inspect.currentframe(), 1
    while frame is not None and frame.f_code.co_filename.startswith(_ENGINE):
        frame, level = frame.f_back, level + 1
    warnings.warn(note, stacklevel=level)
