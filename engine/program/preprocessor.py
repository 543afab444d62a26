"""What made a text or an image into what goes in: the tokenizer, the image processor, or nobody here (ids, vectors)."""

from __future__ import annotations

from .tokens import PIXELS
from .trace import Trace

TOKENIZER, IMAGE_PROCESSOR, GIVEN = "tokenizer", "image processor", ""


def preprocessor(trace: Trace) -> str:
    """`TOKENIZER`, `IMAGE_PROCESSOR`, or `GIVEN` where nobody made it out of a text or an image."""
    if PIXELS in trace.program:
        return IMAGE_PROCESSOR
    ids = "tokens.ids" in trace.program
    return TOKENIZER if ids and not trace.original_tokens.from_ids else GIVEN


def whose_mask(trace: Trace) -> str:
    """What the mask is called that came with what goes in: `the tokenizer's mask`, `the given mask`."""
    return f"the {preprocessor(trace)}'s mask" if preprocessor(trace) else "the given mask"
