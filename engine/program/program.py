"""An encoder as a straight-line program: stages in order, every name assigned once.

Nothing here computes and nothing here needs torch: a program is what the debugger walks, the tree shows and a
snapshot records.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping
from functools import cached_property

from ..messages.errors import InputError, nearest
from .addresses import AT
from .foreign.author import by_author
from .foreign.names import foreign_names, why_none
from .modules import Modules
from .source_lines import is_line, of_line, passages, why_no_line
from .stage import Shape, Stage, Stages


class Program(Stages):
    """Stages in the order they run, with their weights: what is walked.

    Args:
        stages, aliases, modules: as of `Stages`.
        weights: the shape of every weight the stages use.
        wide: those that are kept in float32, whatever the rest is brought to.
        shown: stages that stand beside what is computed, for the eye: nothing is made of them.

    Raises:
        ValueError: a name given twice, or an input that no earlier stage produces (a fault of the front end).
    """

    def __init__(
        self,
        stages: Iterable[Stage],
        aliases: Mapping[str, str] | None = None,
        weights: Mapping[str, Shape] | None = None,
        wide: Iterable[str] = (),
        modules: Modules | None = None,
        shown: Iterable[str] = (),
    ) -> None:
        super().__init__(stages, aliases, modules)
        self.shown = frozenset(shown)
        self.weights: dict[str, Shape] = dict(weights or {})
        self.wide = frozenset(wide)

    # -- names as people type them ---------------------------------------------------------------------------

    def resolve(self, name: str, near: int | None = None) -> str:
        """The canonical name of the one stage that is meant.

        Takes canonical names, aliases, TransformerLens hooks, Hugging Face modules, any unambiguous end of a
        name (`2.attention.weights`), the name of an operation where it means one stage, and lines of source (`my_model.py:42`: the last stage of it).

        Args:
            near: a place in the program; of a line that is passed several times, the passage there, before it, or else the first.

        Raises:
            InputError: no such stage, or several.
        """
        names = self.match(name)
        if len(names) == 1:
            return names[0]
        if not names:
            raise self._unknown(name)
        if is_line(name.strip()) and (ends := self.line_ends(name)):
            before = [place for place in ends if near is not None and place <= near]
            if len(ends) == 1 or near is not None:
                return self.stages[before[-1] if before else ends[0]].name
        shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        raise InputError(f"stage {name!r} is ambiguous: {len(names)} stages match ({shown}); write one in full")

    def match(self, pattern: str) -> list[str]:
        """Canonical names of every stage a name, a glob (`layers.*.attention.weights`) or a line (`my_model.py:42`) means, in order.

        Where no stage is called so, an operation (`softmax`) is meant.
        """
        pattern = pattern.strip()
        if pattern in self:
            return [self[pattern].name]
        if any(mark in pattern for mark in "*?"):
            wanted = re.compile(fnmatch.translate(pattern))
            hits = {self.index(name) for name in (*self._index, *self.aliases) if wanted.match(name)}
            hits |= {self._index[at] for name, stages in self._foreign.items() if wanted.match(name) for at in stages}
            return [self.stages[position].name for position in sorted(hits)] or by_author(self, pattern)
        if pattern in self._foreign:
            return self._foreign[pattern]
        if lines := of_line(self.stages, pattern):
            return [stage.name for stage in lines]
        ending = [name for name in self._index if name.endswith("." + pattern)] if pattern else []
        return ending or by_author(self, pattern)

    def line_ends(self, pattern: str) -> list[int]:
        """Where each passage of a line of source ends: the place of its last stage; none where the pattern is no line."""
        return [places[-1] for places in passages(self.stages, of_line(self.stages, pattern.strip()))]

    def expect(self, pattern: str) -> list[str]:
        """`match`, but nothing matching is an error that suggests the nearest names."""
        names = self.match(pattern)
        if not names:
            raise self._unknown(pattern)
        return names

    def _unknown(self, name: str) -> InputError:
        where, at, _ = name.strip().partition(AT)
        if at:
            if not self.match(where):
                return self._unknown(where)
            return InputError(
                f"{name.strip()!r} is the address of what a stage has besides its value, and a stage is meant here: write {where!r}; "
                "`print`, `stats`, `look`, `export` and what stands in a condition take addresses"
            )
        why = why_none(self, name.strip())
        if why:
            return InputError(f"no stage is {why}")
        if no_line := why_no_line(self.stages, name.strip()):
            return InputError(no_line)
        known = [*self._index, *self.aliases, *self._foreign]
        return InputError(f"no stage named {name!r}{nearest(name, known) or '; `info stages` lists them all'}")

    @cached_property
    def _foreign(self) -> dict[str, list[str]]:
        return foreign_names(self)

    # -- what depends on what --------------------------------------------------------------------------------

    def upstream(self, name: str) -> frozenset[str]:
        """Every stage that the value of `name` depends on, itself not included."""
        return self._closure(name, {stage.name: stage.inputs for stage in self.stages})

    def users(self, name: str) -> tuple[str, ...]:
        """The stages that take `name` as an input."""
        return self._users[name]

    def downstream(self, name: str) -> frozenset[str]:
        """Every stage whose value depends on `name`, itself not included."""
        return self._closure(name, self._users)

    def all_downstream(self, names: Iterable[str]) -> frozenset[str]:
        """The stages named and every one whose value depends on any of them."""
        downstream = set(names)
        for stage in self.stages:
            if not downstream.isdisjoint(stage.inputs):
                downstream.add(stage.name)
        return frozenset(downstream)

    @cached_property
    def given(self) -> tuple[Stage, ...]:
        """The stages that nothing is computed for: what goes in."""
        return tuple(stage for stage in self.stages if stage.card.given)

    @cached_property
    def _users(self) -> dict[str, tuple[str, ...]]:
        users: dict[str, list[str]] = {stage.name: [] for stage in self.stages}
        for stage in self.stages:
            for name in stage.inputs:
                users[name].append(stage.name)
        return {name: tuple(those) for name, those in users.items()}

    @staticmethod
    def _closure(name: str, edges: Mapping[str, Iterable[str]]) -> frozenset[str]:
        seen: set[str] = set()
        waiting = list(edges[name])
        while waiting:
            reached = waiting.pop()
            if reached not in seen:
                seen.add(reached)
                waiting.extend(edges[reached])
        return frozenset(seen)
