"""A process of its own for a test, forked from one that has torch already: a tenth of a second in place of four.

For what a process has to itself: its environment before anything reads it, its streams, its exit. What is asked of a
start itself (what is imported, how long it takes, signals) is asked of a fresh interpreter.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from subprocess import CompletedProcess

MAIN = "import sys; from encoder_tui.tui.cli import main; sys.exit(main())"
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["torch", "safetensors.torch", "tokenizers", "encoder_tui.engine.models.loading"])


def run_forked(
    arguments: Sequence[str],
    *,
    script: str = MAIN,
    environment: Mapping[str, str] | None = None,
    stdin: str = "",
    stdout: str = "out",
) -> CompletedProcess[str]:
    """Run a script as `python -c` does, with these arguments; `stdin`, at most 64 KiB, comes by a pipe.

    Another `stdout`, a device, is written to and not read.
    """
    given = dict(os.environ if environment is None else environment)
    with tempfile.TemporaryDirectory() as folder:
        process = _FORKS.Process(target=_run, args=(script, [*arguments], given, stdin, folder, stdout))
        process.start()
        process.join()
        out, err = (Path(folder, name).read_text("utf-8") if name in ("out", "err") else "" for name in (stdout, "err"))
    assert process.exitcode is not None
    return CompletedProcess([script, *arguments], process.exitcode, out, err)


def _run(script: str, arguments: list[str], environment: dict[str, str], stdin: str, folder: str, stdout: str) -> None:
    os.environ.clear()
    os.environ.update(environment)
    reads, writes = os.pipe()
    os.write(writes, stdin.encode())
    os.close(writes)
    os.dup2(reads, 0)
    for number, name in ((1, stdout), (2, "err")):
        os.dup2(os.open(os.path.join(folder, name), os.O_CREAT | os.O_WRONLY), number)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.argv = ["-c", *arguments]
    exec(script, {"__name__": "__main__"})
