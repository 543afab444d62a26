"""Whose is what goes in: of the tokenizer, of the image processor, or given as it stands (ids, vectors)."""

from __future__ import annotations

from .tokens import PIXELS
from .trace import Trace

TOKENIZER, PROCESSOR, GIVEN = "tokenizer", "image processor", ""


def giver(trace: Trace) -> str:
    """`TOKENIZER`, `PROCESSOR`, or `GIVEN` where nobody made it out of a text or an image."""
    if PIXELS in trace.program:
        return PROCESSOR
    ids = "tokens.ids" in trace.program
    return TOKENIZER if ids and not trace.original_tokens.from_ids else GIVEN


def whose_mask(trace: Trace) -> str:
    """What the mask is called that came with what goes in: `the tokenizer's mask`, `the given mask`."""
    return f"the {giver(trace)}'s mask" if giver(trace) else "the given mask"
