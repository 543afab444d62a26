"""All that is said of a stage, put together, and written for the console."""

from __future__ import annotations

from dataclasses import dataclass

from ..index import Index
from ..trace import Trace
from ..translation import language as language_in_use
from ..translation import translate
from ..why.reading import one_element
from ..writing import cells
from .formulas import formulas
from .texts import sizes_of, text_of
from .worked import characteristic, number_of


@dataclass(frozen=True, slots=True)
class Page:
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
) -> Page:
    """What is said of a stage, with one of its numbers worked out.

    Args:
        name: as `Program.resolve` takes it.
        index: one element; None for one of the first word's.
        language: `en` or `zh`; None for the one in use.
        numbers: whether to read any; without them nothing is computed.

    Raises:
        InputError: no such stage, or an index that does not fit or means more than one element.
    """
    language = language or language_in_use()
    program = trace.program
    stage = program[program.resolve(name)]
    sizes = sizes_of(stage, program, trace.shapes)
    text = text_of(stage, program, language, sizes)
    place = number = ""
    if numbers and trace.has(stage.name):
        value = trace.value(stage.name)
        element = characteristic(trace, stage.name) if index is None else one_element(value, index)
        if 0 not in value.shape:
            place, number = number_of(trace, stage, element, text.worked, sizes, language)
    return Page(
        stage.name, language, text.title, text.what, text.why, *formulas(trace, stage.name, language), place, number
    )


def write_page(page: Page) -> str:
    """The page in lines, for the console and for batch mode."""
    labels = [translate(page.language, label) for label in ("formula", "shapes", "number")]
    number = " = ".join(filter(None, (page.place, page.number)))
    facts = [(label, fact) for label, fact in zip(labels, (page.formula, page.sizes, number), strict=True) if fact]
    width = max(map(cells, labels))
    lines = [f"{page.title}   {page.stage}", *(f"  {text}" for text in (page.what, page.why) if text)]
    return "\n".join([*lines, *(f"  {label}{' ' * (width - cells(label))}  {fact}" for label, fact in facts)])
