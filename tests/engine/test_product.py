"""A · B = C: the matrices of a product are those that its explanation takes its terms from, and come to its numbers."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import family_deberta_v2
import family_t5
import numpy as np
import pytest
from encoder_tui.engine import Encoder, InputError, Run, load, open_snapshot, save
from encoder_tui.engine.analysis.product import Product, product_of
from encoder_tui.engine.analysis.why import explain
from encoder_tui.engine.ops.base import OPERATIONS
from encoder_tui.engine.program.explanation import Term
from encoder_tui.engine.program.factors import factors_of
from family_kit import Sample, open_pair, random_model, tokens_for
from numpy.typing import NDArray
from word_models import TEXTS, save_words

ALL = slice(None)
# Sums of products that are over more than one axis of both factors: a patch of an image, the neighbours of a token.
OF_MORE_THAN_TWO_MATRICES = {"Patches", "Convolution"}


def of_family(sample: Sample, **options: Any) -> Run:
    encoder, _ = open_pair(sample, random_model(sample, **options))
    return encoder.run(tokens_for(sample, encoder, [6, 3]))


@pytest.fixture(scope="module", params=["BERT", "T5", "DeBERTa", "CBOW", "skip-gram", "module"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    if request.param == "BERT":
        return request.getfixturevalue("small").run(["the cat sat on the mat", "the dog"])
    if request.param == "T5":
        return of_family(family_t5.SAMPLES[0])
    if request.param == "DeBERTa":
        return of_family(family_deberta_v2.SAMPLE, head="words")
    kind = {"CBOW": "cbow", "skip-gram": "skipgram"}.get(request.param)
    if kind is not None:
        return load(save_words(tmp_path_factory.mktemp(kind), kind), "cpu").run(TEXTS)
    import torch

    torch.manual_seed(0)
    layer = torch.nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    module = torch.nn.TransformerEncoder(layer, 1, enable_nested_tensor=False).eval()
    encoder = load(module, "cpu")
    return encoder.run_vectors(np.random.default_rng(0).normal(size=(2, 3, 16)).astype(np.float32))


def products(run: Run, times: int):
    chance = random.Random(0)
    for stage in run.program:
        for _ in range(times):
            index = tuple(chance.randrange(size) for size in run.shapes[stage.name])
            product = product_of(run, stage, index)
            if product is not None:
                yield stage, index, product


@pytest.mark.filterwarnings("ignore")
def test_row_times_column_is_the_number(run: Run) -> None:
    kinds: set[str] = set()
    for stage, index, product in products(run, 4):
        a, b, c = (matrix.window(run, ALL, ALL) for matrix in (product.left, product.right, product.result))
        assert (a.shape, b.shape) == ((product.left.rows, product.left.columns), (product.right.rows, b.shape[1]))
        assert a.shape[1] == b.shape[0]
        assert c.shape == (product.result.rows, product.result.columns)
        found = explain(run, stage.name, index)
        row, column = a[product.left.row].astype(np.float64), b[:, product.right.column].astype(np.float64)
        bias = float(run.weight(stage.weights[1], index[-1:])) if len(stage.weights) > 1 else 0.0
        assert math.fsum((*(row * column), bias)) == found.total, stage.name
        assert c[product.result.row, product.result.column] == found.stored
        check_terms(product, row, column, found.terms[:5])
        kinds.add(stage.kind)
    assert kinds


def check_terms(product: Product, row: Any, column: NDArray[Any], terms: Sequence[Term]) -> None:
    """Each factor of a term stands where the matrices have it."""
    for term in terms:
        for factor in term.factors:
            if factor.name == product.right.name:
                assert product.right.down is not None
                assert factor.value == column[factor.index[product.right.down]]
            elif factor.name == product.left.name and not product.left.one_hot:
                assert product.left.across is not None
                assert factor.value == row[factor.index[product.left.across]]


def test_windows_are_parts_of_the_whole(small: Encoder) -> None:
    run = small.run(["the cat sat on the mat", "the dog"])
    for _, _, product in products(run, 1):
        for matrix in (product.left, product.right, product.result):
            rows, columns = slice(matrix.rows // 2, matrix.rows), slice(0, max(1, matrix.columns // 3))
            assert (matrix.window(run, rows, columns) == matrix.window(run, ALL, ALL)[rows, columns]).all()


def test_every_product_says_what_its_factors_are() -> None:
    """Or its picture would be missing: an operation that multiplies matrices has a view that shows it."""
    for name, operation in OPERATIONS.items():
        if operation.__module__.startswith("encoder_tui") and operation.card.products is not None:
            assert bool(operation.card.factors) == (name not in OF_MORE_THAN_TWO_MATRICES), name


def test_concat_is_made_of_heads(small: Encoder) -> None:
    run = small.run("the cat")
    stage = run.program["layers.0.attention.output"]
    product = product_of(run, stage, (0, 0, 0))
    heads, size = run.shapes["layers.0.attention.context"][1], run.shapes["layers.0.attention.context"][3]
    assert (product.joined, product.part, product.left.columns) == (size, "head", heads * size)
    assert product_of(run, run.program["layers.0.attention.query"], (0, 0, 0)).joined == 0
    assert product_of(run, run.program["layers.0.attention.norm"], (0, 0, 0)) is None


def test_a_recording_has_a_and_c_and_says_that_it_lacks_b(small: Encoder, tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    save(small.run("the cat"), path)
    recording = open_snapshot(path)
    product = product_of(recording, recording.program["layers.0.ffn.up"], (0, 0, 0))
    assert product.left.window(recording, ALL, ALL).shape == (product.left.rows, product.left.columns)
    with pytest.raises(InputError, match="a recording holds no weights"):
        product.right.window(recording, ALL, ALL)


def test_factors_as_einsum_writes_them() -> None:
    linear = factors_of("...k,jk->...j", 3, 2, 3)
    assert linear.summed == "k"
    assert linear.patterns((1, 2, 5)) == ((1, 2, None), (5, None))
    assert factors_of("...k,jk->...j", 2, 2, 2).patterns((1, 5)) == ((1, None), (5, None))
    assert factors_of("...v,vj->...j", 3, 3, 3).patterns((1, 2, 5)) == ((1, 2, None), (0, None, 5))
    assert factors_of("bhtd,1hrd->bhtr", 4, 4, 4).patterns((3, 1, 2, 6)) == ((3, 1, 2, None), (0, 1, 6, None))
