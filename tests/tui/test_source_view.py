"""The view of the author's file: the line, its values, the margin; and what is said where there is no such file."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from driving import lines_of, press, running, screen_of, settled
from encoder_tui.engine import Encoder
from encoder_tui.engine.commands.session import Session
from encoder_tui.engine.program.program import Program
from encoder_tui.engine.program.source_lines import split_source
from encoder_tui.tui.reading.source import read_source
from fakes import fake_session

CODE = '''class Head:  # \x1b[31mred
    """Attention."""

    def forward(self, x):
        scores = self.query(x) @ self.key(x)  # 注意力
        return scores.softmax(-1) * 2
'''
Start = Callable[..., Session]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "my_model.py"
    path.write_text(CODE, "utf-8")
    os.utime(path, (1, 1))
    return path


def sourced(file: Path, lines: Sequence[int]) -> Session:
    """A session whose first stages are from lines of a file, in order."""
    session = fake_session("")
    program = session.trace.program
    stages = [
        replace(stage, source=f"{file}:{lines[at]}" if at < len(lines) else "") for at, stage in enumerate(program)
    ]
    session.trace.program = Program(stages, program.aliases, program.weights)
    return session


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_the_line_and_its_values(file: Path, size: tuple[int, int]):
    async with running(lambda progress: sourced(file, (4, 5, 5, 6)), size=size) as (app, pilot):
        await press(pilot, "i", "s", "s", "s")
        lines = lines_of(app.main.inspector.view)
        names = [stage.name for stage in app.controller.position.world.program][1:3]  # type: ignore[union-attr]
        assert lines[0].startswith("my_model.py:5")
        at = next(at for at, line in enumerate(lines) if "▶" in line)
        assert lines[at].split("▶")[0].split() == ["5"]
        assert "注意力" in lines[at] or size[0] == 80
        for line, name in zip(lines[at + 1 : at + 3], names, strict=True):
            assert name.split(".")[-1] in line
            assert " … " in line
        assert "▸" in lines[at + 2]  # the one that is looked at
        assert lines[at + 3].split()[0] == "6"
        assert "\x1b" not in "".join(screen_of(app))


async def test_a_click_in_the_margin_sets_a_breakpoint_and_takes_it_away(file: Path):
    async with running(lambda progress: sourced(file, (4, 5, 5, 6))) as (app, pilot):
        await press(pilot, "i")
        view = app.main.inspector.view
        row = next(y for y, line in enumerate(lines_of(view)) if line.split()[:2] == ["6", "return"])
        await pilot.click(view, offset=(1, row))
        await settled(pilot)
        (point,) = app.controller.position.breakpoints  # type: ignore[union-attr]
        assert point.pattern == f"{file}:6"
        assert lines_of(view)[row].startswith("● 6")
        await pilot.click(view, offset=(20, row))  # on the code: nothing
        await settled(pilot)
        assert len(app.controller.position.breakpoints) == 1  # type: ignore[union-attr]
        await pilot.click(view, offset=(1, row))
        await settled(pilot)
        assert not app.controller.position.breakpoints  # type: ignore[union-attr]
        await pilot.click(view, offset=(1, row - 4))  # no stage comes from that line
        await settled(pilot)
        assert not app.controller.position.breakpoints  # type: ignore[union-attr]


async def test_a_click_on_a_value_looks_at_it(file: Path):
    async with running(lambda progress: sourced(file, (4, 5, 5, 6))) as (app, pilot):
        await press(pilot, "i", "s", "s", "s")
        view = app.main.inspector.view
        row = next(y for y, line in enumerate(lines_of(view)) if "└" in line)
        await pilot.click(view, offset=(12, row))
        await settled(pilot)
        assert app.controller.state.stage == app.controller.position.world.program[1].name  # type: ignore[union-attr]
        assert app.controller.state.view == "source"


async def test_up_and_down_scroll_a_long_file(file: Path):
    file.write_text(CODE + "\n".join(f"line_{at} = {at}" for at in range(300)), "utf-8")
    async with running(lambda progress: sourced(file, (100,)), size=(80, 24)) as (app, pilot):
        await press(pilot, "i")
        view = app.main.inspector.view
        before = lines_of(view)[1:]
        await press(pilot, "j")
        assert lines_of(view)[1:-1] == before[1:]
        await press(pilot, "G")
        assert "line_299 = 299" in lines_of(view)[-1]
        await press(pilot, "l", "g")
        assert lines_of(view)[1].endswith("ad:  # \\x1b[31mred")


async def test_a_file_that_is_missing_says_so_and_its_values_are_there(file: Path):
    file.unlink()
    async with running(lambda progress: sourced(file, (4, 5, 5))) as (app, pilot):
        await press(pilot, "i", "s", "s", "s")
        lines = lines_of(app.main.inspector.view)
        assert "my_model.py cannot be read: No such file or directory" in lines[0]
        assert " … " in lines[1]


def told(session: Session) -> str:
    return read_source(session, session.trace.program[0].name).note


def test_a_file_that_was_changed_since_says_so(file: Path):
    session = sourced(file, (5,))
    assert told(session) == ""
    os.utime(file, (session.opened + 9, session.opened + 9))
    assert told(session) == "my_model.py has been changed since: the lines may be others"
    session.trace.written = session.opened + 20
    assert told(session) == ""
    assert "changed since" in told(sourced(file, (99,)))


@pytest.mark.parametrize("wrong", ["large", "folder", "bytes", "outside"])
def test_what_is_no_source_is_not_read(file: Path, wrong: str):
    session = sourced(file, (5,))
    if wrong == "large":
        file.write_text("#" * (1 << 20) + "\n", "utf-8")
    elif wrong == "folder":
        session = sourced(file.parent, (5,))
    elif wrong == "bytes":
        file.write_bytes(b"\xff\xfe\x00")
    else:
        session = sourced(Path("../../../../../etc/passwd"), (1,))
    page = read_source(session, session.trace.program[0].name)
    assert "cannot be read" in page.note
    assert page.lines == ()


def test_a_family_shows_the_line_that_adds_the_stage(small: Encoder):
    run = small.run("one")
    page = read_source(Session(run), "layers.0.ffn.up")
    assert page.note == ""
    assert "up" in "".join(text for _, text in page.lines[split_source(run.program["layers.0.ffn.up"].source)[1] - 1])
    assert [value.stage for value in page.values] == ["layers.0.ffn.up"]


def test_pieces_are_called_what_they_are(file: Path):
    session = sourced(file, (4,))
    page = read_source(session, session.trace.program[0].name)
    assert ("keyword", "def") in page.lines[3]
    assert ("name", "forward") in page.lines[3]
    assert ("string", '"""Attention."""') in page.lines[1]
    assert page.lines[4][-1] == ("comment", "# 注意力")
    assert len(page.lines) == 6
