"""Record one passage of anybody's module: nothing is exported, nothing is changed, and it is what it is, in training mode as well."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, cast

from torch import nn

from ...messages.errors import InputError, one_line
from ...traces.in_memory import MemoryRecording, Moment
from ..notes import warn
from .passages import DEFAULT_BUDGET, RecordingWish, Taking
from .waiting import Waiting
from .words import token_names

NOT_YET = ("program", "inputs", "about", "_moment", "_shapes")


def record(
    module: nn.Module,
    *inputs: Any,
    budget: int = DEFAULT_BUDGET,
    compare: bool | None = None,
    tokenizer: str | Path | None = None,
    **named: Any,
) -> ModuleRecording:
    """Record one passage of a module, on its device, in the mode it is in.

        with record(model) as run:      # waits for the first call of model in the block
            loss = model(**batch).loss
        run = record(model, ids)        # calls it once

    Every operation of torch becomes a stage, with the module that asked for it and the author's file and line; nothing is put on the module.
    What the module returns is `run.result`. Of a passage that raises, what was computed before that is kept, and the error goes on:
    `run` has it in a block, `error.recording` otherwise.

    On the CPU and without gradients not every value is held: a sum of two, scaled scores, an activation, a softmax, a copy are computed again from
    those that are, when they are read, and held against a mark of the bits that ran. What is saved is saved whole.

    Args:
        module: any module. Calls of its parts alone are no passage.
        inputs, named: what it is called with; without any, the recording is for a `with` block.
        budget: bytes of values that are held; the largest are given up for it, and leave statistics and a corner of their numbers (`STAGE@kept`).
        compare: whether the module runs once more without being watched, to say by how much its result differs; it then computes
            what it computes twice. None for: where torch's fast path for encoders, inside which nothing is seen, is put aside for a
            second passage.
        tokenizer: a directory with a tokenizer, for the tokens' names.

    Raises:
        InputError: no module, or no such tokenizer; in a block, when the recording is looked at and the module was not called.
    """
    if not isinstance(cast(Any, module), nn.Module):
        raise InputError(f"record takes a torch.nn.Module, not a {type(module).__name__}; give it the model itself")
    if budget < 0:
        raise InputError(f"budget {budget} is less than 0; give the bytes of values to keep")
    wanted = RecordingWish(budget, compare, token_names(tokenizer))
    run = ModuleRecording(module, wanted)
    if inputs or named:
        run.call(inputs, named)
    return run


class ModuleRecording(MemoryRecording):
    """A passage of a module, in memory. Made by `record`.

    Attributes:
        result: what the module gave back; None before, and where it raised.
    """

    result: Any = None

    def __init__(self, module: nn.Module, wanted: RecordingWish) -> None:
        self._module, self._wanted = module, wanted
        self._waiting: Waiting | None = None
        self._stack = ExitStack()
        self._taking: Taking | None = None
        self._make: Callable[[], Moment] | None = None
        self._fault = ""

    # -- a block, or a call --------------------------------------------------------------------------------------------

    def __enter__(self) -> ModuleRecording:
        if self._waiting is not None:
            raise InputError("this recording has waited in a block already; `record` makes another")
        self._waiting = Waiting(self._module, self)
        self._waiting.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._waiting is not None
        self._waiting.__exit__(kind, error, traceback)
        if error is None and not self._waiting.begun:
            warn(f"{self._called} was not called in the block, and nothing is recorded")

    def call(self, arguments: Sequence[Any], options: Mapping[str, Any]) -> None:
        """Call the module once, and record that."""
        self.begin(arguments, options, sys._getframe())  # pyright: ignore[reportPrivateUsage]
        try:
            result = self._module(*arguments, **options)
        except BaseException as error:
            self.broke(error)
            error.recording = self  # pyright: ignore[reportAttributeAccessIssue] # where whoever catches it looks
            error.add_note(
                "encoder-tui: what was computed before this is recorded, in this error's attribute `recording`"
            )
            raise
        self.end(result)

    # -- what is told of the passage -----------------------------------------------------------------------------------

    def begin(
        self, arguments: Sequence[Any], options: Mapping[str, Any], outermost: FrameType | None, *, told: bool = False
    ) -> None:
        """Watch from now on.

        Args:
            told: whether somebody else tells which modules compute.
        """
        self._guarded(self._begin, arguments, options, outermost, self._waiting is None and not told)

    def _begin(
        self, arguments: Sequence[Any], options: Mapping[str, Any], outermost: FrameType | None, hooks: bool
    ) -> None:
        self._taking = Taking(self._module, self._wanted, arguments, options)
        self._stack.enter_context(self._taking.watcher.watching(arguments, options, outermost, hooks=hooks))

    def entered(self, module: nn.Module) -> None:
        """A module begins to compute."""
        if self._taking is not None:
            self._taking.watcher.entered(module)

    def left(self, module: nn.Module, result: Any) -> None:
        """A module has computed, or raised."""
        if self._taking is not None:
            self._taking.watcher.left(module, None, result)

    def end(self, result: Any) -> None:
        """Be the recording of a passage that gave something back."""
        self.result = result
        self._guarded(self._over, lambda: self._watched.ended(result))

    def broke(self, error: BaseException) -> None:
        """Be the recording of a passage that raised, as far as it came."""
        self._guarded(self._over, lambda: self._watched.broken(error))

    def _over(self, take: Callable[[], Callable[[], Moment]]) -> None:
        self._stack.close()
        if self._taking is not None:  # else it came to a fault when it began
            self._make = take()
        self._taking = None

    @property
    def _watched(self) -> Taking:
        assert self._taking is not None
        return self._taking

    def _guarded(self, part: Callable[..., None], *given: Any) -> None:
        """A fault of ours in a part of it is none of the program's that is recorded: that goes on, and whoever looks is told."""
        try:
            part(*given)
        except InputError:
            raise
        except Exception as error:
            self._taking = None
            with suppress(Exception):
                self._stack.close()
            self._fault = f"nothing is recorded, for a fault of ours: {type(error).__name__}: {one_line(error)}"
            warn(self._fault)

    # -- when it is looked at ------------------------------------------------------------------------------------------

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said of how the passage ran, a sentence each; and of those in the block that were not recorded."""
        self._expect_made()
        missed = self._waiting.missed if self._waiting is not None else 0
        word = "passage was" if missed == 1 else "passages were"
        return (
            *super().notes,
            *([f"{missed} more {word} not recorded: the first one in the block is"] if missed else ()),
        )

    def _expect_made(self) -> None:
        """Make the program of what was seen, the first time that it is looked at: no fault in that breaks what the module is a part of."""
        make, self._make = self._make, None
        if make is not None:
            self.hold(make())

    def __getattr__(self, name: str) -> Any:
        if name in NOT_YET and self.__dict__.get("_make") is not None:
            self._expect_made()
            return getattr(self, name)
        if name in NOT_YET:
            raise InputError(
                self.__dict__.get("_fault")
                or f"nothing is recorded: {self._called} has not been called in the block; call the module itself, not its forward or a part of it"
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def _called(self) -> str:
        return type(self._module).__name__
