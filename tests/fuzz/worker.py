"""The process that cases run in, and its keeper: it is started again when a case kills it or does not end."""

from __future__ import annotations

import json
import os
import resource
import select
import shutil
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any, Protocol

from .judge import BYTES, WAITED, Outcome, judge

ROOT = Path(__file__).parent.parent.parent


class Kind(Protocol):
    """A kind of fuzz: a module."""

    def prepare(self, place: Path) -> None:
        """Make, once for a process, what its cases start from."""

    def draw(self, random: Random) -> Any:
        """The recipe of a case."""

    def build(self, recipe: Any, place: Path) -> list[str]:
        """Make a case's files in an empty folder; returns the command line that reads them. `place / "out"` is to be written in."""
        ...


class Keeper:
    """Runs cases in a process, one after the other.

    Args:
        kind: name of the module.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.started = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = (
            None  # of the process, which may die too soon to remove it
        )
        self._read = b""

    def run(self, order: dict[str, Any]) -> tuple[Any, list[str]]:
        """Run a case: `{"seed": S, "number": K}` draws it, `{"recipe": R}` is it. Returns its recipe, and what is wrong."""
        process = self._process or self._start()
        assert process.stdin is not None
        process.stdin.write(json.dumps(order).encode() + b"\n")
        process.stdin.flush()
        recipe = order
        try:
            recipe = self._answer(process, WAITED)["recipe"]
            return recipe, self._answer(process, WAITED)["wrong"]
        except TimeoutError:
            wrong = f"did not end within {WAITED:.0f} s"
            process.kill()
        except EOFError:
            wrong = f"ends the process with {process.wait()}"
        self._end(process)
        return recipe, [wrong]

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._end(self._process)

    def _start(self) -> subprocess.Popen[bytes]:
        environment = os.environ | {
            "HF_HUB_OFFLINE": "1",
            "LC_ALL": "C.UTF-8",
            "PYTHONFAULTHANDLER": "0",
            "TOKENIZERS_PARALLELISM": "false",
        }
        self._folder = tempfile.TemporaryDirectory(prefix="fuzz-", ignore_cleanup_errors=True)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.worker", self.kind, self._folder.name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT, env=environment, bufsize=0,
        )  # fmt: skip
        self.started += 1
        self._answer(self._process, 600)
        return self._process

    def _answer(self, process: subprocess.Popen[bytes], patience: float) -> Any:
        """One line from the process; `EOFError` where it died, `TimeoutError` where it took too long."""
        assert process.stdout is not None
        end = time.monotonic() + patience
        while b"\n" not in self._read:
            if not select.select([process.stdout], [], [], max(0.0, end - time.monotonic()))[0]:
                raise TimeoutError
            part = process.stdout.read(1 << 16)
            if not part:
                raise EOFError
            self._read += part
        line, _, self._read = self._read.partition(b"\n")
        return json.loads(line)

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        process.communicate()
        if self._folder is not None:
            self._folder.cleanup()
        self._process, self._folder, self._read = None, None, b""


def serve(name: str, place: Path) -> None:
    """Be the process: orders on standard input, answers on standard output, which nothing else can write to; files go to a folder."""
    answers = os.fdopen(os.dup(1), "w")
    kind: Kind = import_module(f".{name}", __package__)  # type: ignore[assignment]
    streams = [open(place / which, "w+b", buffering=0) for which in ("out", "err")]  # noqa: SIM115
    for stream, number in zip(streams, (1, 2), strict=True):
        os.dup2(stream.fileno(), number)
    kind.prepare(place)
    _run(["--version"], streams, place)
    _limit()
    print(json.dumps("ready"), file=answers, flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        recipe = order["recipe"] if "recipe" in order else kind.draw(Random(f"{order['seed']}:{order['number']}"))
        print(json.dumps({"recipe": recipe}), file=answers, flush=True)
        case = place / "case"
        (case / "out").mkdir(parents=True)
        wrong = judge(_run(kind.build(recipe, case), streams, case / "out"))
        print(json.dumps({"wrong": wrong}), file=answers, flush=True)
        shutil.rmtree(case)


def _run(argv: list[str], streams: list[Any], folder: Path) -> Outcome:
    from encoder_tui.tui.cli import main

    for stream in streams:
        stream.seek(0)
        stream.truncate()
    before, began = _memory(reset=True), time.process_time()
    status, raised = None, ""
    try:
        status = main(argv)
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else 0
    except BaseException as error:
        raised = f"{type(error).__name__}: {str(error)[:300]}"
    sys.stdout.flush()
    sys.stderr.flush()
    seconds = time.process_time() - began
    out, err = (stream.seek(0) or stream.read().decode("utf-8", "replace") for stream in streams)
    return Outcome(status, out, err, raised, seconds, _memory() - before, folder)


def _memory(*, reset: bool = False) -> int:
    """Bytes of memory at the peak since it was last reset."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    return int(_status("VmHWM")) << 10


def _limit() -> None:
    """Refuse memory beyond the limit, rather than have the machine run out of it."""
    most = (int(_status("VmData")) << 10) + BYTES + (256 << 20)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _status(name: str) -> str:
    return next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))


if __name__ == "__main__":
    serve(sys.argv[1], Path(sys.argv[2]))
