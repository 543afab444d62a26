"""The app in a terminal of its own: how it leaves, and what it does not import."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PROGRAM = """
import sys
sys.path.insert(0, {here!r})
import encoder_tui.tui.cli as cli
from encoder_tui.engine.messages.errors import InputError

def start(progress):
    {body}

cli._starter = lambda *_: start
raise SystemExit(cli.main(["a text"]))
"""
LEAVES = b"\x1b[?1049l"  # back from the alternate screen


def in_terminal(body: str, keys: bytes = b"", after: bytes = b"") -> tuple[int, bytes]:
    """Exit status and output of the app; `keys` are pressed once `after` has been seen."""
    code = PROGRAM.format(here=str(HERE), body=body)
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"}
    environment.pop("ENCODER_TUI_DEBUG", None)
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


def test_what_a_library_writes_past_python_waits_until_the_screen_has_left():
    body = "import os; os.write(2, b'of a library\\x1b[2J'); raise InputError('no model')"
    status, output = in_terminal(body)
    screen, _, rest = output.partition(LEAVES)
    assert status == 2
    assert b"of a library" not in screen
    assert b"of a library\\x1b[2J" in rest
    assert b"encoder-tui: no model" in rest


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        ("InputError('text 0 is empty; write a word')", 2, b"encoder-tui: text 0 is empty; write a word"),
        ("KeyError('boom')", 1, b"encoder-tui: a fault of ours: KeyError: 'boom'"),
    ],
)
def test_a_start_that_fails(error: str, status: int, line: bytes) -> None:
    found, output = in_terminal(f"raise {error}")
    assert found == status
    _, _, after = output.rpartition(LEAVES)
    assert line in after
    assert b"Traceback" not in output


def test_keys_and_a_clean_end() -> None:
    body = "import fakes; return fakes.fake_session('layers.0.ffn.norm')"
    found, output = in_terminal(body, b"q", after=b"layers.0.ffn.norm")
    assert found == 0
    assert LEAVES in output
    assert b"Traceback" not in output


def test_without_a_terminal_it_says_what_to_do() -> None:
    code = PROGRAM.format(here=str(HERE), body="raise AssertionError")
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    assert found.returncode == 2
    assert "--batch" in found.stderr
    assert len(found.stderr.splitlines()) == 1


def test_the_first_frame_waits_for_neither_numpy_nor_torch() -> None:
    code = "import sys, encoder_tui.tui.app.app; print(sorted({'numpy', 'torch', 'tokenizers', 'safetensors'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_looking_at_a_fake_imports_no_torch() -> None:
    body = "import fakes; return fakes.fake_session('layers.0.ffn.norm')"
    code = PROGRAM.format(here=str(HERE), body=body).replace(
        'raise SystemExit(cli.main(["a text"]))',
        "import asyncio\n"
        "from driving import press, running\n"
        "async def go():\n"
        "    async with running(start) as (app, pilot):\n"
        "        await press(pilot, '1', '2', '3', '4', 's', 'S', 'b')\n"
        "asyncio.run(go())\n"
        "print('torch' in sys.modules)",
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
