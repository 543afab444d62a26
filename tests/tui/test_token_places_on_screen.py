"""Tokens by name, typed on the screen over a batch: as in batch mode, each text's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from driving import press, running, screen_of, settled, write
from encoder_tui.engine.commands.session import Session

if TYPE_CHECKING:
    from encoder_tui.engine import Encoder

TEXTS = ["the cat sat because it was tired", "it is a dog"]
WEIGHTS = "layers.0.attention.weights"


async def test_a_name_is_each_texts_token_on_the_screen(small: Encoder) -> None:
    session = Session(small.run(TEXTS), small)
    async with running(lambda progress: session) as (app, pilot):
        await press(pilot, "colon")
        await write(pilot, f'print {WEIGHTS}[head=3, query="it", key="[SEP]"#1]')
        assert app.main.console.last is not None
        said = app.main.console.last[1].splitlines()
        assert [line.split("  ")[0] for line in said[1:]] == ["0 query=5 it, key=8 [SEP]", "1 query=1 it, key=5 [SEP]"]
        for line, answer in (
            (f'patch {WEIGHTS}[key="[SEP]"] = 0', f"patched {WEIGHTS} (text 0 key=8 [SEP], text 1 key=5 [SEP])"),
            (f'patch {WEIGHTS}[key="cat"] = 0', "no token 'cat' in text 1"),
            (f'break {WEIGHTS} if x[head=0, query="it", key="[SEP]"] == 0', "breakpoint 1 set"),
            ("continue", "[batch=0, head=0, query=5, key=8]"),
            ('run "it was" "that was"', "breakpoint 1 cannot stop here"),
        ):
            app.controller.run(line, "console")
            await settled(pilot)
            shown = " ".join(" ".join(screen_of(app)).split())
            assert answer in app.main.console.last[1] or answer in shown, line
