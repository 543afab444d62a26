"""What a program costs, against torch's own counts."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
from encoder_tui.engine import Encoder, Session, load
from encoder_tui.engine.analysis.cost import by_room, costs, times, total, write_costs
from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.program.writing import cells
from torch.utils.flop_counter import FlopCounterMode


def test_multiply_adds_are_torchs(minilm: Encoder):
    """torch counts two operations for each multiply-add of a matrix product."""
    run = minilm.run("one two three four")
    with FlopCounterMode(display=False) as counter:
        for position in range(len(run.program)):
            run.reach(position)
    assert 2 * total("all", costs(run)).multiply_adds == counter.get_total_flops()


def test_parameters_are_counted_once(minilm: Encoder):
    whole = total("all", costs(minilm.run("one")))
    assert whole.parameters == minilm.checkpoint.parameters(minilm.program)


def test_tied_words_cost_their_parameters_once():
    bundled = load(None, "cpu")
    by_name = {cost.name: cost for cost in costs(bundled.run("one"))}
    assert by_name["embeddings.token"].parameters == 8000 * 128
    whole = total("all", costs(bundled.run("one"), source=bundled.checkpoint.holder))
    assert whole.parameters == bundled.checkpoint.parameters(bundled.program)
    assert f"{whole.parameters:,}" in TABLE.execute(Session(bundled.run("one"), bundled), "cost").text


def test_bytes_are_those_of_the_value(minilm: Encoder):
    run = minilm.run("one two three")
    for cost in costs(run):
        value = run[cost.name].tensor() if "one_hot" not in cost.name else None
        assert cost.bytes in (0, value.nbytes if value is not None else 0), cost.name


def test_rooms_add_up(minilm: Encoder):
    run = minilm.run("one two")
    found = costs(run)
    rooms, whole = by_room(run, found), total("all", found)
    assert sum(room.multiply_adds for room in rooms) == whole.multiply_adds
    assert [room.name for room in rooms][:4] == ["tokens", "embeddings", "mask", "layers.0"]
    assert math.isnan(whole.seconds)


def test_times_are_of_every_stage(small: Encoder):
    run = small.run("one two")
    found = times(small, run)
    assert set(found) == {stage.name for stage in run.program} - {"tokens.one_hot"}
    assert all(seconds > 0 for seconds in found.values())


def test_the_command(small: Encoder):
    session = Session(small.run("one two"), small)
    whole, one = TABLE.execute(session, "cost").text, TABLE.execute(session, "cost layers.1.ffn").text
    assert "within layers.0" in whole
    assert whole.splitlines()[0].endswith("time  share")
    assert [line.split()[0] for line in one.splitlines()[1:]] == [
        "layers.1.ffn.up", "layers.1.ffn.activation", "layers.1.ffn.down", "layers.1.ffn.residual", "layers.1.ffn.norm",
        "all",
    ]  # fmt: skip
    assert len(TABLE.execute(session, "cost all").text.splitlines()) == len(session.trace.program) + 2
    with pytest.raises(ValueError, match="no stage"):
        TABLE.execute(session, "cost nowhere")


def test_what_is_too_large_for_the_budget_is_told(make_checkpoint: Callable[..., Path]):
    """Its bytes are listed as those of every value, and it never takes them."""
    text = "one two three " * 12
    small = load(make_checkpoint(), "cpu", budget=1 << 16)
    run = small.run(text)
    said = TABLE.execute(Session(run, small), "cost").text
    size = sum(cost.bytes for cost in costs(run) if run.is_windowed(cost.name))
    assert size > 1 << 16
    assert said.splitlines()[-1].startswith(f"{size / 1024:.3g} KiB of this memory is never taken")
    assert "(64 KiB)" in said
    whole = load(make_checkpoint(), "cpu", budget=1 << 30)
    assert "never taken" not in TABLE.execute(Session(whole.run(text), whole), "cost").text


def test_a_recording_has_costs_without_times(small: Encoder, tmp_path: Path):
    from encoder_tui.engine import open_snapshot, save

    run = small.run("one two")
    save(run, tmp_path / "s.safetensors")
    assert costs(open_snapshot(tmp_path / "s.safetensors")) == costs(run)


def test_written():
    from encoder_tui.engine.analysis.cost import Cost

    lines = write_costs(
        "1 x 2 tokens", [Cost("a", 1000, 2_000_000, 2048, 0.001)], Cost("all", 1000, 4_000_000, 2048, 0.004)
    )
    assert lines.splitlines() == [
        "1 x 2 tokens          parameters mult-adds   memory     time  share",
        "a                          1,000       2 M    2 KiB  1.00 ms  25.0% ██",
        "all                        1,000       4 M    2 KiB  4.00 ms 100.0% ████████",
    ]


def test_all_of_a_table_has_room_on_a_screen_of_80(minilm: Encoder):
    """A bar that is cut would say something else: it is as long as there is room, or left out."""
    session = Session(minilm.run("one two three four"), minilm)
    for line in ("cost", "cost all", "cost layers.1.attention"):
        lines = TABLE.execute(session, line).text.splitlines()
        assert max(map(cells, lines)) <= 76, line
        assert lines[0].endswith("share")


def test_a_stage_is_called_what_it_is_in_its_layer_where_the_title_names_that(small: Encoder):
    said = TABLE.execute(Session(small.run("one two"), small), "cost").text
    inside = said[said.index("within layers.0") :].splitlines()
    assert [line.split()[0] for line in inside[1:3]] == ["attention.query", "attention.key"]
    assert inside[-1].startswith("all ")


def test_written_in_chinese(small: Encoder):
    from encoder_tui.engine.messages.translation import use

    use("zh")
    try:
        said = TABLE.execute(Session(small.run("one two"), small), "cost").text.splitlines()
    finally:
        use("en")
    assert said[0].split()[-5:] == ["参数", "乘加", "内存", "时间", "占比"]
    assert said[0].startswith("1 x 4 个词元")
    ends = {cells(line[: line.rindex("%")]) for line in said if "%" in line}
    assert len(ends) == 1  # two cells a letter, and in line all the same
