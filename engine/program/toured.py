"""Whether a program has what the guided tour speaks of."""

from __future__ import annotations

from functools import lru_cache

from .program import Program
from .word_window import word_window_of

# What every stop may speak of, and how many axes it has; a module of somebody's own may lack it.
SPOKEN_OF = {"tokens.ids": 2} | {
    f"layers.0.attention.{part}": axes
    for part, axes in {"query": 3, "query_heads": 4, "scores": 4, "weights": 4, "context": 4, "residual": 3}.items()
}


@lru_cache(maxsize=4)
def is_toured(program: Program) -> bool:
    """Whether it is CBOW or skip-gram, or has a text and attention in heads to speak of."""
    if word_window_of(program) is not None:
        return True
    return all(name in program and len(program[name].axes) == axes for name, axes in SPOKEN_OF.items())
