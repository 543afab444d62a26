"""Values whose axes have no names: which of them are texts and tokens, told by how long they are in a batch and for one text alone."""

from __future__ import annotations

from dataclasses import replace

from ...program.index import TOKEN_AXES
from ...program.stage import Shape, Stage

BATCH = "batch"
TOKENS = {0: (), 1: ("token",), 2: ("query", "key")}


def with_text_axes(stage: Stage, batch: Shape, single: Shape, sizes: Shape, tokens: int) -> Stage | None:
    """A stage with its axes of texts and tokens named; None where their lengths do not say which they are.

    An axis as long as there are texts, and 1 for a text alone, is of texts; one as long as the padded batch, and as the text without its
    padding, is of tokens. Every other one must be of one length in both, so that a batch laid out flat is none that can be told.

    Args:
        stage: of which a value is compared.
        batch, single: its shape in the batch, and for a text alone.
        sizes: (batch, token) of the batch.
        tokens: how many the text has alone.
    """
    if len(batch) != len(single) or stage.sequences:
        return None
    axes, of_tokens = list(stage.axes), list[int]()
    for at, (many, one) in enumerate(zip(batch, single, strict=True)):
        is_text, is_token = (many, one) == (sizes[0], 1), (many, one) == (sizes[1], tokens)
        if many == one:
            if axes[at] in TOKEN_AXES:
                return None
        elif is_text == is_token:  # neither, or it may be both
            return None
        elif is_text:
            axes[at] = BATCH
        else:
            of_tokens.append(at)
    if axes.count(BATCH) != 1 or len(of_tokens) not in TOKENS:
        return None
    for at, name in zip(of_tokens, TOKENS[len(of_tokens)], strict=True):
        axes[at] = name
    return replace(stage, axes=tuple(axes))
