"""What Hugging Face's transformers calls the modules of a model that hold others: a layer, `encoder`, `attention`.

A module of one operation is named by its stage (`Stage.module`). The rest a family says of itself in one table, which its
programs carry and recordings keep, so that the names work wherever a stage is typed, and without the family.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# After a stage's name: its dropout, where the program has one. Between two: the second where the program lacks the first.
DROPPED, OR = "~", " or "
# Why a module is no stage.
LIST = "it is a list of modules, which gives nothing by itself"
IDLE = "it is the dropout before a head, which gives what it takes"
FUNCTION = "transformers calls a function in its place, on the weights"


@dataclass(frozen=True, slots=True)
class Modules:
    """The modules of a family that hold others, and those that are no stage.

    Attributes:
        prefixes: what a model with a head puts before the encoder's names: `("bert.",)`.
        layer: what layers are called, without their number.
        whole: module outside the layers -> stage.
        parts: module within a layer, "" for itself -> stage within that layer.
        heads: module of a head -> stage.
        none: module that is no stage -> why; `{}` stands for the number of a layer.
        blocks: what TransformerLens calls the layers.
        decoders: what the names of modules begin with that belong to a decoder, which is not computed.
    """

    prefixes: tuple[str, ...] = ()
    layer: str = ""
    whole: Mapping[str, str] = field(default_factory=dict[str, str])
    parts: Mapping[str, str] = field(default_factory=dict[str, str])
    heads: Mapping[str, str] = field(default_factory=dict[str, str])
    none: Mapping[str, str] = field(default_factory=dict[str, str])
    blocks: str = "blocks"
    decoders: tuple[str, ...] = ()
