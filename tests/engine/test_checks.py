"""`check masks` and `check padding` find planted faults, and nothing on a healthy model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from encoder_tui.engine import Encoder, InputError, Run, Session, load, open_snapshot, save
from encoder_tui.engine.analysis.checks import check_masks, check_padding, write_checked
from encoder_tui.engine.commands import TABLE
from faulty import put

TEXTS = ["The animal didn't cross the street because it was too tired", "A cat."]
LEAST = torch.finfo(torch.float32).min
ADDITIVE = "mask.additive"


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load(None, "cpu")


def masked_with(encoder: Encoder, change: Callable[[torch.Tensor], torch.Tensor]) -> Run:
    """A run whose additive mask is a changed one."""
    run = encoder.run(TEXTS)
    put(run, ADDITIVE, change(run.tensor(ADDITIVE)).contiguous())
    return run


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float16"])
def test_a_healthy_model_has_no_fault(dtype: str) -> None:
    encoder = load(None, "cpu", dtype)
    run = encoder.run(TEXTS)
    for checked in (check_masks(run), check_padding(run, encoder)):
        assert checked.findings == ()
        assert write_checked(checked).endswith("\nno fault found")
        assert checked.looked


def test_a_healthy_real_model_has_no_fault(minilm: Encoder) -> None:
    run = minilm.run(TEXTS)
    assert check_masks(run).findings == check_padding(run, minilm).findings == ()


MASKS: dict[str, tuple[Callable[[torch.Tensor], torch.Tensor], str, str]] = {
    "inverted": (lambda m: torch.where(m == 0, LEAST, 0.0), "inverted", "hides the 5 real tokens and shows the 10"),
    "query axis": (lambda m: m.transpose(2, 3), "query axis", "padded queries (rows) instead of padded keys (columns)"),
    "0/1": (lambda m: torch.where(m == 0, 1.0, 0.0), "inverted", "the 0/1 mask itself was added"),
    "-10": (
        lambda m: torch.where(m == 0, 0.0, -10.0),
        "too small",
        "-10 is too small a number to hide a key in float32",
    ),
    "zeros": (torch.zeros_like, "padding seen", "padding is not hidden from 5 of 5 queries"),
    "a hidden word": (
        lambda m: m.index_fill(3, torch.tensor([2]), LEAST),
        "hidden token",
        "hidden from every query: 1",
    ),
    "nothing seen": (
        lambda m: torch.full_like(m, -torch.inf),
        "nothing seen",
        "every key of text 1 is masked, though tokens.mask shows 5 of them",
    ),
    "nan": (lambda m: torch.full_like(m, torch.nan), "not a number", "450 numbers are NaN"),
}


@pytest.mark.parametrize("fault", MASKS)
def test_a_faulty_mask_is_named(fault: str, encoder: Encoder) -> None:
    change, kind, said = MASKS[fault]
    run = masked_with(encoder, change)
    checked = check_masks(run)
    first = checked.findings[0]
    assert (first.stage, first.kind, first.risk) == (ADDITIVE, kind, False)
    assert said in first.said
    assert f"fault found: it begins at {ADDITIVE}" in write_checked(checked)
    if fault in ("query axis", "0/1", "-10", "zeros"):
        leak = next(found for found in checked.findings if found.stage.endswith("weights"))
        assert (leak.kind, leak.text, leak.more) == ("padding seen", 1, run.program.layers - 1)
        assert leak.place is not None
        assert "'[PAD]'" in leak.where
        assert run[leak.stage].read(leak.place) > 0
        padding = check_padding(run, encoder).findings[0]
        assert padding.stage in (ADDITIVE, "layers.0.attention.weights")
        assert padding.text == 1


def test_minus_infinity_is_a_risk(encoder: Encoder) -> None:
    checked = check_masks(masked_with(encoder, lambda m: torch.where(m == 0, 0.0, -torch.inf)))
    assert [(found.kind, found.risk) for found in checked.findings] == [("infinite", True)]
    assert write_checked(checked).endswith("no fault found, 1 risk")


def test_the_least_float32_overflows_in_float16() -> None:
    checked = check_masks(masked_with(load(None, "cpu", "float16"), lambda m: torch.where(m == 0, 0.0, LEAST)))
    assert "float32's minimum overflows to it in float16" in checked.findings[0].said


@pytest.mark.parametrize(
    ("turned", "said"), [(True, "turned around"), (False, "it is 1 where the tokenizer's mask says 0, at 10")]
)
def test_a_mask_that_is_not_the_tokenizers(encoder: Encoder, turned: bool, said: str) -> None:
    run = encoder.run(TEXTS)
    mask = run.tensor("tokens.mask")
    put(run, "tokens.mask", 1 - mask if turned else torch.ones_like(mask))
    first = check_masks(run).findings[0]
    assert first.stage == "tokens.mask"
    assert said in first.said


def test_a_layer_that_leaves_the_mask_out(encoder: Encoder) -> None:
    run = encoder.run(TEXTS)
    put(run, "layers.1.attention.masked", run.tensor("layers.1.attention.scaled").clone())
    assert [(found.stage, found.more) for found in check_masks(run).findings] == [
        ("layers.1.attention.masked", 0), ("layers.1.attention.weights", 0),
    ]  # fmt: skip
    assert check_padding(run, encoder).findings[0].stage == "layers.1.attention.masked"


def test_positions_that_count_from_the_right(encoder: Encoder) -> None:
    """A fault the mask knows nothing of: `check padding` finds it where the positions are."""
    run = encoder.run(TEXTS)
    put(run, "tokens.positions", run.tensor("tokens.positions") + torch.tensor([[0], [3]]))
    assert check_masks(run).findings == ()
    (found,) = check_padding(run, encoder).findings
    assert (found.stage, found.text, found.kind) == ("tokens.positions", 1, "position")
    assert "alone this token has the position 0, in the batch 3" in found.said
    assert "left" not in found.said


def test_nothing_to_hide_is_said(encoder: Encoder) -> None:
    run = encoder.run("One text")
    assert "no text is padded" in write_checked(check_masks(run))
    assert "no text is padded" in write_checked(check_padding(run, encoder))


def test_a_recording(encoder: Encoder, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    save(masked_with(encoder, lambda m: m.transpose(2, 3)), tmp_path / "a.safetensors")
    session = Session(open_snapshot(tmp_path / "a.safetensors"))
    assert "begins at mask.additive" in TABLE.execute(session, "check masks").text
    with pytest.raises(InputError, match="a recording has no model"):
        TABLE.execute(session, "check padding")


def test_bad_words(encoder: Encoder) -> None:
    session = Session(encoder.run("Hi"), encoder)
    with pytest.raises(InputError, match="check 'mask' is not known; did you mean masks"):
        TABLE.execute(session, "check mask")
    with pytest.raises(InputError, match="check what"):
        TABLE.execute(session, "check")


def test_a_nan_that_was_there_before_the_mask_is_no_fault_of_the_mask(encoder: Encoder) -> None:
    session = Session(encoder.run(TEXTS), encoder)
    TABLE.execute(session, "patch layers.1.ffn.up[0, 1, 5] = 0 / 0")
    checked = check_masks(session.trace)
    assert [(found.stage, found.kind) for found in checked.findings] == [("layers.1.ffn.up", "not a number")]
    said = write_checked(checked)
    assert "rows of layers.2.attention.weights are NaN: no fault of the mask" in said
    assert "every row sums to 1" not in said
    assert said.endswith("fault found: it begins at layers.1.ffn.up")


def test_a_nan_of_the_mask_begins_there(encoder: Encoder) -> None:
    session = Session(encoder.run(TEXTS), encoder)
    TABLE.execute(session, "patch mask.additive[0, 0, 0, 1] = 0 / 0")
    checked = check_masks(session.trace)
    assert [found.stage for found in checked.findings] == ["mask.additive", "layers.0.attention.weights"]
