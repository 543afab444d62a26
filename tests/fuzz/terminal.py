"""A terminal of one's own: a program in it, what is sent to it, and what state it is left in."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence

PATIENCE = 60.0  # seconds before something that never came is given up
QUIET = 0.15  # seconds without output that mean rest
_MODES = re.compile(rb"\x1b\[\?([\d;]+)([hl])")
_KEYBOARD = re.compile(rb"\x1b\[([<>])\d*u")
BEFORE = {b"25": b"h", b"7": b"h"}  # set in a terminal that nobody has touched; all others are not


class Terminal:
    """A program in a pseudo-terminal that is its controlling terminal.

    Args:
        command: what is run; environment: its variables; folder: where.
        size: columns and lines.
        answers: whether the terminal has what modern ones have, and says so when it is asked.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        folder: str,
        size: tuple[int, int] = (120, 40),
        *,
        answers: bool = False,
    ) -> None:
        self.master, self.slave = pty.openpty()
        self.answers = answers
        self.output = bytearray()
        self._answered = 0
        self.in_band = False
        self.resize(*size)
        self.before = termios.tcgetattr(self.slave)
        self.process = subprocess.Popen(
            command,
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            cwd=folder,
            env=dict(environment),
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )

    # -- what is done to it ----------------------------------------------------------------------------------------

    def resize(self, width: int, height: int) -> None:
        """Another size, told by signal, or in band where that was asked for."""
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        if self.in_band:
            self.send(f"\x1b[48;{height};{width};{height * 16};{width * 8}t".encode())

    def send(self, data: bytes) -> None:
        """Send as fast as it is taken; what is sent to a program that has left is lost."""
        end = time.monotonic() + PATIENCE
        while data and self.alive and time.monotonic() < end:
            readable, writable, _ = select.select([self.master], [self.master], [], 0.05)
            if readable:
                self._take()
            if writable:
                data = data[os.write(self.master, data[:512]) :]
            self.wake()

    def wake(self) -> None:
        """What a shell does on `fg`, if the program has gone to the background."""
        try:
            stopped = os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WNOHANG)
        except ChildProcessError:
            return
        if stopped is not None:
            os.kill(self.process.pid, signal.SIGCONT)

    def rest(self, most: float = 3.0) -> None:
        """Read until it is quiet."""
        end = time.monotonic() + most
        while time.monotonic() < end and select.select([self.master], [], [], QUIET)[0]:
            self._take()
        self.wake()

    def until(self, holds: Callable[[], bool], patience: float = PATIENCE) -> bool:
        """Read until something holds; whether it came to."""
        end = time.monotonic() + patience
        while not holds():
            if time.monotonic() > end:
                return False
            if select.select([self.master], [], [], 0.05)[0]:
                self._take()
            self.wake()
        return True

    def until_seen(self, text: bytes, patience: float = PATIENCE) -> bool:
        """Read until a text was seen."""
        return self.until(lambda: text in self.output or not self.alive, patience) and text in self.output

    def ended(self, patience: float = PATIENCE) -> bool:
        """Read until it has left; whether it has."""
        left = self.until(lambda: not self.alive, patience)
        while select.select([self.master], [], [], 0.05)[0] and self._take():
            pass
        return left

    def hang_up(self) -> None:
        """Close the terminal under it, as a window or a connection that is closed does."""
        os.close(self.master)
        os.close(self.slave)
        self.master = self.slave = -1

    def close(self) -> None:
        """End it, whatever it does."""
        if self.alive:
            self.process.kill()
        self.process.wait()
        if self.master >= 0:
            self.hang_up()

    @property
    def alive(self) -> bool:
        """Whether the program has not left yet."""
        return self.process.poll() is None

    def _take(self) -> bool:
        try:
            data = os.read(self.master, 1 << 16)
        except OSError:
            return False
        self.output += data
        if self.answers:
            self._answer()
        return bool(data)

    def _answer(self) -> None:
        """Say that output is synchronised and sizes are told in band, when that is asked."""
        asked = bytes(self.output[self._answered :])
        self._answered = len(self.output)
        if b"\x1b[?2026$p" in asked:
            os.write(self.master, b"\x1b[?2026;2$y")
        if b"\x1b[?2048$p" in asked:
            os.write(self.master, b"\x1b[?2048;2$y")
        if b"\x1b[?2048h" in asked:
            self.in_band = True

    # -- what it was left in ---------------------------------------------------------------------------------------

    def changed(self) -> list[str]:
        """What is not as it was before the program: modes, the keyboard's, and the line discipline."""
        modes = dict(BEFORE)
        for found in _MODES.finditer(bytes(self.output)):
            for number in found[1].split(b";"):
                modes[number] = found[2]
        left = [
            f"mode {number.decode()} {'set' if state == b'h' else 'reset'}"
            for number, state in modes.items()
            if state != BEFORE.get(number, b"l")
        ]
        pushed = sum(1 if found[1] == b">" else -1 for found in _KEYBOARD.finditer(bytes(self.output)))
        left += [f"keyboard protocol pushed {pushed} times"] * bool(pushed)
        after = termios.tcgetattr(self.slave)
        left += [f"termios {name}" for name, old, new in zip(_FLAGS, self.before, after, strict=True) if old != new]
        return left


_FLAGS = ("iflag", "oflag", "cflag", "lflag", "ispeed", "ospeed", "cc")
