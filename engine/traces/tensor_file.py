"""Tensors in files: written block by block, so that no export needs more memory than one block, and read by window."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt
from safetensors import safe_open

from ..program.addresses import AT
from ..program.dtypes import BY_CODE, DTYPES
from ..program.value import Value
from .atomic_write import atomic_write


class OpenTensors(Protocol):
    """A .safetensors file that is open; the library says no types of it."""

    def __enter__(self) -> Self: ...
    def __exit__(self, kind: object, error: object, traceback: object, /) -> object: ...
    def keys(self) -> list[str]: ...
    def metadata(self) -> dict[str, str] | None: ...
    def get_tensor(self, name: str) -> Any: ...
    def get_slice(self, name: str) -> TensorSlice: ...


class TensorSlice(Protocol):
    """One of its tensors, of which nothing is read yet."""

    def get_shape(self) -> list[int]: ...
    def get_dtype(self) -> object: ...


@dataclass(frozen=True, slots=True)
class Saved:
    """What was written: names of stages or addresses, and the size of the file in bytes."""

    names: tuple[str, ...]
    size: int

    def told(self, where: str) -> str:
        """`wrote 96 stages, 1,440,136 bytes, to all.safetensors`."""
        what = "values" if any(AT in name for name in self.names) else "stages"
        return f"wrote {len(self.names)} {what}, {self.size:,} bytes, to {where}"


def write_safetensors(path: Path, values: Sequence[Value], metadata: Mapping[str, str]) -> Saved:
    """Write values as one .safetensors file (format: github.com/huggingface/safetensors, `README.md`, "Format").

    Raises:
        InputError: the path cannot be written; what stood there is left as it was.
    """
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    offset = 0
    for value in values:
        dtype = DTYPES[value.dtype]
        end = offset + int(np.prod(value.shape, dtype=np.int64)) * dtype.size
        header[value.name] = {"dtype": dtype.code, "shape": list(value.shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header, ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    with atomic_write(path) as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for value in values:
            for block in value.blocks():
                file.write(_bytes(block, value.dtype))
    return Saved(tuple(value.name for value in values), path.stat().st_size)


def write_npz(path: Path, values: Sequence[Value], texts: Mapping[str, str]) -> Saved:
    """Write values as one .npz archive for `numpy.load`, one at a time; bfloat16 as float32.

    Raises:
        InputError: the path cannot be written; what stood there is left as it was.
    """
    with atomic_write(path) as file, zipfile.ZipFile(file, "w") as archive:
        for value in values:
            with archive.open(f"{value.name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, value.numpy(), allow_pickle=False)
        for name, text in texts.items():
            with archive.open(f"{name}.npy", "w") as member:  # as an array of one string, so that loops over it work
                np.lib.format.write_array(member, np.array(text), allow_pickle=False)
    return Saved(tuple(value.name for value in values), path.stat().st_size)


def open_safetensors(path: Path, framework: str) -> OpenTensors:
    """Open a .safetensors file, whose header and size are compared at once.

    Args:
        framework: whose tensors it gives: `pt` or `numpy`.

    Raises:
        SafetensorError, OSError: truncated, not safetensors, or not readable.
    """
    return safe_open(str(path), framework=framework)


class TensorFile:
    """A .safetensors file whose tensors are mapped, not read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            self._header = json.loads(file.read(length))
        self._start = 8 + length
        self._header.pop("__metadata__", None)

    def __contains__(self, name: str) -> bool:
        return name in self._header

    @property
    def names(self) -> tuple[str, ...]:
        """Of its tensors, in the order in which they lie there."""
        return tuple(sorted(self._header, key=lambda name: self._header[name]["data_offsets"][0]))

    def kind(self, name: str) -> tuple[str, tuple[int, ...]]:
        """A tensor's dtype as torch calls it, and its shape."""
        facts = self._header[name]
        dtype = BY_CODE.get(facts["dtype"])
        return dtype.name if dtype is not None and dtype.numpy else "", tuple(facts["shape"])

    def dtype_in_words(self, name: str) -> str:
        """A tensor's dtype as torch calls it, whether its numbers are read or not; as the file has it, where it is not known here."""
        code = str(self._header[name]["dtype"])
        return BY_CODE[code].name if code in BY_CODE else code

    def array(self, name: str) -> npt.NDArray[Any]:
        """A tensor's numbers, read from the file when they are indexed; bfloat16 as its 16 bits."""
        facts = self._header[name]
        numpy_type, shape = BY_CODE[facts["dtype"]].numpy, tuple(facts["shape"])
        if 0 in shape:
            return np.zeros(shape, numpy_type)
        offset = self._start + facts["data_offsets"][0]
        return np.memmap(self.path, dtype=numpy_type, mode="r", offset=offset, shape=shape)


def _bytes(block: npt.NDArray[Any], dtype: str) -> bytes:
    if dtype == "bfloat16":  # float32 whose lower half is zero
        block = (block.astype("<f4", copy=False).view("<u4") >> 16).astype("<u2")
    return block.astype(DTYPES[dtype].numpy, copy=False).tobytes()
