"""What benchmarks make of what they measured: exponents, histories, tables. No clock is asked here."""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from benchmarks.figures import EXPONENT, Figure, parted, table
from benchmarks.fitting import fitted
from benchmarks.history import Line, add, read, worse
from benchmarks.measuring import Worker, apart, in_turns, milliseconds, ratio

BENCHMARKS = Path(__file__).parent / "benchmarks"
LINE = Line("2026-11-28", "abc1234", "x86_64, 2 cores", "2.13.0", False, {"a": 1.0, "b": 2.0}, {"theirs": 3.0})


def now(a: float, **other: str) -> Line:
    return dataclasses.replace(LINE, date="2026-11-29", figures={"a": a, "c": 9.0}, **other)


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0, 2.0])
def test_a_power_law_is_found(exponent: float):
    growth = fitted({n: 3.0 * n**exponent for n in (16, 64, 256)})
    assert growth.exponent == pytest.approx(exponent)
    assert growth.determination == pytest.approx(1.0)
    assert (growth.least, growth.most) == (16, 256)


def test_a_fit_is_the_least_squares_of_the_logarithms():
    """By hand: log2 t is 0, 2, 2 over log2 n of 0, 1, 2, so the slope is 1, and of the variance 8/3 the line explains 2."""
    growth = fitted({1: 1.0, 2: 4.0, 4: 4.0})
    assert growth.exponent == pytest.approx(1.0)
    assert growth.determination == pytest.approx(0.75)
    assert str(growth) == "1.00 from 1 to 4, R² 0.750"


@pytest.mark.parametrize("times", [{}, {2.0: 1.0}, {1.0: 0.0, 2.0: 1.0}, {0.0: 1.0, 2.0: 1.0}])
def test_no_exponent_of_too_little(times: dict[float, float]):
    with pytest.raises(ValueError, match="two positive sizes"):
        fitted(times)


def test_a_tenth_worse_than_the_best_line_is_said_by_name():
    better = dataclasses.replace(LINE, commit="best", figures={"a": 0.9})
    assert not worse(now(0.98), [LINE, better, LINE])  # beside the best, 0.9
    (said,) = worse(now(1.01), [LINE, better, LINE])
    assert said.line is better
    assert str(said) == "a: 1.01x is 12% worse than the best line, 0.90x (2026-11-28 best)"


def test_the_worst_is_said_first():
    line = dataclasses.replace(LINE, figures={"a": 1.2, "b": 4.0})
    assert [one.name for one in worse(line, [LINE])] == ["b", "a"]


def test_only_runs_on_such_a_machine_with_as_many_repetitions_count():
    assert worse(now(2.0), [LINE])
    assert not worse(now(2.0, machine="aarch64, 2 cores"), [LINE])
    assert not worse(dataclasses.replace(now(2.0), quick=True), [LINE])
    assert not worse(now(2.0), [])


def test_a_history_gains_a_line_a_run(tmp_path: Path):
    path = tmp_path / "history.jsonl"
    assert read(path) == []
    add(path, LINE)
    add(path, now(1.5))
    assert read(path) == [LINE, now(1.5)]
    assert len(path.read_text().splitlines()) == 2


@pytest.mark.parametrize("text", ["no json", "[]", "{}", '{"date": 1}'])
def test_a_damaged_history_is_refused_by_its_line(tmp_path: Path, text: str):
    path = tmp_path / "history.jsonl"
    add(path, LINE)
    path.write_text(path.read_text() + text + "\n")
    with pytest.raises(ValueError, match="line 2: not a run of benchmarks"):
        read(path)


def test_the_history_that_is_kept_can_be_read():
    assert all(line.figures or line.others for line in read(BENCHMARKS / "history.jsonl"))


def test_a_table_has_a_row_for_each_thing_and_a_column_for_each_size():
    figures = [
        Figure("engine", "16 tokens", 1.034, note="7.1 ms against 6.9"),
        Figure("engine", "128 tokens", 0.5),
        Figure("hooks", "128 tokens", 2.0, held=False),
        Figure("engine", "tensors", 1234.0, "tensors"),
        Figure("engine", "exponent", 1.5, EXPONENT),
        Figure("hooks", "tensors", math.nan, "tensors", "not asked"),
    ]
    assert table("what", figures).splitlines() == [
        "| what | 16 tokens | 128 tokens | tensors | exponent |",
        "| --- | --- | --- | --- | --- |",
        "| engine | 1.03x (7.1 ms against 6.9) | 0.50x | 1,234 tensors | 1.50 |",
        "| hooks |  | 2.00x | - (not asked) |  |",
    ]
    assert table("what", [Figure("one", "", 1.0)]).splitlines()[0] == "| what | figure |"


def test_ratios_of_ours_alone_are_judged():
    assert Figure("a", "b", 1.0).judged
    assert not Figure("a", "b", 1.0, held=False).judged
    assert not Figure("a", "b", 1.0, EXPONENT).judged
    assert not Figure("a", "b", math.nan).judged


def test_what_a_section_says_is_figures_and_remarks():
    figure = Figure("a", "b", 1.0)
    assert parted(["absent", figure, "with"]) == ([figure], ["absent", "with"])


def test_ways_take_turns_there_and_back():
    order: list[str] = []

    def way(name: str, seconds: float):
        def take() -> float:
            order.append(name)
            return seconds

        return take

    times = in_turns({"a": way("a", 3.0), "b": way("b", 2.0)}, repetitions=2, warm=1)
    assert "".join(order) == "abbaab"
    assert times == {"a": [3.0, 3.0], "b": [2.0, 2.0]}
    assert ratio(times, "a", "b") == 1.5
    assert milliseconds(times, "b") == 2000


def test_a_ratio_is_the_median_of_pairs_and_not_the_ratio_of_medians():
    assert ratio({"a": [1.0, 4.0, 9.0], "b": [1.0, 2.0, 9.0]}, "a", "b") == 1.0


def test_both_clocks_are_taken_apart():
    assert apart({"a": [(1.0, 2.0), (3.0, 4.0)]}) == {
        "of the processor": {"a": [1.0, 3.0]},
        "by the clock": {"a": [2.0, 4.0]},
    }


def test_a_worker_answers_and_says_what_went_wrong(tmp_path: Path):
    script = tmp_path / "worker.py"
    script.write_text(
        f"import sys; sys.path.insert(0, {str(BENCHMARKS)!r})\n"
        "from measuring import answer\n"
        "print('imported')\n"
        "def no(): raise ValueError('not so\\nmore')\n"
        "answer({'add': lambda a, b: a + b, 'no': no, 'end': lambda: sys.exit(3), 'say': lambda: print('noise')})\n"
    )
    with Worker(str(script)) as worker:
        with pytest.raises(RuntimeError, match=r"ValueError: not so$"):
            worker.ask("no")
        assert worker.ask("say") is None
        assert worker.ask("add", 1, 2) == 3
        with pytest.raises(RuntimeError, match="its process ended with status 3"):
            worker.ask("end")
        with pytest.raises(RuntimeError, match="its process ended"):
            worker.ask("add", 1, 2)


@pytest.fixture
def beside_each_other(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Benchmarks import each other by name, as they do when they are run; afterwards those names are free again."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield
    for name, module in list(sys.modules.items()):
        if BENCHMARKS in Path(getattr(module, "__file__", None) or "").parents:
            del sys.modules[name]


@pytest.mark.usefixtures("beside_each_other")
def test_every_section_has_a_title_and_rows():
    benchmarks = import_module("benchmarks.all")
    for module in benchmarks.SECTIONS.values():
        section = import_module(module)
        assert Path(section.__file__ or "").parent == BENCHMARKS
        assert section.TITLE, module
        assert callable(section.rows), module


@pytest.mark.usefixtures("beside_each_other")
def test_a_run_prints_remembers_and_compares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Also where a section fails, which ends with status 1."""
    everything = import_module("all")
    own, path = tmp_path / "sections", tmp_path / "history.jsonl"
    own.mkdir()
    (own / "fine.py").write_text(
        "from figures import Figure\nTITLE = 'a / b'\nvalue = 1.0\n"
        "def rows(quick):\n    yield Figure('speed', 'quick' if quick else 'slow', value)\n    yield 'c is absent'\n"
    )
    (own / "wrong.py").write_text("raise OSError('no such thing')\n")
    monkeypatch.syspath_prepend(str(own))
    monkeypatch.setattr(everything, "SECTIONS", {"one": "fine", "two": "wrong"})
    (own / "whole.py").write_text("def table():\n    return '| all | equal |'\n")
    monkeypatch.setattr(everything, "TABLES", {"three": "whole"})
    monkeypatch.setattr(everything, "set_threads", lambda: None)  # the other tests' are left as they are
    assert everything.main(["one", "--quick", "--history", str(path)]) == 0
    assert "| speed | 1.00x |\n\nc is absent\n" in capsys.readouterr().out
    monkeypatch.setattr(sys.modules["fine"], "value", 1.2)
    assert everything.main(["--quick", "--history", str(path)]) == 1
    said = capsys.readouterr().out
    assert "two: OSError: no such thing" in said
    assert "one: speed, quick: 1.20x is 20% worse than the best line, 1.00x" in said
    assert [line.figures for line in read(path)] == [{"one: speed, quick": 1.0}, {"one: speed, quick": 1.2}]
    path.write_text("damaged\n")
    assert everything.main(["one", "--history", str(path)]) == 2
    assert "line 1: not a run" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        everything.main(["four"])
    capsys.readouterr()
    assert everything.main(["three", "--history", str(tmp_path / "none.jsonl")]) == 0  # nothing to remember
    assert capsys.readouterr().out == "| all | equal |\n\n"
    assert not (tmp_path / "none.jsonl").exists()


@pytest.mark.usefixtures("beside_each_other")
def test_a_tensor_that_has_several_names_is_exposed_once():
    exposed: Callable[[Any], int] = import_module("ways").exposed
    given = torch.zeros(2, 3)
    assert exposed([("a", given), ("b", given), ("c", {"d": (given.T, [given[0], None])}), ("e", "text")]) == 3


@pytest.mark.usefixtures("beside_each_other")
def test_the_floor_has_the_products_of_a_passage_and_no_others(tmp_path: Path):
    """As torch counts them: so many multiply-adds has transformers' model."""
    from torch.utils.flop_counter import FlopCounterMode

    floor, passage = import_module("floor"), import_module("passage")
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 40}
    model = passage.opened(passage.saved(tmp_path, vocab_size=50, **sizes))
    counted: list[int] = []
    for work in (floor.products(model, 7), passage.theirs(model, passage.ids_of(7, words=50))):
        counter = FlopCounterMode(display=False)
        with counter:
            work()
        counted.append(counter.get_total_flops())
    assert counted[0] == counted[1] > 0
