"""Heads that somebody computes one by one: one box each part of all heads on the map, and the single ones within it."""

from __future__ import annotations

from encoder_tui.engine.ops.torch_operation import Placeholder, TorchOperation, TorchStep
from encoder_tui.engine.program.program import Program
from encoder_tui.engine.program.stage import Stage
from encoder_tui.tui.state.encoder_map import map_rows, place_of
from encoder_tui.tui.state.single_heads import single_heads

LAYER = "layers.0.attention"


def stage(name: str, target: str, *inputs: str, axes: str = "batch query key") -> Stage:
    op = TorchOperation((TorchStep(f"aten.{target}.default", (Placeholder(0),)),), (1, 3, 3), "float32")
    return Stage(name, op, inputs, axes=tuple(axes.split()))


def program(heads: int) -> Program:
    """Each head turns the mask over for itself, beside a query that all share."""
    stages = [stage("tokens.mask", "clone"), stage(f"{LAYER}.norm", "layer_norm", "tokens.mask")]
    for head in range(heads):
        front = f"{LAYER}.heads.{head}"
        stages += [
            stage(f"{front}.q", "linear", f"{LAYER}.norm"),
            stage(f"{front}.eq", "eq", "tokens.mask"),
            stage(f"{front}.softmax", "softmax", f"{front}.q", f"{front}.eq"),
        ]
    for part, of in (("query_heads", "q"), ("weights", "softmax")):
        singles = [f"{LAYER}.heads.{head}.{of}" for head in range(heads)]
        stages.append(stage(f"{LAYER}.{part}", "stack", *singles, axes="batch head query key"))
    stages.append(stage(f"{LAYER}.concat", "cat", *(f"{LAYER}.heads.{head}.softmax" for head in range(heads))))
    return Program(stages)


def test_the_heads_side_by_side_are_the_boxes() -> None:
    of_three = program(3)
    attention = map_rows(of_three, 0)[1]
    assert [box.title for box in attention.boxes] == ["layer norm", "query heads", "weights", "concat"]
    assert [box.joined for box in attention.boxes] == [False, True, True, True]
    assert attention.boxes[2].stage == f"{LAYER}.weights"
    assert attention.boxes[2].stages == (
        *(f"{LAYER}.heads.{head}.{part}" for head in range(3) for part in ("eq", "softmax")), f"{LAYER}.weights",
    )  # fmt: skip
    assert place_of(map_rows(of_three, 0), of_three, f"{LAYER}.heads.1.eq") == (1, 2)


def test_what_all_heads_share_is_of_none_of_them() -> None:
    assert f"{LAYER}.norm" not in single_heads(program(2))
    assert "tokens.mask" not in single_heads(program(2))


def test_every_stage_is_in_one_box() -> None:
    of_two = program(2)
    inside = [name for row in map_rows(of_two, 0) for box in row.boxes for name in box.stages]
    assert sorted(inside) == sorted(stage.name for stage in of_two)
