"""What a token's name means: which token of each text, and what is read there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from encoder_tui.engine import Encoder, InputError, load, open_snapshot, save
from encoder_tui.engine.analysis.compare.align import align, patched_inputs
from encoder_tui.engine.analysis.compare.view import AlignedValue, DifferenceValue
from encoder_tui.engine.program.element import first_place
from encoder_tui.engine.program.index import TOKEN_AXES, Written, bind_index, parse_index
from encoder_tui.engine.program.per_text import PerText
from encoder_tui.engine.program.token_names import Nth, forms, place_in_each, places_of
from encoder_tui.engine.program.value import ArrayValue
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from session_kit import run_of

TEXTS = ["the cat sat because it was tired", "it is a dog"]  # "it" is token 5 and token 1, [SEP] token 8 and token 5
IT, SEP = (5, 1), (8, 5)
WEIGHTS = "layers.0.attention.weights"
TOKENS = (("[CLS]", "it", "is", "[SEP]", "[PAD]", "[PAD]"), ("[CLS]", "so", "is", "it", "it", "[SEP]"))
AXES = ("batch", "head", "query", "key")


# -- binding -----------------------------------------------------------------------------------------------------------


def bound(
    text: str,
    shape: tuple[int, ...] = (2, 4, 6, 6),
    axes: tuple[str, ...] = AXES,
    tokens: tuple[tuple[str, ...], ...] = TOKENS,
):
    return bind_index(parse_index(text), shape, axes, dict.fromkeys(TOKEN_AXES, tokens))


def test_a_name_is_an_int_where_all_texts_that_are_meant_agree():
    assert bound('query="[CLS]"')[2] == 0
    assert bound('query="is"')[2] == 2
    assert bound('1, key="so"')[3] == 1
    assert bound('batch=1:, key="[SEP]"')[3] == 5
    assert bound('batch=0:0, key="horse"')[3] == 0  # of no text at all


def test_a_name_is_a_place_for_each_text_where_they_differ():
    assert bound('query="[SEP]"')[2] == PerText((3, 5))
    assert bound('batch=::-1, query="[SEP]", key="[SEP]"')[2:] == (PerText((3, 5)), PerText((3, 5)))
    three = (*TOKENS, TOKENS[0])
    assert bound('batch=1:, key="[SEP]"', (3, 4, 6, 6), AXES, three)[3] == PerText((None, 5, 3))


def test_only_the_texts_that_are_meant_must_have_the_token():
    for text, place in (('0, query="it"', 1), ('1, query="so"', 1), ('batch=1:2, query="so"', 1)):
        assert bound(text)[2] == place
    with pytest.raises(InputError) as caught:
        bound('query="so"')
    assert str(caught.value) == (
        "no token 'so' in text 0; its tokens are [CLS] it is [SEP] [PAD] [PAD]; text 1 has it: batch=1"
    )
    with pytest.raises(InputError, match=r"no token 'dog' in texts 0, 1; the tokens of text 0 are \[CLS\]"):
        bound('query="dog"')
    with pytest.raises(InputError, match=r"no token '\[PAD\]' in text 1; .*text 0 has it: batch=0"):
        bound('token="[PAD]"#1', (2, 6), ("batch", "token"))


def test_several_tokens_of_one_name_are_told_apart():
    with pytest.raises(InputError) as caught:
        bound('1, query="it"')
    assert str(caught.value) == (
        '\'it\' is 2 tokens of text 1, at 3 and 4; write "it"#1 for the first, "it"#-1 for the last, or give the number'
    )
    assert bound('1, query="it"#1')[2] == 3
    assert bound("1, query=it#2")[2] == 4
    assert bound('query="it"#-1')[2] == PerText((1, 4))
    assert bound('0, query="[PAD]"#-1')[2] == 5
    with pytest.raises(InputError, match="no 'it'#2 in text 0, which has 1 of them, at 1"):
        bound('query="it"#2')
    assert parse_index('key="a"#2') == Written(named=(("key", Nth("a", 2)),))


@pytest.mark.parametrize(
    "text", ['query="it"#', 'query="it"#0', 'query="it"#x', "0#1", '"it"#1#2', "#1", 'query="it"##1']
)
def test_numbers_of_a_token_that_are_none(text: str):
    with pytest.raises(InputError, match="cannot read index"):
        bound(text)


def test_a_value_that_is_one_for_all_texts_has_no_place_for_each():
    """T5's position bias: the same for every text, so a name must mean the same place in all of them."""
    shape, axes = (4, 6, 6), ("head", "query", "key")
    assert bound('query="is"', shape, axes)[1] == 2
    with pytest.raises(
        InputError, match=r"axis 'key' of this value is the same for all texts, and '\[SEP\]' stands at 3 in text 0"
    ):
        bound('key="[SEP]"', shape, axes)
    with pytest.raises(InputError, match="no token 'so' in text 0"):
        bound('key="so"', shape, axes)


def test_a_bound_index_is_bound_again_as_it_is():
    value = ArrayValue("x", AXES, np.zeros((2, 4, 6, 6)), None, dict.fromkeys(TOKEN_AXES, TOKENS))
    index = value.bind('query="[SEP]", key="[SEP]"')
    assert value.bind(index) == index
    assert value.bind((1, *index[1:]))[2:] == (5, 5)
    assert value.window_shape(index) == (2, 4)
    one = bound('batch=1:, key="[SEP]"', (3, 4, 6, 6), AXES, (*TOKENS, TOKENS[0]))
    other = ArrayValue("x", AXES, np.zeros((3, 4, 6, 6)), None, dict.fromkeys(TOKEN_AXES, (*TOKENS, TOKENS[0])))
    with pytest.raises(InputError, match="not one for each text"):
        other.bind((slice(None), *one[1:]))
    with pytest.raises(InputError, match="not one for each text"):
        value.bind((slice(None), *one[1:]))


def test_forms_of_a_token_stand_in_one_list():
    assert forms("Cat")[:4] == ("Cat", "▁Cat", "ĠCat", "cat")
    assert set(forms("Cat")) == {f"{mark}{word}" for mark in ("", "▁", "Ġ", "##") for word in ("Cat", "cat")}
    root = Path(__file__).parents[2]
    drifting = [
        str(path) for folder in ("engine", "tui") for path in (root / folder).rglob("*.py")
        if path.name != "token_names.py" and any(mark in path.read_text("utf-8") for mark in ('"▁', '"Ġ', '"##', "'##"))
    ]  # fmt: skip
    assert not [
        path for path in drifting if not path.endswith(("bars.py", "as_markdown.py"))
    ]  # where ▁ is a bar, and ## a heading


def test_a_word_at_the_beginning_of_a_text_and_within_it_is_one_word():
    words = ("<s>", "cat", "Ġand", "Ġcat", "s", "Ġcon", "cat", "</s>")
    assert places_of("and", words) == (2,)
    assert places_of("cat", words) == (1, 3, 6)
    assert places_of("Ġcat", words) == (3,)
    with pytest.raises(InputError, match="at 1 'cat', 3 'Ġcat' and 6 'cat'; write"):
        place_in_each("cat", [words], [0])
    assert places_of("CAT", ("[CLS]", "cat", "##cat")) == (1,)
    assert places_of("CAT", ("[CLS]", "##cat")) == (1,)


# -- reading -----------------------------------------------------------------------------------------------------------

NAMED = ("it", "[SEP]", "is")


@st.composite
def batches(draw: st.DrawFn) -> tuple[tuple[str, ...], ...]:
    """Texts as tokens, padded, in each of which the names stand once."""
    rows: list[list[str]] = []
    for _ in range(draw(st.integers(1, 4))):
        others = draw(st.lists(st.sampled_from(["so", "a", "of"]), max_size=4))
        rows.append(draw(st.permutations([*others, "it", "is"])))
    width = max(map(len, rows)) + 2
    return tuple(("[CLS]", *row, "[SEP]", *["[PAD]"] * (width - len(row) - 2)) for row in rows)


@settings(suppress_health_check=[HealthCheck.too_slow])  # on a machine that is shared
@given(tokens=batches(), data=st.data())
def test_a_batch_reads_what_its_texts_read_alone(tokens: tuple[tuple[str, ...], ...], data: st.DataObject):
    """Any window with names in it: each text's part is what that text gives as a batch of one."""
    size = len(tokens[0])
    array = np.arange(len(tokens) * 2 * size * size, dtype=np.float32).reshape(len(tokens), 2, size, size)
    value = ArrayValue("x", AXES, array, None, dict.fromkeys(TOKEN_AXES, tokens))
    chosen = data.draw(
        st.permutations([("query", data.draw(st.sampled_from(NAMED))), ("key", data.draw(st.sampled_from(NAMED)))])
    )
    chosen = chosen[: data.draw(st.integers(1, 2))]
    more = data.draw(st.sampled_from(["", ", head=1", ", head=::-1"]))
    names = ", ".join(f'{axis}="{name}"' for axis, name in chosen) + more
    step = data.draw(st.sampled_from(["::", "::-1", "1:", ":2"]))
    rows = range(len(tokens))[slice(*(int(part) if part else None for part in f"{step}:".split(":")[:3]))]
    read = value.read(f"batch={step}, {names}")
    alone = [
        ArrayValue("x", AXES, array[row : row + 1], None, dict.fromkeys(TOKEN_AXES, tokens[row : row + 1])).read(names) for row in rows
    ]  # fmt: skip
    assert np.array_equal(read, np.concatenate(alone) if alone else read[:0])
    index = value.bind(f"batch={step}, {names}")
    assert read.shape == value.window_shape(index)
    stats = value.stats(f"batch={step}, {names}")
    assert stats.count == read.size
    if read.size:
        assert (stats.min, stats.max) == (read.min(), read.max())
        greatest = first_place(value, lambda block: block == read.max(), index)
        assert greatest is not None
        assert array[greatest] == read.max()


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.permutations(["it", "is", "cold", "here"]).map(" ".join), min_size=2, max_size=3))
def test_a_model_reads_in_a_batch_what_it_reads_of_each_text(small: Encoder, texts: list[str]):
    """Texts of one length, so that not even padding tells a batch from its texts."""
    run = small.run(texts)
    for name, index in ((WEIGHTS, 'query="it", key="cold"'), ("output", 'token="here"'), ("tokens.ids", 'token="is"')):
        alone = np.concatenate([small.run(text)[name].read(index) for text in texts])
        np.testing.assert_allclose(run[name].read(index), alone, rtol=1e-5, atol=1e-6)


def expected(array: np.ndarray) -> np.ndarray:
    """What `query="it", key="[SEP]"` is of an array (batch, head, query, key)."""
    return np.stack([array[row, :, IT[row], SEP[row]] for row in (0, 1)])


def test_values_of_every_kind_are_read_by_text(small: Encoder, tmp_path: Path):
    run = small.run(TEXTS)
    whole, both = run[WEIGHTS].numpy(), 'query="it", key="[SEP]"'
    limited = run_of(small.program, small.weights, run.tokens, budget=1)
    assert limited.is_windowed(WEIGHTS)
    path = tmp_path / "all.safetensors"
    save(run, path)
    recording = open_snapshot(path)
    for trace in (run, limited, recording):
        value = trace[WEIGHTS]
        assert np.array_equal(value.read(both), expected(whole)), trace
        for index, rows in (('query="it"', IT), ('key="[SEP]"', SEP)):
            parts = [whole[at].take(rows[at], axis=1 if "query" in index else 2) for at in (0, 1)]
            assert np.array_equal(value.read(index), np.stack(parts)), (trace, index)
            stats = value.stats(index)
            assert (stats.count, stats.max) == (np.stack(parts).size, np.stack(parts).max())
        hot = trace["tokens.one_hot"].read('token="it"')
        assert hot.shape == (2, run.shapes["tokens.one_hot"][2])
        assert hot.argmax(axis=1).tolist() == [run.tokens.ids[0, 5]] * 2
    assert run[WEIGHTS].quick("max", both) == expected(whole).max()
    weight = run["embeddings.position@E"]
    with pytest.raises(InputError, match="has no tokens"):
        weight.read('position="it"')


def test_a_recording_in_bfloat16_is_read_by_text(small_dir: Path, tmp_path: Path):
    run = load(small_dir, "cpu", "bfloat16").run(TEXTS)
    save(run, tmp_path / "b.safetensors", select=WEIGHTS)
    read = open_snapshot(tmp_path / "b.safetensors")[WEIGHTS].read('query="it", key="[SEP]"')
    assert np.array_equal(read, expected(run[WEIGHTS].numpy()))
    assert np.array_equal(read, run[WEIGHTS].read('query="it", key="[SEP]"'))


def test_a_reference_is_read_by_text_in_our_coordinates(small: Encoder):
    ours, theirs = small.run(TEXTS), small.run(["the dog sat because it was tired", "now it is a dog"])
    both = align(patched_inputs(ours), patched_inputs(theirs))
    assert not both.same
    for made in (AlignedValue, DifferenceValue):
        value = made(ours[WEIGHTS], theirs[WEIGHTS], both, ours.program[WEIGHTS])
        whole = value.read()
        read = value.read('query="it", key="[SEP]"')
        assert np.array_equal(read, expected(whole), equal_nan=True)
        assert not np.isnan(read).any()
    mine = align(patched_inputs(ours), patched_inputs(ours))
    assert mine.same
    assert not DifferenceValue(ours[WEIGHTS], ours[WEIGHTS], mine, ours.program[WEIGHTS]).read('key="[SEP]"').any()
