"""Neighbours and analogies: exact against numpy on made vectors, and what the bundled models know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from encoder_tui.engine import Encoder, InputError, Run, load, open_snapshot, save
from encoder_tui.engine.analysis.word_vectors import WordTable, embedding_weight, is_special
from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.commands.session import Session
from safetensors.torch import load_file, save_file
from word_models import TEXTS, WORDS, save_words


@pytest.fixture(scope="module", params=["cbow", "skipgram"])
def bundled(request: pytest.FixtureRequest) -> Session:
    return Session(load(request.param, "cpu").run("a king"))


@pytest.fixture
def made(tmp_path: Path) -> Run:
    """Random vectors, of which `dog` and `cat` are the same, `sun` is nothing and `moon` is not a number."""
    save_words(tmp_path, "skipgram", hidden=6)
    weights = load_file(tmp_path / "model.safetensors")
    table = weights["embeddings.weight"]
    table[WORDS.index("dog")] = table[WORDS.index("cat")]
    table[WORDS.index("sun")] = 0
    table[WORDS.index("moon")] = float("nan")
    save_file(weights, tmp_path / "model.safetensors")
    return load(tmp_path, "cpu").run(TEXTS)


def said(session: Session, line: str):
    return TABLE.execute(session, line).text.splitlines()


def words_of(lines: list[str]):
    return [line.split()[0] for line in lines[1:]]


# -- exact ------------------------------------------------------------------------------------------------------


def by_hand(run: Run, wanted: Any, besides: set[int]):
    table = run.weights["embeddings.weight"].numpy().astype(np.float64)
    left = [n for n in range(2, len(WORDS)) if n not in besides and np.isfinite(table[n]).all() and table[n].any()]
    cosine = {n: float(table[n] @ wanted / np.linalg.norm(table[n]) / np.linalg.norm(wanted)) for n in left}
    return [(WORDS[n], cosine[n]) for n in sorted(left, key=lambda n: (-round(cosine[n], 6), n))]


def test_neighbours_are_those_of_numpy(made: Run):
    table = made.weights["embeddings.weight"].double().numpy()
    for word in ("rain", "cat", "four"):
        number = WORDS.index(word)
        found = WordTable(made).near(word, 100)
        expected = by_hand(made, table[number], {number})
        assert [at.word for at in found] == [name for name, _ in expected]
        assert [at.cosine for at in found] == pytest.approx([cosine for _, cosine in expected], abs=1e-6)
        assert [WORDS[at.id] for at in found] == [at.word for at in found]


def test_an_analogy_is_a_sum_of_directions(made: Run):
    table = made.weights["embeddings.weight"].double().numpy()
    unit = table / np.linalg.norm(table, axis=1, keepdims=True).clip(1e-30)
    a, b, c = (WORDS.index(word) for word in ("cat", "rain", "two"))
    expected = by_hand(made, unit[b] - unit[a] + unit[c], {a, b, c})
    assert [at.word for at in WordTable(made).analogy("cat", "rain", "two", 100)] == [name for name, _ in expected]


def test_equally_near_words_come_in_the_order_of_their_ids(made: Run):
    found = [at.word for at in WordTable(made).near("rain", 100)]
    assert found.index("dog") == found.index("cat") + 1
    first = WordTable(made).near("cat", 1)[0]
    assert (first.word, first.cosine) == ("dog", pytest.approx(1, abs=1e-6))


@pytest.mark.parametrize("word", ["sun", "moon", "[PAD]", "[UNK]"])
def test_what_has_no_direction_is_nobodys_neighbour(made: Run, word: str):
    table = WordTable(made)
    assert word not in [at.word for at in table.near("rain", 100)]
    with pytest.raises(InputError, match="no vector to compare"):
        table.near(word, 3)


def test_half_precision_is_compared_in_float32(tmp_path: Path):
    save_words(tmp_path, "cbow")
    whole, half = (WordTable(load(tmp_path, "cpu", dtype).run("a cat")) for dtype in ("float32", "bfloat16"))
    for one, other in zip(whole.near("cat", 3), half.near("cat", 3), strict=True):
        assert (one.word, one.cosine) == (other.word, pytest.approx(other.cosine, abs=0.02))
        assert other.cosine != float(torch.tensor(other.cosine).bfloat16())


# -- of any program ---------------------------------------------------------------------------------------------


def test_of_an_encoders_token_embeddings(minilm: Encoder):
    session = Session(minilm.run("a king"))
    assert embedding_weight(session.trace) == "embeddings.word_embeddings.weight"
    assert words_of(said(session, "nearest king 3"))[0] == "kings"
    assert words_of(said(session, "nearest MONDAY 2")) == words_of(said(session, "nearest monday 2"))
    found = words_of(said(session, "nearest monday 6"))
    assert {"tuesday", "wednesday", "thursday"} <= set(found)
    assert not any(map(is_special, found))


def test_a_recording_has_no_vectors(made: Run, tmp_path: Path):
    save(made, tmp_path / "all.safetensors")
    with pytest.raises(InputError, match="a recording holds no word vectors"):
        said(Session(open_snapshot(tmp_path / "all.safetensors")), "nearest cat")


# -- as commands ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("nearest", "nearest takes 1 word, not 0; write `nearest WORD \\[N\\]`"),
        ("nearest king queen", "takes 1 word, not 2"),
        ("nearest kingg", "'kingg' is not a word of this vocabulary; did you mean king"),
        ("nearest king 0", "0 is out of range: nearest lists 1 to 1000 words"),
        ("nearest king 99999", "out of range"),
        ("nearest 'king", "cannot read"),
        ("nearest [UNK]", "has no vector to compare"),
        ("analogy man king", "analogy takes 3 words, not 2"),
        ("analogy man king zzzqqq", "'zzzqqq' is not a word of this vocabulary$"),
    ],
)
def test_what_is_refused(bundled: Session, line: str, message: str):
    with pytest.raises(InputError, match=message):
        said(bundled, line)


def test_how_they_are_written(bundled: Session):
    lines = said(bundled, "nearest king 4")
    assert lines[0] == "nearest to 'king' by cosine, in embeddings.weight"
    assert len(lines) == 5
    cosines = [float(line.split()[1]) for line in lines[1:]]
    assert cosines == sorted(cosines, reverse=True)
    assert len(said(bundled, "nearest king")) == 11
    assert said(bundled, "analogy man king woman 1")[0].startswith("man : king = woman : ?")


# -- what was learned -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("monday", "tuesday wednesday thursday friday saturday sunday"),
        ("three", "one two four five six seven eight nine ten"),
        ("france", "germany england spain italy russia europe french"),
        ("mother", "father daughter son sister brother wife grandmother"),
        ("red", "green blue yellow black white brown purple pink"),
        ("june", "january february march april may july august september october november december"),
    ],
)
def test_neighbours_are_of_a_kind(bundled: Session, word: str, kind: str):
    found = words_of(said(bundled, f"nearest {word} 10"))
    assert len(set(found) & set(kind.split())) >= 3, found


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("man king woman", "queen"), ("he his she", "her"), ("big bigger small", "smaller"), ("go went make", "made"),
        ("run running sing", "singing"), ("boy boys girl", "girls"),
    ],
)  # fmt: skip
def test_analogies_are_solved(bundled: Session, question: str, answer: str):
    assert answer in words_of(said(bundled, f"analogy {question} 3"))
