"""What a module's values are is told from the data flow: never by a name of its author's, and not at all where it is not sure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from encoder_tui.engine.models.traced.graph import Graph
from encoder_tui.engine.models.traced.kept import KeptValues
from encoder_tui.engine.models.traced.roles import FusedAttention, Roles, roles_of
from encoder_tui.engine.models.traced.tracer import Tracer
from encoder_tui.engine.program.torch_calls import without_fast_path
from modules_of_many_kinds import (
    HEADS,
    HIDDEN,
    SIZE,
    Attends,
    EinsumAttention,
    Encodes,
    Experts,
    LowRank,
    OverFeatures,
    OverHeads,
    RMSNorm,
    RotaryAttention,
)
from own_modules import IDS, MASK, BookEncoder, Head
from torch import nn

PROJECTED = ("query", "key", "value")
SPLIT = ("query_heads", "key_heads", "value_heads")
AROUND = ("output", "residual")
NETWORK = ("up", "activation", "down", "residual")


@pytest.fixture(autouse=True)
def slow_path() -> Iterator[None]:
    """torch's own fast path is one operation, of which nothing is seen."""
    with without_fast_path():
        yield


def watched(module: nn.Module, *arguments: torch.Tensor, **options: torch.Tensor) -> tuple[Graph, KeptValues, Roles]:
    """A passage in the mode the module is in, its values, and what they are."""
    torch.manual_seed(0)
    kept = KeptValues()
    with torch.no_grad():
        graph = Tracer(module, kept).run(arguments, options).graph
    return graph, kept, roles_of(graph)


def names_of(roles: Roles, within: str = "") -> list[str]:
    """The names below a prefix, without it, with those of heads computed one by one."""
    named = [*roles.names.values(), *(stack.name for stack in roles.heads)]
    return sorted(name.removeprefix(within) for name in named if name.startswith(within))


def in_layer(layer: int, attention: tuple[str, ...], ffn: tuple[str, ...]) -> list[str]:
    """What a layer should have."""
    return sorted([*(f"attention.{part}" for part in attention), *(f"ffn.{part}" for part in ffn)])


def value_of(roles: Roles, name: str) -> str:
    """The value that has a name."""
    return next(value for value, of in roles.names.items() if of == name)


@pytest.mark.parametrize("training", [False, True])
def test_the_books_encoder(training: bool) -> None:
    graph, kept, roles = watched(BookEncoder().train(training), IDS, MASK)
    heads = (*SPLIT, "scores", "scaled", "masked", "weights", "context")
    for layer in range(2):
        assert names_of(roles, f"layers.{layer}.") == in_layer(
            layer, ("norm", *heads, "concat", *AROUND), ("norm", *NETWORK)
        )
    assert names_of(roles, "embeddings.") == ["norm", "position", "sum", "token"]
    assert roles.names["attention_mask"] == "tokens.mask"
    assert roles.names["input_ids"] == "tokens.ids"
    stacks = {stack.name: stack.values for stack in roles.heads}
    assert stacks["layers.1.attention.weights"] == tuple(f"softmax_{number}" for number in range(4, 8))
    assert roles.axes["softmax_4"] == ("batch", "query", "key")
    concat = torch.cat([kept[value] for value in stacks["layers.1.attention.context"]], -1)
    assert torch.equal(kept[value_of(roles, "layers.1.attention.concat")], concat)
    assert graph.by_name[value_of(roles, "layers.1.ffn.up")].module == "layers.1.feed_forward.linear_1"


def test_names_are_not_the_authors() -> None:
    """With all that an author named taken away, everything is told as before."""
    graph, _, roles = watched(BookEncoder(), IDS, MASK)
    calls = tuple(replace(call, module="", lines=()) for call in graph.calls)
    assert roles_of(replace(graph, calls=calls, modules={})) == roles


@pytest.mark.parametrize("three", [False, True])
def test_einsum(three: bool) -> None:
    """Two operands or three: where the context is never there by itself it has no name, and the output has."""
    graph, _, roles = watched(Encodes(lambda: EinsumAttention(three), before=False).eval(), IDS, MASK)
    heads = (*SPLIT, "scores", "scaled", "masked", "weights", *(() if three else ("context",)))
    for layer in range(2):
        assert names_of(roles, f"layers.{layer}.") == in_layer(layer, (*heads, *AROUND, "norm"), (*NETWORK, "norm"))
    assert roles.axes[value_of(roles, "layers.1.attention.query_heads")] == ("batch", "token", "head", "head_dim")
    assert roles.axes[value_of(roles, "layers.1.attention.weights")] == ("batch", "head", "query", "key")
    assert roles.names["mask"] == "tokens.mask"
    assert graph.outputs["0"] == value_of(roles, "layers.1.ffn.norm")


@pytest.mark.parametrize("pairs", [False, True])
def test_rotary_and_fused(pairs: bool) -> None:
    """Turned in halves, or in pairs as complex numbers; the fused operation says what goes into it."""
    module = Encodes(lambda: RotaryAttention(pairs), RMSNorm, gated=True).eval()
    graph, kept, roles = watched(module, IDS, MASK)
    turned = ("qkv", "qkv_heads", *SPLIT, "query_rotated", "key_rotated", "context", "concat")
    gated = ("norm", "up", "gate", "activation", "gated", "down", "residual")
    for layer in range(2):
        assert names_of(roles, f"layers.{layer}.") == in_layer(layer, ("norm", *turned, *AROUND), gated)
    core = value_of(roles, "layers.1.attention.context")
    fused = roles.fused[core]
    assert fused == FusedAttention(
        "layers.1.attention", value_of(roles, "layers.1.attention.query_rotated"),
        value_of(roles, "layers.1.attention.key_rotated"), value_of(roles, "layers.1.attention.value_heads"), fused.mask,
    )  # fmt: skip
    assert kept[fused.mask].dtype == torch.bool
    assert roles.axes[core] == ("batch", "head", "token", "head_dim")
    last = value_of(roles, "final.norm")
    steps = [call for call, whole in roles.folded.items() if whole == last]
    assert {graph.by_name[step].word for step in steps} == {
        "pow",
        "mean",
        "add",
        "rsqrt",
        "mul",
    }  # written out, one stage
    with torch.no_grad():
        expected = module.get_submodule("stack.1.one")(kept[value_of(roles, "layers.0.ffn.residual")])
    assert torch.equal(kept[value_of(roles, "layers.1.attention.norm")], expected)


@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize("before", [False, True])
def test_torchs_own_attention(weights: bool, before: bool) -> None:
    """Tokens before texts, one matrix for three, and queries scaled before the product where weights are wanted."""
    _, kept, roles = watched(Encodes(lambda: Attends(weights), before=before).eval(), IDS, MASK)
    scored = ("query_scaled", "masked", "weights") if weights else ()
    heads = ("qkv", *PROJECTED, *SPLIT, *scored, "context", "concat")
    for layer in range(2):
        assert names_of(roles, f"layers.{layer}.") == in_layer(layer, ("norm", *heads, *AROUND), ("norm", *NETWORK))
    assert roles.axes[value_of(roles, "layers.0.attention.query")] == ("token", "batch", "hidden")
    query, both = (kept[value_of(roles, f"layers.0.attention.{part}")] for part in ("query", "qkv"))
    assert torch.equal(query, both[..., :HIDDEN])
    if weights:
        per_head = kept[value_of(roles, "layers.0.attention.weights")]
        assert per_head.shape == (2 * HEADS, 7, 7)
        assert torch.allclose(per_head.sum(-1), torch.ones(2 * HEADS, 7))
        assert per_head[HEADS:, :, 5:].eq(0).all()


def test_torchs_own_encoder_with_its_mask_turned_over() -> None:
    """True hides: such a mask is not `tokens.mask`, of which 1 is a token."""
    layer = nn.TransformerEncoderLayer(HIDDEN, HEADS, 32, batch_first=True, norm_first=True)
    module = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False, norm=nn.LayerNorm(HIDDEN)).eval()
    graph, _, roles = watched(module, torch.randn(2, 7, HIDDEN), src_key_padding_mask=MASK == 0)
    assert "tokens.mask" not in roles.names.values()
    assert roles.names[graph.outputs["0"]] == "final.norm"
    assert [fused.prefix for fused in roles.fused.values()] == ["layers.0.attention", "layers.1.attention"]
    assert roles.axes["src"] == ("batch", "token", "hidden")


def test_a_low_rank_update_is_part_of_its_matrix() -> None:
    module = BookEncoder(heads=2)
    for path in ("layers.0.attention.heads.1", "layers.1.attention.heads.0"):
        head = module.get_submodule(path)
        assert isinstance(head, Head)
        for part, whole in (("q", head.q), ("v", head.v)):
            setattr(head, part, LowRank(whole))
    _, kept, roles = watched(module.eval(), IDS, MASK)
    stacks = {stack.name: stack.values for stack in roles.heads}
    assert [value.partition("_")[0] for value in stacks["layers.0.attention.query_heads"]] == ["linear", "add"]
    query = stacks["layers.1.attention.query_heads"][0]
    with torch.no_grad():
        source = kept[value_of(roles, "layers.1.attention.norm")]
        assert torch.equal(kept[query], module.get_submodule("layers.1.attention.heads.0.q")(source))
    assert sum(whole == query for whole in roles.folded.values()) == 4  # the matrix, both of the update, and the number


@pytest.mark.parametrize(
    "module", [Encodes(kind) for kind in (OverFeatures, OverHeads, Experts)], ids=["features", "heads", "experts"]
)
def test_what_only_looks_like_attention_has_no_name(module: Encodes) -> None:
    _, _, roles = watched(module.eval(), IDS, MASK)
    assert roles.names == {}
    assert roles.heads == ()


def test_a_decoder_and_what_it_asks_have_no_names() -> None:
    """The layers are the encoder's, though the decoder has more; its attentions and those across are in none."""
    layer = nn.TransformerEncoderLayer(HIDDEN, HEADS, 32, batch_first=True)
    encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    module = nn.Transformer(
        HIDDEN, HEADS, num_decoder_layers=3, dim_feedforward=32, batch_first=True, custom_encoder=encoder
    ).eval()
    graph, _, roles = watched(module, torch.randn(2, 7, HIDDEN), torch.randn(2, 4, HIDDEN))
    assert names_of(roles, "layers.2.") == []
    named = [call.module for call in graph.calls if call.name in roles.names]
    assert named
    assert all(path.startswith("encoder") for path in named)
    assert [fused.prefix for fused in roles.fused.values()] == ["layers.0.attention", "layers.1.attention", *[""] * 6]


def test_two_towers_are_not_one() -> None:
    """Of two encoders side by side one has names: the second is not a third layer."""

    class Towers(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.other = BookEncoder(layers=1), BookEncoder(layers=1)

        def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            return self.one(ids, mask) @ self.other(ids, mask).transpose(1, 2)

    _, _, roles = watched(Towers().eval(), IDS, MASK)
    assert names_of(roles, "layers.1.") == []
    assert names_of(roles, "layers.0.")


@pytest.mark.parametrize("module", [BookEncoder(), Encodes(lambda: EinsumAttention(False))], ids=["book", "einsum"])
@pytest.mark.parametrize(("texts", "length"), [(1, 7), (3, 3), (1, 2), (SIZE, SIZE)])
def test_sizes_that_are_alike_do_not_matter(module: nn.Module, texts: int, length: int) -> None:
    """One text, as many texts as tokens, as many tokens as a head has features: the same names."""
    _, _, usual = watched(module.eval(), IDS, MASK)
    ids = torch.randint(1, 40, (texts, length))
    _, _, roles = watched(module.eval(), ids, torch.ones_like(ids))
    assert roles.names == usual.names
    assert roles.heads == usual.heads
    assert roles.folded == usual.folded


def test_each_name_is_one_values_and_each_step_is_in_one_stage() -> None:
    for module in (BookEncoder(), Encodes(RotaryAttention, RMSNorm, gated=True), Encodes(lambda: Attends(True))):
        graph, kept, roles = watched(module.eval(), IDS, MASK)
        assert len(set(roles.names.values())) == len(roles.names)
        assert not set(roles.folded) & set(roles.names)
        for call, whole in roles.folded.items():
            assert whole not in roles.folded
            assert all(user.name == whole or roles.folded.get(user.name) == whole for user in graph.users[call])
        for value, axes in roles.axes.items():
            assert len(axes) == len(set(axes)) == (kept[value].ndim if value in kept else IDS.ndim), value
