"""Image files become the pixels that transformers' processors for Pillow make of them, or are refused in one line."""

from __future__ import annotations

import json
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from encoder_tui.engine import InputError
from encoder_tui.engine.models.images.processor import open_processor
from encoder_tui.engine.models.images.reader import FORMATS, MOST_PIXELS, open_image
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from PIL import Image
from transformers.image_utils import load_image
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.deit.image_processing_pil_deit import DeiTImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

PROCESSORS = {"ViT": ViTImageProcessorPil, "DeiT": DeiTImageProcessorPil, "CLIP": CLIPImageProcessorPil}


def noise(width: int, height: int, mode: str = "RGB", seed: int = 0) -> Image.Image:
    """A picture of every value, smooth enough that a filter has something to do."""
    random = np.random.default_rng(seed)
    channels = len(Image.new(mode, (1, 1)).getbands())
    small = random.integers(0, 256, (max(1, height // 3), max(1, width // 3), channels), dtype=np.uint8)
    bands = [Image.fromarray(small[..., band]).resize((width, height), 3) for band in range(channels)]
    return bands[0] if mode == "L" else Image.merge(mode, bands)


def same(directory: Path, kind: str, image: Image.Image) -> None:
    """Our pixels and transformers', bit for bit, of what its settings in a directory say."""
    ours = open_processor(directory).pixels(image.convert("RGB"))
    theirs = PROCESSORS[kind].from_pretrained(directory)(image.convert("RGB"))["pixel_values"][0]
    assert ours.dtype == np.float32
    assert np.array_equal(ours, np.asarray(theirs, dtype=np.float32))


@pytest.mark.parametrize("kind", PROCESSORS)
@pytest.mark.parametrize("size", [(320, 240), (97, 301), (224, 224), (1, 1), (3, 2), (31, 700)])
def test_defaults(tmp_path: Path, kind: str, size: tuple[int, int]):
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"image_processor_type": f"{kind}ImageProcessor"}))
    same(tmp_path, kind, noise(*size))


@settings(
    max_examples=60, deadline=None, derandomize=True, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture]
)  # fmt: skip
@given(data=st.data())
def test_any_settings(tmp_path: Path, data: st.DataObject):
    kind = data.draw(st.sampled_from(sorted(PROCESSORS)))
    sides = st.integers(1, 40)
    numbers = st.lists(st.floats(0.1, 2), min_size=3, max_size=3)

    def both(height: int, width: int):
        return {"height": height, "width": width}

    def shortest(edge: int):
        return {"shortest_edge": edge}

    sizes = st.one_of(sides, st.builds(both, sides, sides), st.builds(shortest, sides))
    whole = st.one_of(sides, st.builds(both, sides, sides))
    flags = st.booleans()
    values: dict[str, Any] = {
        "do_resize": data.draw(flags), "do_center_crop": data.draw(flags), "do_rescale": data.draw(flags),
        "do_normalize": data.draw(flags), "size": data.draw(sizes), "crop_size": data.draw(whole),
        "resample": data.draw(st.integers(0, 5)), "rescale_factor": data.draw(st.sampled_from([1 / 255, 0.5])),
        "image_mean": data.draw(numbers), "image_std": data.draw(numbers),
        "feature_extractor_type": f"{kind}FeatureExtractor", "do_convert_rgb": True,
    }  # fmt: skip
    for name in data.draw(st.sets(st.sampled_from(sorted(set(values) - {"feature_extractor_type", "crop_size"})))):
        del values[name]
    for name in data.draw(st.sets(st.sampled_from(["do_resize", "do_center_crop", "do_rescale", "do_normalize"]))):
        values[name] = None  # which is not the same as nothing
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(values))
    same(tmp_path, kind, noise(data.draw(st.integers(1, 60)), data.draw(st.integers(1, 60))))


def test_settings_of_transformers_5_come_first(tmp_path: Path):
    ViTImageProcessorPil(size=9).save_pretrained(tmp_path)
    part = json.loads((tmp_path / "preprocessor_config.json").read_text()) | {"size": {"height": 5, "width": 7}}
    (tmp_path / "processor_config.json").write_text(json.dumps({"image_processor": part}))
    same(tmp_path, "ViT", noise(20, 20))
    assert open_processor(tmp_path).size == (5, 7)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"image_processor_type": "SiglipImageProcessor"}, "'SiglipImageProcessor' is not implemented"),
        ({}, "image_processor_type"),
        ({"size": {"longest_edge": 5}}, "longest_edge"),
        ({"size": {"shortest_edge": 5, "longest_edge": 9}}, "longest_edge"),
        ({"crop_size": {"shortest_edge": 5}, "do_center_crop": True}, "crop_size"),
        ({"do_pad": True}, "do_pad"),
        ({"resample": 9}, "resample"),
        ({"image_std": [0, 1, 1]}, "divided by 0"),
        ({"image_mean": "high"}, "image_mean"),
        ({"size": {"height": 0, "width": 4}}, "height"),
    ],
)
def test_what_is_not_implemented_is_refused_by_name(tmp_path: Path, values: dict[str, Any], said: str):
    kind = {} if not values else {"image_processor_type": "ViTImageProcessor"}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(kind | values))
    with pytest.raises(InputError, match=said) as error:
        open_processor(tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["{", "[]", ""])
def test_damaged_settings(tmp_path: Path, text: str):
    (tmp_path / "preprocessor_config.json").write_text(text)
    with pytest.raises(InputError, match=r"cannot read .*preprocessor_config.json"):
        open_processor(tmp_path)


def test_no_settings(tmp_path: Path):
    with pytest.raises(InputError, match="save the model's image processor there"):
        open_processor(tmp_path)


def test_an_image_of_extreme_shape_does_not_fill_the_memory(tmp_path: Path):
    CLIPImageProcessorPil().save_pretrained(tmp_path)
    with pytest.raises(InputError, match="crop it"):
        open_processor(tmp_path).pixels(Image.new("RGB", (1, 2_000_000)))


# -- files ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("a.png", "RGB"), ("a.png", "RGBA"), ("a.png", "L"), ("a.png", "LA"), ("a.jpg", "CMYK"), ("a.jpg", "RGB"),
        ("a.bmp", "RGB"), ("a.tif", "CMYK"), ("a.ppm", "RGB"), ("a.webp", "RGBA"), ("a.gif", "L"),
    ],
)  # fmt: skip
def test_files_open_as_transformers_opens_them(tmp_path: Path, name: str, mode: str):
    noise(40, 30, mode).save(tmp_path / name)
    assert np.array_equal(np.asarray(open_image(tmp_path / name)), np.asarray(load_image(str(tmp_path / name))))


def test_files_of_few_colours_and_turned_ones(tmp_path: Path):
    palette, turned, one_bit = tmp_path / "p.png", tmp_path / "t.jpg", tmp_path / "1.png"
    noise(40, 30).quantize(7).save(palette)
    noise(40, 30, "L").convert("1").save(one_bit)
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    noise(40, 30).save(turned, exif=exif)
    for path in (palette, turned, one_bit):
        assert np.array_equal(np.asarray(open_image(path)), np.asarray(load_image(str(path))))
    assert open_image(turned).size == (30, 40)


def refused(path: str | Path, said: str) -> None:
    with pytest.raises(InputError, match=said) as error:
        open_image(path)
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)


def test_what_is_no_image(tmp_path: Path):
    (tmp_path / "text.png").write_text("not an image")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "drawing.eps").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    refused(tmp_path / "text.png", "is no image that can be read")
    refused(tmp_path / "empty.png", "is no image that can be read")
    refused(tmp_path / "drawing.eps", "is no image that can be read")  # Pillow would start Ghostscript for it
    refused(tmp_path, "is not a file")
    refused(tmp_path / "missing.png", "no image")
    assert "EPS" not in FORMATS


def test_damaged_images(tmp_path: Path):
    for name in ("a.png", "a.jpg", "a.gif", "a.webp", "a.tif", "a.bmp"):
        noise(90, 90).save(tmp_path / name)
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[: len(whole) * 2 // 3])
        refused(tmp_path / name, "cannot read image|is no image")


@settings(
    max_examples=settings.default.max_examples * 3 // 2, deadline=None, derandomize=True, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture]
)  # fmt: skip
@given(data=st.data())
def test_damage_anywhere_gives_an_image_or_one_line(tmp_path: Path, data: st.DataObject):
    suffix = data.draw(st.sampled_from(["png", "jpg", "gif", "webp", "tif", "bmp", "ppm"]))
    path = tmp_path / f"a.{suffix}"
    noise(24, 18).save(path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    said = ""
    try:
        assert open_image(path).mode == "RGB"
    except InputError as error:
        said = str(error)
    assert "\n" not in said


def test_decompression_bombs(tmp_path: Path):
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    for side in (10_001, 60_000):
        head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
        path = tmp_path / f"{side}.png"
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"") + chunk(b"IEND", b""))
        refused(path, f"{MOST_PIXELS:,}")


def test_animated_images(tmp_path: Path):
    frames = [noise(9, 9, seed=seed) for seed in range(3)]
    for name in ("a.gif", "a.webp", "a.tif", "a.png"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
        refused(tmp_path / name, "has 3 frames")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission(tmp_path: Path):
    noise(9, 9).save(tmp_path / "a.png")
    (tmp_path / "a.png").chmod(0)
    refused(tmp_path / "a.png", "Permission denied")


def test_no_permission_as_anyone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    noise(9, 9).save(tmp_path / "a.png")

    def closed(*args: object, **options: object):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("PIL.Image.open", closed)
    refused(tmp_path / "a.png", "Permission denied")
