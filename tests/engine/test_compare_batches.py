"""A batch gives the verdict its texts give alone, padding is no part of it, and other shapes are named by what they count."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from encoder_tui.engine import Encoder, Session, load, open_snapshot, save
from encoder_tui.engine.analysis.compare import compare, write_comparison
from encoder_tui.engine.analysis.compare.text import verdict
from encoder_tui.engine.commands import TABLE
from faulty import Copies

TEXTS = ["The animal didn't cross the street because it was too tired", "A cat.", "The dog"]


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load(None, "cpu")


def padded_otherwise(encoder: Encoder):
    """The same texts, padded with another word."""
    tokens = encoder.read(TEXTS)
    return encoder.run(replace(tokens, ids=np.where(tokens.mask != 0, tokens.ids, 9)))


def test_padding_that_differs_is_told_apart(encoder: Encoder) -> None:
    comparison = compare(encoder.run(TEXTS), padded_otherwise(encoder))
    assert comparison.equal
    assert comparison.row("tokens.ids").differing == 0
    assert comparison.row("tokens.ids").padding > 0
    assert comparison.row("layers.0.attention.weights").differing == 0
    text = write_comparison(comparison)
    assert "padding: " in text
    assert "no part of the verdict" in text
    assert "padding: " not in write_comparison(compare(encoder.run(TEXTS), encoder.run(TEXTS)))


def test_places_and_tolerance_are_of_real_tokens(encoder: Encoder) -> None:
    session = Session(encoder.run(TEXTS), encoder)
    TABLE.execute(session, "fork")
    TABLE.execute(session, "patch layers.1.ffn.up[1, 9, 3] = 1000")  # padding
    TABLE.execute(session, "patch layers.1.ffn.up[1, 2, 3] = 2")
    TABLE.execute(session, "compare fork 0")
    comparison = session.reference.comparison  # type: ignore[union-attr]
    row = comparison.row("layers.1.ffn.up")
    assert row.place == (1, 2, 3)
    assert row.largest < 10 < row.padding
    assert comparison.passing < 5
    for one in comparison.rows:
        if one.place is not None and "token" in one.axes:
            assert session.trace.original_tokens.mask[one.place[0], one.place[one.axes.index("token")]]


def test_what_a_real_token_sees_of_padding_is_part_of_the_verdict(encoder: Encoder) -> None:
    session = Session(encoder.run(TEXTS), encoder)
    TABLE.execute(session, "fork")
    TABLE.execute(session, "patch mask.additive[1, :, 2, 9] = 0")
    TABLE.execute(session, "compare fork 0")
    first = session.reference.comparison.first  # type: ignore[union-attr]
    assert (first.name, first.place) == ("mask.additive", (1, 0, 2, 9))


@pytest.mark.few(1)
@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_a_batch_is_judged_as_its_texts_alone(encoder: Encoder, dtype: str) -> None:
    other = load(None, "cpu", dtype)
    for tolerance in (None, 1e-3, 1e-2, 1e-1):
        whole = compare(encoder.run(TEXTS), other.run(TEXTS), tolerance=tolerance)
        alone = [compare(encoder.run(text), other.run(text), tolerance=tolerance) for text in TEXTS]
        assert whole.equal == all(one.equal for one in alone)
        assert whole.passing == pytest.approx(max(one.passing for one in alone), rel=0.35)


def test_a_small_text_is_judged_beside_its_own_size(encoder: Encoder) -> None:
    """A text of small numbers that is far off is not hidden by a text of large ones."""
    tokens = encoder.read(TEXTS[:2])
    ours, theirs = encoder.run(tokens), encoder.run(tokens)
    value = ours.tensor("layers.0.ffn.down").clone()
    value[0] *= 1000
    ours.override("layers.0.ffn.down", value)
    moved = value.clone()
    moved[1, 0, 0] += 0.5 * value[1, :4].abs().max()
    theirs.override("layers.0.ffn.down", moved)
    row = compare(ours, theirs, tolerance=0.1).row("layers.0.ffn.down")
    assert row.beyond
    assert row.place == (1, 0, 0)


def test_a_text_of_padding_alone_has_no_say(encoder: Encoder) -> None:
    tokens = encoder.read(TEXTS[:2])
    mask = tokens.mask.copy()
    mask[1] = 0
    empty = replace(tokens, mask=mask)
    other = replace(empty, ids=np.where(mask != 0, empty.ids, 9))
    assert compare(encoder.run(empty), encoder.run(other)).equal


# -- shapes ------------------------------------------------------------------------------------------------------


def test_head_counts_are_named_where_they_first_show(copies: Copies, original: Path, tmp_path: Path) -> None:
    ours, theirs = (
        load(copies.make("heads", None, num_attention_heads=6), "cpu").run(TEXTS),
        load(original, "cpu").run(TEXTS),
    )
    save(theirs, tmp_path / "theirs.safetensors")
    for other in (theirs, open_snapshot(tmp_path / "theirs.safetensors")):
        assert verdict(compare(ours, other)).startswith(
            "different: the first that differs is layers.0.attention.query_heads, by its shape: 6 heads against 12, 64 numbers a head against 32"
        )


def test_another_size_of_the_feed_forward_is_named(copies: Copies, original: Path) -> None:
    def narrow(weights: dict[str, torch.Tensor]) -> None:
        for layer in (0, 1):
            for name, axis in (
                ("intermediate.dense.weight", 0),
                ("intermediate.dense.bias", 0),
                ("output.dense.weight", 1),
            ):
                full = f"encoder.layer.{layer}.{name}"
                weights[full] = weights[full].narrow(axis, 0, 512).contiguous()

    said = verdict(
        compare(
            load(copies.make("narrow", narrow, intermediate_size=512), "cpu").run(TEXTS),
            load(original, "cpu").run(TEXTS),
        )
    )
    assert "the first that differs is layers.0.ffn.up, by its shape: 512 intermediate features against 1536" in said


def test_another_number_of_layers_is_named(copies: Copies, original: Path) -> None:
    ours, theirs = (
        load(copies.make("short", None, num_hidden_layers=1), "cpu").run(TEXTS),
        load(original, "cpu").run(TEXTS),
    )
    comparison = compare(ours, theirs)
    assert not comparison.equal
    assert verdict(comparison).startswith("different: 1 layers against 2")


def test_one_shape_is_no_matter_of_shapes(copies: Copies, original: Path) -> None:
    comparison = compare(
        load(copies.make("epsilon", None, layer_norm_eps=1e-5), "cpu").run(TEXTS), load(original, "cpu").run(TEXTS)
    )
    assert "shape" not in verdict(comparison)
    assert "layers against" not in verdict(comparison)


# -- dropout -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_dropout_on_the_other_side_is_told(encoder: Encoder, rate: float, tmp_path: Path) -> None:
    run, other = encoder.run(TEXTS), encoder.run(TEXTS)
    torch.manual_seed(0)
    name = "layers.0.attention.output"
    other.override(name, torch.nn.functional.dropout(other.tensor(name), rate))
    save(other, tmp_path / "dropped.safetensors")
    for theirs in (other, open_snapshot(tmp_path / "dropped.safetensors")):
        text = write_comparison(compare(run, theirs))
        assert f"theirs is ours after dropout of {rate:.2g}: each number is 0, or 1/(1 - {rate:.2g})" in text
        assert "theirs ran in training mode" in text


def test_zeros_or_a_factor_alone_are_no_dropout(encoder: Encoder) -> None:
    run = encoder.run(TEXTS)
    name = "layers.0.attention.output"
    changes: list[Callable[[torch.Tensor], torch.Tensor]] = [
        lambda x: x * 1.1, lambda x: torch.where(torch.rand_like(x) < 0.1, 0.0, x),
    ]  # fmt: skip
    for change in changes:
        other = encoder.run(TEXTS)
        other.override(name, change(other.tensor(name)))
        assert "dropout" not in write_comparison(compare(run, other))
