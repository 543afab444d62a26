"""The guided tour: stops through a text that ask the learner to predict, then show, and offer something to try.

    stops = stops_of(trace.program)
    page = page_of(trace, stops, TourPlace(3, shown=True))

The texts are in stops.toml, those of CBOW and skip-gram in stops_of_words.toml, what they say in numbers in `facts`, what can be tried in `experiments`. Where the learner stands
is a `TourPlace` of the session.
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
from ...program.toured import is_toured
from ...program.trace import LiveTrace, Trace
from ...program.word_window import word_window_of
from .experiments import Experiment, Trial, effect, experiment_of, measured
from .facts import FACTS, word_of
from .facts_of_words import FACTS_OF_WORDS

__all__ = [
    "Experiment",
    "TourPage",
    "TourPlace",
    "TourStop",
    "Trial",
    "page_of",
    "stops_of",
    "trial_at",
    "undone",
    "word_of",
]

_FACTS = {**FACTS, **FACTS_OF_WORDS}


@dataclass(frozen=True, slots=True)
class TourStop:
    """A stop as this program has it.

    Attributes:
        stage: canonical name; view: how it is looked at.
        facts: which function of `facts` works out the numbers.
        entry: what stops.toml says of it.
    """

    stage: str
    view: str
    facts: str
    entry: Mapping[str, Any]

    @property
    def at_once(self) -> bool:
        """Whether its experiment is begun on arrival."""
        return bool(self.entry.get("at_once"))


@dataclass(frozen=True, slots=True)
class TourPlace:
    """Where the learner stands in the tour.

    Attributes:
        stop: its number, from 0.
        shown: whether the answer has been shown.
        trial: what is being tried there; None for nothing.
    """

    stop: int = 0
    shown: bool = False
    trial: Trial | None = None


@dataclass(frozen=True, slots=True)
class TourPage:
    """What a stop says.

    Attributes:
        stop, count: its number from 1, and how many there are.
        stage, view: where it is and how it is looked at; while something is tried, where that is to be seen.
        title, ask: the question; tell: the answer, "" before it is shown.
        offer: what can be tried, "" where there is nothing; lines: the commands for it.
        tried: what came of it, "" while nothing is tried.
        undone: whether what the stop does on arrival has been taken back: its question stands no longer then.
        token, head: which ones the question is about; column: where the answer is to be seen, once it is shown.
    """

    stop: int
    count: int
    stage: str
    view: str
    title: str
    ask: str
    tell: str
    offer: str = ""
    lines: tuple[str, ...] = ()
    tried: str = ""
    undone: bool = False
    token: int = 0
    head: int = 0
    column: int = 0

    @property
    def covered(self) -> bool:
        """Whether the numbers are still to be guessed."""
        return not (self.tell or self.tried)

    @property
    def answers(self) -> bool:
        """Whether `tour` shows an answer here; otherwise it goes on."""
        return not (self.tell or self.undone)

    @property
    def is_last(self) -> bool:
        """Whether the tour ends here."""
        return self.stop == self.count


@cache
def _all(file: str = "stops.toml") -> tuple[Mapping[str, Any], ...]:
    return tuple(tomllib.loads((Path(__file__).parent / file).read_text("utf-8"))["stop"])


def _entries(program: Program) -> list[Mapping[str, Any]]:
    """What is said of the stops: of an encoder's, or of those of CBOW or skip-gram, which share some with it."""
    window = word_window_of(program)
    if window is None:
        return list(_all())
    shared, guessed = {str(entry["facts"]): entry for entry in _all()}, "word" if window.to_word else "context"
    entries = [entry for entry in _all("stops_of_words.toml") if entry.get("guesses", guessed) == guessed]
    return [shared[entry["same"]] if "same" in entry else entry for entry in entries]


def stops_of(program: Program) -> list[TourStop]:
    """The stops that this program has stages for, in order; none where it has no text, or no attention in heads to speak of."""
    stops: list[TourStop] = []
    if not is_toured(program):
        return stops
    for entry in _entries(program):
        names = [name for name in str(entry["stage"]).split("|") if name in program]
        if names:
            stops.append(TourStop(program[names[0]].name, str(entry["view"]), str(entry["facts"]), entry))
    return stops


def trial_at(trace: Trace, stop: TourStop) -> Trial | None:
    """What can be tried at a stop, and how things stand before it; None where there is nothing."""
    facts = _FACTS[stop.facts](trace, stop.stage)
    experiment = experiment_of(stop.entry, facts, trace.program)
    return Trial(experiment, facts, measured(trace, experiment.measure)) if experiment else None


def undone(trace: LiveTrace, stop: TourStop, trial: Trial | None) -> bool:
    """Whether a stop that is about a run it has changed has the run as it was: taken back, or not to be had in this model."""
    return stop.at_once and not (trial is not None and trial.is_on(trace))


def page_of(trace: LiveTrace, stops: Sequence[TourStop], place: TourPlace, language: str | None = None) -> TourPage:
    """A stop's page with this run's numbers; computes what the stage needs.

    Args:
        language: `en` or `zh`; None for the one in use.
    """
    stop, trial = stops[place.stop], place.trial
    texts: Mapping[str, str] = stop.entry[language or language_in_use()]
    on = trial is not None and trial.is_on(trace)
    as_it_was = undone(trace, stop, trial)
    facts = trial.facts if trial is not None and on and not stop.at_once else _FACTS[stop.facts](trace, stop.stage)
    if "apart_or_among" in facts:  # whether the word is one of the guesses that are told
        facts = {**facts, "itself": texts[facts["apart_or_among"]].format(**facts)}
    title, ask = (texts[field].format(**facts) for field in ("title", "ask"))
    tell = texts["tell"].format(**facts) if place.shown and not as_it_was else ""
    experiment = trial.experiment if trial is not None and on else experiment_of(stop.entry, facts, trace.program)
    tried = ""
    if trial is not None and on and not stop.at_once:
        tried = texts["tried"].format(**facts, **effect(trace, trial))
    elif as_it_was:
        tried = texts["off"].format(**facts)
    stage, view = (
        (trial.experiment.stage, trial.experiment.view) if trial is not None and on else (stop.stage, stop.view)
    )
    # the key that is spoken of, so that its line is on the screen where not all keys are
    at = (
        facts.get("key_at" if view == "lines" else "column", "0") if place.shown or (tried and view == "lines") else "0"
    )
    return TourPage(
        place.stop + 1, len(stops), stage, view, title, ask, tell,
        texts["offer"].format(**facts) if experiment else "", experiment.lines if experiment and not as_it_was else (), tried,
        as_it_was, int(facts["w"]), int(facts.get("head", 0)), int(at),
    )  # fmt: skip
