"""Delta debugging: the smallest part of something that still shows what all of it shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import TypeVar

Item = TypeVar("Item")
Chosen = tuple[int, ...]


def ddmin(items: Sequence[Item], shows: Callable[[tuple[Item, ...]], bool]) -> tuple[Item, ...]:
    """Leave out of items, in ever smaller parts, whatever is not needed.

    What is left shows it, and without any one of its items it does not: it is 1-minimal. A smaller set of other items may be there;
    where whatever holds a set that shows it shows it too, and one such set is within all others, it is that set.

    This is the algorithm ddmin of A. Zeller and R. Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", IEEE Transactions on
    Software Engineering 28(2), 2002, figure 4: of n parts each is tried alone, then all but each, then twice as many parts are made. It takes
    about 2 log2(k) questions to find one item of k, and k² + 3k at worst.

    Args:
        items: all of it, which shows it: that is not asked.
        shows: whether some of the items, in their order, show it. It is asked once of each set, and never of none.
    """
    known: dict[Chosen, bool] = {}

    def still(chosen: Chosen) -> bool:
        if chosen not in known:
            known[chosen] = bool(chosen) and shows(tuple(items[at] for at in chosen))
        return known[chosen]

    left, count = tuple(range(len(items))), 2
    while len(left) > 1:
        alone = next((part for part in _parts(left, count) if still(part)), None)
        if alone is not None:
            left, count = alone, 2
            continue
        without = next((rest for rest in _complements(left, count) if still(rest)), None)
        if without is not None:
            left, count = without, max(count - 1, 2)
        elif count < len(left):
            count = min(2 * count, len(left))
        else:
            break
    return tuple(items[at] for at in left)


def _parts(chosen: Chosen, count: int) -> Iterator[Chosen]:
    """So many parts, none empty, as equal as they can be."""
    count = min(count, len(chosen))
    ends = [len(chosen) * part // count for part in range(count + 1)]
    for start, stop in pairwise(ends):
        yield chosen[start:stop]


def _complements(chosen: Chosen, count: int) -> Iterator[Chosen]:
    """All but each of those parts."""
    for part in _parts(chosen, count):
        left_out = set(part)
        yield tuple(at for at in chosen if at not in left_out)
