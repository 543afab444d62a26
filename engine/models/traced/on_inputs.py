"""Somebody's module on the tokens of a run of ours: what it computes beside what ours does."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import torch
from torch import nn

from ...messages.errors import InputError, one_line
from ...program.inputs import Inputs
from ...program.tokens import PARTS
from ...program.trace import Trace
from .arguments import Arguments, arguments_for_tokens
from .attach import ModuleEncoder, undisturbed
from .frames import line_of_error
from .record import record


def module_on(
    module: nn.Module,
    given: Arguments | None,
    inputs: Inputs,
    *,
    name: str = "",
    tokenizer: Path | None = None,
    notes: tuple[str, ...] = (),
) -> Trace:
    """A run of a module on what went into a run of ours, or a recording of it where no run can be made of it.

    Args:
        module: anybody's, in whatever mode it is in.
        given: what it is called with where its file says so: of that the ids, mask, segments and positions are put in their places.
        inputs: of ours.
        name: what it is called.
        notes: what is to be said of how it was opened.

    Raises:
        InputError: it takes something else than tokens, or raises.
    """
    plain = Inputs(inputs.tokens, {})
    refused = ""
    try:
        encoder = ModuleEncoder(module, None, tokenizer=tokenizer, name=name, tell=_silent)
        encoder.checkpoint.notes += list(notes)
        if given is not None:
            first = ModuleEncoder(module, given, tokenizer=tokenizer, name=name, tell=_silent)
            own = first.first
            takes = {
                stage
                for stage in (own.program if own is not None else ())
                if stage.name in {f"tokens.{part}" for part in PARTS}
            }
            if own is not None and not takes:
                return own
            return first.run(plain)
        return encoder.run(plain)
    except InputError as error:
        refused = str(error)
    arguments = given or arguments_for_tokens(module, inputs.tokens, _device(module))[0]
    try:
        with undisturbed(module):
            return record(module, *arguments.positional, **arguments.named)
    except InputError:
        raise InputError(refused) from None
    except Exception as error:  # whatever the module raises
        raise InputError(f"{name} raised {type(error).__name__}: {one_line(error)}{line_of_error(error)}") from error


def _device(module: nn.Module) -> torch.device:
    with suppress(StopIteration):
        return next(iter((*module.parameters(), *module.buffers()))).device
    return torch.device("cpu")


def _silent(_: str) -> None:
    pass
