"""What the bundled encoder is worth: masked words of held-out text, and what its heads look at. Prints Markdown.

    python samples/evaluate.py            # the figures in README.md; same seed, same figures

Held out means what `corpus.read` keeps from training: whole blocks of lines, and no sentence that training has as well.
"""

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import corpus
import numpy as np
import torch
from tokenizers import Encoding, Tokenizer
from torch import Tensor
from transformers import BertForMaskedLM

EVERYDAY = ("tatoeba-english", "wordnet-examples")
SHORT = range(4, 13)  # words in a simple sentence
LONGEST = 64  # tokens
COMMON = 100  # the most frequent words; whoever guesses only these gets the little words right

EXAMPLES = (
    "The cat sat on the [MASK].",
    "She opened the [MASK] and looked out.",
    "I drink a cup of [MASK] every morning.",
    "He [MASK] to school by bus.",
    "They have [MASK] in this town for ten years.",
    "Her uncle is a [MASK].",
    "Two [MASK] three is five.",
    "The opposite of hot is [MASK].",
)


@dataclass(frozen=True)
class Case:
    """One sentence with one word hidden."""

    corpus: str
    ids: list[int]
    places: list[int]  # of the word's pieces
    answer: list[int]


def words(encoding: Encoding, tokenizer: Tokenizer) -> list[list[int]]:
    """The places of each word's pieces; punctuation, numbers and unknown words are nobody's riddle."""
    places: dict[int, list[int]] = {}
    for place, word in enumerate(encoding.word_ids):
        if word is not None:
            places.setdefault(word, []).append(place)
    unknown = tokenizer.token_to_id("[UNK]")
    return [
        pieces
        for pieces in places.values()
        if all(encoding.ids[p] != unknown and encoding.tokens[p].removeprefix("##").isalpha() for p in pieces)
    ]


def cases(
    name: str, sentences: list[str], tokenizer: Tokenizer, per_sentence: int, rng: np.random.Generator
) -> Iterator[Case]:
    """Each sentence with one word at a time hidden; `per_sentence` words of it, chosen at random."""
    mask = vocabulary_id(tokenizer, "[MASK]")
    for encoding in tokenizer.encode_batch(sentences):
        if len(encoding.ids) > LONGEST:
            continue
        candidates = words(encoding, tokenizer)
        for i in map(int, rng.permutation(len(candidates))[:per_sentence]):
            places = candidates[i]
            ids = [mask if p in places else token for p, token in enumerate(encoding.ids)]
            yield Case(name, ids, places, [encoding.ids[p] for p in places])


def vocabulary_id(tokenizer: Tokenizer, token: str) -> int:
    """The id of a token that has to be there."""
    number = tokenizer.token_to_id(token)
    if number is None:
        raise SystemExit(f"the tokenizer has no {token}: is this the bundled model?")
    return number


@torch.inference_mode()
def ranks(model: BertForMaskedLM, all_cases: list[Case]) -> list[int]:
    """How many tokens the model puts before the right one; for a word of several pieces the worst of them."""
    found = [0] * len(all_cases)
    order = sorted(range(len(all_cases)), key=lambda i: len(all_cases[i].ids))
    for begin in range(0, len(order), 64):
        chunk = order[begin : begin + 64]
        width = len(all_cases[chunk[-1]].ids)
        ids = torch.tensor([all_cases[i].ids + [0] * (width - len(all_cases[i].ids)) for i in chunk])
        hidden = model.bert(ids, attention_mask=(ids != 0).long()).last_hidden_state
        for row, i in enumerate(chunk):
            scores = model.cls(hidden[row, all_cases[i].places])  # (piece, vocabulary)
            right = scores.gather(1, torch.tensor(all_cases[i].answer)[:, None])
            found[i] = int((scores > right).sum(1).max())
    return found


def frequent(texts: Iterable[str], tokenizer: Tokenizer) -> list[int]:
    """Word tokens of the training text, most frequent first: the unigram baseline guesses these everywhere."""
    counts: Counter[int] = Counter()
    for encoding in tokenizer.encode_batch_fast(list(texts), add_special_tokens=False):
        counts.update(encoding.ids)
    return [token for token, _ in counts.most_common() if (tokenizer.id_to_token(token) or "").isalpha()]


def row(name: str, chosen: list[Case], found: list[int], guesses: dict[str, list[int]]) -> str:
    """One line of the table; the baseline guesses the most frequent words of the case's own corpus."""

    def model(k: int) -> float:
        return float(np.mean([rank < k for rank in found]))

    def unigram(k: int) -> float:
        return float(np.mean([len(c.answer) == 1 and c.answer[0] in guesses[c.corpus][:k] for c in chosen]))

    return f"| {name} | {len(chosen):,} | {model(1):.1%} | {unigram(1):.1%} | {model(5):.1%} | {unigram(5):.1%} |"


def accuracy(model: BertForMaskedLM, tokenizer: Tokenizer, corpora: list[corpus.Corpus], seed: int) -> None:
    """The table of masked words: the model beside the unigram baseline."""
    rng = np.random.default_rng(seed)
    guesses = {c.name: frequent(c.train, tokenizer) for c in corpora}
    print("| held-out text | words | top-1 | unigram | top-5 | unigram |\n|---|---|---|---|---|---|")

    simple: list[Case] = []
    for c in corpora:
        if c.name in EVERYDAY:
            short = [s for s in c.held_out if len(s.split()) in SHORT]
            simple.extend(cases(c.name, short, tokenizer, LONGEST, rng))
    found = ranks(model, simple)
    print(row("**simple sentences, every word**", simple, found, guesses))
    rare = [i for i, c in enumerate(simple) if not set(c.answer) & set(guesses[c.corpus][:COMMON])]
    title = f"of these, beyond the {COMMON} most frequent words"
    print(row(title, [simple[i] for i in rare], [found[i] for i in rare], guesses))

    total: list[Case] = []
    found: list[int] = []
    for c in corpora:
        sample = list(cases(c.name, c.held_out, tokenizer, 3, rng))
        total.extend(sample)
        found.extend(ranks(model, sample))
        print(row(c.name, sample, found[-len(sample) :], guesses))
    print(row("**all corpora**", total, found, guesses))


@torch.inference_mode()
def heads(
    model: BertForMaskedLM, tokenizer: Tokenizer, corpora: list[corpus.Corpus], sentences: int, seed: int
) -> None:
    """Where each head's weight goes, from the tokens inside a sentence.

    The first and the last token are left out as queries: their neighbours are [CLS] and [SEP], so a separator head would
    pass for a neighbour head.
    """
    names = ("previous", "next", "itself", "[CLS]", "[SEP]", "punctuation")
    config = model.config
    total = torch.zeros(config.num_hidden_layers, config.num_attention_heads, len(names))
    marks = {i for token, i in tokenizer.get_vocab().items() if len(token) == 1 and not token.isalnum()}
    texts = [s for c in corpora for s in c.held_out]
    order = np.random.default_rng(seed).permutation(len(texts))
    encoded = (tokenizer.encode(texts[i]) for i in order)
    used = list(islice((e for e in encoded if 8 <= len(e.ids) <= LONGEST), sentences))
    for encoding in used:
        weights = model.bert(torch.tensor([encoding.ids]), output_attentions=True).attentions
        stacked = torch.cat(weights)  # (layer, head, query, key)
        last = stacked.shape[-1] - 1
        inside = stacked[:, :, 2 : last - 1]  # (layer, head, inner query, key)
        query = torch.arange(2, last - 1)

        def at(keys: Tensor, inside: Tensor = inside) -> Tensor:
            return inside.gather(3, keys.expand(*inside.shape[:2], -1)[..., None]).mean(dim=(2, 3))

        punctuation = torch.tensor([token in marks for token in encoding.ids])
        columns = [at(query - 1), at(query + 1), at(query), inside[..., 0].mean(2), inside[..., last].mean(2)]
        total += torch.stack([*columns, inside[..., punctuation].sum(3).mean(2)], dim=2)
    total /= len(used)
    print(f"| layer, head | {' | '.join(names)} |\n|---{'|---' * len(names)}|")
    for layer, head in np.ndindex(*total.shape[:2]):
        cells = [f"**{w:.2f}**" if w >= 0.4 else f"{w:.2f}" for w in map(float, total[layer, head])]
        print(f"| {layer}, {head} | {' | '.join(cells)} |")
    print()
    for column, name in enumerate(names):
        best = int(total[..., column].argmax())
        layer, head = divmod(best, config.num_attention_heads)
        print(f"- {name}: most in layer {layer} head {head}, {total[layer, head, column]:.2f}")


@torch.inference_mode()
def fill(model: BertForMaskedLM, tokenizer: Tokenizer, sentence: str) -> str:
    """A line of the table of examples: the five likeliest tokens in a sentence's [MASK]."""
    encoding = tokenizer.encode(sentence)
    place = encoding.tokens.index("[MASK]")
    chances = model(torch.tensor([encoding.ids])).logits[0, place].softmax(-1).topk(5)
    best = zip(chances.indices.tolist(), chances.values.tolist(), strict=True)
    return f"| {sentence} | {', '.join(f'{tokenizer.id_to_token(token)} {p:.0%}' for token, p in best)} |"


def main() -> None:
    """Print the three tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--corpus", type=Path, default=corpus.DEFAULT, help="folder of *.txt.xz")
    parser.add_argument("--model", type=Path, default=Path(__file__).parent / "encoder")
    parser.add_argument("--sentences", type=int, default=400, help="for the table of heads")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    # Eager attention is the one that returns its weights.
    model = BertForMaskedLM.from_pretrained(options.model, attn_implementation="eager").eval()
    tokenizer = Tokenizer.from_file(str(options.model / "tokenizer.json"))
    corpora = corpus.read(options.corpus)
    print("## Masked words\n")
    accuracy(model, tokenizer, corpora, options.seed)
    print("\n## Heads\n")
    heads(model, tokenizer, corpora, options.sentences, options.seed)
    print("\n## Examples\n\n| sentence | the model's five best |\n|---|---|")
    for sentence in EXAMPLES:
        print(fill(model, tokenizer, sentence))


if __name__ == "__main__":
    main()
