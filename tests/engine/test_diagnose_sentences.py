"""What is otherwise before the first layer or after the last is named: pooling, norm and Dense of a sentence, a prompt, a text that is cut."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from encoder_tui.engine import Encoder, Run, Tokens, attach, load, record
from encoder_tui.engine.analysis.diagnose import Diagnosis, diagnose
from encoder_tui.engine.models.notes import silent
from encoder_tui.engine.program.trace import Trace
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

TEXTS = ["The animal didn't cross the street because it was too tired", "A cat sat."]
Module = tuple[str, dict[str, Any]]
MEAN: Module = ("Pooling", {"pooling_mode": "mean"})
CLS: Module = ("Pooling", {"pooling_mode": "cls"})
UNIT: Module = ("Normalize", {})
DENSE: Module = (
    "Dense",
    {"in_features": 32, "out_features": 20, "activation_function": "torch.nn.modules.activation.Tanh"},
)
LINEAR: Module = ("Dense", DENSE[1] | {"activation_function": "torch.nn.modules.linear.Identity"})
SQUARE: Module = ("Dense", DENSE[1] | {"out_features": 32})
NORM: Module = ("LayerNorm", {"dimension": 32})
Make = Callable[..., Encoder]


def sizes_of(kind: str, said: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """Of a module's weights."""
    if kind == "LayerNorm":
        return {"norm.weight": (32,), "norm.bias": (32,)}
    out = said.get("out_features", 0)
    return {"linear.weight": (out, 32), "linear.bias": (out,)} if kind == "Dense" else {}


def pooled(mode: str, **more: Any) -> Module:
    return "Pooling", {"pooling_mode": mode, **more}


@pytest.fixture(scope="module")
def make(small_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Opens a sentence-transformers directory of these modules after a small BERT; the same once alone."""
    opened: dict[str, Encoder] = {}

    def make(*modules: Module, **files: dict[str, Any]) -> Encoder:
        key = json.dumps([modules, files])
        return opened[key] if key in opened else opened.setdefault(key, written(*modules, **files))

    def written(
        *modules: Module, settings: dict[str, Any] | None = None, root: dict[str, Any] | None = None
    ) -> Encoder:
        there = shutil.copytree(small_dir, tmp_path_factory.mktemp("sentence") / "model")
        names = ["Transformer", *(kind for kind, _ in modules)]
        paths = ["", *(f"{at}_{kind}" for at, kind in enumerate(names) if at)]
        listed = [
            {"idx": at, "name": str(at), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for at, (kind, path) in enumerate(zip(names, paths, strict=True))
        ]
        (there / "modules.json").write_text(json.dumps(listed))
        (there / "sentence_bert_config.json").write_text(json.dumps(settings or {}))
        (there / "config_sentence_transformers.json").write_text(json.dumps(root or {}))
        draw = torch.Generator().manual_seed(0)
        for path, (kind, said) in zip(paths[1:], modules, strict=True):
            (there / path).mkdir()
            (there / path / "config.json").write_text(json.dumps(said))
            weights = {name: torch.randn(size, generator=draw) for name, size in sizes_of(kind, said).items()}
            if weights:
                save_file(weights, there / path / "model.safetensors")
        return load(there, "cpu")

    return make


def expect_named(diagnosis: Diagnosis, kind: str, words: str, first: str) -> None:
    """One cause that leaves nothing."""
    assert [cause.kind for cause in diagnosis.causes] == [kind], diagnosis
    (cause,) = diagnosis.causes
    assert words in cause.cause
    assert (cause.first, cause.then, diagnosis.left) == (first, "", None)


# Ours, theirs, kind, words, where; each is turned round as well, where the second words are said.
HEADS: dict[str, tuple[Sequence[Module], Sequence[Module], str, str, str]] = {
    "cls for mean": ([MEAN, UNIT], [CLS, UNIT], "pooling", "theirs takes the first token, ours the mean over tokens", "normalized"),
    "mean for cls": ([CLS, UNIT], [MEAN, UNIT], "pooling", "theirs takes the mean over tokens, ours the first token", "normalized"),
    "cls for mean, not normed": ([MEAN], [CLS], "pooling", "theirs takes the first token", "mean"),
    "max for mean": ([MEAN, UNIT], [pooled("max"), UNIT], "pooling", "theirs takes the largest of each feature, ours the mean", "normalized"),
    "last token": ([MEAN], [pooled("lasttoken")], "pooling", "theirs takes the last token, ours the mean", "mean"),
    "root of the count": ([MEAN], [pooled("mean_sqrt_len_tokens")], "pooling", "theirs takes the sum over tokens by the root of their count", "mean"),
    "weighted": ([MEAN, UNIT], [pooled("weightedmean"), UNIT], "pooling", "theirs takes a mean that counts later tokens more", "normalized"),
    "not normed": ([MEAN, UNIT], [MEAN], "sentence not normalised", "theirs does not bring the sentence embedding to length 1", "normalized"),
    "normed": ([MEAN], [MEAN, UNIT], "sentence normalised", "theirs brings the sentence embedding to length 1, ours does not", "mean"),
    "no Dense": ([MEAN, DENSE, UNIT], [MEAN, UNIT], "Dense left out", "theirs has no Dense layer (32 → 20, tanh) after the pooling", "normalized"),
    "no square Dense": ([MEAN, SQUARE], [MEAN], "Dense left out", "theirs has no Dense layer (32 → 32, tanh)", "activation"),
    "no tanh": ([MEAN, DENSE], [MEAN, LINEAR], "activation", "theirs computes no activation, ours tanh", "activation"),
    "a Dense": ([MEAN, UNIT], [MEAN, DENSE, UNIT], "Dense ours has not", "theirs has a Dense layer (32 → 20, tanh) after the pooling", "normalized"),
    "a Dense at the end": ([MEAN], [MEAN, DENSE], "Dense ours has not", "theirs has a Dense layer (32 → 20, tanh) after the pooling", "mean"),
    "a norm": ([MEAN, UNIT], [MEAN, NORM, UNIT], "norm ours has not", "theirs has a LayerNorm after the pooling", "normalized"),
    "no norm": ([MEAN, NORM, UNIT], [MEAN, UNIT], "norm left out", "theirs does not norm", "normalized"),
}  # fmt: skip


@pytest.fixture(scope="module")
def tokens(small: Encoder) -> Tokens:
    """The texts, read once."""
    return small.read(TEXTS)


@pytest.mark.few(6)
@pytest.mark.parametrize("fault", HEADS)
def test_what_makes_another_embedding_of_a_text_is_named(fault: str, make: Make, tokens: Tokens) -> None:
    ours, theirs, kind, words, first = HEADS[fault]
    expect_named(diagnose(make(*ours).run(tokens), make(*theirs).run(tokens)), kind, words, f"head.sentence.{first}")


@pytest.mark.parametrize("modules", [[MEAN], [CLS, UNIT], [MEAN, DENSE, UNIT], [pooled("max"), NORM]], ids=str)
def test_nothing_is_named_of_the_same_head(modules: list[Module], make: Make, small: Encoder, tokens: Tokens) -> None:
    """Nor where other texts stand beside it, or in another dtype."""
    encoder = make(*modules)
    run, half = encoder.run(tokens), encoder.otherwise(replace(encoder.settings, dtype="bfloat16")).run(tokens)
    for theirs in (encoder.run(tokens), encoder.run(small.read([*TEXTS, TEXTS[0] * 2])), half):
        assert diagnose(run, theirs).nothing


@pytest.mark.parametrize("mode", ["cls", "max", "mean_sqrt_len_tokens"])
def test_of_one_text_another_pooling_is_no_mere_factor(mode: str, make: Make, small: Encoder) -> None:
    """The sum by the root of its count is the mean times a number, in one text."""
    tokens = small.read(TEXTS[:1])
    assert diagnose(make(MEAN).run(tokens), make(pooled(mode)).run(tokens)).causes[0].kind == "pooling"


# -- somebody's own module that ends in a vector -----------------------------------------------------------------------


class Embedding(nn.Module):
    """A text's embedding by hand, upon transformers' module."""

    def __init__(self, body: nn.Module, way: str) -> None:
        super().__init__()
        self.body, self.way = body, way

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        x, mask = self.body(input_ids, attention_mask).last_hidden_state, attention_mask[..., None]
        match self.way:
            case "cls":
                return functional.normalize(x[:, 0])
            case "padding counted":
                return functional.normalize(x.mean(1))
            case "last place":
                return functional.normalize(x[:, -1])
            case "not normed":
                return (x * mask).sum(1) / mask.sum(1)
            case _:
                return functional.normalize((x * mask).sum(1) / mask.sum(1))


# What is done -> kind, words of the cause, what the author's line says
WRITTEN = {
    "cls": ("pooling", "theirs takes the first token, ours the mean", "functional.normalize(x[:, 0])"),
    "padding counted": ("pooling counts padding", "theirs takes the mean over tokens with padding among them", "x.mean(1)"),
    "last place": ("pooling counts padding", "theirs takes the last token with padding among them, ours the mean", "x[:, -1]"),
    "not normed": ("sentence not normalised", "theirs does not bring", "return (x * mask).sum(1)"),
}  # fmt: skip


@pytest.fixture(scope="module")
def written(make: Make, small_dir: Path, tokens: Tokens) -> Callable[[str, bool], tuple[Run, Trace]]:
    """Our run, and a module that ends in an embedding, attached or recorded."""
    from transformers import AutoModel

    automatic: Any = AutoModel
    body, encoder = automatic.from_pretrained(small_dir, attn_implementation="eager").eval(), make(MEAN, UNIT)

    def written(way: str, live: bool) -> tuple[Run, Trace]:
        run = encoder.run(tokens)
        given = torch.from_numpy(run.tokens.ids.copy()), torch.from_numpy(run.tokens.mask.copy())
        module = Embedding(body, way).eval()
        with torch.no_grad():
            theirs = attach(module, *given, tell=silent).first if live else record(module, *given)
        assert theirs is not None
        return run, theirs

    return written


@pytest.mark.few(4)
@pytest.mark.parametrize("live", [True, False], ids=["module", "recording"])
@pytest.mark.parametrize("way", [*WRITTEN, ""])
def test_what_a_module_makes_of_its_last_layer_is_named(way: str, live: bool, written: Any) -> None:
    diagnosis = diagnose(*written(way, live))
    if not way:
        assert diagnosis.nothing, diagnosis
        return
    kind, words, line = WRITTEN[way]
    expect_named(diagnosis, kind, words, "head.sentence.normalized")
    path, _, number = diagnosis.causes[0].line.rpartition(":")
    assert line in Path(path).read_text().splitlines()[int(number) - 1]


# -- what is done to a text before -------------------------------------------------------------------------------------

PROMPTED = {"prompts": {"query": "query: "}, "default_prompt_name": "query"}


@pytest.mark.parametrize("turned", [False, True], ids=["theirs", "ours"])
def test_a_prompt_that_is_missing_is_named(turned: bool, make: Make) -> None:
    encoder = make(MEAN, UNIT, root=PROMPTED)
    runs = [encoder.run(TEXTS), encoder.run(TEXTS, prompt="")]
    who = "ours" if turned else "theirs"
    diagnosis = diagnose(*(runs[::-1] if turned else runs))
    assert [cause.kind for cause in diagnosis.causes] == ["prompt missing"]
    assert diagnosis.causes[0].cause == f"{who} puts no prompt before the text: it lacks query :"
    assert diagnosis.left is None


@pytest.mark.parametrize("turned", [False, True], ids=["theirs", "ours"])
def test_a_prompt_that_is_counted_in_the_pooling_is_named(turned: bool, make: Make) -> None:
    modes = [[pooled("mean", include_prompt=False), UNIT], [MEAN, UNIT]]
    ours, theirs = (make(*modules, root=PROMPTED).run(TEXTS) for modules in (modes[::-1] if turned else modes))
    words = "leaves the tokens of the prompt out" if turned else "theirs counts the tokens of the prompt in the pooling"
    expect_named(diagnose(ours, theirs), "prompt in the pooling", words, "head.sentence.mean")


@pytest.mark.parametrize("turned", [False, True], ids=["theirs", "ours"])
def test_a_text_that_is_cut_is_named(turned: bool, make: Make) -> None:
    """The short text is not, and the separator stays."""
    encoders = [make(MEAN), make(MEAN, settings={"max_seq_length": 8})]
    ours, theirs = (encoder.run(TEXTS) for encoder in (encoders[::-1] if turned else encoders))
    diagnosis = diagnose(ours, theirs)
    assert [cause.kind for cause in diagnosis.causes] == ["text cut"]
    who = "ours" if turned else "theirs"
    assert f"{who} cuts the text to 8 tokens: 7 are missing, from 'the' on" in diagnosis.causes[0].cause
    assert diagnosis.left is None
