"""Somebody's own module as an encoder: exact against its own forward, stepped, patched, forked, compared, exported."""

from __future__ import annotations

import random
from collections import UserDict
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from encoder_tui.engine import InputError, Session, open_snapshot, save
from encoder_tui.engine.analysis.explain.page import explain_stage
from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.models.traced.attach import ModuleEncoder, attach
from encoder_tui.engine.models.traced.graph import TorchCall
from encoder_tui.engine.traces.run import Run
from own_modules import IDS, MASK, BookEncoder, InPlace
from torch import nn
from torch.nn import functional


def first(encoder: ModuleEncoder) -> Run:
    assert encoder.first is not None
    return encoder.first


def exact(run: Run) -> bool:
    return any("each equal to the module's own to the last bit" in note for note in run.notes)


@pytest.fixture
def book() -> BookEncoder:
    torch.manual_seed(0)
    return BookEncoder().eval()


@pytest.fixture
def run(book: BookEncoder) -> Run:
    return first(attach(book, IDS, MASK))


def test_every_stage_is_the_modules_own(book: BookEncoder, run: Run) -> None:
    assert exact(run)
    assert np.array_equal(run["output"].numpy(), book(IDS, MASK).detach().numpy())
    assert run["layers.1.attention.heads.2.q"].name == "layers.1.attention.heads.2.q"
    stage = run.program["layers.0.attention.heads.0.softmax"]
    assert stage.source.endswith("own_modules.py:24")
    assert stage.kind == "Softmax"


def test_what_goes_in_is_known_by_what_is_done_with_it(run: Run) -> None:
    assert run.tokens.ids.tolist() == IDS.tolist()
    assert run.tokens.mask.tolist() == MASK.tolist()


def test_a_patch_does_what_the_module_would_have_done(book: BookEncoder, run: Run) -> None:
    fork = run.fork()
    fork.override("layers.0.attention.heads.1.softmax", torch.zeros(2, 7, 7))
    head = book.get_submodule("layers.0.attention.heads.1")

    def nothing(_: nn.Module, __: object, output: torch.Tensor) -> torch.Tensor:
        return torch.zeros_like(output)

    handle = head.register_forward_hook(nothing)
    try:
        wanted = book(IDS, MASK).detach().numpy()
    finally:
        handle.remove()
    assert np.array_equal(fork["output"].numpy(), wanted)
    assert not np.array_equal(run["output"].numpy(), wanted)


def test_it_is_walked_like_any_other(run: Run) -> None:
    session = Session(run)
    TABLE.execute(session, "break layers.1.attention.heads.0.softmax if max > 0")
    TABLE.execute(session, "continue")
    assert session.debugger.stage is not None
    assert session.debugger.stage.name == "layers.1.attention.heads.0.softmax"
    why = TABLE.execute(session, "why layers.1.attention.heads.0.softmax[0, 1, 2]").text
    assert "row sum" in why


def test_values_within_a_budget_are_computed_again(book: BookEncoder) -> None:
    whole, run = first(attach(book, IDS, MASK)), first(attach(book, IDS, MASK, budget=20_000))
    for stage in reversed(list(run.program)):  # each by way of those before it, of which few are held
        assert np.array_equal(run[stage.name].numpy(), whole[stage.name].numpy()), stage.name
    assert run.kept_bytes <= 20_000 < whole.kept_bytes


def test_it_is_exported_and_opened(run: Run, tmp_path: Path) -> None:
    save(run, tmp_path / "own.safetensors")
    recording = open_snapshot(tmp_path / "own.safetensors")
    assert np.array_equal(recording["output"].numpy(), run["output"].numpy())
    assert recording.formulas("layers.0.attention.heads.0.div")[0] == "div = bmm / √8"
    assert recording.program["layers.0.attention.heads.0.div"].source.endswith("own_modules.py:21")


def test_another_text_is_another_passage(book: BookEncoder) -> None:
    encoder = attach(book, IDS, MASK)
    run = encoder.run_ids([[1, 2, 3], [4, 5, 6]])
    assert exact(run)
    ids = torch.tensor([[1, 2, 3], [4, 5, 6]])
    assert np.array_equal(run["output"].numpy(), book(ids, torch.ones_like(ids)).detach().numpy())


@dataclass(frozen=True, slots=True)
class Batch:
    ids: torch.Tensor
    attention_mask: torch.Tensor


class Pair(NamedTuple):
    ids: torch.Tensor
    attention_mask: torch.Tensor


class OfBatches(nn.Module):
    """A module that is given its tensors in one thing."""

    def __init__(self, book: BookEncoder) -> None:
        super().__init__()
        self.book = book

    def forward(self, batch: Any) -> torch.Tensor:
        return self.book(*held_in(batch))


def held_in(batch: Any) -> tuple[torch.Tensor, torch.Tensor]:
    if isinstance(batch, Batch | Pair):
        return batch.ids, batch.attention_mask
    return batch["ids"], batch["attention_mask"]


@pytest.mark.parametrize(
    "batch",
    [
        Batch(IDS, MASK), Pair(IDS, MASK), {"ids": IDS, "attention_mask": MASK}, UserDict({"ids": IDS, "attention_mask": MASK}),
        MappingProxyType({"ids": IDS, "attention_mask": MASK}),
    ],
    ids=lambda batch: type(batch).__name__,
)  # fmt: skip
def test_another_text_goes_in_wherever_the_first_one_stood(book: BookEncoder, batch: object) -> None:
    run = attach(OfBatches(book), batch).run_ids([[1, 2, 3], [4, 5, 6]])
    ids = torch.tensor([[1, 2, 3], [4, 5, 6]])
    assert np.array_equal(run["output"].numpy(), book(ids, torch.ones_like(ids)).detach().numpy())
    assert held_in(batch)[0] is IDS


def test_dropout_of_training_is_drawn_as_the_module_draws_it(book: BookEncoder) -> None:
    book.train()
    torch.manual_seed(7)
    before = torch.get_rng_state()
    run = first(attach(book, IDS, MASK, tell=lambda _: None))
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(run["output"].numpy(), book(IDS, MASK).detach().numpy())
    assert exact(run)
    assert any("dropout draws" in note for note in run.notes)


def test_what_is_written_in_place_is_straight_line() -> None:
    torch.manual_seed(1)
    module, x = InPlace(), torch.randn(3, 8)
    run = first(attach(module, x))
    assert exact(run)
    assert run["read_from"].shape == (3, 8)


def test_a_norm_over_batches_counts_in_the_program_and_not_in_the_module() -> None:
    norm, x = nn.BatchNorm1d(4), torch.randn(5, 4)
    before = {name: buffer.clone() for name, buffer in norm.named_buffers()}
    run = first(attach(norm, x))
    for _ in range(2):
        assert exact(run)
        assert run["add"].numpy() == 1
        assert np.array_equal(run["output"].numpy(), run["batch_norm"].numpy())
    assert run["batch_norm_1"].shape == (4,)  # the running mean
    assert all(torch.equal(buffer, before[name]) for name, buffer in norm.named_buffers())


class Rebinding(nn.Module):
    """It counts in another tensor each time, and drops its layer by Python's random numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.Linear(4, 4)
        self.register_buffer("count", torch.zeros(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.count = self.count + 1
        return x + self.count if random.random() < 0 else self.up(x) + self.count


def test_a_buffer_in_another_place_and_all_random_numbers_are_as_before() -> None:
    module, state = Rebinding(), random.getstate()
    count = module.get_buffer("count")
    assert exact(first(attach(module, torch.ones(1, 3, 4))))
    assert module.get_buffer("count") is count
    assert count.item() == 0
    assert random.getstate() == state


def test_weights_that_were_made_in_inference_mode_are_taken_as_they_are() -> None:
    with torch.inference_mode():
        module = nn.Linear(4, 4)
    assert exact(first(attach(module, torch.ones(1, 3, 4))))


def test_weights_that_were_trained_since_are_not_taken_for_those_that_were_seen(book: BookEncoder, run: Run) -> None:
    with torch.no_grad():
        book.embeddings.layer_norm.weight.add_(1)
    with pytest.raises(InputError, match=r"embeddings\.layer_norm\.weight of BookEncoder has been written to since"):
        run["output"].numpy()


def test_autocast_is_kept(book: BookEncoder) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        run = first(attach(book, IDS, MASK))
        wanted = book(IDS, MASK).detach()
    assert run["layers.0.attention.heads.0.q"].dtype == "bfloat16"
    assert exact(run)
    assert np.array_equal(run["output"].numpy(), wanted.float().numpy())


def test_a_fused_attention_takes_the_kernel_that_the_module_took() -> None:
    class Fused(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bias = nn.Parameter(torch.randn(1, 2, 5, 5))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return functional.scaled_dot_product_attention(x, x, x, attn_mask=self.bias)

    module, x = Fused(), torch.randn(1, 2, 5, 8)
    run = first(attach(module, x))  # gradients are kept of the bias, for which torch takes another kernel
    assert exact(run)
    assert np.array_equal(run["output"].numpy(), module(x).detach().numpy())


class Raises(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ x


def test_what_the_module_raises_is_said_with_its_line() -> None:
    with pytest.raises(InputError, match=r"Raises raised RuntimeError: mat1 and mat2 .* \(at test_attach.py:\d+\)"):
        attach(Raises(), torch.randn(2, 3))


def test_a_stage_that_cannot_be_computed_again_is_named() -> None:
    class Clock(nn.Module):
        ticks = 0.0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.ops.encoder_tui_test.tick(x * 1)

    library = torch.library.Library("encoder_tui_test", "DEF")
    try:
        library.define("tick(Tensor x) -> Tensor")

        def tick(x: torch.Tensor) -> torch.Tensor:
            Clock.ticks += 1
            return x + Clock.ticks

        library.impl("tick", tick, "CompositeExplicitAutograd")
        told: list[str] = []
        attach(Clock(), torch.zeros(2), tell=told.append)
    finally:
        library._destroy()
    assert told == ["1 of 3 stages give other numbers when they are computed again: the first is tick, by up to 1"]


def test_a_call_says_its_word() -> None:
    assert [TorchCall("", target, ()).word for target in ("aten.add_.Tensor", "aten._softmax.default")] == [
        "add",
        "_softmax",
    ]


def test_heads_of_a_list_are_shown_side_by_side(run: Run) -> None:
    weights = run["layers.1.attention.weights"]
    assert (weights.shape, weights.axes) == ((2, 4, 7, 7), ("batch", "head", "query", "key"))
    single = run["layers.1.attention.heads.2.softmax"].numpy()
    assert np.array_equal(weights.read("head=2"), single)
    with pytest.raises(InputError, match="is shown beside what the module computes, and nothing is made of it"):
        run.override("layers.1.attention.weights", torch.zeros(2, 4, 7, 7))
    run.override("layers.1.attention.heads.2.softmax", torch.zeros(2, 7, 7))
    assert not run["layers.1.attention.weights"].read("head=2").any()


def test_that_all_is_well_is_no_warning_and_given_ids_were_cut_by_nobody(run: Run, tmp_path: Path) -> None:
    (said,) = run.assurances
    assert said.endswith("each equal to the module's own to the last bit")
    assert said in run.notes
    assert run.fork().assurances == run.assurances
    save(run, tmp_path / "run.safetensors")
    assert open_snapshot(tmp_path / "run.safetensors").assurances == run.assurances
    assert explain_stage(run, "tokens.ids").what.startswith("These ids were given, 7 to a text")


@pytest.mark.parametrize("cast", [False, True])
@pytest.mark.parametrize("kind", ["bool", "float", "causal", "none"])
def test_a_fused_attention_is_opened_for_the_eye(kind: str, cast: bool) -> None:
    class Layer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.qkv, self.out = nn.ModuleList([nn.Linear(16, 16) for _ in range(3)]), nn.Linear(16, 16)

        def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
            query, key, value = (part(x).view(2, 5, 2, 8).transpose(1, 2) for part in self.qkv)
            context = functional.scaled_dot_product_attention(query, key, value, mask, is_causal=kind == "causal")
            return self.out(context.transpose(1, 2).reshape(2, 5, 16)) + x

    torch.manual_seed(0)
    seen = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]], dtype=torch.bool)[:, None, None]
    masks = {"bool": seen, "float": torch.zeros(2, 1, 1, 5).masked_fill(~seen, -1e9)}
    told: list[str] = []
    module, x = Layer().eval(), torch.randn(2, 5, 16)
    with torch.autocast("cpu", torch.bfloat16, enabled=cast):
        run = first(attach(module, x, *([masks[kind]] if kind in masks else []), tell=told.append))
    assert exact(run)
    assert told[0].startswith("attention is fused in 1 layers: scores and weights are shown beside it")
    weights = run["layers.0.attention.weights"].numpy()  # (batch, head, query, key)
    values = run["layers.0.attention.value_heads"].numpy()
    assert run["layers.0.attention.weights"].dtype == ("bfloat16" if cast else "float32")
    apart = float(told[0].rpartition(" ")[2])
    assert np.allclose(weights @ values, run["layers.0.attention.context"].numpy(), atol=0.02 if cast else 1e-6)
    assert (1e-4 < apart < 0.02) if cast else apart < 1e-6
    hidden = {"bool": weights[1, :, :, 3:], "float": weights[1, :, :, 3:], "causal": weights[:, :, 0, 1:]}
    assert kind == "none" or not hidden[kind].any()
    with pytest.raises(InputError, match="a patch would change nothing"):
        run.override("layers.0.attention.weights", torch.zeros(2, 2, 5, 5))


def test_it_is_compared_with_itself_in_another_dtype(book: BookEncoder) -> None:
    encoder = attach(book, IDS, MASK)
    session = Session(first(encoder), encoder)
    said = TABLE.execute(session, "compare dtype float64").text
    assert "float64" in said
    assert session.reference is not None
    assert session.reference.trace["output"].dtype == "float64"
    assert np.allclose(session.reference.trace["output"].numpy(), first(encoder)["output"].numpy(), atol=1e-5)
    with pytest.raises(InputError, match="float7"):
        TABLE.execute(session, "compare dtype float7")


class Added(nn.Module):
    """Counts its places from a number that it holds, and hides by the lowest number there is, as transformers' eager attention does."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.offset = nn.Embedding(50, 8), nn.Buffer(torch.tensor(2))

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        x = self.words(input_ids) + (input_ids + self.offset)[..., None]
        hidden = (1 - attention_mask[:, None].to(x.dtype)) * torch.finfo(x.dtype).min
        return functional.softmax(x @ x.transpose(1, 2) + hidden, -1) @ x


def test_masks_of_the_lowest_number_and_single_numbers_are_compared_in_another_dtype() -> None:
    encoder = attach(Added(), IDS, MASK)
    assert "float64" in TABLE.execute(Session(first(encoder), encoder), "compare dtype float64").text


def test_what_a_mask_hides_by_minus_infinity_is_no_fault(book: BookEncoder) -> None:
    session = Session(first(attach(book, IDS, MASK)))
    assert "no fault found" in TABLE.execute(session, "check masks").text
    TABLE.execute(session, "break unexpected")
    stop = TABLE.execute(session, "continue").stop
    assert stop is not None
    assert stop.reason == "end"


def test_a_mask_of_minus_infinity_may_be_made_in_steps() -> None:
    class Causal(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            hidden = torch.triu(torch.full((5, 5), float("-inf")), diagonal=1)
            return functional.softmax(x + hidden[None].repeat(2, 1, 1), -1) @ x

    torch.manual_seed(0)
    module, x = Causal(), torch.randn(2, 5, 5)
    session = Session(first(attach(module, x)))
    TABLE.execute(session, "break unexpected")
    stop = TABLE.execute(session, "continue").stop
    assert stop is not None
    assert (stop.reason, stop.held) == ("end", "")
    session = Session(first(attach(module, x.index_fill(2, torch.tensor([3]), float("inf")))))
    TABLE.execute(session, "break unexpected")
    stop = TABLE.execute(session, "continue").stop
    assert stop is not None
    assert stop.reason == "breakpoint"
