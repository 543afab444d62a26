"""One passage of a batch through a program: values on demand, kept within a budget, computed again when evicted."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy.typing as npt
import torch

from ..messages.errors import InputError
from ..messages.visible import visible
from ..program.dtypes import DTYPES
from ..program.index import Index
from ..program.inputs import Inputs
from ..program.patch import Patch
from ..program.position_table import table_rows
from ..program.program import Program
from ..program.stage import Shape, Stage, write_shape
from ..program.tokens import PARTS, Ids
from ..program.trace import LiveTrace
from ..program.value import Value
from .cache import MemoryPool
from .compute import Computation
from .patches.changes import Replace, refusing
from .patches.patch_set import PatchSet
from .position_table import PositionTable
from .ranges.extents import Extents
from .ranges.rows import apart, row_ends
from .ranges.weights import WeightSizes
from .recorded_values import LeftOut, LeftOutValue
from .run_value import QUICK, RunValue
from .tensors import indexed, to_numpy

# How much is computed before it is looked at: what a processor's cache still holds then.
AHEAD_BYTES = 16 << 20


class Run(LiveTrace):
    """Values of every stage of a program for one batch.

    Args:
        computation: what computes and keeps them.
        inputs: what goes in.
        about: facts for people.
        weight_sizes: of an earlier run with the same weights, which have then been looked at.
        word: the token of an id.

    Attributes:
        computation: what computes and keeps the values.
        extents: how large they are, as far as it has been looked at.
        named: gives the token of an id, or None where there is no tokenizer.
    """

    def __init__(
        self,
        computation: Computation,
        inputs: Inputs,
        about: Mapping[str, str] | None = None,
        weight_sizes: WeightSizes | None = None,
        word: Callable[[int], str | None] | None = None,
    ) -> None:
        self.computation, self.program = computation, computation.program
        self.inputs = self._original = inputs
        self.about = dict(about or {})
        self.named = word
        self._reached = 0  # stages that have been come by, from the first on
        self.extents = Extents(computation, weight_sizes or WeightSizes(computation.weights))
        # weak, as whoever holds a value holds its run: a run that nobody has any more goes at once, and its memory with it
        self._values: weakref.WeakValueDictionary[str, RunValue] = weakref.WeakValueDictionary()

    # -- what computes -------------------------------------------------------------------------------------------

    @property
    def weights(self) -> Mapping[str, torch.Tensor]:
        """Every weight of the program, on the device and in the dtype that is computed with."""
        return self.computation.weights

    @property
    def device(self) -> torch.device:
        """Where it is computed."""
        return self.computation.device

    @property
    def budget(self) -> int | None:
        """Bytes of values that are kept; None for all."""
        return self.computation.budget

    @property
    def kept_bytes(self) -> int:
        """Bytes of the values kept at the moment, by this run and its forks."""
        return self.computation.kept_bytes

    def tensor(self, name: str) -> torch.Tensor:
        """The whole value of a stage, as the engine's own tensor: not to be written to."""
        return self.computation.tensor(name)

    def rows(self, name: str, start: int, stop: int) -> torch.Tensor:
        """Rows of a stage whose op has rows; see `Computation.rows`."""
        return self.computation.rows(name, start, stop)

    def is_windowed(self, name: str) -> bool:
        """Whether a value is too large to be kept and is only ever read in windows."""
        return self.computation.is_windowed(name)

    def row_blocks(self, name: str) -> list[tuple[int, int]]:
        return self.computation.in_rows.blocks(name)

    @property
    def is_tight(self) -> bool:
        return self.budget is not None and self.kept_bytes > self.budget // 2

    def stop_when(self, stopped: Callable[[], bool]) -> None:
        self.computation.stopped = stopped

    @property
    def goes_on(self) -> bool:
        return self.computation.cache.pool.long_work.goes_on

    def dtype(self, name: str) -> torch.dtype:
        """What the value of a stage is made of."""
        return self.computation.dtype(name)

    def release(self) -> MemoryPool:
        """Give up all values; what is returned lets another run compute in the same memory."""
        return self.computation.release()

    # -- Trace -------------------------------------------------------------------------------------------------

    def value(self, name: str) -> Value:
        value = self._values.get(name)
        if value is None:
            stage = self.program[name]
            if stage.name in self._unread:
                dtype = self._unread[stage.name]
                why = LeftOut(f"no array here holds {dtype}")
                return LeftOutValue(stage.name, stage.axes, self.shapes[stage.name], dtype, why)
            value = RunValue(
                self.computation, self.extents, stage, self.inputs.strings_along(stage), self.reader(stage)
            )
            self._values[name] = value
        return value

    @cached_property
    def _unread(self) -> Mapping[str, str]:
        """Stages whose numbers no array holds (complex, eight bits), with what they are made of: they are computed with, and not looked at."""
        dtypes = {stage.name: str(self.dtype(stage.name)).removeprefix("torch.") for stage in self.program}
        return {name: dtype for name, dtype in dtypes.items() if dtype not in DTYPES or not DTYPES[dtype].numpy}

    def has(self, name: str) -> bool:
        return name in self.program and not (self._unread and self.program[name].name in self._unread)

    @property
    def shapes(self) -> Mapping[str, Shape]:
        return self.computation.shapes

    def weight(self, name: str, index: Index = ()) -> npt.NDArray[Any]:
        weight = self.weights[name]
        return to_numpy(indexed(weight, (*index, *[slice(None)] * (weight.ndim - len(index)))))

    def table_value(self, stage: Stage) -> Value:
        rows, _ = table_rows(stage, self.longest, self.tokens.shape[1])
        shape, op = (rows, self.shapes[stage.name][-1]), self.program.pairs[stage.name][1]
        return PositionTable(stage, op, shape, self.dtype(stage.name), self.device)

    def reach(self, position: int) -> None:
        """Compute the stage at a position, unless it is one that is only read in windows."""
        name = self.program.stages[position].name
        if position > self._reached:  # whoever jumps passes those between
            passed = (stage.name for stage in self.program.stages[self._reached : position])
            self.computation.outdated.pass_by(passed, self.computation.patches)
        self._reached = max(self._reached, position + 1)
        if not self.is_windowed(name):
            self.computation.reach(name)

    def reach_ahead(self, position: int, last: int) -> int:
        left = AHEAD_BYTES if self.budget is None else min(AHEAD_BYTES, self.budget // 8)
        for place in range(position, last + 1):
            left -= self.computation.shadows[self.program.stages[place].name].nbytes
            if left < 0:
                return place - 1
            try:
                self.reach(place)
            except Exception:  # whoever arrives there meets it again; until then it has not happened
                return place - 1
        return last

    def quick(self, name: str, word: str) -> float | None:
        return None if word not in QUICK or self.is_windowed(name) else self.extents.figure(name, word)

    def ranges(self, name: str, word: str) -> Iterable[tuple[float, float]]:
        return self.extents.ranges(name, word)

    def finite(self, name: str) -> bool:
        return self.extents.finite(name)

    def row_ends(self, name: str, figure: str, first: int | None = None) -> tuple[float, float]:
        if not self.is_windowed(name):
            return row_ends(self.tensor(name), figure, first)
        passed = self.extents.row_sums(name) if figure == "sum" and first is None else None
        return passed or super().row_ends(name, figure, first)

    def apart(self, name: str, one: tuple[int, ...], other: tuple[int, ...]) -> bool:
        computation = self.computation
        if not computation.is_computed(name):  # what is read in windows only is not computed for this
            return True
        return apart(computation.tensor(name), one, other)

    @property
    def stale(self) -> frozenset[str]:
        return self.computation.outdated.names

    @property
    def patched(self) -> frozenset[str]:
        return self.computation.patches.names

    @property
    def original_inputs(self) -> Inputs:
        return self._original

    @property
    def knows_words(self) -> bool:
        return self.named is not None

    def word(self, number: int) -> str:
        word = self.named(number) if self.named is not None and number >= 0 else None
        return visible(word) if word is not None else str(number)

    # -- patches -------------------------------------------------------------------------------------------------

    @property
    def patches(self) -> tuple[Patch, ...]:
        return self.computation.patches.all

    def set_patches(self, patches: Sequence[Patch]) -> None:
        with self.computation.lock:
            before = self.patches
            new = tuple(patch for patch in patches if patch not in before)
            _expect_used(self.program, new)
            try:
                with refusing(new[-1].text if new else "undo"):
                    self._change_patches(tuple(patches))
                for patch in new:
                    with refusing(patch.text):
                        self.computation.whole(patch.stage)  # which nobody has asked for
            except BaseException:
                self._change_patches(before)
                raise

    def override(self, name: str, tensor: torch.Tensor) -> None:
        """Put a tensor in place of what a stage computes; all that lies downstream is computed again when read.

        Args:
            name: the stage, by any name `Program.resolve` takes.

        Raises:
            InputError: no such stage, or the shape is another than the stage's.
        """
        name = self.program.resolve(name)
        if tuple(tensor.shape) != self.shapes[name]:
            shapes = f"{write_shape(self.shapes[name])}, not {write_shape(tensor.shape)}"
            raise InputError(f"{name} has the shape {shapes}: a patch cannot change it")
        whole = tuple(slice(None) for _ in tensor.shape)
        change = Replace(whole, tensor.detach().clone())
        self.set_patches((*self.patches, Patch(name, f"patch {name} = a tensor", change)))

    def restore(self, name: str) -> None:
        """Let a stage, by any of its names, compute its own value again (`InputError` where there is no such stage)."""
        stage = self.program.resolve(name)
        self.set_patches([patch for patch in self.patches if patch.stage != stage])

    def fork(self) -> Run:
        computation = self.computation.fork(self._original)
        child = Run(computation, self._original, self.about, self.extents.weights, self.named)
        child._read_tokens(computation.patches.names)
        child.model_notes, child.kinds_beside, child.longest = self.model_notes, self.kinds_beside, self.longest
        child.assurances = self.assurances
        return child

    def leave(self, dropped: LiveTrace) -> None:
        assert isinstance(dropped, Run)
        self.computation.leave(dropped.computation)

    def _change_patches(self, patches: tuple[Patch, ...]) -> None:
        changed = self.computation.change(PatchSet(patches))
        self.extents.clear()
        self._read_tokens(changed)

    def _read_tokens(self, changed: Iterable[str]) -> None:
        """Read what goes in again, where a patch has changed it."""
        if self._parts.keys().isdisjoint(changed):
            return
        arrays: dict[str, dict[str, Ids]] = {}
        for name, (sequence, part) in self._parts.items():
            arrays.setdefault(sequence, {})[part] = to_numpy(self.tensor(name))
        self.inputs = self._original.changed(arrays, self.word)
        for value in self._values.values():
            value.tokens = self.inputs.strings_along(value.stage)

    @cached_property
    def _parts(self) -> dict[str, tuple[str, str]]:
        """The stages that parts of sequences go in at: `{"tokens.ids": ("tokens", "ids")}`."""
        every = {f"{sequence}.{part}": (sequence, part) for sequence in self._original.sequences for part in PARTS}
        return {name: of for name, of in every.items() if name in self.program}


def _expect_used(program: Program, patches: Iterable[Patch]) -> None:
    """Refuse patches of what is shown beside the computation, which would change nothing (`InputError`)."""
    for patch in patches:
        if patch.stage in program.shown:
            made_of = program[patch.stage].inputs
            raise InputError(
                f"{patch.stage} is shown beside what the module computes, and nothing is made of it: a patch would change nothing; "
                f"patch what it is made of, such as {made_of[-1]}"
            )
