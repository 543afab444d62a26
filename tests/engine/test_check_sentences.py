"""Each sentence that a check can say: where it is right, and where a neighbour is; every command begins at the same stage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from encoder_tui.engine import Encoder, Session, load, load_module, open_snapshot, save
from encoder_tui.engine.analysis.checks import check_masks, check_padding, write_checked
from encoder_tui.engine.analysis.compare import compare
from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.debugger.unexpected import first_fault
from encoder_tui.engine.program.tokens import Tokens
from family_kit import family_of, open_pair, random_model, sample_of, tokens_for

TEXTS = ["The animal didn't cross the street because it was too tired", "A cat.", "The dog"]
LEAST = torch.finfo(torch.float32).min
MASK, WEIGHTS, MASKED = "mask.additive", "layers.0.attention.weights", "layers.0.attention.masked"


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load(None, "cpu")


def dropped(weights: torch.Tensor, rate: float = 0.1) -> torch.Tensor:
    torch.manual_seed(0)
    return torch.nn.functional.dropout(weights, rate)


def leaking(weights: torch.Tensor) -> torch.Tensor:
    """A quarter of each row's weight goes to the last key."""
    found = weights * 0.75
    found[..., -1] += 0.25
    return found


def one_row(mask: torch.Tensor) -> torch.Tensor:
    found = mask.clone()
    found[1] = LEAST
    return found


def from_padded_queries(mask: torch.Tensor) -> torch.Tensor:
    """Padding is seen by padded queries alone, which harms nobody."""
    found = mask.clone()
    for row in range(len(found)):
        found[row, :, found[row, 0, 0] != 0] = 0
    return found


# What is put where; the stage at which every command begins; what is said of it.
Change = Callable[[torch.Tensor], torch.Tensor]
FAULTS: dict[str, tuple[str, Change, str, str]] = {
    "inverted": (MASK, lambda x: torch.where(x == 0, LEAST, 0.0), MASK, "it is inverted: it hides the"),
    "query axis": (MASK, lambda x: x.transpose(2, 3), MASK, "it hides padded queries (rows) instead of padded keys"),
    "0/1": (MASK, lambda x: torch.where(x == 0, 1.0, 0.0), MASK, "the 0/1 mask itself was added"),
    "small": (MASK, lambda x: torch.where(x == 0, 0.0, -10.0), MASK, "-10 is too small a number to hide a key in float32"),
    "none": (MASK, torch.zeros_like, MASK, "padding is not hidden from"),
    "a word": (MASK, lambda x: x.index_fill(3, torch.tensor([2]), LEAST), MASK, "real tokens that are hidden from every query: 1"),
    "one text": (MASK, one_row, MASK, "every key of text 1 is masked, though tokens.mask shows"),
    "a query": (MASK, lambda x: x.index_fill(2, torch.tensor([1]), LEAST), MASK, "queries that have nothing to look at"),
    "nan": (MASK, lambda x: torch.full_like(x, torch.nan), MASK, "numbers are NaN"),
    "left out": (MASKED, lambda x: torch.where(x < -1e30, 0.0, x), MASKED, "padded keys are not hidden: their scores go on as 0"),
    "dropout": (WEIGHTS, dropped, WEIGHTS, "dropout was left on: the weights are the softmax's after dropout of 0.1"),
    "half": (WEIGHTS, lambda x: dropped(x, 0.5), WEIGHTS, "dropout was left on: the weights are the softmax's after dropout of 0.5"),
    "sums": (WEIGHTS, lambda x: x * 1.25, WEIGHTS, "no distribution; the first sums to 1.25"),
    "leak": (WEIGHTS, leaking, WEIGHTS, "padding gets weight, up to 0.25"),
    "turned": ("tokens.mask", lambda x: 1 - x, "tokens.mask", "it is the tokenizer's mask turned around"),
    "shown": ("tokens.mask", torch.ones_like, "tokens.mask", "it is 1 where the tokenizer's mask says 0"),
    "all zero": ("tokens.mask", torch.zeros_like, "tokens.mask", "is masked, and the tokenizer's mask shows"),
}  # fmt: skip
SAID = sorted({said for *_, said in FAULTS.values()})
# What looks like a fault and is none.
SOUND: dict[str, tuple[str, Change]] = {
    "minus infinity": (MASK, lambda x: torch.where(x == 0, 0.0, -torch.inf)),
    "-10000": (MASK, lambda x: torch.where(x == 0, 0.0, -10000.0)),
    "-300": (MASK, lambda x: torch.where(x == 0, 0.0, -300.0)),
    "padded queries": (MASK, from_padded_queries),
}


def faulty(encoder: Encoder, name: str, change: Change):
    run = encoder.run(TEXTS)
    run.override(name, change(run.tensor(name)).contiguous())
    return run


@pytest.mark.few(6)
@pytest.mark.parametrize("fault", FAULTS)
def test_every_command_begins_at_the_same_stage(fault: str, encoder: Encoder) -> None:
    name, change, stage, said = FAULTS[fault]
    run = faulty(encoder, name, change)
    checked = check_masks(run)
    assert checked.faults[0].stage == stage
    assert said in checked.faults[0].said
    others = [
        other for other in SAID if other != said and not said.startswith(other) and other in checked.faults[0].said
    ]
    assert not others
    found = first_fault(run)
    assert found is not None
    assert found[0].name == stage
    first = compare(run, encoder.run(TEXTS)).first
    assert first is not None
    assert first.name == stage
    assert check_padding(run, encoder).faults[0].stage == stage


@pytest.mark.parametrize("sound", SOUND)
def test_what_is_no_fault_is_not_called_one(sound: str, encoder: Encoder) -> None:
    run = faulty(encoder, *SOUND[sound])
    assert check_masks(run).faults == []
    assert first_fault(run) is None
    assert check_padding(run, encoder).faults == []


def test_a_number_that_is_small_beside_the_scores_is_a_risk(encoder: Encoder) -> None:
    """It begins where something is left of padding, not at the number itself."""
    run = encoder.run(TEXTS)
    run.override(MASK, torch.where(run.tensor(MASK) == 0, 0.0, -110.0))
    run.override("layers.0.attention.scaled", run.tensor("layers.0.attention.scaled") - 60.0 * (run.tensor(MASK) == 0))
    checked = check_masks(run)
    assert [(one.stage, one.kind, one.risk) for one in checked.findings[:2]] == [
        (MASK, "too small", True), (MASKED, "padding seen", False),
    ]  # fmt: skip
    found = first_fault(run)
    assert found is not None
    assert found[0].name == checked.faults[0].stage == MASKED


def test_what_break_unexpected_says_is_what_it_does(encoder: Encoder) -> None:
    session = Session(encoder.run(TEXTS), encoder)
    TABLE.execute(session, "patch layers.0.ffn.up[1, 1, 5] = inf")
    for line in ("check masks", "check padding"):
        said = TABLE.execute(session, line).text
        assert "`break unexpected` stops there" in said
        assert said.endswith("fault found: it begins at layers.0.ffn.up") or "more that may follow" in said
    TABLE.execute(session, "break unexpected")
    stop = TABLE.execute(session, "continue").stop
    assert stop is not None
    assert stop.stage is not None
    assert stop.stage.name == "layers.0.ffn.up"


def test_a_recording_begins_there_too(encoder: Encoder, tmp_path: Path) -> None:
    for fault in ("query axis", "left out", "dropout"):
        name, change, stage, said = FAULTS[fault]
        path = tmp_path / f"{fault.replace(' ', '')}.safetensors"
        save(faulty(encoder, name, change), path)
        recording = open_snapshot(path)
        assert check_masks(recording).faults[0].stage == stage
        assert said in write_checked(check_masks(recording))
        found = first_fault(recording)
        assert found is not None
        assert found[0].name == stage
    save(encoder.run(TEXTS), tmp_path / "sound.safetensors")
    assert first_fault(open_snapshot(tmp_path / "sound.safetensors")) is None


# -- texts without a token ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("mask", [[[1, 1, 1, 1], [1, 1, 0, 0], [0, 0, 0, 0]], [[0] * 4] * 3], ids=["one", "all"])
def test_a_wholly_masked_text_is_told_as_that(mask: list[list[int]], small_module: torch.nn.Module) -> None:
    encoder = load_module(small_module)
    run = encoder.run_vectors(np.random.default_rng(0).normal(size=(3, 4, 16)).astype(np.float32), mask)
    checked = check_masks(run)
    text = write_checked(checked)
    first = next(row for row, shown in enumerate(mask) if not any(shown))
    assert f"every key of text {first} is masked" in text
    assert "query" not in text.partition("checked:")[0].replace("query 0", "")
    assert "padded queries" not in text
    assert "torch.finfo" not in text
    assert {finding.stage for finding in checked.faults[:1]} == {"tokens.mask"}
    found = first_fault(run)
    assert found is not None
    assert found[0].name == "tokens.mask"
    padding = write_checked(check_padding(run, encoder))
    assert f"text {first} is left out: every key of it is masked" in padding
    assert "no fault found" in padding


def test_a_padded_text_that_is_masked_by_hand_is_told_once(encoder: Encoder) -> None:
    """Its keys all stand at the dtype's minimum: they are hidden, and its even weights follow from that."""
    run = encoder.run(TEXTS)
    mask = torch.tensor(run.tokens.mask)
    mask[1] = 0
    run.override("tokens.mask", mask)
    checked = check_masks(run)
    assert [finding.stage for finding in checked.faults] == ["tokens.mask"]
    assert "every key of text 1 is masked, and the tokenizer's mask shows" in write_checked(checked)
    assert "none on padding" not in write_checked(checked)


@pytest.mark.parametrize(("padded", "seen"), [(LEAST, False), (-3.0, True)])
def test_scores_that_overflow_do_not_make_padding_seen(encoder: Encoder, padded: float, seen: bool) -> None:
    """Where the others have gone to minus infinity, the minimum that hides a key is no longer far below them."""
    run = encoder.run(TEXTS)
    real = torch.tensor(run.tokens.mask)[:, None, None, :] != 0
    scores = torch.where(real, -torch.inf, padded).expand(run[MASKED].shape).contiguous()
    run.override(MASKED, scores)
    assert ("padded keys are not hidden" in write_checked(check_masks(run))) == seen


def test_texts_with_a_token_are_not_left_out(encoder: Encoder) -> None:
    assert "left out" not in write_checked(check_padding(encoder.run(TEXTS), encoder))
    assert "every key" not in write_checked(check_masks(encoder.run(TEXTS)))


# -- padding on the left -----------------------------------------------------------------------------------------


def left(tokens: Tokens) -> Tokens:
    """The same texts padded on the left, positions counted from there, as the tokenizers of transformers do it."""
    rolled = {
        name: np.stack(
            [np.roll(row, int((mask == 0).sum())) for row, mask in zip(getattr(tokens, name), tokens.mask, strict=True)]
        )
        for name in ("ids", "mask", "segments")
    }
    strings = tuple(
        tuple(words[(at - int((mask == 0).sum())) % len(words)] for at in range(len(words)))
        for words, mask in zip(tokens.strings, tokens.mask, strict=True)
    )
    return replace(tokens, strings=strings, **rolled)


def test_positions_that_count_padding_on_the_left(encoder: Encoder) -> None:
    run = encoder.run(left(encoder.read(TEXTS)))
    assert check_masks(run).faults == []
    checked = check_padding(run, encoder)
    first = checked.faults[0]
    assert (first.stage, first.kind, first.text) == ("tokens.positions", "position", 1)
    assert (
        "padding on the left is counted by the positions: alone this token has the position 0, in the batch"
        in first.said
    )
    assert "mask.cumsum(1) - 1" in first.remedy
    assert check_padding(encoder.run(TEXTS), encoder).faults == []  # on the right it is not


def test_positions_that_skip_padding_on_the_left(encoder: Encoder) -> None:
    tokens = left(encoder.read(TEXTS))
    positions = np.maximum(tokens.mask.cumsum(1) - 1, 0)
    run = encoder.run(replace(tokens, positions=positions))
    assert check_padding(run, encoder).faults == []


@pytest.mark.parametrize("family", ["T5", "ModernBERT", "NomicBERT", "RoBERTa", "DeBERTa-v2", "MPNet"])
def test_padding_on_the_left_where_positions_are_relative_or_skip_it(family: str) -> None:
    sample = sample_of(family)
    encoder = open_pair(sample, random_model(sample))[0]
    run = encoder.run(left(tokens_for(sample, encoder, [9, 4, 6])))
    faults = check_padding(run, encoder).faults
    assert [fault.stage for fault in faults if fault.stage.partition(".")[0] != "head"] == []
    for fault in faults:  # a pooler takes what stands at place 0
        assert run.program[fault.stage].kind == "FirstToken"
        assert "it takes the token at place 0, which is padding here" in fault.remedy
    assert check_masks(run).faults == []


def test_a_real_token_with_the_paddings_id() -> None:
    sample = sample_of("RoBERTa")
    encoder = open_pair(sample, random_model(sample))[0]
    tokens = tokens_for(sample, encoder, [6, 4])
    padding = family_of(encoder).limits(encoder.checkpoint.config).padding_id
    ids = np.where(tokens.ids == padding, 9, tokens.ids)
    ids[0, 2] = padding
    agreed = encoder.run(replace(tokens, ids=np.where(tokens.mask != 0, ids, padding)))
    assert check_masks(agreed).faults == check_padding(agreed, encoder).faults == []
    assert first_fault(agreed) is None
    run = encoder.run(replace(tokens, ids=np.where(tokens.mask != 0, ids, 7)))
    for checked in (check_masks(run), check_padding(run, encoder)):
        assert checked.faults[0].stage == "tokens.positions"
        assert "a real token has the padding's position" in checked.faults[0].said
        assert checked.faults[0].said.endswith("is what the config calls padding, and padding here is 7")
    found = first_fault(run)
    assert found is not None
    assert found[0].name == "tokens.positions"
