"""A session written as a script brings another one to where it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from encoder_tui.engine import save
from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.commands.session import Session
from encoder_tui.engine.commands.session_script import BROKEN, script
from encoder_tui.engine.messages.errors import InputError
from encoder_tui.engine.program.trace import LiveTrace
from session_kit import do

TEXT = "The cat sat on the mat."
WORK = (
    "step 12",
    "patch layers.0.attention.weights[head=1] = x * 0",
    "break layers.1.attention.weights if entropy < 9",
    "fork",
    "ablate layers.0.ffn.up[0] mean",
    "scale layers.1.ffn.down 2",
    "undo",
    "break layers.*.ffn.up",
    "break unexpected",
    "break if nan",
    "delete 3",
    "tbreak output",
    "watch absmax > 100",
    "watch layers.1.output[0, 2, 7]",
    "disable 2",
    "ignore 1 4",
    "switch 0",
    "patch layers.1.ffn.norm = fork 1",
    "goto end",
    "goto layers.1.attention.scores",
    "break head.pooler.dense",
    "switch 1",
    "fork",
    "noise embeddings.norm 0.1 7",
    "swap layers.0.attention.weights[head=0] [head=2]",
    "goto layers.0.output",
)


def worked(session: Session, lines: Sequence[str]) -> Session:
    do(session, *lines)
    return session


def state(session: Session) -> Any:
    """All that is to be the same again."""
    branches = session.branches
    return branches.current.number, [
        (
            branch.number, branch.parent, [patch.text for patch in branch.trace.patches],  # type: ignore[attr-defined]
            [[patch.text for patch in before] for before in branch.past], len(branch.future),
            branch.debugger.position, branch.debugger.furthest,
            [
                (str(point), sorted(point.stages), point.temporary, point.enabled, point.ignore)
                for point in branch.debugger.breakpoints.values()
            ],
        )
        for branch in branches.branches.values()
    ]  # fmt: skip


def test_patches_forks_breakpoints_and_places_come_back(small: Any) -> None:
    before = worked(Session(small.run(TEXT), small), WORK)
    after = worked(Session(small.run(TEXT), small), script(before))
    assert state(after) == state(before)
    for number, branch in before.branches.branches.items():  # and with them every number
        there = after.branches.branches[number].trace
        for name in ("layers.0.output", "layers.1.ffn.norm", "output"):
            assert (branch.trace[name].read(()) == there[name].read(())).all(), (number, name)
    assert state(worked(Session(small.run(TEXT), small), script(after))) == state(before)  # and again


def test_a_session_in_which_nothing_was_done_is_an_empty_script(small: Any) -> None:
    assert script(Session(small.run(TEXT), small)) == []
    looked = worked(Session(small.run(TEXT), small), ["print tokens.ids", "info model", "stats tokens.ids"])
    assert script(looked) == []


def test_a_refused_command_is_not_done_again(small: Any) -> None:
    session = Session(small.run(TEXT), small)
    for line in ("patch nonsense = 1", "switch 7", "patch tokens.ids[0, 1] = 0.5", "break nonsense"):
        with pytest.raises(InputError):
            TABLE.execute(session, line)
    assert script(session) == []


def test_another_text_begins_anew_and_keeps_the_breakpoints(small: Any) -> None:
    session = worked(Session(small.run(TEXT), small), ["fork", "ablate output", "break output", 'run "a dog"', "step"])
    assert script(session) == ['run "a dog"', "goto tokens.ids", "break output"]


def test_a_recording_is_opened_again(small: Any, tmp_path: Any) -> None:
    run = small.run(TEXT)
    run.reach(len(run.program) - 1)
    save(run, tmp_path / "all.safetensors")
    line = f"open {tmp_path / 'all.safetensors'}"
    session = worked(Session(small.run(TEXT), small), [line, "goto output"])
    assert script(session)[0] == line
    after = worked(Session(small.run(TEXT), small), script(session))
    assert not isinstance(after.trace, LiveTrace)
    assert after.debugger.stage == session.debugger.stage


def test_a_text_of_two_lines_says_what_a_script_cannot_hold(small: Any) -> None:
    session = worked(Session(small.run(TEXT), small), ['run "a\ndog\u2028runs"'])
    assert script(session) == [BROKEN, 'run "a dog runs"']
