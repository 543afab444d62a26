"""What the debugger walks: a program and the values of one passage through it."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from ..messages.errors import InputError
from ..messages.visible import visible
from .addresses import AT, ValuesBeside, has_none, matching, value_beside
from .index import split_index
from .inputs import Inputs
from .kinds import TABLE
from .per_text import Index
from .position_table import table_axes, table_rows
from .program import Program
from .rows import far_apart
from .shown import InNotebooks
from .stage import Shape, Stage
from .tokens import Tokens
from .value import ShapeAlone, Value
from .weight import StageWeight, WeightValue, weight_called

if TYPE_CHECKING:
    import torch

    from .patch import Patch


class Trace(InNotebooks, ABC):
    """A run, a recording or an outline; the debugger and every view treat them alike.

    Attributes:
        program: the stages.
        inputs: what went in, sequence by sequence.
        about: facts for people, in order: model, family, device, dtype, and `attention` where it is causal.
        assurances: those of them that say that all is well, where others say what to beware of.
        written: when the file was that it is read from, in seconds since 1970; None where it is from none.
        model_notes: what is to be said of how the model was read, a sentence each.
        longest: how many tokens the model takes; None where it sets no limit, or none is known.
    """

    program: Program
    inputs: Inputs
    about: Mapping[str, str]
    model_notes: tuple[str, ...] = ()
    assurances: frozenset[str] = frozenset()
    written: float | None = None
    longest: int | None = None

    @property
    def original_inputs(self) -> Inputs:
        """What the tokenizer gave, whatever has been patched since."""
        return self.inputs

    @property
    def is_foreign(self) -> bool:
        """Whether its values were computed by somebody else's code, so that their last bits may differ whatever it is compared with."""
        return False

    @property
    def lent(self) -> frozenset[str]:
        """Stages that it has no value of its own for, and that are taken to be those of what it is compared with."""
        return frozenset()

    @property
    def tokens(self) -> Tokens:
        """What went in, of the sequence that every program has."""
        return self.inputs.tokens

    @property
    def original_tokens(self) -> Tokens:
        """The same as the tokenizer gave it."""
        return self.original_inputs.tokens

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said of how the model and the texts were read, a sentence each."""
        return (*self.model_notes, *self.original_tokens.notes)

    def __repr__(self) -> str:
        """What one is at a prompt: kind, model, device and dtype, what went in, how many stages; nothing is computed for it."""
        sizes = ", ".join(
            f"{axis}={size}" for axis, size in zip(("batch", "token"), self.tokens.ids.shape, strict=False)
        )
        return (
            f"<{type(self).__name__} of {visible(' '.join(self.about.values()))} [{sizes}] {len(self.program)} stages>"
        )

    @abstractmethod
    def value(self, name: str) -> Value:
        """The value of the stage of that canonical name; nothing is computed until it is read."""

    @abstractmethod
    def has(self, name: str) -> bool:
        """Whether numbers can be had for this stage (a recording may hold only some)."""

    @property
    @abstractmethod
    def shapes(self) -> Mapping[str, Shape]:
        """Shape of every stage's value."""

    @property
    def weight_shapes(self) -> Mapping[str, Shape]:
        """Shape of every weight the program uses."""
        return self.program.weights

    def weight(self, name: str, index: Index = ()) -> npt.NDArray[Any]:
        """A window of a weight, as a numpy array of its own: an int or slice for each axis from the first.

        Raises:
            InputError: there are no weights here: a recording holds none.
        """
        raise InputError(f"a recording holds no weights, so what {name} does to this number cannot be told apart")

    def reach(self, position: int) -> None:
        """Compute what the stage at this position needs and yields, where there is anything to compute."""

    def stop_when(self, stopped: Callable[[], bool]) -> None:
        """Have whatever is computed here end with `Interrupted` where that says so; where nothing is computed nothing can be stopped."""

    @property
    def goes_on(self) -> bool:
        """Whether something is still being computed that was stopped: nobody waits for it, and it comes to its end."""
        return False

    def reach_ahead(self, position: int, last: int) -> int:
        """Compute several small stages from a position on, where looking at them all afterwards is quicker than each in turn.

        Returns:
            The last position that was reached; `position - 1` where there is nothing to be gained.
        """
        return position - 1

    def quick(self, name: str, word: str) -> float | None:
        """A figure of a stage's value where it can be had without reading out every number; see `Value.quick`."""
        return None

    def ranges(self, name: str, word: str) -> Iterable[tuple[float, float]]:
        """Ever narrower ranges that such a figure certainly lies in, from less than reading every number.

        Any part of the value has its figure in the first of them as well.
        """
        return ()

    def finite(self, name: str) -> bool:
        """Whether every number of a value certainly is finite, where that can be told without reading them all."""
        return False

    def row_ends(self, name: str, figure: str, first: int | None = None) -> tuple[float, float]:
        """The least and the greatest of `Value.rows`; both NaN if any is, or if there are none."""
        figures = self.value(name).rows(figure, first)
        return (float(figures.min()), float(figures.max())) if figures.size else (math.nan, math.nan)

    def apart(self, name: str, one: tuple[int, ...], other: tuple[int, ...]) -> bool:
        """Whether two rows of a value certainly differ, by a look at few of their numbers; also true where a look is dear.

        Args:
            one, other: an int for each axis but the last.
        """
        value = self.value(name)
        return bool(far_apart(value.read(one), value.read(other), value.dtype))

    def word(self, number: int) -> str:
        """The token of an id, or the id itself where it is not known."""
        return str(number)

    def reader(self, stage: Stage) -> Callable[[int], str]:
        """What the numbers a stage holds, or the places along its last axis, are called: its labels, or tokens."""
        labels = stage.labels
        return (lambda number: labels[number] if 0 <= number < len(labels) else str(number)) if labels else self.word

    @property
    def stale(self) -> frozenset[str]:
        """Stages whose value was asked for and would come out other than it did: patches upstream are not those of then."""
        return frozenset()

    @property
    def patched(self) -> frozenset[str]:
        """Stages whose value was put there by hand."""
        return frozenset()

    def formulas(self, name: str) -> tuple[str, str]:
        """The stage's formula with names and again with this run's shapes."""
        stage = self.program[name]
        return stage.formula(), stage.formula_of_shapes(self.shapes, self.weight_shapes)

    @cached_property
    def kinds_beside(self) -> dict[str, Callable[[Trace, Stage], ValuesBeside]]:
        """What gives stages more values besides their own, each under a name of its own: what it was compared with.

        A run and its forks have one table: what is put into it holds for them all.
        """
        return {}

    def beside(self, stage: Stage) -> dict[str, Callable[[], Value]]:
        """What a stage has besides its value, by what stands after the `@` of its address: weights, the table
        of a formula of positions, and whatever else there is."""
        every: dict[str, Callable[[], Value]] = {
            symbol: partial(self.weight_value, StageWeight(stage, at)) for at, symbol in enumerate(stage.symbols)
        }
        if stage.card.by_position:
            every[TABLE] = partial(self.table_value, stage)
        for kind in self.kinds_beside.values():
            every.update(kind(self, stage))
        return every

    def weight_value(self, weight: StageWeight) -> Value:
        """A weight as a value.

        Raises:
            InputError: there are no weights here.
        """
        shape, dtype = self.weight_shapes[weight.name], self.about.get("dtype", "float32")
        return WeightValue(weight, tuple(shape), dtype, self.word, self.weight)

    def table_value(self, stage: Stage) -> Value:
        """The rows of a stage whose formula is one of positions, for every position: (position, its last axis).

        Here, where nothing is computed, its shape alone.
        """
        rows, _ = table_rows(stage, self.longest, self.tokens.shape[1])
        address = f"{stage.name}{AT}{TABLE}"
        refusal = f"nothing is computed here; open the model itself to look at {address}"
        return ShapeAlone(
            address, table_axes(stage), (rows, self.shapes[stage.name][-1]), self.value(stage.name).dtype, refusal
        )

    def addresses(self, pattern: str) -> list[str]:
        """The canonical addresses that a name or glob means, in program order: `layers.*.ffn.up`, `layers.*.ffn.up@W`.

        Raises:
            InputError: it means nothing.
        """
        where, at, what = pattern.strip().partition(AT)
        stages = self.program.expect(where)
        if not at:
            return stages
        having = {name: matching(self.beside(self.program[name]), what) for name in stages}
        if not any(having.values()):
            raise has_none(self.program[stages[0]], self.beside(self.program[stages[0]]), what)
        return [f"{name}{AT}{each}" for name, every in having.items() for each in every]

    def __getitem__(self, name: str) -> Value:
        """The value of an address: `run["layers.0.attention.weights"]`, by any name `Program.resolve` takes;
        `run["embeddings.position@E"]`, something else the stage has (`beside`), here a weight, which its name in the checkpoint means too.

        Raises:
            InputError: no such stage, or it has nothing of that name.
        """
        where, at, what = name.strip().partition(AT)
        if at:
            stage = self.program[self.program.resolve(where)]
            return value_beside(stage, self.beside(stage), what)
        weight = weight_called(self.program, where)
        return self.weight_value(weight) if weight is not None else self.value(self.program.resolve(where))

    def __iter__(self) -> Iterator[str]:
        """The canonical names of the stages, in program order, as a mapping has its keys."""
        return (stage.name for stage in self.program)

    def __len__(self) -> int:
        """How many stages there are."""
        return len(self.program)

    def __bool__(self) -> bool:
        """True: it is there."""
        return True

    def __contains__(self, name: object) -> bool:
        """Whether a stage is called that, by its canonical name or an alias."""
        return name in self.program

    def at(self, text: str) -> tuple[Value, str]:
        """A value and the index for it, from text such as `layers.0.attention.weights[head=3]`.

        Returns:
            The value and what stood between the brackets ("" for the whole value), already checked against it.

        Raises:
            InputError: no such stage, or an index that does not fit.
        """
        name, index = split_index(text)
        value = self[name]
        value.bind(index or "")
        return value, index or ""


class LiveTrace(Trace):
    """A trace whose values are computed when they are read, and can be changed: a run."""

    @property
    @abstractmethod
    def weights(self) -> Mapping[str, torch.Tensor]:
        """Every weight of the program, on the device and in the dtype that is computed with."""

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """Where it is computed."""

    @property
    @abstractmethod
    def budget(self) -> int | None:
        """Bytes of values that are kept; None for all."""

    @abstractmethod
    def tensor(self, name: str) -> torch.Tensor:
        """The whole value of a stage, as the engine's own tensor: not to be written to."""

    @abstractmethod
    def is_windowed(self, name: str) -> bool:
        """Whether a value is too large to be kept and is only ever read in windows."""

    @abstractmethod
    def dtype(self, name: str) -> torch.dtype:
        """What the value of a stage is made of."""

    @property
    @abstractmethod
    def knows_words(self) -> bool:
        """Whether there is a tokenizer: without one a token is known by its id alone."""

    @abstractmethod
    def rows(self, name: str, start: int, stop: int) -> torch.Tensor:
        """Rows `start` to `stop` (the last axis but one) of a stage whose op has rows, without building the rest."""

    @abstractmethod
    def row_blocks(self, name: str) -> list[tuple[int, int]]:
        """Where the blocks of rows begin and end that such a value is computed in."""

    @property
    @abstractmethod
    def is_tight(self) -> bool:
        """Whether it is so near its budget that what it gives may be evicted, and its memory used, while it is looked at."""

    @property
    @abstractmethod
    def patches(self) -> tuple[Patch, ...]:
        """What is changed by hand, in the order it was."""

    @abstractmethod
    def set_patches(self, patches: Sequence[Patch]) -> None:
        """Have exactly these patches from now on; whatever depends on a difference is computed again when read.

        Raises:
            InputError: one of the new ones cannot be applied; the run is as it was then.
        """

    @abstractmethod
    def fork(self) -> LiveTrace:
        """Another run with the same patches, to be patched apart; upstream of that, values are shared."""

    @abstractmethod
    def leave(self, dropped: LiveTrace) -> None:
        """Be a fork of what another run is a fork of, if it was one of that: it is dropped, and this one stays."""


def expect_live(trace: Trace) -> LiveTrace:
    """The run behind a trace.

    Raises:
        InputError: a recording or an outline, which computes nothing and so cannot be changed.
    """
    if not isinstance(trace, LiveTrace):
        raise InputError(
            "nothing is computed here, so nothing can be patched or forked: a recording, or a model of shapes alone"
        )
    return trace
