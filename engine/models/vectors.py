"""Vectors as what goes in, where a model takes those rather than text: from Python, and from .npy, .npz and .safetensors files.

Two conventions of masks are about, and each is known by its dtype: integers are an attention mask (1 counts, 0 is padding), as
tokenizers give it; booleans are torch's `src_key_padding_mask` (True hides), and so are floats, which torch adds to the scores.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..messages.errors import InputError, one_line
from ..program.tokens import VECTORS, Tokens
from ..traces.tensor_file import open_safetensors

ENDINGS = (".npy", ".npz", ".safetensors")
MASK = "mask"
# What a mask may be called in a file; where the name says which convention it follows, its dtype must not say another.
ATTENTION, PADDING = ("attention_mask",), ("src_key_padding_mask", "key_padding_mask")
MASKS = (MASK, *ATTENTION, *PADDING)


def vector_tokens(
    vectors: Any, mask: Any = None, *, size: int, names: str = "vectors", batch_first: bool = True
) -> Tokens:
    """Vectors as one batch; their tokens are called 0, 1, 2, ...

    Args:
        vectors: (batch, token, size), or (token, size) for a batch of one; anything numpy takes, or a tensor.
        mask: (batch, token), with either order of `vectors`: integers, 1 where a vector counts and 0 where it is padding;
            booleans, True where it is padding; floats, minus infinity where it is padding and 0 elsewhere. None where all count.
        size: how many numbers a vector is to have.
        names: what the rows are called: `vectors 0`, `vectors 1`.
        batch_first: whether the batch comes before the tokens; otherwise vectors are (token, batch, size).

    Raises:
        InputError: another shape, numbers that are none, or a mask that does not fit or does not say what it means.
    """
    array = _numbers(vectors, "vectors")
    notes: list[str] = []
    order = ("batch", "token") if batch_first else ("token", "batch")
    if array.dtype == bool:
        raise InputError("vectors are bool, and must be real numbers; a mask goes beside them")
    if array.ndim == 2:
        notes.append(f"vectors {list(array.shape)} are read as one sequence of {_count(array.shape[0], 'token')}")
        array = array[None]
    elif array.ndim == 3 and not batch_first:
        notes.append(
            f"vectors {list(array.shape)} are read as [token, batch, {size}], as the module reads them (batch_first=False): "
            f"{_count(array.shape[1], 'sequence')} of {_count(array.shape[0], 'token')}"
        )
        array = array.transpose(1, 0, 2)  # (batch, token, size)
    if array.ndim != 3 or 0 in array.shape:
        raise InputError(f"vectors have the shape {list(array.shape)}; it must be [{', '.join(order)}, {size}]")
    if array.shape[2] != size:
        raise InputError(f"vectors have {array.shape[2]} numbers each, and the model takes {size}")
    if not np.issubdtype(array.dtype, np.floating):
        notes.append(f"vectors are {array.dtype}: whole numbers, taken as they are; ids are given by --ids")
        array = array.astype(np.float32)
    shape = (array.shape[0], array.shape[1])
    stands = np.ones(shape, np.int64) if mask is None else _mask(mask, shape, notes)
    positions = np.broadcast_to(np.arange(shape[1], dtype=np.int64), shape).copy()
    words = tuple(str(place) for place in range(shape[1]))
    zeros = np.zeros(shape, np.int64)
    return Tokens(
        tuple(f"{names} {row}" for row in range(shape[0])), None, zeros, stands, zeros, positions,
        (words,) * shape[0], tuple(((0, 0),) * shape[1] for _ in range(shape[0])), 0,
        arrays={VECTORS: np.ascontiguousarray(array)}, notes=tuple(notes),
    )  # fmt: skip


def rounded(tokens: Tokens, dtype: Any) -> tuple[str, ...]:
    """What is to be said of vectors in double precision that single does not hold, if that is what they are computed in.

    Args:
        dtype: torch's, to compute in.
    """
    name = str(dtype).removeprefix("torch.")
    for array in tokens.arrays.values():
        if array.dtype == np.float64 and name != "float64":
            with np.errstate(over="ignore"):
                other = array.astype(np.float32) != array
            if (other & ~np.isnan(array)).any():
                return (f"vectors are float64 and rounded to {name}, in which is computed; --dtype float64 keeps them",)
    return ()


def read_vectors(path: str | Path) -> tuple[npt.NDArray[Any], npt.NDArray[Any] | None]:
    """Vectors from a file, and their mask where the file has one.

    Args:
        path: .npy, or .npz or .safetensors with one tensor, and possibly a mask: `mask`, `attention_mask`, which is integers (1 counts),
            or `src_key_padding_mask`, which is not (True hides).

    Raises:
        InputError: not there, another kind of file, damaged, or holding something else.
    """
    file = Path(os.path.expanduser(path))
    if file.suffix not in ENDINGS:
        raise InputError(f"--vectors {str(path)!r} ends in none of {', '.join(ENDINGS)}; give it one of them")
    if not file.is_file():
        raise InputError(f"no file {str(path)!r} to read vectors from")
    try:
        if file.suffix == ".npy":
            return np.load(file, allow_pickle=False), None
        return _of_parts(_parts(file), file)
    except InputError:
        raise
    except Exception as error:  # what numpy and safetensors raise for a damaged file is not one kind
        raise InputError(f"cannot read {path}: {one_line(error)}") from None


def _parts(file: Path) -> dict[str, Any]:
    """The arrays of a file by name."""
    if file.suffix == ".npz":
        with np.load(file, allow_pickle=False) as arrays:
            return dict(arrays)
    with open_safetensors(file, "pt") as tensors:
        return {name: tensors.get_tensor(name) for name in tensors.keys()}  # noqa: SIM118 - it is no mapping


def _of_parts(parts: dict[str, Any], file: Path) -> tuple[npt.NDArray[Any], npt.NDArray[Any] | None]:
    masks = [name for name in parts if name in MASKS]
    rest = [name for name in parts if name not in MASKS]
    if len(rest) != 1 or len(masks) > 1:
        held = ", ".join(list(parts)[:4]) or "nothing"
        raise InputError(f"{file} holds {held}; it must hold one tensor, and may hold one mask ({', '.join(MASKS)})")
    mask = None if not masks else _numbers(parts[masks[0]], masks[0])
    if mask is not None:
        whole = np.issubdtype(mask.dtype, np.integer)
        if masks[0] in ATTENTION and not whole:
            raise InputError(
                f"{file}: {masks[0]} is {mask.dtype}, which says nothing of which is hidden; give integers (1 counts), or call it {PADDING[0]} "
                "(True hides)"
            )
        if masks[0] in PADDING and whole:
            raise InputError(
                f"{file}: {masks[0]} is {mask.dtype}, and torch's is boolean (True hides) or float (-inf hides); an attention mask (1 counts) "
                f"is called {ATTENTION[0]}"
            )
    return _numbers(parts[rest[0]], rest[0]), mask


def _numbers(given: Any, what: str) -> npt.NDArray[Any]:
    """A numpy array; a bfloat16 tensor, which numpy lacks, as float32."""
    if hasattr(given, "detach"):
        given = given.detach().cpu()
        given = (given.float() if str(given.dtype) == "torch.bfloat16" else given).numpy()
    try:
        array = np.asarray(given)
    except ValueError as error:
        raise InputError(f"{what} cannot be read as numbers: {one_line(error)}") from None
    if not (np.issubdtype(array.dtype, np.number) or array.dtype == bool) or np.iscomplexobj(array):
        raise InputError(f"{what} are {array.dtype}, and must be real numbers")
    return array.astype(array.dtype.newbyteorder("="), copy=False)  # torch takes no other order of bytes


def _mask(given: Any, shape: tuple[int, int], notes: list[str]) -> npt.NDArray[np.int64]:
    """1 where a vector counts; what was made of a mask that hides rather than counts is noted."""
    mask = _numbers(given, MASK)
    mask = mask[None] if mask.ndim == 1 else mask
    if mask.shape != shape:
        raise InputError(
            f"the mask has the shape {list(mask.shape)}, and the vectors need {list(shape)}, [batch, token]"
        )
    if np.issubdtype(mask.dtype, np.floating):
        hidden, what = _hidden_by_adding(mask), "floats, added to the scores (-inf hides)"
    elif mask.dtype == bool:
        hidden, what = mask, "booleans (True hides)"
    else:
        if not np.isin(mask, (0, 1)).all():
            wrong = mask[~np.isin(mask, (0, 1))].flat[0]
            raise InputError(f"the mask holds {wrong}, and may hold 1 where a vector counts and 0 where it is padding")
        first = np.flatnonzero(mask[:, 0] == 0)
        if len(first):  # padding on the left, or torch's mask given as integers: only whoever gave it knows
            notes.append(
                f"the mask is read as an attention mask, integers (1 counts): {(mask == 0).sum()} of {_count(mask.size, 'vector')} hidden, "
                f"the first of text {first[0]} among them; a mask whose 1 hides is given as booleans"
            )
        return mask.astype(np.int64)
    notes.append(
        f"the mask is read as torch's src_key_padding_mask, {what}: {hidden.sum()} of {_count(mask.size, 'vector')} hidden; "
        "an attention mask (1 counts) is given as integers"
    )
    return (~hidden).astype(np.int64)


def _hidden_by_adding(mask: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """What a mask hides that is added to the scores, where it can be nothing else."""
    hidden = np.isneginf(mask)
    seen = mask == 0
    if hidden.any() and (hidden | seen).all():
        return hidden
    other = mask[~(hidden | seen)]
    holds = f"holds {other.flat[0]:g}" if other.size else "is 0 everywhere"
    raise InputError(
        f"the mask is {mask.dtype} and {holds}: torch adds such a mask to the scores, others multiply by it; give booleans "
        "(True hides), integers (1 counts), or floats of 0 and -inf"
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + "s" * (number != 1)
