from __future__ import annotations

import re
from dataclasses import replace

import pytest
from driving import press, running
from encoder_tui.engine import Encoder, Session
from encoder_tui.tui.state.product_layout import CELL, HEAD, in_lines, product_layout
from encoder_tui.tui.state.view_state import ViewState
from encoder_tui.tui.views.product_view import ProductView
from hypothesis import given
from hypothesis import strategies as st
from inspector_app import InspectorApp, shown

TEXT = "The animal didn't cross the street because it was too tired"
TOKEN, SCORES, OUTPUT = "embeddings.token", "layers.0.attention.scores", "layers.1.attention.output"


async def test_a_lookup_is_the_one_hot_row_times_the_table(sentence: Session) -> None:
    lines = await shown(sentence, ViewState(TOKEN, view="product", row=2, column=1), (60, 18), colours=False)
    assert lines == [
        "↓ token 1-2 of 15          │ E 8,000 × 128",
        "Σ vocabulary 2,460-2,462   │     0     1     2     3     4",
        "→ hidden 0-4/128  2460 key │ -.165  .067 -.045 -.140 -.115",
        "              ▸2461 animal │ -.215 -.052 -.105 -.029 -.062",
        "              2462 tonight │ -.137  .136  .058 -.207  .111",
        "tokens.one_hot 15 × 8,000 ─┼─= token 15 × 128",
        "          2460  2461  2462 │     0     1     2     3     4",
        "     the     0     0     0 │ -.081  .071 -.022 -.129  .040",
        "▸ animal     0     1     0 │ -.215 -.052 -.105 -.029 -.062",
        "= 1·-0.0523 + (7,999 times 0) = -0.0523071",
        "1 term, exactly the stored number",
        "row E[2461] looked up gives the same number",
        "row 2461 of the table, for token 2 'animal' …",
        '[token=2 "animal", hidden=1] = -0.05230713',
    ]


async def test_while_it_waits_it_says_of_the_cell_that_is_asked_for_that_it_is_read(sentence: Session) -> None:
    app = InspectorApp(sentence, ViewState(SCORES, view="product", row=2, column=1), held=True)
    async with app.run_test(size=(79, 29)) as pilot:
        await pilot.pause()
        app.answer()
        await pilot.pause()
        before = app.lines()
        for column in (2, 3):
            app.show(replace(app.state, column=column))
            await pilot.pause()
            app.waiting[-1].sender.must_wait()
            await pilot.pause()
            assert app.lines()[:-1] == before[:-1]
            assert app.lines()[-1].rstrip().endswith("reading…")
            assert f"key={column} " in app.lines()[-1]
        app.answer(-1)
        assert "reading…" not in app.lines()[-1]


async def test_what_is_lit_moves_with_the_cursor(sentence: Session) -> None:
    app = InspectorApp(sentence, ViewState(SCORES, view="product", row=2, column=1))
    async with app.run_test(size=(79, 29)) as pilot:
        await pilot.pause()
        view = app.inspector.view
        assert isinstance(view, ProductView)
        before = view.shown.frame
        assert (before.rows.here, before.columns.here, before.asked.index) == (2, 1, (0, 0, 2, 1))
        app.show(app.inspector.moved("down", app.state))
        await pilot.pause()
        after = view.shown.frame
        assert (after.rows.here, after.columns.here, after.asked.index) == (3, 1, (0, 0, 3, 1))
        assert after.result is before.result  # the window is where it was, and so are its numbers
        app.show(app.inspector.moved("page-down", app.state))
        await pilot.pause()
        assert (app.state.row, app.state.term, view.shown.frame.sum.rank) == (3, 1, 1)
        chosen = view.shown.frame
        place = chosen.sum.place
        assert chosen.summed.first <= place < chosen.summed.first + len(chosen.summed.labels)
        assert f"head_dim {place}: " in "\n".join(app.lines())
        app.show(app.inspector.moved("page-up", app.inspector.moved("page-up", app.state)))
        await pilot.pause()
        assert app.state.term == 0


async def test_a_click_goes_to_a_cell_a_row_a_column(sentence: Session) -> None:
    app = InspectorApp(sentence, ViewState(SCORES, view="product", row=2, column=1))
    async with app.run_test(size=(79, 29)) as pilot:
        await pilot.pause()
        view = app.inspector.view
        layout = view.shown.frame.layout
        for x, y, where in (
            (layout.result + CELL, layout.top, (0, 1)),  # a cell of C
            (layout.gutter, layout.top + 3, (3, 1)),  # of A: its row
            (layout.result + 2 * CELL + 1, 3, (3, 2)),  # of B: its column
        ):
            await pilot.click(view, offset=(x, y))
            assert (app.state.row, app.state.column) == where


NUMBER = r"-?[\d.]+(?:e-?\d+)?"


@pytest.mark.parametrize("size", [(48, 15), (79, 29), (160, 52)], ids=str)
@pytest.mark.parametrize("stage", [TOKEN, SCORES, OUTPUT, "layers.0.attention.context", "layers.2.ffn.down"])
async def test_the_sum_on_the_screen_comes_to_the_number(sentence: Session, stage: str, size: tuple[int, int]) -> None:
    lines = await shown(sentence, ViewState(stage, view="product", row=3, column=2), size)
    text = " ".join(lines)
    written = re.search(rf"(?<= = )?= ((?:[^=│])*?) = ({NUMBER})(?: |$)", text[text.index("= " + lines_sum(lines)) :])
    assert written, lines
    total, pieces = 0.0, re.split(r" \+ ", written[1])
    for piece in pieces:
        if piece.endswith(" times 0)"):
            continue
        numbers = re.findall(NUMBER, piece.rpartition(": ")[2].removeprefix("b "))
        product = 1.0
        for number in numbers:
            product *= float(number)
        total += product
    stored = float(written[2])
    assert total == pytest.approx(stored, abs=0.02 * max(1, abs(stored)))
    assert str(stored)[:6] in lines[-1].partition(" = ")[2]


def lines_sum(lines: list[str]) -> str:
    """The first words of the sum: it begins a line with `= `."""
    return next(line for line in lines if line.startswith("= "))[2:6]


async def test_the_questions_are_answered_at_80_by_24(bundled: Encoder, sentence: Session) -> None:
    """Beside the tree the value has 48 by 15 cells there."""
    looked_up = "\n".join(await shown(sentence, ViewState(TOKEN, view="product", row=2), (48, 15)))
    assert "(7,999 times 0)" in looked_up
    assert "row E[2461] looked up gives the same number" in looked_up
    scores = "\n".join(await shown(sentence, ViewState(SCORES, view="product", row=2), (48, 15)))
    assert "· 1/√32 = " in scores
    output = "\n".join(await shown(sentence, ViewState(OUTPUT, view="product", row=2), (48, 15)))
    assert "4 heads × 32 = 128" in output
    wider = "\n".join(await shown(sentence, ViewState(OUTPUT, view="product", row=2), (80, 24)))
    assert re.search(r"Σ hidden \d+-\d+ of 128: head \d", wider)


async def test_heads_have_borders(sentence: Session) -> None:
    app = InspectorApp(sentence, ViewState(OUTPUT, view="product"))
    async with app.run_test(size=(160, 40)) as pilot:
        await pilot.pause()
        frame = app.inspector.view.shown.frame
        borders = list[int]()
        for term in range(60):  # until a term's place brings a border onto the screen
            app.show(app.state.__class__(OUTPUT, view="product", term=term))
            await pilot.pause()
            frame = app.inspector.view.shown.frame
            borders = [
                at
                for at in range(frame.summed.first, frame.summed.first + len(frame.summed.labels))
                if at % 32 == 0 and at
            ]
            if borders:
                break
        assert borders
        row = app.lines()[int(frame.layout.top) - 1]
        at = frame.layout.gutter + (borders[0] - frame.summed.first) * CELL
        assert row[at] == "┊"
        assert row[at : at + CELL].strip("┊ ") == str(borders[0])


async def test_without_colours_the_row_and_the_column_are_lit_still(sentence: Session) -> None:
    app = InspectorApp(sentence, ViewState(SCORES, view="product", row=1, column=1), colours=False)
    async with app.run_test(size=(79, 29)) as pilot:
        await pilot.pause()
        view = app.inspector.view
        layout = view.shown.frame.layout

        def lit(y: int) -> int:
            return sum(bool(segment.style and segment.style.reverse) for segment in view.render_line(y))

        assert [lit(y) for y in range(2, 2 + layout.summed)] == [1] * layout.summed  # a cell of B in each of its rows
        assert [lit(layout.top + row) for row in range(3)] == [0, layout.summed + 1, 0]  # A's row, and C's cell


async def test_what_is_no_product_says_so_and_where_one_is(sentence: Session) -> None:
    lines = await shown(sentence, ViewState("layers.0.attention.norm", view="product"), (100, 20))
    assert lines[0] == (
        "norm = (residual − mean) / √(variance + 1e-12) · γ + β: no product of two matrices; the nearest is"
    )
    assert lines[1] == "layers.0.ffn.up, enter goes there."


async def test_enter_goes_to_the_product(sentence: Session) -> None:
    async with running(lambda progress: sentence, ["look layers.0.attention.norm"]) as (app, pilot):
        await press(pilot, "9", "z", "enter")
        assert (app.controller.state.stage, app.controller.state.view) == ("layers.0.ffn.up", "product")
        await press(pilot, "pagedown", "enter")  # from there to the terms, at the one that is lit
        assert (app.controller.state.view, app.controller.state.term) == ("why", 1)


@pytest.mark.parametrize(
    ("summed", "width", "shown"),
    [(15, 155, (15, 8)), (15, 77, (5, 5)), (384, 155, (12, 11))],  # all of a sum, if the product keeps a third
)
def test_all_that_is_summed_is_shown_where_the_product_keeps_a_third(
    summed: int, width: int, shown: tuple[int, int]
) -> None:
    layout = product_layout(15, 32, summed, width, 54, 8)
    assert (layout.summed, layout.columns) == shown


@given(
    st.tuples(st.integers(1, 600), st.integers(1, 40_000), st.integers(1, 40_000)),
    st.integers(34, 300), st.integers(10, 90), st.integers(0, 30),
)  # fmt: skip
def test_all_three_fit(counts: tuple[int, int, int], width: int, height: int, label: int) -> None:
    rows, columns, summed = counts
    layout = product_layout(rows, columns, summed, width, height, label)
    assert 1 <= layout.rows <= rows
    assert 1 <= layout.columns <= columns
    assert 1 <= layout.summed <= summed
    assert HEAD + layout.summed + layout.rows + layout.foot <= height
    assert layout.result + layout.columns * CELL <= width


@given(st.lists(st.integers(1, 20), max_size=30), st.integers(20, 60))
def test_parts_are_broken_into_lines_in_order(widths: list[int], width: int) -> None:
    lines = in_lines(widths, width)
    assert [number for line in lines for number in line] == list(range(len(widths)))
    assert all(sum(widths[number] + 1 for number in line) - 1 <= width for line in lines if line)
