"""The language the program speaks: English, which stands in the code, or another, from a catalogue of labels.

`tr("breakpoints")` is the label in the language in use; a catalogue is a TOML file in `translations/` from the English
text to the other, because it needs no build step, can be read and mended with any editor, and a missing or a stale line
is found by a test (`gettext` would want compiled files in the tree). Commands, stages, axes and their names are part of
what people type, and the same in every language. Longer texts about stages are in `engine/analysis/explain/*.toml`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from .errors import InputError, nearest

LANGUAGES = {"en": "English", "zh": "中文"}
# The first of these that says anything decides, as in POSIX.
VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")
_FOLDER = Path(__file__).parent / "translations"
SENTENCES = "sentences"
_FIELD = re.compile(r"\{(\w+)\}")
_current = "en"


def language() -> str:
    """The language in use: `en` or `zh`."""
    return _current


def use(name: str) -> None:
    """Speak another language from now on, in every thread.

    Raises:
        InputError: there is no such language.
    """
    global _current
    if name not in LANGUAGES:
        raise InputError(f"language {name!r} is not known{nearest(name, LANGUAGES)}; there are {', '.join(LANGUAGES)}")
    _current = name


def language_of(environment: Mapping[str, str]) -> str:
    """The language a locale asks for: that of `LC_ALL`, else of `LC_MESSAGES`, else of `LANG`; English if it is none of ours."""
    locale = next((environment[name] for name in VARIABLES if environment.get(name)), "")
    name = locale.lower().replace("-", "_").partition("_")[0].partition(".")[0]
    return name if name in LANGUAGES else "en"


def tr(text: str, /, **fields: Any) -> str:
    """A label in the language in use.

    Args:
        text: the label in English; a label that no catalogue has stays English.
        fields: what stands for `{name}` in the label.
    """
    return translate(_current, text, **fields)


def translate(name: str, text: str, /, **fields: Any) -> str:
    """A label in a given language; see `tr`."""
    translated = catalogue(name).get(text, text)
    return translated.format(**fields) if fields else translated


def said(text: str, name: str | None = None) -> str:
    """A sentence that comes with its names and numbers filled in, in a language (None: the one in use), or as it is.

    For what is written far from where it is shown, such as the notes of `why`: the catalogue's `[sentences]` are patterns,
    whose fields stand for anything.
    """
    return filled(text, _sentences(name or _current))


def filled(text: str, pairs: Iterable[tuple[re.Pattern[str], str]]) -> str:
    """The other side of the first pattern that fits all of the text, with what stood for the fields; else the text."""
    for pattern, other in pairs:
        matched = pattern.fullmatch(text)
        if matched:
            return other.format_map(matched.groupdict())
    return text


def pattern_of(text: str) -> re.Pattern[str]:
    """`{x} cut into {heads} heads` as an expression; a name that comes again must stand for the same."""
    parts: list[str] = []
    seen: set[str] = set()
    for place, part in enumerate(_FIELD.split(text)):
        if place % 2 == 0:
            parts.append(re.escape(part))
        else:
            parts.append(f"(?P={part})" if part in seen else f"(?P<{part}>.+?)")
            seen.add(part)
    return re.compile("".join(parts))


@cache
def catalogue(name: str) -> Mapping[str, str]:
    """English label -> label in that language; empty for English."""
    return {
        text: other for part, section in _sections(name).items() if part != SENTENCES for text, other in section.items()
    }


@cache
def _sentences(name: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    """The narrowest first: of the patterns that fit, the one with the most letters of its own is taken."""
    pairs = _sections(name).get(SENTENCES, {}).items()
    narrowest = sorted(pairs, key=lambda pair: len(_FIELD.sub("", pair[0])), reverse=True)
    return tuple((pattern_of(text), other) for text, other in narrowest)


@cache
def _sections(name: str) -> Mapping[str, Mapping[str, str]]:
    path = _FOLDER / f"{name}.toml"
    if name == "en" or not path.is_file():
        return {}
    import tomllib  # English needs none

    return tomllib.loads(path.read_text("utf-8"))


def trn(count: int, one: str, many: str, /, **fields: Any) -> str:
    """`tr` of a label that speaks of a number of things: `one` for 1, `many` else; `{count}` stands for the number."""
    return tr(one if count == 1 else many, count=f"{count:,}", **fields)
