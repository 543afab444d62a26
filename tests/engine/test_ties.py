"""Tied weights are tied as transformers 5 ties them on loading: the config proposes, what is stored decides."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import family_albert
import family_bert
import family_deberta
import family_deberta_v2
import family_distilbert
import family_electra
import family_ernie
import family_modernbert
import family_mpnet
import family_nomic_bert
import family_roberta
import family_t5
import pytest
import torch
from encoder_tui.engine import Encoder, load
from encoder_tui.engine.messages.errors import InputError
from encoder_tui.engine.models.ties import ties_of
from family_kit import Sample, differences, family_of, open_pair, random_model, reference_values, tokens_for
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

WORDS = [
    family_albert.SAMPLE, family_bert.SAMPLE, family_deberta.SAMPLE, family_deberta_v2.SAMPLE, family_distilbert.SAMPLE,
    family_electra.SAMPLE, family_ernie.SAMPLE, family_modernbert.SAMPLE, family_mpnet.SAMPLE, family_nomic_bert.SAMPLE, *family_roberta.SAMPLES,
]  # fmt: skip
SAID = {"true": {"tie_word_embeddings": True}, "false": {"tie_word_embeddings": False}, "silent": {}}


def pair_of(sample: Sample, encoder: Encoder) -> tuple[tuple[str, str], list[tuple[str, str]]]:
    """The weight of the decoder and the table it is tied to, as they are stored, and the decoder's bias if it has a twin."""
    names = [*family_of(encoder).TIED.items()]
    return next(pair for pair in names if pair[0].endswith("weight")), [n for n in names if n[0].endswith("bias")]


def stored_name(directory: Path, canonical: str):
    return next(name for name in load_file(directory / "model.safetensors") if name.endswith(canonical))


def edit(directory: Path, said: str, change: Callable[[dict[str, torch.Tensor]], object]):
    config = json.loads((directory / "config.json").read_text())
    config.pop("tie_word_embeddings", None)
    (directory / "config.json").write_text(json.dumps(config | SAID[said]))
    weights = {name: tensor.clone() for name, tensor in load_file(directory / "model.safetensors").items()}
    change(weights)
    save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})


def compared(sample: Sample, model: Any, encoder_directory: Path):
    encoder = load(encoder_directory, "cpu", **sample.load)
    theirs = model.__class__.from_pretrained(encoder_directory, attn_implementation="eager", dtype=torch.float32).eval()
    run = encoder.run(tokens_for(sample, encoder, [6, 3]))
    expected = reference_values(sample, theirs, run)
    assert not differences(run, expected)
    return encoder, run, expected


@pytest.fixture(scope="module", params=WORDS, ids=str)
def words(request: pytest.FixtureRequest) -> tuple[Sample, Any, Encoder]:
    model = random_model(request.param, head="words", tie_word_embeddings=True)
    return request.param, model, open_pair(request.param, model)[0]


@pytest.fixture
def saved(words: tuple[Sample, Any, Encoder], tmp_path: Path) -> tuple[Sample, Any, Encoder, Path]:
    sample, model, encoder = words
    model.save_pretrained(tmp_path)
    Tokenizer(WordLevel({f"w{n}": n for n in range(99)})).save(str(tmp_path / "tokenizer.json"))
    return sample, model, encoder, tmp_path


@pytest.mark.few(8)
@pytest.mark.parametrize("said", SAID)
def test_a_decoder_that_differs_is_used_as_it_is_stored(saved: tuple[Sample, Any, Encoder, Path], said: str):
    """Both are stored and different: whatever the config says, and says not, neither stands for the other."""
    sample, model, encoder, directory = saved
    (target, source), biases = pair_of(sample, encoder)
    front = stored_name(directory, source).removesuffix(source)

    def change(weights: dict[str, torch.Tensor]):
        name = next((name for name in weights if name.endswith(target)), None) or (
            target
            if target.startswith(("cls", "lm_head", "predictions", "generator", "vocab", "decoder"))
            else front + target
        )
        weights[name] = torch.randn_like(weights[front + source])
        for bias, _ in biases:
            weights[bias] = torch.randn(99)

    edit(directory, said, change)
    encoder, run, _ = compared(sample, model, directory)
    told = [note for note in encoder.checkpoint.notes if "tied to" in note]
    assert len(told) == (0 if said == "false" else 1 + len(biases)), encoder.checkpoint.notes
    assert all(note.startswith((target, *(bias for bias, _ in biases))) for note in told)
    logits, x = run["head.words.logits"].tensor(), run[run.program["head.words.logits"].inputs[0]].tensor()
    assert not torch.equal(logits, torch.nn.functional.linear(x, encoder.weights[source]))


@pytest.mark.few(6)
@pytest.mark.parametrize("said", ["true", "silent"])
def test_only_the_table_is_stored(saved: tuple[Sample, Any, Encoder, Path], said: str):
    sample, model, _, directory = saved
    edit(directory, said, lambda weights: None)
    encoder, run, _ = compared(sample, model, directory)
    assert "head.words.logits" in run.program
    assert encoder.checkpoint.notes == []


@pytest.mark.few(6)
@pytest.mark.parametrize("said", ["true", "silent"])
def test_only_the_decoder_is_stored(saved: tuple[Sample, Any, Encoder, Path], said: str):
    """transformers ties both ways: the table is then the decoder's."""
    sample, model, encoder, directory = saved
    (target, source), _ = pair_of(sample, encoder)
    table = stored_name(directory, source)

    def change(weights: dict[str, torch.Tensor]):
        weights[target] = weights.pop(table)

    edit(directory, said, change)
    compared(sample, model, directory)


def test_untied_and_not_stored_is_missing(saved: tuple[Sample, Any, Encoder, Path]):
    """transformers would draw it anew, and say so."""
    directory = saved[-1]
    edit(directory, "false", lambda weights: None)
    with pytest.raises(InputError, match=r"weights are missing: "):
        load(directory, "cpu")


def test_equal_ones_are_one(saved: tuple[Sample, Any, Encoder, Path]):
    sample, model, encoder, directory = saved
    (target, source), _ = pair_of(sample, encoder)

    def change(weights: dict[str, torch.Tensor]):
        weights[target] = weights[next(name for name in weights if name.endswith(source))].clone()

    edit(directory, "true", change)
    again, _, _ = compared(sample, model, directory)
    assert again.checkpoint.notes == []
    assert again.checkpoint.parameters(again.program) == encoder.checkpoint.parameters(encoder.program)
    assert again.checkpoint.unused(again.program) == []


@pytest.mark.few(6)
@pytest.mark.parametrize("sample", family_t5.SAMPLES, ids=str)
@pytest.mark.parametrize("said", SAID)
@pytest.mark.parametrize("stored", ["both", "shared", "own"])
def test_t5_has_two_names_for_its_table(sample: Sample, said: str, stored: str, tmp_path: Path):
    """Tied whatever the config says; but stored twice with other numbers, the encoder's own is what it reads."""
    model = random_model(sample)
    model.save_pretrained(tmp_path)
    Tokenizer(WordLevel({f"w{n}": n for n in range(99)})).save(str(tmp_path / "tokenizer.json"))

    def change(weights: dict[str, torch.Tensor]):
        table = weights.pop("shared.weight")
        if stored != "own":
            weights["shared.weight"] = table
        if stored != "shared":
            weights["encoder.embed_tokens.weight"] = table.roll(1, 0)

    edit(tmp_path, said, change)
    encoder, _, _ = compared(sample, model, tmp_path)
    assert len(encoder.checkpoint.notes) == (stored == "both")


def test_which_stands_for_which():
    pairs = {"a": "b"}
    assert ties_of(pairs, {"b"}, lambda one, other: False).instead == {"a": "b"}
    assert ties_of(pairs, {"a"}, lambda one, other: False).instead == {"b": "a"}
    assert ties_of(pairs, {"a", "b"}, lambda one, other: True).instead == {"a": "b"}
    differing = ties_of(pairs, {"a", "b"}, lambda one, other: False)
    assert (differing.instead, differing.differing) == ({}, {"a": "b"})
    assert ties_of(pairs, (), lambda one, other: True).instead == {}
