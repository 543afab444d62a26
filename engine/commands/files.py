"""Commands that write and read files."""

from __future__ import annotations

from ..messages.errors import InputError
from ..messages.visible import visible
from .session import Session
from .table import Command, Key, Reply, shell_words

EXPORT = "export PATH [GLOB]"


def _export(session: Session, rest: str) -> Reply:
    from ..traces.saving import save

    words = shell_words(rest, EXPORT)
    if not 1 <= len(words) <= 2:
        raise InputError(f"export where? write `{EXPORT}`; the path ends in .safetensors or .npz")
    saved = save(session.trace, words[0], select=words[1] if len(words) == 2 else None, upto=session.debugger.furthest)
    return Reply(saved.told(visible(words[0])))


def _open(session: Session, rest: str) -> Reply:
    from ..traces.recording import open_snapshot

    words = shell_words(rest, "open SNAPSHOT")
    if len(words) != 1:
        raise InputError("open what? write `open SNAPSHOT`")
    session.show(open_snapshot(words[0]))
    return Reply(f"opened {visible(words[0])}: {len(session.trace.program)} stages")


COMMANDS = (
    Command(
        "export", EXPORT, "Write the values reached so far, or those a glob means, to .safetensors or .npz.",
        _export, "files", (), (Key("e", "export ", "export"),), "path",
    ),
    Command("open", "open SNAPSHOT", "Look at a recording.", _open, "files", (), (), "path"),
)  # fmt: skip
