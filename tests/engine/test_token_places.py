"""Commands and conditions over a batch in which a token's name means another place in each text."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from encoder_tui.engine import Encoder, InputError, Session
from encoder_tui.engine.analysis.why import explain
from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.debugger.conditions import StageScope
from encoder_tui.engine.program.index import TOKEN_AXES, parse_index
from encoder_tui.engine.program.value import ArrayValue
from session_kit import do

TEXTS = ["the cat sat because it was tired", "it is a dog"]  # "it" is token 5 and token 1, [SEP] token 8 and token 5
IT, SEP = (5, 1), (8, 5)
WEIGHTS = "layers.0.attention.weights"


@pytest.fixture
def session(small: Encoder) -> Session:
    return Session(small.run(TEXTS), small)


def refused(session: Session, line: str) -> str:
    with pytest.raises(InputError) as caught:
        TABLE.execute(session, line)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# -- print, stats, explain, why ----------------------------------------------------------------------------------------


def test_print_names_the_token_of_each_text(session: Session):
    lines = do(session, f'print {WEIGHTS}[head=3, query="it", key="[SEP]"]').splitlines()
    assert lines[0] == f"{WEIGHTS}[batch, head=3, query='it', key='[SEP]']"
    assert [line.split("  ")[0] for line in lines[1:]] == ["0 query=5 it, key=8 [SEP]", "1 query=1 it, key=5 [SEP]"]
    numbers = session.trace[WEIGHTS].read('head=3, query="it", key="[SEP]"')
    assert [float(line.split()[-1]) for line in lines[1:]] == pytest.approx(numbers, rel=1e-4)


def test_print_writes_a_table_for_each_text_whose_tokens_are_others(session: Session):
    tables = do(session, f'print {WEIGHTS}[head=3, query="it"]').split("\n\n")
    assert tables[0].startswith(f"{WEIGHTS}[batch=0, head=3, query=5 'it', key]\n")
    assert tables[1].startswith(f"{WEIGHTS}[batch=1, head=3, query=1 'it', key]\n")
    assert "4 because" in tables[0]
    assert "4 dog" in tables[1]
    ids = do(session, "print tokens.ids").split("\n\n")
    assert [table.splitlines()[0] for table in ids] == ["tokens.ids[batch=0, token]", "tokens.ids[batch=1, token]"]
    assert "1 it" in do(session, "print tokens.ids[1:2]").splitlines()[1]  # the labels are that text's, not the first's


def test_print_keeps_one_table_where_no_token_is_named_or_texts_are_alike(session: Session, small: Encoder):
    hidden = do(session, 'print embeddings.norm[token="it", hidden=0:3]').splitlines()
    assert hidden[0] == "embeddings.norm[batch, token='it', hidden=0:3]"
    assert [line.split("  ")[0] for line in hidden[2:]] == ["0 token=5 it", "1 token=1 it"]
    alike = Session(small.run(["it is", "it is"]), small)
    assert do(alike, "print tokens.ids").count("tokens.ids") == 1
    assert do(session, "print head.pooler.dense[hidden=0:2]").count("head.pooler.dense") == 1


def test_a_print_cut_short_goes_by_text_as_well(session: Session):
    do(session, "set rows 1", "set tables 1")
    assert "... 1 more along batch" in do(session, f'print {WEIGHTS}[head=3, query="it", key="[SEP]"]')
    assert "... 1 more along batch" in do(session, f'print {WEIGHTS}[head=3, query="it"]')


def test_stats_say_where_each_texts_token_stands(session: Session):
    said = do(session, f'stats {WEIGHTS}[key="[SEP]"]')
    assert "  places  text 0 key=8 [SEP], text 1 key=5 [SEP]\n" in said
    assert "shape   [batch=2, head=4, query=9]" in said
    assert "places" not in do(session, f'stats {WEIGHTS}[key="[CLS]"]')


def test_why_takes_one_element_of_one_text(session: Session):
    said = refused(session, f'why {WEIGHTS}[head=3, query="it", key="[SEP]"]')
    assert said.endswith(f"leaves batch (0 to 1) open; write why {WEIGHTS}[batch=0, head=3, query=5, key=8]")
    for row in (0, 1):
        found = explain(session.trace, WEIGHTS, f'batch={row}, head=3, query="it", key="[SEP]"')
        assert found.index == (row, 3, IT[row], SEP[row])
    assert "weights[batch=1, head=3, query=1 'it', key=5 '[SEP]'] = " in do(
        session, f'why {WEIGHTS}[batch=1, head=3, query="it", key="[SEP]"]'
    )


def test_explain_takes_the_first_text_that_is_meant(session: Session):
    assert "weights[0, 0, 5 'it', 8 '[SEP]']" in do(session, f'explain {WEIGHTS}[query="it", key="[SEP]"]')
    assert "weights[1, 0, 1 'it', 5 '[SEP]']" in do(session, f'explain {WEIGHTS}[batch=1:, query="it", key="[SEP]"]')


# -- changes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("named", "numbered"),
    [
        ('patch {w}[key="[SEP]"] = 0', ["patch {w}[0, key=8] = 0", "patch {w}[1, key=5] = 0"]),
        ('patch {w}[query="it", key="[SEP]"] = x * 2', ["patch {w}[0, :, 5, 8] = x * 2", "patch {w}[1, :, 1, 5] = x * 2"]),
        ('ablate {w}[query="it"]', ["ablate {w}[0, query=5]", "ablate {w}[1, query=1]"]),
        ('scale {w}[key="it"] 3', ["scale {w}[0, key=5] 3", "scale {w}[1, key=1] 3"]),
        ('swap {w}[key="[SEP]"] [key="it"]', ["swap {w}[0, key=8] [0, key=5]", "swap {w}[1, key=5] [1, key=1]"]),
        ('patch tokens.ids[token="it"] = "dog"', ['patch tokens.ids[0, 5] = "dog"', 'patch tokens.ids[1, 1] = "dog"']),
        ('patch {w}[batch=1, key="dog"] = 0', ["patch {w}[1, key=4] = 0"]),
        ('patch {w}[batch=::1, head=1, key="[SEP]"] = 0.5', ["patch {w}[0, 1, :, 8] = 0.5", "patch {w}[1, 1, :, 5] = 0.5"]),
    ],
)  # fmt: skip
def test_a_change_by_name_is_that_change_of_each_text(small: Encoder, named: str, numbered: list[str]):
    one, other = Session(small.run(TEXTS), small), Session(small.run(TEXTS), small)
    said = do(one, named.format(w=WEIGHTS))
    do(other, *(line.format(w=WEIGHTS) for line in numbered))
    for stage in (WEIGHTS, "tokens.ids", "output"):
        assert np.array_equal(one.trace[stage].read(), other.trace[stage].read()), stage
    assert ("(text 0 " in said) == (len(numbered) == 2)


def test_a_mean_by_name_is_the_mean_of_those_windows(session: Session):
    before = session.trace["layers.0.output"].numpy()
    do(session, 'ablate layers.0.output[token="it"] mean')
    after = session.trace["layers.0.output"].numpy()
    mean = (before[0, 5] + before[1, 1]) / 2
    for row in (0, 1):
        np.testing.assert_allclose(after[row, IT[row]], mean, rtol=1e-6)
        kept = [at for at in range(before.shape[1]) if at != IT[row]]
        assert np.array_equal(after[row, kept], before[row, kept])


def test_an_expression_sees_the_windows_of_all_texts(session: Session):
    before = session.trace["layers.0.output"].read('token="it"')
    do(session, 'patch layers.0.output[token="it"] = x - mean(x)')
    after = session.trace["layers.0.output"].read('token="it"')
    assert np.array_equal(after, (torch.from_numpy(before) - torch.from_numpy(before).mean()).numpy())


def test_noise_by_name_is_drawn_for_those_windows_alone(session: Session):
    before = session.trace["layers.0.output"].numpy()
    do(session, 'noise layers.0.output[token="it"] 1 7')
    moved = session.trace["layers.0.output"].numpy() != before
    assert [np.flatnonzero(moved[row].any(axis=1)).tolist() for row in (0, 1)] == [[5], [1]]
    drawn = torch.randn((2, before.shape[2]), generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    read = session.trace["layers.0.output"].read('token="it"')
    assert np.array_equal(read, np.stack([before[0, 5], before[1, 1]]) + drawn.float().numpy())


def test_another_runs_numbers_are_borrowed_for_those_windows(session: Session):
    do(session, "fork", 'patch layers.0.output[token="it"] = 0', 'patch layers.0.output[token="it"] = fork 0')
    original = session.forks[0]["layers.0.output"].numpy()
    assert np.array_equal(session.trace["layers.0.output"].numpy(), original)


def test_undo_takes_a_change_by_name_back(session: Session):
    before = session.trace["output"].numpy()
    do(session, f'patch {WEIGHTS}[key="[SEP]"] = 0')
    assert not np.array_equal(session.trace["output"].numpy(), before)
    do(session, "undo")
    assert np.array_equal(session.trace["output"].numpy(), before)


@pytest.mark.parametrize(
    "line",
    [
        "print {w}[key={t}]", "stats {w}[key={t}]", "why {w}[0:2, 0, 0, {t}]", "explain {w}[key={t}]",
        "patch {w}[key={t}] = 0", "ablate {w}[key={t}]", "ablate {w}[key={t}] mean", "scale {w}[key={t}] 2",
        "noise {w}[key={t}] 1", "swap {w}[key=0] [key={t}]", "swap {w}[key={t}] [key=0]",
        "break {w} if x[head=0, query=0, key={t}] > 0", "break {w} if max(x[key={t}]) > 0", "watch max({w}[key={t}])",
    ],
)  # fmt: skip
def test_every_command_names_the_text_that_lacks_the_token(session: Session, line: str):
    before = session.trace[WEIGHTS].numpy()
    said = refused(session, line.format(w=WEIGHTS, t='"cat"'))
    assert (
        "no token 'cat' in text 1; its tokens are [CLS] it is a dog [SEP] [PAD] [PAD] [PAD]; text 0 has it: batch=0"
        in said
    )
    padding = refused(session, line.format(w=WEIGHTS, t='"[PAD]"'))
    assert "no token '[PAD]' in text 0" in padding
    assert "text 1 has it: batch=1" in padding
    assert np.array_equal(session.trace[WEIGHTS].numpy(), before)
    assert not session.debugger.breakpoints


@pytest.mark.parametrize(
    "line",
    [
        "print {w}[1, key={t}]", "stats {w}[1, key={t}]", "why {w}[1, 0, 0, {t}]", "explain {w}[1, key={t}]",
        "patch {w}[1, key={t}] = 0", "ablate {w}[1, key={t}]", "scale {w}[1, key={t}] 2", "noise {w}[1, key={t}] 1",
        "swap {w}[1, key=0] [1, key={t}]", "break {w} if x[1, 0, 0, {t}] > 0", "watch max({w}[1, key={t}])",
    ],
)  # fmt: skip
def test_every_command_names_the_text_that_has_several_of_that_name(session: Session, line: str):
    assert "'[PAD]' is 3 tokens of text 1, at 6, 7 and 8" in refused(session, line.format(w=WEIGHTS, t='"[PAD]"'))


@pytest.mark.parametrize("line", ["print {w}[0, key={t}]", "patch {w}[batch=0, key={t}] = 0", "stats {w}[:1, key={t}]"])
def test_the_text_that_has_the_token_may_be_said(session: Session, line: str):
    assert do(session, line.format(w=WEIGHTS, t='"cat"'))


# -- conditions --------------------------------------------------------------------------------------------------------


def test_a_condition_is_asked_of_each_text_with_its_own_tokens(session: Session):
    numbers = session.trace[WEIGHTS].read('head=3, query="it", key="[SEP]"')
    assert numbers[1] > numbers[0]
    limit = (numbers[0] + numbers[1]) / 2
    do(session, f'break {WEIGHTS} if x[head=3, query="it", key="[SEP]"] > {limit}')
    stop = TABLE.execute(session, "continue").stop
    assert stop is not None
    assert stop.place == (1, 3, 1, 5)
    assert stop.held == f"text = 1, x = {numbers[1]:.6g}"
    assert do(session, "reverse-continue", "delete", f'break {WEIGHTS} if x[head=3, query="it", key="[SEP]"] > 1')
    assert TABLE.execute(session, "continue").stop.reason == "end"  # type: ignore[union-attr]


def test_a_figure_beside_it_is_that_texts(session: Session):
    least = session.trace[WEIGHTS].numpy().min(axis=(1, 2, 3))
    assert least[1] == 0 < least[0]  # the second text is padded
    do(session, f'break {WEIGHTS} if x[head=0, query="it", key="[SEP]"] > 0 and min > 0')
    stop = TABLE.execute(session, "continue").stop
    assert stop is not None
    assert stop.held.startswith("text = 0, x = ")


def test_a_figure_of_windows_is_of_all_texts(session: Session):
    window = session.trace[WEIGHTS].read('head=3, query="it", key="[SEP]"')
    do(session, f'break {WEIGHTS} if max(x[head=3, query="it", key="[SEP]"]) >= {float(window.max())!r}')
    stop = TABLE.execute(session, "continue").stop
    assert stop is not None
    assert stop.place == (1, 3, 1, 5)


def test_a_text_alone_is_asked_as_ever(small: Encoder):
    session = Session(small.run(TEXTS[1]), small)
    do(session, f'break {WEIGHTS} if x[head=3, query="it", key="[SEP]"] > 0.01')
    stop = TABLE.execute(session, "continue").stop
    assert stop is not None
    assert stop.held.startswith("x = ")


def test_a_condition_set_for_one_text_holds_for_others(small: Encoder):
    """Where its words are; where they are not, that is told, and the breakpoint stands for the next texts."""
    session = Session(small.run(TEXTS[1]), small)
    do(session, f'break {WEIGHTS} if x[head=3, query="it", key="[SEP]"] > 0.01')
    do(session, 'watch max(layers.0.output[token="is"])')
    assert "cannot stop" not in do(session, 'run "it is" "and so it is"')
    assert TABLE.execute(session, "continue").stop.held.startswith("text = 0, x = ")  # type: ignore[union-attr]
    said = do(session, 'run "it was me" "that is him"').splitlines()
    assert said[1:] == [
        "breakpoint 1 cannot stop here: 'x[head=3, query=\"it\", key=\"[SEP]\"] > 0.01' (column 1): no token 'it' in text 1; "
        "its tokens are [CLS] that is him [SEP]; text 0 has it: batch=0",
        "breakpoint 2 cannot stop here: 'max(layers.0.output[token=\"is\"])' (column 5): no token 'is' in text 0; "
        "its tokens are [CLS] it was me [SEP]; text 1 has it: batch=1",
    ]
    assert "cannot stop" not in do(session, 'run "it is"')
    assert "breakpoint 1 cannot stop here" in do(session, 'patch tokens.ids[0, "it"] = "dog"')
    assert "cannot stop" not in do(session, "undo")


def test_the_screen_of_ids_is_told_which_token_a_word_became(session: Session):
    assert "'Dog' is the token 'dog'" in do(session, 'patch tokens.ids[0, "it"] = "Dog"')
    assert "is the token" not in do(session, 'patch tokens.ids[0, "dog"] = "it"')


def test_a_value_that_all_texts_share_is_asked_at_each_texts_own_token(small: Encoder):
    """Beside one of each text: a bias of T5, or a mask that is one for all, has no batch and yet is of that text's tokens."""
    session = Session(small.run(TEXTS), small)
    run, stage = session.trace, session.trace.program[WEIGHTS]
    shared = ArrayValue(
        "bias", ("head", "query", "key"), np.zeros((4, 9, 9)), None, dict.fromkeys(TOKEN_AXES, run.tokens.strings)
    )
    shared.array[0, 1, 5] = 7
    index = parse_index('head=0, query="it", key="[SEP]"')
    scopes = [StageScope(run, stage, None, text) for text in (0, 1)]
    assert [float(shared.read(scope._bind(shared, index))) for scope in scopes] == [0, 7]
    with pytest.raises(InputError, match="is the same for all texts"):
        StageScope(run, stage)._bind(shared, index)
