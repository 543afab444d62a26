"""References that can be computed anew of something else than what was compared: of other texts, of shorter ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..messages.errors import InputError
from . import foreign_references
from .foreign_references import ComputedAnew
from .references import USAGE, other_model, prompt_of, trace_through
from .session import Session

if TYPE_CHECKING:
    from ..models.encoder import Encoder
    from ..models.settings import Settings


def _model(session: Session, rest: Sequence[str]) -> ComputedAnew:
    other, prompt = other_model(session, rest), prompt_of(session)
    return lambda trace: trace_through(other, trace, prompt)


def _dtype(session: Session, rest: Sequence[str]) -> ComputedAnew:
    encoder = text_encoder(session)
    return _otherwise(encoder, replace(encoder.settings, dtype=rest[0]))


def _device(session: Session, rest: Sequence[str]) -> ComputedAnew:
    encoder = text_encoder(session)
    return _otherwise(encoder, replace(encoder.settings, device=rest[0]))


def _otherwise(encoder: Encoder, settings: Settings) -> ComputedAnew:
    other = encoder.otherwise(settings)
    return lambda trace: other.run(trace.original_inputs)


ANEW: dict[str, Callable[[Session, Sequence[str]], ComputedAnew]] = {
    "model": _model,
    "dtype": _dtype,
    "device": _device,
    "module": foreign_references.module_anew,
    "onnx": foreign_references.onnx_anew,
    "attention": foreign_references.attention_anew,
    "compile": foreign_references.compiled_anew,
}
USAGE_ANEW = " | ".join(part for part in USAGE.split(" | ") if part.split()[0] in ANEW)


def expect_anew(session: Session, words: Sequence[str], what: str) -> None:
    """Refuse a reference that cannot be computed of anything else, before anything is opened.

    Args:
        words: a kind and its argument: `["model", "./port"]`.
        what: is to be done with it, for the refusal: `over a file of texts compare`.

    Raises:
        InputError: it is of its own texts, or this run is patched.
    """
    kind, *rest = words or [""]
    if kind not in ANEW or not (rest or kind == "compile"):
        kinds = " or ".join(f"{each} ..." if each != "compile" else each for each in ANEW)
        raise InputError(f"{' '.join(words)!r} is of its own texts; {what} {kinds}")
    if session.trace.patched:
        raise InputError(
            f"texts go through the models as they are, without what is patched here ({', '.join(sorted(session.trace.patched))}); undo that first"
        )


def computed_anew(session: Session, words: Sequence[str]) -> ComputedAnew:
    """What gives the reference's trace of what went into any of ours; it is opened once.

    Raises:
        InputError: it cannot be opened.
    """
    return ANEW[words[0]](session, words[1:])


def text_encoder(session: Session) -> Encoder:
    """What reads texts.

    Raises:
        InputError: there is no model of text.
    """
    if session.encoder is None or session.encoder.side != "text":
        raise InputError("texts go through a model of text, and there is none here")
    return session.encoder
