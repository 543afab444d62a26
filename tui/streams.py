"""Standard output and standard error behind the gate: whoever writes there, nothing steers the terminal."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from ..engine.messages.visible import visible_lines


class Gated:
    """A stream on which control and format characters come out as escapes; its lines stay lines.

    Args:
        stream: what is written to.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write; the count is that of what was given."""
        self._stream.write(visible_lines(text))
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write each."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def gated() -> Iterator[None]:
    """Have all that Python writes to standard output and standard error pass the gate, until the block is through.

    A letter that the terminal's encoding lacks is no reason to stop: it is written as an escape too.
    """
    before = sys.stdout, sys.stderr
    for stream in before:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.stdout, sys.stderr = (stream and Gated(stream) for stream in before)  # None where it was closed
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
