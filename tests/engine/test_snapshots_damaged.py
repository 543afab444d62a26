"""Files that are not what they should be: one clear line, never a traceback."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from encoder_tui.engine import Debugger, Encoder, InputError, open_snapshot, save
from encoder_tui.engine.program.writing import write_value
from safetensors.numpy import load_file, save_file


@pytest.fixture(scope="module")
def good(small: Encoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("damaged") / "good.safetensors"
    save(small.run("one two"), path)
    return path


def refused(path: Path | str, says: str):
    with pytest.raises(InputError) as error:
        open_snapshot(path)
    assert says in str(error.value)


def rewrite(good: Path, target: Path, change: Callable[[dict[str, Any]], object]):
    """The same tensors with another manifest."""
    from safetensors import safe_open

    with safe_open(good, "np") as file:
        facts = json.loads((file.metadata() or {})["encoder_tui"])
    facts = change(facts)
    text = facts if isinstance(facts, str) else json.dumps(facts)
    save_file(load_file(good), target, metadata={"encoder_tui": text})
    return target


def test_not_there(tmp_path: Path):
    refused(tmp_path / "none.safetensors", "no snapshot")
    refused(tmp_path, "no snapshot")
    refused("~nosuchuser/x", "no snapshot")
    refused("x" * 5000, "no snapshot")


@pytest.mark.parametrize("share", [0.0, 0.0001, 0.3, 0.999])
def test_truncated(good: Path, tmp_path: Path, share: float):
    data = good.read_bytes()
    (tmp_path / "t.safetensors").write_bytes(data[: int(len(data) * share)])
    refused(tmp_path / "t.safetensors", "truncated or not safetensors")


def test_some_other_file(tmp_path: Path):
    (tmp_path / "t.safetensors").write_bytes(b"PK\x03\x04 a zip, say " * 100)
    refused(tmp_path / "t.safetensors", "truncated or not safetensors")


def test_someone_elses_safetensors(tmp_path: Path):
    save_file({"x": np.zeros(3)}, tmp_path / "t.safetensors")
    refused(tmp_path / "t.safetensors", "not a snapshot of encoder-tui")


def test_newer_format(good: Path, tmp_path: Path):
    path = rewrite(good, tmp_path / "t.safetensors", lambda facts: facts | {"format": 99})
    refused(path, "has format 99")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "7", '"text"', "{}", "[" * 100_000], ids=lambda text: text[:9])
def test_manifests_that_are_no_manifests(good: Path, tmp_path: Path, text: str):
    refused(rewrite(good, tmp_path / "t.safetensors", lambda facts: text), "damaged 'encoder_tui' entry")


KEYS = ["format", "about", "tokens", "stages", "aliases", "weights", "patched", "words"]


@pytest.mark.parametrize("key", KEYS)
def test_parts_of_the_manifest_missing(good: Path, tmp_path: Path, key: str):
    refused(
        rewrite(
            good, tmp_path / "t.safetensors", lambda facts: {name: part for name, part in facts.items() if name != key}
        ),
        "damaged",
    )


def look_at_everything(path: Path):
    recording = open_snapshot(path)
    debugger = Debugger(recording)
    debugger.cont()
    for stage in recording.program:
        recording.formulas(stage.name)
        value = recording.value(stage.name)
        value.stats("0, :1")
        write_value(value, value.bind("0"))
        assert value.shape == recording.shapes[stage.name]


def test_the_good_one_is_good(good: Path):
    look_at_everything(good)


ODD: list[object] = [None, 7, -1, 10**30, 1.5, "x", [], {}, [None], ["x"], [[]], [[0]], {"x": 1}]
PLACES = [
    ("about",), ("aliases",), ("weights",), ("patched",), ("words",), ("tokens",), ("tokens", "ids"), ("tokens", "mask"),
    ("tokens", "strings"), ("tokens", "places"), ("tokens", "texts"), ("tokens", "pair"), ("tokens", "vocabulary_size"),
    ("stages",), ("stages", 3), ("stages", 3, "name"), ("stages", 3, "shape"), ("stages", 3, "dtype"), ("stages", 3, "axes"),
    ("stages", 3, "formula"), ("stages", 3, "inputs"), ("stages", 3, "weights"), ("stages", 3, "module"),
    ("stages", 4, "shape"), ("stages", 4, "axes"),
]  # fmt: skip


@pytest.mark.few(8)
@pytest.mark.parametrize("place", PLACES, ids=str)
def test_odd_values_anywhere(good: Path, tmp_path: Path, place: tuple[int | str, ...]):
    """Each is either harmless or refused as bad input; nothing else ever comes out."""
    wrong: list[str] = []
    for odd in ODD:

        def change(facts: dict[str, Any], odd: object = odd):
            facts = copy.deepcopy(facts)
            inner: Any = facts
            for step in place[:-1]:
                inner = inner[step]
            inner[place[-1]] = odd
            return facts

        try:
            look_at_everything(rewrite(good, tmp_path / "t.safetensors", change))
        except InputError:
            continue
        except Exception as error:
            wrong.append(f"{odd!r}: {type(error).__name__}: {error}")
    assert not wrong
