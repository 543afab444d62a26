"""`--json`: batch mode prints an object a line, of which each says what it is; without it nothing changes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from encoder_tui.engine import Encoder, Session
from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.pages.facts import json_line, json_number, nested
from encoder_tui.tui.cli import main
from schemas import SCHEMA, line_faults

Printed = Callable[..., tuple[int, list[dict[str, Any]]]]


@pytest.fixture
def printed(small_dir: Path, capsys: pytest.CaptureFixture[str]) -> Printed:
    def run(*arguments: str) -> tuple[int, list[dict[str, Any]]]:
        status = main([*arguments, "-m", str(small_dir), "--batch", "--json"])
        lines = [json.loads(line, parse_constant=refuse) for line in capsys.readouterr().out.splitlines()]
        assert [fault for line in lines for fault in line_faults(line)] == []
        return status, lines

    return run


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


def test_a_stop_says_where_and_why(printed: Printed) -> None:
    status, lines = printed("one", "-b", "layers.0.ffn.up if max > -1", "-ex", "step")
    assert status == 3
    assert lines == [
        {"kind": "text", "command": "break layers.0.ffn.up if max > -1", "text": "breakpoint 1 set at layers.0.ffn.up if max > -1"},
        {"kind": "stop", "command": "step", "reason": "step", "stage": "tokens.ids", "position": 0, "shape": [1, 3], "axes": ["batch", "token"], "breakpoint": None, "held": "", "place": []},
        {"kind": "stop", "command": None, "reason": "breakpoint", "stage": "layers.0.ffn.up", "position": 26, "shape": [1, 3, 64], "axes": ["batch", "token", "intermediate"], "breakpoint": 1, **{key: lines[2][key] for key in ("held", "place")}},
    ]  # fmt: skip
    assert lines[2]["held"].startswith("max = ")
    assert printed("one")[1] == [{
        "kind": "stop", "command": None, "reason": "end", "stage": "head.pooler.activation", "position": 53, "shape": [1, 32],
        "axes": ["batch", "hidden"], "breakpoint": None, "held": "", "place": [],
    }]  # fmt: skip


def test_numbers_are_all_there_as_they_are(printed: Printed, small: Encoder) -> None:
    value = small.run("one two")["layers.1.ffn.up"]
    line = printed("one two", "-ex", "print layers.1.ffn.up[0, 1:3]")[1][0]
    assert np.array_equal(np.asarray(line.pop("numbers"), np.float32), value.read("0, 1:3"))
    assert line == {
        "kind": "value", "command": "print layers.1.ffn.up[0, 1:3]", "stage": "layers.1.ffn.up", "shape": [2, 64], "dtype": "float32",
        "window": {"batch": 0, "token": {"start": 1, "stop": 3, "step": 1}, "intermediate": {"start": 0, "stop": 64, "step": 1}},
    }  # fmt: skip
    ids = printed("one", "-ex", "print tokens.ids")[1][0]
    assert (ids["words"], np.shape(ids["numbers"])) == ([["[CLS]", "one", "[SEP]"]], (1, 3))


def test_statistics(printed: Printed, small: Encoder) -> None:
    stats = small.run("one")["output"].stats()
    line = printed("one", "-ex", "stats output")[1][0]
    assert {name: line[name] for name in ("kind", "stage", "count", "max", "std", "norm")} == {
        "kind": "stats", "stage": "layers.1.ffn.norm", "count": stats.count, "max": stats.max, "std": stats.std, "norm": stats.norm,
    }  # fmt: skip
    assert line["histogram"] == list(stats.histogram)


def test_a_comparison_has_every_stage_and_its_verdict(printed: Printed) -> None:
    patch = "patch layers.1.attention.scores[0, 0, 0, 0] = nan"
    status, lines = printed("one two", "-ex", patch, "--against", "text 'one two' diagnose")
    assert status == 3
    comparison, diagnosis = lines[-2:]
    assert comparison["command"] == "compare text 'one two' diagnose"
    assert (comparison["kind"], comparison["equal"], comparison["first"]) == (
        "comparison",
        False,
        "layers.1.attention.scores",
    )
    assert comparison["notes"] == ["patched    ours layers.1.attention.scores; the other side is not"]
    rows = {row["stage"]: row for row in comparison["stages"]}
    row = rows["layers.1.attention.scores"]
    assert (row["relative"], row["ours"], row["nan"], row["place"]) == ("Infinity", "NaN", 1, [0, 0, 0, 0])
    assert (rows["embeddings.norm"]["largest"], rows["embeddings.norm"]["place"]) == (0.0, None)
    assert (rows["embeddings.norm"]["snr_db"], rows["tokens.ids"]["snr_db"]) == ("Infinity", None)
    assert len(rows) == 53
    assert (diagnosis["kind"], diagnosis["left"]) == ("diagnosis", "layers.1.attention.scores")
    assert diagnosis["tried"]


def test_over_texts_each_text_has_its_gap(printed: Printed, tmp_path: Path) -> None:
    (tmp_path / "texts").write_text("one\ntwo three\n")
    line = printed("one", "--against", f"dtype float64 texts {tmp_path / 'texts'}")[1][-1]
    assert (line["kind"], line["equal"], len(line["texts"])) == ("comparison_over_texts", True, 2)
    assert [gap["tokens"] for gap in line["padded"] if gap["padding"]] == [gap["tokens"] for gap in line["padded"]]
    assert line["unpadded"] == []


def test_the_readme_names_every_kind_of_line() -> None:
    """And none that is not there: what is printed of a kind that the schema lacks fails in `printed`."""
    names = [each["$ref"].removeprefix("#/$defs/") for each in SCHEMA["$defs"]["line"]["oneOf"]]
    kinds = [SCHEMA["$defs"][name]["properties"]["kind"]["const"] for name in names]
    readme = (Path(__file__).parent.parent / "README.md").read_text("utf-8")
    said = readme.partition("an object a line, each with its `kind` (")[2].partition(")")[0]
    assert sorted(re.findall("`([a-z_]+)`", said)) == sorted(kinds)


def test_a_check_says_what_it_looked_at(printed: Printed) -> None:
    status, lines = printed("one", "two three", "--check", "masks", "-ex", "patch mask.additive = 0")
    assert status == 3
    check = lines[-1]
    assert {name: check[name] for name in ("kind", "command", "check", "fault")} == {
        "kind": "check", "command": "check masks", "check": "masks", "fault": True,
    }  # fmt: skip
    assert check["findings"][0]["stage"] == "mask.additive"
    assert check["checked"]
    assert printed("one", "-ex", "check masks")[1][0]["fault"] is False
    assert printed("one", "-ex", "check weights")[1][0]["check"] == "weights"


def test_what_has_no_fields_is_text(printed: Printed) -> None:
    assert printed("one", "-ex", "info breakpoints")[1][0] == {
        "kind": "text", "command": "info breakpoints", "text": "no breakpoints",
    }  # fmt: skip


def test_what_is_told_after_an_answer_is_not_lost(small: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    def stale(*_: object) -> list[str]:
        return ["it names nothing"]

    monkeypatch.setattr("encoder_tui.engine.debugger.stale_breakpoints.stale_breakpoints", stale)
    reply = TABLE.execute(Session(small.run("one"), small), "compare text three")
    assert reply.text.endswith("\nit names nothing")
    assert reply.facts is not None
    assert [facts["kind"] for facts in reply.facts()] == ["comparison", "text"]
    assert reply.facts()[1]["text"] == "it names nothing"


def test_the_text_is_as_it_was(small_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for more in ([], ["--json"]):
        main(["one", "-m", str(small_dir), "--batch", "-ex", "print output[0, 0, 0]", *more])
    plain_text, *lines = capsys.readouterr().out.partition('{"kind"')
    assert plain_text.startswith("layers.1.ffn.norm[batch=0, token=0 '[CLS]', hidden=0] = ")
    assert "at the end, head.pooler.activation" in plain_text
    assert lines[0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["one", "--json"], "--json needs --batch: it is what is printed there"),
        (["word " * 60, "--batch", "--json", "-ex", "print layers.0.attention.weights"], ""),
    ],
)
def test_where_it_is_refused(
    arguments: list[str],
    said: str,
    small_dir: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("encoder_tui.engine.pages.facts.MOST_NUMBERS_PRINTED", 1000)
    assert main([*arguments, "-m", str(small_dir)]) == 2
    told = (
        said
        or "layers.0.attention.weights has 15,376 numbers there, and --json prints up to 1,000; name a window of it, or `export` it"
    )
    assert capsys.readouterr().err == f"encoder-tui: {told}\n"


def test_what_json_has_no_number_for_is_a_word_and_what_steers_a_terminal_an_escape() -> None:
    assert [json_number(each) for each in (1.5, float("nan"), float("inf"), -float("inf"), np.float32(2), np.int64(3), None, True)] == [
        1.5, "NaN", "Infinity", "-Infinity", 2.0, 3, None, True,
    ]  # fmt: skip
    assert nested(np.asarray([[1.0, np.nan], [-np.inf, 2.0]])) == [[1.0, "NaN"], ["-Infinity", 2.0]]
    assert json_line({"text": "\x1b[31m 猫 \u202e"}) == '{"text": "\\u001b[31m \\u732b \\u202e"}'
