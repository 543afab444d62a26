"""What there is to say of a stage beside its reference, before a number of either is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...engine.analysis.compare import Difference


@dataclass(frozen=True, slots=True)
class Against:
    """What a stage is held against, and how it stands.

    Attributes:
        title: the reference, as it was typed; number: how many were compared before, and it.
        refused: why this stage cannot be compared; "" when it can.
        tokens: labels of rows and columns: both tokens where they differ.
        alone: for each text, places of tokens that have no partner; None where all have.
        figures: largest, mean and relative difference and so on, the most important first.
        verdict: whether it is beyond tolerance, and which stage is the first that is.
        beyond: whether it is.
        notes: what was paired though different, what has no partner.
    """

    title: str
    number: int
    refused: str = ""
    tokens: tuple[tuple[str, ...], ...] = ()
    alone: tuple[tuple[int, ...], ...] | None = None
    figures: tuple[str, ...] = ()
    verdict: str = ""
    beyond: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """What the screen knows of the last comparison, for all stages.

    Attributes:
        title: the reference, as it was typed; number: how many were compared before, and it.
        itself: whether the reference is what is looked at.
        refused: why a stage cannot be compared, for those that cannot.
        tokens, alone, notes: as in `Against`.
        rows: the figures of every stage; first: the first stage beyond tolerance.
        holds: whether they were taken of the values as they are now.
        beside: what each stage has besides its value by the comparison, `STAGE@difference`, and of which dtype.
    """

    title: str
    number: int
    itself: bool = False
    refused: Mapping[str, str] = field(default_factory=dict)
    tokens: tuple[tuple[str, ...], ...] = ()
    alone: tuple[tuple[int, ...], ...] | None = None
    notes: tuple[str, ...] = ()
    rows: Mapping[str, Difference] = field(default_factory=dict)
    first: Difference | None = None
    holds: bool = True
    beside: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def against_of(compared: Compared | None, stage: str) -> Against | None:
    """What a stage is held against; None before anything was compared."""
    if compared is None:
        return None
    title, number = compared.title, compared.number
    if compared.itself:
        return Against(title, number, f"this run is {title} itself: compare it with another")
    if stage in compared.refused:
        return Against(title, number, compared.refused[stage])
    figures, verdict, beyond = _judged(compared, stage)
    return Against(title, number, "", compared.tokens, compared.alone, figures, verdict, beyond, compared.notes)


def _judged(compared: Compared, stage: str) -> tuple[tuple[str, ...], str, bool]:
    """Figures, verdict, and whether it is beyond tolerance."""
    row = compared.rows.get(stage)
    if row is None:
        return (), "", False
    if not compared.holds:
        return (), f"values have changed since: `compare {compared.title}` again for figures", False
    return _figures(row), _verdict(row, compared.first), row.beyond


def _figures(row: Difference) -> tuple[str, ...]:
    if not row.dtype:
        return (f"{row.differing:,} of {row.count:,} differ",)
    figures = [
        f"largest {row.largest:.3g}",
        f"mean {row.mean:.3g}",
        f"relative {row.relative:.3g}",
        f"{row.ulps:.3g} ulps",
    ]
    if row.added is not None and row.inherited is not None:
        figures += [f"added {row.added:.3g}", f"inherited {row.inherited:.3g}"]
    odd = ((row.nan, "NaN"), (row.inf, "infinite"), (row.hidden, "masked"))
    return (*(f"{count:,} {what} on one side" for count, what in odd if count), *figures)


def _verdict(row: Difference, first: Difference | None) -> str:
    if not row.differing and not row.unlike:
        said = "equal to the last bit"
    elif not row.beyond:
        said = f"within tolerance {row.tolerance:.2g}"
    elif row is first:
        return f"✗ the first stage beyond tolerance {row.tolerance:.2g}"
    else:
        said = f"✗ beyond tolerance {row.tolerance:.2g}"
    return f"{said}; first: {first.name} (D)" if first is not None else f"{said}; no stage is beyond"
