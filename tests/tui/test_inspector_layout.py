from __future__ import annotations

from encoder_tui.tui.drawing.bars import across, columns
from encoder_tui.tui.drawing.text import chunks, cut, fit, letters_of, plain, stacked
from encoder_tui.tui.views.layouts.gallery import gallery_of
from encoder_tui.tui.views.layouts.heat import broken, layout_of, placed
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

ANY = st.text(max_size=30)
FAMILY = "👨\u200d👩\u200d👧"


@given(ANY, st.integers(0, 20), st.sampled_from(["left", "right", "center"]))
def test_text_fits_in_cells(text: str, width: int, align: str) -> None:
    assert cell_len(fit(plain(text), width, align)) == width


@given(ANY)
def test_plain_text_is_one_line_that_shows_something(text: str) -> None:
    shown = plain(text)
    assert cell_len(shown) > 0
    assert not any(character in shown for character in "\n\r\t\x1b\x00\u202e")
    assert plain(shown) == shown


def test_plain_text_keeps_what_can_be_seen() -> None:
    assert [plain(text) for text in ("cat", "##ing", "Ġthe", "東京", FAMILY, "", " ", "\t", "a\u200bb")] == [
        "cat", "##ing", "Ġthe", "東京", FAMILY, "·", "·", "\\t", "a\\u200bb",
    ]  # fmt: skip


def test_cutting_counts_cells() -> None:
    assert cut("東京都", 4) == "東…"
    assert cut("東京都", 5) == "東京…"
    assert cut("street", 6) == "street"
    assert cut("street", 0) == ""


def test_letters_are_what_a_reader_takes_for_one() -> None:
    assert letters_of("e\u0301a" + FAMILY) == ("e\u0301", "a", FAMILY)


def test_labels_break_to_their_cells() -> None:
    assert chunks("animal", 4) == ["anim", "al"]
    assert broken("[SEP]", 5) == ["[SEP]"]
    assert broken("[SEP]", 4) == ["[SE", "P]"]
    assert stacked(["an", "im", "al"], 2, 2) == ["an", "im"]
    assert stacked(["animal", "istic"], 6, 1) == ["anima…"]
    assert stacked(["a"], 2, 3) == ["", "", "a"]


@given(
    st.integers(1, 600),
    st.integers(1, 600),
    st.integers(1, 130),
    st.integers(1, 50),
    st.lists(ANY, max_size=5),
    st.booleans(),
)
def test_a_heat_map_never_leaves_its_place(
    rows: int, columns_: int, width: int, height: int, labels: list[str], halves: bool
) -> None:
    labels = [plain(label) for label in labels]
    layout = layout_of(rows, columns_, labels, labels, width, height, narrowest=1 if halves else 2, halves=halves)
    assert 1 <= layout.rows <= rows
    assert 1 <= layout.columns <= columns_
    assert layout.header + layout.body + layout.legend <= height or height < 3
    assert layout.gutter + layout.columns * layout.cell_width <= max(width, 3)
    last, count = layout.rows_at(layout.body - 1)
    assert last < layout.rows <= last + count
    assert layout.line_of(layout.rows - 1) < layout.body


def test_a_short_sentence_has_large_cells() -> None:
    words = ["[CLS]", "animal", "street", "it"] * 3 + ["was", "[SEP]"]
    layout = layout_of(14, 14, words, words, 84, 22)
    assert (layout.cell_width, layout.cell_height, layout.rows, layout.columns) == (5, 1, 14, 14)
    assert layout.label_lines == 2
    small = layout_of(14, 14, words, words, 50, 10)
    assert (small.cell_width, small.half, small.rows, small.paired, small.header) == (2, True, 14, True, 2)


def test_a_long_text_has_one_column_and_half_a_row_each() -> None:
    layout = layout_of(512, 512, ["0"], ["0"], 84, 22)
    assert (layout.columns, layout.paired) == (81, False)  # between two numbers stands the one that is between them
    layout = layout_of(512, 512, ["token"], ["token"], 84, 22)
    assert layout.paired
    assert (layout.cell_width, layout.half, layout.rows, layout.columns, layout.label_lines) == (1, True, 40, 71, 0)


@given(st.lists(ANY.map(plain), min_size=1, max_size=20), st.integers(1, 4), st.integers(1, 3), st.data())
def test_labels_above_narrow_columns_never_run_together(
    labels: list[str], cell: int, lines: int, data: st.DataObject
) -> None:
    first = data.draw(st.integers(-1, len(labels) - 1))
    width = len(labels) * cell
    places = placed(labels, [cell * column for column in range(len(labels))], width, lines, first)
    for number, (line, start) in places.items():
        assert 0 <= line < lines
        assert 0 <= start <= width - cell_len(labels[number])
        assert start == number * cell or number == first
        for other, (other_line, other_start) in places.items():
            if other != number and other_line == line:
                assert start + cell_len(labels[number]) < other_start or other_start + cell_len(labels[other]) < start
    if first >= 0 and cell_len(labels[first]) <= width:
        assert places[first][0] == 0


@given(st.integers(1, 40), st.integers(1, 600), st.integers(1, 600), st.integers(1, 130), st.integers(1, 50))
def test_a_gallery_never_leaves_its_place(count: int, rows: int, columns_: int, width: int, height: int) -> None:
    layout = gallery_of(count, rows, columns_, width, height)
    assert layout.across * layout.down >= count
    assert 1 <= layout.shown <= layout.down
    assert layout.across * (layout.width + 1) + 1 <= max(width, 3)
    assert layout.shown * (layout.height + 1) + 1 <= max(height, 3)
    assert layout.width == layout.values_across * layout.cell_width
    assert layout.height * 2 >= layout.values_down * layout.cell_height


def test_twelve_and_sixteen_heads_are_all_seen_in_a_wide_terminal() -> None:
    for heads in (12, 16):
        layout = gallery_of(heads, 14, 14, 84, 20)
        assert layout.shown == layout.down
        assert layout.values_down >= 10


def test_bars() -> None:
    assert columns([0, 1, 4, 8], 2) == ["   █", " ▂██"]
    assert columns([0, 1, 10_000], 1) == [" ▁█"]
    assert columns([0, 0], 2) == ["  ", "  "]
    assert across(0.5, 4) == "██  "
    assert across(0.30, 4) == "█▎  "
    assert across(7, 2) == "██"
