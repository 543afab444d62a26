"""What torch computes attention with, or compiles, rounds otherwise and is no fault; nor is a value that is there once for all texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import THREE
from encoder_tui.engine import Encoder, attach
from encoder_tui.engine.analysis.compare import compare
from encoder_tui.testing import assert_same
from faulty import put

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
