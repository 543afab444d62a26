"""What a head predicts: the likeliest words of one token, and the likeliest one of those around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..state.plane import Plane

if TYPE_CHECKING:
    from ...engine.analysis.prediction import Guess, Prediction
    from ...engine.commands.session import Session

Firsts = dict[tuple[int, ...], "Guess"]  # the likeliest word of a place

MOST_READ = 1 << 22  # numbers


@dataclass(frozen=True, slots=True, eq=False)
class WordsPicture:
    """What the view draws.

    Attributes:
        chosen: what is said of the row that is chosen.
        first, firsts: the likeliest word of each row from that one on.
        way: the stages that lead there, each with how many numbers a token has in it.
    """

    chosen: Prediction
    first: int
    firsts: tuple[Guess, ...]
    way: tuple[tuple[str, int], ...]


def read_words(
    session: Session, plane: Plane, shares: str, row: int, first: int, last: int, firsts: Firsts
) -> WordsPicture:
    """Read what is likeliest. Runs on the engine's thread.

    Args:
        shares: the stage of the probabilities, over the same places as the plane's.
        first, last: the rows whose likeliest word is wanted as well; of a huge vocabulary those nearest to `row`.
        firsts: the likeliest words that have been read before; others are put into it.
    """
    from ...engine.analysis.prediction import prediction_of, way_to

    session.see(shares)
    chosen = prediction_of(session.trace, shares, _place(plane, row))
    most = max(1, MOST_READ // max(1, chosen.count))
    first = max(first, min(row - most // 2, last - most))
    places = [_place(plane, at) for at in range(first, min(last, first + most))]
    for place in places:
        if place not in firsts:
            firsts[place] = prediction_of(session.trace, shares, place, 1).best[0]
    return WordsPicture(chosen, first, tuple(firsts[place] for place in places), way_to(session.trace, shares))


def _place(plane: Plane, row: int) -> tuple[int, ...]:
    return plane.cell(row, 0)[:-1]
