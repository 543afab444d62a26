"""What the tour's questions and answers say in numbers: worked out from the values that are on screen."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import numpy as np

from ...program.figures import measure
from ...program.token_names import bare
from ...program.trace import Trace

Facts = Mapping[str, str]
SHOWN_TOKENS = 12
# Kana and ideographs.
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
# Words whose attention is worth a look, where the text has one of them.
PRONOUNS = ("it", "she", "he", "they", "him", "her", "them", "这", "它", "他", "她")


def word_of(trace: Trace) -> int:
    """The token the tour follows through the text: a pronoun if there is one, else the longest word."""
    strings = trace.tokens.strings[0]
    kept = [at for at in range(len(strings)) if _is_word(trace, at)] or [0]
    pronouns = [at for at in kept if bare(strings[at]).lower() in PRONOUNS]
    return pronouns[0] if pronouns else max(kept, key=lambda at: len(strings[at]))


def _is_word(trace: Trace, at: int) -> bool:
    """Whether a token stands for a part of the text rather than being put there by the tokenizer."""
    places = trace.tokens.places[0] if trace.tokens.places else ()
    return at < len(places) and places[at][0] < places[at][1] and bool(trace.tokens.mask[0, at])


def _quoted(trace: Trace, at: int) -> str:
    return f'"{trace.tokens.strings[0][at]}"'


def _words_in(chunk: str) -> int:
    """Between spaces stands one word; of scripts without spaces each letter counts, as word processors count them."""
    apart = len(_UNSPACED.findall(chunk))
    return apart + any(letter.isalnum() for letter in _UNSPACED.sub("", chunk))


def _tokens(trace: Trace, stage: str) -> Facts:
    strings, at = trace.tokens.strings[0], word_of(trace)
    listed = " ".join(strings[:SHOWN_TOKENS]) + " …" * (len(strings) > SHOWN_TOKENS)
    words = sum(map(_words_in, trace.tokens.texts[0].split()))
    count = int(trace.tokens.mask[0].sum())
    return {
        "words": f"{words}", "tokens": f"{count}", "strings": listed, "word": _quoted(trace, at),
        "id": f"{int(trace.tokens.ids[0, at])}",
    }  # fmt: skip


def _one_hot(trace: Trace, stage: str) -> Facts:
    at = word_of(trace)
    size = trace.shapes[stage][-1]
    number = f"{int(trace.tokens.ids[0, at])}"
    return {"vocabulary": f"{size:,}", "word": _quoted(trace, at), "id": number, "column": number}


def _first_number(trace: Trace, stage: str) -> Facts:
    at = word_of(trace)
    number = float(trace.value(stage).read((0, at, 0)))
    size = trace.shapes[stage][-1]
    return {"word": _quoted(trace, at), "size": f"{size}", "number": f"{number:.4g}", "place": f"{at}"}


def _heads(trace: Trace, stage: str) -> Facts:
    _, heads, _, size = trace.shapes[stage]
    return {"heads": f"{heads}", "size": f"{size}", "hidden": f"{heads * size}"}


def _scores(trace: Trace, stage: str) -> Facts:
    size = trace.shapes[trace.program[stage].inputs[0]][-1]
    value = trace.value(stage)
    return {"size": f"{size}", "low": f"{measure(value, 'min'):.3g}", "high": f"{measure(value, 'max'):.3g}"}


def _scaled(trace: Trace, stage: str) -> Facts:
    raw = trace.program[stage].inputs[0]
    size = trace.shapes[trace.program[raw].inputs[0]][-1]
    before, after = (trace.value(name).stats(histogram=False).std for name in (raw, stage))
    return {"size": f"{size}", "before": f"{before:.3g}", "after": f"{after:.3g}"}


def _mask(trace: Trace, stage: str) -> Facts:
    lowest = {"float16": -65504.0, "float64": float(np.finfo(np.float64).min)}
    number = lowest.get(trace.value(stage).dtype, float(np.finfo(np.float32).min))
    return {"lowest": f"{number:.4g}", "hidden": f"{int((trace.tokens.mask[0] == 0).sum())}"}


def _weights(trace: Trace, stage: str) -> Facts:
    """The head in which the word looks hardest at another word."""
    at = word_of(trace)
    rows = np.array(trace.value(stage).read((0, slice(None), at)), dtype=np.float64)  # (head, key)
    others = [key for key in range(rows.shape[1]) if key != at and _is_word(trace, key)] or [at]
    head = int(rows[:, others].max(axis=1).argmax())
    key = int(rows[head].argmax())
    return {
        "word": _quoted(trace, at), "head": f"{head}", "key": _quoted(trace, key), "share": f"{rows[head, key]:.0%}",
    }  # fmt: skip


def _concat(trace: Trace, stage: str) -> Facts:
    _, heads, _, size = trace.shapes[trace.program[stage].inputs[0]]
    return {"heads": f"{heads}", "size": f"{size}", "hidden": f"{heads * size}"}


def _residual(trace: Trace, stage: str) -> Facts:
    new, old = (measure(trace.value(name), "norm") for name in trace.program[stage].inputs[:2])
    return {"new": f"{new:.3g}", "old": f"{old:.3g}"}


def _activation(trace: Trace, stage: str) -> Facts:
    value = trace.value(stage)
    wide = value.shape[-1]
    hidden = trace.shapes["layers.0.attention.concat"][-1]
    low = sum(int((block <= 0.01).sum()) for block in value.blocks())
    return {
        "hidden": f"{hidden}", "wide": f"{wide}", "times": f"{wide / hidden:.3g}", "share": f"{low / value.size:.0%}",
    }  # fmt: skip


def _words(trace: Trace, stage: str) -> Facts:
    at = word_of(trace)
    row = np.array(trace.value(stage).read((0, at)), dtype=np.float64)
    best = np.argsort(-row)[:3]
    guesses = ", ".join(f"{trace.word(int(number))} {row[number]:.0%}" for number in best)
    return {"word": _quoted(trace, at), "guesses": guesses, "place": f"{at}"}


FACTS: dict[str, Callable[[Trace, str], Facts]] = {
    "tokens": _tokens, "one_hot": _one_hot, "embedding": _first_number, "position": _first_number, "heads": _heads,
    "scores": _scores, "scaled": _scaled, "mask": _mask, "weights": _weights, "concat": _concat, "residual": _residual,
    "activation": _activation, "words": _words,
}  # fmt: skip
