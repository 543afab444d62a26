"""Finds the text of a stage in the TOML files beside this module, and fills it with sizes."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from ...program.program import Program
from ...program.stage import Shape, Stage
from ...program.tokens import Tokens

FOLDER = Path(__file__).parent
FIELDS = ("title", "what", "why")
# An axis -> what texts call its size, where that is not the axis's own name.
SIZES = {"head": "heads", "token": "tokens", "query": "tokens", "key": "tokens", "batch": "texts"}
_KEY = re.compile(r"(?P<glob>[^@:]+)(?:@(?P<kind>\w+))?(?::(?P<first>first))?")


@dataclass(frozen=True, slots=True)
class StageText:
    """What is said of a stage.

    Attributes:
        title: what people call it.
        what: what it does; why: why it is there.
        worked: how one number of it is worked out, the first that fits; none for the sum of its terms.
    """

    title: str
    what: str = ""
    why: str = ""
    worked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TextEntry:
    """An entry of a file.

    Attributes:
        glob: of stage names; "" for an entry that serves a kind of operation.
        kind: of the operation; "" for any.
        first: whether only the first stage of a block is meant.
        data: what the entry says.
    """

    glob: str
    kind: str
    first: bool
    data: Mapping[str, Any]

    @property
    def weight(self) -> tuple[int, int, int]:
        """How narrow it is: the narrowest entry that fits is taken."""
        return (self.first, bool(self.kind), len(self.glob.replace("*", "")))

    def fits(self, stage: Stage, program: Program) -> bool:
        """Whether it is about this stage."""
        if self.kind and self.kind != stage.kind:
            return False
        if self.first and next(other for other in program if other.block == stage.block).name != stage.name:
            return False
        return not self.glob or fnmatchcase(stage.name, self.glob)


class Fields(dict[str, Any]):
    """Fields of a text; what is not there stays in braces, for the test that looks for it."""

    def __missing__(self, name: str) -> str:
        return f"{{{name}}}"


@cache
def entries() -> tuple[tuple[TextEntry, ...], Mapping[str, Mapping[str, Any]]]:
    """The entries by name, the narrowest first, and those by kind of operation."""
    named: list[TextEntry] = []
    kinds: dict[str, Mapping[str, Any]] = {}
    for path in sorted(FOLDER.glob("*.toml")):
        for key, data in tomllib.loads(path.read_text("utf-8")).items():
            if key.isidentifier() and key[0].isupper():
                kinds[key] = data
            else:
                named.extend(_named(key, data))
    return tuple(sorted(named, key=lambda entry: entry.weight, reverse=True)), kinds


def _named(key: str, data: Mapping[str, Any]) -> Iterator[TextEntry]:
    for alternative in key.split("|"):
        matched = _KEY.fullmatch(alternative.strip())
        assert matched, f"not a key of an explanation: {key!r}"
        yield TextEntry(matched["glob"], matched["kind"] or "", bool(matched["first"]), data)


def texts_for(stage: Stage, program: Program) -> list[Mapping[str, Any]]:
    """What the files say of a stage: by its name, then by its kind."""
    named, kinds = entries()
    texts = [next((entry.data for entry in named if entry.fits(stage, program)), None), kinds.get(stage.kind)]
    return [data for data in texts if data is not None]


def stage_text(stage: Stage, program: Program, language: str, sizes: Mapping[str, Any] | None = None) -> StageText:
    """What is said of a stage in a language; of one that nobody has written about, its name alone.

    Args:
        sizes: what stands for `{name}` in the text; see `axis_sizes`.
    """
    texts = texts_for(stage, program)
    worked = (data.get(language, {}).get("worked") or data.get("worked") or () for data in texts)
    first = next(filter(None, worked), ())
    how = (first,) if isinstance(first, str) else tuple(first)
    for data in texts:
        said = data.get(language, {})
        if "title" in said:
            fields = Fields(sizes or {})
            title, what, why = (str(said.get(field, "")).format_map(fields) for field in FIELDS)
            if fields.get("from_ids") and "given" in said:
                what = str(said["given"]).format_map(fields)
            return StageText(title, what, why, how)
    return StageText(stage.part, worked=how)


def axis_sizes(
    stage: Stage, program: Program, shapes: Mapping[str, Shape], tokens: Tokens | None = None
) -> dict[str, Any]:
    """What stands for `{name}` in a text: sizes of axes, of this stage first, else of the first that has such an axis.

    Besides `{heads}`, `{hidden}` and so on: `{in}` and `{out}`, the last axis of the first input and of the result;
    `{layer}`, `{layers}`, `{part}`, `{before}` (the first input); and the operation's own options.

    Args:
        tokens: what went in. Where ids were given in place of a text, no tokenizer is said to have cut one.
    """
    sizes: dict[str, Any] = {}
    nearest_last = [*reversed(program.stages), *(program[name] for name in reversed(stage.inputs)), stage]
    for other in nearest_last:
        for axis, size in zip(other.axes, shapes[other.name], strict=False):
            name = SIZES.get(axis, axis)
            if size != 1 or name not in sizes:  # one head that stands for all says nothing of their number
                sizes[name] = size
    if stage.inputs and shapes[stage.inputs[0]]:
        sizes["in"] = shapes[stage.inputs[0]][-1]
    if shapes[stage.name]:
        sizes["out"] = shapes[stage.name][-1]
    sizes |= {"part": stage.part, "layers": program.layers, "layer": stage.layer, "before": ", ".join(stage.inputs[:1])}
    options = {name: f"{value:g}" if isinstance(value, float) else value for name, value in stage.options.items()}
    return sizes | options | {"from_ids": tokens is not None and tokens.from_ids}
