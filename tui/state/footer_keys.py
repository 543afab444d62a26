"""Which keys are worth a place in the footer: those of the view on screen first, then those that help everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...engine.messages.translation import tr
from .plane import paged
from .view_state import ViewState

if TYPE_CHECKING:
    from ...engine.analysis.tour import TourPage
    from ...engine.commands import CommandTable, Key
    from ...engine.program.program import Program
    from ...engine.program.stage import Shape


@dataclass(frozen=True, slots=True)
class KeyHint:
    """Keys that belong together, and what they do.

    Attributes:
        keys: each with the command line it runs.
        label: a few words.
    """

    keys: tuple[tuple[str, str], ...]
    label: str


# A command line, or several that belong together, and what the footer says of them; "" says what its key's label does.
Wish = tuple[str | tuple[str, ...], str]

MOTION: tuple[Wish, ...] = (("step", ""), ("next", ""))
ANYWHERE: tuple[Wish, ...] = (
    ("finish", ""), ("continue", ""), ("explanation", ""), ("toggle {stage}", ""), ("find ", ""), ("map", ""),
    ("console", ""), ("reverse-step", ""), ("reverse-continue", ""), ("zoom", ""), ("goto {stage}", ""),
    ("until {stage}", ""), ("export ", ""),
)  # fmt: skip
ALWAYS: tuple[Wish, ...] = (("keys", ""), ("quit", ""))  # help and the way out
HEADS: Wish = (("head previous", "head next"), "head")
LAYERS: Wish = (("layer previous", "layer next"), "layer")
CONTRAST: Wish = (("contrast up", "contrast down"), "colour")
CHOOSES = ("move up", "move down")
OF_VIEW: dict[str, tuple[Wish, ...]] = {
    "map": (("follow", "open"), ("map", "tree"), ("explanation", ""), ("tour", "tour")),
    "heat": (("follow", "why"), HEADS, LAYERS, ("copy", ""), CONTRAST, ("whole", ""), ("weight next", "")),
    "numbers": (("follow", "why"), HEADS, LAYERS, ("copy", ""), ("copy window", ""), ("weight next", "")),
    "heads": (HEADS, ("follow", "why"), LAYERS, CONTRAST),
    "stats": (HEADS, LAYERS, ("weight next", "")),
    "why": ((CHOOSES, "term"), ("follow", "to the operand"), ("follow back", "back"), ("copy", "")),
    "diff": (("difference", ""), ("follow", "why"), HEADS, LAYERS, CONTRAST, ("copy", "")),
    "lines": ((CHOOSES, "query"), HEADS, LAYERS, ("follow", "why")),
    "window": ((CHOOSES, "word"), ("view words", "predictions"), ("follow", "why"), ("view numbers", "")),
    "product": (("follow", "why"), HEADS, LAYERS, ("copy", "")),
    "words": ((CHOOSES, "token"), ("follow", "why"), ("copy", "")),
    "source": ((CHOOSES, "scroll"), ("toggle {stage}", "breakpoint"), ("view heat", "numbers")),
    "change": ((CHOOSES, "token"), LAYERS, ("follow", "why")),
    "grid": (("follow", "open"), (("move left", "move down", "move up", "move right"), "head"), LAYERS),
}
OF_TOUR: tuple[Wish, ...] = (
    ("tour", "answer"), ("tour", "go on"), ("tour try", "try it"), ("tour try", "take it back"),
    ("tour", "end the tour"), ("tour back", "stop before"), ("explanation", "leave the tour"),
)  # fmt: skip
ARROWS = ("←", "→", "↑", "↓")


def tour_wishes(page: TourPage | None) -> tuple[Wish, ...]:
    """What a stop of the tour lets one do; its keys come before all others, and `x` is called what it does there."""
    if page is None:
        return ()
    offers = bool(page.offer) and not page.covered
    answer, go_on, attempt, take_back, end, before, leave = OF_TOUR
    return (
        answer if page.answers else end if page.is_last else go_on,
        *((take_back if page.tried and not page.undone else attempt,) * offers),
        *((before,) * (page.stop > 1)),
        leave,
    )


def footer_keys(
    table: CommandTable, view: str, without: frozenset[str] = frozenset(), first: tuple[Wish, ...] = ()
) -> tuple[KeyHint, ...]:
    """What the footer says in a view, the most useful first; help and the way out stand last.

    Args:
        without: commands that do nothing to what is looked at.
        first: wishes that come before those of the view.

    A wish whose commands have no key is left out; one that is wished for twice stands where it comes first.
    """
    keys: dict[str, Key] = {}
    for key in (key for command in table if command.name not in without for key in command.keys):
        if key.line not in keys or key.shown in ARROWS:  # arrows are found more easily than letters
            keys[key.line] = key
    hints: dict[tuple[str, ...], KeyHint] = {}
    for wish, label in (*first, *MOTION, *OF_VIEW.get(view, ()), *ANYWHERE, *ALWAYS):
        lines = (wish,) if isinstance(wish, str) else wish
        if lines not in hints and all(line in keys for line in lines):
            hints[lines] = KeyHint(tuple((keys[line].name, line) for line in lines), tr(label or keys[lines[0]].label))
    return tuple(hints.values())


def idle_commands(
    state: ViewState, program: Program, shapes: Mapping[str, Shape], *, toured: bool = True
) -> frozenset[str]:
    """Commands that do nothing to the stage looked at: it has no heads, is in no layer, has neither weights nor a table.

    Args:
        toured: whether the guided tour leads through this program.
    """
    if state.stage not in program:
        return frozenset()
    stage = program[state.stage]
    heads = dict(zip(stage.axes, shapes[stage.name], strict=True)).get(paged(stage.axes), 1)
    lacks = {
        "head": heads < 2,
        "layer": not stage.name.startswith("layers."),
        "weight": not stage.own,
        "tour": not toured,
    }
    return frozenset(command for command, lacking in lacks.items() if lacking)
