"""Somebody's module as what an encoder is made of: its weights where they lie, and a tokenizer if one was given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import NoReturn

import torch
from torch import nn

from ...messages.errors import InputError
from ...program.program import Program
from ..config import Config
from ..families import TEXT, Limits, Options
from ..images.reader import ImageReader
from ..text.reader import TextReader
from ..text.tokenizer.files import open_tokenizer
from .storages import version

MODEL_TYPE = "module"


class ModuleSource:
    """What an encoder asks of where it comes from; see `Source`.

    Args:
        module: somebody's.
        name: what it is called in messages.
        tokenizer: the directory of its tokenizer; None where its inputs are no text.
    """

    def __init__(self, module: nn.Module, name: str, tokenizer: Path | None) -> None:
        self.module, self.directory, self.tokenizer = module, Path(name), tokenizer
        self.config = Config({"model_type": MODEL_TYPE}, f"the module {name}")
        self.notes: list[str] = []
        self.files: Sequence[Path] = ()
        self.sides = (TEXT,)
        self.has_numbers = True
        self.vector_size: int | None = None
        self.batch_first = True
        self._held = dict(module.named_parameters(remove_duplicate=False)) | dict(
            module.named_buffers(remove_duplicate=False)
        )

    @property
    def limits(self) -> Limits:
        """What the largest embedding lets in; how long a text may be is the module's business, which raises if it is too long."""
        tables = [part.num_embeddings for part in self.module.modules() if isinstance(part, nn.Embedding)]
        return Limits(max(tables, default=1 << 31), None)

    @cached_property
    def reader(self) -> TextReader:
        """The tokenizer that was given.

        Raises:
            InputError: none was.
        """
        if self.tokenizer is None:
            raise InputError(
                f"{self.directory} has no tokenizer, so it takes no text; give one: --tokenizer DIR, or ids: --ids '12 5 7'"
            )
        return TextReader(open_tokenizer(self.tokenizer), self.limits)

    @property
    def images(self) -> ImageReader:
        """There is no image processor."""
        raise InputError(
            f"{self.directory} is a module, which is given tensors and no images; attach it with its inputs"
        )

    @property
    def reference_dtype(self) -> tuple[str, str]:
        """What its weights are made of."""
        return str(dtype_of_module(self.module)).removeprefix("torch."), "its weights"

    def program(self, options: Options) -> NoReturn:
        """There is none before a passage."""
        raise AssertionError("a module's program is that of one passage")

    def weight(self, name: str) -> torch.Tensor:
        """A parameter or buffer as it is."""
        return self._held[name].detach()

    def holder(self, name: str) -> str | None:
        """The first name of a weight that is held under several."""
        mine = self._held.get(name)
        return (
            next((other for other, weight in self._held.items() if weight is mine), None) if mine is not None else None
        )

    def parameters(self, program: Program) -> int:
        """How many numbers the weights have that a program uses, tied ones counted once."""
        used = {id(self._held[name]): self._held[name].numel() for name in program.weights if name in self._held}
        return sum(used.values())

    def unused(self, program: Program) -> Sequence[str]:
        """Parameters that a program does not use."""
        used = {id(self._held[name]) for name in program.weights if name in self._held}
        return [name for name, weight in self._held.items() if id(weight) not in used]

    def leftovers(self, program: Program) -> Sequence[object]:
        """The same."""
        return self.unused(program)


class LiveWeights(Mapping[str, torch.Tensor]):
    """The weights of a module where they lie; whether they are still those that were seen is looked at whenever one is used.

    Args:
        weights: by their names in the program.
        name: what the module is called in messages.
    """

    def __init__(self, weights: Mapping[str, torch.Tensor], name: str) -> None:
        self._weights = {each: (weight.detach(), version(weight)) for each, weight in weights.items()}
        self._name = name

    def __getitem__(self, name: str) -> torch.Tensor:
        weight, written = self._weights[name]
        if version(weight) != written:
            raise InputError(
                f"{name} of {self._name} has been written to since it was attached (a step of training?); attach it again"
            )
        return weight

    def __iter__(self) -> Iterator[str]:
        return iter(self._weights)

    def __len__(self) -> int:
        return len(self._weights)


def dtype_of_module(module: nn.Module) -> torch.dtype:
    """What most numbers of a module's weights are made of; float32 where it has none."""
    counts: dict[torch.dtype, int] = {}
    for weight in module.parameters():
        counts[weight.dtype] = counts.get(weight.dtype, 0) + weight.numel()
    floats = {dtype: count for dtype, count in counts.items() if dtype.is_floating_point}
    return max(floats, key=floats.__getitem__) if floats else torch.float32
