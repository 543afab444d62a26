"""`assert_same` of somebody's tensors, graphs and programs under other names: matched as `compare` does, and what is not is no pass."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from encoder_tui.engine import Encoder, InputError, Run, load, record, save
from encoder_tui.engine.program.arrays import Array
from encoder_tui.testing import assert_same
from hand_written import HandWritten, line_with
from safetensors import safe_open
from safetensors.numpy import save_file
from somebodys_port import Port
from test_assert_same import GELU, IDS, MASK, failure
from test_foreign_dumps import as_in_c, under_hugging_faces_names, under_no_names

TEXT = "The animal didn't cross the street"


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load(None, "cpu")


@pytest.fixture(scope="module")
def run(encoder: Encoder) -> Run:
    return encoder.run([TEXT])


@pytest.fixture
def undiagnosed(monkeypatch: pytest.MonkeyPatch) -> None:
    """No cause is looked for: there is none of a kind that is tried, and to try them all takes its time."""

    def left_out(*_: object, **__: object) -> None:
        raise InputError("not here")

    monkeypatch.setattr("encoder_tui.engine.analysis.diagnose.diagnose", left_out)


def as_torch_saves(arrays: Mapping[str, Array], folder: Path) -> str:
    """A dict within a dict, and one of what nobody asked for."""
    layers = {name: torch.tensor(array) for name, array in arrays.items()}
    torch.save({"activations": layers, "step": 3}, folder / "dump.pt")
    return str(folder / "dump.pt")


@pytest.mark.parametrize("dump", [under_hugging_faces_names, under_no_names, as_in_c, as_torch_saves])
@pytest.mark.few(2)
def test_a_dump_is_matched_and_its_fault_named(
    dump: Callable[[Mapping[str, Array], Path], str], run: Run, encoder: Encoder, tmp_path: Path
) -> None:
    path = dump(Port(run).arrays(), tmp_path)
    assert_same(path, encoder, texts=TEXT)
    (tmp_path / "wrong").mkdir()
    path = dump(Port(run, "tanh from layer 1").arrays(), tmp_path / "wrong")
    first, matched, *_ = failure(Path(path), run).split("\n\n")
    assert first == (
        f"{Path(path).name} is not the same as bundled: it begins at layers.1.ffn.activation; "
        "cause: ours computes gelu_pytorch_tanh, theirs gelu"
    )
    assert matched.startswith("matched    ")


def test_a_dump_is_a_reference_too(run: Run, tmp_path: Path) -> None:
    assert_same(run, as_torch_saves(Port(run).arrays(), tmp_path))
    first = failure(run, as_torch_saves(Port(run, "tanh from layer 1").arrays(), tmp_path)).split("\n\n")[0]
    assert first.endswith("it begins at layers.1.ffn.activation; cause: theirs computes gelu_pytorch_tanh, ours gelu")


@pytest.mark.usefixtures("undiagnosed")
def test_a_map_says_which_is_which(small: Encoder, tmp_path: Path) -> None:
    run = small.run("one")
    save_file({"mine": run["layers.0.output"].numpy() + 1}, tmp_path / "one.safetensors")
    (tmp_path / "names.toml").write_text('mine = "layers.0.output"\n')
    with pytest.raises(InputError, match=r"none of the 1 tensors of tensors .* is a stage of this model"):
        assert_same(tmp_path / "one.safetensors", run)
    message = failure(tmp_path / "one.safetensors", run, names=tmp_path / "names.toml")
    assert "it begins at layers.0.ffn.norm" in message.splitlines()[0]
    save_file({"mine": run["layers.0.output"].numpy()}, tmp_path / "one.safetensors")
    assert_same(tmp_path / "one.safetensors", run, names=tmp_path / "names.toml")


def test_what_is_matched_to_nothing_is_no_pass(run: Run, tmp_path: Path) -> None:
    """The part that is right would do, and the part that is wrong was not looked at."""
    arrays = {"embeddings.LayerNorm": run["embeddings.norm"].numpy(), "odd": np.ones((1, 5, 7), np.float32)}
    np.savez(tmp_path / "dump.npz", **arrays)  # pyright: ignore[reportArgumentType]
    said, matched = failure(tmp_path / "dump.npz", run).split("\n\n")
    assert said == (
        "dump.npz is not known to be the same as bundled: what was matched is the same, but 1 of its tensors is no stage, and what comes out was not "
        "matched; say with names= which is which, or leave them out"
    )
    assert matched.splitlines()[-1] == "no stage   odd [1, 5, 7]"
    del arrays["odd"]
    np.savez(tmp_path / "dump.npz", **arrays)  # pyright: ignore[reportArgumentType]
    assert_same(tmp_path / "dump.npz", run)


@pytest.mark.usefixtures("undiagnosed")
def test_ids_among_the_tensors_say_what_goes_in(small: Encoder, small_dir: Path, tmp_path: Path) -> None:
    known = small.run_ids(IDS, MASK)
    arrays = {f"layer{at}": known[f"layers.{at}.output"].numpy() for at in range(2)}
    np.savez(tmp_path / "dump.npz", input_ids=IDS.numpy(), attention_mask=MASK.numpy(), **arrays)  # pyright: ignore[reportArgumentType]
    assert_same(tmp_path / "dump.npz", small_dir)
    arrays["layer1"] = arrays["layer1"] + np.float32(0.01)
    np.savez(tmp_path / "dump.npz", input_ids=IDS.numpy(), attention_mask=MASK.numpy(), **arrays)  # pyright: ignore[reportArgumentType]
    message = failure(tmp_path / "dump.npz", HandWritten(small_dir))
    assert "it begins at layers.1.ffn.norm" in message.splitlines()[0]


def renamed(path: Path, other: Path) -> Path:
    """A recording whose stages have names that say nothing."""

    def word(name: str) -> str:
        return re.sub(r"^(layers|embeddings)\.", r"own_\1_", name)

    with safe_open(path, "numpy") as file:
        arrays = {word(name): file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        manifest = re.sub(r'"(layers|embeddings)\.', r'"own_\1_', str(file.metadata()["encoder_tui"]))  # pyright: ignore[reportUnknownArgumentType]
    save_file(arrays, other, {"encoder_tui": manifest})
    return other


def test_a_recording_under_other_names_is_matched_by_its_numbers(
    small: Encoder, small_dir: Path, tmp_path: Path
) -> None:
    for approximate in ("none", "tanh"):
        save(record(HandWritten(small_dir, approximate), IDS, MASK), tmp_path / "plain.safetensors")
        renamed(tmp_path / "plain.safetensors", tmp_path / f"{approximate}.safetensors")
    known = small.run_ids(IDS, MASK)
    assert_same(tmp_path / "none.safetensors", known)
    assert_same(known, tmp_path / "none.safetensors")
    assert_same(tmp_path / "none.safetensors", small_dir)
    message = failure(tmp_path / "tanh.safetensors", known)
    source = f"tests/hand_written.py:{line_with(GELU)}"
    assert message.startswith(
        f"tanh.safetensors is not the same as {small.name}: it begins at layers.0.ffn.activation ({source}); cause: ours computes gelu_pytorch_tanh"
    )
    assert f"\n\n    {source}    {GELU}\n\n" in message
    assert " by shape and value" in message


REFUSED: list[tuple[Callable[[Path, Encoder], tuple[Any, Any]], dict[str, Any], str]] = [
    (lambda p, s: (p, p), {}, "both are tensors alone, which have no stages to be matched to; give a model"),
    (lambda p, s: (p, s), {}, "nothing to run {small} on; give texts=..., or inputs=..."),
    (lambda p, s: (p, s.run("one")), {"texts": "one"}, "both have been computed already, so there is nothing to do with texts or inputs"),
    (lambda p, s: (p.parent / "damaged.safetensors", s), {"texts": "one"}, "cannot read "),
    (lambda p, s: (p.parent / "damaged.npz", s), {"texts": "one"}, "cannot read "),
    (lambda p, s: (p, s), {"texts": "one", "names": "/no/such.toml"}, "no map '/no/such.toml'"),
    (lambda p, s: (p.parent / "empty", s), {"texts": "one"}, "no config.json in "),
]  # fmt: skip


@pytest.mark.parametrize(("sides", "given", "said"), REFUSED)
def test_what_cannot_be_compared_is_said_in_a_line(
    small: Encoder, tmp_path: Path, sides: Callable[[Path, Encoder], tuple[Any, Any]], given: dict[str, Any], said: str
) -> None:
    np.savez(tmp_path / "dump.npz", layer=np.ones((1, 3, 32), np.float32))
    (tmp_path / "damaged.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{}")
    (tmp_path / "damaged.npz").write_bytes(b"PK\3\4")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError) as caught:
        assert_same(*sides(tmp_path / "dump.npz", small), **given)
    assert said.format(small=small.name) in str(caught.value)
    assert "\n" not in str(caught.value)
