"""Patches: changes put upon what a stage computes. Each is a pure function of that value, so nothing has to be undone.

A patched stage computes as before and then its patches are applied in order; what lies downstream is computed from the
result. Taking a patch away is leaving the function out.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from ...messages.errors import InputError, one_line
from ...program.expressions import Call, Expression, Indexed, Logic, Name, parse
from ...program.index import Written, bind_index
from ...program.patch import Patch
from ...program.per_text import Index, by_text, is_rectangle
from ...program.stage import write_shape
from ...program.trace import Trace
from ..tensors import indexed, put

# The axes a mean is taken over when a window is replaced by its mean: those that differ from input to input.
INPUT_AXES = ("batch", "token", "query", "key")


def patched(value: torch.Tensor, patches: tuple[Patch, ...]) -> torch.Tensor:
    """A copy of a value with patches applied in order."""
    value = value.clone(memory_format=torch.contiguous_format)
    for patch in patches:
        patch.change.apply(value)
    return value


@dataclass(frozen=True, eq=False, slots=True)
class Assign:
    """The window becomes what an expression of its old value `x` gives."""

    index: Index
    expression: Expression

    def apply(self, value: torch.Tensor) -> None:
        """Evaluate over the window and write the result there."""
        put(value, self.index, _result(self.expression, indexed(value, self.index)))


@dataclass(frozen=True, eq=False, slots=True)
class Replace:
    """The window becomes given numbers: another run's value, a token's id."""

    index: Index
    numbers: torch.Tensor

    def apply(self, value: torch.Tensor) -> None:
        """Write the numbers."""
        put(value, self.index, self.numbers.to(value.device, value.dtype))


@dataclass(frozen=True, eq=False, slots=True)
class Mean:
    """The window becomes its own mean over batch and tokens: what differs from input to input is taken away.

    Mean ablation as in Wang et al. 2022 (arXiv 2211.00593), with this batch as the reference distribution.
    """

    index: Index
    axes: tuple[str, ...]

    def apply(self, value: torch.Tensor) -> None:
        """Replace by the mean."""
        alone = [self.index] if is_rectangle(self.index) else by_text(self.index, len(value))
        whole = [tuple(part if isinstance(part, slice) else slice(part, part + 1) for part in text) for text in alone]
        window = value[whole[0]] if len(whole) == 1 else torch.cat([value[text] for text in whole])
        over = [at for at, axis in enumerate(self.axes) if axis in INPUT_AXES]
        wide = window if window.dtype == torch.float64 else window.float()
        mean = wide.mean(dim=over, keepdim=True).to(value.dtype)
        for text in whole:
            value[text] = mean  # the batch is one of the axes it is taken over


@dataclass(frozen=True, eq=False, slots=True)
class Noise:
    """Normal noise of a given deviation is added to the window; the same seed gives the same noise on every device."""

    index: Index
    deviation: float
    seed: int

    def apply(self, value: torch.Tensor) -> None:
        """Add the noise."""
        window = indexed(value, self.index)
        drawn = torch.randn(window.shape, generator=torch.Generator().manual_seed(self.seed), dtype=torch.float64)
        put(value, self.index, window + (drawn * self.deviation).to(value.device, value.dtype))


@dataclass(frozen=True, eq=False, slots=True)
class Swap:
    """Two windows of the value change places."""

    one: Index
    other: Index

    def apply(self, value: torch.Tensor) -> None:
        """Exchange them."""
        one, other = indexed(value, self.one).clone(), indexed(value, self.other).clone()
        put(value, self.one, other)
        put(value, self.other, one)


# -- expressions over tensors ------------------------------------------------------------------------------------------


def patch_expression(text: str) -> Expression:
    """Parse what stands to the right of `=`.

    Raises:
        InputError: it cannot be read, or has words other than `x`, `nan`, `inf` and functions of `x`.
    """
    expression = parse(text, "patch")
    for part in expression.parts():
        if isinstance(part, Name) and part.word not in ("x", "nan", "inf"):
            raise InputError(
                f"patch {text!r} has the unknown word {part.word!r} (column {part.at + 1}); known: x (the old value), nan, inf"
            )
        if isinstance(part, Call) and part.function not in _FUNCTIONS:
            raise InputError(
                f"patch {text!r} has the unknown function {part.function!r}; known: {', '.join(_FUNCTIONS)}"
            )
        if isinstance(part, Indexed):
            raise InputError(f"patch {text!r} indexes {part.word!r}; x is already the window that is patched")
        if isinstance(part, Logic):
            raise InputError(f"patch {text!r} is a condition; write a number or an expression of x")
    return expression


_FUNCTIONS = {
    "abs": torch.abs, "min": torch.amin, "max": torch.amax, "mean": torch.mean, "exp": torch.exp, "log": torch.log,
    "sqrt": torch.sqrt, "tanh": torch.tanh, "relu": torch.relu, "round": torch.round,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Scope:
    window_value: torch.Tensor

    def name(self, word: str) -> Any:
        return self.window_value if word == "x" else float(word)

    def window(self, word: str, index: Written) -> Any:
        raise AssertionError(f"{word} was refused when it was parsed")

    def call(self, function: str, argument: Any) -> Any:
        return _FUNCTIONS[function](torch.as_tensor(argument))


def _result(expression: Expression, window: torch.Tensor) -> torch.Tensor:
    whole_numbers = not window.dtype.is_floating_point
    x = window.double() if whole_numbers else window
    result = torch.as_tensor(expression.value(_Scope(x)), dtype=x.dtype, device=window.device)
    if whole_numbers:
        if not torch.equal(result.double(), result.double().round()):
            raise InputError(f"the patch gives {result.flatten()[0].item():g}, and this stage holds whole numbers")
        return result.to(window.dtype)
    meant = any(isinstance(part, Name) and part.word == "inf" for part in expression.parts())
    if not meant and bool(torch.isinf(result).any()) and not bool(torch.isinf(window).any()):
        most = torch.finfo(window.dtype).max
        raise InputError(
            f"the patch gives numbers beyond {most:g}, the largest {str(window.dtype).removeprefix('torch.')}; write inf if that is meant"
        )
    return result


@contextmanager
def refusing(text: str) -> Generator[None]:
    """Turn what torch says of numbers that do not fit into a line for people."""
    try:
        yield
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"cannot do `{text}`: {one_line(error)}") from None


def window_of(trace: Trace, name: str, written: Written) -> Index:
    """Match an index to a stage to be patched, given by its canonical name.

    Raises:
        InputError: it does not fit, selects nothing, or goes backwards.
    """
    stage, shape = trace.program[name], trace.shapes[name]
    index = bind_index(written, shape, stage.axes, trace.inputs.strings_along(stage))
    for part, axis, size in zip(index, stage.axes, shape, strict=True):
        if isinstance(part, slice):
            if part.step < 0:
                raise InputError(f"a patch goes forwards only; axis {axis!r} has the step {part.step}")
            if not len(range(*part.indices(size))):
                raise InputError(f"the index selects nothing along {axis!r} (size {size}) of {write_shape(shape)}")
    return index
