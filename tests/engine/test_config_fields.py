"""Every field of every family's config class, set away from its default: equal to transformers, refused by name, or harmless and equal.

The default run takes one other value for each field, `EVERY_VALUE=1` all of them (half an hour on two cores). The fields that
change no number are set all at once.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from typing import Any

import pytest
from encoder_tui.engine import load
from encoder_tui.engine.messages.errors import InputError
from encoder_tui.engine.models import config_keys
from encoder_tui.engine.models.families import FAMILIES
from family_kit import Sample, differences, random_model, reference_values, samples, tokens_for
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers.utils import logging

logging.set_verbosity_error()
SAMPLES = [sample for sample in samples() if sample.opener is None]
ALL = bool(os.environ.get("EVERY_VALUE"))
ACTIVATIONS = [
    "relu", "gelu_new", "gelu_10", "mish", "xielu", "silu", "tanh", "quick_gelu", "linear", "sigmoid", "relu2", "laplace",
    "gelu_python", "gelu_pytorch_tanh", "gelu_accurate", "leaky_relu", "relu6", "swish", "gelu_fast", "hardswish", "prelu",
]  # fmt: skip
ROTARY = [
    {"rope_type": "linear", "factor": 2.0, "rope_theta": 1000.0}, {"rope_type": "default", "rope_theta": 500.0},
    {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1000.0},
    {"rope_type": "default", "rope_theta": 500.0, "partial_rotary_factor": 0.5},
]  # fmt: skip
SCALED = {"full_attention": {"rope_type": "linear", "factor": 4.0}, "sliding_attention": {"rope_type": "default"}}
TURNED = {"full_attention": {"rope_type": "default", "rope_theta": 77.0}}
# Other values of a field by its name; by its type where it is not listed.
OTHERS: dict[str, list[Any]] = {
    "hidden_act": ACTIVATIONS, "activation": ACTIVATIONS, "hidden_activation": ACTIVATIONS, "pooler_act": ["relu", "mish"],
    "pooler_hidden_act": ["relu", "mish"], "conv_act": ["relu"],
    "feed_forward_proj": ["gated-gelu", "gated-silu", "gelu", "relu", "gated-relu"],
    "dense_act_fn": ["silu", "mish"], "is_gated_act": [True, False],
    "pos_att_type": [["c2p"], ["p2c"], "c2p|p2c", ["c2p", "p2c"], []], "norm_rel_ebd": ["layer_norm", "none"],
    "position_buckets": [8, -1], "max_relative_positions": [16], "conv_kernel_size": [3, 2], "legacy": [False],
    "layer_types": [["full_attention", "full_attention", "sliding_attention", "sliding_attention"]],
    "local_attention": [6, 7, 0], "sliding_window": [3], "rope_parameters": [*ROTARY, SCALED, TURNED],
    "rope_scaling": [{"type": "linear", "factor": 2.0}, {"rope_type": "dynamic", "factor": 2.0}, None],
    "rope_theta": [500.0], "global_rope_theta": [77.0], "local_rope_theta": [77.0], "global_attn_every_n_layers": [2],
    "partial_rotary_factor": [0.5], "head_dim": [4], "attention_head_size": [4],
    "eos_token_id": [5, 2, [5, 6], None], "pad_token_id": [3, 0, -1, 10**6], "image_size": [28, [24, 28]],
    "patch_size": [6, [4, 6]], "num_channels": [1], "tie_word_embeddings": [False, True], "chunk_size_feed_forward": [3, 1],
    "num_hidden_layers": [1, 5], "num_layers": [1], "n_layers": [1], "num_attention_heads": [2, 5], "num_heads": [2],
    "n_heads": [2], "position_embedding_type": ["relative_key"], "is_decoder": [True], "add_cross_attention": [True],
    "pruned_heads": [{"0": [1]}, {}], "per_layer_config": [{"0": {"hidden_act": "relu"}}],
    "relative_attention_num_buckets": [4, 3], "relative_attention_max_distance": [5], "num_hidden_groups": [2],
    "layer_norm_eps": [0.37, 10**29], "problem_type": ["regression", "multi_label_classification"],
    "dtype": ["bfloat16"], "id2label": [{"0": "a", "1": "b"}], "label2id": [{"a": 0}], "_name_or_path": ["some/where"],
    "classifier_activation": ["relu"], "classifier_pooling": ["mean"], "classifier_dropout": [0.3], "hidden_size": [40],
    "summary_type": ["mean"], "summary_activation": ["tanh"],
    "transformers_version": ["4.0"], "use_task_id": [True], "qkv_bias": [False], "pooler_output_size": [5],
}  # fmt: skip
# What checkpoints say and no config class of transformers 5 lists: of families before, or other names of fields.
BESIDES = (
    "pruned_heads", "per_layer_config", "rope_scaling", "rope_theta", "partial_rotary_factor", "head_dim", "is_decoder",
    "attention_head_size", "position_embedding_type", "add_cross_attention", "sliding_window", "global_rope_theta",
    "local_rope_theta", "global_attn_every_n_layers", "num_hidden_layers", "num_attention_heads", "dense_act_fn",
    "is_gated_act", "chunk_size_feed_forward", "tie_word_embeddings", "position_buckets", "max_relative_positions",
    "norm_rel_ebd", "conv_kernel_size", "layer_norm_eps",
)  # fmt: skip
# Harmless, and not set with the others: the tests read transformers' output by its names; a reference with no projection; the
# weights of a decoder, which is called and not looked at, are of a size.
LEFT_OUT = (
    "return_dict",
    "model_type",
    "architectures",
    "auto_map",
    "id2label",
    "label2id",
    "num_labels",
    "is_encoder_decoder",
    "decoder_layers",
    "decoder_ffn_dim",
    "decoder_attention_heads",
    "decoder_vocab_size",
    "share_encoder_decoder_embeddings",
)
# A product with a matrix of one row depends, in its last bits, on where that lies in memory (MKL).
MADE: dict[str, dict[str, Any]] = {"ELECTRA": {"head": "none"}}
WITHIN = {"CLIP text": "text_config", "CLIP images": "vision_config", "CLIP classes": "vision_config"}


class Fields:
    """A small checkpoint of a family, opened again and again with other values in its config.json.

    Args:
        directory: to be filled with it.
    """

    def __init__(self, sample: Sample, directory: Any) -> None:
        self.sample, self.directory = sample, directory
        self.model = random_model(sample, **MADE.get(sample.family, {}))
        self.save(self.model)
        self.values = json.loads((directory / "config.json").read_text())
        self.state = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}

    def save(self, model: Any) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)
        model.save_pretrained(self.directory)
        words = {f"w{number}": number for number in range(getattr(model.config, "vocab_size", 0))}
        Tokenizer(WordLevel(words)).save(str(self.directory / "tokenizer.json"))

    @property
    def within(self) -> str:
        """The object of the config that is tried; "" for the config itself."""
        return WITHIN.get(self.sample.family, "")

    @property
    def config(self) -> Any:
        """The config that is tried, as transformers holds it."""
        return getattr(self.model.config, self.within) if self.within else self.model.config

    def names(self) -> list[str]:
        """Fields of the config class, what the file says besides, and what checkpoints say."""
        own = [field.name for field in dataclasses.fields(self.config.__class__)]
        stored = self.values[self.within] if self.within else self.values
        return list(dict.fromkeys((*own, *stored, *BESIDES, *self.config.__class__.attribute_map)))

    def write(self, changes: dict[str, Any]) -> None:
        inner = {self.within: self.values[self.within] | changes} if self.within else changes
        (self.directory / "config.json").write_text(json.dumps(self.values | inner))

    def theirs(self) -> Any:
        """transformers' model with the config that is written, and the weights there were; None where it refuses them."""
        try:
            config = self.model.config.__class__.from_pretrained(self.directory)
            config._attn_implementation = "eager"
            model = type(self.model)(config).float()  # the dtype is for whoever loads to say
            missing = model.load_state_dict(self.state, strict=False).missing_keys
        except Exception:  # strict dataclasses, shapes, divisions by zero: each in its own way
            return None
        return None if missing else model.eval()

    def ours(self) -> Any:
        return load(self.directory, "cpu", **self.sample.load)

    def equal(self, encoder: Any, theirs: Any) -> bool:
        run = encoder.run(tokens_for(self.sample, encoder, [9, 4]))
        expected = reference_values(self.sample, theirs, run)
        return "layers.0.attention.weights" in expected and not differences(run, expected)

    def fresh(self, name: str, value: Any) -> Any:
        """A model that was made with the value, where the weights there are do not fit it; None where it cannot be."""
        try:
            model = random_model(self.sample, **(MADE.get(self.sample.family, {}) | {name: value}))
        except Exception:
            return None
        self.save(model)
        return model

    def restore(self) -> None:
        self.save(self.model)


def others(name: str, value: Any) -> list[Any]:
    """Values that a field may have besides."""
    if name in OTHERS:
        found = OTHERS[name]
    elif isinstance(value, bool):
        found = [not value, None, "yes"]
    elif isinstance(value, int):
        found = [value + 2, 0, -1, True, None, 1.5, 10**30]
    elif isinstance(value, float):
        found = [0.37, 0.0, None, "1e-5"]
    else:
        found = [1, None] if isinstance(value, str) else [1, True, 0.5, "other"]
    kept = [other for other in found if type(other) is not type(value) or other != value]
    return kept if ALL else kept[:1]


QUICK = ("BERT", "T5", "ViT")  # one of each kind of config; the others are a sweep


def once(sample: Sample) -> Any:
    return pytest.param(sample, marks=() if sample.family in QUICK else pytest.mark.sweep, id=sample.family)


@pytest.fixture(scope="module", params=map(once, SAMPLES))
def fields(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Fields:
    return Fields(request.param, tmp_path_factory.mktemp("fields"))


def harmless(fields: Fields) -> set[str]:
    encoder = fields.ours()
    tables = (config_keys.COMMON, getattr(encoder.checkpoint.family, "HARMLESS", {}))
    listed = {name for table in tables for names in table.values() for name in names}
    config = encoder.checkpoint.config
    return listed - (config.parts[fields.within] if fields.within else config).read


def test_what_is_listed_as_harmless_is(fields: Fields):
    """All of them away from their defaults at once: nothing said, and every stage equal."""
    names = [name for name in fields.names() if name in harmless(fields) and name not in LEFT_OUT]
    changes = {name: others(name, getattr(fields.config, name, None))[0] for name in names}
    fields.write(changes | {"use_cache": False, "torchscript": True, "output_attentions": True, "max_length": 7})
    theirs = fields.theirs()
    assert theirs is not None, changes
    encoder = fields.ours()
    assert [
        note for note in encoder.checkpoint.notes if "stored and not used" not in note
    ] == []  # CLIP's other encoder
    assert fields.equal(encoder, theirs)


@pytest.mark.few(1)
def test_every_other_field_is_followed_or_refused(fields: Fields):
    wrong: list[tuple[str, Any, str]] = []
    decided: set[str] = set()
    listed = harmless(fields)
    rest = [
        name
        for name in fields.names()
        if name not in listed and name not in (*LEFT_OUT, "text_config", "vision_config")
    ]
    for name in rest:
        for value in others(name, getattr(fields.config, name, None)):
            fields.write({name: value} | ({"use_cache": False} if name == "is_decoder" else {}))
            said = outcome(fields, fields.theirs(), name)
            if said == "rejected" or "weights are missing" in said:  # tied ones are stored once
                model = fields.fresh(name, value)
                said = outcome(fields, model, name) if model is not None else said
                fields.restore()
            decided |= {name} if said in ("equal", "refused") else set()
            if said not in ("equal", "refused", "rejected"):
                wrong.append((name, value, said))
    assert not wrong
    assert (
        sorted(set(rest) - decided) == []
    )  # nothing was passed over because transformers would take none of the values


def outcome(fields: Fields, theirs: Any, name: str) -> str:
    """`equal`, `refused` by that name, `rejected` by transformers as well, or what is wrong."""
    try:
        encoder = fields.ours()
    except InputError as error:
        message = str(error)
        assert "\n" not in message
        return "refused" if name in message else "rejected" if theirs is None else f"refused, but for {message}"
    if theirs is None:
        return "rejected"
    told = [note for note in encoder.checkpoint.notes if "not known here" in note]
    if told and name not in BESIDES:
        return f"told as unknown: {told}"
    return "equal" if fields.equal(encoder, theirs) else f"other numbers, {told}"


def test_every_family_of_transformers_is_tried():
    ours = {"transformer", "torch_transformer_encoder", "cbow", "skipgram"}
    tried = {random_model(sample).config.model_type for sample in SAMPLES}
    assert tried | ours == set(FAMILIES)
