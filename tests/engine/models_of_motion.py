"""A second, tiny debugger: a list of names and a few loops. What the real one does must agree with it."""

from __future__ import annotations

from collections.abc import Iterable


class Walker:
    """A cursor over names; -1 is before the first. Breakpoints are a plain set of positions."""

    def __init__(self, names: list[str], stops: Iterable[int] = ()) -> None:
        self.names, self.stops, self.at = names, set(stops), -1

    def move(self, word: str, count: int) -> int:
        if word == "goto":
            self.at = count
            return self.at
        target = {
            "step": self.at + count,
            "reverse_step": self.at - count,
            "cont": len(self.names) - 1,
            "reverse_cont": -1,
            "until": count,
        }.get(word)
        if target is None:
            target = self.at
            for _ in range(count):
                target = self._past_part(target, word)
        self._walk(max(-1, min(target, len(self.names) - 1)))
        return self.at

    def _past_part(self, at: int, word: str) -> int:
        """One block or layer further: `next` and `finish` end on its last stage, the reverses before its first."""
        part = self.block if word.endswith("next") else self.room
        if not word.startswith("reverse"):
            if at + 1 >= len(self.names):
                return at
            inside = part(at + 1)
            return max(
                end for end in range(at + 1, len(self.names)) if all(part(i) == inside for i in range(at + 1, end + 1))
            )
        if at < 0:
            return at
        inside = part(at)
        return min(start for start in range(at + 1) if all(part(i) == inside for i in range(start, at + 1))) - 1

    def block(self, at: int) -> str:
        return ".".join(self.names[at].split(".")[:-1])

    def room(self, at: int) -> str:
        words = self.names[at].split(".")
        return ".".join(words[:2]) if words[0] == "layers" else words[0]

    def _walk(self, target: int) -> None:
        way = 1 if target > self.at else -1
        while self.at != target:
            self.at += way
            if self.at in self.stops:
                return
