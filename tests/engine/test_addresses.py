"""`STAGE@WHAT`: whatever a stage has besides its value is read, printed and written as that is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from encoder_tui.engine import InputError, Session, load, open_snapshot
from encoder_tui.engine.commands import TABLE

UP = "layers.0.ffn.up"


@pytest.fixture
def session() -> Session:
    encoder = load(device="cpu")
    return Session(encoder.run("the cat sat"), encoder)


def do(session: Session, line: str) -> str:
    return TABLE.execute(session, line).text


def test_what_a_run_was_compared_with_has_an_address(session: Session) -> None:
    do(session, 'compare text "the dog sat"')
    assert session.reference is not None
    ours, theirs = session.trace[UP].numpy(), session.reference.trace[UP].numpy()
    assert not np.array_equal(ours, theirs)
    assert np.array_equal(session.trace[f"{UP}@reference"].numpy(), theirs)
    assert np.array_equal(session.trace[f"{UP}@difference"].numpy(), ours - theirs)
    assert np.array_equal(session.trace["0.ffn.up@difference"].read('token="cat"'), (ours - theirs)[:, 2])


def test_commands_take_it_as_they_take_a_stage(session: Session) -> None:
    do(session, 'compare text "the dog sat"')
    assert do(session, f"print {UP}@difference[0, cat, 0:2]").startswith(f"{UP}@difference[")
    assert do(session, f"stats {UP}@reference").startswith(f"{UP}@reference")
    assert f"{UP}@reference, {UP}@difference" in do(session, f"info {UP}")


def test_a_fork_has_it_too_and_another_text(session: Session) -> None:
    do(session, "compare dtype float64")
    do(session, "fork")
    do(session, f"patch {UP} = 0")
    mine = session.trace[f"{UP}@difference"].numpy()
    assert np.array_equal(mine, -session.trace[f"{UP}@reference"].numpy())
    do(session, 'run "the cat sat"')
    assert np.abs(session.trace[f"{UP}@difference"].numpy()).max() < 1e-4


def test_before_anything_was_compared_there_is_none(session: Session) -> None:
    with pytest.raises(InputError, match=f"{UP} has no 'difference' beside its value; it has {UP}@W, {UP}@b"):
        do(session, f"print {UP}@difference")


def test_dropped_with_the_fork_it_was_of(session: Session) -> None:
    for line in ("fork", "switch 0", "compare fork 1", "drop 1"):
        do(session, line)
    with pytest.raises(InputError, match="has no 'reference'"):
        do(session, f"stats {UP}@reference")


@pytest.mark.parametrize("suffix", ["safetensors", "npz"])
def test_written_to_a_file(session: Session, tmp_path: Path, suffix: str) -> None:
    do(session, "compare dtype float64")
    path = tmp_path / f"all.{suffix}"
    said = do(session, f"export {path} layers.*.ffn.up@*")
    assert said.startswith(f"wrote {4 * session.trace.program.layers} values")
    want = {what: session.trace[f"{UP}@{what}"] for what in ("W", "b", "reference", "difference")}
    if suffix == "npz":
        with np.load(path) as arrays:
            assert all(np.array_equal(arrays[f"{UP}@{what}"], value.numpy()) for what, value in want.items())
        return
    recording = open_snapshot(path)
    for what, value in want.items():
        again = recording[f"{UP}@{what}"]
        assert (again.name, again.axes, again.shape, again.dtype) == (value.name, value.axes, value.shape, value.dtype)
        assert np.array_equal(again.numpy(), value.numpy())
    assert np.array_equal(recording[f"{UP}@difference"].read('token="cat"'), want["difference"].read('token="cat"'))
    assert not recording.has(UP)  # it was not chosen
    with pytest.raises(InputError, match="a recording holds no weights"):
        recording["layers.0.ffn.down@W"].read()


def test_a_glob_that_means_nothing(session: Session, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no 'Q' beside its value"):
        do(session, f"export {tmp_path / 'none.npz'} layers.*.ffn.up@Q")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "line",
    [
        f"break {UP}@W", f"goto {UP}@W", f"info {UP}@W", f"why {UP}@W[0, 0]", f"patch {UP}@W = 0",
    ],
)  # fmt: skip
def test_where_a_stage_is_meant_an_address_is_refused_as_one(session: Session, line: str) -> None:
    with pytest.raises(
        InputError, match=f"^'{UP}@W' is the address of what a stage has besides its value.*write '{UP}'"
    ):
        do(session, line)


def stopped_at(session: Session) -> str:
    """Where the debugger comes to stand: at a breakpoint, or at the end."""
    do(session, "continue")
    assert session.debugger.stage is not None
    return session.debugger.stage.name


def test_a_condition_speaks_of_whatever_has_an_address(session: Session) -> None:
    do(session, "compare dtype float64")
    apart, row = session.trace[f"{UP}@difference"].numpy(), session.trace[f"{UP}@W"].read((0,))
    assert do(session, f"break {UP} if max(x[0, 1]) > max({UP}@W[0])").startswith("breakpoint 1")
    assert session.trace[UP].read((0, 1)).max() > row.max()
    assert stopped_at(session) == UP
    do(session, f"break layers.0.ffn.down if abs({UP}@difference[0, 1, 3]) > {abs(apart[0, 1, 3]) * 2}")
    do(session, f"break layers.0.ffn.norm if abs({UP}@difference[0, cat, 3]) >= {abs(float(apart[0, 2, 3]))!r}")
    assert stopped_at(session) == "layers.0.ffn.norm"


def test_a_watched_address_is_known_once_its_stage_has_run(session: Session) -> None:
    do(session, "compare dtype float64")
    assert "(not yet known)" in do(session, f"watch {UP}@difference[0, 0, 0]")
    assert stopped_at(session) == UP
    want = float(session.trace[f"{UP}@difference"].read((0, 0, 0)))
    assert f"{UP}@difference[0, 0, 0] = {want:.9g}" in do(session, "info breakpoints")


def test_a_weight_is_watched_by_its_own_name(session: Session) -> None:
    own = session.trace.program[UP].weights[0]
    for line in (f"watch {own}[0, 0]", f"watch {UP}@W[0, 0]"):
        assert "(not yet known)" in do(session, line)
    assert stopped_at(session) == UP
    want = f" = {float(session.trace[f'{UP}@W'].read((0, 0))):.9g}\n"
    assert f"{do(session, 'info breakpoints')}\n".count(want) == 2


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (f"break {UP} if max({UP}@difference[0]) > 1", f"{UP} has no 'difference' beside its value; it has {UP}@W"),
        (f"break {UP} if {UP}@W[0] > 1", r"\[\.\.\.\] is many numbers \(along "),
        (f"watch {UP}@W[0, 9999]", "out of range"),
        ("break * if layers.0.ffn.upp@W[0, 0] > 1", "no stage named 'layers.0.ffn.upp'"),
        ("break *.up if max(x@W[:]) > 1", "x is the value of the stage alone; write the address whole: STAGE@W"),
        ("watch x@W[0, 0]", "x is the value of the stage alone"),
    ],
)
def test_a_condition_on_what_is_not_there_is_refused_when_it_is_set(session: Session, line: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        do(session, line)
    assert not session.debugger.breakpoints


def test_a_recordings_weights_are_no_condition(session: Session, tmp_path: Path) -> None:
    do(session, f"export {tmp_path / 'run.safetensors'} layers.*")
    with pytest.raises(InputError, match=r"column 1\): a recording holds no weights"):
        do(Session(open_snapshot(tmp_path / "run.safetensors")), f"break {UP} if {UP}@W[0, 0] > 1")


def test_a_condition_on_what_is_compared_no_more_does_not_hold(session: Session) -> None:
    """Another comparison may lack the stage: then there is no number, and nothing to stop at."""
    do(session, "compare dtype float64")
    do(session, f"break {UP} if {UP}@difference[0, 0, 0] < 1")
    session.trace.kinds_beside.clear()
    assert stopped_at(session) == session.trace.program[-1].name


def test_a_breakpoint_on_what_is_compared_no_more_is_told_of(session: Session) -> None:
    for line in ("fork", "switch 0", "compare fork 1", f"break {UP} if {UP}@difference[0, 0, 0] > 1"):
        do(session, line)
    assert f"breakpoint 1 cannot stop here: {UP} has no 'difference'" in do(session, "drop 1")
    assert "cannot stop" not in do(session, "compare dtype float64")


def test_the_stage_of_an_address_is_looked_for_first(session: Session) -> None:
    with pytest.raises(InputError, match=r"^no stage named 'layers.0.ffn.upp'; did you mean"):
        do(session, "goto layers.0.ffn.upp@W")


def test_a_glob_takes_what_can_be_had(session: Session, tmp_path: Path) -> None:
    """A recording has no weights but those that were written; what it was compared with it has all the same."""
    first, again = tmp_path / "first.safetensors", tmp_path / "again.safetensors"
    do(session, f"export {first} layers.*")
    recorded = Session(open_snapshot(first))
    with pytest.raises(InputError, match=r"^a recording holds no weights; open the model itself"):
        do(recorded, f"export {again} layers.*.ffn.up@*")
    do(recorded, f"compare snapshot {first}")
    assert do(recorded, f"export {again} layers.*.ffn.up@*").startswith(f"wrote {2 * session.trace.program.layers} v")
    assert not open_snapshot(again)[f"{UP}@difference"].numpy().any()


def test_a_model_of_shapes_alone_has_weights_of_shapes_alone(tmp_path: Path) -> None:
    outline = load("preset:gpt3-width").trace("the cat")
    assert outline[f"{UP}@W"].shape == (49152, 12288)
    with pytest.raises(InputError, match="has no numbers: this model is shapes and costs alone"):
        outline[f"{UP}@W"].read((0, 0))
