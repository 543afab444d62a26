"""Ids in place of a text: typed, from files, from Python; with a tokenizer beside the model and without one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from encoder_tui.engine import Encoder, InputError, Run, Session, load
from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.models.text.given_ids import given_texts, read_ids
from encoder_tui.tui.cli import main
from safetensors.numpy import save_file

TEXTS = ["the cat sat on the mat", "a dog"]


@pytest.fixture(scope="module")
def bare(small_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small BERT without any tokenizer."""
    directory = shutil.copytree(small_dir, tmp_path_factory.mktemp("bare") / "model")
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt"):
        (directory / name).unlink()
    return directory


def same(run: Run, text: Run):
    assert (run.tokens.ids == text.tokens.ids).all()
    assert (run.tokens.mask == text.tokens.mask).all()
    assert torch.equal(run["output"].tensor(), text["output"].tensor())


def test_they_are_what_the_text_is(small: Encoder):
    text = small.run(TEXTS)
    rows = [
        [int(n) for n, seen in zip(ids, mask, strict=True) if seen]
        for ids, mask in zip(text.tokens.ids, text.tokens.mask, strict=True)
    ]
    run = small.run_ids(rows)
    same(run, text)
    assert run.tokens.strings == text.tokens.strings
    same(small.run_ids(text.tokens.ids, text.tokens.mask), text)
    same(small.run_ids(torch.tensor(text.tokens.ids), torch.tensor(text.tokens.mask)), text)
    alone = small.run_ids(rows[1])
    assert alone.tokens.ids.tolist() == [rows[1]]
    typed = small.run(small.read_ids(read_ids([" ".join(map(str, row)) for row in rows])))
    same(typed, text)
    assert typed.tokens.texts[1] == " ".join(map(str, rows[1]))


def test_segments_and_positions(small: Encoder, make_checkpoint: Callable[..., Path]):
    text = small.run("the cat", pair="a dog")
    tokens = text.tokens
    same(small.run_ids(tokens.ids, tokens.mask, tokens.segments), text)
    moved = small.run_ids([101, 5, 102], positions=[7, 8, 9])
    assert moved["tokens.positions"].read("").tolist() == [[7, 8, 9]]


def test_no_tokenizer_no_text(bare: Path, small: Encoder):
    encoder = load(bare, "cpu")
    run = encoder.run_ids([[101, 1996, 4937, 102], [101, 102]])
    assert run.tokens.strings == (("101", "1996", "4937", "102"), ("101", "102", "0", "0"))
    assert torch.equal(run["output"].tensor(), small.run_ids([[101, 1996, 4937, 102], [101, 102]])["output"].tensor())
    assert "ids are shown as numbers: no tokenizer in" in run.tokens.notes[0]
    tokens = small.read(TEXTS)
    assert torch.equal(encoder.run(tokens)["output"].tensor(), small.run(tokens)["output"].tensor())
    with pytest.raises(InputError, match=r"no tokenizer in .*give ids in place of a text \(--ids\)"):
        encoder.read("text")
    session = Session(run, encoder)
    for line in ('patch tokens.ids[0, 1] = "dog"', "nearest dog"):
        with pytest.raises(
            InputError, match=r"there is no tokenizer, so no (token|word) is known as 'dog': give its id"
        ):
            TABLE.execute(session, line)
    assert (
        TABLE.execute(session, 'patch tokens.ids[0, 1] = "7"').text
        == TABLE.execute(session, "patch tokens.ids[0, 1] = 7").text
    )
    for line in ("info tokens", "print output[0, :, :2]", "why embeddings.token[0, 1, 2]", "check padding", "step"):
        TABLE.execute(session, line)


@pytest.mark.parametrize("ending", ["npy", "npz", "safetensors", "jsonl", "json"])
def test_files(small: Encoder, tmp_path: Path, ending: str):
    ids, mask = np.array([[101, 1996, 102, 7], [101, 102, 0, 0]]), np.array([[1, 1, 1, 1], [1, 1, 0, 0]])
    path = tmp_path / f"rows.{ending}"
    if ending == "npy":
        np.save(path, ids[0])
        ids, mask = ids[:1], mask[:1]
    elif ending == "npz":
        np.savez(path, input_ids=ids, attention_mask=mask)
    elif ending == "safetensors":
        save_file({"input_ids": ids, "attention_mask": mask.astype(np.int32)}, path)
    elif ending == "jsonl":
        path.write_text(
            f"{ids[0].tolist()}\n\n" + json.dumps({"ids": [101, 102], "mask": [1, 1], "segments": [0, 0]}) + "\n"
        )
    else:
        path.write_text(json.dumps({"input_ids": ids.tolist(), "attention_mask": mask.tolist()}))
    tokens = small.read_ids(read_ids(str(path)))
    assert tokens.ids.tolist() == ids.tolist()
    assert tokens.mask.tolist() == mask.tolist()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("12 x", "neither ids, such as '12 5 7', nor a file"),
        ("1.5 2", "'1.5' is no whole number"),
        ("1e3", "'1e3' is no whole number"),
        ("", "has no ids"),
        ("[ ]", "there is none"),
        ("-1 3", "-1 is out of range for ids, which go from 0 to 30521"),
        ("30522", "30522 is out of range for ids, which go from 0 to 30521"),
        ("9" * 30, "is no whole number"),
        (" ".join(["5"] * 65), "has 65 ids, and the model takes 64; give fewer"),
        ("nothing/there.npy", "neither ids"),
    ],
)
def test_what_is_no_id_is_one_line(small: Encoder, given: str, said: str):
    with pytest.raises(InputError) as caught:
        small.read_ids(read_ids(given))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("[1.0, 2.0]", "must hold whole numbers"),
        ("[]", "has no ids; give at least one"),
        ("5", "write a list of ids, or an object with `ids`"),
        ("{bad", "is no JSON"),
        ('{"mask": [1]}', "holds no ids"),
        ('{"ids": [1, 2], "mask": [true, false]}', "write 1 where a token counts and 0 where it is padding"),
        ('{"ids": [1, 2], "mask": [1]}', "2 ids and 1 numbers of mask"),
        ('{"ids": [1, 2], "mask": [1, 3]}', "3 is out of range for mask"),
        ('{"ids": [1, 2], "segments": [0, 2]}', "2 is out of range for segments"),
        ('{"ids": [1, 2], "positions": [0, 64]}', "64 is out of range for positions, which go from 0 to 63"),
        ('{"ids": [1], "labels": [1]}', "holds 'labels'; known are"),
        ("[[1, 2], 3]", "must be one number a token"),
        ('["a"]', "must hold whole numbers"),
        ("[1e400]", "must hold whole numbers"),
    ],
)
def test_bad_files_are_one_line(small: Encoder, tmp_path: Path, line: str, said: str):
    path = tmp_path / "rows.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(InputError) as caught:
        small.read_ids(read_ids(str(path)))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    for name in ("bad.npy", "bad.npz", "bad.safetensors"):
        (tmp_path / name).write_bytes(b"\x93NUMPY nothing")
        with pytest.raises(InputError, match="cannot read"):
            read_ids(str(tmp_path / name))


def test_parts_the_model_does_not_take(make_checkpoint: Callable[..., Path], small: Encoder):
    import family_roberta
    from family_kit import open_pair, random_model

    encoder, _ = open_pair(family_roberta.SAMPLES[0], random_model(family_roberta.SAMPLES[0]))
    with pytest.raises(InputError, match="has positions, and this model makes its own"):
        encoder.run_ids([3, 4], positions=[1, 2])


def test_the_command_line(bare: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["--ids", "101 5 102", "--ids", "101,102", "-m", str(bare), "--batch", "-ex", "info tokens"]) == 0
    out, err = capsys.readouterr()
    assert "text 0: '101 5 102'" in out
    assert "ids are shown as numbers" in err
    assert main(["--ids", "101", "text", "-m", str(bare), "--batch"]) == 2
    assert "--ids stands for the text, and takes no text" in capsys.readouterr().err


def test_compared_with_another_model_they_stay_the_same_ids(small: Encoder, minilm_dir: Path):
    session = Session(small.run_ids([[101, 5, 102]]), small)
    assert TABLE.execute(session, f"compare model {minilm_dir}").text
    assert session.reference.trace.tokens.ids.tolist() == [[101, 5, 102]]


def test_a_typed_line_is_a_text(small: Encoder):
    """As `--ids "$(cat FILE)"` gives them."""
    typed = small.run(small.read_ids(read_ids("101 5 102\n 101, 102\n\n")))
    same(typed, small.run_ids([[101, 5, 102], [101, 102]]))
    assert typed.tokens.texts == ("101 5 102", "101, 102")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('[2, 5, "x"]', "'x'"),
        ("[2, 5.5]", "5.5"),
        ("[1e400, 3]", "inf"),
        ("[2, null]", "None"),
        (f"[{10**30}]", "1000"),
    ],
)
def test_the_number_that_is_none_is_named_as_it_was_written(tmp_path: Path, line: str, said: str):
    (tmp_path / "ids.jsonl").write_text(line)
    with pytest.raises(InputError, match=f"holds {said}.*, and must hold whole numbers"):
        read_ids(str(tmp_path / "ids.jsonl"))
    with pytest.raises(InputError, match=r"holds 2\.5, and"):
        given_texts(torch.tensor([2.5, 3.0]))
