"""A comparison over many texts as plain text."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...messages.visible import quoted
from .over_texts import OverTexts, TextGap

SHOWN = 5


def write_over_texts(result: OverTexts) -> str:
    """A line for the worst texts, where they begin, what lengths and padding show, what was not tried, and the verdict."""
    apart = [gap for gap in result.gaps if gap.first]
    lines = [f"texts      {len(result.gaps)}, of {_span(result.gaps, _tokens)} tokens"]
    lines += [f"first      {name}: {count} of {len(result.gaps)} texts" for name, count in result.firsts[:SHOWN]]
    worst = sorted(apart, key=lambda gap: (-gap.end, -gap.gap))[:SHOWN]
    lines += [f"{'worst' if not at else '':<11}{_said(gap)}" for at, gap in enumerate(worst)]
    if result.lengths:
        sizes = ", ".join(str(gap.tokens) for gap in result.lengths)
        lines.append(f"lengths    {sizes} tokens alone: {_lengths(result) or 'none differs'}")
    if result.padded:
        few, wide = _span(result.padded, _tokens), _span(result.padded, _width)
        what = f"{len(result.padded)} batch{'es' * (len(result.padded) > 1)}, texts of {few} tokens padded to {wide}"
        lines.append(f"padding    {what}: {_padding(result) or 'none differs'}")
    lines += [f"unpadded   {line}" for line in result.unpadded[:SHOWN]]
    if len(result.unpadded) > SHOWN:
        lines.append(f"unpadded   and {len(result.unpadded) - SHOWN} more")
    return "\n".join([*lines, verdict_over_texts(result)])


def verdict_over_texts(result: OverTexts) -> str:
    """What came of it, in a line."""
    apart = sum(bool(gap.first) for gap in result.gaps)
    worst = result.worst
    if worst is not None:
        return (
            f"different: {apart} of {len(result.gaps)} texts, the worst is {quoted(worst.text)}, from {worst.first} on"
        )
    bad = [said for said in (_lengths(result), _padding(result)) if said]
    if bad:
        return f"different: none of {len(result.gaps)} texts as they are, but {', and '.join(bad)}"
    limit = ", none of them beside padding" if not result.padded else ""
    return f"equal within what rounding explains: {len(result.gaps)} texts{limit}"


def _lengths(result: OverTexts) -> str:
    """Which lengths differ alone; "" where none does. The texts as they are have lengths too, and say whether it is from one on."""
    bad, at = _differing(result.lengths, _tokens)
    if not bad:
        return ""
    if len(bad) == len(result.lengths) and all(gap.first for gap in result.gaps):
        return f"all differ alone{at}"
    start = _start((*result.gaps, *result.lengths), _tokens)
    if start is not None:
        return f"alone from {start} tokens on{at}"
    return f"alone with {_listed([str(gap.tokens) for gap in bad])} tokens{at}"


def _padding(result: OverTexts) -> str:
    """Which differ beside padding; "" where none does."""
    bad, at = _differing(result.padded, _width)
    if not bad:
        return ""
    if len(bad) == len(result.padded):
        return f"every padded batch{at}"
    start, wide = _start(result.padded, _tokens), _start(result.padded, _width)
    if start is not None:
        return f"beside padding texts of {start} tokens and more{at}"
    if wide is not None:
        return f"batches padded to {wide} tokens and more{at}"
    cases = _listed([f"{gap.tokens} tokens padded to {_width(gap)}" for gap in bad])
    return f"{len(bad)} of {len(result.padded)} padded batches ({cases}){at}"


def _differing(gaps: Sequence[TextGap], size: Callable[[TextGap], int]) -> tuple[list[TextGap], str]:
    """Those that differ, and where the smallest of them does first."""
    bad = [gap for gap in gaps if gap.first]
    return bad, f", at {min(bad, key=size).first}" if bad else ""


def _start(gaps: Sequence[TextGap], size: Callable[[TextGap], int]) -> int | None:
    """From which size on all of those tried differ, and of smaller ones none; None where it is not so."""
    start = min(size(gap) for gap in gaps if gap.first)
    return start if all(bool(gap.first) == (size(gap) >= start) for gap in gaps) else None


def _tokens(gap: TextGap) -> int:
    return gap.tokens


def _width(gap: TextGap) -> int:
    return gap.tokens + gap.padded


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words[:SHOWN]) + (f" and {len(words) - SHOWN} more" if len(words) > SHOWN else "")


def _said(gap: TextGap) -> str:
    return f"{gap.end:.3g} at the end, {gap.gap:.3g} at {gap.first}, {gap.tokens} tokens: {quoted(gap.text)}"


def _span(gaps: Sequence[TextGap], size: Callable[[TextGap], int]) -> str:
    few, many = min(map(size, gaps)), max(map(size, gaps))
    return str(few) if few == many else f"{few} to {many}"
