"""What the bundled word vectors are worth: analogies, kinds of things, and left-out words of held-out text. Prints Markdown.

    OMP_NUM_THREADS=1 python samples/evaluate_words.py                                # the bundled models
    python samples/evaluate_words.py --gensim FOLDER                                  # and gensim's on the same text

gensim is no requirement of anything here: put it into an environment of its own, with the packages this script imports. It
gets the same sentences, words that are not in the vocabulary as `[UNK]`, and the same sizes, window, negatives and thinning.
"""

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import corpus
import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file
from tokenizers import Tokenizer

HERE = Path(__file__).parent
KINDS = ("cbow", "skipgram")
SPECIAL = 2  # ids that stand for no word
NEIGHBOURS = 10
LEFT_OUT = 4000  # words of held-out text that are guessed
COMMON = 100  # the most frequent words; whoever guesses only these gets the little words right
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Words:
    """Word vectors, and what guesses words from them.

    Attributes:
        name: for the table; kind: `cbow` or `skipgram`.
        rows, scores, bias: the weights, as in a model directory.
    """

    name: str
    kind: str
    rows: Floats
    scores: Floats
    bias: Floats

    @property
    def unit(self) -> Floats:
        """Vectors of length one."""
        return self.rows / np.maximum(np.linalg.norm(self.rows, axis=1, keepdims=True), 1e-9)


def bundled(kind: str) -> Words:
    """A model of this folder, as it is on disk."""
    stored = {name: array.astype(np.float32) for name, array in load_file(HERE / kind / "model.safetensors").items()}
    return Words(
        f"{kind}, bundled", kind, stored["embeddings.weight"], stored["decoder.weight"], stored["decoder.bias"]
    )


# --- gensim ----------------------------------------------------------------------------------------------------------


def by_gensim(kind: str, sentences: list[list[str]], words: list[str], passes: int, folder: Path) -> Words:
    """gensim's Word2Vec of the same sizes on the same sentences, with its own defaults for what is not named here.

    What was trained is left in the folder, and taken from there the next time.
    """
    kept, name = folder / f"{kind}-{passes}.npz", f"{kind}, gensim"
    bias = bundled("cbow").bias  # made from counts alone: it is the same for all
    if kept.exists():
        arrays = np.load(kept)
        return Words(name, kind, arrays["rows"], arrays["scores"], bias)
    config = json.loads((HERE / "cbow" / "config.json").read_text())
    begun = time.monotonic()
    model = import_module("gensim.models").Word2Vec(
        sentences, sg=int(kind == "skipgram"), vector_size=config["hidden_size"], window=config["window"],
        negative=config["negative"], sample=1e-4, min_count=1, epochs=passes, workers=1, seed=1,
    )  # fmt: skip
    print(f"<!-- gensim {kind}: {passes} passes in {time.monotonic() - begun:.0f} s -->", flush=True)
    rows, scores = np.zeros((2, len(words), config["hidden_size"]), np.float32)
    for number, word in enumerate(words):
        found = model.wv.key_to_index.get(word)
        if found is not None:
            rows[number], scores[number] = model.wv.vectors[found], model.syn1neg[found]
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(kept, rows=rows, scores=scores)
    return Words(name, kind, rows, scores, bias)


# --- analogies and kinds ---------------------------------------------------------------------------------------------


def families(ids: dict[str, int]) -> dict[str, list[tuple[int, int]]]:
    """The pairs of `words/analogies.txt` whose words are all known, by family."""
    found: dict[str, list[tuple[int, int]]] = {}
    name = ""
    for line in (HERE / "words" / "analogies.txt").read_text("utf-8").splitlines():
        if line.startswith(":"):
            name = line[1:].strip()
            found[name] = []
        elif line and not line.startswith("#"):
            first, second = line.split()
            if first in ids and second in ids:
                found[name].append((ids[first], ids[second]))
    return found


def questions(pairs: list[tuple[int, int]]) -> npt.NDArray[np.int64]:
    """Every two pairs of a family: a is to b as c is to d. Four different words each."""
    return np.array([(*p, *q) for p in pairs for q in pairs if len({*p, *q}) == 4])


def analogies(words: Words, asked: npt.NDArray[np.int64]) -> tuple[float, float]:
    """How often d is nearest to b − a + c, and how often among the five nearest; a, b, c and special tokens left out."""
    unit, each = words.unit, np.arange(len(asked))
    a, b, c, d = asked.T
    cosines = (unit[b] - unit[a] + unit[c]) @ unit.T
    for given in (a, b, c):
        cosines[each, given] = -np.inf
    cosines[:, :SPECIAL] = -np.inf
    rank = (cosines > cosines[each, d][:, None]).sum(1)
    return float((rank == 0).mean()), float((rank < 5).mean())


def kinds(ids: dict[str, int]) -> dict[str, set[int]]:
    """The words of `words/categories.txt` that are known, by kind."""
    lines = (HERE / "words" / "categories.txt").read_text("utf-8").splitlines()
    named = (line.partition(":") for line in lines if not line.startswith("#"))
    return {name: {ids[word] for word in text.split() if word in ids} for name, _, text in named}


def togetherness(words: Words, members: dict[str, set[int]]) -> tuple[float, float]:
    """How often a word's nearest of all these words is of its kind, and what share of its ten nearest of all words is."""
    listed = sorted(set[int]().union(*members.values()))
    unit = words.unit
    cosines = unit[listed] @ unit.T
    cosines[np.arange(len(listed)), listed] = -np.inf
    cosines[:, :SPECIAL] = -np.inf
    alike = [set[int]().union(*(kind for kind in members.values() if word in kind)) for word in listed]
    among = np.array(listed)[cosines[:, listed].argmax(1)]
    nearest = np.argsort(-cosines, 1)[:, :NEIGHBOURS]
    right = np.mean([int(word) in kind for word, kind in zip(among, alike, strict=True)])
    near = np.mean([[int(word) in kind for word in row] for row, kind in zip(nearest, alike, strict=True)])
    return float(right), float(near)


def chance_of_kinds(members: dict[str, set[int]], vocabulary: int) -> tuple[float, float]:
    """What `togetherness` would be of vectors that know nothing."""
    listed = set[int]().union(*members.values())
    alike = [len(set[int]().union(*(kind for kind in members.values() if word in kind))) - 1 for word in listed]
    return float(np.mean(alike)) / (len(listed) - 1), float(np.mean(alike)) / (vocabulary - SPECIAL - 1)


# --- left-out words --------------------------------------------------------------------------------------------------


def left_out(rows: list[list[int]], reach: int) -> Iterator[tuple[list[int], int]]:
    """Known words of held-out sentences with the words around them, at random; the same ones each time."""
    random = np.random.default_rng(0)
    places = [(r, t) for r, row in enumerate(rows) for t, word in enumerate(row) if len(row) > 3 and word >= SPECIAL]
    for number in map(int, random.permutation(len(places))[:LEFT_OUT]):
        row, at = rows[places[number][0]], places[number][1]
        yield row[max(0, at - reach) : at] + row[at + 1 : at + 1 + reach], row[at]


def guesses(words: Words, cases: list[tuple[list[int], int]]) -> list[tuple[int, float]]:
    """For each left-out word its rank among all words and its loss in nats, by the softmax over the vocabulary.

    CBOW guesses it from the mean of the context; skip-gram, which guesses the context from the word, is asked for the first
    known word of the context.
    """
    found: list[tuple[int, float]] = []
    for context, word in cases:
        if words.kind == "cbow":
            x, target = words.rows[context].mean(0), word
        else:
            known = [other for other in context if other >= SPECIAL]
            if not known:
                continue
            x, target = words.rows[word], known[0]
        logits = (words.scores @ x + words.bias).astype(np.float64)
        loss = np.logaddexp.reduce(logits) - logits[target]
        found.append((int((logits > logits[target]).sum()), float(loss)))
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--corpus", type=Path, default=corpus.DEFAULT, help="folder of *.txt.xz")
    parser.add_argument(
        "--gensim", type=Path, help="train gensim's Word2Vec on the same text as well; what it learns is kept here"
    )
    parser.add_argument("--passes", type=int, nargs=2, default=(14, 10), help="of gensim's CBOW and skip-gram")
    options = parser.parse_args()
    tokenizer = Tokenizer.from_file(str(HERE / "cbow" / "tokenizer.json"))
    ids = tokenizer.get_vocab()
    listed = sorted(ids, key=lambda word: ids[word])
    corpora = corpus.read(options.corpus)
    rows = [encoding.ids for encoding in tokenizer.encode_batch_fast([s for c in corpora for s in c.held_out])]
    trained = [encoding.ids for encoding in tokenizer.encode_batch_fast([s for c in corpora for s in c.train])]
    models = [bundled(kind) for kind in KINDS]
    if options.gensim:
        sentences = [[listed[number] for number in row] for row in trained]
        passes = zip(KINDS, options.passes, strict=True)
        models += [by_gensim(kind, sentences, listed, n, options.gensim) for kind, n in passes]
    counts = np.bincount(np.concatenate([np.array(row) for row in trained if row]), minlength=len(listed))
    _similar(models, ids, len(listed))
    _guessed(models, rows, counts)


def _similar(models: list[Words], ids: dict[str, int], vocabulary: int) -> None:
    """Print the tables of analogies and kinds."""
    asked = {name: questions(pairs) for name, pairs in families(ids).items()}
    every, members = np.concatenate(list(asked.values())), kinds(ids)
    print(
        "\n| vectors | analogies, first | among five | nearest of its kind | of the ten nearest |\n|---|---|---|---|---|"
    )
    for words in models:
        shares = (*analogies(words, every), *togetherness(words, members))
        print(f"| {words.name} | {' | '.join(f'{share:.1%}' for share in shares)} |")
    left = vocabulary - SPECIAL - 3
    chance = (1 / left, 5 / left, *chance_of_kinds(members, vocabulary))
    print(f"| chance | {' | '.join(f'{share:.2%}' for share in chance)} |")
    print(f"\n{len(every):,} questions; {len(set[int]().union(*members.values()))} words of {len(members)} kinds")
    print("\n| family | questions | " + " | ".join(words.name for words in models) + " |")
    print("|---|---|" + "---|" * len(models))
    for name, some in asked.items():
        print(f"| {name} | {len(some)} | " + " | ".join(f"{analogies(w, some)[0]:.0%}" for w in models) + " |")


def _guessed(models: list[Words], rows: list[list[int]], counts: npt.NDArray[np.int64]) -> None:
    """Print the table of left-out words."""
    cases = list(left_out(rows, 5))
    share = np.maximum(counts, 1) / counts.sum()
    order = np.argsort(np.argsort(-counts, kind="stable"), kind="stable")
    print("\n| guessing a left-out word | loss (nats) | first | among ten | median rank |\n|---|---|---|---|---|")
    bare = replace(models[0], name=f"{models[0].name}, without decoder.bias", bias=np.zeros_like(models[0].bias))
    for words in (*models, bare):
        found = np.array(guesses(words, cases))
        print(_line(words.name, found[:, 1].mean(), found[:, 0]))
    targets = np.array([word for _, word in cases])
    print(_line("by frequency alone", float(-np.log(share[targets]).mean()), order[targets]))
    print(
        f"| chance | {np.log(len(counts)):.2f} | {1 / len(counts):.2%} | {10 / len(counts):.2%} | {len(counts) // 2:,} |"
    )
    rare = np.flatnonzero(order[targets] >= COMMON)
    print(f"\nBeyond the {COMMON} most frequent words ({len(rare):,} of {len(cases):,}):")
    for words in models:
        if words.kind == "cbow":
            found = np.array(guesses(words, [cases[number] for number in rare]))
            print(_line(words.name, found[:, 1].mean(), found[:, 0]))
    print(_line("by frequency alone", float(-np.log(share[targets[rare]]).mean()), order[targets[rare]]))


def _line(name: str, loss: float, rank: npt.NDArray[Any]) -> str:
    first, ten = (rank < 1).mean(), (rank < 10).mean()
    return f"| {name} | {loss:.2f} | {first:.1%} | {ten:.1%} | {np.median(rank) + 1:,.0f} |"


if __name__ == "__main__":
    main()
