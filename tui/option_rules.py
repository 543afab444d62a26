"""Which options of the command line go together."""

from __future__ import annotations

import argparse

from ..engine.messages.errors import InputError
from ..engine.models.settings import memory_size

PATHS = ("export", "open", "vectors", "module", "tokenizer")


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
    if options.dropout is not None and not (options.train_mode and 0 < options.dropout < 1):
        raise InputError(f"--dropout {options.dropout:g} needs --train-mode, and a rate between 0 and 1")
    if options.seed is not None and not options.train_mode:
        raise InputError("--seed needs --train-mode: nothing else is drawn at random")
    if options.select and not options.export:
        raise InputError("--select needs --export PATH")
    if options.open:
        given = [
            name
            for name in (
                "text",
                "image",
                "pair",
                "vectors",
                "ids",
                "model",
                "max_length",
                "causal",
                "prompt",
                "module",
                "via",
            )
            if getattr(options, name)
        ]
        if given:
            options_named = ("image", "ids", "max_length", "causal", "prompt", "module", "via")
            named = f"--{given[0].replace('_', '-')}" if given[0] in options_named else given[0]
            raise InputError(f"--open shows a recording and takes no {named}")
    _check_module(options)
    if options.image:
        given = [name for name in ("text", "pair", "max_length") if getattr(options, name)]
        if given:
            what = {"text": "a text", "pair": "--pair", "max_length": "--max-length"}[given[0]]
            raise InputError(
                f"--image takes no {what.removeprefix('a ')}: a run goes through one encoder; give {what} or images"
            )
    for what in ("vectors", "ids"):
        names = ("text", "pair", "max_length", "image", "prompt", *(("ids",) if what == "vectors" else ()))
        given = [name for name in names if getattr(options, name)] if getattr(options, what) else []
        if given:
            named = given[0] if given[0] in ("text", "pair") else f"--{given[0].replace('_', '-')}"
            raise InputError(f"--{what} stands for the text, and takes no {named}")
    if options.max_length is not None and options.max_length < 1:
        raise InputError(f"--max-length {options.max_length} is not a number of tokens; give at least 3")
    options.budget = memory_size(options.memory)


def _check_module(options: argparse.Namespace) -> None:
    """What a module, which is as it is, can be given besides itself."""
    if options.tokenizer and not options.module:
        raise InputError("--tokenizer is for --module; a model directory has its own")
    for what in ("module", "via"):
        others = ["image", "vectors", "causal", "train_mode", "prompt", *(["model", "via"] if what == "module" else [])]
        given = [name for name in others if getattr(options, name)] if getattr(options, what) else []
        given += ["dtype"] if getattr(options, what) and options.dtype != "float32" else []
        given += ["device"] if getattr(options, what) and options.device != "auto" else []
        if given:
            named = f"--{given[0].replace('_', '-')}"
            raise InputError(f"--{what} takes a module as it is, and no {named}; make it so in its file")
    if options.via and not options.model:
        raise InputError("--via transformers needs a model to open: -m DIR")
