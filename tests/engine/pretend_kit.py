"""What the tests on the pretend device share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from gpu.pretend import DEVICE, Ledger, install, ledger


@pytest.fixture(scope="module", autouse=True)
def pretend() -> torch.device:
    """The device, known to torch and to the engine from the first test of a module on."""
    return install()


@pytest.fixture
def seen() -> Iterator[Ledger]:
    """What goes on there during a test."""
    with ledger() as opened:
        yield opened


def there(tensor: torch.Tensor) -> torch.Tensor:
    """The same numbers on the pretend device."""
    return tensor.to(DEVICE)


def same(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Equal to the last bit, a NaN to a NaN, laid out alike or not."""
    one, other = one.detach().cpu(), other.detach().cpu()
    return (
        one.dtype == other.dtype
        and one.shape == other.shape
        and torch.equal(one.nan_to_num(), other.nan_to_num())
        and torch.equal(one.isnan(), other.isnan())
    )
