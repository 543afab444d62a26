"""Draw the README's pictures from real runs of the bundled model: `python samples/pictures.py`.

Each is what the screen shows after some keys, exported by Textual as SVG.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from encoder_tui.engine import Session, load
from encoder_tui.tui.app.app import EncoderApp
from textual.pilot import Pilot

PICTURES = Path(__file__).parent / "pictures"
SENTENCE = "The animal didn't cross the street because it was too tired"

# Name of the picture -> commands run at the start, and keys pressed then.
SHOWN: dict[str, tuple[list[str], list[str]]] = {
    "map": ([], ["m"]),
    "main": (["break layers.*.attention.weights", "continue", "continue", "continue"], ["j"] * 10 + ["l"] * 2),
    "numbers": (["goto layers.1.attention.scores"], ["2"]),
    "heads": (["goto layers.1.attention.weights"], ["3"]),
    "statistics": (["goto layers.0.ffn.activation"], ["4"]),
    "fault": (["patch layers.1.ffn.up[0, 3, 77] = 0 / 0", "break unexpected", "continue"], []),
    "difference": (["fork", "ablate layers.1.attention.weights[head=2]", "continue", "compare fork 0"], ["D"]),
}

# Keys of the animation, and for how many seconds is seen what each comes to; 0: it is only on the way.
MOVED: tuple[tuple[str, float], ...] = (
    ("", 2.5), ("down", 0), ("enter", 0), ("9", 2.5), ("7", 2.5), ("8", 2.5), ("m", 0), ("G", 0), ("enter", 2.5),
)  # fmt: skip


def start(progress: Callable[..., None]) -> Session:
    """The bundled model on the README's sentence."""
    encoder = load(device="cpu")
    return Session(encoder.run(SENTENCE), encoder)


async def draw(name: str, lines: list[str], keys: list[str], size: tuple[int, int]) -> Path:
    """Run the app without a terminal, press the keys, and save what it shows."""
    app = EncoderApp(start, lines)
    async with app.run_test(size=size) as pilot:
        await _rest(app, pilot)
        for key in keys:
            await pilot.press(key)
            await _rest(app, pilot)
        path = PICTURES / f"{name}.svg"
        path.write_text(app.export_screenshot(title="encoder-tui"), "utf-8")
        app.engine.close()
    return path


async def _rest(app: EncoderApp, pilot: Pilot[Any]) -> None:
    """Wait until nothing is asked of the engine any more."""
    for _ in range(4):
        while not app.controller.position or app.controller.pending or app.engine.running or app.engine._work:
            await pilot.pause(0.02)
        await pilot.pause(0.15)


async def animate(size: tuple[int, int]) -> Path:
    """The frames that `MOVED` comes to, one after the other in one SVG, which needs no script: each is seen for its seconds."""
    app, frames = EncoderApp(start, on_map=True), list[tuple[str, float]]()
    async with app.run_test(size=size) as pilot:
        await _rest(app, pilot)
        for key, seconds in MOVED:
            if key:
                await pilot.press(key)
                await _rest(app, pilot)
            if seconds:
                frames.append((app.export_screenshot(title="encoder-tui"), seconds))
        app.engine.close()
    path = PICTURES / "walk.svg"
    path.write_text(animated(frames), "utf-8")
    return path


def animated(frames: list[tuple[str, float]]) -> str:
    """Pictures as one that moves.

    Args:
        frames: SVGs of one size, each with the seconds it is seen.
    """
    whole, before = sum(seconds for _, seconds in frames), 0.0
    head = re.match(r"<svg[^>]*>", frames[0][0].lstrip())
    assert head
    parts: list[str] = []
    for number, (picture, seconds) in enumerate(frames):
        first, last = 100 * before / whole, 100 * (before + seconds) / whole
        before += seconds
        # rich names its classes and ids after the picture's content, and leaves fonts to be fetched
        inside = re.sub(r"@font-face\s*\{[^}]*\}", "", picture.lstrip()[len(head[0]) :].rstrip().removesuffix("</svg>"))
        shown = f"@keyframes f{number} {{ 0%, {first:.3f}% {{ visibility: hidden }} {first:.3f}%, {last:.3f}% {{ visibility: visible }} {last:.3f}%, 100% {{ visibility: hidden }} }}"
        still = (
            ""
            if number
            else "@media (prefers-reduced-motion: reduce) { g.frame { animation: none !important } g.frame ~ g.frame { visibility: hidden } }"
        )
        look = f"animation: f{number} {whole:g}s step-end infinite"
        parts.append(f'<style>{shown}{still}</style><g class="frame" style="{look}">{inside}</g>')
    return f"{head[0]}{''.join(parts)}</svg>\n"


def main() -> None:
    """Draw them all, in the colours of a terminal that has them all."""
    os.environ |= {"COLORTERM": "truecolor", "TERM": "xterm-256color"}
    os.environ.pop("NO_COLOR", None)
    PICTURES.mkdir(exist_ok=True)
    for name, (lines, keys) in SHOWN.items():
        print(asyncio.run(draw(name, lines, keys, (120, 40))))
    print(asyncio.run(animate((100, 30))))


if __name__ == "__main__":
    main()
