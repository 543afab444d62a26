"""A checkpoint's config.json, read with care: what is not implemented is refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .errors import InputError, nearest


@dataclass(frozen=True, slots=True)
class Config:
    """The values of a config.json.

    Attributes:
        values: as they stand there.
        where: the file, for messages.
    """

    values: Mapping[str, Any]
    where: str

    @property
    def model_type(self) -> str:
        """The family, as transformers calls it.

        Raises:
            InputError: the config does not say.
        """
        found = self.values.get("model_type")
        if not isinstance(found, str):
            raise InputError(
                f'{self.where} has no model_type ({found!r}); it must name the family, for instance "bert"'
            )
        return found

    def size(self, name: str, default: int, most: int = 10**8) -> int:
        """A whole number from 1 to `most`, beyond which no model goes and a program would fill the memory."""
        found = self.values.get(name, default)
        if not isinstance(found, int) or isinstance(found, bool) or found < 1:
            raise InputError(f"{self.where}: {name} is {found!r}, and must be a whole number of 1 or more")
        if found > most:
            raise InputError(f"{self.where}: {name} is {found!r}, and {most} is the most")
        return found

    def pair(self, name: str, default: int) -> tuple[int, int]:
        """A height and a width: `[224, 224]`, or one number for both."""
        found = self.values.get(name, default)
        both = found if isinstance(found, list) else [found, found]
        if len(both) != 2:
            raise InputError(f"{self.where}: {name} is {found!r}, and must be a number or a height and a width")
        part = [Config({name: size}, self.where).size(name, default, most=10**5) for size in both]
        return part[0], part[1]

    def index(self, name: str, default: int, below: int) -> int:
        """A whole number from 0 to less than `below`; null is the default."""
        found = self.values.get(name)
        found = default if found is None else found
        if not isinstance(found, int) or isinstance(found, bool) or not 0 <= found < below:
            raise InputError(f"{self.where}: {name} is {found!r}, and must be a whole number from 0 to {below - 1}")
        return found

    def number(self, name: str, default: float) -> float:
        """A number of 0 or more."""
        found = self.values.get(name, default)
        if not isinstance(found, int | float) or isinstance(found, bool) or not 0 <= found < float("inf"):
            raise InputError(f"{self.where}: {name} is {found!r}, and must be a number of 0 or more")
        return float(found)

    def flag(self, name: str, default: bool) -> bool:
        """True or false."""
        found = self.values.get(name, default)
        if not isinstance(found, bool):
            raise InputError(f"{self.where}: {name} is {found!r}, and must be true or false")
        return found

    def activation(self, name: str, default: str) -> str:
        """An activation function that is implemented."""
        from .ops import ACTIVATIONS

        found = self.values.get(name, default)
        if not isinstance(found, str) or found not in ACTIVATIONS:
            hint = nearest(str(found), ACTIVATIONS)
            raise InputError(
                f"{self.where}: {name} {found!r} is not implemented{hint}; known: {', '.join(ACTIVATIONS)}"
            )
        return str(found)

    def only(self, name: str, value: object) -> None:
        """Refuse an option that is set to anything else."""
        found = self.values.get(name, value)
        if found != value:
            raise InputError(f"{self.where}: {name} {found!r} is not implemented; only {value!r} is")

    def refuse(self, *names: str) -> None:
        """Refuse options that are switched on."""
        for name in names:
            self.only(name, False)

    def divides(self, small: str, part: int, large: str, whole: int) -> None:
        """Check that one size divides another."""
        if whole % part:
            raise InputError(f"{self.where}: {small} {part} does not divide {large} {whole}")
