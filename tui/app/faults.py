"""A fault of ours never loses what was done: where it was, and the session as a script, are written down, and one line tells where.

~/.local/state/encoder-tui/faults/20261127-083059-k3x7w1/traceback.txt   where; a second fault of the session is added
                                                         again.txt       what was done; `-x` does it again
"""

from __future__ import annotations

import os
import shlex
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import IO, TYPE_CHECKING

from ...engine.messages.errors import one_line
from .version import version_line

if TYPE_CHECKING:
    from ...engine.commands.session import Session

Report = Callable[..., None]

TRACEBACK, SCRIPT = "traceback.txt", "again.txt"


class OwnFault(Exception):
    """A fault of ours that is written down; its text is the line that tells of it."""


class Faults:
    """The faults of one session. They go to a folder of their own, made at the first and readable by its owner alone.

    Args:
        words: the command line that begins such a session again.

    Attributes:
        session: what would be lost; None before there is one.
        folder: where they were written; None before the first.
    """

    def __init__(self, words: tuple[str, ...] = ()) -> None:
        self.words = words
        self.session: Session | None = None
        self.folder: Path | None = None
        self._told: dict[str, OwnFault] = {}
        self._lock = Lock()  # the engine's thread and the screen's may come to grief together

    def watching(self, start: Callable[[Report], Session]) -> Callable[[Report], Session]:
        """What makes a session, so that it is known here from then on, and knows how it was begun."""

        def watched(progress: Report) -> Session:
            self.session = start(progress)
            self.session.begun = ("encoder-tui", *self.words)
            return self.session

        return watched

    def told(self, error: BaseException) -> OwnFault:
        """Write a fault down, once however often it comes, and say so."""
        if isinstance(error, OwnFault):
            return error
        what = f"a fault of ours: {type(error).__name__}: {one_line(error)}"
        where = "".join(traceback.format_exception(error))
        with self._lock:
            if where not in self._told:
                try:
                    folder = self._write(where)
                    ending = f"its traceback is in {folder / TRACEBACK}"
                    if self.session is not None:
                        ending += f", and `-x {folder / SCRIPT}` does again what was done"
                except OSError as problem:
                    ending = (
                        f"it could not be written down ({one_line(problem)}); ENCODER_TUI_DEBUG=1 shows where it was"
                    )
                self._told[where] = OwnFault(f"{what}; {ending}")
                self._told[where].__cause__ = error
            return self._told[where]

    def _write(self, where: str) -> Path:
        folder = self.folder = self.folder or _folder()
        with _private(folder / TRACEBACK, os.O_APPEND) as file:
            python = sys.version.split()[0]
            file.write(f"{datetime.now():%Y-%m-%d %H:%M:%S}, {version_line()}, Python {python}\n{where}\n")
        if self.session is not None:
            part = folder / f".{SCRIPT}"
            with _private(part, os.O_TRUNC) as file:
                file.writelines(f"{line}\n" for line in self._script(folder, self.session))
            part.replace(folder / SCRIPT)
        return folder

    def _script(self, folder: Path, session: Session) -> Iterator[str]:
        yield "# What was done until a fault of encoder-tui's came. This does it again:"
        words = ("encoder-tui", "-x", str(folder / SCRIPT), *self.words)
        yield from (f"#     {line}" for line in shlex.join(words).splitlines())
        with suppress(OSError):
            yield f"# It was begun in {os.getcwd()}"
        if session.last:
            yield f"# The last command was: {' '.join(session.last.splitlines())}"
        from ...engine.commands.session_script import script

        try:
            yield from script(session)
        except Exception as error:  # what is damaged is told as far as it can be
            yield f"# The rest cannot be told: {type(error).__name__}: {one_line(error)}"


def _folder() -> Path:
    """A new folder, in the first place where one can be made."""
    import tempfile

    state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    places = [Path(state) / "encoder-tui" / "faults", Path(tempfile.gettempdir())]
    if not Path(state).is_absolute():
        places = places[1:]
    name = f"{datetime.now():%Y%m%d-%H%M%S}-"
    for place in places:
        with suppress(OSError):
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            return Path(tempfile.mkdtemp(prefix=name if place is not places[-1] else f"encoder-tui-{name}", dir=place))
    return Path(tempfile.mkdtemp(prefix=f"encoder-tui-{name}"))


def _private(path: Path, how: int) -> IO[str]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | how, 0o600)
    return os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace")
