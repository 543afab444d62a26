"""A whole walk as one page: every stage with its formula, its shape, what is said of it and a picture of its value."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from ..analysis.explain import StagePage, explain_stage
from ..messages.errors import InputError, one_line
from ..messages.translation import language, tr, trn
from ..program.stage import Stage, write_shape
from ..program.trace import Trace
from ..traces.atomic_write import atomic_write
from .markup import Html, join, tag
from .styles import styles
from .trace import tokens_html
from .value import Room, window_html

SUFFIXES = (".html", ".htm")
# Cells of heat maps on one page, of some fifty bytes each: three megabytes.
CELLS = 60_000
FEWEST, MOST = 64, 1536  # of one stage
READS = 1 << 20


@dataclass(frozen=True, slots=True)
class SavedWalk:
    """What came of it.

    Attributes:
        stages: how many are on the page.
        lacking: those without a picture, as their numbers cannot be had.
        size: bytes.
    """

    stages: int
    lacking: tuple[str, ...]
    size: int

    def told(self, path: str) -> str:
        """For people, in one line."""
        told = tr(
            "wrote {path}: {stages} stages, {size} kB", path=path, stages=self.stages, size=f"{self.size / 1000:,.0f}"
        )
        if not self.lacking:
            return told
        lacking = trn(len(self.lacking), "{count} of them has no numbers here", "{count} of them have no numbers here")
        return f"{told}; {lacking}"


def is_page(path: str | Path) -> bool:
    """Whether a path is that of a page."""
    return Path(path).suffix.lower() in SUFFIXES


def check_page(path: str | Path) -> Path:
    """Where a page goes, before anything is computed for it.

    Raises:
        InputError: no such directory.
    """
    target = Path(os.path.expanduser(path))
    if not target.parent.is_dir():
        raise InputError(f"cannot write {str(path)!r}: {str(target.parent)!r} is no directory")
    return target


def save_walk(
    trace: Trace, path: str | Path, select: str | None = None, stopped: Callable[[], bool] = lambda: False
) -> SavedWalk:
    """Write a page with every stage; looking computes, so all of them have their numbers.

    It needs no script and no network, and appears whole or not at all.

    Args:
        select: an address or a glob; None for all stages.
        stopped: asked before each stage: whether to leave off, with nothing written.

    Raises:
        InputError: nothing selected, a path that cannot be written, or it was stopped.
    """
    target = check_page(path)
    names = trace.addresses(select) if select is not None else list(trace)
    sections, lacking = _sections(trace, names, stopped)
    page = _page(trace, names, sections, select).encode()
    with atomic_write(target) as file:
        file.write(page)
    return SavedWalk(len(names), tuple(lacking), len(page))


def _page(trace: Trace, names: Sequence[str], sections: Sequence[Html], select: str | None) -> str:
    title = f"encoder-tui: {' / '.join(trace.tokens.texts)}"[:120]
    head = tag("head", tag("meta", charset="utf-8"), tag("meta", name="viewport", content="width=device-width, initial-scale=1"), tag("title", title), styles("pieces", "walk"))  # fmt: skip
    about = tag("p", ", ".join(f"{name} {fact}" for name, fact in trace.about.items()), class_="quiet")
    notes = [tag("p", note, class_="quiet") for note in trace.notes]
    left = [tag("p", tr("{shown} of {count} stages, those of {select}", shown=len(names), count=len(trace), select=select), class_="quiet")] if select is not None else []  # fmt: skip
    begin = tag("section", tag("h1", "encoder-tui"), tokens_html(trace), about, *notes, *left, id="begin")
    body = tag("body", _contents(trace, names), tag("main", begin, *sections), class_="encoder-tui walk")
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang=language())}\n"


def _contents(trace: Trace, names: Sequence[str]) -> Html:
    """The list at the left: parts of the encoder that open, the stages in them as links."""
    parts = [tag("p", tag("a", tr("beginning"), href="#begin"))]
    for room, inside in groupby(names, key=lambda name: _stage(trace, name).room):
        links = [tag("li", tag("a", _within(name, room), href=f"#{name}")) for name in inside]
        parts.append(tag("details", tag("summary", room), tag("ul", *links), open=True))
    return tag("nav", *parts)


def _within(name: str, room: str) -> str:
    return name.removeprefix(f"{room}.")


def _stage(trace: Trace, address: str) -> Stage:
    return trace.program[trace.program.resolve(address.partition("@")[0])]


def _sections(trace: Trace, names: Sequence[str], stopped: Callable[[], bool]) -> tuple[list[Html], list[str]]:
    cells = max(FEWEST, min(MOST, CELLS // len(names)))
    room = Room(rows=24, columns=48, cells=cells, reads=READS)
    sections: list[Html] = []
    lacking: list[str] = []
    for name in names:
        if stopped():
            raise InputError(f"stopped before {name}; nothing was written")
        picture = _picture(trace, name, _fitting(room))
        if picture is None:
            lacking.append(name)
        sections.append(_section(trace, name, picture))
    return sections, lacking


def _fitting(room: Room) -> Room:
    """The room with planes no larger than all of its cells."""
    rows, columns = room.rows, room.columns
    while rows * columns > room.cells:
        rows, columns = max(4, rows * 3 // 4), max(8, columns * 3 // 4)
    return Room(rows, columns, room.planes, room.cells, room.reads)


def _section(trace: Trace, name: str, picture: Html | None) -> Html:
    stage = _stage(trace, name)
    parts: list[Html] = [tag("h2", tag("a", name, href=f"#{name}"))]
    if name == stage.name:
        parts += _said(_explained(trace, name), stage, trace)
    parts.append(picture if picture is not None else tag("p", tr("no numbers here"), class_="quiet"))
    return tag("section", *parts, id=name)


def _explained(trace: Trace, name: str) -> StagePage:
    try:
        return explain_stage(trace, name)
    except InputError:  # a recording that lacks what the number is made from
        return explain_stage(trace, name, numbers=False)


def _said(page: StagePage, stage: Stage, trace: Trace) -> list[Html]:
    shape = f"[{', '.join(f'{axis}={size}' for axis, size in zip(stage.axes, trace.shapes[stage.name], strict=True))}]"
    number = " = ".join(filter(None, (page.place, page.number)))
    lines = [tag("p", tag("strong", page.title), " ", tag("code", shape or write_shape(trace.shapes[stage.name])))]
    lines += [tag("p", tag("code", page.formula)), tag("p", tag("code", page.sizes), class_="quiet")]
    lines += [tag("p", words) for words in (page.what, page.why) if words]
    lines += [tag("p", tag("code", number))] if number else []
    return lines


def _picture(trace: Trace, name: str, room: Room) -> Html | None:
    """The value's picture; None where it has no numbers."""
    if "@" not in name and not trace.has(name):
        return None
    value = trace[name]
    try:
        return window_html(value, value.bind(), room)
    except InputError as error:
        return join([tag("p", one_line(error), class_="wrong")])
