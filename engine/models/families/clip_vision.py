"""CLIP's encoder of images alone: `CLIPVisionModel`, with or without projection. See `clip_parts`."""

from __future__ import annotations

from collections.abc import Container

from ...program.program import Program
from ..config import Config
from . import vit
from .blocks import clip as clip_parts
from .blocks.builder import Builder
from .family import Options

MODEL_TYPES = {"clip_vision_model": "CLIPVision"}
PREFIXES = ("vision_model.",)
TIED: dict[str, str] = {}
HARMLESS = clip_parts.HARMLESS
sides, limits = vit.sides, vit.limits
sight = clip_parts.image_sight


def build(config: Config, stored: Container[str], options: Options) -> Program:
    """The program of a checkpoint."""
    b = Builder()
    clip_parts.image(b, config, stored, options, "", config.size("projection_dim", 512))
    return b.program()
