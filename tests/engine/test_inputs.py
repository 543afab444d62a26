"""Two sequences of different length in one program: a decoder's tokens ask about an encoder's."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from encoder_tui.engine import Encoder, InputError, Inputs, Program, Run, Session, Stage, open_snapshot, save
from encoder_tui.engine.analysis.checks.masks import check_masks
from encoder_tui.engine.analysis.compare import compare
from encoder_tui.engine.analysis.compare.single_text import alone
from encoder_tui.engine.analysis.compare.view import Reference
from encoder_tui.engine.debugger.unexpected import first_fault
from encoder_tui.engine.models.families.blocks.attention import TOKENS
from encoder_tui.engine.ops import Given
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from session_kit import do, run_of, walk
from two_sequences import ASKED, HEADS, HIDDEN, READ, WEIGHTS, cross_attention, sequence


@pytest.fixture
def run() -> Run:
    return cross_attention()


def test_an_axis_knows_whose_tokens_its_places_are(run: Run) -> None:
    assert run.shapes[WEIGHTS] == (2, HEADS, 5, 3)
    of = {name: run.program[name].sequences for name in ("embeddings.token", "embeddings.target", WEIGHTS)}
    assert of["embeddings.token"] == ()
    assert of["embeddings.target"] == ("", "target", "")
    assert of[WEIGHTS] == ("", "", "target", "tokens")
    for name in ("context", "concat", "output", "residual", "norm"):
        assert run.program[f"layers.0.cross.{name}"].sequence == "target"
    assert run.program["mask.additive"].sequences == ("", "", "target", "tokens")


def test_it_is_what_torch_computes(run: Run) -> None:
    walk(run)
    target, read = run["embeddings.target"].tensor(), run["embeddings.token"].tensor()
    held = run.weights
    theirs, given = torch.nn.functional.multi_head_attention_forward(
        target.transpose(0, 1), read.transpose(0, 1), read.transpose(0, 1), HIDDEN, HEADS, None,
        torch.cat([held["q.bias"], held["k.bias"], held["v.bias"]]), None, None, False, 0.0, held["o.weight"], held["o.bias"],
        training=False, key_padding_mask=torch.from_numpy(run.tokens.mask == 0), use_separate_proj_weight=True,
        q_proj_weight=held["q.weight"], k_proj_weight=held["k.weight"], v_proj_weight=held["v.weight"], average_attn_weights=False,
    )  # fmt: skip
    torch.testing.assert_close(run["layers.0.cross.output"].tensor(), theirs.transpose(0, 1))
    torch.testing.assert_close(run[WEIGHTS].tensor(), given)


def test_places_are_named_by_their_own_words(run: Run) -> None:
    session = Session(run)
    written = do(session, f'print {WEIGHTS}[0, 0, query="noir"]')
    assert "query=2 'noir'" in written
    assert "0 the" in written
    assert "2 sat" in written
    assert 'query "cat"' not in written
    with pytest.raises(InputError, match="no token 'noir'"):
        do(session, f'print {WEIGHTS}[0, 0, key="noir"]')
    why = do(session, f'why {WEIGHTS}[1, 0, query="chat", key="cat"]')
    assert "query=1 'chat'" in why
    assert "key=1 'cat'" in why
    assert "le" in do(session, 'why target.ids[0, token="le"#2]')


def test_a_patch_of_one_sequence_leaves_the_other(run: Run) -> None:
    session = Session(run)
    before = run["layers.0.cross.key"].numpy()
    do(session, 'patch target.ids[0, token="noir"] = "sat"')
    trace = session.trace
    assert trace.inputs.sequences["target"].strings[0][2] == "sat"
    assert trace.tokens.strings == run.original_tokens.strings
    assert np.array_equal(trace["layers.0.cross.key"].numpy(), before)
    assert trace.value(WEIGHTS).bind('batch=0, query="sat"')[2] == 2
    with pytest.raises(InputError, match=r"out of range for target\.ids"):
        do(session, "patch target.ids[0, 0] = 7")


def test_a_fork_and_an_evicted_value_are_the_same(run: Run) -> None:
    whole = run["output"].numpy()
    small = run_of(run.program, run.weights, run.inputs, budget=1)
    assert np.array_equal(small["output"].numpy(), whole)
    assert np.array_equal(small.fork()["output"].numpy(), whole)


def test_a_recording_has_both_sequences(run: Run, tmp_path: Path) -> None:
    save(run, tmp_path / "both.safetensors")
    recording = open_snapshot(tmp_path / "both.safetensors")
    assert recording.inputs.sizes == {"tokens": (2, 3), "target": (2, 5)}
    assert recording.program[WEIGHTS].sequences == ("", "", "target", "tokens")
    index = 'batch=0, query="noir", key="cat"'
    assert np.array_equal(recording[WEIGHTS].read(index), run[WEIGHTS].read(index))
    assert compare(recording, run).first is None
    assert "target:" in do(Session(recording), "info tokens")


def test_a_condition_speaks_of_its_own_words(run: Run) -> None:
    session = Session(run)
    do(session, f'break {WEIGHTS} if x[0, 0, query="noir", key="the"] > 0')
    assert "query" not in do(session, "continue") or session.debugger.stage is not None
    assert session.debugger.stage is not None
    assert session.debugger.stage.name == WEIGHTS
    with pytest.raises(InputError, match="no token 'sat'"):
        do(session, f'break {WEIGHTS} if x[0, 0, query="sat", key="the"] > 0')


def test_masks_are_judged_by_whose_keys_they_hide(run: Run) -> None:
    assert first_fault(run) is None
    checked = check_masks(run)
    assert not checked.findings
    assert any(line.startswith("target.mask against") for line in checked.looked)
    hides = torch.finfo(torch.float32).min
    by_query = torch.where(torch.from_numpy(run.inputs.sequences["target"].mask == 0), hides, 0.0)[:, None, :, None]
    run.override("mask.additive", by_query.expand(2, 1, 5, 3).contiguous())
    fault = first_fault(run)
    assert fault is not None
    assert fault[0].name == "mask.additive"
    assert fault[1].kind == "query axis"


def test_padding_of_either_sequence_is_no_part_of_a_comparison(run: Run) -> None:
    one = alone(run.inputs, 1)
    assert one.sizes == {"tokens": (1, 2), "target": (1, 2)}
    batch = run_of(run.program, run.weights, run.inputs)
    padded = Inputs(sequence(READ, 3), {"target": sequence(ASKED, 7)})
    longer = run_of(run.program, run.weights, padded)
    comparison = compare(batch, longer)
    assert not comparison.alignment.same
    assert comparison.first is None  # what is padded otherwise is the same text
    other = Inputs(sequence(READ, 3), {"target": sequence(["le chat le le chat", "le chat"], 5)})
    changed = compare(run_of(run.program, run.weights, other), batch)
    assert changed.first is not None
    assert changed.first.name == "target.ids"
    assert "target: text 0: paired though different: le / noir" in changed.alignment.notes()


def test_collapse_is_told_by_the_sequence_it_is_in(run: Run) -> None:
    run.override("layers.0.cross.query", torch.ones(2, 5, HIDDEN))
    stage, fault = first_fault(run) or (None, None)
    assert stage is not None
    assert fault is not None
    assert stage.name == "layers.0.cross.query"
    assert "they differ at embeddings.target" in fault.text


def test_sequences_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(InputError, match="'target' has 1 texts and 'tokens' has 2"):
        Inputs(sequence(READ, 3), {"target": sequence(ASKED[:1], 5)})
    with pytest.raises(InputError, match="two sequences are called 'tokens'"):
        Inputs(sequence(READ, 3), {"tokens": sequence(READ, 3)})


def test_a_model_refuses_sequences_it_has_not(small: Encoder) -> None:
    read = small.read(["the cat"])
    with pytest.raises(InputError, match="takes the sequences tokens, and tokens, target were given"):
        small.run(Inputs(read, {"target": read}))


def test_a_stage_says_a_sequence_for_each_axis() -> None:
    with pytest.raises(ValueError, match="sequences for"):
        Program([replace(Stage("tokens.ids", Given("ids"), axes=TOKENS), sequences=("tokens",))])


def test_what_lacks_a_sequence_is_compared_where_it_has_none(run: Run) -> None:
    read = [run.program[name] for name in ("tokens.ids", "tokens.mask", "embeddings.token")]
    of_tokens = replace(read[2], name="embeddings.target")  # what is of another sequence there is another stage
    without = Program([*read, of_tokens], weights={name: run.program.weights[name] for name in of_tokens.weights})
    one = run_of(without, run.weights, run.inputs.tokens)
    for ours, theirs in ((run, one), (one, run)):
        comparison = compare(ours, theirs)
        assert [row.name for row in comparison.rows] == ["tokens.ids", "tokens.mask", "embeddings.token"]
        assert comparison.first is None
        missing = comparison.only_ours if ours is run else comparison.only_theirs
        assert "embeddings.target" in missing
        with pytest.raises(InputError, match=r"has no embeddings\.target"):
            Reference("other", theirs, ours, comparison.alignment).difference(ours, "embeddings.target")


def of_stage(name: str, sequences: list[str]) -> Callable[[dict[str, Any]], None]:
    def change(facts: dict[str, Any]) -> None:
        next(stage for stage in facts["stages"] if stage["name"] == name)["sequences"] = sequences

    return change


def cut(axis: int) -> Callable[[dict[str, Any]], None]:
    """The second sequence with a text or a token less."""

    def change(facts: dict[str, Any]) -> None:
        target = facts["sequences"]["target"]
        of_tokens = ("ids", "mask", "segments", "positions", "strings", "places")
        for part in of_tokens if axis else ("texts", *of_tokens):
            target[part] = [row[:-1] for row in target[part]] if axis else target[part][:-1]

    return change


DAMAGES: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "none of it": (lambda facts: facts.pop("sequences"), r"target\.ids is of the sequence 'target', which is not there"),
    "no such sequence": (of_stage(WEIGHTS, ["", "", "nope", "tokens"]), "of the sequence 'nope', which is not there"),
    "too few": (of_stage(WEIGHTS, ["", "target", "tokens"]), "has the axes"),
    "the other's": (of_stage(WEIGHTS, ["", "", "tokens", "target"]), "is 5 along 'query', and tokens are 3"),
    "not said": (of_stage("target.ids", []), r"target\.ids is 5 along 'token', and tokens are 3"),
    "a text less": (cut(0), "the sequence 'target' has 1 texts and 'tokens' has 2"),
    "a token less": (cut(1), r"target\.ids is 5 along 'token', and target are 4"),
    "the first again": (lambda facts: facts["sequences"].update(tokens=facts["tokens"]), "two sequences are called"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_recording_whose_sequences_contradict_its_values_is_refused(run: Run, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "damaged.safetensors"
    save(run, path)
    with safe_open(path, "np") as file:
        facts = json.loads((file.metadata() or {})["encoder_tui"])
    change, said = DAMAGES[damage]
    change(facts)
    save_file(load_file(path), path, metadata={"encoder_tui": json.dumps(facts)})
    with pytest.raises(InputError, match=said) as refusal:
        open_snapshot(path)
    assert f"{path} has a damaged 'encoder_tui' entry" in str(refusal.value)


def test_a_finding_shows_the_text_of_its_own_sequence(run: Run) -> None:
    session = Session(run)
    do(session, "patch target.mask[0, 4] = 0")
    assert "text 0 'le chat noir le chat', token 4 'chat'" in do(session, "check masks")


def test_a_text_of_which_nothing_asks_is_no_fault_of_the_mask(run: Run) -> None:
    inputs = Inputs(sequence(READ, 3), {"target": sequence(["le chat", ""], 5)})
    findings = check_masks(run_of(run.program, run.weights, inputs)).findings
    assert [(finding.stage, finding.text) for finding in findings] == [("target.mask", 1)]
