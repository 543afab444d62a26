"""Values that are too large to be whole: computed block after block of rows, and of what is made of them no more at a time than that."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from functools import cached_property
from typing import Protocol

import torch

from ..ops import Op, no_memory
from ..program.stage import Shape, Stage
from .bands import Bands, Near
from .out_of_memory import Full, with_room
from .row_blocks import RowBlock, head_groups, row_blocks


class Wholes(Full, Near, Protocol):
    """What rows are made of: the stages of a program, and such of their values as are whole."""

    def is_windowed(self, name: str) -> bool:
        """Whether a value is never whole."""
        ...

    def whole(self, name: str) -> torch.Tensor:
        """A value that is whole, computed where it is missing."""
        ...

    def weights_of(self, stage: Stage) -> Sequence[torch.Tensor]:
        """The weights of a stage."""
        ...

    def hold(self, names: Sequence[str]) -> AbstractContextManager[None]:
        """Evict none of these values inside the block."""
        ...

    def go_on(self, name: str) -> None:
        """Raise where what is being done is to stop."""
        ...

    def finish(self, name: str) -> None:
        """Before rows of a value are computed: wait until nothing else is."""
        ...


class Onlooker(Protocol):
    """Looks at parts of values that are never whole, as they pass."""

    @property
    def names(self) -> Collection[str]:
        """The stages it wants to see all of."""
        ...

    def saw(self, name: str, part: torch.Tensor) -> None:
        """A part of a value that has been computed; the next one lies in the same memory."""
        ...


class InRows:
    """Computes values in rows, for one batch.

    Args:
        wholes: what they are made of.
        longest: tokens of the batch.

    Attributes:
        watched: on the way to which value somebody looks at what passes, and who.
    """

    def __init__(self, wholes: Wholes, longest: int) -> None:
        self._wholes, self._longest = wholes, longest
        self.watched: tuple[str, Onlooker] | None = None

    def blocks(self, name: str) -> list[tuple[int, int]]:
        """Where the blocks of rows of a value begin and end; they depend on the shapes alone, and on the number of threads."""
        groups = self._groups(name)
        together = max(heads.stop - heads.start for heads in groups) if groups else None
        return row_blocks(self._wholes.shadows[name], self._longest, together)

    def parts(self, name: str) -> list[RowBlock]:
        """What is computed together: blocks of rows, each of a few heads where heads can be computed apart."""
        groups: Sequence[slice | None] = self._groups(name) or [None]
        return [RowBlock(start, stop, heads) for start, stop in self.blocks(name) for heads in groups]

    def rows(self, name: str, start: int, stop: int, heads: slice | None = None) -> torch.Tensor:
        """Rows `start` to `stop` of a value, out of the blocks that they lie in.

        Args:
            heads: which are wanted, without a step; None for all.
        """
        shape, groups = self._wholes.shadows[name].shape, self._groups(name)
        blocks = [block for block in self.blocks(name) if block[0] < stop and start < block[1]]
        wanted = [group for group in groups if heads is None or (group.start < heads.stop and heads.start < group.stop)]
        made: list[torch.Tensor] = []
        with self._pass(name) as each:
            for block in blocks:
                inside = slice(max(0, start - block[0]), stop - block[0])
                row = [each.value(name, RowBlock(*block, group))[..., inside, :].clone() for group in wanted or [None]]
                made.append(row[0] if len(row) == 1 else torch.cat(row, 1))
        if not made:
            return torch.empty((*shape[:-2], 0, shape[-1]), dtype=self._wholes.dtype(name), device=self._wholes.device)
        whole = made[0] if len(made) == 1 else torch.cat(made, -2)
        if heads is None or whole.dim() != 4:
            return whole
        first = wanted[0].start if wanted else 0
        return whole[:, heads.start - first : heads.stop - first]

    def fill(self, stage: Stage, result: torch.Tensor) -> torch.Tensor:
        """Compute a value that is whole and made of such as are not."""
        with self._pass(stage.name) as each:
            for part in self.parts(stage.name):
                block = each.value(stage.name, part)
                block_of(result, part).copy_(block)
        return result

    def walk(self, name: str) -> None:
        """Have every part of a value that is never whole pass by, for who watches."""
        with self._pass(name) as each:
            for part in self.parts(name):
                each.value(name, part)

    def made_of(self, name: str) -> str | None:
        """The first whole value that is made from a value's rows; None where there is none."""
        for user in self._wholes.program.users(name):
            made = self.made_of(user) if self._wholes.is_windowed(user) else user
            if made is not None and self._wholes.program.pairs[made][1].rows is not None:
                return made
        return None

    def passing(self, name: str) -> list[str]:
        """Values that are never whole, and whose rows pass by when this one is computed."""
        stage, op = self._wholes.program.pairs[name]
        between: list[str] = []
        for source, by_rows in zip(stage.inputs, op.rows or (), strict=False):
            if by_rows and self._wholes.is_windowed(source) and self._wholes.known(source) is None:
                between += [*self.passing(source), source]
        return list(dict.fromkeys(between))

    def _pass(self, name: str) -> _Pass:
        return _Pass(self._wholes, name, self.watched[1] if self.watched and self.watched[0] == name else None)

    def _groups(self, name: str) -> list[slice]:
        """Heads that are computed together; none where all are."""
        shape = self._wholes.shadows[name].shape
        if not self._apart or len(shape) != 4 or shape[0] != 1 or shape[1] == 1:
            return []
        return head_groups(shape[1], torch.get_num_threads())

    @cached_property
    def _apart(self) -> bool:
        """Whether heads can be computed apart, and come out the same: of several texts, torch lays the heads out anew before a product."""
        if self._wholes.device.type != "cpu":
            return False
        pairs = ((op, self._wholes.shadows[name].shape) for name, (_, op) in self._wholes.program.pairs.items())
        squares = (op for op, shape in pairs if op.rows is not None and len(shape) == 4 and shape[1] > 1)
        return all(op.by_head for op in squares)


class _Pass(AbstractContextManager["_Pass"]):
    """One way through the parts of a value: what they are made of is held, and memory is used again from part to part."""

    def __init__(self, wholes: Wholes, name: str, watcher: Onlooker | None = None) -> None:
        self._wholes, self._name, self._watcher = wholes, name, watcher
        self._held = ExitStack()
        self._whole: dict[str, torch.Tensor] = {}
        self._shared: dict[str, tuple[tuple[int, int], torch.Tensor]] = {}  # rows that all heads have in common
        self._idle: dict[tuple[Shape, torch.dtype], list[torch.Tensor]] = {}
        self._bands: dict[str, Bands] = {}
        self._last: torch.Tensor | None = None  # a result in memory of this pass, which the next may use

    def __enter__(self) -> _Pass:
        self._wholes.finish(self._name)
        try:
            for name in dict.fromkeys(self._sources(self._name)):
                self._held.enter_context(self._wholes.hold([name]))
                self._whole[name] = self._wholes.whole(name)
        except BaseException:
            self._held.close()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._held.close()

    def value(self, name: str, part: RowBlock) -> torch.Tensor:
        """A part of the value; it holds until the next is asked for."""
        self._wholes.go_on(name)
        if self._last is not None:
            self._give_back(self._last)
        result, ours = self._computed(*self._wholes.program.pairs[name], part)
        self._last = result if ours else None
        return result

    def _sources(self, name: str) -> Iterator[str]:
        """The whole values that rows of one are made of."""
        stage, op = self._wholes.program.pairs[name]
        assert op.rows is not None
        for source, by_rows in zip(stage.inputs, op.rows, strict=True):
            if by_rows and self._in_rows(source):
                yield from self._sources(source)
            else:
                yield source

    def _in_rows(self, name: str) -> bool:
        return self._wholes.is_windowed(name) and self._wholes.known(name) is None

    def _computed(self, stage: Stage, op: Op, part: RowBlock) -> tuple[torch.Tensor, bool]:
        """A part of a value, and whether it lies in memory of this pass that nobody else reads."""
        result, ours = self._made(stage, op, part)
        if self._watcher is not None and part.keys is None and stage.name in self._watcher.names:
            self._watcher.saw(stage.name, result)
        return result, ours

    def _made(self, stage: Stage, op: Op, part: RowBlock) -> tuple[torch.Tensor, bool]:
        if stage.card.shares and part.keys is None and (keys := self._near(stage).keys(part.start, part.stop)):
            near, _ = self._made(stage, op, part._replace(keys=keys))
            whole = self._memory(stage.name, part).zero_()
            whole[..., keys] = near
            self._give_back(near)
            return whole, True
        inputs, own = self._inputs(stage, op, part)
        taken: list[torch.Tensor] = []
        mine = inputs[0] if op.in_place and any(tensor is inputs[0] for tensor in own) else None
        out = self._out(stage.name, part, mine, taken)
        weights = self._wholes.weights_of(stage)
        work = lambda: op.compute_rows(inputs, weights, out, part.start, part.stop)  # noqa: E731
        result = with_room(self._wholes, stage.name, work)
        for tensor in (*own, *taken):
            if not _same_memory(tensor, result):
                self._give_back(tensor)
        return result, any(_same_memory(tensor, result) for tensor in (*own, *taken))

    def _inputs(self, stage: Stage, op: Op, part: RowBlock) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """What a part is made of, and those of it that nobody else reads."""
        assert op.rows is not None
        inputs: list[torch.Tensor] = []
        own: list[torch.Tensor] = []
        axes = op.keys if part.keys is not None and op.keys is not None else (None,) * len(stage.inputs)
        for source, by_rows, axis in zip(stage.inputs, op.rows, axes, strict=True):
            if source in self._whole:
                inputs.append(_narrowed(block_of(self._whole[source], part, by_rows=by_rows), part, axis))
                continue
            tensor, ours = self._input(source, part, axis)
            inputs.append(tensor)
            own += [tensor] * ours
        return inputs, own

    def _input(self, source: str, part: RowBlock, axis: int | None) -> tuple[torch.Tensor, bool]:
        """Rows of a value that is not whole; those that all heads have in common are made once, with every key."""
        stage, op = self._wholes.program.pairs[source]
        shape = self._wholes.shadows[source].shape
        if part.heads is None or (len(shape) == 4 and shape[1] > 1):
            if op.keys is not None:
                return self._computed(stage, op, part)
            tensor, ours = self._computed(stage, op, part._replace(keys=None))
            return _narrowed(tensor, part, axis), ours and part.keys is None
        rows = part.start, part.stop
        kept = self._shared.get(source)
        if kept is None or kept[0] != rows:
            kept = self._shared[source] = rows, self._computed(stage, op, RowBlock(*rows))[0]
        return _narrowed(kept[1], part, axis), False

    def _near(self, stage: Stage) -> Bands:
        """Which keys are near, where attention is local."""
        if stage.name not in self._bands:
            wanted = () if self._watcher is None else self._watcher.names
            self._bands[stage.name] = Bands(self._wholes, stage, wanted)
        return self._bands[stage.name]

    def _out(
        self, name: str, part: RowBlock, mine: torch.Tensor | None, taken: list[torch.Tensor]
    ) -> Callable[[], torch.Tensor | None]:
        """Memory for a part: its first input's, where that may be written over, or what lies idle."""
        shadow, device = self._wholes.shadows[name], self._wholes.device
        if device.type != "cpu":
            return no_memory

        def out() -> torch.Tensor:
            if mine is not None and mine.shape == self._shape(name, part) and mine.dtype == shadow.dtype:
                return mine
            taken.append(self._memory(name, part))
            return taken[-1]

        return out

    def _shape(self, name: str, part: RowBlock) -> Shape:
        shape = list(self._wholes.shadows[name].shape)
        shape[-2] = part.stop - part.start
        if part.heads is not None and len(shape) == 4 and shape[1] > 1:
            shape[1] = part.heads.stop - part.heads.start
        if part.keys is not None:
            shape[-1] = part.keys.stop - part.keys.start
        return tuple(shape)

    def _memory(self, name: str, part: RowBlock) -> torch.Tensor:
        """Memory for a part of a value: what lies idle, or new."""
        shape, dtype = self._shape(name, part), self._wholes.shadows[name].dtype
        idle = self._idle.get((shape, dtype))
        return idle.pop() if idle else torch.empty(shape, dtype=dtype, device=self._wholes.device)

    def _give_back(self, tensor: torch.Tensor) -> None:
        idle = self._idle.setdefault((tuple(tensor.shape), tensor.dtype), [])
        if tensor.is_contiguous() and not any(_same_memory(tensor, one) for one in idle):
            idle.append(tensor)


def block_of(tensor: torch.Tensor, part: RowBlock, *, by_rows: bool = True) -> torch.Tensor:
    """The part of a value, where it lies.

    Args:
        by_rows: whether it is cut to the rows as well as to the heads.
    """
    rows = tensor[..., part.start : part.stop, :] if by_rows else tensor
    return rows[:, part.heads] if part.heads is not None and rows.dim() == 4 and rows.shape[1] > 1 else rows


def _narrowed(tensor: torch.Tensor, part: RowBlock, axis: int | None) -> torch.Tensor:
    """The part's keys of a tensor along an axis, where it is cut to them."""
    if axis is None or part.keys is None:
        return tensor
    return tensor.narrow(axis, part.keys.start, part.keys.stop - part.keys.start)


def _same_memory(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.untyped_storage().data_ptr() == other.untyped_storage().data_ptr()
