"""Forks as a tree, patched and stale stages, undo and redo, and what the marks mean."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from driving import lines_of, press, running, screen_of, settled
from encoder_tui.engine import Encoder
from encoder_tui.engine.commands.session import Session
from encoder_tui.tui.panes.breakpoint_list import BreakpointList
from encoder_tui.tui.reading.facts import forks_of, look
from encoder_tui.tui.state.position import Fork

WEIGHTS = "layers.0.attention.weights"


@pytest.fixture
def start(small: Encoder) -> Callable[..., Session]:
    def make(progress: object = None) -> Session:
        return Session(small.run("The cat sat"), small)

    return make


async def test_forks_stand_below_the_breakpoints_as_a_tree(start: Callable[..., Session]) -> None:
    lines = [
        "break layers.1.ffn.up", "watch absmax > 1000", "goto output", "fork", f"ablate {WEIGHTS}[head=1]", "fork",
        "scale layers.1.ffn.up[0] 2", "switch 0", "fork", "switch 1",
    ]  # fmt: skip
    async with running(start, lines) as (app, pilot):
        await settled(pilot)
        shown = app.main.breakpoints
        assert shown.border_title == " breakpoints 2 · forks 3 "
        assert lines_of(shown, 6) == [
            "● 1 layers.1.ffn.up",
            "◇ 2 watch absmax > 1000          = false",
            "  0 original",
            "▶ └ 1 ◆ ablate L0 weights[head=1]",
            "    └ 2 ◆ scale L1 up[0] 2",
            "  └ 3 unchanged",
        ]
        assert " fork 1  " in screen_of(app)[0]
        await pilot.click(shown, offset=(6, 3))
        await settled(pilot)
        assert [line[0] for line in lines_of(shown, 6)][2:] == ["▶", " ", " ", " "]
        assert " original  " in screen_of(app)[0]


async def test_a_patch_without_forks_is_shown_undone_and_done_again(start: Callable[..., Session]) -> None:
    async with running(start, ["goto output", f"ablate {WEIGHTS}[head=1]"]) as (app, pilot):
        await settled(pilot)
        shown = app.main.breakpoints
        assert (shown.border_title, lines_of(shown, 1)) == (" changes ", ["▶ 0 original ◆ ablate L0 weights[head=1]"])
        await press(pilot, "U")
        assert shown.is_empty
        assert not shown.region
        await press(pilot, "R")
        assert lines_of(shown, 1) == ["▶ 0 original ◆ ablate L0 weights[head=1]"]
        assert app.main.console.text[-2:] == ["> redo", f"did again: ablate {WEIGHTS}[head=1]"]


async def test_the_tree_marks_what_is_patched_and_what_no_longer_holds(start: Callable[..., Session]) -> None:
    async with running(start, ["goto output", "look tokens.ids", f"ablate {WEIGHTS}[head=1]"]) as (app, pilot):
        await settled(pilot)
        app.controller.run("look layers.0.attention.scores", "key")
        await settled(pilot)

        def marked() -> dict[str, str]:
            lines = [line[1:].split() for line in lines_of(app.main.program)]
            return {words[1]: words[2] for words in reversed(lines) if len(words) > 2 and words[1].isalpha()}

        assert (marked()["weights"], marked()["context"]) == ("◆", "~")
        assert marked()["scores"] not in "◆~"
        stale = app.controller.position.stale
        assert "layers.0.attention.context" in stale
        app.controller.run("look layers.0.attention.context", "key")  # looking computes it again
        await settled(pilot)
        assert marked()["context"] != "~"
        assert app.controller.position.stale < stale


def test_a_fork_tells_only_what_it_does_not_share_with_its_parent(start: Callable[..., Session]) -> None:
    from encoder_tui.engine.commands import TABLE

    session = start()
    for line in ("scale embeddings.sum[0] 2", "fork", "scale embeddings.sum[0] 3", "switch 0", "fork"):
        TABLE.execute(session, line)
    assert forks_of(session) == (
        Fork(0, 0, ("scale embeddings.sum[0] 2",)), Fork(1, 1, ("scale embeddings.sum[0] 3",)), Fork(2, 1, ()),
    )  # fmt: skip
    assert look(session, None).fork == 2


async def test_a_click_below_the_last_line_does_nothing(start: Callable[..., Session]) -> None:
    async with running(start, ["fork"]) as (app, pilot):
        await settled(pilot)
        shown: BreakpointList = app.main.breakpoints
        await pilot.click(shown, offset=(6, 5))
        await settled(pilot)
        assert app.controller.position.fork == 1


async def test_help_explains_every_mark() -> None:
    async with running(size=(100, 30)) as (app, pilot):
        await press(pilot, "question_mark", "G")
        lines = lines_of(app.screen.query_one("#keys"))
        marks = {line[1]: line[11:].split(":")[0] for line in lines if len(line) > 11 and line[1] in "▶✓›·◆~●◐○◇"}
        assert marks == {
            "▶": "the debugger's cursor", "✓": "done", "›": "has run, and lies ahead of the cursor again", "·": "ahead",
            "◆": "patched", "~": "stale", "●": "breakpoint", "◐": "breakpoint with a condition",
            "○": "breakpoint that is switched off", "◇": "watch, with what it is worth at the cursor",
        }  # fmt: skip
