"""What of a checkpoint is stored and not used, as people know it: a layer, a head, a tower, rather than a number of tensors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# Buffers, and what training leaves beside the weights: no one misses them.
SILENT = re.compile(
    r"(^|\.)(position_ids|token_type_ids|inv_freq|num_batches_tracked|masked_bias|logit_scale)$|^(optimizer|lr_scheduler|rng)"
)
LAYER = re.compile(r"(.*)\.(\d+)")
MOST_NAMED = 8


@dataclass(frozen=True, slots=True)
class Leftover:
    """A module that is stored and not used, none of whose parents is wholly unused.

    Attributes:
        name: as it is stored: `encoder.layer.5`.
        count: how many tensors it has.
    """

    name: str
    count: int

    def __str__(self) -> str:
        return f"{self.name} ({self.count} tensors)" if self.count > 1 else self.name


def leftovers(unused: Iterable[str], used: Iterable[str]) -> list[Leftover]:
    """The largest modules of which nothing is used.

    Args:
        unused, used: names of stored tensors.
    """
    kept = {front for name in used for front in _fronts(name)}
    counts: dict[str, int] = {}
    for name in unused:
        if not SILENT.search(name):
            module = next((front for front in _fronts(name) if front not in kept), name)
            counts[module] = counts.get(module, 0) + 1
    return [Leftover(name, count) for name, count in counts.items()]


def _fronts(name: str) -> list[str]:
    """`a`, `a.b`, `a.b.weight` of `a.b.weight`."""
    parts = name.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts) + 1)]


def leftover_lines(leftovers: Sequence[Leftover], layers: int) -> list[str]:
    """A line of layers beyond those that are run, and one of everything else.

    Args:
        leftovers: what is left over.
        layers: how many the program has.
    """
    beyond = [left for left in leftovers if (place := LAYER.fullmatch(left.name)) and int(place[2]) >= layers]
    rest = [left for left in leftovers if left not in beyond]
    lines: list[str] = []
    if beyond:
        lines.append(
            f"{_named(beyond)} {_are(beyond)} stored and not used: the config says {layers} layer{'s' * (layers != 1)}"
        )
    if rest:
        lines.append(f"{_named(rest)} {_are(rest)} stored and not used")
    return lines


def _are(leftovers: Sequence[Leftover]) -> str:
    return "is" if len(leftovers) == 1 else "are"


def _named(leftovers: Sequence[Leftover]) -> str:
    shown = ", ".join(map(str, leftovers[:MOST_NAMED]))
    shown = shown if shown.isprintable() else repr(shown)[1:-1]
    return shown + (f" and {len(leftovers) - MOST_NAMED} more" if len(leftovers) > MOST_NAMED else "")
