"""Families of encoders: each a short module that turns a config into a program.

A family is a module with the names that `family.Family` lists. It is found by the `model_type` of config.json, and
imported when a checkpoint of it is opened.
"""

from __future__ import annotations

from importlib import import_module
from typing import cast

from ..errors import InputError, nearest
from .family import Family, Limits, Options

__all__ = ["FAMILIES", "Family", "Limits", "Options", "family_of"]

# model_type -> the module of this folder.
FAMILIES: dict[str, str] = {
    "bert": "bert",
    "deberta-v2": "deberta_v2",
    "mpnet": "mpnet",
    "mt5": "t5",
    "t5": "t5",
    "transformer": "transformer",
    "umt5": "t5",
}


def family_of(model_type: str) -> Family:
    """The family of a `model_type`.

    Raises:
        InputError: it is not known; the message lists those that are.
    """
    if model_type not in FAMILIES:
        known = ", ".join(FAMILIES)
        raise InputError(
            f"model_type {model_type!r} is not a known family{nearest(model_type, FAMILIES)}; known: {known}"
        )
    return cast(Family, import_module(f".{FAMILIES[model_type]}", __name__))
