"""From what goes in to the values: each computed from its inputs when it is asked for, kept within a budget, evicted, and computed again."""

from __future__ import annotations

import threading
import weakref
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property

import torch

from ..messages.errors import Interrupted
from ..ops import Op, no_memory
from ..program.inputs import Inputs
from ..program.program import Program
from ..program.stage import Shape, Stage
from .arena import SMALL
from .at_hand import expect_at_hand
from .cache import Cache, CacheKey, MemoryPool, reuses
from .fleeting import Fleeting
from .in_rows import InRows, Onlooker, block_of
from .input_tensors import input_tensors
from .lifetimes import Lifetimes
from .long_work import Task, long_stages, nobody
from .out_of_memory import with_room
from .outdated import Outdated
from .patches.changes import patched
from .patches.patch_set import PatchSet
from .row_blocks import RowBlock
from .shapes import Shadow, shadows_of

# A value larger than this share of the budget is not kept whole: it is read in blocks of rows.
LARGEST_SHARE = 0.25


class Computation:
    """Tensors of every stage of a program for one batch, and of a fork as far as it differs from what it was forked from.

    Args:
        program: what to compute.
        weights: every weight of the program, on the device and in the dtype to compute with.
        inputs: what goes in.
        device, dtype: where and in what to compute.
        budget: bytes of values to keep; the rest is computed again from what is left, the same to the last bit.
        pool: that of an earlier run which is no longer needed, to compute in its memory.
        shadows: what `shadows_of` gives for this batch's shape, where it is at hand.
        base: what this is a fork of; values that their patches leave equal are kept there, and the budget is one for both.

    Attributes:
        stopped: whether what is being computed is to stop.
        in_rows: computes what is too large to be whole, and knows its parts.
        outdated: knows what was asked for and would come out otherwise now.
    """

    def __init__(
        self,
        program: Program,
        weights: Mapping[str, torch.Tensor],
        inputs: Inputs,
        device: torch.device,
        dtype: torch.dtype,
        budget: int | None = None,
        pool: MemoryPool | None = None,
        shadows: Mapping[str, Shadow] | None = None,
        base: Computation | None = None,
    ) -> None:
        self.program, self.weights, self.budget, self.dtype_given = program, weights, budget, dtype
        self.device = torch.empty(0, device=device).device  # `cuda` is `cuda:0` then, as its tensors say
        self._reuses = reuses(self.device)
        # a proxy, so that a computation that nobody has any more goes at once, and its memory with it
        self.in_rows = InRows(weakref.proxy(self), max(length for _, length in inputs.sizes.values()))
        self.stopped: Callable[[], bool] = nobody
        self.outdated = Outdated(program)
        self._patches = PatchSet()
        self._base = base
        self._apart: tuple[PatchSet, PatchSet, frozenset[str]] | None = None
        self.lock = base.lock if base is not None else threading.RLock()
        self.shadows = shadows if shadows is not None else shadows_of(program, dtype, inputs.sizes)
        shared = base.cache.pool if base is not None else pool
        self._stages: dict[str, tuple[Stage, Op]] = program.pairs
        self._given = input_tensors(program, inputs, self.device, dtype)
        memory = shared or MemoryPool(budget, program.anchors, self.device)
        lifetimes = Lifetimes(program, self.is_windowed) if budget is not None else None
        self.cache = Cache(memory, program.borrowed, self._given.values(), self._expected, lifetimes)
        self._fleeting = Fleeting(program, self.shadows if self._reuses else {})
        self._hands_on = bool(self._fleeting)  # asked several times a stage

    def dtype(self, name: str) -> torch.dtype:
        """What the value of a stage is made of."""
        return self.shadows[name].dtype

    def shape(self, name: str) -> Shape:
        """The shape of the value of a stage."""
        return self.shadows[name].shape

    @cached_property
    def shapes(self) -> Mapping[str, Shape]:
        """The shape of every stage's value."""
        return {name: shadow.shape for name, shadow in self.shadows.items()}

    def is_windowed(self, name: str) -> bool:
        """Whether a value is too large to be kept and is only ever read in windows."""
        op = self._stages[name][1]
        if not op.windows and (self.budget is None or op.rows is None):
            return False
        large = op.windows or self.shadows[name].nbytes > (self.budget or 0) * LARGEST_SHARE
        return large and name not in self._patches

    def tensor(self, name: str) -> torch.Tensor:
        """The whole value of a stage, as the engine's own tensor, not to be written to; what is missing upstream is computed now."""
        with self.lock:
            self.outdated.ask(name, self._patches)
            tensor = self.whole(name)
            self._keep_looked_at(name)
            return tensor

    def reach(self, name: str) -> None:
        """Compute a stage on the way to others: what is looked at by nobody is not kept if it is fleeting."""
        with self.lock:
            self.outdated.ask(name, self._patches)
            self.whole(name)

    def rows(self, name: str, start: int, stop: int, heads: slice | None = None) -> torch.Tensor:
        """Rows `start` to `stop` (the last axis but one) of a stage whose op has rows, without building the rest.

        Args:
            heads: of a value with four axes, which of the second (without a step); None for all.
        """
        with self.lock:
            self.outdated.ask(name, self._patches)
            kept = self.known(name)
            if kept is not None or not self.is_windowed(name):
                return block_of(kept if kept is not None else self.tensor(name), RowBlock(start, stop, heads))
            expect_at_hand(name)
            return self.in_rows.rows(name, start, stop, heads)

    def rows_between(self, name: str, made: str) -> list[str]:
        """Values that are never whole and pass by on the way from one of them to a whole one: those after it in the program."""
        first = self.program.index(name)
        return [each for each in self.in_rows.passing(made) if self.program.index(each) > first]

    def watched(self, name: str, watcher: Onlooker) -> None:
        """Compute a value and have values that are never whole looked at as they pass; one of those passes by itself."""
        with self.lock:
            expect_at_hand(name)
            self.in_rows.watched = name, watcher
            try:
                if self.is_windowed(name):
                    self.in_rows.walk(name)
                else:
                    self.whole(name)
            finally:
                self.in_rows.watched = None

    @property
    def _expected(self) -> int:
        """Bytes that all values take at most, as far as they are kept; 0 where nobody asks."""
        if self.budget is None:
            return 0
        return sum(shadow.nbytes for name, shadow in self.shadows.items() if not self.is_windowed(name))

    @property
    def kept_bytes(self) -> int:
        """Bytes of the values kept at the moment, by this run and its forks."""
        return self.cache.pool.bytes

    def give_up(self) -> None:
        """Keep no value that is not being computed with, here and in forks; each is computed again when it is read."""
        self.cache.pool.give_up()

    def release(self) -> MemoryPool:
        """Give up all values; what is returned lets another run compute in the same memory."""
        with self.lock:
            self.cache.clear()
            self._fleeting.clear()
        return self.cache.pool

    def leave(self, dropped: Computation) -> None:
        """Be a fork of what another run is a fork of, if it was one of that: it is dropped, and this one stays."""
        with self.lock:
            if self._base is dropped:
                self._base, self._apart = dropped._base, None

    # -- patches -------------------------------------------------------------------------------------------------

    @property
    def patches(self) -> PatchSet:
        """What is changed by hand."""
        return self._patches

    def change(self, patches: PatchSet) -> frozenset[str]:
        """Have exactly these patches from now on; whatever depends on a difference is computed again when it is read.

        Returns:
            The stages whose own patches are others than before.
        """
        with self.lock:
            changed = patches.differing(self._patches)
            gone = self.program.all_downstream(changed)
            self._patches = patches
            for name in gone:
                self.cache.drop(name)
                self._fleeting.forget(name)
            self.outdated.compare(patches, self.is_computed)
        return frozenset(changed)

    def fork(self, inputs: Inputs) -> Computation:
        """Another with the same patches, to be patched apart; upstream of that, values are shared."""
        base = self
        while base._base is not None and base._patches.all == base._base._patches.all:
            base = base._base  # the one between has nothing of its own to be shared
        given = (self.program, self.weights, inputs, self.device, self.dtype_given, self.budget)
        child = Computation(*given, shadows=self.shadows, base=base)
        child.change(self._patches)
        child.outdated = self.outdated.fork()
        return child

    # -- how -----------------------------------------------------------------------------------------------------

    def known(self, name: str) -> torch.Tensor | None:
        """The value where nothing has to be computed: given, kept, or kept by the run this is a fork of."""
        tensor = self.cache.get(name)
        if tensor is None and name not in self._patches.names:
            tensor = self._given.get(name)
        if tensor is None and self._hands_on:
            tensor = self._fleeting.get(name)
        if tensor is None and self._base is not None and self._shares(name):
            return self._base.known(name)
        return tensor

    def is_computed(self, name: str) -> bool:
        """Whether a value has been computed and is as it was: it is known, or was handed on to what is made of it."""
        return self.known(name) is not None or any(name in each._fleeting.passed for each in self._sharing(name))

    def _keep_looked_at(self, name: str) -> None:
        """Keep a value after all that was to be handed on."""
        for each in self._sharing(name) if self._hands_on else ():
            tensor = each._fleeting.take_out(name)
            if tensor is not None:
                each.cache.put(name, tensor)

    def _shares(self, name: str) -> bool:
        """Whether the run this is a fork of has the same value, since no patch upstream of it differs."""
        assert self._base is not None
        mine, theirs = self._patches, self._base._patches
        if self._apart is None or self._apart[0] is not mine or self._apart[1] is not theirs:
            self._apart = (mine, theirs, self.program.all_downstream(mine.differing(theirs)))
        return name not in self._apart[2]

    def _sharing(self, name: str) -> Sequence[Computation]:
        """This run, and those it is a fork of as far back as they have the same value; the last is where it is kept."""
        if self._base is None:
            return (self,)
        sharing: list[Computation] = [self]
        while (base := sharing[-1]._base) is not None and sharing[-1]._shares(name):
            sharing.append(base)
        return sharing

    def _compute(self, name: str) -> torch.Tensor:
        """Compute a stage from its inputs, and those first where they are missing."""
        expect_at_hand(name)
        stage, _ = self._stages[name]
        if name in self._given:
            return self._keep(name, self._given[name])
        inputs: list[torch.Tensor] = []
        for source in stage.inputs:
            tensor = self.known(source)
            if tensor is None:
                return self._compute_all(self._missing(name))
            inputs.append(tensor)
        # Nothing is evicted before `put`, so the inputs' memory is safe while it is computed with.
        return self._keep(name, self._result(stage, inputs))

    def _result(self, stage: Stage, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
        """What a stage makes of its inputs; where memory is full, once room has been made."""
        return with_room(self, stage.name, lambda: self._made(stage, inputs))

    def _made(self, stage: Stage, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
        """The same, by a thread of its own where it takes long and somebody may have it stopped."""
        op, weights, work = self._stages[stage.name][1], self.weights_of(stage), self.cache.pool.long_work
        out = (lambda: self._buffer(stage.name)) if self._lays(stage.name) else no_memory
        if self.stopped is not nobody and stage.name in self._long:
            return work.result(Task(stage.name, op, inputs, weights), out, self.go_on)
        work.finish(self.go_on)
        return op.compute(inputs, weights, out)

    def finish(self, name: str) -> None:
        """Before something is computed in rows: wait until what was left is computed to its end, which reads what may be written to."""
        expect_at_hand(name)
        self.cache.pool.long_work.finish(self.go_on)

    @cached_property
    def _long(self) -> frozenset[str]:
        """The stages that take long."""
        return long_stages(self.program, self.shadows, self.device)

    def _lays(self, name: str) -> bool:
        """Whether a value is computed in memory of ours; torch itself is quicker to find a little."""
        return self._reuses and (self.cache.pool.counting or self.shadows[name].nbytes >= SMALL)

    @contextmanager
    def hold(self, names: Iterable[str]) -> Generator[None]:
        """Evict none of these values inside the block: they are computed with."""
        keys: list[CacheKey] = [each.cache.key(name) for name in names for each in self._sharing(name)]
        with self.cache.pool.hold(keys):
            yield

    def _keep(self, name: str, result: torch.Tensor) -> torch.Tensor:
        """Put a stage's patches upon its result, and keep that where it belongs."""
        if self.outdated.names:
            self.outdated.computed(name)
        if self._base is not None and self._shares(name):
            return self._base._keep(name, result)
        if name in self._patches.names:
            result = with_room(self, name, lambda: patched(result, self._patches.of(name)))
        if self._hands_on:
            self._done_with_inputs(name)
            if self._is_fleeting(name):
                self._fleeting.hand_on(name, result)
                return result
        self.cache.put(name, result)
        return result

    def _done_with_inputs(self, name: str) -> None:
        """Let go of what was handed on to a stage that is computed now, here or by a run this is a fork of."""
        each: Computation | None = self
        while each is not None:
            each._fleeting.computed(name)
            each = each._base

    def _is_fleeting(self, name: str) -> bool:
        """Whether a value is handed on, and not kept: not what is changed by hand, nor where what is used last decides on who goes."""
        return name in self._fleeting and name not in self._patches.names and not self.cache.pool.counting

    def _compute_all(self, missing: Sequence[str]) -> torch.Tensor:
        """Compute stages in program order, holding each no longer than a later one needs it; returns the last."""
        left = Counter(source for wanted in missing for source in self.program[wanted].inputs)
        held: dict[str, torch.Tensor] = {}  # computed here and still needed: the budget may be too small to keep them
        for wanted in missing:
            self.go_on(wanted)
            stage, _ = self._stages[wanted]
            with self.hold((*held, *stage.inputs)):
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
                if source not in seen and self.known(source) is None:
                    seen.add(source)
                    waiting.append(source)
        whole = [needed for needed in seen if needed == name or not self.is_windowed(needed)]
        return sorted(whole, key=self.program.index)

    def _compute_one(self, stage: Stage, held: Mapping[str, torch.Tensor]) -> torch.Tensor:
        op = self._stages[stage.name][1]
        if stage.name in self._given:
            return self._given[stage.name]
        if op.rows is not None and any(self.is_windowed(source) for source in stage.inputs):
            return self._compute_by_rows(stage)
        inputs = [held[source] if source in held else self.whole(source) for source in stage.inputs]
        return self._result(stage, inputs)

    def _compute_by_rows(self, stage: Stage) -> torch.Tensor:
        """A stage whose inputs are never whole: part after part, the same parts every time."""
        return self.in_rows.fill(stage, with_room(self, stage.name, lambda: self._buffer(stage.name)))

    def go_on(self, name: str) -> None:
        """Asked between two stages, and between two parts of one.

        Args:
            name: what is being computed.

        Raises:
            Interrupted: it is to stop.
        """
        if self.stopped():
            raise Interrupted(f"stopped while {name} was computed; look at it again to go on")

    def whole(self, name: str) -> torch.Tensor:
        """A value, computed where it is not known; `tensor` for who holds the lock already."""
        kept = self.known(name)
        return kept if kept is not None else self._compute(name)

    def _buffer(self, name: str) -> torch.Tensor:
        shadow, alone = self.shadows[name], self._hands_on and self._is_fleeting(name)
        return self.cache.pool.buffer(shadow.shape, shadow.dtype, self.device, alone=alone)

    def weights_of(self, stage: Stage) -> Sequence[torch.Tensor]:
        """The weights of a stage, in its order."""
        return [self.weights[name] for name in stage.weights] if stage.weights else ()
