"""Standard output, as whoever prints there and leaves uses it: `--batch`, `--man`, `--list-models`, `--print-completion`."""

from __future__ import annotations

import os
import sys
from typing import TextIO, cast

from ..engine.messages.errors import InputError


def write_out(text: str, end: str = "\n") -> None:
    """Print; when whoever reads our output has seen enough (`| head`), go on without, for the sake of what is still to be done.

    Raises:
        InputError: it cannot be written, as the disk is full or it was closed (`>&-`).
    """
    if cast("TextIO | None", sys.stdout) is None:  # where Python has none, `print` says nothing and is done
        raise InputError("cannot write to standard output: it is closed")
    try:
        print(text, end=end, flush=True)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise InputError(f"cannot write to standard output: {error.strerror}") from None
