"""How much of transformers' own classes is recognised by the data flow alone, and that it is right: the README's table, measured.

    python tests/benchmarks/roles.py

A random checkpoint of each family is opened by transformers and by us; every value of transformers' module that is given a name
is held against our stage of that name.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "engine"))

from family_kit import samples
from roles_kit import HEAD, measured


def table() -> str:
    """All families, in Markdown."""
    lines = [HEAD, ("---",) * len(HEAD), *((sample.family, *measured(sample).cells) for sample in samples())]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    print(table())
