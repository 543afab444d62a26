"""Files that were made to do harm: each is one line and status 2, or opens as it is meant; none hangs or fills the memory."""

from __future__ import annotations

import base64
import json
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from encoder_tui.engine import InputError
from encoder_tui.engine.models.files import read_json, regular
from encoder_tui.engine.models.text.tokenizer.bounded import BoundedTokenizer
from encoder_tui.engine.models.text.tokenizer.sentencepiece import read_pieces
from encoder_tui.tui.cli import main
from fuzz.bases import BASES, build_base, inputs, pieces
from own_process import run_forked

DEEP = "[" * 200_000 + "]" * 200_000


@pytest.fixture(scope="module")
def wholes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One folder of each kind, whole."""
    place = tmp_path_factory.mktemp("wholes")
    return {name: build_base(name, place / name) for name in BASES}


@pytest.fixture
def copied(wholes: dict[str, Path], tmp_path: Path) -> Callable[[str], Path]:
    return lambda name: Path(shutil.copytree(wholes[name], tmp_path / name))


@pytest.fixture
def refused(capfd: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Open a folder, and check that it is refused in one line; returns the line."""

    def run(name: str, folder: Path, *more: str):
        status = main([*inputs(name, folder), "-m", str(folder), "--batch", *more])
        out, err = capfd.readouterr()
        lines = [line for line in err.splitlines() if line.startswith("encoder-tui: ")]
        assert (status, len(lines)) == (2, 1), err
        assert err.endswith(lines[0] + "\n")
        assert "panicked" not in out + err
        return lines[0]

    return run


@pytest.mark.parametrize("name", BASES)
def test_what_is_whole_is_opened(wholes: dict[str, Path], name: str, capfd: pytest.CaptureFixture[str]):
    assert main([*inputs(name, wholes[name]), "-m", str(wholes[name]), "--batch"]) == 0


def special(path: Path, kind: str):
    path.unlink()
    if kind == "a pipe":
        os.mkfifo(path)
    elif kind == "a device":
        path.symlink_to("/dev/zero")
    elif kind == "a directory":
        path.mkdir()
    else:
        here = os.getcwd()
        os.chdir(path.parent)
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
        os.chdir(here)


FILES = [
    ("bert", "config.json"), ("bert", "model.safetensors"), ("bert", "tokenizer.json"), ("torch", "pytorch_model.bin"),
    ("shards", "model.safetensors.index.json"), ("shards", "model-00002.safetensors"), ("classes", "vocab.txt"),
    ("roberta", "vocab.json"), ("roberta", "merges.txt"), ("t5", "spiece.model"), ("deberta", "spm.model"),
    ("deberta", "tokenizer_config.json"), ("sentence", "modules.json"), ("sentence", "1_Pooling/config.json"),
    ("sentence", "sentence_bert_config.json"), ("vit", "preprocessor_config.json"), ("vit", "picture.png"), ("vectors", "rows.npy"),
]  # fmt: skip


@pytest.mark.parametrize("kind", ["a pipe", "a device", "a directory", "a socket"])
@pytest.mark.parametrize(("name", "file"), FILES)
def test_only_regular_files_are_opened(
    copied: Callable[[str], Path], refused: Callable[..., str], name: str, file: str, kind: str
):
    folder = copied(name)
    special(folder / file, kind)
    said = refused(name, folder)
    assert (kind in said) or file in said


def test_links_to_files_are_files(copied: Callable[[str], Path], capfd: pytest.CaptureFixture[str]):
    """As the Hub's cache has them, to files outside the directory."""
    folder = copied("bert")
    for path in list(folder.iterdir()):
        path.rename(folder.parent / f"blob-{path.name}")
        path.symlink_to(folder.parent / f"blob-{path.name}")
    assert main(["the cat", "-m", str(folder), "--batch"]) == 0


def test_a_script_may_be_a_pipe(wholes: dict[str, Path], tmp_path: Path):
    """`-x <(...)` is named by whoever waits for it."""
    arguments = ["the cat", "-m", str(wholes["bert"]), "--batch", "-x", "/dev/stdin"]
    done = run_forked(arguments, stdin="print tokens.ids\n")
    assert done.returncode == 0, done.stderr
    assert "tokens.ids" in done.stdout


def test_a_script_without_end(refused: Callable[..., str], wholes: dict[str, Path]):
    assert "more than" in refused("bert", wholes["bert"], "-x", "/dev/zero")


@pytest.mark.parametrize(("name", "file"), [pair for pair in FILES if pair[1].endswith((".json", ".safetensors"))])
def test_nested_deeper_than_anyone_means(
    copied: Callable[[str], Path], refused: Callable[..., str], name: str, file: str
):
    folder = copied(name)
    data = json.dumps({"a": "@"}).replace('"@"', DEEP).encode()
    (folder / file).write_bytes((len(data).to_bytes(8, "little") if file.endswith("tensors") else b"") + data)
    refused(name, folder)


def test_nested_json_of_our_own_reader(tmp_path: Path):
    path = tmp_path / "a.json"
    path.write_text('{"a":' * 200_000)
    with pytest.raises(InputError, match="nested too deeply"):
        read_json(path)
    path.write_text("[" * 500 + "]" * 500)
    assert read_json(path)
    assert regular(path)


# -- tokenizers --------------------------------------------------------------------------------------------------


def tokenizer(**parts: Any):
    from tokenizers import Tokenizer

    whole = {"version": "1.0", "model": {"type": "WordLevel", "vocab": {"a": 0, "x": 1}, "unk_token": "x"}}
    return BoundedTokenizer(Tokenizer.from_str(json.dumps(whole | parts)))


def replaced(content: str, **pattern: str) -> dict[str, Any]:
    return {"type": "Replace", "pattern": pattern, "content": content}


def sequence(*steps: dict[str, Any]):
    return {"type": "Sequence", "normalizers": steps}


TABLE = (4).to_bytes(4, "little") + bytes(4) + b"x" * 10**6 + b"\0"
BOMBS = {
    "doubled forty times": sequence(*[replaced("aa", String="a")] * 40),
    "a hundred for each": sequence(*[replaced("a" * 100, Regex=".")] * 5),
    "a million for one": replaced("a" * 10**6, String="a"),
    "between all": replaced("a" * 1000, Regex=""),
    "before it": {"type": "Prepend", "prepend": "a" * 10**6},
    "before it, often": sequence(*[{"type": "Prepend", "prepend": "a" * 200}] * 20),
    "a table": {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(TABLE).decode()},
}


@pytest.mark.few(3)
@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_normaliser_bombs(bomb: dict[str, Any]):
    with pytest.raises(InputError, match="is the most"):
        tokenizer(normalizer=bomb).encode("a cat " * 30_000)


@pytest.mark.parametrize(
    "kept",
    [
        sequence({"type": "NFKC"}, {"type": "Lowercase"}, replaced("▁", Regex=" {2,}")),
        sequence({"type": "Nmt"}, {"type": "NFKC"}, {"type": "StripAccents"}, replaced('"', String="``")),
        sequence({"type": "Prepend", "prepend": "▁"}, replaced("▁", String=" ")),
        sequence(*[replaced("bb", String="q")] * 20),  # could double, and does not
        replaced("a" * 1000, String="w" * 5),  # long, and rare
        {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True},
    ],
    ids=str,
)  # fmt: skip
def test_what_normalisers_do_is_done(kept: dict[str, Any]):
    """Long texts too, and those that become longest."""
    whole = tokenizer(normalizer=kept)
    for text in ("a cat " * 30_000, "\ufdfa" * 1000, "a"):
        assert whole.encode(text).ids == whole._tokenizer.encode(text).ids


def test_pre_tokenizers_and_templates_that_multiply():
    spread = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": False}
    assert tokenizer(pre_tokenizer={"type": "Sequence", "pretokenizers": [spread]}).encode("é a").ids
    with pytest.raises(InputError, match="pre_tokenizer makes a text up to"):
        tokenizer(pre_tokenizer={"type": "Sequence", "pretokenizers": [spread] * 30}).encode("é")
    once = {"Sequence": {"id": "A", "type_id": 0}}
    template: dict[str, Any] = {"type": "TemplateProcessing", "pair": [], "special_tokens": {}}
    assert len(tokenizer(post_processor=template | {"single": [once] * 3}).encode("a").ids) == 3
    with pytest.raises(InputError, match="post_processor makes a text up to"):
        tokenizer(post_processor=template | {"single": [once] * 1000}).encode("a")


def test_as_many_ids_as_tokens():
    special: dict[str, Any] = {"x": {"id": "x", "ids": [], "tokens": ["x"]}}
    parts = [{"SpecialToken": {"id": "x", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    template = {"type": "TemplateProcessing", "single": parts, "pair": [], "special_tokens": special}
    with pytest.raises(InputError, match="gives 1 ids for 2 tokens"):
        tokenizer(post_processor=template).encode("a")
    special["x"]["ids"] = [1]
    assert tokenizer(post_processor=template).encode("a").ids == [1, 0]


def test_a_panic_is_one_line(capfd: pytest.CaptureFixture[str]):
    regex = replaced("x", Regex="(a|a)*[^a!]")
    with pytest.raises(InputError, match=r"cannot read this text: .*retry-limit"):
        tokenizer(normalizer=regex).encode("a" * 40 + "!")
    assert capfd.readouterr() == ("", "")


def test_what_the_library_says_otherwise_is_said(capfd: pytest.CaptureFixture[str]):
    from encoder_tui.engine.models.text.tokenizer.bounded import library_errors

    with library_errors("nothing"):
        os.write(2, b"a warning\n")
    assert capfd.readouterr().err == "a warning\n"


def test_a_table_of_characters_that_says_more_than_it_has(copied: Callable[[str], Path], refused: Callable[..., str]):
    folder = copied("sentence")
    whole = json.loads((folder / "tokenizer.json").read_text())
    whole["normalizer"] = {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(b"\xff" * 40).decode()}
    (folder / "tokenizer.json").write_text(json.dumps(whole))
    assert "table of characters has 40 bytes, and says 4,294,967,295" in refused("sentence", folder)


@pytest.mark.parametrize(
    "data",
    [b"\x80" * 10**6, b"\x0a" + b"\xff" * 10 + b"\x01", b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", b"\x0b"],
    ids=len,
)
def test_numbers_of_sentencepiece_end(tmp_path: Path, data: bytes):
    path = tmp_path / "spiece.model"
    path.write_bytes(data)
    with pytest.raises(InputError, match="truncated or not a SentencePiece model"):
        read_pieces(path)
    path.write_bytes(pieces(["<pad>", "</s>", "<unk>"], ["▁a"]) + b"\x50" + b"\xff" * 9 + b"\x01")  # ten bytes: 64 bits
    assert len(read_pieces(path).pieces) == 4


def test_extra_ids_without_end(copied: Callable[[str], Path], refused: Callable[..., str]):
    folder = copied("t5")
    (folder / "tokenizer_config.json").write_text('{"extra_ids": 1000000000}')
    assert "extra_ids is 1000000000" in refused("t5", folder)


# -- weights and configs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [0, 7, 2**31, 2**62, 2**64 - 1])
def test_headers_of_absurd_size(copied: Callable[[str], Path], refused: Callable[..., str], length: Any):
    folder = copied("bert")
    path = folder / "model.safetensors"
    path.write_bytes(length.to_bytes(8, "little") + path.read_bytes()[8:])
    refused("bert", folder)


@pytest.mark.sweep
def test_a_shard_named_a_million_times(copied: Callable[[str], Path], capfd: pytest.CaptureFixture[str]):
    folder = copied("shards")
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    index["weight_map"] |= {str(number): "model-00001.safetensors" for number in range(10**6)}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert main(["the cat", "-m", str(folder), "--batch"]) == 0


def test_a_config_of_a_billion_layers(copied: Callable[[str], Path], refused: Callable[..., str]):
    folder = copied("bert")
    config = json.loads((folder / "config.json").read_text())
    for key, number in (
        ("num_hidden_layers", 10**8),
        ("num_hidden_layers", 10**29),
        ("hidden_size", 10**30),
        ("vocab_size", 10**8),
    ):
        (folder / "config.json").write_text(json.dumps(config | {key: number}))
        refused("bert", folder)


def test_a_line_of_error_is_of_bearable_length(copied: Callable[[str], Path], refused: Callable[..., str]):
    folder = copied("bert")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"hidden_act": "a" * 10**6}))
    said = refused("bert", folder)
    assert len(said) < 3000
    assert "hidden_act 'aaa" in said
    assert "letters … " in said
    assert str(InputError("short " * 100)) == "short " * 100


# -- arrays ------------------------------------------------------------------------------------------------------


def npy(path: Path, description: object, shape: object):
    text = repr({"descr": description, "fortran_order": False, "shape": shape}).encode() + b"\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(400))


@pytest.mark.parametrize(
    ("description", "shape"),
    [("|O", (2, 3, 16)), ("<f4", (-1, 3, 16)), ("<f4", (2**40, 3, 16)), ("<f4", (2**62, 2**62)), ("<U100", (1,)), ("<c8", (2, 3, 16)),
     ("|V0", (3, 16)), ("x", (1,)), ("<f4", ("x",))],
)  # fmt: skip
def test_arrays_that_are_none(
    copied: Callable[[str], Path], refused: Callable[..., str], description: str, shape: tuple[Any, ...]
):
    folder = copied("vectors")
    npy(folder / "rows.npy", description, shape)
    refused("vectors", folder)


def test_the_other_order_of_bytes_is_read(copied: Callable[[str], Path], capfd: pytest.CaptureFixture[str]):
    folder = copied("vectors")
    rows = np.load(folder / "rows.npy")
    printed: list[str] = []
    for order in ("<", ">"):
        np.save(folder / "rows.npy", rows.astype(f"{order}f4"))
        assert (
            main([*inputs("vectors", folder), "-m", str(folder), "--batch", "-ex", "goto end", "-ex", "print output"])
            == 0
        )
        printed.append(capfd.readouterr().out)
    assert printed[0] == printed[1]


# -- recordings --------------------------------------------------------------------------------------------------


@pytest.fixture
def recorded(
    wholes: dict[str, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> Callable[[Callable[[dict[str, Any]], object]], tuple[int, str]]:
    """Change the facts of a recording, and open it; returns what is said."""
    from safetensors import safe_open
    from safetensors.numpy import load_file, save_file

    path = tmp_path / "r.safetensors"
    assert main(["the cat", "a dog", "-m", str(wholes["bert"]), "--batch", "--export", str(path)]) == 0
    capfd.readouterr()

    def run(change: Callable[[dict[str, Any]], object]):
        with safe_open(path, "numpy") as file:
            facts = json.loads((file.metadata() or {})["encoder_tui"])
        change(facts)
        save_file(load_file(path), tmp_path / "changed.safetensors", metadata={"encoder_tui": json.dumps(facts)})
        looks = ("info tokens", "cost all", "info stages")
        status = main(
            ["--open", str(tmp_path / "changed.safetensors"), "--batch", *(w for look in looks for w in ("-ex", look))]
        )
        return status, capfd.readouterr().err

    return run


CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "texts and rows": lambda facts: facts["tokens"].update(texts=["one"]),
    "a text that is none": lambda facts: facts["tokens"].update(texts=["one", 2]),
    "places and rows": lambda facts: facts["tokens"].update(places=[[]]),
    "a module that is none": lambda facts: facts["stages"][3].update(module={"a": 1}),
    "a shape that is none": lambda facts: facts["weights"].update({next(iter(facts["weights"])): [{"a": 1}]}),
    "a weight without shape": lambda facts: facts["stages"][-1].update(weights=["none"]),
    "a number without end": lambda facts: facts["tokens"].update(vocabulary_size=10**30),
    "no stages": lambda facts: facts.update(stages={}),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_recordings_that_contradict_themselves(
    recorded: Callable[[Callable[[dict[str, Any]], object]], tuple[int, str]],
    change: Callable[[dict[str, Any]], object],
):
    status, err = recorded(change)
    assert (status, err.count("\n")) == (2, 1), err
    assert "damaged" in err


def test_recordings_of_newer_versions_may_hold_more(
    recorded: Callable[[Callable[[dict[str, Any]], object]], tuple[int, str]],
):
    assert recorded(lambda facts: (facts.update(more=[{}]), facts["tokens"].update(more=1)))[0] == 0
