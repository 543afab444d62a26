"""What a report tells: the pairs that were compared, each with its picture and diagnosis, and how to do it again."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from ...analysis.compare import Comparison, Difference, Reference
from ...analysis.diagnose import Diagnosis
from ...program.stage import Stage
from ...program.trace import Trace
from .picture import DifferencePicture, picture_of

PACKAGES = ("encoder-tui", "torch", "transformers", "numpy")


@dataclass(frozen=True, slots=True, eq=False)
class ComparedPair:
    """A comparison, and what is told beside it.

    Attributes:
        comparison: of every stage.
        ours: what was compared.
        texts: what went into ours.
        asides: what else is to be said of the two, a line each.
        picture: of the first stage that differs; None where there is none.
        diagnosis: why; None where nothing differs, or nothing was looked for.
        refusal: why there is no diagnosis of a difference; "" where there is one.
    """

    comparison: Comparison
    ours: Trace
    texts: tuple[str, ...]
    asides: tuple[str, ...]
    picture: DifferencePicture | None
    diagnosis: Diagnosis | None
    refusal: str

    @property
    def first(self) -> Difference | None:
        """The first stage beyond tolerance."""
        return self.comparison.first

    def stage(self, name: str) -> Stage:
        """One of ours."""
        return self.ours.program[name]


def pair_of(
    reference: Reference, comparison: Comparison, asides: tuple[str, ...], diagnosis: Diagnosis | None, refusal: str
) -> ComparedPair:
    """What is told of a comparison; the numbers of its picture are read now."""
    first = comparison.first
    picture = picture_of(reference, first) if first is not None else None
    texts = tuple(reference.ours.tokens.texts)
    return ComparedPair(comparison, reference.ours, texts, asides, picture, diagnosis, refusal)


@dataclass(frozen=True, slots=True, eq=False)
class DifferenceReport:
    """All of it.

    Attributes:
        pairs: what was compared.
        versions: of what computed, by the packages' names; Python's too.
        command: the line that does it again; "" where it was begun from Python.
    """

    pairs: tuple[ComparedPair, ...]
    versions: Mapping[str, str]
    command: str

    @property
    def equal(self) -> bool:
        """Whether nothing differs anywhere."""
        return all(pair.comparison.equal for pair in self.pairs)


def versions() -> dict[str, str]:
    """Versions of what may change a number, of what is installed; nothing is imported for it."""
    told = {"Python": platform.python_version()}
    for package in PACKAGES:
        try:
            told[package] = version(package)
        except PackageNotFoundError:  # run from a clone; or transformers, which nothing here needs
            continue
    return told
