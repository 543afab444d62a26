"""The top line: facts on the left, status on the right, and room between them."""

from __future__ import annotations

from driving import lines_of, running
from encoder_tui.engine import Session, load
from encoder_tui.tui.panes.title import Status, Title


async def test_facts_and_status_never_run_into_each_other() -> None:
    async with running(size=(60, 24)) as (app, pilot):
        title = app.main.query_one(Title)
        title.say(Status("3/97 tokens.ids"))
        for width in range(60, 110, 7):
            await pilot.resize_terminal(width, 24)
            facts, between, status = lines_of(title)[0].rpartition("   ")
            assert between
            assert status.strip() == "3/97 tokens.ids"
            assert facts.strip()


async def test_a_model_that_is_called_like_its_family_is_said_once() -> None:
    encoder = load("cbow", device="cpu")
    async with running(lambda progress: Session(encoder.run("the king spoke"), encoder)) as (app, _):
        assert lines_of(app.main.query_one(Title))[0].startswith(" encoder-tui  cbow · cpu float32 · 1 text")
