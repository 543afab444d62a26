"""Values that nobody would write, and changes to JSON by its structure. All of it is JSON itself, so that a recipe can be kept."""

from __future__ import annotations

import json
from random import Random
from typing import Any, cast

MARK = "‡"  # a line of output that begins with it was broken by somebody else's line end
EVIL = f"x\x1b[31m\u202e\x9b\u200b\n{MARK}"
LETTERS = ["\x1b[2J", "\x00", "\x07", "\r", "\n", "\t", "\x7f", "\x9b31m", "\u200b", "\u200d", "\u202e", "\u2028", "\ud800",
           "\ufeff", "\U000e0041", "é", "我", "👩\u200d👧", "\ufe0f", "'", '"', "\\", "[", "]", "%", "{", "$"]  # fmt: skip
NUMBERS = [0, 1, -1, 2, 3, 7, 17, 255, 2**31 - 1, 2**31, 2**32, 2**63 - 1, 2**63, -(2**63), 2**64, 10**9, 10**29, 10**400, 0.5, -0.0,
           1e-320, 1e308, -1e308, float("inf"), float("-inf"), float("nan")]  # fmt: skip
WORDS = ["", " ", "x", "true", "0", "-1", "auto", "float16", "../..", "/", "/etc/passwd", ".", "..", "~", "a" * 300, EVIL,
         f"a{MARK}", "[PAD]", "[UNK]", "gelu", "bert", "t5", "NaN", "null", "_", "__class__", "{0}", "%s"]  # fmt: skip
# Written out by `dumps`: nesting and length that would not be kept as they are.
DEEP, LONG, MANY = "@deep:200000", "@long:1000000", "@many:100000"
WRITTEN = {DEEP: "[" * 200_000 + "]" * 200_000, LONG: '"' + "a" * 10**6 + '"', MANY: f"[{'0, ' * (10**5 - 1)}0]"}


def word(random: Random) -> str:
    """A word, or a few letters that steer, hide or quote."""
    return random.choice(WORDS) if random.random() < 0.6 else "".join(random.choices(LETTERS, k=random.randint(1, 4)))


def value(random: Random, depth: int = 0) -> Any:
    """Any JSON value."""
    kind = random.random()
    if kind < 0.35:
        return random.choice(NUMBERS)
    if kind < 0.6:
        return word(random)
    if kind < 0.75:
        return random.choice([None, True, False])
    if kind < 0.8:
        return random.choice([DEEP, LONG, MANY])
    if depth > 2:
        return []
    if kind < 0.9:
        return [value(random, depth + 1) for _ in range(random.randint(0, 3))]
    return {word(random): value(random, depth + 1) for _ in range(random.randint(0, 3))}


def paths(tree: Any, most: int = 400) -> list[list[Any]]:
    """Where there is something in a tree: the keys and places that lead there."""
    every: list[list[Any]] = []
    waiting: list[tuple[list[Any], Any]] = [([], tree)]
    while waiting and len(every) < most:
        path, node = waiting.pop(0)
        every.append(path)
        if isinstance(node, dict):
            waiting += [([*path, key], child) for key, child in cast("dict[str, Any]", node).items()]
        elif isinstance(node, list):
            waiting += [([*path, at], child) for at, child in enumerate(cast("list[Any]", node)[:8])]
    return every


def change(tree: Any, random: Random, keys: list[str] | None = None) -> list[Any]:
    """One change to a tree, as a step for `changed`.

    Args:
        keys: names that may be added beside those that are there.
    """
    path = random.choice(paths(tree))
    how = random.random()
    if how < 0.15 and path:
        return ["remove", path]
    if how < 0.25 and path and isinstance(path[-1], str):
        return ["rename", path, word(random)]
    if how < 0.4:
        return ["add", path, random.choice(keys or WORDS), value(random)]
    if how < 0.5:
        return ["set", path, ["swapped", random.choice(paths(tree))]]
    return ["set", path, value(random)]


def changed(tree: Any, steps: list[Any]) -> Any:
    """A tree after some changes; one whose place is gone by then changes nothing."""
    for how, path, *more in steps:
        try:
            tree = _changed(tree, how, path, more)
        except (LookupError, TypeError, AttributeError):
            continue
    return tree


def is_swap(new: Any) -> bool:
    """Whether it stands for what is at another place of the tree."""
    return isinstance(new, list) and len(pair := cast("list[Any]", new)) == 2 and pair[0] == "swapped"


def _changed(tree: Any, how: str, path: list[Any], more: list[Any]) -> Any:
    new: Any = more[-1] if more else None
    if is_swap(new):
        new = json.loads(json.dumps(_at(tree, new[1])))
    if how == "add":
        node = _at(tree, path)
        if isinstance(node, dict):
            node[more[0]] = new
        elif isinstance(node, list):
            node.append(new)
        return tree
    if not path:
        return new if how == "set" else tree
    node, last = _at(tree, path[:-1]), path[-1]
    if how == "remove":
        del node[last]
    elif how == "rename":
        node[new] = node.pop(last)
    else:
        node[last] = new
    return tree


def _at(tree: Any, path: list[Any]) -> Any:
    for key in path:
        tree = tree[key]
    return tree


def dumps(tree: Any) -> str:
    """JSON, with what stands for deep nesting and great length written out."""
    text = json.dumps(tree)
    for mark, written in WRITTEN.items():
        text = text.replace(f'"{mark}"', written)
    return text
