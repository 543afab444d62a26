"""What commands came to, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...engine.messages.translation import tr, trn
from ...engine.models.text.coverage import unknown_words
from ..panes.title import Status
from ..state.position import Position

if TYPE_CHECKING:
    from ...engine.commands import Reply
    from ...engine.debugger.cursor import Stop


def written_position(position: Position) -> str:
    """Where the cursor is: `12/126 layers.0.attention.scores`."""
    stage = position.stage
    return f"{position.cursor + 1}/{len(position.world.program)} {stage}" if stage else tr("before the first stage")


def is_of_tour(reply: Reply | None) -> bool:
    """Whether a reply is a page of the guided tour, which has a pane of its own."""
    return reply is not None and reply.request is not None and reply.request.what == "tour"


def stop_line(stop: Stop, position: Position, typed: bool) -> tuple[str, str] | None:
    """What the console says of a stop: a kind of line and a text. Plain steps by key go without saying."""
    shape = ""
    if stop.stage is not None:
        from ...engine.program.stage import write_shape

        shape = f" {write_shape(position.world.shapes[stop.stage.name])}"
    place = written_position(position) + shape
    if stop.reason == "breakpoint" and stop.breakpoint is not None:
        from ...engine.debugger.writing import write_held

        kind, number = tr("watch") if stop.breakpoint.watch else tr("breakpoint"), stop.breakpoint.number
        return "stop", tr("{kind} {number} at {place}", kind=kind, number=number, place=place) + write_held(stop)
    if stop.reason == "interrupt":
        return "note", tr("interrupted at {place}", place=place)
    if stop.reason == "end":
        return "note", tr("ran to the end: {place}", place=place)
    if stop.reason == "start":
        return "note", tr("at the start, before the first stage")
    return ("note", place) if typed else None


def on_opening(position: Position, notes: Sequence[str]) -> list[tuple[str, str]]:
    """What the console says once the engine stands: each a kind of line and a text.

    First what the text lacks, then what was done to it and to the model, then that all is well, at the end what one can do now.
    """
    unknown = unknown_words(position.world.tokens)
    stages = tr("{count} stages; s steps, x explains, ? shows keys", count=len(position.world.program))
    well = position.world.assurances
    told = [("told", note) for note in notes if note not in well] + [("well", note) for note in notes if note in well]
    return [*[("stop", unknown)] * bool(unknown), *told, ("note", stages)]


def notes_to_read(count: int) -> str:
    """What the footer says where not all that was told on opening can be seen."""
    return trn(count, "v reads the note on the whole screen", "v reads all {count} notes on the whole screen")


def lines_to_read(count: int) -> str:
    """What the footer says where not all of an answer can be seen."""
    return trn(count, "v reads it on the whole screen", "v reads all {count} lines on the whole screen")


def not_run(count: int) -> str:
    """What is said of commands that waited for one that was stopped."""
    return trn(count, "{count} command that waited will not run", "{count} commands that waited will not run")


def named_alike(at: int, count: int, sought: str) -> str:
    """What is said of a stage that was looked for by a part of its name."""
    return trn(
        count,
        "{at} of {count} stage named like {word}",
        "{at} of {count} stages named like {word}",
        at=at,
        word=repr(sought),
    )


def looked_elsewhere(view: str, stage: str) -> str:
    """What the footer says where a view has a picture of another stage only, and that one is looked at."""
    return tr("{view}: looking at {stage}; H goes back to the cursor", view=tr(view), stage=stage)


def status(position: Position, stop: Stop | None = None) -> Status:
    """What the title line says between commands."""
    place = written_position(position)
    if len(position.forks) > 1:
        branch = f"{tr('fork')} {position.fork}" if position.fork else tr("original")
        place = f"{branch}  {place}"
    if stop is not None and stop.position == position.cursor:
        if stop.reason == "breakpoint" and stop.breakpoint is not None:
            kind = tr("watch") if stop.breakpoint.watch else tr("breakpoint")
            return Status(f"● {kind} {stop.breakpoint.number}  {place}", "stopped")
        if stop.reason == "interrupt":
            return Status(f"{tr('interrupted')}  {place}", "stopped")
    return Status(place)


def busy(line: str, cursor: int | None, position: Position | None) -> Status:
    """What the title line says while a command runs."""
    if position is None:
        return Status(line, "busy")
    count = len(position.world.program)
    at = "" if cursor is None else f" {cursor + 1}/{count}"
    return Status(f"{line}{at}  {tr('ctrl+c stops it')}", "busy")
