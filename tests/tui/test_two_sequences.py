"""A program of two sequences on the screen: rows and columns are called by their own words."""

from __future__ import annotations

from driving import lines_of, press, running, screen_of, settled
from encoder_tui.engine.commands.session import Session
from encoder_tui.tui.panes.title import Title
from encoder_tui.tui.panes.token_strip import TokenStrip
from two_sequences import WEIGHTS, cross_attention


def start(_: object) -> Session:
    return Session(cross_attention())


async def test_each_axis_has_the_words_of_its_own_sequence() -> None:
    async with running(start, ["continue", f"look {WEIGHTS}", "view numbers"], size=(120, 40)) as (app, pilot):
        rows = [line for line in screen_of(app) if " le " in line or " noir " in line]
        assert any("noir" in line and "0." in line for line in rows)
        header = next(
            line for line in screen_of(app) if "the" in line and "cat" in line and "sat" in line and "0." not in line
        )
        assert "noir" not in header
        assert "2 texts × 3 + 5 tokens" in lines_of(app.main.query_one(Title))[0]
        assert "noir" in lines_of(app.main.query_one(TokenStrip))[0]  # the row's sequence
        await press(pilot, "1")
        await settled(pilot)
        assert "noir" in "\n".join(screen_of(app))
        await press(pilot, "7")
        await settled(pilot)
        drawn = "\n".join(screen_of(app))
        assert "query" in drawn
        assert "noir" in drawn
        assert "sat" in drawn


async def test_against_another_run_the_target_is_paired_by_its_words() -> None:
    lines = [
        "fork",
        'patch target.ids[0, token="noir"] = "sat"',
        "compare fork 0",
        "continue",
        f"look {WEIGHTS}",
        "view diff",
    ]
    async with running(start, lines, size=(120, 40)) as (app, _):
        assert any("sat≠noir" in line for line in screen_of(app))
