"""What can be wrong with a mask: with the tokenizer's, with what is added to scores, and with what became of the scores.

`break unexpected` asks where a mask was put there by hand or recorded, and the checks ask everywhere: one judgement for both.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from ...program.arrays import Array
from ...program.dtypes import FLOATS
from ...program.preprocessor import whose_mask
from ...program.stage import MAIN, Stage
from ...program.trace import LiveTrace, Trace
from ...program.value import Value
from ..cancel import never
from .fault import Fault
from .patterns import Pattern
from .query_blocks import HIDES, MaskSums, Stopped, pairs, windows

# exp(-x) is 0 in these dtypes from here on; softmax of half precision is computed in float32 and rounded to it.
PADDING_WORDS = ("[PAD]", "<pad>", "<|pad|>", "[pad]")


def mask_name(sequence: str) -> str:
    """The stage that the mask of a sequence goes in at: `tokens.mask`."""
    return f"{sequence}.mask"


def real_tokens(trace: Trace, sequence: str = MAIN) -> Array:
    """Where the tokenizer says that a token stands: (batch, token) of a sequence."""
    return np.asarray(trace.original_inputs.sequences[sequence].mask != 0)


def real_along(trace: Trace, stage: Stage, axis: str) -> Array:
    """Where a token stands along an axis of a stage over tokens: (batch, token)."""
    return real_tokens(trace, stage.sequence_along(axis))


def blind_texts(trace: Trace, sequence: str = MAIN) -> frozenset[int]:
    """Texts all of whose keys are masked by what was given for the sequence's mask: that is told there, and all else follows from it."""
    name = mask_name(sequence)
    if name not in trace.program or not trace.has(name):
        return frozenset()
    return frozenset(np.flatnonzero(~(trace.value(name).read() != 0).any(axis=1)).tolist())


def token_faults(trace: Trace, sequence: str = MAIN) -> list[Fault]:
    """The tokenizer's own mask, and what the program was given for it; of `tokens.mask`, or another sequence's."""
    tokens, real = trace.original_inputs.sequences[sequence], real_tokens(trace, sequence)
    name = mask_name(sequence)
    whose = whose_mask(trace)
    faults: list[Fault] = []
    for row, words in enumerate(tokens.strings):
        for at in [at for at, word in enumerate(words) if word in PADDING_WORDS and real[row, at]][:1]:
            said = f"{whose} is 1 at the padding token {words[at]!r}"
            faults.append(Fault(said, (row, at), "tokenizer", row, "mask padding with 0 where the text is tokenised"))
        if not real[row].any():
            faults.append(_all_masked(row, f"{whose} is 0 at each"))
    if name in trace.program and trace.has(name):
        faults += _given(np.asarray(trace.value(name).read() != 0), real, whose)
    return faults


def _all_masked(row: int, why: str) -> Fault:
    said = f"every key of text {row} is masked, {why}: its rows of attention mean nothing"
    return Fault(said, (row, None), "nothing seen", row, "leave the text out, or let it see at least one token")


def _given(given: Array, real: Array, whose: str) -> Iterator[Fault]:
    """The mask that went in beside the one that came with the tokens."""
    apart = given != real
    for row in sorted(np.flatnonzero(apart.any(axis=1)), key=lambda row: real[row].sum()):  # the most padded first
        at = int(np.flatnonzero(apart[row])[0])
        if not given[row].any():
            yield _all_masked(int(row), f"and {whose} shows {int(real[row].sum())}")
        elif (given[row] == ~real[row]).all():
            said = f"it is {whose} turned around: 1 at padding, 0 at real tokens"
            yield Fault(said, (int(row), None), "inverted", int(row), "1 means a token that is to be seen")
        else:
            count, kind = int(apart[row].sum()), "padding seen" if given[row, at] else "hidden token"
            said = f"it is {int(given[row, at])} where {whose} says {int(not given[row, at])}, at {count} tokens"
            yield Fault(said, (int(row), at), kind, int(row), f"give the program {whose}")


# -- the mask ----------------------------------------------------------------------------------------------------


def mask_faults(trace: Trace, stage: Stage, sums: MaskSums | None = None, stopped: Stopped = never) -> list[Fault]:
    """A mask (batch, head, query, key), added to scores or of pairs, beside the tokenizer's.

    Args:
        sums: what it does, where it has been counted.
    """
    value, real, asking = trace.value(stage.name), real_along(trace, stage, "key"), real_along(trace, stage, "query")
    sums = sums or MaskSums.of(value, asking, stopped)
    if sums.nan:
        place = (None,) * len(value.shape)
        return [Fault(f"{sums.nan:,} numbers are NaN", place, "not a number", None, "see where it was made: `why`")]
    pattern, blind = Pattern.of(stage), blind_texts(trace, stage.sequence_along("key"))
    if pattern is not None:
        faults = [fault for fault in _pattern(value, pattern, real, stopped) if fault.row not in blind]
    else:
        rows = np.argsort(real.sum(axis=1), kind="stable")  # the most padded first
        each = (
            _polarity(value, sums, int(row), real[row], asking[row], mask_name(stage.sequence_along("key")))
            for row in rows
            if real[row].any() and int(row) not in blind
        )
        faults = [fault for fault in each if fault is not None]
    if not faults and value.dtype in FLOATS and sums.weakest > -FLOATS[value.dtype].vanishes and sums.bottom < HIDES:
        said = f"{sums.weakest:.6g} is too small a number to hide a key in {value.dtype}, whatever the scores"
        faults.append(Fault(said, sums.weakest_at or (), "too small", None, _least(value)))
    return faults


def _least(value: Value) -> str:
    return f"add torch.finfo(torch.{value.dtype}).min"


def _pattern(value: Value, pattern: Pattern, real: Array, stopped: Stopped) -> Iterator[Fault]:
    """A causal or local mask: what it hides is known for every pair."""
    for apart in pattern.apart(value, real, stopped):
        padding = apart.shown and not real[apart.text, apart.place[-1]]
        kind = "padding seen" if padding else "seen" if apart.shown else "hidden token"
        said = (
            f"it {'shows' if apart.shown else 'hides'} what it should {'hide' if apart.shown else 'show'}: "
            f"{apart.count:,} pairs of query and key are not as they are meant"
        )
        yield Fault(said, apart.place, kind, apart.text, f"a mask that is {pattern.write()}")


def _polarity(value: Value, sums: MaskSums, row: int, real: Array, asking: Array, given: str) -> Fault | None:
    """What is wrong with how the keys of a text are hidden from its real tokens; None for nothing.

    Args:
        real: which keys are real tokens; asking: which queries; given: the stage that says so of the keys.
    """
    at_row = min(row, len(sums.by_key) - 1)
    queries, keys = int(sums.queries[at_row]), len(real)
    if not queries:  # padding alone asks, and nobody reads what it sees
        return None
    by_key, by_query = sums.by_key[at_row], sums.by_query[at_row]
    told_apart = len(by_query) == len(asking)  # else one row of keys stands for all queries
    first_query = int(np.flatnonzero(asking)[0]) if told_apart and asking.any() else 0
    padded = np.flatnonzero(~real)

    def fault(said: str, kind: str, key: int | None, remedy: str) -> Fault:
        place = (at_row, 0, first_query, key) if key is not None else (at_row, None, None, None)
        return Fault(said, place, kind, row, remedy)

    if not pairs(value) and sums.top > 0 and not sums.bottom < HIDES:
        said = f"it adds up to {sums.top:.4g} and never takes away: the 0/1 mask itself was added, and hides nothing"
        remedy = "add (1 - mask) times the dtype's minimum: torch.finfo(dtype).min"
        return fault(said, "inverted", int(padded[0]) if len(padded) else None, remedy)
    if (by_key == queries).all():
        said = f"every key of text {row} is masked, though {given} shows {int(real.sum())} of them"
        return fault(said, "nothing seen", 0, "leave each query at least one key, itself for instance")
    if len(padded) and (by_key[real] == queries).all() and not by_key[~real].any():
        said = f"it is inverted: it hides the {int(real.sum())} real tokens and shows the {len(padded)} of padding"
        return fault(said, "inverted", int(np.flatnonzero(real)[0]), "add 0 where the tokenizer's mask is 1")
    turned = told_apart and not asking.all() and (by_query[~asking] == keys).all() and not by_query[asking].any()
    if len(padded) and turned:
        said = "it hides padded queries (rows) instead of padded keys (columns): real tokens look at padding"
        remedy = "mask along the last axis: mask[:, None, None, :], not mask[:, None, :, None]"
        return fault(said, "query axis", int(padded[0]), remedy)
    if (by_key[~real] < queries).any():
        key = int(padded[np.flatnonzero(by_key[~real] < queries)[0]])
        said = f"padding is not hidden from {queries - int(by_key[key])} of {queries} queries"
        return fault(said, "padding seen", key, "hide every padded key from every query")
    idle = (by_query == keys) & asking if told_apart else by_query == keys
    if idle.any():
        said = f"queries that have nothing to look at, their keys all hidden: {int(idle.sum())}"
        place = (at_row, 0, int(np.flatnonzero(idle)[0]), 0)
        return Fault(said, place, "nothing seen", row, "leave each query at least one key, itself for instance")
    unseen = np.flatnonzero(real & (by_key == queries))
    if len(unseen):
        said = f"real tokens that are hidden from every query: {len(unseen)}"
        return fault(said, "hidden token", int(unseen[0]), "a real token should be seen by someone")
    return None


# -- masked scores -----------------------------------------------------------------------------------------------


def masked_fault(trace: Trace, stage: Stage, stopped: Stopped = never) -> Fault | None:
    """Whether the mask has reached the scores: nothing may be left of a padded key beside the best of its row.

    A key that stands as low as only a mask puts it is hidden, whatever became of the others: beside scores that have overflowed
    to minus infinity, or are all masked as well, it is no longer far below, and that is no fault of the mask.
    """
    value, real, asking = trace.value(stage.name), real_along(trace, stage, "key"), real_along(trace, stage, "query")
    dtype = FLOATS.get(value.dtype, FLOATS["float32"])
    vanishes, masked = dtype.vanishes, dtype.lowest / 2
    for row in np.flatnonzero(real.any(axis=1) & ~real.all(axis=1)):
        padded = np.flatnonzero(~real[row])
        for _, start, window in windows(value, stopped, int(row)):
            asks = np.flatnonzero(asking[row, start : start + window.shape[2]])
            scores = window[0][:, asks].astype(np.float64)  # (head, real query, key)
            best = np.where(np.isnan(scores), -np.inf, scores).max(axis=-1, initial=-np.inf)[..., None]
            with np.errstate(invalid="ignore"):
                beside = scores[..., padded] - best > -vanishes
                shown = np.argwhere(beside & (scores[..., padded] > masked))
            if len(shown):
                head, query, key = (int(part) for part in shown[0])
                place = (int(row), head, start + int(asks[query]), int(padded[key]))
                number = float(scores[head, query, padded[key]])
                said = f"padded keys are not hidden: their scores go on as {number:.6g}"
                remedy = (
                    "the mask belongs onto the scores before the softmax: see whether it was added, and what it adds"
                )
                return Fault(said, place, "padding seen", int(row), remedy)
    return None


# -- positions ---------------------------------------------------------------------------------------------------


def shared_positions(trace: Trace) -> list[Fault]:
    """Real tokens that positions take for padding, of RoBERTa and its like, where padding itself has another id."""
    stage = next((one for one in trace.program if one.kind == "PositionsAfterPadding"), None)
    if stage is None:
        return []
    tokens, real = trace.inputs.sequences[stage.sequence], real_tokens(trace, stage.sequence)
    padding, ids = int(stage.options.get("padding", -1)), tokens.ids
    wrong = (ids == padding) & real
    others = ids[~real & (ids != padding)]
    if not wrong.any() or not others.size:  # the id of padding may stand in a text as well: it is the reference's way
        return []
    row, at = (int(part) for part in np.argwhere(wrong)[0])
    count, word = int(wrong.sum()), tokens.strings[row][at]
    who = f"{count} real tokens have" if count != 1 else "a real token has"
    said = f"{who} the padding's position {padding}: its id {padding}, {word!r}, is what the config calls padding, and padding here is {int(others[0])}"
    return [Fault(said, (row, at), "position", row, "let the config's pad_token_id be the tokenizer's")]


def by_hand(trace: Trace, *names: str) -> bool:
    """Whether any of these values is no result of our own operations: put there by hand, or recorded."""
    return not isinstance(trace, LiveTrace) or not trace.patched.isdisjoint(names)


def _finite_but_lowest(value: Value) -> Fault | None:
    """Plus infinity in a value in which minus infinity hides."""
    wrong = np.argwhere(np.asarray(value.read()) == math.inf)
    if not len(wrong):
        return None
    first = tuple(int(at) for at in wrong[0])
    where = ", ".join(f"{axis}={at}" for axis, at in zip(value.axes, first, strict=True))
    return Fault(f"{len(wrong):,} of {value.size:,} numbers are infinite, the first at [{where}]", first, "infinite")


def finite_or_hidden(trace: Trace, stage: Stage, value: Value) -> Fault | None:
    """Infinities where no mask put them: at masked scores whose mask hides nothing there, and +inf anywhere."""
    if len(value.shape) != 4:  # of one head, or a mask before it has axes for heads
        return _finite_but_lowest(value)
    mask = trace.value(stage.inputs[1]) if stage.card.hides and trace.has(stage.inputs[1]) else None
    count, first = 0, None
    for row, start, window in windows(value, never):
        if mask is None:
            wrong = window == math.inf
        else:
            rows = slice(row, row + len(window)) if mask.shape[0] > 1 else slice(0, 1)
            asks = slice(start, start + window.shape[2]) if mask.shape[2] > 1 else slice(0, 1)
            put = np.asarray(mask.read((rows, slice(None), asks)))
            wrong = np.isinf(window) & ~((window < 0) & (put < HIDES))
        if wrong.any():
            count += int(wrong.sum())
            if first is None:
                text, head, query, key = (int(at) for at in np.argwhere(wrong)[0])
                first = (row + text, head, start + query, key)
    if first is None:
        return None
    where = ", ".join(f"{axis}={at}" for axis, at in zip(value.axes, first, strict=True))
    said = f"{count:,} of {value.size:,} numbers are infinite where no mask hides, the first at [{where}]"
    return Fault(said, first, "infinite")
