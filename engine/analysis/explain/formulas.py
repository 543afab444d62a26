"""A stage's formula in a language: the words that operations write are English, and pairs in the files say them otherwise."""

from __future__ import annotations

import re
from functools import cache

from ...messages.translation import filled, pattern_of
from ...program.program import Program
from ...program.stage import Stage
from ...program.trace import Trace
from .texts import entries

# Names of functions are the same everywhere; a formula with no other words needs no translation.
FUNCTIONS = frozenset(
    {"softmax", "log", "exp", "gelu", "tanh", "relu", "silu", "sigmoid", "sin", "cos", "max", "min", "erf", "sqrt"}
)
_WORD = re.compile(r"[A-Za-z]{2,}")


def formulas(trace: Trace, name: str, language: str) -> tuple[str, str]:
    """The formula of a stage with names, and with this run's shapes; see `Trace.formulas`."""
    written, sized = trace.formulas(name)
    kind = trace.program[name].kind
    return in_language(written, kind, language), in_language(sized, kind, language)


def in_language(formula: str, kind: str, language: str) -> str:
    """`x = query cut into 4 heads` in another language; as it is, where no pair fits it."""
    if language == "en":
        return formula
    left, equals, right = formula.partition(" = ")
    return f"{left}{equals}{filled(right, _pairs(kind, language))}"


@cache
def _pairs(kind: str, language: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    """Those of the kind first, then all others: an operation may have another's words, and recordings know no kinds."""
    place, kinds = {"zh": 1}[language], entries()[1]
    data = [kinds.get(kind, {}), *(other for name, other in kinds.items() if name != kind)]
    return tuple((pattern_of(pair[0]), pair[place]) for entry in data for pair in entry.get("formulas", ()))


def untranslated(stage: Stage, program: Program, language: str) -> str:
    """The right-hand side of the formula, where it has words and no pair says them in that language; else ""."""
    count = len(stage.inputs) + len(stage.weights)
    try:
        written = stage.op.write(*(f"⟨{number}⟩" for number in range(count)))
    except (IndexError, KeyError, ValueError):
        written = stage.formula().partition(" = ")[2]
    words = {word.lower() for word in _WORD.findall(written)} - FUNCTIONS
    if language == "en" or not words or in_language(f"y = {written}", stage.kind, language) != f"y = {written}":
        return ""
    return written
