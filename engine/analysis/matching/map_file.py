"""A mapping file: which tensor of theirs is which stage of ours, in TOML. It is read before anything is guessed, and written from what was.

    "encoder/q_0" = "layers.0.attention.query"
    "scores_0" = { stage = "layers.0.attention.scores", transpose = [1, 0, 2] }
    "qkv_0" = [
      { stage = "layers.0.attention.query", slice = "[:, 0:384]" },
      { stage = "layers.0.attention.key", slice = "[:, 384:768]" },
    ]
    "h0.bin" = { stage = "layers.0.output", shape = [1, 14, 384], dtype = "float16" }
    "loss" = ""

In this order: `shape` and `dtype` of raw bytes, `reshape`, `slice`, `transpose`; what comes of it takes the stage's shape. A tensor that is
no stage is given "".
"""

from __future__ import annotations

import json
import math
import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from ...messages.errors import InputError, nearest, one_line
from ...program.index import Written, parse_index
from ...program.json_values import is_list, is_object
from ...program.program import Program
from ...program.stage import Shape
from ...program.trace import Trace
from ...traces.arrangement import AS_IT_LIES, Arrangement, AxisRange, Cut, write_window
from ...traces.atomic_write import atomic_write
from ...traces.matched import ForeignTensor, Match

KEYS = ("stage", "reshape", "slice", "transpose", "shape", "dtype")


@dataclass(frozen=True, slots=True)
class MapEntry:
    """A line of a map.

    Attributes:
        theirs: the name of a tensor.
        stage: as it was written; "" for none.
        layout: what is done to it.
        shape, dtype: of raw bytes; () and "" where nothing is said.
    """

    theirs: str
    stage: str
    layout: Arrangement = AS_IT_LIES
    shape: Shape = ()
    dtype: str = ""


@dataclass(frozen=True, slots=True)
class NameMap:
    """A mapping file that was read.

    Attributes:
        path: as it was given.
        entries: its lines.
    """

    path: str
    entries: tuple[MapEntry, ...]

    @property
    def raw(self) -> Mapping[str, tuple[Shape, str]]:
        """What it says of raw bytes."""
        return {entry.theirs.removesuffix(".bin"): (entry.shape, entry.dtype) for entry in self.entries if entry.shape}

    def matches(self, ours: Trace, tensors: Mapping[str, ForeignTensor]) -> tuple[list[Match], set[str]]:
        """Its matches, and the tensors that it has settled, those of no stage included.

        Raises:
            InputError: no such tensor or stage, a stage twice, or a layout that does not fit.
        """
        matches: dict[str, Match] = {}
        for entry in self.entries:
            name = entry.theirs if entry.theirs in tensors else entry.theirs.removesuffix(".bin")
            if name not in tensors:
                raise InputError(f"{self.path}: there is no tensor {entry.theirs!r}{nearest(entry.theirs, tensors)}")
            if not entry.stage:
                continue
            stage = self._stage(ours.program, entry)
            if stage in matches:
                raise InputError(
                    f"{self.path}: {stage} is given twice, by {matches[stage].theirs!r} and {entry.theirs!r}"
                )
            self._expect_fitting(entry, tensors[name], stage, ours.shapes[stage])
            matches[stage] = Match(stage, name, "map", entry.layout)
        return list(matches.values()), {entry.theirs.removesuffix(".bin") for entry in self.entries} | {
            e.theirs for e in self.entries
        }

    def _stage(self, program: Program, entry: MapEntry) -> str:
        try:
            return program.resolve(entry.stage)
        except InputError as error:
            raise InputError(f"{self.path}: {entry.theirs!r}: {error}") from None

    def _expect_fitting(self, entry: MapEntry, tensor: ForeignTensor, stage: str, shape: Shape) -> None:
        if not tensor.is_read:
            raise InputError(
                f"{self.path}: {entry.theirs!r} is of {tensor.dtype}, and no array here holds such numbers; save it as float32"
            )
        try:
            size = entry.layout.size(tensor.shape)
        except (ValueError, IndexError) as error:
            raise InputError(
                f"{self.path}: {entry.theirs!r} of shape {list(tensor.shape)}: {entry.layout}: {one_line(error)}"
            ) from None
        if size not in (math.prod(shape), math.prod(shape[1:])):
            raise InputError(
                f"{self.path}: {entry.theirs!r} of shape {list(tensor.shape)} gives {size:,} numbers, and {stage} is {list(shape)}; "
                "say `reshape`, `slice` or `transpose`"
            )


def read_map(path: str) -> NameMap:
    """Read a mapping file.

    Raises:
        InputError: not there, not TOML, or a line that says nothing of the kind.
    """
    try:
        facts = tomllib.loads(Path(os.path.expanduser(path)).read_text("utf-8"))
    except OSError as error:
        raise InputError(
            f"no map {path!r} ({error.strerror}); `map-out {path}` after `compare tensors X` writes one"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f'{path} is not TOML ({one_line(error)}); a line is "theirs" = "ours"') from None
    return NameMap(path, tuple(_entries(facts, "", path)))


def _entries(facts: Mapping[str, Any], front: str, path: str) -> Iterator[MapEntry]:
    for key, said in facts.items():
        name = f"{front}{key}"
        if isinstance(said, str):
            yield MapEntry(name, said)
        elif is_list(said) and all(is_object(each) for each in said):
            yield from (_entry(name, cast("Mapping[str, Any]", each), path) for each in said)
        elif is_object(said) and "stage" in said:
            yield _entry(name, said, path)
        elif is_object(said):  # a name with dots that was not quoted
            yield from _entries(said, f"{name}.", path)
        else:
            raise InputError(
                f'{path}: {name!r} is a {type(said).__name__}; write "theirs" = "ours", or {{ stage = ..., transpose = [...] }}'
            )


def _entry(name: str, said: Mapping[str, Any], path: str) -> MapEntry:
    unknown = [key for key in said if key not in KEYS]
    if unknown or not isinstance(said.get("stage"), str):
        wrong = f"{unknown[0]!r} is none of {', '.join(KEYS)}" if unknown else "it names no stage"
        raise InputError(f"{path}: {name!r}: {wrong}")
    layout = Arrangement(
        _sizes(said, "reshape", name, path), _window(said, name, path), _sizes(said, "transpose", name, path)
    )
    return MapEntry(name, said["stage"], layout, _sizes(said, "shape", name, path), str(said.get("dtype", "")))


def _sizes(said: Mapping[str, Any], key: str, name: str, path: str) -> tuple[int, ...]:
    sizes: Any = said.get(key, [])
    if not is_list(sizes) or not all(isinstance(size, int) and not isinstance(size, bool) for size in sizes):
        raise InputError(f"{path}: {name!r}: {key} = {sizes!r} is no list of whole numbers")
    return tuple(cast("list[int]", sizes))


def _window(said: Mapping[str, Any], name: str, path: str) -> tuple[Cut, ...]:
    written: Any = said.get("slice", "")
    if not isinstance(written, str):
        raise InputError(f'{path}: {name!r}: slice = {written!r} is no index in quotes, such as "[:, 0:384]"')
    try:
        parsed = parse_index(written.strip().removeprefix("[").removesuffix("]")) if written.strip() else None
    except InputError as error:
        raise InputError(f"{path}: {name!r}: {error}") from None
    if parsed is None:
        return ()
    return tuple(_cuts(parsed, name, path))


def _cuts(parsed: Written, name: str, path: str) -> Iterator[Cut]:
    for part in (*parsed.positional, *(selector for _, selector in parsed.named)):
        if part is None:
            yield ...
        elif isinstance(part, slice) and not parsed.named:
            yield AxisRange(part.start, part.stop, part.step)
        elif isinstance(part, int) and not parsed.named:
            yield part
        else:
            raise InputError(f'{path}: {name!r}: slice takes numbers and ranges, as "[:, 0:384]"')


def write_map(path: str, matches: Sequence[Match], unmatched: Sequence[str], heading: Sequence[str] = ()) -> None:
    """Write matches as a mapping file, to be corrected and kept; what nothing was matched to is given "".

    Raises:
        InputError: it cannot be written.
    """
    by_name: dict[str, list[Match]] = {}
    for match in matches:
        if match.how != "moved":
            by_name.setdefault(match.theirs, []).append(match)
    lines = [f"# {line}" for line in heading]
    for name, those in by_name.items():
        said = "; ".join(dict.fromkeys(_how(match) for match in those))
        if len(those) == 1 and not those[0].layout.steps:
            lines.append(f"{_quoted(name)} = {_quoted(those[0].stage)}  # {said}")
        elif len(those) == 1:
            lines.append(f"{_quoted(name)} = {_table(those[0])}  # {said}")
        else:
            lines += [f"{_quoted(name)} = [  # {said}", *(f"  {_table(match)}," for match in those), "]"]
    lines += [f'{_quoted(name)} = ""' for name in unmatched]
    with atomic_write(Path(os.path.expanduser(path))) as file:
        file.write("".join(f"{line}\n" for line in lines).encode())


def _how(match: Match) -> str:
    return f"by {match.how}" + (f", {match.apart:.1g} apart" if match.apart is not None else "")


def _table(match: Match) -> str:
    layout = match.layout
    parts = [f"stage = {_quoted(match.stage)}"]
    parts += [f"reshape = {list(layout.reshape)}"] if layout.reshape else []
    parts += [f'slice = "[{write_window(layout.window)}]"'] if layout.window else []
    parts += [f"transpose = {list(layout.transpose)}"] if layout.transpose else []
    return f"{{ {', '.join(parts)} }}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
