"""What a module is called with that takes a text: by the names of its `forward`'s parameters, and nothing guessed in silence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from encoder_tui.engine import InputError, Run
from encoder_tui.engine.models.traced.attach import ModuleEncoder
from own_modules import BookEncoder
from torch import nn

BUNDLED = Path(__file__).parents[2] / "samples" / "encoder"
TEXTS = ["the cat", "the cat was too tired to cross"]


class Takes(nn.Module):
    """Embeds ids, and keeps what else it was called with."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.given = nn.Embedding(9000, 8), dict[str, Any]()

    def embedded(self, ids: torch.Tensor, **given: Any) -> torch.Tensor:
        self.given.update(given)
        return self.words(ids)


class TorchMask(Takes):
    def forward(self, src: torch.Tensor, src_key_padding_mask: torch.Tensor | None = None) -> torch.Tensor:
        return self.embedded(src, hides=src_key_padding_mask)


class Segments(Takes):
    def forward(self, ids: torch.Tensor, token_type_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return self.embedded(ids, segments=token_type_ids, shows=attention_mask)


class Unsaid(Takes):
    def forward(self, ids: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        return self.embedded(ids, mask=mask)


class Needs(Takes):
    def forward(self, ids: torch.Tensor, speaker: torch.Tensor) -> torch.Tensor:
        return self.embedded(ids, speaker=speaker)


class Nothing(nn.Module):
    def forward(self) -> torch.Tensor:
        return torch.ones(1)


def run_of(module: nn.Module, texts: list[str] = TEXTS) -> tuple[Run, list[str]]:
    told: list[str] = []
    return ModuleEncoder(module, None, tokenizer=BUNDLED, tell=told.append).run(texts), told


def test_torchs_own_mask_hides_where_the_tokenizers_shows() -> None:
    module = TorchMask()
    run, _ = run_of(module)
    assert module.given["hides"].dtype == torch.bool
    assert module.given["hides"].tolist() == (torch.from_numpy(run.tokens.mask) == 0).tolist()


def test_segments_and_the_mask_are_the_tokenizers() -> None:
    module = Segments()
    run, _ = run_of(module)
    assert module.given["shows"].tolist() == run.tokens.mask.tolist()
    assert module.given["segments"].tolist() == run.tokens.segments.tolist()


def test_a_mask_of_unknown_meaning_is_not_given_and_that_is_told() -> None:
    module = Unsaid()
    _, told = run_of(module)
    assert module.given == {"mask": None}
    assert told[0].startswith("forward takes a 'mask', which was not given: whether 1 shows or hides is not known")
    _, told = run_of(Unsaid(), ["the cat"])  # nothing is padded, so nothing would be hidden
    assert not told


@pytest.mark.parametrize(
    ("module", "said"),
    [
        (Needs(), "forward of Needs needs 'speaker', which is no part of a text; have what --module names return"),
        (Nothing(), "forward of Nothing takes no arguments that ids could be; give it inputs of its own"),
    ],
)
def test_what_a_text_has_not_is_asked_for_by_name(module: nn.Module, said: str) -> None:
    with pytest.raises(InputError, match=said):
        run_of(module)


def test_images_and_texts_without_a_tokenizer_are_refused() -> None:
    encoder = ModuleEncoder(BookEncoder(), None, tell=lambda _: None)
    with pytest.raises(InputError, match="has no tokenizer, so it takes no text"):
        encoder.run("the cat")
    with pytest.raises(InputError, match=r"takes text and no images|no images"):
        encoder.run(images=["cat.png"])
    with pytest.raises(InputError, match="was given nothing to be called with"):
        encoder.run()
