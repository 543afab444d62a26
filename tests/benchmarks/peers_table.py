"""The table of peers, from what `peers.py` measured: no torch here, so that a test can hold the README to it quickly."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

FIGURES = Path(__file__).with_name("peers.json")
OURS = "ours"
HEAD = (
    "tool", "first place: right / another / none", "cause named", "lines to read: median, most", "processor seconds: median, most",
    "healthy pairs: quiet / refused / false alarm",
)  # fmt: skip

# Not run, as msProbe is made for Ascend's processors and PaDiff for Paddle: what their documents say. The documents that were read are
# https://gitcode.com/Ascend/msprobe/blob/master/docs/zh/accuracy_compare/pytorch_accuracy_compare_instruct.md and
# https://github.com/PaddlePaddle/PaDiff/blob/develop/docs/Interfaces.md
BY_DOCUMENTS = (
    ("msProbe `compare`, by its documents", "calls of the same name and number side by side, marked by cosine and largest error; the first is the reader's to find",
     "0", "a row a call", "not run", "not run"),
    ("PaDiff `auto_diff`, by its documents", "the first layer beyond rtol 1e-7, in a tree of the layers", "0", "a tree", "not run", "not run"),
)  # fmt: skip

Rows = Sequence[dict[str, Any]]


def read_figures() -> dict[str, Any]:
    return json.loads(FIGURES.read_text("utf-8"))


def table(figures: dict[str, Any]) -> str:
    """What the README has between its marks, in Markdown."""
    tools = {row["tool"]: [each for each in figures["rows"] if each["tool"] == row["tool"]] for row in figures["rows"]}
    lines = [HEAD, ("---",) * len(HEAD), *(_line(tool, rows) for tool, rows in tools.items()), *BY_DOCUMENTS]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    versions = ", ".join(f"{name} {version}" for name, version in figures["versions"].items())
    without = "".join(f", without {title}" for title in figures["missing"])
    measured = (
        f"Measured on {figures['date']} with {versions}{without}, {figures['machine']}. Places that are not given:"
    )
    return "\n".join([table, "", measured, "", *(_missed(tool, rows) for tool, rows in tools.items())])


def _line(tool: str, rows: Rows) -> tuple[str, ...]:
    faults, healthy = [row for row in rows if "stage" in row], [row for row in rows if "healthy" in row]
    stages, pairs = [row["stage"] for row in faults], [row["healthy"] for row in healthy]
    return (
        tool if tool == OURS else f"{tool.partition(' ')[0]} `{tool.partition(' ')[2]}`",
        " / ".join(str(stages.count(kind)) for kind in ("right", "another", "none")) + f" of {len(faults)}",
        f"{sum(row['cause'] for row in faults)}",
        _middle_and_most([row["lines"] for row in faults], "d"),
        _middle_and_most([row["seconds"] for row in faults], ".1f"),
        " / ".join(str(pairs.count(kind)) for kind in ("quiet", "refused", "alarm")),
    )


def _middle_and_most(numbers: Sequence[float], form: str) -> str:
    return f"{format(statistics.median_high(numbers), form)}, {format(max(numbers), form)}"


def _missed(tool: str, rows: Rows) -> str:
    """Which faults' place a tool does not give, in a line of a list."""
    missed = [f"{row['pair']} ({row['stage']})" for row in rows if row.get("stage", "right") != "right"]
    return f"- {tool}: {'; '.join(missed) or 'none'}"
