"""The guided tour: whole in both languages, right about the numbers, and one can leave it and come back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from encoder_tui.engine import Encoder, InputError, Session, load
from encoder_tui.engine.analysis.tour import TourPlace, page_of, stops_of
from encoder_tui.engine.analysis.tour.experiments import SHOWN_TOKENS
from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.program.trace import expect_live
from family_kit import Sample, open_pair, random_model, samples, tokens_for

CHINESE = re.compile(r"[\u4e00-\u9fff]")
TEXT = "The animal didn't cross the street because it was too tired"


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load(None, "cpu")


@pytest.fixture
def session(encoder: Encoder) -> Session:
    return Session(encoder.run(TEXT), encoder)


def tour(session: Session, rest: str = ""):
    return TABLE.execute(session, f"tour {rest}".strip())


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_stop_has_its_text_and_numbers(session: Session, language: str):
    stops = stops_of(session.trace.program)
    assert [stop.facts for stop in stops] == [
        "tokens", "ids", "one_hot", "embedding", "neighbours", "position", "projections", "scores", "scaled", "mask", "weights",
        "context", "concat", "residual", "activation", "layers", "words",
    ]  # fmt: skip
    for number in range(len(stops)):
        page = page_of(expect_live(session.trace), stops, TourPlace(number, shown=True), language)
        for words in (page.title, page.ask, page.tell or page.tried, page.offer):
            assert words
            assert not re.search(r"\{\w+\}", words), words
            assert bool(CHINESE.search(words)) == (language == "zh"), words
        assert page_of(expect_live(session.trace), stops, TourPlace(number), language).tell == ""


def test_it_asks_then_shows_then_goes_on(session: Session):
    first, second, third = (tour(session) for _ in range(3))
    assert "tour 1/17 · From text to tokens" in first.text
    assert "think" in first.text
    assert "15 tokens: [CLS] the animal didn ' t cross the street because it … [SEP]. A word" in second.text
    assert "tour 2/17" in third.text
    assert third.stop.stage.name == "tokens.ids"
    assert third.request.argument == "numbers"


def number_of(session: Session, facts: str) -> int:
    return [stop.facts for stop in stops_of(session.trace.program)].index(facts)


def told(session: Session, facts: str) -> str:
    stops = stops_of(session.trace.program)
    return page_of(expect_live(session.trace), stops, TourPlace(number_of(session, facts), shown=True)).tell


def test_the_answers_are_those_of_the_run(session: Session):
    assert told(session, "concat").startswith("4 · 32 = 128:")
    weights = session.trace["layers.0.attention.weights"].read((0,))  # (head, query, key)
    stops = stops_of(session.trace.program)
    page = page_of(expect_live(session.trace), stops, TourPlace(number_of(session, "weights"), shown=True))
    strings = session.trace.tokens.strings[0]
    assert strings[page.token] == "it"
    row = weights[page.head, page.token]
    key = max((at for at in range(1, 14) if at != page.token), key=lambda at: row[at])  # another word
    assert page.tell.startswith(f'At "{strings[key]}", with {row[key]:.0%}')
    rows = [
        session.trace[f"layers.0.attention.{name}"].read((0, page.head, page.token)) for name in ("scores", "scaled")
    ]
    asked = page_of(expect_live(session.trace), stops, TourPlace(number_of(session, "scaled"))).ask
    assert asked.startswith(
        f'The scores of "it" in head {page.head} spread by {rows[0].std():.3g} '
    )  # as the view shows
    assert told(session, "scaled").startswith(f"By {rows[1].std():.3g}.")
    low = (session.trace["layers.0.ffn.activation"].read((0, page.token)) <= 0.01).mean()
    assert told(session, "activation").startswith(f"{low:.0%} of them.")
    norm = session.trace["layers.0.attention.norm"].read((0, page.token))
    assert told(session, "residual").startswith(f"Mean {norm.mean():.3g}, deviation {norm.std():.3g}:")


def at_stop(session: Session, facts: str) -> None:
    tour(session, str(number_of(session, facts) + 1))


def test_what_is_tried_changes_the_run_and_is_taken_back(session: Session):
    before = session.trace["layers.0.attention.weights"].numpy().copy()
    at_stop(session, "scaled")
    said = tour(session, "try")
    assert "patch layers.0.attention.scaled = x * 5.657" in said.text
    assert '"it" gives "tired" 0.45 of its attention instead of 0.14' in said.text
    assert said.request.argument == "lines"
    after = session.trace["layers.0.attention.weights"].numpy()
    assert after[0, 0, 10, 13] == pytest.approx(0.45, abs=0.005)
    assert "took back: patch layers.0.attention.scaled" in tour(session, "try").text
    assert (session.trace["layers.0.attention.weights"].numpy() == before).all()


def test_every_stop_has_something_to_try_that_does_something(session: Session):
    stops = stops_of(session.trace.program)
    whole = session.trace["output"].numpy().copy()
    for number, stop in enumerate(stops[:-1], 1):
        tour(session, str(number))
        said = tour(session, "try").text
        assert session.tour is not None
        page = page_of(expect_live(session.trace), stops, session.tour)
        assert page.tried in said
        assert page.lines == tuple(patch.text for patch in expect_live(session.trace).patches)
        changed = session.trace["output"].numpy()
        if stop.facts == "weights":  # of which it is told that nothing happens
            assert changed == pytest.approx(whole, abs=1e-4)
        else:
            assert abs(changed - whole).max() > 1e-2, stop.facts
    tour(session, "leave")
    assert expect_live(session.trace).patches == ()
    assert (session.trace["output"].numpy() == whole).all()


def test_going_on_takes_it_back_unless_more_was_changed(session: Session):
    at_stop(session, "scores")
    tour(session, "try")
    assert "took back: scale" in tour(session, "next").text
    assert expect_live(session.trace).patches == ()
    tour(session, "try")
    TABLE.execute(session, "ablate layers.1.output")
    assert "took back" not in tour(session, "next").text
    assert [patch.text.split()[0] for patch in expect_live(session.trace).patches] == ["patch", "ablate"]


def test_what_is_tried_can_be_taken_back_where_its_stage_cannot_be_computed(
    session: Session, monkeypatch: pytest.MonkeyPatch
):
    def full(*_: object):
        raise InputError("out of memory")

    tour(session, "7")
    with monkeypatch.context() as patched:
        patched.setattr(session.debugger, "goto", full)
        with pytest.raises(InputError, match="out of memory"):
            tour(session, "try")
    assert len(expect_live(session.trace).patches) == 1
    tour(session, "leave")
    assert not expect_live(session.trace).patches


def test_at_the_last_stop_the_word_is_hidden_and_the_model_asked(session: Session):
    hidden = tour(session, "17")
    assert session.trace.tokens.strings[0][10] == "[MASK]"
    assert '"it" has been hidden: [MASK] stands in its place' in hidden.text
    row = session.trace["head.words.probabilities"].read((0, 10))
    best = session.trace.word(int(row.argmax()))
    said = tour(session).text
    assert f"The model says {best} {row.max():.0%}," in said
    assert 'and "it" is among them' in said
    assert "itself gets" not in said
    shown = tour(session, "try").text
    assert "stands in its place again, so the model has only to say what it sees: it " in shown
    assert "has been hidden" not in shown
    assert "\npatch tokens.ids" not in shown
    assert expect_live(session.trace).patches == ()
    tour(session, "try")
    tour(session, "back")
    assert session.trace.tokens.strings[0][10] == "it"


def test_once_the_word_is_shown_again_there_is_nothing_to_answer(session: Session):
    tour(session, "17")
    tour(session, "try")
    assert session.tour is not None
    assert not session.tour.shown
    assert "at its end" in tour(session).text


@pytest.mark.few(6)
@pytest.mark.parametrize("sample", samples(), ids=str)
def test_every_family_has_a_tour(sample: Sample):
    encoder, _ = open_pair(sample, random_model(sample))
    session = Session(encoder.run(tokens_for(sample, encoder, [sample.shortest + 2])), encoder)
    stops = stops_of(session.trace.program)
    for number in range(len(stops)):
        for rest in (str(number + 1), "", "try"):
            try:
                assert "{" not in tour(session, rest).text
            except InputError as refused:
                assert rest == "try", refused  # noqa: PT017
                assert "nothing to be tried" in str(refused)  # noqa: PT017


def test_one_can_wander_off_and_come_back(session: Session):
    tour(session, "7")
    TABLE.execute(session, "goto end")
    back = tour(session)
    assert "tour 7/17" in back.text
    assert back.stop.stage.name == "layers.0.attention.query"
    assert "4 heads of 32" in tour(session).text
    assert "tour 8/17" in tour(session, "next").text


def test_back_next_leave_and_the_end(session: Session):
    tour(session, "3")
    assert "tour 2/17" in tour(session, "back").text
    assert "tour 3/17" in tour(session, "next").text
    tour(session, "leave")
    assert session.tour is None
    tour(session, "17")
    tour(session)
    assert "at its end" in tour(session).text
    assert session.tour is None


def test_other_models_have_the_stops_they_have(minilm: Encoder):
    run = minilm.run(["one two", "three"])
    session = Session(run, minilm)
    stops = stops_of(session.trace.program)
    assert "head.words.probabilities" not in [stop.stage for stop in stops]
    for number in range(len(stops)):
        assert page_of(run, stops, TourPlace(number, shown=True)).tell


def test_a_long_text_is_cut_short_where_it_is_listed(encoder: Encoder):
    session = Session(encoder.run("one two three four five six seven eight nine ten eleven twelve"), encoder)
    assert told(session, "tokens").count(" ") < SHOWN_TOKENS + 30
    assert "eleven" not in told(session, "tokens")


@pytest.mark.parametrize("rest", ["0", "18", "nowhere"])
def test_refused(session: Session, rest: str):
    with pytest.raises(InputError) as refusal:
        tour(session, rest)
    assert "\n" not in str(refusal.value)


def test_a_recording_has_no_tour(session: Session, tmp_path: Path):
    from encoder_tui.engine import open_snapshot, save

    save(session.trace, tmp_path / "s.safetensors", upto=10)
    with pytest.raises(InputError, match="live run"):
        tour(Session(open_snapshot(tmp_path / "s.safetensors")))


@pytest.mark.parametrize(
    ("text", "words"), [(TEXT, 11), ("hi", 1), ("猫坐在垫子上。", 6), ("我用 BERT, really", 4), ("- ...", 0)]
)
def test_words_are_counted_in_scripts_without_spaces_too(encoder: Encoder, text: str, words: int):
    assert f"Words in your text: {words}." in tour(Session(encoder.run(text), encoder)).text


WORD_STOPS = [
    "words_tokens", "ids", "one_hot", "words_window", "words_window", "words_neighbours", "words_window", "words_window", "words_window",
    "words_window",
]  # fmt: skip


@pytest.fixture(params=["cbow", "skipgram"])
def of_words(request: pytest.FixtureRequest) -> Session:
    encoder = load(request.param, "cpu")
    return Session(encoder.run(TEXT), encoder)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_word_models_have_a_tour_of_their_own(of_words: Session, language: str):
    stops = stops_of(of_words.trace.program)
    assert [stop.facts for stop in stops] == WORD_STOPS
    places = [of_words.trace.program.index(stop.stage) for stop in stops if stop.facts != "words_neighbours"]
    assert places == sorted(places)
    for number in range(len(stops)):
        page = page_of(expect_live(of_words.trace), stops, TourPlace(number, shown=True), language)
        for words in (page.title, page.ask, page.tell, page.offer):
            assert words
            assert not re.search(r"\{\w+\}", words), words
            assert bool(CHINESE.search(words)) == (language == "zh"), words
        assert page.lines


def test_what_they_offer_does_something_and_is_taken_back(of_words: Session):
    stops, ends = stops_of(of_words.trace.program), ("head.logits", "negatives.mean")
    whole = [of_words.trace[end].numpy().copy() for end in ends]
    for number in range(len(stops)):
        tour(of_words, str(number + 1))
        said = tour(of_words, "try").text
        assert of_words.tour is not None
        page = page_of(expect_live(of_words.trace), stops, of_words.tour)
        assert page.tried in said
        changed = [of_words.trace[end].numpy() for end in ends]
        assert any(abs(now - before).max() > 1e-4 for now, before in zip(changed, whole, strict=True)), page.title
    tour(of_words, "leave")
    assert expect_live(of_words.trace).patches == ()
    assert all((of_words.trace[end].numpy() == before).all() for end, before in zip(ends, whole, strict=True))


def test_their_answers_are_those_of_the_run(of_words: Session):
    trace, stops = expect_live(of_words.trace), stops_of(of_words.trace.program)
    told = [page_of(trace, stops, TourPlace(number, shown=True)).tell for number in range(len(stops))]
    assert told[3].startswith("8: didn't -5, cross -4, the -3, street -2, because -1, was +1, too +2, tired +3.")
    row = trace["head.probabilities"].read((0, 7))
    cbow = trace["loss.word"].axes == ("batch", "token")
    true = int(trace.tokens.ids[0, 7 if cbow else 8])
    assert f"gets {row[true]:.1%}, place {1 + (row > row[true]).sum()} of 12,000" in told[7]
    loss = trace["loss.word"].read((0, 7) if cbow else (0, 7, 5))
    assert told[8].startswith(f"−log of it: {float(loss):.2f}.")
    drawn = trace["negatives.ids"].read((0, 7) if cbow else (0, 7, 5))
    assert ", ".join(trace.word(int(number)) for number in drawn) in told[9]


@pytest.mark.parametrize("text", ["dog", "猫", "the dog"])
@pytest.mark.parametrize("model", ["cbow", "skipgram"])
def test_a_short_text_has_it_too(model: str, text: str):
    encoder = load(model, "cpu")
    session = Session(encoder.run(text), encoder)
    for number in range(1, len(WORD_STOPS) + 1):
        assert "{" not in tour(session, str(number)).text + tour(session).text


def test_a_text_of_unknown_words_has_neighbours_of_another(encoder: Encoder):
    told_of = told(Session(encoder.run("我的猫坐在垫子上"), encoder), "neighbours")
    assert told_of.startswith("queen ") or "king" not in told_of
