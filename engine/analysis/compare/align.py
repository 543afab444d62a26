"""Which token of one text belongs to which token of another."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ...messages.visible import quoted
from ...program.index import TOKEN_AXES, Along
from ...program.inputs import Inputs
from ...program.stage import MAIN, Shape, Stage
from ...program.tokens import Tokens
from ...program.trace import Trace

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Pair:
    """A text of ours beside a text of theirs: `ours[i]` and `theirs[i]` are places of tokens that belong together.

    Attributes:
        row, other: which text of ours, and which of theirs.
        ours, theirs: places of tokens.
        changed: how many of the pairs are different tokens in the same place (one word put for another).
        lonely_ours, lonely_theirs: places of real tokens that have no partner.
    """

    row: int
    other: int
    ours: Indices
    theirs: Indices
    changed: int
    lonely_ours: tuple[int, ...]
    lonely_theirs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Alignment:
    """How two batches of tokens belong together.

    Attributes:
        same: every token of one belongs to that at the same place of the other, padding included, in every sequence.
        pairs: for each text both have.
        ours, theirs: both sides' tokens.
        others: the same of further sequences, by their names.
    """

    same: bool
    pairs: tuple[Pair, ...]
    ours: Tokens
    theirs: Tokens
    others: Mapping[str, Alignment] = field(default_factory=dict[str, "Alignment"])

    @property
    def every(self) -> Mapping[str, Alignment]:
        """Of every sequence, by its name."""
        return {MAIN: self, **self.others}

    def along(self, stage: Stage, axis: str) -> Alignment:
        """Of the sequence whose tokens the places along an axis of a stage are."""
        return self.every[stage.sequence_along(axis)]

    def strings_along(self, axes: Sequence[str], sequences: Sequence[str]) -> Along:
        """The strings of our tokens along axes that are of such sequences: see `Stage.sequences`."""
        named = sequences or (MAIN,) * len(axes)
        pairs = zip(axes, named, strict=True)
        return {axis: self.every[name or MAIN].ours.strings for axis, name in pairs if axis in TOKEN_AXES}

    @property
    def padded(self) -> bool:
        """Whether any text of ours is."""
        return any(not (each.ours.mask != 0).all() for each in self.every.values())

    @property
    def complete(self) -> bool:
        """Whether nothing is without a partner."""
        rows = len(self.ours.strings) == len(self.theirs.strings)
        pairs = [pair for each in self.every.values() for pair in each.pairs]
        return self.same or (rows and not any(pair.lonely_ours or pair.lonely_theirs for pair in pairs))

    def notes(self) -> list[str]:
        """What has no partner, and what was paired though it differs, a line each."""
        lines = [f"{name}: {line}" for name, each in self.others.items() for line in each.notes()]
        for pair in self.pairs:
            mine, other = self.ours.strings[pair.row], self.theirs.strings[pair.other]
            if pair.changed:
                both = zip(pair.ours, pair.theirs, strict=True)
                swapped: list[tuple[str, str]] = [(mine[a], other[b]) for a, b in both if mine[a] != other[b]]
                lines.append(f"text {pair.row}: paired though different: {_few([f'{a} / {b}' for a, b in swapped])}")
            for who, lonely, words in (("ours", pair.lonely_ours, mine), ("theirs", pair.lonely_theirs, other)):
                if lonely:
                    said = _few([f"{quoted(words[at])} at {at}" for at in lonely])
                    lines.append(f"text {pair.row}: without a partner in {who}: {said}")
        for who, tokens in (("ours", self.ours), ("theirs", self.theirs)):
            more = range(len(self.pairs), len(tokens.strings))
            lines += [f"text {row} of {who} has no partner: {quoted(tokens.texts[row])}" for row in more]
        return lines


@dataclass(frozen=True, slots=True)
class Piece:
    """A window of both sides in which every element has its partner at the same place.

    Attributes:
        text: whose it is; 0 for what is the same for all.
        ours, theirs: slices for every axis, to be read.
        picks_ours, picks_theirs: places within the window to keep, for axes where it is not all of it.
    """

    text: int
    ours: tuple[slice, ...]
    theirs: tuple[slice, ...]
    picks_ours: tuple[tuple[int, Indices], ...] = ()
    picks_theirs: tuple[tuple[int, Indices], ...] = ()

    def place(self, flat: int, shape: Shape) -> tuple[int, ...]:
        """The place in ours of the element at a flat position of the window, once it has been picked."""
        at = [int(part) for part in np.unravel_index(flat, shape)]
        for axis, kept in self.picks_ours:
            at[axis] = int(kept[at[axis]])
        return tuple(part.start + inside for part, inside in zip(self.ours, at, strict=True))


def picked(window: npt.NDArray[Any], picks: Sequence[tuple[int, Indices]]) -> npt.NDArray[Any]:
    """The window with only the picked places."""
    for axis, kept in picks:
        window = np.take(window, kept, axis=axis)
    return window


def patched_inputs(trace: Trace) -> Inputs:
    """What goes in as it is with its patches, but for the masks: padding is what the tokenizer padded."""
    return trace.inputs.with_masks(trace.original_inputs)


def align_traces(ours: Trace, theirs: Trace) -> Alignment:
    """Pair the tokens of two traces: by what they say, but for somebody's tensors over our program, whose places are ours.

    Its ids are told apart by their places too: shifted by one, they say other words where the same tokens stand.
    """
    here, there = patched_inputs(ours), patched_inputs(theirs)
    if not theirs.is_foreign or here.sizes != there.sizes:
        return align(here, there)
    others = {name: _by_place(sequence, there.others[name]) for name, sequence in here.others.items()}
    return dataclasses.replace(_by_place(here.tokens, there.tokens), others=others)


def _by_place(ours: Tokens, theirs: Tokens) -> Alignment:
    pairs: list[Pair] = []
    for row, (mine, other) in enumerate(zip(ours.strings, theirs.strings, strict=True)):
        kept = np.flatnonzero(ours.mask[row])
        pairs.append(Pair(row, row, kept, kept, sum(mine[at] != other[at] for at in kept), (), ()))
    return Alignment(True, tuple(pairs), ours, theirs)


def align(ours: Inputs, theirs: Inputs) -> Alignment:
    """Pair texts in order, and the tokens of each pair by what they say (difflib), sequence by sequence.

    Runs of different tokens that are equally long are paired as well: one word put for another. Padding is paired only
    where every real token's partner is at its own place.
    """
    others = {
        name: _align(sequence, theirs.others[name]) for name, sequence in ours.others.items() if name in theirs.others
    }
    main = _align(ours.tokens, theirs.tokens)
    same = main.same and all(each.same for each in others.values()) and set(ours.others) == set(theirs.others)
    return dataclasses.replace(main, same=same, others=others)


def _align(ours: Tokens, theirs: Tokens) -> Alignment:
    pairs = tuple(_pair(ours, theirs, row) for row in range(min(ours.shape[0], theirs.shape[0])))
    same = ours.shape == theirs.shape and all(_in_place(ours, theirs, pair) for pair in pairs)
    return Alignment(same, pairs, ours, theirs)


def _in_place(ours: Tokens, theirs: Tokens, pair: Pair) -> bool:
    everything = len(pair.ours) == int(ours.mask[pair.row].sum()) == int(theirs.mask[pair.row].sum())
    return everything and bool((pair.ours == pair.theirs).all())


def _pair(ours: Tokens, theirs: Tokens, row: int) -> Pair:
    here, there = np.flatnonzero(ours.mask[row]), np.flatnonzero(theirs.mask[row])
    mine = [ours.strings[row][at] for at in here]
    other = [theirs.strings[row][at] for at in there]
    paired_a: list[int] = []
    paired_b: list[int] = []
    lonely_a: list[int] = []
    lonely_b: list[int] = []
    changed = 0
    for kind, a, to_a, b, to_b in difflib.SequenceMatcher(None, mine, other, autojunk=False).get_opcodes():
        if kind == "equal" or (kind == "replace" and to_a - a == to_b - b):
            paired_a += range(a, to_a)
            paired_b += range(b, to_b)
            changed += to_a - a if kind == "replace" else 0
        else:
            lonely_a += range(a, to_a)
            lonely_b += range(b, to_b)
    return Pair(
        row, row, here[paired_a], there[paired_b], changed,
        tuple(int(here[at]) for at in lonely_a), tuple(int(there[at]) for at in lonely_b),
    )  # fmt: skip


def pieces(
    alignment: Alignment,
    stage: Stage,
    ours: Shape,
    theirs: Shape,
    spans: Sequence[tuple[int, int]],
    free: Container[str] = (),
) -> Iterator[Piece]:
    """Windows that cover all pairs of elements of a stage, text by text, and of tokens that are not padding.

    Args:
        stage: with the same axes on both sides.
        ours, theirs: shapes.
        spans: from where to where on theirs' last axis but one, one after the other.
        free: axes along which padding counts as well, where tokens are at the same places on both sides: what a mask says
            of padding, and what weight padding gets, matters.
    """
    axes = stage.axes
    shared = "batch" not in axes or {ours[axes.index("batch")], theirs[axes.index("batch")]} == {1}
    if shared and alignment.same and len(alignment.pairs) != 1:
        for start, stop in spans:
            yield whole(ours, theirs, start, stop)
        return
    for text, pair in enumerate(alignment.pairs[:1] if shared else alignment.pairs):
        if not (alignment.ours.mask[pair.row].any() and alignment.theirs.mask[pair.other].any()):
            continue  # a text of padding alone
        for start, stop in spans:
            piece = _piece(alignment, text, stage, ours, theirs, (start, stop), free)
            if piece is not None:
                yield piece


def whole(ours: Shape, theirs: Shape, start: int, stop: int) -> Piece:
    """All texts at once, padding included, from one place of the last axis but one to another; a side may have one row for all texts."""
    index = [[slice(0, size) for size in shape] for shape in (ours, theirs)]
    for side in index:
        if len(side) > 1:
            side[-2] = slice(start, stop)
    return Piece(0, tuple(index[0]), tuple(index[1]))


def _piece(
    alignment: Alignment,
    text: int,
    stage: Stage,
    ours: Shape,
    theirs: Shape,
    span: tuple[int, int],
    free: Container[str],
) -> Piece | None:
    index: tuple[list[slice], list[slice]] = ([], [])
    picks: tuple[list[tuple[int, Indices]], list[tuple[int, Indices]]] = ([], [])
    axes, pair = stage.axes, alignment.pairs[text]
    for axis, (name, sizes) in enumerate(zip(axes, zip(ours, theirs, strict=True), strict=True)):
        if name == "batch":
            for side in (0, 1):
                row = min((pair.row, pair.other)[side], sizes[side] - 1)
                index[side].append(slice(row, row + 1))
        elif name in TOKEN_AXES and sizes != (1, 1):
            along = alignment.along(stage, name)
            places = (along.pairs[text].ours, along.pairs[text].theirs)
            if alignment.same and (name in free or sizes != (along.ours.shape[1], along.theirs.shape[1])):
                places = (np.arange(sizes[0]), np.arange(sizes[1]))
            if axis == len(axes) - 2:
                inside = (places[1] >= span[0]) & (places[1] < span[1])
                places = (places[0][inside], places[1][inside])
            if not len(places[0]):
                return None
            for side in (0, 1):
                low, high = int(places[side][0]), int(places[side][-1]) + 1
                index[side].append(slice(low, high))
                if high - low != len(places[side]):
                    picks[side].append((axis, places[side] - low))
        else:
            for side in (0, 1):
                index[side].append(slice(0, sizes[side]))
            if len(axes) > 1 and axis == len(axes) - 2:  # rows that are no tokens
                for side in (0, 1):
                    index[side][axis] = slice(*span)
    return Piece(pair.row, tuple(index[0]), tuple(index[1]), tuple(picks[0]), tuple(picks[1]))


def _few(words: Sequence[str], most: int = 6) -> str:
    return ", ".join(words[:most]) + (f" and {len(words) - most} more" if len(words) > most else "")
