"""What is known of an operation besides its numbers: a card, which stands in its class and serves recordings as well.

Whoever treats operations apart (a cost, a bound, what may be wrong with a value) asks `stage.card`, never what class an
operation is of: so a new operation says everything about itself in its own file, and a recording, which has no classes, is
read by the names that its stages were given.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Products(Enum):
    """Over what one element of a product of matrices is a sum."""

    ROW = "the last axis of the first input"
    WEIGHT = "all axes but the first of the first weight"


@dataclass(frozen=True, slots=True)
class Card:
    """What is known of an operation. Whatever is not said is taken the careful way: looked at, counted and read.

    Attributes:
        moves: every number of the result stands in an input, elsewhere: what is wrong with one was wrong before.
        given: it is brought from outside and not computed.
        whole_numbers: the result is int64, rather than of the run's dtype.
        takes_no_memory: another view of numbers that are there already, or never built; unless its options say `apart` or
            `copied`.
        elementwise: each number is rounded once, however much goes in.
        products: of matrices, if it multiplies any.
        factors: of which numbers of two matrices one of the result is the sum of products, as `einsum` writes it; the matrices
            are its first two inputs, or its input and its first weight; where it looks up, the one-hot rows stand first.
        scales: each number is that of its input times one number of the program.
        joins: an axis of its input whose parts stand side by side along its last: `head`.
        single: it goes through float32 in float64 as well, unless its options say `fused`.
        keeps_order: the largest number of the result is made of the largest of its input, and the least of the least.
        may_be_infinite: minus infinity may stand in it, where it hides.
        shares: rows are distributions: from 0 to 1, with the sum 1.
        standardised: rows have mean 0 and deviation 1 before the weights.
        mask: it says which keys a query may see.
        hides: it puts its second input, a mask, upon its first.
        by_position: each row follows from one position alone, by a formula: there is a whole table of them, learned or not.
        turns: by the position itself, while what follows depends on distances alone.
        counts: of what goes in, it looks only at how much there is.
        adds_inputs: the result tells apart what the inputs do.
        may_be_alike: tokens, or texts, may well come out of it the same where they went in different.
        looks_up: its input says which rows of its weight are meant.
        weight_axes: of its first weight; () for what `axes_of_weight` makes of the stage.
    """

    moves: bool = False
    given: bool = False
    whole_numbers: bool = False
    takes_no_memory: bool = False
    elementwise: bool = False
    products: Products | None = None
    factors: str = ""
    scales: bool = False
    joins: str = ""
    single: bool = False
    keeps_order: bool = False
    may_be_infinite: bool = False
    shares: bool = False
    standardised: bool = False
    mask: bool = False
    hides: bool = False
    by_position: bool = False
    turns: bool = False
    counts: bool = False
    adds_inputs: bool = False
    may_be_alike: bool = False
    looks_up: bool = False
    weight_axes: tuple[str, ...] = ()


UNKNOWN = Card()
TABLE = (
    "table"  # stands after the `@` of what a stage with `by_position` has besides its value: its rows for all positions
)
KEPT = "kept"  # the same of a value of which only the first numbers along each axis were kept: those
