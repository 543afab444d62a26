"""Every way in which an array of somebody's may hold the numbers of a stage: axes in another order, merged, split, padded, three in one."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ...program.index import TOKEN_AXES
from ...program.stage import Shape, Stage
from ...program.trace import Trace
from ...traces.arrangement import EVERY, Arrangement, AxisRange, Cut

JOINT = {
    "query": (2, 3),
    "key": (2, 3),
    "value": (2, 3),
    "up": (2,),
    "gate": (2,),
    "query_heads": (2, 3),
    "key_heads": (2, 3),
    "value_heads": (2, 3),
}
SQUARE = ("query", "key")
MOST = 5  # axes that are put in every order


@dataclass(frozen=True, slots=True)
class AxisPart:
    """A part of a stage's shape that others may have at another place.

    Attributes:
        size: of ours.
        tokens: whether its places are tokens, of which theirs may have more, for padding.
        texts: whether its places are texts, of which theirs may have one for all.
    """

    size: int
    tokens: bool = False
    texts: bool = False


@dataclass(frozen=True, slots=True)
class StageSizes:
    """A stage as far as its layout goes: stages of the same have the same layouts.

    Attributes:
        axes: of more than one place, hidden ones split into heads.
        joint: of how many stages one tensor may hold the numbers side by side.
    """

    axes: tuple[AxisPart, ...]
    joint: tuple[int, ...] = ()


def heads_of(trace: Trace) -> Shape:
    """(heads, numbers a head) of a program; () where it has none."""
    for stage in trace.program:
        if stage.axes[-3:] == ("head", "token", "head_dim"):
            shape = trace.shapes[stage.name]
            return shape[-3], shape[-1]
    return ()


def sizes_of_stage(stage: Stage, shape: Shape, heads: Shape) -> StageSizes:
    """What is to be known of a stage to find its layouts."""
    axes: list[AxisPart] = []
    for name, size in zip(stage.axes, shape, strict=True):
        if name in TOKEN_AXES:
            axes.append(AxisPart(size, tokens=True))
        elif name == "batch":
            axes.append(AxisPart(size, texts=True))
        elif heads and name == "hidden" and size == math.prod(heads):
            axes += [AxisPart(heads[0]), AxisPart(heads[1])]
        else:
            axes.append(AxisPart(size))
    return StageSizes(tuple(axis for axis in axes if axis.size > 1 or axis.tokens), JOINT.get(stage.part, ()))


@lru_cache(maxsize=4096)
def layouts(sizes: StageSizes, shape: Shape, padded: int = 0) -> tuple[Arrangement, ...]:
    """Every layout by which an array of a shape may be a stage, those that do least first.

    Args:
        sizes: of the stage.
        shape: of the array.
        padded: how many tokens theirs has, where that is another number than ours.
    """
    theirs = tuple(size for size in shape if size != 1)
    count = math.prod(theirs)
    made: dict[Arrangement, None] = {}
    for axes in dict.fromkeys((sizes.axes, tuple(axis for axis in sizes.axes if not axis.texts))):
        own = math.prod(axis.size for axis in axes)
        for length in {0, padded}:
            full = own if not length else math.prod(length if axis.tokens else axis.size for axis in axes)
            for parts in (1, *sizes.joint):
                if full * parts == count and not (length and full == own):
                    made.update(dict.fromkeys(_orders(axes, theirs, shape, length, parts)))
    return tuple(sorted(made, key=lambda layout: layout.steps))


def exchanges_query_and_key(layout: Arrangement, shape: Shape) -> bool:
    """Whether a layout takes the queries of scores for their keys: both are as many, so that sizes do not tell it.

    Args:
        layout: of a stage whose last axes are query and key.
        shape: of the array that is laid out.
    """
    order, sizes = layout.transpose, layout.reshape or shape
    if len(order) < 2 or len(order) != len(sizes):
        return False
    query, key = order[-2:]
    return key < query and sizes[key] == sizes[query]


def told_layouts(
    stage: Stage, told: tuple[str, ...], options: Iterable[Arrangement], shape: Shape
) -> list[Arrangement]:
    """Of layouts those that what is told of an array's axes allows: whose query is ours' query and whose key ours' key.

    Like numbers are no evidence against it: with query and key exchanged in the weights, scores are ours transposed.

    Args:
        told: the array's axes, as its own operation or its name says them.
    """
    if stage.axes[-2:] != SQUARE or told[-2:] != SQUARE:
        return list(options)
    return [layout for layout in options if not exchanges_query_and_key(layout, shape)]


def _orders(axes: Sequence[AxisPart], theirs: Shape, shape: Shape, length: int, parts: int) -> Iterator[Arrangement]:
    """The layouts of every order of axes that an array's shape can be."""
    ours = [axis for axis in axes if axis.size > 1 or length]
    joint = len(ours) if parts > 1 else -1
    sizes = [length if axis.tokens and length else axis.size for axis in ours] + [parts] * (parts > 1)
    cut = [bool(axis.tokens and length) for axis in ours]
    if len(sizes) > MOST + 1:
        return
    for order in itertools.permutations(range(len(sizes))):
        if not _fits([sizes[at] for at in order], theirs):
            continue
        for which in range(parts):
            for left in (False, True) if length else (False,):
                yield _layout(order, sizes, cut, joint, which, [axis.size for axis in ours], shape, left)


def _fits(sizes: Sequence[int], theirs: Shape) -> bool:
    """Whether neighbouring axes can be merged to a shape."""
    at, product = 0, 1
    for size in sizes:
        if size == 1:
            continue
        product *= size
        if at < len(theirs) and product == theirs[at]:
            at, product = at + 1, 1
    return at == len(theirs) and product == 1


def _layout(
    order: Sequence[int], sizes: Sequence[int], cut: Sequence[bool], joint: int, which: int, own: Sequence[int], shape: Shape, left: bool
) -> Arrangement:  # fmt: skip
    """The layout of one order, with axes that stay together merged.

    Args:
        order: which of ours stands at each place of theirs; `joint` among them stands for which of several stages it is.
        left: whether padding stands before the tokens.
    """
    groups: list[list[int]] = []
    for at in order:
        last = groups[-1][-1] if groups else -2
        if at != joint and last != joint and last + 1 == at and not cut[at] and not cut[last]:
            groups[-1].append(at)
        else:
            groups.append([at])
    reshape = tuple(math.prod(sizes[at] for at in group) for group in groups)
    window: list[Cut] = []
    for group in groups:
        at = group[0]
        if at == joint:
            window.append(which)
        elif cut[at] and sizes[at] != own[at]:
            window.append(AxisRange(sizes[at] - own[at]) if left else AxisRange(0, own[at]))
        else:
            window.append(EVERY)
    while window and window[-1] == EVERY:
        window.pop()
    kept = [group[0] for group in groups if group[0] != joint]
    transpose = tuple(sorted(range(len(kept)), key=kept.__getitem__))
    moves = transpose != tuple(range(len(kept)))
    reshaped = reshape != shape and bool(window or moves)
    return Arrangement(reshape if reshaped else (), tuple(window), transpose if moves else ())
