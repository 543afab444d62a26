"""Chinese from the command line to the last column: input, tokens two cells wide, search, and a word when it cannot be read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from driving import lines_of, press, running, screen_of, settled, write
from encoder_tui.engine.commands.session import Session
from encoder_tui.engine.messages.translation import use
from encoder_tui.tui.cli import main
from rich.cells import cell_len

TEXT = "今天天气很好，berts 🎉"
TOKENS = ["[CLS]", "今", "天", "天", "气", "很", "好", "，", "bert", "##s", "🎉", "[SEP]"]


@pytest.fixture
def start(chinese_dir: Path, chinese: None) -> Callable[[Any], Session]:
    """A session on the Chinese checkpoint, and the screen in Chinese."""

    def make(progress: Any) -> Session:
        from encoder_tui.engine import load

        encoder = load(chinese_dir, "cpu")
        return Session(encoder.run(TEXT), encoder)

    return make


def column_of(line: str, part: str) -> int:
    """The cell in which a part of a line begins."""
    return cell_len(line[: line.index(part)])


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_all_views_keep_their_columns(start: Callable[[Any], Session], size: tuple[int, int]) -> None:
    async with running(start, ["goto layers.1.attention.weights"], size=size) as (app, pilot):
        assert list(app.controller.position.world.tokens.strings[0]) == TOKENS  # type: ignore[union-attr]
        for view in "12345678":
            await press(pilot, view, "j", "l")
            strips: list[Any] = app.screen._compositor.render_strips()
            assert {strip.cell_length for strip in strips} == {size[0]}
            # the rule between the panes stands in one column, whatever stands left of it
            screen = screen_of(app)
            rules = {column_of(line, "│") for line in screen[3:] if "│" in line}
            assert rules == {column_of(screen[2], "┬")}, view


async def test_numbers_stand_under_their_tokens(start: Callable[[Any], Session]) -> None:
    async with running(start, ["goto layers.1.attention.weights"]) as (app, pilot):
        await press(pilot, "2")
        lines = lines_of(app.main.inspector.view)
        heads, rows = lines[0], lines[1 : 1 + len(TOKENS)]
        assert [row.strip("▸ ").split()[0] for row in rows] == TOKENS
        first = {cell_len(row[: row.index("+")]) for row in rows}
        assert first == {column_of(heads, "[CLS]")}
        second = {cell_len(row[: row.index("+", row.index("+") + 1)]) for row in rows}
        assert second == {column_of(heads, "今")}


async def test_the_token_strip_and_the_cell(start: Callable[[Any], Session]) -> None:
    async with running(start, ["goto layers.1.attention.weights"], size=(80, 24)) as (app, pilot):
        await press(pilot, "j", "l", "l")
        assert lines_of(app.main.tokens) == [" [CLS] 今 天 天 气 很 好 ， bert##s 🎉 [SEP]"]
        assert '[query=1 "今", key=2 "天"] = ' in lines_of(app.main.inspector.view)[-1]


async def test_stages_are_found_by_their_chinese_names(start: Callable[[Any], Session]) -> None:
    async with running(start, size=(80, 24)) as (app, pilot):
        await press(pilot, "slash")
        await write(pilot, "注意力得分")
        assert app.controller.state.stage == "layers.0.attention.scores"
        assert screen_of(app)[-1].rstrip() == " 第 1 个，共找到 2 个符合 '注意力得分' 的阶段   . 下一个   , 上一个"
        await press(pilot, "full_stop")
        assert app.controller.state.stage == "layers.1.attention.scores"
        await press(pilot, "slash")
        await write(pilot, "残差")
        assert app.controller.state.stage.endswith(".residual")


async def test_chinese_is_typed_into_the_console(start: Callable[[Any], Session]) -> None:
    async with running(start) as (app, pilot):
        await press(pilot, "colon")
        await write(pilot, "run 我们去公园看花")
        await write(pilot, "break *.weights if x[head=0, query='花', key='看'] > 0")
        await press(pilot, "escape")
        assert lines_of(app.main.tokens) == [" [CLS] 我 们 去 公 园 看 花 [SEP]"]
        assert "> run 我们去公园看花" in app.main.console.text
        await press(pilot, "c")
        assert app.controller.position is not None
        assert app.controller.position.stage == "layers.0.attention.weights"
        await settled(pilot)


async def test_a_vocabulary_without_chinese_says_which_model_to_take(chinese: None) -> None:
    def make(progress: Any) -> Session:
        from encoder_tui.engine import load

        encoder = load(None, "cpu")
        return Session(encoder.run("今天天气很好"), encoder)

    async with running(make) as (app, _):
        said = "".join(line.strip("● ") for line in app.main.console.text)
        assert "6 个词元中有 6 个是 [UNK]：这个模型的词表不含这些词。中文文本需要用中文训练的模型" in said.replace(
            " 中文文本", "中文文本"
        )
        assert "--modelgoogle-bert/bert-base-chinese" in said.replace(" ", "")  # a line may end between the two


@pytest.mark.parametrize(("language", "words"), [("zh", "这个模型的词表不含这些词"), ("en", "6 of 6 tokens are [UNK]")])
def test_batch_mode_says_it_too(language: str, words: str, capfd: pytest.CaptureFixture[str]) -> None:
    try:
        assert main(["今天天气很好", "--batch", "--lang", language, "-ex", "step", "-ex", "x"]) == 0
    finally:
        use("en")
    out, err = capfd.readouterr()
    assert words in err
    assert "bert-base-chinese" in err
    assert ("词元编号" if language == "zh" else "Token ids") in out


def test_an_english_text_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["the cat sat", "--batch"]) == 0
    assert capfd.readouterr().err == ""
