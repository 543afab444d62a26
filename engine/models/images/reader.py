"""Image files to pixels, and pixels to what goes into a program: patches are the tokens."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...messages.errors import InputError, one_line
from ...program.tokens import PIXELS, Tokens
from ..families import Sight
from .processor import Pixels, Processor, open_processor

if TYPE_CHECKING:
    from PIL.Image import Image

# What is opened. Pillow knows more, some of which start other programs or have had no one's care for long.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
# An image of more pixels is a decompression bomb rather than a photograph.
MOST_PIXELS = 100_000_000
# Pillow's names of what a pixel is, by the number of channels a model wants.
MODES = {1: "L", 3: "RGB"}


class ImageReader:
    """A checkpoint's image processor together with what its model takes.

    Args:
        directory: the checkpoint's.
        sight: what images the model takes.

    Raises:
        InputError: no image processor there, or one that cannot be followed.
    """

    def __init__(self, directory: Path, sight: Sight) -> None:
        self.sight = sight
        self.processor: Processor = open_processor(directory)
        if sight.channels not in MODES:
            raise InputError(
                f"{directory}: images of {sight.channels} channels cannot be read from files; only of 1 or 3"
            )

    def read(self, paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> Tokens:
        """Turn image files into one batch.

        Args:
            paths: one or several.

        Raises:
            InputError: a file that is no image, is damaged or cannot be read; pixels of another size than the model's.
        """
        rows = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
        if not rows:
            raise InputError("no image given; write --image PATH")
        return image_tokens(self.sight, [self._pixels(path) for path in rows], [os.fspath(path) for path in rows])

    def _pixels(self, path: str | os.PathLike[str]) -> Pixels:
        image = open_image(path, MODES[self.sight.channels])
        try:
            pixels = self.processor.pixels(image)
        except InputError as error:
            raise InputError(f"image {os.fspath(path)!r}: {error}") from None
        wanted = (self.sight.channels, self.sight.height, self.sight.width)
        if pixels.shape != wanted:
            made, takes = (f"{shape[1]} x {shape[2]}" for shape in (pixels.shape, wanted))
            raise InputError(
                f"image {os.fspath(path)!r} becomes {made} pixels (height x width) and the model takes {takes}: "
                "its image processor and its config do not belong together"
            )
        return pixels


def image_tokens(sight: Sight, pixels: Sequence[Pixels], names: Sequence[str]) -> Tokens:
    """A batch of images that are pixels already.

    Args:
        pixels: (channel, height, width) of each.
        names: what each is called.
    """
    words = sight.tokens
    shape = (len(pixels), len(words))
    positions = np.broadcast_to(np.arange(len(words), dtype=np.int64), shape).copy()
    ids, segments = np.zeros(shape, np.int64), np.zeros(shape, np.int64)  # no stage of an image's program has them
    return Tokens(
        tuple(names), None, ids, np.ones(shape, np.int64), segments, positions, (words,) * shape[0],
        (((0, 0),) * shape[1],) * shape[0], arrays={PIXELS: np.stack(pixels)},
    )  # fmt: skip


def open_image(path: str | os.PathLike[str], mode: str = "RGB") -> Image:
    """An image file, upright and with channels of one kind, as transformers' `load_image` opens it.

    Transparency is dropped, not blended.

    Args:
        mode: Pillow's name of what a pixel is to be: `RGB` or `L`.

    Raises:
        InputError: no such file, none that may be read, no image, a damaged or animated one, or one too large to unpack.
    """
    try:
        from PIL import Image, ImageOps, UnidentifiedImageError
    except ImportError:
        raise InputError("images are read by Pillow, which is not installed: pip install pillow") from None
    text = os.fspath(path)
    if not os.path.exists(os.path.expanduser(text)):
        raise InputError(f"no image {text!r}; give the path of a file")
    if not os.path.isfile(os.path.expanduser(text)):
        raise InputError(f"image {text!r} is not a file; give the path of one")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the limit here is lower
            with Image.open(os.path.expanduser(text), formats=FORMATS) as image:
                _check(image, text)
                return ImageOps.exif_transpose(image).convert(mode)
    except (InputError, MemoryError):
        raise
    except UnidentifiedImageError:
        raise InputError(f"{text!r} is no image that can be read; give one of {', '.join(FORMATS)}") from None
    except Image.DecompressionBombError:
        raise InputError(f"image {text!r} unpacks to more than {MOST_PIXELS:,} pixels; scale it down first") from None
    except Exception as error:  # Pillow's formats fail in many ways: OSError, SyntaxError, ValueError, struct.error
        said = getattr(error, "strerror", None) or one_line(error)
        raise InputError(f"cannot read image {text!r}: {said}") from None


def _check(image: Any, text: str) -> None:
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise InputError(
            f"image {text!r} has {width:,} x {height:,} pixels and {MOST_PIXELS:,} is the most; scale it down first"
        )
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        raise InputError(f"image {text!r} has {frames} frames; save the one to be looked at by itself")
