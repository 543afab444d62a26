"""Relative position bias as T5 and MPNet have it: buckets of distances, and a number for each bucket and head."""

from __future__ import annotations

from ....messages.errors import InputError
from ....ops import Buckets, Distances, Places, PositionBias
from ...config import Config
from .builder import Builder

PLACES = ("query", "key")
BIAS = ("head", "query", "key")
LEAST_BUCKETS = 4
# Why transformers' table of biases is no stage; the stage's name follows.
SQUARE = "it is [query, key, head] there and [batch, head, query, key] here: the same numbers are"


def distances(b: Builder, *, ahead: bool) -> str:
    """`positions.query`, `.key` and `.relative`: how far each key is from each query, counted as `Distances` says."""
    query, key = (b.add(f"positions.{along}", Places(along), ("tokens.ids",), PLACES) for along in PLACES)
    return b.add("positions.relative", Distances(ahead), (query, key), PLACES)


def buckets(b: Builder, count: int, distance: int) -> str:
    """`positions.buckets`, of which each distance has one."""
    return b.add("positions.buckets", Buckets(count, distance), (distances(b, ahead=True),), PLACES)


def bias(b: Builder, name: str, bucketed: str, module: str, count: int, heads: int) -> str:
    """What each distance adds to the scores of each head: (head, query, key)."""
    return b.add(name, PositionBias(), (bucketed,), BIAS, [(f"{module}.weight", (count, heads))])


def check_buckets(config: Config, count: int, distance: int) -> None:
    """Refuse buckets of which the reference makes divisions by zero.

    Raises:
        InputError: too few buckets, or a distance that the first of them cover already.
    """
    if count < LEAST_BUCKETS:
        raise InputError(
            f"{config.where}: relative_attention_num_buckets is {count}, and must be {LEAST_BUCKETS} or more"
        )
    if distance <= count // 4:
        raise InputError(
            f"{config.where}: relative_attention_max_distance is {distance}, and must be more than {count // 4}, "
            f"a quarter of relative_attention_num_buckets"
        )
