"""What `--man` and `--print-completion` print."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from ...engine.messages.translation import use
from .completion import Completed, script_for, with_globs
from .manual import manual

if TYPE_CHECKING:
    from ...engine.program.program import Program


def printed_manual(parser: Callable[[], argparse.ArgumentParser]) -> str:
    """The page for `man`, in English, as it is installed."""
    from ...engine.commands import TABLE
    from ...engine.commands.table import GROUPS

    use("en")
    return manual(parser(), TABLE, GROUPS)


def printed_completion(shell: str, parser: argparse.ArgumentParser, program: Program) -> str:
    """The script for a shell, with the names of a program's stages."""
    from ...engine.commands import TABLE
    from ...engine.models.hub import BUNDLED_WORDS
    from ...engine.models.presets import PREFIX, PRESETS

    names = with_globs([*(stage.name for stage in program), *program.aliases])
    models = (*BUNDLED_WORDS, *(PREFIX + name for name in PRESETS))
    return script_for(shell, parser, Completed(names, tuple(TABLE.names), models))
