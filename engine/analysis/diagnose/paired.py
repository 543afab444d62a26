"""Theirs under our names: what a port calls otherwise is told by what it holds, and by its being the result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property

import numpy as np

from ...program.arrays import Array
from ...program.inputs import Inputs
from ...program.program import Program
from ...program.stage import Shape, Stage
from ...program.trace import Trace
from ...program.value import Value
from ...traces.recorded_values import RecordedValue
from ..compare.added_error import same_shapes
from ..compare.walk import ONE_HOT
from .case import Float64s

CLOSE = 1e-4  # of the largest number: how near two values must come to be one
HIDDEN = 1e4  # a score that is as negative as this is hidden, however much more negative it is
LARGEST = 1 << 22  # elements of a value that is looked for
LOOKS = 16  # numbers of it that are looked at first
SENTENCE = "sentence"
HEAD = "head.sentence."  # what its stages begin with
RESULTS = (SENTENCE, "output")


class Paired(Trace):
    """A trace some of whose stages have other names.

    Args:
        origin: whose they are.
        called: our name -> theirs, where that is another.
        fitted: our name -> our shape, of values that are ours but for axes they lack.
        ours: whose names and axes they are given; and whose tokens went in, where theirs has none.
    """

    def __init__(self, origin: Trace, called: Mapping[str, str], fitted: Mapping[str, Shape], ours: Trace) -> None:
        self.origin, self.called, self.fitted = origin, called, fitted
        new = {theirs: name for name, theirs in called.items()}
        shared = {*new.values(), *fitted}

        def renamed(stage: Stage) -> Stage:
            name = new.get(stage.name, stage.name)
            like = ours.program[name] if name in shared and name in ours.program else stage
            return replace(
                stage, name=name, inputs=tuple(new.get(each, each) for each in stage.inputs), axes=like.axes, sequences=like.sequences
            )  # fmt: skip

        known = origin.program
        aliases = {alias: new.get(name, name) for alias, name in known.aliases.items() if alias not in shared}
        self.program = Program([renamed(stage) for stage in known], aliases, known.weights, known.wide)
        self._same_tokens = "tokens.ids" in called  # it takes them, and does not look them up as they are
        self.inputs = ours.original_inputs if self._same_tokens else origin.inputs
        self.about, self.model_notes, self.longest = origin.about, origin.model_notes, origin.longest

    @property
    def original_inputs(self) -> Inputs:
        return self.inputs if self._same_tokens else self.origin.original_inputs

    @property
    def is_foreign(self) -> bool:
        return self.origin.is_foreign

    def theirs(self, name: str) -> str:
        """What they call it."""
        return self.called.get(name, name)

    def value(self, name: str) -> Value:
        value = self.origin.value(self.theirs(name))
        if name not in self.fitted:
            return value
        numbers = np.broadcast_to(np.asarray(value.read()), self.fitted[name])
        dtype = "float32" if value.dtype == "bfloat16" else value.dtype  # as it was read
        return RecordedValue(name, self.program[name].axes, numbers, dtype)

    def has(self, name: str) -> bool:
        return self.origin.has(self.theirs(name))

    @property
    def shapes(self) -> Mapping[str, Shape]:
        return self._shapes

    @cached_property
    def _shapes(self) -> Mapping[str, Shape]:
        return {
            stage.name: self.fitted.get(stage.name, self.origin.shapes[self.theirs(stage.name)])
            for stage in self.program
        }

    def word(self, number: int) -> str:
        return self.origin.word(number)


class Pairing:
    """Finds the names of ours for the stages of a trace, run by run: what is edited may hold what theirs holds.

    Args:
        theirs: the trace.
    """

    def __init__(self, theirs: Trace) -> None:
        self.theirs = theirs
        self._numbers: dict[str, Array | None] = {}

    def under_names_of(self, ours: Trace) -> Trace:
        """Theirs, seen as what ours calls it; itself where there is nothing to rename."""
        called: dict[str, str] = {}
        fitted: dict[str, Shape] = {}
        lacking: list[Stage] = []
        for stage in ours.program:
            if stage.name == ONE_HOT:
                continue
            other = self.theirs.program[stage.name] if self._is_called(stage.name) else None
            if other is None:
                lacking += [] if stage.card.mask else [stage]  # what a mask hides counts, and not by what number
            elif (
                other.axes != stage.axes
                or not same_shapes(stage, ours.shapes[stage.name], self.theirs.shapes[stage.name])
            ) and _spreads_to(self.theirs.shapes[stage.name], ours.shapes[stage.name]):
                fitted[stage.name] = ours.shapes[stage.name]
        own = [stage.name for stage in self.theirs.program if stage.name not in ours.program]
        for stage in lacking:
            shape = ours.shapes[stage.name]
            same = next((name for name in own if self._same(ours, stage, name)), None)
            if same is not None:
                own.remove(same)
                called[stage.name], fitted[stage.name] = same, shape
        for ends in self._results(ours, [stage.name for stage in lacking if stage.name not in called], own):
            called[ends[0]], fitted[ends[0]] = ends[1], ours.shapes[ends[0]]
            break
        self._pair_sentences(ours, called, fitted)
        if not called and not fitted and "tokens.ids" in self.theirs.program:
            return self.theirs
        return Paired(self.theirs, called, fitted, ours)

    def holding(self, ours: Trace, name: str) -> str:
        """Which stage of theirs holds what a stage of ours does, rather one that their result is made of; "" for none."""
        stage, known = ours.program[name], self.theirs.program
        leads = {*known.upstream(known.aliases["output"])} if "output" in known.aliases else set[str]()
        candidates = sorted((each.name for each in known), key=lambda each: each not in leads)
        return next((each for each in candidates if self._same(ours, stage, each)), "")

    def _is_called(self, name: str) -> bool:
        return name in self.theirs.program and self.theirs.program[name].name == name

    def _results(self, ours: Trace, lacking: list[str], own: list[str]) -> Iterator[tuple[str, str]]:
        """What both give back at the end, where it has the same shape."""
        end = self.theirs.program.aliases.get("output")
        for alias in RESULTS:
            name = ours.program.aliases.get(alias)
            if name in lacking and end in own and self.theirs.shapes[end] == ours.shapes[name]:
                yield name, end

    def _pair_sentences(self, ours: Trace, called: dict[str, str], fitted: dict[str, Shape]) -> None:
        """The embedding of a text is one value, whatever it is called and however it is made: pooled, or brought to length 1 as well."""
        mine, known = ours.program.aliases.get(SENTENCE), self.theirs.program
        said = known.aliases.get(SENTENCE)
        end = said or known.aliases.get("output")  # of somebody's module, where that is a vector for each text
        if mine is None or end is None or (not said and self.theirs.shapes[end] != ours.shapes[mine]):
            return
        paired = next((name for name, other in called.items() if other == end), end if end in ours.program else "")
        if paired == mine or not (said or paired.startswith(HEAD)):
            return  # it is so, or somebody's module ends in what has another name of ours: what a pooler gives
        for name in (paired, mine):
            called.pop(name, None)
            fitted.pop(name, None)
        called[mine] = end
        if self._is_called(mine):
            called[f"{mine}_of_theirs"] = mine

    def _same(self, ours: Trace, stage: Stage, name: str) -> bool:
        """Whether a stage of theirs holds what one of ours does, up to rounding and to axes that it lacks."""
        shape, other = ours.shapes[stage.name], self.theirs.shapes[name]
        if not _spreads_to(other, shape) or not ours.has(stage.name) or _size(shape) > LARGEST:
            return False
        if other == shape and stage.inputs == () != self.theirs.program[name].inputs:
            return False
        numbers = self._of_theirs(name)
        if numbers is None:
            return False
        mine, numbers = ours.value(stage.name).read(), np.broadcast_to(numbers, shape)
        if stage.card.whole_numbers or not np.issubdtype(numbers.dtype, np.floating):
            return bool(np.array_equal(mine, numbers))
        mine = _plain(mine)
        if shape == other and mine.size > LOOKS:
            few = np.linspace(0, mine.size - 1, LOOKS).astype(int)
            if not _close(mine.reshape(-1)[few], numbers.reshape(-1)[few], np.abs(numbers).max()):
                return False
        return _close(mine, numbers, np.abs(numbers).max(initial=0.0))

    def _of_theirs(self, name: str) -> Array | None:
        if name not in self._numbers:
            there = self.theirs.has(name) and 1 < _size(self.theirs.shapes[name]) <= LARGEST
            numbers = self.theirs.value(name).read() if there else None
            floats = numbers is not None and np.issubdtype(numbers.dtype, np.floating)
            self._numbers[name] = _plain(numbers) if numbers is not None and floats else numbers
        return self._numbers[name]


def _plain(numbers: Array) -> Float64s:
    return np.clip(np.asarray(numbers, np.float64), -HIDDEN, HIDDEN)


def _close(mine: Float64s, other: Float64s, size: float) -> bool:
    return bool((np.abs(mine - other) <= CLOSE * size).all())


def _spreads_to(shape: Shape, whole: Shape) -> bool:
    """Whether a value is the other but for axes that it lacks, or has but one place along."""
    short = (1,) * (len(whole) - len(shape)) + tuple(shape)
    return len(short) == len(whole) and all(a in (1, b) for a, b in zip(short, whole, strict=True))


def _size(shape: Shape) -> int:
    return int(np.prod(shape))
