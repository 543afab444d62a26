"""The bundled models by name, and directories that have the same name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from encoder_tui.engine import InputError, load
from encoder_tui.engine.models.hub import BUNDLED_WORDS, SAMPLES, locate
from word_models import save_words


def quiet(_: str):
    """Says nothing."""


@pytest.mark.parametrize("name", BUNDLED_WORDS)
def test_by_name_and_by_prefix(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert locate(name, quiet) == locate(f"bundled:{name}", quiet) == (name, SAMPLES / name)
    encoder = load(name, "cpu")
    assert (encoder.name, encoder.about["family"]) == (name, name)


def test_a_directory_of_the_same_name_has_to_be_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    save_words(tmp_path / "cbow", "cbow")
    with pytest.raises(InputError, match=r"bundled model and a directory here; write \./cbow .* bundled:cbow"):
        load("cbow", "cpu")
    assert load("./cbow", "cpu").program.weights["embeddings.weight"][1] == 12
    assert load("bundled:cbow", "cpu").program.weights["embeddings.weight"][1] == 96
    assert locate("skipgram", quiet)[1] == SAMPLES / "skipgram"


def test_beside_the_bundled_models_themselves(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(SAMPLES)
    assert os.path.isdir("cbow")
    assert locate("cbow", quiet) == ("cbow", SAMPLES / "cbow")


@pytest.mark.parametrize("name", ["bundled:cbwo", "bundled:", "bundled:../encoder"])
def test_no_such_model(name: str):
    with pytest.raises(InputError, match=r"no bundled model .*there are encoder, cbow, skipgram"):
        load(name, "cpu")


def test_the_default_by_prefix():
    assert locate("bundled:encoder", quiet) == locate(None, quiet) == ("bundled", SAMPLES / "encoder")


@pytest.mark.parametrize("name", BUNDLED_WORDS)
def test_small_on_disk(name: str):
    files: list[Path] = list((SAMPLES / name).iterdir())
    assert {path.name for path in files} == {"config.json", "model.safetensors", "tokenizer.json"}
    assert sum(path.stat().st_size for path in files) < 6_000_000
