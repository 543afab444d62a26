"""Causes, tried one by one: the edit of ours that closes the gap names what theirs does otherwise."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ...messages.errors import InputError
from ...program.inputs import Inputs
from ...program.stage import Stage
from ...program.trace import Trace
from ..compare.added_error import counterpart
from ..compare.align import Alignment, align_traces
from ..compare.gaps import Allowance, Reach, StageGap, TraceGrains, reach, size_of_gap
from ..compare.walk import may_be_exact
from .case import Case
from .causes import CAUSES, KindsOfCause
from .edit import Edit, edited
from .hypothesis import Hypothesis
from .paired import Pairing

if TYPE_CHECKING:
    from ...traces.run import Run

MOST = 12  # causes that are looked for one after the other
FALLS = 8.0  # how many times smaller a gap must become for an edit to have closed it
# How many times what rounding alone may do an edited run may be apart: what was edited rounds by its own luck, another one on each
# processor, and a softmax of scores that nobody scaled, or a number that falls to the other half of a half, makes more of it.
EDITED = 2.0
CLEARLY = 4.0  # how many times less must be left for one of two that reach as far to be the better


@dataclass(frozen=True)
class Cause:
    """What theirs does otherwise, as it has been shown.

    Attributes:
        kind, cause, ours, theirs: as of `Hypothesis`.
        first: the stage where it was to be seen.
        stages: where it is so.
        before: the gap at `first`, as a share of the reference's largest magnitude; infinite where shapes differed, or numbers that are none.
        after: the largest gap up to the next stage that is apart, with the edit.
        then: the next stage that is apart, "" where none is: the gap is closed all the way down.
        line: where theirs does it, `my_model.py:42`; "" where that is not known.
    """

    kind: str
    cause: str
    ours: str
    theirs: str
    first: str
    stages: tuple[str, ...]
    before: float
    after: float
    then: str
    line: str = ""

    def seen_from_theirs(self) -> Cause:
        """The same where the run that was edited is what is called theirs."""
        return replace(self, cause=_exchanged(self.cause), ours=_exchanged(self.theirs), theirs=_exchanged(self.ours))


def _exchanged(text: str) -> str:
    """`theirs` for `ours`, and the other way round."""
    other = {"ours": "theirs", "theirs": "ours"}
    return re.sub(r"\b(ours|theirs)\b", lambda word: other[word[0]], text)


@dataclass(frozen=True)
class Diagnosis:
    """What was found.

    Attributes:
        causes: one after the other; with them all, ours is theirs up to `left`.
        left: the first stage that is still apart and for which nothing was found; None where nothing is.
        tried: the kinds of causes that were tried at `left`, none of which closes the gap.
    """

    causes: tuple[Cause, ...]
    left: StageGap | None
    tried: tuple[str, ...] = ()

    @property
    def nothing(self) -> bool:
        """Whether nothing is apart."""
        return not self.causes and self.left is None

    def seen_from_theirs(self) -> Diagnosis:
        """The same where the run that was edited is what is called theirs."""
        return replace(self, causes=tuple(cause.seen_from_theirs() for cause in self.causes))


@dataclass
class _Search:
    pairing: Pairing
    inputs: Inputs  # of ours, before any edit
    alignment: Alignment
    limit: Allowance
    settings: Mapping[str, Any]
    stopped: Callable[[], bool]
    causes: list[Cause] = field(default_factory=list[Cause])
    tried: list[str] = field(default_factory=list[str])
    last: KindsOfCause | None = None
    known: dict[Trace, TraceGrains] = field(default_factory=dict[Trace, TraceGrains])

    def run(self, ours: Run) -> StageGap | None:
        """Find causes until nothing is apart, or nothing closes the gap; what is left."""
        theirs = self.pairing.under_names_of(ours)
        now = self.reach(ours, theirs)
        while now.first is not None and len(list(merged(self.causes))) < MOST:
            self.tried.clear()
            self.known.clear()
            best = self._closing(ours, theirs, now)
            if best is None:
                return now.first
            before, ours, theirs = now, best.run, best.theirs
            now = self.reach(
                ours, theirs, after_an_edit=True
            )  # by its own order: an edit may have put stages elsewhere
            cause = self._cause(before, replace(best, then=replace(best.then, first=now.first)))
            if any((cause.cause, cause.stages) == (each.cause, each.stages) for each in self.causes):
                return before.first  # it goes round in circles
            self.causes.append(cause)
        return now.first

    def reach(
        self, ours: Run, theirs: Trace, before: Run | None = None, known: Mapping[str, float] | None = None,
        after_an_edit: bool = False,
    ) -> Reach:  # fmt: skip
        grains = self.grains_of(before) if before is not None else None
        limit = replace(self.limit, times=EDITED) if after_an_edit or before is not None else self.limit
        return reach(ours, self.grains_of(theirs), self.aligned(ours, theirs), limit, grains, known)

    def grains_of(self, trace: Trace) -> TraceGrains:
        """What a trace is good to, worked out once for all the edits that are held against it."""
        return self.known.setdefault(trace, TraceGrains(trace))

    def aligned(self, ours: Run, theirs: Trace) -> Alignment:
        """Which token belongs to which: where an edit took theirs, each to itself, and no longer to what it was paired with."""
        taken = ours.original_inputs is theirs.original_inputs is not self.inputs
        return align_traces(ours, theirs) if taken else self.alignment

    def _closing(self, ours: Run, theirs: Trace, now: Reach) -> _Closed | None:
        """Of all hypotheses that close the gap that which closes it furthest, and leaves least; the first of equals."""
        assert now.first is not None
        case = Case(ours, theirs, self.aligned(ours, theirs), now.first, self.settings)
        best: _Closed | None = None
        done = set[tuple[str, tuple[str, ...]]]()
        for family in self._families():
            for hypothesis in family(case):
                if self.stopped():
                    raise InputError(f"diagnose was interrupted at {now.first.name}")
                if hypothesis.kind not in self.tried:
                    self.tried.append(hypothesis.kind)
                for edit, stages in spreads(ours, hypothesis):
                    if (hypothesis.cause, stages) in done:
                        continue
                    done.add((hypothesis.cause, stages))
                    closed = self._tried(_Closed(hypothesis, stages, ours, theirs, now), edit)
                    if closed is None and hypothesis.at == now.first.name:
                        break  # nor does it where it is so in more places
                    if closed is not None and (best is None or closed.is_better_than(best)):
                        best = closed
            if best is not None and (best.then.first is None or self._is_again(best.hypothesis)):
                self.last = family
                break  # no other reaches further, and the commoner comes first
        return best

    def _families(self) -> list[KindsOfCause]:
        """The causes to be looked for: where one was found, that comes first."""
        return sorted(CAUSES, key=lambda family: family is not self.last)

    def _is_again(self, hypothesis: Hypothesis) -> bool:
        """Whether the last cause is met again in another place."""
        last = self.causes[-1] if self.causes else None
        return last is not None and (last.kind, last.cause) == (hypothesis.kind, hypothesis.cause)

    def _tried(self, before: _Closed, edit: Edit) -> _Closed | None:
        """Ours with an edit, where that closes the gap; None where it does not, or cannot be computed."""
        try:
            run = edited(before.run, edit)
            touched = edit.touched(run.program)
            untouched = {name: gap for name, gap in before.then.gaps.items() if name not in touched}
            then = self.reach(run, before.theirs, before.run, untouched)
            if not closes(before.then, then):
                return None
            theirs = self.pairing.under_names_of(run)
            if theirs is not before.theirs:
                then = self.reach(run, theirs, before.run)
        except (RuntimeError, ValueError, IndexError, KeyError, InputError):  # sizes that do not fit
            return None
        return replace(before, run=run, theirs=theirs, then=then) if closes(before.then, then) else None

    def _cause(self, now: Reach, best: _Closed) -> Cause:
        assert now.first is not None
        hypothesis, then = best.hypothesis, best.then
        return Cause(
            hypothesis.kind, hypothesis.cause, hypothesis.ours, hypothesis.theirs, now.first.name, best.stages,
            size_of_gap(now.first), then.rest, then.first.name if then.first is not None else "",
            self._line(best, now.first.name),
        )  # fmt: skip

    def _line(self, best: _Closed, first: str) -> str:
        """Where theirs does it, where its author's lines are known: where it makes what the edit makes of ours."""
        origin = getattr(self.pairing.theirs, "origin", None) or self.pairing.theirs
        if best.hypothesis.there in origin.program:
            return origin.program[best.hypothesis.there].source
        for name in (*best.stages[:1], first):
            called = name if name in origin.program else self.pairing.holding(best.run, name)
            if called in origin.program and origin.program[called].source.startswith("/"):
                return origin.program[called].source
        return ""


@dataclass(frozen=True)
class _Closed:
    """A hypothesis that closes the gap, where it does, and how far ours is theirs then."""

    hypothesis: Hypothesis
    stages: tuple[str, ...]
    run: Run
    theirs: Trace
    then: Reach

    def is_better_than(self, other: _Closed) -> bool:
        """Whether it reaches further, or clearly leaves less: what rounding leaves tells nothing."""
        if self.then.position != other.then.position:
            return self.then.position > other.then.position
        return self.then.rest * CLEARLY < other.then.rest


def closes(now: Reach, then: Reach) -> bool:
    """Whether the stage is together now, and really closer than before."""
    assert now.first is not None
    return then.position > now.first.position and (
        then.rest * FALLS <= size_of_gap(now.first) or then.rest == 0.0 or not math.isfinite(size_of_gap(now.first))
    )


def spreads(ours: Run, hypothesis: Hypothesis) -> Iterator[tuple[Edit, tuple[str, ...]]]:
    """The edit at its own stage alone, in that part of every layer, wherever it may be; each once, narrowest first."""
    at = ours.program[hypothesis.at]
    whole = [(stage.name, edit) for stage in ours.program if (edit := hypothesis.edit(stage)) is not None]
    alone = [(name, edit) for name, edit in whole if name == at.name]
    alike = [(name, edit) for name, edit in whole if _part(ours.program[name]) == _part(at)]
    done: list[tuple[str, ...]] = []
    for chosen in (alone, alike, whole) if hypothesis.spreads else (alone,):
        names = tuple(name for name, _ in chosen)
        if not names or names in done:
            continue
        done.append(names)
        edit = Edit()
        for _, each in chosen:
            edit = edit | each
        yield edit, names


def _part(stage: Stage) -> str:
    """`layers.*.ffn.norm`."""
    return stage.name.replace(f"layers.{stage.layer}.", "layers.*.", 1)


def diagnose(
    ours: Run,
    theirs: Trace,
    *,
    tolerance: float | None = None,
    alignment: Alignment | None = None,
    settings: Mapping[str, Any] | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> Diagnosis:
    """Name what theirs does otherwise than ours.

    Causes are tried one by one: ours is edited to do what theirs may do, and run; what makes the first stage that is apart
    agree, and those after it, is the cause. Two causes are found one after the other.

    Args:
        ours: what is edited; it is left as it is.
        theirs: a run or a recording.
        tolerance: how far apart a stage may be, relative to the reference's largest magnitude; None takes what rounding alone may do,
            and nothing where both are computed alike.
        alignment: which token belongs to which; None finds out.
        settings: what the model's config says, for the line to be changed.
        stopped: asked before each hypothesis; True ends it.

    Raises:
        InputError: it was stopped.
    """
    pairing = Pairing(theirs)
    if alignment is None:
        alignment = align_traces(ours, pairing.under_names_of(ours))
    limits = [Allowance(tolerance)]
    if tolerance is None and may_be_exact(ours, theirs) and are_computed_alike(ours, theirs):
        limits = [Allowance(0.0), Allowance()]  # what is alike to the last bit elsewhere tells the smallest faults
    diagnosis = Diagnosis((), None)
    for limit in limits:
        search = _Search(pairing, ours.original_inputs, alignment, limit, settings or {}, stopped)
        left = search.run(ours)
        diagnosis = Diagnosis(tuple(merged(search.causes)), left, tuple(search.tried) if left is not None else ())
        if search.causes and left is None:
            break
    return diagnosis


def are_computed_alike(ours: Trace, theirs: Trace) -> bool:
    """Whether every stage that both have is the same operation: a port's own way to write it rounds otherwise."""
    pairs = [(stage, counterpart(stage, theirs.program)) for stage in ours.program]
    return all(other is None or other.kind == stage.kind for stage, other in pairs)


def merged(causes: list[Cause]) -> Iterator[Cause]:
    """Causes that say the same of one place after the other, as one."""
    at: dict[tuple[str, str], Cause] = {}
    for cause in causes:
        key = (cause.kind, cause.cause)
        known = at.get(key)
        at[key] = cause if known is None else replace(
            known, stages=known.stages + cause.stages, after=max(known.after, cause.after), then=cause.then
        )  # fmt: skip
    yield from at.values()
