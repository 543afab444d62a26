"""Every key of a config is accounted for: read, known to change no number here, refused by name, or told as unknown.

What is read, `Config` itself notes. What changes no number is listed with the reason: what all families have in common here, the
rest as `HARMLESS` beside the family, since a key that is harmless in one is not in another. A key in such a list that is read
all the same (the options of a head that only some checkpoints have) counts as read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from ..messages.errors import InputError
from .config import Config

# Reason -> keys that change no number, whatever stands behind them.
Harmless = Mapping[str, tuple[str, ...]]

COMMON: Harmless = {
    "what the Hub and transformers note for themselves": (
        "model_type", "architectures", "transformers_version", "_name_or_path", "name_or_path", "_commit_hash", "auto_map",
        "custom_pipelines", "_class_name", "_diffusers_version", "license", "language",
    ),
    "numbers are computed in what --dtype says": ("dtype", "torch_dtype", "use_bfloat16"),
    "attention is computed in the open, by the eager steps": (
        "attn_implementation", "_attn_implementation", "_attn_implementation_internal", "_attn_implementation_autoset",
        "_flash_attn_2_enabled", "use_flash_attn", "use_flash_attention_2", "experts_implementation",
        "_experts_implementation_internal", "reference_compile", "deterministic_flash_attn", "torchscript",
        "gradient_checkpointing", "use_memory_efficient_attention", "unpad_inputs",
    ),
    "what is given back, where all is kept here": (
        "output_attentions", "output_hidden_states", "output_past", "return_dict", "tie_last_hidden_states",
        "keys_to_ignore_at_inference",
    ),
    "dropout, which runs in training alone": (
        "hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout", "classifier_dropout_prob", "dropout",
        "attention_dropout", "dropout_rate", "embedding_dropout", "mlp_dropout", "pooler_dropout", "cls_dropout",
        "summary_last_dropout", "summary_first_dropout", "layerdrop", "qa_dropout", "seq_classif_dropout",
    ),
    "how weights are drawn before training": ("initializer_range", "initializer_factor", "initializer_cutoff_factor"),
    "how it is trained": (
        "label_smoothing", "finetuning_task", "task_specific_params", "classifier_loss", "loss_type",
        "ignore_index", "semantic_loss_ignore_index",
    ),
    "names of labels, of heads that have any": ("id2label", "label2id", "num_labels", "_num_labels", "problem_type"),
    "generation, which no encoder does": (
        "use_cache", "max_length", "min_length", "do_sample", "early_stopping", "num_beams", "num_beam_groups",
        "diversity_penalty", "temperature", "top_k", "top_p", "typical_p", "repetition_penalty", "length_penalty",
        "no_repeat_ngram_size", "encoder_no_repeat_ngram_size", "encoder_repetition_penalty", "bad_words_ids",
        "num_return_sequences", "output_scores", "return_dict_in_generate", "forced_bos_token_id", "forced_eos_token_id",
        "remove_invalid_values", "exponential_decay_length_penalty", "suppress_tokens", "begin_suppress_tokens",
        "epsilon_cutoff", "eta_cutoff", "assistant_confidence_threshold", "assistant_lookbehind", "num_assistant_tokens",
        "num_assistant_tokens_schedule", "target_lookbehind", "decoder_start_token_id", "prefix",
    ),
    "the tokenizer's own files say it": (
        "tokenizer_class", "bos_token_id", "eos_token_id", "sep_token_id", "cls_token_id", "mask_token_id", "unk_token_id",
    ),
    "a text model or an image model alone": ("is_encoder_decoder", "cross_attention_hidden_size"),
}  # fmt: skip
# What no family implements, and what stands there where it is switched off.
REFUSED: Mapping[str, tuple[Any, ...]] = {
    "pruned_heads": (None, {}), "per_layer_config": (None, {}), "tie_encoder_decoder": (None, False),
}  # fmt: skip
MOST_NAMED, LONGEST_NAME = 12, 40


def refuse_unimplemented(config: Config) -> None:
    """Refuse what is implemented in no family.

    Raises:
        InputError: such an option is switched on, by its name.
    """
    for name, off in REFUSED.items():
        given = config.get(name)
        if given not in off:
            raise InputError(f"{config.where}: {name} {given!r} is not implemented")


def unknown(config: Config, *tables: Harmless) -> list[str]:
    """Keys that nobody read and that are in no list, as `rope_parameters.factor` where they stand in an object that was read.

    Null says nothing, and is not counted.

    Args:
        tables: what changes no number, besides `COMMON`.
    """
    harmless = {name for table in (COMMON, *tables) for names in table.values() for name in names}
    return list(_unknown(config, harmless, ""))


def _unknown(config: Config, harmless: set[str], within: str) -> Iterator[str]:
    for name, value in config.values.items():
        if name in config.parts:
            yield from _unknown(config.parts[name], harmless, f"{within}{name}.")
        elif name not in config.read and name not in harmless and value is not None:
            yield within + name


def unread(file: str, keys: Iterable[str], read: Collection[str], harmless: Harmless | None = None) -> list[str]:
    """The line that tells of the keys of a file other than config.json that nobody reads; nothing where there are none.

    Args:
        file: whose keys they are, without its folder.
        keys: all that stand there.
        read: those that are read.
        harmless: those that change no number.
    """
    known = {*read, *(name for names in (harmless or {}).values() for name in names)}
    note = unknown_keys_line(file, sorted(set(keys) - known))
    return [note] if note else []


def unknown_keys_line(file: str, names: list[str]) -> str:
    """The line that tells of unknown keys; "" where there are none.

    Args:
        file: whose keys they are, without its folder.
    """
    if not names:
        return ""
    shown = [_printable(name) for name in names[:MOST_NAMED]]
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"{file} has keys that are not known here and not used: {', '.join(shown)}{more}"


def _printable(name: str) -> str:
    name = name if len(name) <= LONGEST_NAME else name[:LONGEST_NAME] + "..."
    return name if name.isprintable() else repr(name)[1:-1]
