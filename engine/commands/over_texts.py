"""A comparison over the texts of a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..messages.errors import InputError
from ..models.settings import Settings
from ..program.trace import Trace
from .references import other_model, prompt_of, trace_through
from .session import Session

if TYPE_CHECKING:
    from ..analysis.compare.over_texts import OverTexts
    from ..models.encoder import Encoder
    from ..pages.facts import JsonObject

KINDS = ("model", "dtype", "device")


@dataclass(frozen=True, slots=True)
class OverTextsRequest:
    """What a line of `compare ... texts FILE` asks for.

    Attributes:
        title: the reference as it was typed.
        texts: of the file.
        other: gives the reference's trace of what went into one of ours.
        tolerance: as given; None for the default.
    """

    title: str
    texts: tuple[str, ...]
    other: Callable[[Trace], Trace]
    tolerance: float | None


def over_texts_request(session: Session, words: Sequence[str], path: str, tolerance: float | None) -> OverTextsRequest:
    """Read the file, and open the reference once for all texts.

    Raises:
        InputError: the file cannot be read, the reference is not one that other texts can go through, or this run is patched.
    """
    from ..analysis.compare.over_texts import texts_in

    encoder = _encoder(session)
    kind, *rest = words
    if kind not in KINDS or not rest:
        raise InputError(
            f"{' '.join(words)!r} is of its own texts; over a file of texts compare {' or '.join(f'{k} ...' for k in KINDS)}"
        )
    if session.trace.patched:
        raise InputError(
            f"texts go through the models as they are, without what is patched here ({', '.join(sorted(session.trace.patched))}); undo that first"
        )
    texts = tuple(texts_in(path))
    if kind == "model":
        other, prompt = other_model(session, rest), prompt_of(session)
        return OverTextsRequest(" ".join(words), texts, lambda trace: trace_through(other, trace, prompt), tolerance)
    settings = (
        replace(encoder.settings, dtype=rest[0]) if kind == "dtype" else replace(encoder.settings, device=rest[0])
    )
    return OverTextsRequest(" ".join(words), texts, _otherwise(encoder, settings), tolerance)


def _otherwise(encoder: Encoder, settings: Settings) -> Callable[[Trace], Trace]:
    other = encoder.otherwise(settings)
    return lambda trace: other.run(trace.original_inputs)


@dataclass(frozen=True, slots=True)
class TextsCompared:
    """What came of it.

    Attributes:
        result: as it is.
        text: for people.
    """

    result: OverTexts
    text: str

    @property
    def equal(self) -> bool:
        """Whether no text differs, at no length."""
        return self.result.equal

    def facts(self) -> list[JsonObject]:
        """The same for JSON."""
        from ..pages.texts_facts import over_texts_facts

        return [over_texts_facts(self.result)]


def compare_over_texts(session: Session, wanted: OverTextsRequest) -> TextsCompared:
    """Compare every text, and write down what they show together."""
    from ..analysis.compare.over_texts import compare_texts, write_over_texts

    encoder = _encoder(session)
    result = compare_texts(
        wanted.texts, lambda texts, length: encoder.trace(texts, None, length), wanted.other, title=wanted.title,
        tolerance=wanted.tolerance, longest=session.trace.longest, stopped=session.stopped,
    )  # fmt: skip
    return TextsCompared(result, write_over_texts(result))


def _encoder(session: Session) -> Encoder:
    if session.encoder is None or session.encoder.side != "text":
        raise InputError("texts go through a model of text, and there is none here")
    return session.encoder
