"""The view `lines`: what the chosen query takes from every key, as lines between two columns of tokens."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from rich.style import Style

from ...engine.messages.translation import tr
from ..drawing.bars import across
from ..drawing.braille import BLANK, DOWN, Canvas, Stroke
from ..drawing.colours import MARKS, MASKED, MIDDLE, TOP, Palette, Scale, codes_of
from ..drawing.numbers import Scalar, percent_of, short
from ..drawing.scroll_position import that_fits
from ..drawing.strokes import LEAST, SAMPLES, STYLES, strokes_to
from ..drawing.text import StyledText, cell_len, cut, fit, widest
from ..reading.figures import is_attention
from ..reading.links import Links, read_links
from ..reading.window import all_of, bounds_around, reads_whole
from ..state.plane import Plane, column_labels, fitted, plane_of, row_labels, written_place
from ..state.subject import Subject
from ..state.view_state import ViewState
from .layouts.link import LEGEND, STATUS, LinkLayout, links_of, origin_near, rows_for
from .picture import PictureRequest, Shown, StyledPieces
from .value_view import ValueView

SMALL = 1 << 18  # numbers; a larger plane is read a window at a time
LEAST_COLOUR, LEAST_OF_SIGNED = 11, 7
BOLD = Style(bold=True)
FAINT = 99  # the colour of other queries' lines
STRONG = 0.3  # other queries' lines are drawn from this share on
MOST_FAINT = 256


class LinkView(ValueView):
    """Queries on the left, keys on the right. Up and down choose the query, left and right a key."""

    name_of_view: ClassVar[str] = "lines"
    smallest: ClassVar[tuple[int, int]] = (20, 4)

    def __init__(self, colours: bool | None = None) -> None:
        super().__init__(colours)
        self._layout: LinkLayout | None = None
        self._origins = (0, 0)
        self._seen: tuple[int, int] | None = None
        self._canvas = Canvas(0, 0)
        self._scale = Scale()
        self._codes: np.ndarray = np.zeros(0, dtype=np.uint8)
        self._numbers: np.ndarray = np.zeros(0)
        self._key_shares: np.ndarray = np.zeros(0)
        self._ranked: list[int] = []  # keys that have anything, from the one with most, by magnitude
        self._strongest = -1
        self._labels: tuple[tuple[str, ...], tuple[str, ...]] = (), ()

    # -- what is needed --------------------------------------------------------------------------------------

    @classmethod
    def applies(cls, subject: Subject) -> bool:
        return subject.axes[-2:] == ("query", "key")

    def refusal(self, subject: Subject) -> str:
        if subject.axes[-2:] == ("query", "key"):
            return ""
        nearest = subject.nearest_with_keys
        if not nearest:
            return tr(
                "Lines go from queries to keys, and this value has no such axes; no stage of this program has them."
            )
        return tr(
            "Lines go from queries to keys, and this value has no such axes; the nearest stage that has them is {stage}.",
            stage=nearest,
        )

    def request(self, subject: Subject, plane: Plane) -> PictureRequest | None:
        dtype, mean = subject.dtype, self._is_mean(plane)
        heads = subject.size("head") if mean else 1
        if reads_whole(plane, SMALL // heads):
            bounds = all_of(plane)
            return PictureRequest(
                (subject, plane, mean),
                lambda session: read_links(session, plane, bounds, -1, dtype, mean=mean),
                plane.size * 8,
            )
        layout = self._layout_for(subject, plane)
        top, left = self._origins_in(plane, layout)
        ends = min(plane.rows, top + layout.shown), min(plane.columns, left + layout.shown)
        held = self.shown.frame.bounds if self.shown and self.shown.plane == plane else None
        inside = held is not None and held.hold(top, ends[0], left, ends[1])
        bounds = held if held and inside else bounds_around(plane, top, ends[0], left, ends[1])
        query = max(0, min(self.state.row, plane.rows - 1))
        return PictureRequest(
            (subject, plane, bounds, query, mean),
            lambda session: read_links(session, plane, bounds, query, dtype, mean=mean),
            (bounds.cells + plane.columns) * 8,
        )

    def wants(self, subject: Subject, state: ViewState) -> int:
        plane = plane_of(subject, state)
        return rows_for(max(plane.rows, plane.columns)) if self.applies(subject) else 0

    def plane_of(self, subject: Subject) -> Plane:
        return plane_of(subject, replace(self.state, head=0) if self.state.mean else self.state)

    def number_of(self, subject: Subject, plane: Plane, row: int, column: int) -> Scalar | None:
        """The mean of all heads is no element of the value."""
        return None if self.state.mean else super().number_of(subject, plane, row, column)

    def _is_mean(self, plane: Plane) -> bool:
        return self.state.mean and "head" in plane.axes

    def _layout_for(self, subject: Subject, plane: Plane) -> LinkLayout:
        queries = row_labels(plane, subject)
        keys = column_labels(plane, subject)
        number = 6 if is_attention(subject) else 8
        return links_of(
            max(plane.rows, plane.columns),
            widest(queries),
            widest(keys),
            number,
            self.size.width,
            self.size.height,
        )

    def _origins_in(self, plane: Plane, layout: LinkLayout) -> tuple[int, int]:
        """The first query and the first key on screen. Keys go along with the query, and follow the chosen key."""
        row = max(0, min(self.state.row, plane.rows - 1))
        column = max(0, min(self.state.column, plane.columns - 1))
        top = origin_near(self._origins[0], row, min(layout.shown, plane.rows), plane.rows)
        shown, left = min(layout.shown, plane.columns), self._origins[1]
        if self._seen is None or self._seen[0] != row:
            left = max(0, min(top, plane.columns - shown))
            if left + shown <= column < row + shown:  # the chosen key is in sight where the query's own is as well
                left = origin_near(left, column, shown, plane.columns)
        elif self._seen[1] != column:
            left = origin_near(left, column, shown, plane.columns)
        return top, max(0, min(left, plane.columns - shown))

    # -- what changes ----------------------------------------------------------------------------------------

    def arrived(self, shown: Shown) -> None:
        if self._seen is not None and self._labels != self._labels_of(shown):
            self._seen = None  # another text
        self._labels = self._labels_of(shown)
        self._draw(shown)

    def _labels_of(self, shown: Shown) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return row_labels(shown.plane, shown.subject), column_labels(shown.plane, shown.subject)

    def changed(self, shown: Shown, before: ViewState) -> None:
        layout, seen, origins = self._layout, self._seen, self._origins
        same_lines = replace(before, column=self.state.column) == self.state
        if layout is None or seen is None or not same_lines or self._origins_in(shown.plane, layout) != origins:
            self._draw(shown)
            self.redraw()
            return
        self._seen = self.cell
        keys = {seen[1] - origins[1], self._seen[1] - origins[1]}
        marked = {layout.header + layout.line_of(key) for key in keys if 0 <= key < layout.shown}
        self.refresh_lines({*marked, self.size.height - 1})

    @property
    def page(self) -> tuple[int, int]:
        return (self._layout.shown, self._layout.shown) if self._layout else super().page

    def place_at(self, x: int, y: int) -> ViewState | None:
        layout = self._layout
        if layout is None or self.shown is None or not 0 <= y - layout.header < layout.body:
            return None
        token = (y - layout.header) // layout.pitch
        row, column = self._origins[0] + token, self._origins[1] + token
        if x < layout.canvas_start and row < self.shown.plane.rows:
            return replace(self.state, row=row)
        if x >= layout.canvas_start + layout.canvas and column < self.shown.plane.columns:
            return replace(self.state, column=column)
        return None

    def _draw(self, shown: Shown) -> None:
        """Lay everything out and draw the lines, the strongest last."""
        plane, links = shown.plane, shown.frame
        layout = self._layout = self._layout_for(shown.subject, plane)
        self._origins = self._origins_in(plane, layout)
        row, column = self.cell
        self._seen = row, column
        scale = links.scale
        if is_attention(shown.subject):  # a share is a share of one: where nothing is strong, nothing shines
            scale = replace(scale, limit=1.0, high=1.0)
        self._scale = scale.with_gain(self.state.gain)
        numbers = links.numbers(row) if plane.size else None
        self._numbers = numbers if numbers is not None else np.zeros(0)
        self._codes = codes_of(self._numbers, self._scale, shown.subject.dtype)
        self._canvas = Canvas(layout.canvas, layout.body)
        if self.has_colours and is_attention(shown.subject):
            self._draw_others(shown, layout)
        shares = self._key_shares = self._shares(self._numbers)
        order = np.argsort(-shares, kind="stable")
        self._ranked = order[shares[order] > 0].tolist()
        self._strongest = self._ranked[0] if self._ranked else -1
        drawn = np.array(self._ranked[: int(np.count_nonzero(shares >= LEAST))][::-1], dtype=np.int64)
        # a key far off the screen is far away, but the line to it is to be seen for a while
        middles = layout.middle(0) + (drawn - self._origins[1]) * layout.pitch * DOWN
        ends, start = np.clip(middles, -4 * layout.body, 8 * layout.body), layout.middle(row - self._origins[0])
        self._canvas.draw(strokes_to(start, ends, shares[drawn], self._codes[drawn]))

    def _draw_others(self, shown: Shown, layout: LinkLayout) -> None:
        """What other queries on screen take most from, faintly."""
        links: Links = shown.frame
        (top, left), bounds = self._origins, links.bounds
        first, last = max(top, bounds.row), min(top + layout.shown, bounds.last_row)
        near = links.window.numbers[first - bounds.row : last - bounds.row]
        shares = self._shares(near[:, left - bounds.column : left - bounds.column + layout.shown])
        strong = np.argwhere(shares >= STRONG)[:MOST_FAINT].tolist()
        here, down = self.cell[0] - first, first - top
        self._canvas.draw([
            Stroke(layout.middle(query + down), layout.middle(key), FAINT, gap=2) for query, key in strong if query != here
        ])  # fmt: skip

    def _shares(self, numbers: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Magnitudes as shares of the last colour's; 0 for what is no number."""
        codes = codes_of(numbers, self._scale, self.shown.subject.dtype) if self.shown else np.zeros(0)
        limit = self._scale.limit
        if not limit:
            return np.zeros(numbers.shape)
        with np.errstate(all="ignore"):
            return np.where(codes <= TOP, np.abs(numbers.astype(np.float64)) / limit, 0.0)

    # -- painting --------------------------------------------------------------------------------------------

    def paint(self, shown: Shown, y: int) -> StyledPieces:
        layout = self._layout
        if layout is None:
            return []
        if shown.plane.size == 0:
            return [(tr("an axis has size 0: there is nothing in it"), self.ink("note"))] if y == 0 else []
        height = self.size.height
        below = layout.foot[y - height] if y >= height - len(layout.foot) else ""
        if below == STATUS:
            row, column = self.cell
            number = self._numbers[column] if column < len(self._numbers) else None
            return self.status_words(self._places(shown, row, column), number)
        if below:
            return self._legend(shown, layout) if below == LEGEND else self._most(shown)
        if y < layout.header:
            return self._header(layout)
        line = y - layout.header
        return self._line(layout, line) if line < layout.body else []

    def _places(self, shown: Shown, row: int, column: int) -> tuple[str, ...]:
        """Where the chosen line goes; shortly by the axes and the tokens, which of them being marked in the picture."""
        whole, *shorter = written_place(shown.plane, shown.subject, row, column)
        ends = (labels[at].strip() for labels, at in zip(self._labels, (row, column), strict=True) if at < len(labels))
        return whole, "query {} → key {}".format(*ends), *shorter

    def _header(self, layout: LinkLayout) -> StyledPieces:
        quiet = self.ink("quiet")
        return [
            (fit("query", layout.left + 1, "right"), quiet),
            (" " * (layout.canvas + 2), quiet),
            (fit("key", layout.right + 1), quiet),
        ]

    def _most(self, shown: Shown) -> StyledPieces:
        """The keys of the chosen query in order, as many as there is room for, whether they are on screen or not."""
        query = self.cell[0]
        name = self._labels[0][query].strip() if query < len(self._labels[0]) else ""
        none = "" if np.isfinite(self._numbers).any() else tr("no number to colour")
        words: StyledText = [(cut(f"{name} → {none}", self.size.width), self.ink("label-here"))]
        links: Links = shown.frame
        strongest = links.strongest_of(query)
        said = ""
        if strongest is not None and np.isfinite(strongest[-1]):
            head, key, number = strongest
            said = tr(
                "most: {key} {number} in head {head}",
                key=self._labels[1][key].strip(),
                number=self._short(number),
                head=head,
            )
        room = self.size.width - cell_len(words[0][0])
        first = "".join(map(self._with_number, self._ranked[:1]))
        if not self.state.mean and room < cell_len(first) + cell_len(said) + 3:
            said = ""  # this head's own come first
        room -= cell_len(said) + 3 if said else 0
        for place, text in enumerate(map(self._with_number, self._ranked)):
            gap = "  " if place else ""
            if cell_len(gap + text) > room:
                break
            room -= cell_len(gap + text)
            words += [
                (gap, self.ink("label")),
                (text, self.ink("label") if place else self.ink("note") + BOLD),
            ]
        return [*words, (" " * max(0, room) + "   " * bool(said) + said, self.ink("label-here"))]

    def _with_number(self, key: int) -> str:
        return f"{self._labels[1][key].strip()} {self._written(self._numbers[key], int(self._codes[key]))}"

    def _short(self, number: float) -> str:
        return percent_of(number) if self.shown and is_attention(self.shown.subject) else short(number, 3)

    def _line(self, layout: LinkLayout, line: int) -> StyledText:
        row, column = self.cell
        token, rest = divmod(line, layout.pitch)
        labelled = rest == (layout.pitch - 1) // 2
        query, key = self._origins[0] + token, self._origins[1] + token
        words: StyledText = []
        if labelled and query < len(self._labels[0]):
            mark, ink = ("▸", "label-here") if query == row else (" ", "label")
            words.append((f"{mark}{fitted(self._labels[0][query], layout.left)} ", self.ink(ink)))
        else:
            words.append((" " * (layout.left + 2), self.ink("label")))
        for text, code in self._canvas.runs(line):
            words.append((text, self._colour(code)))
        if labelled and key < len(self._labels[1]):
            words += self._key(layout, key, chosen=key == column)
        return words

    def _key(self, layout: LinkLayout, key: int, *, chosen: bool) -> StyledText:
        """A key's label, its number and a bar as long as the number is large."""
        label = fit(self._labels[1][key], layout.right)
        strongest = key == self._strongest
        mark = "◂" if chosen else "★" if strongest else " "
        ink = self.ink("label-here" if chosen else "note" if strongest else "label")
        words: StyledText = [(" " + label + mark, ink + BOLD if strongest else ink)]
        if not layout.number or key >= len(self._numbers):
            return words
        code, number = int(self._codes[key]), self._numbers[key]
        share = float(self._key_shares[key])
        strong = share >= LEAST or code in MARKS
        ink = self.ink("note" if strong else "quiet")
        ink = ink + BOLD if share >= STYLES[0][0] else ink
        words.append((fit(self._written(number, code), layout.number, "right"), ink))
        if layout.bar:
            words += [(" ", ink), (across(min(1.0, share), layout.bar - 1), self._colour(code))]
        return words

    def _written(self, number: Scalar, code: int) -> str:
        if code == MASKED:
            return "masked"
        if code in MARKS or not (self.shown and is_attention(self.shown.subject)):
            text = short(float(number), 3)
            return f"+{text}" if self._scale.signed and number > 0 and code not in MARKS else text
        return percent_of(float(number))

    def _colour(self, code: int) -> Style:
        if code == BLANK:
            return self.ink("label")
        if code == FAINT:
            return self.ink("faint")
        if not self.has_colours:
            return self.ink("note")
        if code in MARKS:
            return self.ink("warning" if code != MASKED else "quiet")
        return _ink(self.palette(signed=self._scale.signed), code)

    def _legend(self, shown: Shown, layout: LinkLayout) -> StyledPieces:
        """From which number on a line is drawn how, and what goes to keys that are not on screen."""
        quiet, label = self.ink("quiet"), self.ink("label")
        words: StyledText = []
        used = 0
        if not self._scale.limit:
            return [(tr("no number to colour") if self._scale.empty else tr("all zero: no lines"), label)]
        percent = is_attention(shown.subject)
        for (share, _, _), sample in zip(STYLES, SAMPLES, strict=True):
            level = min(1.0, share) * self._scale.limit
            text = f"{100 * level:.2g}%" if percent else short(level, 2)
            code = MIDDLE + round(share * MIDDLE) if self._scale.signed else round(share * TOP)
            if used + cell_len(text) + 4 <= self.size.width:
                words += [(sample, self._colour(code)), (f" ≥{text}  ", label)]
                used += cell_len(text) + 6
        return [*words, (that_fits(self._elsewhere(layout, percent=percent), self.size.width - used), quiet)]

    def _elsewhere(self, layout: LinkLayout, *, percent: bool) -> tuple[str, ...]:
        """Which keys are on screen, and how much of the weight goes to those above and below."""
        first, count = self._origins[1], len(self._numbers)
        last = min(count, first + layout.shown)
        if last - first >= count:
            return ()
        where = tr("keys {span} of {count}", span=f"{first}-{last - 1}", count=count)
        above, below = float(self._numbers[:first].sum()), float(self._numbers[last:].sum())
        if not percent or not np.isfinite(above + below):
            return (where, f"{first}-{last - 1}/{count}")
        gone = f"▲ {percent_of(above)} ▼ {percent_of(below)}"
        return f"{gone}  {where}", gone


@lru_cache(maxsize=256)
def _ink(palette: Palette, code: int) -> Style:
    """The colour of a line. The colours of small numbers vanish into the ground, which suits cells but not lines."""
    if palette.signed:
        code = MIDDLE + (1 if code >= MIDDLE else -1) * max(LEAST_OF_SIGNED, abs(code - MIDDLE))
    else:
        code = LEAST_COLOUR + code * (TOP - LEAST_COLOUR) // TOP
    return Style(color=palette.style(code).bgcolor)
