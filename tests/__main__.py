"""All that must hold before anything is let in: format, lint, types, tests. `python -m tests [all] [pytest arguments]`.

Without `all` types are not checked, which takes a minute and a half and tells whoever has changed nothing little; the tests
marked `sweep` are left out, each of which tries many more cases of what another test tries one of, and hypothesis draws fewer
examples: every mechanism is seen, in half the time. CI runs `all`.

`python -m tests fuzz [WHAT] [--n N] [--seed S]` runs a fuzz instead: `tests/fuzz/WHAT.py`, a module with `main(argv) -> status`.
Without WHAT it runs every one of them that needs no terminal. `python -m tests gpu` checks what holds on a GPU: `tests/gpu`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

CORES = os.cpu_count() or 1
WORKERS = min(CORES, 4)  # each of them loads torch and the models it needs
TYPES = ("pyright", "--threads", str(CORES), "--pythonpath", sys.executable)
CHECKS = (
    ("ruff", "format", "--check", "."),
    ("ruff", "check", "."),
    TYPES,
    ("pytest", "-n", str(WORKERS), "--dist", "loadfile"),
)
QUICK = ("-m", "not sweep", "--hypothesis-profile", "quick")
FUZZ = Path(__file__).parent / "fuzz"
IN_A_TERMINAL = ("keys",)  # hours at the counts that files are fuzzed with: run by name


def main(argv: Sequence[str]) -> int:
    if argv[:1] == ["fuzz"]:
        return fuzz(argv[1:])
    if argv[:1] == ["gpu"]:
        return import_module("tests.gpu.__main__").main(argv[1:])
    everything = argv[:1] == ["all"]
    chosen = argv[1:] if everything else [*QUICK, *argv]
    threads = str(max(1, CORES // WORKERS))  # else every worker's torch would want all cores for itself
    environment = {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads, **os.environ}
    for check in CHECKS:
        if check == TYPES and not everything:
            continue
        print("==", *check, flush=True)
        more = chosen if check[0] == "pytest" else []
        status = subprocess.run([sys.executable, "-m", *check, *more], env=environment).returncode
        if status:
            return status
    return 0


def fuzz(argv: Sequence[str]) -> int:
    """Run the fuzz that is named, or all that need no terminal; the worst of their statuses."""
    named = [argv[0]] if argv and not argv[0].startswith("-") else []
    known = fuzzes()
    if unknown := [name for name in named if name not in known]:
        print(f"no fuzz {unknown[0]!r}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    worst = 0
    for name in named or [name for name in known if name not in IN_A_TERMINAL]:
        print("== fuzz", name, flush=True)
        worst = max(worst, import_module(f"tests.fuzz.{name}").main(argv[len(named) :]))
    return worst


def fuzzes() -> list[str]:
    """Names of the modules in tests/fuzz that can be run; the others there are parts of them."""
    return sorted(path.stem for path in FUZZ.glob("*.py") if re.search(r"^def main\(", path.read_text("utf-8"), re.M))


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:  # what was running has said so itself
        sys.exit(130)
