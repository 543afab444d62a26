"""CLIP whole (Radford et al. 2021): an encoder of text and one of images side by side. See `clip_parts`.

A run goes through one of them, `Options.side`. `CLIPForImageClassification` has that of images alone.
"""

from __future__ import annotations

from collections.abc import Container

from ...program.program import Program
from .. import config_keys
from ..config import Config
from .blocks import clip as clip_parts
from .blocks.builder import Builder
from .family import IMAGE, TEXT, Limits, Options, Sight

MODEL_TYPES = {"clip": "CLIP"}
TOKENIZERS = {"clip": "CLIPTokenizer"}
MARKS = {r"(^|\.)vision_model\.|(^|\.)text_model\.": "CLIP"}
PREFIXES: tuple[str, ...] = ()
TIED: dict[str, str] = {}
HARMLESS = {
    **clip_parts.HARMLESS,
    "of the encoder that is not run": ("text_config", "vision_config", "text_config_dict", "vision_config_dict"),
}


def sides(config: Config) -> tuple[str, ...]:
    """Text and images, unless the checkpoint was saved as a classifier of images."""
    made_by = config.get("architectures")
    return (IMAGE,) if made_by == ["CLIPForImageClassification"] else (TEXT, IMAGE)


def limits(config: Config) -> Limits:
    """What text it takes."""
    return clip_parts.text_limits(_part(config, "text"))


def sight(config: Config) -> Sight:
    """What images it takes."""
    return clip_parts.image_sight(_part(config, "vision"))


def build(config: Config, stored: Container[str], options: Options) -> Program:
    """The program of one side of a checkpoint."""
    b, projection = Builder(), config.size("projection_dim", 512)
    if options.side == TEXT:
        clip_parts.text(b, _part(config, "text"), stored, options, "text_model.", projection)
    else:
        clip_parts.image(b, _part(config, "vision"), stored, options, "vision_model.", projection)
    return b.program()


def _part(config: Config, which: str) -> Config:
    """The config of one side. Where an old config has a `text_config_dict` as well, that one counts, alone."""
    name = next((name for name in (f"{which}_config_dict", f"{which}_config") if config.get(name) is not None), "")
    classes = {key: config.get(key) for key in ("id2label", "num_labels", "problem_type") if config.says(key)}
    part = config.part(name) if name else Config({}, config.where)
    config_keys.refuse_unimplemented(part)
    return part.saying(classes)
