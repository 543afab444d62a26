"""What goes in to be tried: a batch of texts as it is typed, and whether it still shows a difference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ...messages.errors import InputError
from ...program.stage import Stage
from ...program.tokens import Tokens
from ...program.trace import Trace
from ..compare.first_apart import first_apart
from ..compare.gaps import StageGap

MOST = 1000  # batches that are tried


@dataclass(frozen=True)
class Batch:
    """Texts as they are typed.

    Attributes:
        texts: one or several, padded to one length.
        pair: the second segment of each; None for none.
        length: how many tokens each is cut to; None for as many as the model takes.
    """

    texts: tuple[str, ...]
    pair: str | None = None
    length: int | None = None

    def text(self, slot: int | None) -> str:
        """The text of a row, or the pair where that is None."""
        return (self.pair or "") if slot is None else self.texts[slot]

    def with_text(self, slot: int | None, text: str) -> Batch:
        """The same with another text in its place."""
        if slot is None:
            return replace(self, pair=text)
        return replace(self, texts=(*self.texts[:slot], text, *self.texts[slot + 1 :]))


def stage_part(stage: Stage) -> str:
    """What a stage does, in whatever layer: `layers.*.ffn.up`."""
    return stage.name if stage.layer is None else stage.name.replace(f"layers.{stage.layer}.", "layers.*.", 1)


@dataclass
class Trials:
    """Batches tried: which of them show the same difference, counted.

    A difference is the same where it begins at the same part of the program, in whatever layer. Where it began elsewhere it would be another
    one, to which leaving out words would slip. What neither tokenizer nor model takes shows nothing (Zeller and Hildebrandt call it unresolved),
    and nothing does any more once `most` have been tried.

    Attributes:
        ours: gives our trace of a batch.
        theirs: gives theirs of what went into one of ours.
        tolerance: as of `compare`.
        stopped: asked before each; True ends it.
        most: how many are tried.
        part: where the difference begins; "" until `begin`.
        passages: how many were tried.
    """

    ours: Callable[[Batch], Trace]
    theirs: Callable[[Trace], Trace]
    tolerance: float | None = None
    stopped: Callable[[], bool] = lambda: False
    most: int = MOST
    part: str = ""
    passages: int = 0
    _known: dict[Batch, StageGap | None] = field(default_factory=dict[Batch, "StageGap | None"])

    @property
    def exhausted(self) -> bool:
        """Whether no more are tried."""
        return self.passages >= self.most

    def begin(self, batch: Batch, part: str = "") -> StageGap | None:
        """Look where a batch begins to differ, which is what the others are held against; None where it does not.

        Args:
            part: where it is to begin; "" for wherever it does.

        Raises:
            InputError: it was stopped, or it is nothing that the models take.
        """
        ours = self.ours(batch)
        first = self._tried(batch, ours)
        self.part = part or (stage_part(ours.program[first.name]) if first is not None else "")
        return first

    def shows(self, batch: Batch) -> bool:
        """Whether a batch shows the same difference.

        Raises:
            InputError: it was stopped.
        """
        if batch not in self._known:
            if self.exhausted:
                return False
            self._stop_here()
            try:
                ours = self.ours(batch)
                first = self._tried(batch, ours)
            except InputError:  # no text that is left, or none that they take
                self._stop_here()
                self._known[batch] = None
                return False
            if first is not None and stage_part(ours.program[first.name]) != self.part:
                self._known[batch] = None
        return self._known[batch] is not None

    def first(self, batch: Batch) -> StageGap:
        """Where a batch that shows it begins to differ."""
        first = self._known[batch]
        assert first is not None
        return first

    def tokens(self, batch: Batch) -> Tokens:
        """Its tokens, for which nothing is computed."""
        return self.ours(batch).original_tokens

    def _tried(self, batch: Batch, ours: Trace) -> StageGap | None:
        self.passages += 1
        first = first_apart(ours, self.theirs(ours), tolerance=self.tolerance)
        self._known[batch] = first
        return first

    def _stop_here(self) -> None:
        if self.stopped():
            raise InputError(
                f"minimise was interrupted after {self.passages} of at most {self.most:,} batches of texts"
            )
