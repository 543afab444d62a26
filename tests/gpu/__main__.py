"""What holds on a GPU, and how fast: `python -m tests gpu [--device cuda|cpu|pretend] [--write PATH] [SECTION ...]`.

Where there is no CUDA it says so and leaves with 0; `--device cpu` goes through the same code on small sizes, and `--device pretend` on a
device that is the CPU and as strict as a GPU (`pretend`): whatever would wait for a card, or mix its tensors with the CPU's, is found. It needs torch,
numpy, safetensors, tokenizers, transformers and this checkout; no network, and nothing installed of the project.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SECTIONS = ("families", "looking", "commands", "debugging", "modules", "memory", "speed")


def main(argv: Sequence[str]) -> int:
    """Run the checks; 1 where something does not hold."""
    options = argparse.ArgumentParser(prog="python -m tests gpu", description=__doc__)
    options.add_argument(
        "sections", nargs="*", metavar="SECTION", help=f"of {', '.join(SECTIONS)}; all if none is named"
    )
    options.add_argument(
        "--device", default="cuda", help="cuda, cuda:N, or cpu or pretend for the same code on small sizes"
    )
    options.add_argument("--write", type=Path, metavar="PATH", help="write the figures there, as JSON")
    options.add_argument("--profile", action="store_true", help="print where the host's time goes")
    given = options.parse_args(argv)
    if unknown := [name for name in given.sections if name not in SECTIONS]:
        print(f"no section {unknown[0]!r}; there are {', '.join(SECTIONS)}", file=sys.stderr)
        return 2
    import torch

    if given.device.startswith("cuda") and not torch.cuda.is_available():
        print("no CUDA device that torch can use: nothing is checked (--device cpu tries the code on small sizes)")
        return 0
    return _run(given, given.device)


def _run(given: argparse.Namespace, named: str) -> int:
    from . import checkout

    checkout.use()
    import torch

    if named == "pretend":
        from .pretend import install

        device = install()
    else:
        device = torch.device(named)
    from . import commands, debugging, families, looking, memory, modules, speed
    from .findings import Findings

    begin = time.perf_counter()
    backends: tuple[Any, ...] = (torch.backends.cuda.matmul, torch.backends.cudnn)
    for backend in backends:
        backend.allow_tf32 = False
    if device.type == "cuda":
        device = torch.empty(0, device=device).device
    about = _about(device)
    print("  ".join(f"{name} {value}" for name, value in about.items()))
    found = Findings()
    works = {
        "families": families, "looking": looking, "commands": commands, "debugging": debugging, "modules": modules, "memory": memory, "speed": speed,
    }  # fmt: skip
    for name in given.sections or SECTIONS:
        found.section(name, lambda found, name=name: works[name].check(found, device))
    if given.profile:
        found.attempt("a profile", lambda: speed.where_time_goes(device))
    about["seconds"] = round(time.perf_counter() - begin, 1)
    _end(found, about)
    if given.write:
        _write(given.write, found, about)
    return 1 if found.wrong else 0


def _about(device: Any) -> dict[str, Any]:
    import torch
    import transformers

    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    today = datetime.date.today().isoformat()
    return {"card": name, "date": today, "torch": torch.__version__, "transformers": transformers.__version__}


def _end(found: Any, about: dict[str, Any]) -> None:
    print(f"\n{len(found.lines)} findings, {len(found.wrong)} of them wrong, in {about['seconds']} s")
    for section, what, _, seen in found.wrong:
        print(f"WRONG  {section}: {what}: {seen}")


def _write(path: Path, found: Any, about: dict[str, Any]) -> None:
    findings = [
        {"section": section, "what": what, "holds": holds, "seen": seen} for section, what, holds, seen in found.lines
    ]
    figures = {**about, "section_seconds": found.seconds, "tables": found.tables, "findings": findings}
    path.write_text(json.dumps(figures, indent=1, ensure_ascii=False, default=str) + "\n", "utf-8")
    print(f"wrote {path}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
