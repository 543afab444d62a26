"""Waiting for the first call of a module that somebody else makes: through hooks that torch calls for all modules, and none on it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Any, Protocol, cast

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

MODULE_FILE = str(Path(sys.modules[nn.Module.__module__].__file__ or ""))


class Taken(Protocol):
    """What is to be done with the passage."""

    def begin(self, arguments: Sequence[Any], options: Mapping[str, Any], outermost: FrameType | None) -> None:
        """It begins: the module is called with these."""
        ...

    def entered(self, module: nn.Module) -> None:
        """A module begins to compute: it itself, or a part."""
        ...

    def left(self, module: nn.Module, result: Any) -> None:
        """A module has computed, or raised."""
        ...

    def end(self, result: Any) -> None:
        """It gave that back."""
        ...

    def broke(self, error: BaseException) -> None:
        """It raised."""
        ...


class Waiting:
    """From when it is entered until it is left, the first passage of a module is taken; calls of parts of it alone are none.

    torch.compile stands aside until then, for every module: what it has compiled calls no hooks.

    Args:
        module: whose passage.
        taken: is told of it.

    Attributes:
        missed: how many further passages there were.
    """

    def __init__(self, module: nn.Module, taken: Taken) -> None:
        self.module, self.taken, self.missed = module, taken, 0
        self.begun = self.ended = self._busy = False
        self._handled: BaseException | None = None
        self._stance, self._hooks = ExitStack(), ExitStack()

    def __enter__(self) -> Waiting:
        if "torch._dynamo" in sys.modules:  # nobody has compiled anything without it
            self._stance.enter_context(torch.compiler.set_stance("force_eager"))
        for handle in (
            register_module_forward_pre_hook(self._called),
            register_module_forward_hook(self._returned, always_call=True),
        ):
            self._hooks.callback(handle.remove)
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        self._hooks.close()
        self._stance.close()
        if self.begun and not self.ended:  # what hooks are not called for: an interrupt
            self._over(lambda: self.taken.broke(error or KeyboardInterrupt()))

    def _called(self, module: nn.Module, arguments: Any) -> None:
        if self._busy or torch.compiler.is_compiling():
            return
        if module is self.module and not self.begun:
            self._begin(arguments, sys._getframe(1))  # pyright: ignore[reportPrivateUsage]
        if self.begun and not self.ended:
            self.taken.entered(module)
        elif module is self.module:
            self.missed += 1

    def _begin(self, arguments: Any, frame: FrameType) -> None:
        """Take the passage that begins; what is given by name torch tells no hook for all modules, and is read from its frame."""
        self.begun, self._handled = True, sys.exc_info()[1]
        options = frame.f_locals.get("kwargs")
        named = cast("dict[str, Any]", options) if isinstance(options, dict) else {}
        self.taken.begin(arguments, dict(named), _caller(frame))

    def _returned(self, module: nn.Module, _: Any, result: Any) -> None:
        if self._busy or not self.begun or self.ended:
            return
        self.taken.left(module, result)
        if module is not self.module:
            return
        error = sys.exc_info()[1]
        if error is not None and error is not self._handled:
            self._over(lambda: self.taken.broke(error))
        else:
            self._over(lambda: self.taken.end(result))

    def _over(self, tell: Callable[[], None]) -> None:
        self.ended = self._busy = True  # what is computed for the recording's sake is no passage of anybody's
        try:
            tell()
        finally:
            self._busy = False
            self._stance.close()


def _caller(frame: FrameType | None) -> FrameType | None:
    """The first frame outwards that is not torch's `Module.__call__`."""
    while frame is not None and frame.f_code.co_filename == MODULE_FILE:
        frame = frame.f_back
    return frame
