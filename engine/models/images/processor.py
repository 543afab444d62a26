"""What a checkpoint says is to be done to an image before a model sees it: `preprocessor_config.json`.

The steps are those of transformers' processors for Pillow (`ViTImageProcessorPil`, `DeiTImageProcessorPil`,
`CLIPImageProcessorPil`), in their order and precision, so that the pixels are equal to the last bit. Those for torchvision,
which transformers prefers where it is installed, resize with another kernel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...messages.errors import InputError
from ...program.json_values import is_list, is_object
from .. import config_keys
from ..config import Config
from ..files import read_object, regular

if TYPE_CHECKING:
    from PIL.Image import Image

Pixels = npt.NDArray[Any]
ImageSize = tuple[int, int]
# An image resized to more pixels than this is no input of a model, but one of extreme shape.
MOST_PIXELS = 1 << 26

_HALF = [0.5, 0.5, 0.5]
_CLIP_MEAN, _CLIP_STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
_STEPS = {"do_resize": True, "do_rescale": True, "do_normalize": True, "do_center_crop": False, "do_pad": False}
_ALL = _STEPS | {"rescale_factor": 1 / 255, "image_mean": _HALF, "image_std": _HALF}
_CROP = {"do_center_crop": True, "crop_size": {"height": 224, "width": 224}, "resample": 3}
# What each kind does where its file does not say: the class attributes of transformers' processors.
DEFAULTS: dict[str, dict[str, Any]] = {
    "ViT": {**_ALL, "size": {"height": 224, "width": 224}, "resample": 2},
    "DeiT": {**_ALL, "size": {"height": 256, "width": 256}, **_CROP},
    "CLIP": {**_ALL, "size": {"shortest_edge": 224}, **_CROP, "image_mean": _CLIP_MEAN, "image_std": _CLIP_STD},
}
PROCESSORS = ("processor_config.json", "preprocessor_config.json")  # the first that has a part for images counts
ENDINGS = ("ImageProcessorFast", "ImageProcessorPil", "ImageProcessor", "FeatureExtractor")
HARMLESS: config_keys.Harmless = {
    "what the file is for": ("image_processor_type", "feature_extractor_type", "processor_class", "_processor_class"),
    "how a processor is called, not what it does": (
        "return_tensors", "data_format", "input_data_format", "device", "disable_grouping", "num_workers",
        "_valid_processor_keys",
    ),
    "every image is opened in the colours the model wants": ("do_convert_rgb",),
    "of a step that is left out": (
        "size", "resample", "crop_size", "rescale_factor", "image_mean", "image_std", "pad_size", "default_to_square",
    ),
}  # fmt: skip
FILTERS = ("nearest", "Lanczos", "bilinear", "bicubic", "box", "Hamming")


@dataclass(frozen=True, slots=True)
class Processor:
    """The steps from an image to pixels, None where one is left out.

    Attributes:
        size: to resize to; one number is the length of the shorter edge, the other then follows.
        resample: with which of Pillow's filters: 0 nearest, 1 Lanczos, 2 bilinear, 3 bicubic, 4 box, 5 Hamming.
        crop: height and width to be cut from the middle; what the image lacks is filled with zeros.
        factor: what pixels from 0 to 255 are multiplied by.
        mean, deviation: taken off and divided by, a number for each channel.
        notes: what is to be said of the file, a sentence each.
    """

    size: ImageSize | int | None
    resample: int
    crop: ImageSize | None
    factor: float | None
    mean: tuple[float, ...] | None
    deviation: tuple[float, ...] | None
    notes: tuple[str, ...] = ()

    def pixels(self, image: Image) -> Pixels:
        """(channel, height, width) of an image in RGB or in grey.

        Raises:
            InputError: an image of so extreme a shape that resizing it would fill the memory; means of another number
                of channels.
        """
        if self.size is not None:
            height, width = self.size if isinstance(self.size, tuple) else _keeping_shape(image.size, self.size)
            if height * width > MOST_PIXELS:
                raise InputError(
                    f"{image.width} x {image.height} pixels would be resized to {width} x {height}; crop it"
                )
            image = image.resize((width, height), resample=self.resample)
        array = np.asarray(image)
        array = array[None] if array.ndim == 2 else np.moveaxis(array, -1, 0)  # (channel, height, width)
        if self.crop is not None:
            array = _middle(array, self.crop)
        if self.factor is not None:
            array = (array.astype(np.float64) * self.factor).astype(np.float32)
        if self.mean is not None and self.deviation is not None:
            array = array.astype(np.float32)
            mean, deviation = (self._each(numbers, len(array)) for numbers in (self.mean, self.deviation))
            array = ((array.T - mean) / deviation).T
        return np.ascontiguousarray(array, dtype=np.float32)

    @staticmethod
    def _each(numbers: tuple[float, ...], channels: int) -> Pixels:
        each = numbers * channels if len(numbers) == 1 else numbers
        if len(each) != channels:
            raise InputError(
                f"image_mean and image_std hold {len(each)} numbers, and the image has {channels} channels"
            )
        return np.array(each, dtype=np.float32)

    def written(self) -> str:
        """What is done, in a few words."""
        steps: list[str] = []
        if self.size is not None:
            to = "x".join(map(str, self.size)) if isinstance(self.size, tuple) else f"shorter edge {self.size}"
            steps.append(f"resize to {to} ({FILTERS[self.resample]})")
        if self.crop is not None:
            steps.append(f"crop {'x'.join(map(str, self.crop))}")
        if self.factor is not None:
            steps.append(f"times {self.factor:.6g}")
        if self.mean is not None and self.deviation is not None:
            said = (" ".join(f"{number:.4g}" for number in numbers) for numbers in (self.mean, self.deviation))
            steps.append("minus {}, over {}".format(*said))
        return ", ".join(steps) or "as they are"


def open_processor(directory: Path) -> Processor:
    """The image processor of a model directory.

    Raises:
        InputError: there is none, or it asks for something that is not implemented, by name.
    """
    values, where = _read(directory)
    file = Config(values, str(where))
    named = next((values[key] for key in ("image_processor_type", "feature_extractor_type") if values.get(key)), "")
    kind = next((str(named).removesuffix(end) for end in ENDINGS if str(named).endswith(end)), str(named))
    if kind not in DEFAULTS:
        known = ", ".join(f"{name}ImageProcessor" for name in DEFAULTS)
        raise InputError(f"{where}: image_processor_type {named!r} is not implemented; known: {known}")
    # transformers takes null for no: `"do_normalize": null` switches it off, whatever the default
    given = {key: bool(value) if value is None and key.startswith("do_") else value for key, value in values.items()}
    config = file.saying({**DEFAULTS[kind], **given})
    config.refuse("do_pad")
    if config.get("use_square_size"):
        config.refuse("use_square_size")
    resample = config.index("resample", 2, len(FILTERS))
    rescaled, normed = config.flag("do_rescale", True), config.flag("do_normalize", True)
    processor = Processor(
        _size(config, "size", square=kind != "CLIP") if config.flag("do_resize", True) else None,
        resample,
        _crop(config) if config.flag("do_center_crop", False) else None,
        config.number("rescale_factor", 1 / 255) if rescaled else None,
        _numbers(config, "image_mean") if normed else None,
        _numbers(config, "image_std") if normed else None,
    )
    file.refuse(
        *(name for name in config_keys.unknown(file, HARMLESS) if name.startswith("do_"))
    )  # steps, whatever they do
    note = config_keys.unknown_keys_line(where.name, config_keys.unknown(file, HARMLESS))
    return replace(processor, notes=(note,) if note else ())


def _read(directory: Path) -> tuple[Mapping[str, Any], Path]:
    """The processor's settings: a file of their own, or a part of transformers 5's `processor_config.json`."""
    whole, own = (directory / name for name in PROCESSORS)
    for path, part in ((whole, "image_processor"), (own, None)):
        if not regular(path):
            continue
        values = read_object(path) if part is None else read_object(path).get(part)
        if values is None:
            continue
        if not is_object(values):
            raise InputError(f"cannot read {path}: it holds {type(values).__name__}, not an object")
        return values, path
    raise InputError(
        f"no preprocessor_config.json in {str(directory)!r}: it says how images become pixels; "
        "save the model's image processor there as well"
    )


def _size(config: Config, name: str, *, square: bool) -> ImageSize | int:
    written: Any = config.get(name)
    if is_list(written) and len(written) == 2:
        written = {"height": written[0], "width": written[1]}
    if isinstance(written, int):
        written = {"height": written, "width": written} if square else {"shortest_edge": written}
    if is_object(written):
        given = {key: value for key, value in written.items() if value is not None}
        read = Config(given, f"{config.where}: {name}")
        if given.keys() == {"height", "width"}:
            return read.size("height", 1, MOST_PIXELS), read.size("width", 1, MOST_PIXELS)
        if given.keys() == {"shortest_edge"}:
            return read.size("shortest_edge", 1, MOST_PIXELS)
    raise InputError(
        f"{config.where}: {name} {written!r} is not implemented; only height and width, or shortest_edge, are"
    )


def _crop(config: Config) -> ImageSize:
    size = _size(config, "crop_size", square=True)
    if isinstance(size, int):
        raise InputError(f"{config.where}: crop_size must have a height and a width")
    return size


def _numbers(config: Config, name: str) -> tuple[float, ...]:
    written = config.get(name)
    given = written if is_list(written) else [written]
    numbers = [float(number) for number in given if isinstance(number, int | float)]
    if not numbers or len(numbers) < len(given):
        raise InputError(f"{config.where}: {name} is {written!r}, and must be a list of numbers")
    if name == "image_std" and 0 in numbers:
        raise InputError(f"{config.where}: {name} is {written!r}, and nothing can be divided by 0")
    return tuple(numbers)


def _keeping_shape(size: ImageSize, shortest: int) -> ImageSize:
    """Height and width with a shorter edge of that length; Pillow's own sizes are (width, height)."""
    width, height = size
    short, long = min(size), max(size)
    longest = int(shortest * long / short)
    return (longest, shortest) if width <= height else (shortest, longest)


def _middle(array: Pixels, size: ImageSize) -> Pixels:
    """The middle of (channel, height, width), with zeros around where it is too small, as `transformers.center_crop`."""
    height, width = array.shape[1:]
    tall, wide = max(size[0], height), max(size[1], width)
    top, left = (height - size[0]) // 2, (width - size[1]) // 2
    if tall > height or wide > width:
        down, across = -((height - tall) // 2), -((width - wide) // 2)
        padded = np.zeros((len(array), tall, wide), dtype=array.dtype)
        padded[:, down : down + height, across : across + width] = array
        array, top, left = padded, top + down, left + across
    top, left = max(0, top), max(0, left)
    return array[:, top : top + size[0], left : left + size[1]]
