"""What stands on the encoder: masked words, tied and untied; sentence embeddings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import THREE
from encoder_tui.engine import Encoder, load
from reference import assert_equal_bits, open_reference, reference_values


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
@pytest.mark.parametrize("activation", ["gelu", "relu"])
def test_masked_words(make_checkpoint: Callable[..., Path], tied: bool, activation: str):
    directory = make_checkpoint(head=True, tie_word_embeddings=tied, hidden_act=activation)
    run = load(directory, "cpu").run(THREE)
    expected = reference_values(open_reference(directory, head=True), run)
    assert_equal_bits(run, expected)
    probabilities = torch.softmax(expected["head.words.logits"], -1)
    assert torch.equal(run["head.words.probabilities"].tensor(), probabilities)
    assert torch.equal(run["head.words.best"].tensor(), torch.topk(probabilities, 10).indices)


def test_untied_uses_its_own_matrix(make_checkpoint: Callable[..., Path]):
    """The stored decoder differs from the embeddings, so mistaking one for the other cannot go unseen."""
    directory = make_checkpoint(head=True, tie_word_embeddings=False)
    encoder = load(directory, "cpu")
    embeddings, decoder = (
        encoder.weights[name] for name in ("embeddings.word_embeddings.weight", "cls.predictions.decoder.weight")
    )
    assert not torch.equal(embeddings, decoder)


def test_no_heads_where_none_are_stored(make_checkpoint: Callable[..., Path]):
    program = load(make_checkpoint(pooler=False), "cpu").program
    assert not [stage.name for stage in program if stage.name.startswith("head.")]


def test_sentence_embedding(minilm: Encoder, minilm_dir: Path):
    sentence_transformers = pytest.importorskip("sentence_transformers")
    model = sentence_transformers.SentenceTransformer(
        str(minilm_dir), device="cpu", model_kwargs={"attn_implementation": "eager"}
    )
    theirs = model.encode(THREE, convert_to_tensor=True, batch_size=len(THREE))
    order = range(len(THREE))
    for ours, row in zip(minilm.run(THREE)["head.sentence.normalized"].tensor(), order, strict=True):
        assert torch.equal(ours, theirs[row])
