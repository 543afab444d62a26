"""Other tokens: ids that are shifted, special tokens that are missing, padding on the other side, another case, a text that is cut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ....program.inputs import Inputs
from ....program.stage import MAIN
from ....program.tokens import Tokens
from ..case import Case
from ..edit import Edit
from ..hypothesis import Hypothesis, only_at
from ..otherwise import Otherwise, op_of, plainly
from .positions import nearest_rows

IdsOfText = npt.NDArray[np.int64]
FEW = 3
SHIFTS = (1, -1, 2, -2)


def token_ids(case: Case) -> Iterator[Hypothesis]:
    """Our run with the tokens of theirs, and with what theirs looked up."""
    mine, other = case.ours.original_inputs.tokens, case.theirs.original_inputs.tokens
    if mine.arrays or other.arrays:
        return
    edit = Edit(inputs=case.theirs.original_inputs)
    if not _same(mine, other) and other.ids.size and _fits(case, other):
        kind, cause, theirs = _described(mine, other)
        yield Hypothesis(kind, cause, case.first.name, only_at(case.first.name, edit), theirs=theirs, spreads=False)
    yield from _looked_up(case, mine)
    yield from _shifted(case, mine)


def _same(mine: Tokens, other: Tokens) -> bool:
    return all(np.array_equal(getattr(mine, part), getattr(other, part)) for part in ("ids", "mask", "segments"))


def _fits(case: Case, other: Tokens) -> bool:
    table = next(
        (stage for stage in case.ours.program if stage.kind == "Lookup" and stage.inputs == ("tokens.ids",)), None
    )
    return table is None or int(other.ids.max(initial=0)) < case.ours.weights[table.weights[0]].shape[0]


def _shifted(case: Case, mine: Tokens) -> Iterator[Hypothesis]:
    """Theirs has no lookup of our name: every id moved by as much."""
    for suspect in case.suspected("Lookup"):
        if suspect.inputs != ("tokens.ids",) or case.others(suspect.name) is not None:
            continue
        rows = case.ours.weights[suspect.weights[0]].shape[0]
        for by in SHIFTS:
            op = op_of(suspect)

            def look_up(xs: Any, ws: Any, by: int = by, op: Any = op, last: int = rows - 1) -> Any:
                return plainly(op, ((xs[0] + by).clamp(0, last), *xs[1:]), ws)

            edit = Edit({suspect.name: replace(suspect, op=Otherwise(op, f"ids {by:+d}", look_up))})
            kind, cause, theirs = _other_ids(mine, replace(mine, ids=mine.ids + by))
            yield Hypothesis(kind, cause, suspect.name, only_at(suspect.name, edit), theirs=theirs, spreads=False)


def _looked_up(case: Case, mine: Tokens) -> Iterator[Hypothesis]:
    """Theirs' words are rows of our table, others than ours."""
    for suspect in case.suspected("Lookup"):
        other = case.others(suspect.name)
        if other is None or suspect.inputs != ("tokens.ids",) or other.ndim != 3:
            continue
        ids = nearest_rows(case.ours.weights[suspect.weights[0]].double().cpu().numpy(), other)
        if ids is None or np.array_equal(ids, mine.ids):
            continue
        inputs = case.ours.original_inputs.changed({MAIN: {"ids": ids}}, case.ours.word)
        kind, cause, theirs = _described(mine, inputs.tokens)
        edit = Edit(inputs=Inputs(inputs.tokens, case.ours.original_inputs.others))
        yield Hypothesis(kind, cause, suspect.name, only_at(suspect.name, edit), theirs=theirs, spreads=False)


def _described(mine: Tokens, other: Tokens) -> tuple[str, str, str]:
    """Kind, cause and what to change in theirs."""
    if mine.ids.shape == other.ids.shape and np.array_equal(mine.mask, other.mask):
        return _other_ids(mine, other) if not np.array_equal(mine.ids, other.ids) else (
            "segments", f"theirs has segments {_few(other.segments[0])}, ours {_few(mine.segments[0])}", "the segments of the tokenizer"
        )  # fmt: skip
    rows = range(min(len(mine.ids), len(other.ids)))
    real = [(mine.ids[row][mine.mask[row] != 0], other.ids[row][other.mask[row] != 0]) for row in rows]
    if all(np.array_equal(a, b) for a, b in real):
        return _padded(mine, other)
    if all(_within(b, a) for a, b in real):
        return _shorter("theirs", mine, real)
    if all(_within(a, b) for a, b in real):
        return _shorter("ours", other, [(b, a) for a, b in real])
    return _cased(mine, other)


def _padded(mine: Tokens, other: Tokens) -> tuple[str, str, str]:
    """The same tokens among other padding."""
    ours, theirs = ("left" if (tokens.mask[:, 0] == 0).any() else "right" for tokens in (mine, other))
    if ours != theirs:
        return "padding side", f"theirs pads on the {theirs}, ours on the {ours}", f'"padding_side": "{ours}"'
    return (
        "padding", f"theirs pads to {other.shape[1]} tokens, ours to {mine.shape[1]}, and what is padding is not hidden", "hide what is padding"
    )  # fmt: skip


def _other_ids(mine: Tokens, other: Tokens) -> tuple[str, str, str]:
    apart = (other.ids - mine.ids)[mine.mask != 0]
    moved = apart[apart != 0]
    if (moved == moved[0]).all() and len(moved) * 2 > len(apart):
        some = "" if len(moved) == len(apart) else f" (but for {len(apart) - len(moved)} of {len(apart)})"
        return "ids shifted", f"theirs has every id {int(moved[0]):+d}{some}: another vocabulary, or one that begins elsewhere", (
            f"subtract {int(moved[0])} from the ids, or use the vocabulary that the weights were trained with"
        )  # fmt: skip
    return _cased(mine, other)


def _cased(mine: Tokens, other: Tokens) -> tuple[str, str, str]:
    ours, theirs = _words(mine), _words(other)
    apart = [
        (word, tokens, theirs[at][1]) for at, (word, tokens) in ours.items() if at in theirs and tokens != theirs[at][1]
    ]
    alike = [word for at, (word, tokens) in ours.items() if at in theirs and tokens == theirs[at][1]]
    written = all(a.lower() == b.lower() for _, a, b in apart)
    capitals = all(word != word.lower() for word, _, _ in apart) and any(word.islower() for word in alike)
    if apart and (written or capitals):  # an [UNK] is a capital as well, where the vocabulary has none
        word, a, b = apart[0]
        return "casing", f"theirs reads {word!r} as {b!r}, ours as {a!r}: one of them changes the case", "do_lower_case"
    shown = ", ".join(f"{b} for {a}" for _, a, b in apart[:FEW])
    return (
        "other tokens",
        f"theirs has other tokens{': ' if shown else ''}{shown}",
        "the tokenizer that the weights were trained with",
    )


def _words(tokens: Tokens) -> dict[tuple[int, int], tuple[str, str]]:
    """Each word of the texts, by its text and number, with the tokens that it was read as; without texts each token."""
    words: dict[tuple[int, int], tuple[str, str]] = {}
    for row, strings in enumerate(tokens.strings):
        if tokens.from_ids or tokens.pair is not None or not tokens.places:
            words |= {(row, at): (word, word) for at, word in enumerate(strings)}
            continue
        text, ends = tokens.texts[row], dict[int, tuple[int, int, str]]()
        spaces = np.cumsum([letter.isspace() for letter in text])
        for word, (start, stop) in zip(strings, tokens.places[row], strict=True):
            if start < stop <= len(text):
                begin, _, before = ends.get(number := int(spaces[start]), (start, stop, ""))
                ends[number] = begin, stop, f"{before} {word}".strip()
        words |= {(row, number): (text[start:stop], read) for number, (start, stop, read) in ends.items()}
    return words


def _shorter(who: str, longer: Tokens, real: Sequence[tuple[IdsOfText, IdsOfText]]) -> tuple[str, str, str]:
    """What one side lacks of the other's tokens.

    Args:
        longer: the other's.
        real: for each text the tokens of the longer side and of the shorter, without padding.
    """
    row = next(row for row, (a, b) in enumerate(real) if len(a) > len(b))
    (a, b), words = real[row], np.asarray(longer.strings[row], object)[longer.mask[row] != 0]
    before, after = _alike(a, b)
    inside = next((at for at in range(len(a) - len(b) + 1) if np.array_equal(a[at : at + len(b)], b)), None)
    gone = range(before, len(a) - after) if before + after >= len(b) else range(0)  # in one piece
    missing = (
        words[gone.start : gone.stop]
        if len(gone) or inside is None
        else words[[*range(inside), *range(inside + len(b), len(a))]]
    )
    if not len(missing):  # here and there
        missing = words
    shown = " ".join(map(str, missing[:FEW])) + (" ..." if len(missing) > FEW else "")
    change = "the tokenizer's special tokens" if who == "theirs" else "without them"
    if all(_special(word) for word in missing):
        return "special tokens missing", f"{who} has no {shown}", change
    prompt = longer.prompt_length
    if prompt and len(gone) and gone.stop <= prompt:
        return (
            "prompt missing",
            f"{who} puts no prompt before the text: it lacks {shown}",
            "the prompt that the model was trained with",
        )
    if len(gone) and all(map(_special, words[gone.stop :])):
        end = f"{who} cuts the text to {len(b)} tokens: {len(gone)} are missing, from {missing[0]!r} on"
        return "text cut", end, "max_length, and max_seq_length in sentence_bert_config.json"
    if len(gone) and all(map(_special, words[: gone.start])):
        start = f"{who} lacks the first {len(gone)} tokens, up to {missing[-1]!r}: a prompt, or what was cut at the beginning"
        return "beginning missing", start, "the prompt that the model was trained with, or truncation_side"
    return "tokens missing", f"{who} lacks {shown}", change


def _alike(a: IdsOfText, b: IdsOfText) -> tuple[int, int]:
    """How many tokens are the same at the beginning, and of the rest at the end."""
    short = min(len(a), len(b))
    before = next((at for at in range(short) if a[at] != b[at]), short)
    after = next((at for at in range(short - before) if a[-1 - at] != b[-1 - at]), short - before)
    return before, after


def _special(word: object) -> bool:
    """Whether a token is none of a text."""
    return str(word).startswith(("[", "<"))


def _within(few: IdsOfText, many: IdsOfText) -> bool:
    """Whether the ones stand in the others in that order."""
    rest = iter(many)
    return all(any(one == other for other in rest) for one in few)


def _few(numbers: Sequence[int]) -> str:
    return " ".join(str(int(number)) for number in numbers[:8])
