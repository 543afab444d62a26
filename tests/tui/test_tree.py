"""The program's tree: how names become lines, and which lines are on show."""

from __future__ import annotations

from encoder_tui.engine.program.program import Program
from encoder_tui.engine.program.stage import Stage
from encoder_tui.tui.state.tree import Folds, Node, grow, line_of, path_to, rows, words
from fakes import Does, fake_trace
from hypothesis import given
from hypothesis import strategies as st


def program_of(*names: str) -> Program:
    return Program([Stage(name, Does("nothing")) for name in names])


def labels(nodes: list[Node]) -> list[str]:
    return ["  " * node.depth + node.label for node in nodes]


def test_numbers_stay_with_what_they_number() -> None:
    assert words("layers.0.attention.scores") == ("layers.0", "attention", "scores")
    assert words("encoder.layer.11.output") == ("encoder", "layer.11", "output")
    assert words("0.weight") == ("0", "weight")


def test_groups_are_nested_and_one_stage_alone_has_no_group() -> None:
    roots = grow(program_of("tokens.ids", "tokens.mask", "mask.additive", "layers.0.ffn.up", "layers.0.ffn.down"))
    assert labels(rows(roots, Folds(), range(5))) == [
        "tokens", "  ids", "  mask", "mask.additive", "layers.0.ffn", "  up", "  down",
    ]  # fmt: skip


def test_a_part_entered_twice_stands_there_twice() -> None:
    roots = grow(program_of("a.x", "a.y", "b.x", "b.y", "a.z", "a.w"))
    assert [(node.name, node.first, node.last) for node in roots] == [("a", 0, 1), ("b", 2, 3), ("a", 4, 5)]
    assert len({node.key for node in roots}) == 3


def test_a_name_that_begins_another_is_a_stage_of_its_own() -> None:
    roots = grow(program_of("head", "head.pooler", "head.norm"))
    assert sorted(node.name for node in _stages(roots)) == ["head", "head.norm", "head.pooler"]


def test_by_itself_only_the_part_with_the_cursor_is_open() -> None:
    program = fake_trace().program
    roots = grow(program)
    shown = rows(roots, Folds(), [program.index("layers.1.attention.scores")])
    assert [node.label for node in shown if node.depth == 0] == [
        "tokens", "embeddings", "mask.additive", "layers.0", "layers.1",
    ]  # fmt: skip
    assert {node.name.split(".")[1] for node in shown if node.depth} == {"1"}


def test_what_is_closed_by_hand_stays_closed_until_it_is_entered() -> None:
    program = fake_trace().program
    roots, here = grow(program), [program.index("layers.0.ffn.up")]
    layer = path_to(roots, here[0])[0]
    folds = Folds().toggled(layer, here)
    assert not folds.is_open(layer, here)
    assert folds.revealing(roots, here[0]).is_open(layer, here)
    assert folds.toggled(layer, here).is_open(layer, here)


def _stages(nodes: tuple[Node, ...]) -> list[Node]:
    return [found for node in nodes for found in (_stages(node.children) if node.is_group else [node])]


word = st.sampled_from(["a", "b", "layers", "x", "0", "1", "12"])
names = st.lists(st.lists(word, min_size=1, max_size=5).map(".".join), unique=True, min_size=1, max_size=40)


@given(names)
def test_every_stage_has_one_line_in_the_order_of_the_program(given_names: list[str]) -> None:
    program = program_of(*given_names)
    roots = grow(program)
    assert [node.name for node in _stages(roots)] == given_names
    assert [node.first for node in _stages(roots)] == list(range(len(given_names)))
    everything = rows(roots, Folds(), range(len(given_names)))
    assert len({node.key for node in everything}) == len(everything)
    for node in everything:
        if node.is_group:
            inside = _stages(node.children)
            assert (inside[0].first, inside[-1].last) == (node.first, node.last)
            assert all(found.name.startswith(node.name) for found in inside)


@given(names, st.data())
def test_whatever_is_folded_a_stage_has_exactly_one_line_that_stands_for_it(
    given_names: list[str], data: st.DataObject
) -> None:
    roots = grow(program_of(*given_names))
    everything = rows(roots, Folds(), range(len(given_names)))
    here = data.draw(st.lists(st.integers(0, len(given_names) - 1), max_size=2))
    folds = Folds()
    for node in data.draw(st.lists(st.sampled_from(everything), max_size=8)):
        if node.is_group:
            open_before = folds.is_open(node, here)
            folds = folds.toggled(node, here)
            assert folds.is_open(node, here) is not open_before
    shown = rows(roots, folds, here)
    for position in range(len(given_names)):
        node = shown[line_of(shown, position)]
        assert node.holds(position)
        assert not node.is_group or not folds.is_open(node, here)
    revealed = folds.revealing(roots, 0)
    assert not any(node.key in revealed.closed for node in path_to(roots, 0))


def test_lines_of_nothing() -> None:
    assert rows((), Folds(), []) == []
    assert line_of([], 3) == 0
