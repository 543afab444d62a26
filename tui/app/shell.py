"""What the application is to those it is made of: they know this much of it, and it knows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import signal

    from ..screens.main import MainScreen
    from .choices import Choices


class Shell(Protocol):
    """Shows what the controller decides, and leaves when it is told to."""

    @property
    def main(self) -> MainScreen:
        """The one main screen."""
        ...

    @property
    def choices(self) -> Choices:
        """What is chosen once and for all."""
        ...

    def complain(self, error: BaseException, origin: str = "") -> None:
        """Say what went wrong, and where, if that is a file's line."""
        ...

    def relabel(self) -> None:
        """Write everything anew in the language in use."""
        ...

    def copy(self, text: str, name: str = "") -> None:
        """Put text on the clipboard; `name` is what it is called, where that is shorter."""
        ...

    def show_palette(self) -> None:
        """Show everything that can be done, to choose from."""
        ...

    def show_keys(self) -> None:
        """Show all keys."""
        ...

    def show_reply(self) -> None:
        """Show the last answer on the whole screen."""
        ...

    def save_screen(self, path: str) -> None:
        """Write what is on the screen to a file."""
        ...

    def leave(self, status: int) -> None:
        """Leave with an exit status."""
        ...

    def end_by(self, number: signal.Signals) -> None:
        """Leave because of a signal, or because the terminal is gone."""
        ...
