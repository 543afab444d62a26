"""Comparing texts, dtypes, recordings and forks; what the numbers mean."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from encoder_tui.engine import Encoder, InputError, Session, load, open_snapshot, save
from encoder_tui.engine.analysis.compare import align, compare, write_comparison
from encoder_tui.engine.analysis.compare.measure import Gap, ulps
from encoder_tui.engine.analysis.compare.rounding import PER_LAYER
from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.program.dtypes import FLOATS
from encoder_tui.tui.cli import main

TEXTS = ["The cat sat on the mat.", "Hi"]


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load(None, "cpu")


# -- dtypes ------------------------------------------------------------------------------------------------------


@pytest.mark.few(2)
@pytest.mark.parametrize("dtype", ["float64", "bfloat16", "float16"])
@pytest.mark.parametrize("turned", [False, True])
def test_another_dtype_differs_by_rounding_alone(encoder: Encoder, dtype: str, turned: bool) -> None:
    ours, theirs = encoder.run(TEXTS), load(None, "cpu", dtype).run(TEXTS)
    if turned:
        ours, theirs = theirs, ours
    found = compare(ours, theirs)
    assert found.equal
    assert found.first is None
    assert found.unexplained == []
    coarse = "float32" if dtype == "float64" else dtype
    assert {row.dtype for row in found.rows} == {coarse, ""}
    first_layer = found.row("layers.0.attention.query")
    assert first_layer.tolerance == PER_LAYER[coarse] * FLOATS[coarse].epsilon
    assert 0 < found.passing < PER_LAYER[coarse] * 4 * FLOATS[coarse].epsilon
    # The hidden places of one dtype are those of the other, and poison nothing.
    masked = found.row("layers.0.attention.masked")
    assert masked.unlike == 0
    assert masked.absmax < 1e4
    assert found.row("mask.additive").differing == 0


def test_the_tolerance_that_would_pass_passes(encoder: Encoder) -> None:
    other = load(None, "cpu", "bfloat16")
    found = compare(encoder.run(TEXTS), other.run(TEXTS), tolerance=0)
    assert not found.equal
    again = compare(encoder.run(TEXTS), other.run(TEXTS), tolerance=found.passing)
    assert again.first is None
    assert compare(encoder.run(TEXTS), other.run(TEXTS), tolerance=found.passing * 0.9).first is not None


def test_added_and_inherited_error_make_the_difference(encoder: Encoder) -> None:
    found = compare(encoder.run(TEXTS), load(None, "cpu", "bfloat16").run(TEXTS))
    for row in found.rows:
        assert row.added is not None
        assert row.inherited is not None
        assert row.largest <= (row.added + row.inherited) * (1 + 1e-6), row.name


# -- texts -------------------------------------------------------------------------------------------------------


def test_texts_of_different_length_are_aligned(encoder: Encoder) -> None:
    ours, theirs = encoder.run("The cat sat on the mat."), encoder.run("The black cat sat on a mat.")
    found = compare(ours, theirs)
    mine, other = ours.tokens.strings[0], theirs.tokens.strings[0]
    (pair,) = found.alignment.pairs
    assert [other[at] for at in pair.lonely_theirs] == ["black"]
    assert pair.lonely_ours == ()
    assert [(mine[a], other[b]) for a, b in zip(pair.ours, pair.theirs, strict=True) if mine[a] != other[b]] == [
        ("the", "a")
    ]
    assert not found.equal
    text = write_comparison(found)
    assert "text 0: without a partner in theirs: 'black' at 2" in text
    assert "text 0: paired though different: the / a" in text
    # The figures are those of the tokens that belong together.
    a, b = ours["embeddings.sum"].numpy()[0][pair.ours], theirs["embeddings.sum"].numpy()[0][pair.theirs]
    row = found.row("embeddings.sum")
    assert row.largest == pytest.approx(np.abs(a - b).max())
    assert row.mean == pytest.approx(np.abs(a - b).mean(), rel=1e-6)
    assert row.place is not None
    assert abs(row.ours - row.theirs) == pytest.approx(row.largest)
    assert row.ours == ours["embeddings.sum"].numpy()[row.place]
    weights = found.row("layers.0.attention.weights")
    a = ours[weights.name].numpy()[0][:, pair.ours][:, :, pair.ours]
    b = theirs[weights.name].numpy()[0][:, pair.theirs][:, :, pair.theirs]
    assert weights.largest == pytest.approx(np.abs(a - b).max())
    assert found.row("embeddings.token").added == 0.0  # the same table
    assert write_comparison(found, everything=True).count("\n") > len(found.rows)


def test_the_first_text_of_a_batch_against_itself_alone(encoder: Encoder) -> None:
    found = compare(encoder.run(TEXTS), encoder.run(TEXTS[0]))
    assert found.first is None
    assert not found.equal
    assert "text 1 of ours has no partner: 'Hi'" in write_comparison(found)


def test_difference_as_a_value(encoder: Encoder) -> None:
    session = Session(encoder.run("The cat sat on the mat."), encoder)
    with pytest.raises(InputError, match="nothing to compare with yet"):
        session.expect_reference()
    TABLE.execute(session, 'compare text "The black cat sat on the mat."')
    reference, weights = session.expect_reference(), "layers.0.attention.weights"
    ours, b, apart = (
        session.trace[weights],
        reference.value(session.trace, weights),
        reference.difference(session.trace, weights),
    )
    assert ours.shape == b.shape == apart.shape
    whole = apart.numpy()
    np.testing.assert_array_equal(whole, ours.numpy() - b.numpy())
    np.testing.assert_array_equal(apart.read("head=1, query=2:6, key=-1"), whole[:, 1, 2:6, -1])
    assert np.isfinite(whole).all()  # every token of ours has a partner
    TABLE.execute(session, 'compare text "The cat sat."')
    whole = session.expect_reference().difference(session.trace, "layers.0.output").numpy()
    pair = align(session.trace.inputs, session.reference.trace.inputs).pairs[0]  # type: ignore[union-attr]
    assert np.isnan(whole[0, list(pair.lonely_ours)]).all()
    assert np.isfinite(whole[0, pair.ours]).all()
    masked = session.expect_reference().difference(session.trace, "mask.additive")
    assert not np.nan_to_num(masked.numpy()).any()


def test_difference_of_hidden_places_is_nothing(encoder: Encoder) -> None:
    session = Session(encoder.run(TEXTS), encoder)
    TABLE.execute(session, "compare dtype float16")
    assert np.abs(session.expect_reference().difference(session.trace, "layers.0.attention.masked").numpy()).max() < 1


# -- recordings, forks, windows -----------------------------------------------------------------------------------


def test_a_snapshot_is_equal_to_its_run(encoder: Encoder, tmp_path: Path) -> None:
    run = encoder.run(TEXTS)
    save(run, tmp_path / "a.safetensors")
    recording = open_snapshot(tmp_path / "a.safetensors")
    live = compare(run, recording)
    assert live.equal
    assert {row.added for row in live.rows} == {0.0}
    recorded = compare(recording, run)
    assert recorded.equal
    assert {row.added for row in recorded.rows} == {None}
    assert "added error is not known where it is -: ours is a recording" in write_comparison(recorded)
    save(run, tmp_path / "b.safetensors", select="layers.0.*")
    part = compare(run, open_snapshot(tmp_path / "b.safetensors"))
    assert part.equal
    assert "layers.1.attention.query" in part.not_recorded
    assert part.row("layers.0.attention.query").unknown == "the reference did not record embeddings.norm"


def test_two_recordings_are_compared_without_torch(encoder: Encoder, tmp_path: Path) -> None:
    save(encoder.run(TEXTS), tmp_path / "a.safetensors")
    save(load(None, "cpu", "bfloat16").run(TEXTS), tmp_path / "b.safetensors")
    code = f"""
import sys
from encoder_tui.tui.cli import main
status = main(["--open", r"{tmp_path / "a.safetensors"}", "--batch", "--against", r"snapshot '{tmp_path / "b.safetensors"}'"])
assert "torch" not in sys.modules
sys.exit(status)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "equal within what bfloat16 explains" in done.stdout


def test_another_fork(encoder: Encoder) -> None:
    session = Session(encoder.run(TEXTS), encoder)
    TABLE.execute(session, "fork")
    TABLE.execute(session, "patch layers.1.ffn.up[0, 1, 5] = 3")
    last = TABLE.execute(session, "compare fork 0").text.splitlines()[-1]
    assert "the first is layers.1.ffn.up (its own: nothing is inherited)" in last
    with pytest.raises(InputError, match="no fork '7'; there are 0, 1"):
        TABLE.execute(session, "compare fork 7")


def test_values_that_are_never_whole(encoder: Encoder) -> None:
    """With a budget too small for a square, comparing reads blocks of rows and comes to the same figures."""
    text = " ".join(["the cat sat on the mat"] * 13)
    small, other = load(None, "cpu", budget=400_000), load(None, "cpu", "bfloat16")
    ours = small.run(text)
    assert ours.is_windowed("layers.0.attention.weights")
    assert compare(ours, encoder.run(text)).equal
    one, two = compare(ours, other.run(text)), compare(encoder.run(text), other.run(text))
    assert [(row.name, row.largest, row.added) for row in one.rows] == [
        (row.name, row.largest, row.added) for row in two.rows
    ]


# -- what the numbers mean ----------------------------------------------------------------------------------------


def test_not_a_number_and_infinities() -> None:
    nan, inf = np.nan, np.inf
    gap = Gap()
    gap.add(np.array([nan, inf, -inf, 1.0]), np.array([nan, inf, -inf, 1.5]))
    assert (gap.unlike, gap.differing, gap.largest, gap.absmax, gap.flat) == (0, 1, 0.5, 1.5, 3)
    gap.add(np.array([1.0, nan, inf, inf]), np.array([nan, 1.0, 1.0, -inf]), "second")
    assert (gap.nan, gap.inf, gap.differing, gap.tag, gap.flat) == (2, 2, 5, "second", 0)
    assert gap.relative == inf
    assert gap.mean == 0.5  # of the one place where both are numbers


def test_hidden_places_of_two_dtypes() -> None:
    gap, yes, no = Gap(), np.array([True, False, True]), np.array([False])
    gap.add(
        np.array([-3.4e38, 2.0, -3.4e38], np.float32), np.array([-np.inf, 2.5, -65504], np.float16), hidden=(yes, yes)
    )
    assert (gap.unlike, gap.largest, gap.absmax, gap.relative) == (0, 0.5, 2.5, 0.2)
    gap.add(np.array([-3.4e38], np.float32), np.array([1], np.float16), hidden=(~no, no))
    assert (gap.covered, gap.relative) == (1, np.inf)


def test_infinities_are_counted_by_sign_and_side() -> None:
    gap = Gap()
    gap.add(np.array([7e4, -8e4, 1.0], np.float32), np.array([np.inf, -np.inf, 1.0], np.float16))
    assert (gap.inf, gap.plus, gap.minus, gap.covered) == (2, 1, 1, 0)
    assert (gap.ours_broken, gap.theirs_broken) == (False, True)


def test_units_in_the_last_place() -> None:
    one = np.float32(1)
    assert ulps(float(np.nextafter(one, np.float32(2)) - one), 1.0, "float32") == 1.0
    assert ulps(2.0**-7, 1.0, "bfloat16") == 1.0
    assert ulps(float(np.spacing(np.float16(300))), 300.0, "float16") == 1.0
    assert ulps(0.0, 0.0, "float32") == 0.0
    lowest = FLOATS["float64"].lowest  # what a mask of a copy in float64 adds
    assert ulps(2.0**971, lowest, "float64") == 1.0
    assert ulps(-lowest, lowest, "float32") == 2.0**24 - 2.0**-29


# -- the command and --against ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "nothing to compare with; write text"),
        ("modle x", "'modle' is not something to compare with; did you mean module, model?"),
        ("text", 'text which? write `text "..."`'),
        ("dtype float31", "dtype 'float31' is not known"),
        ("dtype float64 float32", "'float32' is more than `dtype D` takes"),
        ("dtype float64 float32", "write texts FILE, tolerance T, all or diagnose of `compare` last"),
        ("modle x", "and after it [texts FILE] [tolerance T] [all] [diagnose] of `compare`"),
        ("dtype float64 tolerance", "tolerance: how much? write for instance `tolerance 1e-5`"),
        ("dtype float64 --tolerance all", "tolerance: how much?"),
        ("compile tolerance", "tolerance: how much?"),
        ("module my.py:build texts", "texts: of which file? write `texts FILE`"),
        ("dtype float64 texts tolerance 1", "texts: of which file?"),
        ("module my.py:build map", "map: which file? write `map names.toml`"),
        ("module my.py:build map a map b", "map is said twice"),
        ("module my.py:build more", "'more' is more than `module FILE.py:NAME"),
        ("module adir:build", "encoder-tui: module 'adir:build' is not FILE.py:NAME"),
        ("dtype float64 tolerance x", "tolerance 'x' is not a number of 0 or more"),
        ("dtype float64 tolerance -1", "tolerance '-1' is not a number"),
        ("snapshot /nowhere.safetensors", "no snapshot"),
        ("fork x", "no fork 'x'"),
        ("device cuda:99", "device 'cuda:99'"),
        ('text "open', "cannot read"),
    ],
)
def test_bad_words_are_refused_in_a_line(line: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["Hi", "--device", "cpu", "--batch", "--against", line]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def test_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    start = ["The cat sat.", "--device", "cpu", "--batch"]
    assert main([*start, "--against", "dtype float64"]) == 0
    assert main([*start, "--against", "dtype float32", "--against", "dtype float64"]) == 0
    assert "equal: all" in capsys.readouterr().out
    assert main([*start, "--against", "dtype float64", "--against", "dtype float64 tolerance 0"]) == 3
    assert main([*start, "--against", "text 'The dog sat.'"]) == 3
    assert "the first is tokens.ids" in capsys.readouterr().out


def test_a_text_without_quotes_is_one_text(encoder: Encoder) -> None:
    session = Session(encoder.run("The cat sat."), encoder)
    assert TABLE.execute(session, "compare text The cat sat.").text.endswith("to the last bit")


def test_the_table_of_all_stages(encoder: Encoder) -> None:
    session = Session(encoder.run("The cat sat."), encoder)
    text = TABLE.execute(session, "compare dtype bfloat16 tolerance 1e-3 all").text
    lines = text.splitlines()
    assert all(
        any(f" {stage.name} " in f"{line} " for line in lines)
        for stage in encoder.program
        if stage.name != "tokens.one_hot"
    )
    assert "tolerance  0.001 of the reference's largest value, as given" in lines
    assert lines[-1].startswith("different: ")
    assert "would pass" in lines[-1]


def test_where_a_difference_is_largest(encoder: Encoder) -> None:
    session = Session(encoder.run(TEXTS), encoder)
    for line, says in (("difference", "nothing has been compared yet"), ("difference no.such", "nothing has been")):
        with pytest.raises(InputError, match=says):
            TABLE.execute(session, line)
    TABLE.execute(session, "fork")
    TABLE.execute(session, "patch layers.1.ffn.up[1, 2, 7] = 9")
    TABLE.execute(session, "compare fork 0")
    reply = TABLE.execute(session, "difference")
    assert reply.text.startswith("layers.1.ffn.up is the first stage beyond tolerance; largest difference at ")
    assert "[batch=1, token=2, intermediate=7]: ours 9, theirs " in reply.text
    with pytest.raises(InputError, match=r"embeddings\.norm is equal to the last bit against fork 0"):
        TABLE.execute(session, "difference embeddings.norm")
    TABLE.execute(session, "undo")
    with pytest.raises(InputError, match="values have changed since; write `compare fork 0` again"):
        TABLE.execute(session, "difference")
    TABLE.execute(session, "compare fork 0")
    with pytest.raises(InputError, match="no stage is beyond tolerance against fork 0"):
        TABLE.execute(session, "difference")
