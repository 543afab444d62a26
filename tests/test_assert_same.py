"""`assert_same`: what is the same passes, and the failure of what is not says where, why, and in which line."""

from __future__ import annotations

import inspect
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import THREE
from encoder_tui.engine import Encoder, InputError, attach, record, save
from encoder_tui.testing import assert_same
from hand_written import HandWritten, line_with
from own_process import run_forked

IDS = torch.tensor([[2, 7, 9, 3], [2, 8, 3, 0]])
MASK = (IDS != 0).long()
GELU = "up = functional.gelu(self.up(x), approximate=self.approximate)"


@pytest.fixture(scope="module")
def right(small_dir: Path) -> HandWritten:
    return HandWritten(small_dir)


@pytest.fixture(scope="module")
def wrong(small_dir: Path) -> HandWritten:
    return HandWritten(small_dir, "tanh")


@pytest.fixture(scope="module")
def dump(small: Encoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("dump") / "dump.safetensors"
    save(small.run(THREE), path)
    return path


def failure(*sides: Any, **given: Any) -> str:
    with pytest.raises(AssertionError) as caught:
        assert_same(*sides, **given)
    return str(caught.value)


def test_a_healthy_port_is_the_same_whatever_it_is_given(right: HandWritten, small_dir: Path, small: Encoder) -> None:
    assert_same(right, small_dir, texts=THREE)
    assert_same(right, small, texts="one")
    assert_same(right, small, inputs=(IDS, MASK))
    assert_same(right, str(small_dir), inputs={"input_ids": IDS, "attention_mask": MASK})
    assert_same((right, (IDS, MASK)), HandWritten(small_dir), inputs=(IDS, MASK))
    assert_same(right, right, texts=THREE, tokenizer=small_dir)


def test_what_was_computed_already_says_what_goes_in(right: HandWritten, small: Encoder, dump: Path) -> None:
    assert_same(dump, small)
    assert_same(small, dump)
    assert_same(right, dump)
    assert_same(attach(right, IDS, MASK), small.run_ids(IDS, MASK))
    assert_same(small.run(THREE), dump, tolerance=0)


def test_rounding_is_no_difference_unless_nothing_is_allowed(right: HandWritten, small_dir: Path) -> None:
    by_hand = HandWritten(small_dir)
    by_hand.get_parameter("layers.0.up.bias").data[3] += 1e-6
    assert_same(by_hand, right, inputs=(IDS, MASK))
    assert "it begins at layers.0.ffn.up" in failure(by_hand, right, inputs=(IDS, MASK), tolerance=0)


def test_the_failure_says_where_and_why(wrong: HandWritten, small_dir: Path) -> None:
    message = failure(wrong, small_dir, texts=THREE)
    number = line_with(GELU)
    first, line, *rest = message.split("\n\n")
    assert first == (
        f"HandWritten is not the same as {small_dir.name}: it begins at layers.0.ffn.activation (tests/hand_written.py:{number}); "
        "cause: ours computes gelu_pytorch_tanh, theirs gelu"
    )
    assert line == f"    tests/hand_written.py:{number}    {GELU}"
    assert "\n=>  layers.0.ffn.activation" in message
    assert rest[-2].splitlines()[:2] == [
        "cause      activation: ours computes gelu_pytorch_tanh, theirs gelu",
        f"at         layers.0.ffn.activation  (hand_written.py:{number}), and layers.1.ffn.activation",
    ]
    assert rest[-2].splitlines()[3:] == [
        'in ours    functional.gelu(x) in the place of functional.gelu(x, approximate="tanh")',
        'in theirs  config.json: "hidden_act": "gelu_pytorch_tanh"',
    ]


def test_against_a_recording_it_is_the_module_that_is_computed_otherwise(wrong: HandWritten, dump: Path) -> None:
    message = failure(wrong, dump)
    assert f"it begins at layers.0.ffn.activation (tests/hand_written.py:{line_with(GELU)})" in message.splitlines()[0]


def test_of_two_recordings_the_difference_is_told_without_a_cause(wrong: HandWritten, right: HandWritten) -> None:
    message = failure(record(wrong, IDS, MASK), record(right, IDS, MASK))
    assert message.startswith("HandWritten is not the same as HandWritten: it begins at layers.0.ffn.activation (tests")
    assert message.endswith(
        "no cause was looked for: a cause is found by computing one side otherwise, and both are recordings"
    )


def test_a_fault_of_the_diagnosis_hides_no_difference(
    wrong: HandWritten, small: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no such luck")

    monkeypatch.setattr("encoder_tui.engine.analysis.diagnose.diagnose", broken)
    assert failure(wrong, small, texts="one").endswith("no cause was looked for: no such luck")


def test_a_module_whose_dropout_draws_is_told_so(small_dir: Path, small: Encoder) -> None:
    drawing = HandWritten(small_dir)
    layer = drawing.get_submodule("layers.0")
    layer.o = torch.nn.Sequential(drawing.get_submodule("layers.0.o"), torch.nn.Dropout(0.5))
    assert_same(drawing.eval(), small, texts="one")
    assert "note       HandWritten is in training mode, and dropout draws" in failure(
        drawing.train(), small, texts="one"
    )


class Twice(torch.nn.Module):
    """No encoder: it has nothing that any stage of one is called."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 2


REFUSED: list[tuple[Callable[[Encoder], tuple[Any, Any]], dict[str, Any], str]] = [
    (lambda s: ([1, 2], s), {}, "TypeError: assert_same takes a torch.nn.Module, a pair (module, inputs), an Encoder, a run, a recording, or the path of a model, a recording or tensors, not a list"),
    (lambda s: (s, None), {}, "TypeError: assert_same takes a torch.nn.Module"),
    (lambda s: (s, s), {}, "InputError: nothing to run {small} on; give texts=..., or inputs=..."),
    (lambda s: (Twice(), Twice()), {}, "InputError: nothing to call Twice with; give texts=..., inputs=..., or a pair (module, inputs)"),
    (lambda s: (s, s), {"texts": "one", "inputs": IDS}, "InputError: texts and inputs are both given; give one of them"),
    (lambda s: (s.run("one"), s.run("one")), {"texts": "one"}, "InputError: both have been computed already, so there is nothing to do with texts or inputs"),
    (lambda s: (s, "/no/such/model"), {"texts": "one"}, "InputError: no model directory '/no/such/model'"),
    (lambda s: (s, __file__), {"texts": "one"}, "InputError: cannot read "),
    (lambda s: (s, s), {"inputs": {"input_ids": IDS, "labels": IDS}}, "InputError: inputs['labels'] is nothing that {small} takes; it takes input_ids, attention_mask, token_type_ids, position_ids"),
    (lambda s: (s, s), {"inputs": (IDS, MASK, MASK)}, "InputError: 3 inputs without names; {small} takes ids and a mask"),
    (lambda s: (s, s), {"texts": "one", "tolerance": -1}, "InputError: tolerance -1 is not a number of 0 or more; give for instance 1e-5"),
]  # fmt: skip


@pytest.mark.parametrize(("sides", "given", "said"), REFUSED)
def test_what_cannot_be_compared_is_said_in_a_line(
    small: Encoder, sides: Callable[[Encoder], tuple[Any, Any]], given: dict[str, Any], said: str
) -> None:
    with pytest.raises((TypeError, InputError)) as caught:
        assert_same(*sides(small), **given)
    told = f"{type(caught.value).__name__}: {caught.value}"
    assert told.startswith(said.format(small=small.name))
    assert "\n" not in told


class Ended(torch.nn.Module):
    """What is right, and something after it."""

    def __init__(self, whole: HandWritten, scale: float) -> None:
        super().__init__()
        self.whole, self.scale = whole, scale

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return self.whole(input_ids, attention_mask) * self.scale


def test_what_comes_out_is_the_same_too_whatever_it_is_called(right: HandWritten, small: Encoder) -> None:
    assert_same(Ended(right, 1.0), small, texts=THREE)
    message = failure(Ended(right, 1.25), small, texts=THREE)
    number = inspect.getsourcelines(Ended.forward)[1] + 1
    assert message == (
        f"Ended is not the same as {small.name}: its stages of the same names are the same, but what it gives back, mul "
        f"(tests/test_assert_same.py:{number}), is none of the reference's; the nearest differs by 0.25 of its largest value\n\n"
        f"    tests/test_assert_same.py:{number}    return self.whole(input_ids, attention_mask) * self.scale"
    )


class Pooled(torch.nn.Module):
    """What is right, and the mean of all its tokens, or of those that are no padding."""

    def __init__(self, whole: HandWritten, padding: bool) -> None:
        super().__init__()
        self.whole, self.padding = whole, padding

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        x, seen = self.whole(input_ids, attention_mask), attention_mask[..., None].float()
        return x.mean(1) if self.padding else (x * seen).sum(1) / seen.sum(1)


def test_of_a_result_under_another_name_the_cause_is_named_too(
    right: HandWritten, small_dir: Path, tmp_path: Path
) -> None:
    model = shutil.copytree(small_dir, tmp_path / "model")
    kinds = {"": "sentence_transformers.models.Transformer", "1_Pooling": "sentence_transformers.models.Pooling"}
    modules = [
        {"idx": at, "name": str(at), "path": path, "type": kind} for at, (path, kind) in enumerate(kinds.items())
    ]
    modules.append({"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"})
    (model / "modules.json").write_text(json.dumps(modules))
    (model / "1_Pooling").mkdir()
    (model / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_mean_tokens": True}))
    assert_same(Pooled(right, False), model, texts=THREE)
    message = failure(Pooled(right, True), model, texts=THREE)
    assert "is none of the reference's; the nearest differs by" in message.splitlines()[0]
    assert "cause: ours takes the mean over tokens with padding among them" in message.splitlines()[0]
    assert "\ncause      pooling counts padding: " in message


TESTS = """
import sys
from pathlib import Path
sys.path.insert(0, {beside!r})
from hand_written import HandWritten
from encoder_tui.testing import assert_same
MODEL = Path({model!r})

def test_right():
    assert_same(HandWritten(MODEL), MODEL, texts="one")

def test_wrong():
    assert_same(HandWritten(MODEL, "tanh"), MODEL, texts="one")
"""


def test_in_pytest_the_failure_is_the_report(small_dir: Path, tmp_path: Path) -> None:
    """With no frame of ours in it, in a pytest that knows nothing of it."""
    file = tmp_path / "test_port.py"
    file.write_text(TESTS.format(beside=str(Path(__file__).parent), model=str(small_dir)))
    arguments = ["-p", "no:cacheprovider", f"--rootdir={tmp_path}", str(file)]
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    script = "import sys, pytest; sys.exit(pytest.main(sys.argv[1:]))"
    done = run_forked(arguments, script=script, environment=environment)
    assert done.returncode == 1
    assert "1 failed, 1 passed" in done.stdout
    assert "assertion.py" not in done.stdout
    assert "\nE       AssertionError: HandWritten is not the same as " in done.stdout
    assert "\nE       cause      activation: ours computes gelu_pytorch_tanh, theirs gelu\n" in done.stdout
    assert done.stdout.count("\n>  ") == 1


def test_nothing_of_it_is_registered_and_it_imports_nothing_heavy() -> None:
    assert not [point for point in entry_points(group="pytest11") if "encoder" in point.value]
    script = "import sys, encoder_tui.testing; print({'torch', 'pytest', 'textual'} & {*sys.modules})"
    assert (
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "set()\n"
    )
