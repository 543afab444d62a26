"""The footer follows the view and what is looked at; what is typed after `/` is looked for at once."""

from __future__ import annotations

import pytest
from driving import press, running, settled, write
from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.commands.screen import VIEWS
from encoder_tui.tui.panes.footer import choose
from encoder_tui.tui.state.footer_keys import OF_VIEW, KeyHint, footer_keys
from encoder_tui.tui.state.keymap import rebound
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len


def written(hints: tuple[KeyHint, ...]) -> list[str]:
    return [" ".join([*(name for name, _ in hint.keys), hint.label]) for hint in hints]


def test_each_view_has_keys_of_its_own_and_each_wish_a_key() -> None:
    assert set(VIEWS) <= OF_VIEW.keys()
    for view, wishes in OF_VIEW.items():
        lines = {line for hint in footer_keys(TABLE, view) for _, line in hint.keys}
        assert {line for wish, _ in wishes for line in ((wish,) if isinstance(wish, str) else wish)} <= lines


def test_what_does_nothing_there_is_left_out_and_keys_bound_anew_are_followed() -> None:
    assert written(footer_keys(TABLE, "heat"))[:5] == ["s step", "n next block", "enter why", "[ ] head", "{ } layer"]
    assert "[ ] head" not in written(footer_keys(TABLE, "heat", frozenset({"head"})))
    table, _ = rebound(TABLE, [("s", ""), ("f11", ""), ("~", "next")])
    assert written(footer_keys(table, "heat"))[:2] == ["n next block", "enter why"]


@given(st.sampled_from(sorted(OF_VIEW)), st.integers(30, 300))
def test_a_narrow_screen_has_fewer_and_always_help_and_the_way_out(view: str, width: int) -> None:
    hints = footer_keys(TABLE, view)
    chosen = choose(hints, width)
    assert [hint for hint in hints if hint in chosen] == chosen
    assert written(tuple(chosen))[-2:] == ["? keys", "q quit"]
    assert sum(map(cell_len, written(tuple(chosen)))) + 2 * (len(chosen) - 1) <= width


async def test_the_footer_follows_the_view() -> None:
    async with running(size=(80, 24)) as (app, pilot):
        footer = app.main.footer
        assert footer.render_line(0).text.rstrip() == (
            " s step  n next block  enter why  y copy  + - colour  x explain  ? keys  q quit"
        )
        app.controller.run("goto layers.0.attention.weights", "key")
        await settled(pilot)
        await press(pilot, "7")
        assert footer.render_line(0).text.startswith(" s step  n next block  ↑ ↓ query  [ ] head  { } layer  m map")
        at = footer.render_line(0).text.index("]")
        await pilot.click(footer, offset=(at, 0))
        await settled(pilot)
        assert app.controller.state.head == 1
        await press(pilot, "m")
        assert footer.render_line(0).text.startswith(" s step  n next block  enter open  m tree")


async def test_stages_are_listed_as_one_types() -> None:
    async with running() as (app, pilot):
        await press(pilot, "slash")
        await write(pilot, "norm", enter=False)
        said = app.main.footer.render_line(0).text.strip()
        assert said == "5 stages  embeddings.norm  layers.*.attention.norm ×2  layers.*.ffn.norm ×2"
        await write(pilot, "x", enter=False)
        assert app.main.footer.render_line(0).text.strip() == "no stage's name contains 'normx'"


@pytest.mark.parametrize("key", ["f1", "question_mark"])
async def test_help_is_where_it_is_looked_for(key: str) -> None:
    async with running() as (app, pilot):
        await press(pilot, key)
        assert app.screen is not app.main


async def test_tabs_of_views_that_show_nothing_of_a_stage_are_dim() -> None:
    async with running() as (app, pilot):
        header = app.main.inspector._header
        for stage, dim in (
            ("embeddings.norm", {"heads", "diff", "lines", "grid", "product"}),
            ("layers.0.attention.weights", {"diff", "product"}),
        ):
            app.controller.run(f"goto {stage}", "key")
            await settled(pilot)
            tabs = {text.strip("▸ ").partition(" ")[2]: style for text, style in header._tabs(200)}
            idle = {name for name, style in tabs.items() if name in VIEWS and style == header.ink("tab-idle")}
            assert idle == dim
