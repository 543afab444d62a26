"""What is different between two matrices that should be one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

ROWS = 0.02  # share of the rows that may be others for it to be a matter of rows
CLOSE = 1e-3
LARGEST_HEAD = 256  # head_dim of any encoder: larger roots are too near to one another to tell
LOW = 1e-3  # of the largest singular value: what counts as none
LARGEST = 1 << 23  # elements of a matrix whose rank is looked for


@dataclass(frozen=True)
class WeightApart:
    """One weight of theirs beside ours.

    Attributes:
        kind, cause: as of a hypothesis.
        weight: theirs.
        tied: whether ours is a table that is looked up as well.
    """

    kind: str
    cause: str
    weight: torch.Tensor
    tied: bool = False


def described(
    name: str,
    ours: torch.Tensor,
    theirs: torch.Tensor,
    all_ours: Mapping[str, torch.Tensor],
    tables: Sequence[str] = (),
    tied: str = "",
) -> WeightApart:
    """Say in what theirs is different from ours, of one shape and dtype.

    Args:
        all_ours: every weight of ours, as theirs may be another of them.
        tables: those of ours that are looked up, where this one is multiplied with.
        tied: which of the tables ours is; "" for none.
    """
    if tied:
        kind, cause = (
            "decoder not tied",
            f"theirs has weights of its own, {name}, where ours has the table {tied} (tied)",
        )
        return WeightApart(kind, cause, theirs, tied=True)
    kind, cause = _of_vector(name, ours, theirs) if ours.ndim == 1 else _of_matrix(name, ours, theirs)
    same = _twin(name, theirs, all_ours) if kind.startswith("other ") else ""
    if same in tables:
        kind, cause = "decoder tied", f"theirs has the table {same} (tied) where ours has weights of its own, {name}"
    elif same:
        kind, cause = "another weight of ours", f"{name} of theirs is {same} of ours"
    return WeightApart(kind, cause, theirs)


def _twin(name: str, theirs: torch.Tensor, all_ours: Mapping[str, torch.Tensor]) -> str:
    """Which other weight of ours theirs is; "" for none."""
    for other in all_ours:
        if other != name and all_ours[other].shape == theirs.shape and torch.equal(all_ours[other], theirs):
            return other
    return ""


def _of_vector(name: str, ours: torch.Tensor, theirs: torch.Tensor) -> tuple[str, str]:
    places = _places(ours != theirs)
    if not theirs.any():
        return "all zero", f"{name} is all zero in theirs"
    if not ours.any():
        return "all zero in ours", f"{name} is all zero in ours, and not in theirs"
    if len(places) <= max(1, int(ROWS * len(ours))):
        at = places[0]
        more = f" and {len(places) - 1} more" if len(places) > 1 else ""
        return (
            "few places",
            f"{name} is another at {at}{more}: {float(ours[at]):.4g} in ours, {float(theirs[at]):.4g} in theirs",
        )
    return "other weights", f"{name} is another: {_how_far(ours, theirs)}"


def _of_matrix(name: str, ours: torch.Tensor, theirs: torch.Tensor) -> tuple[str, str]:
    a, b = ours.flatten(1).double(), theirs.flatten(1).double()
    if not b.any():
        return "all zero", f"{name} is all zero in theirs"
    if not a.any():
        return "all zero in ours", f"{name} is all zero in ours, and not in theirs"
    if a.shape[0] == a.shape[1] and torch.equal(a, b.T):
        return "weight transposed", f"{name} is transposed in theirs"
    for axis, word in ((0, "row"), (1, "column")):
        lines = _places((a != b).any(1 - axis))
        if len(lines) <= max(1, int(ROWS * a.shape[axis])):
            return f"few {word}s", _of_lines(name, a.T if axis else a, b.T if axis else b, word, lines)
    factor = float((a * b).sum() / (a * a).sum().clamp_min(1e-300))
    if factor and float((b - factor * a).abs().max()) <= CLOSE * float(b.abs().max()):
        return "weights times a factor", f"{name} of theirs is ours times {_as_root(factor)}"
    for shift in (shift for shift in (1, -1, 2, -2) if 2 * abs(shift) < len(a) - 1):  # most of the rows must say so
        if torch.equal(a.roll(shift, 0)[abs(shift) : -abs(shift)], b[abs(shift) : -abs(shift)]):
            return "rows moved", f"the rows of {name} are moved by {shift} in theirs"
    if a.shape[0] % 3 == 0 and (order := _blocks(a, b)):
        return "joint qkv in another order", f"the thirds of {name} stand in the order {order} in theirs"
    rank = _rank(b - a)
    if rank:
        return (
            "low-rank difference",
            f"{name} of theirs differs by a matrix of rank {rank}, as a LoRA update merged once more or once less",
        )
    return "other weights", f"{name} is another: {_how_far(a, b)}"


def _as_root(factor: float) -> str:
    """`0.3536 (1/√8)`: with the root that it is, where it is one of a size that heads have."""
    for written, square in (("√", factor**2), ("1/√", factor**-2)):
        size = round(square)
        if 2 <= size <= LARGEST_HEAD and abs(square / size - 1) < CLOSE:
            return f"{factor:.4g} ({written}{size})"
    return f"{factor:.4g}"


def _of_lines(name: str, a: torch.Tensor, b: torch.Tensor, word: str, lines: list[int]) -> str:
    said: list[str] = []
    for line in lines[:3]:
        factor = float((a[line] @ b[line]) / (a[line] @ a[line]).clamp_min(1e-300))
        scaled = bool(factor) and float((b[line] - factor * a[line]).abs().max()) <= 0.02 * float(b[line].abs().max())
        said.append(
            f"{word} {line}"
            + (
                f" (theirs is ours times {factor:.4g})"
                if scaled
                else " (all zero in theirs)"
                if not b[line].any()
                else ""
            )
        )
    more = f" and {len(lines) - 3} more" if len(lines) > 3 else ""
    return f"{name} differs in {', '.join(said)}{more} alone"


def _blocks(a: torch.Tensor, b: torch.Tensor) -> str:
    """`value, query, key` where the thirds of a joint projection are ours in another order; "" else."""
    thirds, names = a.chunk(3), ("query", "key", "value")
    order = [
        next((name for name, third in zip(names, thirds, strict=True) if torch.equal(third, part)), "")
        for part in b.chunk(3)
    ]
    return ", ".join(order) if all(order) and len(set(order)) == 3 else ""


def _rank(apart: torch.Tensor) -> int:
    """The rank of a difference where it is low, 0 where it is not, or not looked for."""
    if apart.numel() > LARGEST or min(apart.shape) < 8:
        return 0
    values = np.linalg.svd(apart.cpu().numpy(), compute_uv=False)
    rank = int((values > LOW * values[0]).sum())
    return rank if rank <= min(apart.shape) // 4 else 0


def _how_far(a: torch.Tensor, b: torch.Tensor) -> str:
    a, b = a.double(), b.double()
    size = float((a * a).sum()) ** 0.5 or 1.0
    return f"‖theirs − ours‖ is {float(((b - a) ** 2).sum()) ** 0.5 / size:.3g} of ‖ours‖"


def _places(marks: torch.Tensor) -> list[int]:
    """Where a vector of truths is true."""
    return [int(place) for place in np.flatnonzero(marks.cpu().numpy())]
