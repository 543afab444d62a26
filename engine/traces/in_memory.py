"""A passage that was recorded and is in memory still: looked at as a snapshot is, and saved as one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from ..program.arrays import Array
from ..program.inputs import Inputs
from ..program.program import Program
from ..program.stage import Shape, Stage
from ..program.trace import Trace
from ..program.value import ShapeAlone, Value
from ..program.weight import StageWeight, axes_of_weight
from .recorded_values import ComputedValue, LeftOut, LeftOutValue, RecordedValue, no_weights

REWRITTEN = LeftOut("whoever else held its tensor wrote to it after it was recorded; save the recording before that")
OTHERWISE = LeftOut(
    "it was computed again when it was read, and came out otherwise than in the passage: torch or a setting of it has changed since"
)


@dataclass(frozen=True, slots=True)
class Moment:
    """What there was when it was recorded.

    Attributes:
        program: the stages; their operations may be told by name alone.
        inputs: what went in.
        about: facts for people.
        kinds: shape and dtype of every stage's value.
        numbers: by the name of the stage, as they lie in memory; bfloat16 as its 16 bits.
        left_out: by the name of the stage, those that are not among the numbers.
        notes: what is to be said of it, a sentence each.
        when_read: stages whose numbers are computed when they are read.
    """

    program: Program
    inputs: Inputs
    about: Mapping[str, str]
    kinds: Mapping[str, tuple[Shape, str]]
    numbers: Mapping[str, Array]
    left_out: Mapping[str, LeftOut] = field(default_factory=dict[str, LeftOut])
    notes: tuple[str, ...] = ()
    when_read: frozenset[str] = frozenset()


class MemoryRecording(Trace):
    """A trace whose values were all computed before, by somebody else; what is computed again of them when it is read gives the same bits."""

    def __init__(self, moment: Moment) -> None:
        self.hold(moment)

    def hold(self, moment: Moment) -> None:
        """Be the recording of a moment."""
        self._moment = moment
        self.program, self.inputs, self.about = moment.program, moment.inputs, dict(moment.about)
        self.model_notes = moment.notes
        self._shapes = {name: shape for name, (shape, _) in moment.kinds.items()}

    @property
    def shapes(self) -> Mapping[str, Shape]:
        return self._shapes

    def has(self, name: str) -> bool:
        return name in self._moment.numbers

    def word(self, number: int) -> str:
        return self.words.get(number, str(number))

    @property
    def words(self) -> Mapping[int, str]:
        """The tokens that are known by their ids: those that went in."""
        known: dict[int, str] = {}
        for sequence in self.inputs.sequences.values():
            for ids, strings in zip(sequence.ids.tolist(), sequence.strings, strict=True):
                known.update(zip(ids, strings, strict=True))
        return known

    def beside(self, stage: Stage) -> dict[str, Callable[[], Value]]:
        value = self.value(stage.name)
        return super().beside(stage) | (value.beside() if isinstance(value, LeftOutValue) else {})

    def weight_value(self, weight: StageWeight) -> Value:
        shape = self.weight_shapes[weight.name]
        axes = axes_of_weight(weight.stage, len(shape))
        return ShapeAlone(weight.address, axes, shape, self.about.get("dtype", "float32"), no_weights(weight.name))

    def value(self, name: str) -> Value:
        stage, (shape, dtype) = self.program[name], self._moment.kinds[name]
        numbers, later = self._moment.numbers, name in self._moment.when_read
        if name not in numbers:
            why = self._moment.left_out.get(name, OTHERWISE if later else REWRITTEN)
            value: Value = LeftOutValue(name, stage.axes, shape, dtype, why)
        elif later:
            value = ComputedValue(name, stage.axes, shape, dtype, partial(numbers.__getitem__, name))
        else:
            value = RecordedValue(name, stage.axes, numbers[name], dtype)
        value.tokens, value.word, value.labels = self.inputs.strings_along(stage), self.reader(stage), stage.labels
        return value
