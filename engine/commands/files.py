"""Commands that write and read files."""

from __future__ import annotations

from ..messages.errors import InputError
from ..messages.visible import visible
from .session import Session
from .table import Command, Key, Reply, shell_words

EXPORT = "export PATH [GLOB]"


def _export(session: Session, rest: str) -> Reply:
    words = shell_words(rest, EXPORT)
    if not 1 <= len(words) <= 2:
        raise InputError(f"export where? write `{EXPORT}`; the path ends in .safetensors, .npz or .html")
    return Reply(export(session, words[0], words[1] if len(words) == 2 else None))


def export(session: Session, path: str, select: str | None) -> str:
    """Write values, or a page of the whole walk, as the path's ending has it; what was written, in one line.

    Raises:
        InputError: as `save` and `save_walk`.
    """
    from ..pages.walk import is_page, save_walk
    from ..traces.saving import save

    if is_page(path):
        return save_walk(session.trace, path, select, session.stopped).told(visible(path))
    return save(session.trace, path, select=select, upto=session.debugger.furthest).told(visible(path))


def check_export(path: str) -> None:
    """Refuse a path that cannot be written, before the work, not after it.

    Raises:
        InputError: another suffix, or no such directory.
    """
    from ..pages.walk import check_page, is_page
    from ..traces.saving import check_target

    (check_page if is_page(path) else check_target)(path)


def _open(session: Session, rest: str) -> Reply:
    from ..traces.recording import open_snapshot

    words = shell_words(rest, "open SNAPSHOT")
    if len(words) != 1:
        raise InputError("open what? write `open SNAPSHOT`")
    session.show(open_snapshot(words[0]))
    return Reply(f"opened {visible(words[0])}: {len(session.trace.program)} stages")


COMMANDS = (
    Command(
        "export", EXPORT, "Write the values reached so far, or those a glob means, to .safetensors or .npz; to .html, a page of the whole walk.",
        _export, "files", (), (Key("e", "export ", "export"),), "path",
    ),
    Command("open", "open SNAPSHOT", "Look at a recording.", _open, "files", (), (), "path"),
)  # fmt: skip
