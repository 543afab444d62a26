"""The line of a config that says something, as it would have to be."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any


def config_line(settings: Mapping[str, Any], keys: Sequence[str], value: Any, instead: Any) -> str:
    """`"hidden_act": "gelu_new"`: the key that says `value` now, or else the first that is there; the first of all where none is."""
    saying = [key for key in keys if key in settings and settings[key] == value]
    there = saying or [key for key in keys if key in settings] or list(keys)
    return f"config.json: {json.dumps(there[0])}: {json.dumps(instead)}"
