"""The language the program speaks: English, which stands in the code, or another, from a catalogue of labels.

`tr("breakpoints")` is the label in the language in use; a catalogue is a TOML file in `translations/` from the English
text to the other, because it needs no build step, can be read and mended with any editor, and a missing or a stale line
is found by a test (`gettext` would want compiled files in the tree). Commands, stages, axes and their names are part of
what people type, and the same in every language. Longer texts about stages are in `explanations/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from .errors import InputError, nearest

LANGUAGES = {"en": "English", "zh": "中文"}
# The first of these that says anything decides, as in POSIX.
VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")
_FOLDER = Path(__file__).parent / "translations"
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
    found = catalogue(name).get(text, text)
    return found.format(**fields) if fields else found


@cache
def catalogue(name: str) -> Mapping[str, str]:
    """English label -> label in that language; empty for English."""
    path = _FOLDER / f"{name}.toml"
    if name == "en" or not path.is_file():
        return {}
    import tomllib  # English needs none

    sections = tomllib.loads(path.read_text("utf-8"))
    return {text: other for section in sections.values() for text, other in section.items()}


def trn(count: int, one: str, many: str, /, **fields: Any) -> str:
    """`tr` of a label that speaks of a number of things: `one` for 1, `many` else; `{count}` stands for the number."""
    return tr(one if count == 1 else many, count=f"{count:,}", **fields)
