"""Which encoder-tui this is."""

from __future__ import annotations


def version_line() -> str:
    """Name and version."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"encoder-tui {version('encoder-tui')}"
    except PackageNotFoundError:
        return "encoder-tui (not installed)"
