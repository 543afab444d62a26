"""The command that leads through the guided tour."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..messages.errors import InputError, nearest
from ..messages.translation import tr
from ..program.trace import LiveTrace
from .session import Session
from .table import Command, CommandTable, Key, OfTable, Reply, Request, is_number

if TYPE_CHECKING:
    from ..analysis.tour import TourPage, TourPlace, TourStop

TOUR = "tour [N|next|back|try|leave]"
WORDS = ("next", "back", "try", "leave")


def _tour(table: CommandTable, session: Session, rest: str) -> Reply:
    from ..analysis.tour import TourPlace, stops_of

    if rest == "leave":
        return _leave(table, session)
    stops = stops_of(session.trace.program)
    if not stops or not isinstance(session.trace, LiveTrace):
        raise InputError(
            "the tour needs a live run of an encoder over a text, with its attention in heads; open a model and a text"
        )
    place = session.tour if session.tour is not None and session.tour.stop < len(stops) else None
    if is_number(rest):
        if not 1 <= int(rest) <= len(stops):
            raise InputError(f"the tour has stops 1 to {len(stops)}, not {rest}")
        return _go(table, session, stops, TourPlace(int(rest) - 1))
    if rest and rest not in WORDS:
        raise InputError(f"tour {rest!r} is not known{nearest(rest, WORDS)}; write `{TOUR}`")
    if place is None:
        return _go(table, session, stops, TourPlace())
    here = session.debugger.stage is not None and session.debugger.stage.name == stops[place.stop].stage
    if rest == "back":
        return _go(table, session, stops, TourPlace(max(0, place.stop - 1), shown=True))
    if rest == "try":
        return _try(table, session, stops, place)
    if rest == "next" or (
        here and _answered(session.trace, stops, place)
    ):  # whoever wandered off is first brought back
        if place.stop + 1 == len(stops):
            return _leave(table, session, tr("the tour is at its end; `tour` begins it again"))
        return _go(table, session, stops, TourPlace(place.stop + 1))
    if not here:
        return _page(session, stops, place)
    return _page(session, stops, replace(place, shown=True))


def _answered(trace: LiveTrace, stops: list[TourStop], place: TourPlace) -> bool:
    """Whether nothing is left to be shown at a stop."""
    from ..analysis.tour import undone

    return place.shown or undone(trace, stops[place.stop], place.trial)


def _go(table: CommandTable, session: Session, stops: list[TourStop], place: TourPlace) -> Reply:
    """Come to a stop; what was tried at the one before is taken back, and what belongs to this one is done."""
    took = _take_back(table, session)
    if stops[place.stop].at_once:
        place = _begun(table, session, stops, place)
    return _page(session, stops, place, took)


def _try(table: CommandTable, session: Session, stops: list[TourStop], place: TourPlace) -> Reply:
    """Begin what the stop offers, or take it back if it is on."""
    if took := _take_back(table, session):
        return _page(session, stops, replace(place, trial=None), took)
    begun = _begun(table, session, stops, place)
    if begun.trial is None:
        raise InputError("there is nothing to be tried at this stop; T goes on")
    return _page(session, stops, begun)


def _begun(table: CommandTable, session: Session, stops: list[TourStop], place: TourPlace) -> TourPlace:
    from ..analysis.tour import trial_at

    trial = trial_at(session.trace, stops[place.stop])
    for line in trial.experiment.lines if trial is not None else ():
        table.execute(session, line, session.cancel)
    return replace(place, trial=trial)


def _take_back(table: CommandTable, session: Session) -> str:
    """Undo what is being tried, and say so; "" where nothing is, or where more was changed since, which stays."""
    trial, trace = session.tour.trial if session.tour is not None else None, session.trace
    if trial is None or not isinstance(trace, LiveTrace) or not trial.is_on(trace):
        return ""
    lines = [table.execute(session, "undo", session.cancel).text for _ in trial.experiment.lines]
    return "\n".join(lines)


def _leave(table: CommandTable, session: Session, said: str = "") -> Reply:
    took = _take_back(table, session)
    session.take_tour(None)
    return Reply("\n".join(filter(None, (took, said))), request=Request("tour", "leave"))


def _page(session: Session, stops: list[TourStop], place: TourPlace, took: str = "") -> Reply:
    from ..analysis.tour import page_of

    assert isinstance(session.trace, LiveTrace)
    session.take_tour(place)  # first: what is being tried can be taken back, whether its stage can be computed or not
    stop = session.debugger.goto(session.trace.program.index(stops[place.stop].stage))
    page = page_of(session.trace, stops, place)
    return Reply("\n".join(filter(None, (took, *_written(page)))), stop, Request("tour", page.view))


def _written(page: TourPage) -> list[str]:
    lines = [f"{tr('tour')} {page.stop}/{page.count} · {page.title}", *[page.ask] * (not page.undone)]
    lines.append(page.tell or ("" if page.tried else tr("(think, then T or `tour` shows)")))
    if page.tried:
        lines += [*page.lines, page.tried]
    elif page.offer:
        lines.append(tr("`tour try` tries: {offer}", offer=page.offer))
    return lines


COMMANDS = (
    Command(
        "tour", TOUR, "Take the guided tour: each stop asks you to predict, then shows, offers something to try, and goes on.",
        OfTable(_tour), "values", (),
        (Key("T", "tour", "tour: show, go on"), Key("P", "tour back", "tour: the stop before"), Key("E", "tour try", "tour: try it, take it back")),
        WORDS,
    ),
)  # fmt: skip
