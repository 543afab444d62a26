"""Causes, tried one by one: the edit of ours that closes the gap names what theirs does otherwise."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ...messages.errors import InputError
from ...program.stage import Stage
from ...program.trace import Trace
from ..compare.align import Alignment, align, patched_inputs
from ..compare.gaps import Allowance, Reach, StageGap, reach, size_of_gap
from ..compare.walk import may_be_exact
from .case import Case
from .causes import CAUSES
from .edit import Edit, edited
from .hypothesis import Hypothesis

if TYPE_CHECKING:
    from ...traces.run import Run

MOST = 12  # causes that are looked for one after the other
FALLS = 8.0  # how many times smaller a gap must become for an edit to have closed it


@dataclass(frozen=True)
class Cause:
    """What theirs does otherwise, as it has been shown.

    Attributes:
        kind, cause, ours, theirs: as of `Hypothesis`.
        first: the stage where it was to be seen.
        stages: where it is so.
        before: the gap at `first`, as a share of the reference's largest magnitude; infinite where shapes differed.
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
    theirs: Trace
    alignment: Alignment
    limit: Allowance
    settings: Mapping[str, Any]
    stopped: Callable[[], bool]
    causes: list[Cause] = field(default_factory=list[Cause])
    tried: list[str] = field(default_factory=list[str])

    def reach(self, ours: Run) -> Reach:
        return reach(ours, self.theirs, self.alignment, self.limit)

    def run(self, ours: Run) -> StageGap | None:
        """Find causes until nothing is apart, or nothing closes the gap; what is left."""
        now = self.reach(ours)
        while now.first is not None and len(self.causes) < MOST:
            self.tried.clear()
            closed = self._closing(ours, now)
            if closed is None:
                return now.first
            ours, then, hypothesis, stages = closed
            self.causes.append(self._cause(now, then, hypothesis, stages))
            now = then
        return now.first

    def _closing(self, ours: Run, now: Reach) -> tuple[Run, Reach, Hypothesis, tuple[str, ...]] | None:
        """Of all hypotheses that close the gap that which closes it furthest, and leaves least; the first of equals."""
        assert now.first is not None
        case = Case(ours, self.theirs, self.alignment, now.first, self.settings)
        best: tuple[tuple[float, float], Run, Reach, Hypothesis, tuple[str, ...]] | None = None
        for hypothesis in _all(case):
            if self.stopped():
                raise InputError(f"diagnose was interrupted at {now.first.name}")
            if hypothesis.kind not in self.tried:
                self.tried.append(hypothesis.kind)
            for edit, stages in spreads(ours, hypothesis):
                run = edited(ours, edit)
                then = self.reach(run)
                if not self._closes(run, now, then):
                    break  # nor does it where it is so in more places
                rank = (then.position, -then.rest)
                if best is None or rank > best[0]:
                    best = rank, run, then, hypothesis, stages
        return best[1:] if best is not None else None

    def _closes(self, run: Run, now: Reach, then: Reach) -> bool:
        """Whether the stage is together now, and really closer than before."""
        assert now.first is not None
        return then.position > now.first.position and (
            then.rest * FALLS <= size_of_gap(now.first) or then.rest == 0.0 or not math.isfinite(size_of_gap(now.first))
        )

    def _cause(self, now: Reach, then: Reach, hypothesis: Hypothesis, stages: tuple[str, ...]) -> Cause:
        assert now.first is not None
        return Cause(
            hypothesis.kind, hypothesis.cause, hypothesis.ours, hypothesis.theirs, now.first.name, stages,
            size_of_gap(now.first), then.rest, then.first.name if then.first is not None else "",
            self._line(stages[0] if stages else now.first.name, now.first.name),
        )  # fmt: skip

    def _line(self, *names: str) -> str:
        """Where theirs does it, where its author's lines are known."""
        origin = getattr(self.theirs, "origin", None) or self.theirs
        for name in names:
            if name in origin.program and origin.program[name].source.startswith("/"):
                return origin.program[name].source
        return ""


def _all(case: Case) -> Iterator[Hypothesis]:
    for cause in CAUSES:
        yield from cause(case)


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
    alignment = alignment if alignment is not None else align(patched_inputs(ours), patched_inputs(theirs))
    limits = [Allowance(tolerance)]
    if tolerance is None and may_be_exact(ours, theirs):
        limits = [Allowance(0.0), Allowance()]  # what is alike to the last bit elsewhere tells the smallest faults
    diagnosis = Diagnosis((), None)
    for limit in limits:
        search = _Search(theirs, alignment, limit, settings or {}, stopped)
        left = search.run(ours)
        diagnosis = Diagnosis(tuple(merged(search.causes)), left, tuple(search.tried) if left is not None else ())
        if search.causes and left is None:
            break
    return diagnosis


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
