"""What a sentence-transformers directory says: modules.json, the settings of each module, and what is done to a text first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..messages.errors import InputError, one_line
from ..program.json_values import is_list, is_object
from .config_keys import Harmless, unread
from .files import read_json, read_object, regular

LISTED, ROOT = "modules.json", "config_sentence_transformers.json"
# Under which names the settings of the transformer stand; the first that is there counts.
SETTINGS = tuple(
    f"sentence_{name}_config.json"
    for name in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
)
# Modules that leave the output as it is when nothing is trained.
SILENT = ("Dropout",)
# Modules that make vectors of words or texts without an encoder, or choose between several.
NO_ENCODER = ("StaticEmbedding", "WordEmbeddings", "BoW", "Router", "Asym", "CLIPModel", "SparseStaticEmbedding")
# Old settings say which poolings are on one by one; new ones name them.
OLD_MODES = {
    "pooling_mode_cls_token": "cls", "pooling_mode_max_tokens": "max", "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens", "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}  # fmt: skip
# What is read of each module's config.json; an embedding's size is that of what goes in.
READ_OF = {
    "Pooling": ("pooling_mode", "include_prompt", "embedding_dimension", "word_embedding_dimension", *OLD_MODES),
    "Dense": (
        "in_features", "out_features", "bias", "activation_function", "module_input_name", "module_output_name", "use_residual",
    ),
    "LayerNorm": ("dimension",),
    "Normalize": ("module_input_name", "module_output_name"),
}  # fmt: skip
READ_OF_ROOT = ("prompts", "default_prompt_name", "model_type", "truncate_dim")
HARMLESS_OF_ROOT: Harmless = {
    "no two texts are compared": ("similarity_fn_name", "score_functions"),
    "it says what it was made with": ("__version__", "requirements"),
}
READ_OF_SETTINGS = (
    "max_seq_length", "do_lower_case", "processor_kwargs", "tokenizer_args", "model_kwargs", "model_args", "config_kwargs",
    "config_args", "modality_config", "module_output_name", "transformer_task", "processing_kwargs", "query_expansion",
    "tokenizer_name_or_path",
)  # fmt: skip
HARMLESS_OF_SETTINGS: Harmless = {
    "`encode` does not look at it": ("query_length", "document_length"),
    "padding is computed with, and changes nothing": ("unpad_inputs",),
}
# What of the arguments to transformers changes no number.
HARMLESS_ARGUMENTS = (
    "dtype",
    "torch_dtype",
    "attn_implementation",
    "add_pooling_layer",
    "trust_remote_code",
    "revision",
    "token",
)
OF_TOKENIZER = ("model_max_length", "padding_side", "truncation_side")
FORWARD = {"method": "forward", "method_output_name": "last_hidden_state"}


@dataclass(frozen=True, slots=True)
class Module:
    """One module after the transformer.

    Attributes:
        kind: `Pooling`, `Dense`, `LayerNorm`, `Normalize`, or what it is called otherwise.
        path: its folder within the directory.
        settings: its config.json.
    """

    kind: str
    path: str
    settings: Mapping[str, Any]

    @property
    def modes(self) -> tuple[str, ...]:
        """Of a pooling: which, in sentence-transformers' order; the mean where none is named."""
        named = self.settings.get("pooling_mode")
        if named is None:
            named = [mode for name, mode in OLD_MODES.items() if self.settings.get(name)] or "mean"
        if isinstance(named, str):
            return (named,)
        if not is_list(named):
            raise InputError(f"{self.path}: pooling_mode is {named!r}, and must name poolings")
        return tuple(map(str, named))


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence-transformers directory.

    Attributes:
        transformer: folder of the encoder within it, "" for the directory itself.
        modules: what comes after the encoder, in order.
        longest: how many tokens sentence-transformers cuts texts to; None where the tokenizer and the model say it.
        longest_from: where that stands: `sentence_bert_config.json's max_seq_length`.
        lowercase: whether texts are brought to small letters first, whatever the tokenizer does.
        sides: `padding_side` and `truncation_side` where they are not the tokenizer's.
        prompts: what may go before a text, by name; default: which does if none is named.
        refused: what stands there that is not implemented, a sentence each: there is no sentence embedding then.
        notes: what is not known here.
    """

    transformer: str
    modules: tuple[Module, ...]
    longest: int | None = None
    longest_from: str = ""
    lowercase: bool = False
    sides: Mapping[str, str] = field(default_factory=dict[str, str])
    prompts: Mapping[str, str] = field(default_factory=dict[str, str])
    default: str | None = None
    refused: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def read_sentence(directory: Path) -> Sentence | None:
    """What modules.json of a directory says; None where there is none.

    Raises:
        InputError: it cannot be read, has no encoder in it, or names folders outside the directory.
    """
    path = directory / LISTED
    if not regular(path):
        return None
    try:
        entries = [(_kind(str(module["type"])), str(module.get("path", "")), module) for module in read_json(path)]
    except (TypeError, LookupError, AttributeError) as error:
        raise InputError(f"cannot read {path}: {one_line(error)}") from None
    for _, folder, _ in entries:
        if Path(folder).is_absolute() or ".." in Path(folder).parts:
            raise InputError(f"cannot read {path}: it names {folder!r}, which is outside the directory")
    kinds = [kind for kind, _, _ in entries]
    if "Transformer" not in kinds and kinds and kinds[0] in NO_ENCODER:
        raise InputError(f"{path}: {kinds[0]} is not implemented, and there is no Transformer beside it")
    transformer = next((folder for kind, folder, _ in entries if kind == "Transformer"), "")
    modules = [
        Module(kind, folder, read_object(directory / folder / "config.json"))
        for kind, folder, _ in entries
        if kind != "Transformer" and kind not in SILENT
    ]
    notes = list(
        dict.fromkeys(note for *_, entry in entries for note in unread(LISTED, entry, ("idx", "name", "path", "type")))
    )
    for module in modules:
        if module.kind in READ_OF:
            notes += unread(f"{module.path or '.'}/config.json", module.settings, READ_OF[module.kind])
    refused: list[str] = []
    root = _root(directory / ROOT, refused, notes)
    own = _settings(directory / transformer, refused, notes)
    return Sentence(transformer, tuple(modules), **root, **own, refused=tuple(refused), notes=tuple(notes))


def _root(path: Path, refused: list[str], notes: list[str]) -> dict[str, Any]:
    """Prompts, and what else config_sentence_transformers.json says.

    Raises:
        InputError: prompts that are none, or a default that is not among them.
    """
    values = read_object(path)
    notes += unread(ROOT, values, READ_OF_ROOT, HARMLESS_OF_ROOT)
    prompts: Any = values.get("prompts") or {}
    if not is_object(prompts) or not all(isinstance(text, str | None) for text in prompts.values()):
        raise InputError(f"{path}: prompts are {prompts!r}, and must be texts by name")
    prompts = {"query": "", "document": ""} | {name: text or "" for name, text in prompts.items()}
    default = values.get("default_prompt_name")
    if default is not None and not (isinstance(default, str) and default in prompts):
        raise InputError(f"{path}: default_prompt_name {default!r} is none of its prompts ({', '.join(prompts)})")
    for name, right in (("model_type", "SentenceTransformer"), ("truncate_dim", None)):
        if values.get(name) not in (None, right):
            refused.append(f"{ROOT}: {name} {values[name]!r} is not implemented")
    return {"prompts": prompts, "default": default}


def _settings(directory: Path, refused: list[str], notes: list[str]) -> dict[str, Any]:
    """The settings of the transformer module.

    Raises:
        InputError: a limit, a flag or a side that is none.
    """
    path = next((directory / name for name in SETTINGS if regular(directory / name)), directory / SETTINGS[0])
    values = read_object(path)
    notes += unread(path.name, values, READ_OF_SETTINGS, HARMLESS_OF_SETTINGS)
    arguments = {
        new: _object(path, old if values.get(old) is not None else new, values)
        for old, new in (
            ("tokenizer_args", "processor_kwargs"),
            ("model_args", "model_kwargs"),
            ("config_args", "config_kwargs"),
        )
    }
    tokenizer = arguments["processor_kwargs"]
    for name, given in arguments.items():
        allowed = (*HARMLESS_ARGUMENTS, *(OF_TOKENIZER if name == "processor_kwargs" else ()))
        refused += [
            f"{path.name}: {name} {key} {value!r} is not implemented"
            for key, value in given.items()
            if key not in allowed
        ]
    refused += [f"{path.name}: {said} is not implemented" for said in _elsewhere(path, values)]
    lowercase = values.get("do_lower_case") or False
    if not isinstance(lowercase, bool):
        raise InputError(f"{path}: do_lower_case is {lowercase!r}, and must be true or false")
    limits = [
        (f"{path.name}'s {name}", given[name])
        for given, name in ((tokenizer, "model_max_length"), (values, "max_seq_length"))
        if given.get(name) is not None
    ]
    where, longest = limits[0] if limits else ("", None)
    if longest is not None and (not isinstance(longest, int) or isinstance(longest, bool) or longest < 1):
        raise InputError(f"{path}: {where} is {longest!r}, and must be a whole number of 1 or more")
    sides = {name: tokenizer[name] for name in ("padding_side", "truncation_side") if tokenizer.get(name) is not None}
    for name, side in sides.items():
        if side not in ("left", "right"):
            raise InputError(f"{path}: {name} is {side!r}, and must be 'left' or 'right'")
    return {"longest": longest, "longest_from": where, "lowercase": lowercase, "sides": sides}


def _elsewhere(path: Path, values: Mapping[str, Any]) -> Iterable[str]:
    """What leads past the tokenizer and the encoder as they are read here."""
    modalities = _object(path, "modality_config", values)
    for name, method in modalities.items():
        if name == "message":
            yield "modality_config 'message', a chat template,"
        elif name == "text" and method != FORWARD:
            yield f"modality_config {name!r} {method!r}"
    for name, right in (
        ("module_output_name", "token_embeddings"), ("transformer_task", "feature-extraction"), ("query_expansion", None),
        ("tokenizer_name_or_path", None),
    ):  # fmt: skip
        if values.get(name) not in (None, right):
            yield f"{name} {values[name]!r}"
    for name, given in _object(path, "processing_kwargs", values).items():
        if given:
            yield f"processing_kwargs {name} {given!r}"


def _object(path: Path, name: str, values: Mapping[str, Any]) -> Mapping[str, Any]:
    given = values.get(name)
    if given is not None and not is_object(given):
        raise InputError(f"{path}: {name} is {given!r}, and must be an object")
    return given or {}


def _kind(written: str) -> str:
    """`sentence_transformers.models.Pooling` is a Pooling; a class of another package keeps its whole name."""
    return written.rpartition(".")[2] if written.startswith("sentence_transformers.") else written
