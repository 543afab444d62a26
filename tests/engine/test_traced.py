"""A module is watched while it computes: nothing it gives changes, and all that it did is there."""

from __future__ import annotations

import pytest
import torch
from encoder_tui.engine.models.traced.graph import Graph
from encoder_tui.engine.models.traced.kept import KeptValues
from encoder_tui.engine.models.traced.tracer import Passage, Tracer
from own_modules import IDS, MASK, BookEncoder, InPlace
from torch import nn


def watched(module: nn.Module, *arguments: torch.Tensor, seed: int = 0) -> tuple[Passage, KeptValues, torch.Tensor]:
    """A passage, its values, and what the module gives by itself."""
    torch.manual_seed(seed)
    alone = module(*arguments)
    torch.manual_seed(seed)
    kept = KeptValues()
    return Tracer(module, kept).run(arguments, {}), kept, alone


def words(graph: Graph) -> list[str]:
    return [call.word for call in graph.calls]


@pytest.mark.parametrize("training", [False, True])
def test_what_is_watched_gives_the_same_numbers(training: bool) -> None:
    module = BookEncoder().train(training)
    passage, kept, alone = watched(module, IDS, MASK)
    assert torch.equal(passage.result, alone)
    assert torch.equal(kept[passage.graph.outputs["0"]], alone)
    assert list(passage.graph.inputs) == ["input_ids", "attention_mask"]
    passage.result.sum().backward()  # what is watched can be trained
    assert module.embeddings.token_embeddings.weight.grad is not None


def test_operations_are_those_the_author_wrote() -> None:
    passage, kept, _ = watched(BookEncoder().eval(), IDS, MASK)
    head = [call for call in passage.graph.calls if call.module.startswith("layers.1.attention.heads.3")]
    assert [call.word for call in head] == [
        "linear", "linear", "linear", "transpose", "bmm", "div", "unsqueeze", "eq", "masked_fill", "softmax", "bmm",
    ]  # fmt: skip
    assert head[0].module == "layers.1.attention.heads.3.q"
    assert head[0].lines[0].rpartition(":")[0] == __file__.replace("test_traced", "own_modules")
    assert passage.graph.modules["layers.1.attention.heads.3"] == "Head"
    assert "dropout" not in words(passage.graph)  # that is off
    assert all(kept[call.name].shape == call.shape for call in passage.graph.calls)


def test_a_value_that_is_written_to_has_a_name_before_and_after() -> None:
    torch.manual_seed(1)
    module, x = InPlace(), torch.randn(3, 8)
    passage, kept, alone = watched(module, x)
    assert torch.equal(passage.result, alone)
    first = module.linear(x)
    assert torch.equal(kept["linear"], first)
    assert torch.equal(kept["add"], first + 1)
    assert kept["written_into"].view(3, 8)[:, 1].eq(0).all()
    assert not kept["add"][:, 1].eq(0).any()
    assert list(passage.draws) == ["dropout"]
    assert "constant_2" in passage.graph.weights
    assert "offsets" in passage.graph.weights


def test_what_the_code_looked_at_is_known() -> None:
    class Looks(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * x.max().item() if bool((x > 0).all()) else -x

    passage, _, _ = watched(Looks(), torch.tensor([1.0, 2.0]))
    assert [(decision.of, decision.saw) for decision in passage.graph.decisions] == [("all", True), ("max", 2.0)]


def test_no_hook_is_left_and_the_fast_path_is_taken() -> None:
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True).eval()
    module, x = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).eval(), torch.randn(2, 5, 16)
    with torch.no_grad():
        passage, _, alone = watched(module, x)
    assert words(passage.graph) == ["_transformer_encoder_layer_fwd"] * 2
    assert torch.equal(passage.result, alone)
    assert not nn.modules.module._global_forward_hooks
    assert not nn.modules.module._global_forward_pre_hooks


def test_an_error_of_the_module_leaves_nothing_behind() -> None:
    class Breaks(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x @ x

    with pytest.raises(RuntimeError):
        Tracer(Breaks(), KeptValues()).run((torch.randn(2, 3),), {})
    passage, _, alone = watched(nn.Linear(3, 3), torch.randn(2, 3))
    assert torch.equal(passage.result, alone)
    assert words(passage.graph) == ["linear"]
