"""Runs of images: whole CLIP, labels, patches by name, comparing and running others, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import family_images as families
import numpy as np
import pytest
import torch
from encoder_tui.engine import InputError, load, open_snapshot, save
from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.commands.session import Session
from encoder_tui.tui.cli import main
from PIL import Image
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing
from transformers import CLIPConfig, CLIPModel
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil


def picture(path: Path, seed: int, size: tuple[int, int] = (40, 30)) -> str:
    random = np.random.default_rng(seed)
    Image.fromarray(random.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)).save(path)
    return str(path)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    directory = tmp_path_factory.mktemp("pictures")
    return [picture(directory / f"{seed}.png", seed) for seed in range(2)]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, CLIPModel]:
    """CLIP whole, with a tokenizer and an image processor."""
    directory = tmp_path_factory.mktemp("clip")
    torch.manual_seed(0)
    model = families.clip(CLIPModel, {"eos_token_id": 1}, {}).eval()
    model.save_pretrained(directory)
    words = {"<start>": 0, "<end>": 1, "a": 2, "cat": 3, "dog": 4, "and": 5, "<unk>": 6}
    tokenizer = Tokenizer(WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        single="<start> $A <end>", special_tokens=[("<start>", 0), ("<end>", 1)]
    )
    tokenizer.save(str(directory / "tokenizer.json"))
    (directory / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')  # as it stands
    CLIPImageProcessorPil(size={"shortest_edge": 24}, crop_size=24).save_pretrained(directory)
    return directory, model


@pytest.fixture(scope="module")
def vit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("vit")
    torch.manual_seed(0)
    model = families.vit(labels=3)
    model.config.id2label = {0: "house", 1: "tree", 2: "boat"}
    model.save_pretrained(directory)
    ViTImageProcessorPil(size={"height": 24, "width": 24}).save_pretrained(directory)
    return directory


def test_what_texts_and_images_are_compared_by(clip: tuple[Path, CLIPModel], pictures: list[str]):
    """The embeddings of both sides are those of the model called once for both."""
    directory, model = clip
    texts = load(directory, "cpu").run(["a cat", "a dog and a cat"])
    images = load(directory, "cpu", side="image").run(images=pictures)
    assert texts.tokens.strings[0] == ("<start>", "a", "cat", "<end>", "<end>", "<end>", "<end>")
    pixels = CLIPImageProcessorPil.from_pretrained(directory)([Image.open(path) for path in pictures])["pixel_values"]
    with torch.no_grad():
        both = model(
            input_ids=torch.from_numpy(texts.tokens.ids), attention_mask=torch.from_numpy(texts.tokens.mask),
            pixel_values=torch.from_numpy(np.stack(pixels)),
        )  # fmt: skip
    assert torch.equal(texts["head.embedding.normalized"].tensor(), both.text_embeds)
    assert torch.equal(images["head.embedding.normalized"].tensor(), both.image_embeds)
    assert torch.equal(images["image.pixels"].tensor(), torch.from_numpy(np.stack(pixels)))


def test_old_configs_of_clip(clip: tuple[Path, CLIPModel], tmp_path: Path):
    """Where a `text_config_dict` stands beside `text_config`, it counts alone, as transformers has it."""
    directory, _ = clip
    values = json.loads((directory / "config.json").read_text())
    wrong = {"num_attention_heads": 8, "eos_token_id": 2, "layer_norm_eps": 0.5}
    values["text_config_dict"] = {
        key: value for key, value in values["text_config"].items() if key not in ("layer_norm_eps", "eos_token_id")
    }
    values["text_config"] |= wrong
    theirs = cast(Any, CLIPConfig(**values).text_config)
    assert (theirs.num_attention_heads, theirs.eos_token_id, theirs.layer_norm_eps) == (4, 49407, 1e-5)
    for path in directory.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "config.json").write_text(json.dumps(values))
    run = load(tmp_path, "cpu").run("a cat")
    assert run.program["head.pooler.token"].options == {"number": 49407}
    assert run.program["layers.0.attention.norm"].options["epsilon"] == 1e-5
    assert run.shapes["layers.0.attention.weights"][1] == 4


def test_classes_have_their_names(vit: Path, pictures: list[str]):
    run = load(vit, "cpu").run(images=pictures[0])
    best = run["head.classes.best"]
    assert {best.word(int(number)) for number in best.numpy().ravel()} == {"house", "tree", "boat"}


def test_patches_are_called_by_row_and_column(vit: Path, pictures: list[str]):
    run = load(vit, "cpu").run(images=pictures)
    weights = run["layers.0.attention.weights"]
    assert np.array_equal(weights.read('head=1, query="3,5", key="[CLS]"'), weights.numpy()[:, 1, 1 + 3 * 6 + 5, 0])
    concat, patches = run["embeddings.concat"].numpy(), run["embeddings.patches"].numpy()
    assert np.array_equal(concat[1, 1 + 3 * 6 + 5], patches[1, :, 3, 5])


def test_a_hidden_patch_gets_no_attention(vit: Path, pictures: list[str]):
    session = Session(load(vit, "cpu").run(images=pictures[0]))
    TABLE.execute(session, 'patch tokens.mask[0, "3,5"] = 0')
    weights = session.trace["layers.0.attention.weights"].numpy()
    assert not weights[..., 24].any()
    assert np.allclose(weights.sum(-1), 1)


def test_a_recording_of_images(vit: Path, pictures: list[str], tmp_path: Path):
    run = load(vit, "cpu").run(images=pictures)
    save(run, tmp_path / "run.safetensors")
    recorded = open_snapshot(tmp_path / "run.safetensors")
    for stage in run.program:
        assert np.array_equal(recorded[stage.name].numpy(), run[stage.name].numpy()), stage.name
    session = Session(recorded)
    for line in (
        "info tokens",
        "why embeddings.patches[0, 1, 2, 3]",
        "why image.pixels[0, 0, 1, 2]",
        f"compare model {vit}",
    ):
        assert TABLE.execute(session, line).text


def test_commands_of_images(vit: Path, pictures: list[str], tmp_path: Path):
    encoder = load(vit, "cpu")
    session = Session(encoder.run(images=pictures[0]), encoder)
    assert "differ" in TABLE.execute(session, f"compare image {pictures[1]}").text
    assert TABLE.execute(session, f"compare model {vit}").text
    assert "42" not in TABLE.execute(session, "info tokens").text.splitlines()[1]
    assert "resize to 24x24 (bilinear)" in TABLE.execute(session, "info model").text
    assert TABLE.execute(session, f"patch layers.0.output[0, 3] = image {pictures[1]}").text
    assert "2 images of 37 tokens" in TABLE.execute(session, f"run {pictures[0]} {pictures[1]}").text
    for line, said in (
        ("compare text cat", "this is a run of image"),
        ("run missing.png", "no image 'missing.png'"),
        ("patch tokens.positions[0, 0] = 37", "from 0 to 36"),
    ):
        with pytest.raises(InputError, match=said):
            TABLE.execute(session, line)


def test_what_takes_no_images(clip: tuple[Path, CLIPModel], pictures: list[str]):
    encoder = load(clip[0], "cpu")
    session = Session(encoder.run("a cat"), encoder)
    with pytest.raises(InputError, match="this is a run of text"):
        TABLE.execute(session, f"compare image {pictures[0]}")
    with pytest.raises(InputError, match="takes text and no images"):
        load(None, "cpu", side="image")


def test_a_processor_of_another_model(vit: Path, pictures: list[str], tmp_path: Path):
    for path in vit.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    ViTImageProcessorPil(size={"height": 20, "width": 24}).save_pretrained(tmp_path)
    with pytest.raises(InputError, match=r"20 x 24 pixels \(height x width\) and the model takes 24 x 24"):
        load(tmp_path, "cpu").run(images=pictures)


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["-m", "VIT", "--image", "0", "--image", "1"], 0, "head.classes.best [2, 3]"),
        (["-m", "CLIP", "--image", "0"], 0, "head.embedding.normalized [1, 20]"),
        (["-m", "CLIP", "a cat"], 0, "head.embedding.normalized [1, 20]"),
        (["--image", "0"], 2, "takes text and no images"),
        (["-m", "VIT", "a cat"], 2, "takes images and no text"),
        (["-m", "VIT"], 2, "--image PATH"),
        (["-m", "CLIP", "--image", "0", "a cat"], 2, "--image takes no text"),
        (["-m", "VIT", "--image", "missing.png"], 2, "no image 'missing.png'"),
        (["-m", "VIT", "--image", "0", "--against", "image 1"], 3, "differ"),
    ],
)
def test_command_line(
    vit: Path,
    clip: tuple[Path, CLIPModel],
    pictures: list[str],
    arguments: list[str],
    status: int,
    said: str,
    capfd: pytest.CaptureFixture[str],
):
    meant = {
        "VIT": str(vit),
        "CLIP": str(clip[0]),
        "0": pictures[0],
        "1": pictures[1],
        "image 1": f"image {pictures[1]}",
    }
    left = main(["--batch", *(meant.get(word, word) for word in arguments)])
    out, err = capfd.readouterr()
    assert (left, said in out + err) == (status, True), out + err
    other_side = "CLIP" in arguments and not status  # of its two encoders one is not used, and that is said
    assert len(err.splitlines()) == (status == 2 or other_side), err


def test_where_a_patch_looks(vit: Path, clip: tuple[Path, CLIPModel], pictures: list[str]):
    session = Session(load(vit, "cpu").run(images=pictures))
    weights = session.trace["layers.1.attention.weights"].numpy()[1, 2, 24]
    lines = TABLE.execute(session, 'picture layers.1.attention.weights[1, head=2, query="3,5"]').text.splitlines()
    row, column = divmod(int(weights[1:].argmax()), 6)
    assert lines[1].endswith(f"at {row},{column}")
    assert f"[CLS] {weights[0]:.9g}"[:12] in lines[2]
    shades = [line[5:].ljust(12) for line in lines[-6:]]
    assert shades[row][2 * column] == "█"
    low = divmod(int(weights[1:].argmin()), 6)
    assert shades[low[0]][2 * low[1]] == " "
    for line in ("layers.1.attention.weights[1, 2]", "image.pixels", "layers.0.attention.weights[0, 0, 0, 1:9]"):
        with pytest.raises(InputError, match="picture takes one row over all tokens"):
            TABLE.execute(session, f"picture {line}")
    with pytest.raises(InputError, match="this is a run of text"):
        TABLE.execute(Session(load(clip[0], "cpu").run("a cat")), "picture embeddings.sum[0, :, 3]")
