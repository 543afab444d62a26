"""`export page.html`: a whole walk as one page, read strictly, and by a browser where there is one."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from encoder_tui.engine import Encoder, InputError, Run, open_snapshot, save
from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.commands.session import Session
from encoder_tui.engine.pages.walk import save_walk
from encoder_tui.tui.cli import main
from strict_html import read_strictly

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="module")
def run(small: Encoder) -> Run:
    return small.run("the cat </title><script>alert(1)</script>")


@pytest.fixture(scope="module")
def page(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("walk") / "page.html"
    saved = save_walk(run, path)
    assert saved.size == path.stat().st_size < 4_000_000
    assert (saved.stages, saved.lacking) == (len(run), ())
    return path


def test_every_stage_is_there_with_its_formula_and_a_link(run: Run, page: Path):
    read = read_strictly(page.read_text("utf-8"))
    assert read.ids == ["begin", *run]
    assert set(read.links) == {"#begin", *(f"#{name}" for name in run)}
    for stage in run.program:
        assert stage.name in read.words
    assert "Attention scores" in read.words
    assert read.count["section"] == len(run) + 1
    assert read.count["table"] >= len(run)


def test_a_glob_leaves_the_others_out_and_says_so(run: Run, tmp_path: Path):
    path = tmp_path / "some.html"
    assert save_walk(run, path, "layers.0.attention.*").stages < len(run)
    read = read_strictly(path.read_text("utf-8"))
    assert set(read.ids[1:]) == set(run.addresses("layers.0.attention.*"))
    assert any(f"of {len(run)} stages, those of layers.0.attention.*" in word for word in read.words)
    save_walk(run, path, "embeddings.position@E")
    assert "embeddings.position@E" in read_strictly(path.read_text("utf-8")).ids


def test_a_recording_says_what_it_lacks(run: Run, tmp_path: Path):
    save(run, tmp_path / "some.safetensors", select="layers.0.*")
    saved = save_walk(open_snapshot(tmp_path / "some.safetensors"), tmp_path / "page.html")
    assert "tokens.segments" in saved.lacking
    assert f"{len(saved.lacking)} of them have no numbers here" in saved.told("page.html")
    assert "no numbers here" in read_strictly((tmp_path / "page.html").read_text("utf-8")).words


def test_in_chinese(run: Run, tmp_path: Path, chinese: None):
    save_walk(run, tmp_path / "page.html", "*.scores")
    text = (tmp_path / "page.html").read_text("utf-8")
    assert '<html lang="zh">' in text
    assert "开头" in read_strictly(text).words


def test_stopped_or_refused_nothing_is_written(run: Run, tmp_path: Path):
    path = tmp_path / "page.html"
    path.write_text("before")
    with pytest.raises(InputError, match=r"stopped before tokens\.mask; nothing was written"):
        save_walk(run, path, stopped=iter([False, True]).__next__)
    assert path.read_text() == "before"
    assert [each.name for each in tmp_path.iterdir()] == ["page.html"]
    with pytest.raises(InputError, match="is no directory"):
        save_walk(run, tmp_path / "none" / "page.html")


def test_the_command_and_the_option_write_it(
    small: Encoder, small_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    reply = TABLE.execute(Session(small.run("the cat"), small), f"export {tmp_path}/a.html *.weights")
    assert reply.text.startswith(f"wrote {tmp_path}/a.html: 2 stages, ")
    assert (
        main(["the cat", "-m", str(small_dir), "--batch", "--export", f"{tmp_path}/b.html", "--select", "*.weights"])
        == 0
    )
    assert (tmp_path / "b.html").read_text() == (tmp_path / "a.html").read_text()
    assert main(["the cat", "-m", str(small_dir), "--batch", "--export", f"{tmp_path}/none/b.html"]) == 2
    assert "is no directory" in capsys.readouterr().err


@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium here")
def test_a_browser_reads_the_same_page(page: Path, tmp_path: Path):
    command = [
        str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}", "--dump-dom", page.as_uri(),
    ]  # fmt: skip
    dumped = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    ours, theirs = read_strictly(page.read_text("utf-8")), read_strictly(dumped)
    assert theirs.ids == ours.ids
    assert theirs.count == ours.count
    assert theirs.titles == ours.titles
