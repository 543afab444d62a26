"""All that the README quotes of time and memory, measured side by side in one run.

    python tests/benchmarks/all.py [SECTION ...] [--quick] [--history PATH]

Each section is a module beside this one whose `rows(quick)` gives figures, or remarks in words, and whose `TITLE` says of what;
each prints as the README has it. A run adds a line to the history, and says by name which ratios are a tenth worse than the
best line on such a machine. All of it takes some ten minutes, with `--quick` two: fewer repetitions, sizes and views. Others
beside whom it is measured come with `pip install 'encoder-tui[bench]'`; who is absent is named.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import subprocess
import sys
import time
import warnings
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import torch
from figures import Figure, parted, table
from history import HISTORY, Line, add, comparable, read, worse

# Section -> the module beside this one that measures it.
SECTIONS = {
    "engine": "engine", "floor": "floor", "peers": "keeping", "growth": "growth", "record": "record", "conditions": "scan",
    "loading": "loading", "start": "starting", "keys": "keys",
}  # fmt: skip
# What prints itself, and is in no history: tables that the README has whole, of what is equal, and long texts and large models, which
# take a quarter of an hour. With everything else, but not with `--quick`.
TABLES = {"families": "families", "roles": "roles", "long": "long"}


def machine() -> str:
    """What kind of machine this is: processor, cores, threads of torch."""
    kind = platform.processor() or platform.machine()
    cpus = Path("/proc/cpuinfo")
    if cpus.exists():
        names = [
            line.partition(":")[2].strip() for line in cpus.read_text().splitlines() if line.startswith("model name")
        ]
        kind = f"{platform.machine()}, {names[0]}" if names else kind
    return f"{kind}, {os.cpu_count()} cores, {torch.get_num_threads()} thread"


def set_threads() -> None:
    """One thread: with several, what others do on the machine decides."""
    torch.set_num_threads(1)


def commit() -> str:
    """What is measured; "" where git does not know."""
    here = Path(__file__).parent

    def said(*words: str) -> str:
        done = subprocess.run(["git", "-C", str(here), *words], capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else ""

    return said("rev-parse", "--short", "HEAD") + ("+" if said("status", "--porcelain", "--untracked-files=no") else "")


def measure(sections: Sequence[str], quick: bool) -> tuple[dict[str, list[Figure]], list[str]]:
    """The figures of each section, printed as they come; and the sections that failed, each with its error."""
    taken: dict[str, list[Figure]] = {}
    failed: list[str] = []
    for section in sections:
        began = time.perf_counter()
        try:
            if section in TABLES:
                print(import_module(TABLES[section]).table(), end="\n\n", flush=True)
                continue
            module = import_module(SECTIONS[section])
            taken[section], remarks = parted(module.rows(quick))
        except Exception as error:
            failed.append(f"{section}: {type(error).__name__}: {error}")
            print(f"{failed[-1]}\n", flush=True)
            continue
        print(table(module.TITLE, taken[section]), "", *remarks, *([""] if remarks else []), sep="\n", flush=True)
        print(f"{section}: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    return taken, failed


def line_of(taken: dict[str, list[Figure]], quick: bool, measured: str) -> Line:
    """What the history keeps of a run; `measured` is the commit."""
    figures = {f"{section}: {each.name}": each for section, several in taken.items() for each in several}
    judged = {name: round(each.value, 4) for name, each in figures.items() if each.judged}
    others = {
        name: round(each.value, 4) for name, each in figures.items() if name not in judged and each.value == each.value
    }
    today = datetime.date.today().isoformat()
    return Line(today, measured, machine(), torch.__version__, quick, judged, others)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, compare, remember: 1 where a section failed, 2 where the history cannot be read."""
    options = argparse.ArgumentParser(description="All that the README quotes of time and memory.")
    known = [*SECTIONS, *TABLES]
    options.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(known)}; all without")
    options.add_argument("--quick", action="store_true", help="fewer repetitions and sizes")
    options.add_argument("--history", type=Path, default=HISTORY, help="the file that gains a line")
    given = options.parse_args(argv)
    if unknown := [name for name in given.sections if name not in known]:
        options.error(f"no section {unknown[0]!r}; there are {', '.join(known)}")
    try:
        earlier = read(given.history)
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    set_threads()
    measured = commit()  # now: a whole run takes long, and someone may go on working in the meantime
    taken, failed = measure(given.sections or (list(SECTIONS) if given.quick else known), given.quick)
    if not taken:
        return int(bool(failed))
    line = line_of(taken, given.quick, measured)
    print(f"{line.date}, {line.commit or 'no commit'}, {line.machine}, torch {line.torch}{', quick' * line.quick}")
    for said in worse(line, earlier):
        print(said)
    if not comparable(line, earlier):
        print(f"nothing to compare with: {given.history} has no such run on such a machine")
    add(given.history, line)
    return int(bool(failed))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(main())
