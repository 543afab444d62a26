"""The lines of source that stages come from: what `my_model.py:42` means, and which stages one passage of a line is made of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from .stage import Stage

OURS = (
    "engine/models/"  # where the lines of families stand, relative to the package; somebody's own code has whole paths
)
_LINE = re.compile(r"(?P<file>[^\[\]@*?]+\.[^\W\d]\w*|<[^<>]+>):(?P<line>[0-9]+)")
_NUMBERED = re.compile(r"^(?:[^.]+\.)*?[0-9]+(?=\.|$)")


def is_line(pattern: str) -> bool:
    """Whether a name is that of a line: `my_model.py:42`, with as much of its path as one likes."""
    return _LINE.fullmatch(pattern) is not None


def is_own_code(stage: Stage) -> bool:
    """Whether a stage comes from a line of somebody's own code, and not from a family of ours."""
    return bool(stage.source) and not stage.source.startswith(OURS)


def split_source(source: str) -> tuple[str, int]:
    """File and line of `/home/me/my_model.py:42`; a line of 0 where there is none."""
    file, _, line = source.rpartition(":")
    return (file, int(line)) if line.isascii() and line.isdigit() else (source, 0)


def of_line(stages: Iterable[Stage], pattern: str) -> list[Stage]:
    """The stages that come from a line, in program order; none where the pattern is no line."""
    matched = _LINE.fullmatch(pattern)
    if matched is None:
        return []
    file, line = matched["file"].replace("\\", "/"), int(matched["line"])
    return [stage for stage in stages if _is_file(stage.source, file) and split_source(stage.source)[1] == line]


def stage_lines(stages: Iterable[Stage], file: str) -> list[int]:
    """The lines of a file that stages come from, in order.

    Args:
        file: its name, with as much of its path as one likes.
    """
    wanted = file.replace("\\", "/")
    return sorted({split_source(stage.source)[1] for stage in stages if _is_file(stage.source, wanted)})


def why_no_line(stages: Iterable[Stage], pattern: str) -> str:
    """Why no stage comes from a line, and which lines nearby have some; "" where the pattern is no line."""
    matched = _LINE.fullmatch(pattern)
    if matched is None:
        return ""
    file, line = matched["file"].replace("\\", "/"), int(matched["line"])
    sources = dict.fromkeys(stage.source for stage in stages if stage.source)
    if lines := stage_lines(stages, file):
        near = sorted(sorted(lines, key=lambda other: abs(other - line))[:4])
        return f"no stage comes from {pattern}; the lines nearest to it that have some are {', '.join(map(str, near))}"
    files = dict.fromkeys(name_of_file(source) for source in sources)
    have = f"those that have some are {', '.join([*files][:4])}" if files else "no stage knows its source"
    return f"no stage comes from {matched['file']}; {have}"


def name_of_file(source: str) -> str:
    """`my_model.py` of `/home/me/my_model.py:42`."""
    return split_source(source)[0].replace("\\", "/").rpartition("/")[2]


def passage(stage: Stage) -> tuple[str, str]:
    """What the stages of one passage of a line have in common: the line, and which layer it was run for.

    A line in a loop over layers runs once for each of them: the first number in a module's path says which.
    """
    numbered = _NUMBERED.match(stage.module) or _NUMBERED.match(stage.name)
    return stage.source, numbered[0] if numbered is not None else ""


def passages(program: Sequence[Stage], stages: Iterable[Stage]) -> list[list[int]]:
    """The places of stages of a line, those of one passage together: they come one after the other."""
    wanted = {stage.name for stage in stages}
    together: list[list[int]] = []
    for place, stage in enumerate(program):
        if stage.name not in wanted:
            continue
        if together and together[-1][-1] == place - 1 and passage(program[place - 1]) == passage(stage):
            together[-1].append(place)
        else:
            together.append([place])
    return together


def passage_at(program: Sequence[Stage], place: int) -> list[int]:
    """The places of all stages of the passage of a line that one of them belongs to."""
    wanted = passage(program[place])
    first, last = place, place
    while first > 0 and passage(program[first - 1]) == wanted:
        first -= 1
    while last + 1 < len(program) and passage(program[last + 1]) == wanted:
        last += 1
    return list(range(first, last + 1))


def _is_file(source: str, file: str) -> bool:
    held = split_source(source)[0].replace("\\", "/")
    return bool(source) and (held == file or held.endswith("/" + file))
