"""The command table as Markdown, for the README: `python -m encoder_tui.engine.commands.document`."""

from __future__ import annotations

from . import TABLE
from .table import GROUPS, Command


def commands_table() -> str:
    """Every command: how it is written, its abbreviations, its keys, what it does."""
    lines = ["| command | short | keys | what it does |", "|---|---|---|---|"]
    for group, title in GROUPS.items():
        lines.append(f"| **{title}** | | | |")
        lines += [_row(command) for command in TABLE if command.group == group]
    return "\n".join(lines)


def _row(command: Command) -> str:
    keys = " ".join(f"`{key.name}`" for key in command.keys)
    short = " ".join(f"`{name}`" for name in command.short)
    return f"| `{_safe(command.usage)}` | {short} | {_safe(keys)} | {_safe(command.help)} |"


def _safe(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    print(commands_table())
