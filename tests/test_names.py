"""One idea has one word, and one word one idea: what stands at the top of a module has no namesake in another."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted(path for part in ("engine", "tui") for path in (ROOT / part).rglob("*.py"))

FAMILY = "a word of the Family protocol: every family's module has it"
OPERATION = "an operation of ours and a word of the screen; neither side imports the other's"
BLOCKS = "two blocks of which a family takes one: written alike, taken by their module's name"

# A name that two modules may have at their top, and why.
SHARED = {
    "attention": BLOCKS,
    "build": FAMILY,
    "decodes": "a table of foreign names says what belongs to a decoder: taken by the module's name",
    "embeddings": BLOCKS,
    "halves": OPERATION,
    "layers": BLOCKS,
    "limits": FAMILY,
    "Part": OPERATION,
    "pooler": BLOCKS,
    "reasons": "a table of foreign names gives its own reasons: taken by the module's name",
    "Scale": OPERATION,
    "sides": FAMILY,
    "sight": FAMILY,
    "tokens": BLOCKS,
    "words": BLOCKS,
}


# Names of types; UPPER_CASE names are constants, which speak of their module alone.
ALIAS = re.compile(r"[A-Z][A-Z0-9]*[a-z]\w*")


def at_the_top(tree: ast.Module) -> Iterator[str]:
    """Public classes, functions and types with a name of a module."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            yield node.name
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        yield from (to.id for to in targets if isinstance(to, ast.Name) and ALIAS.fullmatch(to.id))


def namesakes(trees: dict[str, ast.Module]) -> dict[str, list[str]]:
    """Each name that several modules have, and where."""
    homes: dict[str, list[str]] = {}
    for path, tree in trees.items():
        for name in dict.fromkeys(at_the_top(tree)):  # overloads are one
            homes.setdefault(name, []).append(path)
    return {name: paths for name, paths in homes.items() if len(paths) > 1}


def lines_with(tree: ast.Module, name: str) -> list[int]:
    """Where a variable or a parameter is called so."""
    return sorted(
        node.lineno
        for node in ast.walk(tree)
        if (isinstance(node, ast.Name) and node.id == name) or (isinstance(node, ast.arg) and node.arg == name)
    )


def read(files: Sequence[Path]) -> dict[str, ast.Module]:
    return {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text("utf-8")) for path in files}


@pytest.fixture(scope="module")
def trees() -> dict[str, ast.Module]:
    return read(FILES)


def test_no_word_for_two_ideas(trees: dict[str, ast.Module]):
    twice = namesakes(trees)
    new = {name: paths for name, paths in twice.items() if name not in SHARED}
    assert not new, "one word for two ideas: call each what it is, or give a reason in SHARED"
    assert not SHARED.keys() - twice.keys(), "these have no namesake any more: take them off SHARED"


def test_namesakes_are_seen():
    one, other = ast.parse("class Place: ...\ndef _own(): ..."), ast.parse("def Place(): ...\ndef _own(): ...")
    assert namesakes({"a.py": one, "b.py": other}) == {"Place": ["a.py", "b.py"]}
    assert namesakes({"a.py": ast.parse("def a(): ...\ndef a(): ...")}) == {}
    alias, annotated = (
        ast.parse("Place = tuple[int, ...]\nPLACES = ()"),
        ast.parse('Place: TypeAlias = "X"\nPLACES = (1,)'),
    )
    assert namesakes({"a.py": alias, "b.py": annotated, "c.py": one}) == {"Place": ["a.py", "b.py", "c.py"]}


def test_families_share_the_words_of_their_protocol_alone(trees: dict[str, ast.Module]):
    """What the protocol does not ask for is no reason to be called alike."""
    families = {path for path in trees if path.startswith("engine/models/families/")}
    protocol = ast.unparse(trees["engine/models/families/family.py"])
    for name, paths in namesakes(trees).items():
        if SHARED.get(name) == FAMILY:
            assert set(paths) <= families, name
            assert f"def {name}(" in protocol or f"{name}:" in protocol, name


def test_found_says_nothing(trees: dict[str, ast.Module]):
    """What was found has a name of its own: the fault, the bound, the setting."""
    assert not [f"{path}:{line}" for path, tree in trees.items() for line in lines_with(tree, "found")]


def test_found_is_seen():
    assert lines_with(ast.parse("def f(found):\n    return [found\n      for x in y]\nfounder = 1"), "found") == [1, 2]
