"""Sessions and runs in tests: commands one after the other, every stage one after the other."""

from __future__ import annotations

from typing import Any

from encoder_tui.engine import Session
from encoder_tui.engine.commands import TABLE


def do(session: Session, *lines: str) -> str:
    """Run commands; the last one's answer."""
    return [TABLE.execute(session, line).text for line in lines][-1]


def walk(run: Any) -> None:
    """Step through every stage."""
    for position in range(len(run.program)):
        run.reach(position)
