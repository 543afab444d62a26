"""How long the first frame takes, with the map on it, beside importing Textual alone: both from their start, in turns.

python tests/benchmarks/all.py start
"""

from __future__ import annotations

import os
import statistics
import tempfile
from collections.abc import Iterable

from figures import Figure
from measuring import in_turns, ratio
from screen import bare_import, first_frame

TITLE = 'first frame, with the map on it / `python -c "import textual.app"`'
OURS, BARE = "first frame", "import"


def rows(quick: bool) -> Iterable[Figure]:
    """By the clock and of the processor."""
    taken: dict[str, list[tuple[float, float]]] = {OURS: [], BARE: []}

    def first() -> float:
        taken[OURS].append(first_frame())
        return taken[OURS][-1][0]

    def bare() -> float:
        taken[BARE].append(bare_import())
        return taken[BARE][-1][0]

    with tempfile.TemporaryDirectory() as compiled:  # as an installed program finds itself, whatever is set here
        written = os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = compiled
        in_turns({OURS: first, BARE: bare}, 3 if quick else 7, warm=1)
        del os.environ["PYTHONPYCACHEPREFIX"]
        if written is not None:
            os.environ["PYTHONDONTWRITEBYTECODE"] = written
    for at, what in enumerate(("by the clock", "of the processor")):
        times = {side: [each[at] for each in several[1:]] for side, several in taken.items()}
        own, alone = (1000 * statistics.median(times[side]) for side in (OURS, BARE))
        yield Figure(what, "", ratio(times, OURS, BARE), note=f"{own:.0f} ms against {alone:.0f}")
