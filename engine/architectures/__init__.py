"""Families of encoders: each a short module that turns a config into a program.

A family is a module with `PREFIXES` (what its checkpoints put before the names of weights) and
`build(config, stored, dtype) -> Program`. It is found by the `model_type` of config.json.
"""

from __future__ import annotations

from types import ModuleType

from ..errors import InputError, nearest
from . import bert

FAMILIES: dict[str, ModuleType] = {"bert": bert}


def family_of(model_type: str) -> ModuleType:
    """The family of a `model_type`.

    Raises:
        InputError: it is not known; the message lists those that are.
    """
    if model_type not in FAMILIES:
        known = ", ".join(FAMILIES)
        raise InputError(
            f"model_type {model_type!r} is not a known family{nearest(model_type, FAMILIES)}; known: {known}"
        )
    return FAMILIES[model_type]
