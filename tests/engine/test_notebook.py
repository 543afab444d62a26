"""What a notebook shows of a value, a run, a comparison and an explanation."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from encoder_tui.engine import Encoder, InputError
from encoder_tui.engine.analysis.compare.comparison import Comparison
from encoder_tui.engine.analysis.why import explain
from encoder_tui.engine.pages.value import ROOM, sampled_plane
from encoder_tui.engine.program.value import ArrayValue, ShapeAlone, Value
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from strict_html import read_strictly

HOSTILE = "</td><script>alert('1')</script>&amp;\"\u202e"


def value_of(
    numbers: list[list[list[list[float]]]] | NDArray[Any],
    axes: tuple[str, ...] = ("batch", "head", "query", "key"),
    words: tuple[str, ...] = ("[CLS]", "cat", HOSTILE),
):
    value = ArrayValue("layers.0.attention.weights", axes[-np.ndim(numbers) :], np.asarray(numbers))
    value.tokens = dict.fromkeys(("query", "key", "token"), (words,))
    return value


def words_of(page: str):
    return " ".join(read_strictly(page).words)


def test_a_heat_map_with_the_tokens_names():
    page = value_of([[[[0.25, 0.75, 0], [-0.5, np.nan, 1], [0, np.inf, -3.4028234663852886e38]]]])._repr_html_()
    read = read_strictly(page)
    assert "[batch=1, head=1, query=3, key=3] float64" in " ".join(read.words)
    assert read.count["td"] == 9
    assert read.words.count("cat") == 2
    assert "query 0 [CLS] · key 1 cat: 0.75" in read.titles
    assert "query 1 cat · key 1 cat: NaN" in read.titles
    assert ".75" in read.words
    assert "<script" not in page
    assert "\u202e" not in page
    assert HOSTILE.replace("\u202e", "\\u202e") in read.words


def test_what_a_mask_hides_is_no_part_of_the_scale():
    value = value_of(np.asarray([[0.5, -0.25, np.finfo(np.float32).min]], np.float32))
    page = value._repr_html_()
    assert "key 2" in page
    assert '<td class="masked"' in page
    assert words_of(page).endswith("-0.5   0.5")


@given(st.integers(1, 70), st.integers(1, 140), st.integers(0, 999))
def test_down_sampling_loses_neither_the_largest_nor_a_nan(tall: int, wide: int, seed: int):
    drawn = np.random.default_rng(seed)
    numbers = drawn.standard_normal((tall, wide), np.float32)
    numbers[drawn.random((tall, wide)) < 0.01] = np.nan
    sampled = sampled_plane(value_of(numbers), (slice(None), slice(None)), ROOM, ROOM.reads)
    assert sampled.numbers.shape == (min(32, len(numbers)), min(64, numbers.shape[1]))
    lowest = np.finfo(np.float32).min / 2
    for row, rows in enumerate(sampled.rows):
        for column, columns in enumerate(sampled.columns):
            part = numbers[rows.start : rows.stop, columns.start : columns.stop]
            shown = sampled.numbers[row, column]
            if np.isnan(part).any():
                assert np.isnan(shown)
            elif (part > lowest).all():
                assert shown in part
                assert abs(shown) == np.abs(part).max()


def test_what_is_down_sampled_says_so():
    page = value_of(np.arange(256 * 512.0).reshape(256, 512), ("position", "hidden"))._repr_html_()
    assert "each cell is the number of largest magnitude of up to 8 × 8" in words_of(page)
    assert "position 248–255 · hidden 504–511: 131071" in read_strictly(page).titles
    assert len(page) < 300_000


class Counting(ArrayValue):
    read_numbers = 0

    def read(self, index: Any = ()):
        window = super().read(index)
        self.read_numbers += window.size
        return window


def test_of_a_huge_value_a_few_rows_are_read():
    value = Counting("mask", ("query", "key"), np.broadcast_to(np.float32(1), (9000, 9000)))
    page = value._repr_html_()
    assert "of every 20 rows one is read" in words_of(page)
    assert value.read_numbers <= ROOM.reads


def test_of_many_planes_some_are_shown_and_the_next_is_named():
    value = value_of(np.zeros((2, 16, 3, 3)))
    page = value._repr_html_()
    assert read_strictly(page).count["table"] == 12
    assert "12 of 32 shown; the next: .html('batch=0, head=12')" in words_of(page)
    assert read_strictly(value.html("batch=0, head=12")).count["table"] == 1
    with pytest.raises(InputError, match="no axis 'layer'"):
        value.html("layer=1")


def test_ids_are_words(small: Encoder):
    run = small.run(["the cat sat", "dogs"])
    read = read_strictly(run["tokens.ids"]._repr_html_())
    assert [word for word in read.words if word in ("cat", "dogs", "[SEP]")] == ["cat", "[SEP]", "dogs", "[SEP]"]
    assert str(run.tokens.ids[0, 2]) in read.titles


def test_a_number_and_nothing():
    assert "= 0.5" in words_of(value_of(np.full((2, 3), 0.5)).html((0, 1)))
    assert "no numbers" in words_of(value_of(np.zeros((0, 3)))._repr_html_())


def test_an_error_is_shown_and_never_raised():
    alone = ShapeAlone("layers.0.ffn.up", ("batch",), (2,), "float32", "layers.0.ffn.up has <no> numbers")
    shown = words_of(alone._repr_html_())
    assert "<layers.0.ffn.up [batch=2] float32>" in shown
    assert "cannot be shown : layers.0.ffn.up has <no> numbers" in shown

    class Broken(Value):
        name, axes, shape, dtype = "x", ("a",), (3,), "float32"

        def read(self, index: Any = ()):
            raise MemoryError("none left")

    assert "cannot be shown : none left" in words_of(Broken()._repr_html_())


def test_a_run_shows_what_went_in_its_output_and_its_stages(small: Encoder):
    run = small.run("the cat <b>sat</b>")
    read = read_strictly(run._repr_html_())
    for word in (
        "cat",
        run.program["output"].name,
        "layers.0.attention.scores",
        run.program["embeddings.sum"].formula(),
    ):
        assert word in read.words, word
    assert read.count["details"] == len({stage.room for stage in run.program})


def test_a_run_says_what_it_is_at_a_plain_prompt(small: Encoder):
    run = small.run(["the cat", "a cat sat"])
    batch, token = run.tokens.ids.shape
    facts = " ".join(run.about.values())
    assert "bert" in facts
    assert "float32" in facts
    assert repr(run) == f"<Run of {facts} [batch={batch}, token={token}] {len(run)} stages>"
    assert run.kept_bytes == 0


def test_a_long_run_computes_nothing_unasked(small: Encoder, monkeypatch: pytest.MonkeyPatch):
    from encoder_tui.engine.pages import trace

    monkeypatch.setattr(trace, "MOST_NUMBERS", 10)
    run = small.run("the cat sat")
    assert "nothing is computed before it is asked for" in words_of(run._repr_html_())
    assert run.kept_bytes == 0


def test_an_explanation_shows_its_terms(small: Encoder):
    run = small.run("the cat sat")
    explanation = explain(run, "layers.0.ffn.up", (0, 1, 2))
    read = read_strictly(explanation._repr_html_())
    assert explanation.formula in read.words
    assert read.count["tr"] == 13  # twelve terms, and the rest
    assert any(re.fullmatch(r"\d+ more terms", word) for word in read.words)


def test_a_comparison_shows_the_verdict_and_every_stage(small: Encoder):
    from encoder_tui.engine.commands import TABLE
    from encoder_tui.engine.commands.session import Session

    session = Session(small.run("the cat sat"), small)
    for line in ("fork", "patch layers.0.ffn.up = x * 0", "compare fork 0"):
        TABLE.execute(session, line)
    comparison = session.expect_reference().comparison
    assert isinstance(comparison, Comparison)
    read = read_strictly(comparison._repr_html_())
    assert "they differ" in " ".join(read.words)
    assert read.words.count("layers.0.ffn.up") == 2
    assert set(read.words) >= {row.name for row in comparison.rows}


def test_in_chinese(chinese: None):
    page = value_of(np.zeros((100, 3)), ("position", "hidden"))._repr_html_()
    assert 'lang="zh"' in page
    assert "每格是至多 4 × 1 个数中绝对值最大的数" in words_of(page)


def test_without_matplotlib_one_line_says_so(monkeypatch: pytest.MonkeyPatch):
    import sys

    for name in ("matplotlib", "matplotlib.pyplot"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(
        InputError, match=r"plots need matplotlib, which is not installed; pip install 'encoder-tui\[plot\]'"
    ):
        value_of(np.zeros((3, 3))).plot()


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ("", "leaves batch, head, query, key open; write for instance .plot('batch=0, head=0')"),
        ((0, 0, 0, 0), "is one number"),
    ],
)
def test_a_plot_has_one_axis_or_two(index: str | tuple[int, ...], message: str):
    with pytest.raises(InputError, match=re.escape(message)):
        value_of(np.zeros((2, 2, 3, 3))).plot(index)


def test_a_plot_by_matplotlib(monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("matplotlib").use("Agg")
    value = value_of(np.asarray([[[[0.25, -0.75, np.finfo(np.float32).min]]]], np.float32), words=("a", "$x$", "c"))
    axes = value.plot("query=0")
    assert axes.get_title() == "layers.0.attention.weights[batch=0, query=0]"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["a", r"\$x\$", "c"]
    assert np.ma.getmaskarray(np.ma.masked_invalid(axes.images[0].get_array())).tolist() == [[False, False, True]]
