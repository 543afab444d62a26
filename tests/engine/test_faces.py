"""What the vocabulary lacks keeps the text's own words on screen, is found by them, and is called as the model has it elsewhere."""

from __future__ import annotations

import pytest
from encoder_tui.engine import InputError, Session, load
from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.program.faces import face, faces_of

TEXT = "猫坐在 the mat，猫"


@pytest.fixture(scope="module")
def session() -> Session:
    encoder = load(None, "cpu")
    return Session(encoder.run([TEXT, "a cat"]), encoder)


def test_unknown_tokens_are_called_by_what_the_text_has(session: Session):
    tokens = session.trace.tokens
    unknown = [at for at, word in enumerate(tokens.strings[0]) if word == "[UNK]"]
    faces = faces_of(tokens)
    assert [faces[0][at] for at in unknown if at != 6][:3] == ["?猫", "?坐", "?在"]
    assert [word for at, word in enumerate(faces[0]) if at not in unknown] == [
        word for word in tokens.strings[0] if word != "[UNK]"
    ]
    assert faces[1] == tokens.strings[1]
    assert face(tokens, 0, 0) == ""


def test_those_of_a_second_segment_are_read_there():
    tokens = load(None, "cpu").run("a cat", pair="the 猫").tokens
    at = tokens.strings[0].index("[UNK]")
    assert faces_of(tokens)[0][at] == "?猫"


def test_ids_have_no_text_to_show():
    encoder = load(None, "cpu")
    tokens = encoder.run(TEXT).tokens
    from dataclasses import replace

    assert faces_of(replace(tokens, from_ids=True)) == tokens.strings


def test_an_index_takes_the_face(session: Session):
    def where(index: str) -> str:
        return TABLE.execute(session, f"print embeddings.token[batch=0, token={index}, hidden=0]").text

    assert where('"坐"') == where("2") == where('"?坐"')
    with pytest.raises(InputError, match=r"2 tokens of text 0"):
        where('"猫"')
    assert where('"猫"#1') == where("1")
    with pytest.raises(InputError, match="no token '狗'"):
        where('"狗"')


def test_what_is_printed_calls_them_as_the_model_does(session: Session):
    assert "猫" not in TABLE.execute(session, "print embeddings.token[0, :4, :2]").text


def test_what_is_explained_calls_them_by_their_faces(session: Session):
    why = TABLE.execute(session, "why layers.0.attention.scores[0, 0, 2, 1]").text
    assert "query=2 '?坐', key=1 '?猫'" in why
    assert "query_heads[0, 0, 2 '?坐', " in why
    assert "UNK" not in why
    assert "?坐" in session.trace["layers.0.attention.scores"].html("0, 0")
