"""Keys of a file that nobody reads: each is in a list with the reason why it changes no number, or is told in one line."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

# Reason -> keys that change no number, whatever stands behind them.
Harmless = Mapping[str, tuple[str, ...]]
MOST_NAMED, LONGEST_NAME = 12, 40


def unread(file: str, keys: Iterable[str], read: Collection[str], harmless: Harmless | None = None) -> list[str]:
    """The line that tells of a file's unknown keys; nothing where there are none.

    Args:
        file: whose keys they are, without its folder.
        keys: all that stand there.
        read: those that are read.
        harmless: those that change nothing, by reason.
    """
    known = {*read, *(key for named in (harmless or {}).values() for key in named)}
    unknown = sorted(set(keys) - known)
    if not unknown:
        return []
    shown = [name if len(name) <= LONGEST_NAME else name[:LONGEST_NAME] + "..." for name in unknown[:MOST_NAMED]]
    more = f" and {len(unknown) - MOST_NAMED} more" if len(unknown) > MOST_NAMED else ""
    return [f"{file} says things that are not known here and change nothing: {', '.join(shown)}{more}"]
