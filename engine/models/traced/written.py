"""What an operation writes to, of what it is given: what torch says of it, and what it does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import torch

from .graph import ArgumentPlace

# What norms over batches count in training, which torch does not say of them: where it stands, and where whether it is training.
SECRETLY, TRAINING = {"batch_norm": (3, 4), "instance_norm": (3, 4)}, 5
UNWRITTEN = frozenset({"detach_", "requires_grad_"})  # in place, and no number changes


@cache
def known_of(func: Any) -> tuple[str, str, tuple[ArgumentPlace, ...], bool]:
    """Of an operation what torch calls it, its name alone, the places among its arguments of tensors that it says it writes to, and whether it may draw numbers."""
    places = tuple(
        part.name if part.kwarg_only else place for place, part in enumerate(func._schema.arguments)
        if part.alias_info is not None and part.alias_info.is_write
    )  # fmt: skip
    return str(func), func._schema.name.rpartition("::")[2], places, torch.Tag.nondeterministic_seeded in func.tags


def written_places(
    word: str, writes: Sequence[ArgumentPlace], args: Sequence[Any], options: Mapping[str, Any]
) -> tuple[list[ArgumentPlace], list[ArgumentPlace]]:
    """The places among the arguments of the tensors that are written to: of which torch says so, and of which it does not."""
    if word in UNWRITTEN:
        return [], []
    if word in SECRETLY and len(args) > TRAINING and args[TRAINING]:
        return [], [place for place in SECRETLY[word] if isinstance(args[place], torch.Tensor)]
    return [place for place in writes if isinstance(argument_at(place, args, options), torch.Tensor)], []


def argument_at(place: ArgumentPlace, args: Sequence[Any], options: Mapping[str, Any]) -> Any:
    """What stands at a place among arguments, or under a name among options (`out`); None where nothing was given."""
    if isinstance(place, str):
        return options.get(place)
    return args[place] if place < len(args) else None
