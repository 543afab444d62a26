"""Weights stored in eight bits with scales are multiplied out as those who wrote them do; what is packed is refused by name."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import pytest
import torch
from encoder_tui.engine import load
from encoder_tui.engine.messages.errors import InputError
from safetensors.torch import load_file, save_file

NAMES = ("attention.self.query", "intermediate.dense")
TEXTS = ["the cat sat on the mat", "a dog"]


Store = Callable[[torch.Tensor], dict[str, torch.Tensor]]  # a weight -> what stands for it in a file


class Changed(Protocol):
    def __call__(self, store: Store, scheme: dict[str, Any] | None = None, layers: Sequence[int] = (0, 1)) -> Path: ...


@pytest.fixture
def changed(small_dir: Path, tmp_path: Path) -> Changed:
    """A copy of the small BERT with some of its weights stored otherwise; returns its directory."""

    def change(store: Callable[..., Any], scheme: dict[str, Any] | None = None, layers: Sequence[int] = (0, 1)):
        directory = tmp_path / "stored"
        shutil.copytree(small_dir, directory, dirs_exist_ok=True)
        weights = load_file(small_dir / "model.safetensors")
        for layer in layers:
            for name in NAMES:
                front = f"encoder.layer.{layer}.{name}."
                weights |= {front + part: tensor for part, tensor in store(weights.pop(f"{front}weight")).items()}
        save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})
        config = json.loads((small_dir / "config.json").read_text())
        (directory / "config.json").write_text(json.dumps(config | ({"quantization_config": scheme} if scheme else {})))
        return directory

    return change


def check(
    directory: Path, small_dir: Path, tmp_path: Path, store: Store, formula: Callable[..., torch.Tensor], said: str
):
    """Every stage equals that of a checkpoint whose weights were multiplied out before they were stored."""
    plain = tmp_path / "plain"
    shutil.copytree(small_dir, plain)
    weights = load_file(small_dir / "model.safetensors")
    for layer in (0, 1):
        for name in NAMES:
            weight = f"encoder.layer.{layer}.{name}.weight"
            weights[weight] = formula(**store(weights[weight])).float().contiguous()
    save_file(weights, plain / "model.safetensors", metadata={"format": "pt"})
    ours, theirs = load(directory, "cpu"), load(plain, "cpu")
    (note,) = ours.checkpoint.notes
    assert note.startswith("4 weights are stored quantised and were multiplied out")
    assert said in note
    assert ours.checkpoint.unused(ours.program) == theirs.checkpoint.unused(theirs.program)
    run, reference = ours.run(TEXTS), theirs.run(TEXTS)
    for stage in run.program:
        assert torch.equal(run[stage.name].tensor(), reference[stage.name].tensor()), stage.name


def by_rows(weight: torch.Tensor):
    scale = weight.abs().amax(1)
    return {"weight": (weight / scale[:, None] * 127).round().to(torch.int8), "SCB": scale}


def of_rows(weight: torch.Tensor, SCB: torch.Tensor):
    return weight * SCB.view(-1, 1) * 7.874015718698502e-3


def test_bitsandbytes_by_row(changed: Changed, small_dir: Path, tmp_path: Path):
    """bitsandbytes 0.50's `int8_vectorwise_dequant`, which dividing by 127 is not, in the last bit."""
    scheme = {"quant_method": "bitsandbytes", "load_in_8bit": True}
    check(
        changed(by_rows, scheme), small_dir, tmp_path, by_rows,
        of_rows, "int8, bitsandbytes: weight · SCB / 127 by row",
    )  # fmt: skip


def test_whoever_quantised_need_not_be_named(changed: Changed, small_dir: Path, tmp_path: Path):
    check(
        changed(by_rows), small_dir, tmp_path, by_rows,
        of_rows, "bitsandbytes",
    )  # fmt: skip


def test_bitsandbytes_in_another_order_is_refused(changed: Changed):
    with pytest.raises(InputError, match=r"bitsandbytes.*query.weight is stored as int8"):
        load(changed(lambda weight: {**by_rows(weight), "weight_format": torch.tensor(2, dtype=torch.uint8)},
                     {"quant_method": "bitsandbytes"}), "cpu")  # fmt: skip


@pytest.mark.few(4)
@pytest.mark.parametrize("shape", ["tensor", "number", "rows", "blocks"])
@pytest.mark.parametrize("kind", [torch.int8, torch.float8_e4m3fn, torch.float8_e5m2])
@pytest.mark.parametrize("of", [torch.float32, torch.bfloat16])
def test_scales_of_compressed_tensors(
    changed: Changed, small_dir: Path, tmp_path: Path, shape: str, kind: torch.dtype, of: torch.dtype
):
    """Its `_dequantize`: all in the scale's dtype."""

    def store(weight: torch.Tensor) -> dict[str, torch.Tensor]:
        most = 127 if kind == torch.int8 else 200
        if shape == "tensor":
            scale = weight.abs().max().reshape(1)
        elif shape == "number":
            scale = weight.abs().max()
        elif shape == "rows":
            scale = weight.abs().amax(1, keepdim=True)
        else:
            scale = weight.reshape(-1, 4, 8).abs().amax(2)  # groups of eight columns
        scale = (scale / most).to(of)
        spread = scale.repeat_interleave(8, 1) if shape == "blocks" else scale
        numbers = weight / spread.float()
        return {"weight": (numbers.round() if kind == torch.int8 else numbers).to(kind), "weight_scale": scale}

    def formula(weight: torch.Tensor, weight_scale: torch.Tensor):
        spread = weight_scale.repeat_interleave(8, 1) if shape == "blocks" else weight_scale
        return weight.to(of) * spread

    scheme = {"quant_method": "compressed-tensors"}
    check(changed(store, scheme), small_dir, tmp_path, store, formula, "weight · weight_scale")


def test_zero_points(changed: Changed, small_dir: Path, tmp_path: Path):
    def store(weight: torch.Tensor):
        scale = weight.abs().amax(1, keepdim=True) / 100
        zero = torch.full_like(scale, 5).to(torch.int8)
        return {
            "weight": ((weight / scale).round() + 5).to(torch.int8),
            "weight_scale": scale,
            "weight_zero_point": zero,
        }

    def formula(weight: torch.Tensor, weight_scale: torch.Tensor, weight_zero_point: torch.Tensor):
        return (weight.float() - weight_zero_point.float()) * weight_scale

    check(changed(store), small_dir, tmp_path, store, formula, "(weight − weight_zero_point) · weight_scale")


@pytest.mark.parametrize("powers", [False, True])
def test_float8_in_blocks(changed: Changed, small_dir: Path, tmp_path: Path, powers: bool):
    """transformers' own `Fp8Dequantize` on the same tensors."""
    from transformers.integrations.finegrained_fp8 import Fp8Dequantize

    def store(weight: torch.Tensor):
        rows = weight.shape[0] // 8
        scale = weight.reshape(rows, 8, 2, 16).abs().amax((1, 3)) / 200
        if powers:
            exponents = scale.log2().ceil()
            scale, stored = exponents.exp2(), (exponents + 127).to(torch.uint8)
        else:
            stored = scale
        spread = scale.repeat_interleave(8, 0).repeat_interleave(16, 1)
        return {"weight": (weight / spread).to(torch.float8_e4m3fn), "weight_scale_inv": stored}

    def formula(weight: torch.Tensor, weight_scale_inv: torch.Tensor) -> Any:
        return Fp8Dequantize(None)._dequantize_one(weight, weight_scale_inv, torch.float32)

    scheme = {"quant_method": "fp8", "weight_block_size": [8, 16]}
    check(changed(store, scheme), small_dir, tmp_path, store, formula, "float8_e4m3fn, weight · weight_scale_inv")


def packed(**parts: torch.Tensor) -> Store:
    return lambda weight: {part: tensor.clone() for part, tensor in parts.items()}


EIGHT = torch.zeros(4, 4, dtype=torch.int32)
REFUSED: dict[str, tuple[Store, dict[str, Any] | None, str, str]] = {
    "GPTQ": (packed(qweight=EIGHT, qzeros=EIGHT, scales=torch.ones(4), g_idx=EIGHT), {"quant_method": "gptq"}, "gptq", "qweight"),
    "GPTQ unnamed": (packed(qweight=EIGHT, g_idx=EIGHT), None, "GPTQ", "qweight is stored as int32"),
    "AWQ": (packed(qweight=EIGHT, qzeros=EIGHT, scales=torch.ones(4)), {"quant_method": "awq"}, "awq", "qweight"),
    "4 bits": (
        lambda weight: {"weight": torch.zeros(64, 1, dtype=torch.uint8), "weight.absmax": torch.ones(4)},
        {"quant_method": "bitsandbytes", "load_in_4bit": True}, "bitsandbytes", "weight is stored as uint8",
    ),
    "compressed and packed": (
        packed(weight_packed=EIGHT, weight_scale=torch.ones(4)), {"quant_method": "compressed-tensors"}, "compressed-tensors",
        "weight_packed is stored as int32",
    ),
    "int8 without a scale": (lambda weight: {"weight": weight.to(torch.int8)}, None, "quantised", "weight is stored as int8"),
    "float8 without a scale": (
        lambda weight: {"weight": weight.to(torch.float8_e4m3fn)}, None, "quantised", "weight is stored as float8_e4m3fn",
    ),
    "uint8": (lambda weight: {"weight": weight.to(torch.uint8)}, None, "quantised", "weight is stored as uint8"),
    "int64": (lambda weight: {"weight": weight.to(torch.int64)}, None, "quantised", "weight is stored as int64"),
    "four bits in eight": (
        lambda weight: {"weight": weight.to(torch.int8), "weight_scale_inv": torch.ones(1, 1)}, {"quant_method": "fp8"}, "fp8",
        "weight is stored as int8",
    ),
    "EETQ": (
        lambda weight: {"weight": weight.to(torch.int8), "weight_scales": torch.ones(4)}, {"quant_method": "eetq"}, "eetq",
        "weight is stored as int8",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_implemented_is_refused_by_name(changed: Changed, case: str):
    store, scheme, called, tensor = REFUSED[case]
    with pytest.raises(InputError, match=called) as refused:
        load(changed(store, scheme), "cpu")
    refused.match(tensor)
    refused.match(r"^[^\n]*save the model dequantised$")


def test_scales_that_do_not_fit_are_one_line(changed: Changed):
    def store(weight: torch.Tensor):
        return {"weight": weight.to(torch.int8), "weight_scale": torch.ones(3, 5)}

    with pytest.raises(InputError, match=r"query.weight: it is .* and its scale .*: which scale is whose"):
        load(changed(store), "cpu").run("the cat")["output"].tensor()


def test_a_scale_in_another_shard(changed: Changed, tmp_path: Path):
    directory = changed(by_rows)
    whole = load(directory, "cpu").run(TEXTS)["output"].tensor()
    weights = load_file(directory / "model.safetensors")
    (directory / "model.safetensors").unlink()
    parts = {"model-00001-of-00002.safetensors": "SCB", "model-00002-of-00002.safetensors": ""}
    places = {name: list(parts)[not name.endswith("SCB")] for name in weights}
    for shard in parts:
        save_file({name: tensor for name, tensor in weights.items() if places[name] == shard}, directory / shard)
    (directory / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    assert torch.equal(load(directory, "cpu").run(TEXTS)["output"].tensor(), whole)


def test_a_config_that_speaks_of_none(changed: Changed):
    directory = changed(lambda weight: {"weight": weight}, {"quant_method": "bitsandbytes", "load_in_8bit": True})
    (note,) = load(directory, "cpu").checkpoint.notes
    assert note.startswith(
        "config.json has a quantization_config (bitsandbytes), and no weight that is used is stored quantised"
    )
    assert load(changed(lambda weight: {"weight": weight}), "cpu").checkpoint.notes == []


def test_half_precision_is_not_quantised(changed: Changed):
    assert load(changed(lambda weight: {"weight": weight.to(torch.bfloat16)}), "cpu").checkpoint.notes == []
