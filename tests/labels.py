"""Every label that is translated: what stands in `tr(...)`, and what is only looked up when it is shown."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent


def _texts(node: ast.expr) -> Iterator[str]:
    """The texts an argument can be: a literal, either side of a choice, every one of a row of them."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from (*_texts(node.body), *_texts(node.orelse))
    elif isinstance(node, (ast.Tuple, ast.List)):
        for element in node.elts:
            yield from _texts(element)


def written() -> dict[str, str]:
    """Label -> the file it stands in, for every literal given to `tr`, `trn`, `translate` or `map(tr, ...)`."""
    found: dict[str, str] = {}
    for path in sorted([*(ROOT / "engine").rglob("*.py"), *(ROOT / "tui").rglob("*.py")]):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            of_map = node.func.id == "map" and isinstance(node.args[0], ast.Name) and node.args[0].id == "tr"
            count = {"tr": (0, 1), "trn": (1, 3), "translate": (1, 2)}.get(node.func.id, (1, 2) if of_map else (0, 0))
            for argument in node.args[slice(*count)]:
                found |= dict.fromkeys(_texts(argument), str(path.relative_to(ROOT)))
    return found


def looked_up() -> dict[str, str]:
    """Label -> where it comes from, for those in tables."""
    from encoder_tui.engine.analysis.explain.worked import BY_HAND, NOT_KNOWN
    from encoder_tui.engine.commands import TABLE
    from encoder_tui.engine.commands.screen import VIEWS
    from encoder_tui.engine.commands.table import GROUPS
    from encoder_tui.tui.screens import keys
    from encoder_tui.tui.state import encoder_map
    from encoder_tui.tui.state.footer_keys import OF_TOUR, OF_VIEW
    from encoder_tui.tui.views.diff_map import NEVER, DiffMap
    from encoder_tui.tui.views.statistics import _FIGURES

    found = {NEVER: "diff", DiffMap.hidden_word: "diff", "masked": "heat map"}
    for command in TABLE:
        found |= {command.help: command.name} | {key.label: command.name for key in command.keys}
    found |= {label: f"footer of {view}" for view, wishes in OF_VIEW.items() for _, label in wishes if label}
    found |= {label: "footer of the tour" for _, label in OF_TOUR}
    found |= dict.fromkeys(VIEWS, "tabs") | dict.fromkeys(encoder_map.WORDS, "map")
    found |= dict.fromkeys(GROUPS.values(), "keys") | {text: "keys" for *_, text in (*keys.OURS, *keys.MARKS)}
    found |= {label: "statistics" for label, _ in _FIGURES}
    found |= dict.fromkeys(["rows", "columns", "text", "head", "channel", "channels"], "planes")
    found |= dict.fromkeys(["weight"], "header")
    found |= dict.fromkeys(["importing torch", "reading the text"], "progress")
    found |= dict.fromkeys(["stage", "weight", "constant"], "kinds of operands")
    found |= dict.fromkeys([" in float64", "difference", "rounding allows"], "why")
    return found | dict.fromkeys((NOT_KNOWN, BY_HAND), "worked numbers") | dict.fromkeys(FACTS, "why")


# Words among the names of facts in `engine/analysis/why`; symbols are the same everywhere.
FACTS = (
    "row maximum", "numerator", "row sum", "mean", "variance", "input", "output", "slope", "length", "words around",
    "its weight", "its chance", "angle", "wavelength", "frequency", "mean of x²", "1/√(variance + ε)", "1/√(mean + ε)",
    "(x − mean) / √(variance + ε)",
)  # fmt: skip
