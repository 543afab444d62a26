"""Operators that are given functions: `torch.cond`, `while_loop`, flex attention. torch asks a mode about them by its class, or goes no further."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

import torch
from torch._ops import _higher_order_ops  # pyright: ignore[reportPrivateUsage]

TARGET = "higher_order"


class SeesOperators(Protocol):
    """A mode that watches."""

    def __enter__(self) -> Any: ...
    def __exit__(self, *error: Any) -> Any: ...

    def seen_whole(self, target: str, compute: Callable[[], Any], given: Sequence[Any]) -> Any:
        """See an operator as one operation, of which nothing inside is seen."""
        ...


def take_operators(kind: type) -> None:
    """Have a class of modes asked about every operator that is given functions.

    Of `torch.cond` the branch that is taken is computed in the open, as if it stood there; the others are seen whole.
    """
    for name, operator in _higher_order_ops.items():
        rule = partial(_whole, operator, name) if name != "cond" else _branch
        operator.python_key_table.setdefault(kind, rule)  # pyright: ignore[reportUnknownMemberType]


def _branch(mode: SeesOperators, chosen: Any, if_true: Any, if_false: Any, operands: Sequence[Any] = ()) -> Any:
    """Torch has taken the mode off to ask it."""
    with mode:
        taken = bool(chosen.item()) if isinstance(chosen, torch.Tensor) else bool(chosen)
        return (if_true if taken else if_false)(*operands)


def _whole(operator: Any, name: str, mode: SeesOperators, *given: Any, **options: Any) -> Any:
    return mode.seen_whole(f"{TARGET}.{name}.default", lambda: operator(*given, **options), (*given, *options.values()))
