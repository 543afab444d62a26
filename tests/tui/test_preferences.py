"""What a person keeps: the config file, keys bound anew, the init file, what was typed."""

from __future__ import annotations

import os
import stat
import threading
import tomllib
from pathlib import Path

import pytest
from driving import press, screen_of, settled, write
from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.commands.screen import HOMES as HOMES_OF_COMMAND
from encoder_tui.engine.messages.errors import InputError
from encoder_tui.engine.messages.translation import language, use
from encoder_tui.tui.app.app import EncoderApp
from encoder_tui.tui.preferences.config import HOMES, Preferences, read_preferences, remember
from encoder_tui.tui.preferences.history import History
from encoder_tui.tui.preferences.kept import FirstLine, Kept, kept_for, read_init
from encoder_tui.tui.preferences.places import config_folder
from encoder_tui.tui.state.keymap import rebound
from fakes import fake_session
from hypothesis import given
from hypothesis import strategies as st

MINE = """# mine
theme = 'nord'   # as at home
[keys]
f5 = "run"  # from my editor
"""


def test_the_homes_of_the_file_are_those_of_the_command() -> None:
    assert HOMES == HOMES_OF_COMMAND


def test_a_config_file_is_read_and_what_is_wrong_in_it_is_told_by_name(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    assert read_preferences(path) == Preferences()
    path.write_text('theme = "nord"\nlanguage = "fr"\nhome = 3\nthme = "x"\n[keys]\nf5 = "run"\n"+" = 7\n', "utf-8")
    assert read_preferences(path) == Preferences(
        theme="nord",
        keys=(("f5", "run"),),
        refused=(
            f"{path}: language is not 'fr'; write en or zh",
            f"{path}: home is not 3; write map or tree",
            f"{path}: 'thme' is not known; did you mean theme, home?",
            f'{path}: the key \'+\' is given no command; write for instance "+" = "step"',
        ),
    )


def test_keys_that_are_no_table_are_told_how_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("keys = 3\n", "utf-8")
    told = f'{path}: keys is no table; write [keys] on a line, and below it for instance f5 = "run"'
    assert read_preferences(path).refused == (told,)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"theme = nord", "Invalid value (at line 1, column 9): theme = nord"),
        (b'[keys]\nf5 = "run"\nf5 = "step"\n', 'Cannot overwrite a value (at line 3, column 12): f5 = "step"'),
        (b"\xff\xfe", "it is not UTF-8"),
        (b"x = " + b"[" * 99_999, "brackets or names within each other by the hundred"),
        (b"x" + b".x" * 9_999 + b" = 1", "brackets or names within each other by the hundred"),
        (b"theme = " + b"x" * 99_999, f"Invalid value (at line 1, column 9): theme = {'x' * 52}…"),
        (b"#" * 1_000_001, "more than 1,000,000 bytes"),
    ],
)
def test_a_broken_file_is_left_aside_and_told(content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(content)
    assert read_preferences(path).refused == (f"{path} is left aside: {reason}",)
    with pytest.raises(InputError, match='write theme = "nord" in it by hand'):
        remember(path, "theme", "nord")
    assert path.read_bytes() == content


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "config.toml")
    assert read_preferences(tmp_path / "config.toml").refused[0].endswith("is left aside: it is not a file")


def test_remembering_changes_one_line_and_keeps_comments_mode_and_links(tmp_path: Path) -> None:
    real, path = tmp_path / "dotfiles.toml", tmp_path / "config.toml"
    real.write_text(MINE, "utf-8")
    real.chmod(0o600)
    path.symlink_to(real)
    remember(path, "theme", "encoder-day")
    remember(path, "home", "tree")
    assert real.read_text("utf-8") == MINE.replace("'nord'", '"encoder-day"').replace(
        "home\n", 'home\nhome = "tree"\n\n'
    )
    assert path.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o600
    assert sorted(file.name for file in tmp_path.iterdir()) == ["config.toml", "dotfiles.toml"]


ODD = st.sampled_from(
    [
        "",
        "# c",
        "[keys]",
        'f5 = "a=b"',
        'theme = "x" # y',
        "theme='[q]'",
        '"home" = "map"',
        'language = """zh"""',
        "x = [\n  1]",
    ]
)


@given(st.lists(ODD, max_size=6).map("\n".join), st.sampled_from(["theme", "language", "home"]))
def test_remembering_sets_the_choice_or_refuses_and_loses_nothing(text: str, name: str) -> None:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        path = Path(folder) / "sub" / "config.toml"
        path.parent.mkdir()
        path.write_text(text, "utf-8")
        try:
            remember(path, name, "new")
        except InputError:
            assert path.read_text("utf-8") == text
        else:
            assert tomllib.loads(path.read_text("utf-8")) == {**tomllib.loads(text), name: "new"}
            assert {line for line in text.splitlines() if line.startswith("#")} <= set(
                path.read_text("utf-8").splitlines()
            )


def test_a_config_is_made_where_there_is_none(tmp_path: Path) -> None:
    path = tmp_path / "new" / "config.toml"
    remember(path, "language", "zh")
    assert path.read_text("utf-8") == 'language = "zh"\n'


def test_keys_are_bound_anew_by_the_names_of_commands() -> None:
    table, refused = rebound(
        TABLE,
        [("f5", "run"), ("/", "step 3"), ("PgUp", "view grid"), ("Ctrl+N", "n"), ("q", ""), ("~", "goto {stage}")],
    )
    assert refused == ()
    lines = {key.key: key.line for command in table for key in command.keys}
    assert lines["f5"] == "run "  # which needs a text: it is put on the command line
    assert lines["slash"] == "step 3"
    assert lines["pageup"] == "view grid"
    assert lines["ctrl+n"] == "next"
    assert lines["tilde"] == "goto {stage}"
    assert "q" not in lines
    assert lines["c"] == "continue"
    (grid,) = [key for key in table.find("view").keys if key.key == "pageup"]
    assert (grid.name, grid.label) == ("PgUp", "grid")


@pytest.mark.parametrize(
    ("binding", "told"),
    [
        (("f5", "rum"), "the key 'f5' keeps its meaning: no command 'rum'; did you mean run?"),
        (("slosh", "run"), "the key 'slosh' keeps its meaning: no key is called so; did you mean slash?"),
        (("escape", "run"), "the key 'escape' keeps its meaning: it is needed to stop, to leave or to complete"),
        (("slash", "run"), "the key 'slash' keeps its meaning: it is given twice, as '/' before"),
        (("", "run"), "the key '' keeps its meaning: a key has a name; a space is called space"),
    ],
)
def test_a_binding_that_cannot_be_is_refused_by_name(binding: tuple[str, str], told: str) -> None:
    table, refused = rebound(TABLE, [("/", "step"), binding])
    assert refused == (told,)
    assert {key.line for command in table for key in command.keys if key.key == "slash"} == {"step"}


def test_a_history_keeps_the_latest_lines_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "state" / "history"
    history = History(path, most=3)
    assert history.lines() == []
    for number in range(8):
        history.add(f"step {number}\nx")
    assert history.lines() == ["step 5 x", "step 6 x", "step 7 x"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(path.read_text().splitlines()) <= 6


def test_several_sessions_lose_nothing(tmp_path: Path) -> None:
    sessions, each = 4, 50

    def typing(session: int) -> None:
        history = History(tmp_path / "history", most=150)  # so that it is shortened, once or more, while others write
        for number in range(each):
            history.add(f"{session} {number}")

    threads = [threading.Thread(target=typing, args=(session,)) for session in range(sessions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = History(tmp_path / "history", most=150).lines()
    assert len(lines) == len(set(lines)) == 150
    for session in range(sessions):
        numbers = [int(line.split()[1]) for line in lines if line.startswith(f"{session} ")]
        assert numbers == list(range(each))[each - len(numbers) :]


def test_a_history_that_cannot_be_kept_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    history = History(tmp_path / "file" / "history")
    history.add("step")
    assert history.lines() == []


def test_an_init_file_knows_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "init"
    path.write_text("# first\nbreak unexpected\n\n  set digits 3\n", "utf-8")
    commands, refused = read_init(path)
    assert [(command.place, command.line) for command in commands] == [
        (f"{path}, line 2", "break unexpected"), (f"{path}, line 4", "set digits 3"),
    ]  # fmt: skip
    assert refused == ()


def test_a_script_depends_on_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "encoder-tui").mkdir()
    (tmp_path / "encoder-tui" / "config.toml").write_text('language = "zh"', "utf-8")
    assert config_folder() == tmp_path / "encoder-tui"
    assert kept_for(["text"]).preferences.language == "zh"
    assert kept_for(["--", "--batch"]).preferences.language == "zh"
    assert kept_for(["text", "--batch"]) == kept_for(["--no-config"]) == Kept()


async def test_choices_made_by_hand_are_remembered_and_those_of_scripts_are_not(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    app = EncoderApp(lambda progress: fake_session(""), ["theme nord", "home map"], kept=Kept(config=config))
    try:
        async with app.run_test(size=(120, 40)) as pilot:
            await settled(pilot)
            assert (app.theme, app.controller.state.view) == ("nord", "map")
            assert not config.exists()
            await press(pilot, "colon")
            for line in ("theme encoder-day", "set lang zh", "home tree", "theme dracola"):
                await write(pilot, line)
            assert app.main.console.text[-1] == "✗ no theme is called 'dracola'; did you mean dracula?"
            assert app.controller.state.view == "heat"
            assert "home tree，已记住" in app.main.console.text
            assert tomllib.loads(config.read_text("utf-8")) == {
                "theme": "encoder-day",
                "language": "zh",
                "home": "tree",
            }
            assert language() == "zh"
    finally:
        app.engine.close()
        use("en")


async def test_what_is_kept_is_there_on_opening(tmp_path: Path) -> None:
    history = History(tmp_path / "history")
    history.add("goto layers.1.output")
    history.add("stats tokens.mask")
    kept = Kept(
        Preferences("dracola", keys=(("ctrl+n", "step 2"), ("f5", "rum"))),
        history=history,
        init=(FirstLine("init, line 1", "brek x"), FirstLine("init, line 2", "break tokens.mask")),
        refused=("config.toml: 'thme' is not known",),
    )
    app = EncoderApp(lambda progress: fake_session(""), kept=kept)
    try:
        async with app.run_test(size=(120, 40)) as pilot:
            await settled(pilot)
            assert app.theme == "encoder-night"
            told = app.main.console.text
            assert told[:3] == [
                "! config.toml: 'thme' is not known",
                "! theme: no theme is called 'dracola'; did you mean dracula?",
                "! the key 'f5' keeps its meaning: no command 'rum'; did you mean run?",
            ]
            init = next(line for line in told if "init" in line)
            assert init.startswith("✗ init, line 1: no command 'brek'; did you")
            assert app.controller.position is not None
            assert len(app.controller.position.breakpoints) == 1
            await press(pilot, "ctrl+n")
            assert app.controller.position.cursor == 1
            await press(pilot, "question_mark")
            assert any("ctrl+n" in line and "step 2" in line for line in screen_of(app))
            await press(pilot, "x", "colon", "g", "ctrl+r")
            assert app.main.console.line.value == "goto layers.1.output"
            await press(pilot, "ctrl+c", "up")
            assert app.main.console.line.value == "stats tokens.mask"
            await press(pilot, "enter")
            assert history.lines()[-1] == "stats tokens.mask"
    finally:
        app.engine.close()
