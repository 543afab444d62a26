"""A file that takes the place of another once it is whole; whatever happens before that, the other stays.

What is being written has no name where the system can do that (`O_TMPFILE` of Linux), so that nothing is left of it when the
process is killed. Elsewhere, and for the moment between naming and replacing, it is called `.NAME.xxxxxxxx.part` and locked:
a part that nobody has locked was left by a process that is gone, and the next export to NAME clears it away.
"""

from __future__ import annotations

import os
import re
import stat
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from ..messages.errors import InputError

try:
    import fcntl
except ImportError:  # Windows, which lets nobody remove a file that is open
    fcntl = None

UNNAMED = getattr(os, "O_TMPFILE", 0)


@contextmanager
def atomic_write(path: Path) -> Generator[IO[bytes]]:
    """A file to write to that takes the place of `path` once the block is through, and is gone if it is not.

    Raises:
        InputError: the path cannot be written.
    """
    path = path.resolve()  # through a link to the file itself
    part: Path | None = None
    try:
        if path.is_dir():
            raise InputError(f"cannot write {str(path)!r}: it is a directory")
        _clear(path)
        number, part = _open(path)
        try:
            with os.fdopen(number, "wb") as file:
                yield file
                file.flush()
                os.chmod(file.fileno() if os.chmod in os.supports_fd else part or "", _mode(path))
                part = part or _name(file.fileno(), path)
                if fcntl is not None:  # while it is locked: another export to the same path is not to clear it away
                    part.replace(path)
            if fcntl is None:
                part.replace(path)
        finally:
            if part is not None:
                part.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"cannot write {str(path)!r}: {error.strerror or error}; nothing was changed") from None


def _open(path: Path) -> tuple[int, Path | None]:
    """A new file beside `path`, open and locked, and its name where it has one."""
    if UNNAMED and Path("/proc/self/fd").exists():
        with suppress(OSError):  # a file system that has no such files, or a kernel that does not know them
            number = os.open(path.parent, UNNAMED | os.O_RDWR | os.O_CLOEXEC, 0o600)
            _lock(number)
            return number, None
    while True:
        number, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        _lock(number)
        if os.fstat(number).st_nlink or fcntl is None:
            return number, Path(name)
        os.close(number)  # cleared away by another export before it was locked


def _name(number: int, path: Path) -> Path:
    """Give a name to a file that has none."""
    while True:
        part = path.parent / f".{path.name}.{os.urandom(4).hex()}.part"
        with suppress(FileExistsError):
            # without a directory Python calls link(2), which would link to what stands in /proc instead of following it
            os.link(f"/proc/self/fd/{number}", part, src_dir_fd=number, follow_symlinks=True)
            return part


def _clear(path: Path) -> None:
    """Remove what exports to the same path left that were killed: parts that no process has locked any more."""
    if fcntl is None:
        return
    ours = re.compile(re.escape(f".{path.name}.") + r"[a-z0-9_]{8}\.part")
    with suppress(OSError), os.scandir(path.parent) as entries:
        left = [entry.path for entry in entries if ours.fullmatch(entry.name) and entry.is_file(follow_symlinks=False)]
        for name in left:
            with suppress(OSError):  # locked, or gone by now, or another user's
                number = os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
                try:
                    fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    os.unlink(name)
                finally:
                    os.close(number)


def _lock(number: int) -> None:
    if fcntl is not None:
        with suppress(OSError):  # a file system without locks: then parts of it are cleared by nobody who has none
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _mode(path: Path) -> int:
    """The permissions of the file that is replaced, or those of a new one."""
    try:
        return stat.S_IMODE(path.stat().st_mode) & 0o777
    except OSError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
