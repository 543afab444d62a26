"""Padding must not matter: each padded text run again by itself."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ...debugger.faults.fault import NOT_FINITE, Fault
from ...debugger.faults.masks import real_tokens, shared_positions
from ...debugger.faults.query_blocks import Stopped
from ...debugger.unexpected import first_fault
from ...messages.errors import InputError
from ...program.index import TOKEN_AXES
from ...program.program import Program
from ...program.stage import Stage
from ...program.trace import LiveTrace, Trace
from ..compare import Difference, compare
from ..compare.comparison import Comparison, OtherShape
from ..compare.single_text import alone, alone_alignment
from ..compare.walk import Walk
from .findings import Checked, Finding, finding_of, where
from .text_axes import with_text_axes

if TYPE_CHECKING:
    from ...models.encoder import Encoder

POSITIONS = "tokens.positions"
FEW = 3
# What `break unexpected` finds of masks: where a difference begins, though it shows later. Padding is seen for these,
OF_PADDING = ("inverted", "query axis", "too small", "padding seen")
# and these make a token another than alone whether anything stands beside it or not.
OF_MASKS = (*OF_PADDING, "hidden token", "nothing seen", "seen", "dropout", "rows")


def check_padding(trace: Trace, encoder: Encoder | None, stopped: Stopped = lambda: False) -> Checked:
    """Run each padded text again by itself, and find the first stage where one of its tokens depends on the padding.

    Padding changes the shapes of matrix products, and with them the order of sums. Measured on all-MiniLM-L6-v2 and the
    bundled model in batches of 15 to 158 tokens, a real token's values move by up to 3.4 epsilons a layer in float64, 2
    in float32, 0.4 in float16, 0 in bfloat16. What `compare` allows for rounding, 32 and in half precision 8, is allowed here.

    Args:
        trace: a live run.
        encoder: its model.

    Raises:
        InputError: a recording, which cannot be run again, or it was stopped.
    """
    if encoder is None or not isinstance(trace, LiveTrace):
        raise InputError("check padding runs texts again, and a recording has no model; give the model and the texts")
    return _Padding(trace, encoder, stopped).check()


class _Padding:
    """One check."""

    def __init__(self, trace: Trace, encoder: Encoder, stopped: Stopped) -> None:
        self.trace, self.encoder, self.stopped = trace, encoder, stopped
        self.inputs = trace.original_inputs
        self.first = first_fault(trace, stopped)
        self.closest = 0.0  # the most that is seen of what rounding may do
        self.unlike: dict[str, None] = {}  # stages of which a text has no part that can be told

    def check(self) -> Checked:
        trace = self.trace
        looked: list[str] = []
        findings = [finding_of(trace, POSITIONS, fault) for fault in shared_positions(trace)]
        every = [real_tokens(trace, name) for name in self.inputs.sequences]
        shown = np.all([real.any(axis=1) for real in every], axis=0)  # (batch,): whether there is anything of it to run
        padded = [int(row) for row in np.flatnonzero(shown) if not all(real[row].all() for real in every)]
        if padded and self.first is not None and self.first[1].kind in NOT_FINITE:
            stage, fault = self.first
            said = f"{fault.text}: what comes after it is no number, and shows nothing of padding"
            findings.append(
                finding_of(trace, stage.name, replace(fault, text=said, remedy="`break unexpected` stops there"))
            )
        for row in padded:
            first = self._first(row)
            if first is not None:
                findings.append(self._finding(row, first))
        if padded:
            looked.append(
                f"{len(padded)} padded text{'s' * (len(padded) != 1)} run alone, {len(trace.program)} stages each"
            )
            looked.append(
                "a real token may move by what `compare` allows for rounding"
                + (f"; the most seen is {self.closest:.2g} of that" if math.isfinite(self.closest) else "")
            )
            if self.unlike:
                names = list(self.unlike)
                more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
                looked.append(f"not of {', '.join(names[:FEW])}{more}: no axis there is known to be of texts")
        elif shown.all():
            looked.append("nothing: no text is padded; give texts of different length")
        looked += [
            f"text {row} is left out: every key of it is masked, so it has no real token"
            for row in np.flatnonzero(~shown)
        ]
        if trace.patched:
            looked.append(f"patches are not part of the texts run alone: {', '.join(sorted(trace.patched)[:3])}")
        order = trace.program.index
        return Checked(tuple(sorted(findings, key=lambda finding: order(finding.stage))), tuple(looked))

    def _first(self, row: int) -> Difference | None:
        """The first stage at which a text's tokens are others beside padding than alone."""
        single = alone(self.inputs, row)
        run = self.encoder.run(single)
        comparison = compare(
            self.trace, run, alignment=alone_alignment(self.inputs, row, single), parts=False, stopped=self.stopped,
        )  # fmt: skip
        program = self.trace.program
        every = [*comparison.rows, *self._unnamed(comparison, run)]
        told = [one for one in sorted(every, key=lambda one: one.position) if _tells(program, program[one.name])]
        numbers = [one for one in told if one.dtype]
        self.closest = max([self.closest, *(one.relative / one.tolerance for one in numbers)])
        return next(
            (one for one in told if (one.beyond if one.dtype else one.name == POSITIONS and one.differing)), None
        )

    def _unnamed(self, comparison: Comparison, single: Trace) -> Iterator[Difference]:
        """Stages of another shape in the batch than alone, as their axes have no names: what a mean over tokens gives, for one."""
        ours = self.trace
        tokens = int(single.tokens.mask.sum())
        walk = Walk(ours, single, comparison.alignment, parts=False)
        for shape in comparison.unlike_shapes:
            stage = ours.program[shape.name]
            named = with_text_axes(stage, shape.ours, shape.theirs, ours.tokens.shape, tokens)
            if named is not None and ours.has(shape.name) and single.has(shape.name):
                yield walk.difference(named, shape.position, None, exact=False)
            elif self._is_of_texts(shape) and _tells(ours.program, stage):
                self.unlike[shape.name] = None

    def _is_of_texts(self, shape: OtherShape) -> bool:
        """Whether a value is made of what went in, and not of where it stands alone, as a table of distances is."""
        program = self.trace.program
        return any(
            stage.card.given and stage.name != POSITIONS and shape.name in program.downstream(stage.name)
            for stage in program
        )

    def _finding(self, row: int, first: Difference) -> Finding:
        trace = self.trace
        if first.name == POSITIONS:
            return finding_of(trace, POSITIONS, self._moved(row, first))
        apart = (
            f"by {first.largest:.4g}, {first.relative:.2g} of its largest value" if not first.unlike else "altogether"
        )
        whose = "a real token's value" if {*TOKEN_AXES}.intersection(first.axes) else "a text's value"
        said = (
            f"{whose} depends on the padding beside it: alone it is {first.theirs:.6g}, in the batch "
            f"{first.ours:.6g}; it moves {apart}, and rounding allows {first.tolerance:.2g}"
        )
        at = where(trace, first.name, row, first.place)
        cause = self._cause(row, first)
        if cause is not None:  # it shows here and begins before
            stage, fault = cause
            if fault.kind not in OF_PADDING:
                said = f"{fault.text}: that tells {first.name} from the text alone, and shows nothing of padding"
                return finding_of(trace, stage.name, replace(fault, text=said, row=row))
            told = replace(fault, text=f"{fault.text}; at {first.name} {said}", row=row)
            return replace(finding_of(trace, stage.name, told), kind="depends on padding")
        if trace.program[first.name].kind == "FirstToken" and not self._begins(first.name, row):
            remedy = "it takes the token at place 0, which is padding here: take each text's first real token, or pad on the right"
        elif not {*TOKEN_AXES}.intersection(first.axes):
            remedy = "what goes over tokens there must leave padding out: times the mask, over the sum of the mask"
        else:
            remedy = "look at this stage's mask and positions: `check masks`, `info tokens`"
        return Finding("depends on padding", first.name, row, first.place, at, said, remedy)

    def _moved(self, row: int, first: Difference) -> Fault:
        """Positions that are others beside padding."""
        assert first.place is not None
        both = f"alone this token has the position {first.theirs:.0f}, in the batch {first.ours:.0f}"
        if self._begins(first.name, row):  # padded on the right
            return Fault(
                f"positions depend on the padding: {both}", first.place, "position", row, "`info tokens`, `undo`"
            )
        said = f"padding on the left is counted by the positions: {both}, so that another vector is looked up for it"
        remedy = "number positions from each text's first real token (mask.cumsum(1) - 1), or pad on the right"
        return Fault(said, first.place, "position", row, remedy)

    def _begins(self, stage: str, row: int) -> bool:
        """Whether a token stands at the first place of a text, in the sequence that a stage is of."""
        return bool(real_tokens(self.trace, self.trace.program[stage].sequence)[row, 0])

    def _cause(self, row: int, first: Difference) -> tuple[Stage, Fault] | None:
        """What `break unexpected` stops at before the stage where it shows, if that is what it comes from."""
        if self.first is None or self.first[1].kind not in OF_MASKS:
            return None
        stage, fault = self.first
        program = self.trace.program
        before = first.name in program.downstream(stage.name)
        return self.first if before and fault.row in (None, row) else None


def _tells(program: Program, stage: Stage) -> bool:
    """Whether a stage that differs says that padding matters."""
    if stage.name == POSITIONS:
        return any(not program[user].card.turns for user in program.users(stage.name))
    return not stage.name.startswith("tokens.") and not stage.card.turns
