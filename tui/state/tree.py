"""The program as a tree of named parts, and which of its lines are on show. Nothing here draws."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...engine.program.program import Program

NodeKey = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Node:
    """A stage, or a run of stages that share the beginning of their names.

    Attributes:
        name: of the stage, or what the stages share.
        label: what is written: the last words of the name.
        depth: how far it is indented.
        first, last: positions of its first and last stage.
        children: of a group; a stage has none.
    """

    name: str
    label: str
    depth: int
    first: int
    last: int
    children: tuple[Node, ...] = ()

    @property
    def key(self) -> NodeKey:
        """What tells it from every other node."""
        return self.depth, self.first

    @property
    def is_group(self) -> bool:
        """Whether it opens and closes."""
        return bool(self.children)

    def holds(self, position: int) -> bool:
        """Whether the stage at that position is in it."""
        return self.first <= position <= self.last


def grow(program: Program) -> tuple[Node, ...]:
    """The tree of a program, in the order in which it runs.

    A part that is left and entered again (a mask computed in the middle of the embeddings) stands there twice: the tree is
    read from top to bottom as the program runs. A part with one stage is written on the stage's own line.
    """
    named = [(position, words(stage.name)) for position, stage in enumerate(program)]
    return tuple(_grow(named, 0, ()))


def words(name: str) -> tuple[str, ...]:
    """The words of a name, numbers with what they number: `layers.0`, `attention`, `scores`."""
    joined: list[str] = []
    for word in name.split("."):
        if word.isdigit() and joined:
            joined[-1] += f".{word}"
        else:
            joined.append(word)
    return tuple(joined)


def _grow(named: Sequence[tuple[int, tuple[str, ...]]], depth: int, above: tuple[str, ...]) -> Iterator[Node]:
    at = len(above)
    for word, run in groupby(named, key=lambda entry: entry[1][at]):
        members = list(run)
        shared = (*above, word)
        while len(members) > 1 and all(len(rest) > len(shared) + 1 for _, rest in members):
            further = {rest[len(shared)] for _, rest in members}
            if len(further) > 1:
                break
            shared = (*shared, *further)
        if len(members) > 1 and all(len(rest) > len(shared) for _, rest in members):
            children = tuple(_grow(members, depth + 1, shared))
            label = ".".join(shared[at:])
            yield Node(".".join(shared), label, depth, members[0][0], members[-1][0], children)
            continue
        for position, name in members:
            yield Node(".".join(name), ".".join(name[at:]), depth, position, position)


@dataclass(frozen=True, slots=True)
class Folds:
    """What was opened and closed by hand; replaced, never edited.

    Without a hand, a part at the top is open where the cursor or the stage looked at is, and parts within parts are open.
    """

    opened: frozenset[NodeKey] = frozenset()
    closed: frozenset[NodeKey] = frozenset()

    def is_open(self, node: Node, here: Sequence[int]) -> bool:
        """Whether a group's children are on show.

        Args:
            here: the positions that keep the part they are in open.
        """
        if not node.is_group or node.key in self.closed:
            return False
        return node.depth > 0 or node.key in self.opened or any(map(node.holds, here))

    def toggled(self, node: Node, here: Sequence[int]) -> Folds:
        """After someone opened or closed a group."""
        if self.is_open(node, here):
            return Folds(self.opened - {node.key}, self.closed | {node.key})
        return Folds(self.opened | {node.key}, self.closed - {node.key})

    def revealing(self, roots: Sequence[Node], position: int) -> Folds:
        """Nothing that holds this position stays closed by hand."""
        return Folds(self.opened, self.closed - {node.key for node in path_to(roots, position)})


def path_to(roots: Sequence[Node], position: int) -> tuple[Node, ...]:
    """The groups around a stage, from the outermost, and the stage's node itself last."""
    for node in roots:
        if node.holds(position):
            return (node, *path_to(node.children, position))
    return ()


def rows(roots: Sequence[Node], folds: Folds, here: Sequence[int]) -> list[Node]:
    """The nodes that have a line, from top to bottom."""
    nodes: list[Node] = []
    for node in roots:
        nodes.append(node)
        if folds.is_open(node, here):
            nodes.extend(rows(node.children, folds, here))
    return nodes


def line_of(shown: Sequence[Node], position: int) -> int:
    """The line that stands for a stage: its own, or that of the closed part it is in; 0 when there is none."""
    best = 0
    for line, node in enumerate(shown):
        if node.holds(position):
            best = line  # lines further down are further in
    return best
