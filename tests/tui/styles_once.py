"""Styles that Textual reads anew for every app are read once for all apps of a process: they are the same files."""

from __future__ import annotations

from typing import Any

from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet
from textual.css.types import CSSLocation

_PARSED: dict[tuple[Any, ...], list[RuleSet]] = {}
_parse_rules = Stylesheet._parse_rules


def _parse_once(
    self: Stylesheet,
    css: str,
    read_from: CSSLocation,
    is_default_rules: bool = False,
    tie_breaker: int = 0,
    scope: str = "",
) -> list[RuleSet]:
    source = (css, read_from, is_default_rules, tie_breaker, scope)
    if source in self._parse_cache:
        return self._parse_cache[source]
    known = (*source, *self._variables.items())  # the colours of a theme among them
    if known not in _PARSED:
        _PARSED[known] = _parse_rules(self, *source)
    self._parse_cache[source] = _PARSED[known]
    return _PARSED[known]


Stylesheet._parse_rules = _parse_once
RuleSet.__hash__ = object.__hash__  # by identity, as its own, which is asked for all rules at each widget; in C
