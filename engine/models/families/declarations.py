"""What every family says of itself before it is imported: read off the files' text, since importing them all takes torch.

A declaration is a dict of literals that a line of the file begins with, one of `NAMES`:

    MODEL_TYPES = {"bert": "Bert"}
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# model_type of config.json -> how the names of transformers' classes for it begin, "" where it has none;
# -> its tokenizer's class in transformers, where that makes another of tokenizer.json than what stands there;
# -> how many positions it has where config.json is silent, None where it counts distances alone;
# a regular expression -> the family whose weights alone are called so; the same, of names that a family's kin have as well.
NAMES = ("MODEL_TYPES", "TOKENIZERS", "POSITIONS", "MARKS", "SHARED_MARKS")
DECLARATION = re.compile(rf"^({'|'.join(NAMES)}) = (\{{.*?\}})$", re.MULTILINE | re.DOTALL)


def declared(text: str) -> dict[str, dict[str, Any]]:
    """The declarations of a family's file, by their names."""
    return {match[1]: ast.literal_eval(match[2]) for match in DECLARATION.finditer(text)}


def read(folder: Path) -> dict[str, Mapping[str, Mapping[str, Any]]]:
    """The declarations of every file of a folder that has some, by module, in the order of their names."""
    by_module = ((path.stem, declared(path.read_text("utf-8"))) for path in sorted(folder.glob("*.py")))
    return {module: said for module, said in by_module if "MODEL_TYPES" in said}


DECLARED = read(Path(__file__).parent)


def of_all_families(name: str) -> dict[str, Any]:
    """One declaration of all families."""
    return {key: value for said in DECLARED.values() for key, value in said.get(name, {}).items()}
