"""What a module is called with, from what goes into a run and back."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ...messages.errors import InputError
from ...program.inputs import Inputs, Size
from ...program.tokens import Tokens
from ...program.torch_calls import from_numpy
from ...traces.tensors import to_numpy
from .structures import named_tensors, signature_of, with_others

# Parameters of a `forward` by what is given for them where a text is all there is: those of transformers, and those of torch's own modules.
MASKS_THAT_SHOW, MASKS_THAT_HIDE = ("attention_mask",), ("src_key_padding_mask", "key_padding_mask")
OF_TOKENS = {"token_type_ids": "segments", "segment_ids": "segments", "position_ids": "positions"}
Word = Callable[[int], str | None]


@dataclass(frozen=True)
class Arguments:
    """What a module's `forward` is called with.

    Attributes:
        positional, named: as they are given.
    """

    positional: tuple[Any, ...] = ()
    named: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @classmethod
    def of(cls, inputs: object) -> Arguments:
        """What somebody gave as inputs: a tensor, a tuple of arguments, or a mapping of them by name."""
        if isinstance(inputs, Arguments):
            return inputs
        if isinstance(inputs, Mapping):
            return cls((), dict(cast("Mapping[str, Any]", inputs)))
        return cls(tuple(cast("Sequence[Any]", inputs))) if isinstance(inputs, list | tuple) else cls((inputs,))

    def tensors(self, module: nn.Module) -> dict[str, torch.Tensor]:
        """The tensors in them, by name."""
        return dict(named_tensors(module, self.positional, self.named))

    def with_tensors(self, module: nn.Module, tensors: Mapping[str, torch.Tensor]) -> Arguments:
        """The same with other tensors in the place of those of these names."""
        by = {id(tensor): tensors[name] for name, tensor in self.tensors(module).items() if name in tensors}
        return Arguments(with_others(self.positional, by), with_others(self.named, by))


def arguments_for_tokens(module: nn.Module, tokens: Tokens, device: torch.device) -> tuple[Arguments, list[str]]:
    """What to call a module with that takes a text, by the names of what its `forward` takes; and what is to be said of that.

    Raises:
        InputError: something it cannot do without that is no part of a text.
    """
    parameters = [part for part in signature_of(module).parameters.values() if part.name != "self"]
    ids = _tensor(tokens.ids, device)
    named: dict[str, Any] = {}
    notes: list[str] = []
    taken = [part for part in parameters if part.kind in (part.POSITIONAL_OR_KEYWORD, part.POSITIONAL_ONLY)]
    if not taken:
        raise InputError(
            f"forward of {type(module).__name__} takes no arguments that ids could be; give it inputs of its own"
        )
    for part in parameters:
        if part is taken[0]:
            continue
        if part.name in MASKS_THAT_SHOW:
            named[part.name] = _tensor(tokens.mask, device)
        elif part.name in MASKS_THAT_HIDE:
            named[part.name] = _tensor(tokens.mask, device) == 0
        elif part.name in OF_TOKENS and (
            part.default is inspect.Parameter.empty or _are_said(tokens, OF_TOKENS[part.name])
        ):
            named[part.name] = _tensor(getattr(tokens, OF_TOKENS[part.name]), device)
        elif part.default is inspect.Parameter.empty and part.kind not in (part.VAR_POSITIONAL, part.VAR_KEYWORD):
            raise InputError(
                f"forward of {type(module).__name__} needs {part.name!r}, which is no part of a text; have {module_factory(part.name)}"
            )
        elif part.name == "mask" and not tokens.mask.all():
            notes.append(
                "forward takes a 'mask', which was not given: whether 1 shows or hides is not known; padding is not hidden"
            )
    return Arguments((ids,), named), notes


def _are_said(tokens: Tokens, part: str) -> bool:
    """Whether a text has parts of its own, which nobody takes for given: segments of a pair; positions each module counts itself."""
    return part == "segments" and bool(tokens.segments.any())


def module_factory(name: str) -> str:
    """What to do where a module is to be given more than a text."""
    return f"what --module names return (module, inputs), inputs a dict with {name!r} in it"


def tokens_of_tensors(
    given: Mapping[str, str], tensors: Mapping[str, torch.Tensor], word: Word | None, named: str, size: Size
) -> Inputs:
    """What a module was called with as what goes into a run.

    Args:
        given: what each tensor goes in at: `{"input_ids": "tokens.ids", "bias": "input.bias"}`.
        tensors: those, by name.
        word: from an id to its token, where there is a tokenizer.
        named: what a row is called.
        size: (batch, token) where no ids say it.
    """
    parts = {
        stage.partition(".")[2]: to_numpy(tensors[name]) for name, stage in given.items() if stage.startswith("tokens.")
    }
    arrays = {stage: _array(tensors[name]) for name, stage in given.items() if not stage.startswith("tokens.")}
    shape = parts["ids"].shape if "ids" in parts else size
    batch, count = shape
    ids = parts.get("ids", np.zeros(shape, np.int64)).astype(np.int64)
    called = {int(number): word(int(number)) if word is not None else None for number in np.unique(ids)}
    texts = tuple(f"{named} {row}" for row in range(batch))
    if "ids" in parts:
        strings = tuple(tuple(called[int(number)] or str(number) for number in row) for row in ids)
    else:
        strings = (tuple(map(str, range(count))),) * batch
    positions = np.broadcast_to(np.arange(count, dtype=np.int64), shape).copy()
    tokens = Tokens(
        texts, None, ids, parts.get("mask", np.ones(shape, np.int64)), parts.get("segments", np.zeros(shape, np.int64)),
        parts.get("positions", positions), strings, (((0, 0),) * count,) * batch, int(ids.max(initial=0)) + 1, arrays=arrays,
        from_ids="ids" in parts,
    )  # fmt: skip
    return Inputs(tokens)


def tensors_of_inputs(
    inputs: Inputs, given: Mapping[str, str], like: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """The tensors to call a module with again, from what goes into a run.

    Args:
        given: as of `tokens_of_tensors`.
        like: the tensors it was called with before, for their dtypes and devices.

    Raises:
        InputError: an input that belongs to the texts it was given with, where there are others now.
    """
    tensors: dict[str, torch.Tensor] = {}
    tokens = inputs.tokens
    for name, stage in given.items():
        front, _, part = stage.partition(".")
        if front == "tokens":
            array: npt.NDArray[Any] = getattr(tokens, part)
        elif stage in tokens.arrays:
            array = tokens.arrays[stage]
        else:
            raise InputError(
                f"{stage} was given with other inputs and is not made from a text; attach the module with inputs for this one"
            )
        tensors[name] = from_numpy(np.ascontiguousarray(array)).to(like[name].device, like[name].dtype)
    return tensors


def with_arrays(inputs: Inputs, arrays: Mapping[str, npt.NDArray[Any]]) -> Inputs:
    """The same with whatever else goes in."""
    return Inputs(replace(inputs.tokens, arrays=dict(arrays)), inputs.others)


def _tensor(array: npt.NDArray[Any], device: torch.device) -> torch.Tensor:
    return from_numpy(np.ascontiguousarray(array)).to(device)


def _array(tensor: torch.Tensor) -> npt.NDArray[Any]:
    held = tensor.detach().cpu()
    return (held.float() if held.dtype in (torch.bfloat16, torch.float16) else held).numpy()
