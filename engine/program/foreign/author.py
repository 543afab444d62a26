"""What the author of a module calls its stages: by the line that asks for them, `my_model.py:42`, and by the operation, `softmax`."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..stage import Stage, Stages

LINE = re.compile(r".+\.\w+:[\d*?]+")


def by_author(program: Stages, pattern: str) -> list[str]:
    """Every stage that a line of source means, by the end of its path, or the name of an operation; or a glob of either."""
    if LINE.fullmatch(pattern):
        wanted = re.compile(fnmatch.translate(f"*/{pattern}"))
        return [stage.name for stage in program if wanted.match(f"/{stage.source}".replace("\\", "/"))]
    wanted = re.compile(fnmatch.translate(_plain(pattern)))
    return [stage.name for stage in program if any(wanted.match(word) for word in operations(stage))]


def operations(stage: Stage) -> Iterator[str]:
    """What the operation of a stage is called, in one spelling: `LayerNorm` and `layer_norm` are one; of torch's own calls, what torch calls them."""
    if stage.kind:
        yield _plain(stage.kind)
    called = stage.options.get("torch", ())
    yield from (_plain(target.split(".")[1]) for target in called if isinstance(target, str) and "." in target)


def _plain(word: str) -> str:
    return word.replace("_", "").lower()
