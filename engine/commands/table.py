"""What a command is, and how a line finds its command."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from ..debugger.cursor import Stop
from ..messages.errors import InputError, nearest

if TYPE_CHECKING:
    from ..debugger.cancel import CancelToken
    from ..pages.facts import JsonObject
    from .session import Session


# What groups of commands are called, in the order in which lists have them.
GROUPS = {
    "motion": "Motion",
    "breakpoints": "Breakpoints",
    "values": "Values",
    "changes": "Changes",
    "files": "Files",
    "screen": "Screen",
}


@dataclass(frozen=True, slots=True)
class Key:
    """A key that runs a command line.

    Attributes:
        key: as Textual names it: `s`, `S`, `left_square_bracket`, `f10`.
        line: what it runs. `{stage}` stands for the stage that is looked at. A line that ends in a space is put on
            the command line to be completed rather than run.
        label: a few words for the footer and the help.
        shown: what a person calls the key, where Textual's name is not it: `[`.
    """

    key: str
    line: str
    label: str
    shown: str = ""

    @property
    def name(self) -> str:
        """The key as a person calls it."""
        return self.shown or self.key


@dataclass(frozen=True, slots=True)
class Request:
    """Something only a screen can do, for instance `Request("view", "heads")`; batch mode says so and goes on."""

    what: str
    argument: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of a command.

    Attributes:
        text: to be printed; may have several lines.
        stop: where the cursor came to rest, if it was asked to move.
        request: what the screen is to do.
        quit: whether to leave.
        verdict: the last line of a long text, when that says what came of it: a small screen shows it first.
        facts: what the text says as objects for JSON, made when somebody asks for them; None where the text is all there is.
    """

    text: str = ""
    stop: Stop | None = None
    request: Request | None = None
    quit: bool = False
    verdict: str = ""
    facts: Callable[[], list[JsonObject]] | None = None


@dataclass(frozen=True, slots=True)
class OfTable:
    """What a command does that speaks of commands: the table hands itself to it."""

    run: Callable[[CommandTable, Session, str], Reply]


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    Attributes:
        name: in full; short: abbreviations.
        usage: how it is written, `break STAGE [if COND]`.
        help: one sentence.
        run: takes the session and the rest of the line; `OfTable`, the table as well.
        keys: keys bound to it.
        group: one of `GROUPS`.
        completes: what Tab completes after it: `stage`, `address` (a stage, or what is beside one), `command`, `path`, `theme`,
            a list of words, or nothing.
    """

    name: str
    usage: str
    help: str
    run: Callable[[Session, str], Reply] | OfTable
    group: str
    short: tuple[str, ...] = ()
    keys: tuple[Key, ...] = ()
    completes: str | tuple[str, ...] = field(default="")

    @property
    def plain(self) -> str:
        """The line it is run with where nothing more is said: its name, and a space where it needs more, to be completed."""
        arguments = self.usage.partition(" ")[2]
        return f"{self.name} " if arguments and not arguments.startswith("[") else self.name


class CommandTable:
    """All commands, in the order help lists them."""

    def __init__(self, commands: Iterable[Command]) -> None:
        self.commands = tuple(commands)
        self._by_name: dict[str, Command] = {}
        for command in self.commands:
            for name in (command.name, *command.short):
                if name in self._by_name:
                    raise ValueError(f"two commands are called {name!r}")
                self._by_name[name] = command

    def __iter__(self) -> Iterator[Command]:
        return iter(self.commands)

    @property
    def names(self) -> list[str]:
        """Names in full."""
        return [command.name for command in self.commands]

    def find(self, word: str) -> Command:
        """The command of that name, abbreviation or unambiguous beginning.

        Raises:
            InputError: none, or several.
        """
        if word in self._by_name:
            return self._by_name[word]
        beginning = [command for command in self.commands if word and command.name.startswith(word)]
        if len(beginning) == 1:
            return beginning[0]
        if beginning:
            raise InputError(f"command {word!r} is ambiguous: {', '.join(command.name for command in beginning)}")
        raise InputError(f"no command {word!r}{nearest(word, self._by_name) or '; `help` lists them'}")

    def run(self, command: Command, session: Session, words: str) -> Reply:
        """Run a command on what stood after its name; see `execute`."""
        return (
            command.run.run(self, session, words) if isinstance(command.run, OfTable) else command.run(session, words)
        )

    def execute(self, session: Session, line: str, cancel: CancelToken | None = None) -> Reply:
        """Run one line; an empty one and one that starts with `#` do nothing. After a change of what goes in, or of what it is
        compared with, it is told which breakpoints name what is not there any more.

        Args:
            cancel: stops it, from whichever thread.

        Raises:
            InputError: whatever is wrong with the line; nothing has been changed then.
        """
        line = line.strip().lstrip(":")  # whoever is on the command line already may type the colon again
        if not line or line.startswith("#"):
            return Reply()
        word, *rest = line.split(maxsplit=1)
        command, before = self.find(word), (session.trace.inputs, session.reference)
        outer = session.cancel
        session.begin(" ".join((command.name, *rest)), cancel)
        words = rest[0] if rest else ""
        try:
            reply = self.run(command, session, words)
        finally:
            session.end(outer)
        if command.group == "changes" or command.name == "open":
            session.record()
        if session.trace.inputs is before[0] and session.reference is before[1]:
            return reply
        from ..debugger.stale_breakpoints import stale_breakpoints

        others = stale_breakpoints(session.trace, session.debugger.breakpoints.values())
        if not others:
            return reply
        told, facts = "\n".join(others), reply.facts
        return replace(
            reply, text="\n".join(filter(None, (reply.text, told))), facts=partial(_told_too, facts, told) if facts else None
        )  # fmt: skip


def _told_too(facts: Callable[[], list[JsonObject]], told: str) -> list[JsonObject]:
    from ..pages.facts import text_facts

    return [*facts(), text_facts(told)]


def count_of(rest: str, usage: str) -> int:
    """A count of 1 or more; nothing written is 1.

    Raises:
        InputError: something else is written.
    """
    if not rest:
        return 1
    if not is_number(rest) or int(rest) < 1:
        raise InputError(f"{rest!r} is not a count of 1 or more; write `{usage}`")
    return int(rest)


def is_number(text: str) -> bool:
    """Whether text is a whole number in plain digits, and not absurdly long."""
    return text.isascii() and text.isdigit() and len(text) <= 18


def shell_words(rest: str, usage: str) -> list[str]:
    """Split as a shell does, so that a path or text may be quoted.

    Raises:
        InputError: a quote that is not closed.
    """
    try:
        return shlex.split(rest)
    except ValueError as error:
        raise InputError(f"cannot read {rest!r} ({error}); write `{usage}`") from None


def nothing_more(rest: str, usage: str) -> None:
    """Refuse arguments where a command takes none.

    Raises:
        InputError: there are some.
    """
    if rest:
        raise InputError(f"{rest!r} is more than this command takes; write `{usage}`")
