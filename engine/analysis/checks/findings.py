"""What a check finds, as data and as text."""

from __future__ import annotations

from dataclasses import dataclass

from ...debugger.faults.fault import Fault
from ...messages.visible import quoted
from ...program.index import texts_of, token_in
from ...program.trace import Trace


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is off.

    Attributes:
        kind: in a word or two, as of a `Fault`, or `depends on padding`.
        stage: where it shows first; more: further stages it shows at.
        text: which text of the batch, None for all.
        place: index of an example in the stage's value, None where there is no single one.
        where: the same for people, with tokens: `text 1, head 0, query 3 'cat', key 7 '[PAD]'`.
        said: what is wrong; remedy: what to do about it.
        texts: how many texts it shows in.
        risk: nothing has come of it in this batch, but something may in another.
        address: where it is to be looked at, if that is not the stage's value: `layers.0.ffn.up@W`.
        odds: how many of its like are as far out, of what is only unlikely; "" of what is wrong.
    """

    kind: str
    stage: str
    text: int | None
    place: tuple[int, ...] | None
    where: str
    said: str
    remedy: str
    more: int = 0
    texts: int = 1
    risk: bool = False
    address: str = ""
    odds: str = ""


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check came to.

    Attributes:
        findings: in the order of the program, so that the first is where it begins.
        looked: what was checked, a line each.
        sought: what it says there is none of, where it found nothing.
    """

    findings: tuple[Finding, ...]
    looked: tuple[str, ...]
    sought: str = "no fault"

    @property
    def faults(self) -> list[Finding]:
        """Findings that are wrong, not only a risk."""
        return [finding for finding in self.findings if not finding.risk]


def write_checked(checked: Checked) -> str:
    """Findings, then what was checked, then the verdict."""
    lines: list[str] = []
    for number, finding in enumerate(checked.findings, 1):
        stages = "weights" if finding.odds else "stages"
        more = [f"and {finding.more} more {stages}"] * bool(finding.more) + [f"{finding.texts} texts"] * (
            finding.texts > 1
        )
        where = f" ({', '.join(more)})" if more else ""
        how = "a risk: " if finding.risk else "unlikely: " if finding.odds else ""
        lines.append(f"{number}. {finding.address or finding.stage}{where}: {how}{finding.said}")
        lines += [f"   {finding.where}"] * bool(finding.where) + [f"   odds: {finding.odds}"] * bool(finding.odds)
        lines += [f"   {finding.remedy}"] * bool(finding.remedy)
    lines += [f"checked: {line}" for line in checked.looked]
    return "\n".join([*lines, _verdict(checked)])


def _verdict(checked: Checked) -> str:
    faults = checked.faults
    if faults and all(finding.odds for finding in faults):
        count = len(faults)
        return f"{count} thing{'s' * (count != 1)} unlikely, none of it certain: the first is at {faults[0].address}"
    risks = len(checked.findings) - len(faults)
    more = f", {risks} risk{'s' * (risks != 1)}" if risks else ""
    if not faults:
        return f"{checked.sought} found{more}"
    after = f", and {len(faults) - 1} more that may follow from it" if len(faults) > 1 else ""
    return f"fault found: it begins at {faults[0].stage}{after}{more}"


def finding_of(trace: Trace, stage: str, fault: Fault) -> Finding:
    """A fault as a finding: with a place only where it names one element."""
    place = tuple(at for at in fault.place if at is not None)
    whole = place if place and len(place) == len(trace.program[stage].axes) else None
    said = where(trace, stage, fault.row, whole)
    return Finding(fault.kind, stage, fault.row, whole, said, fault.text, fault.remedy)


def where(trace: Trace, stage: str, row: int | None, place: tuple[int, ...] | None) -> str:
    """`text 1 'A cat.', head 0, query 3 'cat', key 7 '[PAD]'`."""
    parts: list[str] = []
    along = trace.inputs.strings_along(trace.program[stage])
    if row is not None:
        texts = trace.inputs.sequences[trace.program[stage].sequence].texts
        parts.append(f"text {row} {quoted(texts[row][:40])}" if row < len(texts) else f"text {row}")
    if place is not None:
        text = row if row is not None else place[0] if place[0] < texts_of(along) else 0
        for axis, at in zip(trace.program[stage].axes, place, strict=False):
            word = token_in(along, axis, at, (text,))
            if axis != "batch":
                parts.append(f"{axis} {at} {word!r}" if word else f"{axis} {at}")
    return ", ".join(parts)
