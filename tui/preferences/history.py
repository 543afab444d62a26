"""What was typed on the command line, over sessions: nothing else, and readable by nobody else.

Several sessions write to one file. Each line is added by itself under a lock, so none is lost; when the file has grown past twice
what is kept, its older half goes. Whoever waited for the lock meanwhile sees that the file is another one, and opens that.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

MOST_LINES = 1000


class History:
    """The lines that were typed.

    Args:
        path: the file; it is made with the first line that is added.
        most: how many lines are kept for certain.
    """

    def __init__(self, path: Path, most: int = MOST_LINES) -> None:
        self._path, self._most = path, most

    def lines(self) -> list[str]:
        """The lines there are, the latest last; none where they cannot be read."""
        try:
            if not self._path.is_file():
                return []
            return self._path.read_text("utf-8", errors="replace").splitlines()[-self._most :]
        except OSError:
            return []

    def add(self, line: str) -> None:
        """Add a line; where that cannot be done, nothing happens: a history is not worth a stop."""
        line = " ".join(line.splitlines()).strip()
        if not line:
            return
        with suppress(OSError):
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._locked() as descriptor:
                os.write(descriptor, f"{line}\n".encode("utf-8", "replace"))
                self._trim()

    @contextmanager
    def _locked(self) -> Generator[int]:
        """The file, open to be added to, while no other session writes."""
        import fcntl

        while True:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                if self._is_still(descriptor):
                    yield descriptor
                    return
            finally:
                os.close(descriptor)

    def _is_still(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), os.stat(self._path))
        except FileNotFoundError:
            return False

    def _trim(self) -> None:
        lines = self._path.read_bytes().splitlines(keepends=True)
        if len(lines) <= 2 * self._most:
            return
        part = self._path.with_name(f".{self._path.name}-{os.getpid()}")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "wb") as file:
            file.writelines(lines[-self._most :])
        os.replace(part, self._path)
