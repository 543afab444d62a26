"""Weights stored as whole numbers or in eight bits, with scales beside them: multiplied out where that is simple, else refused by name.

The formulas, and the order of their operations, are those of whoever wrote the files, so that the numbers are equal to the last bit:

- bitsandbytes, 8 bits (`weight` int8, `SCB` of each row): `weight · SCB · 7.874015718698502e-3`, as its
  `int8_vectorwise_dequant` has it; the last factor is 1 / 127.
- compressed-tensors and FBGEMM (`weight` int8 or float8, `weight_scale` of the tensor, of each row or of each block of it, perhaps
  `weight_zero_point`): `(weight − zero_point) · scale`, all in the scale's dtype.
- fine-grained float8 (`weight` float8, `weight_scale_inv` of each block, or one): `weight · scale` in float32, as transformers'
  `Fp8Dequantize`; scales of eight bits are powers of two.

Kernels that compute with such weights also round what goes into a layer; that is not done here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ..messages.errors import InputError
from ..program.json_values import is_object
from ..program.stage import Shape, write_shape
from .weight_files import Rows, WeightFile

FLOATS = ("float64", "float32", "float16", "bfloat16")
EIGHT_BITS = ("int8", "float8_e4m3fn", "float8_e5m2")
ONE_127TH = 7.874015718698502e-3
ROW_FORMAT = 0  # bitsandbytes' `weight_format`: rows after one another, as torch has them
# What only a packed weight has beside it or instead of it -> who packs so.
PACKED = (
    (r"\.absmax$|\.quant_state\.bitsandbytes__\w+$|\.quant_map$", "bitsandbytes in 4 bits"),
    (r"\.g_idx$", "GPTQ"),
    (r"\.qweight$", "GPTQ or AWQ"),
    (r"\.weight_packed$", "compressed-tensors"),
    (r"\.W_q$", "HQQ"),
    (r"\.codebooks$", "AQLM"),
    (r"\.weight_scales$", "EETQ"),
    (r"\.weight\._data$|\.weight\._scale$", "quanto"),
    (r"_packed_params", "torch.ao.quantization"),
    (r"_blocks$", "MXFP4"),
)  # fmt: skip

Formula = Callable[[torch.Tensor, torch.Tensor, "torch.Tensor | None"], torch.Tensor]


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """Where a tensor is stored."""

    file: WeightFile
    name: str

    def tensor(self) -> torch.Tensor:
        """The tensor itself."""
        return self.file.tensor(self.name)


@dataclass(frozen=True, slots=True)
class Scaled:
    """How one weight is multiplied out.

    Attributes:
        formula: weight, scale and zero point -> numbers.
        scale, zero: where those are stored.
        said: the formula in words.
    """

    formula: Formula
    scale: StoredTensor
    zero: StoredTensor | None
    said: str


class Multiplied:
    """A file of weights some of which are quantised: those are given multiplied out, and their scales are no tensors of it."""

    def __init__(self, file: WeightFile, scaled: Mapping[str, Scaled], hidden: Iterable[str]) -> None:
        self.file, self.scaled, self._hidden = file, scaled, frozenset(hidden)

    def names(self) -> Sequence[str]:
        return [name for name in self.file.names() if name not in self._hidden]

    def shape(self, name: str) -> Shape:
        return self.file.shape(name)

    def dtype(self, name: str) -> str:
        return "float32" if name in self.scaled else self.file.dtype(name)

    def tensor(self, name: str) -> torch.Tensor:
        scaled = self.scaled.get(name)
        if scaled is None:
            return self.file.tensor(name)
        zero = scaled.zero.tensor() if scaled.zero is not None else None
        try:
            return scaled.formula(self.file.tensor(name), scaled.scale.tensor(), zero)
        except InputError as error:
            raise InputError(f"{name}: {error}") from None


def multiplied(files: Sequence[WeightFile]) -> list[WeightFile]:
    """The files, with weights that have a scale beside them multiplied out when they are read.

    Args:
        files: all of a checkpoint: a scale may lie in another one than its weight.
    """
    places = {name: StoredTensor(file, name) for file in files for name in file.names()}
    opened: list[WeightFile] = []
    hidden: set[str] = set()
    rules: dict[str, Scaled] = {}
    for name, place in places.items():
        if name.endswith("weight") and place.file.dtype(name) in EIGHT_BITS:
            scaled, beside = _scaled(name, place, places)
            if scaled is not None:
                rules[name] = scaled
                hidden |= beside
    for file in files:
        own = {name: rules[name] for name in file.names() if name in rules}
        opened.append(Multiplied(file, own, hidden) if rules else file)
    return opened


def _scaled(name: str, place: StoredTensor, places: Mapping[str, StoredTensor]) -> tuple[Scaled | None, set[str]]:
    """How a weight of eight bits is multiplied out, and the names of what belongs to it; None where that is not known."""
    front, dtype = name.removesuffix("weight"), place.file.dtype(name)
    rows, scale, inverse = (places.get(front + part) for part in ("SCB", "weight_scale", "weight_scale_inv"))
    if rows is not None and dtype == "int8":
        form = places.get(f"{front}weight_format")
        if form is not None and int(form.tensor().reshape(-1)[0]) != ROW_FORMAT:
            return None, set()
        return Scaled(_by_127, rows, None, "bitsandbytes: weight · SCB / 127 by row"), {
            rows.name,
            f"{front}weight_format",
        }
    if scale is not None:
        zero = places.get(f"{front}weight_zero_point")
        said = "weight · weight_scale" if zero is None else "(weight − weight_zero_point) · weight_scale"
        return Scaled(_by_scale, scale, zero, said), {scale.name, f"{front}weight_zero_point", f"{front}weight_shape"}
    if inverse is not None and dtype != "int8":  # whole numbers there are two of four bits each
        return Scaled(_by_blocks, inverse, None, "weight · weight_scale_inv"), {inverse.name}
    return None, set()


def _by_127(weight: torch.Tensor, scale: torch.Tensor, zero: torch.Tensor | None) -> torch.Tensor:
    """bitsandbytes' `int8_vectorwise_dequant`: (row, column) by (row)."""
    if scale.numel() != weight.shape[0]:
        raise InputError(f"it has {weight.shape[0]} rows and SCB {scale.numel()} numbers; they do not belong together")
    return weight * scale.view(-1, 1) * ONE_127TH


def _by_scale(weight: torch.Tensor, scale: torch.Tensor, zero: torch.Tensor | None) -> torch.Tensor:
    """compressed-tensors' `_dequantize`, with the scale of each block spread over it."""
    numbers = weight.to(scale.dtype)
    if zero is not None:
        numbers = numbers - _spread(zero.to(scale.dtype), weight)
    return numbers * _spread(scale, weight)


def _by_blocks(weight: torch.Tensor, scale: torch.Tensor, zero: torch.Tensor | None) -> torch.Tensor:
    """transformers' `Fp8Dequantize`."""
    powers = scale.dtype == torch.uint8
    single = (scale.to(torch.float32) - 127.0).exp2() if powers else scale.to(torch.float32)
    return weight.to(torch.float32) * _spread(single, weight)


def _spread(scale: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """A scale for each element: of one for the whole tensor, for each row, or for each block of a grid that divides it.

    Raises:
        InputError: shapes that leave open which scale is whose.
    """
    if scale.numel() == 1:
        return scale.reshape(())
    if weight.ndim == 2 and scale.ndim == 2:
        (rows, columns), (tall, wide) = weight.shape, scale.shape
        if rows % tall == 0 and columns % wide == 0:
            return scale.repeat_interleave(rows // tall, 0).repeat_interleave(columns // wide, 1)
    shapes = write_shape(tuple(weight.shape)), write_shape(tuple(scale.shape))
    raise InputError("it is {} and its scale {}: which scale is whose is not known".format(*shapes))


def scheme_of(names: Iterable[str], config: Any) -> str:
    """Who quantised a checkpoint: as `quantization_config` says, else as the names show; "" where neither does.

    Args:
        names: of what is stored.
        config: `quantization_config` as it stands in config.json.
    """
    named = config.get("quant_method") if is_object(config) else None
    if isinstance(named, str):
        return named if named.isprintable() and len(named) < 40 else repr(named)[1:40]
    listed = list(names)
    return next((scheme for form, scheme in PACKED if any(re.search(form, name) for name in listed)), "")


def refuse_packed(
    where: object, weights: Iterable[str], stored: Mapping[str, tuple[WeightFile, str]], config: Any
) -> None:
    """Refuse weights that are packed, or stored in a dtype that is no float with nothing to multiply it by.

    Args:
        where: the checkpoint, for messages.
        weights: names of those that are needed.
        stored: what there is -> the file and its name there.
        config: `quantization_config` as it stands in config.json.

    Raises:
        InputError: there are such weights; the message says by whom, and names one with its dtype.
    """
    for name in weights:
        other = name if name in stored else _packed(name, stored)
        if not other:
            continue
        file, there = stored[other]
        if other != name or file.dtype(there) not in FLOATS:
            scheme = scheme_of(stored, config)
            raise InputError(
                f"{where}: the weights are quantised{f' ({scheme})' if scheme else ''} in a way that is not implemented: {other} "
                f"is stored as {file.dtype(there)}; only int8 and float8 with weight_scale, weight_scale_inv or bitsandbytes' "
                "SCB beside them are multiplied out; save the model dequantised"
            )


def multiplied_out_line(weights: Iterable[str], stored: Mapping[str, tuple[WeightFile, str]], config: Any) -> str:
    """The line that says which weights were multiplied out, or that a config speaks of none that is stored; "" otherwise."""
    rules: list[tuple[str, Scaled]] = []
    for name in weights:
        file, there = stored[name]
        file = file.file if isinstance(file, Rows) else file
        if isinstance(file, Multiplied) and there in file.scaled:
            rules.append((file.file.dtype(there), file.scaled[there]))
    if rules:
        how = ", ".join(sorted({f"{dtype}, {scaled.said}" for dtype, scaled in rules}))
        return (
            f"{len(rules)} weights are stored quantised and were multiplied out ({how}); "
            "what goes into a layer is not rounded, as kernels for such weights do"
        )
    if config:
        scheme = scheme_of((), config)
        return (
            f"config.json has a quantization_config{f' ({scheme})' if scheme else ''}, and no weight that is used is stored "
            "quantised: all are used as they are stored"
        )
    return ""


def _packed(name: str, names: Iterable[str]) -> str:
    """What is stored in place of a weight by one of the schemes that pack; "" where nothing is."""
    front = name.removesuffix("weight")
    beside = [other for other in names if other.startswith(front) and front.endswith(".")]
    parts = [other for other in beside if any(re.search(form, other) for form, _ in PACKED)]
    return min(parts, key=lambda part: "weight" not in part.removeprefix(front), default="")
