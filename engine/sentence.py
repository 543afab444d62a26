"""What a sentence-transformers directory does with an encoder's output: modules.json and the settings of each module."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import InputError, one_line
from .files import read_json, read_object, regular

# Modules that leave the output as it is when nothing is trained.
SILENT = ("Dropout",)
# Old settings say which poolings are on one by one; new ones name them.
OLD_MODES = {
    "pooling_mode_cls_token": "cls", "pooling_mode_max_tokens": "max", "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens", "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}  # fmt: skip


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
        """Of a pooling: which, in sentence-transformers' order."""
        found = self.settings.get("pooling_mode")
        if found is None:
            found = [mode for name, mode in OLD_MODES.items() if self.settings.get(name)]
        return (found,) if isinstance(found, str) else tuple(map(str, found))


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence-transformers directory.

    Attributes:
        transformer: folder of the encoder within it, "" for the directory itself.
        modules: what comes after the encoder, in order.
        longest: how many tokens sentence-transformers would cut texts to; None where it does not say.
    """

    transformer: str
    modules: tuple[Module, ...]
    longest: int | None = None


def read_sentence(directory: Path) -> Sentence | None:
    """What modules.json of a directory says; None where there is none.

    Raises:
        InputError: it cannot be read, or names folders outside the directory.
    """
    path = directory / "modules.json"
    if not regular(path):
        return None
    try:
        listed = [(_kind(str(module["type"])), str(module.get("path", ""))) for module in read_json(path)]
    except (TypeError, LookupError, AttributeError) as error:
        raise InputError(f"cannot read {path}: {one_line(error)}") from None
    for _, folder in listed:
        if Path(folder).is_absolute() or ".." in Path(folder).parts:
            raise InputError(f"cannot read {path}: it names {folder!r}, which is outside the directory")
    transformer = next((folder for kind, folder in listed if kind == "Transformer"), "")
    modules = [
        Module(kind, folder, read_object(directory / folder / "config.json"))
        for kind, folder in listed
        if kind != "Transformer" and kind not in SILENT
    ]
    longest = read_object(directory / transformer / "sentence_bert_config.json").get("max_seq_length")
    return Sentence(transformer, tuple(modules), longest if isinstance(longest, int) else None)


def _kind(written: str) -> str:
    """`sentence_transformers.models.Pooling` is a Pooling; a class of another package keeps its whole name."""
    return written.rpartition(".")[2] if written.startswith("sentence_transformers.") else written
