"""What operations say of themselves holds: no class without a card, no bound exceeded, no number moved that was not there."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from encoder_tui.engine import Encoder, load, open_snapshot, save
from encoder_tui.engine.analysis.compare.rounding import kept_in
from encoder_tui.engine.analysis.cost import costs
from encoder_tui.engine.ops import (
    Activation,
    AddBias,
    AddMask,
    AddToEach,
    Beside,
    Concat,
    ContentToPosition,
    Context,
    Convolution,
    DivideByRoot,
    Dropout,
    DropoutMask,
    FillMasked,
    FirstSeen,
    FirstToken,
    Gate,
    Given,
    LastSeen,
    Linear,
    MaxPool,
    Multiply,
    OneHot,
    Op,
    Part,
    Pick,
    PositionToContent,
    RelativeScores,
    RMSNorm,
    Rotate,
    Scale,
    ScaleQuery,
    Scores,
    Softmax,
    SplitHeads,
    Sum,
    TokenFirstActivation,
    TokenFirstLinear,
    no_memory,
)  # fmt: skip
from encoder_tui.engine.ops.base import OPERATIONS
from encoder_tui.engine.ops.patches import Average, EndToken, Prepend, TokenAt
from encoder_tui.engine.ops.torch_operation import Placeholder, TorchMove, TorchStep
from encoder_tui.engine.ops.word_losses import PickIds, WordBias
from encoder_tui.engine.program.kinds import UNKNOWN, Card
from encoder_tui.engine.program.program import Program
from encoder_tui.engine.program.stage import Stage
from encoder_tui.engine.program.trace import Trace
from encoder_tui.engine.program.value import ShapeAlone
from encoder_tui.engine.program.weight import axes_of_weight
from encoder_tui.engine.traces.ranges.extents import ends
from hypothesis import given, settings
from hypothesis import strategies as some
from hypothesis import strategies as st
from word_models import TEXTS, save_words

# An operation -> shapes of its inputs and its weights. A number in place of a shape is what whole numbers stay below.
HEADS, SQUARE = (2, 3, 4, 6), (2, 3, 4, 4)
TURNED = TorchMove((TorchStep("aten.transpose.int", (Placeholder(0), 1, 2)),), (2, 6, 4), "float32")
Shapes = list[tuple[int, ...] | int]
EXAMPLES: dict[Op, tuple[Shapes, list[tuple[int, ...]]]] = {
    TURNED: ([(2, 4, 6)], []), Activation("gelu"): ([(2, 4, 6)], []), AddBias(): ([SQUARE, (3, 4, 4)], []), AddMask(): ([SQUARE, (2, 1, 1, 4)], []),
    AddToEach(): ([(2, 4, 6)], [(6,)]), Average(): ([(2, 6), (2, 6)], []), Beside(): ([(2, 6), (2, 3)], []),
    Concat(): ([HEADS], []), ContentToPosition(6): ([(2, 3, 4, 8), 8], []), Context(): ([SQUARE, HEADS], []),
    DivideByRoot(6): ([SQUARE], []), Dropout(): ([(2, 4, 6), (2, 4, 6)], []), DropoutMask(0.25, 3): ([(2, 4, 6)], []),
    EndToken(1): ([(2, 4, 6), 2], []), FillMasked(): ([(4, 3, 4, 4), 2], []), FirstSeen(): ([(4, 4, 6), 2], []),
    FirstToken(): ([(2, 4, 6)], []), Gate(): ([(2, 6), (2, 6)], []), LastSeen(): ([(4, 4, 6), 2], []),
    Linear(): ([(2, 4, 6)], [(5, 6), (5,)]), MaxPool(): ([(4, 4, 6), 2], []), Multiply(-3.0, "-3"): ([(2, 6)], []),
    OneHot(8): ([8], []), Part(1, 3): ([(2, 4, 6)], []), Pick(1): ([(2, 4, 6)], []), PickIds(): ([(4, 4, 6), 6], []),
    PositionToContent(6): ([(2, 3, 4, 8), 8], []), Prepend(): ([(2, 6), (2, 6, 2, 2)], []),
    RelativeScores(): ([HEADS, (1, 3, 8, 6)], []), Rotate(): ([HEADS, (2, 4, 6), (2, 4, 6)], []), Scale(6): ([SQUARE], []),
    ScaleQuery(6): ([(2, 4, 6)], []), Scores(): ([HEADS, HEADS], []), Softmax(): ([SQUARE], []), SplitHeads(3): ([(2, 4, 6)], []),
    Sum(): ([(2, 6), (2, 6), (2, 6)], []), TokenAt(1): ([(2, 4, 6)], []), TokenFirstActivation("tanh"): ([(2, 4, 6)], []),
    TokenFirstLinear(): ([(2, 4, 6)], [(5, 6), (5,)]), WordBias(): ([(2, 4, 6)], [(6,)]),
    AddToEach(heads=3): ([HEADS], [(18,)]), DivideByRoot(6, single=True): ([HEADS], []),
    RelativeScores(broadcast=True): ([HEADS, (1, 3, 8, 6)], []),
}  # fmt: skip
ODD = (math.nan, math.inf, -math.inf, 3e38, -3e38, 1e31, 1e13, -5.0, 0.0)
LONGER: dict[type[Op], tuple[int, int]] = {
    EndToken: (2, 4),
    OneHot: (2, 4),
}  # whole numbers of other shapes than (4, 4)


@dataclass
class Known:
    """Sizes as they are: each the size of a tensor at hand."""

    tensors: list[torch.Tensor]
    matrices: list[torch.Tensor]
    dtype: torch.dtype = torch.float32

    def most(self, place: int) -> float:
        return self.tensors[place].double().abs().max().item()

    def most_of_all(self) -> float:
        return torch.tensor([self.most(place) for place in range(self.inputs)]).max().item()

    def least(self, place: int) -> float:
        return ends(self.tensors[place])[0]

    def highest(self, place: int) -> float:
        return ends(self.tensors[place])[1]

    def weight_most(self, place: int) -> float:
        return self.matrices[place].abs().max().item()

    def weight_reach(self, place: int) -> float:
        return self.matrices[place].abs().sum(-1).max().item()

    @property
    def inputs(self) -> int:
        return len(self.tensors)

    @property
    def weights(self) -> int:
        return len(self.matrices)

    @property
    def terms(self) -> int:
        return self.tensors[0].shape[-1]


def operations() -> list[type[Op]]:
    """Every operation that a program or a recording may have, each class once; what only tries a cause is none."""
    waiting: list[type[Op]] = [Op]
    every: dict[str, type[Op]] = {}
    while waiting:
        for kind in waiting.pop().__subclasses__():
            waiting.append(kind)
            if kind.__module__.startswith("encoder_tui.engine.ops.") and "card" in kind.__dict__:
                every[kind.__name__] = kind
    return list(every.values())


def drawn(data: st.DataObject, op: Op) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Inputs and weights of an operation, a few of the numbers such as break things."""
    draw = torch.Generator().manual_seed(data.draw(some.integers(0, 999), label="seed"))
    shapes = EXAMPLES[op]
    tensors: list[torch.Tensor] = []
    for shape in (*shapes[0], *shapes[1]):
        if isinstance(shape, int):
            size = LONGER.get(type(op), (4, 4))
            whole = torch.randint(shape, size, generator=draw)
            tensors.append(whole if data.draw(some.booleans(), label="mixed") else torch.ones_like(whole))
            continue
        tensor = torch.randn(shape, generator=draw) * data.draw(some.sampled_from([1e-3, 1.0, 1e19]), label="scale")
        for number in data.draw(some.lists(some.sampled_from(ODD), max_size=2), label="odd numbers"):
            tensor.view(-1)[data.draw(some.integers(0, tensor.numel() - 1), label="where")] = number
        tensors.append(tensor)
    return tensors[: len(shapes[0])], tensors[len(shapes[0]) :]


def test_a_class_without_a_card_cannot_be_made() -> None:
    with pytest.raises(TypeError, match="Bare has no card; give it one"):
        type("Bare", (Op,), {})

    with pytest.raises(TypeError, match="Inherited has no card"):
        type("Inherited", (Linear,), {})


def test_nor_can_one_that_explains_nothing() -> None:
    with pytest.raises(
        TypeError, match=r"Silent explains no element of its result; .* explain = staticmethod\(unexplained\)"
    ):
        type("Silent", (Op,), {"card": Card()})
    assert "Silent" not in OPERATIONS


def test_an_operation_has_its_name_alone() -> None:
    with pytest.raises(TypeError, match=r"another operation called Linear, in encoder_tui\.engine\.ops\.linear, and"):
        type("Linear", (Op,), {"card": Linear.card, "explain": staticmethod(Linear.explain)})
    assert OPERATIONS["Linear"] is Linear


def test_every_operation_is_known_by_its_name() -> None:
    ours = {name: kind.card for name, kind in OPERATIONS.items() if kind.__module__.startswith("encoder_tui.")}
    assert {kind.__name__: kind.card for kind in operations()} == ours
    assert len(ours) > 70


def test_a_stage_of_an_unknown_kind_is_taken_the_careful_way() -> None:
    class Foreign:
        def write(self, *operands: str) -> str:
            return "?"

    assert Stage("x", Foreign()).card is UNKNOWN
    assert not any(getattr(UNKNOWN, field) for field in UNKNOWN.__slots__)


def test_every_rule_is_tried() -> None:
    """A new operation that bounds its result, or moves numbers, wants its line among the examples."""
    ruled = {kind.__name__ for kind in operations() if kind.card.moves or kind.bound is not Op.bound}
    assert ruled == {type(op).__name__ for op in EXAMPLES}


@pytest.mark.few(20)
@pytest.mark.parametrize("op", EXAMPLES, ids=lambda op: type(op).__name__)
@settings(deadline=None, derandomize=True)
@given(data=some.data())
def test_no_bound_is_exceeded(op: Op, data: some.DataObject) -> None:
    """Nor does one hide what is not finite."""
    inputs, weights = drawn(data, op)
    bound = op.bound(Known(inputs, weights))
    if bound <= torch.finfo(torch.float32).max:  # as `Extents` asks it
        assert op.compute(inputs, weights, no_memory).abs().max() <= bound


@pytest.mark.parametrize("op", [op for op in EXAMPLES if op.card.moves], ids=lambda op: type(op).__name__)
def test_what_moves_is_bounded_where_its_input_is(op: Op) -> None:
    inputs = [
        torch.ones(LONGER.get(type(op), (4, 4)), dtype=torch.int64) if isinstance(shape, int) else torch.randn(shape)
        for shape in EXAMPLES[op][0]
    ]
    assert op.bound(Known(inputs, [])) == Known([x for x in inputs if x.is_floating_point()], []).most_of_all()
    numbers = {float(number) for x in inputs for number in x.flatten()}
    assert {float(number) for number in op.compute(inputs, [], no_memory).flatten()} <= numbers


@pytest.mark.parametrize("op", [op for op in EXAMPLES if op.card.keeps_order], ids=lambda op: type(op).__name__)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_the_ends_of_what_keeps_the_order_are_those_of_its_input(op: Op, dtype: torch.dtype) -> None:
    x = torch.randn(EXAMPLES[op][0][0]).to(dtype)
    two = torch.tensor(ends(x), dtype=dtype)
    ours = two if op.card.moves else op.compute([two], [], no_memory)
    assert (float(ours[0]), float(ours[1])) == ends(op.compute([x], [], no_memory))


def test_cards_need_no_torch() -> None:
    """All of them, of one import: a recording asks for no more."""
    script = (
        "import sys; from encoder_tui.engine.ops.base import OPERATIONS\nprint(len(OPERATIONS), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(len(operations())), "False"]


def test_a_recording_knows_the_cards_of_its_run(small: Encoder, tmp_path: Path) -> None:
    run = small.run("one two")
    save(run, tmp_path / "run.safetensors")
    recording = open_snapshot(tmp_path / "run.safetensors")
    assert [stage.card for stage in recording.program] == [stage.card for stage in run.program]


@pytest.mark.parametrize("kind", ["cbow", "skipgram"])
def test_whole_numbers_of_words_are_known_as_such(tmp_path: Path, kind: str) -> None:
    run = load(save_words(tmp_path, kind), "cpu").run(TEXTS)
    whole = {stage.name for stage in run.program if stage.card.whole_numbers}
    assert whole == {stage.name for stage in run.program if not run.dtype(stage.name).is_floating_point}
    assert {"Around", "AroundMask", "Negatives"} & {run.program[name].kind for name in whole}


class Sized(Trace):
    """A trace of shapes alone."""

    def __init__(self, stages: list[Stage], shapes: dict[str, tuple[int, ...]]) -> None:
        self.program = Program(stages, {}, {"W": (6, 6), "K": (6, 2, 3)})
        self._shapes = shapes

    @property
    def shapes(self):
        return self._shapes

    def has(self, name: str):
        return False

    def value(self, name: str):
        return ShapeAlone(name, self.program[name].axes, self._shapes[name], "float32", "no numbers")


def test_torchs_own_projection_multiplies_and_a_view_takes_no_memory() -> None:
    stages = [
        Stage("x", Given("x")), Stage("q", TokenFirstLinear(), ("x",), ("W",)), Stage("p", Part(0, 2), ("x",)),
        Stage("c", Part(0, 2, copied=True), ("x",)), Stage("one", Pick(1), ("x",)),
    ]  # fmt: skip
    shapes = {"x": (2, 4, 6), "q": (2, 4, 6), "p": (2, 4, 3), "c": (2, 4, 3), "one": (2, 4)}
    by_name = {cost.name: cost for cost in costs(Sized(stages, shapes))}
    assert by_name["q"].multiply_adds == 2 * 4 * 6 * 6
    assert [by_name[name].bytes for name in ("p", "c", "one")] == [0, 2 * 4 * 3 * 4, 0]


def test_a_norm_that_is_fused_keeps_its_dtype() -> None:
    assert kept_in(Stage("x", RMSNorm(1e-6)), "float64") == "float32"
    assert kept_in(Stage("x", RMSNorm(1e-6, fused=True)), "float64") == "float64"


def test_axes_of_weights_are_the_cards() -> None:
    assert axes_of_weight(Stage("q", TokenFirstLinear(), (), ("W",), ("batch", "token", "hidden")), 2) == ("out", "in")
    assert axes_of_weight(Stage("y", Convolution(), (), ("K",), ("batch", "token", "hidden")), 3) == (
        "out",
        "in",
        "tap",
    )
