"""A directory that is no model: what it is instead, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from .errors import InputError
from .files import read_object, regular

MOST_LISTED = 1000
# A suffix of weights that are read by others -> what they are.
OTHERS = {
    ".onnx": "ONNX", ".gguf": "GGUF", ".h5": "TensorFlow", ".msgpack": "Flax", ".ckpt": "TensorFlow", ".tflite": "TensorFlow Lite",
    ".mlmodel": "Core ML", ".ot": "rust-bert",
}  # fmt: skip
LOOSE = (".safetensors", ".bin", ".pt", ".pth")
# What the weights of a family are called and no other's -> the family.
MARKS = (
    (r"(^|\.)transformer\.layer\.\d+\.attention\.q_lin\.", "DistilBERT"),
    (r"(^|\.)roberta\.|^lm_head\.layer_norm\.", "RoBERTa"),
    (r"(^|\.)albert_layer_groups\.", "ALBERT"),
    (r"(^|\.)attention\.attn\.q\.", "MPNet"),
    (r"(^|\.)attention\.self\.query_proj\.", "DeBERTa-v2"),
    (r"(^|\.)layers\.\d+\.attn\.Wqkv\.", "ModernBERT"),
    (r"(^|\.)block\.\d+\.layer\.\d+\.SelfAttention\.", "T5"),
    (r"^(electra\.|discriminator_predictions\.|generator_predictions\.)", "ELECTRA"),
    (r"(^|\.)vision_model\.|(^|\.)text_model\.", "CLIP"),
    (r"(^|\.)embeddings\.patch_embeddings\.", "ViT"),
    (r"(^|\.)h\.\d+\.attn\.c_attn\.", "GPT-2"),
    (r"(^|\.)layers\.\d+\.self_attn\.q_proj\..*", "a decoder as LLaMA is"),
    (r"(^|\.)encoder\.layer\.\d+\.attention\.self\.query\.", "BERT"),
)  # fmt: skip


def instead(directory: Path) -> str:
    """What a directory without a model holds, as the end of a sentence: `: it holds ONNX (model.onnx), ...`; "" where nothing is known."""
    try:
        listed = sorted(directory.iterdir())[:MOST_LISTED]
        names = [path.name for path in listed]
        if "adapter_config.json" in names or "adapter_model.safetensors" in names:
            return f": it is an adapter without its base{_base(directory)}; merge them (peft's merge_and_unload) and save the whole"
        if "model_index.json" in names:
            return ": it is a pipeline of diffusers; give the folder of one of its encoders, such as text_encoder"
        below = [path.name for path in listed if path.is_dir() and (path / "config.json").is_file()]
        if "config.json" not in names and below:
            return f": the model is one folder down, in {_shown(below)}"
        if any(name.startswith("openvino_") for name in names):
            return ": it holds OpenVINO, which is not read; have transformers save the model as model.safetensors"
        loose = [name for name in names if name.endswith(LOOSE)]
        other = next((name for name in names if Path(name).suffix in OTHERS), "")
    except OSError:
        return ""
    if loose and "config.json" in names:
        return f": it holds {_shown(loose)}; rename the one that is meant to model.safetensors (or pytorch_model.bin)"
    if other:
        kind = OTHERS[Path(other).suffix]
        return f": it holds {kind} ({_shown([other])}), which is not read; have transformers save the model as model.safetensors"
    return ""


def likeness(names: Iterable[str]) -> str:
    """The family whose weights these names are; "" where none is known by them."""
    listed = list(names)
    return next((family for form, family in MARKS if any(re.search(form, name) for name in listed)), "")


def _base(directory: Path) -> str:
    if not regular(directory / "adapter_config.json"):
        return ""
    try:
        base = read_object(directory / "adapter_config.json").get("base_model_name_or_path")
    except InputError:
        return ""
    return f" ({_shown([base])})" if isinstance(base, str) and base else ""


def _shown(names: list[str], most: int = 3) -> str:
    listed = ", ".join(name[:80] for name in names[:most])
    return (listed if listed.isprintable() else repr(listed)[1:-1]) + (", ..." if len(names) > most else "")
