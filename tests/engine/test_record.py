"""A recording of anybody's module: it changes nothing, misses nothing, and opens without torch."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from encoder_tui.engine import Debugger, InputError, open_snapshot, record, save
from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.commands.session import Session
from encoder_tui.engine.debugger.conditions import condition
from encoder_tui.engine.models.traced.record import ModuleRecording
from encoder_tui.engine.models.traced.structures import tensors_within
from own_modules import IDS, MASK, BookEncoder, InPlace
from recorded_modules import (
    Checkpointed,
    Einsum,
    Inverted,
    Multihead,
    PreNorm,
    Rotary,
    WithLoss,
    adapted,
    quantised,
)
from torch import nn
from torch.nn import functional

GIVEN: dict[str, Any] = {"input_ids": IDS, "attention_mask": MASK}
MODULES: dict[str, Callable[[], nn.Module]] = {
    "book": BookEncoder, "einsum": Einsum, "rotary": Rotary, "inverted": Inverted, "multihead": Multihead, "rms": PreNorm,
    "lora": adapted, "quantised": quantised, "checkpointed": lambda: Checkpointed(False), "reentrant": lambda: Checkpointed(True),
}  # fmt: skip


PUT_ON = ("_forward_hooks", "_forward_pre_hooks")


def state(module: nn.Module) -> list[Any]:
    """Whatever could have been left behind."""
    hooks = [getattr(nn.modules.module, f"_global_forward{pre}_hooks") for pre in ("", "_pre")]
    of_modules = [
        (part.training, *(len(getattr(part, name)) for name in PUT_ON), sorted(vars(part))) for part in module.modules()
    ]
    flags = torch.is_grad_enabled(), torch.backends.mha.get_fastpath_enabled(), bytes(torch.get_rng_state().numpy())
    return [*map(len, hooks), of_modules, flags, [getattr(weight, "grad", None) for weight in module.parameters()]]


def recorded(module: nn.Module, given: dict[str, Any], **options: Any) -> ModuleRecording:
    """A recording, after it has been held beside the same passage unrecorded."""
    torch.manual_seed(3)
    alone = module(**given)
    after = state(module)
    torch.manual_seed(3)
    with record(module, **options) as run:
        result = module(**given)
    assert state(module) == after
    assert run.result is result
    for (_, one), (_, other) in zip(tensors_within(alone), tensors_within(result), strict=True):
        assert torch.equal(one, other)
    return run


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", MODULES)
def test_a_recording_changes_nothing_and_is_saved(name: str, training: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    run = recorded(MODULES[name]().train(training), GIVEN)
    assert np.array_equal(run["output"].numpy(), run.result.detach().numpy())
    assert np.array_equal(run["tokens.ids"].numpy(), IDS)
    assert np.array_equal(run.tokens.mask, MASK)
    assert all(run.has(stage.name) for stage in run.program)
    assert all(
        "/recorded_modules.py:" in stage.source or "/own_modules.py:" in stage.source
        for stage in run.program
        if stage.inputs and stage.name not in run.program.shown
    )
    save(run, tmp_path / "run.safetensors")
    again = open_snapshot(tmp_path / "run.safetensors")
    assert again.notes == run.notes
    for stage in run:
        assert np.array_equal(run[stage].numpy(), again[stage].numpy(), equal_nan=True)
        assert run.formulas(stage) == again.formulas(stage)


def test_gradients_and_steps_are_as_if_nobody_had_looked() -> None:
    def trained(look: bool) -> list[torch.Tensor]:
        torch.manual_seed(1)
        module = WithLoss()
        optimizer = torch.optim.AdamW(module.parameters())
        for step in range(3):
            batch = {**GIVEN, "labels": torch.tensor([step % 3, 1])}
            with record(module) if look and step == 1 else nullcontext():
                loss = module(batch)["loss"]
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return list(module.parameters())

    assert all(map(torch.equal, trained(True), trained(False)))


def test_what_was_recorded_stays_when_the_module_learns() -> None:
    module = WithLoss()
    batch = {**GIVEN, "labels": torch.tensor([2, 1])}
    run = record(module, batch)
    before = {name: run[name].numpy() for name in run}
    loss = run.result["loss"]
    loss.backward()
    torch.optim.SGD(module.parameters(), lr=1.0).step()
    batch["input_ids"].add_(0)
    with torch.no_grad():
        run.result["logits"].zero_()
    assert all(np.array_equal(before[name], run[name].numpy(), equal_nan=True) for name in run)
    assert any("training mode: dropout draws" in note for note in run.notes)


def test_autocast_is_kept_and_noted() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        run = recorded(BookEncoder().eval(), GIVEN)
    linear = run["layers.0.feed_forward.linear_1"]
    assert linear.dtype == "bfloat16"
    assert run["output"].dtype == str(run.result.dtype).removeprefix("torch.")
    assert np.array_equal(run["output"].numpy(), run.result.detach().float().numpy())
    assert "autocast to bfloat16" in run.notes


def test_values_in_bfloat16_are_saved_exactly(tmp_path: Path) -> None:
    run = recorded(BookEncoder().eval().bfloat16(), GIVEN)
    save(run, tmp_path / "run.safetensors")
    again = open_snapshot(tmp_path / "run.safetensors")
    assert all(np.array_equal(run[name].numpy(), again[name].numpy(), equal_nan=True) for name in run)
    assert np.array_equal(run["output"].numpy(), run.result.detach().float().numpy())


def test_what_is_compiled_is_put_aside_and_said() -> None:
    module = BookEncoder().eval()
    alone = module(**GIVEN)
    compiled = cast(nn.Module, torch.compile(module, backend="eager"))
    run = recorded(compiled, GIVEN)
    assert torch.equal(run.result, alone)
    assert "layers.1.attention.heads.3.softmax" in run
    assert any(note.startswith("torch.compile is put aside") for note in run.notes)
    run = record(compiled, **GIVEN, compare=True)
    assert "what runs natively is compiled: its result is what is shown, bit for bit" in run.notes


def test_the_fast_path_is_recorded_inside_and_the_difference_is_said() -> None:
    torch.manual_seed(0)
    module = Inverted().eval()
    with torch.no_grad():
        run, padded = recorded(module, {**GIVEN, "attention_mask": torch.ones_like(MASK)}), recorded(module, GIVEN)
    assert run["encoder.layers.1.linear2"].shape == (2, 7, 32)
    difference = torch.from_numpy(run["output"].numpy()).double() - run.result.double()
    most = float(difference.abs().max())
    assert 0 < most < 1e-5
    assert run.notes[0] == f"what runs natively is torch's fast path: it differs from what is shown by up to {most:.2g}"
    zeros = 2 * 32  # of two tokens that are padding
    assert padded.notes[0].startswith(
        f"what runs natively is torch's fast path: it is 0 at {zeros} of 448 numbers of its result"
    )


def test_it_may_be_held_beside_an_unwatched_passage() -> None:
    run = recorded(BookEncoder(), GIVEN, compare=True)
    assert run.notes[0] == "what runs natively is what was seen: its result is what is shown, bit for bit"


def test_the_kernel_of_attention_is_noted() -> None:
    run = recorded(Rotary().eval(), GIVEN)
    assert any(note.startswith("kernel of the fused attention: ") and "(1x)" in note for note in run.notes)


def test_of_a_module_that_breaks_the_beginning_is_kept() -> None:
    class Breaks(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(4, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            hidden = self.first(x)
            return hidden @ hidden

    module, x = Breaks(), torch.randn(2, 4)
    before = state(module)
    with pytest.raises(RuntimeError), record(module) as run:
        module(x)
    assert state(module) == before
    assert list(run) == ["input.x", "first"]
    assert np.array_equal(run["first"].numpy(), module.first(x).detach().numpy())
    assert run.notes[0].startswith("it broke (at test_record.py:")
    assert "RuntimeError: mat1 and mat2 shapes cannot be multiplied" in run.notes[0]
    with pytest.raises(RuntimeError) as broken:
        record(module, x)
    assert list(cast(Any, broken.value).recording) == ["input.x", "first"]


def test_an_interrupt_leaves_nothing_behind() -> None:
    class Interrupted(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x.add(1)
            raise KeyboardInterrupt

    module = Interrupted()
    before = state(module)
    with pytest.raises(KeyboardInterrupt), record(module) as run:
        module(torch.ones(2))
    assert state(module) == before
    assert list(run) == ["input.x", "add"]


def test_only_the_first_passage_of_the_module_itself_is_recorded() -> None:
    module = BookEncoder().eval()
    with record(module) as run:
        module.layers[0](torch.randn(1, 2, 32))
        first = module(IDS)
        module(IDS[:1])
        module(IDS[:1])
    assert run.result is first
    assert run["tokens.ids"].shape == (2, 7)
    assert run.notes[-1] == "2 more passages were not recorded: the first one in the block is"


def test_a_block_without_a_passage_says_so() -> None:
    module = BookEncoder()
    with pytest.warns(UserWarning, match="BookEncoder was not called"), record(module) as run:
        module.layers[0](torch.randn(1, 2, 32))
    with pytest.raises(InputError, match="has not been called in the block"):
        run["output"]
    with pytest.raises(InputError, match="record takes a torch"):
        record(BookEncoder.forward)  # pyright: ignore[reportArgumentType]


def test_over_the_budget_the_largest_leave_statistics(tmp_path: Path) -> None:
    module = Einsum().eval()
    whole = record(module, **GIVEN)
    run = record(module, **GIVEN, budget=8 << 10)
    lacking = [name for name in run if not run.has(name)]
    assert lacking
    assert run.has("tokens.ids")
    save(run, tmp_path / "run.safetensors")
    for trace in (run, open_snapshot(tmp_path / "run.safetensors")):
        assert any(note.startswith(f"{len(lacking)} of ") for note in trace.notes)
        for name in lacking:
            figures, numbers = trace[name].stats(), whole[name].stats()
            assert figures.histogram == numbers.histogram
            assert figures.max == numbers.max
            assert figures.mean == pytest.approx(numbers.mean)
            assert trace[name].shape == whole[name].shape
            with pytest.raises(
                InputError, match=r"not kept: over the budget of 8,192 bytes; record\(\.\.\., budget=BYTES\)"
            ):
                trace[name].read()


def test_over_the_budget_a_corner_is_kept_and_never_taken_for_the_whole(tmp_path: Path) -> None:
    module = Einsum().eval()
    whole, run = record(module, **GIVEN), record(module, **GIVEN, budget=8 << 10)
    name = "layers.0.attention.context"
    assert whole[name].shape == (2, 7, 4, 8)
    save(run, tmp_path / "run.safetensors")
    save(open_snapshot(tmp_path / "run.safetensors"), tmp_path / "again.safetensors")
    for trace in (run, open_snapshot(tmp_path / "again.safetensors")):
        corner = trace[f"{name}@kept"]
        assert 1 < corner.size <= whole[name].size // 16
        assert corner.axes == whole[name].axes
        window = tuple(slice(size) for size in corner.shape)
        assert np.array_equal(corner.numpy(), whole[name].read(window))
        assert np.array_equal(trace[name].read(window), corner.numpy())
        assert trace[name][0, 0, 0, 0] == whole[name][0, 0, 0, 0]
        assert trace[name].stats().count == whole[name].size
        assert trace[name].stats(window).count == corner.size
        assert not trace.has(name)
        for beyond in ((), (1, 3), (slice(None), slice(None, None, -1)), (-1, -1, -1, -1)):
            with pytest.raises(
                InputError, match=r"context is not kept: .*; layers\.0\.attention\.context@kept are the first \["
            ):
                trace[name].read(beyond)
        assert f"{name}@kept" in TABLE.execute(Session(trace), f"info {name}").text
    corners = sum(f"{name}@kept" in open_snapshot(tmp_path / "run.safetensors").addresses("*@kept") for name in run)
    assert any(f"and {corners} of them a corner of their numbers (STAGE@kept)" in note for note in run.notes)


def test_heads_of_a_list_are_side_by_side_in_a_recording(tmp_path: Path) -> None:
    save(record(BookEncoder().eval(), **GIVEN), tmp_path / "run.safetensors")
    again = open_snapshot(tmp_path / "run.safetensors")
    weights = again["layers.1.attention.weights"]
    assert (weights.shape, weights.axes) == ((2, 4, 7, 7), ("batch", "head", "query", "key"))
    assert np.array_equal(weights.read("head=2"), again["layers.1.attention.heads.2.softmax"].numpy())


def test_a_fused_attention_is_opened_in_a_recording(tmp_path: Path) -> None:
    run = record(Rotary().eval(), **GIVEN)
    said = next(note for note in run.notes if note.startswith("attention is fused in 1 layers"))
    assert float(said.rpartition(" ")[2]) < 1e-6
    save(run, tmp_path / "run.safetensors")
    again = open_snapshot(tmp_path / "run.safetensors")
    weights, values = again["layers.0.attention.weights"].numpy(), again["layers.0.attention.value_heads"].numpy()
    assert np.allclose(weights @ values, again["layers.0.attention.context"].numpy(), atol=1e-6)
    assert not weights[MASK.numpy()[:, None, None].repeat(4, 1).repeat(7, 2) == 0].any()


def test_of_a_fused_attention_as_much_is_opened_as_there_is_room_for() -> None:
    class Attention(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + functional.scaled_dot_product_attention(x * 1, x * 2, x * 3)

    x = torch.randn(1, 2, 32, 4)
    whole = record(Attention(), x)
    scores = whole["layers.0.attention.scores"]
    assert all(whole.has(name) for name in whole)
    run = record(Attention(), x, budget=whole["output"].size * 4 * 8)
    figures = run["layers.0.attention.weights"].stats()
    assert figures.mean == pytest.approx(1 / 32)
    assert figures.count == scores.size
    with pytest.raises(InputError, match=r"layers\.0\.attention\.weights is not kept: over the budget"):
        run["layers.0.attention.weights"].read()
    run = record(Attention(), x, budget=0)
    assert any("of which too little is kept to compute scores" in note for note in run.notes)
    with pytest.raises(InputError, match="scores is not kept: what it would be computed from"):
        run["layers.0.attention.scores"].read()


def test_nothing_is_computed_beside_of_what_has_been_written_to_since() -> None:
    class Attention(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.query = x * 1
            return x + functional.scaled_dot_product_attention(self.query, x * 2, x * 3)

    module = Attention()
    run = record(module, torch.randn(1, 2, 5, 4))
    module.query.zero_()
    assert run.has("layers.0.attention.context")
    with pytest.raises(InputError, match="weights is not kept: what it would be computed from"):
        run["layers.0.attention.weights"].read()


def test_values_are_those_before_they_were_written_to() -> None:
    torch.manual_seed(1)
    module, x = InPlace().eval(), torch.randn(3, 8)
    run = record(module, x)
    assert np.array_equal(run["linear"].numpy(), module.linear(x).detach().numpy())
    assert np.array_equal(run["output"].numpy(), run.result.detach().numpy())


def test_what_a_module_kept_and_wrote_to_later_is_not_shown_as_it_was(tmp_path: Path) -> None:
    class Keeps(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.hidden = x + 1
            return self.hidden * 2

    module = Keeps()
    run = record(module, torch.ones(2, 3))
    assert run.has("add")
    module.hidden.zero_()
    with pytest.raises(InputError, match="add is not kept: whoever else held its tensor wrote to it"):
        run["add"].read()
    save(run, tmp_path / "run.safetensors")
    assert open_snapshot(tmp_path / "run.safetensors")["mul"].read().tolist() == [[4, 4, 4]] * 2


def test_it_is_walked_like_a_run() -> None:
    run = record(BookEncoder().eval(), **GIVEN)
    debugger = Debugger(run)
    debugger.add("*.softmax", condition("max > 0", run, run.program.expect("*.softmax")))
    stop = debugger.cont()
    assert stop.stage.name == "layers.0.attention.heads.0.softmax"


def test_tokens_are_called_by_a_tokenizer(minilm_dir: Path) -> None:
    module = BookEncoder(words=30000).eval()
    run = record(module, torch.tensor([[101, 4937, 102]]), tokenizer=minilm_dir)
    assert run.tokens.strings == (("[CLS]", "cat", "[SEP]"),)
    with pytest.raises(InputError, match="is no directory"):
        record(module, IDS, tokenizer="nowhere")


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None
from encoder_tui.engine import Debugger, open_snapshot
run = open_snapshot(sys.argv[1])
debugger = Debugger(run)
debugger.add("*.softmax")
print(debugger.cont().stage.name, run.tokens.ids.tolist(), float(run["output"].numpy().sum()), len(run.notes))
"""


def test_it_opens_without_torch(tmp_path: Path) -> None:
    run = record(BookEncoder().eval(), **GIVEN)
    save(run, tmp_path / "run.safetensors")
    command = [sys.executable, "-c", WITHOUT_TORCH, str(tmp_path / "run.safetensors")]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    summed = float(run.result.detach().numpy().sum())
    assert said == f"layers.0.attention.heads.0.softmax {IDS.tolist()} {summed} {len(run.notes)}\n"


def test_stages_are_known_by_module_line_and_operation(tmp_path: Path) -> None:
    run = record(BookEncoder().eval(), **GIVEN)
    save(run, tmp_path / "run.safetensors")
    for trace in (run, open_snapshot(tmp_path / "run.safetensors")):
        match = trace.program.match
        softmaxes = match("*.softmax")
        assert len(softmaxes) == 8
        assert match("softmax") == match("soft*") == softmaxes
        source = trace.program[softmaxes[0]].source
        assert match(Path(source).name) == match(source) == match("engine/" + Path(source).name) == softmaxes
        assert softmaxes[0] in match(Path(source).name.partition(":")[0] + ":2?")
        assert not match("other.py:24")
        assert np.array_equal(trace["layers.1"].numpy(), trace["output"].numpy())
        head, context = trace["layers.0.attention.heads.2"], match("layers.0.attention.heads.2.bmm*")[-1]
        assert np.array_equal(head.numpy(), trace[context].numpy())
    debugger = Debugger(run)
    debugger.add("own_modules.py:24")
    assert debugger.cont().stage.name == softmaxes[0]
