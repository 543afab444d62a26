"""What may come of any input: the work is done, or one line says why not; in seconds, in bounded memory, and nothing is left over."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from encoder_tui.engine.messages.visible import visible_lines

from .values import MARK

SECONDS = 5.0  # of computing
WAITED = 30.0  # by the clock: others may have the processor
BYTES = 2 << 30
LONGEST_LINE = 5000


@dataclass
class Outcome:
    """What was seen of a case.

    Attributes:
        status: the exit status; None where an exception came out instead, and is `raised`.
        out, err: what was written to the two streams, whoever wrote it.
        seconds: computed; memory: bytes at the peak, beyond what there was before.
        folder: where it could write.
    """

    status: int | None
    out: str = ""
    err: str = ""
    raised: str = ""
    seconds: float = 0.0
    memory: int = 0
    folder: Path | None = None
    faults: list[str] = field(default_factory=list[str])


def judge(seen: Outcome) -> list[str]:
    """What is wrong with an outcome; nothing where all is well."""
    wrong: list[str] = []
    if seen.status is None:
        wrong.append(f"raised {seen.raised}")
    elif seen.status not in (0, 2, 3):
        wrong.append(f"status {seen.status}: {seen.err.strip()[-300:]}")
    both = seen.out + seen.err
    wrong += [f"{word!r} in the output" for word in ("Traceback (most", "panicked at") if word in both]
    if visible_lines(both) != both:
        raw = next(a for a, b in zip(both, visible_lines(both) + "\0", strict=False) if a != b)
        wrong.append(f"{raw!r} is written raw: {both[max(0, both.index(raw) - 60) :][:120]!r}")
    if any(line.startswith(MARK) for line in both.split("\n")):
        wrong.append("a name's line end is written raw")
    told = [line for line in seen.err.splitlines() if line.startswith("encoder-tui: ")]
    if seen.status == 2 and (len(told) != 1 or not seen.err.rstrip("\n").endswith(told[0])):
        wrong.append(f"{len(told)} lines of error: {seen.err[-300:]!r}")
    if any(len(line) > LONGEST_LINE for line in told):
        wrong.append(f"a line of error has {max(map(len, told)):,} letters")
    if seen.seconds > SECONDS:
        wrong.append(f"took {seen.seconds:.1f} s")
    if seen.memory > BYTES:
        wrong.append(f"took {seen.memory / 2**30:.1f} GiB")
    return wrong + _left(seen.folder)


def _left(folder: Path | None) -> list[str]:
    """Files that were not written to their end."""
    from safetensors import safe_open

    wrong: list[str] = []
    for path in folder.rglob("*") if folder is not None else ():
        if path.suffix == ".part":
            wrong.append(f"{path.name} is left over")
        elif path.suffix == ".safetensors" and path.is_file():
            try:
                with safe_open(str(path), framework="numpy") as file:
                    file.keys()
            except Exception as error:
                wrong.append(f"{path.name} is half a file: {error}")
    return wrong
