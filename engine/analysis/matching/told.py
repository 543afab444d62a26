"""How somebody's tensors were matched to stages, as text."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from ...messages.visible import visible
from ...program.stage import write_shape
from ...traces.matched import ForeignTensor, Match, Matched
from .likeness import FLOATS

FEW = 6
HOW = {
    "map": "by the map", "name": "by name", "value": "by shape and value", "follows": "by what is computed from it",
    "moved": "as the same numbers in another order",
}  # fmt: skip


def write_matches(trace: Matched, *, everything: bool = False) -> list[str]:
    """Lines on what was matched how, and what was not.

    Args:
        everything: a line for each match.
    """
    if not trace.matches:
        return []
    counts = Counter(match.how for match in trace.matches)
    said = ", ".join(f"{counts[how]} {words}" for how, words in HOW.items() if counts[how])
    lines = [f"matched    {len(trace.matches)} of {len(trace.program)} stages: {said}"]
    if everything:
        lines += [f"           {_match(trace, match)}" for match in trace.matches]
    else:
        laid = [match for match in trace.matches if match.layout.steps and match.how != "moved"]
        lines += [f"           {_match(trace, match)}" for match in laid[:3]]
        if len(laid) > 3:
            lines.append(f"           and {len(laid) - 3} more that lie otherwise than ours; `all` lists every match")
    left = [trace.tensors[name] for name in trace.unmatched]
    unread = unread_tensors(left)
    left = [tensor for tensor in left if tensor.is_read]
    numbers = [tensor for tensor in left if tensor.dtype in FLOATS and math.prod(tensor.shape) > 1]
    if left:
        named = [f"{visible(tensor.name)} {write_shape(tensor.shape)}" for tensor in numbers]
        others = len(left) - len(numbers)
        more = f"{'; ' if named else ''}{others} that are whole numbers or single ones" if others else ""
        lines.append(f"no stage   {_few(named, len(named) if everything else FEW)}{more}")
    if unread:
        said = _few(unread, len(unread) if everything else FEW)
        lines.append(f"not read   {said}: no array here holds such numbers; save them as float32")
    return lines


def unread_tensors(tensors: Iterable[ForeignTensor]) -> list[str]:
    """Of some tensors those whose numbers are not read, each with its dtype."""
    return [f"{visible(tensor.name)} ({visible(tensor.dtype)})" for tensor in tensors if not tensor.is_read]


def _match(trace: Matched, match: Match) -> str:
    near = "" if match.apart is None else ", the same numbers" if match.apart < 1e-6 else f", {match.apart:.2g} apart"
    layout = f" ({match.layout})" if str(match.layout) else ""
    note = f"; {match.note}" if match.note else ""
    return f"{visible(match.theirs)}{layout} = {match.stage} {HOW[match.how]}{near}{note}"


def _few(names: Sequence[str], most: int) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
