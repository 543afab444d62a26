"""Byte-level and unigram tokenizers, as checkpoints bring them: the ids of transformers, tokens that people can read."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, cast

import family_roberta
import pytest
import transformers as hf
from encoder_tui.engine import InputError, Session, load
from encoder_tui.engine.analysis.why import explain
from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.models.text.tokenizer.byte_level import readable
from family_kit import random_model
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

TEXTS = ["The animal didn't cross the street.", "Été à Zürich, 東京 🙂 naïve café", "two  spaces\nand a line"]
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]


@pytest.fixture(scope="module")
def roberta_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A RoBERTa with a trained byte-level tokenizer in vocab.json and merges.txt, as its first checkpoints had it."""
    directory = tmp_path_factory.mktemp("roberta")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.train_from_iterator(
        TEXTS * 3,
        trainers.BpeTrainer(
            vocab_size=400,
            special_tokens=SPECIAL,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    tokenizer.model.save(str(directory))
    model = random_model(family_roberta.SAMPLES[0], vocab_size=400, head="words")
    model.save_pretrained(directory)
    return directory


@pytest.fixture(scope="module")
def camembert_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CamemBERT with a trained unigram tokenizer."""
    directory = tmp_path_factory.mktemp("camembert")
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=90, special_tokens=[*SPECIAL], unk_token="<unk>", show_progress=False
    )  # fmt: skip
    tokenizer.train_from_iterator(TEXTS * 3, trainer)
    pieces = json.loads(tokenizer.to_str())["model"]["vocab"]
    hf.CamembertTokenizer(vocab=[tuple(piece) for piece in pieces]).save_pretrained(directory)
    random_model(family_roberta.SAMPLES[2], vocab_size=200).save_pretrained(directory)
    return directory


@pytest.mark.parametrize("spaced", [False, True])
def test_vocab_and_merges_are_read_as_transformers_reads_them(roberta_dir: Path, tmp_path: Path, spaced: bool):
    directory = shutil.copytree(roberta_dir, tmp_path / "model")
    (directory / "tokenizer_config.json").write_text(json.dumps({"add_prefix_space": spaced}))
    encoder = load(directory, "cpu")
    theirs = cast(Any, hf.AutoTokenizer).from_pretrained(directory)
    for text in [*TEXTS, "one <mask> here", "<s>"]:
        assert encoder.read(text).ids[0].tolist() == theirs(text)["input_ids"], text
    pair = encoder.read(TEXTS[0], pair="it was tired")
    assert pair.ids[0].tolist() == theirs(TEXTS[0], "it was tired")["input_ids"]
    assert not pair.segments.any()


def test_both_files_and_tokenizer_json_give_the_same(roberta_dir: Path, tmp_path: Path):
    directory = shutil.copytree(roberta_dir, tmp_path / "model")
    hf.RobertaTokenizer.from_pretrained(roberta_dir).save_pretrained(directory)
    assert (directory / "tokenizer.json").is_file()
    old, new = load(roberta_dir, "cpu"), load(directory, "cpu")
    for text in TEXTS:
        assert (old.read(text).ids == new.read(text).ids).all()
        assert old.read(text).strings == new.read(text).strings


def test_tokens_are_readable(roberta_dir: Path):
    encoder = load(roberta_dir, "cpu")
    strings = encoder.read("Été à Zürich").strings[0]
    assert strings[0] == "<s>"
    assert strings[-1] == "</s>"
    assert "".join(strings[1:-1]).replace("Ġ", " ") == "Été à Zürich"
    run = encoder.run("Été à Zürich")
    assert run.word(int(run.tokens.ids[0, 1])) == strings[1]
    assert run["embeddings.token"].read('token="à"').shape == (1, 32)


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("Ġcross", "Ġcross"),
        ("ĠÃ©tÃ©", "Ġété"),
        ("<mask>", "<mask>"),
        ("ðŁ", "ðŁ"),
        ("ĠĠ", "ĠĠ"),
        ("æĿ±äº¬", "東京"),
        ("", ""),
    ],
)
def test_bytes_become_letters_where_they_are_whole(token: str, expected: str):
    assert readable(token) == expected


def test_a_newline_in_a_token_does_not_break_the_strip(roberta_dir: Path):
    strings = load(roberta_dir, "cpu").read(TEXTS[2]).strings[0]
    assert not any("\n" in word for word in strings)
    assert any("\\n" in word for word in strings)


def test_a_pair_needs_no_segments_where_none_are_told_apart(roberta_dir: Path):
    run = load(roberta_dir, "cpu").run("The animal", pair="two café")
    second = [token for token in range(run.tokens.shape[1]) if run.tokens.is_second(0, token)]
    text = "".join(run.tokens.strings[0][token] for token in second).replace("Ġ", " ")
    assert text.strip() == "two café"
    notes = str(explain(run, "tokens.ids", (0, second[-1])).notes)
    assert "of the second text" in notes
    assert "'é'" in notes or "café" in notes or "'fé'" in notes


def test_unigram_tokens(camembert_dir: Path):
    encoder = load(camembert_dir, "cpu")
    theirs = cast(Any, hf.CamembertTokenizer).from_pretrained(camembert_dir)
    for text in TEXTS:
        assert encoder.read(text).ids[0].tolist() == theirs(text)["input_ids"], text
    batch = encoder.run([TEXTS[0], "Zürich"])
    assert batch["tokens.positions"].numpy()[1].max() == 1 + int(batch.tokens.mask[1].sum())
    assert batch.tokens.strings[1][-1] == "<pad>"
    strings = encoder.read(TEXTS[0]).strings[0]
    assert strings[1].startswith("▁")
    assert "text 0" in TABLE.execute(Session(batch, encoder), "info tokens").text


def test_sentencepiece_alone_is_one_clear_line(camembert_dir: Path, tmp_path: Path):
    directory = shutil.copytree(camembert_dir, tmp_path / "model")
    (directory / "tokenizer.json").unlink()
    (directory / "sentencepiece.bpe.model").write_bytes(b"\n\x05")
    with pytest.raises(
        InputError, match=r"cannot read .*sentencepiece.bpe.model: truncated or not a SentencePiece model"
    ):
        load(directory, "cpu").read("text")
    (directory / "sentencepiece.bpe.model").rename(directory / "other.model")
    with pytest.raises(InputError, match=r"of other.model: CamembertTokenizer is read from sentencepiece.bpe.model"):
        load(directory, "cpu").read("text")


def test_the_two_files_of_another_family_are_refused(roberta_dir: Path, tmp_path: Path):
    directory = shutil.copytree(roberta_dir, tmp_path / "model")
    config = json.loads((directory / "config.json").read_text())
    (directory / "config.json").write_text(json.dumps(config | {"model_type": "camembert"}))
    with pytest.raises(
        InputError, match=r"merges.txt, vocab.json: CamembertTokenizer is read from sentencepiece.bpe.model"
    ):
        load(directory, "cpu").read("text")
    shutil.copy(roberta_dir / "config.json", directory)
    (directory / "merges.txt").write_text("not merges at all\n")
    with pytest.raises(InputError, match="cannot read the tokenizer in"):
        load(directory, "cpu").read("text")
    shutil.copy(roberta_dir / "merges.txt", directory)
    (directory / "vocab.json").write_text((roberta_dir / "vocab.json").read_text().replace("</s>", "</z>"))
    assert load(directory, "cpu").read("text").notes == (
        "the vocabulary has no </s>, which RobertaTokenizer puts around a text: it is added",
    )
