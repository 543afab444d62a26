"""CBOW and skip-gram as programs: equal to plain torch, and everything the debugger offers works on them."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from encoder_tui.engine import Encoder, InputError, Run, load, open_snapshot, save
from encoder_tui.engine.analysis.why import explain
from encoder_tui.engine.debugger.unexpected import Unexpected
from encoder_tui.engine.ops import Given, no_memory
from encoder_tui.engine.ops.base import OPERATIONS, Op
from encoder_tui.engine.traces.shapes import Shadow, shadows_of
from torch.nn import functional
from word_models import TEXTS, WORDS, reference, save_words

KINDS = ["cbow", "skipgram"]
# Products of other shapes than the reference's add in another order. Measured over 10 seeds, relative to the largest value: 3.3e-7
# in float32 and 9.4e-16 in float64 at most; lookups, sums and means of the context are exact.
CLOSE = {"float32": 1e-6, "float64": 3e-15}
EXACT = ("embeddings.token", "embeddings.sum", "embeddings.mean")


@pytest.fixture(scope="module", params=KINDS)
def directory(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_words(tmp_path_factory.mktemp("words") / request.param, request.param)


@pytest.fixture(scope="module")
def encoder(directory: Path) -> Encoder:
    return load(directory, "cpu")


@pytest.fixture(scope="module")
def run(encoder: Encoder) -> Run:
    return encoder.run(TEXTS)


def kind_of(encoder: Encoder):
    return encoder.checkpoint.config.model_type


def real(run: Run, row: int):
    """The ids of a text without its padding."""
    return [int(number) for number in run.tokens.ids[row][run.tokens.mask[row] == 1]]


# -- the numbers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", sorted(CLOSE))
def test_equal_to_plain_torch(directory: Path, dtype: str):
    """Every stage up to the loss, for texts padded beside longer ones."""
    encoder = load(directory, "cpu", dtype)
    run = encoder.run(TEXTS)
    weights = {name: encoder.weights[name] for name in encoder.weights}
    rows = [real(run, row) for row in range(len(TEXTS))]
    assert 1 in rows[2]  # zebra is [UNK]
    for row, values in enumerate(reference(weights, kind_of(encoder), rows, 2)):
        for name, theirs in values.items():
            ours = run[name].tensor()[row]
            if name == "loss.word" and kind_of(encoder) == "skipgram":
                seen = run["context.mask"].tensor()[row].bool()
                assert not ours[~seen].any()
                ours, theirs = ours[seen], torch.cat(theirs)
            elif name != "loss.mean":
                theirs = theirs if isinstance(theirs, torch.Tensor) else torch.cat(theirs)
                ours = ours[: len(rows[row])]
            assert ours.shape == theirs.shape, name
            worst = float((ours - theirs).abs().max() / theirs.abs().max())
            assert worst <= (0 if name in EXACT else CLOSE[dtype]), (name, worst)


def test_the_lookup_is_exact_and_the_softmax_is_torchs(run: Run):
    exact = "embeddings.context" if "embeddings.context" in run.program else "embeddings.token"
    ids = run["context.ids" if exact == "embeddings.context" else "tokens.ids"].tensor()
    assert torch.equal(run[exact].tensor(), functional.embedding(ids, run.weights["embeddings.weight"]))
    assert torch.equal(run["head.probabilities"].tensor(), torch.softmax(run["head.logits"].tensor(), -1))


def test_negative_sampling_is_log_sigmoid(run: Run):
    """−log σ(target) − Σ log σ(−negative), by torch's own log-sigmoid of the scores."""
    target = run["loss.target"].tensor()
    x, table = run["output"].tensor(), run.weights["decoder.weight"]
    wide = x.unsqueeze(2) if target.dim() == 3 else x
    found = (functional.embedding(target, table) * wide).sum(-1)
    against = (functional.embedding(run["negatives.ids"].tensor(), table) * wide.unsqueeze(-2)).sum(-1)
    theirs = -functional.logsigmoid(found) - functional.logsigmoid(-against).sum(-1)
    mask = run["context.mask" if target.dim() == 3 else "tokens.mask"].tensor()
    ours = run["negatives.loss"].tensor()
    torch.testing.assert_close(ours, theirs * mask, rtol=2e-5, atol=2e-6)
    torch.testing.assert_close(
        run["negatives.mean"].tensor(), ours.flatten(1).sum(1) / mask.flatten(1).sum(1), rtol=1e-6, atol=0
    )


def test_a_word_alone_has_no_context(encoder: Encoder):
    run = encoder.run("cat")
    assert not run["context.mask"].read().any()
    if kind_of(encoder) == "cbow":
        assert not run["embeddings.mean"].read().any()
        bias = run.weights["decoder.bias"]
        assert float(run["loss.mean"].read((0,))) == pytest.approx(float(bias.logsumexp(0) - bias[3]), rel=1e-6)
    else:
        assert float(run["loss.mean"].read((0,))) == 0
    assert math.isfinite(float(run["negatives.mean"].read((0,))))


def test_windows_hold_the_words_around(run: Run):
    ids, mask = run["context.ids"].read(), run["context.mask"].read()
    for row in range(len(TEXTS)):
        words = real(run, row)
        for at in range(run.tokens.shape[1]):
            wanted = [at + offset for offset in (-2, -1, 1, 2)]
            held = [0 <= there < len(words) and at < len(words) for there in wanted]
            assert mask[row, at].tolist() == held
            for place, there in enumerate(wanted):
                if held[place]:
                    assert ids[row, at, place] == words[there]


# -- drawing ----------------------------------------------------------------------------------------------------


def test_no_target_is_drawn_against_itself(encoder: Encoder):
    run = encoder.run(" ".join(random.Random(0).choices(WORDS[2:], k=400)))
    target, drawn = run["loss.target"].read(), run["negatives.ids"].read()
    assert not (drawn == target[..., None]).any()
    assert (drawn > 0).all()  # padding has no weight
    assert drawn.max() < len(WORDS)


def test_words_are_drawn_by_their_weight(tmp_path: Path):
    encoder = load(save_words(tmp_path / "cbow", "cbow", negative=20), "cpu")
    run = encoder.run(" ".join(["cat"] * 2000))
    noise = encoder.weights["noise.weight"].double().numpy()
    noise[WORDS.index("cat")] = 0
    chance = noise / noise.sum()
    drawn = np.bincount(run["negatives.ids"].read().ravel(), minlength=len(WORDS))
    total = drawn.sum()
    deviation = np.sqrt(total * chance * (1 - chance))
    assert (abs(drawn - total * chance) <= 4.5 * deviation).all()  # 40,000 draws; 4.5 deviations are 1 in 150,000


def test_the_same_words_are_drawn_in_every_batch_and_dtype(directory: Path, run: Run):
    drawn = run["negatives.ids"].read()
    for dtype in ("float64", "bfloat16", "float16"):
        assert (load(directory, "cpu", dtype).run(TEXTS)["negatives.ids"].read() == drawn).all()
    for row, text in enumerate(TEXTS):
        alone = load(directory, "cpu").run(text)["negatives.ids"].read()[0]
        if "embeddings.token" in run.program:
            seen = run["context.mask"].read()[row][: len(alone)] == 1
            assert (alone[seen] == drawn[row][: len(alone)][seen]).all()
        else:
            assert (alone == drawn[row][: len(alone)]).all()


def test_another_seed_draws_others(directory: Path, tmp_path: Path, run: Run):
    kind = json.loads((directory / "config.json").read_text())["model_type"]
    other = load(save_words(tmp_path / "other", kind, negative_seed=1), "cpu").run(TEXTS)
    assert (other["negatives.ids"].read() != run["negatives.ids"].read()).any()
    assert (other["head.scores"].read() == run["head.scores"].read()).all()


# -- the debugger -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float16"])
def test_why_holds_at_every_stage(directory: Path, dtype: str):
    run, chance = load(directory, "cpu", dtype).run(TEXTS), random.Random(0)
    for stage in run.program:
        assert stage.kind in OPERATIONS
        for _ in range(12):
            index = tuple(chance.randrange(size) for size in run.shapes[stage.name])
            found = explain(run, stage.name, index)
            assert found.holds, (stage.name, index, found.total, found.stored, found.bound)


def test_why_shows_that_product_and_lookup_are_one(tmp_path: Path):
    run = load(save_words(tmp_path, "cbow"), "cpu").run(TEXTS)
    found = explain(run, "embeddings.context", (0, 3, 1, 5))
    assert found.notes[-1].endswith("the same number")
    assert found.operand(1).name == "context.one_hot"
    assert explain(run, "context.one_hot", found.operand(1).index).operand(1).name == "context.ids"


def test_formulas_name_what_goes_in(run: Run):
    formulas = [stage.formula() for stage in run.program]
    assert "scores = embeddings.token · Wᵀ" in formulas or "scores = embeddings.mean · Wᵀ" in formulas
    assert "sigmoid = σ(−scores)" in formulas
    assert not [text for text in formulas if "weight" in text]


def test_on_the_meta_device(encoder: Encoder):
    program = encoder.program
    shadows = shadows_of(program, torch.float32, {"tokens": (2, 7)})
    weights = {name: torch.empty(shape, device="meta") for name, shape in program.weights.items()}
    ways: list[Callable[[str], Any]] = [lambda name: no_memory, lambda name: lambda: empty(shadows[name])]
    for make_out in ways:
        values: dict[str, torch.Tensor] = {}
        for stage in program:
            if isinstance(stage.op, Given):
                values[stage.name] = torch.ones((2, 7), dtype=torch.int64, device="meta")
                continue
            assert isinstance(stage.op, Op)
            inputs = [values[name] for name in stage.inputs]
            found = stage.op.compute(inputs, [weights[name] for name in stage.weights], make_out(stage.name))
            assert found.device.type == "meta", stage.name
            assert (tuple(found.shape), found.dtype) == (shadows[stage.name].shape, shadows[stage.name].dtype), (
                stage.name
            )
            values[stage.name] = found


def empty(shadow: Shadow):
    return torch.empty(shadow.shape, dtype=shadow.dtype, device="meta")


def test_axes_have_names(run: Run):
    for stage in run.program:
        assert len(stage.axes) == len(run.shapes[stage.name]) == len(set(stage.axes)), stage.name


def test_recomputed_values_are_the_same(directory: Path, run: Run):
    small = load(directory, "cpu", budget=20_000).run(TEXTS)
    for stage in reversed(run.program.stages):
        assert torch.equal(small[stage.name].tensor(), run[stage.name].tensor()), stage.name


def test_one_hot_windows(encoder: Encoder):
    run = encoder.run(TEXTS)
    stage = "context.one_hot" if "context.one_hot" in run.program else "tokens.one_hot"
    ids = run[stage.replace("one_hot", "ids")].read()
    whole = run[stage].read()
    assert (whole.argmax(-1) == ids).all()
    assert (whole.sum(-1) == 1).all()
    assert (run[stage].read((0, slice(3, 0, -1), ..., slice(2, 9))[:2]) == whole[0, 3:0:-1]).all()
    assert (run[stage].read((1,)) == whole[1]).all()


def test_nothing_unexpected_in_a_healthy_model(run: Run):
    for stage in run.program:
        assert not Unexpected().holds(run, stage), stage.name


def test_the_logarithm_of_nothing_is_unexpected(encoder: Encoder):
    run = encoder.run(TEXTS)
    picked = run["loss.probability"].tensor()
    picked[0, 3] = 0
    run.override("loss.probability", picked)
    assert "infinite" in Unexpected().holds(run, run.program["loss.word"])
    where = (0, 3) if picked.dim() == 2 else (0, 3, 1)
    assert "−∞" in " ".join(explain(run, "loss.word", where).notes)
    probabilities = run["head.probabilities"].tensor() * 1.5
    run.override("head.probabilities", probabilities)
    assert "sums to 1" in Unexpected().holds(run, run.program["head.probabilities"])


def test_padding_changes_nothing(encoder: Encoder):
    from encoder_tui.engine.analysis.checks import check_padding

    assert not check_padding(encoder.run(TEXTS), encoder).findings


def test_a_snapshot_is_the_same_and_explains_itself(run: Run, tmp_path: Path):
    path = tmp_path / "words.safetensors"
    save(run, path)
    opened = open_snapshot(path)
    for stage in run.program:
        if "one_hot" not in stage.name:
            assert np.array_equal(opened[stage.name].read(), run[stage.name].read()), stage.name
            found = explain(opened, stage.name, (0,) * len(stage.axes))
            assert found.sum is None or found.holds, stage.name
    assert opened["negatives.ids"].word(int(opened["negatives.ids"].read((0,) * len(opened.shapes["negatives.ids"]))))


def test_a_patched_word_is_seen_around(encoder: Encoder):
    run = encoder.run(TEXTS)
    before = run["context.ids"].read()
    ids = run["tokens.ids"].tensor()
    ids[0, 4] = WORDS.index("moon")
    run.override("tokens.ids", ids)
    changed = np.argwhere(run["context.ids"].read() != before)
    assert {tuple(place) for place in changed.tolist()} == {(0, 2, 3), (0, 3, 2), (0, 5, 1), (0, 6, 0)}


# -- what is refused --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 0}, "window is 0, and must be a whole number of 1 or more"),
        ({"window": 10**6}, "window is 1000000, and 100 is the most"),
        ({"negative": "five"}, "negative is 'five'"),
        ({"negative_seed": -1}, "negative_seed is -1"),
        ({"hidden_size": 13}, "weights have the wrong shape"),
    ],
)
def test_a_config_that_cannot_be(tmp_path: Path, options: dict[str, Any], message: str):
    save_words(tmp_path, "cbow")
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | options))
    with pytest.raises(InputError, match=message):
        load(tmp_path, "cpu")


def test_a_causal_mask_has_nothing_to_mask(directory: Path):
    with pytest.raises(InputError, match="needs attention"):
        load(directory, "cpu", causal=True)


def test_a_text_without_words(directory: Path):
    with pytest.raises(InputError, match="no word"):
        load(f"bundled:{kind_of(load(directory, 'cpu'))}", "cpu").run(["a cat", "?!"])
