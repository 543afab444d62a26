"""The two products of attention, however they are written, and which of their dimensions are whose."""

from __future__ import annotations

from dataclasses import dataclass

from ..graph import TorchCall
from .dimensions import Dimension, core, einsum_letters, is_feature
from .flow import operand, operands
from .sides import Reading


@dataclass(frozen=True)
class LiveProduct:
    """A product of two live values.

    Attributes:
        call: what computes it.
        left, right: its operands.
        rows, columns: the places in the result of what only the left one has, and only the right one; counted from the end.
        within: the places in `left` of what is summed over, counted from the end.
        summed: what is summed over, of each.
        matrix: a matrix that is multiplied besides, in an einsum of three; "".
    """

    call: TorchCall
    left: str
    right: str
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    within: tuple[int, ...]
    summed: tuple[Dimension, Dimension]
    matrix: str = ""

    @property
    def name(self) -> str:
        """Of its result."""
        return self.call.name


def product(known: Reading, name: str) -> LiveProduct | None:
    """The product that a value is; None where it is none of two live values."""
    call = known.flow.call(name)
    if call is None:
        return None
    if call.word in ("matmul", "bmm", "baddbmm", "mm"):
        first = 1 if call.word == "baddbmm" else 0
        left, right = operand(call, first), operand(call, first + 1)
        if (
            not (known.flow.is_live(left) and known.flow.is_live(right))
            or min(len(known.dims[left]), len(known.dims[right])) < 2
        ):
            return None
        return LiveProduct(call, left, right, (-2,), (-1,), (-1,), (known.dims[left][-1], known.dims[right][-2]))
    return _einsum(known, call) if call.word == "einsum" else None


def _einsum(known: Reading, call: TorchCall) -> LiveProduct | None:
    letters, names = einsum_letters(call), operands(call)
    live = [place for place, name in enumerate(names) if known.flow.is_live(name)]
    if letters is None or len(live) != 2 or len(names) > 3:
        return None
    left, right = (letters[0][place] for place in live)
    rest = "".join(letters[0][place] for place in range(len(names)) if place not in live)
    made = letters[1]
    summed = [letter for letter in left if letter in right and letter not in made and letter not in rest]
    if len(summed) != 1 or any(len(set(each)) != len(each) for each in (*letters[0], made)):
        return None
    one, other = (known.dims[names[place]] for place in live)
    return LiveProduct(
        call, names[live[0]], names[live[1]],
        tuple(made.index(letter) - len(made) for letter in left if letter in made and letter not in right),
        tuple(made.index(letter) - len(made) for letter in right if letter in made and letter not in left),
        (left.index(summed[0]) - len(left),),
        (one[left.index(summed[0])], other[right.index(summed[0])]),
        "".join(names[place] for place in range(len(names)) if place not in live),
    )  # fmt: skip


def gives_scores(known: Reading, made: LiveProduct, key: int) -> tuple[str, str] | None:
    """Query and key of a product whose place `key` a softmax is taken over: rows and columns of tokens, summed over features.

    Returns:
        The operands that are query and key; None where it is no product of queries and keys.
    """
    dims = known.dims[made.name]
    if key in made.columns:
        query_of, key_of, queries = made.left, made.right, made.rows
    elif key in made.rows:
        query_of, key_of, queries = made.right, made.left, made.columns
    else:
        return None
    tokens = [dims[place] for place in (*queries, key)]
    if not queries or any(is_feature(dim) for dim in tokens) or not all(is_feature(dim) for dim in made.summed):
        return None
    return query_of, key_of


def takes_weights(known: Reading, made: LiveProduct, weights: str, key: int) -> str:
    """The values that a product weighs with weights over the dimension at `key`; "" where it is another product."""
    if made.left == weights and made.right != weights and made.within == (key,):
        value, summed = made.right, made.summed[1]
    elif made.right == weights and made.left != weights and made.call.word == "einsum":
        letters = einsum_letters(made.call)
        assert letters is not None
        of_weights = letters[0][operands(made.call).index(weights)]
        of_value = letters[0][operands(made.call).index(made.left)]
        if of_value[made.within[0]] != of_weights[key]:
            return ""
        value, summed = made.left, made.summed[0]
    else:
        return ""
    own = made.columns if value == made.right else made.rows  # what the values alone have: the features of each
    if (not made.matrix and not own) or not all(is_feature(known.dims[made.name][place]) for place in own):
        return ""
    return value if core(summed) == core(known.dims[weights][key]) or not is_feature(summed) else ""
