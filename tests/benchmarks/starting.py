"""How long the first frame takes, with the map on it, beside importing Textual alone: both from their start, in turns.

python tests/benchmarks/all.py start
"""

from __future__ import annotations

from collections.abc import Iterable

from figures import Figure
from measuring import PROCESSOR, apart, compiled, in_turns, milliseconds, process, ratio
from screen import first_frame

TITLE = 'first frame, with the map on it / `python -c "import textual.app"`'
OURS, BARE = "first frame", "import"


def rows(quick: bool) -> Iterable[Figure]:
    """Of the processor and by the clock."""
    with compiled():
        took = in_turns(
            {OURS: first_frame, BARE: lambda: process(["-c", "import textual.app"])}, 3 if quick else 9, warm=1
        )
    for kind, times in apart(took).items():
        note = f"{milliseconds(times, OURS):.0f} ms against {milliseconds(times, BARE):.0f}"
        yield Figure(kind, "", ratio(times, OURS, BARE), note=note, held=kind == PROCESSOR)
