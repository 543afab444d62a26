"""Vectors in place of the embeddings of a text's tokens: transformers' `inputs_embeds`, in every family that takes them."""

from __future__ import annotations

from typing import Any

import family_albert
import family_bert
import family_deberta
import family_deberta_v2
import family_distilbert
import family_electra
import family_modernbert
import family_mpnet
import family_nomic_bert
import family_roberta
import family_t5
import numpy as np
import pytest
import torch
from encoder_tui.engine import Encoder, InputError, Session
from encoder_tui.engine.commands import TABLE
from family_kit import open_pair, random_model

MODULES = (
    family_albert, family_bert, family_deberta, family_deberta_v2, family_distilbert, family_electra, family_modernbert,
    family_mpnet, family_nomic_bert, family_roberta, family_t5,
)  # fmt: skip
SAMPLES = {
    sample.family: sample for module in MODULES for sample in getattr(module, "SAMPLES", None) or [module.SAMPLE]
}


@pytest.fixture(scope="module", params=SAMPLES)
def pair(request: pytest.FixtureRequest) -> tuple[Encoder, Any]:
    sample = SAMPLES[request.param]
    return open_pair(sample, random_model(sample))


def vectors_for(theirs: Any, shape: tuple[int, ...] = (3, 6), seed: int = 0):
    size = theirs.get_input_embeddings().weight.shape[1]
    return np.random.default_rng(seed).normal(size=(*shape, size)).astype(np.float32)


def test_they_are_what_transformers_computes(pair: tuple[Encoder, Any]):
    encoder, theirs = pair
    vectors = vectors_for(theirs)
    mask = np.array([[1] * 6, [1] * 4 + [0] * 2, [1] + [0] * 5])
    run = encoder.run_vectors(vectors, mask)
    with torch.no_grad():
        expected = theirs(
            inputs_embeds=torch.from_numpy(vectors), attention_mask=torch.from_numpy(mask), output_hidden_states=True
        )
    assert torch.equal(run["embeddings.token"].tensor(), torch.from_numpy(vectors))
    assert torch.equal(run["output"].tensor(), expected.hidden_states[-1])
    assert "tokens.ids" not in run.program


def test_the_embeddings_of_a_text_give_what_the_text_gives(minilm: Encoder):
    run = minilm.run(["the cat sat", "a dog"])
    again = minilm.run_vectors(run["embeddings.token"].tensor(), run.tokens.mask)
    assert torch.equal(again["output"].tensor(), run["output"].tensor())
    assert torch.equal(again["head.sentence.normalized"].tensor(), run["head.sentence.normalized"].tensor())


def test_what_does_not_fit_is_one_line(minilm: Encoder):
    with pytest.raises(InputError, match="vectors have 5 numbers each, and the model takes 384"):
        minilm.run_vectors(np.zeros((2, 3, 5), np.float32))
    with pytest.raises(InputError, match="there are 600 vectors a text, and the model takes 512; give fewer"):
        minilm.run_vectors(np.zeros((1, 600, 384), np.float32))


def test_commands_hold_of_them(minilm: Encoder):
    run = minilm.run(["the cat sat", "a dog"])
    vectors = minilm.run_vectors(run["embeddings.token"].tensor(), run.tokens.mask)
    session = Session(vectors, minilm)
    assert "float16" in TABLE.execute(session, "compare dtype float16").text
    for line in ("why embeddings.token[0, 1, 2]", "info tokens", "cost", "check masks", "stats output"):
        assert TABLE.execute(session, line).text
