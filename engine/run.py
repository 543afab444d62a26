"""One passage of a batch through a program: values on demand, kept within a budget, computed again when evicted."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy.typing as npt
import torch

from .arrays import cut, to_numpy
from .cache import Pool
from .compute import Computation
from .errors import InputError
from .extents import Extents
from .index import Index
from .messages.visible import visible
from .patch_set import PatchSet
from .patches import Patch, Replace, refusing
from .program import Program, Shape, write_shape
from .row_figures import apart, row_ends
from .run_value import QUICK, RunValue
from .shadows import Shadow
from .tokens import Tokens
from .trace import Trace
from .value import Value
from .weight_sizes import WeightSizes

# How much is computed before it is looked at: what a processor's cache still holds then.
AHEAD_BYTES = 16 << 20


class Run(Computation, Trace):
    """Values of every stage of a program for one batch.

    Args:
        program: what to run.
        weights: every weight of the program, on the device and in the dtype to compute with.
        tokens: what goes in.
        device, dtype: where and in what to compute.
        about: facts for people.
        budget: bytes of values to keep; the rest is computed again from what is left, the same to the last bit.
        pool: that of an earlier run which is no longer needed, to compute in its memory.
        shadows: what `shadows_of` gives for this batch's shape, where it is at hand.
        weight_sizes: of an earlier run with the same weights, which have then been looked at.
        word: the token of an id.
        base: the run this one is a fork of; values that their patches leave equal are kept there, and the budget is one for both.
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
        pool: Pool | None = None,
        shadows: Mapping[str, Shadow] | None = None,
        weight_sizes: WeightSizes | None = None,
        word: Callable[[int], str | None] | None = None,
        base: Computation | None = None,
    ) -> None:
        super().__init__(program, weights, tokens, torch.device(device), dtype, budget, pool, shadows, base)
        self.tokens = self._original = tokens
        self.about = dict(about or {})
        self._word = word
        self.dtype_of_weights = dtype
        self.extents = Extents(self, weight_sizes or WeightSizes(weights))
        # weak, as whoever holds a value holds its run: a run that nobody has any more goes at once, and its memory with it
        self._values: weakref.WeakValueDictionary[str, RunValue] = weakref.WeakValueDictionary()
        self._shapes = {name: shadow.shape for name, shadow in self._shadows.items()}

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

    def apart(self, name: str, one: tuple[int, ...], other: tuple[int, ...]) -> bool:
        found = self._known(name)  # what is read in windows only is not computed for this
        return found is None or apart(found, one, other)

    @property
    def patched(self) -> frozenset[str]:
        return self._patches.names

    @property
    def original_tokens(self) -> Tokens:
        return self._original

    @property
    def knows_words(self) -> bool:
        """Whether there is a tokenizer: without one a token is known by its id alone."""
        return self._word is not None

    def word(self, number: int) -> str:
        found = self._word(number) if self._word is not None and number >= 0 else None
        return visible(found) if found is not None else str(number)

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
        base: Computation = self
        while base._base is not None and base._patches.all == base._base._patches.all:
            base = base._base  # the one between has nothing of its own to be shared
        child = Run(
            self.program, self.weights, self._original, device=self.device, dtype=self.dtype_of_weights,
            about=self.about, budget=self.budget, shadows=self._shadows, weight_sizes=self.extents.weights,
            word=self._word, base=base,
        )  # fmt: skip
        child._change_patches(self.patches)
        child.stale, child.model_notes = frozenset(), self.model_notes
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
