"""Files that weights are stored in: safetensors, mapped into memory; older ones of torch, read without running anything."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, TypeGuard

import torch
from safetensors import SafetensorError

from ..messages.errors import InputError, one_line
from ..program.dtypes import BY_CODE
from ..program.json_values import is_object
from ..program.stage import Shape
from ..traces.tensor_file import open_safetensors
from .files import pointer, read_object, regular
from .folders import instead

SAFETENSORS, SAFETENSORS_INDEX = "model.safetensors", "model.safetensors.index.json"
TORCH, TORCH_INDEX = "pytorch_model.bin", "pytorch_model.bin.index.json"


class WeightFile(Protocol):
    """Tensors by name, each read when it is asked for."""

    def names(self) -> Sequence[str]:
        """What is stored."""
        ...

    def shape(self, name: str) -> Shape:
        """The shape of a tensor, without reading it."""
        ...

    def dtype(self, name: str) -> str:
        """The dtype of a tensor as torch calls it, without reading it: `float32`; as the file calls it where torch has none."""
        ...

    def tensor(self, name: str) -> torch.Tensor:
        """A tensor as it is stored, on the CPU."""
        ...


class SafetensorsFile:
    """A .safetensors file, mapped into memory.

    Raises:
        InputError: not there, truncated, or not safetensors.
    """

    def __init__(self, path: Path) -> None:
        if not regular(path):
            raise InputError(f"{path} is missing, though {SAFETENSORS_INDEX} names it")
        try:
            self._file = open_safetensors(path, "pt")
        except (SafetensorError, OSError) as error:
            raise InputError(
                pointer(path) or f"cannot read {path}: truncated or not safetensors ({one_line(error)}); fetch it again"
            ) from None

    def names(self) -> Sequence[str]:
        return list(self._file.keys())

    def shape(self, name: str) -> Shape:
        return tuple(self._file.get_slice(name).get_shape())

    def dtype(self, name: str) -> str:
        written = str(self._file.get_slice(name).get_dtype())
        return BY_CODE[written].name if written in BY_CODE else written

    def tensor(self, name: str) -> torch.Tensor:
        return self._file.get_tensor(name)


class TorchFile:
    """A file of `torch.save`, read with `weights_only=True`: it can hold tensors and containers, and runs nothing.

    Raises:
        InputError: not there, not readable, or holding something else than tensors by name.
    """

    def __init__(self, path: Path) -> None:
        if not regular(path):
            raise InputError(f"{path} is missing, though {TORCH_INDEX} names it")
        try:
            loaded = _load(path)
        except Exception as error:  # torch raises whatever its reader, zip or pickle's refusal does
            code = re.search(r"(?i)unsupported (?:global|class|operand)\W*(?:global )?([\w.]+\.\w+)", str(error))
            why = f"it names {code[1]}, which is code" if code else "truncated, or not a file of tensors"
            raise InputError(
                pointer(path)
                or f"cannot read {path}: {why}, and nothing from it is run; save the model as {SAFETENSORS}"
            ) from None
        if _is_dict(loaded) and _is_dict(loaded.get("state_dict")):
            loaded = loaded["state_dict"]
        tensors = (
            {name: value for name, value in loaded.items() if isinstance(value, torch.Tensor)}
            if _is_dict(loaded)
            else {}
        )
        if not tensors:
            raise InputError(
                f"{path} holds a {type(loaded).__name__} and no tensors by name; save the model as {SAFETENSORS}"
            )
        self._tensors: dict[str, torch.Tensor] = {str(name): value.detach() for name, value in tensors.items()}

    def names(self) -> Sequence[str]:
        return list(self._tensors)

    def shape(self, name: str) -> Shape:
        return tuple(self._tensors[name].shape)

    def dtype(self, name: str) -> str:
        return str(self._tensors[name].dtype).removeprefix("torch.")

    def tensor(self, name: str) -> torch.Tensor:
        return self._tensors[name]


class Rows:
    """A file whose tensors hold several weights of one size, one below the other: one of these.

    Args:
        file: the file itself.
        number: which one, counted from 0.
        of: how many there are.
    """

    def __init__(self, file: WeightFile, number: int, of: int) -> None:
        self.file, self._number, self._of = file, number, of

    def names(self) -> Sequence[str]:
        return self.file.names()

    def shape(self, name: str) -> Shape:
        rows, *rest = self.file.shape(name) or (0,)
        return (rows // self._of, *rest)

    def dtype(self, name: str) -> str:
        return self.file.dtype(name)

    def tensor(self, name: str) -> torch.Tensor:
        size = self.shape(name)[0]
        return self.file.tensor(name)[self._number * size : (self._number + 1) * size]


def _load(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except RuntimeError as error:
        if "mmap" not in str(error):
            raise
        return torch.load(path, map_location="cpu", weights_only=True)  # a file from before torch 1.6 cannot be mapped


def _is_dict(loaded: Any) -> TypeGuard[dict[Any, Any]]:
    return isinstance(loaded, dict)


def weight_files(directory: Path) -> list[Path]:
    """The files a directory's weights are in: one, or the shards its index names; safetensors before torch's own.

    Raises:
        InputError: there are none, or the index does not say.
    """
    for single, index in ((SAFETENSORS, SAFETENSORS_INDEX), (TORCH, TORCH_INDEX)):
        if regular(directory / single):
            return [directory / single]
        if regular(directory / index):
            return [directory / name for name in _shards(directory / index)]
    raise InputError(f"no {SAFETENSORS} in {str(directory)!r}, and no {TORCH} either{instead(directory)}")


def open_weights(path: Path) -> WeightFile:
    """Open a file by its suffix.

    Raises:
        InputError: see the two classes.
    """
    return TorchFile(path) if path.suffix == ".bin" else SafetensorsFile(path)


def _shards(index: Path) -> list[str]:
    """The shards that an index names, each once; only files beside it."""
    places = read_object(index).get("weight_map")
    if not is_object(places) or not all(isinstance(name, str) for name in places.values()):
        raise InputError(f"cannot read {index}: its weight_map does not say where each weight is")
    strange = [name for name in places.values() if Path(name).name != name]
    if strange:
        raise InputError(f"cannot read {index}: it names {strange[0]!r}, which is not a file beside it")
    return list(dict.fromkeys(places.values()))
