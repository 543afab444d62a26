"""A directory that is no model: what it is instead, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..messages.errors import InputError
from .families.declarations import of_all_families
from .files import read_object, regular

ADAPTER, OPEN_CLIP, PIPELINE = "adapter_config.json", "open_clip_config.json", "model_index.json"
MOST_LISTED = 1000
DEEPEST = 3  # folders down: the Hub's cache has a model two below the folder of its name
# A suffix of weights that are read by others -> what they are.
OTHERS = {
    ".onnx": "ONNX", ".gguf": "GGUF", ".h5": "TensorFlow", ".msgpack": "Flax", ".ckpt": "a checkpoint of Lightning or TensorFlow",
    ".tflite": "TensorFlow Lite", ".mlmodel": "Core ML", ".ot": "rust-bert",
}  # fmt: skip
TENSORFLOW = re.compile(r"\.ckpt(-\d+)?\.(index|meta|data-\d+-of-\d+)$")  # its checkpoints are several files
# Keys that stand in a config.json of others, which has no model_type -> whose it is, and what to give instead.
CONFIGS = (
    (("architecture", "pretrained_cfg"), "a model of timm, whose weights have other names; give the same model as transformers saves it"),
    (("word_embedding_dimension",), "the settings of a pooling of sentence-transformers; give the folder above it"),
    (("peft_type",), "the settings of an adapter; merge it with its base and save the whole"),
    (("_class_name", "_diffusers_version"), "a part of a pipeline of diffusers that is no text encoder"),
)  # fmt: skip
LOOSE = (".safetensors", ".bin", ".pt", ".pth")
# What weights are called in models that are none of the families here -> whose they are.
OTHERS_MARKS = {
    r"(^|\.)h\.\d+\.attn\.c_attn\.": "GPT-2",
    r"(^|\.)layers\.\d+\.self_attn\.q_proj\..*": "a decoder as LLaMA is",
}


def instead(directory: Path) -> str:
    """What a directory without a model holds, as the end of a sentence: `: it holds ONNX (model.onnx), ...`; "" where nothing is known."""
    try:
        listed = sorted(directory.iterdir())[:MOST_LISTED]
        names = [path.name for path in listed]
        if ADAPTER in names or "adapter_model.safetensors" in names:
            return f": it is an adapter without its base{_base(directory)}; merge them (peft's merge_and_unload) and save the whole"
        if PIPELINE in names:
            return ": it is a pipeline of diffusers; give the folder of one of its encoders, such as text_encoder"
        if OPEN_CLIP in names:
            return ": it is a model of OpenCLIP, whose weights have other names; give the same model as transformers saves it"
        depth, below = _below(directory) if "config.json" not in names else (0, [])
        if below:
            return f": the model is {'one folder' if depth == 1 else f'{depth} folders'} down, in {_shown(below)}"
        if any(name.startswith("openvino_") for name in names):
            return ": it holds OpenVINO, which is not read; have transformers save the model as model.safetensors"
        loose = [name for name in names if name.endswith(LOOSE)]
        other, kind = _of_others(listed)
    except OSError:
        return ""
    if loose and "config.json" in names:
        return f": it holds {_shown(loose)}; rename the one that is meant to model.safetensors (or pytorch_model.bin)"
    if other:
        return f": it holds {kind} ({_shown([other])}), which is not read; have transformers save the model as model.safetensors"
    return ""


def whose(values: Mapping[str, Any]) -> str:
    """Whose a config.json without model_type is, and what to give instead; "" where it is not known."""
    return next((said for keys, said in CONFIGS if all(key in values for key in keys)), "")


def adapter_line(directory: Path) -> str:
    """The line that tells of an adapter that lies beside a whole model; "" where none does."""
    if not regular(directory / ADAPTER):
        return ""
    return (
        f"adapter_config.json: an adapter{_base(directory)} lies beside the weights and is not applied; merge it with them "
        "(peft's merge_and_unload) to have it in the numbers"
    )


def likeness(names: Iterable[str]) -> str:
    """The family whose weights these names are; "" where none is known by them."""
    listed = list(names)
    marks = of_all_families("MARKS") | OTHERS_MARKS | of_all_families("SHARED_MARKS")
    return next((family for form, family in marks.items() if any(re.search(form, name) for name in listed)), "")


def _below(directory: Path) -> tuple[int, list[str]]:
    """How many folders down the first models are, and where, from the directory on."""
    level = [directory]
    for depth in range(1, DEEPEST + 1):
        level = [path for folder in level for path in sorted(folder.iterdir()) if path.is_dir()][:MOST_LISTED]
        models = [str(path.relative_to(directory)) for path in level if (path / "config.json").is_file()]
        if models:
            return depth, models
    return 0, []


def _of_others(listed: list[Path]) -> tuple[str, str]:
    """A file of weights that others read, here or one folder down, and what it is; "" twice where there is none."""
    inner = [
        f"{path.name}/{file.name}" for path in listed if path.is_dir() for file in sorted(path.iterdir())[:MOST_LISTED]
    ]
    for name in (*(path.name for path in listed), *inner):
        if TENSORFLOW.search(name):
            return name, "TensorFlow"
        if Path(name).suffix in OTHERS:
            return name, OTHERS[Path(name).suffix]
    return "", ""


def _base(directory: Path) -> str:
    if not regular(directory / ADAPTER):
        return ""
    try:
        base = read_object(directory / ADAPTER).get("base_model_name_or_path")
    except InputError:
        return ""
    return f" ({_shown([base])})" if isinstance(base, str) and base else ""


def _shown(names: list[str], most: int = 3) -> str:
    listed = ", ".join(name[:80] for name in names[:most])
    return (listed if listed.isprintable() else repr(listed)[1:-1]) + (", ..." if len(names) > most else "")
