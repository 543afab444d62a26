"""However the screen is left, the terminal is as it was, nothing is printed that nobody can read, and signals are obeyed."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fuzz.scenes import environment
from tests.fuzz.terminal import PATIENCE, Terminal

HERE = Path(__file__).parent
SHOWN = b"layers.0.ffn.norm"
PROGRAM = """
import sys
sys.path.insert(0, {here!r})
import encoder_tui.tui.cli as cli

def start(progress):
    import fakes
    return fakes.fake_session('layers.0.ffn.norm')

cli._starter = lambda *_: start
{more}
raise SystemExit(cli.main(["a text"]))
"""


class Opened:
    """Opens screens on a fake encoder, each in a terminal of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.terminals = folder, list[Terminal]()

    def __call__(self, more: str = "", *, before: str = "", answers: bool = False) -> Terminal:
        command = [sys.executable, "-c", PROGRAM.format(here=str(HERE), more=more)]
        command = ["sh", "-c", f'{before} exec "$0" "$@"', *command] if before else command
        terminal = Terminal(command, environment(self.folder), str(self.folder), (100, 30), answers=answers)
        self.terminals.append(terminal)
        assert terminal.until_seen(SHOWN), bytes(terminal.output)
        terminal.rest()
        return terminal

    @property
    def reports(self) -> list[Path]:
        return list(self.folder.rglob("traceback.txt"))


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    opener = Opened(tmp_path)
    yield opener
    for terminal in opener.terminals:
        terminal.close()


def leave(terminal: Terminal) -> None:
    """Press ctrl+q until it has left: what is pressed while the terminal is the shell's is the shell's."""
    for _ in range(30):
        terminal.send(b"\x11")
        if terminal.ended(2):
            return


def check(terminal: Terminal, opened: Opened, status: int) -> None:
    assert terminal.ended()
    assert terminal.process.returncode == status
    assert terminal.changed() == []
    assert b"Traceback" not in terminal.output
    assert opened.reports == []


def is_drawn(terminal: Terminal) -> bool:
    """Whether all of the screen has been drawn since it was last begun, from the title to the footer."""
    drawn = bytes(terminal.output).rpartition(b"\x1b[?1049h")[2]
    return b"encoder-tui" in drawn and b"quit" in drawn


@pytest.mark.few(1)
@pytest.mark.parametrize("keys", [b"q", b"?qq", b"\xff\xc3:\xff\x1b[", b"\x1b[<0;99999;9M"], ids=ascii)
def test_keys(opened: Opened, keys: bytes) -> None:
    terminal = opened(answers=True)
    terminal.send(keys)
    terminal.rest(0.5)
    leave(terminal)
    check(terminal, opened, 0)


@pytest.mark.sweep
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_end_it_once_the_terminal_is_as_it_was(opened: Opened, number: signal.Signals) -> None:
    terminal = opened()
    os.kill(terminal.process.pid, number)
    check(terminal, opened, -number)


@pytest.mark.sweep
@pytest.mark.parametrize("before", ["", "trap '' HUP;"], ids=["hangup", "nohup"])
def test_a_terminal_that_is_closed_ends_it(opened: Opened, before: str) -> None:
    terminal = opened(before=before)
    terminal.hang_up()
    assert terminal.process.wait(PATIENCE) == -signal.SIGHUP
    assert opened.reports == []


def test_to_the_background_and_back(opened: Opened) -> None:
    terminal = opened()
    terminal.send(b"\x1a")
    assert terminal.until(lambda: b"\x1b[?1049l" in terminal.output)  # the shell's screen
    terminal.rest()  # and `fg`
    assert terminal.until(lambda: terminal.output.rfind(b"\x1b[?1049h") > terminal.output.rfind(b"\x1b[?1049l"))
    assert terminal.until(lambda: is_drawn(terminal))
    leave(terminal)
    check(terminal, opened, 0)


@pytest.mark.sweep
def test_stopped_from_outside_and_let_go_on(opened: Opened) -> None:
    terminal = opened()
    for _ in range(2):
        os.kill(terminal.process.pid, signal.SIGSTOP)
        terminal.rest()  # wakes it
        assert terminal.until(lambda: is_drawn(terminal))
    leave(terminal)
    check(terminal, opened, 0)


@pytest.mark.sweep
def test_standard_input_that_is_closed(opened: Opened) -> None:
    terminal = opened(before="exec <&-;")
    leave(terminal)
    check(terminal, opened, 0)


FAULTS = {
    "a key": "import encoder_tui.tui.app.controller as c; c.Controller.look_at = None; c.Controller.press = lambda *_: 1 // 0",
    "a picture": "import encoder_tui.tui.app.controller as c, encoder_tui.tui.panes.title as t\n"
    "c.Controller.press = lambda self, *_: (setattr(t, 'cut', None), self.app.main.title_line.refresh())",
    "a worker": "import encoder_tui.tui.app.controller as c; c.Controller.press = lambda self, *_: self.app.run_worker(self.fails()); "
    "c.Controller.fails = fails",
    "the engine's thread": "import encoder_tui.tui.app.engine_thread as e; e.EngineThread._run = lambda *_: 1 // 0",
}


@pytest.mark.few(1)
@pytest.mark.parametrize("where", FAULTS)
def test_a_fault_of_ours_leaves_one_line_and_a_script(opened: Opened, where: str) -> None:
    fails = "async def fails(self): return 1 // 0\n"
    terminal = opened(fails + FAULTS[where])
    terminal.send(b"s")
    assert terminal.ended()
    assert terminal.process.returncode == 1
    assert terminal.changed() == []
    _, _, after = bytes(terminal.output).rpartition(b"\x1b[?1006l")
    assert after.startswith(b"encoder-tui: a fault of ours: ")
    assert after.count(b"\n") == 1
    (report,) = opened.reports
    assert str(report).encode() in after
    assert str(report.with_name("again.txt")).encode() in after
    assert "Error" in report.read_text("utf-8")
    assert "goto layers.0.ffn.norm" in report.with_name("again.txt").read_text("utf-8")
