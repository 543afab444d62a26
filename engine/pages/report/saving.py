"""Writes a report as its path's ending has it, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from ...messages.errors import InputError
from ...messages.translation import tr
from ...messages.visible import visible
from ...traces.atomic_write import atomic_write
from .as_html import write_html
from .as_json import write_json
from .as_markdown import write_markdown
from .report import DifferenceReport

WRITERS: dict[str, Callable[[DifferenceReport], str]] = {
    ".html": write_html, ".htm": write_html, ".md": write_markdown, ".json": write_json,
}  # fmt: skip


def check_report(path: str | Path) -> Path:
    """Where a report goes, before anything is computed for it.

    Raises:
        InputError: another ending, a directory, or none to write into.
    """
    target = Path(os.path.expanduser(path))
    if target.suffix.lower() not in WRITERS:
        raise InputError(f"cannot write a report to {str(path)!r}: its ending is none of .html, .md, .json")
    if target.is_dir():
        raise InputError(f"cannot write {str(path)!r}: it is a directory")
    if not target.parent.is_dir():
        raise InputError(f"cannot write {str(path)!r}: {str(target.parent)!r} is no directory")
    return target


def save_report(report: DifferenceReport, path: str | Path) -> str:
    """Write it; what was written, in one line.

    Raises:
        InputError: as of `check_report`, or the disk is full.
    """
    target = check_report(path)
    page = WRITERS[target.suffix.lower()](report).encode("utf-8", "backslashreplace")
    with atomic_write(target) as file:
        file.write(page)
    size = f"{len(page) / 1000:,.0f}"
    said = tr("equal") if report.equal else tr("they differ")
    return tr("wrote {path}: {said}, {size} kB", path=visible(str(path)), said=said, size=size)
