"""`--report` and `report PATH`: a page, Markdown and JSON of what differs; whole or not at all."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from encoder_tui.engine import Encoder, InputError, Session, open_snapshot, save
from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.pages.report.as_markdown import code, fenced, prose
from encoder_tui.engine.traces import atomic_write
from encoder_tui.tui.cli import main
from schemas import SCHEMA, faults
from strict_html import read_strictly

HOSTILE = "</td><script>x</script> | `x` @me \u202e"
Batch = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def port(small_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same model with another GELU."""
    there = shutil.copytree(small_dir, tmp_path_factory.mktemp("port") / "a port")
    config = json.loads((there / "config.json").read_text())
    (there / "config.json").write_text(json.dumps(config | {"hidden_act": "gelu_new"}))
    return there


@pytest.fixture
def batch(small_dir: Path, capsys: pytest.CaptureFixture[str]) -> Batch:
    def run(*arguments: object) -> tuple[int, str]:
        status = main([*map(str, arguments), "-m", str(small_dir), "--batch"])
        return status, capsys.readouterr().err

    return run


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


def read_json(path: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(path.read_text("utf-8"), parse_constant=refuse)
    assert faults(report, SCHEMA) == []
    return report


def test_the_page_has_all_of_it(batch: Batch, port: Path, tmp_path: Path) -> None:
    path = tmp_path / "out.html"
    status, err = batch("one two", "--against", f"model '{port}'", "--report", path)
    assert status == 3
    assert re.fullmatch(rf"wrote {re.escape(str(path))}: they differ, \d+ kB\n", err)
    page = path.read_text("utf-8")
    words = read_strictly(page).words
    told = " ".join(words)
    assert "encoder-tui: they differ" in told
    assert "first difference:  layers.0.ffn.activation" in told
    assert {"A ours", "B theirs", "A−B", "Diagnosis", "All stages", "Once more"} <= {*words}
    assert words[words.index("cause") + 1] == "activation: theirs computes gelu_new, ours gelu"
    assert words[words.index("in ours") + 1] == 'config.json: "hidden_act": "gelu_new"'
    assert "one two" in words
    assert f"theirs (model {port})" in told
    assert re.search(r"Python 3\.\d+\.\d+, .*torch \d", told)
    assert page.count(' marked"') == 3
    assert "prefers-color-scheme: dark" in page
    assert "<script" not in page


def test_the_line_in_it_does_it_again(batch: Batch, port: Path, tmp_path: Path) -> None:
    first, again = tmp_path / "out.json", tmp_path / "again.json"
    patch = 'patch layers.0.ffn.up[0, "two"] = 3'
    assert batch("one two", "-ex", patch, "--against", f"model '{port}' tolerance 0.001", "--report", first)[0] == 3
    report = read_json(first)
    words = shlex.split(report["command"])
    assert words[0] == "encoder-tui"
    words[words.index(str(first))] = str(again)
    assert main(words[1:]) == 3
    report["command"] = report["command"].replace(str(first), str(again))
    assert read_json(again) == report


def test_the_json_is_as_its_schema_has_it_with_every_number(batch: Batch, port: Path, tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    nan = "patch layers.1.ffn.up[0, 0, 3] = nan"
    references = ["--against", "text 'one two'", "--against", f"model '{port}'", "--against", "dtype float64"]
    assert batch("one two", "-ex", nan, *references, "--report", path)[0] == 3
    report = read_json(path)
    assert {name: report[name] for name in ("format", "version", "equal")} == {
        "format": "encoder-tui report", "version": 1, "equal": False,
    }  # fmt: skip
    text, model, dtype = report["comparisons"]
    assert (text["first"], model["first"]) == ("layers.1.ffn.up", "layers.0.ffn.activation")
    assert text["picture"]["stage"] == "layers.1.ffn.up"
    row, column = text["picture"]["place"]
    assert (text["picture"]["rows"][row], text["picture"]["columns"][column]) == ("0 [CLS]", "3")
    assert text["picture"]["ours"][row][column] == "NaN"
    assert text["diagnosis"]["left"] == "layers.1.ffn.up"
    assert model["diagnosis"]["causes"][0]["cause"] == "activation"
    assert text["notes"] == ["patched    ours layers.1.ffn.up; the other side is not"]
    assert dtype["equal"]
    assert (dtype["picture"], dtype["diagnosis"], dtype["not_diagnosed"]) == (None, None, None)


def test_the_picture_is_of_the_numbers(batch: Batch, port: Path, tmp_path: Path, small: Encoder) -> None:
    from encoder_tui.engine import load

    path = tmp_path / "out.json"
    batch("one two three", "--against", f"model '{port}'", "--report", path)
    pair = read_json(path)["comparisons"][0]
    picture, (_, token, feature) = pair["picture"], next(r for r in pair["stages"] if r["beyond"])["place"]
    row, column = picture["place"]
    ours, theirs = (
        each.run("one two three")[picture["stage"]].numpy()[0].astype(float) for each in (small, load(port))
    )
    window = slice(token - row, token - row + len(picture["rows"])), slice(feature - column, feature - column + 12)
    assert np.array_equal(picture["ours"], ours[window])
    assert np.array_equal(picture["theirs"], theirs[window])
    assert np.abs(picture["difference"]).max() == abs(picture["difference"][row][column])
    assert picture["columns"][column] == str(feature)


def test_markdown_for_a_forge(batch: Batch, port: Path, tmp_path: Path) -> None:
    path = tmp_path / "out.md"
    assert batch("one two", "--against", f"model '{port}'", "--report", path)[0] == 3
    text = path.read_text("utf-8")
    assert text.startswith("## encoder-tui: they differ\n\n**different: ")
    assert "\n### first difference: `layers.0.ffn.activation`\n" in text
    assert "\n- **cause** `activation: theirs computes gelu_new, ours gelu`\n" in text
    assert "\n| ⇒ | `layers.0.ffn.activation` | " in text
    tables = [line for line in text.splitlines() if line.startswith("| ")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in tables} == {4, 8}
    (picture,) = re.findall(r"```text\n(.*?)\n```", text, re.DOTALL)
    assert picture.splitlines()[0] == "layers.0.ffn.activation batch=0"
    assert re.search(r"\n1 one +\S.*  <$|\n0 \[CLS\] +\S.*  <$|\n2 two.*  <$|\n3 \[SEP\].*  <$", picture, re.MULTILINE)
    assert f"\n```sh\nencoder-tui --batch --against 'model '\"'\"'{port}" in text
    assert text.endswith("\n")


def test_strangers_texts_are_texts(batch: Batch, tmp_path: Path) -> None:
    """In what went in, in what it is compared with, and in the tokens' names beside the numbers."""
    patch = "patch layers.0.attention.scores[0, 0, 3, 3] = 9"
    for ending in ("html", "md", "json"):
        path = tmp_path / f"out.{ending}"
        assert batch(HOSTILE, "-ex", patch, "--against", f"text {shlex.quote(HOSTILE)}", "--report", path)[0] == 3
        page = path.read_text("utf-8")
        assert "\u202e" not in page
        if ending == "html":
            words = read_strictly(page).words
            assert HOSTILE.replace("\u202e", "\\u202e") in words
            assert {"1 <", "2 /"} <= {*words}
        elif ending == "md":
            assert "\n- ``</td><script>x</script> \\| `x` @me \\u202e``\n" in page
            assert "\n1 <  " in page
        else:
            assert read_json(path)["comparisons"][0]["texts"] == [HOSTILE]


def test_what_markdown_would_read_is_written_out() -> None:
    assert prose("a_b *c* <d> @me #1 [x](y)") == r"a\_b \*c\* \<d\> \@me \#1 \[x\]\(y\)"
    assert (code("a|b"), code("`a`"), code("")) == ("`a\\|b`", "`` `a` ``", "")
    assert fenced(["```", "x"]) == "````text\n```\nx\n````"


def test_nothing_differs(batch: Batch, small_dir: Path, tmp_path: Path) -> None:
    for ending in ("html", "md", "json"):
        path = tmp_path / f"same.{ending}"
        status, err = batch("one", "--against", f"model '{small_dir}'", "--report", path)
        assert (status, ": equal, " in err) == (0, True)
        assert "Diagnosis" not in path.read_text("utf-8")
    assert read_json(tmp_path / "same.json")["equal"] is True
    assert "equal: all 53 stages to the last bit" in read_strictly((tmp_path / "same.html").read_text("utf-8")).words


def test_the_command_after_compare(small: Encoder, port: Path, tmp_path: Path) -> None:
    session = Session(small.run("one"), small)
    with pytest.raises(InputError, match="nothing to compare with yet"):
        TABLE.execute(session, f"report {tmp_path / 'a.md'}")
    TABLE.execute(session, f"compare model '{port}'")
    reply = TABLE.execute(session, f"report {tmp_path / 'a.json'}")
    assert reply.text.startswith(f"wrote {tmp_path / 'a.json'}: they differ, ")
    report = read_json(tmp_path / "a.json")
    assert report["command"] is None  # it was begun from Python
    assert report["comparisons"][0]["diagnosis"]["causes"][0]["cause"] == "activation"
    session.changed()
    with pytest.raises(InputError, match="values have changed since"):
        TABLE.execute(session, f"report {tmp_path / 'b.json'}")
    assert not (tmp_path / "b.json").exists()
    with pytest.raises(InputError, match=r"report where\? write `report PATH`"):
        TABLE.execute(session, "report")


def test_two_recordings_have_no_diagnosis_and_say_why(
    small: Encoder, port: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from encoder_tui.engine import load

    ours, theirs, path = tmp_path / "ours.safetensors", tmp_path / "theirs.safetensors", tmp_path / "out.json"
    save(small.run("one"), ours)
    save(load(port).run("one"), theirs)
    assert open_snapshot(ours).tokens.texts == ("one",)
    assert main(["--open", str(ours), "--batch", "--against", f"snapshot {theirs}", "--report", str(path)]) == 3
    pair = read_json(path)["comparisons"][0]
    assert pair["diagnosis"] is None
    assert pair["not_diagnosed"].startswith("a cause is found by computing one side otherwise, and both are recordings")
    assert f"--open {ours}" in json.loads(path.read_text())["command"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--batch", "--against", "text x", "--report", "out.txt"], "cannot write a report to 'out.txt': its ending is none of .html, .md, .json"),
        (["--batch", "--against", "text x", "--report", "no/out.md"], "cannot write 'no/out.md': 'no' is no directory"),
        (["--batch", "--report", "out.md"], "--report tells of a comparison; give --against 'model M', or another reference"),
        (["--against", "text x", "--report", "out.md"], "--report needs --batch; on the screen, `report PATH` does it after `compare`"),
        (["--batch", "--against", "text x", "--report", ""], "--report is given no path; write one after it, or leave it out"),
    ],
)  # fmt: skip
def test_what_cannot_be_written_is_refused_before_anything_is_computed(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["one", "-m", "/no/such/model", *arguments]) == 2
    assert capsys.readouterr().err == f"encoder-tui: {said}\n"
    assert list(tmp_path.iterdir()) == []


def test_many_texts_are_no_report(batch: Batch, tmp_path: Path) -> None:
    (tmp_path / "texts").write_text("one\ntwo\n")
    path = tmp_path / "out.md"
    told = batch("one", "--against", f"dtype float64 texts {tmp_path / 'texts'}", "--report", path)
    said = "--report tells of the texts of this run; give one of the file as TEXT, and leave `texts FILE` out"
    assert (told, path.exists()) == ((2, f"encoder-tui: {said}\n"), False)


def test_a_report_that_is_not_finished_leaves_what_was_there(
    batch: Batch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out.md"
    path.write_text("before")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic_write.os, "chmod", full)
    status, err = batch("one", "--against", "text two", "--report", path)
    assert (status, "No space left on device; nothing was changed" in err) == (2, True)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]
