"""Recordings (.safetensors) and arrays (.npz, .npy) that were changed by their structure, and then looked at."""

from __future__ import annotations

import json
import shutil
import struct
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from .bases import build_base, inputs
from .files import apply, draw_bytes, draw_length, draw_tensor, header_of, with_header
from .rounds import rounds
from .values import change, changed, dumps, is_swap

RECORDED = ("bert", "cbow", "vit", "vectors", "classes")
KEYS = [
    "format",
    "about",
    "tokens",
    "stages",
    "aliases",
    "weights",
    "patched",
    "words",
    "pair",
    "texts",
    "places",
    "second",
    "labels",
]
LOOKS = [
    "info stages", "info tokens", "info model", "info breakpoints", "info {stage}", "print {stage}", "print {stage}[0]", "print {stage}[0, :3]",
    "stats {stage}", "why {stage}", "why {stage}[0, 1, 2]", "explain {stage}", "cost all", "cost {stage}", "check masks", "check padding",
    "goto end", "goto {stage}", "finish 2", "next 3", "compare snapshot {good}", "compare snapshot {path}", "difference", "tour", "tour next",
    "nearest cat", "analogy a b c", "picture {stage}[0]", "break {stage} if absmax > 0.1", "continue", "watch absmax", "look {stage}",
    "patch {stage} = 0", "fork", "export {out}/e.safetensors", "export {out}/e.npz", "open {path}", 'print {stage}[token="cat"]', "info forks",
    "break unexpected", "compare text a dog", "compare model {path}", "run a dog",
]  # fmt: skip
DESCRIPTIONS = [
    "<f4",
    "|O",
    "<f8",
    "<U1000000000",
    "|V0",
    "<i8",
    ">f4",
    "<c16",
    "[('a', '<f4')]",
    "|b1",
    "<M8[ns]",
    "float32",
    "",
]

_good: dict[str, Path] = {}


def prepare(place: Path) -> None:
    """A recording of each base, and their arrays."""
    from encoder_tui.tui.cli import main

    for name in RECORDED:
        model = build_base(name, place / "models" / name)
        for suffix in ("safetensors", "npz"):
            _good[f"{name}.{suffix}"] = place / f"{name}.{suffix}"
            arguments = [*inputs(name, model), "-m", str(model), "--batch", "--export", str(place / f"{name}.{suffix}")]
            assert main(arguments) == 0, name
    _good["rows.npy"] = place / "models" / "vectors" / "rows.npy"
    shutil.copytree(place / "models" / "vectors", place / "vectors-model")
    _good["model"] = place / "vectors-model"


def draw(random: Random) -> Any:
    """A recording, what is done to it, and what is looked at."""
    if random.random() < 0.12:
        return _draw_arrays(random)
    name = f"{random.choice(RECORDED)}.safetensors"
    data = _good[name].read_bytes()
    header = header_of(data)
    facts = json.loads(header["__metadata__"]["encoder_tui"])
    steps: list[Any] = []
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        how = random.random()
        if how < 0.7:
            part = random.choice(
                [[], [], ["tokens"], ["tokens"], ["stages"], ["stages", random.randrange(len(facts["stages"]))]]
            )
            steps.append(["manifest", name, [_below(part, change(_at(facts, part), random, KEYS))]])
        elif how < 0.8:
            steps.append(["header", name, [change(header, random, list(header)[:20])]])
        elif how < 0.85:
            steps.append(draw_tensor(random, name, [key for key in header if key != "__metadata__"]))
        elif how < 0.9:
            steps.append(draw_length(random, name))
        else:
            steps.append(draw_bytes(random, name))
    names = [stage["name"] for stage in facts["stages"]]
    looks = [random.choice(LOOKS).replace("{stage}", random.choice(names)) for _ in range(random.randint(1, 4))]
    return {"file": name, "steps": steps, "looks": looks}


def _draw_arrays(random: Random) -> Any:
    name = random.choice(["rows.npy", "bert.npz", "cbow.npz", "vectors.npz"])
    steps: list[Any] = []
    for _ in range(random.choice([1, 1, 2])):
        if random.random() < 0.5:
            shape = random.choice(
                [[2, 3, 16], [-1, 3, 16], [2**40, 3, 16], [2**62, 2**62], [], [0], [3, 16], [10**30], [True, 16], ["x"]]
            )
            steps.append(["npy", name, random.choice(DESCRIPTIONS), random.choice([False, True, "x"]), shape])
        else:
            steps.append(draw_bytes(random, name))
    return {"file": name, "steps": steps, "looks": ["info tokens"], "as": random.choice(["--vectors", "--open"])}


def build(recipe: Any, place: Path) -> list[str]:
    """Copy the recording, change it, and say how it is opened."""
    name = recipe["file"]
    shutil.copy(_good[name], place / name)
    for step in recipe["steps"]:
        if step[0] == "manifest":
            _manifest(place / name, step[2])
        elif step[0] == "npy":
            _array(place / name, *step[2:])
        else:
            apply(place, step)
    where = {"path": place / name, "good": _good["bert.safetensors"], "out": place / "out"}
    looks = [
        line.replace(f"{{{key}}}", str(path))
        for line in recipe["looks"]
        for key, path in [next(((k, p) for k, p in where.items() if f"{{{k}}}" in line), ("", ""))]
    ]
    how = (
        ["--vectors", str(place / name), "-m", str(_good["model"])]
        if recipe.get("as") == "--vectors"
        else ["--open", str(place / name)]
    )
    return [*how, "--batch", *(word for line in looks for word in ("-ex", line))]


def _manifest(path: Path, steps: list[Any]) -> None:
    try:
        if not path.is_file():
            return
        data = path.read_bytes()
        header = header_of(data)
        facts = changed(json.loads(header["__metadata__"]["encoder_tui"]), steps)
        header["__metadata__"]["encoder_tui"] = dumps(facts)
        path.write_bytes(with_header(data, json.dumps(header)))
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return


def _array(path: Path, description: str, order: Any, shape: list[Any]) -> None:
    """Another header for the array, or for the first one of an archive."""
    text = repr({"descr": description, "fortran_order": order, "shape": tuple(shape)}).encode() + b"\n"
    header = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text
    try:
        if not path.is_file():
            return
        if path.suffix == ".npy":
            path.write_bytes(header + path.read_bytes()[128:])
            return
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for at, (name, content) in enumerate(members.items()):
                archive.writestr(name, header + content[128:] if at == 0 else content)
    except (OSError, ValueError, zipfile.BadZipFile):
        return


def _at(tree: Any, path: list[Any]) -> Any:
    for key in path:
        tree = tree[key]
    return tree


def _below(part: list[Any], step: list[Any]) -> list[Any]:
    how, path, *more = step
    if more and is_swap(more[-1]):
        more[-1] = ["swapped", [*part, *more[-1][1]]]
    return [how, [*part, *path], *more]


def main(argv: Sequence[str]) -> int:
    """Run many; see `rounds`."""
    return rounds("snapshots", argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
