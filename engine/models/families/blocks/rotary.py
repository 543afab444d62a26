"""Parts of families with rotary positions (Su et al. 2021): cos and sin, and attention whose queries and keys are turned."""

from __future__ import annotations

from ....messages.errors import InputError
from ....ops import AddMask, RotaryTable, Rotate, Scale, Scores
from ...config import Config
from ..family import Options
from . import attention as parts
from .builder import Builder

TURNS = ("batch", "token", "head_dim")


def tables(b: Builder, name: str, theta: float, head_dim: int, options: Options) -> tuple[str, str]:
    """`{name}.cos` and `{name}.sin`."""
    cos, sin = (
        b.add(f"{name}.{function}", RotaryTable(function, theta, head_dim, options.dtype), ("tokens.positions",), TURNS)
        for function in ("cos", "sin")
    )
    return cos, sin


def attention(
    b: Builder, block: str, projections: tuple[str, str, str], turns: tuple[str, str], mask: str, heads: int,
    head_dim: int, *, upcast: bool = False,
) -> str:  # fmt: skip
    """Scaled dot-product attention in `block` with queries and keys turned, down to the heads side by side.

    Args:
        projections: names of query, key and value, (batch, token, hidden) each.
        turns: names of cos and sin.
        mask: name of the additive mask.
        upcast: whether turning and softmax are done in float32 whatever the dtype.
    """
    query, key, value = (
        parts.split_heads(b, block, role, x, heads)
        for role, x in zip(("query", "key", "value"), projections, strict=True)
    )
    query, key = (
        b.add(f"{block}.{role}_rotated", Rotate(upcast), (x, *turns), parts.PER_HEAD)
        for role, x in (("query", query), ("key", key))
    )
    scores = b.add(f"{block}.scores", Scores(), (query, key), parts.SQUARE)
    scaled = b.add(f"{block}.scaled", Scale(head_dim), (scores,), parts.SQUARE)
    masked = b.add(f"{block}.masked", AddMask(), (scaled, mask), parts.SQUARE)
    return parts.attend(b, block, masked, value, single=upcast)


def theta_of(rope: Config, default: float) -> float:
    """The base of rotary positions from what a config says of them.

    Args:
        rope: `rope_parameters`, or what it holds for one type of layer.
        default: the base where that is silent.

    Raises:
        InputError: a kind of rotary positions that is not implemented, or a base that is no positive number.
    """
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind != "default":
        raise InputError(f"{rope.where} has rope_type {kind!r}, which is not implemented; only 'default' is")
    theta = rope.get("rope_theta")
    theta = default if theta is None else theta
    if not isinstance(theta, int | float) or isinstance(theta, bool) or not 0 < theta < float("inf"):
        raise InputError(f"{rope.where} has rope_theta {theta!r}, and it must be a number above 0")
    factor = rope.get("partial_rotary_factor")
    if factor not in (1, None):
        raise InputError(f"{rope.where} has partial_rotary_factor {factor!r}, which is not implemented")
    return float(theta)


def even(config: Config, head_dim: int) -> None:
    """Rotary positions turn pairs.

    Raises:
        InputError: a head has an odd number of elements.
    """
    if head_dim % 2:
        raise InputError(f"{config.where}: heads of {head_dim} elements cannot be turned in pairs; it must be even")
