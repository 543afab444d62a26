"""The path of someone who learns, by keys alone: each of the story's seven parts, in both languages, on both screens."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from driving import lines_of, press, running, screen_of, settled, write
from encoder_tui.engine import Session, load
from encoder_tui.engine.messages.translation import use
from encoder_tui.tui.app.app import EncoderApp
from encoder_tui.tui.views.excuses import too_small
from textual.pilot import Pilot

TEXT = "The animal didn't cross the street because it was too tired"
SMALL, LARGE = (80, 24), (120, 40)
SWEEP = [pytest.mark.sweep]
each_screen = pytest.mark.parametrize(
    ("language", "size"),
    [
        pytest.param(language, size, marks=SWEEP * ((language, size) not in (("en", SMALL), ("zh", LARGE))))
        for language in ("en", "zh")
        for size in (SMALL, LARGE)
    ],
    indirect=["language"],
    ids=str,
)


def each_in_turn(name: str, first: str | None, second: str) -> pytest.MarkDecorator:
    """Two cases in both languages: the first in English and the second in Chinese, and the other way round in sweeps."""
    return pytest.mark.parametrize(
        ("language", name),
        [
            pytest.param(language, value, marks=SWEEP * (language != its_own))
            for value, its_own in ((first, "en"), (second, "zh"))
            for language in ("en", "zh")
        ],
        indirect=["language"],
        ids=str,
    )


@pytest.fixture(params=["en", "zh"])
def language(request: pytest.FixtureRequest) -> Iterator[str]:
    use(request.param)
    yield request.param
    use("en")


def opened(model: str | None = None, **options: Any):
    def start(progress: object):
        encoder = load(model, "cpu", **options)
        return Session(encoder.trace(TEXT), encoder)

    return start


def words(app: EncoderApp) -> str:
    return "\n".join(screen_of(app))


async def look_at(pilot: Pilot[Any], stage: str):
    await press(pilot, "slash")
    await write(pilot, stage)


@each_screen
async def test_tokens_and_codes(language: str, size: tuple[int, int]):
    async with running(opened(), size=size) as (app, pilot):
        await press(pilot, "s", "2")
        ids = app.controller.position.world.tokens.ids[0]
        assert re.search(rf"\b{ids[1]} +{ids[2]}\b", words(app))
        await look_at(pilot, "one_hot")
        await press(pilot, "t", "x")
        assert {"en": "One-hot", "zh": "独热"}[language] in words(app)
        await look_at(pilot, "embeddings.token")
        await press(pilot, "t", "5")
        assert "one_hot[0, 0" in words(app)
        await press(pilot, "colon")
        await write(pilot, "why embeddings.token[0, 2, 3]")
        await press(pilot, "escape", "v")
        seen = words(app)
        for _ in range(4):  # its longest line is wider than the screen
            await press(pilot, "right")
            seen += words(app)
        assert "the same number" in seen or language == "zh"  # its notes are in Chinese then
        assert "8,000" in seen  # so many terms does the product have that a lookup saves


@each_in_turn("model", "cbow", "skipgram")
async def test_word2vec(language: str, model: str):
    async with running(opened(model)) as (app, pilot):
        await press(pilot, "colon")
        await write(pilot, "goto loss.word")
        await write(pilot, "nearest king 4")
        await press(pilot, "escape")
        shown = words(app)
        assert "loss.word" in shown
        assert len(re.findall(r"\+0\.\d{4}", shown)) == 4


@each_in_turn("model", None, "preset:transformer-base")
async def test_positions(language: str, model: str | None):
    async with running(opened(model)) as (app, pilot):
        await look_at(pilot, "embeddings.position")
        await press(pilot, "t", "1")
        shown = words(app)
        assert "embeddings.position" in shown
        assert re.search(r"\b10 it\b", shown)  # positions stand beside their tokens
        assert app.controller.state.view == "heat"


@each_screen
async def test_attention(language: str, size: tuple[int, int]):
    async with running(opened(), size=size) as (app, pilot):
        await look_at(pilot, "layers.1.attention.weights")
        await press(pilot, "t", "7")
        assert "%" in words(app)
        await press(pilot, "j", "right_square_bracket")
        assert re.search(r"[Hh]1/4|1/4|头 ?1", words(app))
        await press(pilot, "8")
        assert app.controller.state.view == "grid"
        await press(pilot, "enter")
        assert app.controller.state.view == "heat"
        await look_at(pilot, "layers.1.ffn.activation")
        await press(pilot, "t", "x")
        assert {"en": "ctivation", "zh": "激活"}[language] in words(app)


async def test_training_mode(language: str):
    async with running(opened(train_seed=7, dropout=0.1)) as (app, pilot):
        await look_at(pilot, "weights_dropout_mask")
        await press(pilot, "t", "2", "x")
        shown = words(app)
        assert "1.1111" in shown
        assert {"en": "ropout", "zh": "丢弃"}[language] in shown


async def test_models_of_the_story(language: str):
    async with running(opened("preset:gpt3-width")) as (app, pilot):
        await press(pilot, "dollar_sign")
        assert "1,812,099,072" in words(app)
        await press(pilot, "escape")
        await look_at(pilot, "layers.0.attention.scores")
        assert "96" in words(app)


@each_screen
async def test_the_tour(language: str, size: tuple[int, int]):
    async with running(opened(), ["tour"], size=size) as (app, pilot):
        label = {"en": "tour", "zh": "导览"}[language]
        for stop in range(1, 18):
            assert f"{label} {stop}/17" in words(app)
            assert app.controller.position.tour.covered
            assert words(app).count("░░░░░░░░") > 10
            assert too_small(200) not in words(app)
            await press(pilot, "T")
            assert "░░░░░░░░" not in words(app)
            assert too_small(200) not in words(app)
            assert app.controller.state.stage == app.controller.position.tour.stage
            assert "v reads all" not in words(app)
            lines = app.main.explanation.faces
            assert len(lines) <= app.main.explanation.size.height, lines
            await press(pilot, "E")
            assert app.controller.position.tour.tried
            assert len(app.main.explanation.faces) <= app.main.explanation.size.height, app.main.explanation.faces
            await press(pilot, "T")
        await settled(pilot)
        assert app.controller.position.tour is None
        assert not app.controller.state.explained
        assert not app.controller.position.patched


async def test_the_tour_is_left_and_come_back_to_and_goes_back():
    async with running(opened(), ["tour"]) as (app, pilot):
        await press(pilot, "T", "T", "n", "T")  # wandered off and back
        assert "tour 2/17" in words(app)
        await press(pilot, "P")
        assert "tour 1/17" in words(app)
        assert "15 tokens: [CLS]" in words(app)


async def test_the_line_that_the_answer_speaks_of_is_on_the_screen():
    for stop, keys in ((11, "T"), (9, "TE"), (8, "TE")):
        async with running(opened(), [f"tour {stop}"], size=SMALL) as (app, pilot):
            await press(pilot, *keys)
            assert app.controller.state.view == "lines"
            shown = "\n".join(line[31:] for line in screen_of(app)[:14])
            assert re.search(r"tired  ?◂ +[<>]?\d+\.\d%", shown), shown


async def test_the_last_stop_says_that_it_is_and_how_the_tour_ended():
    async with running(opened(), ["tour 17"], size=(120, 40)) as (app, pilot):
        assert "(think, then T" not in words(app)  # the console keeps no question that the next stop does not ask
        await press(pilot, "T")
        assert "T ends the tour" in words(app)
        assert "T end the tour" in words(app)
        assert '"it" is among them' in words(app)
        await press(pilot, "E")
        said = "\n".join("".join(text for _, text in line) for line in app.main.explanation.faces)
        assert "T ends the tour · E hides it again" in said
        assert "think" not in said
        assert "patch" not in said
        await press(pilot, "T")
        assert app.controller.position.tour is None
        assert "the tour is at its end; `tour` begins it again" in app.main.footer.render_line(0).text


@pytest.mark.parametrize(("size", "said"), [((120, 40), []), ((80, 24), ["tour 1/17 · From text to tokens"])])
async def test_what_the_tour_asks_stands_in_the_console_only_where_its_pane_has_no_room(
    size: tuple[int, int], said: list[str]
):
    async with running(opened(), size=size) as (app, pilot):
        await press(pilot, ":")
        await write(pilot, "tour")
        assert [line for line in app.main.console.text if "tour 1/17" in line] == said
        await press(pilot, "escape")
        assert "1/17" in "\n".join(lines_of(app.main.explanation))
        await press(pilot, ":")
        await write(pilot, "tour leave")
        await write(pilot, "tour 17")
        await write(pilot, "tour")
        await write(pilot, "tour")
        assert app.main.console.text[-1].startswith("the tour is at its end")


async def test_the_footer_names_the_keys_of_the_tour_and_what_x_does_there():
    async with running(opened(), ["tour"], size=(80, 24)) as (app, pilot):

        def begins() -> str:
            return app.main.footer.render_line(0).text

        assert begins().startswith(" T answer  x leave the tour  s step")
        await press(pilot, "T")
        assert begins().startswith(" T go on  E try it  x leave the tour  s step")
        await press(pilot, "E")
        assert begins().startswith(" T go on  E take it back  x leave the tour  s step")
        await press(pilot, "T")
        assert begins().startswith(" T answer  P stop before  x leave the tour  s step")
        assert "explain" not in begins()
        await press(pilot, "x")
        assert begins().startswith(" s step")


async def test_what_the_text_is_cut_into_is_covered_first():
    async with running(opened(), ["tour"]) as (app, pilot):
        assert "[CLS]" not in words(app)
        await press(pilot, "T")
        assert "[CLS]" in words(app)


async def test_the_tour_shows_the_one_of_a_one_hot_row():
    async with running(opened(), ["tour 3"], size=(80, 24)) as (app, pilot):
        assert app.controller.state.column == 0
        await press(pilot, "T")
        assert app.controller.state.stage == "tokens.one_hot"
        state, tokens = app.controller.state, app.controller.position.world.tokens
        assert state.column == tokens.ids[0, state.row] > 0
        assert re.search(r"= 1\b", words(app))
        assert "v reads all" not in words(app)


async def test_a_stale_stage_keeps_its_shape_in_the_tree():
    lines = ["goto layers.0.ffn.norm", "goto layers.0.attention.query", "ablate layers.0.attention.value"]
    async with running(opened(), lines, size=SMALL) as (app, _):
        assert "value_heads~ 1×4×15×32" in words(app)
