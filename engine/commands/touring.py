"""The command that leads through the guided tour."""

from __future__ import annotations

from ..messages.errors import InputError, nearest
from ..messages.translation import tr
from ..program.trace import LiveTrace
from .session import Session
from .table import Command, Key, Reply, Request, is_number

TOUR = "tour [N|next|back|leave]"
WORDS = ("next", "back", "leave")


def _tour(session: Session, rest: str) -> Reply:
    from ..analysis.tour import TourPlace, page_of, stops_of

    if rest == "leave":
        session.take_tour(None)
        return Reply(request=Request("tour", "leave"))
    stops = stops_of(session.trace.program)
    if not stops or not isinstance(session.trace, LiveTrace):
        raise InputError("the tour needs a live run of an encoder; open a model and a text")
    place = session.tour
    if is_number(rest):
        if not 1 <= int(rest) <= len(stops):
            raise InputError(f"the tour has stops 1 to {len(stops)}, not {rest}")
        place = TourPlace(int(rest) - 1)
    elif rest and rest not in WORDS:
        raise InputError(f"tour {rest!r} is not known{nearest(rest, WORDS)}; write `{TOUR}`")
    elif place is None or place.stop >= len(stops):
        place = TourPlace()
    elif rest == "back":
        place = TourPlace(max(0, place.stop - 1), shown=True)
    elif rest == "next" or (place.shown and _is_here(session, stops[place.stop].stage)):
        if place.stop + 1 == len(stops):
            session.take_tour(None)
            return Reply(tr("the tour is at its end; `tour` begins it again"), request=Request("tour", "leave"))
        place = TourPlace(place.stop + 1)
    elif _is_here(session, stops[place.stop].stage):
        place = TourPlace(place.stop, shown=True)
    stop = session.debugger.goto(session.trace.program.index(stops[place.stop].stage))
    page = page_of(session.trace, stops, place)
    session.take_tour(place)
    lines = [f"{tr('tour')} {page.stop}/{page.count} · {page.title}", page.ask]
    lines.append(page.tell or tr("(think, then T or `tour` shows)"))
    return Reply("\n".join(lines), stop, Request("tour", page.view))


def _is_here(session: Session, stage: str) -> bool:
    """Whether the cursor is where the stop is; whoever wandered off is first brought back."""
    return session.debugger.stage is not None and session.debugger.stage.name == stage


COMMANDS = (
    Command(
        "tour", TOUR, "Take the guided tour: each stop asks you to predict, then shows, then goes on.",
        _tour, "values", (), (Key("T", "tour", "tour: show, go on"),), WORDS,
    ),
)  # fmt: skip
