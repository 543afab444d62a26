"""The screen inside of a script that runs in a terminal: it opens on a passage, and when one leaves it the script goes on."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import signal, sys, torch
from torch import nn
import encoder_tui.engine as engine

class Doubling(nn.Module):
    def forward(self, x):
        return (x * 2).softmax(-1)

ended = []
signal.signal(signal.SIGTERM, lambda *_: ended.append(1))
module, handlers = Doubling(), [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT, signal.SIGTSTP)]
engine.debug(module{options})
for step in range(3):
    result = module(torch.full((2, 3), float('nan') if step == 1 else 1.0))
same = handlers == [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT, signal.SIGTSTP)]
print('the last line', 'of step', step, result.sum().item(), same)
"""
LEAVES = b"\x1b[?1049l"  # back from the alternate screen


def in_terminal(code: str, folder: Path, keys: bytes, after: bytes) -> tuple[int, bytes]:
    """Exit status and output of a script; `keys` are pressed once `after` has been seen."""
    master, slave = pty.openpty()
    environment = {
        **os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30", "HOME": str(folder), "LANG": "C",
        "XDG_CONFIG_HOME": str(folder), "XDG_STATE_HOME": str(folder),
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True
    )
    os.close(slave)
    output = b""
    while select.select([master], [], [], 60)[0]:
        try:
            read = os.read(master, 65536)
        except OSError:  # the other end is closed
            break
        if not read:
            break
        output += read
        if keys and after in output:
            os.write(master, keys)
            keys = b""
    os.close(master)
    return process.wait(60), output


@pytest.mark.parametrize(
    ("options", "told"),
    [("", b"Doubling, passage 1"), (", when='unexpected'", b"Doubling, passage 2")],
)
def test_the_script_goes_on_when_one_leaves(tmp_path: Path, options: str, told: bytes):
    status, output = in_terminal(SCRIPT.format(options=options), tmp_path, b"q", told)
    screen, _, rest = output.partition(LEAVES)
    assert told in screen
    assert b"softmax" in screen
    assert b"the last line of step 2 2.0 True" in rest
    assert b"the last line" not in screen
    assert status == 0
