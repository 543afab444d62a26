"""Markup, and texts on their way into it: whatever is not markup yet is escaped."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from ..messages.visible import visible

VOID = ("meta", "br", "wbr", "hr", "img", "input")


class Html(str):
    """Text that is markup already, and stands as it is."""

    __slots__ = ()


def escaped(words: str) -> Html:
    """A text as markup: what is a sign of HTML, and what cannot be seen (control characters, turned reading directions), is written out."""
    return words if isinstance(words, Html) else Html(escape(visible(words)))


def tag(name: str, /, *content: str, **attributes: str | int | bool | None) -> Html:
    """An element.

    Args:
        name: of the element.
        content: markup stands as it is, texts are escaped.
        attributes: values are escaped; True is the name alone, None and False leave it out; `class_` is `class`, an underscore a hyphen.
    """
    given = "".join(
        f" {_name(key)}" if value is True else f' {_name(key)}="{escaped(str(value))}"'
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    inside = "".join(map(escaped, content))
    return Html(f"<{name}{given}>" if name in VOID else f"<{name}{given}>{inside}</{name}>")


def join(parts: Iterable[str], between: str = "") -> Html:
    """Parts one after the other."""
    return Html(escaped(between).join(map(escaped, parts)))


def _name(key: str) -> str:
    return key.rstrip("_").replace("_", "-")
