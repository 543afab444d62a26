"""Indices as written: numpy's, with axis names and token text; anything else is an InputError."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from encoder_tui.engine import Encoder, InputError
from encoder_tui.engine.program.index import TOKEN_AXES, Along, parse_index, split_index, token_in
from encoder_tui.engine.program.value import ArrayValue
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

TEXTS = (("[CLS]", "the", "##ing", "cat", "[SEP]"), ("[CLS]", "東", "京", "[SEP]", "[PAD]"))
TOKENS: Along = dict.fromkeys(TOKEN_AXES, TEXTS)
AXES = ("batch", "head", "query", "key")
ARRAY = np.arange(2 * 3 * 5 * 5, dtype=np.float32).reshape(2, 3, 5, 5)
LIKELY = st.text(st.sampled_from("0123456789-+:,.=#[]'\"\\ \thead_query cat東"), max_size=25)


@pytest.fixture
def value() -> ArrayValue:
    return ArrayValue("layers.0.attention.weights", AXES, ARRAY, None, TOKENS)


def numpys(size: int):
    """An int or a slice of any sign, valid for numpy."""
    edge = st.none() | st.integers(-size - 3, size + 3)
    slices = st.builds(slice, edge, edge, st.none() | st.integers(-3, 3).filter(bool))
    return st.integers(-size, size - 1) | slices


def written(part: Any):
    if isinstance(part, int):
        return str(part)
    start, stop, step = ("" if end is None else str(end) for end in (part.start, part.stop, part.step))
    return f"{start}:{stop}:{step}" if step else f"{start}:{stop}"


@given(text=st.text(max_size=30) | LIKELY)
def test_any_text_is_an_index_or_an_input_error(text: str):
    value = ArrayValue("x", AXES, ARRAY, None, TOKENS)
    try:
        read = value.read(text)
    except InputError:
        return
    assert read.size <= ARRAY.size


@given(text=st.text(max_size=30) | LIKELY)
def test_any_text_splits_or_is_an_input_error(text: str):
    try:
        name, index = split_index(text)
    except InputError:
        return
    assert name in text
    assert index is None or index in text


@given(index=st.tuples(*map(numpys, ARRAY.shape)), kept=st.integers(0, 4))
def test_reads_what_numpy_reads(index: tuple[Any, ...], kept: int):
    value = ArrayValue("x", AXES, ARRAY, None, TOKENS)
    index = index[:kept]
    expected = ARRAY[index]
    for given_as in (index, ", ".join(map(written, index))):
        read = value.read(given_as)
        assert read.shape == expected.shape
        assert np.array_equal(read, expected)
    assert value.window_shape(value.bind(index)) == expected.shape


@given(index=st.tuples(*map(numpys, ARRAY.shape)), names=st.permutations(range(4)), kept=st.integers(0, 4))
def test_names_in_any_order(index: tuple[Any, ...], names: list[int], kept: int):
    value = ArrayValue("x", AXES, ARRAY, None, TOKENS)
    chosen = names[:kept]
    text = ",".join(f"{AXES[axis]}={written(index[axis])}" for axis in chosen)
    whole = tuple(index[axis] if axis in chosen else slice(None) for axis in range(4))
    assert np.array_equal(value.read(text), ARRAY[whole])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("...", ARRAY),
        ("0, ..., 1", ARRAY[0, ..., 1]),
        ("..., ::-1", ARRAY[..., ::-1]),
        ("1, ..., key=2", ARRAY[1, ..., 2]),
        ("-1, 2", ARRAY[-1, 2]),
        ("0, 0, :, -1", ARRAY[0, 0, :, -1]),
        ('0, 0, "the"', ARRAY[0, 0, 1]),
        ("0, query=cat", ARRAY[0, :, 3]),
        ("0, query=CAT", ARRAY[0, :, 3]),
        ("0, query='ing', key='[SEP]'", ARRAY[0, :, 2, 4]),
        ('1, key="京"', ARRAY[1, :, :, 2]),
        ("batch=1, key=東", ARRAY[1, :, :, 1]),
        ("-1, key=東", ARRAY[1, :, :, 1]),
        (" 0 ,\t1 ", ARRAY[0, 1]),
        ("0,", ARRAY[0]),
        ("5:, 0", ARRAY[5:, 0]),
    ],
)
def test_written(value: ArrayValue, text: str, expected: Any):
    assert np.array_equal(value.read(text), expected)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("2", "out of range for axis 'batch' of size 2"),
        ("0, -4", "out of range for axis 'head' of size 3"),
        ("0, 0, 0, 0, 0", "5 indices for 4 axes"),
        ("..., ...", "cannot read index"),
        ("heads=1", "did you mean head"),
        ("head=1, head=2", "given twice"),
        ("0, batch=1", "given twice"),
        ("head=1, 0", "after a named one"),
        ("::0", "step of 0"),
        ("query=dog", "no token 'dog' in texts 0, 1"),
        ("head=cat", "axis 'head' has no tokens"),
        ("head=", "cannot read"),
        ("head", "no tokens"),
        ("1 2", "cannot read"),
        ("1.5", "cannot read"),
        ("(0)", "cannot read"),
        ("__import__('os')", "cannot read"),
        ("'open", "cannot read"),
        ("9" * 5000, "5000 digits"),
        (":" + "9" * 5000, "5000 digits"),
        ("99999999999", "out of range"),
    ],
)
def test_refused(value: ArrayValue, text: str, says: str):
    with pytest.raises(InputError) as error:
        value.read(text)
    assert says in str(error.value)


def test_a_text_that_is_not_there_is_refused_even_beside_a_token():
    """One text in the batch: its tokens must not be looked for in a sixth."""
    alone = ArrayValue("x", AXES, ARRAY[:1], None, dict.fromkeys(TOKEN_AXES, TEXTS[:1]))
    for text in ("5, query=cat", "5", "batch=-2"):
        with pytest.raises(InputError, match="out of range for axis 'batch'"):
            alone.read(text)


def test_one_mask_stands_for_every_head():
    mask = ArrayValue("mask.additive", AXES, ARRAY[:, :1], None, TOKENS)
    assert np.array_equal(mask.read("1, head=7"), ARRAY[1, 0])


def test_axes_of_one_name_are_told_apart_by_position():
    value = ArrayValue("square", ("place", "place"), np.arange(12).reshape(3, 4))
    assert np.array_equal(value.read("1:, 2"), np.array([6, 10]))
    assert np.array_equal(value.read(), np.arange(12).reshape(3, 4))
    with pytest.raises(InputError, match="2 axes are called 'place'"):
        value.read("place=1")


@pytest.mark.parametrize("text", ["a]", "a[0", "a[0]b", "a[0]]x"])
def test_brackets_that_do_not_match(text: str):
    with pytest.raises(InputError):
        split_index(text)


def test_parse_keeps_what_was_written():
    found = parse_index('0, 2:5, ..., key="a\\"b"')
    assert found.positional == (0, slice(2, 5), None)
    assert found.named == (("key", 'a"b'),)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_windows_of_values_never_built_whole(small: Encoder, data: st.DataObject):
    """The same indices, read through blocks of rows, and of one-hot vectors that no memory would hold."""
    from session_kit import run_of

    tokens = small.read(["one two three", "four"])
    limited = run_of(small.program, small.weights, tokens, budget=1)
    free = small.run(tokens)
    name = data.draw(st.sampled_from(["layers.0.attention.weights", "layers.0.attention.masked", "tokens.one_hot"]))
    index = data.draw(st.tuples(*map(numpys, limited.shapes[name])), label="index")
    assert limited.is_windowed(name)
    if name == "tokens.one_hot":
        expected = (tokens.ids[..., None] == np.arange(limited.shapes[name][2])).astype(np.int64)[index]
    else:
        expected = free[name].numpy()[index]
    read = limited[name].read(index)
    assert read.shape == expected.shape
    assert np.array_equal(read, expected)


def test_a_place_is_called_by_its_token_where_the_texts_meant_agree():
    tokens: Along = dict.fromkeys(TOKEN_AXES, (("[CLS]", "cat", "[SEP]"), ("[CLS]", "dog")))
    assert token_in(tokens, "key", 1) == "cat"
    assert token_in(tokens, "key", 0, (0, 1)) == "[CLS]"
    assert token_in(tokens, "key", 1, (0, 1)) == ""  # cat or dog
    assert token_in(tokens, "query", 2, (0, 1)) == "[SEP]"  # the other is shorter
    assert token_in(tokens, "hidden", 1) == token_in(tokens, "key", 3) == token_in(tokens, "key", 0, (2,)) == ""
