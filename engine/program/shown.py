"""What a notebook asks of an object, for those that have no opinion on how they are shown: the floor of the pages has it.

It stands above, so it is no import of theirs: it is found by its name when somebody looks, as `engine` finds its public names.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any


def above(name: str) -> Any:
    """A module of the engine that stands above, at the moment it is asked for: `pages.notebook`."""
    return import_module(f"{__name__.removesuffix('.program.shown')}.{name}")


class InNotebooks:
    """What a notebook shows as HTML."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        """What a notebook shows; where that goes wrong, what is wrong."""
        return above("pages.notebook").shown(self)
