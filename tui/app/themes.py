"""Our two themes; Textual's own can be chosen as well."""

from __future__ import annotations

from textual.theme import Theme

NIGHT = Theme(
    name="encoder-night",
    primary="#7aa2f7",
    secondary="#9d8cff",
    accent="#f0b35a",
    success="#7bc48a",
    warning="#f0b35a",
    error="#f2777a",
    foreground="#d3d7e0",
    background="#11141a",
    surface="#1a1c20",
    panel="#23262c",
    dark=True,
    variables={"block-cursor-text-style": "none", "input-selection-background": "#7aa2f7 35%"},
)
DAY = Theme(
    name="encoder-day",
    primary="#2f5fc4",
    secondary="#6a4fc9",
    accent="#a35a00",
    success="#2b7a3d",
    warning="#a35a00",
    error="#b3262c",
    foreground="#24272e",
    background="#f7f8fa",
    surface="#f0f1f3",
    panel="#e5e7ea",
    dark=False,
)
THEMES = (NIGHT, DAY)
