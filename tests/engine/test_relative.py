"""What families with relative positions have beyond what every family passes: buckets, rows, masks of pairs, whole checkpoints."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any, cast

import family_deberta
import family_deberta_v2
import family_mpnet
import family_t5
import numpy as np
import pytest
import torch
import transformers.models.deberta_v2.modeling_deberta_v2 as modeling_deberta
from encoder_tui.engine import Encoder, InputError, Session, load, open_snapshot, save
from encoder_tui.engine.analysis.checks import check_masks, check_padding
from encoder_tui.engine.analysis.why import explain
from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.ops import Buckets, ClampInfinite, LogBuckets, no_memory
from family_kit import Sample, differences, open_pair, random_model, random_tokens, reference_values, tokens_for
from transformers import T5Config, T5EncoderModel, T5ForConditionalGeneration
from transformers.models.mpnet.modeling_mpnet import MPNetEncoder
from transformers.models.t5.modeling_t5 import T5Attention

T5, MPNET, DEBERTA = family_t5.SAMPLES[0], family_mpnet.SAMPLE, family_deberta_v2.SAMPLE
FIRST = family_deberta.SAMPLE
XLARGE = {
    "conv_kernel_size": 3, "conv_act": "gelu", "conv_groups": 2, "embedding_size": 12, "type_vocab_size": 2,
    "position_biased_input": True, "share_att_key": False, "head": "words",
}  # fmt: skip
VARIANTS: list[tuple[Sample, dict[str, Any], str]] = [
    (T5, {"feed_forward_proj": "gated-gelu"}, "float32"),
    (T5, {"feed_forward_proj": "gated-silu"}, "float16"),
    (T5, {}, "bfloat16"),
    (T5, {}, "float64"),
    (MPNET, {"head": "words"}, "float32"),
    (MPNET, {"head": "words"}, "bfloat16"),
    (DEBERTA, XLARGE, "float32"),
    (DEBERTA, XLARGE, "float16"),
    (DEBERTA, {"head": "words", "legacy": False, "position_buckets": -1}, "float32"),
    (DEBERTA, {"head": "words", "legacy": False}, "float64"),
    (DEBERTA, {"relative_attention": False, "pos_att_type": None}, "bfloat16"),
    (DEBERTA, {"head": "classes"}, "float32"),
    (FIRST, {"max_relative_positions": 9, "position_biased_input": True, "type_vocab_size": 2}, "float32"),
    (FIRST, {"head": "words", "legacy": False}, "float16"),
    (FIRST, {"pos_att_type": ["p2c"]}, "bfloat16"),
    (FIRST, {"embedding_size": 12, "hidden_size": 48}, "float64"),
    (MPNET, {"head": "classes"}, "float32"),
    (MPNET, {"head": "answer"}, "float32"),
    (T5, {"head": "labels"}, "float32"),
]


def name_of(variant: tuple[Sample, dict[str, Any], str]):
    sample, options, dtype = variant
    return f"{sample}-{dtype}-{'-'.join(map(str, options.values())) or 'plain'}"[:60]


@pytest.fixture(scope="module", params=VARIANTS, ids=name_of)
def variant(request: pytest.FixtureRequest) -> tuple[Sample, Encoder, Any]:
    sample, options, dtype = request.param
    encoder, theirs = open_pair(sample, random_model(sample, **options), dtype)
    return sample, encoder, theirs


@pytest.mark.few(5)
def test_variants_are_exact(variant: tuple[Sample, Encoder, Any]):
    sample, encoder, theirs = variant
    for lengths in ([1], [40], [12, 1, 7]):
        run = encoder.run(tokens_for(sample, encoder, lengths))
        expected = reference_values(sample, theirs, run)
        assert len(expected) > len(run.program) / 2
        assert not differences(run, expected)


@pytest.mark.few(5)
def test_variants_are_explained(variant: tuple[Sample, Encoder, Any]):
    sample, encoder, _ = variant
    run = encoder.run(tokens_for(sample, encoder, [30, 4]))
    chance = random.Random(1)
    for stage in run.program:
        for _ in range(8):
            index = tuple(chance.randrange(size) for size in run.shapes[stage.name])
            found = explain(run, stage.name, index)
            assert found.holds, (stage.name, index, found.total, found.stored, found.bound)
            assert found.formula


@pytest.mark.parametrize("tokens", [1, 2, 512, 3000])
def test_buckets_are_those_of_the_reference(tokens: int):
    places = torch.arange(tokens)
    ahead = places[None] - places[:, None]
    if tokens > 512:  # every distance once: a bucket is a number's, whatever stands beside it
        ahead = torch.arange(1 - tokens, tokens)[None]
    for count, distance in [(32, 128), (32, 9), (4, 2), (9, 1000), (128, 64)]:
        expected = cast(Any, T5Attention)._relative_position_bucket(ahead, num_buckets=count, max_distance=distance)
        assert torch.equal(Buckets(count, distance).compute([ahead], [], no_memory), expected)
    expected = cast(Any, MPNetEncoder).relative_position_bucket(ahead)
    assert torch.equal(Buckets(32, 128).compute([ahead], [], no_memory), expected)
    for count, distance in [(256, 512), (2, 10), (15, 30), (32, 100)]:
        expected = modeling_deberta.make_log_bucket_position(-ahead, count, distance).long()
        assert torch.equal(LogBuckets(count, distance).compute([-ahead], [], no_memory), expected)


@pytest.mark.parametrize("sample", [T5, MPNET, FIRST, DEBERTA], ids=str)
def test_rows_are_those_of_the_whole(sample: Sample):
    """With little memory no square is kept, those of positions neither, and every number is the same."""
    encoder, _ = open_pair(sample, random_model(sample))
    tokens = tokens_for(sample, encoder, [300, 170])
    whole = encoder.run(tokens)
    encoder.budget = 1_500_000
    small = encoder.run(tokens)
    squares = [stage.name for stage in small.program if stage.axes[-2:] == ("query", "key")]
    windowed = {name.rpartition(".")[2] for name in squares if small.is_windowed(name)}
    assert {"scores", "biased", "masked", "weights", "relative"} <= windowed
    assert windowed & {"bias", "pairs"}
    for name in [*squares, "output"]:
        assert torch.equal(small[name].tensor(), whole[name].tensor()), name
    name = next(name for name in squares if name.endswith(("positions.buckets", "positions.index")))
    assert np.array_equal(small[name].read((slice(290, 3, -7), 5)), whole[name].read((slice(290, 3, -7), 5)))


def test_no_weight_is_computed_in():
    """The table of positions is a weight: when the value is evicted its memory is not taken for one of the same shape."""
    encoder, _ = open_pair(FIRST, random_model(FIRST))
    encoder.budget = 1_500_000
    run = encoder.run(tokens_for(FIRST, encoder, [300, 170]))
    before = run.weight("encoder.rel_embeddings.weight").copy()
    for _ in range(2):
        for stage in run.program:
            if stage.name != "tokens.one_hot":
                run[stage.name].tensor()
    assert run.computation.cache.pool.evictions
    assert np.array_equal(run.weight("encoder.rel_embeddings.weight"), before)


def test_a_whole_t5_checkpoint(tmp_path: Path):
    """The decoder's weights are listed as not used; the encoder is that of transformers' T5EncoderModel."""
    options: dict[str, Any] = {**family_t5.SMALL, "decoder_start_token_id": 0, "tie_word_embeddings": False}
    config = T5Config(**options)
    T5ForConditionalGeneration(config).save_pretrained(tmp_path)
    settings = json.loads((tmp_path / "config.json").read_text("utf-8"))
    settings["tie_word_embeddings"] = False  # as those of T5 1.1 have it, though the embeddings are tied
    for name in ("dense_act_fn", "is_gated_act"):  # not in the config of t5-small
        del settings[name]
    (tmp_path / "config.json").write_text(json.dumps(settings), "utf-8")
    theirs = T5EncoderModel.from_pretrained(tmp_path, attn_implementation="eager")
    write_tokenizer(tmp_path)
    encoder = load(tmp_path, "cpu")
    run = encoder.run(random_tokens([9, 5], np.random.default_rng(0), encoder))
    assert not differences(run, reference_values(T5, theirs.eval(), run))
    unused = encoder.checkpoint.unused(encoder.program)
    assert unused
    assert all(name.startswith(("decoder.", "lm_head.")) for name in unused)


def write_tokenizer(directory: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    pieces = [
        ("<pad>", 0.0),
        ("</s>", 0.0),
        ("<unk>", 0.0),
        ("▁the", -1.0),
        ("▁cat", -1.5),
        ("▁sat", -2.0),
        ("▁", -3.0),
    ]
    pieces += [(letter, -5.0) for letter in "abcdefghijklmnopqrstuvwxyz"]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=2))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.save(str(directory / "tokenizer.json"))
    (directory / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')  # as it stands


@pytest.mark.parametrize("sample", [T5, MPNET, FIRST, DEBERTA], ids=str)
def test_text_goes_in_and_the_checks_find_no_fault(sample: Sample, tmp_path: Path):
    random_model(sample).save_pretrained(tmp_path)
    write_tokenizer(tmp_path)
    encoder = load(tmp_path, "cpu")
    run = encoder.run(["the cat sat the cat", "the cat", "sat"])
    assert run.tokens.strings[1][:2] == ("▁the", "▁cat")
    assert not check_masks(run).findings
    assert not check_padding(run, encoder).findings


def test_a_mask_of_pairs_that_shows_padding_is_found(tmp_path: Path):
    random_model(DEBERTA).save_pretrained(tmp_path)
    write_tokenizer(tmp_path)
    run = load(tmp_path, "cpu").run(["the cat sat", "the cat"])
    run.override("mask.pairs", torch.ones(2, 1, 3, 3, dtype=torch.int64))
    found = check_masks(run).findings
    assert (found[0].kind, found[0].stage) == ("padding seen", "mask.pairs")
    assert any(finding.stage == "layers.0.attention.weights" for finding in found)


@pytest.mark.parametrize(
    ("sample", "stage", "most"),
    [
        (DEBERTA, "mask.pairs", 1), (DEBERTA, "positions.index", 15), (DEBERTA, "positions.query", 2),
        (FIRST, "positions.index", 5), (T5, "positions.buckets", 7), (MPNET, "positions.buckets", 31), (MPNET, "tokens.positions", 513),
    ],
)  # fmt: skip
def test_patches_beyond_a_table_are_refused(sample: Sample, stage: str, most: int, tmp_path: Path):
    random_model(sample).save_pretrained(tmp_path)
    write_tokenizer(tmp_path)
    encoder = load(tmp_path, "cpu")
    session = Session(encoder.run(["the cat sat", "the cat"]), encoder)
    TABLE.execute(session, f"patch {stage} = {most}")
    with pytest.raises(InputError, match=f"{most + 1} is out of range for {stage}, which goes from 0 to {most}"):
        TABLE.execute(session, f"patch {stage} = {most + 1}")


def test_causal_t5_is_the_reference_under_a_causal_mask():
    encoder, theirs = open_pair(T5, random_model(T5), causal=True)
    run = encoder.run(tokens_for(T5, encoder, [9, 6]))
    mask = run["mask.additive"].tensor()
    with torch.no_grad():
        expected = theirs(input_ids=torch.from_numpy(run.tokens.ids), attention_mask=mask).last_hidden_state
    assert torch.equal(run["output"].tensor(), expected)
    assert run["layers.1.attention.weights"].tensor().triu(1).count_nonzero() == 0


def test_causal_deberta_hides_what_comes_after():
    encoder, _ = open_pair(DEBERTA, random_model(DEBERTA), causal=True)
    run = encoder.run(tokens_for(DEBERTA, encoder, [9, 6]))
    pairs = run["mask.pairs"].tensor()
    assert torch.equal(pairs[0, 0], torch.ones(9, 9, dtype=torch.int64).tril())
    assert torch.equal(pairs[1, 0, :6, :6], torch.ones(6, 6, dtype=torch.int64).tril())
    assert run["layers.1.attention.weights"].tensor()[0].triu(1).count_nonzero() == 0
    assert explain(run, "mask.pairs", (0, 0, 2, 5)).notes == ("the key comes after the query: a causal mask hides it",)


def test_infinite_sums_are_brought_into_range_in_float16():
    """As T5Block does it, in the one place where the sum of its layers is still float16."""
    model = random_model(T5)
    with torch.no_grad():
        model.encoder.block[0].layer[0].SelfAttention.o.weight.mul_(60000)
        model.encoder.block[0].layer[0].layer_norm.weight.mul_(20)
    encoder, theirs = open_pair(T5, model, "float16")
    run = encoder.run(tokens_for(T5, encoder, [5]))
    assert run["layers.0.attention.residual"].tensor().isinf().any()
    assert float(run["layers.0.attention.clamped"].tensor().max()) == 64512  # 65504 less 1000, in float16
    assert "layers.1.attention.clamped" not in run.program
    assert run["layers.0.output"].dtype == run["layers.1.attention.residual"].dtype == "float32"
    assert run["output"].dtype == "float16"
    with torch.no_grad():
        given = {"input_ids": torch.from_numpy(run.tokens.ids)}
        hidden = theirs(**given, output_hidden_states=True).hidden_states
    assert torch.equal(run["layers.0.output"].tensor(), hidden[1])
    assert ClampInfinite().compute([torch.ones(2)], [], no_memory).tolist() == [1, 1]


@pytest.mark.parametrize(
    ("sample", "changed", "said"),
    [
        (T5, {"is_decoder": True}, "is_decoder True is not implemented"),
        (T5, {"feed_forward_proj": "double-gelu"}, "feed_forward_proj 'double-gelu' is not implemented"),
        (T5, {"dense_act_fn": "quick"}, "dense_act_fn 'quick' is not implemented"),
        (T5, {"relative_attention_num_buckets": 3}, "relative_attention_num_buckets is 3, and must be 4 or more"),
        (T5, {"relative_attention_max_distance": 2}, "relative_attention_max_distance is 2, and must be more than 2"),
        (MPNET, {"relative_attention_num_buckets": 16}, "relative_attention_num_buckets is 16, and must be 32 or more"),
        (MPNET, {"max_position_embeddings": 2}, "max_position_embeddings is 2, and must be more than 2"),
        (DEBERTA, {"pos_att_type": "c2p|p2p"}, "pos_att_type 'p2p' is not implemented; known: c2p, p2c"),
        (DEBERTA, {"pos_att_type": 3}, "pos_att_type is 3, and must be a list of names"),
        (DEBERTA, {"norm_rel_ebd": "batch_norm"}, "norm_rel_ebd 'batch_norm' is not implemented"),
        (DEBERTA, {"conv_kernel_size": 4}, "conv_kernel_size is 4, and must be odd"),
        (DEBERTA, {"attention_head_size": 9}, "attention_head_size 9 is not implemented; only 8 is"),
        (FIRST, {"talking_head": True}, "talking_head True is not implemented"),
        (FIRST, {"pos_att_type": ["c2p", "p2p"]}, "pos_att_type 'p2p' is not implemented; known: c2p, p2c"),
        (FIRST, {"pos_att_type": ["C2P"]}, "pos_att_type 'C2P' is not implemented"),
        (FIRST, {"is_decoder": True}, "is_decoder True is not implemented"),
        (DEBERTA, {"position_buckets": 126}, "position_buckets 126 and max_relative_positions 64 do not go together"),
    ],
)  # fmt: skip
def test_options_are_refused_by_name(sample: Sample, changed: dict[str, Any], said: str, tmp_path: Path):
    random_model(sample).save_pretrained(tmp_path)
    settings = json.loads((tmp_path / "config.json").read_text("utf-8"))
    (tmp_path / "config.json").write_text(json.dumps(settings | changed), "utf-8")
    with pytest.raises(InputError) as caught:
        load(tmp_path, "cpu")
    assert said in str(caught.value)


def test_hooks_of_a_gated_pre_norm_layer():
    encoder, _ = open_pair(T5, random_model(T5, feed_forward_proj="gated-gelu"))
    names = {
        "encoder_blocks.0.ln1.hook_out": "layers.0.attention.norm", "encoder_blocks.0.hook_resid_mid": "layers.0.attention.residual",
        "encoder_blocks.0.ln2.hook_out": "layers.0.ffn.norm", "encoder_blocks.0.mlp.hook_pre": "layers.0.ffn.up",
        "encoder_blocks.0.mlp.hook_pre_linear": "layers.0.ffn.gate", "encoder_blocks.0.mlp.hook_post": "layers.0.ffn.gated",
        "encoder_blocks.1.hook_resid_pre": "layers.0.ffn.residual", "encoder_ln_final.hook_out": "final.norm",
    }  # fmt: skip
    assert {hook: encoder.program.resolve(hook) for hook in names} == names


@pytest.mark.few(5)
def test_recordings_say_what_they_can(variant: tuple[Sample, Encoder, Any], tmp_path: Path):
    """A recording holds no weights: what takes one has no terms, or says so; nothing is a fault."""
    sample, encoder, _ = variant
    run = encoder.run(tokens_for(sample, encoder, [6, 4]))
    save(run, tmp_path / "run.safetensors")
    recorded = open_snapshot(tmp_path / "run.safetensors")
    for stage in recorded.program:
        found = explain(recorded, stage.name, tuple(size - 1 for size in recorded.shapes[stage.name]))
        assert found.holds, stage.name
        assert recorded.shapes[stage.name] == run.shapes[stage.name]


@pytest.mark.parametrize("sample", [T5, MPNET, FIRST, DEBERTA], ids=str)
def test_another_dtype_and_another_text_are_compared(sample: Sample, tmp_path: Path):
    random_model(sample).save_pretrained(tmp_path)
    write_tokenizer(tmp_path)
    encoder = load(tmp_path, "cpu")
    session = Session(encoder.run(["the cat sat", "the"]), encoder)
    for other in ("dtype float16", "dtype float64", 'text "the cat cat sat"'):
        assert TABLE.execute(session, f"compare {other}").text
