"""What the screen knows of the session: frozen copies, sent over after every command, so that it never reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...engine.program.kinds import KEPT, TABLE

if TYPE_CHECKING:
    from ...engine.analysis.tour import TourPage
    from ...engine.debugger.breakpoints import Breakpoint
    from ...engine.program.inputs import Inputs
    from ...engine.program.program import Program
    from ...engine.program.stage import Shape, Stage
    from ...engine.program.tokens import Tokens
    from ...engine.traces.recorded_values import LeftOut
    from .comparison import Compared
    from .view_state import ViewState


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """What is debugged; another one only when another text, model or recording is opened. Safe to read anywhere.

    Attributes:
        program: the stages, immutable.
        inputs: what went in.
        shapes: of every stage's value.
        about: facts for people: model, family, device, dtype.
        live: whether values can be computed and changed.
        dtypes: of every stage's value.
        held: stages whose numbers can be had; a recording may hold only some.
        formulas: every stage's, with names and again with shapes, as operations write them.
        weights: shape of every weight.
        tables: of each stage whose formula is one of positions, the shape of its table, and whether that is all of it.
        positions: where the tokens stand, `positions[batch][token]`.
        assurances: notes that say that all is well.
        left_out: why stages of a recording have no numbers, and what is left of them.
    """

    program: Program
    inputs: Inputs
    shapes: Mapping[str, Shape]
    about: Mapping[str, str]
    live: bool = False
    dtypes: Mapping[str, str] = field(default_factory=dict[str, str])
    held: frozenset[str] = frozenset()
    formulas: Mapping[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    weights: Mapping[str, Shape] = field(default_factory=dict[str, "Shape"])
    tables: Mapping[str, tuple[Shape, bool]] = field(default_factory=dict[str, "tuple[Shape, bool]"])
    positions: tuple[tuple[int, ...], ...] = ()
    assurances: frozenset[str] = frozenset()
    left_out: Mapping[str, LeftOut] = field(default_factory=dict[str, "LeftOut"])

    @property
    def tokens(self) -> Tokens:
        """What went in, of the sequence that every program has."""
        return self.inputs.tokens

    @property
    def is_toured(self) -> bool:
        """Whether the guided tour leads through it."""
        from ...engine.program.toured import is_toured

        return self.live and is_toured(self.program)

    def has_corner(self, stage: str) -> bool:
        """Whether of a stage's value only the first numbers along each axis were kept."""
        left_out = self.left_out.get(stage)
        return left_out is not None and left_out.corner is not None

    def size(self, stage: str, axis: str) -> int:
        """Length of one axis of a stage's value, 0 where it has no such axis."""
        axes = self.program[stage].axes
        return self.shapes[stage][axes.index(axis)] if axis in axes else 0


@dataclass(frozen=True, slots=True)
class Fork:
    """One of the runs of a session.

    Attributes:
        number: 0 for the original; depth: how many forks lie between it and the original.
        done: its patches, but for those at the beginning that its parent has as well.
    """

    number: int
    depth: int
    done: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Position:
    """Where the debugger stands, as of the last command.

    Attributes:
        world: what it stands in.
        cursor: index of the stage that ran last, -1 before the first; furthest: the furthest it has been.
        breakpoints: in order of their numbers.
        patched: stages whose value was put there by hand.
        generation: the session's: grows whenever values seen before may no longer hold.
        watched: what each watch is worth at the cursor, by its number.
        fork: number of the fork that is looked at, 0 for the original; forks: all of them, each before those that were forked from it.
        stale: stages whose value would come out other than it last did.
        compared: how all of it stands beside what it was last compared with; None before anything was.
        tour: the stop of the guided tour one is at; None outside it.
    """

    world: World
    cursor: int = -1
    furthest: int = -1
    breakpoints: tuple[Breakpoint, ...] = ()
    patched: frozenset[str] = frozenset()
    generation: int = 0
    watched: Mapping[int, str] = field(default_factory=dict[int, str])
    fork: int = 0
    forks: tuple[Fork, ...] = ()
    stale: frozenset[str] = frozenset()
    compared: Compared | None = None
    tour: TourPage | None = None

    def beside(self, stage: Stage) -> Mapping[str, str]:
        """What a stage has that can be shown besides its value, by what stands after the `@` of its address, and of which dtype."""
        world = self.world
        weights = dict.fromkeys(stage.symbols, world.about.get("dtype", "float32")) if world.live else {}
        table = {TABLE: world.dtypes[stage.name]} if stage.name in world.tables else {}
        corner = {KEPT: world.dtypes[stage.name]} if world.has_corner(stage.name) else {}
        return {
            **weights,
            **table,
            **corner,
            **(self.compared.beside.get(stage.name, {}) if self.compared is not None else {}),
        }

    def covers(self, state: ViewState) -> bool:
        """Whether what is looked at is what the tour has just asked about, and not shown yet."""
        page = self.tour
        return page is not None and page.covered and state.explained and state.stage == page.stage

    @property
    def stage(self) -> str:
        """Name of the stage under the cursor, "" before the first."""
        return self.world.program[self.cursor].name if self.cursor >= 0 else ""
