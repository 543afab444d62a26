"""Bars of block characters."""

from __future__ import annotations

from collections.abc import Sequence

EIGHTHS = " ▁▂▃▄▅▆▇█"
LEFT_EIGHTHS = " ▏▎▍▌▋▊▉█"


def columns(counts: Sequence[int], height: int) -> list[str]:
    """A histogram in `height` lines, one column a count, from the top; what is not zero is always seen."""
    most = max(counts, default=0)
    if not most or height <= 0:
        return [" " * len(counts)] * max(0, height)
    eighths = [max(1, round(count * height * 8 / most)) if count else 0 for count in counts]
    stacks = [("█" * (size // 8) + EIGHTHS[size % 8]).ljust(height + 1)[:height] for size in eighths]
    return ["".join(line) for line in zip(*stacks, strict=True)][::-1]


def across(share: float, width: int) -> str:
    """A bar of that share (0 to 1) of `width` cells, padded to it."""
    eighths = round(max(0.0, min(1.0, share)) * width * 8)
    full, part = divmod(eighths, 8)
    return ("█" * full + (LEFT_EIGHTHS[part] if part else "")).ljust(width)
