"""No cause is named of a healthy pair: every family against itself in another dtype, by another kernel, at another length."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
import torch
from encoder_tui.engine import Encoder, Run, Tokens, record
from encoder_tui.engine.analysis.compare import compare
from encoder_tui.engine.analysis.diagnose import Diagnosis, diagnose
from encoder_tui.engine.analysis.matching import match_trace
from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.commands.session import Session
from encoder_tui.engine.models.traced.arguments import Arguments, arguments_for_tokens
from encoder_tui.engine.models.traced.by_transformers import attending
from encoder_tui.engine.models.traced.on_inputs import module_on
from encoder_tui.engine.program.tokens import PIXELS
from encoder_tui.engine.program.trace import Trace
from encoder_tui.testing import assert_same
from family_kit import Sample, open_pair, random_model, random_tokens, sample_of, samples, tokens_for

LENGTHS = (12, 8, 5)
SAMPLES = {sample.family: sample for sample in samples()}


@dataclass(frozen=True)
class Healthy:
    """A family's checkpoint of random weights, opened by us and by transformers, and a batch for it."""

    sample: Sample
    encoder: Encoder
    module: Any
    tokens: Tokens

    def run(self, rows: list[int], width: int) -> Run:
        """Of some texts of the batch, padded to so many tokens."""
        return self.encoder.run(some_rows(self.tokens, rows, width))

    @property
    def whole(self) -> Run:
        """Of all."""
        return self.encoder.run(self.tokens)

    def in_dtype(self, dtype: str) -> Run:
        """The same in another dtype."""
        return self.encoder.otherwise(replace(self.encoder.settings, dtype=dtype)).run(self.tokens)

    @property
    def called_with(self) -> Arguments:
        """What transformers' module is called with for the same tokens."""
        if self.sample.inputs is not None:
            return Arguments.of(self.sample.inputs(self.tokens))
        return arguments_for_tokens(self.module, self.tokens, self.encoder.device)[0]

    def attending(self, attention: str, dtype: torch.dtype = torch.float32) -> Trace:
        """transformers' module by one of its kernels, walked."""
        module = attending(copy.deepcopy(self.module).to(dtype), attention)
        return module_on(module, self.called_with, self.whole.original_inputs)

    def recorded(self) -> Trace:
        """transformers' module, recorded."""
        given = self.called_with
        with torch.no_grad():
            return record(self.module, *given.positional, **given.named)


def some_rows(tokens: Tokens, rows: list[int], width: int) -> Tokens:
    """Some texts of a batch, padded to so many tokens; images are all as long."""
    width = tokens.shape[1] if PIXELS in tokens.arrays else width

    def cut(array: Any) -> Any:
        taken = array[rows]
        return taken[:, :width] if array.shape[1] == tokens.shape[1] else taken

    return replace(
        tokens, texts=tuple(tokens.texts[row] for row in rows), strings=tuple(tokens.strings[row][:width] for row in rows),
        places=tuple(tokens.places[row][:width] for row in rows), arrays={name: cut(array) for name, array in tokens.arrays.items()},
        **{part: cut(getattr(tokens, part)) for part in ("ids", "mask", "segments", "positions")},
    )  # fmt: skip


@lru_cache(maxsize=2)  # cases of a family follow one after the other
def healthy(family: str, **options: Any) -> Healthy:
    sample = SAMPLES[family]
    encoder, module = open_pair(sample, random_model(sample, **options))
    return Healthy(sample, encoder, module, tokens_for(sample, encoder, LENGTHS))


DTYPES = ("bfloat16", "float16", "float64")
OTHERWISE: Mapping[str, Callable[[Healthy], tuple[Run, Trace]]] = {
    **{f"theirs in {dtype}": lambda pair, dtype=dtype: (pair.whole, pair.in_dtype(dtype)) for dtype in DTYPES},
    **{f"ours in {dtype}": lambda pair, dtype=dtype: (pair.in_dtype(dtype), pair.whole) for dtype in DTYPES},
    "more padding": lambda pair: (pair.run([1, 2], 8), pair.run([1, 2], 12)),
    "less padding": lambda pair: (pair.run([1, 2], 12), pair.run([1, 2], 8)),
    "more texts": lambda pair: (pair.run([1, 2], 8), pair.run([1, 2, 0], 12)),
    "alone": lambda pair: (pair.run([2], 5), pair.run([2, 0], 12)),
    "among others": lambda pair: (pair.run([2, 0], 12), pair.run([2], 5)),
}
FOREIGN: Mapping[str, Callable[[Healthy], tuple[Run, Trace]]] = {
    "sdpa": lambda pair: (pair.whole, pair.attending("sdpa")),
    "sdpa in bfloat16": lambda pair: (pair.whole, pair.attending("sdpa", torch.bfloat16)),
    "eager": lambda pair: (pair.whole, pair.attending("eager")),
    "recorded": lambda pair: (pair.whole, pair.recorded()),
}


def cases(ways: Mapping[str, Any]) -> list[Any]:
    """Every family in every way; what is not transformers' cannot be told how to attend."""
    return [
        pytest.param(family, way, id=f"{family}-{way}")
        for family, sample in SAMPLES.items()
        for way in ways
        if sample.opener is None or way not in ("sdpa", "sdpa in bfloat16", "eager")
    ]


@pytest.mark.few(25)
@pytest.mark.parametrize(("family", "way"), cases(OTHERWISE))
def test_nothing_is_named_of_a_family_against_itself(family: str, way: str) -> None:
    diagnosis = diagnose(*OTHERWISE[way](healthy(family)))
    assert diagnosis.nothing, said(diagnosis)


@pytest.mark.few(12)
@pytest.mark.parametrize(("family", "way"), cases(FOREIGN))
def test_nothing_is_named_of_the_module_a_family_is_of(family: str, way: str) -> None:
    """Matched to our stages, as `compare` does it; and as it is, where what it calls as we do is laid out otherwise."""
    ours, theirs = FOREIGN[way](healthy(family))
    diagnosis = diagnose(ours, match_trace(ours, theirs, title=way))
    assert diagnosis.nothing, said(diagnosis)
    diagnosis = diagnose(ours, theirs)
    assert not diagnosis.causes, said(diagnosis)


def said(diagnosis: Diagnosis) -> str:
    """What was named, for people."""
    return f"{[(cause.first, cause.kind, cause.cause) for cause in diagnosis.causes]}, left {diagnosis.left}"


@pytest.mark.parametrize("said", ["attention sdpa", "attention eager", "dtype float16"])
def test_nothing_is_named_of_a_pair_of_texts(small: Encoder, said: str) -> None:
    """Its segments go to transformers' module as well, which takes them for zeros where they are not given."""
    session = Session(small.run(["A cat sat.", "The animal didn't cross the street"], "It was tired"), small)
    assert TABLE.execute(session, f"diagnose {said}").verdict.startswith("equal")


def test_a_table_cut_to_the_text_is_no_other_shape() -> None:
    """DeBERTa's table of distances is as long as the text; one of other heads is another shape whatever the text is."""
    short = healthy("DeBERTa").run([1, 2], 8)
    compared = compare(short, healthy("DeBERTa").run([1, 2], 12))
    assert [shape.name for shape in compared.unlike_shapes if shape.by_tokens][:1] == ["positions.table"]
    assert compared.equal
    other = compare(short, healthy("DeBERTa", num_attention_heads=2).run([1, 2], 12))
    assert "layers.0.attention.query_heads" in {shape.name for shape in other.other_shapes}
    assert not other.equal


def test_what_depends_on_padding_is_said_to() -> None:
    """The probabilities of where an answer begins are shares of all places, padding among them."""
    pair = healthy("BERT", head="answer")
    diagnosis = diagnose(pair.run([1, 2], 8), pair.run([1, 2], 12))
    assert [(cause.first, cause.kind) for cause in diagnosis.causes] == [("head.answer.start_probabilities", "padding")]
    assert "theirs pads to 12 tokens, ours to 8" in diagnosis.causes[0].cause
    assert diagnosis.left is None


@pytest.mark.parametrize("family", ["ModernBERT", "DeBERTa-v2"])
def test_a_module_that_lays_heads_out_otherwise_is_the_same(family: str) -> None:
    """What stands under one of our names along other axes is no difference: what is made of it is compared."""
    sample = sample_of(family)
    model = random_model(sample)
    encoder, _ = open_pair(sample, model)
    assert_same(model, encoder.run(random_tokens((9,), np.random.default_rng(0), encoder)))
