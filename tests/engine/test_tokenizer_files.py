"""What stands beside a tokenizer is honoured, refused by name, or told: the keys of its files, their classes, their ids."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import odd_texts as odd
import pytest
import transformers as hf
from encoder_tui.engine import InputError, Session, load
from encoder_tui.engine.models.text.coverage import unknown_words
from encoder_tui.engine.models.text.tokenizer.files import open_tokenizer
from encoder_tui.engine.models.text.tokenizer.settings import HARMLESS, READ
from test_tokenizers import bert, reader, same
from tokenizers import Tokenizer, models, pre_tokenizers, processors


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A BERT's vocab.txt and config."""
    bert(tmp_path)
    odd.config(tmp_path, "bert")
    return tmp_path


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A tokenizer that is nobody's: tokenizer.json is read as it stands."""
    tokenizer = Tokenizer(models.WordLevel(odd.word_pieces(), unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    odd.config(tmp_path, "bert")
    odd.settings(tmp_path, tokenizer_class="PreTrainedTokenizerFast", unk_token="[UNK]", pad_token="[PAD]")
    return tmp_path


def edited(directory: Path, edit: Callable[[dict[str, Any]], object], name: str = "tokenizer.json"):
    path = directory / name
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def test_as_it_stands(own: Path):
    same(own)
    assert not reader(own).read("the cat", "a dog").segments.any()  # this class hands out none, and says so
    assert "both texts of a pair are in segment 0" in reader(own).read("the cat", "a dog").notes[0]
    odd.settings(
        own,
        tokenizer_class="PreTrainedTokenizerFast",
        pad_token="[PAD]",
        model_input_names=["input_ids", "token_type_ids"],
    )
    assert reader(own).read("the cat", "a dog").segments.any()


def test_lengths_in_tokenizer_json_cut_nothing_and_its_sides_count(own: Path):
    edited(own, lambda c: c.update(
        truncation={"direction": "Left", "max_length": 4, "strategy": "LongestFirst", "stride": 0},
        padding={"strategy": {"Fixed": 9}, "direction": "Left", "pad_to_multiple_of": None, "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"},
    ))  # fmt: skip
    same(own)
    tokens = reader(own).read(["the cat sat on the mat", "a"])
    assert tokens.shape == (2, 8)
    assert tokens.mask[1].tolist() == [0, 0, 0, 0, 0, 1, 1, 1]
    assert "shorter texts are padded at their beginning, as padding_side says" in tokens.notes


def test_nothing_around_a_text(own: Path):
    edited(own, lambda c: c.update(post_processor=None))
    same(own)


def test_files_of_before_added_tokens_decoder(plain: Path):
    odd.settings(plain, pad_token="[MASK]")
    (plain / "special_tokens_map.json").write_text(
        json.dumps(
            {
                "unk_token": "[UNK]",
                "pad_token": {"content": "[PAD]", "lstrip": True},
                "additional_special_tokens": ["<added>"],
                "odd_token": "<odd>",
            }
        )
    )
    (plain / "added_tokens.json").write_text(json.dumps({"ADDED": 2000, "<added>": 2001}))
    same(plain)


def test_what_tokenizer_json_adds(own: Path):
    edited(own, lambda c: c["added_tokens"].append(
        {"id": len(odd.word_pieces()), "content": "<added>", "single_word": False, "lstrip": True, "rstrip": True, "normalized": False, "special": False}
    ))  # fmt: skip
    same(own)


@pytest.mark.parametrize("name", ["casing", "lower", "silent"])
def test_tokenizer_config_is_followed_where_tokenizer_json_says_otherwise(
    plain: Path, name: str, tmp_path_factory: pytest.TempPathFactory
):
    """Transformers' BertTokenizer makes its own normalizer, whatever tokenizer.json has."""
    theirs = odd.theirs(plain)
    directory = tmp_path_factory.mktemp("saved")
    theirs.save_pretrained(directory)
    odd.config(directory, "bert")
    edited(directory, lambda c: c["normalizer"].update(lowercase=name == "lower"))
    edited(
        directory,
        lambda c: c.pop("do_lower_case") if name == "silent" else c.update(do_lower_case=name == "casing"),
        "tokenizer_config.json",
    )
    same(directory)
    notes = reader(directory).read("The Cat").notes
    assert len(notes) == 1
    assert "text 0 is read as transformers' BertTokenizer reads it" in notes[0]
    assert reader(directory).read("the cat").notes == ()


def test_the_case_of_the_issue(minilm_dir: Path, tmp_path: Path):
    directory = shutil.copytree(minilm_dir, tmp_path / "model")
    edited(directory, lambda c: c["normalizer"].update(lowercase=False))
    edited(directory, lambda c: c.update(do_lower_case=True), "tokenizer_config.json")
    tokens = load(directory, "cpu").read("The Cat sat on the mat")
    assert tokens.strings[0] == ("[CLS]", "the", "cat", "sat", "on", "the", "mat", "[SEP]")
    assert unknown_words(tokens) == ""
    edited(directory, lambda c: c.update(do_lower_case=False), "tokenizer_config.json")
    tokens = load(directory, "cpu").read("The Cat sat on the mat")
    assert unknown_words(tokens) == (
        "2 of 6 tokens are [UNK]: the vocabulary has these words in another case: The (the), Cat (cat). Write them so, or see "
        "do_lower_case in tokenizer_config.json."
    )
    assert "Another --model may know" in unknown_words(load(directory, "cpu").read("\U0001f980\U0001f991 ꙮ"))


def test_the_unknown_token_is_the_tokenizers(own: Path):
    edited(own, lambda c: c["model"].update(unk_token="[MASK]"))
    tokens = reader(own).read("zebra crossing the")
    assert tokens.unknown == "[MASK]"
    assert "2 of 3 tokens are [MASK]" in unknown_words(tokens)
    assert unknown_words(reader(own).read("the [UNK] [UNK] cat")) == ""


def test_every_key_is_read_or_harmless_or_told(plain: Path):
    odd.settings(plain, **dict.fromkeys([key for keys in HARMLESS.values() for key in keys], None))
    assert open_tokenizer(plain, "bert").notes == []
    odd.settings(plain, surprise=1, my_token="<mine>", chat_template="x")
    assert open_tokenizer(plain, "bert").notes == [
        "tokenizer_config.json has keys that are not known here and not used: surprise"
    ]
    odd.settings(plain, auto_map={"AutoTokenizer": ["a.B", None]})
    assert "which is not run" in open_tokenizer(plain, "bert").notes[0]
    assert not READ & {key for keys in HARMLESS.values() for key in keys}


def test_an_unknown_part_of_tokenizer_json_is_refused(own: Path):
    edited(own, lambda c: c.update(surprise=None))
    with pytest.raises(InputError, match="cannot read the tokenizer in"):
        open_tokenizer(own, "bert")


@pytest.mark.parametrize(
    "kind",
    [
        "EsmTokenizer",
        "BertJapaneseTokenizer",
        "PhobertTokenizer",
        "BertweetTokenizer",
        "CanineTokenizer",
        "PerceiverTokenizer",
    ],
)
@pytest.mark.parametrize("whole", [True, False])
def test_vocab_txt_is_not_always_wordpiece(plain: Path, kind: str, whole: bool):
    if whole:
        Tokenizer(models.WordLevel({"a": 0})).save(str(plain / "tokenizer.json"))
    odd.settings(plain, tokenizer_class=kind)
    with pytest.raises(InputError, match=f"tokenizer_class '{kind}' is not implemented; give ids in place of a text"):
        open_tokenizer(plain, "bert")


def test_a_class_that_is_not_known(own: Path):
    odd.settings(own, tokenizer_class="TheirOwnTokenizer", pad_token="[PAD]")
    assert open_tokenizer(own, "bert").notes == [
        "tokenizer_class 'TheirOwnTokenizer' is not known here: tokenizer.json is read as it stands"
    ]
    (own / "tokenizer.json").unlink()
    bert(own)
    with pytest.raises(InputError, match="'TheirOwnTokenizer' is not implemented without a"):
        open_tokenizer(own, "bert")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"do_lower_case": "yes"}, "do_lower_case is 'yes', and must be true or false"),
        ({"padding_side": "middle"}, "padding_side is 'middle', and must be 'left' or 'right'"),
        ({"truncation_side": 3}, "truncation_side is 3"),
        ({"model_max_length": "512"}, "model_max_length is '512', and must be a whole number"),
        ({"model_max_length": -1}, "must be a whole number of 0 or more"),
        ({"tokenizer_class": 3}, "must be the name of a class"),
        ({"added_tokens_decoder": {"x": {"content": "a"}}}, "has the id 'x'"),
        ({"added_tokens_decoder": {"1": {"text": "a"}}}, "is no token"),
        ({"added_tokens_decoder": {"1": {"content": "a", "lstrip": 3}}}, "each must be true or false"),
        ({"pad_token": 3}, "is no token"),
        ({"extra_special_tokens": 3}, "must be a list of tokens"),
        ({"model_input_names": "ids"}, "must be a list of names"),
        ({"split_special_tokens": "no"}, "must be true or false"),
    ],
)
def test_bad_values_are_one_line(plain: Path, values: dict[str, Any], said: str):
    odd.settings(plain, **values)
    with pytest.raises(InputError) as caught:
        reader(plain).read("the cat")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_limit_that_nothing_enforces_is_told(small_dir: Path, tmp_path: Path):
    directory = shutil.copytree(small_dir, tmp_path / "model")
    edited(directory, lambda c: c.update(model_max_length=10), "tokenizer_config.json")
    encoder = load(directory, "cpu")
    tokens = encoder.read("word " * 20)
    assert tokens.shape == (1, 22)
    assert "text 0 has 22 tokens, and tokenizer_config.json says model_max_length 10" in tokens.notes[0]
    assert encoder.read("word").notes == ()


def roberta(tmp_path: Path, padding: int):
    words = {
        word: number
        for number, word in enumerate(
            ["<pad>", "<unk>", "<s>", "</s>", "<mask>", *dict.fromkeys(["the", "cat", "sat", "on", "mat", "a", "dog"])]
        )
    }
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 2), ("</s>", 3)]
    )
    hf.PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>").save_pretrained(
        tmp_path
    )
    config = hf.RobertaConfig(
        vocab_size=20, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64, max_position_embeddings=40,
        pad_token_id=padding, type_vocab_size=1,
    )  # fmt: skip
    hf.RobertaModel(config, add_pooling_layer=False).save_pretrained(tmp_path)
    model = hf.RobertaModel.from_pretrained(tmp_path, attn_implementation="eager", add_pooling_layer=False)
    return load(tmp_path, "cpu"), model.eval()


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("padding", [0, 5])
def test_padding_that_tokenizer_and_config_disagree_about(tmp_path: Path, padding: int, side: str):
    import torch

    encoder, model = roberta(tmp_path, padding)
    edited(tmp_path, lambda c: c.update(padding_side=side), "tokenizer_config.json")
    texts = ["the cat sat on the mat", "a dog"]
    given = odd.theirs(tmp_path)(texts, padding=True, return_tensors="pt")
    run = encoder.run(texts)
    assert np.array_equal(run.tokens.ids, given["input_ids"].numpy())
    with torch.no_grad():
        expected = model(**given).last_hidden_state
        positions = cast(Any, model.embeddings).create_position_ids_from_input_ids(given["input_ids"], padding)
    assert torch.equal(run["tokens.positions"].tensor(), positions)
    assert torch.equal(run["output"].tensor(), expected)
    said = "the tokenizer pads with id 0 (<pad>), and the model takes 5 (the) for padding: positions skip 5, so 2 real tokens get the padding position"
    assert any(note.startswith(said) for note in run.tokens.notes) == (padding == 5)
    assert Session(run, encoder).notes == (*encoder.checkpoint.notes, *run.tokens.notes)


def test_a_tokenizer_without_padding(own: Path):
    odd.settings(own, tokenizer_class="PreTrainedTokenizerFast")
    assert reader(own).read(["the cat", "a"]).notes == (
        "the tokenizer names no padding token: padded with id 0, config.json's pad_token_id",
    )
    assert reader(own).read(["the cat", "a dog"]).notes == ()


def test_left_padding_reads_what_the_reference_reads(minilm_dir: Path, tmp_path: Path):
    import torch

    directory = shutil.copytree(minilm_dir, tmp_path / "model")
    edited(directory, lambda c: c.update(padding_side="left"), "tokenizer_config.json")
    texts = ["the cat sat on the mat", "a dog"]
    run = load(directory, "cpu").run(texts)
    model = cast(Any, hf.AutoModel).from_pretrained(directory, attn_implementation="eager").eval()
    with torch.no_grad():
        theirs = model(**odd.theirs(directory)(texts, padding=True, return_tensors="pt"))
    assert torch.equal(run["output"].tensor(), theirs.last_hidden_state)
    assert torch.equal(run["head.pooler.activation"].tensor(), theirs.pooler_output)
    assert run.tokens.strings[1] == ("[PAD]",) * 4 + ("[CLS]", "a", "dog", "[SEP]")
    assert run.tokens.places[1][-3:] == ((0, 1), (2, 5), (0, 0))
