"""What a stop of the tour lets the learner try: command lines that change the run, and what is measured before and after them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...program.index import split_index
from ...program.program import Program
from ...program.trace import LiveTrace, Trace

Measured = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True)
class Experiment:
    """What can be tried at a stop, with this text's own words and places.

    Attributes:
        lines: command lines, each of which puts one patch on the run.
        measure: `STAGE[INDEX]`, what is read before and after.
        stage, view: where what comes of it is to be seen.
    """

    lines: tuple[str, ...]
    measure: str
    stage: str
    view: str


@dataclass(frozen=True, slots=True)
class Trial:
    """An experiment that was begun.

    Attributes:
        experiment: which.
        facts: what the stop's texts said in numbers before it.
        before: what was measured before it.
    """

    experiment: Experiment
    facts: Mapping[str, str]
    before: Measured

    def is_on(self, trace: LiveTrace) -> bool:
        """Whether what it changed is the last that was changed, so that it can be taken back."""
        texts = [patch.text for patch in trace.patches]
        return tuple(texts[-len(self.experiment.lines) :]) == self.experiment.lines


def experiment_of(entry: Mapping[str, Any], facts: Mapping[str, str], program: Program) -> Experiment | None:
    """A stop's experiment; None where this program lacks a stage of it, or this text a word.

    Args:
        entry: the stop's, of stops.toml; facts: what stands in braces.
    """
    try:
        lines = tuple(str(line).format(**facts) for line in entry["try"])
        measure = str(entry["measure"]).format(**facts)
    except KeyError:
        return None
    touched = [line.split()[1].partition("[")[0] for line in lines]
    if not all(program.match(stage) for stage in (*touched, measure.partition("[")[0], entry["at"])):
        return None
    return Experiment(lines, measure, program.resolve(entry["at"]), str(entry["look"]))


def measured(trace: Trace, measure: str) -> Measured:
    """What `STAGE[INDEX]` reads now, float64 or whole numbers."""
    name, index = split_index(measure)
    return np.array(trace[name].read(index or ""))


def effect(trace: Trace, trial: Trial) -> dict[str, str]:
    """What came of it, in words: `before` and `after` of a number or of ids, `moved` of a row of numbers."""
    before, after = trial.before, measured(trace, trial.experiment.measure)
    if before.dtype.kind in "iu":
        return {"before": _words(trace, before), "after": _words(trace, after)}
    before, after = before.astype(np.float64), after.astype(np.float64)
    if before.size == 1:
        return {"before": f"{float(before.item()):.2f}", "after": f"{float(after.item()):.2f}"}
    moved = np.linalg.norm(after - before) / max(float(np.linalg.norm(before)), 1e-30)
    return {"moved": f"{moved:.0%}"}


def _words(trace: Trace, ids: Measured) -> str:
    return shortened([trace.word(int(number)) for number in ids.reshape(-1)])


SHOWN_TOKENS = 12


def shortened(strings: Sequence[str]) -> str:
    """Tokens one after the other, as many as a line of the page takes; the last is among them, which may mark the end."""
    if len(strings) <= SHOWN_TOKENS:
        return " ".join(strings)
    return " ".join([*strings[: SHOWN_TOKENS - 1], "…", strings[-1]])
