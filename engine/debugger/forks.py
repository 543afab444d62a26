"""What-ifs: runs of one batch that differ in their patches, as a tree one can move about in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ..messages.errors import InputError
from ..program.patch import Patch
from ..program.trace import LiveTrace, Trace, expect_live
from .cancel import never
from .cursor import Debugger


@dataclass(slots=True)
class Branch:
    """One run in the tree, with its cursor and what was done to it.

    Attributes:
        number: as `switch` takes it; 0 is the original.
        parent: number of the branch it was forked from; None for the original.
        trace, debugger: its run and its cursor.
        past, future: earlier sets of patches, for `undo` and `redo`.
    """

    number: int
    parent: int | None
    trace: Trace
    debugger: Debugger
    past: list[tuple[Patch, ...]] = field(default_factory=list[tuple[Patch, ...]])
    future: list[tuple[Patch, ...]] = field(default_factory=list[tuple[Patch, ...]])


class Forks:
    """The tree of branches, one of which is looked at.

    Args:
        trace: the original.
        stopped: whether a motion in any of them, or what is computed, is to stop.
    """

    def __init__(self, trace: Trace, stopped: Callable[[], bool] = never) -> None:
        self._stopped = stopped
        trace.stop_when(stopped)
        self.branches = {0: Branch(0, None, trace, Debugger(trace, stopped))}
        self.current = self.branches[0]
        self._last = 0  # a number is given once: what was dropped is not what comes after it

    def fork(self) -> Branch:
        """Fork the current branch and go on in the new one; the cursor and the breakpoints come along.

        Raises:
            InputError: a recording, which computes nothing.
        """
        run = expect_live(self.current.trace)
        self._last = number = self._last + 1
        trace = run.fork()
        trace.stop_when(self._stopped)
        here = self.current  # its patches come along, and with them the way they are taken back
        branch = Branch(number, here.number, trace, here.debugger.over(trace), [*here.past], [*here.future])
        self.branches[number] = self.current = branch
        return branch

    def switch(self, number: int) -> Branch:
        """Go to another branch.

        Raises:
            InputError: there is none of that number.
        """
        if number not in self.branches:
            raise self._no(number)
        self.current = self.branches[number]
        return self.current

    def _no(self, number: int) -> InputError:
        return InputError(
            f"no fork number {number}; there {'is only' if len(self.branches) == 1 else 'are'} {', '.join(map(str, self.branches))}"
        )

    def drop(self, number: int) -> Branch:
        """Forget a branch and give its memory back; forks of it become forks of what it was forked from.

        Returns:
            Where one is now: where one was, or what the dropped branch was forked from.

        Raises:
            InputError: there is none of that number, or it is the original.
        """
        if number not in self.branches:
            raise self._no(number)
        branch = self.branches[number]
        if branch.parent is None:
            raise InputError("0 is the original, which all forks are made from; `run` starts over with another text")
        del self.branches[number]
        for child in self.branches.values():
            if child.parent == number:
                child.parent = branch.parent
            expect_live(child.trace).leave(expect_live(branch.trace))
        if self.current is branch:
            self.current = self.branches[branch.parent]
        return self.current

    def patch(self, patch: Patch, accept: Callable[[LiveTrace], None]) -> None:
        """Put a patch on the current branch.

        Args:
            accept: looks at the run with its patch, and raises what is wrong with it.

        Raises:
            InputError: it cannot be applied, or is not accepted; nothing has changed then.
        """
        run = expect_live(self.current.trace)
        before = run.patches
        run.set_patches((*before, patch))
        try:
            accept(run)
        except BaseException:
            run.set_patches(before)
            raise
        self.current.past.append(before)
        self.current.future.clear()

    def undo(self) -> tuple[tuple[Patch, ...], tuple[Patch, ...]]:
        """Take the last patch of the current branch away; returns the patches before and after.

        Raises:
            InputError: there is none.
        """
        return self._exchange(self.current.past, self.current.future, "nothing to undo")

    def redo(self) -> tuple[tuple[Patch, ...], tuple[Patch, ...]]:
        """Put back what `undo` took away.

        Raises:
            InputError: there is nothing.
        """
        return self._exchange(self.current.future, self.current.past, "nothing to redo")

    def _exchange(
        self, source: list[tuple[Patch, ...]], other: list[tuple[Patch, ...]], empty: str
    ) -> tuple[tuple[Patch, ...], tuple[Patch, ...]]:
        if not source:
            raise InputError(f"{empty} in fork {self.current.number}")
        run = expect_live(self.current.trace)
        before = run.patches
        run.set_patches(source[-1])
        source.pop()
        other.append(before)
        return before, run.patches

    def write(self) -> str:
        """The tree as text, a branch a line, `*` before the current one."""
        lines: list[str] = []
        self._write(None, 0, lines)
        return "\n".join(lines)

    def _write(self, parent: int | None, depth: int, lines: list[str]) -> None:
        for branch in self.branches.values():
            if branch.parent != parent:
                continue
            patches = branch.trace.patches if isinstance(branch.trace, LiveTrace) else ()
            done = "; ".join(patch.text for patch in patches) or "no patches"
            mark = "*" if branch is self.current else " "
            name = "original" if parent is None else "fork"
            lines.append(f"{mark} {'  ' * depth}{branch.number} {name}: {done}")
            self._write(branch.number, depth + 1, lines)
