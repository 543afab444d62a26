"""The line of a config that says something, as it would have to be."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast


def config_line(settings: Mapping[str, Any], keys: Sequence[str], value: Any, instead: Any) -> str:
    """`config.json: "hidden_act": "gelu_new"`, the key that says `value` now, however deep it stands.

    Or else the first of the keys that is there; the first of all where none is. What stands within others is written with
    what it stands in: `"rope_parameters.full_attention.rope_theta": 10000.0`.
    """
    entries = [(path, said) for path, said in _entries(settings) if path[-1] in keys]
    saying = [path for path, said in entries if said == value] or [path for path, _ in entries] or [(keys[0],)]
    return f"config.json: {json.dumps('.'.join(saying[0]))}: {json.dumps(instead)}"


def _entries(settings: Mapping[str, Any], inside: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every entry with the keys that lead to it, the outer ones first."""
    yield from (((*inside, key), said) for key, said in settings.items())
    for key, said in settings.items():
        if isinstance(said, Mapping):
            yield from _entries(cast("Mapping[str, Any]", said), (*inside, key))
