"""Stopping inside of a running script: on which passage, with what, and that the script goes on as if nothing had happened."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from encoder_tui.engine import InputError, Session, debug, open_snapshot
from encoder_tui.engine.commands import TABLE, Reply, stop_inside
from torch import nn

Opened = list[tuple[Session, list[Reply]]]


@pytest.fixture(autouse=True)
def _nothing_stays_armed() -> Iterator[None]:
    """A stop that waits holds hooks of all modules, which other tests would meet."""
    hooks = [getattr(nn.modules.module, f"_global_forward{pre}_hooks") for pre in ("", "_pre")]
    before = [dict(each) for each in hooks]
    yield
    stop_inside._armed.clear()
    for each, were in zip(hooks, before, strict=True):
        for handle in [handle for handle in each if handle not in were]:
            del each[handle]


class Counting(nn.Module):
    """Dropout, a norm with buffers, a counter and a list of its own, and a place to write NaN."""

    def __init__(self) -> None:
        super().__init__()
        self.up, self.norm, self.dropout = nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.5)
        self.calls, self.sums = 0, list[float]()

    def forward(self, x: torch.Tensor, scale: float = 1.0) -> torch.Tensor:
        self.calls += 1
        self.sums.append(x.detach().sum().item())
        x.mul_(2.0)
        return self.dropout(self.norm(self.up(x))) * scale


class Waiting(nn.Module):
    """Its own breakpoint in its forward."""

    def __init__(self, rebinds: bool) -> None:
        super().__init__()
        self.up, self.down, self.rebinds = nn.Linear(4, 4), nn.Linear(4, 4), rebinds

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        up = self.up(x)
        debug()
        return self.down(up)


class Rebinding(Waiting):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.up(x)
        debug()
        return self.down(x)


class Drifting(nn.Module):
    """Each passage adds another number of Python's, which cannot be told from its call."""

    calls = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        Drifting.calls += 1
        return torch.cat([x, x.new_zeros(1) + Drifting.calls])


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Opened:
    """What is opened, on a screen that is left at once."""
    screens: Opened = []

    def open_session(start: Callable[..., Session], lines: Sequence[str]) -> None:
        session = start()
        screens.append((session, [TABLE.execute(session, line) for line in lines]))

    monkeypatch.setattr(stop_inside, "has_screen", lambda: True)

    def import_module(name: str) -> SimpleNamespace:
        return SimpleNamespace(open_session=open_session)

    monkeypatch.setattr(stop_inside, "import_module", import_module)
    return screens


def train(stop: Callable[[nn.Module], None], bad: int = -1) -> tuple[list[str], Counting]:
    """The losses of a training, to the last bit, and the module."""
    torch.manual_seed(0)
    module, losses = Counting(), list[str]()
    best = torch.optim.SGD(module.parameters(), 0.1)
    stop(module)
    for step in range(4):
        loss = module(torch.randn(6, 4), scale=float("nan") if step == bad else 1.0).square().mean()
        best.zero_grad()
        loss.backward()
        if step != bad:
            best.step()
        losses.append(float(loss.detach()).hex())
    losses.append(float(torch.rand(1)).hex())
    return losses, module


def at(replies: list[Reply]) -> str:
    """Where the last command stopped."""
    stop = replies[-1].stop
    assert stop is not None
    assert stop.stage is not None
    return stop.stage.name


@pytest.mark.parametrize("when", ["", "if nan"])
def test_the_training_goes_on_as_if_nothing_had_happened(opened: Opened, when: str):
    usual, one = train(lambda module: None, bad=2)
    losses, other = train(lambda module: debug(module, when=when), bad=2)
    assert losses == usual
    assert len(opened) == 1
    assert (other.calls, other.sums) == (one.calls, one.sums)
    assert all(map(torch.equal, other.state_dict().values(), one.state_dict().values()))


def test_it_opens_on_the_next_passage_with_its_real_inputs(opened: Opened):
    train(debug)
    ((session, replies),) = opened
    torch.manual_seed(0)
    Counting()
    assert torch.equal(torch.from_numpy(session.trace["input.x"].read()), torch.randn(6, 4))
    assert (session.notes[0], replies) == ("passage 1 of Counting", [])
    assert session.encoder is not None


def test_it_opens_on_the_first_passage_in_which_the_condition_holds(opened: Opened):
    train(lambda module: debug(module, when="unexpected"), bad=2)
    ((session, replies),) = opened
    assert session.notes[0] == "passage 3 of Counting, the first with 'unexpected'"
    assert at(replies) == "mul_1"
    assert session.encoder is not None  # computed again as it was, though its norm has counted since


def test_a_passage_that_cannot_be_computed_again_opens_as_it_was_recorded(opened: Opened):
    module = Drifting()
    debug(module, when="if nan")
    module(torch.ones(1))
    module(torch.full((1,), float("nan")))
    ((session, replies),) = opened
    assert session.encoder is None
    assert at(replies) == "input.x"
    assert session.trace["add"].read() == 2
    assert session.notes[1].startswith(
        "this is the recording of the passage, in which nothing can be changed: computed again"
    )


def test_a_condition_that_never_holds_opens_nothing(opened: Opened):
    train(lambda module: debug(module, when="if absmax > 1e9"))
    assert opened == []


def test_no_hook_is_left(opened: Opened):
    from torch.nn.modules import module as torchs

    def waiting() -> tuple[int, int, int]:
        hooks: Any = torchs._global_forward_pre_hooks, torchs._global_forward_hooks
        return len(hooks[0]), len(hooks[1]), len(stop_inside._armed)

    before = waiting()
    train(debug)
    train(lambda module: debug(module, when="if nan"), bad=1)
    assert waiting() == before


def test_with_inputs_it_opens_at_once(opened: Opened):
    module, x = Counting(), torch.ones(3, 4)
    debug(module, x, scale=2.0)
    assert len(opened) == 1
    assert module.calls == 0
    assert torch.equal(x, torch.ones(3, 4))
    debug(module, x, when="if nan")
    assert len(opened) == 1


def test_a_breakpoint_in_a_forward_opens_on_that_module_before_its_line(opened: Opened):
    module = Waiting(False)
    module(torch.ones(1, 4))
    ((session, replies),) = opened
    assert at(replies) == "up"
    assert [stage.name for stage in session.trace.program] == ["input.x", "up", "down"]


def test_where_a_forward_has_put_something_else_under_a_name_its_next_passage_is_waited_for(
    opened: Opened, capsys: pytest.CaptureFixture[str]
):
    module = Rebinding(True)
    module(torch.ones(1, 4))
    assert opened == []
    assert "opens at the next passage of self (Rebinding)" in capsys.readouterr().err
    module(torch.full((1, 4), 3.0))
    ((session, _),) = opened
    assert session.trace["input.x"].read().max() == 3.0


def test_a_breakpoint_in_a_loop_waits_for_the_only_model(opened: Opened, capsys: pytest.CaptureFixture[str]):
    model, loss = Counting(), nn.MSELoss()
    part = model.up
    debug()
    assert "opens at the next passage of model (Counting)" in capsys.readouterr().err
    loss(model(torch.ones(3, 4)), torch.ones(3, 4))
    assert len(opened) == 1
    assert part is model.up


def test_several_modules_are_told_and_none_is_opened(opened: Opened, capsys: pytest.CaptureFixture[str]):
    student, teacher = Counting(), Counting()
    debug()
    told = capsys.readouterr().err
    assert "several modules are here: student (Counting), teacher (Counting)" in told
    assert "debug(student)" in told
    student(torch.ones(3, 4))
    teacher(torch.ones(3, 4))
    assert opened == []


@pytest.mark.parametrize("when", ["nan", "absmax > 3"])
def test_what_is_no_condition_is_refused_before_the_training(when: str):
    with pytest.raises(InputError, match=r"is no condition; write one as after `break`: 'unexpected'"):
        debug(Counting(), when=when)


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ("if absmax >", "condition 'absmax >'"),
        ("if", "if what?"),
        ("layers.* if 3", "is a number, not a condition"),
        ("if absmux > 3", "unknown word 'absmux'"),
        ("if foo(x) > 3", "unknown function 'foo'"),
        ("if unexpected nan", "unexpected is a condition that stands alone"),
    ],
)
def test_a_condition_that_cannot_be_read_is_refused_at_once_too(when: str, said: str):
    for module in (Counting(), None):
        with pytest.raises(InputError, match=re.escape(said)):
            debug(module, when=when)


@pytest.mark.parametrize(
    "when",
    ["unexpected", "if nan", "linear if absmax > 1e9", "*.weights if x[head=3] > 2", "if head == 1 and max > 1e9"],
)
def test_one_that_can_is_not(when: str):
    """Whether this module's stages fit it shows at the first passage."""
    debug(Counting(), when=when)


def test_two_that_would_record_the_same_passage_are_one_too_many(opened: Opened):
    module = nn.Sequential(Counting())
    debug(module, when="if nan")
    with pytest.raises(InputError, match="a stop waits at Sequential already for 'if nan'; one at a time"):
        debug(module[0], when="if inf")
    module(torch.ones(3, 4))


def test_a_condition_of_no_stage_is_told_each_time_that_it_is_asked_for(opened: Opened):
    module = Counting()
    for _ in range(2):
        debug(module, when="nowhere if nan")
        with pytest.raises(InputError, match="no stage named 'nowhere'"):
            module(torch.ones(3, 4))
        module(torch.ones(3, 4))
    assert opened == []


def test_a_screen_that_fails_leaves_no_hook(opened: Opened, monkeypatch: pytest.MonkeyPatch):
    def fails(name: str) -> SimpleNamespace:
        raise InputError("no screen")

    monkeypatch.setattr(stop_inside, "import_module", fails)
    module, hooks = Counting(), vars(nn.modules.module)["_global_forward_hooks"]
    before = list(hooks)
    debug(module)
    with pytest.raises(InputError, match="no screen"):
        module(torch.ones(3, 4))
    assert list(hooks) == before


def test_what_is_no_module_is_refused():
    with pytest.raises(InputError, match=r"takes a torch.nn.Module, not a dict"):
        debug({})  # type: ignore[arg-type]


@pytest.mark.parametrize(("when", "number"), [("", 1), ("unexpected", 3)])
def test_where_there_is_no_terminal_the_recording_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], when: str, number: int
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stop_inside, "has_screen", lambda: False)
    usual, _ = train(lambda module: None, bad=2)
    losses, _ = train(lambda module: debug(module, when=when), bad=2)
    assert losses == usual
    (path,) = tmp_path.iterdir()
    assert path.name == f"encoder_tui-passage-{number}.safetensors"
    assert f"is in {path}; to look at it: encoder-tui --open {path.name}" in capsys.readouterr().err
    recording = open_snapshot(path)
    assert recording.notes[0].startswith(f"passage {number} of Counting")
    assert recording["mul"].shape == (6, 4)
    train(lambda module: debug(module, when=when), bad=2)
    assert len(list(tmp_path.iterdir())) == 2  # nothing is written over


SCRIPT = """
import torch
from torch import nn
model = nn.Linear(2, 2)
for step in range(2):
    if step == 0: breakpoint()
    model(torch.ones(1, 2))
print("the last line")
"""


def test_a_script_in_a_pipe(tmp_path: Path):
    import os

    environment = os.environ | {"PYTHONBREAKPOINT": "encoder_tui.engine.debug"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        input="",
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
        check=True,
    )
    assert done.stdout == "the last line\n"
    assert "encoder-tui: opens at the next passage of model (Linear)\n" in done.stderr
    assert f"passage 1 of Linear is in {tmp_path / 'encoder_tui-passage-1.safetensors'}" in done.stderr
