"""Finds what is missing, so that no stage goes without a text in either language."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ...messages.translation import LANGUAGES
from ...program.program import Program
from ...program.stage import Shape
from .formulas import untranslated
from .texts import FIELDS, axis_sizes, stage_text

_LEFT_OVER = re.compile(r"\{\w+\}")


def lacks(program: Program, shapes: Mapping[str, Shape]) -> list[str]:
    """What is missing for the stages of a program, a line each: no text, a part of one, a size that a text asks for and
    the program does not have, a formula with English words that no pair translates. Layers are told apart only once.
    """
    lacking: dict[str, None] = {}
    for stage in program:
        name = re.sub(r"\.\d+\.", ".*.", stage.name)
        sizes = axis_sizes(stage, program, shapes)
        for language in LANGUAGES:
            text = stage_text(stage, program, language, sizes)
            said = f"{language}: {name} ({stage.kind})"
            if not text.what and not text.why:
                lacking[f"{said} has no text"] = None
                continue
            for field in FIELDS:
                words = getattr(text, field)
                if not words:
                    lacking[f"{said} has no {field}"] = None
                for left in _LEFT_OVER.findall(words):
                    lacking[f"{said} asks for {left} in its {field}, and there is no such size"] = None
            formula = untranslated(stage, program, language)
            if formula:
                lacking[f"{language}: the formula of {stage.kind} is not translated: {formula}"] = None
    return list(lacking)
