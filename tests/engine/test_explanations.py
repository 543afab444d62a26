"""The texts about stages: complete in both languages for every program, short, and right about the numbers."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from encoder_tui.engine import Encoder, InputError, Run, Session, open_snapshot, save
from encoder_tui.engine.analysis.explain import explain_stage, formulas, lacks, stage_text, write_page
from encoder_tui.engine.analysis.explain.formulas import in_language
from encoder_tui.engine.analysis.explain.texts import FIELDS, entries
from encoder_tui.engine.analysis.why import explain
from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.messages.translation import LANGUAGES, said, tr
from encoder_tui.engine.models.families import Options
from encoder_tui.engine.models.families.blocks.sentence import with_sentence
from encoder_tui.engine.models.presets import PRESETS, preset
from encoder_tui.engine.models.sentence_transformers import Module, Sentence
from encoder_tui.engine.ops.pooling import POOLINGS
from encoder_tui.engine.ops.tokens import Given
from encoder_tui.engine.program.program import Program
from encoder_tui.engine.program.stage import Stage
from encoder_tui.engine.traces.shapes import shadows_of
from encoder_tui.tui.drawing.text import wrapped
from family_kit import Sample, open_pair, random_model, samples, tokens_for
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

WIDTH, LINES = 76, 2  # of the explanation on a screen of 80 columns
FIELD = re.compile(r"\{(\w+)\}")
CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture(scope="module")
def bundled() -> Run:
    from encoder_tui.engine import load

    return load().run(["the cat sat on the mat", "a dog"], "and it slept")


@dataclass(frozen=True)
class Odd:
    """An operation nobody has written about."""

    def write(self, *operands: str):
        return f"{''.join(operands)} turned upside down"


# -- complete ------------------------------------------------------------------------------------------------------


def test_the_bundled_model_is_explained(bundled: Run):
    assert lacks(bundled.program, bundled.shapes) == []


def test_sentence_embeddings_are_explained(minilm_run: Run):
    assert lacks(minilm_run.program, minilm_run.shapes) == []


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_explained(name: str):
    """Their shapes alone are needed, so that the largest cost nothing."""
    program = preset(name).program(Options())
    shadows = shadows_of(program, torch.float32, {"tokens": (1, 5)})
    assert lacks(program, {stage: shadow.shape for stage, shadow in shadows.items()}) == []


def test_training_is_explained():
    """Every dropout and its mask."""
    program = preset("transformer-base").program(Options(train_seed=1))
    assert any(stage.kind == "DropoutMask" for stage in program)
    shadows = shadows_of(program, torch.float32, {"tokens": (1, 5)})
    assert lacks(program, {stage: shadow.shape for stage, shadow in shadows.items()}) == []


@pytest.mark.parametrize("mode", POOLINGS)
def test_poolings_are_explained(small: Encoder, mode: str):
    modules = [Module("Pooling", "1_Pooling", {"pooling_mode": [mode, "mean" if mode != "mean" else "cls"]})]
    modules += [Module("Dense", "2_Dense", {"in_features": 64, "out_features": 5}), Module("Normalize", "3", {})]
    program = with_sentence(small.program, Sentence("", tuple(modules)))
    shadows = shadows_of(program, torch.float32, {"tokens": (1, 5)})
    assert lacks(program, {stage: shadow.shape for stage, shadow in shadows.items()}) == []


@pytest.mark.few(5)
@settings(
    max_examples=4, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)  # fmt: skip
@pytest.mark.parametrize("sample", samples(), ids=str)
@given(data=st.data())
def test_every_family_is_explained(sample: Sample, data: st.DataObject):
    """Whatever options a family has: the list that fails here says what to write, in which language."""
    encoder, _ = open_pair(sample, random_model(sample, **data.draw(sample.options)))
    run = encoder.run(tokens_for(sample, encoder, [sample.shortest + 2]))
    assert lacks(run.program, run.shapes) == []


def program_of(*stages: tuple[str, Any]) -> tuple[Program, dict[str, tuple[int, ...]]]:
    ids = Stage("tokens.ids", Odd(), (), (), ("batch", "token"))
    found = [Stage(name, op, ("tokens.ids",), (), ("batch", "token")) for name, op in stages]
    return Program([ids, *found]), {stage.name: (1, 3) for stage in [ids, *found]}


def test_what_is_missing_is_listed():
    program, shapes = program_of(
        ("layers.0.odd", Odd()),
        ("layers.1.odd", Odd()),
        ("layers.1.attention.scores", Odd()),
        ("embeddings.token", Odd()),
    )
    assert lacks(program, shapes) == [
        "zh: the formula of Odd is not translated:  turned upside down",
        "en: layers.*.odd (Odd) has no text",
        "zh: layers.*.odd (Odd) has no text",
        "en: layers.*.attention.scores (Odd) asks for {heads} in its what, and there is no such size",
        "zh: layers.*.attention.scores (Odd) asks for {heads} in its what, and there is no such size",
        "zh: the formula of Odd is not translated: ⟨0⟩ turned upside down",
    ]


def test_every_entry_is_whole():
    """Also of stages that no program has yet."""
    named, kinds = entries()
    assert len(named) > 100
    for data in [*(entry.data for entry in named), *kinds.values()]:
        if "en" not in data and "zh" not in data:
            assert data.get("formulas") or data.get("worked")
            continue
        for language in LANGUAGES:
            assert all(data[language].get(field) for field in FIELDS), data["en"]["title"]
        assert not FIELD.search(data["en"]["title"])
        for field in FIELDS:
            english, chinese = data["en"][field], data["zh"][field]
            assert set(FIELD.findall(chinese)) <= set(FIELD.findall(english)) | {"kind"}, english
            assert CHINESE.search(chinese) or chinese == "softmax", chinese
            assert not re.search(r"[\u4e00-\u9fff] ?[,.;:!?(]", chinese), chinese
            assert field == "title" or (english.endswith(".") and chinese.endswith("。")), english


def test_no_two_entries_claim_the_same_stages():
    named, _ = entries()
    keys = [(entry.glob, entry.kind, entry.first) for entry in named]
    assert sorted(set(keys)) == sorted(keys)


def test_texts_are_short():
    """What and why fit two lines each on a screen of 80 columns, with large sizes filled in."""
    named, kinds = entries()
    for data in [*(entry.data for entry in named), *kinds.values()]:
        for language in LANGUAGES:
            for field in ("what", "why"):
                text = FIELD.sub("12288", data.get(language, {}).get(field, ""))
                assert len(wrapped(text, WIDTH)) <= LINES, text


# -- which text ----------------------------------------------------------------------------------------------------


def called(kind: str):
    return type(kind, (Odd,), {})()


@pytest.mark.parametrize(
    ("stages", "title"),
    [
        ([("layers.3.attention.scores", called("Scores"))], "Attention scores"),
        ([("head.unheard.of", called("Softmax"))], "Softmax"),
        ([("embeddings.position", called("Lookup"))], "Position embedding"),
        ([("embeddings.position", called("Sinusoidal"))], "Position encoding"),
        ([("layers.0.attention.residual", called("Sum")), ("layers.0.attention.norm", called("LayerNorm"))], "Layer norm after attention"),
        ([("layers.0.attention.query", called("Linear")), ("layers.0.attention.norm", called("RMSNorm"))], "Layer norm after attention"),
        ([("layers.0.attention.norm", called("RMSNorm"))], "Norm before attention"),
        ([("mask.additive", called("AdditiveMask"))], "Additive mask"),
        ([("mask.causal", called("CausalMask"))], "Causal mask"),
        ([("mask.other", called("OtherMask"))], "Mask"),
        ([("layers.7.ffn.dropout", called("Dropout"))], "Dropout"),
        ([("nothing.known", called("Unknown"))], "known"),
    ],
)  # fmt: skip
def test_the_narrowest_entry_is_taken(stages: list[tuple[str, Any]], title: str):
    program, _ = program_of(*stages)
    assert stage_text(program.stages[-1], program, "en").title == title


# -- formulas ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stage", "english", "chinese"),
    [
        ("embeddings.token", "token = rows of E at tokens.ids", "token = E 中编号为 tokens.ids 的各行"),
        ("layers.0.attention.query_heads", "query_heads = query cut into 4 heads", "query_heads = query 切分为 4 个头"),
        ("layers.0.attention.weights", "weights = softmax(masked) over key", "weights = softmax(masked)，沿 key 轴"),
        ("layers.0.attention.scores", "scores = query_heads · key_headsᵀ", "scores = query_heads · key_headsᵀ"),
    ],
)
def test_formulas_in_both_languages(bundled: Run, stage: str, english: str, chinese: str):
    assert formulas(bundled, stage, "en")[0] == english
    assert formulas(bundled, stage, "zh")[0] == chinese


def test_formulas_of_shapes_in_chinese(bundled: Run):
    texts, tokens = bundled.tokens.shape
    sized = formulas(bundled, "layers.0.attention.concat", "zh")[1]
    assert sized == f"[{texts}, {tokens}, 128] = [{texts}, 4, {tokens}, 32] 的各个头并排拼接"


# -- numbers -------------------------------------------------------------------------------------------------------


def worth(written: str) -> float:
    """What a worked number comes to: the right-hand side, computed."""
    text = re.sub(r"[（(](?:其余 )?[\d,]+ (?:more terms|项)[）)]", "", written)
    for mark, python in (("·", "*"), ("−", "-"), ("√", "math.sqrt"), ("exp(", "math.exp(")):
        text = text.replace(mark, python)
    text = re.sub(r"math\.sqrt(\d+)", r"math.sqrt(\1)", text)

    def gelu(x: float) -> float:
        return 0.5 * x * (1 + math.erf(x / math.sqrt(2)))

    return eval(text, {"math": math, "gelu": gelu, "tanh": math.tanh})


@pytest.mark.parametrize("language", LANGUAGES)
def test_worked_numbers_are_right(bundled: Run, language: str):
    """The arithmetic that is written comes to the number that is stored, but for four digits' rounding."""
    checked: set[str] = set()
    for stage in bundled.program:
        page = explain_stage(bundled, stage.name, None, language)
        value, equals, how = page.number.partition(" = ")
        if not equals or not re.fullmatch(r"-?[\d.e-]+", value) or re.search(r"\w\[", how):
            continue  # in words, or the same number from another place
        assert float(value) == pytest.approx(worth(how), rel=0.02, abs=0.02), (stage.name, page.number)
        checked.add(stage.kind)
    assert checked >= {"Linear", "Sum", "LayerNorm", "Scores", "Scale", "AddMask", "Softmax", "Context", "Activation"}


# Words that are the same in both languages: functions, and names of axes, which are typed.
FREE = {
    "softmax", "exp", "log", "sin", "cos", "gelu", "tanh", "relu", "silu", "swish", "sigmoid", "erf", "max", "inf", "nan",
    "batch", "token", "query", "key", "head", "hidden", "vocabulary", "label", "patch", "row", "column", "channel", "place",
}  # fmt: skip


def english_in(text: str) -> list[str]:
    """English words of a text, those in quotes, names of stages and other names with their indices left out."""
    text = re.sub(r"'[^']*'|\"[^\"]*\"", "", text)
    text = re.sub(r"[\w.]*\[[^\]]*\]|\b\w+[._][\w.]+", "", text)
    return [word for word in re.findall(r"[A-Za-z]{2,}", text) if word.lower() not in FREE]


def run_of(what: Any):
    """One run of a model by name, or of a family."""
    from encoder_tui.engine import load

    if isinstance(what, Sample):
        encoder, _ = open_pair(what, random_model(what))
        return encoder.run(tokens_for(what, encoder, [what.shortest + 5, what.shortest]))
    if what == "preset:transformer-base":
        return load(what, train_seed=1).run(["the cat sat", "a"])
    return load(what).run(["the cat sat on the mat", "a dog"], None if what else "and it slept")


QUICK = ("BERT", "T5", "ViT", "torch.nn.TransformerEncoder")  # the other families are a sweep
PROGRAMS = [
    *(None, "cbow", "skipgram", "preset:transformer-base"),
    *(pytest.param(one, marks=[] if one.family in QUICK else pytest.mark.sweep) for one in samples()),
]


@pytest.mark.few(12)
@pytest.mark.parametrize("what", PROGRAMS, ids=str)
def test_numbers_and_their_notes_are_told_in_chinese_and_say_something(chinese: None, what: Any):
    """At a few elements of every stage of every kind of program: nothing left in English, nothing like `3 = 3`."""
    random = np.random.default_rng(0)
    run = run_of(what)
    for stage in run.program:
        shape = run.shapes[stage.name]
        ends = tuple(size - 1 for size in shape)
        for index in (ends, *(tuple(map(int, random.integers(0, shape))) for _ in range(3))):
            found = explain(run, stage.name, index)
            hows = [sum_.terms[0].how for sum_ in found.sums if len(sum_.terms)]
            for text in (*found.notes, *hows, *(sum_.title for sum_ in found.sums)):
                assert not english_in(said(text)), (stage.name, text)
            for name in found.facts:
                assert not english_in(tr(name).removeprefix("Σ ")), (stage.name, name)
            page = explain_stage(run, stage.name, index)
            value, _, how = page.number.partition(" = ")
            assert how.strip("()") != value, (stage.name, page)
            assert not english_in(page.number), (stage.name, page.number)


def test_a_number_put_there_by_hand_is_not_explained_away(small: Encoder):
    session = Session(small.run("one two"), small)
    TABLE.execute(session, "patch layers.0.attention.scaled[0, 0, 0, 1] = 7")
    page = explain_stage(session.trace, "layers.0.attention.scaled", (0, 0, 0, 1))
    assert page.number == "7   (put here by hand)"
    assert " / √8" in explain_stage(session.trace, "layers.0.attention.scaled", (0, 0, 0, 0)).number


def test_the_worked_number_is_the_one_on_screen(bundled: Run):
    page = explain_stage(bundled, "layers.1.attention.weights", (0, 2, 3, 1))
    stored = float(np.asarray(bundled["layers.1.attention.weights"].read((0, 2, 3, 1))))
    assert page.place == "weights[0, 2, 3 'sat', 1 'the']"
    assert page.number.startswith(f"{stored:.4g} = exp(")


def test_numbers_that_are_no_sums(bundled: Run):
    said = {
        name: explain_stage(bundled, name, (0, 2)).number for name in ("tokens.ids", "tokens.mask", "tokens.positions")
    }
    cat = int(bundled.tokens.ids[0, 2])
    assert said == {
        "tokens.ids": f"{cat}, the place of 'cat' in the vocabulary",
        "tokens.mask": "1",
        "tokens.positions": "2",
    }
    row = explain_stage(bundled, "embeddings.token", (0, 2, 5))
    assert row.number.endswith(f" = E[{cat} 'cat', 5]")
    hot = explain_stage(bundled, "tokens.one_hot", None, "zh")
    assert hot.number.startswith("1，因为 ids[0, 1 'the'] = ")
    padded = bundled.tokens.shape[1] - 1
    hidden = explain_stage(bundled, "mask.additive", (1, 0, 0, padded), "zh")
    assert hidden.number == f"-3.403e38：key {padded} '[PAD]' 是填充：对所有查询都遮住"


def test_an_index_may_leave_axes_open(bundled: Run):
    assert explain_stage(bundled, "layers.0.attention.scores", "head=2").place == "scores[0, 2, 1 'the', 1 'the']"
    assert (
        explain_stage(bundled, "layers.0.attention.scores", '0, 1, "cat", 3:').place == "scores[0, 1, 2 'cat', 3 'sat']"
    )
    with pytest.raises(InputError, match="head"):
        explain_stage(bundled, "layers.0.attention.scores", "head=9")


def test_without_numbers_nothing_is_computed(small: Encoder, monkeypatch: pytest.MonkeyPatch):
    run = small.run("one")

    def asked(*_: object) -> None:
        pytest.fail("a value was asked for")

    monkeypatch.setattr(type(run), "reach", asked)
    monkeypatch.setattr(type(run), "value", asked)
    page = explain_stage(run, "layers.1.ffn.norm", numbers=False)
    assert (page.place, page.number) == ("", "")
    assert page.formula.startswith("norm = (residual − mean)")


def test_a_recording_is_explained_as_far_as_it_goes(small: Encoder, tmp_path: Path):
    run = small.run("one two")
    save(run, tmp_path / "s.safetensors", select="layers.0.attention.*")
    recording = open_snapshot(tmp_path / "s.safetensors")
    page = explain_stage(recording, "layers.0.attention.query", None, "zh")
    assert page.title == "查询（Q）"
    assert re.fullmatch(r"-?[\d.e-]+   （此处不知道它的各项）|-?[\d.e-]+   \(此处不知道它的各项\)", page.number)
    scaled = explain_stage(recording, "layers.0.attention.scaled", None, "zh")
    assert re.fullmatch(r"-?[\d.e-]+ = \(?-?[\d.e-]+\)? / √8", scaled.number)
    assert explain_stage(recording, "output").number == ""


def test_nan_does_not_stop_an_explanation(small: Encoder):
    session = Session(small.run("one two"), small)
    TABLE.execute(session, "patch layers.0.attention.masked[0, 0, 0, 0] = 0 / 0")
    assert explain_stage(session.trace, "layers.0.attention.weights", (0, 0, 0, 1)).number.startswith("nan")


# -- the command ---------------------------------------------------------------------------------------------------


def test_the_command_prints_a_page(bundled: Run, chinese: None):
    session = Session(bundled)
    printed = TABLE.execute(session, "explain layers.0.attention.query_heads[0, 1, 2, 3]").text.splitlines()
    number = explain_stage(bundled, "layers.0.attention.query", (0, 2, 35)).number.partition(" = ")[0]
    texts, tokens = bundled.tokens.shape
    assert printed == [
        "切分为多头   layers.0.attention.query_heads",
        "  把每个词元的 128 个数切分给 4 个头，每头 32 个。不做任何计算。",
        "  每个头独立地做注意力，同一层因此可以同时关注多种关系。",
        "  公式  query_heads = query 切分为 4 个头",
        f"  形状  [{texts}, 4, {tokens}, 32] = [{texts}, {tokens}, 128] 切分为 4 个头",
        f"  数值  query_heads[0, 1, 2 'cat', 3] = {number} = query[0, 2 'cat', 35]",
    ]


def test_the_command_takes_the_stage_under_the_cursor_and_the_language_can_be_set(bundled: Run, chinese: None):
    session = Session(bundled)
    with pytest.raises(InputError, match="before the first stage"):
        TABLE.execute(session, "x")
    session.debugger.step()
    assert TABLE.execute(session, "x").text.startswith("词元编号   tokens.ids\n")
    assert TABLE.execute(session, "set lang en").text == "lang en"
    assert TABLE.execute(session, "x").text.startswith("Token ids   tokens.ids\n")
    assert "lang     en" in TABLE.execute(session, "set").text
    with pytest.raises(InputError, match="language 'fr' is not known"):
        TABLE.execute(session, "set lang fr")


def test_a_page_without_number_leaves_the_line_out(bundled: Run):
    page = replace(explain_stage(bundled, "tokens.ids"), place="", number="")
    assert write_page(page).splitlines()[-1].startswith("  shapes  ")


def test_what_is_given_says_what_it_holds() -> None:
    """`ids = ids` would say nothing."""
    for what in ("ids", "mask", "segments", "positions"):
        written = Given(what).write()
        assert written != what
        assert in_language(f"{what} = {written}", "Given", "zh") != f"{what} = {written}"
