"""Why a number is what it is: the terms it is the sum of, the operands they are made of, and how exactly they add up.

    explanation = explain(run, "layers.0.attention.scores", 'head=3, query="the", key="cross"')
    print(write_why(explanation))

`program.explanation` is the data; each operation makes it of an element of its own (`ops`, whose `element` says what it may ask),
`explain` finds the operation, and `writing` puts it in words. Nothing here needs torch, so recordings are explained as well, as
far as no weights are needed.
"""

from ...program.explanation import Explanation, NamedSum, Operand, Row, Term, Terms
from .explain import explain
from .writing import exactness, write_count, write_culprit, write_why

__all__ = [
    "Explanation", "NamedSum", "Operand", "Row", "Term", "Terms", "exactness", "explain", "write_count", "write_culprit", "write_why",
]  # fmt: skip
