"""Random keys, clicks, pastes and sizes on a real terminal: `python -m tests fuzz keys [--n RUNS] [--keys COUNT] [--seed S]`.

None may crash, hang or leave the terminal changed. What does is shrunk and kept in tests/fuzz/keys/, whose files the default
tests run again.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from .gestures import Gesture, draw, read
from .scenes import SCENES, arguments, drawn, environment, record
from .terminal import Terminal

KEPT = Path(__file__).parent / "keys"
LEAVING = "\x1b[201~", "\x1b", "\x1b", "\x1b", "\x1b", "\x1b", "q"
LEAVES = b"\x1b[?1049l"
TRIES = 3  # a fault that depends on how threads meet shows in one of so many runs of the same keys
ROUNDS = 15  # of leaving, ten seconds each: a machine with much else to do is slow, and that is no hang


def main(argv: Sequence[str]) -> int:
    options = argparse.ArgumentParser(prog="python -m tests fuzz keys")
    options.add_argument("--n", type=int, default=50, help="runs")
    options.add_argument("--keys", type=int, default=400, help="gestures in each")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--scene", choices=tuple(SCENES))
    options.add_argument("--shrink", type=int, default=60, help="tries to make what went wrong shorter")
    options.add_argument("--keep", action="store_true", help="write what was shrunk to tests/fuzz/keys/")
    options.add_argument("--again", type=Path, help="run a kept file")
    given = options.parse_args(argv)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        record(folder)
        if given.again:
            scene, language, gestures = from_file(given.again)
            wrong = played(folder, scene, language, gestures)
            print(wrong or "clean")
            return bool(wrong)
        faults = 0
        for run in range(given.n):
            seed = given.seed + run
            chance = random.Random(seed)
            scene, language = drawn(chance, seed)
            scene = given.scene or scene
            gestures = draw(chance, given.keys, calm=chance.random() < 0.5)
            wrong = played(folder, scene, language, gestures, answers=bool(seed % 2))
            print(f"seed {seed} {scene} {language}: {wrong or 'clean'}", flush=True)
            if wrong:
                faults += 1
                least = shrunk(folder, scene, language, gestures, answers=bool(seed % 2), most=given.shrink)
                text = written(scene, language, least, wrong)
                print(text, flush=True)
                if given.keep:
                    KEPT.mkdir(exist_ok=True)
                    (KEPT / f"seed-{seed}-{scene}.txt").write_text(text, "utf-8")
        print(f"{given.n} runs of {given.keys} keys from seed {given.seed}: {faults} not clean")
        return bool(faults)


def played(folder: Path, scene: str, language: str, gestures: Sequence[Gesture], *, answers: bool = False) -> str:
    """Run the screen, do all that, and leave; what is wrong, or ""."""
    shutil.rmtree(folder / "state", ignore_errors=True)
    command = [sys.executable, "-m", "encoder_tui.tui", *arguments(scene, language)]
    terminal = Terminal(command, environment(folder), str(folder), answers=answers)
    try:
        if not terminal.until_seen(b"\x1b[?1049h"):
            return f"never began: {bytes(terminal.output[-500:])!r}"
        perform(terminal, gestures)
        for _ in range(ROUNDS):
            if not terminal.alive:
                break
            for key in LEAVING:  # the end of a paste first: what comes in one is text, whatever it is
                terminal.send(key.encode())
                terminal.rest(0.5)  # escape alone, not the beginning of a sequence
            if terminal.ended(10):
                break
        else:
            return "hangs: neither escape nor q leaves"
        terminal.ended()
        return verdict(terminal, folder)
    finally:
        terminal.close()


def perform(terminal: Terminal, gestures: Sequence[Gesture]) -> None:
    """Do all that; keys between two waits are sent as fast as they are taken."""
    for gesture in gestures:
        if not terminal.alive:
            return
        match gesture.kind:
            case "send":
                terminal.send(gesture.bytes)
            case "size":
                terminal.resize(*gesture.size)
            case "stop":
                terminal.send(b"\x1a")
                terminal.rest(0.5)
            case _:
                terminal.rest()


def verdict(terminal: Terminal, folder: Path) -> str:
    """What is wrong with how it left; ""."""
    _, _, after = bytes(terminal.output).rpartition(LEAVES)
    said = " ".join(after.decode("utf-8", "replace").split())[-600:]
    if terminal.process.returncode != 0:
        return f"status {terminal.process.returncode}: {said}"
    if b"Traceback" in after:
        return f"a traceback: {said}"
    if reports := [path for path in (folder / "state").rglob("traceback*") if path.is_file()]:
        return f"a fault was reported: {reports[0].read_text('utf-8')[-2000:]}"
    return "; ".join(terminal.changed())


def shrunk(
    folder: Path, scene: str, language: str, gestures: list[Gesture], *, answers: bool, most: int
) -> list[Gesture]:
    """Fewer gestures that still go wrong, found in so many tries: parts are left out, halves first, single ones last."""

    def wrong(some: list[Gesture]) -> bool:
        return any(played(folder, scene, language, some, answers=answers) for _ in range(TRIES))

    size, budget = len(gestures) // 2, most
    while size and budget:
        at, smaller = 0, False
        while at < len(gestures) and budget:
            fewer = gestures[:at] + gestures[at + size :]
            budget -= 1
            if wrong(fewer):
                gestures, smaller = fewer, True
            else:
                at += size
        if size == 1 and not smaller:
            break
        size = max(1, size // 2) if size > 1 or smaller else 0
    return gestures


def written(scene: str, language: str, gestures: Sequence[Gesture], wrong: str = "") -> str:
    """A file to be kept."""
    head = [f"# {line}" for line in wrong.splitlines()[-1:]]
    return "\n".join([*head, f"scene {scene} {language}", *map(str, gestures)]) + "\n"


def from_file(path: Path) -> tuple[str, str, list[Gesture]]:
    """Scene, language and gestures of a kept file."""
    lines = [line for line in path.read_text("utf-8").splitlines() if line.strip() and not line.startswith("#")]
    _, scene, language = lines[0].split()
    return scene, language, [read(line) for line in lines[1:]]
