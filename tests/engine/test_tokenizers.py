"""Ids, masks and segments are AutoTokenizer's, on odd texts, whatever files a tokenizer comes in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import odd_texts as odd
import pytest
from encoder_tui.engine import InputError
from encoder_tui.engine.models.families.family import Limits
from encoder_tui.engine.models.files import read_object
from encoder_tui.engine.models.text.reader import TextReader
from encoder_tui.engine.models.text.tokenizer.files import open_tokenizer

pytest.importorskip("sentencepiece")
pytest.importorskip("google.protobuf")
ROBERTA = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
BRACKETS = ["[CLS]", "[PAD]", "[SEP]", "[UNK]", "[MASK]"]
CLIP = ["<|startoftext|>", "<|endoftext|>"]


def bert(directory: Path, lower: bool = True):
    odd.write_vocab(directory, odd.word_pieces(lower))


def mpnet(directory: Path):
    odd.write_vocab(directory, odd.word_pieces(brackets=False))


def roberta(directory: Path):
    odd.byte_pairs(directory, ROBERTA)


def deberta(directory: Path):
    odd.byte_pairs(directory, BRACKETS)


def clip(directory: Path):
    odd.byte_pairs(directory, CLIP, end="</w>")


def t5(directory: Path):
    odd.sentence_pieces(directory / "spiece.model", pad_id=0, eos_id=1, unk_id=2, bos_id=-1)


def albert(directory: Path):
    special = {"pad_id": 0, "unk_id": 1, "bos_id": 2, "eos_id": 3, "bos_piece": "[CLS]", "eos_piece": "[SEP]"}
    odd.sentence_pieces(directory / "spiece.model", **special, control_symbols=["[MASK]"])


def fairseq(directory: Path):
    odd.sentence_pieces(directory / "sentencepiece.bpe.model", unk_id=0, bos_id=1, eos_id=2, pad_id=-1)


def deberta_v2(directory: Path):
    special = {"pad_id": 0, "bos_id": 1, "eos_id": 2, "unk_id": 3}
    pieces = {"pad_piece": "[PAD]", "bos_piece": "[CLS]", "eos_piece": "[SEP]", "unk_piece": "[UNK]"}
    odd.sentence_pieces(directory / "spm.model", **special, **pieces, user_defined_symbols=["[MASK]", "<added>"])


def byt5(directory: Path):
    odd.settings(directory, tokenizer_class="ByT5Tokenizer")


# name -> model_type, what writes its old files, tokenizer_config.json
KINDS: dict[str, tuple[str, Callable[[Path], None], dict[str, Any]]] = {
    "bert": ("bert", bert, {}),
    "bert cased": ("bert", lambda d: bert(d, False), {"do_lower_case": False}),
    "bert accents": ("bert", bert, {"strip_accents": False, "tokenize_chinese_chars": False}),
    "bert named": ("bert", bert, {"tokenizer_class": "BertTokenizerFast", "padding_side": "left"}),
    "bert splits": ("bert", bert, {"split_special_tokens": True}),
    "bert added": ("bert", bert, {"additional_special_tokens": ["<added>"], "own_token": "<mine>"}),
    "bert decoder": (
        "bert", bert,
        {"added_tokens_decoder": {
            str(number): {"content": word, "lstrip": word == "<added>", "rstrip": False, "normalized": word == "ADDED",
                          "single_word": word == "ADDED", "special": word.startswith("[")}
            for number, word in (*enumerate(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")), (1500, "<added>"), (1501, "ADDED"))
        }},
    ),
    "distilbert": ("distilbert", bert, {"tokenizer_class": "DistilBertTokenizer"}),
    "electra": ("electra", bert, {"tokenizer_class": "ElectraTokenizer"}),
    "ernie": ("ernie", bert, {}),
    "nomic": ("nomic_bert", bert, {"model_max_length": 8192}),
    "mpnet": ("mpnet", mpnet, {"tokenizer_class": "MPNetTokenizer"}),
    "mpnet cased": ("mpnet", mpnet, {"do_lower_case": False, "mask_token": "<mask>"}),
    "roberta": ("roberta", roberta, {}),
    "roberta spaced": ("roberta", roberta, {"add_prefix_space": True, "trim_offsets": False}),
    "data2vec": ("data2vec-text", roberta, {"tokenizer_class": "RobertaTokenizer"}),
    "bart": ("roberta", roberta, {"tokenizer_class": "BartTokenizer"}),
    "clip": ("clip_text_model", clip, {"tokenizer_class": "CLIPTokenizer"}),
    "t5": ("t5", t5, {}),
    "t5 extra": ("t5", t5, {"extra_ids": 3}),
    "mt5": ("mt5", t5, {"tokenizer_class": "T5Tokenizer", "model_max_length": 1e30}),
    "albert": ("albert", albert, {}),
    "albert cased": ("albert", albert, {"do_lower_case": False, "keep_accents": True, "add_prefix_space": False}),
    "xlm-roberta": ("xlm-roberta", fairseq, {}),
    "minilm": ("bert", fairseq, {"tokenizer_class": "XLMRobertaTokenizer"}),
    "camembert": ("camembert", fairseq, {}),
    "deberta": ("deberta", deberta, {}),
    "deberta spaced": ("deberta", deberta, {"add_prefix_space": True, "mask_token": "[MASK]", "model_max_length": 512}),
    "deberta named": ("deberta", deberta, {"tokenizer_class": "DebertaTokenizerFast", "sep_token": "[PAD]"}),
    "deberta-v2": ("deberta-v2", deberta_v2, {}),
    "deberta-v2 lower": ("deberta-v2", deberta_v2, {"do_lower_case": True, "split_by_punct": True}),
    "byt5": ("t5", byt5, {"tokenizer_class": "ByT5Tokenizer"}),
}  # fmt: skip


@pytest.fixture(scope="module", params=KINDS)
def old(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A directory of old files, and of what kind."""
    model_type, write, said = KINDS[request.param]
    directory = tmp_path_factory.mktemp("old")
    write(directory)
    odd.config(directory, model_type)
    odd.settings(directory, **said)
    return directory, model_type


def reader(directory: Path):
    config = read_object(directory / "config.json")
    opened = open_tokenizer(directory, config.get("model_type", ""), config.get("tokenizer_class"))
    return TextReader(opened, Limits(10**6, None, 2))


def same(directory: Path, texts: Sequence[str] = odd.ODD):
    """Every text alone, as a pair, and all together padded; which texts differ."""
    ours, theirs = reader(directory), odd.theirs(directory)
    wrong: list[Any] = []
    for text in texts:
        try:
            tokens = ours.read(text)
        except InputError:
            assert not text.strip() or not theirs(text)["input_ids"]
            continue
        if tokens.ids[0].tolist() != theirs(text)["input_ids"]:
            wrong.append((text, tokens.strings[0], theirs.convert_ids_to_tokens(theirs(text)["input_ids"])))
    assert not wrong
    pair = theirs(texts[0], texts[1])
    tokens = ours.read(texts[0], texts[1])
    assert tokens.ids[0].tolist() == pair["input_ids"]
    assert tokens.segments[0].tolist() == pair.get("token_type_ids", [0] * len(pair["input_ids"]))
    batch = theirs(texts[:8], padding=True, return_tensors="np")
    tokens = ours.read(texts[:8])
    assert np.array_equal(tokens.ids, batch["input_ids"])
    assert np.array_equal(tokens.mask, batch["attention_mask"])
    assert np.array_equal(tokens.segments, batch.get("token_type_ids", np.zeros_like(tokens.ids)))
    cut = theirs(texts[:8], padding=True, truncation=True, max_length=5, return_tensors="np")
    assert np.array_equal(ours.read(texts[:8], max_length=5).ids, cut["input_ids"])


def test_old_files(old: tuple[Path, str]):
    same(old[0])


def test_what_transformers_writes_of_them(old: tuple[Path, str], tmp_path: Path):
    directory, model_type = old
    theirs = odd.theirs(directory)
    theirs.save_pretrained(tmp_path)
    odd.config(tmp_path, model_type)
    same(tmp_path)
