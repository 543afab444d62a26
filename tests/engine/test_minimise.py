"""What is left of texts and weights still shows the same difference, and nothing can be left out of it."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from encoder_tui.engine import Encoder, InputError, load, open_snapshot, save
from encoder_tui.engine.analysis.compare import compare
from encoder_tui.engine.analysis.compare.first_apart import first_apart
from encoder_tui.engine.analysis.minimise import Batch, Minimal, minimise, write_minimal
from encoder_tui.engine.analysis.minimise.batch import Trials, stage_part
from encoder_tui.engine.analysis.minimise.spans import joined_text, spans_of_tokens, spans_of_words
from encoder_tui.engine.analysis.minimise.texts import least_texts
from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.commands.minimising import minimised
from encoder_tui.engine.commands.session import Session
from encoder_tui.engine.debugger.cancel import CancelToken
from encoder_tui.engine.program.trace import Trace
from encoder_tui.tui.cli import main
from faulty import WORDS, Change, Copies
from safetensors.torch import load_file, save_file
from schemas import line_faults

TEXT = "The animal didn't cross the street because it was too tired"
ONE, TWO = "encoder.layer.0.", "encoder.layer.1."
UP, QUERY = f"{TWO}intermediate.dense.weight", f"{TWO}attention.self.query.weight"
BIAS, POSITIONS = f"{ONE}output.dense.bias", "embeddings.position_embeddings.weight"
Weights = dict[str, torch.Tensor]


def row(weights: Weights) -> None:
    weights[UP][777] *= 8


def column(weights: Weights) -> None:
    weights[QUERY][:, 5] *= 3


def all_of_it(weights: Weights) -> None:
    weights[QUERY] *= 1.01


def bias(weights: Weights) -> None:
    weights[BIAS].zero_()


def far(weights: Weights) -> None:
    weights[POSITIONS][9:] = 0


def nan(weights: Weights) -> None:
    weights[UP][777] = float("nan")


def infinite(weights: Weights) -> None:
    weights[BIAS][5] = float("inf")


def nothing(weights: Weights) -> None:
    weights[QUERY].zero_()
    weights[f"{TWO}attention.self.query.bias"].zero_()


def near(weights: Weights) -> None:
    weights[POSITIONS][7:] = 0


def row_and_bias(weights: Weights) -> None:
    row(weights)
    bias(weights)


Made = Callable[..., Encoder]


@pytest.fixture(scope="module")
def other(copies: Copies) -> Made:
    made: dict[str, Encoder] = {}

    def make(change: Change | None = None, **config: Any) -> Encoder:
        name = f"minimise {getattr(change, '__name__', 'none')} {config}"
        return made.setdefault(name, load(copies.make(name, change, **config))) if name not in made else made[name]

    return make


def through(theirs: Encoder) -> Callable[[Trace], Trace]:
    return lambda trace: theirs.run(list(trace.tokens.texts), trace.tokens.pair)


def of_batch(ours: Encoder) -> Callable[[Batch], Trace]:
    return lambda batch: ours.run(list(batch.texts), batch.pair, batch.length)


def least(ours: Encoder, theirs: Encoder, *texts: str, **more: Any) -> Minimal:
    return minimise(of_batch(ours), through(theirs), Batch(texts, more.pop("pair", None)), **more)


@pytest.mark.parametrize(
    ("change", "first", "needed"),
    [
        (row, "layers.1.ffn.up", [(UP, "row", (777,), 1536)]),
        (column, "layers.1.attention.query", [(QUERY, "column", (5,), 384)]),
        (all_of_it, "layers.1.attention.query", [(QUERY, "", (), 0)]),
        (bias, "layers.0.ffn.down", [(BIAS, "", (), 0)]),
        (row_and_bias, "layers.0.ffn.down", [(BIAS, "", (), 0), (UP, "row", (777,), 1536)]),
    ],
)
def test_a_fault_of_weights_needs_one_word_and_what_was_changed(
    ours: Encoder, other: Made, change: Change, first: str, needed: list[tuple[str, str, tuple[int, ...], int]]
) -> None:
    result = least(ours, other(change), TEXT, "A dog")
    assert result.first is not None
    assert result.first.name == first
    assert result.texts is not None
    assert result.texts.batch == Batch(("A",))
    assert (result.texts.tokens, result.texts.padded, result.texts.needs, result.texts.minimal) == (
        (3,),
        (0,),
        "",
        True,
    )
    weights = result.weights
    assert weights is not None
    assert [(each.name, each.line, each.places, each.count) for each in weights.needed] == needed
    assert (weights.paired, weights.differing, weights.then) == (37, len(needed), "")


def shown(ours: Encoder, theirs: Encoder, text: str, part: str) -> bool:
    """Looked at by itself: another text may begin to differ elsewhere."""
    if not text:
        return False
    run = ours.run([text])
    first = first_apart(run, theirs.run([text]))
    return first is not None and stage_part(run.program[first.name]) == part


def test_what_shows_from_some_length_on_needs_as_many_tokens_and_no_more(ours: Encoder, other: Made) -> None:
    theirs = other(far)
    result = least(ours, theirs, TEXT)
    assert result.texts is not None
    (text,), (count,) = result.texts.batch.texts, result.texts.tokens
    assert count == 10
    part = "embeddings.position"
    assert shown(ours, theirs, text, part)
    tokens = ours.run([text]).tokens
    for spans in (spans_of_words(text), spans_of_tokens(tokens, 0)):
        for at in range(len(spans)):
            assert not shown(ours, theirs, joined_text(text, [*spans[:at], *spans[at + 1 :]]), part)
    (weight,) = result.weights.needed
    assert (weight.name, weight.line, weight.places) == (POSITIONS, "row", (9,))


def test_it_does_not_slip_to_another_difference(ours: Encoder, other: Made) -> None:
    """Every text shows the bias, and `tired` alone what comes before that."""
    number = int(ours.run(["tired"]).tokens.ids[0, 1])
    theirs = other(bias)

    def broken(trace: Trace) -> Trace:
        run = theirs.run(list(trace.tokens.texts))
        rows = run.tokens.ids == number
        if rows.any():
            value = torch.tensor(run["embeddings.token"].numpy())
            value[torch.tensor(rows)] *= 2
            run.override("embeddings.token", value)
        return run

    result = minimise(of_batch(ours), broken, Batch((TEXT, "A dog")))
    assert result.texts.batch == Batch(("tired",))
    assert result.texts.then.name == "embeddings.token"
    assert result.weights.needed == ()  # no weights of theirs bring that about
    assert result.weights.then == "embeddings.token"


def test_of_a_table_of_words_the_row_is_named(ours: Encoder, original: Path) -> None:
    theirs = load(original)
    number = int(ours.run(["tired"]).tokens.ids[0, 1])
    with torch.no_grad():
        theirs.weights[WORDS][number] *= 2
    result = least(ours, theirs, "it was tired", "a dog")
    assert result.texts.batch == Batch(("tired",))
    (needed,) = result.weights.needed
    assert (needed.name, needed.line, needed.places, needed.words) == (WORDS, "row", (number,), ("tired",))
    assert write_minimal(result).endswith(f"by row {number} ('tired') of {WORDS}")


def test_padding_on_the_other_side_needs_a_second_text(copies: Copies, ours: Encoder) -> None:
    there = copies.make("pads on the left")
    config = there / "tokenizer_config.json"
    settings = json.loads(config.read_text()) | {"padding_side": "left"}
    config.unlink()
    config.write_text(json.dumps(settings))
    session = Session(ours.run([TEXT, "A dog", "the cat"]), ours)
    result = minimised(session, f"model '{there}'")
    text = write_minimal(result)
    assert result.texts.needs == "padding"
    assert sorted(result.texts.tokens) == [3, 4]
    assert sorted(result.texts.padded) == [0, 1]
    assert "needs      padding: no text shows it alone, nor beside one of its own length\n" in text
    assert "texts      2 of 3 are enough: " in text
    assert "weights    not they: the 37 tensors that both have are the same" in text


def test_a_pair_that_is_not_needed_goes_and_one_that_is_gets_shorter(ours: Encoder, other: Made) -> None:
    result = least(ours, other(row), "A dog", pair="and a cat")
    assert result.texts.batch == Batch(("A",))

    def segments(weights: Weights) -> None:
        weights["embeddings.token_type_embeddings.weight"][1] = 0

    result = least(ours, other(segments), "A dog", pair="and a cat")
    assert result.texts.batch == Batch(("A",), "and")
    (weight,) = result.weights.needed
    assert (weight.name, weight.places) == ("embeddings.token_type_embeddings.weight", (1,))


def test_what_is_no_fault_of_weights_is_said_to_be_none(ours: Encoder, other: Made) -> None:
    result = least(ours, other(hidden_act="relu"), TEXT)
    assert (result.weights.paired, result.weights.differing, result.weights.needed) == (37, 0, ())
    both = least(ours, other(row, layer_norm_eps=1e-3), TEXT)
    assert both.first.name == "embeddings.norm"
    assert (both.weights.differing, both.weights.needed, both.weights.then) == (1, (), "embeddings.norm")


@pytest.mark.parametrize(
    ("change", "config", "said"),
    [
        (nan, {}, r"layers\.1\.ffn\.up, of [\d,]+ numbers, on one side only: \d+ NaN, against x"),
        (infinite, {}, r"layers\.0\.ffn\.down, of [\d,]+ numbers, on one side only: (\d+) infinite, of them \1 \+inf( by overflow .*)?, against x"),
        (nothing, {}, r"layers\.1\.attention\.query, by up to [\d.]+, where theirs is 0 everywhere, against x"),
        (None, {"num_attention_heads": 6}, r"layers\.0\.attention\.query_heads, of another shape: \[1, .*\] against \[1, .*\], against x"),
        (row, {}, r"layers\.1\.ffn\.up, [\d.]+ of the largest value, against x"),
    ],
)  # fmt: skip
def test_what_has_no_share_of_the_largest_value_is_said_by_what_it_is(
    ours: Encoder, other: Made, change: Change | None, config: dict[str, Any], said: str
) -> None:
    text = write_minimal(least(ours, other(change, **config), "A dog", title="x"))
    assert re.fullmatch(f"difference +{said}", text.splitlines()[0])
    assert "or no numbers" not in text


@pytest.mark.parametrize("change", [None, row, bias, far, all_of_it])
def test_it_begins_where_compare_says(ours: Encoder, other: Made, change: Change | None) -> None:
    mine, theirs = ours.run([TEXT, "A dog"]), other(change).run([TEXT, "A dog"])
    for tolerance in (None, 0.01):
        first = compare(mine, theirs, tolerance=tolerance, parts=False).first
        apart = first_apart(mine, theirs, tolerance=tolerance)
        assert (apart.name if apart else "") == (first.name if first else "")


def test_no_more_is_tried_than_may_be(ours: Encoder, other: Made) -> None:
    trials = Trials(of_batch(ours), through(other(far)), most=4)
    batch = Batch((TEXT,))
    assert trials.begin(batch) is not None
    result = least_texts(trials, batch)
    assert not result.minimal
    assert trials.passages == 4
    assert trials.shows(result.batch)


# -- the command -------------------------------------------------------------------------------------------------------


@pytest.fixture
def session(ours: Encoder) -> Session:
    return Session(ours.run([TEXT, "A dog"]), ours)


def test_the_command_writes_it_down(copies: Copies, session: Session) -> None:
    there = copies.make("row for the command", row)
    TABLE.execute(session, f"compare model '{there}'")
    reply = TABLE.execute(session, "minimise")
    assert reply.text.splitlines() == [
        f"difference layers.1.ffn.up, 0.876 of the largest value, against model {there}",
        "texts      1 of 2 is enough: layers.1.ffn.up, 0.243 of the largest value",
        "shortest   'A' (3 tokens)",
        "weights    of 37 tensors that both have, 1 differs, and 1 of theirs in ours is enough: no stage is apart any more",
        f"           {UP}: of its 1536 rows, row 777",
        f"again      encoder-tui A -m {session.encoder.settings.model} --against {shlex.quote(shlex.join(['model', str(there)]))}",
        "tried      3 batches of texts through both, 1 edit of weights through ours",
        f"smallest: 'A' still differs at layers.1.ffn.up, by row 777 of {UP}",
    ]
    assert reply.verdict == reply.text.splitlines()[-1]
    assert TABLE.execute(session, f"minimise model '{there}'").text == reply.text
    assert not session.trace.patched


def test_the_line_to_type_shows_it_again(
    small: Encoder, small_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = port(small_dir, tmp_path, lambda weights: weights[SMALL_UP][7].mul_(8))
    session = Session(small.run(["the -dog", "a cat"], "and more"), small)
    line = shlex.split(minimised(session, f"model '{other}' tolerance 0.01").again)
    assert line[:2] == ["encoder-tui", "cat"]
    assert main([*line[1:], "--batch"]) == 3
    assert "the first is layers.1.ffn.up" in capsys.readouterr().out.splitlines()[-1]


SMALL_UP = "bert.encoder.layer.1.intermediate.dense.weight"


def port(original: Path, folder: Path, change: Callable[[Weights], object]) -> Path:
    """A copy of a model with other weights."""
    there = folder / "port"
    shutil.copytree(original, there)
    weights = load_file(there / "model.safetensors")
    name = SMALL_UP if SMALL_UP in weights else SMALL_UP.removeprefix("bert.")
    change({SMALL_UP: weights[name]})
    save_file(weights, there / "model.safetensors")
    return there


def test_it_is_an_object_for_json(small_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = port(small_dir, tmp_path, lambda weights: weights[SMALL_UP][7].mul_(8))
    commands = [f"minimise model '{other}'", "minimise dtype float64", f"minimise model '{other}' tolerance 1000"]
    arguments = [word for command in commands for word in ("-ex", command)]
    assert main(["the dog", "-m", str(small_dir), "--batch", "--json", *arguments]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()][:3]
    assert [fault for line in lines for fault in line_faults(line)] == []
    first, *rest = lines
    assert (first["kind"], first["texts"]["texts"], first["texts"]["first"]["stage"]) == (
        "minimal",
        ["the"],
        "layers.1.ffn.up",
    )
    assert [(each["cut_into"], each["places"], each["of"]) for each in first["weights"]["needed"]] == [("row", [7], 64)]
    for line in rest:
        assert line["verdict"] == "nothing to minimise: no stage is further apart than it may be"
        assert (line["first"], line["texts"], line["weights"]) == (None, None, None)


def test_a_module_has_its_weights_tried_though_it_calls_them_otherwise(
    small: Encoder, small_dir: Path, tmp_path: Path
) -> None:
    path = tmp_path / "port_of_rows.py"
    path.write_text(MODULE.format(tests=str(Path(__file__).parent.parent), model=str(small_dir)))
    session = Session(small.run(["the dog sat", "a cat"]), small)
    result = minimised(session, f"module {path}:wrong")
    assert result.texts.batch == Batch(("a",))
    (weight,) = result.weights.needed
    assert (weight.name.removeprefix("bert."), weight.line, weight.places) == (
        SMALL_UP.removeprefix("bert."),
        "row",
        (7,),
    )
    assert minimised(session, f"module {path}:right").first is None


MODULE = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from hand_written import HandWritten
right = HandWritten(Path({model!r}))
wrong = HandWritten(Path({model!r}))
wrong.get_parameter("layers.1.up.weight").data[7] *= 8
"""


def test_of_a_file_the_fewest_tokens_that_differ_as_the_worst_does_are_begun_with(
    copies: Copies, session: Session, tmp_path: Path
) -> None:
    path = tmp_path / "texts.txt"
    there = copies.make("near", near)
    path.write_text("A dog\nthe cat sat on the mat\n")
    result = minimised(session, f"model '{there}' texts '{path}'")
    assert result.texts.before == Batch(("the cat sat on the mat",))
    assert result.texts.tokens == (8,)
    path.write_text("A dog\nand a cat\n a bird\n")  # none is so long, but all together are
    result = minimised(session, f"model '{there}' texts '{path}'")
    assert (result.texts.batch.texts, result.texts.tokens) == (("dog and a cat a bird",), (8,))
    assert result.texts.batch.length is None


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("minimise", "nothing to compare with yet; `compare model M` first"),
        ("minimise snapshot {there}/run.safetensors", "run.safetensors' is of its own texts; what is tried anew is model ... or dtype ..."),
        ("minimise recording {there}/run.safetensors", "run.safetensors' is of its own texts"),
        ("minimise tensors {there}/run.safetensors", "run.safetensors' is of its own texts"),
        ("minimise text 'a cat'", "'text a cat' is of its own texts"),
        ("minimise fork 0", "'fork 0' is of its own texts"),
        ("minimise model", "'model' is of its own texts"),
        ("minimise model {there} diagnose", "`diagnose` is for `compare`; leave it out"),
        ("minimise dtype float64 texts {there}/none.txt", "cannot read texts from"),
    ],
)  # fmt: skip
def test_what_nothing_else_can_go_through_is_refused(session: Session, tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "run.safetensors").touch()
    with pytest.raises(InputError) as refused:
        TABLE.execute(session, line.format(there=tmp_path))
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_neither_a_recording_nor_a_patched_run_is_tried_anew(ours: Encoder, session: Session, tmp_path: Path) -> None:
    save(ours.run("A dog"), tmp_path / "run.safetensors")
    recorded = Session(open_snapshot(tmp_path / "run.safetensors"))
    with pytest.raises(InputError, match="a recording has no model to try other texts and weights with"):
        TABLE.execute(recorded, f"minimise model '{ours.settings.model}'")
    TABLE.execute(session, "patch embeddings.norm = x * 2")
    with pytest.raises(InputError, match=r"without what is patched here \(embeddings.norm\); undo that first"):
        TABLE.execute(session, "minimise dtype float64")


def test_where_ids_went_in_weights_alone_are_tried(copies: Copies, ours: Encoder) -> None:
    session = Session(ours.run_ids([[101, 1037, 102]]), ours)
    text = TABLE.execute(session, f"minimise model '{copies.make('row for ids', row)}'").text
    assert "texts      as they are: ids went in, and no text\n" in text
    assert text.endswith(f"smallest: what went in differs at layers.1.ffn.up, by row 777 of {UP}")


def test_it_is_stopped_between_trials(copies: Copies, session: Session) -> None:
    there, cancel = copies.make("row to stop", row), CancelToken()
    cancel.cancel()
    with pytest.raises(InputError, match="minimise was interrupted after 1 of at most 1,000 batches of texts"):
        TABLE.execute(session, f"minimise model '{there}'", cancel)


def test_what_is_otherwise_but_no_stage_is_said(ours: Encoder, copies: Copies, session: Session) -> None:
    text = TABLE.execute(session, f"minimise model '{copies.make('one layer', num_hidden_layers=1)}'").text
    assert text == (
        "nothing to minimise: no stage is further apart than it may be, but what differs is no stage that both have: 2 layers against 1"
    )
