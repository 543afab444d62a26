"""`check padding` of what is one vector a text: its axes have no names in somebody's module, and padding may be in it all the same."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from encoder_tui.engine.analysis.checks import check_padding, write_checked
from encoder_tui.engine.analysis.checks.text_axes import with_text_axes
from encoder_tui.engine.models.notes import silent
from encoder_tui.engine.models.traced.attach import ModuleEncoder
from encoder_tui.engine.ops.tokens import Given
from encoder_tui.engine.program.stage import Stage
from hand_written import HandWritten

TEXTS = ["The cat sat on the mat", "A dog"]


class Mean(HandWritten):
    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return torch.tanh(super().forward(input_ids, attention_mask).mean(1))


class Masked(HandWritten):
    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        kept = attention_mask[..., None].float()
        return torch.tanh((super().forward(input_ids, attention_mask) * kept).sum(1) / kept.sum(1))


class First(HandWritten):
    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return torch.tanh(super().forward(input_ids, attention_mask)[:, 0])


class Flat(HandWritten):
    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return torch.tanh(super().forward(input_ids, attention_mask).flatten(0, 1) * 2)


def checked(module: type[HandWritten], model: Path, texts: list[str] = TEXTS):
    encoder = ModuleEncoder(module(model), None, tokenizer=model, tell=silent)
    return check_padding(encoder.run(texts), encoder)


def test_a_mean_over_padding_is_found_where_it_is_taken(small_dir: Path) -> None:
    for texts in (TEXTS, TEXTS[::-1]):
        (found,) = checked(Mean, small_dir, texts).faults
        assert (found.stage, found.text) == ("mean", texts.index("A dog"))
        assert found.said.startswith("a text's value depends on the padding beside it: alone it is ")
        assert "leave padding out" in found.remedy


@pytest.mark.parametrize("module", [Masked, First])
def test_what_leaves_padding_out_is_no_fault(module: type[HandWritten], small_dir: Path) -> None:
    told = checked(module, small_dir)
    assert told.faults == []
    assert not any(line.startswith("not of ") for line in told.looked)


def test_what_cannot_be_told_apart_by_texts_is_said(small_dir: Path) -> None:
    told = checked(Flat, small_dir)
    assert told.faults == []
    assert "checked: not of flatten, " in write_checked(told)
    assert "no axis there is known to be of texts" in write_checked(told)


def test_axes_are_told_by_their_lengths() -> None:
    def named(batch: tuple[int, ...], single: tuple[int, ...], tokens: int = 4) -> tuple[str, ...] | None:
        axes = tuple(f"axis_{at}" for at in range(len(batch)))
        stage = with_text_axes(Stage("a", Given("ids"), axes=axes), batch, single, (2, 8), tokens)
        return stage.axes if stage is not None else None

    assert named((2, 48), (1, 48)) == ("batch", "axis_1")
    assert named((2, 1, 1, 8), (1, 1, 1, 4)) == ("batch", "axis_1", "axis_2", "token")
    assert named((2, 8, 8), (1, 4, 4)) == ("batch", "query", "key")
    assert named((16, 48), (4, 48)) is None
    assert named((8, 8), (4, 4)) is None  # of no text
    assert named((2, 48), (1, 24)) is None
    assert named((2, 2), (1, 1)) is None
