"""Many texts compared: the worst, where each begins to differ, and what only lengths and padding show."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from encoder_tui.engine import Encoder, InputError
from encoder_tui.engine.analysis.compare.many_texts import compare_texts
from encoder_tui.engine.analysis.compare.over_texts import OverTexts, TextGap
from encoder_tui.engine.analysis.compare.over_texts_text import verdict_over_texts, write_over_texts
from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.commands.comparing import CompareLine, read_compare_line
from encoder_tui.engine.commands.session import Session
from encoder_tui.engine.program.trace import Trace
from faulty import Copies

PORT = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent.parent)!r})
from hand_written import HandWritten
MODEL = Path({{model!r}})

def right():
    return HandWritten(MODEL)

def wrong():
    return HandWritten(MODEL, "tanh")

class Blind(HandWritten):
    def forward(self, input_ids, attention_mask):
        return super().forward(input_ids, attention_mask * 0 + 1)

def blind():
    return Blind(MODEL)
"""
TEXTS = ["The animal was tired", "A dog", "The cat sat on the mat and then it ran in the park"]


@pytest.fixture
def session(ours: Encoder) -> Session:
    return Session(ours.run(TEXTS[0]), ours)


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    path = tmp_path / "texts.txt"
    path.write_text("\n\n".join(TEXTS) + "\n")
    return path


def test_the_worst_text_is_named_with_where_it_begins(copies: Copies, session: Session, texts: Path) -> None:
    def change(weights: dict[str, torch.Tensor]) -> None:
        weights["encoder.layer.0.output.dense.bias"].zero_()

    there = copies.make("biased", change)
    reply = TABLE.execute(session, f"compare model '{there}' texts '{texts}'")
    lines = reply.text.splitlines()
    assert lines[:2] == ["texts      3, of 4 to 15 tokens", "first      layers.0.ffn.down: 3 of 3 texts"]
    assert "at layers.0.ffn.down, 15 tokens: 'The cat sat on the mat and then it ran in the park'" in lines[2]
    assert "lengths    3, 5, 8, 16 tokens alone: all differ alone, at layers.0.ffn.down" in reply.text
    assert "padding    5 batches, texts of 4 to 15 tokens padded to 5 to 16: every padded batch, at " in reply.text
    assert reply.verdict.startswith("different: 3 of 3 texts, the worst is 'The cat sat on the mat")


def test_what_is_sound_is_equal(copies: Copies, session: Session, texts: Path) -> None:
    for reference in (f"model '{copies.make('sound')}'", "dtype float64"):
        reply = TABLE.execute(session, f"compare {reference} texts '{texts}'")
        assert reply.verdict == "equal within what rounding explains: 3 texts"


def test_what_one_text_hides_lengths_show(copies: Copies, session: Session, tmp_path: Path) -> None:
    """Positions beyond the fourth are broken, and no text is so long."""

    def change(weights: dict[str, torch.Tensor]) -> None:
        weights["embeddings.position_embeddings.weight"][4:] = 0

    path = tmp_path / "short.txt"
    path.write_text("A dog\na cat\n")
    reply = TABLE.execute(session, f"compare model '{copies.make('far', change)}' texts '{path}'")
    assert reply.verdict == (
        "different: none of 2 texts as they are, but alone from 5 tokens on, at embeddings.position, and every padded batch, "
        "at embeddings.position"
    )


def test_padding_on_the_left_is_seen_beside_padding_alone(copies: Copies, session: Session, texts: Path) -> None:
    there = copies.make("left")
    config = there / "tokenizer_config.json"
    settings = json.loads(config.read_text()) | {"padding_side": "left"}
    config.unlink()
    config.write_text(json.dumps(settings))
    reply = TABLE.execute(session, f"compare model '{there}' texts '{texts}'")
    assert reply.verdict.startswith("different: none of 3 texts as they are, but every padded batch, at ")


def test_a_module_is_called_with_every_text(small: Encoder, small_dir: Path, texts: Path, tmp_path: Path) -> None:
    """Also one whose stages were told by their numbers on this text: on a shorter one they are the same stages."""
    path, session = tmp_path / "port.py", Session(small.run(TEXTS[0]), small)
    path.write_text(PORT.format(model=str(small_dir)))
    reply = TABLE.execute(session, f"compare module {path}:right texts '{texts}'")
    assert reply.verdict == "equal within what rounding explains: 3 texts"
    reply = TABLE.execute(session, f"compare module {path}:wrong texts '{texts}'")
    assert "first      layers.0.ffn.activation: 3 of 3 texts" in reply.text


@pytest.mark.parametrize("lines", [["the cat sat", "a"], ["a", "the cat sat"], ["the cat sat"], ["a dog", "a cat"]])
def test_a_mask_left_out_is_seen_in_whatever_order_texts_stand(
    lines: list[str], small: Encoder, small_dir: Path, tmp_path: Path
) -> None:
    """Every length is really padded once, the longest and that of a text by itself too; and where the mask is kept, nothing differs."""
    path, texts = tmp_path / "port.py", tmp_path / "texts.txt"
    path.write_text(PORT.format(model=str(small_dir)))
    texts.write_text("\n".join(lines))
    session = Session(small.run("the cat sat"), small)
    reply = TABLE.execute(session, f"compare module {path}:blind texts '{texts}'")
    assert reply.verdict.startswith(
        f"different: none of {len(lines)} texts as they are, but every padded batch, at layers.0."
    )
    reply = TABLE.execute(session, f"compare module {path}:right texts '{texts}'")
    assert reply.verdict == f"equal within what rounding explains: {len(lines)} texts"


def test_each_length_is_padded_and_what_is_not_is_said(ours: Encoder) -> None:
    lines = ["a", "the cat sat", "a b c d e f g h i j"]
    result = compare_texts(lines, lambda batch, length: ours.run(list(batch), None, length), lambda trace: trace)
    tokens = {gap.tokens for gap in result.gaps}
    assert {gap.tokens for gap in result.padded} == tokens
    assert all(gap.padded and gap.beside for gap in result.padded)
    longest = max(tokens)
    result = compare_texts(
        lines, lambda batch, length: ours.run(list(batch), None, length), lambda trace: trace, longest=longest
    )
    assert {gap.tokens for gap in result.padded} == tokens - {longest}
    assert f"unpadded   {longest} tokens: the model takes no more" in write_over_texts(result)


def test_what_cannot_be_padded_at_all_is_no_plain_equal(ours: Encoder) -> None:
    def alone(batch: Sequence[str], length: int | None) -> Trace:
        if len(batch) > 1:
            raise InputError("no padding token")
        return ours.run(list(batch), None, length)

    result = compare_texts(["a dog"], alone, lambda trace: trace)
    assert result.padded == ()
    assert "unpadded   4 tokens: no padding token" in write_over_texts(result)
    assert verdict_over_texts(result) == "equal within what rounding explains: 1 texts, none of them beside padding"


@pytest.mark.parametrize(
    ("lengths", "said"),
    [
        ({3: False, 5: True, 8: True}, "alone from 5 tokens on, at here"),
        ({3: True, 5: False, 8: True}, "alone with 3, 8 tokens, at here"),
        ({3: True, 5: True, 8: True}, "alone with 3, 5, 8 tokens, at here"),  # the text as it is, of 4, does not
    ],
)
def test_from_a_length_on_is_said_only_of_what_is_so(lengths: dict[int, bool], said: str) -> None:
    texts = (TextGap("as it is", 4, 0, "", 0, 0),)
    gaps = tuple(TextGap("cut", size, 0, "here" * bad, 0, 0) for size, bad in lengths.items())
    assert verdict_over_texts(OverTexts("x", texts, gaps)) == f"different: none of 1 texts as they are, but {said}"


@pytest.mark.parametrize(
    ("cases", "said"),
    [
        ({(3, 5): False, (3, 8): False, (6, 8): True}, "beside padding texts of 6 tokens and more, at here"),
        ({(3, 5): False, (3, 8): True, (6, 8): True}, "batches padded to 8 tokens and more, at here"),
        ({(3, 5): True, (3, 8): False, (6, 8): True}, "2 of 3 padded batches (3 tokens padded to 5, 6 tokens padded to 8), at here"),
    ],
)  # fmt: skip
def test_padding_from_a_size_on_is_said_only_of_what_is_so(cases: dict[tuple[int, int], bool], said: str) -> None:
    padded = tuple(TextGap("a", few, wide - few, "here" * bad, 0, 0, "b") for (few, wide), bad in cases.items())
    result = OverTexts("x", (TextGap("a", 3, 0, "", 0, 0),), (), padded)
    assert verdict_over_texts(result) == f"different: none of 1 texts as they are, but {said}"


def test_it_is_read_once_for_all_texts(ours: Encoder) -> None:
    seen: list[str] = []

    def theirs(trace: object) -> object:
        seen.append(type(trace).__name__)
        return trace

    result = compare_texts(TEXTS, lambda batch, length: ours.run(list(batch), None, length), theirs)  # type: ignore[arg-type]
    assert result.equal
    assert len(seen) == len(result.gaps) + len(result.lengths) + len(result.padded)


def test_it_is_stopped_between_texts(ours: Encoder) -> None:
    with pytest.raises(InputError, match="interrupted after 0 of 3 texts"):
        compare_texts(
            TEXTS, lambda batch, length: ours.run(list(batch), None, length), lambda trace: trace, stopped=lambda: True
        )


def test_a_shape_that_differs_is_infinitely_far() -> None:
    gap = TextGap("a", 3, 0, "layers.0.attention.query_heads", math.inf, math.inf)
    assert "inf at the end, inf at layers.0.attention.query_heads, 3 tokens: 'a'" in write_over_texts(
        OverTexts("x", (gap,))
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("compare dtype float64 texts {there}/none.txt", "cannot read texts from"),
        ("compare dtype float64 texts {there}/empty.txt", "has no text in it; give a file with a text a line"),
        ("compare dtype float64 texts {there}/latin.txt", "cannot read texts from"),
        ("compare dtype float64 texts {there}/good.txt all", "`all` is of one text, and `texts "),
        ("compare dtype float64 texts {there}/good.txt diagnose", "`diagnose` is of one text, and `texts "),
        ("compare fork 0 texts {there}/empty.txt", "'fork 0' is of its own texts; over a file of texts compare model"),
        ("compare model {there}/none texts {there}/good.txt", "none"),
    ],
)
def test_what_cannot_be_compared_so_is_refused(session: Session, tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "empty.txt").write_text("\n \n")
    (tmp_path / "good.txt").write_text("a dog\n")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9\n")
    with pytest.raises(InputError) as refused:
        TABLE.execute(session, line.format(there=tmp_path))
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_what_is_patched_here_is_not_left_out_in_silence(session: Session, texts: Path) -> None:
    TABLE.execute(session, "patch embeddings.norm = x * 2")
    with pytest.raises(InputError, match=r"without what is patched here \(embeddings.norm\); undo that first"):
        TABLE.execute(session, f"compare dtype float64 texts '{texts}'")
    TABLE.execute(session, "undo")
    assert TABLE.execute(session, f"compare dtype float64 texts '{texts}'").verdict.startswith("equal")


@pytest.mark.parametrize("dashes", ["", "--"])
def test_options_are_written_as_words_or_as_on_a_command_line(dashes: str) -> None:
    read = read_compare_line(f"model M {dashes}tolerance 1e-5 {dashes}texts t.txt {dashes}all {dashes}diagnose")
    assert read == CompareLine(("model", "M"), 1e-5, True, True, "t.txt")
