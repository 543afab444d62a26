"""A module from somebody's own file: `my_model.py:build`. Their file is run, as `python my_model.py` would run it, and nothing else is."""

from __future__ import annotations

import importlib.util
import inspect
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from torch import nn

from ...messages.errors import InputError, nearest, one_line
from .arguments import Arguments
from .frames import line_of_error


def module_from(place: str) -> tuple[nn.Module, Arguments | None]:
    """The module that a name in a file is, or makes, and what it is called with if that is said there.

    The name is a module, a class of one that needs no arguments, or a function that returns a module or a pair (module, inputs): inputs are
    a tensor, a tuple of arguments, or a dict of them by name.

    Args:
        place: `PATH.py:NAME`.

    Raises:
        InputError: no such file or name, it raises, or it gives something else.
    """
    path, colon, name = place.rpartition(":")
    if not colon or not path.endswith(".py") or not name.isidentifier():
        raise InputError(f"module {place!r} is not FILE.py:NAME; write for instance my_model.py:build")
    file = Path(os.path.expanduser(path))
    if not file.is_file():
        raise InputError(f"no file {path!r} to take a module from")
    inside = vars(_run(file))
    if name not in inside:
        names = [each for each, thing in inside.items() if not each.startswith("_") and callable(thing)]
        near = nearest(name, names)
        raise InputError(f"{path} has no {name!r}{near or '; it has ' + (', '.join(names[:8]) or 'nothing to call')}")
    thing = inside[name]
    if isinstance(thing, nn.Module):
        return thing, None
    if not callable(thing):
        raise InputError(f"{place} is a {type(thing).__name__}, and must be a module, or a function that makes one")
    needed = [
        part.name
        for part in _parameters(thing)
        if part.default is part.empty and part.kind in (part.POSITIONAL_ONLY, part.POSITIONAL_OR_KEYWORD)
    ]
    if needed:
        raise InputError(f"{place} needs {', '.join(needed)}; name a function without arguments that calls it")
    try:
        made = thing()
    except (Exception, SystemExit) as error:  # whatever their function raises
        raise InputError(f"{place} raised {type(error).__name__}: {one_line(error)}{line_of_error(error)}") from error
    return _checked(made, place)


def _checked(made: Any, place: str) -> tuple[nn.Module, Arguments | None]:
    kind = type(made).__name__
    if isinstance(made, nn.Module):
        return made, None
    if isinstance(made, tuple):
        pair = cast("tuple[object, ...]", made)
        if len(pair) == 2 and isinstance(pair[0], nn.Module):
            return pair[0], Arguments.of(pair[1])
    raise InputError(f"{place} returns a {kind}, and must return a module, or (module, inputs)")


def _parameters(thing: Any) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(thing).parameters.values())
    except (TypeError, ValueError):
        return []


def _run(file: Path) -> ModuleType:
    """Run a file as a module of its own name, with what lies beside it to be imported.

    A file that is called as something is that others import (`random.py`, `torch.py`) does not take that one's place.
    """
    name = f"{file.stem}_file" if file.stem in sys.modules or file.stem in sys.stdlib_module_names else file.stem
    specification = importlib.util.spec_from_file_location(name, file.resolve())
    assert specification is not None  # of a .py file
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    beside = str(file.resolve().parent)
    if beside not in sys.path:
        sys.path.insert(0, beside)
    sys.modules[name] = module  # dataclasses and pickles of the file look for it there
    try:
        specification.loader.exec_module(module)
    except SystemExit as error:
        raise InputError(
            f"{file} exits with {one_line(error) or 0} when it is run{line_of_error(error)}; put what does under if __name__ == '__main__'"
        ) from error
    except Exception as error:
        raise InputError(f"{file} raised {type(error).__name__}: {one_line(error)}{line_of_error(error)}") from error
    return module
