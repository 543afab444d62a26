"""The legend below a heat map: what the colours stand for."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache, partial

from rich.style import Style

from ...engine.messages.translation import tr
from .colours import MIDDLE, TOP, Palette, Scale, glyph
from .numbers import counted, short
from .scroll_position import that_fits
from .text import StyledText, cell_len


def legend(
    scale: Scale,
    palette: Palette | None,
    where: tuple[str, ...],
    width: int,
    gain: int,
    hidden: str = "masked",
    *,
    counts: bool = True,
    quiet: Style,
    note: Style,
    warning: Style,
) -> StyledText:
    """Ends of the scale around a strip of its colours, then what is no number, then which part is on screen.

    Args:
        palette: None where there are no colours; a key of shades then stands for the strip.
        where: which part of the plane is on screen, in forms of which the first that fits is written at the right end.
        hidden: what numbers are that are left out of the scale.
        counts: whether it was counted how many numbers are none, rather than cells that have such in them.
    """
    with_rest = partial(
        _with, scale=scale, where=where, width=width, hidden=hidden, counts=counts, quiet=quiet, warning=warning
    )
    if not scale.limit and not (scale.low or scale.high):
        odd = scale.nan or scale.inf or scale.masked
        low = tr("no number to colour") if scale.empty else tr("all others zero") if odd else tr("all zero")
        return with_rest([(low, note)], gain=0)
    low, high = _ends(scale)
    used = cell_len(low) + cell_len(high) + 2
    bar = _bar(palette, max(0, min(16, width - used))) if palette else _shades(scale)
    bar = bar if _length(bar) + used <= width else [("…", quiet)]
    words: StyledText = [(low + " ", note), *bar, (" " + high, note)]
    return with_rest(words, gain=gain)


def short_legend(scale: Scale, palette: Palette | None, width: int, *, quiet: Style, note: Style) -> StyledText:
    """Ends of the scale around a short strip of its colours, at the right of so many cells; [] where there is no room.

    Args:
        scale, palette: as in `legend`.
    """
    if not scale.limit:
        return []
    low, high = _ends(scale)
    for cells in (8, 4, 0):
        bar = _bar(palette, cells) if palette and cells else [("…", quiet)]
        words: StyledText = [(f"{low} ", note), *bar, (f" {high}", note)]
        room = width - _length(words)
        if room >= 2:
            return [(" " * room, quiet), *words]
    return []


def _with(
    words: StyledText,
    *,
    scale: Scale,
    where: tuple[str, ...],
    width: int,
    hidden: str,
    counts: bool,
    gain: int,
    quiet: Style,
    warning: Style,
) -> StyledText:
    """The words, and behind them whatever else there is to say as long as there is room."""
    odd = (
        (scale.nan, "N", "NaN", warning),
        (scale.inf, "∞", tr("infinite"), warning),
        (scale.masked, "╱", tr(hidden), quiet),
    )
    long = [
        (f"  {mark} {counted(count) + ' ' if counts else ''}{name}", style) for count, mark, name, style in odd if count
    ]
    short = [(f"  {mark} {count if counts else ''}".rstrip(), style) for count, mark, _, style in odd if count]
    more = [
        (text, quiet)
        for text in (f"  ×2^{gain}" * bool(gain), "" if scale.whole else f"  {tr('scale of this window')}")
        if text
    ]
    room = width - _length(words)
    for text, style in (*(long if _length([*long, *more]) <= room else short), *more):
        if _length(words) + cell_len(text) <= width:
            words.append((text, style))
    return [*words, (that_fits(where, width - _length(words)), quiet)]


def _ends(scale: Scale) -> tuple[str, str]:
    """What the first and last colours stand for; beyond the ends where the gain cuts them off."""
    cut = scale.limit < max(abs(scale.low), abs(scale.high))
    most = short(scale.limit, 3)
    if not scale.signed:
        return "0", ("≥" if cut else "") + most
    return ("≤" if cut else "") + f"-{most}", ("≥" if cut else "") + f"+{most}"


@lru_cache(maxsize=64)
def _bar(palette: Palette, width: int) -> tuple[tuple[str, Style], ...]:
    painted: StyledText = []
    for cell in range(width):
        left, right = (round((2 * cell + half) * TOP / max(1, 2 * width - 1)) for half in (0, 1))
        style = Style(color=palette.style(left).bgcolor, bgcolor=palette.style(right).bgcolor)
        middle = palette.signed and cell == width // 2
        painted.append(("0", palette.style(MIDDLE)) if middle else ("▌", style))
    return tuple(painted)


def _shades(scale: Scale) -> StyledText:
    levels = (4, 10, 16, 22, 30) if not scale.signed else (0, 4, 7, 10, 13, 15, 17, 20, 23, 26, 30)
    return [(" ".join(glyph(level, signed=scale.signed).strip() or "0" for level in levels), Style())]


def _length(words: Iterable[tuple[str, Style]]) -> int:
    return sum(cell_len(text) for text, _ in words)
