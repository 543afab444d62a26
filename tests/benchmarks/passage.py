"""One passage of one text: by us, every value kept, and by transformers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers
from encoder_tui.engine import Encoder, Run, Tokens

MINI: dict[str, Any] = {
    "hidden_size": 384,
    "num_hidden_layers": 6,
    "num_attention_heads": 12,
    "intermediate_size": 1536,
}
BASE: dict[str, Any] = {}  # transformers' own defaults are BERT base


def saved(folder: Path, kind: str = "BertModel", **config: Any) -> Path:
    """A BERT with random numbers, as transformers saves it; no tokenizer."""
    torch.manual_seed(0)
    transformers.utils.logging.disable_progress_bar()
    model = getattr(transformers, kind)(transformers.BertConfig(**config))
    model.save_pretrained(folder)
    return folder


def opened(folder: str | Path, kind: str = "AutoModel", attention: str = "eager") -> Any:
    """What transformers makes of a folder, ready to be called."""
    transformers.utils.logging.disable_progress_bar()
    return getattr(transformers, kind).from_pretrained(folder, attn_implementation=attention).eval()


def ids_of(length: int, batch: int = 1, words: int = 1000) -> torch.Tensor:
    """(batch, token): words drawn at random."""
    return torch.randint(0, words, (batch, length), generator=torch.Generator().manual_seed(0))


def ours(encoder: Encoder, tokens: Tokens, last: str = "", anew: bool = False) -> Callable[[], Run]:
    """A function that runs every stage once.

    Args:
        last: the stage after which it stops; "" for all of them.
        anew: whether each run takes fresh memory, and not that of the run before.
    """
    before: list[Run] = []

    def passage() -> Run:
        run = encoder.run(tokens, instead_of=before.pop() if before else None)
        for position in range(run.program.index(last) + 1 if last else len(run.program)):
            run.reach(position)
        if not anew:
            before.append(run)
        return run

    return passage


def theirs(model: Any, ids: torch.Tensor, **asked: bool) -> Callable[[], Any]:
    """A function that calls transformers' model; `asked` is what more it shall return."""
    mask = torch.ones_like(ids)

    def passage() -> Any:
        with torch.no_grad():
            return model(input_ids=ids, attention_mask=mask, **asked)

    return passage


EVERYTHING = {"output_attentions": True, "output_hidden_states": True}  # all that transformers returns if asked
