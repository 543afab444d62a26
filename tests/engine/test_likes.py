"""What is special about the families near BERT: counted positions, shared layers, old names, heads on the first token."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import family_albert
import family_bert
import family_distilbert
import family_electra
import family_roberta
import numpy as np
import pytest
import torch
import transformers as hf
from encoder_tui.engine import InputError, Session, load
from encoder_tui.engine.analysis.why import explain
from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.models.config import Config
from family_kit import Sample, differences, family_of, open_pair, random_model, reference_values, tokens_for

ROBERTA = family_roberta.SAMPLES[0]
ALBERT = family_albert.SAMPLE


def opened(sample: Sample, **options: Any):
    return open_pair(sample, random_model(sample, **options))


def positions_of(ids: list[list[int]], padding: int) -> list[list[int]]:
    """transformers' own."""
    embeddings = cast(Any, hf.models.roberta.modeling_roberta.RobertaEmbeddings)
    return embeddings.create_position_ids_from_input_ids(torch.tensor(ids), padding).tolist()


# -- RoBERTa's positions ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([[5, 6, 7]], [[2, 3, 4]]),
        ([[5, 6, 1], [5, 1, 1]], [[2, 3, 1], [2, 1, 1]]),
        ([[1, 1, 5, 6]], [[1, 1, 2, 3]]),
        ([[5, 1, 6, 1, 7]], [[2, 1, 3, 1, 4]]),
        ([[1, 1, 1]], [[1, 1, 1]]),
    ],
    ids=["none", "right", "left", "middle", "nothing else"],
)
def test_positions_skip_padding_wherever_it_stands(rows: list[list[int]], expected: list[list[int]]):
    encoder, theirs = opened(ROBERTA)
    tokens = tokens_for(ROBERTA, encoder, [len(row) for row in rows])
    tokens.ids[...], tokens.mask[...] = rows, np.array(rows) != 1
    run = encoder.run(tokens)
    assert run["tokens.positions"].numpy().tolist() == expected == positions_of(rows, 1)
    assert not differences(run, reference_values(ROBERTA, theirs, run))
    for row, ids in enumerate(rows):
        for token in range(len(ids)):
            assert explain(run, "tokens.positions", (row, token)).holds
    embedded = run["embeddings.position"].numpy()
    assert (embedded == encoder.weights["embeddings.position_embeddings.weight"].numpy()[np.array(expected)]).all()


def test_positions_follow_patched_ids():
    encoder, theirs = opened(ROBERTA)
    tokens = tokens_for(ROBERTA, encoder, [6])
    tokens.ids[...] = [[5, 6, 7, 8, 9, 10]]
    session = Session(encoder.run(tokens))
    before = session.trace["output"].numpy()
    TABLE.execute(session, "patch tokens.ids[0, 2] = 1")
    assert session.trace["tokens.positions"].numpy().tolist() == [[2, 3, 1, 4, 5, 6]]
    fresh = encoder.run(replace(tokens, ids=np.array([[5, 6, 1, 8, 9, 10]])))
    assert not differences(fresh, reference_values(ROBERTA, theirs, fresh))
    assert (session.trace["output"].numpy() == fresh["output"].numpy()).all()
    assert (session.trace["output"].numpy() != before).any()
    TABLE.execute(session, "undo")
    TABLE.execute(session, "patch tokens.positions[0, 5] = 40")
    assert session.trace["tokens.positions"].numpy().tolist() == [[2, 3, 4, 5, 6, 40]]
    with pytest.raises(InputError, match="out of range"):
        TABLE.execute(session, "patch tokens.positions[0, 5] = 66")


def test_the_longest_text_is_what_the_positions_leave():
    encoder, _ = opened(ROBERTA)
    assert encoder.checkpoint.reader.longest == 66 - 1 - 1
    with pytest.raises(InputError, match="max_position_embeddings 2 leaves no position after that of padding, 1"):
        family_of(encoder).limits(Config({"model_type": "roberta", "max_position_embeddings": 2}, "config.json"))


def test_positions_are_kept_in_a_recording(tmp_path: Path):
    from encoder_tui.engine import open_snapshot, save

    encoder, _ = opened(ROBERTA)
    run = encoder.run(tokens_for(ROBERTA, encoder, [5]))
    save(run, tmp_path / "run.safetensors")
    recording = open_snapshot(tmp_path / "run.safetensors")
    assert (recording["tokens.positions"].numpy() == run["tokens.positions"].numpy()).all()
    assert explain(recording, "tokens.positions", (0, 2)).holds


# -- ALBERT's shared layers ------------------------------------------------------------------------------------------


def test_layers_share_their_weights():
    encoder, _ = opened(ALBERT, num_hidden_layers=4, num_hidden_groups=2, inner_group_num=2)
    program = encoder.program
    assert program.layers == 8
    groups = [program[f"layers.{layer}.attention.query"].weights[0] for layer in range(8)]
    name = "encoder.albert_layer_groups.{}.albert_layers.{}.attention.query.weight"
    assert groups == [name.format(group, part) for group in (0, 0, 1, 1) for part in (0, 1)]
    stored = sum(weight.numel() for weight in family_albert.model(
        num_hidden_layers=4, num_hidden_groups=2, inner_group_num=2).parameters())  # fmt: skip
    assert encoder.checkpoint.parameters(program) == stored


def test_a_module_called_many_times_is_ambiguous():
    encoder, _ = opened(ALBERT)
    module = "encoder.albert_layer_groups.0.albert_layers.0.attention.query"
    assert encoder.program.match(module) == [f"layers.{layer}.attention.query" for layer in range(3)]
    with pytest.raises(InputError, match=r"ambiguous: 3 stages match \(layers.0.attention.query, layers.1"):
        encoder.program.resolve(module)
    assert encoder.program.match("encoder.albert_layer_groups.*.attention.query") == encoder.program.match(module)
    assert encoder.program.resolve("encoder.embedding_hidden_mapping_in") == "embeddings.projection"
    alone, _ = opened(ALBERT, num_hidden_layers=1)
    assert alone.program.resolve(module) == "layers.0.attention.query"


def test_a_patched_layer_changes_only_what_follows_it():
    encoder, _ = opened(ALBERT)
    session = Session(encoder.run(tokens_for(ALBERT, encoder, [4])))
    before = [session.trace[f"layers.{layer}.output"].numpy() for layer in range(3)]
    TABLE.execute(session, "patch layers.1.attention.query[0, 0, 0] = 9")
    after = [session.trace[f"layers.{layer}.output"].numpy() for layer in range(3)]
    assert [(old == new).all() for old, new in zip(before, after, strict=True)] == [True, False, False]


# -- names in configs --------------------------------------------------------------------------------------------------


def test_distilbert_by_the_names_of_others():
    encoder, _ = opened(family_distilbert.SAMPLE)
    config = encoder.checkpoint.directory / "config.json"
    values = json.loads(config.read_text())
    renamed = {"dim": "hidden_size", "n_heads": "num_attention_heads", "n_layers": "num_hidden_layers"}
    config.write_text(json.dumps({renamed.get(name, name): value for name, value in values.items()}))
    assert load(encoder.checkpoint.directory, "cpu").program.stages == encoder.program.stages


@pytest.mark.parametrize(
    ("sample", "option", "value"),
    [
        (ROBERTA, "add_cross_attention", True),
        (ALBERT, "is_decoder", True),
        (family_distilbert.SAMPLE, "is_decoder", True),
        (ROBERTA, "position_embedding_type", "relative_key"),
        (family_electra.SAMPLE, "add_cross_attention", True),
        (ALBERT, "position_embedding_type", "relative_key_query"),
        (ALBERT, "hidden_act", "mish"),
        (family_distilbert.SAMPLE, "activation", "mish"),
    ],
    ids=lambda found: str(found),
)
def test_options_are_refused_by_name(sample: Sample, option: str, value: bool | str):
    encoder, _ = opened(sample)
    config = encoder.checkpoint.directory / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {option: value}))
    with pytest.raises(InputError, match=f"{option} .*not implemented"):
        load(encoder.checkpoint.directory, "cpu")


@pytest.mark.parametrize("sample", [*family_roberta.SAMPLES, family_electra.SAMPLE], ids=str)
def test_a_decoder_without_cross_attention_is_causal(sample: Sample):
    encoder, theirs = opened(sample, is_decoder=True)
    run = encoder.run(tokens_for(sample, encoder, [7, 4]))
    assert (run["layers.0.attention.weights"].numpy()[0, 0, 0, 1:] == 0).all()
    assert not differences(run, reference_values(sample, theirs, run))


# -- several choices ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sample", "choosing"),
    [
        (ROBERTA, hf.RobertaForMultipleChoice),
        (family_distilbert.SAMPLE, hf.DistilBertForMultipleChoice),
        (family_electra.SAMPLE, hf.ElectraForMultipleChoice),
        (ALBERT, hf.AlbertForMultipleChoice),
        (family_bert.SAMPLE, hf.BertForMultipleChoice),
    ],
    ids=str,
)
def test_multiple_choice_scores_each_text(sample: Sample, choosing: Any):
    encoder, theirs = open_pair(sample, choosing(random_model(sample).config).eval())
    run = encoder.run(tokens_for(sample, encoder, [6, 3, 5]))
    given = {"input_ids": run.tokens.ids, "attention_mask": run.tokens.mask}
    if "tokens.segments" in run.program:
        given["token_type_ids"] = run.tokens.segments
    with torch.no_grad():
        logits = theirs(**{name: torch.from_numpy(array)[None] for name, array in given.items()}).logits
    assert torch.equal(run["head.choice.logits"].tensor().view(1, 3), logits)


def test_a_summary_of_another_kind_is_refused():
    sample = family_electra.SAMPLE
    config = hf.ElectraConfig(**family_bert.SMALL, embedding_size=24, summary_type="mean")
    with pytest.raises(InputError, match="summary_type 'mean' is not implemented"):
        open_pair(sample, hf.ElectraForMultipleChoice(config).eval())
