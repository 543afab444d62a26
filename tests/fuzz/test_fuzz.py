"""Some of every fuzz, what once failed, and that a fuzz can fail at all. The many: `python -m tests fuzz --n 10000`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from encoder_tui.engine.commands import TABLE

from . import lines, rounds, values
from .judge import BYTES, SECONDS, Outcome, judge
from .rounds import KINDS, kept
from .worker import Keeper

CASES, MORE = 10, 60  # of each kind, with every run of the tests, and with `python -m tests all`


@pytest.fixture(scope="module", params=KINDS)
def keeper(request: pytest.FixtureRequest) -> Iterator[Keeper]:
    made = Keeper(request.param)
    yield made
    made.close()


@pytest.mark.few(1)
def test_what_once_failed_does_not(keeper: Keeper):
    recipes = kept(keeper.kind)
    assert recipes
    wrong = {path.name: keeper.run({"recipe": json.loads(path.read_text())})[1] for path in recipes}
    assert {name: said for name, said in wrong.items() if said} == {}


@pytest.mark.parametrize(
    "numbers", [range(CASES), pytest.param(range(CASES, MORE), marks=pytest.mark.sweep)], ids=["some", "more"]
)
def test_some_of_each_kind(keeper: Keeper, numbers: range):
    for number in numbers:
        recipe, wrong = keeper.run({"seed": "tests", "number": number})
        assert not wrong, (
            f"python -m tests fuzz {keeper.kind} --seed tests --only {number}: {wrong}\n{json.dumps(recipe)}"
        )


def test_a_seed_gives_the_same_case_again():
    first, again = ([json.dumps(lines.draw(Random(f"0:{number}"))) for number in range(50)] for _ in range(2))
    assert first == again
    assert len({*first}) == 50  # and no other seed the same


def test_the_process_is_judged_and_started_again_when_it_dies():
    keeper = Keeper("stub")
    assert keeper.run({"seed": "tests", "number": 0}) == ({"do": "nothing"}, [])
    assert keeper.run({"recipe": {"do": "refused"}})[1] == []
    assert keeper.run({"recipe": {"do": "exit"}})[1] == ["ends the process with 3"]
    assert keeper.run({"recipe": {"do": "write"}})[1][0].startswith(".a.npz.1.part is left over")
    assert keeper.run({"recipe": {"do": "nothing"}})[1] == []
    assert keeper.started == 2
    keeper.close()


GOOD: dict[str, Any] = {"status": 0, "out": "at the end\n", "err": "a note\n"}


@pytest.mark.parametrize(
    ("seen", "says"),
    [
        ({"status": None, "raised": "KeyError: 1"}, "raised KeyError"),
        ({"status": 1, "err": "encoder-tui: a fault of ours: x\n"}, "status 1"),
        ({"status": 2, "err": "encoder-tui: one\ntwo\n"}, "lines of error"),
        ({"status": 2, "err": ""}, "0 lines of error"),
        ({"status": 2, "err": f"encoder-tui: {'x' * 9999}\n"}, "letters"),
        ({"out": "a\x1b[2J"}, "raw"),
        ({"err": "a\u202eb"}, "raw"),
        ({"out": f"a name\n{values.MARK} broken"}, "line end"),
        ({"err": "thread panicked at x"}, "panicked"),
        ({"seconds": SECONDS + 1}, "took 6.0 s"),
        ({"memory": BYTES + 1}, "GiB"),
    ],
)
def test_the_judge_finds_it(seen: dict[str, Any], says: str):
    assert judge(Outcome(**GOOD)) == []
    assert says in "; ".join(judge(Outcome(**GOOD | seen)))


def test_the_judge_finds_halves_of_files(tmp_path: Path):
    (tmp_path / ".a.npz.1.part").write_bytes(b"x")
    (tmp_path / "b.safetensors").write_bytes(b"x")
    assert len(judge(Outcome(**GOOD, folder=tmp_path))) == 2


def test_the_grammar_knows_what_every_command_takes():
    for command in TABLE:
        capitals = {*re.findall(r"\b[A-Z]+\b", command.usage)}
        assert capitals <= {*lines.PLACEHOLDERS}, command.usage
        usage = command.usage.removeprefix(command.name).strip()
        drawn = {lines.written(usage, Random(number)) for number in range(40)}
        assert len(drawn) > 1 or not usage, command.usage


def test_many_are_counted_and_those_that_fail_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    class Failing:
        def __init__(self, kind: str):
            self.started = 1

        def run(self, order: dict[str, Any]):
            return {"number": order["number"]}, ["no"] if order["number"] == 1 else []

        def close(self):
            pass

    monkeypatch.setattr(rounds, "Keeper", Failing)
    monkeypatch.setattr(rounds, "FINDS", tmp_path)
    assert rounds.rounds("lines", ["--n", "3", "--seed", "s"]) == 1
    said = capsys.readouterr().out
    assert "lines --seed s --only 1: no" in said
    assert re.search(r"lines: 3 cases in \d+ s, 1 failed, 1 processes", said)
    assert [json.loads(path.read_text()) for path in tmp_path.iterdir()] == [{"number": 1}]
    assert rounds.rounds("lines", ["--n", "3", "--only", "2"]) == 0


def test_json_is_changed_by_its_structure():
    whole = json.dumps({"a": [1, {"b": None}], "c": "x"})
    after: set[str] = set()
    for number in range(500):
        step = json.dumps(values.change(json.loads(whole), Random(number), ["more"]))
        once, twice = (values.dumps(values.changed(json.loads(whole), [json.loads(step)] * times)) for times in (1, 2))
        assert json.dumps(json.loads(step)) == step  # it can be kept as it is
        after |= {once, twice}
    assert len(after) > 300
