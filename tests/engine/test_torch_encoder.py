"""A `torch.nn.TransformerEncoder` as an object, and vectors as what goes in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from encoder_tui.engine import Encoder, InputError, Session, load, load_module, open_snapshot, save
from encoder_tui.engine.analysis.checks import check_masks, check_padding
from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.models.vectors import read_vectors
from encoder_tui.tui.cli import main
from family_kit import differences, random_model, reference_values, tokens_for
from family_torch_encoder import SAMPLE, Reference, opener
from family_torch_encoder import save as save_encoder
from numpy.typing import NDArray
from safetensors.torch import save_file


@pytest.fixture
def module() -> torch.nn.TransformerEncoder:
    return random_model(SAMPLE).encoder


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    """A file of two rows of five vectors."""
    path = tmp_path / "rows.npy"
    np.save(path, np.random.default_rng(0).normal(size=(2, 5, 32)).astype(np.float32))
    return path


def check(encoder: Encoder, theirs: Reference, lengths: list[int]):
    run = encoder.run(tokens_for(SAMPLE, encoder, lengths))
    assert not differences(run, reference_values(SAMPLE, theirs, run))
    return run


def test_given_as_an_object(module: torch.nn.TransformerEncoder):
    check(load_module(module), Reference(module), [7, 3])
    check(load(module, "cpu"), Reference(module), [4])


def test_it_keeps_its_dtype_and_its_memory(module: torch.nn.TransformerEncoder):
    encoder = load_module(module.to(torch.bfloat16))
    assert encoder.about["dtype"] == "bfloat16"
    assert (
        encoder.weights["layers.0.linear1.weight"].data_ptr()
        == module.get_parameter("layers.0.linear1.weight").data_ptr()
    )
    check(encoder, Reference(module), [5])


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("lengths", [[1], [9], [9, 4, 1]])
def test_causal_is_a_square_mask(batch_first: bool, lengths: list[int]):
    encoder, theirs = opener(random_model(SAMPLE, batch_first=batch_first, norm_first=True), causal=True)
    assert encoder.about["attention"] == "causal"
    run = check(encoder, theirs, lengths)
    assert not [found for found in check_masks(run).findings if not found.risk]
    assert not check_padding(run, encoder).findings


def test_the_module_by_itself_is_near(module: torch.nn.TransformerEncoder):
    """Without weights torch takes other kernels, and in eval mode a fused one: both differ in the last bits only."""
    encoder = load_module(module)
    run = encoder.run(tokens_for(SAMPLE, encoder, [9, 9]))
    ours, given = run["output"].tensor(), torch.from_numpy(run.tokens.arrays["input.vectors"])
    with torch.no_grad():
        for fast in (False, True):
            torch.backends.mha.set_fastpath_enabled(fast)
            try:
                theirs = module(given)
            finally:
                torch.backends.mha.set_fastpath_enabled(True)
            assert (ours - theirs).abs().max() < 1e-4 * theirs.abs().max()


@pytest.mark.parametrize("name", ["d_model", "nhead", "num_layers"])
def test_a_size_that_is_missing(module: torch.nn.TransformerEncoder, name: str):
    directory = save_encoder(module)
    config = json.loads((directory / "config.json").read_text())
    del config[name]
    (directory / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match=f"{name} is missing"):
        load(directory)


@pytest.mark.parametrize(
    ("array", "mask", "match"),
    [
        (np.zeros((2, 3, 31)), None, "vectors have 31 numbers each, and the model takes 32"),
        (np.zeros(32), None, r"shape \[32\]; it must be \[batch, token, 32\]"),
        (np.zeros((1, 0, 32)), None, "shape"),
        (
            np.zeros((1, 2, 32)),
            np.ones((2, 2)),
            r"mask has the shape \[2, 2\], and the vectors need \[1, 2\], \[batch, token\]",
        ),
        (np.zeros((1, 2, 32)), [[1, 2]], "the mask holds 2"),
        (np.zeros((1, 2, 32)), [[1.0, 0.0]], "the mask is float64 and holds 1: torch adds such a mask to the scores"),
        (np.zeros((1, 2, 32)), [[0.0, -1e9]], r"holds -1e\+09"),
        (np.zeros((1, 2, 32)), [[0.0, np.nan]], "holds nan"),
        (np.zeros((1, 2, 32)), [[0.0, 0.0]], "is 0 everywhere"),
        (np.array([["a"]]), None, "must be real numbers"),
        (np.zeros((1, 2, 32), complex), None, "must be real numbers"),
    ],
)
def test_shapes_are_checked(
    module: torch.nn.TransformerEncoder, array: NDArray[Any], mask: NDArray[Any] | list[list[float]] | None, match: str
):
    with pytest.raises(InputError, match=match):
        load_module(module).run_vectors(array, mask)


def test_text_and_vectors_are_told_apart(module: torch.nn.TransformerEncoder):
    with pytest.raises(InputError, match="takes vectors of 32 numbers, not text; give --vectors"):
        load_module(module).run("a text")


def test_files_of_vectors(tmp_path: Path, vectors: Path):
    array, mask = read_vectors(vectors)
    assert array.shape == (2, 5, 32)
    assert mask is None
    both = {"x": torch.from_numpy(array).bfloat16(), "mask": torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]])}
    save_file(both, tmp_path / "rows.safetensors")
    array, mask = read_vectors(tmp_path / "rows.safetensors")
    assert array.dtype == np.float32
    assert mask.sum() == 7


def test_files_that_are_none(tmp_path: Path, vectors: Path):
    save_file({"a": torch.zeros(1), "b": torch.zeros(1)}, tmp_path / "two.safetensors")
    (tmp_path / "bad.npy").write_bytes(b"nothing")
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    for name, match in (
        ("two.safetensors", "it must hold one tensor"), ("bad.npy", "cannot read"), ("objects.npy", "cannot read"),
        ("rows.txt", "ends in none of .npy, .npz, .safetensors"), ("none.npy", "no file"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=match):
            read_vectors(tmp_path / name)


def test_the_command_line(module: torch.nn.TransformerEncoder, vectors: Path, capsys: pytest.CaptureFixture[str]):
    directory = str(save_encoder(module))
    line = ["--vectors", str(vectors), "--model", directory, "--batch"]
    assert main([*line, "-ex", "info tokens", "-ex", "print layers.0.attention.weights[0, 0]"]) == 0
    said = capsys.readouterr().out
    assert "text 1: 'rows.npy 1'" in said
    assert "0 0" in said
    assert main([*line, "a text"]) == 2
    assert main(["--model", directory, "--batch", "a text"]) == 2
    assert "give --vectors PATH" in capsys.readouterr().err
    assert main([*line, "--against", f"model {directory}"]) == 0


def test_commands_on_vectors(module: torch.nn.TransformerEncoder, vectors: Path, tmp_path: Path):
    encoder = load_module(module)
    array, _ = read_vectors(vectors)
    session = Session(encoder.run_vectors(array, [[1] * 5, [1, 1, 1, 0, 0]]), encoder)
    for line in ("check masks", "check padding", "compare dtype float64", "why layers.0.attention.scores[0, 1, 2, 3]"):
        assert TABLE.execute(session, line).text
    TABLE.execute(session, "patch input.vectors[0, 1] = 0")
    assert (session.trace["input.vectors"].read()[0, 1] == 0).all()
    path = tmp_path / "all.safetensors"
    save(session.trace, path)
    assert np.array_equal(open_snapshot(path)["output"].read(), session.trace["output"].read())


SEEN = [[1, 1, 1, 0], [1, 1, 0, 0]]


@pytest.mark.parametrize(
    ("mask", "said"),
    [
        (SEEN, ()),
        (torch.tensor(SEEN, dtype=torch.uint8), ()),
        (torch.tensor(SEEN) == 0, ("booleans (True hides): 3 of 8 vectors hidden",)),
        (torch.zeros(2, 4).masked_fill(torch.tensor(SEEN) == 0, -torch.inf), ("floats, added to the scores (-inf hides): 3 of 8",)),
    ],
    ids=["integers", "uint8", "boolean", "float"],
)  # fmt: skip
def test_what_a_mask_means(
    module: torch.nn.TransformerEncoder, mask: list[list[int]] | torch.Tensor, said: tuple[str, ...]
):
    """Booleans and floats mean what torch's own `src_key_padding_mask` means, integers what an attention mask means."""
    run = load_module(module).run_vectors(torch.ones(2, 4, 32), mask)
    assert np.array_equal(run.tokens.mask, SEEN)
    assert len(run.tokens.notes) == len(said)
    assert all(part in note for part, note in zip(said, run.tokens.notes, strict=True))
    if isinstance(mask, torch.Tensor) and mask.dtype != torch.uint8:
        with torch.no_grad():
            theirs = module(torch.ones(2, 4, 32), src_key_padding_mask=mask)
        gap = (run["output"].tensor() - theirs)[torch.tensor(SEEN) == 1]
        assert gap.abs().max() < 1e-5


def test_batch_second_is_read_as_the_module_reads_it():
    theirs = random_model(SAMPLE, batch_first=False)
    encoder, given = load_module(theirs.encoder), torch.randn(4, 2, 32)
    run = encoder.run_vectors(given, SEEN)  # the mask is (batch, token), as torch has it
    assert run["input.vectors"].shape == (2, 4, 32)
    assert "vectors [4, 2, 32] are read as [token, batch, 32]" in run.tokens.notes[0]
    assert "2 sequences of 4 tokens" in run.tokens.notes[0]
    with torch.no_grad():
        own = theirs.encoder(given, src_key_padding_mask=torch.tensor(SEEN) == 0)
    seen = torch.tensor(SEEN) == 1
    assert (run["output"].tensor() - own.transpose(0, 1))[seen].abs().max() < 1e-5
    alone = encoder.run_vectors(given[:, 0]).tokens.notes  # one sequence has no batch
    assert alone == ("vectors [4, 32] are read as one sequence of 4 tokens",)
    with pytest.raises(InputError, match=r"vectors need \[2, 4\], \[batch, token\]"):
        encoder.run_vectors(given, torch.ones(4, 2, dtype=torch.int64))


def test_a_saved_one_without_batch_first_is_torchs_default(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    directory = save_encoder(random_model(SAMPLE, batch_first=False).encoder)
    config = json.loads((directory / "config.json").read_text())
    del config["batch_first"]
    (directory / "config.json").write_text(json.dumps(config))
    np.save(tmp_path / "rows.npy", np.zeros((3, 2, 32), np.float32))
    line = ["--vectors", str(tmp_path / "rows.npy"), "--model", str(directory), "--batch"]
    assert main([*line, "-ex", "info tokens", "--against", f"model {save_encoder(random_model(SAMPLE).encoder)}"]) == 0
    said = capsys.readouterr()
    assert "vectors [3, 2, 32] are read as [token, batch, 32]" in said.err
    assert "text 1: 'rows.npy 1'" in said.out


def test_a_boolean_mask_is_told(
    module: torch.nn.TransformerEncoder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    save_file({"x": torch.zeros(1, 2, 32), "mask": torch.tensor([[False, True]])}, tmp_path / "rows.safetensors")
    line = ["--vectors", str(tmp_path / "rows.safetensors"), "--model", str(save_encoder(module)), "--batch"]
    assert main([*line, "-ex", "print tokens.mask"]) == 0
    said = capsys.readouterr()
    assert "src_key_padding_mask, booleans (True hides): 1 of 2 vectors hidden" in said.err


def test_the_help_says_what_a_mask_means(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "integers, 1 counts, or booleans, True hides" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("ending", ["npz", "safetensors"])
@pytest.mark.parametrize("name", ["mask", "attention_mask", "src_key_padding_mask", "key_padding_mask"])
def test_a_mask_goes_by_its_names(module: torch.nn.TransformerEncoder, tmp_path: Path, ending: str, name: str):
    """transformers' name and torch's, each with what it means there."""
    path = tmp_path / f"rows.{ending}"
    given = {
        "inputs_embeds": torch.ones(2, 4, 32),
        name: torch.tensor(SEEN) == 0 if "padding" in name else torch.tensor(SEEN),
    }
    if ending == "npz":
        arrays: dict[str, Any] = {part: tensor.numpy() for part, tensor in given.items()}
        np.savez(path, **arrays)
    else:
        save_file(given, path)
    assert np.array_equal(load_module(module).run_vectors(*read_vectors(path)).tokens.mask, SEEN)


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"attention_mask": np.ones((1, 2), bool)}, "attention_mask is bool, which says nothing of which is hidden"),
        ({"src_key_padding_mask": np.ones((1, 2), int)}, "src_key_padding_mask is int64, and torch's is boolean"),
        ({"mask": np.ones((1, 2), int), "attention_mask": np.ones((1, 2), int)}, "may hold one mask"),
        ({"token_type_ids": np.ones((1, 2), int)}, "must hold one tensor"),
    ],
)
def test_a_mask_whose_name_says_another_convention_is_refused(
    tmp_path: Path, parts: dict[str, NDArray[Any]], said: str
):
    arrays: dict[str, Any] = {"x": np.zeros((1, 2, 32)), **parts}
    np.savez(tmp_path / "rows.npz", **arrays)
    with pytest.raises(InputError, match=said):
        read_vectors(tmp_path / "rows.npz")


THIRD = np.full((1, 2, 32), 1 / 3)


@pytest.mark.parametrize(
    ("array", "mask", "said"),
    [
        (THIRD, None, "vectors are float64 and rounded to float32, in which is computed; --dtype float64 keeps them"),
        (np.full((1, 2, 32), 1e300), None, "vectors are float64 and rounded to float32"),
        (np.full((1, 2, 32), 0.5), None, None),  # which single precision holds as well
        (THIRD.astype(np.float32), None, None),
        (THIRD.astype(np.float16), None, None),
        (np.zeros((2, 32), np.float32), None, "vectors [2, 32] are read as one sequence of 2 tokens"),
        (np.ones((1, 2, 32), int), None, "vectors are int64: whole numbers, taken as they are"),
        (np.zeros((1, 2, 32), np.float32), [[0, 1]], "integers (1 counts): 1 of 2 vectors hidden, the first of text 0 among them"),
        (np.zeros((1, 2, 32), np.float32), [[1, 0]], None),
    ],
)  # fmt: skip
def test_how_vectors_were_read_is_told_where_it_may_be_meant_otherwise(
    module: torch.nn.TransformerEncoder, array: NDArray[Any], mask: list[list[int]] | None, said: str | None
):
    notes = load_module(module).run_vectors(array, mask).tokens.notes
    assert [said is not None and said in note for note in notes] == [True] * (said is not None)


def test_double_precision_keeps_them(module: torch.nn.TransformerEncoder):
    run = load_module(module, "float64").run_vectors(THIRD)
    assert run.tokens.notes == ()
    assert run["input.vectors"].read()[0, 0, 0] == 1 / 3


def test_vectors_of_yes_and_no_are_a_mask(module: torch.nn.TransformerEncoder):
    with pytest.raises(InputError, match="vectors are bool"):
        load_module(module).run_vectors(np.ones((1, 2, 32), bool))
