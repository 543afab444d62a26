"""Which module is meant by `breakpoint()`, which is called with nothing: the one in whose `forward` it stands, else the caller's only one."""

from __future__ import annotations

import dis
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Any, cast

from torch import nn

from ..messages.errors import InputError
from ..program.source_lines import split_source
from ..program.stage import Stages


@dataclass(frozen=True, slots=True)
class LinesAhead:
    """Lines of a function that have not run yet.

    Attributes:
        file: the function's.
        begin, end: the first of them, and the last of the function.
    """

    file: str
    begin: int
    end: int

    def first(self, program: Stages) -> int:
        """The place of the first stage that comes from one of them; behind the last stage where none does."""
        for place, stage in enumerate(program):
            file, line = split_source(stage.source)
            if file == self.file and self.begin <= line <= self.end:
                return place
        return len(program)


@dataclass(frozen=True, slots=True)
class Meant:
    """A module, and what it is being called with, where that is known.

    Attributes:
        module: it.
        name: what the caller calls it.
        given: arguments of its `forward` by name; None where it is waited for its next passage.
        lines: those of the caller that have not run yet.
    """

    module: nn.Module
    name: str
    given: Mapping[str, Any] | None
    lines: LinesAhead


def meant_by(frame: FrameType) -> Meant:
    """The module that a caller means.

    In a `forward` it is `self`, with what it was called with, unless the code has put something else under those names. Elsewhere it is the
    one module among the local names, or else the global ones, that is no part of another and has weights.

    Raises:
        InputError: there is none, or there are several.
    """
    ends = [line for _, _, line in frame.f_code.co_lines() if line is not None]
    lines = LinesAhead(frame.f_code.co_filename, frame.f_lineno, max(ends, default=frame.f_lineno))
    own = frame.f_locals.get("self")
    if isinstance(own, nn.Module) and frame.f_code is getattr(own.forward, "__code__", None):
        return Meant(own, "self", _given(own, frame), lines)
    for names in (frame.f_locals, frame.f_globals):
        modules = _outermost({name: held for name, held in names.items() if isinstance(held, nn.Module)})
        if len(modules) > 1:
            listed = ", ".join(f"{name} ({type(module).__name__})" for name, module in modules.items())
            one = next(iter(modules))
            raise InputError(f"several modules are here: {listed}; say which: encoder_tui.engine.debug({one})")
        for name, module in modules.items():
            return Meant(module, name, None, lines)
    raise InputError("no torch.nn.Module is among the names here; say which: encoder_tui.engine.debug(model)")


def _outermost(named: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
    """Those that are no part of another; those with weights, where there are any: the others are losses."""
    weighty = {name: module for name, module in named.items() if next(module.parameters(), None) is not None} or named
    parts = {id(part) for module in weighty.values() for part in module.modules() if part is not module}
    whole: dict[str, nn.Module] = {}
    for name, module in weighty.items():
        if id(module) not in parts and all(module is not other for other in whole.values()):
            whole[name] = module
    return whole


def _given(module: nn.Module, frame: FrameType) -> Mapping[str, Any] | None:
    """What `forward` was called with, as far as its names still hold that."""
    parameters = list(inspect.signature(module.forward).parameters.values())
    if any(part.kind in (part.VAR_POSITIONAL, part.VAR_KEYWORD, part.POSITIONAL_ONLY) for part in parameters):
        return None
    names = {part.name for part in parameters}
    if names & _rebound(frame) or not names <= frame.f_locals.keys():
        return None
    return {name: frame.f_locals[name] for name in names}


def _rebound(frame: FrameType) -> set[str]:
    """The names that a function's code puts something else under, or takes away."""
    rebound: set[str] = set()
    for instruction in dis.get_instructions(frame.f_code):
        if instruction.opname.startswith(("STORE_", "DELETE_")):
            held: Any = instruction.argval
            rebound.update(map(str, cast("tuple[object, ...]", held) if isinstance(held, tuple) else (held,)))
    return rebound
