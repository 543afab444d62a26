"""What a stage does, in words and with this run's numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...engine.analysis.explain import StagePage
    from ...engine.commands.session import Session


def read_explanation(session: Session, stage: str, index: tuple[int, ...] | None, *, numbers: bool) -> StagePage:
    """Explain a stage. Runs on the engine's thread.

    Args:
        index: the element that is worked out; None for none.
        numbers: whether the stage has any.
    """
    if numbers:
        session.see(stage)
    from ...engine.analysis.explain import explain_stage

    return explain_stage(session.trace, stage, index, numbers=numbers)
