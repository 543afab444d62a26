"""What the calls of a graph are for, read from how data flows between them and never from what the author called anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..graph import Graph


@dataclass(frozen=True, slots=True)
class HeadStack:
    """Values of single heads, in their order, that together are one value with an axis of heads."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FusedAttention:
    """A fused attention: what goes into it, for its scores and weights to be shown."""

    prefix: str
    query: str
    key: str
    value: str
    mask: str = ""
    scale: float | None = None
    causal: bool = False


@dataclass(frozen=True)
class Roles:
    """What was recognised.

    Attributes:
        names: a value -> the canonical name of its stage.
        axes: a value -> the names of its axes.
        heads: values of single heads that are one value.
        fused: fused attentions, by the value they give.
        folded: calls that are a step on the way to another, with that.
    """

    names: Mapping[str, str] = field(default_factory=dict[str, str])
    axes: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    heads: tuple[HeadStack, ...] = ()
    fused: Mapping[str, FusedAttention] = field(default_factory=dict[str, FusedAttention])
    folded: Mapping[str, str] = field(default_factory=dict[str, str])


def roles_of(graph: Graph) -> Roles:
    """What a graph's calls are for."""
    return Roles()
