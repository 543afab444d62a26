"""Draw the README's pictures from real runs of the bundled model: `python samples/pictures.py`.

Each is what the screen shows after some keys, exported by Textual as SVG.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from encoder_tui.engine import Session, load
from encoder_tui.tui.app.app import EncoderApp

PICTURES = Path(__file__).parent / "pictures"
SENTENCE = "The animal didn't cross the street because it was too tired"

# Name of the picture -> commands run at the start, and keys pressed then.
SHOWN: dict[str, tuple[list[str], list[str]]] = {
    "main": (["break layers.*.attention.weights", "continue", "continue", "continue"], ["j"] * 10 + ["l"] * 2),
    "numbers": (["goto layers.1.attention.scores"], ["2"]),
    "heads": (["goto layers.1.attention.weights"], ["3"]),
    "statistics": (["goto layers.0.ffn.activation"], ["4"]),
    "fault": (["patch layers.1.ffn.up[0, 3, 77] = 0 / 0", "break unexpected", "continue"], []),
    "difference": (["fork", "ablate layers.1.attention.weights[head=2]", "continue", "compare fork 0"], ["D"]),
}


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


async def _rest(app: EncoderApp, pilot) -> None:
    """Wait until nothing is asked of the engine any more."""
    for _ in range(4):
        while not app.controller.position or app.controller.pending or app.engine.running or app.engine._work:
            await pilot.pause(0.02)
        await pilot.pause(0.15)


def main() -> None:
    """Draw them all, in the colours of a terminal that has them all."""
    os.environ |= {"COLORTERM": "truecolor", "TERM": "xterm-256color"}
    os.environ.pop("NO_COLOR", None)
    PICTURES.mkdir(exist_ok=True)
    for name, (lines, keys) in SHOWN.items():
        print(asyncio.run(draw(name, lines, keys, (120, 40))))


if __name__ == "__main__":
    main()
