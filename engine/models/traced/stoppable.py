"""A library's long work that can be stopped: it asks nobody whether to go on, so it is given a thread, and interrupted there."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable

EVERY = 0.05  # seconds between two looks at whether it is to stop
AGAIN = 1.0  # seconds after which it is interrupted again: what is raised within a callback or a finaliser is lost


def run_stoppable(work: Callable[[], object], stopped: Callable[[], bool]) -> None:
    """Do some work; where it is to stop, KeyboardInterrupt is raised in it, as Ctrl-C does, as soon as it is back in Python.

    On the main thread, where Ctrl-C itself is raised, the work is just done.

    Raises:
        KeyboardInterrupt: it was stopped.
        Exception: whatever the work raises.
    """
    if threading.current_thread() is threading.main_thread():
        work()
        return
    raised: list[BaseException] = []

    def carry() -> None:
        try:
            work()
        except BaseException as error:  # handed on to who waits
            raised.append(error)

    thread = threading.Thread(target=carry, name="work", daemon=True)
    thread.start()
    again = 0.0
    while thread.is_alive():
        thread.join(EVERY)
        if stopped() and time.monotonic() >= again and thread.ident is not None:
            again = time.monotonic() + AGAIN
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(thread.ident), ctypes.py_object(KeyboardInterrupt)
            )
    if stopped():  # though it may have come to its end
        raise KeyboardInterrupt
    if raised:
        raise raised[0]
