"""What the inspector knows of the stage it shows before it has read a single number."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from ...engine.messages.translation import language, tr
from ...engine.program.addresses import AT
from ...engine.program.kinds import KEPT, TABLE
from ...engine.program.position_table import table_axes
from ...engine.program.predicting import predicted_by
from ...engine.program.source_lines import is_own_code
from ...engine.program.stage import write_shape
from ...engine.program.word_window import WordWindow, word_window_of
from .comparison import Against, StringsOfAxes, against_of, strings_of
from .left_out import kept_of, like_all, why_unread

if TYPE_CHECKING:
    from ...engine.program.program import Program
    from ...engine.program.stage import Stage
    from ...engine.traces.recorded_values import LeftOut
    from .position import Position, World

KEPT_PLACES = (
    256  # stages of which it is kept what else of their program has to do with them: two programs of a usual size
)

Standing = Literal["here", "done", "ahead", "weight", "table", "corner"]


@dataclass(frozen=True, slots=True)
class Subject:
    """One stage, as the screen needs it: facts and words, no numbers, no torch.

    Attributes:
        stage: canonical name, or the address of what is shown of it, `embeddings.position@E`; shape, axes, dtype: of that.
        formula: with names; formula_of_shapes: the same with shapes.
        tokens: the tokens' strings along each axis that has any: `(("query", strings), ("key", strings))`.
        labels: names of the places along the axis `label`.
        positions: where the stage is made of the tokens' positions, those, `positions[batch][token]`.
        place: where it lies from the debugger's cursor: under it, behind it or ahead of it; a weight, a table or a corner lies nowhere.
        readable: whether there are numbers to be had; those of a stage that has not run are computed for whoever looks.
        patched: whether its value was put there by hand.
        generation: the session's, when this was written; numbers of another generation are not this stage's.
        nearest_with_heads: the nearest stage whose value has a head axis; "" when no stage has.
        nearest_with_keys: the nearest stage whose value goes from queries to keys, attention weights before others.
        is_product: whether it is a product of two matrices; nearest_product: the nearest stage that is; "" when none is.
        joined: how many columns one part takes, where it is parts side by side; part: of what, `head`; 0, "" else.
        layers: the same stage in every layer, if it is in one and divided into heads.
        against: what it was compared with; None before anything was.
        language: of the words in it and in all that is made from it.
        predicts: the stage of the probabilities that it leads to, or is the best of; "" where it predicts nothing.
        unread: why there are no numbers, where that is known; "" else.
        source: the line that it comes from; is_own_code: whether that is somebody's own, and not of a family.
        window: the stages of the window round each word, where this is one of those that have to do with it; else None.
    """

    stage: str
    shape: tuple[int, ...]
    axes: tuple[str, ...]
    dtype: str = "float32"
    formula: str = ""
    formula_of_shapes: str = ""
    tokens: StringsOfAxes = ()
    place: Standing = "done"
    readable: bool = True
    patched: bool = False
    generation: int = 0
    nearest_with_heads: str = ""
    nearest_with_keys: str = ""
    layers: tuple[str, ...] = ()
    positions: tuple[tuple[int, ...], ...] = ()
    against: Against | None = None
    labels: tuple[str, ...] = ()
    language: str = "en"
    is_product: bool = False
    nearest_product: str = ""
    joined: int = 0
    part: str = ""
    predicts: str = ""
    window: WordWindow | None = None
    source: str = ""
    is_own_code: bool = False
    unread: str = ""

    @property
    def is_weight(self) -> bool:
        """Whether this is a weight of a stage rather than its value."""
        return self.place == "weight"

    def strings(self, axis: str, text: int) -> tuple[str, ...]:
        """The tokens along an axis, of one text; () where it has none."""
        rows = dict(self.tokens).get(axis, ())
        return rows[text] if text < len(rows) else ()

    def size(self, axis: str) -> int:
        """Size of an axis; 0 when the value has no such axis."""
        return self.shape[self.axes.index(axis)] if axis in self.axes else 0


def subject_of(position: Position, stage_name: str, beside: str = "") -> Subject:
    """What there is to know of a stage.

    Args:
        position: whose cursor says what is done and what is ahead.
        stage_name: canonical.
        beside: what is meant of it besides its value, one of `position.beside`; "" for the value, or the corner of it that was kept.
    """
    world = position.world
    stage, here = world.program[stage_name], world.program.index(stage_name)
    if beside in stage.symbols:
        return _subject_of_weight(position, stage, stage.symbols.index(beside))
    if beside == TABLE and stage_name in world.tables:
        return _subject_of_table(position, stage)
    place: Standing = "here" if here == position.cursor else "done" if here < position.cursor else "ahead"
    formula, formula_of_shapes = _formulas(world, stage)
    subject = Subject(
        stage_name,
        tuple(world.shapes[stage_name]),
        stage.axes,
        world.dtypes[stage_name],
        formula,
        formula_of_shapes,
        strings_of(world.inputs.strings_along(stage), stage.axes),
        place,
        stage_name in world.held,
        stage_name in position.patched,
        position.generation,
        _nearest_with_heads(world.program, here),
        nearest_with_keys(world.program, here),
        in_every_layer(world.program, stage_name),
        world.positions if "tokens.positions" in stage.inputs else (),
        against_of(position.compared, stage),
        stage.labels,
        language(),
        bool(stage.card.factors),
        nearest_product(world.program, here),
        world.shapes[stage.inputs[0]][-1] if stage.card.joins else 0,
        stage.card.joins,
        predicted_by(world.program, stage_name),
        window_at(world.program, stage_name),
        stage.source,
        is_own_code(stage),
    )
    if (left_out := world.left_out.get(stage_name)) is not None and beside in ("", KEPT):
        return _left_out(subject, left_out, world)
    return _besides(subject, position, stage, beside) if beside else subject


def _besides(subject: Subject, position: Position, stage: Stage, what: str) -> Subject:
    """Of what a comparison puts beside a value: its places are the value's, and tokens are called as both sides call them."""
    compared = position.compared
    assert compared is not None
    theirs = f"{stage.part} of {compared.title}"
    return replace(
        subject,
        stage=f"{stage.name}{AT}{what}",
        dtype=position.beside(stage)[what],
        formula=f"{what} = {stage.part} − {theirs}" if what == "difference" else f"{what} = {theirs}",
        formula_of_shapes="",
        tokens=against.tokens if (against := subject.against) is not None else (),
        patched=False,
        predicts="",
        window=None,
    )


def _formulas(world: World, stage: Stage) -> tuple[str, str]:
    """With names and with shapes, in the language in use."""
    written, sized = world.formulas[stage.name]
    if language() == "en":
        return written, sized
    from ...engine.analysis.explain.formulas import in_language

    return in_language(written, stage.kind, language()), in_language(sized, stage.kind, language())


def _subject_of_weight(position: Position, stage: Stage, number: int) -> Subject:
    from ...engine.program.weight import StageWeight, axes_of_weight  # takes numpy along

    world, symbol = position.world, stage.symbols[number]
    here, shape = world.program.index(stage.name), tuple(world.weights[stage.weights[number]])
    return Subject(
        StageWeight(stage, number).address,
        shape,
        axes_of_weight(stage, len(shape)),
        world.about.get("dtype", "float32"),
        world.formulas[stage.name][0],
        f"{symbol} = {stage.weights[number]}  {write_shape(shape)}",
        place="weight",
        readable=world.live,
        generation=position.generation,
        nearest_with_heads=_nearest_with_heads(world.program, here),
        nearest_with_keys=nearest_with_keys(world.program, here),
        language=language(),
        source=stage.source,
        is_own_code=is_own_code(stage),
    )


def _left_out(subject: Subject, left_out: LeftOut, world: World) -> Subject:
    """The corner of a value that was kept, where any was, in place of the value; else why there are no numbers."""
    stage = subject.stage
    if left_out.corner is None:
        return replace(subject, unread=why_unread(world, stage))
    return replace(
        subject,
        stage=f"{stage}{AT}{KEPT}",
        shape=tuple(left_out.corner.shape),
        formula=kept_of(world, stage),
        formula_of_shapes=like_all(left_out),
        place="corner",
        readable=True,
        layers=(),
        is_product=False,
        joined=0,
        part="",
        predicts="",
        window=None,
    )


def _subject_of_table(position: Position, stage: Stage) -> Subject:
    """Of the rows that a formula gives for every position."""
    world = position.world
    here, (shape, is_whole) = world.program.index(stage.name), world.tables[stage.name]
    all_of_it = tr("{what} = the rows of all {count} positions that the model has", what=TABLE, count=shape[0])
    first = tr("{what} = the first {count} rows: the model sets no limit", what=TABLE, count=shape[0])
    return Subject(
        f"{stage.name}{AT}{TABLE}",
        shape,
        table_axes(stage),
        world.dtypes[stage.name],
        _formulas(world, stage)[0],
        all_of_it if is_whole else first,
        place="table",
        readable=world.live,
        generation=position.generation,
        nearest_with_heads=_nearest_with_heads(world.program, here),
        nearest_with_keys=nearest_with_keys(world.program, here),
        language=language(),
        source=stage.source,
        is_own_code=is_own_code(stage),
    )


@lru_cache(maxsize=KEPT_PLACES)
def _nearest_with_heads(program: Program, position: int) -> str:
    return _nearest(program, position, [place for place, stage in enumerate(program) if "head" in stage.axes])


def window_at(program: Program, stage_name: str) -> WordWindow | None:
    """The window round each word, where a stage has to do with it and one can go along its tokens."""
    window = word_window_of(program)
    there = (
        window is not None and stage_name in window.shown and "token" in program[stage_name].axes
    )  # not the loss's mean
    return window if there else None


@lru_cache(maxsize=KEPT_PLACES)
def nearest_with_keys(program: Program, position: int) -> str:
    """The stage with queries and keys that is meant at a position; attention weights come before scores and masks."""
    places = [place for place, stage in enumerate(program) if stage.axes[-2:] == ("query", "key")]
    return _nearest(program, position, [place for place in places if program[place].part == "weights"] or places)


@lru_cache(maxsize=KEPT_PLACES)
def nearest_product(program: Program, position: int) -> str:
    """The stage that is shown as a product of two matrices at a position: itself, or the nearest that is one."""
    return _nearest(program, position, [place for place, stage in enumerate(program) if stage.card.factors])


@lru_cache(maxsize=KEPT_PLACES)
def in_every_layer(program: Program, stage_name: str) -> tuple[str, ...]:
    """Names of the same stage in every layer that has it; empty where it is in no layer or not divided into heads."""
    stage = program[stage_name]
    if stage.layer is None or "head" not in stage.axes[:-2]:
        return ()
    rest = stage.name.removeprefix(f"layers.{stage.layer}.")
    names = (f"layers.{layer}.{rest}" for layer in range(program.layers))
    return tuple(name for name in names if name in program and program[name].axes == stage.axes)


def _nearest(program: Program, position: int, places: list[int]) -> str:
    # of two as near, the one in the same layer is meant
    here = program[position].layer
    best = min(places, key=lambda place: (program[place].layer != here, abs(place - position)), default=None)
    return program[best].name if best is not None else ""
