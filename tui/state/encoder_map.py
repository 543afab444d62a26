"""The encoder as boxes: what goes in, one layer opened, the other layers folded, and the head. Pure functions of the program."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING

from .single_heads import single_heads

if TYPE_CHECKING:
    from ...engine.program.program import Program
    from ...engine.program.stage import Stage

# What a box is called, by the last word of its stage's name and what its operation must be for that to be true; others are
# called by that word alone.
TITLES = {
    "ids": ("Given", "tokens"), "one_hot": ("OneHot", "one-hot"), "token": ("Lookup", "E[token]"), "query": ("Linear", "Q"),
    "key": ("Linear", "K"), "value": ("Linear", "V"), "scores": ("Scores", "Q·Kᵀ"), "masked": ("AddMask", "+ mask"),
    "weights": ("Softmax", "softmax"), "context": ("Context", "· V"), "output": ("Linear", "W_O"), "up": ("Linear", "FFN up"),
    "down": ("Linear", "FFN down"), "probabilities": ("Softmax", "softmax"),
}  # fmt: skip
OF_KIND = {"Around": "beside it", "Negatives": "drawn words"}  # whatever their stages are called
INPUT = "input"  # the row of all that goes into the first layer
ADD_AND_NORM, ADD, NORM, SCALED = "add & norm", "add", "layer norm", "Q·Kᵀ/√d"
# Of what stands on the map, the words that another language has words for.
WORDS = (
    "tokens", "one-hot", "position", "segment", "mask", "+ mask", "add & norm", "add", "layer norm", "layers", "input", "attention", "head",
    "words", "best", "probabilities", "logits", "dense", "concat", "FFN up", "FFN down", "beside it",
    "drawn words", "mean", "context", "negatives", "loss", "embeddings", "pixels", "patches", "class token", "classes", "positions",
    "first", "pooler", "normalized", "sentence", "probability", "embedding", "projection", "vectors", "final", "target vector",
    "target score", "target sigmoid", "position bias", "gate", "gated",
)  # fmt: skip
# Stages that are part of the box of an earlier one of their block, by its last word: the same numbers, laid out or scaled.
WITHIN = {
    "query_heads": "query", "key_heads": "key", "value_heads": "value", "scaled": "scores", "mask": "ids", "segments": "ids",
    "positions": "ids",
}  # fmt: skip
# Of more folded layers than this in a row, those next to the open one and the farthest stay; the others are one box.
MOST_FOLDED, NEAR = 6, 3
# Stages that the next one takes up: what they add is what it normalises.
BEFORE = ("residual", "sum")


@dataclass(frozen=True, slots=True)
class Box:
    """A stage, with those that belong to it.

    Attributes:
        title: what it is called; a folded layer by its number, several by their first and last: `4-21`.
        stage: whose value it shows and opens.
        stages: all of it, in the order they run.
        joined: whether it is made of what stands before it in its row.
        folded: whether it is a layer, or several, that is not opened.
    """

    title: str
    stage: str
    stages: tuple[str, ...]
    joined: bool = False
    folded: bool = False


@dataclass(frozen=True, slots=True)
class MapRow:
    """Boxes that belong together.

    Attributes:
        title: of the row: a block, `layers`, the head's name.
    """

    title: str
    boxes: tuple[Box, ...]


def map_rows(program: Program, layer: int) -> tuple[MapRow, ...]:
    """The boxes of a program.

    Args:
        layer: the one that is opened.
    """
    return _map_rows(program, layer)


def place_of(rows: tuple[MapRow, ...], program: Program, stage: str) -> tuple[int, int]:
    """Row and column of the box that a stage is in, or of the nearest before it."""
    places = [(row, column, box) for row, one in enumerate(rows) for column, box in enumerate(one.boxes)]
    inside = next(((row, column) for row, column, box in places if stage in box.stages), None)
    if inside is not None or not places or stage not in program:
        return inside or (0, 0)
    here = program.index(stage)
    return min(places, key=lambda place: abs(program.index(place[2].stage) - here))[:2]


@lru_cache(maxsize=8)
def _map_rows(program: Program, layer: int) -> tuple[MapRow, ...]:
    rows: list[tuple[str, list[Box]]] = []
    whole = single_heads(program)
    parts: dict[str, list[str]] = {}
    for stage, within in zip(program, _layers_of(program), strict=True):
        if stage.layer == layer and stage.name in whole:  # in the box of all heads side by side
            parts.setdefault(whole[stage.name], []).append(stage.name)
            continue
        folded = within not in (None, layer)
        inside = stage.layer is None and within is not None  # a part that has no role stands where it is computed
        title = "layers" if folded else rows[-1][0] if inside and rows else _title_of_row(stage)
        if not rows or rows[-1][0] != title:
            rows.append((title, []))
        boxes = rows[-1][1]
        if folded:
            _fold(boxes, stage, str(within))
        else:
            _put(boxes, stage, program, parts.get(stage.name, ()))
    several = sum(title == INPUT for title, _ in rows) > 1  # what goes in comes in parts: each is called what it is
    return tuple(
        MapRow(
            program[boxes[0].stage].room if several and title == INPUT else title,
            _rolled(boxes, layer) if title == "layers" else tuple(_taken_up(boxes)),
        )
        for title, boxes in rows
        if boxes
    )


def _title_of_row(stage: Stage) -> str:
    if stage.layer is not None:
        return stage.block
    return INPUT if stage.room in ("tokens", "embeddings", "mask", "image", "input") else stage.block or stage.room


def _layers_of(program: Program) -> list[int | None]:
    """The layer of each stage; what nobody knows the part of is of the layer that goes on after it."""
    before = list(accumulate((stage.layer for stage in program), _known))
    after = list(accumulate((stage.layer for stage in reversed(program.stages)), _known))[::-1]
    return [one if one == other else None for one, other in zip(before, after, strict=True)]


def _known(last: int | None, layer: int | None) -> int | None:
    return last if layer is None else layer


def _fold(boxes: list[Box], stage: Stage, title: str) -> None:
    """A layer that is not opened is one box, which shows what leaves it."""
    if boxes and boxes[-1].title == title:
        boxes[-1] = Box(title, stage.name, (*boxes[-1].stages, stage.name), boxes[-1].joined, folded=True)
    else:
        boxes.append(Box(title, stage.name, (stage.name,), bool(boxes), folded=True))


def _rolled(boxes: list[Box], layer: int) -> tuple[Box, ...]:
    """A long run of folded layers in few boxes; one of several shows what leaves the last of them."""
    if len(boxes) <= MOST_FOLDED:
        return tuple(boxes)
    start, stop = (NEAR, len(boxes) - 1) if int(boxes[0].title) > layer else (1, len(boxes) - NEAR)
    inside = boxes[start:stop]
    names = tuple(name for box in inside for name in box.stages)
    several = Box(f"{inside[0].title}-{inside[-1].title}", inside[-1].stage, names, inside[0].joined, folded=True)
    return (*boxes[:start], several, *boxes[stop:])


def _put(boxes: list[Box], stage: Stage, program: Program, parts: Sequence[str]) -> None:
    """A stage in a box of its own, or in that of an earlier one.

    Args:
        parts: stages that it lays side by side, and what those alone are made of.
    """
    within = WITHIN.get(stage.part)
    for at, box in enumerate(boxes):
        if within is not None and program[box.stages[0]].part == within and program[box.stages[0]].block == stage.block:
            of_scores = stage.kind == "Scale"  # what is divided is what goes on
            boxes[at] = Box(
                SCALED if of_scores else box.title,
                stage.name if of_scores else box.stage,
                (*box.stages, stage.name),
                box.joined,
            )
            return
    inputs = {*stage.inputs, *(name for part in parts for name in program[part].inputs)}
    joined = bool(boxes) and not inputs.isdisjoint(boxes[-1].stages)
    boxes.append(Box(_title(stage), stage.name, (*parts, stage.name), joined))


def _title(stage: Stage) -> str:
    if stage.part == "activation":
        return str(stage.options.get("kind") or stage.options.get("name") or "activation")
    if stage.part == "additive" and stage.room == "mask":
        return "mask"
    if stage.part == "norm":
        return NORM
    if stage.kind in OF_KIND:
        return OF_KIND[stage.kind]
    kind, title = TITLES.get(stage.part, ("", ""))
    return title if stage.kind == kind else stage.part.replace("_", " ")


def _taken_up(boxes: list[Box]) -> Iterator[Box]:
    """Sums that are normalised at once are one box with their norm."""
    waiting: Box | None = None
    for box in boxes:
        part = box.stage.rpartition(".")[2]
        if waiting is not None:
            if part == "norm":
                yield Box(ADD_AND_NORM, box.stage, (*waiting.stages, *box.stages), waiting.joined)
                waiting = None
                continue
            yield waiting
            waiting = None
        if part in BEFORE:
            waiting = Box(ADD, box.stage, box.stages, box.joined)
        else:
            yield box
    if waiting is not None:
        yield waiting
