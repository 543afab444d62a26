"""A program of two sequences of different length, with its weights: a decoder's tokens ask about an encoder's."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from encoder_tui.engine import Inputs, Program, Run, Tokens
from encoder_tui.engine.models.families.blocks.attention import TOKENS, attention
from encoder_tui.engine.models.families.blocks.builder import Builder
from encoder_tui.engine.ops import AdditiveMask, Given, Sum
from encoder_tui.engine.traces.compute import Computation

WORDS = ("[PAD]", "the", "cat", "sat", "le", "chat", "noir")
HIDDEN, HEADS = 16, 2
WEIGHTS = "layers.0.cross.weights"


def sequence(rows: list[str], length: int) -> Tokens:
    """Texts as tokens, padded on the right."""
    words = [(row.split() + ["[PAD]"] * length)[:length] for row in rows]
    ids = np.array([[WORDS.index(word) for word in row] for row in words])
    shape = ids.shape
    positions = np.broadcast_to(np.arange(length), shape).copy()
    return Tokens(
        tuple(rows), None, ids, (ids != 0).astype(np.int64), np.zeros(shape, np.int64), positions, tuple(map(tuple, words)),
        (((0, 0),) * length,) * len(rows), vocabulary_size=len(WORDS),
    )  # fmt: skip


def program() -> Program:
    """`target` looks at `tokens`: the cross-attention of Vaswani et al. 2017, one layer of it."""
    b = Builder()
    for front in ("tokens", "target"):
        for part in ("ids", "mask"):
            b.add(f"{front}.{part}", Given(part), axes=TOKENS, sequence=front)
    read = b.lookup("embeddings.token", "tokens.ids", "read", len(WORDS), HIDDEN)
    asked = b.lookup("embeddings.target", "target.ids", "asked", len(WORDS), HIDDEN)
    square = ("batch", "head", "query", "key")
    mask = b.add("mask.additive", AdditiveMask("float32"), ("target.mask", "tokens.mask"), square)
    query = b.linear("layers.0.cross.query", asked, "q", HIDDEN, HIDDEN)
    key, value = (b.linear(f"layers.0.cross.{role}", read, role[0], HIDDEN, HIDDEN) for role in ("key", "value"))
    concat = attention(b, "layers.0.cross", query, key, value, mask, HEADS, HIDDEN // HEADS)
    output = b.linear("layers.0.cross.output", concat, "o", HIDDEN, HIDDEN)
    summed = b.add("layers.0.cross.residual", Sum(), (output, asked))
    b.alias("output", b.norm("layers.0.cross.norm", summed, "norm", HIDDEN, 1e-5))
    return b.program()


def weights(of: Program) -> Mapping[str, torch.Tensor]:
    random = torch.Generator().manual_seed(3)
    return {name: torch.randn(shape, generator=random) / 4 for name, shape in of.weights.items()}


READ = ["the cat sat", "the cat"]
ASKED = ["le chat noir le chat", "le chat"]


def cross_attention() -> Run:
    """A run of it over two texts, with a vocabulary of its own."""
    made = program()
    inputs = Inputs(sequence(READ, 3), {"target": sequence(ASKED, 5)})
    word = dict(enumerate(WORDS)).get  # what a tokenizer says
    return Run(Computation(made, weights(made), inputs, torch.device("cpu"), torch.float32), inputs, word=word)
