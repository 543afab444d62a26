"""What there is to say of a stage beside its reference, before a number of either is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...engine.program.faces import faces_along
from ...engine.program.index import TOKEN_AXES

if TYPE_CHECKING:
    from ...engine.analysis.compare import Difference
    from ...engine.program.index import Along
    from ...engine.program.stage import Stage


StringsOfTexts = tuple[tuple[str, ...], ...]  # [batch][token]
PlacesOfTexts = tuple[tuple[int, ...], ...]
StringsOfAxes = tuple[tuple[str, StringsOfTexts], ...]
PlacesOfAxes = tuple[tuple[str, PlacesOfTexts], ...]


@dataclass(frozen=True, slots=True)
class Against:
    """What a stage is held against, and how it stands.

    Attributes:
        title: the reference, as it was typed; number: how many were compared before, and it.
        refused: why this stage cannot be compared; "" when it can.
        tokens: labels of places along each axis over tokens: both tokens where they differ.
        alone: along each such axis, for each text, places of tokens that have no partner; None where all have.
        figures: largest, mean and relative difference and so on, the most important first.
        verdict: whether it is beyond tolerance, and which stage is the first that is.
        beyond: whether it is.
        notes: what was paired though different, what has no partner.
    """

    title: str
    number: int
    refused: str = ""
    tokens: StringsOfAxes = ()
    alone: PlacesOfAxes | None = None
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
        tokens, alone: as in `Against`, by sequence.
        notes: as there.
        rows: the figures of every stage; first: the first stage beyond tolerance.
        holds: whether they were taken of the values as they are now.
        beside: what each stage has besides its value by the comparison, `STAGE@difference`, and of which dtype.
    """

    title: str
    number: int
    itself: bool = False
    refused: Mapping[str, str] = field(default_factory=dict[str, str])
    tokens: Mapping[str, StringsOfTexts] = field(default_factory=dict[str, StringsOfTexts])
    alone: Mapping[str, PlacesOfTexts] | None = None
    notes: tuple[str, ...] = ()
    rows: Mapping[str, Difference] = field(default_factory=dict[str, "Difference"])
    first: Difference | None = None
    holds: bool = True
    beside: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, Mapping[str, str]])


def strings_of(along: Along, axes: Sequence[str]) -> StringsOfAxes:
    """What tokens along axes are called on screen, as a value that can be told from others."""
    return tuple((axis, tuple(map(tuple, faces_along(along[axis])))) for axis in axes if axis in along)


def against_of(compared: Compared | None, stage: Stage) -> Against | None:
    """What a stage is held against; None before anything was compared."""
    if compared is None:
        return None
    title, number = compared.title, compared.number
    if compared.itself:
        return Against(title, number, f"this run is {title} itself: compare it with another")
    if stage.name in compared.refused:
        return Against(title, number, compared.refused[stage.name])
    figures, verdict, beyond = _judged(compared, stage.name)
    axes = {axis: stage.sequence_along(axis) for axis in stage.axes if axis in TOKEN_AXES}
    tokens = tuple((axis, compared.tokens[name]) for axis, name in axes.items())
    lonely = compared.alone
    alone = None if lonely is None else tuple((axis, lonely[name]) for axis, name in axes.items())
    return Against(title, number, "", tokens, alone, figures, verdict, beyond, compared.notes)


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
    none = row.count > 0 and not row.compared
    figures = [
        "largest -" if none else f"largest {row.largest:.3g}",
        "mean -" if none else f"mean {row.mean:.3g}",
        f"relative {row.relative:.3g}",
        f"{row.ulps:.3g} ulps",
    ]
    if row.added is not None and row.inherited is not None:
        figures += [f"added {row.added:.3g}", f"inherited {row.inherited:.3g}"]
    odd = ((row.nan, "NaN"), (row.inf, "infinite"), (row.hidden, "masked"))
    some = (f"{row.compared:,} of {row.count:,} compared",) if row.unlike or row.lost or none else ()
    return (*(f"{count:,} {what} on one side" for count, what in odd if count), *some, *figures)


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
