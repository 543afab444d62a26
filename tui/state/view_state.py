"""What the screen shows: one frozen value, replaced and never edited."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spot:
    """A number whose explanation was left to follow an operand of it.

    Attributes:
        name: what it is called, shortly: `scores[0, 1, 2 'cat', 3 'sat']`.
        stage, text, head, row, column, term, factor: as in `ViewState`.
    """

    name: str
    stage: str
    text: int
    head: int
    row: int
    column: int
    term: int
    factor: int


@dataclass(frozen=True, slots=True)
class ViewState:
    """Where someone is looking. The debugger's cursor is elsewhere: looking moves nothing.

    Attributes:
        stage: canonical name of the stage looked at; "" before anything is loaded.
        beside: what is shown of the stage in place of its value, by what stands after the `@` of its address: a weight, a
            difference; "" is the value.
        view: `heat`, `numbers`, `heads`, `stats`, `why`, `diff`, `lines`, `grid`, `product`, `change`, `words` or `source`; `map` is of
            all stages.
        text: row of the batch; head: of the attention.
        row, column: the cell cursor in the plane that is shown.
        gain: steps of colour scale, each a factor of two; 0 fits the largest magnitude.
        zoomed: whether the value has the whole screen.
        sought: what was last looked for in the tree.
        term: which term of the explanation is chosen, those of all its sums counted on; factor: which of its operands
            that can be followed.
        trail: the numbers that were left for one of their operands, the latest last.
        explained: whether the explanation of the stage is open.
        mean: whether lines are of the mean of all heads.
        whole: what a cell of the heat map shows of the numbers it stands for, where all of the plane is shown at once: their
            `largest` or their `mean`; "" where each number has a cell.
        plain: whether numbers were asked for where words would be shown.
    """

    stage: str = ""
    view: str = "heat"
    text: int = 0
    head: int = 0
    row: int = 0
    column: int = 0
    gain: int = 0
    zoomed: bool = False
    sought: str = ""
    term: int = 0
    factor: int = 0
    trail: tuple[Spot, ...] = ()
    beside: str = ""
    explained: bool = False
    whole: str = ""
    mean: bool = False
    plain: bool = False
