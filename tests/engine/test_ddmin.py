"""Delta debugging: what is left shows it, nothing can be left out of it, and nothing is asked twice."""

from __future__ import annotations

from encoder_tui.engine.analysis.minimise.ddmin import ddmin
from hypothesis import given
from hypothesis import strategies as st

ITEMS = 40
SETS = st.lists(st.frozensets(st.integers(0, ITEMS - 1), min_size=1, max_size=5), min_size=1, max_size=3)


@given(count=st.integers(1, ITEMS), needed=SETS)
def test_what_is_left_is_1_minimal(count: int, needed: list[frozenset[int]]) -> None:
    """It shows whatever holds one of several sets: those that want another item may be shown by nothing."""
    needed = [frozenset(each % count for each in wanted) for wanted in needed]
    asked: list[tuple[int, ...]] = []

    def shows(chosen: tuple[int, ...]) -> bool:
        asked.append(chosen)
        return any(wanted <= set(chosen) for wanted in needed)

    left = ddmin(range(count), shows)
    assert any(wanted <= set(left) for wanted in needed)
    assert list(left) == sorted(left)
    for at in range(len(left)):
        rest = left[:at] + left[at + 1 :]
        assert not any(wanted <= set(rest) for wanted in needed)
    assert len(asked) == len(set(asked))
    assert () not in asked
    assert len(asked) <= count**2 + 3 * count
    if len(needed) == 1:
        assert set(left) == needed[0]


@given(st.integers(1, 60), st.data())
def test_it_is_1_minimal_for_whatever_answers(count: int, data: st.DataObject) -> None:
    """Also where a larger set does not show what a smaller one does: an answer is drawn for each set."""
    answers = {tuple(range(count)): True}

    def shows(chosen: tuple[int, ...]) -> bool:
        return answers.setdefault(chosen, data.draw(st.integers(0, 9)) < 3)

    left = ddmin(range(count), shows)
    assert answers[left]
    assert not any(answers.get(left[:at] + left[at + 1 :]) is not False for at in range(len(left)) if len(left) > 1)


def test_one_of_many_is_halved_out() -> None:
    asked: list[int] = []

    def shows(chosen: tuple[int, ...]) -> bool:
        asked.append(len(chosen))
        return 777 in chosen

    assert ddmin(range(1024), shows) == (777,)
    assert len(asked) <= 20


def test_nothing_and_one_are_left_as_they_are() -> None:
    for items in ([], ["a"]):
        assert ddmin(items, lambda _: False) == tuple(items)
