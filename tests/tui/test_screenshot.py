"""`screenshot PATH`: what is on the screen, as a file that fetches nothing."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from driving import running, settled


def words(svg: str) -> str:
    return " ".join(
        "".join(each.itertext()) for each in ElementTree.fromstring(svg).iter() if each.tag.endswith("}text")
    )


async def test_the_screen_is_written_whole(tmp_path: Path):
    async with running() as (app, pilot):
        for name in (".svg", "screen.svg", "screen.html"):
            app.controller.run(f"screenshot {tmp_path}/{name}", "console")
            await settled(pilot)
        assert f"wrote {tmp_path}/screen.html" in app.main.footer._hint
    svg, page = ((tmp_path / name).read_text("utf-8") for name in ("screen.svg", "screen.html"))
    assert "tokens.ids" in words(svg).replace("\xa0", " ")
    assert page.startswith("<!DOCTYPE html>")
    assert "<svg" in page
    for written in (svg, page):
        assert "url(http" not in written
        assert "@font-face" not in written
    assert (tmp_path / ".svg").read_text("utf-8").startswith("<svg")  # all of its name is an ending
    assert sorted(path.name for path in tmp_path.iterdir()) == [".svg", "screen.html", "screen.svg"]


@pytest.mark.parametrize("line", ["screenshot", "screenshot a.png", "screenshot a.svg b.svg"])
def test_another_ending_is_refused(line: str):
    from encoder_tui.engine import InputError
    from encoder_tui.engine.commands import TABLE
    from fakes import fake_session

    with pytest.raises(InputError, match=r"write `screenshot PATH`; the path ends in \.svg or \.html"):
        TABLE.execute(fake_session(), line)
