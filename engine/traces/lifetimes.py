"""What of the values kept is still wanted: what the rest of a layer is made of goes last, for it would be computed again at once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Sequence

from ..program.program import Program


class Lifetimes:
    """Where in a program each value is read, and how far the next place is that all goes on from.

    Args:
        program: the stages.
        windowed: whether a stage is only ever computed in rows, so that what it is made of is read wherever its rows are.
    """

    def __init__(self, program: Program, windowed: Callable[[str], bool]) -> None:
        self._program = program
        self._anchors = sorted(program.index(name) for name in program.anchors)
        self._reads: dict[str, list[int]] = {stage.name: [] for stage in program}
        sources: dict[str, Collection[str]] = {}  # of a stage in rows: the whole values that those are made of
        for place, stage in enumerate(program):
            read = dict.fromkeys(source for name in stage.inputs for source in sources.get(name, (name,)))
            if windowed(stage.name):
                sources[stage.name] = read
            else:
                for name in read:
                    self._reads[name].append(place)

    def wanted(self, name: str, at: int) -> bool:
        """Whether a value is still read on the way from a place in the program to the end of that layer."""
        reads = self._reads[name]
        later = bisect_right(reads, at)
        end = bisect_right(self._anchors, at)
        return later < len(reads) and (end == len(self._anchors) or reads[later] <= self._anchors[end])

    def place(self, name: str) -> int:
        """Where a stage stands."""
        return self._program.index(name)


def thinned(places: Sequence[int]) -> Iterator[int]:
    """Which of several places to give up, one after the other, so that those left are never far apart: indices into `places`.

    Args:
        places: in order.
    """
    left = list(enumerate(places))
    while left:
        # how far it would be from the one before to the one after; the last is where one stands, and goes last
        gaps = [(left[i + 1][1] - (left[i - 1][1] if i else -1), i) for i in range(len(left) - 1)] or [(0, 0)]
        yield left.pop(min(gaps)[1])[0]
