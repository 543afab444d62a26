"""Heads for tasks: which one `classifier.weight` is, what its labels are called, and the very numbers of transformers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import family_bert
import numpy as np
import pytest
import torch
from encoder_tui.engine import Encoder, InputError, Session, load, open_snapshot, save
from encoder_tui.engine.analysis.why import explain
from encoder_tui.engine.commands import TABLE
from family_kit import differences, open_pair, random_model, reference_values, tokens_for

SAMPLE = family_bert.SAMPLE
NAMES: dict[str, Any] = {
    "id2label": {0: "NEGATIVE", 1: "NEUTRAL", 2: "POSITIVE"},
    "label2id": {"NEGATIVE": 0, "NEUTRAL": 1, "POSITIVE": 2},
}


def opened(**options: Any):
    return open_pair(SAMPLE, random_model(SAMPLE, **options))


def rewritten(encoder: Encoder, **changes: Any):
    """The same checkpoint, some entries of its config changed; None takes one out."""
    path = encoder.checkpoint.directory / "config.json"
    config = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({name: value for name, value in config.items() if value is not None}))
    return load(encoder.checkpoint.directory, "cpu")


@pytest.mark.parametrize("head", family_bert.HEADS)
def test_every_head_is_exact_and_explained(head: str):
    encoder, theirs = opened(head=head)
    for lengths in ([1], [64], [9, 1, 4]):
        run = encoder.run(tokens_for(SAMPLE, encoder, lengths))
        assert not differences(run, reference_values(SAMPLE, theirs, run))
    for stage in run.program:
        if stage.name.startswith("head."):
            assert explain(run, stage.name, tuple(size - 1 for size in run.shapes[stage.name])).holds, stage.name
    assert {"pooler": 3, "words": 6, "next": 6, "both": 12, "classes": 6, "labels": 3, "answer": 7}[head] == sum(
        stage.name.startswith("head.") for stage in run.program
    )


@pytest.mark.few(7)
@pytest.mark.parametrize("head", family_bert.HEADS)
@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_every_head_in_other_dtypes(head: str, dtype: str):
    encoder, theirs = open_pair(SAMPLE, random_model(SAMPLE, head=head), dtype)
    run = encoder.run(tokens_for(SAMPLE, encoder, [7, 4]))
    assert not differences(run, reference_values(SAMPLE, theirs, run))


def test_probabilities_follow_the_kind_of_problem():
    kinds: list[tuple[str | None, Callable[[torch.Tensor], torch.Tensor]]] = [
        (None, lambda x: torch.softmax(x, -1)),
        ("single_label_classification", lambda x: torch.softmax(x, -1)),
        ("multi_label_classification", torch.sigmoid),
    ]
    for problem, function in kinds:
        encoder, _ = opened(head="classes", problem_type=problem, **NAMES)
        run = encoder.run(tokens_for(SAMPLE, encoder, [5]))
        assert torch.equal(run["head.classes.probabilities"].tensor(), function(run["head.classes.logits"].tensor()))
    encoder, _ = opened(head="classes", problem_type="regression", **NAMES)
    assert "head.classes.logits" in encoder.program
    assert "head.classes.probabilities" not in encoder.program
    encoder, _ = opened(head="classes", num_labels=1)
    assert "head.classes.probabilities" not in encoder.program
    with pytest.raises(InputError, match="problem_type 'ranking' is not known"):
        rewritten(encoder, problem_type="ranking")


def test_one_name_for_two_heads_is_told_apart_by_architectures_alone():
    encoder, _ = opened(head="labels", **NAMES)
    assert "head.labels.logits" in encoder.program
    assert "head.classes.logits" not in encoder.program
    assert encoder.facts()["labels"] == "0 NEGATIVE, 1 NEUTRAL, 2 POSITIVE"
    silent = rewritten(encoder, architectures=None)
    assert "head.labels.logits" not in silent.program
    assert silent.facts()["not used"] == "classifier (2 tensors)"
    assert silent.facts()["left out"] == "classifier: what for is not known, since architectures is missing"
    other = rewritten(encoder, architectures=["BertForFun"])
    assert other.facts()["left out"] == "classifier: what for is not known, since architectures says ['BertForFun']"


def test_labels_are_shown_by_name():
    encoder, _ = opened(head="classes", **NAMES)
    run = encoder.run(tokens_for(SAMPLE, encoder, [5]))
    first = NAMES["id2label"][int(run["head.classes.logits"].numpy()[0].argmax())]
    session = Session(run)
    assert "2 POSITIVE" in TABLE.execute(session, "print head.classes.logits").text
    assert first in TABLE.execute(session, "print head.classes.best").text.splitlines()[2].split()[2]
    assert run["head.classes.logits"].read('label="POSITIVE"') == run["head.classes.logits"].read((slice(None), 2))
    with pytest.raises(InputError, match="no label 'POSITVE'; did you mean POSITIVE"):
        run["head.classes.logits"].read('label="POSITVE"')
    assert "rank 1: " in str(explain(run, "head.classes.best", (0, 0)).notes)
    assert any(name in str(explain(run, "head.classes.best", (0, 0)).notes) for name in NAMES["label2id"])


def test_a_recording_keeps_the_names_of_labels(tmp_path: Path):
    encoder, _ = opened(head="labels", **NAMES)
    run = encoder.run(tokens_for(SAMPLE, encoder, [5]))
    save(run, tmp_path / "labels.safetensors")
    recording = open_snapshot(tmp_path / "labels.safetensors")
    value = recording["head.labels.best"]
    assert value.holds_ids
    assert value.word(2) == "POSITIVE"
    assert recording["head.labels.logits"].read('label="NEUTRAL"').shape == (1, 5)


def test_labels_without_names_are_numbered():
    encoder, _ = opened(head="classes", num_labels=4)
    assert encoder.program["head.classes.logits"].labels == ("LABEL_0", "LABEL_1", "LABEL_2", "LABEL_3")
    with pytest.raises(InputError, match=r"id2label is .* and must give a name for each number"):
        rewritten(encoder, id2label=["yes", "no"])


def test_an_answer_lies_between_tokens_and_padding_keeps_its_share():
    encoder, _ = opened(head="answer")
    run = encoder.run(tokens_for(SAMPLE, encoder, [6, 3]))
    shares = run["head.answer.start_probabilities"].numpy()
    assert shares.shape == (2, 6)
    assert (shares[1, 3:] > 0).all()
    best = run["head.answer.start_best"]
    assert not best.holds_ids
    assert best.numpy()[0, 0] == np.argmax(shares[0])
    assert run["head.answer.logits"].labels == ("start", "end")


def test_many_labels_are_cut_where_they_are_listed():
    encoder, _ = opened(head="classes", num_labels=30)
    assert encoder.facts()["labels"].endswith("18 LABEL_18, 19 LABEL_19, and 10 more")
