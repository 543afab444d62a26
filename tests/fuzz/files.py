"""Changes to files: as bytes, as JSON, as safetensors. Each is a step, JSON itself; `draw_*` draws one, `apply` makes it."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from random import Random
from typing import Any

from safetensors import SafetensorError

from .values import MARK, changed, dumps, word

SPECIAL = ("fifo", "directory", "loop", "dangling", "zero", "socket", "unreadable", "missing")
GARBAGE = [
    "",
    "{",
    "[]",
    "null",
    "0",
    '"x"',
    "\ufeff{}",
    "[" * 200_000,
    '{"a":' * 200_000,
    "PK\x03\x04",
    "\x80\x02}q\x00.",
    " " * 10**6,
]


def draw_bytes(random: Random, file: str) -> list[Any]:
    """A step that looks at no structure."""
    how = random.random()
    if how < 0.3:
        return ["truncate", file, random.random()]
    if how < 0.7:
        return [
            "overwrite",
            file,
            random.random() ** 3,
            bytes(random.choices(range(256), k=random.choice([1, 1, 4, 40]))).hex(),
        ]
    if how < 0.8:
        return (
            ["write", file, random.choice(GARBAGE)[:100]]
            if random.random() < 0.5
            else ["garbage", file, random.randrange(len(GARBAGE))]
        )
    if how < 0.9:
        return ["special", file, random.choice(SPECIAL)]
    return ["append", file, "00" * random.choice([1, 8, 1000])]


def draw_length(random: Random, file: str) -> list[Any]:
    """Another length of a safetensors header."""
    return ["length", file, random.choice([0, 1, 7, 8, 2**20, 2**31, 2**32, 2**63 - 1, 2**63, 2**64 - 1])]


def draw_tensor(random: Random, file: str, names: list[str]) -> list[Any]:
    """Another tensor under the name of one that is there, or another name for it."""
    how = random.choice(
        [
            "nan",
            "inf",
            "zero",
            "large",
            "int8",
            "int64",
            "bool",
            "float64",
            "float16",
            "shape",
            "empty",
            "rename",
            "drop",
            "more",
        ]
    )
    return ["tensor", file, random.choice(names), how, word(random)]


def apply(folder: Path, step: list[Any]) -> None:
    """Make a change. One that cannot be made any more, after those before it, is left out."""
    how, file, *more = step
    path = folder / file
    if how not in ("write", "garbage", "special") and path.exists() and not path.is_file():
        return
    try:
        if how in ("write", "garbage", "special"):
            _remove(path)
            if how == "special":
                _special(path, more[0])
            else:
                path.write_text(more[0] if how == "write" else GARBAGE[more[0]], "utf-8", "surrogatepass")
        elif how == "json":
            tree: Any = json.loads(path.read_text() if path.exists() else "{}")
            path.write_text(dumps(changed(tree, more[0])), "utf-8", "surrogatepass")
        elif how == "tensor":
            _tensor(path, *more)
        else:
            path.write_bytes(_bytes(path.read_bytes(), how, more))
    except (OSError, ValueError, LookupError, TypeError, RecursionError, SafetensorError):
        return


def header_of(data: bytes) -> Any:
    """The header of a safetensors file."""
    return json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])


def with_header(data: bytes, header: str) -> bytes:
    """A safetensors file with another header."""
    start = 8 + int.from_bytes(data[:8], "little")
    text = header.encode("utf-8", "surrogatepass")
    return len(text).to_bytes(8, "little") + text + data[start:]


def _bytes(data: bytes, how: str, more: list[Any]) -> bytes:
    if how == "truncate":
        return data[: int(len(data) * more[0])]
    if how == "overwrite":
        at, new = int(len(data) * more[0]), bytes.fromhex(more[1])
        return data[:at] + new + data[at + len(new) :]
    if how == "append":
        return data + bytes.fromhex(more[0])
    if how == "length":
        return more[0].to_bytes(8, "little") + data[8:]
    if how == "header":
        return with_header(data, dumps(changed(header_of(data), more[0])))
    if how == "hex":
        return bytes.fromhex(more[0])
    raise AssertionError(how)


def _tensor(path: Path, name: str, how: str, other: str) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    weights = load_file(path)
    tensor = weights.get(name)
    if tensor is None:
        return
    if how in ("nan", "inf", "zero", "large"):
        number = {"nan": float("nan"), "inf": float("inf"), "zero": 0.0, "large": 3e38}[how]
        weights[name] = torch.full_like(tensor, number) if tensor.is_floating_point() else torch.zeros_like(tensor)
    elif how == "shape":
        weights[name] = tensor.reshape(-1)[:-1].clone()
    elif how == "empty":
        weights[name] = tensor.reshape(-1)[:0].clone()
    elif how in ("rename", "drop", "more"):
        if how != "drop":
            weights[other] = tensor.clone()
        if how != "more":
            del weights[name]
    else:
        weights[name] = tensor.to(getattr(torch, how))
    save_file(weights, path)


def _special(path: Path, kind: str) -> None:
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to(path.name)
    elif kind == "dangling":
        path.symlink_to(f"none{MARK}")
    elif kind == "zero":
        path.symlink_to("/dev/zero")
    elif kind == "socket":
        _socket(path)
    elif kind == "unreadable":
        path.write_bytes(b"x")
        path.chmod(0)


def _socket(path: Path) -> None:
    here = os.getcwd()
    os.chdir(path.parent)  # the path of a socket may be no longer than some hundred bytes
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
