"""`why` as it is typed and printed, and over recordings."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from encoder_tui.engine import Encoder, InputError, Session, open_snapshot, record, save
from encoder_tui.engine.analysis.why import explain, write_why
from encoder_tui.engine.commands import TABLE
from torch import nn

TEXTS = ["The animal didn't cross the street because it was too tired", "Short"]


@pytest.fixture
def session(small: Encoder) -> Session:
    return Session(small.run(TEXTS), small)


@pytest.fixture
def say(session: Session) -> Callable[[str], str]:
    return lambda line: TABLE.execute(session, line).text


# -- the command -------------------------------------------------------------------------------------------------


def test_why_follows_and_returns(session: Session, say: Callable[[str], str]) -> None:
    first = say('why layers.1.attention.scores[0, 3, "animal", "cross"]')
    assert first.startswith("layers.1.attention.scores[batch=0, head=3, query=2 'animal', key=6 'cross'] = ")
    second = say("why 2")
    way, place, *_ = second.splitlines()
    assert way.startswith("key_heads[0, 3, 6 'cross', ")
    assert way.endswith("] < scores[0, 3, 2 'animal', 6 'cross']  (`why back` returns)")
    assert place.startswith("layers.1.attention.key_heads[batch=0, head=3, token=6 'cross', head_dim=")
    assert "the same number in another place" in second
    say("why 1")
    assert [found.stage.rpartition(".")[2] for found in session.why_path] == ["scores", "key_heads", "key"]
    say("why back")
    assert say("why back") == first


def test_why_takes_the_stage_under_the_cursor(session: Session, say: Callable[[str], str]) -> None:
    say("goto layers.0.ffn.activation")
    assert say("why [0, 2, 7]") == say("why layers.0.ffn.activation[0, 2, 7]")


def test_why_reaches_what_has_not_run_yet(say: Callable[[str], str]) -> None:
    assert say("why output[0, 0, 0]").startswith("layers.1.ffn.norm[batch=0, token=0 '[CLS]', hidden=0] = ")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("why", "before the first stage"),
        ("why 3", "nothing to follow to operand 3 yet"),
        ("why back", "no operand was followed yet"),
        ("why output", r"leaves batch \(0 to 1\) and token \(0 to 14\) and hidden \(0 to 31\) open"),
        ("why output[0, 0, :]", r"leaves hidden .* write why layers.1.ffn.norm\[batch=0, token=0, hidden=0\]"),
        ("why output[0, 0", "does not end in"),
        ("why nothing[0]", "no stage named 'nothing'"),
    ],
)
def test_what_cannot_be_explained_is_said(say: Callable[[str], str], line: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        say(line)


def test_a_refused_line_leaves_the_way_as_it_was(session: Session, say: Callable[[str], str]) -> None:
    say("why layers.0.attention.scores[0, 0, 1, 1]")
    for line in ("why 999", "why output[0]", "why 0"):
        with pytest.raises(InputError):
            say(line)
    assert [found.stage for found in session.why_path] == ["layers.0.attention.scores"]


# -- the text ----------------------------------------------------------------------------------------------------


def test_text_of_a_score(session: Session) -> None:
    found = explain(session.trace, "layers.0.attention.scores", (0, 1, 2, 6))
    lines = write_why(found, most=3).splitlines()
    assert lines[1] == "  scores[0, 1, 2, 6] = Σₖ query_heads[0, 1, 2, k] · key_heads[0, 1, 6, k]"
    assert lines[3] == f"  8 terms, the {found.terms_for_90} largest make 90% of all magnitudes"
    assert " in float64, stored " in lines[4]
    assert "(rounding allows " in lines[4]
    assert [line.count(" = ") for line in lines[5:8]] == [2, 2, 2]
    assert len({line.index("·") for line in lines[5:8]}) == 1  # aligned
    assert lines[8].startswith("    ... 5 more terms, together ")
    assert lines[-1] == "  key_heads    layers.0.attention.key_heads [batch, head, token, head_dim]"


def test_text_of_one_term_has_no_share(session: Session) -> None:
    text = write_why(explain(session.trace, "layers.0.ffn.activation", (0, 2, 7)))
    assert "1 term\n" in text
    assert "%" not in text
    assert "slope " in text


# -- recordings --------------------------------------------------------------------------------------------------


@pytest.fixture
def recorded(session: Session, tmp_path: Path) -> Path:
    path = tmp_path / "run.safetensors"
    save(session.trace, path)
    return path


def test_a_recording_explains_what_needs_no_weights(session: Session, recorded: Path) -> None:
    recording = open_snapshot(recorded)
    for stage in session.trace.program:
        assert recording.program[stage.name].kind == stage.kind
        assert recording.program[stage.name].options == stage.options
        index = tuple(size // 2 for size in session.trace.shapes[stage.name])
        ours, theirs = explain(recording, stage.name, index), explain(session.trace, stage.name, index)
        assert ours.stored == theirs.stored
        assert write_why(ours)
        if not stage.weights:
            assert (ours.total, ours.notes, ours.facts) == (theirs.total, theirs.notes, theirs.facts)
        else:
            assert any("a recording holds no weights" in note for note in ours.notes)
            assert ours.operand(1)  # what it was made from can be followed all the same


def test_a_recording_is_explained_without_torch(recorded: Path) -> None:
    code = f"""
import sys
from encoder_tui.engine import open_snapshot
from encoder_tui.engine.analysis.why import explain, write_why
trace = open_snapshot({str(recorded)!r})
for stage in trace.program:
    write_why(explain(trace, stage.name, tuple(0 for _ in stage.axes)))
assert "torch" not in sys.modules and "textual" not in sys.modules and "rich" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_recording_of_before_says_what_it_lacks(recorded: Path) -> None:
    raw = recorded.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + length])
    facts = json.loads(header["__metadata__"]["encoder_tui"])
    for stage in facts["stages"]:
        del stage["kind"], stage["options"]
    header["__metadata__"]["encoder_tui"] = json.dumps(facts)
    text = json.dumps(header).encode()
    recorded.write_bytes(len(text).to_bytes(8, "little") + text + raw[8 + length :])
    found = explain(open_snapshot(recorded), "layers.0.attention.scores", (0, 0, 0, 0))
    assert found.total is None
    assert found.notes == (
        "this recording does not say what kind of operation it is; it is made from "
        "layers.0.attention.query_heads, layers.0.attention.key_heads",
    )


def test_an_operand_that_was_not_exported_is_named(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    save(session.trace, path, select="layers.0.attention.scores")
    with pytest.raises(InputError, match="query_heads is not in this recording"):
        explain(open_snapshot(path), "layers.0.attention.scores", (0, 0, 0, 0))


# -- after a stop ------------------------------------------------------------------------------------------------


def test_why_alone_explains_what_the_last_stop_named(session: Session, say: Callable[[str], str]) -> None:
    say("patch layers.1.ffn.up[0, 2, 7] = nan")
    say("break unexpected")
    TABLE.execute(session, "continue")
    named = say("why layers.1.ffn.up[0, 2, 7]")
    assert say("why") == say("why layers.1.ffn.up") == named
    assert say("why [0, 2, 8]") != named
    say("delete")
    say("step")
    with pytest.raises(InputError, match="leaves batch"):
        say("why")


def test_why_alone_asks_for_what_a_stop_left_open(session: Session, say: Callable[[str], str]) -> None:
    """A row has no one element, and a breakpoint without a condition names nothing."""
    say("patch layers.0.attention.weights[0, 2, 1] = 0.9")
    say("break unexpected")
    TABLE.execute(session, "continue")
    with pytest.raises(
        InputError, match=r"leaves key .* write why layers.0.attention.weights\[batch=0, head=2, query=1, key=0\]"
    ):
        say("why")
    say("delete")
    say("break layers.1.ffn.up")
    TABLE.execute(session, "continue")
    with pytest.raises(InputError, match="leaves batch"):
        say("why")


def test_why_alone_in_batch_mode(capsys: pytest.CaptureFixture[str]) -> None:
    from encoder_tui.tui.cli import main

    condition = "layers.0.ffn.up if absmax > 0.1"
    assert main(["A cat.", "--device", "cpu", "--batch", "-b", condition, "-ex", "continue", "-ex", "why"]) == 3
    out = capsys.readouterr().out
    place = out.partition(", at [")[2].partition("]")[0]
    assert place
    assert "layers.0.ffn.up[" in out.partition(place)[2]


class HiddenByInfinity(nn.Module):
    """Attention in which the last two rows and keys are hidden by -inf, so that their rows are hidden whole."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        places = torch.arange(x.shape[1])
        hidden = (places >= 3)[None, :] | (places >= 3)[:, None]
        weights = (x @ x.transpose(1, 2)).masked_fill(hidden, -torch.inf).softmax(-1)
        return (weights @ x).sqrt() + 1.0


def test_a_recorded_operation_without_terms_tells_what_its_row_holds_and_blames_nothing_else() -> None:
    """Its own numbers are read: no class of ours is named, and no operand is called finite that was not looked at."""
    trace = record(HiddenByInfinity(), torch.linspace(0.1, 1, 40).reshape(1, 5, 8))
    told: dict[str, str] = {}
    for stage in trace.program:
        value = trace.value(stage.name).numpy()
        bad = np.argwhere(~np.isfinite(value.astype(np.float64)))
        if len(bad):
            text = told[stage.name] = write_why(explain(trace, stage.name, tuple(int(place) for place in bad[0])))
            assert "Torch" not in text
            assert "arises here" not in text or "[1]" in text
    weights, sums = told["softmax"], told["add"]
    assert "5 of 5 numbers are NaN or infinite, the first " in weights
    assert "at the same place, sqrt[0, 3, 0] = nan" in sums
