"""The class a config says its model is of: `architectures`, and `auto_map`, which names code that lies beside it.

transformers chooses by `model_type` alone, as is done here, and runs code of a model's own only where it is told to trust it. So
neither changes a number; but where they say something else, the numbers may not be those of whoever trained the model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..messages.errors import InputError
from ..program.json_values import is_list
from .config import Config
from .families.declarations import of_all_families

# model_type -> how the names of transformers' classes for it begin.
CLASSES: Mapping[str, str] = {
    model_type: front for model_type, front in of_all_families("MODEL_TYPES").items() if front
}
# What follows: `BertModel`, `BertForMaskedLM`, `T5EncoderModel`, `MarianMTModel`, `CLIPTextModelWithProjection`, ...
ENDINGS = r"(Model|MTModel|For[A-Z]|LMHead|Encoder|PreTrained|WithLMHead)\w*"


def told(config: Config) -> Iterator[str]:
    """What is to be said of them, a sentence each.

    Raises:
        InputError: `architectures` that is no list of names.
    """
    if config.get("auto_map"):
        yield (
            "config.json: auto_map names code of its own for this model, which is not run: "
            f"it is computed as transformers' own {config.model_type}"
        )
    named: Any = config.get("architectures") or []
    if not is_list(named) or not all(isinstance(one, str) for one in named):
        raise InputError(f"{config.where}: architectures is {repr(named)[:60]}, and must be a list of names of classes")
    front = CLASSES.get(config.model_type)
    others = [one for one in named if front and not re.fullmatch(f"(TF|Flax)?{front}{ENDINGS}", one)]
    if others:
        yield (
            f"config.json says architectures {others[0][:60]!r} and model_type {config.model_type!r}: it is computed as "
            f"transformers' {front}Model, and may be meant for another"
        )
