"""A few screens as pictures: fixed data, theme and size. `pytest --snapshot-update` draws them anew: look before you commit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from driving import press, settled
from encoder_tui.tui.app.app import EncoderApp
from fakes import fake_session
from textual.pilot import Pilot

SHOWN = {
    "heat-wide": ((120, 40), ["goto layers.0.attention.weights"], ["j", "j", "l"]),
    "heat-narrow": ((80, 24), ["goto layers.0.attention.weights"], ["z"]),
    "statistics-narrow": ((80, 24), ["goto layers.1.ffn.up"], ["4", "z"]),
    "lines-wide": ((120, 40), ["goto layers.0.attention.weights"], ["7", "j", "j", "l", "l"]),
    "lines-narrow": ((80, 24), ["goto layers.0.attention.weights"], ["7", "greater_than_sign", "j", "z"]),
    "grid-wide": ((120, 40), ["goto layers.0.attention.weights"], ["8", "down", "right"]),
    "grid-narrow": ((80, 24), ["goto layers.0.attention.scores"], ["8", "right"]),
    "breakpoint-wide": ((120, 40), ["break layers.*.ffn.activation", "continue"], ["2"]),
}


@pytest.fixture(autouse=True)
def _a_terminal_with_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("TEXTUAL_THEME", raising=False)


@pytest.mark.parametrize("name", SHOWN)
def test_picture(name: str, snap_compare: Callable[..., bool]) -> None:
    size, lines, keys = SHOWN[name]
    app = EncoderApp(lambda progress: fake_session("output"), lines)

    async def before(pilot: Pilot[Any]) -> None:
        await settled(pilot)
        await press(pilot, *keys)

    wanted: Callable[[Pilot[Any]], Awaitable[None]] = before
    assert snap_compare(app, terminal_size=size, run_before=wanted)
    app.engine.close()
