"""What others call our stages: TransformerLens' hooks and Hugging Face's modules; and of those that are none, why."""

from __future__ import annotations

import fnmatch
import re
from typing import TYPE_CHECKING

from . import hugging_face as foreign_modules
from . import transformer_lens as foreign_lens

if TYPE_CHECKING:
    from ..stage import Stages


def foreign_names(program: Stages) -> dict[str, list[str]]:
    """Every foreign name that stages of this program answer to, with their canonical names: several where layers share a module."""
    names = {hook: [program[name].name] for hook, name in foreign_lens.hooks(program) if name in program}
    for module, name in foreign_modules.modules(program):
        if name in program:
            answering = names.setdefault(module, [])
            if program[name].name not in answering:
                answering.append(program[name].name)
    return names


def why_none(program: Stages, pattern: str) -> str:
    """Why a name that others have, or a glob of such names, is no stage here; "" where nobody has it, or nothing is known."""
    reasons = [*foreign_lens.reasons(program), *foreign_modules.reasons(program)]
    wanted = re.compile(fnmatch.translate(pattern)) if any(mark in pattern for mark in "*?") else None
    for name, why in reasons:
        if name == pattern or (wanted is not None and wanted.match(name)):
            return f"{name}: {why}"
    if foreign_lens.decodes(pattern, program) or foreign_modules.decodes(pattern, program):
        return f"{pattern}: it belongs to the decoder, which is not computed"
    return ""
