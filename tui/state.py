"""What the screen shows: one frozen value, replaced and never edited."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ViewState:
    """Where someone is looking. The debugger's cursor is elsewhere: looking moves nothing.

    Attributes:
        stage: canonical name of the stage looked at; "" before anything is loaded.
        view: `heat`, `numbers`, `heads` or `stats`.
        text: row of the batch; head: of the attention.
        row, column: the cell cursor in the plane that is shown.
        gain: steps of colour scale, each a factor of two; 0 fits the largest magnitude.
        zoomed: whether the value has the whole screen.
        found: what was last looked for in the tree.
    """

    stage: str = ""
    view: str = "heat"
    text: int = 0
    head: int = 0
    row: int = 0
    column: int = 0
    gain: int = 0
    zoomed: bool = False
    found: str = ""
