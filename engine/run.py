"""One passage of a batch through a program: values on demand, kept within a budget, computed again when evicted."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

import numpy.typing as npt
import torch

from .arrays import cut, to_numpy
from .cache import Cache
from .errors import InputError
from .extents import Extents
from .index import Index
from .ops import Given, Op, no_memory
from .patch_set import PatchSet
from .patches import Patch, Replace, patched, refusing
from .program import Program, Shape, Stage, write_shape
from .row_blocks import row_blocks
from .row_figures import row_ends
from .run_value import QUICK, RunValue
from .shadows import Shadow, shadows_of
from .tokens import Tokens, visible
from .trace import Trace
from .value import Value
from .weight_sizes import WeightSizes

# A value larger than this share of the budget is not kept whole: it is read in blocks of rows.
LARGEST_SHARE = 0.25
# How much is computed before it is looked at: what a processor's cache still holds then.
AHEAD_BYTES = 16 << 20


class Run(Trace):
    """Values of every stage of a program for one batch.

    Args:
        program: what to run.
        weights: every weight of the program, on the device and in the dtype to compute with.
        tokens: what goes in.
        device, dtype: where and in what to compute.
        about: facts for people.
        budget: bytes of values to keep; the rest is computed again from what is left, the same to the last bit.
        cache: one of an earlier run of the same shape that is no longer needed, to compute in its memory.
        shadows: what `shadows_of` gives for this batch's shape, where it is at hand.
        weight_sizes: of an earlier run with the same weights, which have then been looked at.
        word: the token of an id.
        base: the run this one is a fork of; values their patches leave equal are shared.
    """

    live = True

    def __init__(
        self,
        program: Program,
        weights: Mapping[str, torch.Tensor],
        tokens: Tokens,
        *,
        device: torch.device | str = "cpu",
        about: Mapping[str, str] | None = None,
        dtype: torch.dtype = torch.float32,
        budget: int | None = None,
        cache: Cache | None = None,
        shadows: Mapping[str, Shadow] | None = None,
        weight_sizes: WeightSizes | None = None,
        word: Callable[[int], str | None] | None = None,
        base: Run | None = None,
    ) -> None:
        self.program, self.weights = program, weights
        self.tokens = self._original = tokens
        self.device = torch.device(device)
        self.about = dict(about or {})
        self.budget = budget
        self._word = word
        self.dtype_of_weights = dtype
        self.stale: frozenset[str] = frozenset()
        self._patches = PatchSet()
        self._base = base
        self._apart: tuple[PatchSet, PatchSet, frozenset[str]] | None = None
        self.extents = Extents(self, weight_sizes or WeightSizes(weights))
        self._values: dict[str, RunValue] = {}
        self._lock = threading.RLock()
        self._shadows = shadows if shadows is not None else shadows_of(program, dtype, tokens.shape)
        self._shapes = {name: shadow.shape for name, shadow in self._shadows.items()}
        anchors = set(program.aliases.values()) | {stage.name for stage in program if not stage.inputs}
        self._cache = cache if cache is not None else Cache(budget, anchors)
        self._cache.clear()
        self._stages = {stage.name: (stage, cast(Op, stage.op)) for stage in program}
        self._given = {
            stage.name: torch.from_numpy(tokens.given(stage.name)).to(
                device=self.device, dtype=torch.int64 if stage.op.whole_numbers else dtype
            )
            for stage in program
            if isinstance(stage.op, Given)
        }

    # -- Trace -------------------------------------------------------------------------------------------------

    def value(self, name: str) -> Value:
        found = self._values.get(name)
        if found is None:
            found = self._values[name] = RunValue(self, self.program[name])
        return found

    def has(self, name: str) -> bool:
        return name in self.program

    @property
    def shapes(self) -> Mapping[str, Shape]:
        return self._shapes

    def weight(self, name: str, index: Index = ()) -> npt.NDArray[Any]:
        weight = self.weights[name]
        return to_numpy(cut(weight, (*index, *[slice(None)] * (weight.ndim - len(index)))))

    def reach(self, position: int) -> None:
        """Compute the stage at a position, unless it is one that is only read in windows."""
        name = self.program.stages[position].name
        if not self.is_windowed(name):
            self.tensor(name)

    def reach_ahead(self, position: int, last: int) -> int:
        left = AHEAD_BYTES if self.budget is None else min(AHEAD_BYTES, self.budget // 8)
        for place in range(position, last + 1):
            left -= self._shadows[self.program.stages[place].name].nbytes
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
        at_once = not self.is_windowed(name)
        return row_ends(self.tensor(name), figure, first) if at_once else super().row_ends(name, figure, first)

    @property
    def patched(self) -> frozenset[str]:
        return self._patches.names

    @property
    def original_tokens(self) -> Tokens:
        return self._original

    def word(self, number: int) -> str:
        found = self._word(number) if self._word is not None and number >= 0 else None
        return visible(found) if found is not None else str(number)

    # -- values ------------------------------------------------------------------------------------------------

    def dtype(self, name: str) -> torch.dtype:
        """What the value of a stage is made of."""
        return self._shadows[name].dtype

    def is_windowed(self, name: str) -> bool:
        """Whether a value is too large to be kept and is only ever read in windows."""
        if name in self._patches:
            return False
        op = self._stages[name][1]
        if op.windows:
            return True
        if op.rows is None or self.budget is None:
            return False
        return self._shadows[name].nbytes > self.budget * LARGEST_SHARE

    def tensor(self, name: str) -> torch.Tensor:
        """The whole value of a stage, as the engine's own tensor: not to be written to.

        Whatever upstream was never computed, or was evicted, is computed now.
        """
        with self._lock:
            found = self._known(name)
            return found if found is not None else self._compute(name)

    def rows(self, name: str, start: int, stop: int) -> torch.Tensor:
        """Rows `start` to `stop` (the last axis but one) of a stage whose op has rows, without building the rest."""
        with self._lock:
            found = self._known(name)
            if found is not None or not self.is_windowed(name):
                return (found if found is not None else self.tensor(name))[..., start:stop, :]
            stage, op = self._stages[name]
            cuts = op.rows
            assert cuts is not None
            with self._cache.hold(stage.inputs):
                inputs = [
                    self.rows(source, start, stop) if cut else self.tensor(source)
                    for source, cut in zip(stage.inputs, cuts, strict=True)
                ]
                return op.compute_rows(inputs, self._weights(stage), no_memory, start, stop)

    # -- patches -------------------------------------------------------------------------------------------------

    @property
    def patches(self) -> tuple[Patch, ...]:
        """What is changed by hand, in the order it was."""
        return self._patches.all

    def set_patches(self, patches: Sequence[Patch]) -> None:
        """Have exactly these patches from now on; whatever depends on a difference is computed again when read.

        Raises:
            InputError: one of the new ones cannot be applied; the run is as it was then.
        """
        with self._lock:
            before = self.patches
            new = tuple(patch for patch in patches if patch not in before)
            try:
                with refusing(new[-1].text if new else "undo"):
                    self._change_patches(tuple(patches))
                for patch in new:
                    with refusing(patch.text):
                        self.tensor(patch.stage)
            except BaseException:
                self._change_patches(before)
                raise

    def override(self, name: str, tensor: torch.Tensor) -> None:
        """Put a tensor in place of what a stage computes; all that lies downstream is computed again when read.

        Raises:
            InputError: the shape is another than the stage's.
        """
        if tuple(tensor.shape) != self.shapes[name]:
            shapes = f"{write_shape(self.shapes[name])}, not {write_shape(tensor.shape)}"
            raise InputError(f"{name} has the shape {shapes}: a patch cannot change it")
        whole = tuple(slice(None) for _ in tensor.shape)
        change = Replace(whole, tensor.detach().clone())
        self.set_patches((*self.patches, Patch(name, f"patch {name} = a tensor", change)))

    def restore(self, name: str) -> None:
        """Let a stage compute its own value again."""
        self.set_patches([patch for patch in self.patches if patch.stage != name])

    def fork(self) -> Run:
        """Another run with the same patches, to be patched apart; upstream of that, values are shared."""
        child = Run(
            self.program, self.weights, self._original, device=self.device, dtype=self.dtype_of_weights,
            about=self.about, budget=self.budget, shadows=self._shadows, weight_sizes=self.extents.weights,
            word=self._word, base=self,
        )  # fmt: skip
        child._change_patches(self.patches)
        child.stale = frozenset()
        return child

    def _change_patches(self, patches: tuple[Patch, ...]) -> None:
        after = PatchSet(patches)
        changed = after.differing(self._patches)
        gone = self.program.all_downstream(changed)
        had = self.stale | {name for name in gone if self._known(name) is not None}
        self._patches = after
        self.extents.clear()
        for name in gone:
            self._cache.drop(name)
        # what had been computed is stale until it is again; the run this is a fork of may have it
        self.stale = frozenset(name for name in had if self._known(name) is None)
        if any(name.startswith("tokens.") for name in changed):
            arrays = ("ids", "mask", "segments", "positions")
            now = {name: self.tensor(f"tokens.{name}") for name in arrays if f"tokens.{name}" in self.program}
            self.tokens = self._original.changed({name: to_numpy(tensor) for name, tensor in now.items()}, self.word)
            for value in self._values.values():
                value.tokens = self.tokens.strings

    def _shares(self, name: str) -> bool:
        """Whether the run this is a fork of has the same value, since no patch upstream of it differs."""
        assert self._base is not None
        mine, theirs = self._patches, self._base._patches
        if self._apart is None or self._apart[0] is not mine or self._apart[1] is not theirs:
            self._apart = (mine, theirs, self.program.all_downstream(mine.differing(theirs)))
        return name not in self._apart[2]

    @property
    def kept_bytes(self) -> int:
        """Bytes of the values kept at the moment."""
        return self._cache.bytes

    def release(self) -> Cache:
        """Give up all values; what is returned lets another run compute in the same memory."""
        self._cache.clear()
        return self._cache

    # -- how -----------------------------------------------------------------------------------------------------

    def _known(self, name: str) -> torch.Tensor | None:
        """The value where nothing has to be computed: given, kept, or kept by the run this is a fork of."""
        found = self._cache.get(name)
        if found is None and name not in self._patches:
            found = self._given.get(name)
        if found is None and self._base is not None and self._shares(name):
            found = self._base._known(name)
        return found

    def _compute(self, name: str) -> torch.Tensor:
        """Compute a stage from its inputs, and those first where they are missing."""
        stage, op = self._stages[name]
        if name in self._given:
            return self._keep(name, self._given[name])
        inputs = [self._known(source) for source in stage.inputs]
        if any(found is None for found in inputs):
            return self._compute_all(self._missing(name))
        # Nothing is evicted before `put`, so the inputs' memory is safe while it is computed with.
        result = op.compute(cast(list[torch.Tensor], inputs), self._weights(stage), lambda: self._buffer(name))
        return self._keep(name, result)

    def _keep(self, name: str, result: torch.Tensor) -> torch.Tensor:
        """Put a stage's patches upon its result, and keep that."""
        if name in self._patches:
            result = patched(result, self._patches.of(name))
        if name in self.stale:
            self.stale -= {name}
        self._cache.put(name, result)
        return result

    def _compute_all(self, missing: Sequence[str]) -> torch.Tensor:
        """Compute stages in program order, holding each no longer than a later one needs it; returns the last."""
        left = Counter(source for wanted in missing for source in self.program[wanted].inputs)
        held: dict[str, torch.Tensor] = {}  # computed here and still needed: the budget may be too small to keep them
        for wanted in missing:
            stage, _ = self._stages[wanted]
            with self._cache.hold((*held, *stage.inputs)):
                held[wanted] = self._keep(wanted, self._compute_one(stage, held))
            for source in stage.inputs:
                left[source] -= 1
                if not left[source]:
                    held.pop(source, None)
        return held[missing[-1]]

    def _missing(self, name: str) -> list[str]:
        """The stage and everything upstream that must be computed first, in program order."""
        seen, waiting = {name}, [name]
        while waiting:
            for source in self.program[waiting.pop()].inputs:
                if source not in seen and self._known(source) is None:
                    seen.add(source)
                    waiting.append(source)
        whole = [found for found in seen if found == name or not self.is_windowed(found)]
        return sorted(whole, key=self.program.index)

    def _compute_one(self, stage: Stage, held: Mapping[str, torch.Tensor]) -> torch.Tensor:
        op = self._stages[stage.name][1]
        if stage.name in self._given:
            return self._given[stage.name]
        if op.rows is not None and any(self.is_windowed(source) for source in stage.inputs):
            return self._compute_by_rows(stage)
        inputs = []
        for source in stage.inputs:
            found = held.get(source)
            inputs.append(found if found is not None else self._have(source))
        return op.compute(inputs, self._weights(stage), lambda: self._buffer(stage.name))

    def _compute_by_rows(self, stage: Stage) -> torch.Tensor:
        """A stage whose inputs are never whole: block after block of rows, in the same blocks every time."""
        result = self._buffer(stage.name)
        op = self._stages[stage.name][1]
        cuts = op.rows
        assert cuts is not None
        for start, stop in self.row_blocks(stage.name):
            inputs = [
                self.rows(source, start, stop) if cut else self._have(source)
                for source, cut in zip(stage.inputs, cuts, strict=True)
            ]
            result[..., start:stop, :] = op.compute_rows(inputs, self._weights(stage), no_memory, start, stop)
        return result

    def row_blocks(self, name: str) -> list[tuple[int, int]]:
        """Where the blocks of rows of a value begin and end; they depend on the shapes alone."""
        return row_blocks(self._shadows[name], self.tokens.shape[1])

    def _have(self, name: str) -> torch.Tensor:
        found = self._known(name)
        return found if found is not None else self._compute(name)

    def _buffer(self, name: str) -> torch.Tensor:
        shadow = self._shadows[name]
        return self._cache.buffer(shadow.shape, shadow.dtype, self.device)

    def _weights(self, stage: Stage) -> Sequence[torch.Tensor]:
        return [self.weights[name] for name in stage.weights] if stage.weights else ()
