"""Which options of the command line go together."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterable

from ..engine.messages.errors import InputError
from ..engine.models.settings import memory_size

SHELLS = ("bash", "zsh", "fish")  # that there is a completion for
NO_RECORDING = (
    "text", "image", "pair", "vectors", "ids", "model", "max_length", "causal", "prompt", "module", "via",
)  # fmt: skip
PATHS = ("export", "report", "open", "vectors", "module", "tokenizer", "map")
MAPPED = ("tensors", "onnx", "module", "recording")  # what `--against` names whose tensors a map is for


def check_together(options: argparse.Namespace) -> None:
    """Refuse options that say nothing together, before anything heavy is imported; `budget` is added in bytes.

    Raises:
        InputError: the first of them, by its name.
    """
    for name in PATHS:  # as a variable of a shell that is not set
        if getattr(options, name) == "":
            raise InputError(f"--{name} is given no path; write one after it, or leave it out")
    if options.export and not options.batch:
        raise InputError("--export needs --batch; on the screen, `e` or `export PATH` does it")
    _check_told(options)
    if options.dropout is not None and not (options.train_mode and 0 < options.dropout < 1):
        raise InputError(f"--dropout {options.dropout:g} needs --train-mode, and a rate between 0 and 1")
    if options.seed is not None and not options.train_mode:
        raise InputError("--seed needs --train-mode: nothing else is drawn at random")
    if options.select and not options.export:
        raise InputError("--select needs --export PATH")
    if options.open and (given := _first_given(options, NO_RECORDING)):
        raise InputError(f"--open shows a recording and takes no {given}")
    _check_module(options)
    if options.image and (given := _first_given(options, ("text", "pair", "max_length"))):
        one = f"a {given}" if given == "text" else given
        raise InputError(f"--image takes no {given}: a run goes through one encoder; give {one} or images")
    for what in ("vectors", "ids"):
        others = ("text", "pair", "max_length", "image", "prompt", *(("ids",) if what == "vectors" else ()))
        if getattr(options, what) and (given := _first_given(options, others)):
            raise InputError(f"--{what} stands for the text, and takes no {given}")
    if options.max_length is not None and options.max_length < 1:
        raise InputError(f"--max-length {options.max_length} is not a number of tokens; give at least 3")
    if options.map is not None:
        options.against = _mapped(options.against, options.map)
    options.budget = memory_size(options.memory)


def _check_told(options: argparse.Namespace) -> None:
    """What is printed, and written of what differs."""
    if options.json and not options.batch:
        raise InputError("--json needs --batch: it is what is printed there")
    if options.report is None:
        return
    if not options.batch:
        raise InputError("--report needs --batch; on the screen, `report PATH` does it after `compare`")
    if not options.against:
        raise InputError("--report tells of a comparison; give --against 'model M', or another reference")


def _check_module(options: argparse.Namespace) -> None:
    """What a module, which is as it is, can be given besides itself."""
    if options.tokenizer and not options.module:
        raise InputError("--tokenizer is for --module; a model directory has its own")
    besides = ("image", "vectors", "causal", "train_mode", "prompt")
    if options.module and (given := _first_given(options, (*besides, "model", "via", *_otherwise(options)))):
        raise InputError(f"--module takes a module as it is, and no {given}; make it so in its file")
    if options.via and (given := _first_given(options, (*besides, *_otherwise(options)))):
        raise InputError(
            f"--via transformers takes texts or --ids, and no {given}; `attach` in Python takes whatever the model does"
        )
    if options.via and not options.model:
        raise InputError("--via transformers needs a model to open: -m DIR")


def _mapped(against: Iterable[str], path: str) -> list[str]:
    """What to compare with, and the map for those of them whose tensors have names of their own."""
    lines = list(against)
    for at, line in enumerate(lines):
        kind, *rest = line.split(maxsplit=1)
        if kind in MAPPED and rest:
            place, *more = shlex.split(rest[0])
            lines[at] = shlex.join([kind, place, "map", path, *more])
    if lines == list(against):
        raise InputError(f"--map needs --against with one of {', '.join(MAPPED)}, whose tensors it names")
    return lines


def _otherwise(options: argparse.Namespace) -> tuple[str, ...]:
    """Of the options that are always there, those that are not what they are when nobody gives them."""
    return ("dtype",) * (options.dtype != "float32") + ("device",) * (options.device != "auto")


def _first_given(options: argparse.Namespace, names: Iterable[str]) -> str:
    """The first of some that is given, as one writes it: `text`, `--max-length`; "" where none is."""
    given = next((name for name in names if getattr(options, name)), "")
    return given if given in ("", "text") else f"--{given.replace('_', '-')}"
