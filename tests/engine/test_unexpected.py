"""`break unexpected`: quiet on healthy models, and stops at the first faulty stage of broken ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from encoder_tui.engine import Debugger, Encoder, Session
from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.debugger.unexpected import Unexpected
from encoder_tui.engine.program.trace import Trace

THREE = ["The cat sat on the mat.", "Unbelievable!", "The animal didn't cross the street because it was too tired"]


def first_fault(run: Trace):
    debugger = Debugger(run)
    debugger.add("*", Unexpected())
    return debugger.cont()


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float16"])
@pytest.mark.parametrize("texts", [["hi"], THREE], ids=["one", "padded"])
def test_a_healthy_model_needs_no_exception(minilm_dir: Path, dtype: str, texts: list[str]) -> None:
    from encoder_tui.engine import load

    found = first_fault(load(minilm_dir, "cpu", dtype).run(texts))
    assert (found.reason, found.held) == ("end", "")


def test_the_bundled_model_is_healthy() -> None:
    from encoder_tui.engine import load

    assert first_fault(load(device="cpu").run(THREE)).reason == "end"


def with_patch(encoder: Encoder, line: str, texts: list[str]):
    session = Session(encoder.run(texts))
    TABLE.execute(session, line)
    return first_fault(session.trace)


@pytest.mark.parametrize(
    ("line", "stage", "says", "place"),
    [
        ("patch layers.1.attention.key[0, 2, 5] = nan", "layers.1.attention.key", "1 of 1,152 numbers are NaN, the first at [batch=0, token=2, hidden=5]", (0, 2, 5)),
        ("patch layers.0.ffn.up[0, 1, 3] = inf", "layers.0.ffn.up", "infinite, the first at [batch=0, token=1, intermediate=3]", (0, 1, 3)),
        ("patch layers.0.attention.weights[0, 4, 1, 0] = 5", "layers.0.attention.weights", "at [batch=0, head=4, query=1], and rounding keeps it within", (0, 4, 1, None)),
        ("patch layers.0.attention.weights[0, 4, 1, 2] = -5", "layers.0.attention.weights", "negative", (0, 4, 1, 2)),
        ("patch tokens.mask[0] = 0", "tokens.mask", "every key of text 0 is masked", (0, None)),
    ],
)  # fmt: skip
def test_a_fault_is_found_at_its_own_stage(
    minilm: Encoder, line: str, stage: str, says: str, place: tuple[int | None, ...]
) -> None:
    found = with_patch(minilm, line, ["the"])
    assert found.stage.name == stage
    assert says in found.held
    assert found.place == place


def test_a_row_that_does_not_sum_to_1_is_named_with_its_sum(minilm: Encoder) -> None:
    stopped = with_patch(minilm, "patch layers.0.attention.weights[0, 4, 1] = x * 0", ["the"])
    assert (
        stopped.held
        == "a softmax row sums to 0, at [batch=0, head=4, query=1], and rounding keeps it within 3.3e-06 of 1"
    )


def test_minus_infinity_in_a_mask_is_right(minilm: Encoder) -> None:
    found = with_patch(minilm, "patch mask.additive[1, 0, :, 4:] = -inf", THREE[:2])
    assert found.reason == "end"


def test_attention_to_padding_is_found(minilm: Encoder) -> None:
    """By hand, weight taken from a token for padding: every row still sums to 1."""
    session = Session(minilm.run(THREE[:2]))
    key = int(session.trace.tokens.mask[1].sum())
    for line in (f"[1, 0, 0, {key}] = 0.25", "[1, 0, 0, :4] = 0.1875"):
        TABLE.execute(session, f"patch layers.0.attention.weights{line}")
    found = first_fault(session.trace)
    assert found.stage.name == "layers.0.attention.weights"
    assert "a padded key gets attention" in found.held
    batch, _, query, key = found.place
    assert (batch, query < 4, key >= 4) == (1, True, True)


def test_an_inverted_mask_is_named(minilm: Encoder) -> None:
    found = with_patch(minilm, "patch mask.additive = -3.4028235e38 - x", THREE[:2])
    assert found.stage.name == "mask.additive"
    assert "inverted" in found.held


def test_a_wrong_epsilon_spoils_the_deviation(make_checkpoint: Callable[..., Path]) -> None:
    from encoder_tui.engine import load

    found = first_fault(load(make_checkpoint(layer_norm_eps=0.5), "cpu").run("hello"))
    assert found.stage.name == "embeddings.norm"
    assert "epsilon 0.5" in found.held


def test_a_weight_that_is_nan_is_found_where_it_is_used(small_dir: Path, tmp_path: Path) -> None:
    from shutil import copytree

    from encoder_tui.engine import load
    from safetensors.torch import load_file, save_file

    broken = copytree(small_dir, tmp_path / "broken")
    weights = load_file(broken / "model.safetensors")
    weights["encoder.layer.1.output.dense.weight"][3, 4] = math.nan
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    found = first_fault(load(broken, "cpu").run("hello"))
    assert found.stage.name == "layers.1.ffn.down"
    assert "hidden=3" in found.held


def test_the_first_of_several_faults_is_found_backwards_too(minilm: Encoder) -> None:
    session = Session(minilm.run("the cat"))
    TABLE.execute(session, "patch layers.2.output[0, 0, 0] = nan")
    TABLE.execute(session, "break unexpected")
    TABLE.execute(session, "goto end")
    stops: list[str] = []
    while (stop := TABLE.execute(session, "reverse-continue").stop).reason == "breakpoint":
        stops.append(stop.stage.name)
    assert stops[-1] == "layers.2.ffn.norm"
    assert torch.isnan(session.trace["layers.2.output"].tensor()).sum() == 1
