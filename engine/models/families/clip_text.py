"""CLIP's encoder of text alone: `CLIPTextModel`, with or without projection. See `clip_parts`."""

from __future__ import annotations

from collections.abc import Container

from ...program.program import Program
from ..config import Config
from .blocks import clip as clip_parts
from .blocks.builder import Builder
from .family import Options

MODEL_TYPES = {"clip_text_model": "CLIPText"}
POSITIONS = {"clip_text_model": 77}
PREFIXES = ("text_model.",)
TIED: dict[str, str] = {}
HARMLESS = clip_parts.HARMLESS
limits = clip_parts.text_limits


def build(config: Config, stored: Container[str], options: Options) -> Program:
    """The program of a checkpoint."""
    b = Builder()
    clip_parts.text(b, config, stored, options, "", config.size("projection_dim", 512))
    return b.program()
