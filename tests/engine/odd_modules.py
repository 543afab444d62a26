"""Modules that do what few do, and some do: states, kernels and memory of all kinds, hooks, scripted parts, branches on numbers."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrizations

X = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(1))


class Two(nn.Module):
    """Two matrices, and whatever is done with them."""

    def __init__(self, does: Callable[..., Any]) -> None:
        super().__init__()
        self.a, self.b, self.does = nn.Linear(8, 8), nn.Linear(8, 8), does
        self.sub = nn.Identity()

    def forward(self, *given: Any, **named: Any) -> Any:
        return self.does(self, *given, **named)


class Doubled(torch.autograd.Function):
    """An operation of one's own, with a gradient of one's own."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        return x.clamp(min=0) * 2

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        return grad


class Branching(nn.Module):
    """What torch.jit can script and trace."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.sum() > 1e9:
            return x
        return torch.relu(self.inner(x)) + 1


class Recurrent(nn.Module):
    """An LSTM or a GRU, and what reads it."""

    def __init__(self, kind: type[nn.LSTM | nn.GRU], **options: Any) -> None:
        super().__init__()
        self.over, self.out = kind(8, 8, batch_first=True, **options), nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.over(x)[0][..., :8])


class Counting(nn.Module):
    """It counts its calls in a buffer, and norms over the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.count = nn.BatchNorm1d(5), nn.Buffer(torch.zeros(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.count += 1
        return self.norm(x) * self.count


@dataclasses.dataclass
class Held:
    """A result in a dataclass."""

    hidden: torch.Tensor
    beside: dict[str, Any]


def in_place(m: Two, x: torch.Tensor) -> torch.Tensor:
    y = m.a(x)
    y.view(2, 5, 2, 4)[:, :, 0].add_(1)
    y[:, 0].zero_()
    y.transpose(0, 1).mul_(2)
    y[y > 1.0] = 0.5
    return m.b(y)


def by_number(m: Two, x: torch.Tensor) -> torch.Tensor:
    for _ in range(int(x.abs().sum().item()) % 3 + 1):
        x = m.a(x)
    if (x > 0).any():
        x = x + float(x.max())
    return m.b(x)


def from_numpy(m: Two, x: torch.Tensor) -> torch.Tensor:
    return m.b(m.a(x) + torch.from_numpy(np.arange(8, dtype=np.float32)))


def into(m: Two, x: torch.Tensor) -> torch.Tensor:
    sums = torch.zeros(2, 5, 8)
    torch.add(m.a(x).detach(), 1, out=sums)
    return m.b(sums)


def other_data(m: Two, x: torch.Tensor) -> torch.Tensor:
    y = m.a(x)
    y.data = y.data * 2
    return m.b(y)


def through_both(m: Two, x: torch.Tensor) -> torch.Tensor:
    return m.b(m.a(x))


def through_all(m: Two, x: torch.Tensor) -> torch.Tensor:
    return m.b(m.sub(m.a(x)))


def thrice(_: nn.Module, __: object, output: torch.Tensor) -> torch.Tensor:
    return output * 3


def five_less(_: nn.Module, __: object, output: torch.Tensor) -> torch.Tensor:
    return output - 5


def hooked() -> nn.Module:
    m = Two(through_both)
    m.a.register_forward_hook(thrice)
    m.b.register_forward_pre_hook(lambda _, given: (given[0] + 1,))
    m.register_forward_hook(five_less)
    return m


def with_a(change: Callable[[nn.Linear], object]) -> nn.Module:
    m = Two(through_both)
    change(m.a)
    return m


def with_part(part: object) -> nn.Module:
    m = Two(through_all)
    m.sub = cast(nn.Identity, part)
    return m


def script(module: nn.Module) -> object:
    return torch.jit.script(module)  # pyright: ignore[reportUnknownMemberType]


def traced(module: nn.Module) -> object:
    return cast(Any, torch.jit).trace(module, X)


def nothing_but(m: Two, *, x: torch.Tensor) -> dict[str, Any]:
    return {"a": {"b": [m.a(x), (x * 2,)]}, "number": 3, "word": "x", "none": None}


def doing(does: Callable[[Two, torch.Tensor], Any]) -> Callable[[], nn.Module]:
    return lambda: Two(does)


# Each is called with X.
ODD: dict[str, Callable[[], nn.Module]] = {
    "lstm": lambda: Recurrent(nn.LSTM), "two ways": lambda: Recurrent(nn.LSTM, bidirectional=True, num_layers=2, dropout=0.3),
    "gru": lambda: Recurrent(nn.GRU), "own function": doing(lambda m, x: m.b(cast(Any, Doubled).apply(m.a(x)))),
    "scripted": lambda: with_part(script(Branching())), "traced": lambda: with_part(traced(Branching())), "hooks": hooked,
    "spectral": lambda: with_a(parametrizations.spectral_norm), "weight norm": lambda: with_a(parametrizations.weight_norm),
    "in parallel": lambda: nn.DataParallel(nn.Linear(8, 8)), "shared": doing(lambda m, x: m.a(m.a(m.a(x)))),
    "numpy": doing(from_numpy), "number": doing(by_number), "in place": doing(in_place), "out": doing(into),
    "other data": doing(other_data), "counting": Counting,
    "dataclass": doing(lambda m, x: Held(m.a(x), {"k": [m.b(x), "word"]})),
    "ordered": doing(lambda m, x: OrderedDict[str, Any](h=m.a(x), rest=(m.b(x), None, 3))),
    "no gradients": doing(lambda m, x: functional.relu(m.a(x).detach())),
}  # fmt: skip
