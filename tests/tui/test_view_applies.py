"""Which views have a picture of a value: known before a number of it is read."""

from __future__ import annotations

from dataclasses import replace

import pytest
from encoder_tui.engine.commands.screen import VIEWS
from encoder_tui.tui.panes.inspector import WIDGETS
from encoder_tui.tui.reading.facts import look
from encoder_tui.tui.state.comparison import Against
from encoder_tui.tui.state.subject import Subject, subject_of
from fakes import fake_session

ALWAYS = {"heat", "numbers", "stats"}
OF_VALUES = ALWAYS | {"why", "change"}


def subject(stage: str) -> Subject:
    return subject_of(look(fake_session(), None), stage)


def applying(seen: Subject) -> set[str]:
    return {name for name in VIEWS if WIDGETS[name].applies(seen)}


@pytest.mark.parametrize(
    ("stage", "besides"),
    [
        ("layers.0.attention.weights", {"heads", "lines", "grid"}),
        ("layers.0.attention.query_heads", {"heads", "grid"}),
        ("layers.0.ffn.up", set[str]()),
    ],
)
def test_what_a_value_is_says_which_views_apply(stage: str, besides: set[str]) -> None:
    assert applying(subject(stage)) == OF_VALUES | besides


def test_a_difference_needs_something_to_differ_from() -> None:
    seen = subject("layers.0.ffn.up")
    assert applying(replace(seen, against=Against("main", 1))) == OF_VALUES | {"diff"}
    assert applying(replace(seen, against=Against("main", 1, refused="other shapes"))) == OF_VALUES
    assert applying(replace(seen, against=Against("main", 1), place="weight")) == ALWAYS
