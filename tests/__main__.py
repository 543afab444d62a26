"""All that must hold before a commit: format, lint, types, tests. `python -m tests [pytest arguments]`."""

from __future__ import annotations

import subprocess
import sys

CHECKS = (
    ("ruff", "format", "--check", "."),
    ("ruff", "check", "."),
    ("pyright", "--pythonpath", sys.executable),
    ("pytest",),
)


def main() -> int:
    for check in CHECKS:
        print("==", *check, flush=True)
        more = sys.argv[1:] if check[0] == "pytest" else []
        status = subprocess.run([sys.executable, "-m", *check, *more]).returncode
        if status:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main())
