from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from encoder_tui.engine import InputError, Session, load, open_snapshot, save
from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.traces.run import Run

TEXT = "The animal was tired"


@pytest.fixture(scope="module")
def run() -> Run:
    return load().run(TEXT)


def test_a_weight_is_read_as_a_value_is(run: Run) -> None:
    table = run["embeddings.position@E"]
    whole = run.weight("embeddings.position_embeddings.weight")
    assert (table.name, table.axes, table.dtype) == ("embeddings.position@E", ("position", "hidden"), "float32")
    assert table.shape == whole.shape
    assert np.array_equal(table.read(), whole)
    assert np.array_equal(table.read("position=3"), whole[3])
    assert np.array_equal(table.read((slice(5, None, -2), slice(0, 4))), whole[5::-2, :4])
    assert table.stats().count == whole.size
    # the stage picks rows of it: the same numbers, to the last bit
    places = run["tokens.positions"].read((0,))
    assert np.array_equal(run["embeddings.position"].read((0,)), whole[places])


@pytest.mark.parametrize(
    ("name", "axes"),
    [
        ("embeddings.token@E", ("vocabulary", "hidden")),
        ("embeddings.segment@E", ("segment", "hidden")),
        ("layers.0.ffn.up@W", ("out", "in")),
        ("layers.0.ffn.up@b", ("intermediate",)),
        ("embeddings.norm@γ", ("hidden",)),
        ("1.attention.query@W", ("out", "in")),
    ],
)
def test_axes_have_names(run: Run, name: str, axes: tuple[str, ...]) -> None:
    assert run[name].axes == axes


def test_the_checkpoints_own_name_means_the_weight(run: Run) -> None:
    assert run["encoder.layer.0.intermediate.dense.weight"].name == "layers.0.ffn.up@W"
    assert run["encoder.layer.0.intermediate.dense"].name == "layers.0.ffn.up"  # the module's output, as before


def test_commands_print_weights(run: Run) -> None:
    session = Session(run)
    printed = TABLE.execute(session, "print embeddings.norm@β[0:2]").text
    assert printed.splitlines()[0] == "embeddings.norm@β[hidden=0:2]"
    assert "[position=256, hidden=128]" in TABLE.execute(session, "stats embeddings.position@E").text


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "layers.0.ffn.up@Q",
            "layers.0.ffn.up has no 'Q' beside its value; it has layers.0.ffn.up@W, layers.0.ffn.up@b",
        ),
        ("layers.0.attention.scores@W", "layers.0.attention.scores has no 'W' beside its value; it has nothing else"),
        ("nowhere@W", "no stage named 'nowhere'"),
    ],
)
def test_what_is_no_weight_is_said(run: Run, name: str, said: str) -> None:
    with pytest.raises(InputError, match=said.replace("(", "\\(")):
        run[name]


def test_a_recording_has_their_shapes_and_no_numbers(run: Run, tmp_path: Path) -> None:
    save(run, tmp_path / "all.safetensors")
    recording = open_snapshot(tmp_path / "all.safetensors")
    weight = recording["embeddings.position_embeddings.weight"]
    assert weight.shape == (256, 128)
    with pytest.raises(InputError, match="a recording holds no weights"):
        weight.read()
