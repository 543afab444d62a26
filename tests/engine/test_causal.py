"""Causal attention: the same numbers as transformers' decoders without cross attention, and checks that know of it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers.models.bert.modeling_bert as modeling
from encoder_tui.engine import Encoder, InputError, Session, Tokens, load
from encoder_tui.engine.analysis.checks import check_masks, check_padding, write_checked
from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.commands.references import reference
from encoder_tui.engine.debugger.unexpected import Unexpected
from family_bert import SMALL, model
from family_kit import EAGER, Sample, differences, open_pair, plain_inputs, random_model, reference_values, tokens_for
from hypothesis import strategies as st
from transformers import BertConfig, BertLMHeadModel, BertModel


def without_cache(tokens: Tokens) -> dict[str, Any]:
    """transformers' decoders copy keys and values into a cache unless told; products of copies differ in their last bits."""
    return plain_inputs(tokens) | {"use_cache": False}


BERT = Sample(
    "BERT", "", model, st.just({}), modeling=(modeling,), outputs={"logits": "head.words.logits"}, inputs=without_cache
)


@pytest.fixture(scope="module")
def decoder() -> tuple[Encoder, Any]:
    """A BERT whose config says `is_decoder`, opened by us and by transformers."""
    return open_pair(BERT, random_model(BERT, is_decoder=True))


@pytest.mark.parametrize("lengths", [[1], [2], [17], [64], [9, 1, 4]])
def test_a_decoder_without_cross_attention(decoder: tuple[Encoder, Any], lengths: list[int]):
    encoder, theirs = decoder
    assert theirs.config.is_decoder
    run = encoder.run(tokens_for(BERT, encoder, lengths))
    assert not differences(run, reference_values(BERT, theirs, run))
    assert encoder.about["attention"] == "causal"


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16", "float64"])
def test_asked_for(dtype: str):
    """`causal=True` on an encoder is what transformers computes when its config says `is_decoder`."""
    encoder, _ = open_pair(BERT, random_model(BERT), dtype, causal=True)
    directory = encoder.checkpoint.directory
    theirs = BertModel.from_pretrained(
        directory, attn_implementation="eager", is_decoder=True, dtype=getattr(torch, dtype)
    ).eval()
    run = encoder.run(tokens_for(BERT, encoder, [12, 5]))
    assert not differences(run, reference_values(BERT, theirs, run))
    assert "attention" not in load(directory).about


def test_with_transformers_cache_the_last_bits_differ(decoder: tuple[Encoder, Any]):
    """What the comparison above leaves out, measured: at most 4e-6 here."""
    encoder, theirs = decoder
    cached = dataclasses.replace(BERT, inputs=None)
    run = encoder.run(tokens_for(BERT, encoder, [9, 1, 4]))
    assert all(off < 1e-5 for off in differences(run, reference_values(cached, theirs, run)).values())


def test_a_language_model_head():
    torch.manual_seed(0)
    made = BertLMHeadModel(BertConfig(**SMALL, is_decoder=True, **EAGER)).eval()
    encoder, theirs = open_pair(BERT, made)
    run = encoder.run(tokens_for(BERT, encoder, [10, 3]))
    expected = reference_values(BERT, theirs, run)
    assert "head.words.logits" in expected
    assert not differences(run, expected)


def test_cross_attention_is_refused(tmp_path: Path):
    BertModel(BertConfig(**SMALL, is_decoder=True, add_cross_attention=True)).save_pretrained(tmp_path)
    with pytest.raises(InputError, match="add_cross_attention True"):
        load(tmp_path)


def test_nothing_after_a_token_changes_it():
    encoder, _ = open_pair(BERT, random_model(BERT), causal=True)
    tokens = tokens_for(BERT, encoder, [12])
    whole = encoder.run(tokens)["output"].read()
    changed = tokens.ids.copy()
    changed[0, 7:] = (changed[0, 7:] + 1) % 98 + 1
    other = encoder.run(dataclasses.replace(tokens, ids=changed))["output"].read()
    assert (whole[0, :7] == other[0, :7]).all()
    assert (whole[0, 7:] != other[0, 7:]).any()


def test_the_checks_know_it_is_on_purpose(decoder: tuple[Encoder, Any]):
    encoder, _ = decoder
    run = encoder.run(tokens_for(BERT, encoder, [14, 6, 9]))
    found = check_masks(run)
    assert not found.findings
    assert "mask.additive: causal on purpose: padding and what comes after it are hidden" in write_checked(found)
    assert not check_padding(run, encoder).findings
    for position, stage in enumerate(run.program):
        run.reach(position)
        assert not Unexpected().holds(run, stage), stage.name


@pytest.mark.parametrize(
    ("place", "value", "kind"), [((1, 3, 9), 0.0, "padding seen"), ((0, 3, 9), 0.0, "seen"), ((0, 9, 3), -1e9, "hidden token")]
)  # fmt: skip
def test_one_pair_that_is_wrong_is_found(
    decoder: tuple[Encoder, Any], place: tuple[int, int, int], value: float, kind: str
):
    encoder, _ = decoder
    run = encoder.run(tokens_for(BERT, encoder, [14, 6]))
    mask = run["mask.additive"].tensor()
    text, query, key = place
    mask[text, 0, query, key] = value
    run.override("mask.additive", mask)
    faults = [one for one in check_masks(run).findings if one.stage == "mask.additive"]
    assert [(one.kind, one.place) for one in faults if not one.risk] == [(kind, (text, 0, query, key))]


def test_compare_model_loads_the_same_way():
    encoder, _ = open_pair(BERT, random_model(BERT), causal=True)
    session = Session(encoder.run(tokens_for(BERT, encoder, [8])), encoder)
    TABLE.execute(session, 'run "w3"')
    other = reference(session, ["model", str(encoder.checkpoint.directory)])
    assert other.about["attention"] == "causal"
    assert other.program["mask.additive"].options["causal"]


def test_why_says_that_the_future_is_hidden(decoder: tuple[Encoder, Any]):
    encoder, _ = decoder
    session = Session(encoder.run(tokens_for(BERT, encoder, [5])), encoder)
    said = TABLE.execute(session, "why layers.0.attention.masked[0, 1, 2, 4]").text
    assert "comes after the query" in said
