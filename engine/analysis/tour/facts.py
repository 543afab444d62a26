"""What the tour's questions and answers say in numbers: worked out from the values that are on screen."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from ...program.figures import measure
from ...program.token_names import bare, form_in
from ...program.trace import Trace
from .experiments import shortened

if TYPE_CHECKING:
    from ..word_vectors import WordTable

Facts = Mapping[str, str]
NEIGHBOURS, SHOWN_LAYERS = 4, 6
# What vocabularies call the token that hides a word.
MASKS = ("[MASK]", "<mask>")
# Kana and ideographs.
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
# Words whose attention is worth a look, where the text has one of them.
PRONOUNS = ("it", "she", "he", "they", "him", "her", "them", "这", "它", "他", "她")


def word_of(trace: Trace) -> int:
    """The token the tour follows through the text: a pronoun if there is one, else the longest word."""
    strings = trace.original_tokens.strings[0]
    kept = [at for at in range(len(strings)) if _is_word(trace, at)] or [0]
    pronouns = [at for at in kept if bare(strings[at]).lower() in PRONOUNS]
    return pronouns[0] if pronouns else max(kept, key=lambda at: len(strings[at]))


def _is_word(trace: Trace, at: int) -> bool:
    """Whether a token stands for a part of the text rather than being put there by the tokenizer."""
    places = trace.original_tokens.places[0] if trace.original_tokens.places else ()
    return at < len(places) and places[at][0] < places[at][1] and bool(trace.original_tokens.mask[0, at])


def _is_whole(trace: Trace, at: int) -> bool:
    """Whether a token is a word of the text and not a piece of one: `didn` of `didn't`."""
    if not _is_word(trace, at):
        return False
    text, (start, end) = trace.original_tokens.texts[0], trace.original_tokens.places[0][at]
    return not any(letter.isalnum() or letter in "'’" for letter in (text[start - 1 : start] + text[end : end + 1]))


def _quoted(trace: Trace, at: int) -> str:
    return f'"{trace.original_tokens.strings[0][at]}"'


def _words_in(chunk: str) -> int:
    """Between spaces stands one word; of scripts without spaces each letter counts, as word processors count them."""
    apart = len(_UNSPACED.findall(chunk))
    return apart + any(letter.isalnum() for letter in _UNSPACED.sub("", chunk))


# -- the words that are followed -----------------------------------------------------------------------------------


def words_followed(trace: Trace) -> dict[str, str]:
    """The word that is followed, and another one of the text to exchange it for: the longest that is not the same."""
    at, strings = word_of(trace), trace.original_tokens.strings[0]
    facts = {
        "word": _quoted(trace, at),
        "w": f"{at}",
        "id": f"{int(trace.original_tokens.ids[0, at])}",
        "place": f"{at}",
    }
    others = [place for place in range(len(strings)) if _is_word(trace, place) and strings[place] != strings[at]]
    if others:
        other = max(others, key=lambda place: len(strings[place]))
        facts |= {
            "other": _quoted(trace, other), "other_at": f"{other}", "other_id": f"{int(trace.original_tokens.ids[0, other])}",
        }  # fmt: skip
    return facts


def _attention(trace: Trace) -> dict[str, str]:
    """The head in which the word looks hardest at another word, and that word; in the layer that the tour stays in."""
    facts, at = words_followed(trace), word_of(trace)
    weights = "layers.0.attention.weights"
    if weights not in trace.program:
        return facts
    rows = np.array(trace.value(weights).read((0, slice(None), at)), dtype=np.float64)  # (head, key)
    others = [key for key in range(rows.shape[1]) if key != at and _is_word(trace, key)] or [at]
    head, place = np.unravel_index(int(rows[:, others].argmax()), (rows.shape[0], len(others)))
    key = others[int(place)]
    return facts | {
        "head": f"{int(head)}", "key_at": f"{key}", "key": _quoted(trace, key), "share": f"{rows[int(head), key]:.0%}",
    }  # fmt: skip


def _number(trace: Trace, stage: str, *index: int) -> str:
    return f"{float(np.array(trace.value(stage).read(index))):.4g}"


# -- the stops -----------------------------------------------------------------------------------------------------


def tokens_counted(trace: Trace, stage: str) -> Facts:
    """How many words and tokens the text has."""
    words = sum(map(_words_in, trace.original_tokens.texts[0].split()))
    count = int(trace.original_tokens.mask[0].sum())
    return words_followed(trace) | {
        "words": f"{words}",
        "tokens": f"{count}",
        "strings": shortened(trace.original_tokens.strings[0]),
    }


def _ids(trace: Trace, stage: str) -> Facts:
    size, number = trace.original_tokens.vocabulary_size, int(trace.original_tokens.ids[0, word_of(trace)])
    before, after = (number - 1) % size, (number + 1) % size
    return words_followed(trace) | {
        "vocabulary": f"{size:,}", "id_before": f"{before}", "id_after": f"{after}",
        "word_before": f'"{trace.word(before)}"', "word_after": f'"{trace.word(after)}"',
    }  # fmt: skip


def _one_hot(trace: Trace, stage: str) -> Facts:
    facts, size = words_followed(trace), trace.shapes[stage][-1]
    return facts | {"vocabulary": f"{size:,}", "zeros": f"{size - 1:,}", "column": facts["id"]}


def _embedding(trace: Trace, stage: str) -> Facts:
    size, number = trace.shapes[stage][-1], _number(trace, stage, 0, word_of(trace), 0)
    return words_followed(trace) | {
        "vocabulary": f"{trace.original_tokens.vocabulary_size:,}",
        "size": f"{size}",
        "number": number,
    }


@lru_cache(maxsize=1)
def _cbow() -> WordTable:
    """The table of the bundled CBOW: 5 MB, read when the stop that speaks of it is come to."""
    from ...models.loading import load
    from ..word_vectors import WordTable

    return WordTable(load("cbow", "cpu").trace("the"))


def _neighbours(trace: Trace, stage: str) -> Facts:
    return neighbours_in(trace, _cbow())


def neighbours_in(trace: Trace, table: WordTable) -> Facts:
    """The rarest word of the text that a table knows, and its neighbours there; the first that is a token here too."""
    strings = trace.original_tokens.strings[0]
    known = {at: table.ids[form] for at in range(len(strings)) if _is_whole(trace, at) and (form := form_in(bare(strings[at]), table.ids)) and table.has_vector(form)}  # fmt: skip
    if not known:
        return words_followed(trace) | {"rare": '"king"', "near": _near(table, "king")}
    at = max(known, key=known.__getitem__)  # ids go by how frequent words are
    facts = words_followed(trace) | {
        "rare": _quoted(trace, at),
        "rare_at": f"{at}",
        "near": _near(table, bare(strings[at])),
    }
    words = {trace.word(number): number for number in range(trace.original_tokens.vocabulary_size)}
    for neighbour in table.near(bare(strings[at]), NEIGHBOURS):
        form = form_in(neighbour.word, words)
        if form is not None and form != strings[at]:
            return facts | {"near_word": f'"{form}"', "near_id": f"{words[form]}"}
    return facts


def _near(table: WordTable, word: str) -> str:
    return ", ".join(f"{neighbour.word} {neighbour.cosine:.2f}" for neighbour in table.near(word, NEIGHBOURS))


def _position(trace: Trace, stage: str) -> Facts:
    return _attention(trace) | {"number": _number(trace, stage, 0, word_of(trace), 0)}


def _projections(trace: Trace, stage: str) -> Facts:
    at, layer = word_of(trace), stage.rpartition(".")[0]
    _, heads, _, size = trace.shapes[f"{layer}.query_heads"]
    names = {"query": stage, "key_number": f"{layer}.key", "value": f"{layer}.value"}
    numbers = {fact: _number(trace, name, 0, at, 0) for fact, name in names.items()}
    even = 1 / max(1, int((trace.original_tokens.mask[0] > 0).sum()))
    return _attention(trace) | numbers | {"heads": f"{heads}", "size": f"{size}", "even": f"{even:.2f}"}


def _scores(trace: Trace, stage: str) -> Facts:
    size = trace.shapes[trace.program[stage].inputs[0]][-1]
    value = trace.value(stage)
    spread = {"low": f"{measure(value, 'min'):.3g}", "high": f"{measure(value, 'max'):.3g}"}
    return _attention(trace) | spread | {"size": f"{size}"}


def _scaled(trace: Trace, stage: str) -> Facts:
    raw = trace.program[stage].inputs[0]
    size = trace.shapes[trace.program[raw].inputs[0]][-1]
    facts, at = _attention(trace), word_of(trace)
    rows = [np.array(trace.value(name).read((0, int(facts["head"]), at)), dtype=np.float64) for name in (raw, stage)]
    before, after = map(
        np.std, rows
    )  # of the row that the view shows, so that its numbers are those that are spoken of
    spread = {"spread": f"{before:.3g}", "spread_after": f"{after:.3g}"}
    return facts | spread | {"size": f"{size}", "root": f"{size**0.5:.4g}"}


def _mask(trace: Trace, stage: str) -> Facts:
    lowest = {"float16": -65504.0, "float64": float(np.finfo(np.float64).min)}
    number = lowest.get(trace.value(stage).dtype, float(np.finfo(np.float32).min))
    return _attention(trace) | {
        "lowest": f"{number:.4g}",
        "hidden": f"{int((trace.original_tokens.mask[0] == 0).sum())}",
    }


def _weights(trace: Trace, stage: str) -> Facts:
    return _attention(trace)


def _context(trace: Trace, stage: str) -> Facts:
    facts = _attention(trace)
    number = _number(trace, stage, 0, int(facts["head"]), word_of(trace), 0)
    return facts | {"size": f"{trace.shapes[stage][-1]}", "number": number}


def _concat(trace: Trace, stage: str) -> Facts:
    _, heads, _, size = trace.shapes["layers.0.attention.context"]
    return _attention(trace) | {"heads": f"{heads}", "size": f"{size}", "hidden": f"{heads * size}"}


def _residual(trace: Trace, stage: str) -> Facts:
    """Of the followed word's row: what is added, and what the norm after it makes of the sum."""
    program, at = trace.program, word_of(trace)
    residual = "layers.0.attention.residual"
    norm = next(each.name for each in program if residual in each.inputs and each.name.endswith("norm"))
    rows = [np.array(trace.value(name).read((0, at)), dtype=np.float64) for name in (*program[residual].inputs[:2], residual, norm)]  # fmt: skip
    new, old = (f"{float(np.linalg.norm(row)):.3g}" for row in rows[:2])
    means, deviations = ([f"{figure(row):.3g}" for row in rows[2:]] for figure in (np.mean, np.std))
    return _attention(trace) | {
        "new": new, "old": old, "mean": means[0], "std": deviations[0], "mean_after": means[1], "std_after": deviations[1],
    }  # fmt: skip


def _activation(trace: Trace, stage: str) -> Facts:
    value = trace.value(stage)
    wide = value.shape[-1]
    hidden = trace.shapes[trace.program[-1].name if "layers.0.ffn.down" not in trace.program else "layers.0.ffn.down"][
        -1
    ]
    row = np.array(value.read((0, word_of(trace))), dtype=np.float64)  # the one that the view shows
    return words_followed(trace) | {
        "hidden": f"{hidden}", "wide": f"{wide}", "times": f"{wide / hidden:.3g}", "share": f"{(row <= 0.01).mean():.0%}",
    }  # fmt: skip


def _layers(trace: Trace, stage: str) -> Facts:
    """In which head of each layer the word looks hardest at another, and at which."""
    at, told = word_of(trace), list[str]()
    for layer in range(trace.program.layers):
        name = f"layers.{layer}.attention.weights"
        if name in trace.program and len(told) < SHOWN_LAYERS:
            rows = np.array(trace.value(name).read((0, slice(None), at)), dtype=np.float64)  # (head, key)
            key = int(rows.max(axis=0).argmax())
            told.append(f"{layer} {_quoted(trace, key)} {rows[:, key].max():.0%}")
    more = " …" * (trace.program.layers > SHOWN_LAYERS)
    return _attention(trace) | {"layers": f"{trace.program.layers}", "strongest": ", ".join(told) + more}


def _words(trace: Trace, stage: str) -> Facts:
    at = word_of(trace)
    row = np.array(trace.value(stage).read((0, at)), dtype=np.float64)
    own, best = int(trace.original_tokens.ids[0, at]), [int(number) for number in np.argsort(-row)[:3]]
    facts = words_followed(trace) | {
        "guesses": ", ".join(f"{trace.word(number)} {row[number]:.0%}" for number in best),
        "own": f"{row[own]:.1%}",
        "apart_or_among": "among" if own in best else "apart",
    }
    words = {trace.word(number): number for number in range(trace.original_tokens.vocabulary_size)}
    mask = next((word for word in MASKS if word in words), None)
    return facts | ({"masked": mask, "mask_id": f"{words[mask]}"} if mask else {})


FACTS: dict[str, Callable[[Trace, str], Facts]] = {
    "tokens": tokens_counted, "ids": _ids, "one_hot": _one_hot, "embedding": _embedding, "neighbours": _neighbours,
    "position": _position, "projections": _projections, "scores": _scores, "scaled": _scaled, "mask": _mask,
    "weights": _weights, "context": _context, "concat": _concat, "residual": _residual, "activation": _activation,
    "layers": _layers, "words": _words,
}  # fmt: skip
