"""A cause is named where it is planted, alone or with another, and nowhere else."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from encoder_tui.engine import Encoder, InputError, load, open_snapshot, save
from encoder_tui.engine.analysis.diagnose import diagnose
from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.commands.session import Session
from faulty import ONE, TWO, Change, Copies, merge_twice, scale_a_row

TEXT = "The animal didn't cross the street because it was too tired"
Weights = dict[str, torch.Tensor]


def swap(*names: str) -> Change:
    def change(weights: Weights) -> None:
        for a, b in zip(names[::2], names[1::2], strict=True):
            weights[a], weights[b] = weights[b], weights[a]

    return change


def exchange_layers(weights: Weights) -> None:
    for name in [name for name in weights if name.startswith(ONE)]:
        swap(name, name.replace(ONE, TWO))(weights)


def zero(name: str, weights: Weights) -> None:
    weights[name].zero_()


def transpose(weights: Weights) -> None:
    name = f"{ONE}attention.output.dense.weight"
    weights[name] = weights[name].T.contiguous()


def of_key(side: str) -> list[str]:
    return [f"{ONE}attention.self.{side}.{part}" for part in ("weight", "bias")]


NORM = f"{TWO}attention.output.LayerNorm"
TYPES = "embeddings.token_type_embeddings.weight"
# Name -> (what is done to the weights, to the config, where it begins, kind, words of the cause)
FAULTS: dict[str, tuple[Change | None, dict[str, Any], str, str, str]] = {
    "tanh gelu": (None, {"hidden_act": "gelu_new"}, "layers.0.ffn.activation", "activation", "theirs computes gelu_new, ours gelu"),
    "relu": (None, {"hidden_act": "relu"}, "layers.0.ffn.activation", "activation", "theirs computes relu, ours gelu"),
    "epsilon": (None, {"layer_norm_eps": 1e-5}, "embeddings.norm", "epsilon", "theirs adds epsilon 1e-05 to the variance, ours 1e-12"),
    "heads": (None, {"num_attention_heads": 6}, "layers.0.attention.query_heads", "number of heads", "theirs has 6 heads, ours 12"),
    "gamma and beta": (swap(f"{NORM}.weight", f"{NORM}.bias"), {}, "layers.1.attention.norm", "gain and shift exchanged", "gamma where ours has beta"),
    "token types": (partial(zero, TYPES), {}, "embeddings.segment", "all zero", f"{TYPES} is all zero in theirs"),
    "layers": (exchange_layers, {}, "layers.0.attention.query", "layers exchanged", "layers 0 and 1 exchanged"),
    "bias": (partial(zero, f"{TWO}intermediate.dense.bias"), {}, "layers.1.ffn.up", "bias missing", "theirs adds no bias, or one that is all zero"),
    "lora": (merge_twice, {}, "layers.0.attention.query", "low-rank difference", "a matrix of rank 8"),
    "row": (scale_a_row, {}, "layers.1.ffn.up", "few rows", "row 777 (theirs is ours times 8) alone"),
    "query and key": (swap(*[name for pair in zip(of_key("query"), of_key("key"), strict=True) for name in pair]), {},
                      "layers.0.attention.query", "query, key and value exchanged", "the key's weights where ours has the query's"),
    "transposed": (transpose, {}, "layers.0.attention.output", "weight transposed", "is transposed in theirs"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_the_cause_is_named(fault: str, copies: Copies, ours: Encoder) -> None:
    change, config, first, kind, words = FAULTS[fault]
    theirs = load(copies.make(fault, change, **config))
    diagnosis = diagnose(ours.run(TEXT), theirs.run(TEXT))
    assert [(cause.first, cause.kind) for cause in diagnosis.causes] == [(first, kind)]
    (cause,) = diagnosis.causes
    assert words in cause.cause
    assert cause.before > 1e-5
    assert (cause.after, cause.then, diagnosis.left) == (0.0, "", None)


# The same with the fault in ours: what is said then, where that is no mere exchange of both sides
TURNED = {
    "tanh gelu": ("activation", "theirs computes gelu, ours gelu_new"),
    "relu": ("activation", "theirs computes gelu, ours relu"),
    "epsilon": ("epsilon", "theirs adds epsilon 1e-12 to the variance, ours 1e-05"),
    "heads": ("number of heads", "theirs has 12 heads, ours 6"),
    "token types": ("all zero in ours", f"{TYPES} is all zero in ours, and not in theirs"),
    "bias": ("all zero in ours", "bias is all zero in ours, and not in theirs"),
    "row": ("few rows", "row 777 (theirs is ours times 0.125) alone"),
}


@pytest.mark.few(6)
@pytest.mark.parametrize("fault", FAULTS)
def test_the_cause_is_named_where_it_is_in_ours(fault: str, copies: Copies, ours: Encoder) -> None:
    change, config, first, kind, words = FAULTS[fault]
    kind, words = TURNED.get(fault, (kind, words))
    faulty = load(copies.make(f"{fault} in ours", change, **config))
    diagnosis = diagnose(faulty.run(TEXT), ours.run(TEXT))
    assert [(cause.first, cause.kind) for cause in diagnosis.causes] == [(first, kind)]
    assert words in diagnosis.causes[0].cause
    assert (diagnosis.causes[0].then, diagnosis.left) == ("", None)


def test_of_two_causes_one_is_named_after_the_other(copies: Copies, ours: Encoder) -> None:
    def change(weights: Weights) -> None:
        scale_a_row(weights)
        zero(f"{ONE}output.dense.bias", weights)

    causes = diagnose(ours.run(TEXT), load(copies.make("two", change)).run(TEXT)).causes
    assert [(cause.first, cause.kind, cause.then) for cause in causes] == [
        ("layers.0.ffn.down", "bias missing", "layers.1.ffn.up"), ("layers.1.ffn.up", "few rows", ""),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("dtype", "texts"), [("float32", [TEXT]), ("float64", [TEXT]), ("bfloat16", [TEXT, "A dog"]), ("float16", [TEXT])]
)
def test_nothing_is_named_where_nothing_is_wrong(copies: Copies, ours: Encoder, dtype: str, texts: list[str]) -> None:
    theirs = load(copies.make(f"sound {dtype}"), dtype=dtype)
    diagnosis = diagnose(ours.run(texts), theirs.run(texts))
    assert diagnosis.nothing, diagnosis


def test_what_closes_no_gap_is_not_named(copies: Copies, ours: Encoder) -> None:
    """Weights that are others everywhere: nothing but that is said of them."""

    def change(weights: Weights) -> None:
        weights[f"{ONE}intermediate.dense.weight"] += 0.05 * torch.randn(
            1536, 384, generator=torch.Generator().manual_seed(1)
        )

    (cause,) = diagnose(ours.run(TEXT), load(copies.make("trained", change)).run(TEXT)).causes
    assert (cause.kind, cause.first) == ("other weights", "layers.0.ffn.up")


def test_without_their_weights_what_is_not_known_is_left(copies: Copies, ours: Encoder, tmp_path: Path) -> None:
    def change(weights: Weights) -> None:
        weights[f"{ONE}intermediate.dense.weight"] += 0.05 * torch.randn(
            1536, 384, generator=torch.Generator().manual_seed(1)
        )

    run = load(copies.make("trained too", change)).run(TEXT)
    save(run, tmp_path / "theirs.safetensors")
    diagnosis = diagnose(ours.run(TEXT), open_snapshot(tmp_path / "theirs.safetensors"))
    assert diagnosis.causes == ()
    assert diagnosis.left is not None
    assert diagnosis.left.name == "layers.0.ffn.up"
    assert "bias missing" in diagnosis.tried


def test_it_leaves_our_run_as_it_is(copies: Copies, ours: Encoder) -> None:
    run = ours.run(TEXT)
    before = run["output"].numpy().copy()
    diagnose(run, load(copies.make("other", None, hidden_act="relu")).run(TEXT))
    assert (run["output"].numpy() == before).all()
    assert not run.patched


def test_the_command_writes_it_down(copies: Copies) -> None:
    here, there = copies.make("said ours"), copies.make("said theirs", None, hidden_act="gelu_new")
    session = Session((encoder := load(here)).run(TEXT), encoder)
    text = TABLE.execute(session, f"compare model '{there}' --diagnose").text
    assert text.endswith("""

cause      activation: theirs computes gelu_new, ours gelu
at         layers.0.ffn.activation, and layers.1.ffn.activation
shown by   with the same in ours the gap falls from 1.94e-05 of the largest value to 0, and no stage is apart any more
in ours    config.json: "hidden_act": "gelu_new"
in theirs  functional.gelu(x) in the place of 0.5 * x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3)))

cause: theirs computes gelu_new, ours gelu""")
    assert TABLE.execute(session, "diagnose").verdict == "cause: theirs computes gelu_new, ours gelu"
    assert TABLE.execute(session, "diagnose dtype float64").verdict.startswith("equal within what float32 explains")
    assert TABLE.execute(session, "diagnose").verdict.startswith("nothing to diagnose")


def test_a_recording_is_diagnosed_by_its_reference(copies: Copies, original: Path, tmp_path: Path) -> None:
    """Who opened the port's recording calls that ours."""
    save(load(copies.make("port", None, hidden_act="relu")).run(TEXT), tmp_path / "port.safetensors")
    session = Session(open_snapshot(tmp_path / "port.safetensors"))
    with pytest.raises(InputError, match="nothing to compare with yet"):
        TABLE.execute(session, "diagnose")
    reply = TABLE.execute(session, f"diagnose model '{original}'")
    assert reply.verdict == "cause: ours computes relu, theirs gelu"
    save(load(copies.make("again")).run(TEXT), tmp_path / "again.safetensors")
    with pytest.raises(InputError, match="both are recordings"):
        TABLE.execute(session, f"diagnose snapshot '{tmp_path / 'again.safetensors'}'")
