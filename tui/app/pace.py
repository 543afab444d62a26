"""How the screen comes first: before Python's own business, and before what is computed."""

from __future__ import annotations

import gc
import os
import sys
import threading
from contextlib import suppress

COLLECTED = 10_000, 20, 50  # new objects until cycles are looked for; a frame makes thousands, and none that are in one
SWITCHED = 0.001  # seconds after which the engine's thread lets that of the screen go on; Python's own are five
BEHIND = 5  # steps of priority, each worth a quarter: three times less of a core that others want too


def set_pace() -> None:
    """Look for garbage seldom, and change threads soon. Before the screen is imported: that makes as many objects as a hundred frames."""
    gc.set_threshold(*COLLECTED)
    sys.setswitchinterval(SWITCHED)


def come_after_screen() -> None:
    """Give the thread that calls this a lower priority than the screen's, and with it those that it makes, torch's before all.

    As many of them as there are cores are at it without a pause while a forward runs. Among equals the screen's thread waits until
    one of them has had its slice, four milliseconds and more, at every turn: for a key, for the frame, for what is written. Nothing
    is lost by it where nobody else wants the cores; where others do, they get three times as much each, no more, so that a forward
    beside a compiler still ends. Only Linux has priorities of threads.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with suppress(OSError):  # a sandbox may forbid it
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + BEHIND)
