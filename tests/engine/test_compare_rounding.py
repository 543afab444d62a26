"""A sound model of every family in half precision is equal within what that explains; an overflow is named first."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from encoder_tui.engine import Encoder, Session, load, open_snapshot, save
from encoder_tui.engine.analysis.compare import compare, write_comparison
from encoder_tui.engine.analysis.compare.rounding import grains
from encoder_tui.engine.analysis.compare.text import verdict
from encoder_tui.engine.commands import TABLE
from encoder_tui.tui.cli import main
from family_kit import Sample, open_pair, random_model, sample_of, samples, tokens_for
from faulty import Copies

QUERY, KEY = (f"encoder.layer.1.attention.self.{role}.weight" for role in ("query", "key"))
TEXT = "the cat sat on the mat"


@pytest.fixture(scope="module", params=samples(), ids=str)
def sample(request: pytest.FixtureRequest) -> Sample:
    return request.param


@pytest.mark.few(4)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_sound_model_is_equal_within_what_half_precision_explains(sample: Sample, dtype: str) -> None:
    if dtype not in sample.dtypes:
        pytest.skip(f"{sample} is not run in {dtype}")
    wide, half = (open_pair(sample, random_model(sample), kind)[0] for kind in ("float32", dtype))
    tokens = tokens_for(sample, wide, [9, max(4, sample.shortest), max(6, sample.shortest)])
    ours, theirs = wide.run(tokens), half.run(tokens)
    for comparison in (compare(ours, theirs), compare(theirs, ours)):
        assert verdict(comparison).startswith(f"equal within what {dtype} explains: all")
        assert comparison.unexplained == []
        assert comparison.overflow is None
        assert "does not explain" not in write_comparison(comparison)


@pytest.fixture(scope="module")
def t5() -> Sample:
    return sample_of("T5")


def test_a_float32_value_is_good_to_what_went_into_it(t5: Sample) -> None:
    encoder = open_pair(t5, random_model(t5), "float16")[0]
    run = encoder.run(tokens_for(t5, encoder, [5]))
    kept = grains(run)
    assert run["layers.0.ffn.down"].dtype == "float32"
    assert kept["layers.0.ffn.down"] == kept["layers.1.ffn.residual"] == "float16"
    assert kept["tokens.ids"] == ""
    wide = open_pair(t5, random_model(t5))[0].run(run.tokens)
    assert set(grains(wide).values()) == {"float32", ""}


def test_a_real_fault_of_wo_is_found_in_float16(t5: Sample) -> None:
    """The neighbour: what is beyond float16 is beyond it."""
    model = random_model(t5)
    wide = open_pair(t5, model)[0]
    with torch.no_grad():
        model.encoder.block[0].layer[1].DenseReluDense.wo.weight.mul_(1.05)
    half = open_pair(t5, model, "float16")[0]
    tokens = tokens_for(t5, wide, [7])
    comparison = compare(wide.run(tokens), half.run(tokens))
    assert comparison.first is not None
    assert comparison.first.name == "layers.0.ffn.down"
    assert [row.name for row in comparison.unexplained] == ["layers.0.ffn.down"]


def test_a_recording_of_float16_is_judged_as_the_run(t5: Sample, tmp_path: Path) -> None:
    wide, half = (open_pair(t5, random_model(t5), dtype)[0] for dtype in ("float32", "float16"))
    tokens = tokens_for(t5, wide, [7, 4])
    save(half.run(tokens), tmp_path / "half.safetensors")
    recording = open_snapshot(tmp_path / "half.safetensors")
    for ours, theirs in ((wide.run(tokens), recording), (recording, wide.run(tokens))):
        assert verdict(compare(ours, theirs)).startswith("equal within what float16 explains")


# -- overflow ----------------------------------------------------------------------------------------------------


def large(weights: dict[str, torch.Tensor]) -> None:
    weights[QUERY] *= 120
    weights[KEY] *= 120


@pytest.fixture(scope="module")
def overflowing(minilm_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Copies(minilm_dir, tmp_path_factory.mktemp("overflow")).make("large", large)


@pytest.mark.parametrize("texts", [[TEXT], [TEXT, "a dog"]], ids=["alone", "padded"])
def test_an_overflow_is_named_first_and_hidden_by_nothing(overflowing: Path, texts: list[str]) -> None:
    wide, half = (load(overflowing, "cpu", dtype) for dtype in ("float32", "float16"))
    comparison = compare(wide.run(texts), half.run(texts))
    over = comparison.overflow
    assert over is not None
    assert (over.name, over.overflow, over.hidden) == ("layers.1.attention.scores", "float16", 0)
    assert over.inf == over.plus + over.minus
    assert over.plus > 0 < over.minus
    assert verdict(comparison).startswith(f"different: float16 overflows at {over.name}: {over.inf} infinite, of them ")
    text = write_comparison(comparison)
    assert f"{over.plus} +inf and {over.minus} -inf by overflow (float16 ends at 65504)" in text
    assert "hidden by the mask" not in text
    assert all(row.hidden == 0 for row in comparison.rows if row.name.endswith(("scores", "scaled")))


def test_every_command_names_the_same_stage_for_an_overflow(
    overflowing: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = [TEXT, "a dog", "--model", str(overflowing), "--device", "cpu", "--batch"]
    assert main([*start, "--dtype", "float16", "-b", "unexpected"]) == 3
    assert "at layers.1.attention.scores" in capsys.readouterr().out
    assert main([*start, "--dtype", "float16", "--check", "masks", "--check", "padding"]) == 3
    assert capsys.readouterr().out.count("fault found: it begins at layers.1.attention.scores") == 2
    assert main([*start, "--against", "dtype float16"]) == 3
    assert "float16 overflows at layers.1.attention.scores" in capsys.readouterr().out.splitlines()[-1]


def test_no_overflow_where_the_range_is_wide(overflowing: Path) -> None:
    wide, half = (load(overflowing, "cpu", dtype) for dtype in ("float32", "bfloat16"))
    comparison = compare(wide.run([TEXT, "a dog"]), half.run([TEXT, "a dog"]))
    assert comparison.overflow is None
    assert "overflow" not in write_comparison(comparison)


def test_a_weight_that_overflows_is_told(minilm_dir: Path, tmp_path: Path) -> None:
    def one(weights: dict[str, torch.Tensor]) -> None:
        weights[QUERY][3, 7] = 1e5

    there = Copies(minilm_dir, tmp_path).make("weight", one)
    wide, half = (load(there, "cpu", dtype) for dtype in ("float32", "float16"))
    comparison = compare(wide.run(TEXT), half.run(TEXT))
    assert comparison.overflow is not None
    assert comparison.overflow.name == "layers.1.attention.query"
    assert f"{QUERY} overflows in float16: 1 numbers, up to 1e+05" in write_comparison(comparison)


def test_what_the_mask_hides_is_still_hidden(minilm: Encoder) -> None:
    """Masked scores of padding are no difference, whatever number hides them."""
    session = Session(minilm.run([TEXT, "a dog"]), minilm)
    TABLE.execute(session, "fork")
    for number in ("-inf", "-10000"):
        TABLE.execute(session, "patch mask.additive = (x < 0) * 0")
        TABLE.execute(session, f"patch mask.additive[1, :, :, 4:] = {number}")
        text = TABLE.execute(session, "compare fork 0").text
        assert text.splitlines()[-1].startswith("equal: all")
        assert f"mask.additive hides keys by {number} in ours and by -3.40282e+38 in theirs" in text
    TABLE.execute(session, "patch mask.additive[1, :, :, 4:] = -10")
    last = TABLE.execute(session, "compare fork 0").text.splitlines()[-1]
    assert "the first is mask.additive" in last
