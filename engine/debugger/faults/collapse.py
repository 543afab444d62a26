"""Collapse: all tokens of a text, or all texts, have the same vector at a stage where they differ at its input.

A norm whose gain is dead, a matrix of zeros, units that are all off do that, and every number is finite all the same. Whether it
is so is mostly settled by one number of two tokens that are known to differ; whole rows are read where that is equal.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from weakref import ref

import numpy as np

from ...program.arrays import Array
from ...program.inputs import Inputs
from ...program.program import Program
from ...program.rows import same_rows
from ...program.stage import Stage
from ...program.tokens import PIXELS, VECTORS, Tokens
from ...program.trace import LiveTrace, Trace
from .fault import Fault
from .masks import mask_name

RowIndex = tuple[int, ...]
# Vectors of fewer numbers may be equal by chance in half precision.
FEWEST = 8
# From here on a row of weights is one key's alone, and every query may well look at the same.
SATURATED = 0.999
TOKENS, CONTEXT, TEXTS = "tokens", "context", "texts"
NO_FEATURES = ("label", "rank", "token", "place", "query", "key", "vocabulary")


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be known of a trace: what could collapse where, and places that differ in what goes in.

    Where those differ still, nothing has collapsed.

    Attributes:
        trace, program, inputs: what it speaks of.
        roles: for each stage where something could collapse, what: `TOKENS`, `CONTEXT`, `TEXTS`.
        pairs: for `TOKENS` and `CONTEXT` and each sequence, for each text that has two different tokens: the text, and the rows
            of those two.
        texts: two texts that differ; None where there are none.
    """

    trace: ref[Trace]
    program: ref[Program]
    inputs: Inputs
    roles: dict[str, str]
    pairs: dict[tuple[str, str], tuple[tuple[int, RowIndex, RowIndex], ...]]
    texts: tuple[int, int] | None

    @classmethod
    def of(cls, trace: Trace) -> Asked:
        """Find out."""
        known = _asked is not None and _asked.program() is trace.program
        roles = _asked.roles if known and _asked else _roles(trace.program)
        pairs: dict[tuple[str, str], tuple[tuple[int, RowIndex, RowIndex], ...]] = {}
        for name, sequence in trace.inputs.sequences.items():
            unlike = tuple(_unlike_tokens(trace, sequence))
            pairs[TOKENS, name] = tuple((text, (text, one), (text, other)) for text, one, other in unlike)
            pairs[CONTEXT, name] = tuple((text, (text, 0, one), (text, 0, other)) for text, one, other in unlike)
        return cls(ref(trace), ref(trace.program), trace.inputs, roles, pairs, _unlike_texts(trace))


_asked: Asked | None = None  # of the trace that was asked last: a scan asks at every stage


def collapse(trace: Trace, stage: Stage) -> Fault | None:
    """Whether all tokens of a text, or all texts, come out of a stage the same and went into it different."""
    global _asked
    asked = _asked
    if asked is None or asked.trace() is not trace or asked.inputs is not trace.inputs:
        asked = _asked = Asked.of(trace)
    role = asked.roles.get(stage.name)
    # A sum of our own tells apart what its parts do, and they were asked before it; one that was put there need not.
    if role is None or (stage.card.adds_inputs and isinstance(trace, LiveTrace) and not trace.patched):
        return None
    if role == TEXTS:
        return _texts(trace, stage, asked.texts) if asked.texts else None
    same: list[int] = []
    for text, one, other in asked.pairs[role, stage.sequence]:
        if not trace.apart(stage.name, one, other) and _collapsed(trace, stage, role, text):
            same.append(text)
    return _said(trace, stage, role, same) if same else None


def _roles(program: Program) -> dict[str, str]:
    return {stage.name: role for stage in program if (role := _role(program, stage))}


def _role(program: Program, stage: Stage) -> str:
    """What could collapse at a stage; "" for nothing."""
    axes, kind = stage.axes, stage.kind
    if kind == "Context" and len(axes) == 4:
        return CONTEXT
    if stage.card.may_be_alike or len(axes) not in (2, 3) or axes[0] != "batch" or axes[-1] in NO_FEATURES:
        return ""
    if kind == "Lookup" and stage.inputs != (
        f"{stage.sequence}.ids",
    ):  # segments and positions may well be told apart by nothing
        return ""
    if not any(program[name].axes[:1] == ("batch",) for name in stage.inputs):
        return ""
    return TEXTS if len(axes) == 2 else TOKENS if axes[1] == "token" else ""


def _what_differs(tokens: Tokens) -> Array:
    """What tells tokens apart: their ids, or the vectors that were given: (batch, token, number)."""
    return tokens.arrays.get(VECTORS, tokens.ids[..., None])


def _unlike_tokens(trace: Trace, tokens: Tokens) -> Iterator[tuple[int, int, int]]:
    what = _what_differs(tokens)
    for text, mask in enumerate(tokens.mask):
        real = np.flatnonzero(mask)
        if PIXELS in trace.program:
            if len(real) > 1:
                yield text, int(real[0]), int(real[-1])
            continue
        others = (what[text] != what[text, real[:1]]).any(axis=-1) & (mask != 0)  # none where no token stands
        if others.any():
            yield text, int(real[0]), int(others.argmax())


def _unlike_texts(trace: Trace) -> tuple[int, int] | None:
    tokens = trace.tokens
    what, whole = _what_differs(tokens), tokens.arrays.get(PIXELS)
    for text in range(1, len(tokens.mask)):
        if whole is not None:
            unlike = bool((whole[text] != whole[0]).any())
        else:
            mine, first = what[text][tokens.mask[text] != 0], what[0][tokens.mask[0] != 0]
            unlike = mine.shape != first.shape or bool((mine != first).any())
        if unlike and tokens.mask[text].any() and tokens.mask[0].any():
            return 0, text
    return None


# -- whole rows ---------------------------------------------------------------------------------------------------


def _rows(trace: Trace, name: str, text: int) -> Array | None:
    """What a stage holds of each real token of a text, a row each; None where it does not hold tokens."""
    stage, value = trace.program[name], trace.value(name)
    axes = stage.axes
    along = next((at for at, axis in enumerate(axes) if axis in ("token", "query")), None)
    if axes[:1] != ("batch",) or along is None or not trace.has(name):
        return None
    mask = trace.inputs.sequences[stage.sequence_along(axes[along])].mask
    if value.shape[along] != mask.shape[1]:
        return None
    window = np.moveaxis(np.asarray(value.read((min(text, value.shape[0] - 1),))), along - 1, 0)
    return window[mask[text] != 0].reshape(int((mask[text] != 0).sum()), -1)


def _collapsed(trace: Trace, stage: Stage, role: str, text: int) -> bool:
    """Whether a text's tokens have the same vector at a stage, and not at what it is made from."""
    rows = _rows(trace, stage.name, text)
    if rows is None or len(rows) < 2 or rows.shape[1] < FEWEST or not same_rows(rows, trace.value(stage.name).dtype):
        return False
    return bool(_blind(trace, stage, text) if role == CONTEXT else _before(trace, stage, text))


def _before(trace: Trace, stage: Stage, text: int) -> str:
    """The first input at which a text's tokens differ; "" where there is none."""
    masks = {mask_name(sequence) for sequence in trace.inputs.sequences}
    for name in stage.inputs:
        rows = _rows(trace, name, text)
        if rows is not None and name not in masks and not same_rows(rows, trace.value(name).dtype):
            return name
    return ""


def _blind(trace: Trace, stage: Stage, text: int) -> bool:
    """Whether attention gives every query the same mixture of different values, and not one key's value alone."""
    weights, values = stage.inputs[:2]
    given, held = _rows(trace, weights, text), _rows(trace, values, text)
    if given is None or held is None or same_rows(held, trace.value(values).dtype):
        return False
    return same_rows(given, trace.value(weights).dtype) and float(given.max()) < SATURATED


def _texts(trace: Trace, stage: Stage, unlike: tuple[int, int]) -> Fault | None:
    if trace.apart(stage.name, unlike[:1], unlike[1:]):
        return None
    value = trace.value(stage.name)
    masks = {mask_name(sequence) for sequence in trace.inputs.sequences}
    shown = np.asarray(trace.tokens.mask.any(axis=1))
    if value.shape[0] != len(shown) or value.shape[1] < FEWEST:
        return None
    if not same_rows(np.asarray(value.read())[shown], value.dtype):
        return None
    for name in stage.inputs:
        source = trace.value(name)
        if name in masks or source.shape[0] != len(shown) or not trace.has(name):
            continue
        if not _same_texts(trace, name, unlike):
            said = f"all {int(shown.sum())} texts have the same vector; they differ at {name}"
            return Fault(said, (None,) * len(value.shape), "collapse")
    return None


def _same_texts(trace: Trace, name: str, unlike: tuple[int, int]) -> bool:
    """Whether two texts are the same at a stage, as far as both have tokens there."""
    one, other = (np.asarray(trace.value(name).read((text,))) for text in unlike)
    tokens = trace.inputs.tokens_along(trace.program[name], "token")
    if tokens is not None and one.shape[0] == tokens.mask.shape[1]:
        both = (tokens.mask[list(unlike)] != 0).all(axis=0)
        one, other = one[both], other[both]
    return same_rows(np.stack([one.ravel(), other.ravel()]), trace.value(name).dtype)


def _said(trace: Trace, stage: Stage, role: str, same: list[int]) -> Fault:
    """The fault, in words: whose tokens."""
    count = len(trace.tokens.mask)
    whose = "" if count == 1 else f" (all {count} texts)" if len(same) == count else f" of text {same[0]}"
    source = stage.inputs[1] if role == CONTEXT else _before(trace, stage, same[0])
    row = None if len(same) == count else same[0]
    place = (row, *(None for _ in trace.shapes[stage.name][1:]))
    return Fault(f"all tokens{whose} have the same vector; they differ at {source}", place, "collapse", row)
