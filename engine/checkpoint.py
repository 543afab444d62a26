"""A model directory: its config, its weights memory-mapped, its tokenizer. Nothing from it is ever run."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from .architectures import Family, Options, family_of
from .config import Config
from .errors import InputError, one_line
from .program import Program, Shape, write_shape
from .tokens import TextReader, open_tokenizer

INDEX = "model.safetensors.index.json"
WEIGHTS = "model.safetensors"
# What TensorFlow called the two weights of a layer norm; old checkpoints still do.
OLD_NAMES = {"gamma": "weight", "beta": "bias"}


class Checkpoint:
    """A model directory as saved by transformers or sentence-transformers.

    Args:
        directory: where `config.json` and `model.safetensors` are.

    Raises:
        InputError: a file that is needed is missing, or is not what it should be.
    """

    def __init__(self, directory: Path) -> None:
        if not directory.is_dir():
            raise InputError(f"no model directory {str(directory)!r}; give a directory with config.json and {WEIGHTS}")
        self.directory = directory
        self.config = _config(directory)
        self.family: Family = family_of(self.config.model_type)
        self._files = [_open(path) for path in _weight_files(directory)]
        self._stored = {self._canonical(name): (file, name) for file in self._files for name in file.keys()}  # noqa: SIM118

    def program(self, options: Options) -> Program:
        """What this checkpoint computes, every weight of which has been found with the right shape.

        Raises:
            InputError: weights that are missing or of another shape, by name.
        """
        program = self.family.build(self.config, self._stored, options)
        missing = [name for name in program.weights if self._source(name) is None]
        if missing:
            raise InputError(f"{self.directory}: {len(missing)} weights are missing: {_few(missing)}")
        wrong = []
        for name, shape in program.weights.items():
            found = self.shape(name)
            if found != shape:
                wrong.append(f"{name} is {write_shape(found)} and should be {write_shape(shape)}")
        if wrong:
            raise InputError(f"{self.directory}: {len(wrong)} weights have the wrong shape: {_few(wrong, '; ')}")
        return program

    def shape(self, name: str) -> Shape:
        """Shape of a stored weight, from the file's header alone."""
        file, stored = self._need(name)
        return tuple(file.get_slice(stored).get_shape())

    def weight(self, name: str) -> torch.Tensor:
        """A stored weight, mapped from its file and read when it is used."""
        file, stored = self._need(name)
        return file.get_tensor(stored)

    def parameters(self, program: Program) -> int:
        """How many numbers a program's weights have, tied ones counted once."""
        sizes = {self._source(name): math.prod(shape) for name, shape in program.weights.items()}
        return sum(sizes.values())

    def unused(self, program: Program) -> list[str]:
        """Stored tensors that a program does not use, by the names they are stored under."""
        used = {self._source(name) for name in program.weights}
        return [stored for name, (_, stored) in self._stored.items() if name not in used]

    @cached_property
    def reader(self) -> TextReader:
        """The tokenizer with the model's limits."""
        limits = self.family.limits(self.config)
        reader = TextReader(
            open_tokenizer(self.directory), limits.longest, limits.segments, limits.padding_id, limits.vocabulary
        )
        words = reader.tokenizer.get_vocab_size(with_added_tokens=True)
        if words > limits.vocabulary:
            raise InputError(
                f"{self.directory}: the tokenizer has {words} words and the model {limits.vocabulary}; "
                "they do not belong together"
            )
        return reader

    def _canonical(self, stored: str) -> str:
        for prefix in self.family.PREFIXES:
            stored = stored.removeprefix(prefix)
        front, dot, last = stored.rpartition(".")
        return front + dot + OLD_NAMES.get(last, last)

    def _source(self, name: str) -> str | None:
        """Under which canonical name a weight is stored: its own, or that of the one it is tied to."""
        tied = self.family.TIED.get(name) if self.config.flag("tie_word_embeddings", True) else None
        return next((found for found in (tied, name) if found in self._stored), None)

    def _need(self, name: str) -> tuple[Any, str]:
        source = self._source(name)
        assert source is not None, name
        return self._stored[source]


class Weights(Mapping[str, torch.Tensor]):
    """The weights of a program on one device and in one dtype, each brought there when it is first used."""

    def __init__(self, checkpoint: Checkpoint, names: Iterable[str], device: torch.device, dtype: torch.dtype) -> None:
        self._checkpoint, self._names = checkpoint, tuple(names)
        self._device, self._dtype = device, dtype
        self._ready: dict[str, torch.Tensor] = {}

    def __getitem__(self, name: str) -> torch.Tensor:
        found = self._ready.get(name)
        if found is None:
            found = self._checkpoint.weight(name).to(device=self._device, dtype=self._dtype)
            self._ready[name] = found
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _config(directory: Path) -> Config:
    values = _read_json(directory, "config.json")
    pooling, normalize = _sentence(directory)
    return Config(values, str(directory / "config.json"), pooling, normalize)


def _sentence(directory: Path) -> tuple[bool, bool]:
    """Whether sentence-transformers' modules are the mean over tokens, and whether they normalise it."""
    if not (directory / "modules.json").is_file():
        return False, False
    try:
        modules = json.loads((directory / "modules.json").read_text("utf-8"))
        kinds = {str(module.get("type", "")).rpartition(".")[2]: str(module.get("path", "")) for module in modules}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise InputError(f"cannot read {directory / 'modules.json'}: {one_line(error)}") from None
    if "Pooling" not in kinds or kinds.keys() - {"Transformer", "Pooling", "Normalize"}:
        return False, False
    settings = Path(kinds["Pooling"]) / "config.json"
    modes = _read_json(directory, str(settings)) if (directory / settings).is_file() else {}
    chosen = [name for name, on in modes.items() if name.startswith("pooling_mode") and on]
    return chosen == ["pooling_mode_mean_tokens"], "Normalize" in kinds


def _read_json(directory: Path, name: str) -> dict[str, Any]:
    path = directory / name
    if not path.is_file():
        raise InputError(
            f"no {name} in {str(directory)!r}; a model directory has config.json, {WEIGHTS} and a tokenizer"
        )
    try:
        values = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {one_line(error)}") from None
    if not isinstance(values, dict):
        raise InputError(f"cannot read {path}: it holds {type(values).__name__}, not an object")
    return values


def _weight_files(directory: Path) -> list[Path]:
    if (directory / WEIGHTS).is_file():
        return [directory / WEIGHTS]
    if (directory / INDEX).is_file():
        shards = _read_json(directory, INDEX).get("weight_map")
        if not isinstance(shards, dict) or not all(isinstance(name, str) for name in shards.values()):
            raise InputError(f"cannot read {directory / INDEX}: its weight_map does not say where each weight is")
        return [directory / name for name in dict.fromkeys(shards.values())]
    other = (
        "; pytorch_model.bin is there, save it again as safetensors"
        if (directory / "pytorch_model.bin").is_file()
        else ""
    )
    raise InputError(f"no {WEIGHTS} in {str(directory)!r}{other}")


def _open(path: Path) -> Any:
    try:
        return safe_open(str(path), framework="pt", device="cpu")
    except FileNotFoundError:
        raise InputError(f"{path} is missing, though {INDEX} names it") from None
    except (SafetensorError, OSError) as error:
        raise InputError(
            f"cannot read {path}: truncated or not safetensors ({one_line(error)}); fetch it again"
        ) from None


def _few(names: list[str], between: str = ", ", most: int = 3) -> str:
    return between.join(names[:most]) + (f"{between}and {len(names) - most} more" if len(names) > most else "")
