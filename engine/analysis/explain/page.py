"""All that is said of a stage, put together, and written for the console."""

from __future__ import annotations

from dataclasses import dataclass

from ...messages.translation import language as language_in_use
from ...messages.translation import translate
from ...program.per_text import Index, PerText
from ...program.trace import Trace
from ...program.writing import cells
from .formulas import formulas
from .texts import axis_sizes, stage_text
from .worked import characteristic, number_of


@dataclass(frozen=True, slots=True)
class StagePage:
    """What is said of one stage and one number of it.

    Attributes:
        stage: canonical name; language: `en` or `zh`.
        title, what, why: the text, filled with this run's sizes.
        formula: with names; sizes: the same with shapes.
        place, number: a number's name and how it comes about, in one line; "" where the stage has no numbers yet.
    """

    stage: str
    language: str
    title: str
    what: str
    why: str
    formula: str
    sizes: str
    place: str = ""
    number: str = ""


def explain_stage(
    trace: Trace, name: str, index: Index | str | None = None, language: str | None = None, *, numbers: bool = True
) -> StagePage:
    """What is said of a stage, with one of its numbers worked out.

    Args:
        name: as `Program.resolve` takes it.
        index: which element's number is worked out; along an axis it leaves open, the first word's.
        language: `en` or `zh`; None for the one in use.
        numbers: whether to read any; without them nothing is computed.

    Raises:
        InputError: no such stage, or an index that does not fit.
    """
    language = language or language_in_use()
    program = trace.program
    stage = program[program.resolve(name)]
    sizes = axis_sizes(stage, program, trace.shapes, trace.original_tokens)
    text = stage_text(stage, program, language, sizes)
    place = number = ""
    if numbers and trace.has(stage.name):
        value = trace.value(stage.name)
        element = _element(trace, stage.name, index)
        if 0 not in value.shape:
            place, number = number_of(trace, stage, element, text.worked, sizes, language)
    return StagePage(
        stage.name, language, text.title, text.what, text.why, *formulas(trace, stage.name, language), place, number
    )


def _element(trace: Trace, name: str, index: Index | str | None) -> tuple[int, ...]:
    """The element that is meant; along an axis that is left open, one of the first word's if it is in the window."""
    value = trace.value(name)
    element: list[int] = []
    for part, size, first in zip(value.bind(index or ()), value.shape, characteristic(trace, name), strict=True):
        if isinstance(part, PerText):
            part = part.of(element[0])
        places = range(*part.indices(size)) if isinstance(part, slice) else range(part, part + 1)
        element.append(first if first in places or not places else places[0])
    return tuple(element)


def write_page(page: StagePage) -> str:
    """The page in lines, for the console and for batch mode."""
    labels = [translate(page.language, label) for label in ("formula", "shapes", "number")]
    number = " = ".join(filter(None, (page.place, page.number)))
    facts = [(label, fact) for label, fact in zip(labels, (page.formula, page.sizes, number), strict=True) if fact]
    width = max(map(cells, labels))
    lines = [f"{page.title}   {page.stage}", *(f"  {text}" for text in (page.what, page.why) if text)]
    return "\n".join([*lines, *(f"  {label}{' ' * (width - cells(label))}  {fact}" for label, fact in facts)])
