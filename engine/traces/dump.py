"""Tensors in somebody else's files: .npy, .npz, .safetensors, .pt, raw bytes. Nothing in them is ever run."""

from __future__ import annotations

import json
import math
import os
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
from safetensors import SafetensorError

from ..messages.errors import InputError, one_line
from ..program.arrays import Array
from ..program.dtypes import DTYPES
from ..program.json_values import is_list, is_object
from ..program.stage import Shape
from .matched import ForeignTensor
from .tensor_file import TensorFile, open_safetensors

BEFORE_ZIP = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # 0x1950a86a20f9469cfc6c, by pickle's protocol 2
ENDINGS = (".npz", ".npy", ".safetensors", ".pt", ".pth")
# What raw files end in -> the dtype of their numbers, little-endian.
RAW = {
    ".bin": "float32", ".raw": "float32", ".f32": "float32", ".f16": "float16", ".fp16": "float16", ".bf16": "bfloat16",
    ".f64": "float64", ".i32": "int32", ".i64": "int64",
}  # fmt: skip
# `query_1x14x384`, `query.1.14.384`, `query[1,14,384]` at the end of a name.
SIZES = re.compile(r"(?P<name>.*?)[._\-\[(]+(?P<sizes>\d+(?:[x,._]\s?\d+)+)[\])]?$")
SHORT = {
    "f32": "float32",
    "f16": "float16",
    "f64": "float64",
    "bf16": "bfloat16",
    "fp32": "float32",
    "fp16": "float16",
    "i64": "int64",
    "i32": "int32",
}


def read_dump(path: str, shapes: Mapping[str, tuple[Shape, str]] | None = None) -> dict[str, ForeignTensor]:
    """Every tensor of a file or a directory of files, in the order in which they stand there; of files of a directory, by name.

    Also those of dtypes whose numbers are not read here (`ForeignTensor.is_read`), so that they can be told of.

    Args:
        path: .npz, .safetensors, .pt or .pth, a .npy, or a directory with those, or with raw bytes.
        shapes: what a map says of raw files: shape, and dtype or "".

    Raises:
        InputError: not there, of another kind, damaged, or it holds more than tensors.
    """
    target = Path(os.path.expanduser(path))
    if target.is_dir():
        tensors = _directory(target, shapes or {})
    elif target.is_file():
        tensors = list(_file(target, ""))
    else:
        raise InputError(
            f"no file or directory {path!r} with tensors; give a directory of .npy, or .npz, .safetensors, .pt"
        )
    by_name = {tensor.name: tensor for tensor in tensors}
    if not by_name:
        raise InputError(f"{path} holds no tensors; give a directory of .npy, or .npz, .safetensors, .pt")
    return by_name


def _file(path: Path, front: str) -> Iterator[ForeignTensor]:
    ending = path.suffix.lower()
    try:
        if ending == ".npz":
            yield from _npz(path)
        elif ending == ".npy":
            yield _npy(path, front or path.stem)
        elif ending == ".safetensors":
            yield from _safetensors(path)
        elif ending in (".pt", ".pth"):
            yield from _torch(path, front)
        else:
            raise InputError(
                f"{path} is of no kind that tensors are read from; give a directory of .npy, or .npz, .safetensors, .pt"
            )
    except InputError:
        raise
    except (OSError, ValueError, SafetensorError, zipfile.BadZipFile, EOFError, LookupError) as error:
        raise InputError(f"cannot read {path}: {one_line(error)}") from None


def _npy(path: Path, name: str) -> ForeignTensor:
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    return _foreign(name, tuple(array.shape), array.dtype, lambda: np.load(path, mmap_mode="r", allow_pickle=False))


def _npz(path: Path) -> Iterator[ForeignTensor]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            if not member.endswith(".npy"):
                continue
            with archive.open(member) as file:
                version = np.lib.format.read_magic(file)
                header = (
                    np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                )
                shape, _, dtype = header(file)
            if dtype.hasobject:
                raise InputError(
                    f"{path}: {member.removesuffix('.npy')} holds Python objects, and is not read; save arrays of numbers"
                )
            if dtype.kind not in "US":  # a text
                yield _foreign(member.removesuffix(".npy"), tuple(shape), dtype, partial(_of_archive, path, member))


def _of_archive(path: Path, member: str) -> Array:
    with zipfile.ZipFile(path) as archive, archive.open(member) as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _safetensors(path: Path) -> Iterator[ForeignTensor]:
    with open_safetensors(path, "numpy"):  # checks that the header and the size agree
        pass
    file = TensorFile(path)
    for name in file.names:
        dtype, shape = file.kind(name)
        called = dtype or file.dtype_in_words(name)
        yield ForeignTensor(name, shape, called, partial(_widened, partial(file.array, name), dtype))


def _torch(path: Path, front: str) -> Iterator[ForeignTensor]:
    import pickle
    import warnings

    import torch

    try:
        with warnings.catch_warnings():  # torch speaks of pickle's protocol where it is about to refuse the file
            warnings.simplefilter("ignore")
            loaded: Any = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        if not _by_torch(path):
            raise InputError(
                f"{path} is no file that torch.save wrote, and nothing in it is run; save a dict of tensors"
            ) from None
        raise InputError(f"{path} holds more than tensors, and nothing in it is run; save a dict of tensors") from None
    except (EOFError, RuntimeError, TypeError, AttributeError, ValueError, LookupError) as error:
        raise InputError(
            f"cannot read {path}: {one_line(error)[:120] or 'it is empty'}; save a dict of tensors"
        ) from None
    for name, tensor in _within(loaded, front):
        plain = tensor.detach()
        dtype = str(plain.dtype).removeprefix("torch.")
        if plain.layout is not torch.strided:
            dtype = f"{dtype}, {str(plain.layout).removeprefix('torch.')}"
        yield ForeignTensor(name or path.stem, tuple(plain.shape), dtype, partial(_of_tensor, plain))


def _by_torch(path: Path) -> bool:
    """Whether a file begins as those of torch.save do: as a zip, or before torch 1.6 as a pickle of its magic number."""
    with path.open("rb") as file:
        start = file.read(len(BEFORE_ZIP))
    return start == BEFORE_ZIP or zipfile.is_zipfile(path)


def _of_tensor(tensor: Any) -> Array:
    from .tensors import to_numpy

    return to_numpy(tensor)


def _within(loaded: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Every tensor in dicts and lists, by a dotted name."""
    import torch

    if isinstance(loaded, torch.Tensor):
        yield name, loaded
    elif isinstance(loaded, dict):
        for key, inside in cast("dict[object, Any]", loaded).items():
            yield from _within(inside, f"{name}.{key}".lstrip("."))
    elif isinstance(loaded, list | tuple):
        for at, inside in enumerate(cast("list[Any]", loaded)):
            yield from _within(inside, f"{name}.{at}".lstrip("."))


# -- raw bytes ---------------------------------------------------------------------------------------------------------


def _directory(folder: Path, told: Mapping[str, tuple[Shape, str]]) -> list[ForeignTensor]:
    tensors: list[ForeignTensor] = []
    known = _told_beside(folder) | dict(told)
    for path in sorted(folder.rglob("*"), key=lambda path: _natural(path.relative_to(folder).as_posix())):
        ending, name = path.suffix.lower(), path.relative_to(folder).with_suffix("").as_posix()
        if not path.is_file():
            continue
        if ending in RAW:
            tensors.append(_raw(path, name, known))
        elif ending == ".npy":
            tensors += _file(path, name)
        elif ending in ENDINGS:
            tensors += _file(path, "")
    return tensors


def _told_beside(folder: Path) -> dict[str, tuple[Shape, str]]:
    """What JSON files beside raw bytes say of their shapes: `{"q": [1, 14, 384]}`, or with `shape` and `dtype`, or a list of those with `name`."""
    known: dict[str, tuple[Shape, str]] = {}
    for path in sorted(folder.glob("*.json")):
        try:
            said: Any = json.loads(path.read_text("utf-8"))
        except (ValueError, OSError) as error:
            raise InputError(f"cannot read {path}: {one_line(error)}") from None
        if is_object(said) and is_list(said.get("tensors")):
            said = said["tensors"]
        entries = (
            said.items()
            if is_object(said)
            else [(each.get("name"), each) for each in said if is_object(each)]
            if is_list(said)
            else []
        )
        for name, each in entries:
            shape: Any = each.get("shape") if is_object(each) else each
            dtype: Any = each.get("dtype", "") if is_object(each) else ""
            if isinstance(name, str) and is_list(shape) and all(isinstance(size, int) for size in shape):
                known[Path(name).with_suffix("").as_posix() if Path(name).suffix in RAW else name] = (
                    tuple(cast("list[int]", shape)),
                    str(dtype),
                )
    return known


def _raw(path: Path, name: str, known: Mapping[str, tuple[Shape, str]]) -> ForeignTensor:
    """Raw numbers in C's order; one axis where nobody says more."""
    shape, dtype = known.get(name, ((), ""))
    sizes = SIZES.match(name)
    if name not in known and sizes is not None:
        shape = tuple(int(size) for size in re.findall(r"\d+", sizes["sizes"]))
    dtype = dtype.removeprefix("torch.").lower()
    dtype = SHORT.get(dtype, dtype) or RAW[path.suffix.lower()]
    if dtype not in DTYPES or not DTYPES[dtype].numpy:
        raise InputError(
            f"{path} is said to be of {dtype!r}; write one of {', '.join(name for name, each in DTYPES.items() if each.numpy)}"
        )
    count = path.stat().st_size // DTYPES[dtype].size
    if name not in known and sizes is not None and math.prod(shape) != count:
        shape = ()  # these were no sizes
    elif sizes is not None and name not in known:
        name = sizes["name"]
    shape = shape or (count,)
    if math.prod(shape) != count:
        raise InputError(f"{path} has {count:,} numbers of {dtype}, and is said to have the shape {list(shape)}")
    return ForeignTensor(name, shape, dtype, partial(_mapped, path, dtype, shape))


def _mapped(path: Path, dtype: str, shape: Shape) -> Array:
    if 0 in shape:
        return np.zeros(shape, np.float32)
    return _widened(lambda: np.memmap(path, dtype=DTYPES[dtype].numpy, mode="r", shape=shape), dtype)


# -- numbers -----------------------------------------------------------------------------------------------------------


def _foreign(name: str, shape: Shape, dtype: np.dtype[Any], read: Callable[[], Array]) -> ForeignTensor:
    """An array of numpy's; bfloat16, which it lacks, is written as two bytes of nothing in particular."""
    if dtype.kind == "V" and dtype.itemsize == 2:
        return ForeignTensor(name, shape, "bfloat16", lambda: _upper_half(read().view(np.uint16)))
    if dtype == np.uint16 and len(shape) > 1:  # no ids are so: its bits
        return ForeignTensor(name, shape, "bfloat16", lambda: _upper_half(read()))
    return ForeignTensor(name, shape, str(dtype.newbyteorder("=")), read)


def _widened(read: Callable[[], Array], dtype: str) -> Array:
    return _upper_half(read()) if dtype == "bfloat16" else read()


def _upper_half(bits: Array) -> Array:
    """bfloat16 as float32, of which it is the upper half."""
    return np.asarray(np.left_shift(np.asarray(bits).astype(np.uint32), 16)).view(np.float32)


def _natural(name: str) -> list[tuple[int, str]]:
    """A key by which 10 comes after 9."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name) if part]
