"""Four foreign dumps of a port: each is whole and equal where the port is right, and finds its stage where a fault is planted."""

from __future__ import annotations

import json
import pickle
import re
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from encoder_tui.engine import InputError, Run, Session, load
from encoder_tui.engine.analysis.compare import Comparison, compare
from encoder_tui.engine.analysis.matching import match_tensors, read_map, write_map
from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.program.arrays import Array
from encoder_tui.engine.traces.dump import read_dump
from encoder_tui.engine.traces.matched import Matched
from safetensors.numpy import save_file
from session_kit import do
from somebodys_port import FAULTS, SEEN, Port

TEXT = "The animal didn't cross the street because it was too tired"
HUGGING_FACE = {
    "attention.query_heads": "attention.self.query", "attention.key_heads": "attention.self.key",
    "attention.value_heads": "attention.self.value", "attention.norm": "attention.output.LayerNorm",
    "ffn.up": "intermediate.dense", "ffn.activation": "intermediate.intermediate_act_fn", "ffn.down": "output.dense",
    "ffn.norm": "output.LayerNorm",
}  # fmt: skip


@pytest.fixture(scope="module")
def session() -> Session:
    encoder = load(None, "cpu")
    return Session(encoder.run([TEXT]), encoder)


@pytest.fixture(scope="module")
def ours(session: Session) -> Run:
    assert isinstance(session.trace, Run)
    return session.trace


def side_by_side(array: Array) -> Array:
    """Heads as (batch, token, hidden)."""
    return np.ascontiguousarray(array.swapaxes(1, 2).reshape(array.shape[0], array.shape[2], -1))


def under_hugging_faces_names(arrays: Mapping[str, Array], folder: Path) -> str:
    """An npz as hooks on transformers' modules write it; what is no module has no name of it."""
    named: dict[str, Array] = {"embeddings.LayerNorm": arrays["embeddings.norm"]}
    for name, array in arrays.items():
        _, number, part = name.split(".", 2) if name.startswith("layers.") else ("", "", "")
        if part in HUGGING_FACE:
            named[f"encoder.layer.{number}.{HUGGING_FACE[part]}"] = side_by_side(array) if "heads" in part else array
        elif part == "attention.weights":
            named[f"attentions.{number}"] = array
        elif part:
            named[f"own.{number}.{part.replace('.', '_')}"] = array
    np.savez(folder / "dump.npz", **named)  # pyright: ignore[reportArgumentType]
    return str(folder / "dump.npz")


def under_no_names(arrays: Mapping[str, Array], folder: Path) -> str:
    """A safetensors under numbers drawn at random, in no order."""
    order = np.random.default_rng(3).permutation(len(arrays))
    named = {f"t{number:03d}": array for number, array in zip(order, arrays.values(), strict=True)}
    save_file(named, folder / "dump.safetensors")
    return str(folder / "dump.safetensors")


def as_in_c(arrays: Mapping[str, Array], folder: Path) -> str:
    """Raw floats without a batch, key, query and value in one product, half of it (head, token, size), shapes in a JSON file."""
    home = folder / "raw"
    home.mkdir()
    shapes: dict[str, Any] = {}

    def write(name: str, array: Array) -> None:
        shapes[name] = {"shape": list(array.shape), "dtype": "f32"}
        (home / f"{name}.bin").write_bytes(np.ascontiguousarray(array, dtype="<f4").tobytes())

    for at, (name, array) in enumerate(arrays.items()):
        if name.endswith("query_heads"):
            parts = [side_by_side(arrays[name.replace("query", part)])[0] for part in ("key", "query", "value")]
            write(f"blk{at}", np.concatenate(parts, axis=-1))  # (token, 3 hidden)
        elif not name.endswith("_heads"):
            write(f"blk{at}", array[0])
    (home / "shapes.json").write_text(json.dumps(shapes))
    return str(home)


DUMPS: dict[str, Callable[[Mapping[str, Array], Path], str]] = {
    "Hugging Face's names": under_hugging_faces_names, "no names": under_no_names, "joint in C": as_in_c,
}  # fmt: skip


def matched(ours: Run, path: str, **more: Any) -> Matched:
    return match_tensors(ours, read_dump(path), title="dump", **more)


def judged(ours: Run, theirs: Matched) -> Comparison:
    return compare(ours, theirs)


@pytest.mark.parametrize("dump", DUMPS)
def test_a_healthy_dump_is_matched_whole_and_equal_within_rounding(dump: str, ours: Run, tmp_path: Path) -> None:
    arrays = Port(ours).arrays()
    theirs = matched(ours, DUMPS[dump](arrays, tmp_path))
    assert not theirs.unmatched
    assert set(arrays) <= set(theirs.by_stage)
    result = compare(ours, theirs)
    assert result.equal
    assert not result.exact  # whatever its dtype: it is somebody else's code
    assert all(row.tolerance > 0 for row in result.rows if row.dtype)
    for name, array in arrays.items():  # each is what the port computed there
        assert np.array_equal(theirs.value(name).read(), array), name


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault])
@pytest.mark.parametrize("dump", DUMPS)
@pytest.mark.few(6)
def test_a_planted_fault_is_found_at_its_stage(dump: str, fault: str, ours: Run, tmp_path: Path) -> None:
    theirs = matched(ours, DUMPS[dump](Port(ours, fault).arrays(), tmp_path))
    first = compare(ours, theirs).first
    assert first is not None
    assert first.name == SEEN[fault]
    assert first.inherited is None or first.inherited <= 1e-5


def test_what_was_guessed_is_written_as_a_map_and_read_back(session: Session, ours: Run, tmp_path: Path) -> None:
    path = as_in_c(Port(ours, "tanh from layer 1").arrays(), tmp_path)
    guessed = tmp_path / "names.toml"
    text = do(session, f"compare tensors '{path}' map-out '{guessed}'")
    assert "the first is layers.1.ffn.activation" in text.splitlines()[-1]
    assert "by shape and value" in text
    again = do(session, f"compare tensors '{path}' map '{guessed}'")
    assert again.splitlines()[-1] == text.splitlines()[-1]
    assert " by the map" in again
    assert "by shape and value" not in again


def test_a_map_is_followed_whatever_the_numbers_say(ours: Run, tmp_path: Path) -> None:
    path = under_no_names(
        {name: array for name, array in Port(ours).arrays().items() if name == "layers.0.ffn.norm"}, tmp_path
    )
    file = tmp_path / "names.toml"
    file.write_text('t000 = "layers.1.output"\n')
    theirs = matched(ours, path, named=read_map(str(file)))
    assert {match.stage: match.how for match in theirs.matches} == {"layers.1.ffn.norm": "map"}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('t9 = "layers.0.output"', "there is no tensor 't9'"),
        ('t000 = "layers.9.output"', "no stage named"),
        ('t000 = { stage = "layers.0.ffn.up" }', "and layers.0.ffn.up is"),
        ('t000 = { stage = "output", turned = 1 }', "'turned' is none of"),
        ("t000 = 1", 'write "theirs" = "ours"'),
        ("t000 = ", "is not TOML"),
    ],
)
def test_a_map_that_does_not_fit_is_refused_in_a_line(line: str, said: str, ours: Run, tmp_path: Path) -> None:
    path = under_no_names({"layers.0.ffn.norm": Port(ours).arrays()["layers.0.ffn.norm"]}, tmp_path)
    (tmp_path / "names.toml").write_text(line)
    with pytest.raises(InputError, match=r".+") as refused:
        matched(ours, path, named=read_map(str(tmp_path / "names.toml")))
    assert said in str(refused.value)


# -- no match that is none ---------------------------------------------------------------------------------------------


def test_names_that_are_shuffled_are_not_believed(ours: Run, tmp_path: Path) -> None:
    arrays = Port(ours).arrays()
    names = list(arrays)
    alike = [name for name in names if arrays[name].shape == arrays["embeddings.norm"].shape]
    shuffled = dict(zip(alike, [*alike[1:], alike[0]], strict=True))
    theirs = matched(
        ours, under_their_names({shuffled.get(name, name): array for name, array in arrays.items()}, tmp_path)
    )
    assert compare(ours, theirs).equal


def test_two_names_exchanged_stand_and_are_told_of(ours: Run, tmp_path: Path) -> None:
    """Query called key is a fault more often than a name."""
    arrays = Port(ours).arrays()
    query, key = "layers.0.attention.query_heads", "layers.0.attention.key_heads"
    theirs = matched(ours, under_their_names(arrays | {query: arrays[key], key: arrays[query]}, tmp_path))
    first = compare(ours, theirs).first
    assert first is not None
    assert first.name in (query, "layers.0.attention.query")
    assert any("its numbers are those of layers.0.attention.key" in note for note in theirs.notes)


def under_their_names(arrays: Mapping[str, Array], folder: Path) -> str:
    np.savez(folder / "named.npz", **arrays)  # pyright: ignore[reportArgumentType]
    return str(folder / "named.npz")


def test_a_dump_of_another_text_is_no_match_of_this_one(ours: Run, tmp_path: Path) -> None:
    """Of another text of the same length nothing before the first thing that differs is told apart from it."""
    other = load(None, "cpu").run(["Some other words stand here and none of them is what it was"])
    longer = load(None, "cpu").run(["A cat"])
    with pytest.raises(InputError, match="none of the"):
        matched(ours, under_no_names(Port(longer).arrays(), tmp_path))
    if other.tokens.shape == ours.tokens.shape:
        theirs = matched(ours, under_no_names(Port(other).arrays(), tmp_path))
        assert not compare(ours, theirs).equal


def test_random_numbers_are_no_match(ours: Run, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    arrays = {name: random.standard_normal(array.shape, np.float32) for name, array in Port(ours).arrays().items()}
    with pytest.raises(InputError, match="is a stage of this model"):
        matched(ours, under_no_names(arrays, tmp_path))


def test_two_stages_of_one_value_are_matched_in_order_and_one_tensor_serves_one(ours: Run, tmp_path: Path) -> None:
    arrays = Port(ours).arrays()
    copies = {name: arrays[name] for name in ("embeddings.norm", "layers.0.attention.norm")}
    theirs = matched(
        ours, under_no_names(arrays | {f"copy of {name}": array for name, array in copies.items()}, tmp_path)
    )
    assert len(theirs.unmatched) == len(copies)
    assert compare(ours, theirs).equal


def test_half_precision_as_bits_is_read_and_held_to_its_own_tolerance(ours: Run, tmp_path: Path) -> None:
    bits = {
        f"t{at}": (array.view(np.uint32) >> 16).astype(np.uint16)
        for at, array in enumerate(Port(ours).arrays().values())
    }
    theirs = matched(ours, under_their_names(bits, tmp_path))
    assert not theirs.unmatched
    result = compare(ours, theirs)
    assert result.equal
    assert {row.dtype for row in result.rows if row.computed} == {"bfloat16"}


def test_a_dump_padded_to_another_length_is_cut_to_the_tokens(ours: Run, tmp_path: Path) -> None:
    tokens = ours.tokens.shape[1]
    arrays = {
        name: np.pad(array, [(0, 9 if size == tokens else 0) for size in array.shape])
        for name, array in Port(ours).arrays().items()
    }
    theirs = matched(ours, under_no_names(arrays, tmp_path))
    assert not theirs.unmatched
    assert compare(ours, theirs).equal


def test_ids_of_theirs_are_seen(ours: Run, tmp_path: Path) -> None:
    shifted = {"input_ids": ours.tokens.ids + 1, "last_hidden_state": Port(ours).arrays()["layers.3.ffn.norm"]}
    first = compare(ours, matched(ours, under_their_names(shifted, tmp_path))).first
    assert first is not None
    assert first.name == "tokens.ids"


# -- modules, recordings, pickles --------------------------------------------------------------------------------------

MODULE = """
import torch
from encoder_tui.engine import load
class Own(torch.nn.Module):
    def __init__(self):
        super().__init__()
        from transformers import BertModel
        self.bert = BertModel.from_pretrained({model!r}, add_pooling_layer=False).eval()
    def forward(self, input_ids, attention_mask):
        return self.bert(input_ids, attention_mask=attention_mask).last_hidden_state
def right():
    return Own()
def wrong():
    own = Own()
    for layer in own.bert.encoder.layer[1:]:
        layer.intermediate.intermediate_act_fn = torch.nn.GELU(approximate="tanh")
    return own
"""


@pytest.mark.parametrize(("name", "said"), [("right", "equal"), ("wrong", "the first is layers.1.ffn.activation")])
def test_a_module_of_ones_own_is_a_reference(name: str, said: str, session: Session, tmp_path: Path) -> None:
    from encoder_tui.engine.models.hub import locate

    (tmp_path / f"{name}_model.py").write_text(MODULE.format(model=str(locate(None, lambda _: None)[1])))
    text = TABLE.execute(session, f"compare module '{tmp_path}/{name}_model.py:{name}'").text
    assert said in text.splitlines()[-1]
    assert "as theirs was computed by other code" in text


def test_a_recording_of_ours_is_a_reference_under_either_word(session: Session, tmp_path: Path) -> None:
    do(session, "continue", f"export '{tmp_path}/all.safetensors'")
    said = [
        do(session, f"compare {word} '{tmp_path}/all.safetensors'").splitlines()[-1]
        for word in ("recording", "snapshot")
    ]
    assert said[0] == said[1]
    assert said[0].startswith("equal: all")


def test_a_pickle_is_not_run(session: Session, tmp_path: Path) -> None:
    import torch

    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "sprung",))

    torch.save({"a": Trap()}, tmp_path / "dump.pt")
    with pytest.raises(InputError, match="nothing in it is run"):
        read_dump(str(tmp_path / "dump.pt"))
    assert not (tmp_path / "sprung").exists()
    torch.save({"a": Trap()}, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    with pytest.raises(InputError, match="holds more than tensors"):
        read_dump(str(tmp_path / "old.pt"))
    (tmp_path / "plain.pt").write_bytes(pickle.dumps({"a": Trap()}))
    (tmp_path / "junk.pt").write_bytes(bytes(range(0xD3, 0xFF)))
    for name in ("plain", "junk"):
        with pytest.raises(InputError, match=r"is no file that torch\.save wrote"):
            read_dump(str(tmp_path / f"{name}.pt"))
    torch.save({"inner": {"list": [torch.zeros(2, 3)]}}, tmp_path / "dump.pt")
    assert list(read_dump(str(tmp_path / "dump.pt"))) == ["inner.list.0"]


@pytest.mark.parametrize("form", ["pt", "safetensors", "npz"])
def test_numbers_that_are_not_read_are_told_of(form: str, session: Session, ours: Run, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file as save_tensors

    whole = torch.tensor(Port(ours).arrays()["layers.0.ffn.norm"])
    tensors = {
        "layers.0.output": whole,
        "layers.1.output": whole.to(torch.float8_e4m3fn),  # by its name a stage, which it would be compared with
        "spectrum": whole.to(torch.complex64),
        "counts": torch.ones(2, 3).to(torch.uint16),
    }
    path = tmp_path / f"dump.{form}"
    if form == "pt":
        torch.save({**tensors, "sparse": torch.eye(3).to_sparse()}, path)
    elif form == "safetensors":
        save_tensors(tensors, path)
    else:
        arrays = {name: tensor.numpy() for name, tensor in tensors.items() if "layers.1" not in name}
        np.savez(path, **arrays, long=np.ones(2, np.longdouble))  # pyright: ignore[reportArgumentType]
    unread = {
        "pt": "layers.1.output (float8_e4m3fn), spectrum (complex64), sparse (float32, sparse_coo)",
        "safetensors": "layers.1.output (float8_e4m3fn), spectrum (complex64)",
        "npz": "spectrum (complex64), long (float128)",
    }[form]
    lines = do(session, f"compare tensors '{path}'").splitlines()
    (line,) = [line for line in lines if line.startswith("not read   ")]
    names, said = line.removeprefix("not read   ").split(": ")
    assert set(re.findall(r"\S+ \([^)]+\)", names)) == set(re.findall(r"\S+ \([^)]+\)", unread))
    assert said == "no array here holds such numbers; save them as float32"
    assert lines[-1].startswith("equal within")
    (tmp_path / "names.toml").write_text('spectrum = "layers.1.output"\n')
    with pytest.raises(InputError, match="'spectrum' is of complex64, and no array here holds such numbers"):
        do(session, f"compare tensors '{path}' map '{tmp_path}/names.toml'")


def test_where_nothing_is_read_that_is_why(session: Session, tmp_path: Path) -> None:
    np.save(tmp_path / "odd.npy", np.ones((3, 4), np.complex128))
    with pytest.raises(
        InputError, match=r"by its numbers, and odd \(complex128\) is of dtypes that are not read; say which"
    ):
        do(session, f"compare tensors '{tmp_path}/odd.npy'")


def test_a_map_is_written_for_people(ours: Run, tmp_path: Path) -> None:
    theirs = matched(ours, as_in_c(Port(ours).arrays(), tmp_path))
    write_map(str(tmp_path / "out.toml"), theirs.matches, theirs.unmatched)
    lines = (tmp_path / "out.toml").read_text().splitlines()
    assert '"blk1" = [  # by value, 2e-07 apart' in lines or any(
        line.startswith('"blk1" = [  # by value') for line in lines
    )
    assert any('stage = "layers.0.attention.query"' in line and 'slice = "[:, 1]"' in line for line in lines)


def test_a_map_is_given_to_batch_mode(ours: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from encoder_tui.tui.cli import main

    path = under_no_names({"layers.0.ffn.norm": Port(ours).arrays()["layers.0.ffn.norm"]}, tmp_path)
    (tmp_path / "names.toml").write_text('t000 = "layers.0.output"\n')
    line = [TEXT, "--device", "cpu", "--batch", "--map", str(tmp_path / "names.toml"), "--against"]
    assert main([*line, f"tensors '{path}' tolerance 1e-5 all"]) == 0
    assert "t000 = layers.0.ffn.norm by the map" in capsys.readouterr().out
    assert main([*line, "dtype float64"]) == 2
    assert "--map needs --against with one of tensors" in capsys.readouterr().err


def test_figures_that_others_give_are_those_of_float64(ours: Run, tmp_path: Path) -> None:
    array = Port(ours).arrays()["layers.0.ffn.norm"]
    other = array + np.float32(0.01) * np.random.default_rng(0).standard_normal(array.shape, np.float32)
    row = compare(ours, matched(ours, under_their_names({"layers.0.ffn.norm": other}, tmp_path))).rows[-1]
    a, b = ours.value("layers.0.ffn.norm").read().astype(np.float64).ravel(), other.astype(np.float64).ravel()
    assert row.relative_length == pytest.approx(np.linalg.norm(a - b) / np.linalg.norm(b), rel=1e-5)
    assert row.turned == pytest.approx(1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b), rel=1e-3)
    assert row.decibels == pytest.approx(-20 * np.log10(row.relative_length))


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "EOFError"), (b"PK\x03\x04 cut short", "cannot read"), (b"\x80\x04cposix\nsystem\n.", "nothing in it is run")],
)  # fmt: skip
def test_a_file_of_torch_that_is_none_is_refused_in_one_line(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "theirs.pt"
    path.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InputError) as refused:
            read_dump(str(path))
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
