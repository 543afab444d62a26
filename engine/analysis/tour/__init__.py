"""The guided tour: a dozen stops through a text that ask the learner to predict, and then show.

    stops = stops_of(trace.program)
    page = page_of(trace, stops, Place(3, shown=True))

The texts are in stops.toml, what they say in numbers in `facts`. Where the learner stands is a `TourPlace` of the session.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ...messages.translation import language as language_in_use
from ...program.program import Program
from ...program.trace import Trace
from .facts import FACTS, word_of

__all__ = ["TourPage", "TourPlace", "TourStop", "page_of", "stops_of", "word_of"]


@dataclass(frozen=True, slots=True)
class TourStop:
    """A stop as this program has it.

    Attributes:
        stage: canonical name; view: how it is looked at.
        facts: which function of `facts` works out the numbers.
        texts: language -> title, ask, tell.
    """

    stage: str
    view: str
    facts: str
    texts: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class TourPlace:
    """Where the learner stands in the tour.

    Attributes:
        stop: its number, from 0.
        shown: whether the answer has been shown.
    """

    stop: int = 0
    shown: bool = False


@dataclass(frozen=True, slots=True)
class TourPage:
    """What a stop says.

    Attributes:
        stop, count: its number from 1, and how many there are.
        stage, view: where it is and how it is looked at.
        title, ask: the question; tell: the answer, "" before it is shown.
        token, head: which ones the question is about; column: where the answer is to be seen, once it is shown.
    """

    stop: int
    count: int
    stage: str
    view: str
    title: str
    ask: str
    tell: str
    token: int = 0
    head: int = 0
    column: int = 0


@cache
def _all() -> tuple[Mapping[str, Any], ...]:
    return tuple(tomllib.loads((Path(__file__).parent / "stops.toml").read_text("utf-8"))["stop"])


def stops_of(program: Program) -> list[TourStop]:
    """The stops that this program has stages for, in order."""
    stops: list[TourStop] = []
    for entry in _all():
        names = [name for name in str(entry["stage"]).split("|") if name in program]
        if names:
            texts = {language: entry[language] for language in ("en", "zh")}
            stops.append(TourStop(program[names[0]].name, str(entry["view"]), str(entry["facts"]), texts))
    return stops


def page_of(trace: Trace, stops: Sequence[TourStop], place: TourPlace, language: str | None = None) -> TourPage:
    """A stop's page with this run's numbers; computes what the stage needs.

    Args:
        language: `en` or `zh`; None for the one in use.
    """
    stop = stops[place.stop]
    texts, facts = stop.texts[language or language_in_use()], FACTS[stop.facts](trace, stop.stage)
    title, ask, tell = (texts[field].format(**facts) for field in ("title", "ask", "tell"))
    return TourPage(
        place.stop + 1, len(stops), stop.stage, stop.view, title, ask, tell if place.shown else "",
        word_of(trace), int(facts.get("head", 0)), int(facts.get("column", 0)) if place.shown else 0,
    )  # fmt: skip
