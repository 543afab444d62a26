"""What sentence-transformers does to a text before and after the encoder: limits, prompts, case, sides. Equal to `encode`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import odd_texts as odd
import pytest
import test_tokenizers as kinds
import torch
import transformers as hf
from encoder_tui.engine import Encoder, InputError, Session, load
from encoder_tui.engine.analysis.why import explain
from encoder_tui.engine.commands import TABLE

LONG = "the cat sat on the mat and a dog ran in the park it was too tired " * 40
TEXTS = ["the cat sat on the mat", LONG, "a dog", "The CAT Sat in THE Park!"]
SIZES: dict[str, Any] = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64,
    "max_position_embeddings": 80, "initializer_range": 0.3,
}  # fmt: skip
T5: dict[str, Any] = {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4, "initializer_factor": 2.0}
DISTIL: dict[str, Any] = {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64, "max_position_embeddings": 80}
MODERN = SIZES | {"pad_token_id": 0, "cls_token_id": 2, "sep_token_id": 3, "bos_token_id": 2, "eos_token_id": 3}
# family -> what writes its tokenizer, its config
FAMILIES: dict[str, tuple[Callable[[Path], None], Any, dict[str, Any]]] = {
    "bert": (kinds.bert, hf.BertConfig, SIZES),
    "roberta": (kinds.roberta, hf.RobertaConfig, SIZES | {"type_vocab_size": 1}),
    "xlm-roberta": (kinds.fairseq, hf.XLMRobertaConfig, SIZES | {"type_vocab_size": 1}),
    "mpnet": (kinds.mpnet, hf.MPNetConfig, SIZES),
    "distilbert": (kinds.bert, hf.DistilBertConfig, DISTIL),
    "electra": (kinds.bert, hf.ElectraConfig, SIZES | {"embedding_size": 16}),
    "albert": (kinds.albert, hf.AlbertConfig, SIZES | {"embedding_size": 16}),
    "deberta": (kinds.deberta, hf.DebertaConfig, SIZES | {"relative_attention": True}),
    "deberta-v2": (kinds.deberta_v2, hf.DebertaV2Config, SIZES | {"relative_attention": True, "position_buckets": 8}),
    "nomic_bert": (kinds.bert, hf.NomicBertConfig, SIZES | {"head_dim": 8}),
    "t5": (kinds.t5, hf.T5Config, T5),
}


@pytest.fixture(scope="module", autouse=True)
def library() -> Any:
    """Loaded for these tests, not to see which there are: with it come sklearn and scipy."""
    return pytest.importorskip("sentence_transformers")


def written(directory: Path, **values: Any):
    path = directory / "config_sentence_transformers.json"
    path.write_text(json.dumps((json.loads(path.read_text()) if path.is_file() else {}) | values))


def changed(directory: Path, name: str, **values: Any):
    path = directory / name
    path.write_text(json.dumps((json.loads(path.read_text()) if path.is_file() else {}) | values))


def encode(directory: Path, texts: list[str], **options: Any) -> torch.Tensor:
    from sentence_transformers import SentenceTransformer

    model: Any = SentenceTransformer(str(directory), device="cpu", model_kwargs={"attn_implementation": "eager"})
    return model.encode(texts, convert_to_tensor=True, batch_size=len(texts), **options)


def same(directory: Path, texts: list[str] = TEXTS, prompt: str | None = None, **options: Any):
    if prompt is not None:
        options |= {"prompt_name": prompt} if prompt else {"prompt": ""}
    run = load(directory, "cpu").run(texts, prompt=prompt)
    assert torch.equal(run["sentence"].tensor(), encode(directory, texts, **options))
    return run


@pytest.fixture
def copy(minilm_dir: Path, tmp_path: Path) -> Path:
    return shutil.copytree(minilm_dir, tmp_path / "model")


@pytest.fixture(scope="module", params=FAMILIES)
def family(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small random model of a family as sentence-transformers saves it, with its tokenizer and two prompts."""
    write, make, sizes = FAMILIES[request.param]
    plain = tmp_path_factory.mktemp("plain")
    write(plain)
    odd.config(plain, request.param)
    tokenizer = odd.theirs(plain)
    torch.manual_seed(0)
    config = make(vocab_size=len(tokenizer), **sizes)
    model = hf.T5EncoderModel(config) if request.param == "t5" else cast(Any, hf.AutoModel).from_config(config)
    model.save_pretrained(plain)
    tokenizer.save_pretrained(plain)
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import modules

    transformer = modules.Transformer(str(plain), max_seq_length=24)
    pooling = modules.Pooling(32, pooling_mode=("mean", "cls", "max"))
    directory = tmp_path_factory.mktemp("sentence")
    prompts = {"query": "the query: ", "passage": "the passage and the text "}
    SentenceTransformer(modules=[transformer, pooling], prompts=prompts, device="cpu").save_pretrained(
        str(directory), create_model_card=False
    )
    return directory


@pytest.mark.few(3)
def test_every_family(family: Path, tmp_path: Path):
    run = same(family)
    assert run.tokens.shape[1] == 24
    assert any("was cut to its first 24 tokens of " in note for note in run.tokens.notes)
    same(family, prompt="passage")
    left = shutil.copytree(family, tmp_path / "left")
    changed(left, "tokenizer_config.json", padding_side="left", truncation_side="left")
    changed(next(left.glob("*_Pooling")), "config.json", include_prompt=False)
    written(left, default_prompt_name="query")
    run = same(left)
    assert not run.tokens.mask[2, 0]
    assert any("last 24 tokens" in note for note in run.tokens.notes)
    same(left, prompt="")


def test_a_long_text_is_cut_and_said(copy: Path):
    run = same(copy, [LONG, "short"])
    tokens = run.tokens
    assert tokens.shape[1] == 256
    assert tokens.cut[0] > 256
    assert tokens.cut[1] == 0
    assert tokens.notes == (
        f"text 0 was cut to its first 256 tokens of {256 + tokens.cut[0]}, as sentence_bert_config.json's max_seq_length says; "
        "--max-length N takes more",
    )
    assert load(copy, "cpu").run(["short", "texts"]).tokens.notes == ()


def test_the_hand_wins(copy: Path, library: Any):
    run = load(copy, "cpu").run([LONG], max_length=400)
    assert run.tokens.shape[1] == 400
    assert "--max-length 400 goes before 256, which sentence_bert_config.json's max_seq_length says" in run.tokens.notes
    model = library.SentenceTransformer(str(copy), device="cpu", model_kwargs={"attn_implementation": "eager"})
    model.max_seq_length = 400
    assert torch.equal(run["sentence"].tensor(), model.encode([LONG], convert_to_tensor=True))
    less = load(copy, "cpu").run([LONG], max_length=10)
    assert less.tokens.shape[1] == 10


@pytest.mark.sweep
@pytest.mark.parametrize("name", ["sentence_bert_config.json", "sentence_roberta_config.json"])
def test_limits_come_from_where_the_library_takes_them(copy: Path, name: str):
    (copy / "sentence_bert_config.json").unlink()
    changed(copy, name, max_seq_length=20)
    assert same(copy).tokens.shape[1] == 20
    (copy / name).unlink()
    changed(copy, "tokenizer_config.json", model_max_length=30)
    run = same(copy)
    assert run.tokens.shape[1] == 30
    assert "tokenizer_config.json's model_max_length" in run.tokens.notes[0]
    changed(copy, "tokenizer_config.json", model_max_length=10**30)
    assert same(copy).tokens.shape[1] == 512
    changed(
        copy,
        "sentence_bert_config.json",
        max_seq_length=20,
        processor_kwargs={"model_max_length": 12, "padding_side": "left"},
    )
    assert same(copy).tokens.shape[1] == 12


def test_more_than_the_model_has_is_refused(copy: Path):
    changed(copy, "sentence_bert_config.json", max_seq_length=600)
    with pytest.raises(
        InputError,
        match=r"tokens long and the model takes 512, though sentence_bert_config.json's max_seq_length says 600",
    ):
        load(copy, "cpu").read(LONG)


def test_prompts(copy: Path):
    written(copy, prompts={"query": "query: ", "passage": "the passage: "}, default_prompt_name="query")
    encoder = load(copy, "cpu")
    tokens = same(copy).tokens
    assert tokens.strings[2][:5] == ("[CLS]", "query", ":", "a", "dog")
    assert tokens.places[2][3:5] == ((0, 1), (2, 5))
    assert tokens.texts == tuple(TEXTS)
    assert tokens.prompt_length == 3
    assert tokens.notes[0] == (
        "the prompt 'query: ' (query) stands before each text: the default of config_sentence_transformers.json; --no-prompt leaves it out"
    )
    short = [*TEXTS[:1], *TEXTS[2:]]
    assert (
        same(copy, short, prompt="passage").tokens.notes[0]
        == "the prompt 'the passage: ' (passage) stands before each text: as asked for"
    )
    assert same(copy, short, prompt="").tokens.prompt_length == 0
    assert (
        same(copy, short, prompt="document").tokens.prompt_length == 0
    )  # one that every model of the library has, and is empty
    with pytest.raises(InputError, match=r"the model has no prompt .queri.*query"):
        encoder.read("text", prompt="queri")
    session = Session(encoder.run("a dog", prompt=""), encoder)
    assert not session.notes


def test_a_prompt_that_is_asked_for_and_empty_is_said(copy: Path):
    written(copy, prompts={"passage": "", "query": "query: "}, default_prompt_name="query")
    encoder = load(copy, "cpu")
    assert encoder.read("a dog", prompt="passage").notes == (
        "the prompt 'passage' is empty: nothing stands before the texts",
    )
    assert encoder.read("a dog", prompt="").notes == ()
    written(copy, default_prompt_name="passage")
    assert load(copy, "cpu").read("a dog").notes == ()  # nobody asked


def test_what_is_not_done_to_ids_is_said(copy: Path):
    encoder = load(copy, "cpu")
    assert encoder.run_ids([[101, 3899, 102]]).tokens.notes == ()
    cut = "nothing is cut: 300 tokens are more than 256, to which texts are cut by sentence_bert_config.json's max_seq_length"
    assert encoder.run_ids([[3899] * 300, [101]]).tokens.notes == (cut,)
    assert encoder.run_vectors(torch.zeros(1, 300, 384)).tokens.notes == (cut,)
    written(copy, prompts={"query": "query: "}, default_prompt_name="query")
    (note,) = load(copy, "cpu").run_ids([[101, 3899, 102]]).tokens.notes
    assert note == "the default prompt 'query: ' (query) is not put before what is no text"


def test_a_model_without_prompts(small: Encoder):
    with pytest.raises(InputError, match="the model has no prompt 'query'; it has none; write it before the text"):
        small.read("text", prompt="query")
    assert small.read("text", prompt="").notes == ()


@pytest.mark.few(4)
@pytest.mark.parametrize("mode", ["cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_a_prompt_is_left_out_of_the_pooling(copy: Path, mode: str, side: str):
    written(copy, prompts={"query": "represent the text: "}, default_prompt_name="query")
    changed(copy, "tokenizer_config.json", padding_side=side)
    (copy / "1_Pooling" / "config.json").write_text(
        json.dumps({"word_embedding_dimension": 384, "pooling_mode": mode, "include_prompt": False})
    )
    texts = ["the cat sat on the mat", "a dog", "it"]
    run = same(copy, texts)
    assert run["tokens.prompt"].read("1").sum() == run.tokens.prompt_length == 5
    assert (run["head.sentence.mask"].read("") == run.tokens.mask - run.tokens.prompt).all()
    stage = next(stage.name for stage in run.program if stage.kind.endswith(("Pool", "Seen")))
    for name, index in (("head.sentence.mask", (1, 2)), ("tokens.prompt", (1, 2)), (stage, (1, 7))):
        assert explain(run, name, index).holds
    same(copy, texts, prompt="")


def test_a_pooling_that_takes_the_prompt_has_no_such_stage(copy: Path):
    written(copy, prompts={"query": "represent the text: "}, default_prompt_name="query")
    assert "tokens.prompt" not in load(copy, "cpu").program


def test_small_letters(copy: Path):
    changed(copy, "tokenizer_config.json", do_lower_case=False)
    plain = same(copy, ["The CAT"])
    assert "[UNK]" in plain.tokens.strings[0]
    changed(copy, "sentence_bert_config.json", do_lower_case=True)
    assert same(copy, ["The CAT"]).tokens.strings[0] == ("[CLS]", "the", "cat", "[SEP]")


@pytest.mark.few(4)
def test_small_letters_where_the_tokenizer_has_capitals(family: Path, tmp_path: Path):
    directory = shutil.copytree(family, tmp_path / "model")
    changed(directory, "sentence_bert_config.json", do_lower_case=True)
    same(directory, ["The CAT Sat", "Été À ZÜRICH"])


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("config_sentence_transformers.json", {"truncate_dim": 64}, "truncate_dim 64 is not implemented"),
        (
            "config_sentence_transformers.json",
            {"model_type": "SparseEncoder"},
            "model_type 'SparseEncoder' is not implemented",
        ),
        (
            "sentence_bert_config.json",
            {"transformer_task": "fill-mask"},
            "transformer_task 'fill-mask' is not implemented",
        ),
        ("sentence_bert_config.json", {"model_args": {"layers": 3}}, "model_kwargs layers 3 is not implemented"),
        ("sentence_bert_config.json", {"tokenizer_args": {"lower": 1}}, "processor_kwargs lower 1 is not implemented"),
        (
            "sentence_bert_config.json",
            {"query_expansion": {"length": 32}},
            "query_expansion {'length': 32} is not implemented",
        ),
        (
            "sentence_bert_config.json",
            {"modality_config": {"message": {}}},
            "modality_config 'message', a chat template, is not",
        ),
        (
            "sentence_bert_config.json",
            {"processing_kwargs": {"text": {"a": 1}}},
            "processing_kwargs text {'a': 1} is not",
        ),
        ("1_Pooling/config.json", {"pooling_mode": "attention"}, "pooling_mode 'attention' is not implemented"),
    ],
)
def test_what_is_refused_is_named(copy: Path, name: str, values: dict[str, Any], said: str):
    changed(copy, name, **values)
    encoder = load(copy, "cpu")
    assert said in encoder.facts()["note"]
    assert "sentence" not in encoder.program.aliases


@pytest.mark.parametrize(
    "name", ["config_sentence_transformers.json", "sentence_bert_config.json", "1_Pooling/config.json"]
)
def test_what_is_not_known_is_told(copy: Path, name: str):
    changed(copy, name, surprise=1)
    assert f"{name} has keys that are not known here and not used: surprise" in load(copy, "cpu").checkpoint.notes


def test_an_unknown_key_of_modules_json_is_told(copy: Path):
    listed = json.loads((copy / "modules.json").read_text())
    listed[0]["surprise"] = 1
    (copy / "modules.json").write_text(json.dumps(listed))
    assert "modules.json has keys that are not known here and not used: surprise" in load(copy, "cpu").checkpoint.notes


@pytest.mark.parametrize("kind", ["StaticEmbedding", "WordEmbeddings", "BoW", "Router", "Asym"])
def test_modules_without_an_encoder_are_named(tmp_path: Path, kind: str):
    (tmp_path / "modules.json").write_text(
        json.dumps([{"idx": 0, "name": "0", "path": "", "type": f"sentence_transformers.models.{kind}"}])
    )
    with pytest.raises(InputError, match=f"{kind} is not implemented, and there is no Transformer beside it"):
        load(tmp_path, "cpu")


@pytest.mark.parametrize("kind", ["CNN", "LSTM", "WeightedLayerPooling", "WordWeights"])
def test_other_modules_are_named(copy: Path, kind: str):
    listed = json.loads((copy / "modules.json").read_text())
    listed.insert(1, {"idx": 1, "name": "1", "path": "1_Other", "type": f"sentence_transformers.models.{kind}"})
    (copy / "modules.json").write_text(json.dumps(listed))
    assert f"no sentence embedding: modules.json: {kind}" in load(copy, "cpu").facts()["note"]


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("config_sentence_transformers.json", {"prompts": ["a"]}, "must be texts by name"),
        ("config_sentence_transformers.json", {"default_prompt_name": "no"}, "'no' is none of its prompts"),
        ("sentence_bert_config.json", {"max_seq_length": "256"}, "must be a whole number of 1 or more"),
        ("sentence_bert_config.json", {"do_lower_case": "yes"}, "must be true or false"),
        ("sentence_bert_config.json", {"modality_config": 3}, "must be an object"),
    ],
)
def test_bad_values_are_one_line(copy: Path, name: str, values: dict[str, Any], said: str):
    changed(copy, name, **values)
    with pytest.raises(InputError) as caught:
        load(copy, "cpu")
    assert said in str(caught.value)


def test_what_is_done_to_a_later_text_is_said_too(copy: Path):
    written(copy, prompts={"query": "query: "}, default_prompt_name="query")
    encoder = load(copy, "cpu")
    session = Session(encoder.run("a dog", prompt=""), encoder)
    compared = TABLE.execute(session, 'compare text "a dog"').text
    assert compared.splitlines()[0].startswith("theirs     the prompt 'query: ' (query) stands before each text")
    said = TABLE.execute(session, f'run "{LONG.strip()}"').text
    assert "the prompt 'query: '" in said
    assert "text 0 was cut to its first 256 tokens of" in said
    assert "theirs" not in TABLE.execute(session, 'compare text "a dog"').text.splitlines()[0]
