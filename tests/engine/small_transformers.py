"""Small ones, drawn at random, of classes of transformers beyond text, and of decoders: how each is made, and what it is called with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import transformers
from own_modules import IDS, MASK
from torch import nn

SIZES: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
WORDS: dict[str, Any] = {**SIZES, "vocab_size": 100, "max_position_embeddings": 64}
PIXELS: dict[str, Any] = {**SIZES, "image_size": 32, "patch_size": 8}
GROUPED: dict[str, Any] = {**WORDS, "num_key_value_heads": 2, "head_dim": 8, "pad_token_id": 0}
STAGED: dict[str, Any] = {
    "image_size": 32, "num_encoder_blocks": 2, "depths": [1, 1], "hidden_sizes": [16, 32], "strides": [4, 2], "num_attention_heads": [1, 2],
    "mlp_ratios": [2, 2],
}  # fmt: skip
WAVES: dict[str, Any] = {
    **SIZES, "vocab_size": 40, "conv_dim": (16, 16), "conv_stride": (5, 4), "conv_kernel": (10, 8), "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4, "mask_time_length": 2,
}  # fmt: skip
BOTH_SIDES: dict[str, Any] = {
    "d_model": 32, "encoder_layers": 2, "encoder_attention_heads": 4, "encoder_ffn_dim": 64, "decoder_layers": 1, "decoder_attention_heads": 4,
    "decoder_ffn_dim": 64, "vocab_size": 100,
}  # fmt: skip


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(3))


def text() -> dict[str, Any]:
    return {"input_ids": IDS, "attention_mask": MASK}


def ids(length: int, **more: torch.Tensor) -> Callable[[], dict[str, Any]]:
    given = torch.randint(3, 90, (2, length), generator=torch.Generator().manual_seed(3))
    mask = torch.ones_like(given)
    mask[1, -3:] = 0
    return lambda: {"input_ids": given, "attention_mask": mask, **more}


def alone_of(length: int) -> Callable[[], dict[str, Any]]:
    return lambda: {"input_ids": ids(length)()["input_ids"]}


def alone() -> dict[str, Any]:
    return {"input_ids": IDS}


def pixels() -> dict[str, Any]:
    return {"pixel_values": drawn(2, 3, 32, 32)}


def frames() -> dict[str, Any]:
    return {"pixel_values": drawn(2, 4, 3, 32, 32)}


def wave() -> dict[str, Any]:
    return {"input_values": drawn(2, 800)}


def spectrum(name: str, *shape: int) -> Callable[[], dict[str, Any]]:
    return lambda: {name: drawn(*shape)}


Given = Callable[[], dict[str, Any]]
SPEECH = {**BOTH_SIDES, "max_source_positions": 30, "num_mel_bins": 20, "pad_token_id": 0, "decoder_start_token_id": 1}
LONG = {**BOTH_SIDES, "max_encoder_position_embeddings": 64, "attention_window": 4}
SOUND = {
    "spec_size": 64, "patch_size": 4, "patch_stride": [4, 4], "num_mel_bins": 16, "window_size": 4, "hidden_size": 32, "depths": [1, 1],
    "num_attention_heads": [2, 4], "patch_embeds_hidden_size": 16,
}  # fmt: skip
WINDOWS = {"image_size": 32, "patch_size": 4, "embed_dim": 16, "depths": [1, 2], "num_heads": [2, 4], "window_size": 4}
LATENTS = {
    "d_model": 32, "d_latents": 16, "num_latents": 4, "num_blocks": 1, "num_self_attends_per_block": 2, "num_self_attention_heads": 2,
    "num_cross_attention_heads": 2, "vocab_size": 100, "max_position_embeddings": 64,
}  # fmt: skip
BUCKETS = {
    "hidden_size": 32, "num_attention_heads": 4, "attention_head_size": 8, "feed_forward_size": 64, "vocab_size": 100,
    "axial_pos_shape": [8, 8], "axial_pos_embds_dim": [16, 16], "attn_layers": ["local", "lsh"], "num_buckets": 4,
    "lsh_attn_chunk_length": 8, "local_attn_chunk_length": 8, "is_decoder": False, "hash_seed": 3, "max_position_embeddings": 64,
}  # fmt: skip
NARROWING = {
    "vocab_size": 100,
    "block_sizes": [1, 1],
    "num_decoder_layers": 1,
    "d_model": 32,
    "n_head": 4,
    "d_head": 8,
    "d_inner": 64,
}
GPT: dict[str, Any] = {"n_layer": 2, "n_head": 4, "vocab_size": 100}
SPECTROGRAM = {**SIZES, "patch_size": 8, "frequency_stride": 8, "time_stride": 8, "max_length": 32, "num_mel_bins": 16}
EXPERTS = {**GROUPED, "num_local_experts": 4}
# By name: what is said of it, what it is called with, and its class where that is not NAMEModel, with `.encoder` where that alone is meant.
CLASSES: dict[str, tuple[dict[str, Any], Given, str]] = {
    "Wav2Vec2": (WAVES, wave, ""), "Hubert": (WAVES, wave, ""), "WavLM": (WAVES, wave, ""), "Data2VecAudio": (WAVES, wave, ""),
    "Wav2Vec2Conformer": (WAVES, wave, ""), "Whisper": (SPEECH, spectrum("input_features", 2, 20, 60), "WhisperModel.encoder"),
    "AST": (SPECTROGRAM, spectrum("input_values", 2, 32, 16), ""), "ClapAudio": (SOUND, spectrum("input_features", 2, 1, 256, 16), ""),
    "Swin": (WINDOWS, pixels, ""), "Swinv2": (WINDOWS, pixels, ""), "Dinov2": (PIXELS, pixels, ""), "SiglipVision": (PIXELS, pixels, ""),
    "SiglipText": (WORDS, text, ""), "Beit": (PIXELS, pixels, ""), "Data2VecVision": (PIXELS, pixels, ""),
    "ConvNext": ({"hidden_sizes": [16, 32], "depths": [1, 1], "num_stages": 2}, pixels, ""),
    "Segformer": ({**STAGED, "sr_ratios": [2, 1], "patch_sizes": [7, 3]}, pixels, ""),
    "Pvt": ({**STAGED, "sequence_reduction_ratios": [2, 1], "patch_sizes": [4, 2]}, pixels, ""),
    "VideoMAE": ({**PIXELS, "num_frames": 4, "tubelet_size": 2}, frames, ""), "Timesformer": ({**PIXELS, "num_frames": 4}, frames, ""),
    "Perceiver": (LATENTS, text, "PerceiverForMaskedLM"), "Funnel": (NARROWING, text, ""), "FNet": (WORDS, alone, ""),
    "Longformer": ({**WORDS, "attention_window": 4}, ids(12), ""), "LED": (LONG, ids(12), "LEDModel.encoder"),
    "BigBird": ({**WORDS, "attention_type": "block_sparse", "block_size": 4, "num_random_blocks": 1}, ids(64), ""),
    "Nystromformer": ({**WORDS, "num_landmarks": 4, "segment_means_seq_len": 12}, alone_of(12), ""), "Reformer": (BUCKETS, ids(16), ""),
    "Canine": ({**WORDS, "num_hash_buckets": 16, "downsampling_rate": 4, "local_transformer_stride": 8}, ids(16), ""),
    "Esm": ({**WORDS, "pad_token_id": 1, "position_embedding_type": "rotary", "mask_token_id": 32}, text, ""),
    "GPT2": ({**GPT, "n_embd": 32}, text, ""), "GPTJ": ({**GPT, "n_embd": 32, "rotary_dim": 4}, text, ""), "Bloom": ({**GPT, "hidden_size": 32}, text, ""),
    "Llama": (GROUPED, text, ""), "Qwen3": (GROUPED, text, ""), "Gemma2": ({**GROUPED, "sliding_window": 4}, text, ""), "Mixtral": (EXPERTS, text, ""),
    "OPT": ({**WORDS, "ffn_dim": 64, "word_embed_proj_dim": 32}, text, ""), "Phi": (WORDS, text, ""), "GPTNeoX": (WORDS, text, ""),
    "Mamba": ({"hidden_size": 32, "num_hidden_layers": 2, "state_size": 4, "vocab_size": 100}, alone, ""),
}  # fmt: skip


def small(name: str, attention: str) -> tuple[nn.Module, dict[str, Any]] | None:
    """A small one of that name, and what it is called with; None where it has no such attention."""
    said, given, called = CLASSES[name]
    config = getattr(transformers, f"{name}Config")(**said)
    config._attn_implementation = attention
    whole, _, part = called.partition(".")
    torch.manual_seed(0)
    try:
        model = getattr(transformers, whole or f"{name}Model")(config).eval()
    except ValueError as error:
        if "does not support an attention implementation" not in str(error):
            raise
        return None
    return (model.get_submodule(part) if part else model), given()
