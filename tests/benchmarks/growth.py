"""How time grows with tokens, layers, heads and texts: exponents fitted to the engine's time, and to transformers eager's beside it.

    python tests/benchmarks/all.py growth

Every size of an axis takes its turn in each repetition, so that what else the machine does falls on all of them alike. An
exponent holds between the sizes that are named, and says nothing beyond: the part of attention that is square in the tokens
is small at 128 of them, so their axis is measured in two parts.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from encoder_tui.engine import load
from figures import EXPONENT, Figure
from fitting import fitted
from measuring import Times, timed_in_turns
from passage import EVERYTHING, MINI, ids_of, opened, ours, saved, theirs

TITLE = "exponent p of time ~ nᵖ (range, R²)"


@dataclass(frozen=True, slots=True)
class Axis:
    """Sizes along which something grows, and what stays as it is.

    Attributes:
        sizes: of each, what the model's config says besides, the tokens, and the texts.
    """

    sizes: dict[int, tuple[dict[str, Any], int, int]]


TWO = {"num_hidden_layers": 2}
AXES = {
    "tokens, few": Axis({n: (TWO, n, 1) for n in (16, 32, 64, 128)}),
    "tokens, many": Axis({n: (TWO | {"max_position_embeddings": 1024}, n, 1) for n in (128, 256, 512, 1024)}),
    "layers": Axis({n: ({"num_hidden_layers": n}, 128, 1) for n in (1, 2, 4, 8)}),
    "heads": Axis({n: (TWO | {"num_attention_heads": n}, 256, 1) for n in (2, 4, 8, 16)}),
    "texts": Axis({n: (TWO, 64, n) for n in (1, 2, 4, 8)}),
}


def measured(axis: Axis, repetitions: int) -> Times:
    """Seconds of both sides at each size, as `engine 64`."""
    ways: dict[str, Callable[[], object]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number, (size, (config, length, texts)) in enumerate(axis.sizes.items()):
            place = saved(Path(folder) / str(number), **MINI | config, vocab_size=1000)
            encoder, ids = load(place, device="cpu"), ids_of(length, texts)
            ways[f"engine {size}"] = ours(encoder, encoder.run_ids(ids).tokens)
            ways[f"eager {size}"] = theirs(opened(place), ids, **EVERYTHING)
        return timed_in_turns(ways, repetitions)


def rows(quick: bool) -> Iterable[Figure | str]:
    """Exponents of the engine and of transformers eager, along each axis."""
    for name, axis in AXES.items():
        times = measured(axis, 3 if quick else 9)
        for side, what in (("engine", "engine, every value kept"), ("eager", "transformers eager")):
            growth = fitted({size: statistics.median(times[f"{side} {size}"]) for size in axis.sizes})
            note = f"{growth.least:g} to {growth.most:g}, R² {growth.determination:.3f}"
            yield Figure(what, name, growth.exponent, EXPONENT, note, held=side == "engine")
    yield "2 layers of 384 numbers unless they are what grows; tokens: 1 text; layers: 128 tokens; heads: 256; texts: 64 each"
