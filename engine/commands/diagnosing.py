"""What a session's reference does otherwise: the cause of a difference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from ..messages.errors import InputError
from ..program.trace import LiveTrace
from .session import Session

if TYPE_CHECKING:
    from ..analysis.diagnose import Diagnosis
    from ..traces.run import Run


def diagnosed(session: Session, tolerance: float | None = None) -> Diagnosis:
    """What this run's reference does otherwise; the reference is edited where this is a recording.

    Raises:
        InputError: nothing was compared, or neither side can be computed otherwise.
    """
    from ..analysis.diagnose import diagnose

    reference = session.expect_reference()
    ours, theirs = session.trace, reference.trace
    if isinstance(ours, LiveTrace):
        return diagnose(
            cast("Run", ours), theirs, tolerance=tolerance, settings=_settings(session), stopped=session.stopped
        )
    if not isinstance(theirs, LiveTrace):
        raise InputError(
            "a cause is found by computing one side otherwise, and both are recordings; compare with `model M`"
        )
    made = diagnose(cast("Run", theirs), ours, tolerance=tolerance, stopped=session.stopped)
    return made.seen_from_theirs()


def _settings(session: Session) -> Mapping[str, Any]:
    """What the model's config says, where it has one."""
    config = getattr(getattr(session.encoder, "checkpoint", None), "config", None)
    return getattr(config, "values", {})
