"""`break unexpected` knows collapse: the same vector for all tokens, or all texts, where they differed before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from encoder_tui.engine import Encoder, Session, load, load_module, open_snapshot, save
from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.debugger.unexpected import first_fault
from family_kit import open_pair, random_model, sample_of
from faulty import Copies

TEXTS = ["the cat sat on the mat", "a dog ran in the park"]
GAIN = "encoder.layer.1.attention.output.LayerNorm.weight"

Weights = dict[str, torch.Tensor]


def zeroed(name: str) -> Callable[[Weights], None]:
    def change(weights: Weights) -> None:
        weights[name].zero_()

    return change


FAULTS = {
    "gain": (GAIN, "layers.1.attention.norm", "layers.1.attention.residual"),
    "query": ("encoder.layer.0.attention.self.query.weight", "layers.0.attention.query", "embeddings.norm"),
    "up": ("encoder.layer.1.intermediate.dense.weight", "layers.1.ffn.up", "layers.1.attention.norm"),
    "norm": ("embeddings.LayerNorm.weight", "embeddings.norm", "embeddings.sum"),
}


@pytest.fixture(scope="module", params=FAULTS)
def fault(request: pytest.FixtureRequest, copies: Copies) -> tuple[Path, str, str]:
    weight, stage, source = FAULTS[request.param]
    return copies.make(request.param, zeroed(weight)), stage, source


@pytest.mark.few(12)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("texts", [TEXTS, TEXTS[:1], [*TEXTS, "hi"]], ids=["two", "one", "padded"])
def test_a_dead_weight_is_found_where_it_is_used(fault: tuple[Path, str, str], texts: list[str], dtype: str) -> None:
    directory, stage, source = fault
    found = first_fault(load(directory, "cpu", dtype).run(texts))
    assert found is not None
    whose = f" (all {len(texts)} texts)" if len(texts) > 1 else ""
    assert (found[0].name, found[1].kind) == (stage, "collapse")
    assert found[1].text == f"all tokens{whose} have the same vector; they differ at {source}"


def test_a_recording_tells_the_same(copies: Copies, tmp_path: Path) -> None:
    run = load(copies.make("recorded", zeroed(GAIN)), "cpu").run(TEXTS)
    save(run, tmp_path / "all.safetensors")
    found = first_fault(open_snapshot(tmp_path / "all.safetensors"))
    assert found is not None
    assert found[0].name == "layers.1.attention.norm"


def test_compare_begins_there_as_well(copies: Copies) -> None:
    from encoder_tui.engine.analysis.compare import compare

    ours, theirs = (
        load(copies.make(name, change), "cpu").run(TEXTS) for name, change in (("a", zeroed(GAIN)), ("b", None))
    )
    first = compare(ours, theirs).first
    assert first is not None
    assert first.name == "layers.1.attention.norm"


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load(None, "cpu")


def patched(encoder: Encoder, texts: list[str], *lines: str):
    session = Session(encoder.run(texts), encoder)
    for line in lines:
        TABLE.execute(session, f"patch {line}")
    return first_fault(session.trace)


def test_one_text_of_two(encoder: Encoder) -> None:
    found = patched(encoder, TEXTS, "layers.0.ffn.down[1] = 0.5")
    assert found is not None
    assert found[0].name == "layers.0.ffn.down"
    assert found[1].text.startswith("all tokens of text 1 have the same vector")
    assert found[1].place == (1, None, None)


def test_a_sum_is_asked_where_something_is_patched(encoder: Encoder, tmp_path: Path) -> None:
    """By itself it tells apart what its parts do; by hand, or in a recording, it need not."""
    line = "layers.0.ffn.residual = 0.5"
    found = patched(encoder, TEXTS, line)
    assert found is not None
    assert (found[0].name, found[1].kind) == ("layers.0.ffn.residual", "collapse")
    session = Session(encoder.run(TEXTS), encoder)
    TABLE.execute(session, f"patch {line}")
    save(session.trace, tmp_path / "sum.safetensors")
    recorded = first_fault(open_snapshot(tmp_path / "sum.safetensors"))
    assert recorded is not None
    assert recorded[0].name == "layers.0.ffn.residual"


def test_texts_with_the_same_sentence_vector(minilm: Encoder) -> None:
    session = Session(minilm.run(TEXTS), minilm)
    TABLE.execute(session, "patch head.sentence.mean = 0.25")
    found = first_fault(session.trace)
    assert found is not None
    assert found[0].name == "head.sentence.mean"
    assert found[1].text.startswith("all 2 texts have the same vector; they differ at ")


def test_attention_that_sees_no_difference(encoder: Encoder) -> None:
    """The same mixture for every query is a collapse; one key's value for all, as a sink gives it, is not."""
    name, texts = "layers.0.attention.weights", TEXTS[:1]
    count = encoder.read(texts).shape[1]
    found = patched(encoder, texts, f"{name} = {1 / count}")
    assert found is not None
    assert (found[0].name, found[1].kind) == ("layers.0.attention.context", "collapse")
    assert patched(encoder, texts, f"{name} = 0", f"{name}[:, :, :, 0] = 1") is None


# -- what is no collapse ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "texts",
    [["hi"], ["hi", "hi"], ["the the the the"], ["the the", "the the"], ["a cat", "a cat", "a dog"], TEXTS, ["Hi", *TEXTS]],
    ids=["one word", "twice", "repeated", "repeated twice", "two alike", "two", "padded"],
)  # fmt: skip
def test_sound_models_have_none(encoder: Encoder, minilm: Encoder, texts: list[str]) -> None:
    for model in (encoder, minilm):
        assert first_fault(model.run(texts)) is None


def test_texts_that_are_one_token_each(encoder: Encoder) -> None:
    tokens = encoder.read(["cat", "dog"])
    mask = tokens.mask.copy()
    mask[:, 1:] = 0
    assert first_fault(encoder.run(replace(tokens, mask=mask))) is None


def test_equal_vectors_and_texts_without_positions(small_module: torch.nn.TransformerEncoder) -> None:
    """Vectors that are the same from the start have not collapsed; those that differ and come out the same have."""
    encoder = load_module(small_module)
    row = np.random.default_rng(0).normal(size=(1, 1, 16)).astype(np.float32)
    same = np.repeat(np.repeat(row, 2, axis=0), 4, axis=1)
    assert first_fault(encoder.run_vectors(same)) is None
    different = np.random.default_rng(1).normal(size=(2, 4, 16)).astype(np.float32)
    assert first_fault(encoder.run_vectors(different)) is None
    with torch.no_grad():
        small_module.get_parameter("layers.1.norm1.weight").zero_()
    found = first_fault(load_module(small_module).run_vectors(different))
    assert found is not None
    assert (found[0].name, found[1].kind) == ("layers.1.attention.norm", "collapse")


def test_an_image_of_one_colour() -> None:
    sample = sample_of("ViT")
    encoder = open_pair(sample, random_model(sample))[0]
    tokens = sample.tokens((1, 1), np.random.default_rng(0), encoder)  # type: ignore[misc]
    assert first_fault(encoder.run(tokens)) is None
    plain = {name: np.zeros_like(array) for name, array in tokens.arrays.items()}
    assert first_fault(encoder.run(replace(tokens, arrays=plain))) is None


def test_a_budget_in_which_squares_are_never_whole(copies: Copies) -> None:
    directory = copies.make("budget", zeroed(GAIN))
    found = first_fault(load(directory, "cpu", budget=400_000).run(" ".join(TEXTS * 10)))
    assert found is not None
    assert found[0].name == "layers.1.attention.norm"
