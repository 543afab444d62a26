"""Names that are told from the data flow, on transformers' own classes: each is right, and the README says how many there are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from family_kit import Sample, samples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from roles_kit import HEAD, measured

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
SAMPLES = samples()
EXAMPLES = settings(
    max_examples=max(1, settings.default.max_examples // 20), deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)  # fmt: skip


def rows() -> dict[str, tuple[str, ...]]:
    """The README's table: family -> what it says of it."""
    table = re.search(r"<!-- roles: .*? -->\n(.*?)\n<!-- end of roles -->", README, re.DOTALL)
    assert table
    lines = [tuple(cell.strip() for cell in line.strip("| ").split(" | ")) for line in table[1].splitlines()]
    assert lines[0] == HEAD
    return {line[0]: line[1:] for line in lines[2:]}


def test_the_table_has_every_family() -> None:
    table = rows()
    assert list(table) == [sample.family for sample in SAMPLES]
    assert len({cells[0] for cells in table.values()}) > 20
    assert {cells[4] for cells in table.values()} == {"1.00"}


@pytest.mark.few(4)
@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_every_name_is_right(sample: Sample) -> None:
    names = measured(sample)
    assert names.wrong == ()
    assert names.cells == rows()[sample.family], "run python tests/benchmarks/roles.py and paste it"


@pytest.mark.sweep
@pytest.mark.parametrize("sample", SAMPLES, ids=str)
@EXAMPLES
@given(data=st.data())
def test_every_name_is_right_in_any_config(sample: Sample, data: Any) -> None:
    """One head, one layer, one token, one text, any activation: what cannot be told has no name."""
    options = data.draw(sample.options)
    lengths = data.draw(
        st.sampled_from(
            [(6 + sample.shortest,), (sample.shortest,), (4, 1) if sample.shortest == 1 else (sample.longest,) * 2]
        )
    )
    assert measured(sample, lengths, data.draw(st.integers(0, 99)), **options).wrong == ()
