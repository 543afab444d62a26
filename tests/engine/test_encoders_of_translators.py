"""What is special about encoders that stand beside a decoder: it is stored and not used, named and not computed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from encoder_tui.engine import InputError, load
from encoder_tui.engine.models.families.declarations import DECLARED
from encoder_tui.engine.models.folders import likeness
from family_kit import open_pair, random_model, sample_of


def quiet(note: str) -> None:
    """Says nothing."""


@pytest.mark.parametrize("family", ["BART", "Marian", "M2M100"])
def test_a_decoder_is_stored_and_not_used(family: str):
    sample = sample_of(family)
    with pytest.warns(UserWarning, match=r"decoder \(\d+ tensors\).* stored and not used"):
        encoder, _ = open_pair(sample, random_model(sample, head="words"))
    for name in ("decoder.layers.0.self_attn", "model.decoder.layers.0", "lm_head"):
        with pytest.raises(InputError, match="it belongs to the decoder, which is not computed"):
            encoder.program.resolve(name)


@pytest.mark.parametrize("said", ['{"tokenizer_class": "MarianTokenizer"}', "{}"])
def test_a_tokenizer_that_is_in_python_is_refused_and_ids_are_taken(tmp_path: Path, said: str):
    """By its name, also where the family alone says which it is."""
    random_model(sample_of("Marian")).save_pretrained(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text(said)
    encoder = load(tmp_path, "cpu", tell=quiet)
    with pytest.raises(
        InputError, match=r"'MarianTokenizer' is not implemented; give ids in place of a text \(--ids\)"
    ):
        encoder.run("a text")


@pytest.mark.parametrize("scaled", [True, False])
@pytest.mark.parametrize("family", ["BART", "Marian", "M2M100"])
def test_vectors_are_taken_as_transformers_takes_them(family: str, scaled: bool):
    """Positions are counted where there are no ids, and what is not looked up is not scaled."""
    sample = sample_of(family)
    encoder, theirs = open_pair(sample, random_model(sample, scale_embedding=scaled), tell=quiet)
    size = theirs.get_input_embeddings().weight.shape[1]
    vectors = torch.randn(2, 5, size, generator=torch.Generator().manual_seed(0))
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    run = encoder.run_vectors(vectors, mask)
    with torch.no_grad():
        expected = theirs.get_encoder()(inputs_embeds=vectors, attention_mask=mask).last_hidden_state
    assert torch.equal(run["output"].tensor(), expected)


def test_families_say_what_marks_them():
    assert likeness(["model.encoder.layernorm_embedding.weight"]) == "BART"
    assert likeness(["encoder.layer.0.attention.qkv_proj.weight"]) == "GTE"
    assert set(DECLARED["bart"]) == {"MODEL_TYPES", "TOKENIZERS", "POSITIONS", "MARKS"}
