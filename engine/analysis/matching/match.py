"""Which tensor of theirs is which stage of ours: what a map says, then what names say, then what the numbers say."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...messages.errors import InputError
from ...program.arrays import Array
from ...program.inputs import Inputs
from ...program.trace import Trace
from ...traces.arrangement import Arrangement
from ...traces.matched import ForeignTensor, Match, Matched
from .by_value import TIGHT, by_value
from .layouts import heads_of, layouts, sizes_of_stage, told_layouts
from .likeness import FLOATS, Candidate, Likeness
from .map_file import NameMap
from .names import EverybodysNames, MeantStage, without_numbers
from .told import unread_tensors

FEW = 3
EXCHANGED = "its numbers are ours with query and key exchanged"
FOREIGN = "foreign"  # the fact of a trace that says whose values it has
WRONG_NAMES = 0.25  # from this share of names on that their numbers contradict, none is believed


def match_tensors(
    ours: Trace,
    tensors: Mapping[str, ForeignTensor],
    *,
    title: str,
    named: NameMap | None = None,
    meant: Mapping[str, str] | None = None,
    origin: Trace | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> Matched:
    """A trace of somebody's tensors over our program.

    Args:
        title: what they are, for people.
        named: a mapping file.
        meant: names that are known to be stages: of a module, whose paths say it.
        origin: the trace that the tensors are of.

    Raises:
        InputError: a map that does not fit, or nothing belongs to anything.
    """
    matches, settled = named.matches(ours, tensors) if named is not None else ([], set[str]())
    free = {name: tensor for name, tensor in tensors.items() if name not in settled and tensor.is_read}
    matcher = _Matcher(ours, free, stopped)
    by_stage = {match.stage: match for match in matches}
    every = matcher.matched(by_stage, meant or {}, tensors)
    if not every:
        unread = unread_tensors(tensors.values())
        said = (
            f", and {', '.join(unread[:FEW])} {'is' if len(unread) == 1 else 'are'} of dtypes that are not read"
            if unread
            else ""
        )
        raise InputError(
            f"none of the {len(tensors)} tensors of {title} is a stage of this model, by name or by its numbers{said}; "
            "say which is which with `map names.toml`"
        )
    order = {stage.name: at for at, stage in enumerate(ours.program)}
    sorted_matches = sorted(every.values(), key=lambda match: order[match.stage])
    used = {match.theirs for match in sorted_matches}
    used |= settled
    left = [
        name for name, tensor in tensors.items() if name not in used and not (tensor.is_read and matcher.is_another_name(name, every))
    ]  # fmt: skip
    dtypes = Counter(tensors[match.theirs].dtype for match in sorted_matches if tensors[match.theirs].dtype in FLOATS)
    about = {"model": title, "dtype": dtypes.most_common(1)[0][0] if dtypes else "float32", FOREIGN: "yes"}
    inputs = _inputs(ours, every, tensors)
    return Matched(ours, tensors, sorted_matches, inputs, about, origin, left, _notes(ours, every, tensors, left))


def match_trace(
    ours: Trace,
    theirs: Trace,
    *,
    title: str,
    named: NameMap | None = None,
    meant: Mapping[str, str] | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> Matched:
    """A trace of somebody's module or recording over our program: its stages are tensors by their names; see `match_tensors`."""
    tensors = {
        stage.name: ForeignTensor(
            stage.name,
            theirs.shapes[stage.name],
            theirs.value(stage.name).dtype,
            _reading(theirs, stage.name),
            stage.axes,
        )
        for stage in theirs.program
        if theirs.has(stage.name) and stage.name != "tokens.one_hot" and stage.name not in theirs.program.shown
    }
    return match_tensors(ours, tensors, title=title, named=named, meant=meant, origin=theirs, stopped=stopped)


def _reading(trace: Trace, name: str) -> Callable[[], Array]:
    return lambda: trace.value(name).read()


class _Matcher:
    """What is needed in every step.

    Args:
        tensors: those that no map has settled.
    """

    def __init__(self, ours: Trace, tensors: Mapping[str, ForeignTensor], stopped: Callable[[], bool]) -> None:
        self.ours, self.tensors, self.stopped = ours, tensors, stopped
        self.names = EverybodysNames(ours.program)
        self.heads = heads_of(ours)
        self.padded = self._padded()
        floats = {name: tensor for name, tensor in tensors.items() if tensor.dtype in FLOATS and 0 not in tensor.shape}
        self.likeness = Likeness(ours, floats, self.padded)

    def matched(
        self, before: Mapping[str, Match], meant: Mapping[str, str], every: Mapping[str, ForeignTensor]
    ) -> dict[str, Match]:
        """Every match: `before` and what names and numbers add to it."""
        named = self._by_name(before, meant)
        named = self._believed(named)
        standing = {**before, **named}
        used = {match.theirs for match in standing.values()}
        free = [name for name in self.likeness.tensors if name not in used]
        whole = Likeness(
            self.ours,
            {name: tensor for name, tensor in every.items() if tensor.dtype in FLOATS and 0 not in tensor.shape},
            self.padded,
        )
        whole.samples, whole.sizes, whole.alike = self.likeness.samples, self.likeness.sizes, self.likeness.alike
        standing.update(by_value(whole, standing, free, self.stopped))
        return self._moved(standing, every)

    def is_another_name(self, name: str, matches: Mapping[str, Match]) -> bool:
        """Whether a tensor is called by another name of a stage that has its match: `embeddings.dropout` beside `embeddings.LayerNorm`."""
        meant = self.names.meant(name)
        return bool(meant) and all(each.stage in matches and not each.node for each in meant)

    def _padded(self) -> int:
        """How many tokens theirs has, where that is more than ours: said by its ids or mask, else what nearly all shapes share."""
        width = self.ours.tokens.shape[1]
        for name, tensor in self.tensors.items():
            for meant in self.names.meant(name):
                if meant.stage in ("tokens.ids", "tokens.mask") and tensor.shape:
                    return tensor.shape[-1] if tensor.shape[-1] > width else 0
        sizes = Counter(
            size for tensor in self.tensors.values() if tensor.dtype in FLOATS for size in set(tensor.shape) if size > 1
        )
        known = {size for shape in self.ours.shapes.values() for size in shape} | {math.prod(self.heads)}
        for size, count in sizes.most_common(FEW):
            if size in known:
                if size == width:
                    return 0
            elif size > width and count > len(self.tensors) // 2:
                return size
        return 0

    # -- by name -------------------------------------------------------------------------------------------------------

    def _by_name(self, before: Mapping[str, Match], known: Mapping[str, str]) -> dict[str, Match]:
        matches: dict[str, Match] = {}
        nodes: set[str] = set()
        for name, tensor in self.tensors.items():
            for meant in [MeantStage(known[name])] if name in known else self.names.meant(name):
                if meant.stage in before or (meant.stage in matches and not (meant.node or meant.stage in nodes)):
                    continue
                match = self._named(tensor, meant)
                if match is None or (meant.node and (match.apart is None or match.apart >= TIGHT)):
                    continue  # a node of a module need not be what the module gives
                matches[meant.stage] = match
                (nodes.add if meant.node else nodes.discard)(meant.stage)
        return matches

    def _named(self, tensor: ForeignTensor, meant: MeantStage) -> Match | None:
        """A match by name: in the layout in which the numbers are nearest, and of those as near the one that does least."""
        stage = self.ours.program[meant.stage]
        shape = tensor.shape if meant.part < 0 else tensor.shape[1:]
        if meant.part >= 0 and (not tensor.shape or meant.part >= tensor.shape[0]):
            return None
        sizes = sizes_of_stage(stage, self.ours.shapes[stage.name], self.heads)
        options = [
            layout
            for layout in layouts(sizes, shape, self.padded)
            if not any(isinstance(cut, int) for cut in layout.window)
        ]
        every, options = options, told_layouts(stage, stage.axes, options, shape)  # its name tells its axes
        if not options:
            return None
        sample = self.likeness.samples.get(stage.name)
        best, note = Candidate(tensor.name, options[0], math.nan), ""
        if sample is not None and tensor.dtype in FLOATS:
            part = (
                ForeignTensor(tensor.name, shape, tensor.dtype, lambda: tensor.read()[meant.part])
                if meant.part >= 0
                else tensor
            )
            best = _nearest(part, options, sample)
            if len(every) > len(options) and best.apart >= TIGHT and _nearest(part, every, sample).apart < TIGHT:
                note = EXCHANGED
        layout = _of_part(best.layout, meant.part, len(shape)) if meant.part >= 0 else best.layout
        return Match(stage.name, tensor.name, "name", layout, None if math.isnan(best.apart) else best.apart, note)

    def _believed(self, named: Mapping[str, Match]) -> dict[str, Match]:
        """Of matches by name those that stand: a name whose numbers are another stage's may be a fault, a name of another convention, or none at all.

        A family of names (`hidden_states.#`) that is by one part off in every layer counts otherwise than we do, and its numbers decide. Where
        most names are contradicted, none is believed. Else the name stands, and what its numbers are is noted.
        """
        elsewhere = {stage: self._elsewhere(match) for stage, match in named.items()}
        wrong = {stage: other for stage, other in elsewhere.items() if other}
        told = [match for match in named.values() if match.apart is not None]
        mixed = [
            stage for stage, other in wrong.items() if wrong.get(other) != stage
        ]  # two that are exchanged are a fault, in every layer too
        if len(mixed) > FEW and len(mixed) > WRONG_NAMES * len(told):
            return {
                stage: match
                for stage, match in named.items()
                if match.apart is None or (match.apart < TIGHT and stage not in wrong)
            }
        families: dict[str, list[str]] = {}
        for stage in named:
            families.setdefault(without_numbers(named[stage].theirs), []).append(stage)
        kept: dict[str, Match] = {}
        for stages in families.values():
            shifted = [stage for stage in stages if stage in wrong and _other_layer(stage, wrong[stage])]
            if len(stages) > 1 and len(shifted) >= len(stages) - 1:
                continue
            for stage in stages:
                match = named[stage]
                kept[stage] = (
                    replace(match, note=f"its numbers are those of {wrong[stage]}") if stage in wrong else match
                )
        return kept

    def _elsewhere(self, match: Match) -> str:
        """The stage that the numbers of a match by name are, where that is another one; ""."""
        if match.apart is None or match.apart < TIGHT or any(isinstance(cut, int) for cut in match.layout.window):
            return ""
        own = self.likeness.alike.get(match.stage)
        best, nearest = TIGHT, ""
        for stage, sample in self.likeness.samples.items():
            if self.likeness.alike[stage] == own:
                continue
            for candidate in self.likeness.candidates(stage, sample, (match.theirs,)):
                if candidate.apart < best:
                    best, nearest = candidate.apart, stage
        return nearest

    # -- the same numbers in another order -----------------------------------------------------------------------------

    def _moved(self, matches: Mapping[str, Match], tensors: Mapping[str, ForeignTensor]) -> dict[str, Match]:
        """Stages that only put the numbers of another in order are known where that one is, and the other way round."""
        every = dict(matches)
        for stage in self.ours.program:
            source = self._source(stage.name)
            if source in every and stage.name not in every:
                self._move(every, stage.name, every[source], tensors)
        for stage in reversed(self.ours.program.stages):
            source = self._source(stage.name)
            if source and stage.name in every and source not in every:
                self._move(every, source, every[stage.name], tensors)
        return every

    def _source(self, name: str) -> str:
        stage = self.ours.program[name]
        if not stage.card.moves or len(stage.inputs) != 1 or stage.weights:
            return ""
        source = stage.inputs[0]
        return source if math.prod(self.ours.shapes[source]) == math.prod(self.ours.shapes[name]) else ""

    def _move(self, every: dict[str, Match], name: str, match: Match, tensors: Mapping[str, ForeignTensor]) -> None:
        """Find the layout by which the same numbers of a tensor become the other stage: that which puts each where ours has it."""
        tensor, shape = tensors[match.theirs], self.ours.shapes[name]
        if math.prod(shape) > math.prod(tensor.shape):  # one for all texts
            return
        if not self.ours.has(name) or not self.ours.has(match.stage):
            return
        where = np.arange(math.prod(tensor.shape), dtype=np.int64).reshape(tensor.shape)
        there = match.layout.arranged(where).reshape(-1)
        mine = self.ours.value(match.stage).read().reshape(-1)
        wanted = self.ours.value(name).read().reshape(-1)
        numbers = np.full(where.size, np.nan)
        numbers[there] = mine
        for layout in layouts(sizes_of_stage(self.ours.program[name], shape, self.heads), tensor.shape, self.padded):
            if np.array_equal(numbers[layout.arranged(where).reshape(-1)], wanted, equal_nan=True):
                every[name] = Match(name, match.theirs, "moved", layout, match.apart)
                return


def _nearest(tensor: ForeignTensor, options: Sequence[Arrangement], sample: Any) -> Candidate:
    from .samples import taken

    array = tensor.read()
    best = Candidate(tensor.name, options[0], sample.apart_from(taken(array, options[0], sample.places)))
    for layout in options[1:]:
        apart = sample.apart_from(taken(array, layout, sample.places))
        if apart < best.apart * 0.5 - 1e-9:
            best = Candidate(tensor.name, layout, apart)
    return best


def _of_part(layout: Arrangement, part: int, axes: int) -> Arrangement:
    """The layout of one of several along a first axis."""
    if not layout.reshape:
        return Arrangement((), (part, *layout.window), layout.transpose)
    return Arrangement((-1, *layout.reshape), (part, *layout.window), layout.transpose)


def _other_layer(one: str, other: str) -> bool:
    """Whether two stages are the same part of several layers, or what goes into the first."""
    return without_numbers(one) == without_numbers(other) or {one.partition(".")[0], other.partition(".")[0]} == {
        "layers",
        "embeddings",
    }


def _inputs(ours: Trace, matches: Mapping[str, Match], tensors: Mapping[str, ForeignTensor]) -> Inputs:
    """Ours with theirs' ids, mask, segments and positions, where they say them."""
    arrays: dict[str, dict[str, Any]] = {}
    for name, match in matches.items():
        sequence, _, part = name.partition(".")
        if sequence in ours.inputs.sequences and part in ("ids", "mask", "segments", "positions"):
            array = match.layout.laid(tensors[match.theirs].read(), ours.shapes[name])
            arrays.setdefault(sequence, {})[part] = np.asarray(array).astype(np.int64)
    return ours.original_inputs.changed(arrays, ours.word) if arrays else ours.original_inputs


def _notes(
    ours: Trace, matches: Mapping[str, Match], tensors: Mapping[str, ForeignTensor], left: Sequence[str]
) -> list[str]:
    """What is to be said before anything else."""
    noted = [match for match in matches.values() if match.note]
    first = next((match for match in noted if match.note == EXCHANGED), None)  # which says what the others come of
    odd = [
        f"{match.theirs} is taken for {match.stage} by its name, but {match.note}"
        for match in sorted(noted, key=lambda match: match is not first)
    ]
    return [*odd[:FEW], *([f"... and {len(odd) - FEW} more such names"] if len(odd) > FEW else [])]
