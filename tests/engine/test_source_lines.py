"""Lines of the author's file: they name stages, and a program of somebody's own code is walked by them."""

from __future__ import annotations

from pathlib import Path

import own_modules
import pytest
import torch
from encoder_tui.engine import Encoder, InputError, Session
from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.models.traced.attach import attach
from encoder_tui.engine.program.program import Program
from encoder_tui.engine.program.source_lines import is_line, passages
from encoder_tui.engine.program.stage import Stage

FILE = Path(own_modules.__file__).name


def line_of(text: str) -> int:
    """The number of the line of `own_modules.py` with that text in it."""
    lines = Path(own_modules.__file__).read_text("utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


SOFTMAX, QUERY = line_of("functional.softmax(scores"), line_of("query, key, value = self.q(x)")


@pytest.fixture(scope="module")
def book() -> Session:
    torch.manual_seed(0)
    module = own_modules.BookLayer(8, 2).eval()
    encoder = attach(module, torch.randn(1, 3, 8), tell=lambda note: None)
    assert encoder.first is not None
    return Session(encoder.first, encoder)


@pytest.fixture
def session(book: Session) -> Session:
    return Session(book.trace, book.encoder)


def text_of(session: Session, line: str) -> str:
    return TABLE.execute(session, line).text


def sources(session: Session) -> list[str]:
    return [stage.source.rpartition("/")[2] for stage in session.trace.program]


@pytest.mark.parametrize("front", [FILE, own_modules.__file__, f"engine/{FILE}"])
def test_a_line_names_its_stages(session: Session, front: str):
    names = session.trace.program.match(f"{front}:{SOFTMAX}")
    assert [session.trace.program[name].module for name in names] == ["attention.heads.0", "attention.heads.1"]


def test_part_of_a_file_name_is_no_file(session: Session):
    assert session.trace.program.match(f"modules.py:{SOFTMAX}") == []


def test_a_line_without_stages_says_which_have_some(session: Session):
    with pytest.raises(InputError, match=rf"no stage comes from {FILE}:1; the lines nearest to it .* {QUERY}"):
        session.trace.program.expect(f"{FILE}:1")
    with pytest.raises(InputError, match=rf"no stage comes from other.py; those that have some are {FILE}"):
        session.trace.program.expect("other.py:3")


def test_a_breakpoint_on_a_line_stops_where_each_passage_of_it_ends(session: Session):
    text_of(session, f"break {FILE}:{QUERY}")
    (point,) = session.debugger.breakpoints.values()
    assert [name for name in session.trace.program.match("*") if name in point.stages] == [
        "attention.heads.0.v", "attention.heads.1.v",
    ]  # fmt: skip
    assert len(session.trace.program.match(f"{FILE}:{QUERY}")) == 6


def test_a_condition_on_a_line_is_asked_of_all_its_stages(session: Session):
    text_of(session, f"break {FILE}:{QUERY} if absmax > 0")
    assert TABLE.execute(session, "continue").stop.stage.name == "attention.heads.0.q"  # type: ignore[union-attr]


def test_toggle_takes_a_line_away_again(session: Session):
    assert text_of(session, f"toggle {FILE}:{QUERY}").startswith("breakpoint 1 set")
    assert text_of(session, f"toggle {FILE}:{QUERY}").startswith("deleted")
    assert not session.debugger.breakpoints


def test_until_and_goto_go_where_a_line_is_passed_next(session: Session):
    program = session.trace.program
    visited: list[str] = []
    for _ in range(2):
        TABLE.execute(session, f"until {FILE}:{SOFTMAX}")
        visited.append(program[session.debugger.position].module)
    TABLE.execute(session, f"goto {FILE}:{QUERY}")  # none is ahead: the last that was passed
    visited.append(program[session.debugger.position].name)
    assert visited == ["attention.heads.0", "attention.heads.1", "attention.heads.1.v"]


def test_a_value_by_line_is_that_of_the_passage_one_is_at(session: Session):
    first, second = session.trace.program.match(f"{FILE}:{SOFTMAX}")
    assert session.stage_or_here(f"{FILE}:{SOFTMAX}") == first
    TABLE.execute(session, f"goto {second}")
    assert session.stage_or_here(f"{FILE}:{SOFTMAX}") == second
    assert text_of(session, f"stats {FILE}:{SOFTMAX}").splitlines()[0].startswith(second)
    assert second in text_of(session, f"info {FILE}:{SOFTMAX}").splitlines()[0]


def test_a_line_stands_in_a_watch_and_in_a_condition(session: Session):
    line, whole = f"{FILE}:{line_of('return self.output_linear')}", f"{FILE}:{line_of('return x + self.feed_forward')}"
    assert "breakpoint 1 set" in text_of(session, f"break {whole} if abs({line}[0, 0, 0]) > -1")
    text_of(session, "continue")
    assert session.held
    assert session.debugger.stage is not None
    assert session.debugger.stage.name == session.stage_or_here(whole)
    text_of(session, f"watch {line}[0, 0, 0] - 1")
    with pytest.raises(InputError, match="is ambiguous: 2 stages match"):
        text_of(session, f"watch {FILE}:{SOFTMAX}[0, 0, 0]")


def test_next_runs_a_line_and_back(session: Session):
    places: list[int] = []
    while not (places and places[-1] == session.debugger.last):
        places.append(session.debugger.next().position)
    lines = sources(session)
    for place in places[:-1]:
        here, after = session.trace.program[place], session.trace.program[place + 1]
        assert (here.source, here.module[:17]) != (after.source, after.module[:17]), lines[place]
    assert len(places) < len(lines)
    assert session.debugger.reverse_next().position == places[-2]


def test_finish_runs_a_module(session: Session):
    TABLE.execute(session, f"until {FILE}:{SOFTMAX}")
    stop = session.debugger.finish()
    program = session.trace.program
    assert program[stop.position].module == "attention.heads.0"
    assert program[stop.position + 1].module.startswith("attention.heads.1")
    session.debugger.finish()
    assert session.trace.program[session.debugger.finish().position + 1].module != "attention.output_linear"


def test_a_line_in_a_loop_over_layers_is_run_once_a_layer():
    stages = [Stage(f"layers.{at}.add", None, source="/m.py:4", module=f"layers.{at}") for at in range(3)]  # type: ignore[arg-type]
    assert passages(stages, stages) == [[0], [1], [2]]
    assert Program(stages).line_ends("m.py:4") == [0, 1, 2]


def test_families_are_walked_as_before(small: Encoder):
    stages = small.program.stages
    blocks = [at for at in range(len(stages) - 1) if stages[at].block != stages[at + 1].block]
    session = Session(small.run("one"))
    assert [session.debugger.next().position for _ in blocks] == blocks
    line = f"bert.py:{stages[5].source.rpartition(':')[2]}"
    assert stages[5].name in session.trace.program.match(line)


@pytest.mark.parametrize(
    "name", ["layers.0.output", "2.attention.weights", "blocks.0.attn.hook_q", "a.py", "a.py:x", "*.py:3"]
)
def test_names_are_no_lines(name: str):
    assert not is_line(name)
