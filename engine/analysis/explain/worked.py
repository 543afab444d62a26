"""One number of a stage, worked out: `2.31 = 0.41·1.12 + 0.9·0.7 + ... `, from the explanation that `why` gives."""

from __future__ import annotations

import math
import re
import string
from collections.abc import Mapping, Sequence
from typing import Any

from ...messages.errors import InputError
from ...messages.translation import said, translate
from ...program.element import face_at, text_of
from ...program.index import TOKEN_AXES
from ...program.stage import Stage
from ...program.trace import Trace
from ..why import Explanation, Term, explain

SHOWN = 3  # so many terms of a sum are written out
DIGITS = 4
NOT_KNOWN, BY_HAND = "its terms are not known here", "put here by hand"
_FIRST_NEGATIVE = re.compile(r"\(\((-[^()]*)\)")  # right behind a bracket a negative number needs none of its own


def worked_out(trace: Trace, stage: Stage, index: tuple[int, ...], how: Sequence[str], sizes: Mapping[str, Any], language: str) -> tuple[str, str]:  # fmt: skip
    """A number's name, and how it comes about in one line.

    Args:
        how: templates with fields, of which the first is taken that asks for nothing that is not known; without one it
            is the sum of the largest terms. Fields: `{value}`; every fact of the explanation by its name (`{row sum}`);
            `{a}`, `{b}`, `{c}`, the operands of the first term, and `{place_a}` and so on, where they stand; `{how}`, how
            they make it; `{note}`, the first note; `{word}`, the token whose id the value is; the index on each axis,
            `{at_token}`, with the token's text; and the sizes.

    Returns:
        `scores[0, 1, 3 'cat', 5 'mat']` and `2.31 = 0.41·1.12 + ...`.
    """
    explanation = explain(trace, stage.name, index)
    if explanation.by_hand:
        return explanation.short, f"{write(explanation.stored)}   ({translate(language, BY_HAND)})"
    fields = {**sizes, **_fields(trace, explanation, stage)}
    if explanation.notes:
        fields["note"] = said(explanation.notes[0], language)
    if len(explanation.terms) and explanation.terms[0].how:
        fields["how"] = said(explanation.terms[0].how, language)
    for template in how:
        if {name for _, name, _, _ in string.Formatter().parse(template) if name} <= fields.keys():
            return explanation.short, _FIRST_NEGATIVE.sub(r"(\1", template.format_map(fields))
    return explanation.short, _alone(explanation, language) or _sum(explanation, language)


def _fields(trace: Trace, explanation: Explanation, stage: Stage) -> dict[str, str]:
    fields = {"value": write(explanation.stored)} | {
        name: bracketed(number) for name, number in explanation.facts.items()
    }
    factors = explanation.terms[0].factors if len(explanation.terms) else ()
    for letter, factor in zip("abc", factors, strict=False):
        fields |= {letter: bracketed(factor.value), f"place_{letter}": factor.place}
    if math.isfinite(explanation.stored) and explanation.stored == int(explanation.stored):
        fields["word"] = repr(trace.word(int(explanation.stored)))
    value = trace.value(stage.name)
    text = text_of(value, explanation.index)
    for axis, at in zip(value.axes, explanation.index, strict=True):
        word = face_at(value, axis, at, (text,))
        fields[f"at_{axis}"] = f"{at} {word!r}" if word else str(at)
    return fields


def _alone(explanation: Explanation, language: str) -> str:
    """A number that is no sum: which number it is the same as, or what it is made from and how; "" for a sum."""
    if len(explanation.terms) != 1:
        return ""
    term, value = explanation.terms[0], write(explanation.stored)
    same = next((factor for factor in term.factors if factor.value == explanation.stored), None)
    if same is not None and (not term.how or len(term.factors) > 1):
        return f"{value} = {same.place}"
    if not term.how:
        return ""
    if explanation.notes:
        words = said(explanation.notes[0], language)
    else:
        made = (f"{factor.place} = {write(factor.value)}" for factor in term.factors)
        words = ", ".join((said(term.how, language), *made))
    return translate(language, "{value}: {words}", value=value, words=words)


def _sum(explanation: Explanation, language: str) -> str:
    """The largest terms and what the others come to."""
    value, count = write(explanation.stored), len(explanation.terms)
    if explanation.sum is None:
        return f"{value}   ({translate(language, NOT_KNOWN)})"
    terms = explanation.sum.terms
    shown = count if count <= SHOWN + 1 else SHOWN
    written = [_term(term) for term in terms[:shown]]
    if count > shown:
        rest = bracketed(terms.rest(shown))
        written.append(translate(language, "{rest} ({count} more terms)", rest=rest, count=f"{count - shown:,}"))
    return f"{value} = {' + '.join(written)}"


def _term(term: Term) -> str:
    if term.how or not term.factors:
        return bracketed(term.value)
    return "·".join(bracketed(factor.value) for factor in term.factors)


def bracketed(number: float) -> str:
    """A number within a sum or a product: a negative one stands in brackets."""
    text = write(number)
    return f"({text})" if text.startswith("-") else text


def write(number: float) -> str:
    """A number to four significant digits; a whole one with all of them."""
    if math.isfinite(number) and number == int(number) and abs(number) < 1e9:
        return str(int(number))
    mantissa, e, power = f"{number:.{DIGITS}g}".partition("e")
    return f"{mantissa}e{int(power)}" if e else mantissa


def characteristic(trace: Trace, name: str) -> tuple[int, ...]:
    """An element to show where none is chosen: of the first word, which stands behind the token at the beginning; over a
    vocabulary, that word's own id.
    """
    value = trace.value(name)
    index = [min(1, size - 1) if axis in TOKEN_AXES else 0 for axis, size in zip(value.axes, value.shape, strict=True)]
    if value.axes == ("batch", "token", "vocabulary"):
        index[2] = min(int(trace.tokens.ids[index[0], index[1]]), value.shape[2] - 1)
    return tuple(index)


def number_of(trace: Trace, stage: Stage, index: tuple[int, ...], how: Sequence[str], sizes: Mapping[str, Any], language: str) -> tuple[str, str]:  # fmt: skip
    """`worked_out`; the number alone, where a recording does not hold what it is made from."""
    try:
        return worked_out(trace, stage, index, how, sizes, language)
    except InputError:  # a recording without what the number is made from
        value = write(float(trace.value(stage.name).read(index)))
        return f"{stage.part}[{', '.join(map(str, index))}]", f"{value}   ({translate(language, NOT_KNOWN)})"
