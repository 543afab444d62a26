"""Classes of transformers, most of which are no family here, attached: equal to their own forward to the last bit, stage by stage."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from encoder_tui.engine.models.traced.attach import attach
from own_modules import IDS, MASK

SIZES: dict[str, Any] = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64, "vocab_size": 100,
    "max_position_embeddings": 64,
}  # fmt: skip
TWO: dict[str, Any] = {"vocab_size": 100, "n_layer": 2, "n_head": 4}
# What is not called as in SIZES, or besides.
CLASSES: dict[str, dict[str, Any]] = {
    "Bert": SIZES, "Roberta": SIZES, "Albert": {**SIZES, "embedding_size": 16}, "Electra": {**SIZES, "embedding_size": 16},
    "DebertaV2": {**SIZES, "relative_attention": True, "pos_att_type": ["c2p", "p2c"]},
    "DistilBert": {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64, "vocab_size": 100}, "MPNet": SIZES,
    "T5": {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4, "vocab_size": 100}, "Camembert": SIZES,
    "XLMRoberta": SIZES, "FNet": SIZES, "RoFormer": {**SIZES, "embedding_size": 32},
    "SqueezeBert": {**SIZES, "embedding_size": 32, **{f"{part}_groups": 1 for part in ("q", "k", "v", "post_attention", "intermediate", "output")}},
    "Esm": {**SIZES, "pad_token_id": 0, "position_embedding_type": "rotary"}, "LayoutLM": SIZES, "MegatronBert": SIZES,
    "MobileBert": {**SIZES, "embedding_size": 32, "intra_bottleneck_size": 32, "true_hidden_size": 32}, "IBert": SIZES,
    "XLNet": {"d_model": 32, "d_inner": 64, **TWO}, "XLM": {"emb_dim": 32, "n_layers": 2, "n_heads": 4, "n_words": 100},
    "GPT2": {"n_embd": 32, **TWO}, "Llama": {**SIZES, "num_key_value_heads": 2}, "Qwen2": {**SIZES, "num_key_value_heads": 2},
    "Mistral": {**SIZES, "num_key_value_heads": 2}, "GPTNeoX": SIZES, "Gemma": {**SIZES, "num_key_value_heads": 2, "head_dim": 8},
    "BigBird": {**SIZES, "attention_type": "original_full"}, "RemBert": {**SIZES, "input_embedding_size": 16},
    "ConvBert": {**SIZES, "embedding_size": 32}, "Splinter": SIZES, "Ernie": SIZES, "Yoso": {**SIZES, "use_expectation": True},
}  # fmt: skip


def model(name: str, attention: str) -> Any:
    """A small one of that name, or None where it has no such attention."""
    config = getattr(transformers, f"{name}Config")(**CLASSES[name])
    config._attn_implementation = attention
    torch.manual_seed(0)
    try:
        return getattr(transformers, "T5EncoderModel" if name == "T5" else f"{name}Model")(config).eval()
    except ValueError as error:
        if "does not support an attention implementation" not in str(error):
            raise
        return None


@pytest.mark.few(4)
@pytest.mark.parametrize("name", CLASSES)
def test_it_is_the_modules_own_to_the_last_bit(name: str) -> None:
    tried = 0
    for attention in ("eager", "sdpa"):
        if (module := model(name, attention)) is None:
            continue
        with torch.no_grad(), warnings.catch_warnings(action="ignore"):
            run = attach(module, input_ids=IDS, attention_mask=MASK).first
            wanted = module(input_ids=IDS, attention_mask=MASK)[0]
        assert run is not None
        assert "each equal to the module's own to the last bit" in run.notes[-1], (attention, run.notes)
        assert np.array_equal(run["output"].numpy(), wanted.numpy())
        assert run.tokens.ids.tolist() == IDS.tolist()
        tried += 1
    assert tried
