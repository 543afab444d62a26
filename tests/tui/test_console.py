"""What was said: wrapping, and what is kept."""

from __future__ import annotations

from driving import lines_of, press, running, screen_of, settled, write
from encoder_tui.engine.commands.session import Session
from encoder_tui.tui.panes.console import MOST_LINES, said_lines
from fakes import fake_session
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from textual import events

text = st.text(st.sampled_from("ab .,東🎉é→\u0301"), max_size=200)


@given(text, st.integers(4, 80), st.sampled_from(["", "> ", "✗ "]))
def test_wrapping_loses_nothing_and_fits(said: str, width: int, mark: str) -> None:
    lines = said_lines(("text", mark, said), width)
    assert "".join("".join(line for _, _, line in lines).split()) == "".join(said.split())
    assert lines[0][1] == mark
    assert all(cell_len(before) + cell_len(line.rstrip()) <= width for _, before, line in lines)


def test_what_follows_stands_under_the_text_of_a_list() -> None:
    lines = said_lines(("text", "", "step [N]    Run the next stage, or the next N."), 30)
    assert [mark + line for _, mark, line in lines] == [
        "step [N]    Run the next",
        "            stage, or the next",
        "            N.",
    ]


def test_a_line_of_a_wide_table_is_cut() -> None:
    lines = said_lines(("text", "", "0 [CLS]   0.1   0.2   0.3   0.4"), 22)
    assert lines == [("text", "", "0 [CLS]   0.1   0.2  …")]


async def test_the_last_answer_can_be_read_on_the_whole_screen() -> None:
    async with running(size=(80, 24)) as (app, pilot):
        await press(pilot, "v")
        assert app.screen is app.main
        app.controller.run("info stages", "key")
        await settled(pilot)
        assert screen_of(app)[-1].rstrip() == " v reads all 46 lines on the whole screen"
        await press(pilot, "v")
        reply = app.screen.query_one("#reply")
        assert app.main.console.last is not None
        lines = app.main.console.last[1].splitlines()
        assert lines_of(reply)[0] == lines[0][: reply.width].rstrip()  # type: ignore[attr-defined]
        await press(pilot, "j", "right")
        assert lines_of(reply)[0] == lines[1][reply.left :].rstrip()  # type: ignore[attr-defined]
        assert 0 < reply.left == max(map(len, lines)) - reply.width  # type: ignore[attr-defined]
        await press(pilot, "escape")
        assert app.screen is app.main


def test_an_error_is_marked_and_what_follows_is_indented() -> None:
    assert said_lines(("error", "✗ ", "no command 'brek'"), 12) == [
        ("error", "✗ ", "no command"),
        ("error", "  ", "'brek'"),
    ]


async def test_a_long_reply_is_shown_from_its_beginning_and_can_be_scrolled() -> None:
    async with running(size=(80, 24)) as (app, pilot):
        await press(pilot, "colon")
        await write(pilot, "info stages")
        said = app.main.console.query_one("#said")
        assert lines_of(said)[0] == "> info stages"
        await press(pilot, "pagedown")
        assert lines_of(said)[0] != "> info stages"
        await write(pilot, "step")
        assert lines_of(said)[-2:] == ["> step", "1/46 tokens.ids [2, 14]"]


async def test_nothing_said_can_move_the_cursor_of_the_terminal() -> None:
    async with running() as (app, pilot):
        app.main.console.say("text", "a\x1b[2Jb c\r\nd")
        await pilot.pause()
        assert app.main.console.text[-2:] == ["a\\x1b[2Jb c", "d"]


async def test_what_is_said_is_kept_within_bounds() -> None:
    async with running() as (app, pilot):
        app.main.console.say("text", "\n".join(map(str, range(MOST_LINES + 10))))
        await pilot.pause()
        assert len(app.main.console.text) == MOST_LINES
        assert app.main.console.text[-1] == str(MOST_LINES + 9)


async def test_a_verdict_stands_before_what_is_too_long_to_be_seen() -> None:
    async with running() as (app, pilot):
        console = app.main.console
        console.say("command", "compare")
        console.say("text", "one\ntwo\nequal", "equal")
        assert console.text[-4:] == ["> compare", "one", "two", "equal"]
        console.say("command", "compare")
        app.main.say("text", "\n".join([*map(str, range(30)), "different"]), "different")
        await pilot.pause()
        assert [line.strip() for line in lines_of(console._scrollback)[:4]] == ["> compare", "● different", "0", "1"]
        assert console.text[-1] == "29"
        assert console.last == ("compare", "\n".join([*map(str, range(30)), "different"]))


PADDING = (
    "the tokenizer pads with id 0 (<pad>), and the model takes 5 (the) for padding: positions skip 5, so 2 real tokens get "
    "the padding position, and padding is counted on"
)
LAYER = "encoder.layer.5 (16 tensors) is stored and not used: the config says 5 layers"
STAGES = "46 stages; s steps, x explains, ? shows keys"


def told(*notes: str):
    def start(progress: object) -> Session:
        session = fake_session("")
        session.trace.model_notes = notes
        return session

    return start


async def test_what_is_told_on_opening_is_marked_and_never_begins_out_of_sight() -> None:
    async with running(told(PADDING, LAYER), size=(80, 24)) as (app, pilot):
        assert lines_of(app.main.console._scrollback) == [
            "! the tokenizer pads with id 0 (<pad>), and the model takes 5 (the) for",
            "  padding: positions skip 5, so 2 real tokens get the padding position, and",
            "  padding is counted on",
            "! encoder.layer.5 (16 tensors) is stored and not used: the config says 5",
        ]
        assert screen_of(app)[-1].rstrip() == " v reads all 2 notes on the whole screen"
        await press(pilot, "v")
        assert [line[1:-1].strip() for line in screen_of(app)[:7]] == [
            "─ on opening ─────────────────────────────────────────────────────────────────",
            "the tokenizer pads with id 0 (<pad>), and the model takes 5 (the) for",
            "padding: positions skip 5, so 2 real tokens get the padding position, and",
            "padding is counted on",
            "",
            LAYER.removesuffix(" layers"),
            "layers",
        ]


async def test_what_is_told_on_opening_and_can_all_be_seen_needs_no_other_screen() -> None:
    async with running(told(PADDING, LAYER)) as (app, pilot):
        assert [line for line in lines_of(app.main.console._scrollback) if line] == [
            "! the tokenizer pads with id 0 (<pad>), and the model takes 5 (the) for padding: positions skip 5, so 2 real tokens",
            "  get the padding position, and padding is counted on",
            f"! {LAYER}",
            STAGES,
        ]
        assert screen_of(app)[-1].startswith(" s step")
    async with running(told(PADDING), size=(80, 24)) as (app, pilot):  # only the last line, on keys, is below
        assert lines_of(app.main.console._scrollback)[0].startswith("! the tokenizer")
        assert screen_of(app)[-1].startswith(" s step")
    async with running(told(), size=(80, 24)) as (app, pilot):
        assert app.main.console.text == [STAGES]
        await press(pilot, "v")
        assert screen_of(app)[-1].rstrip() == " no command has answered yet"


async def test_an_answer_in_one_long_line_is_known_to_be_cut() -> None:
    async with running(size=(80, 24)) as (app, _pilot):
        console = app.main.console
        console.say("text", "short")
        assert not console.is_cut
        console.say("text", "a word " * 60)
        assert console.is_cut


async def test_keys_typed_faster_than_they_are_handled_keep_their_order() -> None:
    async with running() as (app, pilot):
        await press(pilot, "colon")
        for key in ("h", "e", "l", "p", "q", "backspace", "enter", "1", "2"):  # as a terminal gives them: none waits
            app.post_message(events.Key(key, key if len(key) == 1 else None))
        await settled(pilot)
        assert any(line.startswith("> help") for line in app.main.console.text)
        assert not any("help1" in line or "helpq" in line for line in app.main.console.text)
