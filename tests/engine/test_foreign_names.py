"""TransformerLens' and Hugging Face's names give the tensors that those libraries give, or are refused with the reason."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from encoder_tui.engine import Encoder, InputError, open_snapshot, save
from encoder_tui.engine.program.foreign.hugging_face import decodes
from encoder_tui.engine.program.foreign.names import why_none
from family_kit import open_pair, plain_inputs, random_model, sample_of, samples, tokens_for
from lens_kit import MODELS, NAMES, cached, equal_stages, of_first_layer, opened, same
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

LENS = importlib.util.find_spec("transformer_lens") is not None
# Families without a table of their modules: those of one operation answer, those that hold others do not.
WITHOUT = (
    "ALBERT",
    "NomicBERT",
    "CLIP",
    "CLIP text",
    "CLIP images",
    "CLIP classes",
    "CLIP text alone",
    "CLIP images alone",
)
CASES: list[tuple[str, dict[str, Any]]] = [
    ("BERT", {"head": "words"}), ("BERT", {}), ("BERT", {"head": "classes"}), ("RoBERTa", {"head": "words"}),
    ("RoBERTa", {"head": "classes"}), ("DistilBERT", {}), ("DistilBERT", {"head": "answer"}), ("T5", {"head": "labels"}),
    ("T5", {"feed_forward_proj": "gated-gelu"}), ("UMT5", {}), ("ViT", {}), ("ViT", {"kind": "model"}), ("DeiT", {}),
    ("ELECTRA", {}), ("ELECTRA", {"head": "words"}), ("MPNet", {"head": "words"}), ("ModernBERT", {"head": "words"}),
    ("DeBERTa-v2", {"share_att_key": False}),  # shared, projections are called twice
]  # fmt: skip
# Of every other family that has a table of modules, its sample of no options.
CASES.extend(
    (sample.family, {})
    for sample in samples()
    if sample.family not in dict(CASES) and sample.opener is None and sample.family not in WITHOUT
)


def first_tensor(output: Any) -> Any:
    while not isinstance(output, torch.Tensor):
        if not output:
            return None
        output = next(iter(output.values())) if hasattr(output, "values") else output[0]
    return output


def outputs(model: Any, inputs: dict[str, Any]):
    """What every module gives, by its name; nothing of those that are not called."""
    given: dict[str, torch.Tensor] = {}
    handles: list[Any] = []

    def writer(name: str):
        def write(module: object, args: object, output: Any):
            given[name] = first_tensor(output).clone()

        return write

    for name, module in model.named_modules():
        handles.append(module.register_forward_hook(writer(name)))
    with torch.no_grad():
        model(**inputs)
    for handle in handles:
        handle.remove()
    return given


@pytest.mark.few(10)
@pytest.mark.parametrize(("family", "options"), CASES, ids=lambda part: str(part))
def test_hugging_face_names(family: str, options: dict[str, Any]):
    """Every module of the model: its name gives its output, with the head's prefix and without, or says why not."""
    sample = sample_of(family)
    encoder, theirs = open_pair(sample, random_model(sample, **options))
    run = encoder.run(tokens_for(sample, encoder, [37, 37] if "image.pixels" in encoder.program else [7, 4]))
    given = outputs(theirs, (sample.inputs or plain_inputs)(run.tokens))
    names = [name for name, _ in theirs.named_modules() if name]
    prefix = next((f"{name}." for name in names if "." not in name and f"{name}.embeddings" in names), "")
    accepted = 0
    for name in names:
        for typed in {name, name.removeprefix(prefix)}:
            stages = run.program.match(typed)
            if not stages:
                assert why_none(run.program, typed), f"{typed} is unknown"
                with pytest.raises(InputError, match="no stage is"):
                    run.program.resolve(typed)
                continue
            assert len(stages) == 1, f"{typed} is {stages}"
            assert name in given, f"{typed} is never called"
            ours, theirs_alone = run[typed].tensor(), given[name]
            if theirs_alone.shape == ours.shape[1:]:  # without a batch, for all texts
                theirs_alone = theirs_alone.expand(ours.shape)
            assert same(theirs_alone, ours), f"{typed} is not {stages[0]}"
            accepted += 1
    assert accepted > 0.8 * len([name for name in names if not decodes(name, run.program)]) - 2


def test_what_a_layer_is_called(minilm: Encoder):
    resolve = minilm.program.resolve
    for name in ("encoder.layer.3", "bert.encoder.layer.3", "encoder.layer.3.output"):
        assert resolve(name) == "layers.3.ffn.norm"
    assert resolve("encoder") == resolve("bert") == resolve("output") == "layers.5.ffn.norm"
    assert resolve("encoder.layer.2.attention.self") == "layers.2.attention.concat"
    assert minilm.program.match("encoder.layer.*.intermediate") == [
        f"layers.{layer}.ffn.activation" for layer in range(6)
    ]
    with pytest.raises(InputError, match=r"no stage is encoder\.layer: it is a list of modules"):
        resolve("encoder.layer")
    with pytest.raises(InputError, match=r"no stage named 'encoder\.layer\.6'"):
        resolve("encoder.layer.6")


@pytest.mark.parametrize(
    ("hook", "why"),
    [
        ("blocks.2.attn.hook_q", r"\[batch, token, head, head_dim\] in TransformerLens and \[batch, head, token, head_dim\] here: "
         r"the same numbers are layers\.2\.attention\.query_heads"),
        ("blocks.0.attn.hook_z", r"the same numbers are layers\.0\.attention\.context"),
        ("blocks.*.attn.hook_k", r"no stage is blocks\.0\.attn\.hook_k: .* layers\.0\.attention\.key_heads"),
        ("blocks.0.attn.hook_attn_scores", r"weights after softmax, layers\.0\.attention\.weights; the scores are layers\.0\.attention\.masked"),
        ("blocks.0.hook_resid_mid", r"second sum, layers\.0\.ffn\.residual; the sum after attention is layers\.0\.attention\.residual"),
        ("blocks.0.ln1.hook_scale", r"what layers\.0\.attention\.norm divides by"),
        ("blocks.0.hook_q_input", r"only where use_split_qkv_input is set; it is embeddings\.norm"),
    ],
)  # fmt: skip
def test_a_hook_that_is_no_stage_says_why(minilm: Encoder, hook: str, why: str):
    with pytest.raises(InputError, match=why):
        minilm.program.resolve(hook)


def test_a_decoders_hooks_say_that_it_is_not_computed():
    run, _ = opened("T5")
    for hook in ("decoder_blocks.0.hook_resid_post", "unembed.hook_out"):
        with pytest.raises(InputError, match="it belongs to the decoder, which is not computed"):
            run.program.resolve(hook)


def test_each_reason_names_stages_that_are_there(minilm: Encoder):
    """What a reason points at can be typed, and what it is given for is not accepted."""
    from encoder_tui.engine.program.foreign import hugging_face as foreign_modules
    from encoder_tui.engine.program.foreign import transformer_lens as foreign_lens

    for hook, why in [*foreign_lens.reasons(minilm.program), *foreign_modules.reasons(minilm.program)]:
        assert not minilm.program.match(hook)
        for word in why.replace("`", " ").split():
            if word.startswith(("layers.", "embeddings.", "head.")):
                assert minilm.program.resolve(word.strip(";,:").split("[")[0]), (hook, why)


@pytest.mark.parametrize("name", MODELS)
def test_every_name_of_transformer_lens_is_known(name: str):
    """Those that its bridge has, each with the stages that held what it keeps by it, as written down by `lens_kit.py`."""
    program = opened(name)[0].program
    kept = json.loads(NAMES.read_text())[name]
    assert len(kept) > 50
    accepted = {hook: program.match(hook) for hook in kept if program.match(hook)}
    assert len(accepted) > 25
    assert not [hook for hook in kept if hook not in accepted and not why_none(program, hook)]
    assert not {hook: stages for hook, stages in accepted.items() if stages[1:] or stages[0] not in kept[hook].split()}


@pytest.mark.skipif(not LENS, reason="TransformerLens is not installed: pip install '.[lens]'")
@pytest.mark.parametrize("name", MODELS)
def test_transformer_lens_beside(name: str):
    """Every hook that is accepted holds what `run_with_cache` keeps under its name, to the last bit."""
    run, theirs = opened(name)
    cache, names = cached(run, theirs)
    known = equal_stages(run, cache, of_first_layer(names))
    assert known == json.loads(NAMES.read_text())[name], "write lens_names.json again"
    accepted = [hook for hook in names if run.program.match(hook)]
    assert len(accepted) > 50
    for hook in accepted:
        assert hook in cache, f"{hook} is never filled"
        assert same(cache[hook], run[hook].tensor()), f"{hook} is not {run.program.match(hook)}"


def test_a_recording_keeps_what_modules_are_called(minilm: Encoder, tmp_path: Path):
    """Those that hold others as well, for it has no family to ask; one from before they were kept has those of one operation."""
    path = tmp_path / "run.safetensors"
    save(minilm.run("a cat"), path, select="layers.0.*")
    program = open_snapshot(path).program
    assert program.modules == minilm.program.modules
    assert program.resolve("bert.encoder.layer.0.attention") == "layers.0.attention.norm"
    with pytest.raises(InputError, match=r"no stage is encoder\.layer: it is a list of modules"):
        program.resolve("encoder.layer")

    without_modules(path)
    older = open_snapshot(path).program
    assert older.resolve("encoder.layer.0.attention.self.query") == "layers.0.attention.query"
    assert older.resolve("blocks.0.attn.hook_pattern") == "layers.0.attention.weights"
    assert older.match("encoder.layer.0.attention") == []


def without_modules(path: Path):
    """Make a recording one from before modules were kept."""
    tensors, entry = load_file(path), json.loads((safe_open(path, "numpy").metadata() or {})["encoder_tui"])
    del entry["modules"]
    save_file(tensors, path, {"encoder_tui": json.dumps(entry)})


def test_an_older_recording_says_which_names_it_lacks(tmp_path: Path):
    """Also once it was written again; hooks of a T5 it has all the same."""
    run, _ = opened("T5")
    path, again = tmp_path / "run.safetensors", tmp_path / "again.safetensors"
    save(run, path)
    assert open_snapshot(path).notes == run.notes
    hook = "encoder_blocks.0.hook_resid_post"
    assert open_snapshot(path).program.resolve(hook) == run.program.resolve(hook)
    without_modules(path)
    save(open_snapshot(path), again)
    for older in (open_snapshot(path), open_snapshot(again)):
        assert [note[:45] for note in older.notes[len(run.notes) :]] == [
            "recorded by an encoder-tui that did not keep "
        ]
        assert older.program.resolve(hook) == run.program.resolve(hook)


def test_a_recording_of_a_few_stages_has_names_too(tmp_path: Path):
    sample = sample_of("ModernBERT")
    encoder, _ = open_pair(sample, random_model(sample))
    save(encoder.run(tokens_for(sample, encoder, [5])), tmp_path / "few.safetensors", select="layers.0.ffn.gate*")
    program = open_snapshot(tmp_path / "few.safetensors").program
    assert program.resolve("blocks.0.mlp.hook_post") == "layers.0.ffn.gated"
    with pytest.raises(InputError, match=r"the same numbers are layers\.0\.attention\.query_heads"):
        program.resolve("blocks.0.attn.hook_q")
