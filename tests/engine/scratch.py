"""Folders for what a test saves and keeps open: what lives longer than one test, and not longer than the tests."""

from __future__ import annotations

import tempfile
from pathlib import Path

_KEPT: list[tempfile.TemporaryDirectory[str]] = []  # each is removed when Python ends


def scratch(prefix: str) -> Path:
    """A new empty folder that is gone when this process ends; files of it that are still mapped stay readable."""
    _KEPT.append(tempfile.TemporaryDirectory(prefix=f"{prefix}-", ignore_cleanup_errors=True))
    return Path(_KEPT[-1].name)
