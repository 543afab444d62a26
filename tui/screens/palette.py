"""What the palette offers: every command of the table, and the themes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Protocol, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from ...engine.messages.translation import tr

if TYPE_CHECKING:
    from ...engine.commands import Command, CommandTable

Offer = tuple[str, str, Callable[[], None]]


class Chooser(Protocol):
    """An application whose commands can be chosen from a list."""

    @property
    def table(self) -> CommandTable:
        """The commands."""
        ...

    def choose(self, line: str) -> None:
        """Run a line, or put it on the command line to be completed."""
        ...


class TableProvider(Provider):
    """Offers the command table's lines."""

    async def discover(self) -> Hits:
        for text, help_, run in self._offers():
            yield DiscoveryHit(_literal(text), run, text=text, help=_literal(help_))

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for text, help_, run in self._offers():
            score = matcher.match(text) or 0.1 * (query.lower() in help_.lower())
            if score > 0:
                yield Hit(score, matcher.highlight(_literal(text)), run, text=text, help=_literal(help_))

    def _offers(self) -> Iterator[Offer]:
        chooser = cast("Chooser", self.app)
        for command in chooser.table:
            for line, shown, help_ in command_lines(command):
                yield shown, help_, partial(chooser.choose, line)
        for name in sorted(self.app.available_themes):
            line = f"theme {name}"
            yield line, tr(chooser.table.find("theme").help), partial(chooser.choose, line)


def command_lines(command: Command) -> Iterator[tuple[str, str, str]]:
    """Lines a command can be run with as they stand, or its name, to be completed, where it needs more.

    Yields:
        The line, what is shown of it, its help.
    """
    keys = {key.line: key.name for key in command.keys}
    if isinstance(command.completes, tuple) and "STAGE" not in command.usage:
        for word in command.completes:
            line = f"{command.name} {word}"
            yield line, line, _help(command, keys.get(line))
        return
    filled = f"{command.name} {{stage}}"
    line = filled if filled in keys else command.plain
    yield line, command.usage, _help(command, keys.get(line))


def _literal(text: str) -> str:
    """As it stands: a bracket begins no markup."""
    return text.replace("[", r"\[")


def _help(command: Command, key: str | None) -> str:
    return f"{tr(command.help)}  ({key})" if key else tr(command.help)
