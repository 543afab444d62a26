"""TransformerLens' own values: its bridge around small random models, its names, and which stages of ours hold the same bits.

python tests/engine/lens_kit.py     writes lens_names.json, with TransformerLens installed (pip install '.[lens]')
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

import family_images
import torch
import transformers as hf
from encoder_tui.engine import Run
from family_kit import Sample, open_pair, random_model, tokens_for
from hypothesis import strategies as st

NAMES = Path(__file__).parent / "lens_names.json"
BERT: dict[str, Any] = {
    "vocab_size": 99, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 40,
    "max_position_embeddings": 66,
}  # fmt: skip
T5: dict[str, Any] = {
    "vocab_size": 99, "d_model": 32, "d_kv": 8, "d_ff": 40, "num_layers": 2, "num_heads": 4,
    "relative_attention_num_buckets": 8, "relative_attention_max_distance": 20,
}  # fmt: skip
IMAGE: dict[str, Any] = {"image_size": 24, "patch_size": 4}
# What TransformerLens has an adapter for, of the families here; it has none for DistilBERT.
MODELS: dict[str, tuple[Any, Any]] = {
    "BERT": (hf.BertForMaskedLM, hf.BertConfig(**BERT)),
    "RoBERTa": (hf.RobertaForMaskedLM, hf.RobertaConfig(**BERT)),
    "T5": (hf.T5ForConditionalGeneration, hf.T5Config(**T5)),
    "gated T5": (hf.T5ForConditionalGeneration, hf.T5Config(**T5, feed_forward_proj="gated-gelu")),
    "mT5": (hf.MT5ForConditionalGeneration, hf.MT5Config(**T5)),
    "ViT": (hf.ViTForImageClassification, hf.ViTConfig(**{**BERT, **IMAGE})),
    "DeiT": (hf.DeiTForImageClassification, hf.DeiTConfig(**{**BERT, **IMAGE})),
}


def opened(name: str) -> tuple[Run, Any]:
    """A run of a small random model, and transformers' own model with eager attention."""
    kind, config = MODELS[name]
    sees = name in ("ViT", "DeiT")
    config._attn_implementation = "eager"
    sample = Sample(
        family=name, example="", model=lambda: kind(config), options=st.nothing(),
        tokens=family_images.whole_images if sees else None,
    )  # fmt: skip
    encoder, theirs = open_pair(sample, random_model(sample))
    return encoder.run(tokens_for(sample, encoder, [37, 37] if sees else [7, 4])), theirs


def cached(run: Run, theirs: Any) -> tuple[dict[str, torch.Tensor], list[str]]:
    """What `run_with_cache` keeps of the very tokens of a run, and every name the bridge has, those it never fills as well."""
    builder = import_module("transformer_lens.model_bridge.sources._bridge_builder")  # only where one compares
    bridge = builder.build_bridge_from_module(theirs, type(theirs).__name__, hf_config=theirs.config).eval()
    tokens = run.tokens
    more: dict[str, torch.Tensor] = {}
    if "image.pixels" in run.program:
        given = torch.from_numpy(tokens.arrays["image.pixels"])
    else:
        given, more = torch.from_numpy(tokens.ids), {"attention_mask": torch.from_numpy(tokens.mask)}
        if "embeddings.segment" in run.program:
            more["token_type_ids"] = torch.from_numpy(tokens.segments)
        else:
            more["decoder_input"] = torch.zeros(tokens.shape[0], 2, dtype=torch.long)
    with torch.no_grad():
        _, cache = bridge.run_with_cache(given, **more)
    kept = {name: cache[name] for name in cache if isinstance(cache[name], torch.Tensor)}
    return kept, list(dict.fromkeys([*kept, *bridge.hook_dict]))


def same(theirs: torch.Tensor, ours: torch.Tensor) -> bool:
    """Equal to the last bit; what is made once for all texts is ours for each of them."""
    if theirs.ndim == ours.ndim and theirs.shape[0] == 1:
        theirs = theirs.expand(-1 if ours.shape[0] == 1 else ours.shape[0], *theirs.shape[1:])
    return theirs.shape == ours.shape and torch.equal(theirs, ours)


def of_first_layer(names: Iterable[str]) -> list[str]:
    """The names outside the layers and in the first; the others differ from those in their number alone."""
    return sorted(name for name in names if ".1." not in name)


def equal_stages(run: Run, cache: dict[str, torch.Tensor], names: Iterable[str]) -> dict[str, str]:
    """For each name the stages, a space between them, that hold what TransformerLens keeps by it; "" where none does."""
    stages = {stage.name: run[stage.name].tensor() for stage in run.program}
    return {
        name: " ".join(stage for stage, ours in stages.items() if name in cache and same(cache[name], ours))
        for name in names
    }


def main() -> None:
    """Write down every name, and what it is."""
    known: dict[str, Any] = {}
    for name in MODELS:
        run, theirs = opened(name)
        cache, names = cached(run, theirs)
        known[name] = equal_stages(run, cache, of_first_layer(names))
    NAMES.write_text(json.dumps(known, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
