"""Which encoder-tui this is."""

from __future__ import annotations

from argparse import Action, ArgumentParser
from typing import Any, NoReturn

from ..output import write_out


def version_line() -> str:
    """Name and version."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"encoder-tui {version('encoder-tui')}"
    except PackageNotFoundError:
        return "encoder-tui (not installed)"


class ShowVersion(Action):
    """Prints it. It is looked up when it is asked for: what that imports would be a tenth of the way to the first frame."""

    def __call__(
        self, parser: ArgumentParser, namespace: Any, values: Any, option_string: str | None = None
    ) -> NoReturn:
        write_out(version_line())
        parser.exit()
