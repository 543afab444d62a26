"""Model folders that were changed by their structure: configs, weights, tokenizers, and what lies in the place of files."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from .bases import BASES, build_bases, field, inputs, pieces, varint
from .files import apply, draw_bytes, draw_length, draw_tensor, header_of
from .rounds import rounds
from .values import EVIL, LONG, change, value

KEYS = [
    "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "max_position_embeddings",
    "type_vocab_size", "hidden_act", "layer_norm_eps", "pad_token_id", "position_embedding_type", "quantization_config",
    "rope_scaling", "pruned_heads", "architectures", "id2label", "num_labels", "problem_type", "is_decoder", "torch_dtype",
    "tie_word_embeddings", "model_type", "image_size", "patch_size", "num_channels", "size", "do_resize", "image_mean", "d_model",
    "nhead", "num_layers", "normalizer", "pre_tokenizer", "post_processor", "added_tokens", "truncation", "padding", "decoder", "model",
    "path", "type", "pooling_mode", "weight_map", "do_lower_case", "max_seq_length", "prompts", "default_prompt_name", "tokenizer_class",
    "extra_ids", "unk_token", "model_max_length", "padding_side",
]  # fmt: skip
LOOKS = [
    "info model",
    "info tokens",
    "info stages",
    "goto end",
    "print output",
    "stats output",
    "cost",
    "check masks",
    "print {0}",
]


def _replaced(pattern: Any, content: str) -> dict[str, Any]:
    return {"type": "Replace", "pattern": pattern, "content": content}


# Steps of a tokenizer that are valid, or nearly, and make much of little.
NORMALIZERS: list[Any] = [
    _replaced({"String": "a"}, LONG),
    _replaced({"Regex": ""}, "aaaa"),
    {"type": "Sequence", "normalizers": [_replaced({"String": "a"}, "aa")] * 40},
    {"type": "Sequence", "normalizers": [_replaced({"Regex": "."}, "a" * 100)] * 5},
    {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "a" * 1000}] * 30},
    {"type": "Prepend", "prepend": LONG},
    _replaced({"Regex": "(a|a)*(a|a)*(a|aa)*b"}, "x"),
    _replaced({"Regex": "(((("}, "x"),
    _replaced({"String": "a"}, EVIL),
    {"type": "Precompiled", "precompiled_charsmap": "AAAA"},
    {"type": "Precompiled", "precompiled_charsmap": "ALQCAACEAAAAAACAAQAAgMz8AgC4BQAAhyIAgMzkAgC4PQAAeyIAgMzsAgC4BQ=="},
    {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True},
    {"type": "Nmt"}, {"type": "ByteLevel"}, {"type": "Strip", "strip_left": True, "strip_right": True}, {"type": EVIL},
]  # fmt: skip
PRE_TOKENIZERS: list[Any] = [
    {"type": "Split", "pattern": {"Regex": "(a|a)*(a|a)*b"}, "behavior": "Isolated", "invert": False},
    {"type": "Split", "pattern": {"Regex": ""}, "behavior": "Isolated", "invert": True},
    {"type": "Split", "pattern": {"String": ""}, "behavior": "MergedWithNext", "invert": False},
    {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True},
    {"type": "Metaspace", "replacement": "ab", "prepend_scheme": "always", "split": True},
    {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
    {"type": "Sequence", "pretokenizers": [{"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": False}] * 30},
    {"type": "Digits", "individual_digits": True}, {"type": "UnicodeScripts"}, {"type": "CharDelimiterSplit", "delimiter": "a"},
    {"type": "FixedLength", "length": 0},
]  # fmt: skip
POST_PROCESSORS: list[Any] = [
    {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "x", "type_id": 0}}], "pair": [], "special_tokens": {}},
    {"type": "TemplateProcessing", "single": [{"Sequence": {"id": "B", "type_id": 0}}], "pair": [], "special_tokens": {}},
    {
        "type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "x", "type_id": 9}}] + [{"Sequence": {"id": "A", "type_id": 7}}] * 3,
        "pair": [], "special_tokens": {"x": {"id": "x", "ids": [0] * 10, "tokens": ["x"]}},
    },
    {"type": "RobertaProcessing", "sep": ["x", 10**6], "cls": ["y", 2**32 - 1], "trim_offsets": True, "add_prefix_space": True},
    {"type": "BertProcessing", "sep": ["x", 0], "cls": ["y", 0]},
    {"type": "Sequence", "processors": []},
]  # fmt: skip
MODELS: list[Any] = [
    {"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": ["a b"]},
    {"type": "BPE", "vocab": {"a": 0, "b": 0}, "merges": [], "dropout": 1.0},
    {"type": "BPE", "vocab": {"a": 2**32 - 1}, "merges": [], "unk_token": "none", "byte_fallback": True},
    {"type": "Unigram", "unk_id": 9, "vocab": [["a", 0.0]]},
    {"type": "Unigram", "unk_id": None, "vocab": [["a", 0.0], ["", 1.0]]},
    {"type": "Unigram", "unk_id": 0, "vocab": [["a", float("nan")], ["b", float("inf")]]},
    {"type": "Unigram", "unk_id": 0, "vocab": []},
    {"type": "WordPiece", "unk_token": "none", "vocab": {"a": 5}, "continuing_subword_prefix": "", "max_input_chars_per_word": 0},
    {"type": "WordPiece", "unk_token": EVIL, "vocab": {EVIL: 0, "the": 1}, "continuing_subword_prefix": EVIL, "max_input_chars_per_word": 2**63},
    {"type": "WordLevel", "unk_token": "none", "vocab": {}},
    {"type": "WordLevel", "unk_token": "x", "vocab": {"x": -1}},
]  # fmt: skip
BOMBS = {"normalizer": NORMALIZERS, "pre_tokenizer": PRE_TOKENIZERS, "post_processor": POST_PROCESSORS, "model": MODELS}
PICKLES = [
    "80024b012e",
    "8004952a000000000000008c05706f736978948c0673797374656d9493948c0f746f7563682070776e656474776f94859452942e",
    "504b0304",
]

_good: dict[str, Path] = {}


def prepare(place: Path) -> None:
    """The folders that are whole."""
    _good.update(build_bases(place / "models"))


def draw(random: Random) -> Any:
    """A folder, what is done to it, and what is looked at."""
    base = random.choice(list(BASES))
    folder = _good[base]
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    steps: list[Any] = []
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        steps += _step(random, folder, files, base)
    looks = [random.choice(LOOKS) for _ in range(random.randint(1, 3))]
    more = [
        random.choice(
            [
                ["--pair", "a dog"],
                ["--max-length", "8"],
                ["--dtype", "float16"],
                ["a dog"],
                ["--check", "padding"],
                ["--causal"],
            ]
        )
    ]
    return {"base": base, "steps": steps, "looks": looks, "more": more[0] if random.random() < 0.3 else []}


def _step(random: Random, folder: Path, files: list[str], base: str) -> list[Any]:
    how = random.random()
    if how < 0.06:
        stray = random.choice(["modules.json", "special_tokens_map.json", "added_tokens.json", "adapter_config.json", "1_Dense/config.json",
                               "generation_config.json", "processor_config.json", "config_sentence_transformers.json", "vocab.txt", "spm.model"])  # fmt: skip
        return [["json", stray, [["set", [], value(random)]]]] if "/" not in stray else []
    file = random.choice(files)
    if how < 0.35:
        file = random.choice(
            [name for name in files if name in ("config.json", "tokenizer.json", "modules.json")] or files
        )
    if how < 0.2:
        return [draw_bytes(random, file)]
    if file == "tokenizer.json" and random.random() < 0.6:
        part = random.choice(list(BOMBS))
        return [["json", file, [["set", [part], random.choice(BOMBS[part])]]]]
    if file.endswith(".json"):
        return [["json", file, [change(json.loads((folder / file).read_text()), random, KEYS)]]]
    if file.endswith(".safetensors"):
        header = header_of((folder / file).read_bytes())
        kind = random.random()
        if kind < 0.4:
            return [["header", file, [change(header, random, list(header)[:20])]]]
        return [
            draw_tensor(random, file, [key for key in header if key != "__metadata__"])
            if kind < 0.85
            else draw_length(random, file)
        ]
    if file.endswith(".model"):
        return [["hex", file, _pieces(random).hex()]] if random.random() < 0.7 else [draw_bytes(random, file)]
    if file.endswith(".bin") and random.random() < 0.3:
        return [["hex", file, random.choice(PICKLES)]]
    return [draw_bytes(random, file)]


def _pieces(random: Random) -> bytes:
    """A SentencePiece model that is not quite one."""
    whole = pieces(["<pad>", "</s>", "<unk>"], ["▁the", "▁cat", *"abc"])
    return random.choice(
        [
            b"\x80" * 10**4,
            b"\x08" + b"\xff" * 11 + b"\x01",
            b"\x0a" + varint(2**62) + b"x",
            whole * 3,
            whole + field(2, b"\x18" + varint(2**64) + varint(40 << 3) + varint(2**63)),
            whole + field(3, field(2, b"\x00" * 40)),
            whole + field(3, field(2, b"\xff" * 40)),
            whole + field(1, field(1, b"\xff\xfe")),
            whole + field(1, b"\x0b\x0c"),
            field(1, field(1, EVIL.encode()) + b"\x18\x02") + whole,
            whole[: random.randrange(len(whole))],
            whole + b"\x0a\x00" * 1000,
            whole + field(1, field(1, b"") + b"\x15\x00\x00\xc0\x7f"),
        ]
    )


def build(recipe: Any, place: Path) -> list[str]:
    """Copy the folder, change it, and say how it is opened."""
    base, folder = recipe["base"], place / "model"
    shutil.copytree(_good[base], folder)
    for step in recipe["steps"]:
        apply(folder, step)
    looks = [line.format("layers.0.ffn.up") for line in recipe["looks"]]
    return [
        *inputs(base, folder),
        "-m",
        str(folder),
        "--batch",
        *recipe["more"],
        *(word for line in looks for word in ("-ex", line)),
    ]


def main(argv: Sequence[str]) -> int:
    """Run many; see `rounds`."""
    return rounds("folders", argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
