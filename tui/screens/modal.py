"""Modal screens, over the main one. Each leaves once, and takes its keys when they are pressed, so that none comes to one that has left."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from textual import events, work
from textual.app import App, ComposeResult
from textual.await_complete import AwaitComplete
from textual.command import CommandPalette
from textual.css.query import NoMatches
from textual.screen import ModalScreen
from textual.worker import Worker

from ..panes.lines import Lines
from .frames import FramedScreen

if TYPE_CHECKING:
    from textual import getters

PASSED = ("ctrl+q", "ctrl+z")  # to leave and to suspend, wherever one is


class Modal(FramedScreen):
    """Mixed into a screen that is over another one until it is dismissed, once."""

    CSS_PATH = "../styles/modal.tcss"

    if TYPE_CHECKING:
        app = getters.app(App[Any])  # Textual leaves open what running it returns

    def dismiss(self, result: Any = None) -> AwaitComplete:
        """Leave. Textual takes away whichever screen is on top: a second time, or below another one, that is not this."""
        on_top = self.app.screen_stack[-1:] == [self]  # `is_current` is also what shines through from below
        return super().dismiss(result) if on_top else AwaitComplete.nothing()

    def run_worker(self, *arguments: Any, **options: Any) -> Worker[Any]:
        """Begin work whose end may come when this screen has left: it stumbles over what is gone then, and that is no fault."""
        return super().run_worker(*arguments, **options | {"exit_on_error": False})

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """While the screen is there it is one."""
        error = event.worker.error  # pyright: ignore[reportUnknownMemberType] # Textual says not of what
        if error is not None and self in self.app.screen_stack:
            self.app._handle_exception(cast(Exception, error))  # pyright: ignore[reportPrivateUsage] # as Textual does

    def pressed(self, event: events.Key) -> bool:
        """Take a key, before the next one is looked at; whether this screen has a use for it."""
        raise NotImplementedError


class LinesScreen(Modal, ModalScreen[None]):
    """Lines to be read; any key that does not scroll closes them.

    Args:
        lines: what is to be read.
    """

    def __init__(self, lines: Lines[Any]) -> None:
        super().__init__()
        self.lines = lines

    def compose(self) -> ComposeResult:
        yield self.lines

    def on_mount(self) -> None:
        self.lines.focus()

    def pressed(self, event: events.Key) -> bool:
        """Scroll, or leave."""
        if event.key in PASSED:
            return False
        page, far = max(1, self.lines.scrollable_content_region.height - 1), len(self.lines.faces)
        steps = {"up": -1, "k": -1, "down": 1, "j": 1, "pageup": -page, "pagedown": page, "space": page}
        steps |= {"g": -far, "G": far}
        if event.key in steps:
            self.lines.scroll_relative(y=steps[event.key], animate=False)
        elif not self.shifted(event.key):
            self.dismiss()
        return True

    def shifted(self, key: str) -> bool:
        """Whether a key scrolls in a way of this page's own; it has done so then."""
        return False


class PaletteScreen(Modal, CommandPalette):
    """Textual's list of everything that can be done."""

    def pressed(self, event: events.Key) -> bool:
        """What is typed is for its input; escape is not, or what is typed next would be lost with it."""
        if event.key == "escape":
            self._action_escape()
        return event.key == "escape"

    @work(exclusive=True, group=CommandPalette._GATHER_COMMANDS_GROUP)  # pyright: ignore[reportPrivateUsage]
    async def _gather_commands(self, search_value: str) -> None:
        """What Textual does; nothing where it was left before that began: there is no list any more."""
        gather: Any = CommandPalette._gather_commands
        with suppress(NoMatches):
            await gather.__wrapped__(self, search_value)


def opened(app: App[Any], screen: Modal) -> None:
    """Put a screen over the one there is, unless one of its kind is there already."""
    if not any(type(other) is type(screen) for other in app.screen_stack):
        app.push_screen(screen)
