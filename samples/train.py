"""Train the bundled encoder: a BERT masked language model of four layers, small enough to read number by number.

    python samples/train.py --minutes 75 --work /tmp/encoder          # one thread, no GPU

The text is seven public English corpora; `corpus.py` lists the package and the licence of each. `--corpus` is the
folder with their `*.txt.xz`. The schedule is the clock: the learning rate follows `--minutes` of training whatever
the machine, so a slower machine sees fewer tokens. Every `--checkpoint-minutes` the whole state goes to `--work`; run
the same command again and it goes on from there. The model ends up in `samples/encoder`.
"""

import argparse
import json
import math
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import corpus
import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from torch import Tensor, nn
from transformers import BertConfig, BertForMaskedLM

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PAD, UNK, CLS, SEP, MASK = range(5)

VOCABULARY = 8000
HIDDEN, LAYERS, HEADS = 128, 4, 4
POSITIONS = 256
INIT_STD = 0.55 / math.sqrt(HIDDEN)

BATCH_TOKENS = 4096  # padding included
MASKED = 0.20
PEAK_RATE, WARM_UP = 2e-3, 0.04
SEPARATOR_HEAD, GUIDANCE = (3, 1), 0.05  # layer and head; weight of its loss beside the masked words'


# --- tokenizer -------------------------------------------------------------------------------------------------------


def train_tokenizer(corpora: list[corpus.Corpus]) -> Tokenizer:
    """An uncased WordPiece tokenizer with BERT's normaliser, in the order of BERT's special tokens."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(
        vocab_size=VOCABULARY,
        special_tokens=SPECIAL,
        limit_alphabet=80,  # a rare letter would cost two entries
        initial_alphabet=[chr(code) for code in range(33, 127) if not chr(code).isupper()],
        show_progress=False,
    )
    weighted = (s for c in corpora for _ in range(max(1, round(c.weight))) for s in c.train)
    tokenizer.train_from_iterator(weighted, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", CLS), ("[SEP]", SEP)],
    )
    return tokenizer


# --- text as examples ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sentences:
    """Tokenized sentences of all corpora, end to end; sentence i is tokens[start[i]:start[i + 1]]."""

    tokens: np.ndarray
    start: np.ndarray
    weight: np.ndarray  # of each sentence

    @classmethod
    def encode(cls, texts: list[str], weights: list[float], tokenizer: Tokenizer) -> "Sentences":
        encoded = [e.ids for e in tokenizer.encode_batch_fast(texts, add_special_tokens=False)]
        start = np.cumsum([0] + [len(ids) for ids in encoded])
        return cls(np.concatenate(encoded).astype(np.int32), start, np.asarray(weights, dtype=np.float64))


@dataclass(frozen=True)
class Batch:
    """Examples side by side, padded to the longest."""

    ids: Tensor  # (batch, token)
    segments: Tensor
    mask: Tensor


def examples(text: Sentences, full_stop: int, rng: np.random.Generator) -> Iterator[tuple[np.ndarray, int]]:
    """What users type, without end: one sentence mostly, two, or a paragraph, each with where segment 1 begins."""
    chance = np.cumsum(text.weight / text.weight.sum())
    while True:
        for first in np.searchsorted(chance, rng.random(4096)):
            kind = rng.random()
            if kind < 0.65:
                last, room = first + 1, 64
            elif kind < 0.82:
                last, room = first + 2, 128
            else:  # as many whole sentences as fit
                room = int(rng.integers(24, POSITIONS if rng.random() < 0.2 else 128))
                last = int(np.searchsorted(text.start, text.start[first] + room - 3, side="right")) - 1
            last = min(max(last, first + 1), len(text.start) - 1)
            begin, end = int(text.start[first]), int(text.start[last])
            # Half of the longer texts come as a pair, cut between two sentences.
            cut = int(text.start[rng.integers(first + 1, last)]) if last - first > 1 and rng.random() < 0.5 else end
            end = min(end, begin + room - 3)
            # People leave the full stop out.
            if last - first == 1 and end - begin > 2 and text.tokens[end - 1] == full_stop and rng.random() < 0.2:
                end -= 1
            a, b = text.tokens[begin : min(cut, end)], text.tokens[min(cut, end) : end]
            ids = np.concatenate([[CLS], a, [SEP], *([b, [SEP]] if len(b) else [])])
            yield ids, len(a) + 2


def batches(text: Sentences, full_stop: int, seed: int) -> Iterator[Batch]:
    """Examples of like length together, so that hardly any padding is computed; batches in random order."""
    rng = np.random.default_rng(seed)
    stream = examples(text, full_stop, rng)
    while True:
        pool = sorted((next(stream) for _ in range(8192)), key=lambda example: len(example[0]))
        groups: list[list[tuple[np.ndarray, int]]] = [[]]
        for example in pool:
            if (len(groups[-1]) + 1) * len(example[0]) > BATCH_TOKENS:
                groups.append([])
            groups[-1].append(example)
        for i in map(int, rng.permutation(len(groups))):
            yield collate(groups[i])


def collate(group: list[tuple[np.ndarray, int]]) -> Batch:
    """Pad a group of examples to one rectangle."""
    width = max(len(ids) for ids, _ in group)
    ids = np.full((len(group), width), PAD, dtype=np.int64)
    segments = np.zeros_like(ids)
    for row, (tokens, second) in enumerate(group):
        ids[row, : len(tokens)] = tokens
        segments[row, second : len(tokens)] = 1
    packed = torch.from_numpy(ids)
    return Batch(packed, torch.from_numpy(segments), (packed != PAD).long())


def hide(ids: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """BERT's masking: of the chosen tokens 80% become [MASK], 10% another token, 10% stay."""
    chosen = (torch.rand(ids.shape, generator=generator) < MASKED) & (ids > MASK)
    how = torch.rand(ids.shape, generator=generator)
    other = torch.randint(MASK + 1, VOCABULARY, ids.shape, generator=generator)
    hidden = torch.where(chosen & (how < 0.8), MASK, torch.where(chosen & (how >= 0.9), other, ids))
    return hidden, chosen


# --- model -----------------------------------------------------------------------------------------------------------


def new_model(text: Sentences) -> BertForMaskedLM:
    """A model that has seen no sentence yet, but knows how often and beside what each token stands."""
    config = BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=HIDDEN,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        intermediate_size=4 * HIDDEN,
        hidden_act="gelu",
        max_position_embeddings=POSITIONS,
        hidden_dropout_prob=0.0,  # too little text is seen too few times to overfit
        attention_probs_dropout_prob=0.0,
        initializer_range=INIT_STD,
        pad_token_id=PAD,
    )
    model = BertForMaskedLM(config)
    counts = token_counts(text)
    with torch.no_grad():
        embeddings = model.bert.embeddings
        embeddings.word_embeddings.weight.copy_(meaning_vectors(text, counts))
        embeddings.position_embeddings.weight.copy_(sinusoids())
        # Start from the unigram distribution rather than spend the first steps learning it.
        model.cls.predictions.bias.copy_(torch.log((counts + 1) / (counts + 1).sum()))
    return model


def token_counts(text: Sentences) -> Tensor:
    """How often each token is drawn."""
    each = np.repeat(text.weight, np.diff(text.start))
    return torch.from_numpy(np.bincount(text.tokens, weights=each, minlength=VOCABULARY)).float()


def meaning_vectors(text: Sentences, counts: Tensor, window: int = 4) -> Tensor:
    """Token embeddings from the singular vectors of the positive pointwise mutual information of neighbours."""
    pairs = np.zeros(VOCABULARY * VOCABULARY)
    each = np.repeat(text.weight, np.diff(text.start))
    for gap in range(1, window + 1):
        place = text.tokens[:-gap].astype(np.int64) * VOCABULARY + text.tokens[gap:]
        pairs += np.bincount(place, weights=each[gap:] / gap, minlength=pairs.size)
    joint = torch.from_numpy(pairs).float().view(VOCABULARY, VOCABULARY)
    joint += joint.T.clone()
    rows = joint.sum(1)
    smooth = rows**0.75  # rare neighbours would otherwise look too telling
    expected = rows[:, None] * (smooth / smooth.sum())[None, :]
    ppmi = torch.log(joint / expected.clamp(min=1e-9)).clamp(min=0)
    left, singular, _ = torch.svd_lowrank(ppmi, q=HIDDEN, niter=4)
    vectors = left * singular.sqrt()
    lengths = cast(Tensor, vectors.norm(dim=1, keepdim=True))
    vectors *= math.sqrt(HIDDEN) / lengths.clamp(min=1e-6)
    vectors[counts == 0] = torch.randn(int((counts == 0).sum()), HIDDEN)
    return INIT_STD * vectors


def sinusoids() -> Tensor:
    """Positions start as waves: the previous token is then one rotation away, and heads find it early."""
    rate = torch.exp(torch.arange(0, HIDDEN, 2) * (-math.log(10_000.0) / HIDDEN))
    angle = torch.arange(POSITIONS)[:, None] * rate
    return INIT_STD * math.sqrt(2) * torch.stack([angle.sin(), angle.cos()], dim=2).flatten(1)


def encode(model: BertForMaskedLM, batch: Batch, ids: Tensor) -> tuple[Tensor, ...]:
    """What enters each layer, and last what leaves the encoder."""
    return model.bert(
        ids, attention_mask=batch.mask, token_type_ids=batch.segments, output_hidden_states=True
    ).hidden_states


def missed_separators(model: BertForMaskedLM, states: tuple[Tensor, ...], batch: Batch) -> Tensor:
    """How far one head is from attending to [SEP]: the mean of -log(weight on separators).

    Heads on neighbours come by themselves in a run this short, one on separators does not. Guiding heads to plain
    patterns has been found to help training (Deshpande and Narasimhan 2020, "Guiding Attention for Self-Supervised
    Learning with Transformers").
    """
    layer, head = SEPARATOR_HEAD
    rows = slice(head * HIDDEN // HEADS, (head + 1) * HIDDEN // HEADS)

    def project(name: str) -> Tensor:
        linear = f"bert.encoder.layer.{layer}.attention.self.{name}"
        weight, bias = model.get_parameter(f"{linear}.weight"), model.get_parameter(f"{linear}.bias")
        return nn.functional.linear(states[layer], weight[rows], bias[rows])  # (batch, token, head_dim)

    scores = project("query") @ project("key").transpose(1, 2) / math.sqrt(HIDDEN // HEADS)  # (batch, query, key)
    scores = scores.masked_fill(batch.mask[:, None] == 0, -math.inf)
    on_separators = scores.masked_fill(batch.ids[:, None] != SEP, -math.inf).logsumexp(2)
    return (scores.logsumexp(2) - on_separators)[batch.mask.bool()].mean()


@torch.no_grad()
def validate(model: BertForMaskedLM, held_out: list[Batch]) -> tuple[float, float]:
    """Mean loss and top-1 accuracy at masked tokens, the same tokens each time."""
    generator = torch.Generator().manual_seed(1)
    loss, right, total = 0.0, 0, 0
    for batch in held_out:
        ids, chosen = hide(batch.ids, generator)
        scores, answer = model.cls(encode(model, batch, ids)[-1][chosen]), batch.ids[chosen]
        loss += nn.functional.cross_entropy(scores, answer, reduction="sum").item()
        right += int((scores.argmax(-1) == answer).sum())
        total += len(answer)
    return loss / total, right / total


# --- files -----------------------------------------------------------------------------------------------------------


def save_state(path: Path, state: Mapping[str, object]) -> None:
    """Write a checkpoint whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(dict(state), path.with_suffix(".tmp"))
    os.replace(path.with_suffix(".tmp"), path)


def export(model: BertForMaskedLM, tokenizer: Tokenizer, target: Path) -> None:
    """The checkpoint as transformers writes it: float16 on disk, float32 to compute in. A reader sees whole files."""
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".export-") as name:
        folder = Path(name)
        half = BertForMaskedLM(model.config)
        half.load_state_dict(model.state_dict())
        half.half().save_pretrained(folder)
        config = json.loads((folder / "config.json").read_text())
        write_json(folder / "config.json", config | {"dtype": "float32"})
        tokenizer.save(str(folder / "tokenizer.json"))
        vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda entry: entry[1])
        (folder / "vocab.txt").write_text("".join(f"{token}\n" for token, _ in vocabulary), encoding="utf-8")
        named = {f"{token[1:-1].lower()}_token": token for token in SPECIAL}
        settings = {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": POSITIONS}
        write_json(folder / "tokenizer_config.json", settings | named)
        for file in sorted(folder.iterdir()):
            file.chmod(0o644)  # safetensors makes its files private
            os.replace(file, target / file.name)


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Write JSON as people like to read it."""
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


# --- training --------------------------------------------------------------------------------------------------------


def learning_rate(done: float) -> float:
    """Linear warm-up, then a cosine down to nothing; `done` is the share of the time that is spent."""
    if done < WARM_UP:
        return PEAK_RATE * done / WARM_UP
    return PEAK_RATE * 0.5 * (1 + math.cos(math.pi * min(1.0, (done - WARM_UP) / (1 - WARM_UP))))


def optimizer_for(model: nn.Module) -> torch.optim.AdamW:
    """AdamW; biases and norms are left out of the weight decay."""
    matrices = [p for p in model.parameters() if p.dim() > 1]
    vectors = [p for p in model.parameters() if p.dim() <= 1]
    groups = [{"params": matrices, "weight_decay": 0.01}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=PEAK_RATE, betas=(0.9, 0.98), fused=True)


def train(options: argparse.Namespace) -> None:
    """Train until the time is spent, from the last checkpoint if there is one."""
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    corpora = corpus.read(options.corpus)
    saved = options.work / "tokenizer.json"
    if not saved.exists():  # the trainer breaks ties at random, so a resumed run needs the first one's
        options.work.mkdir(parents=True, exist_ok=True)
        train_tokenizer(corpora).save(str(saved))
    tokenizer = Tokenizer.from_file(str(saved))
    text = Sentences.encode(
        [s for c in corpora for s in c.train], [c.weight for c in corpora for _ in c.train], tokenizer
    )
    unseen = [s for c in corpora for s in c.held_out]
    held_out = Sentences.encode(unseen, [c.weight for c in corpora for _ in c.held_out], tokenizer)
    full_stop = tokenizer.encode(".", add_special_tokens=False).ids[0]
    print(f"{len(text.start) - 1:,} sentences, {len(text.tokens):,} tokens; held out {len(unseen):,}", flush=True)

    model = new_model(text)
    optimizer = optimizer_for(model)
    step, tokens, spent = 0, 0, 0.0
    state_file = options.work / "state.pt"
    if state_file.exists():
        state = torch.load(state_file, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        step, tokens, spent = state["step"], state["tokens"], state["spent"]
        print(f"going on from step {step:,}", flush=True)
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters", flush=True)

    stream = batches(text, full_stop, options.seed + step)
    fixed = batches(held_out, full_stop, seed=1)
    validation = [next(fixed) for _ in range(12)]
    generator = torch.Generator().manual_seed(options.seed + step)
    budget, pause = options.minutes * 60, options.checkpoint_minutes * 60
    checkpoints, next_checkpoint, running, since = 0, spent + pause, 0.0, step
    clock = time.monotonic()
    while spent < budget:
        batch = next(stream)
        ids, chosen = hide(batch.ids, generator)
        states = encode(model, batch, ids)
        # At the chosen tokens only: over all of them the vocabulary would cost as much as the layers.
        loss = nn.functional.cross_entropy(model.cls(states[-1][chosen]), batch.ids[chosen])
        guide = missed_separators(model, states, batch)
        (loss + GUIDANCE * guide).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(spent / budget)
        optimizer.step()
        optimizer.zero_grad()
        step, tokens, running = step + 1, tokens + int(batch.mask.sum()), running + loss.item()
        now = time.monotonic()
        spent, clock = spent + now - clock, now
        if spent >= min(next_checkpoint, budget):
            val_loss, accuracy = validate(model, validation)
            print(
                f"{spent / 60:5.1f} min  step {step:6,}  tokens {tokens:11,}  loss {running / (step - since):.3f}"
                f"  held out {val_loss:.3f}  top-1 {accuracy:.1%}  [SEP] {math.exp(-guide.item()):.2f}",
                flush=True,
            )
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
            save_state(state_file, state | {"step": step, "tokens": tokens, "spent": spent})
            if checkpoints % options.export_every == 0 or spent >= budget:
                export(model, tokenizer, options.out)
            checkpoints, next_checkpoint, running, since = checkpoints + 1, spent + pause, 0.0, step


def main() -> None:
    """Read the arguments and train."""
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--corpus", type=Path, default=corpus.DEFAULT, help="folder of *.txt.xz")
    parser.add_argument("--work", type=Path, required=True, help="folder for checkpoints; give it again to resume")
    parser.add_argument("--out", type=Path, default=here / "encoder", help="where the model goes")
    parser.add_argument("--minutes", type=float, default=75, help="training time, all runs together")
    parser.add_argument("--checkpoint-minutes", type=float, default=4)
    parser.add_argument("--export-every", type=int, default=5, help="write the model at every this many checkpoints")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    train(parser.parse_args())


if __name__ == "__main__":
    main()
