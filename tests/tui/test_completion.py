"""What Tab makes of a line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.program.program import Program
from encoder_tui.engine.program.source_lines import OURS
from encoder_tui.engine.program.stage import Stage
from encoder_tui.tui.state.completion import Completion, complete
from fakes import fake_trace
from hypothesis import given
from hypothesis import strategies as st

PROGRAM = fake_trace().program
NAMES = [stage.name for stage in PROGRAM]


@pytest.mark.parametrize(
    ("line", "longer", "choices"),
    [
        ("break my", "break my_model.py:", ()),
        ("break my_model.py:", "break my_model.py:", ("7", "42", "43")),
        ("break my_model.py:4", "break my_model.py:4", ("42", "43")),
        ("print src/my_model.py:7", "print src/my_model.py:7", ()),
        ("print max(my_model.py:43", "print max(my_model.py:43", ()),
        ("goto my_model.py:5", "goto my_model.py:5", ()),
        ("info other.py:", "info other.py:", ()),
    ],
)
def test_lines_of_the_authors_file(line: str, longer: str, choices: tuple[str, ...]) -> None:
    sources = ["/home/me/src/my_model.py:42", "/home/me/src/my_model.py:7", "/home/me/src/my_model.py:43"]
    stages = [
        replace(stage, source=source) for stage, source in zip(PROGRAM, [*sources, f"{OURS}bert.py:5"], strict=False)
    ]
    assert complete(line, TABLE, Program(stages)) == Completion(longer, choices)


@pytest.mark.parametrize(
    ("line", "longer", "choices"),
    [
        ("reverse-s", "reverse-step ", ()),
        ("reverse-", "reverse-", ("reverse-step", "reverse-next", "reverse-finish", "reverse-continue")),
        ("break l", "break layers.", ("0.", "1.")),
        ("break layers.0.", "break layers.0.", ("attention.", "ffn.", "output")),
        ("break layers.0.f", "break layers.0.ffn.", ("activation", "down", "norm", "residual", "up")),
        ("print layers.1.attention.sco", "print layers.1.attention.scores", ()),
        ("view h", "view hea", ("heat", "heads")),
        ("view n", "view numbers", ()),
        ("info mo", "info model", ()),
        ("info mask", "info mask.additive", ()),
        ("help reverse-st", "help reverse-step", ()),
        ("nonsense x", "nonsense x", ()),
        ("break nosuch", "break nosuch", ()),
    ],
)
def test_lines(line: str, longer: str, choices: tuple[str, ...]) -> None:
    assert complete(line, TABLE, PROGRAM) == Completion(longer, choices)


@pytest.mark.parametrize(
    ("line", "longer", "choices"),
    [
        ("look layers.0.ffn.up@", "look layers.0.ffn.up@", ("W", "difference", "reference")),
        ("print layers.0.ffn.up@d", "print layers.0.ffn.up@difference", ()),
        ("break if abs(layers.0.ffn.up@r", "break if abs(layers.0.ffn.up@r", ()),  # conditions take no addresses
        ("look layers.0.ffn.up@x", "look layers.0.ffn.up@x", ()),
        ("look nosuch@", "look nosuch@", ()),
    ],
)
def test_what_is_beside_a_stage(line: str, longer: str, choices: tuple[str, ...]) -> None:
    def beside(stage: Stage) -> tuple[str, ...]:
        return (*stage.symbols, "reference", "difference")

    assert complete(line, TABLE, PROGRAM, beside) == Completion(longer, choices)


def test_layers_are_offered_in_the_order_of_their_numbers() -> None:
    from encoder_tui.engine.program.program import Program
    from fakes import Does

    program = Program([Stage(f"layers.{layer}.x", Does("x")) for layer in range(12)])
    assert complete("break layers.", TABLE, program).choices == tuple(f"{layer}." for layer in range(12))


def test_stages_before_there_is_a_program() -> None:
    assert complete("break l", TABLE, None) == Completion("break l")


def test_paths(tmp_path: Path) -> None:
    (tmp_path / "one.npz").touch()
    (tmp_path / "other").mkdir()
    (tmp_path / ".hidden").touch()
    assert complete(f"export {tmp_path}/o", TABLE, None) == Completion(f"export {tmp_path}/o", ("one.npz", "other/"))
    assert complete(f"export {tmp_path}/on", TABLE, None).line == f"export {tmp_path}/one.npz"
    assert complete(f"export {tmp_path}/ot", TABLE, None).line == f"export {tmp_path}/other/"
    assert complete(f"export {tmp_path}/.h", TABLE, None).line == f"export {tmp_path}/.hidden"
    assert complete(f"export {tmp_path}/nowhere/x", TABLE, None) == Completion(f"export {tmp_path}/nowhere/x")


@given(st.sampled_from(NAMES), st.integers(0, 60))
def test_any_beginning_of_a_stage_leads_to_it_by_its_choices(name: str, length: int) -> None:
    line = "print " + name[:length]
    for _ in range(20):
        found = complete(line, TABLE, PROGRAM)
        assert found.line.startswith(line)
        assert ("print " + name).startswith(found.line)
        if found.line == "print " + name:
            return
        written = found.line.removeprefix("print ")
        start = written.rfind(".") + 1
        piece = next(
            choice for choice in found.choices if name[start:].startswith(choice) and choice != written[start:]
        )
        line = "print " + written[:start] + piece
    raise AssertionError(f"never came to {name}")


@given(st.text(max_size=40))
def test_nothing_that_is_typed_is_lost(line: str) -> None:
    assert complete(line, TABLE, PROGRAM).line.startswith(line)
