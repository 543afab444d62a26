"""A checkpoint's config.json, read with care: what is not implemented is refused by name, and what is read is written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..messages.errors import InputError, nearest
from ..program.json_values import is_list, is_object

LARGEST = 1e38  # float32 ends there
MOST_WHOLE = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Config:
    """The values of a config.json. Every key that is asked for is noted, so that `config_keys` can tell which never were.

    Attributes:
        values: as they stand there. Whoever reads one goes through the methods.
        where: the file, for messages.
        read: keys that were asked for, whether they stand there or not.
        parts: objects within it that were looked into, by their key.
    """

    values: Mapping[str, Any]
    where: str
    read: set[str] = field(default_factory=set[str], compare=False, repr=False)
    parts: dict[str, Config] = field(default_factory=dict[str, "Config"], compare=False, repr=False)

    @property
    def model_type(self) -> str:
        """The family, as transformers calls it.

        Raises:
            InputError: the config does not say.
        """
        named = self.get("model_type")
        if not isinstance(named, str):
            raise InputError(
                f'{self.where} has no model_type ({named!r}); it must name the family, for instance "bert"'
            )
        return named

    def get(self, name: str, default: Any = None) -> Any:
        """A value as it stands there, or the default where it does not; whoever asks checks it."""
        self.read.add(name)
        return self.values.get(name, default)

    def says(self, name: str) -> bool:
        """Whether a key stands there, be it null."""
        self.read.add(name)
        return name in self.values

    def part(self, name: str) -> Config:
        """An object within the config, as a config of its own; null or nothing is an empty one.

        Raises:
            InputError: it is something else.
        """
        inner = self.get(name)
        if inner is not None and not is_object(inner):
            raise InputError(f"{self.where}: {name} is {inner!r}, and must be an object")
        if name not in self.parts:
            self.parts[name] = Config(inner or {}, f"{self.where}: {name}")
        return self.parts[name]

    def saying(self, values: Mapping[str, Any]) -> Config:
        """The same file with more values, or others; what is read of either is noted in both."""
        return replace(self, values={**self.values, **values})

    def named(self, also: Mapping[str, str]) -> Config:
        """The same file where other names stand for some keys: `{"hidden_size": "dim"}`; the other name comes first."""
        return self.saying({own: self.get(other) for other, own in also.items() if self.says(other)})

    def size(self, name: str, default: int, most: int = 10**8) -> int:
        """A whole number from 1 to `most`, beyond which no model goes and a program would fill the memory."""
        number = self.get(name, default)
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            raise InputError(f"{self.where}: {name} is {number!r}, and must be a whole number of 1 or more")
        if number > most:
            raise InputError(f"{self.where}: {name} is {number!r}, and {most} is the most")
        return number

    def pair(self, name: str, default: int) -> tuple[int, int]:
        """A height and a width: `[224, 224]`, or one number for both."""
        given = self.get(name, default)
        both = given if is_list(given) else [given, given]
        if len(both) != 2:
            raise InputError(f"{self.where}: {name} is {given!r}, and must be a number or a height and a width")
        part = [Config({name: size}, self.where).size(name, default, most=10**5) for size in both]
        return part[0], part[1]

    def index(self, name: str, default: int, below: int) -> int:
        """A whole number from 0 to less than `below`; null is the default."""
        number = self.get(name)
        number = default if number is None else number
        if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < below:
            raise InputError(f"{self.where}: {name} is {number!r}, and must be a whole number from 0 to {below - 1}")
        return number

    def number(self, name: str, default: float) -> float:
        """A number of 0 or more."""
        number = self.get(name, default)
        if not isinstance(number, int | float) or isinstance(number, bool) or not 0 <= number < LARGEST:
            raise InputError(
                f"{self.where}: {name} is {repr(number)[:40]}, and must be a number from 0 to less than {LARGEST:g}"
            )
        if isinstance(number, int) and number > MOST_WHOLE:  # torch refuses these as whole numbers too
            raise InputError(
                f"{self.where}: {name} is {repr(number)[:40]}, and {MOST_WHOLE} is the most for a whole number"
            )
        return float(number)

    def flag(self, name: str, default: bool) -> bool:
        """True or false."""
        flag = self.get(name, default)
        if not isinstance(flag, bool):
            raise InputError(f"{self.where}: {name} is {flag!r}, and must be true or false")
        return flag

    def activation(self, name: str, default: str) -> str:
        """An activation function that is implemented."""
        from ..ops import ACTIVATIONS

        kind = self.get(name, default)
        if not isinstance(kind, str) or kind not in ACTIVATIONS:
            hint = nearest(str(kind), ACTIVATIONS)
            raise InputError(f"{self.where}: {name} {kind!r} is not implemented{hint}; known: {', '.join(ACTIVATIONS)}")
        return str(kind)

    def only(self, name: str, value: object) -> None:
        """Refuse an option that is set to anything else."""
        given = self.get(name, value)
        if given != value:
            raise InputError(f"{self.where}: {name} {given!r} is not implemented; only {value!r} is")

    def refuse(self, *names: str) -> None:
        """Refuse options that are switched on."""
        for name in names:
            self.only(name, False)

    def divides(self, small: str, part: int, large: str, whole: int) -> None:
        """Check that one size divides another."""
        if whole % part:
            raise InputError(f"{self.where}: {small} {part} does not divide {large} {whole}")
