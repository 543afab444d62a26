"""A comparison over the texts of a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..program.trace import Trace
from .anew import computed_anew, expect_anew, text_encoder
from .session import Session

if TYPE_CHECKING:
    from ..analysis.compare.over_texts import OverTexts
    from ..pages.facts import JsonObject


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

    text_encoder(session)
    expect_anew(session, words, "over a file of texts compare")
    texts = tuple(texts_in(path))  # first, as to open the other one may take its time
    return OverTextsRequest(" ".join(words), texts, computed_anew(session, words), tolerance)


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
        """Whether no text differs, at no length and beside no padding."""
        return self.result.equal

    def facts(self) -> list[JsonObject]:
        """The same for JSON."""
        from ..pages.texts_facts import over_texts_facts

        return [over_texts_facts(self.result)]


def compare_over_texts(session: Session, wanted: OverTextsRequest) -> TextsCompared:
    """Compare every text, and write down what they show together."""
    from ..analysis.compare.many_texts import compare_texts
    from ..analysis.compare.over_texts_text import write_over_texts

    encoder = text_encoder(session)
    result = compare_texts(
        wanted.texts, lambda texts, length: encoder.trace(texts, None, length), wanted.other, title=wanted.title,
        tolerance=wanted.tolerance, longest=session.trace.longest, stopped=session.stopped,
    )  # fmt: skip
    return TextsCompared(result, write_over_texts(result))
