"""The attention mask, followed from the tokenizer to the softmax."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ..compare.measure import LOWEST
from ..errors import InputError
from ..measures import measure
from ..program import Stage
from ..trace import Trace
from ..value import Value
from .findings import Checked, Finding, where
from .patterns import Pattern
from .squares import HIDES, Array, Stopped, Sums, extremes, pairs, windows

# exp(-x) is 0 in these dtypes from here on; softmax of half precision is computed in float32 and rounded to it.
VANISHES = {"float64": 746.0, "float32": 104.0, "float16": 17.4, "bfloat16": 93.0}
PADDING_WORDS = ("[PAD]", "<pad>", "<|pad|>", "[pad]")


def check_masks(trace: Trace, stopped: Stopped = lambda: False) -> Checked:
    """Follow the mask from the tokenizer through the additive mask and the masked scores to the softmax.

    Raises:
        InputError: it was stopped.
    """
    return _Masks(trace, stopped).check()


class _Masks:
    """One following of the mask."""

    def __init__(self, trace: Trace, stopped: Stopped) -> None:
        self.trace, self.stopped = trace, stopped
        self.real: Array = trace.original_tokens.mask != 0  # (batch, token): what the tokenizer says
        self.findings: list[Finding] = []
        self.looked: list[str] = []

    def check(self) -> Checked:
        self._tokens()
        program = self.trace.program
        weights = [stage for stage in program if stage.axes[-1:] == ("key",) and stage.part == "weights"]
        masks = [stage for stage in program if stage.axes[-1:] == ("key",) and stage.room == "mask"]
        masks, weights = self._recorded(masks), self._recorded(weights)
        for stage in masks:
            self._mask(stage, self._largest_score(stage))
        masked = [program[name] for stage in weights for name in stage.inputs if self.trace.has(name)]
        self._masked(masked)
        self._weights(weights)
        self._risks()
        if self.real.all():
            self.looked.append(
                "no text is padded, so nothing had to be hidden: give texts of different length to see more"
            )
        return Checked(tuple(self.findings), tuple(self.looked))

    def _risks(self) -> None:
        """Numbers of the wrong size are a risk as long as no weight tells of them."""
        told = {found.kind for found in self.findings if found.stage.endswith(".weights")}
        for at, found in enumerate(self.findings):
            come = {"too small": "padding seen", "infinite": "not a number"}.get(found.kind)
            if come and come not in told:
                self.findings[at] = replace(found, risk=True)

    def _recorded(self, stages: list[Stage]) -> list[Stage]:
        kept = [stage for stage in stages if self.trace.has(stage.name)]
        if len(kept) < len(stages):
            self.looked.append(f"not recorded, so not checked: {len(stages) - len(kept)} stages")
        return kept

    def _tokens(self) -> None:
        """The tokenizer's own mask, and what the program was given for it."""
        tokens = self.trace.original_tokens
        for row, words in enumerate(tokens.strings):
            for at in [at for at, word in enumerate(words) if word in PADDING_WORDS and self.real[row, at]][:1]:
                said = f"the tokenizer's mask is 1 at the padding token {words[at]!r}"
                self._add(
                    "tokenizer", "tokens.mask", row, (row, at), said, "mask padding with 0 where the text is tokenised"
                )
            if not self.real[row].any():
                said = "the tokenizer's mask is 0 at every token of this text"
                self._add(
                    "nothing seen", "tokens.mask", row, None, said, "an empty text cannot be encoded; leave it out"
                )
        if "tokens.mask" in self.trace.program and self.trace.has("tokens.mask"):
            given = self.trace.value("tokens.mask").read() != 0
            self._given(np.asarray(given))
        padding = int((~self.real).sum())
        self.looked.append(f"tokens.mask against the tokenizer's: {padding} place{'s' * (padding != 1)} of padding")

    def _given(self, given: Array) -> None:
        apart = given != self.real
        for row in np.flatnonzero(apart.any(axis=1)):
            if (given[row] == ~self.real[row]).all():
                said = "it is the tokenizer's turned around: 1 at padding, 0 at real tokens"
                self._add("inverted", "tokens.mask", int(row), None, said, "1 means a token that is to be seen")
                continue
            at = int(np.flatnonzero(apart[row])[0])
            count, kind = int(apart[row].sum()), "padding seen" if given[row, at] else "hidden token"
            said = f"it is {int(given[row, at])} where the tokenizer says {int(not given[row, at])}, at {count} tokens"
            self._add(kind, "tokens.mask", int(row), (int(row), at), said, "give the program the tokenizer's mask")

    # -- the additive mask -----------------------------------------------------------------------------------

    def _mask(self, stage: Stage, score: float) -> None:
        value = self.trace.value(stage.name)
        sums = Sums.of(value, self.real, self.stopped)
        pattern = Pattern.of(stage)
        asked = ["polarity", "axis"] * (pattern is None)
        asked += [f"size against scores up to {score:.4g}"] * math.isfinite(score)
        self.looked.append(f"{stage.name}: {', '.join([*asked, 'rows with nothing to see'])}")
        if sums.nan:
            self._add(
                "not a number", stage.name, None, None, f"{sums.nan:,} numbers are NaN", "see where it was made: `why`"
            )
            return
        if pattern is not None:
            self._pattern(stage, value, pattern)
        for row in np.argsort(self.real.sum(axis=1), kind="stable") if pattern is None else ():  # the most padded first
            self._polarity(stage, value, sums, int(row))
        self._size(stage, value, sums, score)

    def _pattern(self, stage: Stage, value: Value, pattern: Pattern) -> None:
        """A causal or local mask: what it hides is known for every pair."""
        self.looked.append(f"{stage.name}: {pattern.write()}")
        for found in pattern.apart(value, self.real, self.stopped):
            padding = found.shown and not self.real[found.text, found.place[-1]]
            kind = "padding seen" if padding else "seen" if found.shown else "hidden token"
            said = (
                f"it {'shows' if found.shown else 'hides'} what it should {'hide' if found.shown else 'show'}: "
                f"{found.count:,} pairs of query and key are not as they are meant"
            )
            self._add(kind, stage.name, found.text, found.place, said, f"a mask that is {pattern.write()}")

    def _polarity(self, stage: Stage, value: Value, sums: Sums, row: int) -> None:
        real = self.real[row]
        queries, keys = sums.queries, len(real)
        by_key, by_query = sums.by_key[min(row, len(sums.by_key) - 1)], sums.by_query[min(row, len(sums.by_query) - 1)]
        first_query = 0 if queries == 1 else int(np.flatnonzero(real)[0]) if real.any() else 0

        def at(key: int) -> tuple[int, ...]:
            return (min(row, value.shape[0] - 1), 0, first_query, key)

        padded = np.flatnonzero(~real)
        name = stage.name
        if not pairs(value) and sums.top > 0 and not sums.bottom < HIDES:
            said = (
                f"it adds up to {sums.top:.4g} and never takes away: the 0/1 mask itself was added, and hides nothing"
            )
            remedy = "add (1 - mask) times the dtype's minimum: torch.finfo(dtype).min"
            self._add("inverted", name, row, at(int(padded[0])) if len(padded) else None, said, remedy)
        elif len(padded) and real.any() and (by_key[real] == queries).all() and not by_key[~real].any():
            said = f"it hides the {int(real.sum())} real tokens and shows the {len(padded)} of padding"
            remedy = "its polarity is inverted: add 0 where the tokenizer's mask is 1"
            self._add("inverted", name, row, at(int(np.flatnonzero(real)[0])), said, remedy)
        elif len(padded) and queries == keys and (by_query[~real] == keys).all() and not by_query[real].any():
            said = "it hides padded queries (rows) instead of padded keys (columns): real tokens look at padding"
            remedy = "mask along the last axis: mask[:, None, None, :], not mask[:, None, :, None]"
            self._add("query axis", name, row, at(int(padded[0])), said, remedy)
        elif len(padded) and (by_key[~real] < queries).any():
            key = int(padded[np.flatnonzero(by_key[~real] < queries)[0]])
            said = f"padding is not hidden from {queries - int(by_key[key])} of {queries} queries"
            self._add("padding seen", name, row, at(key), said, "hide every padded key from every query")
        else:
            unseen = np.flatnonzero(real & (by_key == queries))
            idle = by_query == keys  # where pairs are masked, those of padded queries are too, and harm nobody
            empty = np.flatnonzero(idle & real if pairs(value) and queries == keys else idle)
            if len(unseen) and not len(empty):
                said = f"real tokens that are hidden from every query: {len(unseen)}"
                self._add("hidden token", name, row, at(int(unseen[0])), said, "a real token should be seen by someone")
            if len(empty):
                said = f"queries that have nothing to look at, their keys all hidden: {len(empty)}"
                place = (min(row, value.shape[0] - 1), 0, int(empty[0]) if queries > 1 else 0, 0)
                remedy = "leave each query at least one key, itself for instance"
                self._add("nothing seen", name, row, place, said, remedy)

    def _size(self, stage: Stage, value: Value, sums: Sums, score: float) -> None:
        """Whether what is added is enough, and not too much, for the dtype."""
        if value.dtype not in VANISHES or not sums.bottom < HIDES:
            return
        need = VANISHES[value.dtype] + 2 * score
        if math.isfinite(need) and sums.weakest > -need:
            left = sums.weakest + 2 * score
            share = f"e^{left:.4g} = {math.exp(left):.2g} of it" if left < 0 else "all of it"
            said = (
                f"{sums.weakest:.6g} is too small a number to hide a key in {value.dtype}: scores reach {score:.4g}, so it takes "
                f"{-need:.4g}; of a padded key's weight {share} may be left"
            )
            self._add("too small", stage.name, None, sums.weakest_at, said, f"add torch.finfo(torch.{value.dtype}).min")
        if sums.bottom == -math.inf:
            said = f"it is minus infinity: a query whose keys are all hidden gets NaN (the minimum of {value.dtype} gives it even weights)"
            if value.dtype == "float16":
                said += "; float32's minimum overflows to it in float16"
            remedy = f"add torch.finfo(torch.{value.dtype}).min = {LOWEST[value.dtype]:.6g}"
            self._add(
                "too small" if value.dtype == "float16" else "infinite", stage.name, None, sums.bottom_at, said, remedy
            )

    def _largest_score(self, mask: Stage) -> float:
        """The largest magnitude of a score that this mask is added to, inf where it is not known."""
        if pairs(self.trace.value(mask.name)):
            return math.inf
        sizes = []
        for name in self.trace.program.users(mask.name):
            for source in self.trace.program[name].inputs:
                if source != mask.name and self.trace.has(source):
                    low, high = extremes(self.trace.value(source), self.stopped)
                    sizes.append(max(-low, high))
        return max(sizes, default=math.inf)

    # -- masked scores and weights -----------------------------------------------------------------------------

    def _masked(self, stages: list[Stage]) -> None:
        """Whether the mask has reached the scores: a padded key's masked score is far below the others."""
        faults: list[Finding] = []
        for stage in stages:
            value = self.trace.value(stage.name)
            for row, start, window in self._padded(value):
                shown = np.argwhere(window >= -VANISHES.get(value.dtype, 104.0))
                if len(shown):
                    place = self._place(value, row, start, shown[0], self.real[row])
                    number = float(window[tuple(shown[0])])
                    said = f"padded keys are not hidden: their scores go on as {number:.6g}"
                    remedy = "the mask belongs onto the scores before the softmax: see whether it was added, and what it adds"
                    faults.append(self._finding("padding seen", stage.name, row, place, said, remedy))
                    break
        self._keep(faults)
        self.looked.append(f"masked scores of {len(stages)} attentions{': padded keys are hidden' * (not faults)}")

    def _weights(self, stages: list[Stage]) -> None:
        """What it is all for: no weight on padding, and every row a distribution."""
        leaks: list[Finding] = []
        rows: list[Finding] = []
        odd = 0  # how many have a row that is no distribution
        for stage in stages:
            value = self.trace.value(stage.name)
            largest, found = 0.0, None
            for row, start, window in self._padded(value):
                window = np.where(np.isnan(window), 0, np.abs(window))
                top = float(window.max(initial=0.0))
                if top > largest:
                    largest = top
                    at = np.array(np.unravel_index(int(window.argmax()), window.shape))
                    found = (row, self._place(value, row, start, at, self.real[row]))
            if found:
                said = f"padding gets weight, up to {largest:.4g}"
                leaks.append(
                    self._finding(
                        "padding seen",
                        stage.name,
                        *found,
                        said,
                        "hide padded keys before the softmax: see what was masked",
                    )
                )
            bad = self._bad_row(value)
            if bad and not odd and math.isnan(bad[3]) and (broken := self._came_broken(stage)) is not None:
                said = f"it holds NaN, and so rows of {stage.name} are NaN: no fault of the mask"
                self._add("not a number", broken.name, None, None, said, "`break unexpected` stops there")
            elif bad and (rows or not odd):  # what comes after NaN is NaN as well
                rows.append(self._finding("not a number", stage.name, *bad[:3], "every query needs one key it may see"))
            odd += bad is not None
        self._keep(rows)
        self._keep(leaks)
        held = ["none on padding"] * (not leaks) + ["every row sums to 1"] * (not odd)
        self.looked.append(f"attention weights of {len(stages)} attentions{': ' * bool(held)}{', '.join(held)}")

    def _came_broken(self, weights: Stage) -> Stage | None:
        """The first stage with a NaN, where that is before the mask comes to these weights; else None."""
        program = self.trace.program
        scores = [program.index(name) for name in program[weights.inputs[0]].inputs if program[name].room != "mask"]
        for stage in program.stages[: min(scores, default=-1) + 1]:
            if self.stopped():
                raise InputError(f"the check was interrupted before {stage.name}")
            if stage.room != "mask" and self.trace.has(stage.name) and measure(self.trace.value(stage.name), "nan"):
                return stage
        return None

    def _bad_row(self, value: Value) -> tuple[int, tuple[int, ...], str, float] | None:
        """The first row of weights that is no distribution: the text, a place, what is wrong, what it sums to."""
        slack = 0.05 if value.dtype in ("float16", "bfloat16") else 1e-4
        for _, start, window in windows(value, self.stopped):
            sums = window.astype(np.float64).sum(axis=-1)
            wrong = np.argwhere(~(np.abs(sums - 1) <= slack))
            if len(wrong):
                at = tuple(int(part) for part in wrong[0])
                total = float(sums[at])
                said = "a row of weights is NaN" if math.isnan(total) else f"a row of weights sums to {total:.6g}"
                return (
                    at[0],
                    (at[0], at[1], at[2] + start, 0),
                    f"{said}, and {len(wrong) - 1} more rows are no distribution",
                    total,
                )
        return None

    def _padded(self, value: Value) -> Iterator[tuple[int, int, Array]]:
        """What real queries see of padded keys: the text, the block's first query, (head, real query, padded key)."""
        for row, real in enumerate(self.real):
            padded = np.flatnonzero(~real)
            if not len(padded) or not real.any():
                continue
            low, high = int(padded[0]), int(padded[-1]) + 1
            for _, start, window in windows(value, self.stopped, row, slice(low, high)):
                yield row, start, window[0][:, real[start : start + window.shape[2]]][..., padded - low]

    def _place(self, value: Value, row: int, start: int, at: Array, real: Array) -> tuple[int, ...]:
        head, query, key = (int(part) for part in at)
        return row, head, start + int(np.flatnonzero(real[start:])[query]), int(np.flatnonzero(~real)[key])

    def _keep(self, faults: list[Finding]) -> None:
        """Only the first of a fault that runs through the layers, with how many more."""
        if faults:
            self.findings.append(replace(faults[0], more=len(faults) - 1))

    def _add(
        self, kind: str, stage: str, row: int | None, place: tuple[int, ...] | None, said: str, remedy: str
    ) -> None:
        for at, known in enumerate(self.findings):
            if (known.kind, known.stage) == (kind, stage):
                self.findings[at] = replace(known, texts=known.texts + 1)
                return
        self.findings.append(self._finding(kind, stage, row, place, said, remedy))

    def _finding(
        self, kind: str, stage: str, row: int | None, place: tuple[int, ...] | None, said: str, remedy: str
    ) -> Finding:
        return Finding(kind, stage, row, place, where(self.trace, stage, row, place), said, remedy)
