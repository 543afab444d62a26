"""Small models that are whole, one of each kind of folder: what the fuzzes start from. None takes more than some kilobytes."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

WORDS = ["the", "cat", "sat", "on", "a", "mat", "dog", "ran", "it", "was", "too", "tired"]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
T5_SPECIAL = ["<pad>", "</s>", "<unk>"]
TEXT = "the cat sat"

_BERT = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, "vocab_size": 64,
    "max_position_embeddings": 32, "type_vocab_size": 2, "hidden_act": "gelu", "layer_norm_eps": 1e-12, "pad_token_id": 0,
}  # fmt: skip
_IMAGES = {"image_size": 16, "patch_size": 8, "num_channels": 3}
_T5 = {
    "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2, "vocab_size": 160,
    "relative_attention_num_buckets": 8, "feed_forward_proj": "gated-gelu", "pad_token_id": 0,
}  # fmt: skip
_TORCH = {
    "d_model": 16, "nhead": 2, "num_layers": 2, "dim_feedforward": 32, "activation": "relu", "norm_first": False,
    "layer_norm_eps": 1e-5, "bias": True, "batch_first": True,
}  # fmt: skip
_MODERN = {
    **_BERT, "hidden_activation": "gelu", "global_attn_every_n_layers": 2, "local_attention": 8, "norm_eps": 1e-5,
}  # fmt: skip

# Name of a base -> (its config, which tokenizer, weights of heads whose presence makes them part of the model).
BASES: dict[str, tuple[dict[str, Any], str, tuple[str, ...]]] = {
    "bert": ({"model_type": "bert", **_BERT}, "wordpiece", ("pooler.dense.weight",)),
    "classes": (
        {
            "model_type": "bert", **_BERT, "architectures": ["BertForSequenceClassification"],
            "id2label": {"0": "yes", "1": "no"},
        },
        "vocab.txt", ("pooler.dense.weight", "classifier.weight"),
    ),
    "roberta": ({"model_type": "roberta", **_BERT, "pad_token_id": 1}, "merges", ()),
    "deberta": (
        {
            "model_type": "deberta-v2", **_BERT, "relative_attention": True, "position_buckets": 8, "share_att_key": True,
            "pos_att_type": ["p2c", "c2p"], "norm_rel_ebd": "layer_norm", "position_biased_input": False, "type_vocab_size": 0,
        },
        "spm.model", (),
    ),
    "t5": ({"model_type": "t5", **_T5}, "spiece.model", ()),
    "modernbert": ({"model_type": "modernbert", **_MODERN}, "bytelevel", ()),
    "vit": ({"model_type": "vit", **_BERT, **_IMAGES}, "images", ()),
    "vectors": ({"model_type": "torch_transformer_encoder", **_TORCH}, "vectors", ()),
    "sentence": ({"model_type": "distilbert", "dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32, "vocab_size": 64, "max_position_embeddings": 32, "activation": "gelu", "pad_token_id": 0}, "wordlevel", ()),
    "cbow": ({"model_type": "cbow", "vocab_size": 64, "hidden_size": 16, "window": 2}, "wordlevel", ()),
    "shards": ({"model_type": "bert", **_BERT}, "wordpiece", ()),
    "torch": ({"model_type": "bert", **_BERT}, "wordpiece", ()),
}  # fmt: skip


def build_bases(place: Path) -> dict[str, Path]:
    """All of them, each in a folder of its own below `place`."""
    return {name: build_base(name, place / name) for name in BASES}


def build_base(name: str, folder: Path) -> Path:
    """One of them."""
    import torch
    from encoder_tui.engine.models.config import Config
    from encoder_tui.engine.models.families import Options, family_of, sides_of
    from safetensors.torch import save_file

    config, tokenizer, heads = BASES[name]
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    family = family_of(config["model_type"])
    read = Config(config, "config.json")
    program = family.build(read, heads, Options("float32", False, None, None, sides_of(family, read)[0]))
    generator = torch.Generator().manual_seed(0)
    weights = {key: torch.randn(shape, generator=generator) * 0.3 for key, shape in program.weights.items()}
    if name == "torch":
        torch.save(weights, folder / "pytorch_model.bin")
    elif name == "shards":
        _shards(folder, weights)
    else:
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    _tokenizer(folder, tokenizer)
    if name == "sentence":
        _sentence(folder)
    return folder


def inputs(name: str, folder: Path) -> list[str]:
    """What goes into a base: the words of the command line."""
    if name == "vit":
        return ["--image", str(folder / "picture.png")]
    return ["--vectors", str(folder / "rows.npy")] if name == "vectors" else [TEXT]


def _shards(folder: Path, weights: dict[str, Any]) -> None:
    from safetensors.torch import save_file

    names = list(weights)
    parts = {"model-00001.safetensors": names[::2], "model-00002.safetensors": names[1::2]}
    for file, part in parts.items():
        save_file({key: weights[key] for key in part}, folder / file)
    places = {key: file for file, part in parts.items() for key in part}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))


def _sentence(folder: Path) -> None:
    modules = ["Transformer", "Pooling", "Normalize"]
    listed = [
        {
            "idx": at,
            "name": str(at),
            "path": f"{at}_{kind}" if at else "",
            "type": f"sentence_transformers.models.{kind}",
        }
        for at, kind in enumerate(modules)
    ]
    (folder / "modules.json").write_text(json.dumps(listed))
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 16, "do_lower_case": false}')
    prompts = {"prompts": {"query": "the "}, "default_prompt_name": None}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(prompts))
    (folder / "1_Pooling").mkdir()
    pooling = {"word_embedding_dimension": 16, "pooling_mode_mean_tokens": True}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))


def _tokenizer(folder: Path, kind: str) -> None:
    if kind == "images":
        _images(folder)
    elif kind == "vectors":
        import numpy as np

        np.save(folder / "rows.npy", np.random.default_rng(0).normal(size=(2, 3, 16)).astype(np.float32))
    elif kind == "vocab.txt":
        (folder / "vocab.txt").write_text("\n".join([*SPECIAL, *WORDS, "##s"]) + "\n")
    elif kind == "merges":
        words = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", *"abcdefghijklmnopqrstuvwxyz", "Ġ", "th", "the", "Ġc"]
        (folder / "vocab.json").write_text(json.dumps({word: at for at, word in enumerate(words)}))
        (folder / "merges.txt").write_text("#version: 0.2\nt h\nth e\nĠ c\n")
    elif kind in ("spm.model", "spiece.model"):
        special = SPECIAL if kind == "spm.model" else T5_SPECIAL
        (folder / kind).write_bytes(pieces(special, ["▁" + word for word in WORDS] + [*"abcdehort▁"]))
    else:
        _whole(folder, kind)
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": True, "model_max_length": 32}))


def _whole(folder: Path, kind: str) -> None:
    """A tokenizer.json."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    words = {word: at for at, word in enumerate([*SPECIAL, *WORDS, *"abcdefgh", "Ġ", "##s"])}
    if kind == "wordpiece":
        tokenizer = Tokenizer(models.WordPiece(words, unk_token="[UNK]"))
        tokenizer.normalizer = normalizers.BertNormalizer()
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    elif kind == "bytelevel":
        tokenizer = Tokenizer(models.BPE(words, [("a", "b")] if "ab" in words else [], unk_token="[UNK]"))
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
    else:
        tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
        tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace("x", "y")])
        tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))


def _images(folder: Path) -> None:
    from PIL import Image

    Image.linear_gradient("L").resize((20, 18)).convert("RGB").save(folder / "picture.png")
    settings = {"image_processor_type": "ViTImageProcessor", "size": {"height": 16, "width": 16}, "do_resize": True}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))


def pieces(special: list[str], words: list[str]) -> bytes:
    """A SentencePiece model of these pieces: the special ones are control pieces, `[UNK]` or `<unk>` the unknown one."""
    data = b""
    for at, word in enumerate([*special, *words]):
        kind = 2 if word in ("[UNK]", "<unk>") else 3 if at < len(special) else 1
        piece = field(1, word.encode()) + b"\x15" + struct.pack("<f", -float(at)) + b"\x18" + varint(kind)
        data += field(1, piece)
    unknown = next(at for at, word in enumerate(special) if word in ("[UNK]", "<unk>"))
    trainer = b"\x18\x01" + varint(40 << 3) + varint(unknown)
    return data + field(2, trainer)


def field(number: int, content: bytes) -> bytes:
    """A field of a protocol buffer that holds bytes."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(number: int) -> bytes:
    """A whole number of variable length."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*out, number))
