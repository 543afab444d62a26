"""From a watched passage to the moment of a recording: what is shown, whether that is what runs, and what is said of both."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from ...messages.errors import one_line
from ...ops.base import Op
from ...program.addresses import AT
from ...program.kinds import KEPT
from ...program.torch_calls import without_fast_path
from ...traces.in_memory import Moment
from .circumstances import Circumstances, notes_of_passage
from .frames import line_of_error
from .kept_beside import AsTheyWere, KeptBeside
from .lengths import fitted_together
from .natively import attempt, difference_told, results_apart
from .numbers import KeptNumbers, left_out, no_array, over_budget
from .randomness import from_states
from .stages import Making, operation
from .storages import shape_of
from .structures import tensors_within
from .tracer import Passage
from .watched import Watcher
from .wiring import told_of_opened, wired

DEFAULT_BUDGET = 2 << 30
# Operations that are whole layers, or whole attentions: what torch takes in their place for speed.
FAST = frozenset({"_transformer_encoder_layer_fwd", "_native_multi_head_attention"})


@dataclass(frozen=True, slots=True)
class RecordingWish:
    """What a recording is to be like.

    Attributes:
        budget: bytes of values that are held.
        compare: whether the module runs once more without being watched; None where something was put aside.
        word: the token of an id.
    """

    budget: int
    compare: bool | None
    word: Callable[[int], str | None]


class Taking:
    """A passage that is being taken.

    Args:
        module: whose.
        wanted: what the recording is to be like.
        arguments, options: what the module is called with.

    Attributes:
        watcher: who watches it.
    """

    def __init__(
        self, module: nn.Module, wanted: RecordingWish, arguments: Sequence[Any], options: Mapping[str, Any]
    ) -> None:
        self.module, self.wanted = module, wanted
        self.arguments, self.options = arguments, options
        self.before = Circumstances.now()
        self.watcher = self._watcher()
        self._notes: list[str] = []

    def _watcher(self) -> Watcher:
        return Watcher(self.module, self.wanted.budget, (self.arguments, self.options))

    def ended(self, result: Any) -> Callable[[], Moment]:
        """What makes the moment of a passage that gave back a result; values and circumstances are those of now."""
        passage = self.watcher.passage(result)
        self.watcher.settle(result)
        fast = [call for call in passage.graph.calls if call.word in FAST]
        if fast:
            passage = self._without_fast_path(passage, result, len(fast))
        elif self.wanted.compare:
            self._beside_unwatched(passage, result)
        return partial(self._made, passage)

    def broken(self, error: BaseException) -> Callable[[], Moment]:
        """The same of a passage that raised."""
        passage = self.watcher.passage()
        self.watcher.settle(None)
        after = f", after {passage.graph.calls[-1].name}" if passage.graph.calls else ""
        self._notes.append(
            f"it broke{line_of_error(error)}{after}: {type(error).__name__}: {one_line(error)}; what was computed before that is here"
        )
        return partial(self._made, passage)

    # -- whether it is what runs -------------------------------------------------------------------------------------

    def _without_fast_path(self, passage: Passage, result: Any, times: int) -> Passage:
        """The passage that shows what is inside of what torch takes for speed; the first where there can be none."""
        what = f"torch's fast path for encoders ran ({times}x), inside which nothing is seen"
        if self.wanted.compare is False:
            self._notes.append(f"{what}; compare=None records its inside by a second passage without it")
            return passage
        if self.watcher.rewritten():
            self._notes.append(f"{what}; a second passage would be another, as this one wrote to its inputs or buffers")
            return passage
        watcher = self._watcher()
        again, failed = attempt(lambda: self._slowly(watcher))
        if failed:
            self._notes.append(f"{what}; without it the module raised {failed}")
            return passage
        self.watcher = watcher
        watcher.settle(again)
        self._notes.append(difference_told("what runs natively is torch's fast path", results_apart(result, again)))
        return watcher.passage(again)

    def _slowly(self, watcher: Watcher) -> Any:
        """A watched passage with the fast path put aside."""
        with (
            without_fast_path(),
            from_states(self.before.random),
            watcher.watching(self.arguments, self.options, sys._getframe()),  # pyright: ignore[reportPrivateUsage]
        ):
            return self.module(*self.arguments, **self.options)

    def _beside_unwatched(self, passage: Passage, result: Any) -> None:
        """Say by how much the result differs where nobody watches."""
        what = "what runs natively is compiled" if passage.compiled else "what runs natively is what was seen"
        if self.watcher.rewritten():
            self._notes.append(
                "not compared with an unwatched passage: this one wrote to its inputs, weights or buffers"
            )
            return
        with from_states(self.before.random):
            natively, failed = attempt(lambda: self.module(*self.arguments, **self.options))
        self._notes.append(
            f"not compared with an unwatched passage, which raised {failed}" if failed
            else difference_told(what, results_apart(natively, result))
        )  # fmt: skip

    # -- what it becomes -----------------------------------------------------------------------------------------------

    def _made(self, passage: Passage) -> Moment:
        graph, kept = passage.graph, self.watcher.values
        known, beside = AsTheyWere(graph, kept), KeptBeside(kept)

        def told(making: Making, name: str, axes: tuple[str, ...]) -> Op:
            return operation(making, passage, name)  # in torch's own calls: nothing of it is computed again

        made = wired(graph, known, told, outputs=self.watcher.outputs, keep=beside)
        kinds = {
            stage: (shape.shape, shape.dtype)
            for stage, value in made.values.items()
            for shape in (graph.inputs[value] if value in graph.inputs else graph.by_name[value],)
        } | beside.kinds
        lacking = left_out(kept, made.values) | beside.left_out
        blind = [self.watcher.blind] if self.watcher.blind else []
        notes = [
            *blind,
            *self._notes,
            *notes_of_passage(self.module, passage, self.before),
            *_told_of_unwrapped(passage),
            *told_of_opened(made.opened),
        ]
        if over := [left for left in lacking.values() if left.why == over_budget(kept.budget)]:
            corners = sum(left.corner is not None for left in over)
            notes.append(
                f"{len(over)} of {len(kinds)} values are over the budget of {kept.budget:,} bytes and have statistics"
                + (f", and {corners} of them a corner of their numbers (STAGE{AT}{KEPT})" if corners else " alone")
            )
        given = {name: kept.get(name, tensor) for name, tensor in passage.inputs.items()}  # as they were then
        given = {name: _stand_in(tensor) if no_array(tensor) else tensor for name, tensor in given.items()}
        shapes = {stage: shape for stage, (shape, _) in kinds.items()}
        numbers = KeptNumbers(kept, made.values, beside.numbers)
        program, inputs = fitted_together(made.program, shapes, made.given, given, self.wanted.word, "recorded")
        return Moment(
            program,
            inputs,
            self._about(passage),
            kinds,
            numbers,
            lacking,
            tuple(notes),
            numbers.when_read,
        )

    def _about(self, passage: Passage) -> dict[str, str]:
        model = getattr(self.module, "_orig_mod", self.module)
        tensors = [*passage.weights.values(), *passage.inputs.values(), *(t for _, t in tensors_within(passage.result))]
        floating = next((tensor for tensor in tensors if tensor.is_floating_point()), None)
        device = str(floating.device) if floating is not None else "cpu"
        dtype = str(floating.dtype).removeprefix("torch.") if floating is not None else "float32"
        return {"model": type(model).__name__, "family": "recorded module", "device": device, "dtype": dtype}


def _told_of_unwrapped(passage: Passage) -> list[str]:
    """That what comes out of torch.vmap or torch.func is shown as if it had been given."""
    if not passage.unwrapped:
        return []
    return [
        f"inside torch.vmap and torch.func values have no numbers to keep, and what comes out of there is shown as given: {', '.join(passage.unwrapped)}"
    ]


def _stand_in(tensor: torch.Tensor) -> torch.Tensor:
    """What goes in for a tensor whose numbers are not told: its stage says why it has none."""
    return torch.zeros(shape_of(tensor), dtype=torch.float32 if tensor.is_quantized else tensor.dtype)
