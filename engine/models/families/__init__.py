"""Families of encoders: each a short module that turns a config into a program.

A family is a module with the names that `family.Family` lists. It is found by the `model_type` of config.json, which its file
declares, and imported when a checkpoint of it is opened.
"""

from __future__ import annotations

from importlib import import_module
from typing import cast

from ...messages.errors import InputError, nearest
from ..config import Config
from .declarations import DECLARED
from .family import IMAGE, TEXT, Family, Limits, Options, Seeing, Sight

__all__ = [
    "DECLARED", "FAMILIES", "IMAGE", "TEXT", "Family", "Limits", "Options", "Seeing", "Sight", "family_of", "sides_of", "sight_of",
]  # fmt: skip

# model_type -> the module of this folder, as the modules themselves say.
FAMILIES: dict[str, str] = {
    model_type: module for module, said in DECLARED.items() for model_type in said.get("MODEL_TYPES", {})
}


def family_of(model_type: str) -> Family:
    """The family of a `model_type`.

    Raises:
        InputError: it is not known; the message lists those that are.
    """
    if model_type not in FAMILIES:
        hint = nearest(model_type, FAMILIES) or ";"
        raise InputError(f"model_type {model_type!r} is not a known family{hint} known: {', '.join(FAMILIES)}")
    return cast(Family, import_module(f".{FAMILIES[model_type]}", __name__))


def sides_of(family: Family, config: Config) -> tuple[str, ...]:
    """Which encoders a model has: `("text",)` unless its family says otherwise."""
    return cast(Seeing, family).sides(config) if hasattr(family, "sides") else (TEXT,)


def sight_of(family: Family, config: Config) -> Sight:
    """What images a model takes that has an image side."""
    return cast(Seeing, family).sight(config)
