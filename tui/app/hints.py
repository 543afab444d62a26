"""What the footer says of a command line that is being typed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ...engine.messages.errors import InputError
from ...engine.messages.translation import tr, trn
from ..state.completion import command_of
from ..state.view_changes import stages_named

if TYPE_CHECKING:
    from ...engine.commands import CommandTable
    from ..state.position import World

_LAYER = re.compile(r"\blayers\.\d+\b")


def hint_of(line: str, choices: Sequence[str], table: CommandTable, world: World | None) -> str:
    """What helps to go on: the choices there are, what is found already, or how the command is written.

    Args:
        choices: what Tab found, if it was pressed.
        world: the stages there are; None before there are any.
    """
    if choices:
        return "  ".join(choices)
    command = command_of(line, table)
    if command is not None and command.name == "find" and world is not None and line.strip() != command.name:
        return _stages(line.lstrip().partition(" ")[2].strip(), world)
    if command is not None:
        return f"{command.usage}   {tr(command.help)}"
    if not line.strip():
        return tr("tab completes · ↑ ↓ recall · ctrl+r finds · pgup pgdn scroll · esc leaves")
    beginning = [command for command in table if command.name.startswith(line.strip())]
    if len(beginning) == 1:
        return f"{beginning[0].usage}   {tr(beginning[0].help)}"
    return "  ".join(command.name for command in beginning) or tr(
        "no command begins with {word}", word=repr(line.strip())
    )


def _stages(text: str, world: World) -> str:
    """How many stages are named like that, and which: the first is where Enter goes."""
    try:
        names = stages_named(text, world)
    except InputError:
        names = []
    if not names:
        return tr("no stage's name contains {word}", word=repr(text))
    return f"{trn(len(names), '{count} stage', '{count} stages')}  {'  '.join(of_all_layers(names))}"


def of_all_layers(names: Iterable[str]) -> list[str]:
    """Names in their order, those that differ by their layer alone as one, with their number: `layers.*.output ×4`."""
    names = list(names)
    counts = Counter(_LAYER.sub("layers.*", name) for name in names)
    first = {_LAYER.sub("layers.*", name): name for name in reversed(names)}
    return [f"{together} ×{count}" if count > 1 else first[together] for together, count in counts.items()]
