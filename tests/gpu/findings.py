"""What the checks find: a line each, for people and for the file of figures."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable
from typing import Any


class Findings:
    """Lines that say what was tried, whether it holds, and the figures.

    Attributes:
        lines: (section, what, whether it holds, what was seen).
        tables: rows of figures by section.
    """

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, bool, str]] = []
        self.tables: dict[str, list[dict[str, Any]]] = {}
        self.seconds: dict[str, float] = {}
        self._section = ""

    def section(self, name: str, work: Callable[[Findings], None]) -> None:
        """Do one part of the checks; an error in it is a finding."""
        self._section, begin = name, time.perf_counter()
        print(f"\n== {name}", flush=True)
        self.attempt(f"all of {name}", lambda: work(self), quiet=True)
        self.seconds[name] = round(time.perf_counter() - begin, 1)
        print(f"   {self.seconds[name]} s", flush=True)

    def attempt(self, what: str, work: Callable[[], Any], *, quiet: bool = False) -> Any:
        """Do it; an error is a finding, and what it returns comes back."""
        try:
            return work()
        except Exception as error:
            traceback.print_exc(file=sys.stdout)
            said = " ".join(str(error).split())[:300]
            self.holds(what, False, f"{type(error).__name__}: {said}")
            return None
        finally:
            if not quiet:
                sys.stdout.flush()

    def holds(self, what: str, whether: bool, seen: str = "") -> None:
        """Write down one finding."""
        self.lines.append((self._section, what, bool(whether), seen))
        print(f"{'   ok' if whether else 'WRONG'}  {what}{': ' * bool(seen)}{seen}", flush=True)

    def row(self, **figures: Any) -> None:
        """Write down a row of figures."""
        self.tables.setdefault(self._section, []).append(figures)
        print("       " + "  ".join(f"{name} {value}" for name, value in figures.items()), flush=True)

    @property
    def wrong(self) -> list[tuple[str, str, bool, str]]:
        """What does not hold."""
        return [line for line in self.lines if not line[2]]
