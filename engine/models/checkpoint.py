"""A model directory: its config, its weights memory-mapped, its tokenizer. Nothing from it is ever run."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ..messages.errors import InputError
from ..program.dtypes import FLOATS
from ..program.program import Program
from ..program.stage import Shape, write_shape
from . import config_keys, model_class, quantised
from .config import Config
from .families import TEXT, Family, Limits, Options, family_of, sides_of, sight_of
from .families.blocks.sentence import with_sentence
from .files import read_object, regular
from .folders import adapter_line, instead, likeness, whose
from .leftovers import Leftover, leftover_lines, leftovers
from .quantised import multiplied
from .sentence_transformers import read_sentence
from .text.habits import habits_of
from .text.reader import TextReader
from .text.tokenizer.files import open_tokenizer
from .ties import Ties, ties_of
from .weight_files import SAFETENSORS, Rows, WeightFile, open_weights, weight_files

if TYPE_CHECKING:
    from .images.reader import ImageReader

# What TensorFlow called the two weights of a layer norm; old checkpoints still do.
OLD_NAMES = {"gamma": "weight", "beta": "bias"}


class Checkpoint:
    """A model directory as saved by transformers or sentence-transformers.

    Args:
        directory: where `config.json` and `model.safetensors` are.

    Raises:
        InputError: a file that is needed is missing, or is not what it should be.
    """

    def __init__(self, directory: Path) -> None:
        if not directory.is_dir():
            raise InputError(
                f"no model directory {str(directory)!r}; give a directory with config.json and {SAFETENSORS}"
            )
        self.sentence = read_sentence(directory)
        self.directory = directory / self.sentence.transformer if self.sentence is not None else directory
        self.config = Config(_config(self.directory, "config.json"), str(self.directory / "config.json"))
        self.family: Family = family_of(self.config.model_type)
        self.files = weight_files(self.directory)
        self.notes: list[str] = []
        if self.files[0].suffix == ".bin":
            self.notes.append(f"weights from {self.files[0].name}, read without running it; {SAFETENSORS} is preferred")
        self._stored = self._named(multiplied(list(map(open_weights, self.files))))
        self._stored |= self._of_sentence(directory)
        self.notes += self.sentence.notes if self.sentence is not None else ()
        self._tell(adapter_line(self.directory))

    @classmethod
    def of(cls, config: Config, weights: WeightFile, place: Path) -> Checkpoint:
        """A checkpoint that is no directory: a config and weights at hand, and what to call the place in messages."""
        made = cls.__new__(cls)
        made.sentence, made.directory, made.files, made.notes = None, place, [], []
        made.config, made.family = config, family_of(config.model_type)
        made._stored = made._named([weights])
        return made

    @property
    def has_numbers(self) -> bool:
        """Always: what is stored."""
        return True

    @property
    def limits(self) -> Limits:
        """What text it takes, as its family reads it from the config."""
        return self.family.limits(self.config)

    def program(self, options: Options) -> Program:
        """What this checkpoint computes, every weight of which has been found with the right shape.

        Raises:
            InputError: weights that are missing or of another shape, by name; what the config asks for and is not
                implemented.
        """
        config_keys.refuse_unimplemented(self.config)
        if options.side == TEXT:
            self.family.limits(self.config)  # a limit that cannot be is said on opening, not with the first text
        program = self._with_sentence(self.family.build(self.config, self._stored, options))
        scheme = self.config.get("quantization_config")
        sources = [self.holder(name) or name for name in program.weights]
        quantised.refuse_packed(self.directory, sources, self._stored, scheme)
        missing = [name for name in program.weights if self.holder(name) is None]
        if missing:
            raise InputError(
                f"{self.directory}: {len(missing)} weights are missing: {_few(missing)}{self._unlike(program)}"
            )
        wrong: list[str] = []
        for name, shape in program.weights.items():
            stored = self.shape(name)
            if stored != shape:
                wrong.append(f"{name} is {write_shape(stored)} and should be {write_shape(shape)}")
        if wrong:
            raise InputError(f"{self.directory}: {len(wrong)} weights have the wrong shape: {_few(wrong, '; ')}")
        self._tell(quantised.multiplied_out_line(sources, self._stored, scheme))
        self._tell_of_ties(program)
        for line in leftover_lines(self.leftovers(program), program.layers):
            self._tell(line)
        for line in model_class.told(self.config):
            self._tell(line)
        self._tell(
            config_keys.unknown_keys_line(
                "config.json", config_keys.unknown(self.config, getattr(self.family, "HARMLESS", {}))
            )
        )
        return program

    def _unlike(self, program: Program) -> str:
        """Whose weights these look like, where it is not the config's family that they do; the end of a sentence.

        Whole programs are held against each other, not what is missing of one: a lone head says nothing of its family.
        """
        family = likeness(self._stored)
        if not family or family == likeness(program.weights):
            return ""
        return f"; the weights look like {family}'s, and config.json says model_type {self.config.model_type!r}"

    def shape(self, name: str) -> Shape:
        """Shape of a stored weight, from the file's header alone."""
        file, stored = self._need(name)
        return file.shape(stored)

    def weight(self, name: str) -> torch.Tensor:
        """A stored weight, mapped from its file and read when it is used."""
        file, stored = self._need(name)
        return file.tensor(stored)

    @property
    def reference_dtype(self) -> tuple[str, str]:
        """What transformers 5 would run this in if not told, and what says so: the config, else the first float that is stored."""
        for key in ("dtype", "torch_dtype"):
            said = self.config.get(key)
            if isinstance(said, str) and said in FLOATS:
                return said, f"config.json's {key}"
        stored = (file.dtype(name) for file, name in self._stored.values())
        return next((dtype for dtype in stored if dtype in FLOATS), "float32"), "its stored weights"

    def parameters(self, program: Program) -> int:
        """How many numbers a program's weights have, tied ones counted once."""
        sizes = {self.holder(name): math.prod(shape) for name, shape in program.weights.items()}
        return sum(sizes.values())

    def unused(self, program: Program) -> list[str]:
        """Stored tensors that a program does not use, by the names they are stored under."""
        used = {self.holder(name) for name in program.weights} | {
            name for name, other in self._ties.instead.items() if other in program.weights or name in program.weights
        }
        return list(dict.fromkeys(stored for name, (_, stored) in self._stored.items() if name not in used))

    def leftovers(self, program: Program) -> list[Leftover]:
        """The same by layers, heads and towers."""
        told = self._ties.differing  # said already, with whom they differ
        tied = {self._stored[source][1] for source in told.values() if source in self._stored}
        unused = [name for name in self.unused(program) if name not in tied]
        return leftovers(unused, {stored for _, stored in self._stored.values()}.difference(unused))

    @property
    def sides(self) -> tuple[str, ...]:
        """What it takes: `text`, `image` or both; the first is meant if nothing is said."""
        return sides_of(self.family, self.config)

    @property
    def images(self) -> ImageReader:
        """The image processor with what the model takes."""
        return self._images

    @cached_property
    def _images(self) -> ImageReader:
        from .images.reader import ImageReader  # of no use to a model of text

        reader = ImageReader(self.directory, sight_of(self.family, self.config))
        for note in reader.processor.notes:
            self._tell(note)
        return reader

    @property
    def vector_size(self) -> int | None:
        """How many numbers each vector has that goes in, of a model that takes vectors; None where it takes text."""
        size = getattr(self.family, "vectors", None)
        return size(self.config) if size is not None else None

    @property
    def batch_first(self) -> bool:
        """Whether vectors that go in have their batch before their tokens, as nearly everywhere."""
        first = getattr(self.family, "batch_first", None)
        return first is None or first(self.config)

    @property
    def reader(self) -> TextReader:
        """The tokenizer with the model's limits.

        Raises:
            InputError: there is none, or it does not belong to the model.
        """
        return self._reader

    @cached_property
    def _reader(self) -> TextReader:
        if self.vector_size is not None:
            raise InputError(
                f"{self.directory}: this model takes vectors of {self.vector_size} numbers, not text; give --vectors PATH"
            )
        limits = self.limits
        opened = open_tokenizer(self.directory, self.config.model_type, self.config.get("tokenizer_class"))
        habits = None if self.sentence is None else habits_of(self.sentence, opened, self.config)
        reader = TextReader(opened, limits, habits)
        # what its class adds besides may lie beyond the model's words, as in transformers: a text that has it is refused then
        words = reader.tokenizer.get_vocab_size(with_added_tokens=False)
        if words > limits.vocabulary:
            raise InputError(
                f"{self.directory}: the tokenizer has {words} words and the model {limits.vocabulary}; "
                "they do not belong together"
            )
        return reader

    def _named(self, files: Iterable[WeightFile]) -> dict[str, tuple[WeightFile, str]]:
        """Where every weight is stored: the file, and its name there."""
        sources: dict[str, tuple[WeightFile, str]] = {}
        for file in files:
            for stored in file.names():
                names = self._canonical(stored)
                for number, name in enumerate(names):
                    sources[name] = (Rows(file, number, len(names)) if len(names) > 1 else file, stored)
        return sources

    def _canonical(self, stored: str) -> list[str]:
        """What the program calls a stored tensor; several names where it holds equal parts, one below the other."""
        for prefix in self.family.PREFIXES:
            stored = stored.removeprefix(prefix)
        for old, new in getattr(self.family, "RENAMED", ()):
            stored = re.sub(old, new, stored)
        front, dot, last = stored.rpartition(".")
        stored = front + dot + OLD_NAMES.get(last, last)
        start, brace, rest = stored.partition("{")
        names, _, end = rest.partition("}")
        return [start + name + end for name in names.split(",")] if brace else [stored]

    def holder(self, name: str) -> str | None:
        """Under which canonical name a weight is stored: its own, or that of the one it is tied to."""
        name = self._ties.instead.get(name, name)
        return name if name in self._stored else None

    @cached_property
    def _ties(self) -> Ties:
        """The family's ties, unless the config unties them."""
        tied = getattr(self.family, "ALWAYS_TIED", False) or self.config.flag("tie_word_embeddings", True)
        return ties_of(self.family.TIED if tied else {}, self._stored, self._same)

    def _same(self, one: str, other: str) -> bool:
        (file, stored), (other_file, other_stored) = self._stored[one], self._stored[other]
        numbers, others = file.tensor(stored), other_file.tensor(other_stored)
        wide = torch.promote_types(numbers.dtype, others.dtype)
        return torch.equal(numbers.to(wide), others.to(wide))

    def _tell_of_ties(self, program: Program) -> None:
        """Say which weights of a program are not what they are tied to."""
        for target, source in self._ties.differing.items():
            if target in program.weights:
                self._tell(
                    f"{target} is stored and differs from {source}, which it is said to be tied to: "
                    "each is used as it is stored, as transformers does"
                )

    def _with_sentence(self, program: Program) -> Program:
        """The program with its sentence embedding; without, and a note, where that is made in a way not known here."""
        if self.sentence is None or not self.sentence.modules:
            return program
        try:
            return with_sentence(program, self.sentence)
        except InputError as error:
            self.notes.append(f"no sentence embedding: {error}")
            return program

    def _of_sentence(self, directory: Path) -> dict[str, tuple[WeightFile, str]]:
        """Weights of the modules after the encoder, by the folder and their name in it: `2_Dense.linear.weight`."""
        sources: dict[str, tuple[WeightFile, str]] = {}
        for module in self.sentence.modules if self.sentence is not None else ():
            if module.kind in ("Dense", "LayerNorm"):
                for file in map(open_weights, weight_files(directory / module.path)):
                    sources |= {f"{module.path}.{name}": (file, name) for name in file.names()}
        return sources

    def _tell(self, note: str) -> None:
        """Say something on opening, once; "" says nothing."""
        if note and note not in self.notes:
            self.notes.append(note)

    def _need(self, name: str) -> tuple[WeightFile, str]:
        source = self.holder(name)
        assert source is not None, name
        return self._stored[source]


def _config(directory: Path, name: str) -> Mapping[str, Any]:
    path = directory / name
    if not regular(path):
        raise InputError(
            f"no {name} in {str(directory)!r}"
            + (instead(directory) or f"; a model directory has config.json, {SAFETENSORS} and a tokenizer")
        )
    values = read_object(path)
    if "model_type" not in values and whose(values):
        raise InputError(f"{path}: it is {whose(values)}")
    return values


def _few(names: list[str], between: str = ", ", most: int = 3) -> str:
    return between.join(names[:most]) + (f"{between}and {len(names) - most} more" if len(names) > most else "")
