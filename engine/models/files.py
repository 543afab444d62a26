"""Files as other people left them: only regular ones are opened, and what is no JSON is said in one line."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

from ..messages.errors import InputError, one_line
from ..program.json_values import is_object

MOST_JSON_BYTES = 256 << 20  # the largest tokenizer.json in use is a tenth of it
POINTER = b"version https://git-lfs.github.com/spec/"


def regular(path: Path) -> bool:
    """Whether a file is there to be read: a regular one, or a link to one.

    Raises:
        InputError: something else stands there, such as a pipe, which would be waited for without end, or a device.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):  # ValueError: a null byte in a name
        return False
    if stat.S_ISREG(mode):
        return True
    kinds = {stat.S_ISFIFO: "a pipe", stat.S_ISSOCK: "a socket", stat.S_ISDIR: "a directory"}
    what = next((name for test, name in kinds.items() if test(mode)), "a device")
    raise InputError(f"{path} is {what}, not a file; put the file itself there")


def pointer(path: Path) -> str:
    """What to say of a file in whose place Git LFS left a pointer to it; "" of any other."""
    try:
        with path.open("rb") as file:
            begins = file.read(len(POINTER))
    except OSError:
        return ""
    return (
        f"{path} is a pointer of Git LFS and not the file itself; `git lfs pull` fetches it"
        if begins == POINTER
        else ""
    )


def read_text(path: Path) -> str:
    """The text of a file in UTF-8.

    Raises:
        InputError: not there, not a file, not readable, not UTF-8, or larger than any such file is.
    """
    try:
        if not regular(path):
            raise InputError(f"no {path.name} in {str(path.parent)!r}")
        if path.stat().st_size > MOST_JSON_BYTES:
            raise InputError(f"{path} has {path.stat().st_size:,} bytes, and {MOST_JSON_BYTES:,} is the most")
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"cannot read {path}: not UTF-8 ({one_line(error)})") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or one_line(error)}") from None


def read_json(path: Path) -> Any:
    """What a JSON file holds.

    Raises:
        InputError: as of `read_text`, or it is not JSON, or nested deeper than anything that is meant.
    """
    text = read_text(path)
    try:
        return json.loads(text)
    except RecursionError:
        raise InputError(f"cannot read {path}: it is nested too deeply to be meant") from None
    except ValueError as error:
        raise InputError(pointer(path) or f"cannot read {path}: {one_line(error)}") from None


def read_object(path: Path) -> dict[str, Any]:
    """The object that a JSON file holds; an empty one where there is no such file.

    Raises:
        InputError: as of `read_json`, or it holds something else than an object.
    """
    if not regular(path):
        return {}
    values = read_json(path)
    if not is_object(values):
        raise InputError(f"cannot read {path}: it holds {type(values).__name__}, not an object")
    return values
