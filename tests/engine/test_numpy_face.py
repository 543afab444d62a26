"""Values where numpy's users are: np.asarray, brackets, len, iteration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from encoder_tui.engine import Encoder, InputError
from encoder_tui.engine.program.value import ArrayValue, ShapeAlone
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

NUMBERS = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)
TOKENS = (("[CLS]", "the", "3", "it", "it"), ("[CLS]", "3", "the", "it", "x"))


def value_of(numbers: NDArray[Any] = NUMBERS, axes: tuple[str, ...] = ("batch", "head", "query", "key")):
    value = ArrayValue("layers.0.attention.weights", axes, numbers)
    value.tokens = {"key": TOKENS}
    return value


def test_every_number_by_asarray():
    value = value_of()
    assert np.array_equal(np.asarray(value), NUMBERS)
    assert np.asarray(value, dtype=np.float64).dtype == np.float64
    assert np.add(value, 1).sum() == (NUMBERS + 1).sum()
    assert value.ndim == 4
    with pytest.raises(ValueError, match="without a copy"):
        np.asarray(value, copy=False)
    np.asarray(value)[:] = 0
    assert np.array_equal(np.asarray(value), NUMBERS)


PARTS = st.one_of(
    st.integers(-2, 1),
    st.slices(2),
    st.builds(np.int64, st.integers(0, 1)),
)


@given(st.lists(PARTS, max_size=4), st.booleans())
def test_brackets_are_numpys(parts: list[Any], ellipsis: int | None):
    key = (*parts[:1], ..., *parts[1:]) if ellipsis else tuple(parts)
    ours, theirs = value_of()[key], NUMBERS[key]
    assert np.shape(ours) == theirs.shape
    assert np.array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("key", "numpys"),
    [
        ("head=2", np.s_[:, 2]),
        ((0, "head=2"), np.s_[0, 2]),
        ((0, "head=2, key=1:3"), np.s_[0, 2, :, 1:3]),
        ((0, slice(None), "query=1", "key=-1"), np.s_[0, :, 1, -1]),
        ((0, "1:3"), np.s_[0, 1:3]),
        ((0, 0, 0, "the"), np.s_[0, 0, 0, 1]),
        ((0, 0, 0, "[CLS]"), np.s_[0, 0, 0, 0]),
        ((0, 0, 0, "3"), np.s_[0, 0, 0, 3]),
        ((0, 0, 0, '"3"'), np.s_[0, 0, 0, 2]),
        ((0, 'key="it"#2'), np.s_[0, :, :, 4]),
    ],
)
def test_names_among_places(key: str | tuple[slice | str | int, ...], numpys: tuple[slice | int, ...]):
    assert np.array_equal(value_of()[key], NUMBERS[numpys])


def test_a_name_means_the_token_of_each_text():
    assert np.array_equal(value_of()["key=the"], np.stack([NUMBERS[0, ..., 1], NUMBERS[1, ..., 2]]))


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (2, "index 2 is out of range for axis 'batch' of size 2"),
        (([0, 1],), r"index \[0, 1\] is neither a number, a slice, ... nor text; np.asarray\(value\)"),
        (True, "index True is neither"),
        (None, "index None is neither"),
        (1.0, "index 1.0 is neither"),
        (("head=1", 0), "index 0 is a plain one after a named one"),
        ((..., 0, ...), "one ellipsis"),
        ("layer=1", "no axis 'layer'"),
        ("head==1", r"cannot read index \[head==1\]"),
        (slice(None, None, 0), "step of 0"),
    ],
)
def test_what_does_not_fit_is_told(key: Any, message: str):
    with pytest.raises(InputError, match=message):
        value_of()[key]


def test_len_and_iteration():
    value = value_of()
    assert len(value) == 2
    assert [part.shape for part in value] == [(3, 4, 5)] * 2
    assert np.array_equal(np.stack(list(value)), NUMBERS)
    one = ArrayValue("x", (), np.asarray(3, np.float32))
    assert one[()] == 3
    with pytest.raises(TypeError, match="x is one number"):
        len(one)
    with pytest.raises(TypeError):
        iter(one)
    assert bool(one)
    assert bool(value_of(NUMBERS[:0]))


def test_a_shape_without_numbers_refuses_by_name():
    alone = ShapeAlone("layers.0.ffn.up", ("batch",), (2,), "float32", "layers.0.ffn.up has no numbers")
    ways: list[Callable[[Any], object]] = [np.asarray, list, lambda value: value[0]]
    for ask in ways:
        with pytest.raises(InputError, match=r"layers\.0\.ffn\.up has no numbers"):
            ask(alone)
    assert len(alone) == 2


def test_a_run_is_a_mapping_of_its_stages(small: Encoder):
    run = small.run("one two")
    assert list(run) == [stage.name for stage in run.program]
    assert len(run) == len(run.program)
    assert "output" in run
    assert "outptu" not in run
    weights = run["layers.0.attention.weights"]
    assert np.array_equal(weights[0, "head=1"], weights.read((0, 1)))
    assert np.asarray(weights).shape == weights.shape
