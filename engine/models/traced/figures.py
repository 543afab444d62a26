"""What the numbers of a value are like, told where the value lies, so that no device is waited for until somebody asks."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ...program.stats import BINS, Stats

CHUNK = 1 << 22  # numbers that are widened at a time


@dataclass(frozen=True, slots=True)
class FiguresOnDevice:
    """Figures of a value, on its device still.

    Attributes:
        numbers: count, NaN, infinite, zeros, min, max, mean, std, norm; None of a value that has none: another layout, no numbers.
        bars: how many fall into each bin.
    """

    numbers: torch.Tensor | None
    bars: torch.Tensor | None = None

    def stats(self) -> Stats | None:
        """The same on the CPU."""
        if self.numbers is None:
            return None
        count, nan, inf, zeros, least, most, mean, std, norm = (float(number) for number in self.numbers.cpu().numpy())
        bars = tuple(map(int, self.bars.cpu().numpy())) if self.bars is not None and nan + inf < count else ()
        return Stats(int(count), int(nan), int(inf), int(zeros), least, most, mean, std, norm, bars)


@torch.no_grad()
def figures_on_device(tensor: torch.Tensor) -> FiguresOnDevice:
    """Figures as `Stats` has them; sums in float64, where the device has that."""
    if (
        tensor.layout is not torch.strided
        or tensor.is_quantized
        or tensor.is_complex()
        or tensor.is_meta
        or not tensor.numel()
    ):
        return FiguresOnDevice(None)
    flat = tensor.reshape(-1)
    first = torch.stack([_counted(_wide(chunk)) for chunk in _chunks(flat)])  # (chunk, figure)
    count, nan, zeros, total = first[:, (0, 1, 2, 5)].sum(0)
    least, most = first[:, 3].min(), first[:, 4].max()
    mean = total / count  # NaN where nothing is finite
    second = [_spread(_wide(chunk), mean, least, most) for chunk in _chunks(flat)]
    spread, squares = torch.stack([sums for sums, _ in second]).sum(0)
    size, none = torch.full_like(mean, tensor.numel()), count == 0
    given = [
        size, nan, size - count - nan, zeros, torch.where(none, torch.nan, least), torch.where(none, torch.nan, most), mean,
        (spread / count).sqrt(), torch.where(none, torch.nan, squares.sqrt()),
    ]  # fmt: skip
    return FiguresOnDevice(torch.stack(given), torch.stack([bars for _, bars in second]).sum(0))


def _chunks(flat: torch.Tensor) -> list[torch.Tensor]:
    return [flat[start : start + CHUNK] for start in range(0, flat.numel(), CHUNK)]


def _wide(chunk: torch.Tensor) -> torch.Tensor:
    return chunk.to(torch.float32 if chunk.device.type == "mps" else torch.float64)


def _counted(wide: torch.Tensor) -> torch.Tensor:
    """How many are finite, NaN, zero; the least, the greatest and the sum of the finite ones."""
    finite = torch.isfinite(wide)
    counts = [finite.sum(), torch.isnan(wide).sum(), (wide == 0).sum()]
    sums = [
        torch.where(finite, wide, torch.inf).min(), torch.where(finite, wide, -torch.inf).max(), torch.where(finite, wide, 0).sum(),
    ]  # fmt: skip
    return torch.stack([*(number.to(wide.dtype) for number in counts), *sums])


def _spread(
    wide: torch.Tensor, mean: torch.Tensor, least: torch.Tensor, most: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Sums of the squares around the mean and around zero, and the bins."""
    finite = torch.isfinite(wide)
    sums = [torch.where(finite, around, 0).square().sum() for around in (wide - mean, wide)]
    place = ((wide - least) / (most - least) * BINS).clamp(0, BINS - 1)
    bins = torch.where(most > least, place, BINS // 2).nan_to_num(0).long()
    bars = torch.zeros(BINS, dtype=torch.long, device=wide.device)
    return torch.stack(sums), bars.scatter_add_(0, bins, finite.long())
