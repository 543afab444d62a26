"""How often Python sees to itself while there is a screen."""

from __future__ import annotations

import gc
import sys

COLLECTED = 10_000, 20, 50  # new objects until cycles are looked for; a frame makes thousands, and none that are in one
SWITCHED = 0.001  # seconds after which the engine's thread lets that of the screen go on; Python's own are five


def set_pace() -> None:
    """Look for garbage seldom, and change threads soon. Before the screen is imported: that makes as many objects as a hundred frames."""
    gc.set_threshold(*COLLECTED)
    sys.setswitchinterval(SWITCHED)
