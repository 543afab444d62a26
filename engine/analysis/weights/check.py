"""What is unlikely in a checkpoint: everything that is known here, asked of every weight."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ...messages.errors import InputError
from ...program.stage import Stage
from ...program.trace import LiveTrace, Trace
from ...program.weight import StageWeight
from ..checks.findings import Checked, Finding
from .constants import constant_weights
from .dead import dead_rows
from .equal import equal_rows, equal_weights
from .exchanged import exchanged_queries
from .grids import coarse_weights
from .norms import exchanged_norms
from .numbers import odd_numbers
from .outliers import outlying_rows
from .scales import outlying_scales
from .stored import StoredWeight, StoredWeights
from .untrained import untrained_rows

if TYPE_CHECKING:
    import torch

    from ...models.encoder import Encoder

LOOKS: tuple[Callable[[StoredWeights], Iterator[Finding]], ...] = (
    odd_numbers, exchanged_norms, exchanged_queries, constant_weights, dead_rows, equal_weights, equal_rows, outlying_rows,
    outlying_scales, coarse_weights, untrained_rows,
)  # fmt: skip
INITIAL = 0.02  # the deviation that most models are drawn with


def check_weights(trace: Trace, encoder: Encoder | None, stopped: Callable[[], bool] = lambda: False) -> Checked:
    """Say what is unlikely in the weights of a program, each held against its like in the same model.

    Nothing is certain of what is said: there is no reference. Each weight is read once, as it is stored, and a few figures of it
    are kept.

    Args:
        trace: whose weights.
        encoder: its model; None for a run alone, whose weights are in the dtype that is computed with.

    Raises:
        InputError: there are no weights here, or it was stopped.
    """
    if encoder is not None and not encoder.has_numbers:
        raise InputError(
            f"check weights: {encoder.name} has no weights, only shapes and costs; give a model with weights"
        )
    if not isinstance(trace, LiveTrace):
        raise InputError("check weights looks at weights, and a recording holds none; give the model")
    weights = stored_weights(trace, encoder, stopped)
    if not len(weights):
        raise InputError("check weights: this program has no weights")
    program = trace.program
    findings = [finding for look in LOOKS for finding in look(weights)]
    return Checked(
        tuple(sorted(findings, key=lambda finding: program.index(finding.stage))), _looked(weights), "nothing unlikely"
    )


def stored_weights(trace: LiveTrace, encoder: Encoder | None, stopped: Callable[[], bool]) -> StoredWeights:
    """Every weight of a program, those that are tied once."""
    source = encoder.checkpoint if encoder is not None else None

    def tensor(name: str) -> torch.Tensor:
        return source.weight(name) if source is not None and source.holder(name) is not None else trace.weights[name]

    seen: set[str] = set()
    weights: list[StoredWeight] = []
    for stage in trace.program:
        for number, name in enumerate(stage.weights):
            holder = (source.holder(name) if source is not None else None) or name
            if holder not in seen and tensor(name).is_floating_point():  # else a buffer: places, a mask
                heads, of_rows = _heads(trace, stage)
                shape = tuple(trace.weight_shapes[name])
                weights.append(StoredWeight(StageWeight(stage, number), shape, tensor, heads, of_rows, stopped))
            seen.add(holder)
    reads_ids = any(weight.stage.inputs[:1] == ("tokens.ids",) for weight in weights)
    initial = source.config.get("initializer_range") if source is not None else None
    return StoredWeights(
        weights,
        trace.word if trace.knows_words else None,
        source.limits.padding_id if source is not None and reads_ids else None,
        float(initial) if isinstance(initial, int | float) else INITIAL,
        stopped,
    )


def _heads(trace: Trace, stage: Stage) -> tuple[int, bool]:
    """How many heads a weight's rows, or else its columns, fall into; 0 where none are known."""
    if stage.part not in ("query", "key", "value", "output"):
        return 0, True
    of_rows = stage.part != "output"
    name = f"{stage.block}.{f'{stage.part}_heads' if of_rows else 'weights'}"
    if name not in trace.program or "head" not in trace.program[name].axes:
        return 0, of_rows
    return trace.shapes[name][trace.program[name].axes.index("head")], of_rows


def _looked(weights: StoredWeights) -> tuple[str, ...]:
    """What was looked at, and what cannot be told."""
    numbers = sum(weight.count for weight in weights)
    dtypes = Counter(str(weight.tensor().dtype).removeprefix("torch.") for weight in weights)
    said = [
        f"{len(weights)} weights of {numbers:,} numbers, as they are stored ({', '.join(dtypes)}), each against its like"
    ]
    if weights.is_untrained:
        said.append(
            "no gamma or bias has been trained: a model before training, in which much is alike that will not stay so"
        )
    said += weights.notes
    said.append(
        "not told: layers exchanged, a square matrix transposed, query and key exchanged where they have no biases; for those, `compare` with a reference"
    )
    return tuple(said)
