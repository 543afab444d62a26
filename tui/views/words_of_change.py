"""What the view `change` says: names, figures and sentences."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ...engine.messages.translation import tr
from ..drawing.numbers import counted, short
from ..drawing.text import cell_len
from ..reading.change import Axis, Band, ChangePicture
from ..state.plane import column_labels
from .picture import Shown

if TYPE_CHECKING:
    from ...engine.analysis.change import Masked, Through, Unscaled


def name_of(picture: ChangePicture, number: int, here: str, width: int) -> str:
    """What a row is called, as shortly as the stage looked at allows, with a sign of how it comes from those above it."""
    band = picture.bands[number]
    last = number == len(picture.bands) - 1
    name = named_within(band.name, here) if band.stage else tr("normalised")
    if _is_sum(picture, here):
        return f"{'= ' if last else '+ ' if number else '  '}{name}"
    if any(not above.stage for above in picture.bands[:number]):
        name = _first_that_fits((f"{name}  {tr('after γ, β')}", name), width - 2)
    return f"{'→ ' if number else '  '}{name}"


def _is_sum(picture: ChangePicture, here: str) -> bool:
    """Whether several rows go in at once: the last is what they make, and no row lies between."""
    stages = [band.stage for band in picture.bands]
    return len(stages) > 2 and all(stages) and stages[-1] == here and len(picture.axes) == 1


def named_within(name: str, here: str) -> str:
    """A stage's name as someone in the same block calls it: `up`; in the same layer: `attention.norm`."""
    block = here.rpartition(".")[0]
    for prefix in (block, block.rpartition(".")[0]):
        if prefix and name.startswith(f"{prefix}."):
            return name.removeprefix(f"{prefix}.")
    return name


def figure_lines(band: Band, width: int, lines: int) -> list[str]:
    """Mean, deviation, ends and what is counted apart, for the lines below the name; of what does not fit the shortest form."""
    kinds = ((band.hidden, tr("hidden")), (band.infinite, "∞"), (band.nan, "NaN"))
    apart = ", ".join(f"{counted(count)} {what}" for count, what in kinds if count)
    if math.isnan(band.mean):
        return [f"  {apart or tr('no numbers')}"]
    decimals = _decimals(band.deviation, band.mean)
    mean, deviation = f"{band.mean:.{decimals}f}", f"{band.deviation:.{decimals}f}"
    both, ends = f"{tr('mean')} {mean}  {tr('dev')} {deviation}", f"{short(band.least, 3)} … {short(band.greatest, 3)}"
    brief = f"{mean} ± {deviation}"
    coarse = f"{band.mean:.{max(0, decimals - 1)}f} ± {band.deviation:.{max(0, decimals - 1)}f}"
    if lines == 1:
        return [_first_that_fits((f"{both}  {apart}" if apart else both, both, brief, coarse, ""), width)]
    seen = f"{counted(band.count - band.hidden)} {tr('seen')}" if band.hidden else counted(band.count)
    size = ", ".join(filter(None, (seen, apart)))
    second = _first_that_fits((f"  {both}", both, brief), width)
    if lines == 2:
        return [
            _first_that_fits((f"{second}  {apart}", f"{brief}  {apart}", f"{brief} {apart}", second), width)
            if apart
            else second
        ]
    rest = (f"  {ends}  ({size})", f"  {ends} ({size})", f"  ({size})" if apart else f"  {ends}")
    if lines == 3 or cell_len(rest[0]) <= width:
        return [second, _first_that_fits(rest, width)]
    return [second, f"  {ends}", f"  ({size})"]


def _first_that_fits(forms: tuple[str, ...], width: int) -> str:
    return next((form for form in forms if cell_len(form) <= width), forms[-1])


def _decimals(deviation: float, mean: float) -> int:
    """So many that the deviation has three digits: a mean that is 0 beside it is written as 0.000."""
    size = deviation if deviation > 0 else abs(mean)
    return max(0, min(6, 2 - math.floor(math.log10(size)))) if size > 0 and math.isfinite(size) else 3


def spread_of(band: Band, axis: Axis, bins: int) -> str:
    """A thin line from the least to the greatest number, thick within a deviation of the mean, which is marked."""
    if math.isnan(band.mean):
        return ""
    first, last = axis.place(band.least, bins), axis.place(band.greatest, bins)
    low = max(first, axis.place(band.mean - band.deviation, bins))
    high = min(last, axis.place(band.mean + band.deviation, bins))
    line = [" "] * bins
    line[first : last + 1] = "─" * (last + 1 - first)
    line[low : high + 1] = "━" * (high + 1 - low)
    line[axis.place(band.mean, bins)] = "╋"
    return "".join(line)


def ends_of(axis: Axis, bins: int) -> str:
    """The numbers at both ends of an axis, and 0 where it does not run into them."""
    low, high = short(axis.low, 3), short(axis.high, 3)
    line = list((low + " " * max(1, bins - len(low) - len(high)) + high)[:bins])
    zero = axis.place(0.0, bins) if axis.low < 0 < axis.high else -1
    if len(low) < zero - 1 and zero + 2 < bins - len(high):
        line[zero] = "0"
    return "".join(line)


def notes_of(picture: ChangePicture, shown: Shown) -> list[str]:
    """What the picture is to show, in words, the most important first."""
    notes: list[str] = []
    if picture.through is not None and picture.curve is not None:
        notes.append(_through(picture.through, picture.curve.kind))
    if picture.unscaled is not None:
        notes.append(_unscaled(picture.unscaled, column_labels(shown.plane, shown.subject)))
    if picture.masked is not None:
        # What hides something comes first, but for those who look at what lies before it.
        before = [band.stage for band in picture.bands if not band.hidden and not band.axis]
        first = picture.masked.hidden > 0 and shown.subject.stage not in before
        notes.insert(0 if first else len(notes), _masked(picture.masked))
    if picture.widths:
        notes.append(_widths(picture.widths, shown.subject.stage))
    return notes


def _through(through: Through, kind: str) -> str:
    zero = tr(" ({count} of them exactly 0)", count=counted(through.zero)) if through.zero else ""
    return tr(
        "{kind}: of {count} numbers {whole} pass nearly whole (|y| ≥ 0.9|x|), {damped} are damped, {stopped} are stopped "
        "(|y| ≤ 0.1|x|){zero}; of all magnitude {kept} is left.",
        kind=kind,
        count=counted(through.count),
        whole=counted(through.whole),
        damped=counted(through.damped),
        stopped=counted(through.stopped),
        zero=zero,
        kept=percent(through.kept),
    )


def _masked(masked: Masked) -> str:
    if not masked.hidden:
        return tr("The mask hides none of the {count} keys from this query.", count=masked.count)
    return tr(
        "The mask hides {hidden} of {count} keys: they get {left} of the weight, and without the mask {share}.",
        hidden=masked.hidden,
        count=masked.count,
        left=percent(masked.left),
        share=percent(masked.share),
    )


def _unscaled(unscaled: Unscaled, labels: tuple[str, ...]) -> str:
    def called(place: int) -> str:
        return labels[place] if place < len(labels) else str(place)

    return tr(
        "Divided by √{size}: largest weight {largest} ({place}), entropy {entropy} nats. Not divided: {largest_without} "
        "({place_without}), {entropy_without} nats.",
        size=unscaled.size,
        largest=percent(unscaled.largest),
        place=called(unscaled.place),
        entropy=f"{unscaled.entropy:.2f}",
        largest_without=percent(unscaled.largest_without),
        place_without=called(unscaled.place_without),
        entropy_without=f"{unscaled.entropy_without:.2f}",
    )


def _widths(widths: tuple[tuple[str, int], ...], here: str) -> str:
    path = " → ".join(f"{named_within(name, here)} {counted(size)}" for name, size in widths)
    first, most, last = widths[0][1], max(size for _, size in widths), widths[-1][1]
    if first == last < most:
        return tr("{path}: {times} times as wide, and back.", path=path, times=short(most / first, 3))
    return path


def percent(share: float) -> str:
    """`41.2%`; what is not 0 is not written as 0."""
    if math.isnan(share):
        return "?"
    percent = 100 * share
    if 0 < percent < 0.05:
        return "<0.1%"
    if 99.95 <= percent < 100:
        return ">99.9%"
    return f"{percent:.1f}%" if percent not in (0, 100) else f"{percent:.0f}%"
