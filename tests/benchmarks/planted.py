"""The seventeen faults and three healthy pairs that `peers.py` puts before every tool, each planted where it really happens.

Of each pair the others are given the easier half: the same code twice, right and wrong, called with the same tensors. Ours has the model as this
project reads it on one side, and the wrong code on the other.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import family_bert
import family_modernbert
import family_roberta
import family_t5
import numpy as np
import torch
from encoder_tui.engine import Encoder, Run, attach, load
from encoder_tui.engine.analysis.matching import match_trace
from encoder_tui.engine.models.notes import silent
from encoder_tui.engine.program.trace import Trace
from family_kit import Sample, open_pair, random_model, random_tokens
from faulty import TWO, Copies, merge_twice, scale_a_row, shift
from ports import Port, Ported
from ports_relative import T5, Modern
from safetensors.torch import load_file, save_file
from scratch import scratch
from torch import nn

TEXTS = ["The animal didn't cross the street because it was too tired", "A cat sat."]
Weights = dict[str, torch.Tensor]
Given = tuple[torch.Tensor, ...]


@dataclass(frozen=True)
class Place:
    """A line in a module: what the others name.

    Attributes:
        module: its path; "" for the model itself.
        line: words that stand in the line; "" for any.
    """

    module: str
    line: str = ""


@dataclass(frozen=True)
class Passage:
    """A module, and what it is called with."""

    module: nn.Module
    given: Given


@dataclass(frozen=True)
class Pair:
    """Two encoders that are not the same, or that are.

    Attributes:
        right, wrong: the same code without the fault and with it.
        ours: the run that is to be compared, and then what it is compared with.
        places: where the others would have to look.
        stages: where we would.
        cause: the kind of cause that is to be named; "" for a healthy pair.
    """

    right: Passage
    wrong: Passage
    ours: Callable[[], tuple[Run, Trace]]
    places: tuple[Place, ...] = ()
    stages: tuple[str, ...] = ()
    cause: str = ""


def given_of(run: Run) -> Given:
    return torch.from_numpy(run.tokens.ids.copy()), torch.from_numpy(run.tokens.mask.copy())


def beside(run: Run, passage: Passage) -> tuple[Run, Trace]:
    """Our run, and a module as `compare module` sees it."""
    with torch.no_grad():
        trace = attach(passage.module, *passage.given, tell=silent).first
    assert trace is not None
    return run, match_trace(run, trace, title="theirs")


class Bert:
    """Two layers of all-MiniLM-L6-v2, and ports of it by hand."""

    def __init__(self, source: Path) -> None:
        self.copies = Copies(source, scratch("planted"))
        self.place = self.copies.make("original")

    @cached_property
    def encoder(self) -> Encoder:
        return load(self.place)

    def port(self, fault: str = "", style: str = "view", change: Callable[[Weights], None] | None = None) -> Port:
        """A port, its weights changed in place where they are at fault."""
        weights = load_file(self.place / "rest.safetensors") | load_file(self.copies.words)
        if change is not None:
            change(weights)
        torch.manual_seed(0)
        config = json.loads((self.place / "config.json").read_text())
        return Port.of(weights, Ported.of(config, fault=fault, style=style)).requires_grad_(False)

    def code(self, fault: str, places: Sequence[Place], stages: Sequence[str], cause: str, **of: Any) -> Pair:
        """A fault in code, or in the weights that the code is given."""
        given = given_of(self.encoder.run(TEXTS))
        wrong = Passage(self.port(fault, **of), given)
        right = Passage(self.port(), given)
        return Pair(right, wrong, lambda: beside(self.encoder.run(TEXTS), wrong), tuple(places), tuple(stages), cause)

    def tokenizer(self, file: str, change: Callable[[Any], object], stages: Sequence[str], cause: str) -> Pair:
        """A fault in the tokenizer's files: the code is right, and is given other ids."""
        there = self.copies.make(f"{cause} in {file}".replace(" ", "-"))
        (there / "vocab.txt").unlink()
        values = json.loads((there / file).read_text())
        (there / file).unlink()  # a link to the model's own
        change(values)
        (there / file).write_text(json.dumps(values))
        theirs = load(there)
        right, wrong = (Passage(self.port(), given_of(one.run(TEXTS))) for one in (self.encoder, theirs))
        places = (Place("words", "self.words(ids)"), Place("", "inputs"))
        return Pair(right, wrong, lambda: (self.encoder.run(TEXTS), theirs.run(TEXTS)), places, tuple(stages), cause)

    def transformers(self, attention: str) -> nn.Module:
        """The class of transformers, as the checkpoint is opened."""
        from transformers import BertModel

        opened: Any = BertModel.from_pretrained(str(self.place), attn_implementation=attention, add_pooling_layer=False)
        return opened.eval().requires_grad_(False)


def zero_a_bias(weights: Weights) -> None:
    weights[f"{TWO}intermediate.dense.bias"].zero_()


def enlarge(weights: Weights) -> None:
    for side in ("query", "key"):
        weights[f"{TWO}attention.self.{side}.weight"] *= 120


def overflow(bert: Bert) -> Pair:
    """Scores beyond float16: the same weights and code in two dtypes."""
    there = bert.copies.make("large", enlarge)
    full, half = load(there), load(there, dtype="float16")
    given = given_of(full.run(TEXTS))
    right = Passage(bert.port(change=enlarge), given)
    wrong = Passage(bert.port(change=enlarge).half(), given)
    places = (Place("blocks.1.attend", "q @ k"),)
    return Pair(
        right, wrong, lambda: (full.run(TEXTS), half.run(TEXTS)), places, ("layers.1.attention.scores",), "float16 overflow"
    )  # fmt: skip


def twice_in_bfloat16(bert: Bert) -> Pair:
    """A mask of -1e4 that is added twice."""
    encoder = load(bert.place, dtype="bfloat16")
    given = given_of(encoder.run(TEXTS))
    right, wrong = (Passage(bert.port(fault).bfloat16(), given) for fault in ("", "mask twice"))
    places = (Place("blocks.0.attend", "(1 - seen) *"), Place("blocks.0.attend", "mask + mask"))
    stages = "layers.0.attention.masked", "mask.additive"
    return Pair(right, wrong, lambda: beside(encoder.run(TEXTS), wrong), places, stages, "mask added twice")


def untied(bert: Bert) -> Pair:
    """A decoder that is not the table it should be tied to."""
    from transformers import BertForMaskedLM

    model: Any = random_model(family_bert.SAMPLE, head="words", tie_word_embeddings=True)
    there = [scratch("planted") for _ in range(2)]
    for folder in there:
        model.save_pretrained(folder)
    weights = load_file(there[1] / "model.safetensors")
    table = weights["bert.embeddings.word_embeddings.weight"]
    other = table + 0.05 * torch.randn(table.shape, generator=torch.Generator().manual_seed(0))
    apart = {
        "cls.predictions.decoder.weight": other,
        "cls.predictions.decoder.bias": weights["cls.predictions.bias"].clone(),
    }
    save_file(weights | apart, there[1] / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((there[1] / "config.json").read_text())
    (there[1] / "config.json").write_text(json.dumps(config | {"tie_word_embeddings": False}))
    ours = [load(folder, "cpu") for folder in there]
    opened: list[Any] = [BertForMaskedLM.from_pretrained(folder, attn_implementation="eager") for folder in there]
    ids = [[5, 6, 7, 8, 9, 1, 2, 3]]
    given = torch.tensor(ids), torch.ones(1, len(ids[0]), dtype=torch.int64)
    right, wrong = (Passage(one.eval().requires_grad_(False), given) for one in opened)
    places = (Place("cls.predictions.decoder"),)
    return Pair(
        right, wrong, lambda: (ours[0].run_ids(ids), ours[1].run_ids(ids)), places, ("head.words.logits",), "decoder not tied"
    )  # fmt: skip


def rotary_base(bert: Bert) -> Pair:
    """ModernBERT whose config says another base: transformers' own class twice."""
    from transformers import ModernBertModel

    there = [scratch("planted") for _ in range(2)]
    model: Any = random_model(family_modernbert.SAMPLE)
    encoder, _ = open_pair(family_modernbert.SAMPLE, model)
    assert encoder.settings.model is not None
    for folder in there:
        shutil.copytree(str(encoder.settings.model), folder, dirs_exist_ok=True)
    config = json.loads((there[1] / "config.json").read_text())
    config["rope_parameters"]["full_attention"]["rope_theta"] = 10_000.0
    (there[1] / "config.json").write_text(json.dumps(config))
    ours = [load(folder, "cpu") for folder in there]
    tokens = random_tokens((24, 11), np.random.default_rng(0), encoder)
    opened: list[Any] = [ModernBertModel.from_pretrained(folder, attn_implementation="eager") for folder in there]
    given = given_of(ours[0].run(tokens))
    right, wrong = (Passage(one.eval().requires_grad_(False), given) for one in opened)
    places = (Place("rotary_emb"),)
    return Pair(
        right, wrong, lambda: (ours[0].run(tokens), ours[1].run(tokens)), places, ("rotary.global.cos",), "rotary base"
    )  # fmt: skip


Written = Callable[[Mapping[str, torch.Tensor], Any, str], nn.Module]


def of_family(sample: Sample, written: Written, fault: str, places: Sequence[Place], stage: str, cause: str) -> Pair:
    """A fault in a port of another family."""
    model = random_model(sample)
    encoder, _ = open_pair(sample, model)
    tokens = random_tokens((24, 11), np.random.default_rng(0), encoder)
    given = given_of(encoder.run(tokens))
    right, wrong = (
        Passage(written(model.state_dict(), model.config, one).eval().requires_grad_(False), given)
        for one in ("", fault)
    )
    return Pair(right, wrong, lambda: beside(encoder.run(tokens), wrong), tuple(places), (stage,), cause)


def written_roberta(weights: Mapping[str, torch.Tensor], config: Any, fault: str) -> nn.Module:
    return Port.of(weights, Ported.of(config.to_dict(), fault=fault, padding=config.pad_token_id))


def written_t5(weights: Mapping[str, torch.Tensor], config: Any, fault: str) -> nn.Module:
    return T5(weights, heads=4, layers=2, buckets=8, distance=20, fault=fault)


def written_modernbert(weights: Mapping[str, torch.Tensor], config: Any, fault: str) -> nn.Module:
    return Modern(weights, heads=4, layers=4, window=8, fault=fault)


QUERY = Place("blocks.0.attend.to_q", "self.to_q(x)")
UP = Place("blocks.1.lift", "self.lift(x)")
ROBERTA = next(sample for sample in family_roberta.SAMPLES if sample.family == "RoBERTa")
T5S = next(sample for sample in family_t5.SAMPLES if sample.family == "T5")

# What it is, as FAULTS call it -> (where it is planted, how it is made)
FAULTS: dict[str, tuple[str, Callable[[Bert], Pair]]] = {
    "gamma and beta of one norm swapped": ("weights", lambda bert: bert.code(
        "gamma and beta", [Place("blocks.1.norm_1", "layer_norm")], ["layers.1.attention.norm"], "gain and shift exchanged")),
    "token types left out": ("code", lambda bert: bert.code(
        "token types left out", [Place("", "x = words + places")], ["embeddings.sum"], "left out of a sum")),
    "two layers exchanged": ("weights", lambda bert: bert.code(
        "layers exchanged", [QUERY], ["layers.0.attention.query"], "layers exchanged")),
    "rotary base 1e4 for 1.6e5": ("config", rotary_base),
    "sliding window off by one": ("code", lambda bert: of_family(
        family_modernbert.SAMPLE, written_modernbert, "window", [Place("", "far <=")], "mask.local", "window")),
    "mask added before scaling": ("code", lambda bert: bert.code(
        "mask of -20 before scaling", [Place("blocks.0.attend", "math.sqrt(size)")], ["layers.0.attention.masked"],
        "mask before scaling")),
    "float16 overflow in scores": ("weights", overflow),
    "mask of -1e4 added twice in bfloat16": ("code", twice_in_bfloat16),
    "dropout left on": ("code", lambda bert: bert.code(
        "dropout", [Place("drop", "self.drop(self.norm(x))")], ["layers.0.attention.query"], "dropout left on")),
    "ids shifted by one": ("tokenizer", lambda bert: bert.tokenizer(
        "tokenizer.json", shift, ["tokens.ids"], "ids shifted")),
    "decoder untied and different": ("weights", untied),
    "one bias zero": ("weights", lambda bert: bert.code(
        "", [UP], ["layers.1.ffn.up"], "bias missing", change=zero_a_bias)),
    "padding on the left, absolute positions": ("tokenizer", lambda bert: bert.tokenizer(
        "tokenizer_config.json", lambda file: file.update(padding_side="left"), ["tokens.positions", "tokens.ids"],
        "padding side")),
    "LoRA delta merged twice": ("weights", lambda bert: bert.code(
        "", [QUERY], ["layers.0.attention.query"], "low-rank difference", change=merge_twice)),
    "one channel's int8 scale broken": ("weights", lambda bert: bert.code(
        "", [UP], ["layers.1.ffn.up"], "few rows", change=scale_a_row)),
    "T5 with 1/√d": ("code", lambda bert: of_family(
        T5S, written_t5, "scaled", [Place("", "scores / math.sqrt"), Place("", "scores + bias")],
        "layers.0.attention.biased", "scale ours has not")),
    "RoBERTa's positions without the offset of two": ("code", lambda bert: of_family(
        ROBERTA, written_roberta, "positions without offset",
        [Place("", "stands"), Place("", "counted"), Place("places", "self.places(")], "embeddings.position", "position offset")),
}  # fmt: skip


def attending(bert: Bert) -> Pair:
    given = given_of(bert.encoder.run(TEXTS))
    right, wrong = (Passage(bert.transformers(attention), given) for attention in ("eager", "sdpa"))
    return Pair(right, wrong, lambda: beside(bert.encoder.run(TEXTS), wrong))


def rewritten(bert: Bert) -> Pair:
    given = given_of(bert.encoder.run(TEXTS))
    right, wrong = Passage(bert.transformers("eager"), given), Passage(bert.port(), given)
    return Pair(right, wrong, lambda: beside(bert.encoder.run(TEXTS), wrong))


HEALTHY: dict[str, Callable[[Bert], Pair]] = {
    "eager against SDPA attention": attending,
    "a norm written out, which rounds otherwise": lambda bert: bert.code("norm by hand", [], [], ""),
    "transformers' class against a right rewrite": rewritten,
}
