"""What a config says of its class: code of its own, and classes of another family, are told; transformers' own are not."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import transformers
from encoder_tui.engine import load
from encoder_tui.engine.messages.errors import InputError
from encoder_tui.engine.models.config import Config
from encoder_tui.engine.models.families import FAMILIES
from encoder_tui.engine.models.model_class import CLASSES, told
from transformers.models.auto import modeling_auto

OWN = ("transformer", "torch_transformer_encoder", "cbow", "skipgram")  # no class of transformers is behind them
TABLES = [value for name, value in vars(modeling_auto).items() if re.fullmatch(r"MODEL_\w*MAPPING_NAMES", name)]


def said(**values: Any):
    return list(told(Config({"model_type": "bert"} | values, "config.json")))


@pytest.mark.parametrize("family", sorted(set(FAMILIES) - set(OWN)))
def test_no_class_that_transformers_has_for_a_family_is_told(family: str):
    names = {
        one
        for table in TABLES
        for one in ([table[family]] if isinstance(table.get(family), str) else table.get(family) or ())
    }
    assert f"{CLASSES[family]}Model" in names
    assert said(model_type=family, architectures=sorted(names)) == []


@pytest.mark.parametrize("family", sorted(set(FAMILIES) - set(OWN)))
def test_every_class_of_another_family_is(family: str):
    for other in set(CLASSES) - {family}:
        (note,) = said(model_type=family, architectures=[f"{CLASSES[other]}Model"])
        assert note.startswith(f"config.json says architectures '{CLASSES[other]}Model' and model_type '{family}'")


def test_classes_of_others(small_dir: Path, tmp_path: Path):
    directory = shutil.copytree(small_dir, tmp_path / "model")
    config = json.loads((small_dir / "config.json").read_text())
    more = {
        "architectures": ["JinaBertForMaskedLM"],
        "auto_map": {"AutoModel": "org/name--modeling_bert.JinaBertModel"},
    }
    (directory / "config.json").write_text(json.dumps(config | more))
    assert load(directory, "cpu", tell=lambda note: None).checkpoint.notes == [
        "config.json: auto_map names code of its own for this model, which is not run: it is computed as transformers' own bert",
        "config.json says architectures 'JinaBertForMaskedLM' and model_type 'bert': it is computed as transformers' BertModel, and "
        "may be meant for another",
    ]


def test_what_says_nothing():
    assert (
        said() == said(architectures=None) == said(architectures=[]) == said(auto_map={}) == said(auto_map=None) == []
    )
    assert said(architectures=["TFBertForMaskedLM"]) == said(architectures=["FlaxBertModel"]) == []
    assert hasattr(transformers, "BertLMHeadModel")
    assert said(architectures=["BertLMHeadModel"]) == []


@pytest.mark.parametrize("value", [5, "BertModel", [5], {"a": 1}])
def test_what_is_no_list_of_names(value: object):
    with pytest.raises(InputError, match=r"architectures is .*, and must be a list of names of classes"):
        said(architectures=value)
