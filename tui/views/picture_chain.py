"""What the views of many small pictures have in common: they are read one after the other, and each shows as it comes."""

from __future__ import annotations

from abc import abstractmethod
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events

from ..reading.work import Work
from ..state.plane import Plane
from ..state.subject import Subject
from .picture import PictureRequest, Shown, Trouble
from .value_view import ValueView

if TYPE_CHECKING:
    from ...engine.commands.session import Session

KEPT_SHEETS = 8  # sizes, heads and texts whose pictures are there at once when one comes back to them


@dataclass(frozen=True, slots=True)
class Sheet:
    """What all the pictures depend on.

    Attributes:
        text: row of the batch.
        height, width: of a picture, in numbers.
        generation: the session's.
    """

    text: int
    height: int
    width: int
    generation: int

    @abstractmethod
    def read(self, session: Session, stage: str) -> Any:
        """The picture of a stage. Runs on the engine's thread."""


class PictureChain(ValueView):
    """Pictures of several stages, one request after the other. Motion goes from picture to picture, which is another stage."""

    faded: ClassVar[float] = 1.0  # what is there already is no old picture

    def __init__(self, colours: bool | None = None) -> None:
        super().__init__(colours)
        self._sheet: Sheet | None = None
        self._pictures: dict[str, Any | Trouble] = {}
        self._kept: OrderedDict[Sheet, dict[str, Any]] = OrderedDict()  # of the sheets before
        self._due: list[str] = []
        self._stopped = False

    def _want(self, subject: Subject, sheet: Sheet, stages: Sequence[str]) -> bool:
        """See to it that these stages' pictures are at hand or due; whether they are other ones than before.

        Old ones of the same size stay until the new ones are there; those that nobody wants now are forgotten, for nobody
        would make them anew. What was read of a sheet that one comes back to is there at once.
        """
        before, self._stopped = self._sheet, False
        if another := sheet != before:
            self._put_by(sheet)
            same_size = before is not None and (before.height, before.width) == (sheet.height, sheet.width)
            old = {stage: self._pictures[stage] for stage in stages if same_size and stage in self._pictures}
            kept = self._kept.pop(sheet, {})
            self._pictures = old | kept
            self._sheet, self._due, self._awaited = sheet, [stage for stage in stages if stage not in kept], None
        else:
            for stage in set(self._due).difference(stages):
                self._pictures.pop(stage, None)
            self._due = [stage for stage in stages if stage not in self._pictures or stage in self._due]
        self.shown = Shown(subject, self.plane_of(subject), None)
        self._next()
        return another

    def _put_by(self, coming: Sheet) -> None:
        """Keep what has been read of the sheet that goes; nothing of numbers that hold no longer."""
        sheet = self._sheet
        if sheet is None or sheet.generation != coming.generation:
            self._kept.clear()
            return
        read = {stage: each for stage, each in self._pictures.items() if stage not in self._due}
        self._kept[sheet] = {stage: each for stage, each in read.items() if not isinstance(each, Trouble)}
        if len(self._kept) > KEPT_SHEETS:
            self._kept.popitem(last=False)

    def forget(self) -> None:
        """Have nothing of what was read: it is of other numbers."""
        self._sheet, self._due = None, []
        self._pictures.clear()
        self._kept.clear()

    def request(self, subject: Subject, plane: Plane) -> PictureRequest | None:
        """The next picture that is due; its result is kept by this view itself."""
        sheet = self._sheet
        if sheet is None or not self._due:
            return None
        stage = self._due[0]
        return PictureRequest((sheet, stage), lambda session: sheet.read(session, stage), sees=False)

    def _next(self) -> None:
        subject = self.subject
        if self._awaited is None and subject is not None and self.display and not self._stopped:
            plane = self.plane_of(subject)
            self._awaited = request = self.request(subject, plane)
            if request is not None:
                self._send(subject, plane, request)

    def receive(self, work: Work, result: Any) -> None:
        """Take a picture and ask for the next; what belongs to another text or size is dropped."""
        _, _, request, picture = result
        sheet, stage = request.key
        if sheet != self._sheet:
            return
        self._awaited = None
        if not (self._stopped and isinstance(picture, Trouble)):  # else it is due still
            self._pictures[stage] = picture
            self._due = [due for due in self._due if due != stage]
        if self._stopped or not self._due:
            self._settle()
        self.came(stage)
        self._next()

    @abstractmethod
    def came(self, stage: str) -> None:
        """A picture came: paint what it changes."""

    def stop(self) -> None:
        """Ask for no more until someone looks again."""
        self._stopped = True

    def is_marked(self, stage: str) -> bool:
        """Whether it is to be said of a stage that its picture has not come: not at once, that would only flicker."""
        return stage in self._due and (self._stopped or self.late)

    def _settle(self) -> None:
        if self.late:
            self._strips.clear()
            self.redraw()
        super()._settle()

    def must_wait(self) -> None:
        """Nothing fades here, and what is said is said in every picture that is due: once, when they are late by the clock."""

    def _is_late(self) -> None:
        self._strips.clear()
        super()._is_late()

    def _wheel(self, event: events.MouseEvent, rows: int) -> None:
        if self.shown is not None:
            event.stop()
            self.post_message(self.Asked(self.moved("down" if rows > 0 else "up", self.state, self.shown.subject)))
