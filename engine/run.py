"""One passage of a batch through a program: values on demand, kept within a budget, computed again when evicted."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

import numpy.typing as npt
import torch

from .arrays import to_numpy
from .cache import Cache
from .errors import InputError
from .index import Index
from .ops import Given, OneHot, Op, no_memory
from .program import Program, Shape, Stage, write_shape
from .tokens import Tokens
from .trace import Trace
from .value import Value

# A value larger than this share of the budget is not kept whole: it is read in blocks of rows.
LARGEST_SHARE = 0.25
ROW_BLOCK_BYTES = 32 << 20


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
        word: the token of an id.
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
        shadows: Mapping[str, torch.Tensor] | None = None,
        word: Callable[[int], str | None] | None = None,
    ) -> None:
        self.program, self.weights, self.tokens = program, weights, tokens
        self.device = torch.device(device)
        self.about = dict(about or {})
        self.budget = budget
        self._word = word
        self._overrides: dict[str, torch.Tensor] = {}
        self._lock = threading.RLock()
        self._shadows = shadows if shadows is not None else shadows_of(program, dtype, tokens.shape)
        self._shapes = {name: tuple(shadow.shape) for name, shadow in self._shadows.items()}
        anchors = set(program.aliases.values()) | {stage.name for stage in program if not stage.inputs}
        self._cache = cache if cache is not None else Cache(budget, anchors)
        self._cache.clear()
        self._stages = {stage.name: (stage, cast(Op, stage.op)) for stage in program}
        given = {"tokens.ids": tokens.ids, "tokens.mask": tokens.mask}
        given |= {"tokens.segments": tokens.segments, "tokens.positions": tokens.positions}
        self._given = {
            stage.name: torch.from_numpy(given[stage.name]).to(self.device)
            for stage in program
            if isinstance(stage.op, Given)
        }

    # -- Trace -------------------------------------------------------------------------------------------------

    def value(self, name: str) -> Value:
        return RunValue(self, self.program[name])

    def has(self, name: str) -> bool:
        return name in self.program

    @property
    def shapes(self) -> Mapping[str, Shape]:
        return self._shapes

    @property
    def weight_shapes(self) -> Mapping[str, Shape]:
        return self.program.weights

    def reach(self, position: int) -> None:
        """Compute the stage at a position, unless it is one that is only read in windows."""
        name = self.program[position].name
        if not self.is_windowed(name):
            self.tensor(name)

    @property
    def patched(self) -> frozenset[str]:
        return frozenset(self._overrides)

    def word(self, number: int) -> str:
        found = self._word(number) if self._word is not None else None
        return found if found is not None else str(number)

    # -- values ------------------------------------------------------------------------------------------------

    def dtype(self, name: str) -> torch.dtype:
        """What the value of a stage is made of."""
        return self._shadows[name].dtype

    def is_windowed(self, name: str) -> bool:
        """Whether a value is too large to be kept and is only ever read in windows."""
        if name in self._overrides:
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
                return op.compute(inputs, self._weights(stage), no_memory)

    def override(self, name: str, tensor: torch.Tensor) -> None:
        """Put a value in place of what a stage computes; all that lies downstream is computed again when read.

        Raises:
            InputError: the shape is another than the stage's.
        """
        with self._lock:
            if tuple(tensor.shape) != self.shapes[name]:
                shapes = f"{write_shape(self.shapes[name])}, not {write_shape(tensor.shape)}"
                raise InputError(f"{name} has the shape {shapes}: a patch cannot change it")
            self._overrides[name] = tensor.detach().to(self.device, self.dtype(name)).clone()
            self._forget(name)

    def restore(self, name: str) -> None:
        """Let a stage compute its own value again."""
        with self._lock:
            if self._overrides.pop(name, None) is not None:
                self._forget(name)

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
        """The value where nothing has to be computed: put there by hand, given, or kept."""
        found = self._overrides.get(name)
        if found is None:
            found = self._given.get(name)
        return found if found is not None else self._cache.get(name)

    def _compute(self, name: str) -> torch.Tensor:
        """Compute a stage from its inputs, and those first where they are missing."""
        stage, op = self._stages[name]
        inputs = [self._known(source) for source in stage.inputs]
        if any(found is None for found in inputs):
            return self._compute_all(self._missing(name))
        # Nothing is evicted before `put`, so the inputs' memory is safe while it is computed with.
        result = op.compute(cast(list[torch.Tensor], inputs), self._weights(stage), lambda: self._buffer(name))
        self._cache.put(name, result)
        return result

    def _compute_all(self, missing: Sequence[str]) -> torch.Tensor:
        """Compute stages in program order, holding each no longer than a later one needs it; returns the last."""
        left = Counter(source for wanted in missing for source in self.program[wanted].inputs)
        held: dict[str, torch.Tensor] = {}  # computed here and still needed: the budget may be too small to keep them
        for wanted in missing:
            stage, _ = self._stages[wanted]
            with self._cache.hold((*held, *stage.inputs)):
                held[wanted] = self._compute_one(stage, held)
                self._cache.put(wanted, held[wanted])
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
            result[..., start:stop, :] = op.compute(inputs, self._weights(stage), no_memory)
        return result

    def row_blocks(self, name: str) -> Iterable[tuple[int, int]]:
        """Where the blocks of rows of a value begin and end.

        They depend on the shapes alone, so that whoever asks for a row gets it from the same computation.
        """
        shadow = self._shadows[name]
        count = shadow.shape[-2]
        width = max(shadow.shape[-1], self.tokens.shape[1])  # the same for a square and for what is made of its rows
        row_bytes = shadow[..., :1, :1].numel() * width * shadow.itemsize
        step = max(1, min(count, ROW_BLOCK_BYTES // max(1, row_bytes)))
        return [(start, min(start + step, count)) for start in range(0, count, step)]

    def _have(self, name: str) -> torch.Tensor:
        found = self._known(name)
        return found if found is not None else self._compute(name)

    def _buffer(self, name: str) -> torch.Tensor:
        shadow = self._shadows[name]
        return self._cache.buffer(tuple(shadow.shape), shadow.dtype, self.device)

    def _weights(self, stage: Stage) -> Sequence[torch.Tensor]:
        return [self.weights[name] for name in stage.weights] if stage.weights else ()

    def _forget(self, name: str) -> None:
        self._cache.drop(name)
        for dependent in self.program.downstream(name):
            self._cache.drop(dependent)


def shadows_of(program: Program, dtype: torch.dtype, shape: tuple[int, int]) -> dict[str, torch.Tensor]:
    """Every value on the `meta` device: shapes and dtypes without numbers, by running the program on nothing.

    Args:
        dtype: of the weights.
        shape: of the batch, (batch, token).
    """
    weights = {name: torch.empty(size, dtype=dtype, device="meta") for name, size in program.weights.items()}
    shadows: dict[str, torch.Tensor] = {}
    for stage in program:
        if isinstance(stage.op, Given):
            shadows[stage.name] = torch.empty(shape, dtype=torch.int64, device="meta")
        else:
            inputs = [shadows[name] for name in stage.inputs]
            shadows[stage.name] = cast(Op, stage.op).compute(
                inputs, [weights[name] for name in stage.weights], no_memory
            )
    return shadows


class RunValue(Value):
    """A value of a run; it is computed when it is first read."""

    def __init__(self, run: Run, stage: Stage) -> None:
        self.run, self.stage = run, stage
        self.name, self.axes = stage.name, stage.axes
        self.shape = run.shapes[stage.name]
        self.dtype = str(run.dtype(stage.name)).removeprefix("torch.")
        self.tokens = run.tokens.strings
        self.word = run.word

    def read(self, index: Index | str = ()) -> npt.NDArray[Any]:
        return to_numpy(self._window(self.bind(index)))

    def tensor(self) -> torch.Tensor:
        return self._window(self.bind()).clone()

    def _window(self, index: Index) -> torch.Tensor:
        run = self.run
        if not run.is_windowed(self.name) or run._known(self.name) is not None:
            return _cut(run.tensor(self.name), index)
        op = self.stage.op
        if isinstance(op, OneHot):
            slices = [part if isinstance(part, slice) else slice(part, part + 1) for part in index]
            window = op.window([run.tensor(name) for name in self.stage.inputs], cast(Any, tuple(slices)))
            return window[tuple(0 if isinstance(part, int) else slice(None) for part in index)]
        return self._from_rows(index)

    def _from_rows(self, index: Index) -> torch.Tensor:
        """Read through blocks of rows, each cut to what is wanted of it before the next is computed."""
        axis = len(self.shape) - 2
        part = index[axis]
        places = range(part, part + 1) if isinstance(part, int) else range(*part.indices(self.shape[axis]))
        pieces = []
        for start, stop in self.run.row_blocks(self.name):
            wanted = [place - start for place in places if start <= place < stop]
            if wanted:
                block = self.run.rows(self.name, start, stop).index_select(
                    axis, torch.tensor(wanted, device=self.run.device)
                )
                pieces.append(_cut(block, (*index[:axis], slice(None), index[axis + 1])))
        at = sum(isinstance(before, slice) for before in index[:axis])
        if not pieces:
            empty = self.run.rows(self.name, 0, 1)
            return _cut(empty, (*index[:axis], slice(0, 0), index[axis + 1]))
        if places.step < 0:
            pieces.reverse()
        whole = torch.cat(pieces, dim=at)
        return whole.select(at, 0) if isinstance(part, int) else whole


def _cut(tensor: torch.Tensor, index: Index) -> torch.Tensor:
    """numpy's indexing, negative steps included, which torch does not have."""
    flips, kept, axis = [], [], 0
    for part, size in zip(index, tensor.shape, strict=True):
        if isinstance(part, slice):
            places = range(*part.indices(size))
            if places.step < 0 and len(places):
                part = slice(places[-1], places[0] + 1, -places.step)
                flips.append(axis)
            elif not len(places):
                part = slice(0, 0)
            axis += 1
        kept.append(part)
    cut = tensor[tuple(kept)]
    return cut.flip(flips) if flips else cut
