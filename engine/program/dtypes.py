"""What is known of number types, in one place: what they are called, how wide they are, how fine and how large."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Dtype:
    """A type of numbers.

    Attributes:
        name: as torch calls it.
        code: as safetensors calls it.
        size: bytes of one number.
        numpy: numpy's type for the same bytes, little-endian; "" where it has none.
    """

    name: str
    code: str
    size: int
    numpy: str = ""


@dataclass(frozen=True, slots=True)
class Float(Dtype):
    """A type of floating numbers to compute with.

    Attributes:
        epsilon: the spacing of numbers just above 1.
        smallest: the smallest normal number.
        lowest: the most negative finite number, as `torch.finfo` has it.
        vanishes: from so far below the largest score on, a softmax gives 0.
    """

    epsilon: float = 0.0
    smallest: float = 0.0
    lowest: float = 0.0
    vanishes: float = 0.0


FLOATS: Mapping[str, Float] = {
    dtype.name: dtype
    for dtype in (
        Float("float32", "F32", 4, "<f4", 2.0**-23, 2.0**-126, -(2.0**128 - 2.0**104), 104.0),
        Float("float64", "F64", 8, "<f8", 2.0**-52, 2.0**-1022, -(2.0**1023) * (2 - 2.0**-52), 746.0),
        Float("bfloat16", "BF16", 2, "<u2", 2.0**-7, 2.0**-126, -(2.0**128 - 2.0**120), 93.0),
        Float("float16", "F16", 2, "<f2", 2.0**-10, 2.0**-14, -65504.0, 17.4),
    )
}
# What values that are not floating numbers are made of.
WHOLE: Mapping[str, Dtype] = {
    dtype.name: dtype
    for dtype in (Dtype("int64", "I64", 8, "<i8"), Dtype("int32", "I32", 4, "<i4"), Dtype("bool", "BOOL", 1, "|b1"))
}
# What weights are stored in, and values are made of in other people's modules alone.
STORED: Mapping[str, Dtype] = {
    dtype.name: dtype
    for dtype in (
        Dtype("float8_e4m3fn", "F8_E4M3", 1), Dtype("float8_e5m2", "F8_E5M2", 1), Dtype("float8_e8m0fnu", "F8_E8M0", 1),
        Dtype("int16", "I16", 2, "<i2"), Dtype("int8", "I8", 1, "|i1"), Dtype("uint8", "U8", 1, "|u1"), Dtype("uint16", "U16", 2, "<u2"),
        Dtype("uint32", "U32", 4, "<u4"), Dtype("uint64", "U64", 8, "<u8"), Dtype("complex64", "C64", 8),
    )
}  # fmt: skip
DTYPES: Mapping[str, Dtype] = {**FLOATS, **WHOLE, **STORED}
BY_CODE: Mapping[str, Dtype] = {dtype.code: dtype for dtype in DTYPES.values()}


def coarser(one: str, other: str) -> str:
    """Of two dtypes the one with the larger epsilon; "" when neither is a floating one."""
    known = [name for name in (one, other) if name in FLOATS]
    return max(known, key=lambda name: FLOATS[name].epsilon, default="")


def floor_of(dtype: str) -> float:
    """Numbers at or below this are a mask's, not a score's: masks add the lowest number a dtype has."""
    return {"float16": -3e4, "float64": -8e307}.get(dtype, -1.6e38)
