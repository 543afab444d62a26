"""The whole screen, driven by keys, with exact lines."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from driving import lines_of, press, running, screen_of, settled, until, write
from encoder_tui.engine.messages.errors import InputError
from encoder_tui.tui.app.app import EncoderApp
from fakes import Gate, fake_session
from textual import events

TREE = [
    " ✓ ▸ tokens                    3 stages",
    " ✓ ▸ embeddings                2 stages",
    " ✓   mask.additive            2×1×14×14",
    "   ▾ layers.0                 20 stages",
    "     ▾ attention              15 stages",
    " ✓     query                    2×14×32",
    " ✓     query_heads             2×4×14×8",
    "●▶     key                      2×14×32",
    " ·     key_heads               2×4×14×8",
    " ·     value                    2×14×32",
]


async def test_the_tree_shows_where_the_debugger_is() -> None:
    async with running() as (app, pilot):
        assert app.main.title_line.render_line(0).text.rstrip().endswith("before the first stage")
        assert lines_of(app.main.program, 4) == [
            " · ▾ tokens                    3 stages",
            " ·   ids                           2×14",
            " ·   mask                          2×14",
            " ·   one_hot                 2×14×30522",
        ]
        await press(pilot, "f", "f", "f", "s", "s", "s", "b")
        assert lines_of(app.main.program, 10) == TREE
        assert app.main.title_line.render_line(0).text == (
            " encoder-tui  fake · bert · cpu float32 · 2 texts × 14 tokens"
            "                               9/46 layers.0.attention.key "
        )
        assert lines_of(app.main.breakpoints, 1) == ["● 1 layers.0.attention.key"]


async def test_what_was_computed_before_the_cursor_went_back_is_told_apart() -> None:
    async with running() as (app, pilot):
        await press(pilot, "s", "s", "s", "S")
        assert [line[:9].rstrip() for line in lines_of(app.main.program, 5)] == [
            "   ▾ toke", " ✓   ids", " ▶   mask", " ›   one_", " · ▸ embe",
        ]  # fmt: skip


async def test_every_key_of_the_table_reaches_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running() as (app, pilot):
        await press(pilot, "s")
        ran: list[str] = []
        begun: list[str] = []

        def run(line: str, origin: object) -> None:
            ran.append(line)

        monkeypatch.setattr(app.controller, "run", run)
        monkeypatch.setattr(app.main.console, "begin", begun.append)
        for command in app.table:
            for key in command.keys:
                ran.clear()
                begun.clear()
                await pilot.press(key.key)
                await pilot.pause()
                line = key.line.replace("{stage}", "tokens.ids")
                assert (begun if line.endswith(" ") else ran) == [line], key


async def test_looking_moves_the_view_and_not_the_cursor() -> None:
    async with running() as (app, pilot):
        await press(pilot, "f", "f", "d")
        assert app.controller.position is not None
        assert (app.controller.position.stage, app.controller.state.stage) == ("embeddings.norm", "mask.additive")
        await press(pilot, "d")
        assert app.controller.state.stage == "mask.additive"
        assert app.main.program.faces[app.main.program.line].label == "layers.0"
        await press(pilot, "space", "d", "d")
        assert app.controller.state.stage == "layers.0.attention.query"
        await press(pilot, "right_curly_bracket")
        assert app.controller.state.stage == "layers.1.attention.query"
        await press(pilot, "H")
        assert app.controller.state.stage == "embeddings.norm"
        assert app.controller.position.stage == "embeddings.norm"


async def test_a_motion_takes_the_view_along_and_keeps_how_it_looks() -> None:
    async with running() as (app, pilot):
        app.controller.run("goto layers.0.ffn.residual", "key")
        await settled(pilot)
        await press(pilot, "2", "j", "l", "l")
        state = app.controller.state
        assert (state.stage, state.view, state.row, state.column) == ("layers.0.ffn.residual", "numbers", 1, 2)
        await press(pilot, "S")
        state = app.controller.state
        assert (state.stage, state.view, state.row, state.column) == ("layers.0.ffn.down", "numbers", 1, 2)


async def test_the_token_strip_marks_the_row_and_the_column() -> None:
    async with running() as (app, pilot):
        app.controller.run("goto layers.0.attention.scores", "key")
        await settled(pilot)
        await press(pilot, "j", "j", "l")
        strip = app.main.tokens
        assert lines_of(strip) == [
            " text 0 of 2  [CLS] the animal didn ' t cross the street : it was tired [SEP]",
        ]
        styles = {segment.text: segment.style for segment in strip.render_line(0)}
        assert styles["animal"].reverse
        assert not styles["animal"].underline
        assert styles["the"] is not None
        assert [segment.text for segment in strip.render_line(0) if segment.style.underline] == ["the"]
        await press(pilot, "greater_than_sign")
        assert lines_of(strip) == [
            " text 1 of 2  [CLS] 東 京 is 🎉 cafe##s [SEP] [PAD] [PAD] [PAD] [PAD] [PAD] [PAD]",
        ]


async def test_typing_in_the_console() -> None:
    async with running() as (app, pilot):
        await press(pilot, "colon")
        await write(pilot, "step 2")
        await write(pilot, "brek layers")
        await write(pilot, "stats tokens.mask")
        text = app.main.console.text
        assert text[:4] == [
            "46 stages; s steps, x explains, ? shows keys",
            "> step 2",
            "2/46 tokens.mask [2, 14]",
            "> brek layers",
        ]
        assert text[4].startswith("✗ no command 'brek'; did you mean break")
        assert text[5] == "> stats tokens.mask"
        assert len(text) > 6
        await press(pilot, "up", "up")
        assert app.main.console.line.value == "brek layers"
        await press(pilot, "up", "up", "up", "down", "down", "down")
        assert app.main.console.line.value == ""
        await write(pilot, "break layers.0.ff", enter=False)
        await press(pilot, "tab")
        assert app.main.console.line.value == "break layers.0.ffn."
        assert app.main.footer.render_line(0).text.strip() == "activation  down  norm  residual  up"
        await press(pilot, "escape")
        assert app.main.focused is None
        await press(pilot, "s")
        assert app.controller.position is not None
        assert app.controller.position.cursor == 2


async def test_a_key_that_begins_a_command_leaves_when_it_is_entered() -> None:
    async with running() as (app, pilot):
        await press(pilot, "slash")
        assert app.main.console.line.value == "find "
        await write(pilot, "NORM")
        assert app.main.focused is None
        assert app.controller.state.stage == "embeddings.norm"
        assert app.main.console.text[-1] == "1 of 5 stages named like 'NORM'"
        await press(pilot, "full_stop", "full_stop")
        assert app.controller.state.stage == "layers.0.ffn.norm"
        assert app.main.footer.render_line(0).text.startswith(" 3 of 5 stages named like 'NORM'")
        await press(pilot, "comma")
        assert app.controller.state.stage == "layers.0.attention.norm"
        await press(pilot, "B")
        assert app.main.console.line.value == "break layers.0.attention.norm if "


async def test_lines_given_at_the_start_run_in_order_as_if_typed() -> None:
    lines = ["break layers.*.attention.weights", "continue", "qqq", "view heads", "continue"]
    async with running(lines=lines) as (app, pilot):
        await until(
            pilot,
            lambda: app.main.title_line.render_line(0).text.rstrip().endswith("layers.1.attention.weights"),
            "stop",
        )
        await settled(pilot)
        assert app.main.console.text[1:] == [
            "> break layers.*.attention.weights",
            "breakpoint 1 set at 2 stages",
            "> continue",
            "● breakpoint 1 at 16/46 layers.0.attention.weights [2, 4, 14, 14]",
            "> qqq",
            "✗ no command 'qqq'; `help` lists them",
            "> view heads",
            "> continue",
            "● breakpoint 1 at 36/46 layers.1.attention.weights [2, 4, 14, 14]",
        ]
        assert app.controller.state.view == "heads"
        assert lines_of(app.main.breakpoints, 1)[0].split() == ["●", "1", "layers.*.attention.weights", "2×"]


async def test_a_stop_says_which_breakpoint_in_the_title() -> None:
    async with running(lines=["break embeddings.norm", "continue"]) as (app, pilot):
        await settled(pilot)
        assert app.main.title_line.render_line(0).text.endswith("● breakpoint 1  5/46 embeddings.norm ")


@pytest.mark.parametrize("key", ["ctrl+c", "escape"])
async def test_a_long_motion_is_shown_and_can_be_stopped(key: str) -> None:
    session, gate = fake_session(""), Gate()
    session.debugger.add("layers.0.attention.key", gate)
    async with running(lambda progress: session) as (app, pilot):
        await pilot.press("c")
        await until(pilot, gate.reached.is_set, "the middle of the motion")
        title = app.main.title_line
        await until(pilot, lambda: "continue 9/46  ctrl+c stops it" in title.render_line(0).text, "busy title")
        await pilot.press("2")  # looking does not wait
        await until(pilot, lambda: app.controller.state.view == "numbers", "another view")
        await pilot.press(key)
        await pilot.pause()
        gate.opened.set()
        await settled(pilot)
        assert app.controller.position is not None
        assert app.controller.position.stage == "layers.0.attention.key"
        assert app.main.console.text[-1] == "interrupted at 9/46 layers.0.attention.key [2, 14, 32]"
        assert title.render_line(0).text.endswith("interrupted  9/46 layers.0.attention.key ")


async def test_ctrl_c_with_nothing_to_stop_says_how_to_leave() -> None:
    async with running() as (app, pilot):
        await press(pilot, "ctrl+c")
        assert app.main.footer.render_line(0).text.strip() == "nothing is running to be stopped; press q to leave"
        await press(pilot, "colon", "x", "ctrl+c")
        assert app.main.console.line.value == ""
        await press(pilot, "escape", "s")
        assert app.main.footer.render_line(0).text.startswith(" s step  n next block  enter why")


async def test_q_leaves_at_once_and_so_does_quit() -> None:
    async with running() as (app, pilot):
        await pilot.press("q")
        await until(pilot, lambda: app.return_value is not None, "the end")
        assert app.return_value == 0
    async with running(lines=["quit"]) as (app, pilot):
        await until(pilot, lambda: app.return_value is not None, "the end")
        assert app.return_value == 0


async def test_leaving_while_it_still_loads() -> None:
    gate = threading.Event()

    def start(progress: Any) -> Any:
        progress("reading weights", 0.5)
        gate.wait(30)
        return fake_session("")

    app = EncoderApp(start)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(
            pilot,
            lambda: "loading: reading weights ━━━━━━──────" in app.main.title_line.render_line(0).text,
            "progress",
        )
        assert any("loading: reading weights" in line for line in screen_of(app)[10:])
        await pilot.press("ctrl+c")
        assert app.main.footer.render_line(0).text.strip() == "loading goes on; press q to leave"
        await pilot.press("q")
        await until(pilot, lambda: app.return_value is not None, "the end")
        gate.set()
        assert app.return_value == 0


@pytest.mark.parametrize(("error", "status"), [(InputError("text 0 is empty"), 2), (RuntimeError("boom"), 1)])
async def test_a_start_that_fails_leaves_with_a_status(error: Exception, status: int) -> None:
    def start(progress: Any) -> Any:
        raise error

    app = EncoderApp(start)
    async with app.run_test() as pilot:
        await until(pilot, lambda: app.return_value is not None, "the end")
    assert app.return_value == status
    assert app.failure is not None
    assert error in (app.failure, app.failure.__cause__)  # a fault of ours is one that is written down


async def test_the_mouse_looks_opens_and_picks() -> None:
    async with running() as (app, pilot):
        await press(pilot, "f", "f")
        tree = app.main.program
        rows = [row.label for row in tree.faces]
        await pilot.click(tree, offset=(8, 1 + rows.index("layers.1")))
        await settled(pilot)
        rows = [row.label for row in tree.faces]
        assert "attention" in rows
        await pilot.click(tree, offset=(8, 1 + rows.index("key_heads")))
        await settled(pilot)
        assert app.controller.state.stage == "layers.1.attention.key_heads"
        at = lines_of(app.main.tokens)[0].index("street")
        await pilot.click(app.main.tokens, offset=(at + 1, 0))
        await settled(pilot)
        assert app.controller.state.row == 8
        await pilot.click(app.main.footer, offset=(2, 0))
        await settled(pilot)
        assert app.controller.position is not None
        assert app.controller.position.stage == "mask.additive"


async def test_under_no_color_nothing_has_a_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with running() as (app, pilot):
        await press(pilot, "s", "b")
        for strip in app.screen._compositor.render_strips():
            for filter in app.get_line_filters():
                strip = strip.apply_filter(filter, app.screen.background_colors[1])
            assert all(
                color is None or color.is_default
                for segment in strip
                if segment.style
                for color in (segment.style.color, segment.style.bgcolor)
            )
        looked = app.main.program.render_line(app.main.program.line)
        assert any(segment.style and segment.style.reverse for segment in looked)


async def test_a_fault_of_ours_leaves_no_page_of_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ENCODER_TUI_DEBUG", raising=False)
    app: EncoderApp | None = None
    with pytest.raises(ZeroDivisionError):  # noqa: PT012
        async with running() as (app, pilot):

            def press(names: object, typing: object) -> int:
                return 1 // 0

            monkeypatch.setattr(app.controller, "press", press)
            await pilot.press("s")
            await until(pilot, lambda: app.failure, "the end")
    assert app is not None
    assert isinstance(app.failure, ZeroDivisionError)
    assert app._exit_renderables == []


def keys_of(text: str) -> list[events.Key]:
    names = {":": "colon", " ": "space", "\n": "enter", ".": "full_stop"}
    return [events.Key(names.get(letter, letter), letter) for letter in text]


async def test_what_follows_a_colon_is_its_text_however_fast_it_comes() -> None:
    async with running() as (app, pilot):
        for event in keys_of(":stats embeddings.norm\n"):
            app.post_message(event)
        await settled(pilot)
        assert "> stats embeddings.norm" in app.main.console.text
        assert app.controller.position is not None
        assert app.controller.position.cursor == -1  # no letter of it was taken for a key


async def test_keys_from_before_the_commands_are_known_wait_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    app = EncoderApp(lambda progress: fake_session(""))
    begin = app.engine.begin
    monkeypatch.setattr(app.engine, "begin", lambda: None)
    async with app.run_test(size=(120, 40)) as pilot:
        for event in keys_of("ss:step\n"):
            app.post_message(event)
        await pilot.pause()
        begin()
        await settled(pilot)
        assert "> step" in app.main.console.text
        assert app.main.console.text[-1] == "3/46 tokens.one_hot [2, 14, 30522]"
        app.engine.close()
