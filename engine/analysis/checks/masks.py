"""The attention mask, followed from the tokenizer to the softmax."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ...debugger.faults.dropout import write_dropout
from ...debugger.faults.fault import NOT_FINITE, Fault
from ...debugger.faults.masks import (
    blind_texts,
    mask_faults,
    mask_name,
    masked_fault,
    real_along,
    real_tokens,
    shared_positions,
    token_faults,
)
from ...debugger.faults.patterns import Pattern
from ...debugger.faults.query_blocks import HIDES, MaskSums, Stopped, extremes, pairs, windows
from ...debugger.faults.softmax import EVAL, dropped_from_softmax
from ...debugger.unexpected import first_fault
from ...program.dtypes import FLOATS
from ...program.preprocessor import whose_mask
from ...program.stage import Stage
from ...program.trace import Trace
from ...program.value import Value
from .findings import Checked, Finding, finding_of

AXES = 4  # (batch, head, query, key)


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
        self.real = {
            name: real_tokens(trace, name) for name in trace.inputs.sequences
        }  # (batch, token), as the tokenizer says
        self.padded = any(not real.all() for real in self.real.values())
        self.findings: list[Finding] = []
        self.looked: list[str] = []
        # Where `break unexpected` stops: what is there before the mask comes to the scores is no fault of the mask.
        self.first = first_fault(trace, stopped)

    def check(self) -> Checked:
        self._tokens()
        program = self.trace.program
        weights = [stage for stage in program if stage.axes[-1:] == ("key",) and stage.part == "weights"]
        masks = [stage for stage in program if stage.axes[-1:] == ("key",) and stage.room == "mask"]
        masks, weights = self._recorded(masks), self._of_heads(self._recorded(weights))
        for stage in masks:
            self._mask(stage, self._largest_score(stage))
        masked = [program[name] for stage in weights for name in self._masked_of(stage) if self.trace.has(name)]
        self._broken(weights)
        self._masked(masked)
        self._weights(weights)
        self._risks()
        if not self.padded:
            self.looked.append(
                "no text is padded, so nothing had to be hidden: give texts of different length to see more"
            )
        order = {stage.name: position for position, stage in enumerate(program)}
        return Checked(tuple(sorted(self.findings, key=lambda one: order[one.stage])), tuple(self.looked))

    def _risks(self) -> None:
        """Numbers of the wrong size are a risk as long as no weight tells of them."""
        told = {finding.kind for finding in self.findings if finding.stage.endswith(".weights")}
        for at, finding in enumerate(self.findings):
            if finding.kind == "infinite" and finding.risk and "not a number" in told:
                self.findings[at] = replace(finding, risk=False)

    def _recorded(self, stages: list[Stage]) -> list[Stage]:
        kept = [stage for stage in stages if self.trace.has(stage.name)]
        if len(kept) < len(stages):
            self.looked.append(f"not recorded, so not checked: {len(stages) - len(kept)} stages")
        return kept

    def _of_heads(self, weights: list[Stage]) -> list[Stage]:
        """Attentions whose weights have an axis for heads; that others are not looked at is said."""
        kept = [stage for stage in weights if len(stage.axes) == AXES]
        if len(kept) < len(weights):
            self.looked.append(
                f"not checked, as they have no axis for heads: weights of {_attentions(len(weights) - len(kept))}; `break unexpected` looks at their rows"
            )
        return kept

    def _tokens(self) -> None:
        """The tokenizer's own mask, what the program was given for it, and positions that are counted by it."""
        self._add_all("tokens.positions", shared_positions(self.trace))
        for sequence, real in self.real.items():
            name = mask_name(sequence)
            self._add_all(name, token_faults(self.trace, sequence))
            padding = int((~real).sum())
            self.looked.append(
                f"{name} against {whose_mask(self.trace)}: {padding} place{'s' * (padding != 1)} of padding"
            )

    # -- the additive mask -----------------------------------------------------------------------------------

    def _mask(self, stage: Stage, score: float) -> None:
        value = self.trace.value(stage.name)
        sums = MaskSums.of(value, real_along(self.trace, stage, "query"), self.stopped)
        pattern = Pattern.of(stage)
        asked = ["polarity", "axis"] * (pattern is None)
        asked += [f"size against scores up to {score:.4g}"] * math.isfinite(score)
        self.looked.append(f"{stage.name}: {', '.join([*asked, 'rows with nothing to see'])}")
        if pattern is not None:
            self.looked.append(f"{stage.name}: {pattern.write()}")
        faults = mask_faults(self.trace, stage, sums, self.stopped)
        self._add_all(stage.name, faults)
        if not faults:
            self._size(stage, value, sums, score)
        if sums.bottom == -math.inf and not stage.options.get("infinite"):  # torch.nn's own mask is so
            self._infinite(stage, value, sums)

    def _size(self, stage: Stage, value: Value, sums: MaskSums, score: float) -> None:
        """Whether what is added is enough for the dtype, beside the scores there are."""
        if value.dtype not in FLOATS or not sums.bottom < HIDES:
            return
        need = FLOATS[value.dtype].vanishes + 2 * score
        if math.isfinite(need) and sums.weakest > -need:
            left = sums.weakest + 2 * score
            share = f"e^{left:.4g} = {math.exp(left):.2g} of it" if left < 0 else "all of it"
            said = (
                f"{sums.weakest:.6g} is a small number to hide a key with in {value.dtype}: scores reach {score:.4g}, so it may take "
                f"{-need:.4g}; of a padded key's weight {share} may be left"
            )
            remedy = f"add torch.finfo(torch.{value.dtype}).min"
            self._add(
                finding_of(self.trace, stage.name, Fault(said, sums.weakest_at or (), "too small", None, remedy)), True
            )

    def _infinite(self, stage: Stage, value: Value, sums: MaskSums) -> None:
        said = f"it is minus infinity: a query whose keys are all hidden gets NaN (the minimum of {value.dtype} gives it even weights)"
        if value.dtype == "float16":
            said += "; float32's minimum overflows to it in float16"
        remedy = f"add torch.finfo(torch.{value.dtype}).min = {FLOATS[value.dtype].lowest:.6g}"
        self._add(finding_of(self.trace, stage.name, Fault(said, sums.bottom_at or (), "infinite", None, remedy)), True)

    def _largest_score(self, mask: Stage) -> float:
        """The largest magnitude of a score that this mask is added to, inf where it is not known."""
        if pairs(self.trace.value(mask.name)):
            return math.inf
        sizes: list[float] = []
        for name in self.trace.program.users(mask.name):
            for source in self.trace.program[name].inputs:
                if source != mask.name and self.trace.has(source):
                    low, high = extremes(self.trace.value(source), self.stopped)
                    sizes.append(max(-low, high))
        return max(sizes, default=math.inf)

    # -- masked scores and weights -----------------------------------------------------------------------------

    def _broken(self, weights: list[Stage]) -> None:
        """Numbers that are none before the mask comes to the scores."""
        if self.first is None or self.first[1].kind not in NOT_FINITE:
            return
        stage, fault = self.first
        after = self.trace.program.downstream(stage.name)
        hit = next((one for one in weights if one.name in after), None)
        if hit is None or stage.room == "mask":
            return
        lost = self._bad_row(hit, self.trace.value(hit.name))
        rows = f", and so rows of {hit.name} are NaN" if lost and math.isnan(lost[1]) else ""
        said = f"{fault.text}{rows}: no fault of the mask"
        self._add(
            finding_of(self.trace, stage.name, replace(fault, text=said, remedy="`break unexpected` stops there"))
        )

    def _masked_of(self, weights: Stage) -> list[str]:
        """The masked scores that weights are made of: their input, or what is called so where heads are put side by side."""
        program = self.trace.program
        names = [*weights.inputs[:1], f"{weights.block}.masked"]
        return [name for name in names if name in program and len(program[name].axes) == len(weights.axes)][:1]

    def _masked(self, stages: list[Stage]) -> None:
        """Whether the mask has reached the scores: a padded key's masked score is far below the others."""
        faults = [(stage, masked_fault(self.trace, stage, self.stopped)) for stage in stages]
        self._first_of([(stage, fault) for stage, fault in faults if fault is not None])
        hidden = not any(fault for _, fault in faults) and self.padded
        self.looked.append(f"masked scores of {len(stages)} attentions{': padded keys are hidden' * hidden}")

    def _weights(self, stages: list[Stage]) -> None:
        """What it is all for: no weight on padding, and every row a distribution."""
        leaks: list[tuple[Stage, Fault]] = []
        rows: list[tuple[Stage, Fault]] = []
        odd = 0  # how many have a row that is no distribution
        told = {
            finding.stage
            for finding in self.findings
            if finding.kind in NOT_FINITE and finding.stage.startswith("layers.")
        }
        after = {name for stage in told for name in self.trace.program.downstream(stage)}
        for stage in stages:
            value = self.trace.value(stage.name)
            leak = self._leak(stage, value)
            leaks += [(stage, leak)] if leak else []
            bad = self._bad_row(stage, value)
            odd += bad is not None
            if bad is not None and (rows or not (math.isnan(bad[1]) and stage.name in after)):
                rows.append((stage, bad[0] if math.isnan(bad[1]) else self._row_fault(stage, bad[0])))
        self._first_of(rows)
        self._first_of(leaks)
        unseen = not leaks and self.padded and not any(blind_texts(self.trace, name) for name in self.real)
        held = ["none on padding"] * unseen + ["every row sums to 1"] * (not odd)
        self.looked.append(f"attention weights of {len(stages)} attentions{': ' * bool(held)}{', '.join(held)}")

    def _row_fault(self, stage: Stage, fault: Fault) -> Fault:
        """A row that does not sum to 1: dropout, where that is what has been done to it."""
        rate = dropped_from_softmax(self.trace, stage)
        if rate is None:
            return fault
        said = f"dropout was left on: the weights are the softmax's after {write_dropout(rate)}"
        return replace(fault, text=said, kind="dropout", remedy=EVAL)

    def _bad_row(self, stage: Stage, value: Value) -> tuple[Fault, float] | None:
        """The first row of weights that is no distribution, and what it sums to."""
        slack = 0.05 if value.dtype in ("float16", "bfloat16") else 1e-4
        first: tuple[int, ...] | None = None
        count, total = 0, 0.0
        for _, start, window in windows(value, self.stopped):
            sums = window.astype(np.float64).sum(axis=-1)
            wrong = np.argwhere(~(np.abs(sums - 1) <= slack))
            count += len(wrong)
            if len(wrong) and first is None:
                text, head, query = (int(part) for part in wrong[0])
                first, total = (text, head, query + start, 0), float(sums[text, head, query])
        if first is None:
            return None
        lost = math.isnan(total)
        said = f"{count:,} rows of weights are {'NaN' if lost else f'no distribution; the first sums to {total:.6g}'}"
        why = (
            self._why_lost(stage, first[0])
            if lost
            else "a softmax gives rows that sum to 1: see what was put in their place"
        )
        return Fault(said, first, "not a number" if lost else "rows", first[0], why), total

    def _why_lost(self, stage: Stage, text: int) -> str:
        if not real_along(self.trace, stage, "key")[text].any():
            return f"it follows: a softmax over keys that are all at minus infinity is 0 / 0; leave text {text} out"
        return "every query needs one key it may see"

    def _leak(self, stage: Stage, value: Value) -> Fault | None:
        """The largest weight that a real token gives to padding."""
        largest, place = 0.0, None
        real, asking = (real_along(self.trace, stage, axis) for axis in ("key", "query"))
        blind = blind_texts(self.trace, stage.sequence_along("key"))
        for row in np.flatnonzero(real.any(axis=1) & ~real.all(axis=1)):
            if int(row) in blind:  # its weights are even for want of anything to see
                continue
            padded = np.flatnonzero(~real[row])
            for _, start, window in windows(value, self.stopped, int(row)):
                asks = np.flatnonzero(asking[row, start : start + window.shape[2]])
                given = np.nan_to_num(np.abs(window[0][:, asks][..., padded]).astype(np.float64))
                if given.max(initial=0.0) > largest:
                    largest = float(given.max())
                    head, query, key = (int(at) for at in np.unravel_index(int(given.argmax()), given.shape))
                    place = (int(row), head, start + int(asks[query]), int(padded[key]))
        if place is None:
            return None
        said = f"padding gets weight, up to {largest:.4g}"
        return Fault(said, place, "padding seen", place[0], "hide padded keys before the softmax: see what was masked")

    # -- findings ----------------------------------------------------------------------------------------------

    def _first_of(self, faults: list[tuple[Stage, Fault]]) -> None:
        """Only the first of a fault that runs through the layers, with how many more."""
        if faults:
            stage, fault = faults[0]
            self.findings.append(replace(finding_of(self.trace, stage.name, fault), more=len(faults) - 1))

    def _add_all(self, stage: str, faults: list[Fault]) -> None:
        for fault in faults:
            self._add(finding_of(self.trace, stage, fault))

    def _add(self, finding: Finding, risk: bool = False) -> None:
        for at, known in enumerate(self.findings):
            if (known.kind, known.stage) == (finding.kind, finding.stage):
                self.findings[at] = replace(known, texts=known.texts + 1)
                return
        self.findings.append(replace(finding, risk=risk))


def _attentions(count: int) -> str:
    return f"{count} attention{'s' * (count != 1)}"
