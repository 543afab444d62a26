"""What torch computes attention with, or compiles, rounds otherwise and is no fault; nor is a value that is there once for all texts."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import THREE
from encoder_tui.engine import Encoder, InputError, Session, attach, load
from encoder_tui.engine.analysis.compare import compare
from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.commands.references import REFERENCES
from encoder_tui.engine.models.traced import compiled, kernels
from encoder_tui.engine.models.traced.stoppable import run_stoppable
from encoder_tui.engine.program.trace import Trace
from encoder_tui.testing import assert_same
from faulty import Copies, put
from torch.nn.attention import SDPBackend, sdpa_kernel

SENTENCES = THREE[:2]


def of_transformers(place: Path, attention: str) -> Any:
    from transformers import BertModel

    opened: Any = BertModel.from_pretrained(str(place), attn_implementation=attention, add_pooling_layer=False)
    return opened.eval()


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_a_module_with_one_row_of_positions_for_all_texts_is_the_same(attention: str, original: Path) -> None:
    module = of_transformers(original, attention)
    assert_same(module, str(original), texts=SENTENCES)
    assert_same(str(original), module, texts=SENTENCES)


@pytest.mark.parametrize("row", range(len(SENTENCES)))
def test_and_each_of_our_rows_is_held_against_that_one(row: int, original: Path, ours: Encoder) -> None:
    run = ours.run(SENTENCES)
    given = torch.from_numpy(run.tokens.ids.copy()), torch.from_numpy(run.tokens.mask.copy())
    theirs = attach(of_transformers(original, "eager"), *given).first
    assert theirs is not None
    assert theirs.shapes["embeddings.position"][0] == 1
    positions = run.tensor("embeddings.position").clone()
    positions[row, 1] += 1
    put(run, "embeddings.position", positions)
    first = compare(run, theirs, exact=False).first
    assert first is not None
    assert (first.name, first.place is not None and first.place[:2]) == ("embeddings.position", (row, 1))


@pytest.fixture
def session(ours: Encoder) -> Session:
    return Session(ours.run(SENTENCES), ours)


def of_the_way(text: str) -> str:
    (line,) = [line for line in text.splitlines() if line.startswith("way ")]
    return " ".join(line.split()[1:])


CHANGED = (
    r"changes numbers by up to \d\.?\d*e-07 of a stage's largest, at layers\.1\.\S+: that is rounding, and no fault"
)


@pytest.mark.parametrize("attention", ["sdpa", "flash"])
def test_a_fused_attention_says_its_kernel_how_much_it_changes_and_that_it_is_rounding(
    attention: str, session: Session
) -> None:
    reply = TABLE.execute(session, f"compare attention {attention} diagnose")
    assert re.fullmatch(
        f"attention by torch's kernel flash, as transformers runs original, {CHANGED}", of_the_way(reply.text)
    ), reply.text
    assert reply.verdict.startswith("equal within what float32 explains")
    assert "cause" not in reply.text


def test_eager_attention_is_what_is_computed_here(session: Session) -> None:
    text = TABLE.execute(session, "compare attention eager").text
    assert of_the_way(text) == "attention eager, as transformers runs original, changes no bit"
    assert "theirs     attention eager float32\n" in text  # and not once more what was typed


def test_an_index_that_transformers_alone_cannot_read_is_named(copies: Copies) -> None:
    there = copies.make("no metadata")
    index = there / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": json.loads(index.read_text())["weight_map"]}))
    encoder = load(there)
    with pytest.raises(InputError, match=r"transformers cannot open .*no metadata: no 'metadata' in one of its files"):
        TABLE.execute(Session(encoder.run("A cat"), encoder), "compare attention sdpa")


def test_a_fault_is_not_called_rounding(session: Session) -> None:
    TABLE.execute(session, "patch layers.0.ffn.up[0, 1, 2] = x + 1")
    text = TABLE.execute(session, "compare attention sdpa").text
    assert of_the_way(text).endswith(
        "changes more than rounding may: it is not the same computation, or there is a fault"
    )


def test_where_torch_has_no_flash_kernel_it_is_refused(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    limited: Any = sdpa_kernel
    monkeypatch.setattr(kernels, "only_flash", partial(limited, SDPBackend.EFFICIENT_ATTENTION))  # none on a CPU
    with pytest.raises(InputError) as refused:
        TABLE.execute(session, "compare attention flash")
    assert str(refused.value) == (
        "torch has no flash kernel for the attention of original in float32 on cpu; write `attention sdpa`, which lets it choose"
    )


def test_another_way_to_attend_is_refused(session: Session) -> None:
    with pytest.raises(
        InputError, match=r"attention 'paged' is none of sdpa, eager, flash; write `attention sdpa\|eager\|flash`"
    ):
        TABLE.execute(session, "compare attention paged")


@pytest.mark.parametrize("words", ["", "diagnose", "all tolerance 1e-5", "tolerance 0 diagnose"])
def test_what_names_itself_takes_the_same_words_after_it(
    words: str, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[list[str]] = []

    def against(session: Session, rest: Sequence[str]) -> Trace:
        given.append(list(rest))
        return session.trace

    monkeypatch.setitem(REFERENCES, "compile", against)
    assert TABLE.execute(session, f"compare compile {words}").verdict.startswith("equal: all 50 stages to the last bit")
    assert given == [[]]


@pytest.mark.sweep
def test_what_is_compiled_says_how_much_it_changes(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the C++ of the default backend, which takes a minute to compile."""
    monkeypatch.setattr(compiled, "BACKEND", "aot_eager")
    told: list[str] = []
    session.tell = told.append
    text = TABLE.execute(session, "compare compile diagnose").text
    assert told == ["torch.compile of original: the first time this takes minutes, as C++ is written and compiled"]
    assert re.fullmatch(f"what torch.compile makes of it {CHANGED}", of_the_way(text)), text
    assert re.search(r"^matched +\d\d of 51 stages", text, re.MULTILINE)
    assert "cause" not in text


def test_long_work_is_stopped_on_a_thread() -> None:
    """As Escape does it: what the work raises comes out, and no thread is left behind."""
    begun, outcomes = threading.Event(), list[str]()

    def for_ever() -> None:
        begun.set()
        while True:
            pass

    def wait() -> None:
        for work, stopped in ((for_ever, begun.is_set), (lambda: outcomes.append("done"), lambda: False)):
            try:
                run_stoppable(work, stopped)
            except KeyboardInterrupt:
                outcomes.append("stopped")

    before = threading.active_count()
    thread = threading.Thread(target=wait)
    thread.start()
    thread.join()
    assert outcomes == ["stopped", "done"]
    assert threading.active_count() == before
