"""A `torch.nn.TransformerEncoder` as an object, and vectors as what goes in."""

import json

import numpy as np
import pytest
import torch
from encoder_tui.engine import InputError, Session, load, load_module, open_snapshot, save
from encoder_tui.engine.checks import check_masks, check_padding
from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.vectors import read_vectors
from encoder_tui.tui.cli import main
from family_kit import differences, random_model, reference_values, tokens_for
from family_torch_encoder import SAMPLE, Reference, opener
from family_torch_encoder import save as save_encoder
from safetensors.torch import save_file
from torch import nn


@pytest.fixture
def module():
    return random_model(SAMPLE).encoder


@pytest.fixture
def vectors(tmp_path):
    """A file of two rows of five vectors."""
    path = tmp_path / "rows.npy"
    np.save(path, np.random.default_rng(0).normal(size=(2, 5, 32)).astype(np.float32))
    return path


def check(encoder, theirs, lengths):
    run = encoder.run(tokens_for(SAMPLE, encoder, lengths))
    assert not differences(run, reference_values(SAMPLE, theirs, run))
    return run


def test_given_as_an_object(module):
    check(load_module(module), Reference(module), [7, 3])
    check(load(module, "cpu"), Reference(module), [4])


def test_it_keeps_its_dtype_and_its_memory(module):
    encoder = load_module(module.to(torch.bfloat16))
    assert encoder.about["dtype"] == "bfloat16"
    assert encoder.weights["layers.0.linear1.weight"].data_ptr() == module.layers[0].linear1.weight.data_ptr()
    check(encoder, Reference(module), [5])


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("lengths", [[1], [9], [9, 4, 1]])
def test_causal_is_a_square_mask(batch_first, lengths):
    encoder, theirs = opener(random_model(SAMPLE, batch_first=batch_first, norm_first=True), causal=True)
    assert encoder.about["attention"] == "causal"
    run = check(encoder, theirs, lengths)
    assert not [found for found in check_masks(run).findings if not found.risk]
    assert not check_padding(run, encoder).findings


def test_the_module_by_itself_is_near(module):
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


@pytest.mark.parametrize(
    ("spoil", "match"),
    [
        (lambda m: nn.Linear(3, 3), "a Linear is not a torch.nn.TransformerEncoder"),
        (lambda m: setattr(m.layers[1], "norm_first", True), "layer 1 has norm_first True and layer 0 False"),
        (lambda m: setattr(m.layers[0], "activation", torch.cos), "activation that is not implemented: cos"),
        (lambda m: setattr(m.layers[0].norm1, "eps", 0.5), "norms with eps 0.5"),
        (lambda m: setattr(m, "norm", nn.RMSNorm(32)), "RMSNorm"),
        (lambda m: m.layers.__setitem__(0, nn.Identity()), "layer 0 is a Identity"),
        (lambda m: setattr(m.layers[0].linear1, "bias", None), "biases in some parts"),
    ],
)
def test_what_is_not_implemented_is_refused(module, spoil, match):
    spoiled = spoil(module)
    with pytest.raises(InputError, match=match):
        load_module(spoiled if isinstance(spoiled, nn.Module) else module)


@pytest.mark.parametrize("name", ["d_model", "nhead", "num_layers"])
def test_a_size_that_is_missing(module, name):
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
        (np.zeros((1, 2, 32)), np.ones((2, 2)), r"mask has the shape \[2, 2\], and the vectors need \[1, 2\]"),
        (np.zeros((1, 2, 32)), [[1, 2]], "the mask holds 2"),
        (np.array([["a"]]), None, "must be real numbers"),
        (np.zeros((1, 2, 32), complex), None, "must be real numbers"),
    ],
)
def test_shapes_are_checked(module, array, mask, match):
    with pytest.raises(InputError, match=match):
        load_module(module).run_vectors(array, mask)


def test_text_and_vectors_are_told_apart(module):
    with pytest.raises(InputError, match="takes vectors of 32 numbers, not text; give --vectors"):
        load_module(module).run("a text")
    with pytest.raises(InputError, match="takes text, not vectors"):
        load().run_vectors(np.zeros((1, 2, 128)))


def test_files_of_vectors(tmp_path, vectors):
    array, mask = read_vectors(vectors)
    assert array.shape == (2, 5, 32)
    assert mask is None
    both = {"x": torch.from_numpy(array).bfloat16(), "mask": torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]])}
    save_file(both, tmp_path / "rows.safetensors")
    array, mask = read_vectors(tmp_path / "rows.safetensors")
    assert array.dtype == np.float32
    assert mask.sum() == 7


def test_files_that_are_none(tmp_path, vectors):
    save_file({"a": torch.zeros(1), "b": torch.zeros(1)}, tmp_path / "two.safetensors")
    (tmp_path / "bad.npy").write_bytes(b"nothing")
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    for name, match in (
        ("two.safetensors", "it must hold one tensor"), ("bad.npy", "cannot read"), ("objects.npy", "cannot read"),
        ("rows.txt", "ends in neither"), ("none.npy", "no file"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=match):
            read_vectors(tmp_path / name)


def test_the_command_line(module, vectors, capsys):
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


def test_commands_on_vectors(module, vectors, tmp_path):
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
