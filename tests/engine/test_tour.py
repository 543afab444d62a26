"""The guided tour: whole in both languages, right about the numbers, and one can leave it and come back."""

import re

import pytest
from encoder_tui.engine import InputError, Session, load
from encoder_tui.engine.analysis.tour import TourPlace, page_of, stops_of
from encoder_tui.engine.commands import TABLE

CHINESE = re.compile(r"[\u4e00-\u9fff]")
TEXT = "The animal didn't cross the street because it was too tired"


@pytest.fixture(scope="module")
def encoder():
    return load(None, "cpu")


@pytest.fixture
def session(encoder):
    return Session(encoder.run(TEXT), encoder)


def tour(session, rest=""):
    return TABLE.execute(session, f"tour {rest}".strip())


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_stop_has_its_text_and_numbers(session, language):
    stops = stops_of(session.trace.program)
    assert len(stops) >= 12
    for number in range(len(stops)):
        page = page_of(session.trace, stops, TourPlace(number, shown=True), language)
        for words in (page.title, page.ask, page.tell):
            assert words
            assert not re.search(r"\{\w+\}", words), words
            assert bool(CHINESE.search(words)) == (language == "zh"), words
        assert page_of(session.trace, stops, TourPlace(number), language).tell == ""


def test_it_asks_then_shows_then_goes_on(session):
    first, second, third = (tour(session) for _ in range(3))
    assert "tour 1/13 · From text to tokens" in first.text
    assert "think" in first.text
    assert "Into 15: [CLS] the animal" in second.text
    assert "tour 2/13" in third.text
    assert third.stop.stage.name == "tokens.one_hot"
    assert third.request.argument == "numbers"


def test_the_answers_are_those_of_the_run(session):
    stops = stops_of(session.trace.program)
    told = {stop.facts: page_of(session.trace, stops, TourPlace(n, shown=True)).tell for n, stop in enumerate(stops)}
    assert told["heads"].startswith("128 / 4 = 32.")
    weights = session.trace["layers.1.attention.weights"].read((0,))  # (head, query, key)
    page = page_of(session.trace, stops, TourPlace([s.facts for s in stops].index("weights"), shown=True))
    strings = session.trace.tokens.strings[0]
    assert strings[page.token] == "it"
    key = int(weights[page.head, page.token].argmax())
    assert page.tell.startswith(f'At "{strings[key]}", with {weights[page.head, page.token, key]:.0%}')
    std = session.trace["layers.0.attention.scaled"].stats().std
    assert told["scaled"].startswith(f"By {std:.3g}.")


def test_one_can_wander_off_and_come_back(session):
    tour(session, "5")
    TABLE.execute(session, "goto end")
    back = tour(session)
    assert "tour 5/13" in back.text
    assert back.stop.stage.name == "layers.0.attention.query_heads"
    assert "128 / 4" in tour(session).text
    assert "tour 6/13" in tour(session, "next").text


def test_back_next_leave_and_the_end(session):
    tour(session, "3")
    assert "tour 2/13" in tour(session, "back").text
    assert "tour 3/13" in tour(session, "next").text
    tour(session, "leave")
    assert session.tour is None
    tour(session, "13")
    tour(session)
    assert "at its end" in tour(session).text
    assert session.tour is None


def test_other_models_have_the_stops_they_have(minilm):
    session = Session(minilm.run(["one two", "three"]), minilm)
    stops = stops_of(session.trace.program)
    assert "head.words.probabilities" not in [stop.stage for stop in stops]
    for number in range(len(stops)):
        assert page_of(session.trace, stops, TourPlace(number, shown=True)).tell


@pytest.mark.parametrize("rest", ["0", "14", "nowhere"])
def test_refused(session, rest):
    with pytest.raises(InputError) as refusal:
        tour(session, rest)
    assert "\n" not in str(refusal.value)


def test_a_recording_has_no_tour(session, tmp_path):
    from encoder_tui.engine import open_snapshot, save

    save(session.trace, tmp_path / "s.safetensors", upto=10)
    with pytest.raises(InputError, match="live run"):
        tour(Session(open_snapshot(tmp_path / "s.safetensors")))


@pytest.mark.parametrize(
    ("text", "words"), [(TEXT, 11), ("hi", 1), ("猫坐在垫子上。", 6), ("我用 BERT, really", 4), ("- ...", 0)]
)
def test_words_are_counted_in_scripts_without_spaces_too(encoder, text, words):
    assert f"Words in your text: {words}." in tour(Session(encoder.run(text), encoder)).text
