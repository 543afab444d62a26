"""What Hugging Face's transformers calls our stages: the modules whose first output they are.

A module of one operation is named by its stage itself (`Stage.module`), one that holds others by the program's table
(`Stages.modules`), which its family has written down.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..modules import DROPPED, OR, Modules

if TYPE_CHECKING:
    from ..stage import Stages


def modules(program: Stages) -> Iterator[tuple[str, str]]:
    """Each module with the stage that its output is: those of one operation, and those that hold others."""
    table = program.modules
    for stage in program:
        if stage.module and stage.module not in table.whole:  # of a module that holds others: what it gives back
            yield stage.module, stage.name
    heads = [stage.module for stage in program if stage.room == "head"]
    for module, stage in _holding(table, program.layers):
        if (name := _dropped(program, stage)) is not None:
            yield module, name
            yield from ((f"{prefix}{module}", name) for prefix in table.prefixes)
    yield from ((prefix.rstrip("."), "output") for prefix in table.prefixes)
    yield from ((module, name) for module, name in table.heads.items() if _known(module, heads))
    for stage in program:
        if (stage.module and stage.room != "head") or stage.module.startswith("pooler"):
            yield from ((f"{prefix}{stage.module}", stage.name) for prefix in table.prefixes)


def _holding(table: Modules, layers: int) -> Iterator[tuple[str, str]]:
    yield from table.whole.items()
    for number in range(layers):
        for part, stage in table.parts.items():
            room = f"layers.{number}."
            yield f"{table.layer}.{number}" + f".{part}" * bool(part), room + stage.replace(OR, OR + room)


def reasons(program: Stages) -> Iterator[tuple[str, str]]:
    """Each module that is none of our stages, and why."""
    for module, why in program.modules.none.items():
        for number in range(program.layers) if "{}" in module else (0,):
            full, said = module.replace("{}", str(number)), why.replace("{}", str(number))
            yield full, said
            yield from ((f"{prefix}{full}", said) for prefix in program.modules.prefixes)


def decodes(module: str, program: Stages) -> bool:
    """Whether a module belongs to a decoder, which is not computed."""
    fronts = [f"{prefix}{name}" for prefix in ("", *program.modules.prefixes) for name in program.modules.decoders]
    return any(module == front or module.startswith(f"{front}.") for front in fronts)


def _dropped(program: Stages, stages: str) -> str | None:
    """The first of some stages that the program has, or its dropout, as `DROPPED` and `OR` say."""
    for stage in stages.split(OR):
        name = stage.removesuffix(DROPPED)
        if name in program:
            dropped = f"{program[name].name}_dropout"
            return dropped if stage.endswith(DROPPED) and dropped in program else name
    return None


def _known(module: str, heads: list[str]) -> bool:
    """Whether the program has the head that a module belongs to."""
    return any(head.startswith(f"{module}.") for head in heads)
