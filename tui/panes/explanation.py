"""What the stage that is looked at does and why it is there; it follows the cursor while it is open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from rich.cells import cell_len

from ...engine.messages.translation import language, tr
from ..drawing.text import cut, first_lines, wrapped
from ..reading.explanation import read_explanation
from ..reading.work import Wanted, Work
from ..state.left_out import why_unread
from ..state.operand_trail import cell_of
from ..state.position import Position
from ..state.view_state import ViewState
from .lines import Lines, Spans

if TYPE_CHECKING:
    from textual import getters
    from textual.app import App

    from ...engine.analysis.explain import StagePage
    from ...engine.analysis.tour import TourPage
    from ...engine.commands.session import Session

ExplanationLine = tuple[tuple[str, str], ...]  # pieces of a line, each with the name of its style


class ExplanationPane(Lines[ExplanationLine]):
    """A rule with the title on it, the text, the formula, and the number under the cell cursor worked out."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "explain--rule", "explain--title", "explain--what", "explain--why", "explain--label", "explain--number",
    }  # fmt: skip

    if TYPE_CHECKING:
        app = getters.app(App[Any])  # Textual leaves open what running it returns

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.page: StagePage | None = None
        self.tour: TourPage | None = None
        self._asked: tuple[object, ...] = ()
        self._joint = -1
        self._unread = ""
        self._above = 0

    def header_has(self, lines: int) -> None:
        """Know how many lines the header of the value has: what it says is not said again."""
        if lines != self._above:
            self._above = lines
            self._lay()

    def show(self, state: ViewState, position: Position, joint: int) -> None:
        """Explain what is looked at.

        Args:
            joint: the column in which a vertical rule ends above; -1 for none.
        """
        self.tour = position.tour
        if position.tour is not None and state.explained:
            self._joint, self._asked = joint, ()
            self._lay()
            return
        if not state.explained or state.stage not in position.world.program:
            self._asked = ()
            return
        if joint != self._joint:
            self._joint = joint
            self._lay()
        stage, generation = state.stage, position.generation
        elsewhere = state.beside in position.world.program[stage].own  # in a weight or a table, and so is the cell
        index = None if elsewhere else cell_of(state, position.world)
        held = stage in position.world.held
        self._unread = "" if held else why_unread(position.world, stage)
        asked = (stage, index, generation, held, language(), position.patched)
        if asked != self._asked:
            self._asked = asked

            def run(session: Session) -> Any:
                return read_explanation(session, stage, index, numbers=held)

            self.app.post_message(Wanted(self, Work("explanation", run, generation)))

    def receive(self, work: Work, result: StagePage) -> None:
        """Take the text."""
        self.page = result
        self._lay()

    def on_resize(self) -> None:
        """Fill the lines anew."""
        self._lay()

    def failed(self, work: Work, text: str) -> None:
        """The old text is another stage's: say so in its place, and ask again at the next key."""
        self.page, self._asked = None, ()
        self.put(
            [self._rule(tr("explanation"), "✗"), *((("what", f" {line}"),) for line in wrapped(text, self.width - 2))]
        )

    def must_wait(self) -> None:
        """The text that is there says what it is of."""

    def _lay(self) -> None:
        if self.width <= 8:
            return
        if self.tour is not None:
            where = f"{tr('tour')} {self.tour.stop}/{self.tour.count}"
            self.put([self._rule(where, self.tour.title), *stop_laid_out(self.tour, self.width)])
        elif self.page is not None:
            lines = laid_out(self.page, self.width, self.size.height - 1, self._unread, self._above)
            self.put([self._rule(tr("explanation"), self.page.title), *lines])

    def _rule(self, what: str, of: str) -> ExplanationLine:
        title = f" {of} "
        label = f" {what} ·"
        room = max(0, self.width - 1 - cell_len(label))
        title = cut(title, room)
        rest = list("─" * (room - cell_len(title)))
        at = self._joint - 1 - cell_len(label) - cell_len(title)
        if 0 <= at < len(rest):
            rest[at] = "┴"
        return (("rule", "─"), ("label", label), ("title", title), ("rule", "".join(rest)))

    def spans(self, face: ExplanationLine, width: int) -> Spans:
        """The pieces."""
        return [(f"explain--{name}" if name else "", text) for name, text in face]


def laid_out(page: StagePage, width: int, height: int, unread: str, above: int = 0) -> list[ExplanationLine]:
    """A page in so many lines: where there are too few, the formulas go first.

    Args:
        unread: why there is no number; "" where there is.
        above: how many lines the header of the value has; with three it has the formula, with four that of shapes as well.
    """
    room = width - 2
    what, why = _lines(page.what, room), _lines(page.why, room)
    labels = [tr("formula"), tr("shapes"), tr("number")]
    wide = max(map(cell_len, labels)) + 2
    number = " = ".join(filter(None, (page.place, page.number)))
    number = number or unread
    facts = [
        _fact(label, wrapped(fact, room - wide)[:most], wide, style)
        for label, fact, most, style in zip(
            labels,
            ("" if above >= 3 else page.formula, "" if above >= 4 else page.sizes, number),
            (1, 1, 2),
            ("what", "label", "number"),
            strict=True,
        )
        if fact
    ]
    while len(facts) > 1 and len(what) + len(why) + sum(map(len, facts)) > height:
        facts.pop(0)
    left = max(1, height - sum(map(len, facts)))
    said = [("what", first_lines(what, left, room)), ("why", first_lines(why, left - len(what), room))]
    texts = [((style, line),) for style, lines in said for line in lines]
    cut_facts = [tuple((name, cut(text, room)) for name, text in line) for fact in facts for line in fact]
    return [((("", " "), *line)) for line in [*texts, *cut_facts]]


def stop_laid_out(page: TourPage, width: int) -> list[ExplanationLine]:
    """A stop of the tour: the question, then the answer, or what was tried and what came of it; what can be done next."""
    room = width - 2
    texts = [] if page.tried and (page.tell or page.undone) else [("what", line) for line in wrapped(page.ask, room)]
    texts += [("number", line) for line in _lines(page.tell, room)]
    if page.tried:
        texts += [("label", line) for line in page.lines]
        texts += [("number", line) for line in wrapped(page.tried, room)]
    elif page.offer and page.tell:
        texts += [("why", line) for line in wrapped(f"E  {page.offer}", room)]
    answer = tr("think, then T shows the answer") if page.covered else tr("T shows the answer")
    hints = [answer if page.answers else tr("T ends the tour") if page.is_last else tr("T goes on")]
    if page.tried and page.offer:
        hints += [tr("E hides it again") if page.undone else tr("E takes it back")]
    hints += [tr("P goes back")] if page.stop > 1 else []
    return [(("", " "), piece) for piece in [*texts, ("label", cut(" · ".join([*hints, tr("x leaves")]), room))]]


def _lines(text: str, width: int) -> list[str]:
    return wrapped(text, width) if text else []


def _fact(label: str, lines: list[str], wide: int, style: str) -> list[ExplanationLine]:
    return [
        (("label", (label if at == 0 else "") + " " * (wide - cell_len(label if at == 0 else ""))), (style, line))
        for at, line in enumerate(lines)
    ]
