"""Train the bundled word vectors: word2vec's CBOW and skip-gram with negative sampling, on one thread and without a GPU.

    OMP_NUM_THREADS=1 python samples/train_words.py cbow           # then: skipgram

The text is that of the bundled encoder (`corpus.py`), each sentence once a pass. As in word2vec (Mikolov et al. 2013),
frequent words are thinned out, each word draws how far it sees (1 to the window), and negatives are drawn by count to the
power ¾. What differs, for speed: the words of one stretch of text share their negatives, each counted accordingly, so that
the scores are matrix products; steps are Adagrad's over a stretch, not one pair at a time. The model ends up in
`samples/cbow` or `samples/skipgram`. Same seed and same number of threads, same model.
"""

import argparse
import json
import os
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import corpus
import torch
from safetensors.torch import save_file
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers
from torch import Tensor
from torch.nn import functional

SPECIAL = ["[PAD]", "[UNK]"]
PAD, UNK = range(2)
VOCABULARY, HIDDEN = 12_000, 96
WINDOW, NEGATIVES = 5, 5
THIN = 1e-4  # words more frequent than this are dropped now and then
POWER = 0.75
STEP = 2048  # words whose gradients make one step
SHARED, DRAWN = 256, 64  # words that share negatives, and how many they share
CALM = 2.0  # what Adagrad starts from: without it rare words jump at their first few sightings
ROW = 32  # words whose windows are cut out of one piece of text


# --- words -----------------------------------------------------------------------------------------------------------


def new_tokenizer(words: list[str]) -> Tokenizer:
    """Whole words in lower case; accents and punctuation are dropped, what is not in the list is `[UNK]`.

    Args:
        words: after the special tokens, in the order of their ids.
    """
    ids = {word: number for number, word in enumerate([*SPECIAL, *words])}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token="[UNK]"))
    straight = normalizers.Replace("’", "'")
    tokenizer.normalizer = normalizers.Sequence([straight, normalizers.BertNormalizer(lowercase=True)])
    word = Regex(r"[\p{L}\p{N}]+(?:'\p{L}+)*")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(word, behavior="removed", invert=True)
    return tokenizer


def frequent_words(sentences: list[str]) -> list[str]:
    """The most frequent words of a text; of equally frequent ones the first by alphabet."""
    bare = new_tokenizer([])
    counts = Counter(
        word
        for sentence in sentences
        for word, _ in bare.pre_tokenizer.pre_tokenize_str(bare.normalizer.normalize_str(sentence))
    )
    ordered = sorted(counts, key=lambda word: (-counts[word], word))
    return ordered[: VOCABULARY - len(SPECIAL)]


@dataclass(frozen=True)
class Text:
    """Sentences end to end.

    Attributes:
        ids: of the words; sentence: the number of the sentence each is in.
        counts: how often each id stands there.
    """

    ids: Tensor
    sentence: Tensor
    counts: Tensor

    @classmethod
    def encode(cls, sentences: list[str], tokenizer: Tokenizer) -> "Text":
        encoded = [encoding.ids for encoding in tokenizer.encode_batch_fast(sentences)]
        ids = torch.tensor([number for row in encoded for number in row])
        lengths = torch.tensor([len(row) for row in encoded])
        sentence = torch.repeat_interleave(torch.arange(len(encoded)), lengths)
        return cls(ids, sentence, torch.bincount(ids, minlength=VOCABULARY).double())

    @property
    def kept(self) -> Tensor:
        """The probability that a word is kept when frequent ones are thinned out, as word2vec.c has it."""
        share = (self.counts / self.counts.sum()).clamp(min=1e-12)
        return ((THIN / share).sqrt() + THIN / share).clamp(max=1)

    @property
    def noise(self) -> Tensor:
        """What negatives are drawn by, rounded to eight binary digits: any dtype holds it, so all draw the same words."""
        return (self.counts**POWER).to(torch.bfloat16).double()

    @property
    def left_out(self) -> Tensor:
        """What turns scores trained by negative sampling into logits of a softmax over all words.

        A trained score tends to log p(word | context) − log(k · noise), and the text was thinned out (Levy and Goldberg
        2014, section 3.1). So log noise − log kept has to be added; what is the same for all words makes no difference.
        """
        found = (self.noise / self.noise.sum() / self.kept).log()
        seen = self.counts > 0
        found[~seen] = found[seen].min() - 10  # never to be guessed, and yet finite
        return found


# --- one step --------------------------------------------------------------------------------------------------------


@dataclass
class Tables:
    """What is learned: a vector for each word as context or centre (`rows`), and one for each word as guess (`scores`)."""

    rows: Tensor
    scores: Tensor

    @classmethod
    def new(cls, generator: torch.Generator) -> "Tables":
        rows = (torch.rand(VOCABULARY, HIDDEN, generator=generator) - 0.5) / HIDDEN
        rows[PAD] = 0
        return cls(rows.requires_grad_(), torch.zeros(VOCABULARY, HIDDEN, requires_grad=True))


def windows(ids: Tensor, sentence: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """A stretch of text in rows, with the words around: ids (row, ROW + 2 · WINDOW) and a mask (row, ROW, the same).

    The mask is 1 where a word sees another: not itself, in the same sentence, no farther than it drew.
    """
    wide = ROW + 2 * WINDOW
    pieces, where = ids.unfold(0, wide, ROW), sentence.unfold(0, wide, ROW)
    middle = slice(WINDOW, WINDOW + ROW)
    far = (torch.arange(wide) - WINDOW - torch.arange(ROW)[:, None]).abs()  # (ROW, wide)
    drawn = torch.randint(1, WINDOW + 1, (len(pieces), ROW, 1), generator=generator)
    same = where[:, None, :] == where[:, middle, None]
    return pieces, ((far > 0) & (far <= drawn) & same).float()


def loss_of(kind: str, tables: Tables, pieces: Tensor, sees: Tensor, drawn: Tensor) -> tuple[Tensor, Tensor]:
    """The loss of negative sampling, summed, and over how many examples.

    Args:
        pieces, sees: of `windows`.
        drawn: ids of the negatives, (stretch, DRAWN), for SHARED words each.
    """
    centre = pieces[:, WINDOW : WINDOW + ROW]
    seen = sees.sum(2)  # (row, ROW)
    weight = NEGATIVES / DRAWN
    if kind == "cbow":
        around = functional.embedding(pieces, tables.rows)
        x = sees @ around / seen.clamp(min=1)[..., None]  # (row, ROW, hidden)
        examples = (seen > 0).float()
        found = functional.logsigmoid((x * functional.embedding(centre, tables.scores)).sum(2)) * examples
        is_target = drawn[:, None, :] == centre.reshape(len(drawn), SHARED, 1)
        counted = examples.view(len(drawn), SHARED, 1) * ~is_target
    else:
        x = functional.embedding(centre, tables.rows)
        examples = sees
        found = functional.logsigmoid(x @ functional.embedding(pieces, tables.scores).transpose(1, 2)) * sees
        counted = seen.view(len(drawn), SHARED, 1)  # each pair has its own negatives, those of one word together
    against = x.reshape(len(drawn), SHARED, HIDDEN) @ functional.embedding(drawn, tables.scores).transpose(1, 2)
    refused = functional.logsigmoid(-against) * counted  # (stretch, SHARED, DRAWN)
    return -found.sum() - weight * refused.sum(), examples.sum()


# --- training --------------------------------------------------------------------------------------------------------


def train(kind: str, text: Text, passes: int, rate: float, seed: int) -> Tables:
    """Adagrad over `passes` of the text, the rate falling to nothing; a line of the log for each pass."""
    generator = torch.Generator().manual_seed(seed)
    tables = Tables.new(generator)
    optimizer = torch.optim.Adagrad([tables.rows, tables.scores], lr=rate, initial_accumulator_value=CALM, fused=True)
    kept, noise = text.kept, text.noise.float()
    begun = time.monotonic()
    for done in range(passes):
        chosen = torch.rand(len(text.ids), generator=generator, dtype=torch.float64) < kept[text.ids]
        ids, sentence = text.ids[chosen], text.sentence[chosen]
        steps = len(ids) // STEP
        ids = functional.pad(ids, (WINDOW, WINDOW))
        sentence = functional.pad(sentence, (WINDOW, WINDOW), value=-1)
        total = count = 0.0
        order = cast("list[int]", torch.randperm(steps, generator=generator).tolist())
        for number, step in enumerate(order):
            stretch = slice(step * STEP, (step + 1) * STEP + 2 * WINDOW)
            pieces, sees = windows(ids[stretch], sentence[stretch], generator)
            drawn = torch.multinomial(noise, STEP // SHARED * DRAWN, replacement=True, generator=generator)
            loss, examples = loss_of(kind, tables, pieces, sees, drawn.view(-1, DRAWN))
            optimizer.param_groups[0]["lr"] = rate * max(0.02, 1 - (done + number / steps) / passes)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total, count = total + loss.item(), count + examples.item()
        minutes = (time.monotonic() - begun) / 60
        print(f"{kind}  pass {done + 1:2}  loss {total / count:.4f}  words {len(ids):,}  {minutes:.1f} min", flush=True)
    return tables


def export(kind: str, tables: Tables, text: Text, tokenizer: Tokenizer, seed: int, target: Path) -> None:
    """A model directory: float16 on disk, float32 to compute in. Each file is replaced whole."""
    target.mkdir(parents=True, exist_ok=True)
    weights = {
        "embeddings.weight": tables.rows.detach(),
        "decoder.weight": tables.scores.detach(),
        "decoder.bias": text.left_out,
        "noise.weight": text.noise,
    }
    config = {
        "model_type": kind,
        "vocab_size": VOCABULARY,
        "hidden_size": HIDDEN,
        "window": WINDOW,
        "negative": NEGATIVES,
        "negative_seed": seed,
        "pad_token_id": PAD,
        "dtype": "float32",
    }
    save_file({name: weight.half().contiguous() for name, weight in weights.items()}, target / "new", {"format": "pt"})
    os.replace(target / "new", target / "model.safetensors")
    (target / "model.safetensors").chmod(0o644)  # safetensors makes its files private
    (target / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    tokenizer.save(str(target / "tokenizer.json"))


def main() -> None:
    """Read the arguments and train."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("kind", choices=("cbow", "skipgram"))
    parser.add_argument("--corpus", type=Path, default=corpus.DEFAULT, help="folder of *.txt.xz")
    parser.add_argument("--out", type=Path, help="where the model goes; samples/KIND if not given")
    parser.add_argument("--passes", type=int, default=12, help="over the text")
    parser.add_argument("--rate", type=float, default=0.6, help="of Adagrad, at the beginning")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    sentences = [sentence for each in corpus.read(options.corpus) for sentence in each.train]
    tokenizer = new_tokenizer(frequent_words(sentences))
    text = Text.encode(sentences, tokenizer)
    unknown = text.counts[UNK] / text.counts.sum()
    print(f"{len(sentences):,} sentences, {len(text.ids):,} words, {unknown:.1%} [UNK]", flush=True)
    tables = train(options.kind, text, options.passes, options.rate, options.seed)
    export(options.kind, tables, text, tokenizer, options.seed, options.out or Path(__file__).parent / options.kind)


if __name__ == "__main__":
    main()
