"""The interface in Chinese: nothing missing, nothing stale; and the language a locale asks for."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from encoder_tui.engine.messages.errors import InputError
from encoder_tui.engine.messages.translation import catalogue, language, language_of, tr, trn, use
from labels import looked_up, written

ZH = Path(__file__).parent.parent / "engine" / "messages" / "translations" / "zh.toml"
LETTERLESS = ("{value}: {words}", "NaN", " in float64", "{name} {index} of {size} {keys}", "{name} {span} of {size}")
FIELD = re.compile(r"\{\w+\}")


def test_every_label_has_chinese():
    labels = written() | looked_up()
    assert len(labels) > 200
    assert {label: where for label, where in labels.items() if label not in catalogue("zh")} == {}


def test_nothing_in_the_catalogue_is_stale():
    used = written().keys() | looked_up().keys()
    assert [label for label in catalogue("zh") if label not in used] == []


def test_a_label_stands_in_one_place_or_is_the_same_in_all():
    seen: dict[str, str] = {}
    for section in tomllib.loads(ZH.read_text("utf-8")).values():
        for label, chinese in section.items():
            assert seen.setdefault(label, chinese) == chinese


def test_chinese_labels_keep_their_fields_and_are_chinese():
    for label, chinese in catalogue("zh").items():
        assert sorted(FIELD.findall(label)) == sorted(FIELD.findall(chinese)), label
        assert re.search(r"[\u4e00-\u9fff]", chinese) or label in LETTERLESS, label
        assert label.endswith(".") == chinese.endswith("。"), label


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh-TW"}, "zh"),
        ({"LANG": "zh"}, "zh"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": ""}, "zh"),
    ],
)
def test_the_language_of_a_locale(environment: dict[str, str], wanted: str):
    assert language_of(environment) == wanted


def test_labels_in_the_language_in_use(chinese: None):
    assert language() == "zh"
    assert tr("breakpoints") == "断点"
    assert tr("what nobody translated") == "what nobody translated"
    assert trn(1, "{count} token", "{count} tokens") == "1 个词元"
    use("en")
    assert trn(1, "{count} token", "{count} tokens") == "1 token"
    assert trn(1200, "{count} token", "{count} tokens") == "1,200 tokens"


def test_an_unknown_language_is_refused():
    with pytest.raises(InputError, match="language 'fr' is not known; there are en, zh"):
        use("fr")


@pytest.mark.parametrize(
    ("environment", "arguments", "wanted"),
    [
        ({"LC_ALL": "zh_CN.UTF-8"}, [], "语言（默认按系统区域设置）"),
        ({"LC_ALL": "zh_CN.UTF-8"}, ["--lang", "en"], "language (default: that of the locale)"),
        ({"LC_ALL": "C.UTF-8"}, ["--lang=zh"], "语言（默认按系统区域设置）"),
        ({"LC_ALL": "C.UTF-8"}, [], "language (default: that of the locale)"),
    ],
)
def test_the_command_line_speaks_it(environment: dict[str, str], arguments: list[str], wanted: str):
    import os

    command = [sys.executable, "-m", "encoder_tui.tui", *arguments, "--help"]
    done = subprocess.run(
        command,
        capture_output=True,
        encoding="utf-8",
        env=os.environ | environment | {"PYTHONIOENCODING": "utf-8", "COLUMNS": "200"},
        check=True,
    )
    assert wanted in done.stdout


def test_another_language_on_the_command_line_is_refused():
    command = [sys.executable, "-m", "encoder_tui.tui", "--lang", "fr", "--batch"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--lang" in done.stderr
    assert "'fr'" in done.stderr
    assert len(done.stderr.splitlines()) == 1
