"""Measuring where others are at work too: ways in turns, by processor time, and memory in a process of its own.

A machine is never the same twice, so nothing here compares with an earlier run: whatever is put beside something else takes
turns with it, and what is quoted is the median of the ratios of each turn.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

Times = dict[str, list[float]]
Took = TypeVar("Took")  # seconds, or several kinds of them
Both = tuple[float, float]  # seconds of the processor, and by the clock
PROCESSOR, CLOCK = "of the processor", "by the clock"
ANSWERS = "ENCODER_TUI_BENCHMARK_ANSWERS"  # the variable that tells a worker where its answers go


def timed(work: Callable[[], object]) -> float:
    """Seconds of the processor that some work takes; what it gives is let go of afterwards."""
    began = time.process_time()
    given = work()
    took = time.process_time() - began
    del given
    return took


def in_turns(ways: Mapping[str, Callable[[], Took]], repetitions: int, warm: int = 2) -> dict[str, list[Took]]:
    """What each way says that it took, in each repetition; every other repetition in the opposite order.

    Args:
        ways: by name; each says what it took, `timed` of work in this process.
        warm: repetitions before those that count.
    """
    times: dict[str, list[Took]] = {name: [] for name in ways}
    for repetition in range(warm + repetitions):
        for name in list(ways)[:: -1 if repetition % 2 else 1]:
            took = ways[name]()
            if repetition >= warm:
                times[name].append(took)
    return times


def timed_in_turns(ways: Mapping[str, Callable[[], object]], repetitions: int, warm: int = 2) -> Times:
    """The same of work in this process."""

    def timing(work: Callable[[], object]) -> Callable[[], float]:
        return lambda: timed(work)

    return in_turns({name: timing(work) for name, work in ways.items()}, repetitions, warm)


def ratio(times: Times, way: str, beside: str) -> float:
    """The median of what a way took over what another took in the same repetition."""
    return statistics.median(one / other for one, other in zip(times[way], times[beside], strict=True))


def milliseconds(times: Times, way: str) -> float:
    """The median of what a way took."""
    return 1000 * statistics.median(times[way])


def apart(both: Mapping[str, Sequence[Both]]) -> dict[str, Times]:
    """What was taken of the processor and by the clock, each by itself."""
    return {
        kind: {way: [each[at] for each in took] for way, took in both.items()}
        for at, kind in enumerate((PROCESSOR, CLOCK))
    }


@contextmanager
def compiled() -> Generator[None]:
    """Let Python keep what it compiles of processes that are started, as that of an installed program is kept, whatever is set here."""
    before = os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    try:
        yield
    finally:
        if before is not None:
            os.environ["PYTHONDONTWRITEBYTECODE"] = before


def process(arguments: Sequence[str]) -> Both:
    """Run Python with these arguments: what it takes from its start to its end."""

    def children() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    began, before = time.perf_counter(), children()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return children() - before, time.perf_counter() - began


def rise(work: Callable[[], object], used_again: bool = False) -> int:
    """By how many bytes some work raises the highest use of memory of this process, with what it gives still held.

    Args:
        used_again: leave what was freed before where it is; else it is given back to Linux first, and is seen when it is used again.
    """
    gc.collect()
    if not used_again:
        ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # from here on the highest use is counted anew
    before = used("VmRSS")
    given = work()
    highest = used("VmHWM") - before
    del given
    return highest


def used(line: str) -> int:
    """Bytes of memory in use, as Linux counts them: `VmRSS` now, `VmHWM` at most."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{line}:")[2].split()[0]) * 1024


class Worker:
    """A process of its own that answers questions one at a time, so that ways which would disturb each other can take turns.

    Its script calls `answer`.

    Args:
        arguments: of Python: the script, and what it is given.
    """

    def __init__(self, *arguments: str) -> None:
        reads, writes = os.pipe()  # of its own: whatever it prints, and whenever, is no answer
        self._process = subprocess.Popen(
            [sys.executable, *arguments], stdin=subprocess.PIPE, stdout=2, text=True, pass_fds=(writes,),
            env=os.environ | {ANSWERS: str(writes)},
        )  # fmt: skip
        os.close(writes)
        self._answers = os.fdopen(reads)

    def ask(self, question: str, *more: object) -> Any:
        """The answer.

        Raises:
            RuntimeError: it raised something, whose first line this says, or ended.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps([question, *more]) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise RuntimeError("its process ended") from None
        line = self._answers.readline()
        if not line:
            raise RuntimeError(f"its process ended with status {self._process.wait()}")
        said = json.loads(line)
        if "error" in said:
            raise RuntimeError(said["error"])
        return said["answer"]

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        self._answers.close()
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def answer(questions: Mapping[str, Callable[..., object]]) -> None:
    """Be a `Worker`'s process: answer until nobody asks. What it prints goes to standard error."""
    answers = os.fdopen(int(os.environ[ANSWERS]), "w")
    for line in sys.stdin:
        question, *more = json.loads(line)
        try:
            said: dict[str, object] = {"answer": questions[question](*more)}
        except Exception as error:
            said = {"error": f"{type(error).__name__}: {[*str(error).splitlines(), ''][0]}"}
        print(json.dumps(said), file=answers, flush=True)
