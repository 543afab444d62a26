"""The map: the encoder as boxes, with pictures of its values, to move in and to open."""

from __future__ import annotations

from pathlib import Path

import pytest
from driving import lines_of, press, running, screen_of, settled, until
from encoder_tui.engine import Encoder, Session, load, open_snapshot, save
from encoder_tui.engine.program.program import Program
from encoder_tui.engine.program.stage import Stage
from encoder_tui.tui.app.app import EncoderApp
from encoder_tui.tui.state.encoder_map import MapRow, map_rows, place_of
from encoder_tui.tui.views.layouts.map import GAP, map_of, neighbour
from encoder_tui.tui.views.map_view import MapView
from fakes import Does
from hypothesis import given
from hypothesis import strategies as st

SENTENCE = "The animal didn't cross the street because it was too tired"
MOVES = ("left", "right", "up", "down", "top", "bottom", "row-start", "row-end", "page-up", "page-down")


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load(device="cpu")


@pytest.fixture
def session(encoder: Encoder) -> Session:
    return Session(encoder.run(SENTENCE), encoder)


# -- boxes -------------------------------------------------------------------------------------------------------------


def boxes(rows: tuple[MapRow, ...]) -> list[str]:
    return [box.stage for row in rows for box in row.boxes]


def test_every_stage_is_in_one_box(session: Session) -> None:
    program = session.trace.program
    for layer in range(program.layers):
        rows = map_rows(program, layer)
        inside = [stage for row in rows for box in row.boxes for stage in box.stages]
        assert sorted(inside, key=program.index) == [stage.name for stage in program]
        assert len(set(inside)) == len(inside)
        assert {place_of(rows, program, stage.name) for stage in program} == {
            (row, column) for row, one in enumerate(rows) for column in range(len(one.boxes))
        }


def test_one_layer_is_opened_and_the_others_are_folded(session: Session) -> None:
    rows = map_rows(session.trace.program, 1)
    assert [row.title for row in rows] == [
        "input",
        "layers",
        "layers.1.attention",
        "layers.1.ffn",
        "layers",
        "head.words",
    ]
    assert [box.title for box in rows[1].boxes + rows[4].boxes] == ["0", "2", "3"]
    assert rows[4].boxes[-1].stage == session.trace.program["output"].name  # a folded layer shows what leaves it
    assert [box.title for box in rows[2].boxes] == [
        "Q", "K", "V", "Q·Kᵀ/√d", "+ mask", "softmax", "· V", "concat", "W_O", "add & norm",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("opened", "before", "after"),
    [
        (0, [], ["1", "2", "3", "4-22", "23"]),
        (3, ["0", "1", "2"], ["4", "5", "6", "7-22", "23"]),
        (12, ["0", "1-8", "9", "10", "11"], ["13", "14", "15", "16-22", "23"]),
        (20, ["0", "1-16", "17", "18", "19"], ["21", "22", "23"]),
    ],
)
def test_of_many_folded_layers_those_near_the_open_one_have_a_box_of_their_own(
    opened: int, before: list[str], after: list[str]
) -> None:
    names = [f"layers.{layer}.{part}" for layer in range(24) for part in ("attention.output", "ffn.norm")]
    program = Program([Stage(name, Does("x"), axes=("token",)) for name in ("tokens.ids", *names, "head.words.best")])
    rows = map_rows(program, opened)
    assert [box.title for row in rows if row.title == "layers" for box in row.boxes] == [*before, *after]
    inside = [name for row in rows for box in row.boxes for name in box.stages]
    assert sorted(inside, key=program.index) == [stage.name for stage in program]
    several = next(box for row in rows for box in row.boxes if "-" in box.title)
    assert several.stage == f"layers.{several.title.split('-')[1]}.ffn.norm"  # what leaves the last of them


def test_an_arrow_is_where_a_box_is_made_of_the_one_before(session: Session) -> None:
    rows = map_rows(session.trace.program, 0)
    joined = {box.title for row in rows[1:3] for box in row.boxes if box.joined}
    assert not joined & {"Q", "K", "V"}
    assert joined >= {"+ mask", "softmax", "· V", "concat", "W_O", "add & norm", "gelu", "FFN down"}


def test_a_sum_without_a_norm_after_it_is_a_box_of_its_own() -> None:
    names = (
        "tokens.ids",
        "layers.0.attention.norm",
        "layers.0.attention.output",
        "layers.0.attention.residual",
        "layers.0.ffn.norm",
    )
    program = Program([Stage(name, Does("x"), axes=("token",)) for name in names])
    titles = [[box.title for box in row.boxes] for row in map_rows(program, 0)]
    assert titles == [["ids"], ["layer norm", "output", "add"], ["layer norm"]]


def test_what_has_no_role_stands_in_the_layer_that_goes_on_after_it() -> None:
    names = [
        "tokens.ids",
        *(f"layers.0.attention.{part}" for part in ("query", "key")),
        *("block.0.bias.arange", "block.0.bias.log"),
        *("layers.0.attention.scores", "layers.1.attention.query"),
        *("block.1.bias.arange", "layers.1.attention.scores"),
        *("block.2.bias.arange", "final.norm"),
    ]
    program = Program([Stage(name, Does("x"), axes=("token",)) for name in names])
    rows = [(row.title, [box.title for box in row.boxes]) for row in map_rows(program, 0)]
    assert rows[1:] == [
        ("layers.0.attention", ["query", "key", "arange", "log", "scores"]),
        ("layers", ["1"]),
        ("block.2.bias", ["arange"]),
        ("final", ["layer norm"]),
    ]
    assert map_rows(program, 0)[2].boxes[0].stages == tuple(names[6:9])


@pytest.mark.parametrize("model", ["cbow", "skipgram"])
def test_no_two_rows_are_called_alike(model: str) -> None:
    """What goes into a model of words comes in two parts, the ids and the vectors."""
    titles = [row.title for row in map_rows(load(model, "cpu").program, 0)]
    assert titles == ["tokens", "context", "embeddings", "head", "loss", "negatives"]


@pytest.mark.parametrize("model", ["cbow", "skipgram", "preset:transformer-base", "preset:gpt3-width"])
def test_a_box_is_called_by_what_it_does_and_else_by_its_name(model: str) -> None:
    program = load(model, device="cpu").program
    rows = map_rows(program, 0)
    inside = [stage for row in rows for box in row.boxes for stage in box.stages]
    assert sorted(inside, key=program.index) == [stage.name for stage in program]
    of_attention = {"Q", "K", "V", "Q·Kᵀ", "Q·Kᵀ/√d", "· V", "W_O"}
    called = {(row.title, box.title) for row in rows for box in row.boxes if box.title in of_attention}
    assert all(title.endswith("attention") for title, _ in called)
    assert bool(called) == (program.layers > 0)


# -- where they lie ----------------------------------------------------------------------------------------------------

COUNTS = st.lists(st.integers(1, 14), min_size=1, max_size=8)


@given(COUNTS, st.integers(30, 250), st.integers(4, 90))
def test_boxes_lie_apart_and_within_the_width(counts: list[int], width: int, height: int) -> None:
    layout = map_of(tuple(counts), width, height)
    assert [(box.row, box.column) for box in layout.boxes] == [
        (row, at) for row, n in enumerate(counts) for at in range(n)
    ]
    for one in layout.boxes:
        assert one.x + layout.width <= width
        assert one.y + layout.height <= layout.total
        assert layout.under(one.x, one.y) is one
        assert not any(one.y <= title < one.y + layout.height for title in layout.titles)
    cells = {
        (box.x + x, box.y + y) for box in layout.boxes for x in (0, layout.width - 1) for y in range(layout.height)
    }
    assert len(cells) == (1 if layout.width == 1 else 2) * layout.height * len(layout.boxes)


@given(COUNTS, st.integers(30, 250), st.data())
def test_every_box_is_come_to_by_arrows(counts: list[int], width: int, data: st.DataObject) -> None:
    layout = map_of(tuple(counts), width, 40)
    start = data.draw(st.sampled_from(layout.boxes))
    for where in MOVES:
        row, column = neighbour(layout, start.row, start.column, where)
        assert 0 <= column < counts[row]
    at, seen = (0, 0), {(0, 0)}
    for _ in range(sum(counts)):
        at = neighbour(layout, *at, "right")
        seen.add(at)
    assert len(seen) == sum(counts)
    below = neighbour(layout, start.row, start.column, "down")
    assert layout.at(*below).y >= start.y


def test_at_120_by_40_the_bundled_encoder_is_a_picture_on_one_screen(session: Session) -> None:
    layout = map_of(tuple(len(row.boxes) for row in map_rows(session.trace.program, 0)), 118, 34)
    assert layout.drawn
    assert layout.total <= 34
    assert layout.height >= 4
    assert layout.width >= 14
    assert GAP == 2


# -- on the screen -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
async def test_it_is_one_key_away_and_leads_back(session: Session, size: tuple[int, int]) -> None:
    async with running(lambda progress: session, size=size) as (app, pilot):
        await press(pilot, "m")
        view = app.main.inspector.view
        assert isinstance(view, MapView)
        await until(pilot, lambda: not view._due, "all pictures")
        lines = screen_of(app)
        assert any("layer 0 · attention" in line for line in lines)
        assert any("[CLS] the" in line for line in lines)
        *_, named, purpose, rest = ["", *lines_of(view)] if size[0] < 110 else [*lines_of(view), ""]
        assert named.split()[:3] == ["Token", "ids", "tokens.ids"]
        assert f"{purpose} {rest}".strip().endswith("and gave each its number in the vocabulary.")
        await press(pilot, "down", "right", "enter")
        assert (app.controller.state.view, app.controller.state.zoomed) == ("heat", False)
        assert app.controller.state.stage != "tokens.ids"
        assert app.controller.position is not None
        assert app.controller.position.cursor == -1  # looking moved nothing
        stage = app.controller.state.stage
        await press(pilot, "m")
        assert app.controller.state.stage == stage
        await press(pilot, "m")
        assert (app.controller.state.view, app.controller.state.zoomed) == ("heat", False)


async def test_the_cursor_the_breakpoints_and_patches_stand_on_it(session: Session) -> None:
    lines = ["break layers.0.attention.weights", "scale layers.0.ffn.up 2", "continue"]
    async with running(lambda progress: session, lines, size=(120, 40)) as (app, pilot):
        await press(pilot, "m")
        await settled(pilot)
        shown = screen_of(app)
        assert any("┏●▶ softmax" in line for line in shown)  # the box that is looked at is the cursor's
        assert any("╭◆ FFN up" in line for line in shown)
        await press(pilot, "s")
        assert any("┏▶ · V" in line for line in screen_of(app))
        await press(pilot, "7")  # any other view has the tree beside it again
        assert not app.controller.state.zoomed


async def test_a_weight_is_opened_from_it_and_left_for_it(session: Session) -> None:
    async with running(lambda progress: session, ["look embeddings.token"], size=(120, 40)) as (app, pilot):
        await press(pilot, "m", "W")
        state = app.controller.state
        assert (state.view, state.beside, state.zoomed) == ("heat", "E", False)
        await press(pilot, "m")
        assert (app.controller.state.view, app.controller.state.beside) == ("map", "")  # whose boxes are values
        await press(pilot, "enter")
        assert (app.controller.state.view, app.controller.state.beside) == ("heat", "")


async def test_it_says_which_head_and_which_text_it_draws(encoder: Encoder) -> None:
    batch = Session(encoder.run([SENTENCE, "A cat"]), encoder)
    lines = ["look layers.0.attention.weights"]
    async with running(lambda progress: batch, lines, size=(120, 40)) as (app, pilot):
        await press(pilot, "m")
        view = app.main.inspector.view
        assert "layers.0.attention.weights[text 0, head 0]" in lines_of(view)[-2]
        first = lines_of(view)
        await press(pilot, "]")
        assert "layers.0.attention.weights[text 0, head 1]" in lines_of(view)[-2]
        assert lines_of(view)[:-2] != first[:-2]
        await press(pilot, ">")
        assert "layers.0.attention.weights[text 1, head 1]" in lines_of(view)[-2]
        await press(pilot, "g")
        assert "tokens.ids  " in lines_of(view)[-2]  # its text stands above, in the strip of tokens
        assert any("[CLS] a cat" in line for line in lines_of(view))


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
async def test_what_the_explanation_says_below_is_not_said_in_the_foot_as_well(
    session: Session, size: tuple[int, int]
) -> None:
    async with running(lambda progress: session, ["look layers.0.attention.weights"], size=size) as (app, pilot):
        await press(pilot, "m", "x")
        view = app.main.inspector.view
        foot = lines_of(view)[-1]
        assert foot.startswith("layers.0.attention.weights[head 0]   weights = softmax(masked) over key")
        shown = screen_of(app)
        for once in ("Attention weights", "Softmax of each row", "softmax(masked"):
            assert sum(once in line for line in shown) == 1, once
        await press(pilot, "x")
        assert any(line.startswith("Softmax of each row") for line in lines_of(view))


async def test_a_recording_says_which_boxes_have_no_numbers(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "few.safetensors"
    save(session.trace, path, select="layers.0.attention.*")
    async with running(lambda progress: Session(open_snapshot(path)), size=(120, 40)) as (app, pilot):
        await press(pilot, "m")
        lines = lines_of(app.main.inspector.view)
        assert lines[-1].startswith("No numbers here: a recording without this stage")
        held = app.controller.position.world.held if app.controller.position is not None else frozenset[str]()
        view = app.main.inspector.view
        assert isinstance(view, MapView)
        missing = [stage for stage in boxes(view._rows) if stage not in held]
        assert sum(line.count("no numbers") for line in lines) == len(missing) > 0
        assert set(view._pictures) == held.intersection(boxes(view._rows)) != set()


async def test_what_is_told_below_goes_with_the_cursor_inside_a_box(session: Session) -> None:
    async with running(lambda progress: session, size=(120, 40)) as (app, pilot):
        await press(pilot, "m", "s", "s")
        assert any("┏▶ tokens" in line for line in screen_of(app))  # mask is part of that box
        assert any("tokens.mask" in line for line in lines_of(app.main.inspector.view)[-2:])


@pytest.mark.parametrize("model", [None, "cbow"])
def test_no_box_of_the_way_to_a_word_has_its_title_cut(model: str | None) -> None:
    rows = map_rows((load(model, device="cpu") if model else load(device="cpu")).program, 0)
    head = next(row for row in rows if row.title.startswith("head"))
    assert [box.title for box in head.boxes][-3:] == ["logits", "softmax", "best"]


async def test_a_click_comes_to_a_box_and_a_folded_layer_opens(session: Session) -> None:
    async with running(lambda progress: session, size=(120, 40)) as (app, pilot):
        await press(pilot, "m")
        rows = lines_of(app.main.inspector.view)
        y = next(at for at, line in enumerate(rows) if "layer 2" in line)

        await pilot.click("MapView", offset=(rows[y].index("layer 2"), y))
        await settled(pilot)
        assert app.controller.state.stage == "layers.2.ffn.norm"
        assert any("layer 2 · attention" in line for line in screen_of(app))


async def test_in_chinese(session: Session, chinese: None) -> None:
    async with running(lambda progress: session, size=(120, 40)) as (app, pilot):
        await press(pilot, "m")
        await settled(pilot)
        text = "\n".join(screen_of(app))

        assert all(word in text for word in ("词元", "第 0 层 · 注意力", "相加归一化", "最可能的词"))


async def test_what_is_told_on_opening_stands_on_the_map_that_covers_the_console(encoder: Encoder) -> None:
    session = Session(encoder.run("貓 狗 cat"), encoder)
    for width, height in ((120, 40), (80, 24)):
        app = EncoderApp(lambda progress: session, on_map=True)
        async with app.run_test(size=(width, height)) as pilot:
            await settled(pilot)
            told = screen_of(app)[-2]
            assert told.startswith(" ! 2 of 3 tokens are [UNK]")
            assert told.rstrip().endswith("v reads the note on the whole screen")
            await press(pilot, "down")
            assert screen_of(app)[-2] == told  # until another text is opened
            await press(pilot, "v")
            assert any("[UNK]" in line for line in screen_of(app)[:4])
            app.engine.close()


async def test_that_all_is_well_is_told_as_that_and_after_what_is_not(encoder: Encoder) -> None:
    run = encoder.run("cat")
    run.assurances = frozenset({"all is well"})
    for notes, told in ((("all is well",), " ✓ all is well"), (("all is well", "beware"), " ! beware")):
        run.model_notes = notes
        app = EncoderApp(lambda progress: Session(run, encoder), on_map=True)
        async with app.run_test(size=(80, 24)) as pilot:
            await settled(pilot)
            assert screen_of(app)[-2].startswith(told)
            app.engine.close()


async def test_a_text_of_which_nothing_is_to_be_told_has_no_such_line(session: Session) -> None:
    app = EncoderApp(lambda progress: session, on_map=True)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        assert app.controller.state.view == "map"
        assert not any(line.startswith(" !") for line in screen_of(app))
        app.engine.close()


async def test_no_tour_is_offered_where_there_is_none(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "all.safetensors"
    save(session.trace, path)
    async with running(lambda progress: Session(open_snapshot(path)), size=(120, 40)) as (app, pilot):
        await press(pilot, "m")
        assert "Enter opens it, m shows the tree" in lines_of(app.main.inspector.view)[-2]
        assert not [line for line in screen_of(app) if "tour" in line]
    async with running(lambda progress: session, size=(120, 40)) as (app, pilot):
        await press(pilot, "m")
        assert "Enter opens it, m shows the tree, T the tour" in lines_of(app.main.inspector.view)[-2]
        assert "T tour" in screen_of(app)[-1]
