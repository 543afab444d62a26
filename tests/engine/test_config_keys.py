"""Every key of a config is read, known to change nothing, refused by name, or told as unknown."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from encoder_tui.engine import Encoder, load
from encoder_tui.engine.messages.errors import InputError
from encoder_tui.engine.models import config_keys
from encoder_tui.engine.models.config import Config
from encoder_tui.engine.models.families import FAMILIES, family_of
from encoder_tui.engine.models.images.processor import open_processor

ENGINE = Path(config_keys.__file__).parent


@pytest.fixture
def edited(small_dir: Path, tmp_path: Path) -> Callable[..., Path]:
    """A copy of the small BERT with more in its config.json."""

    def edit(**more: Any):
        directory = tmp_path / "model"
        shutil.copytree(small_dir, directory, dirs_exist_ok=True)
        config = json.loads((small_dir / "config.json").read_text()) | more
        (directory / "config.json").write_text(json.dumps(config))
        return directory

    return edit


def test_what_nobody_asks_for_is_unknown():
    config = Config({"a": 1, "b": 2, "c": None, "hidden_dropout_prob": 0.1}, "config.json")
    config.size("b", 1)
    assert config_keys.unknown(config) == ["a"]  # c says nothing
    assert config_keys.unknown(config, {"for a reason": ("a",)}) == []


ASKING: list[Callable[[Config], object]] = [
    lambda config: config.get("key"),
    lambda config: config.says("key"),
    lambda config: config.size("key", 1),
    lambda config: config.number("key", 1),
    lambda config: config.index("key", 1, 3),
    lambda config: config.pair("key", 1),
    lambda config: config.only("key", 1),
    lambda config: config.saying({"other": 1}).get("key"),
]


@pytest.mark.parametrize("ask", ASKING)
def test_every_way_of_asking_counts(ask: Callable[[Config], object]):
    config = Config({"key": 1}, "config.json")
    ask(config)
    assert config_keys.unknown(config) == []


def test_objects_within_are_looked_into():
    config = Config({"rope": {"theta": 1.0, "factor": 2}, "never": {"theta": 1}}, "config.json")
    config.part("rope").number("theta", 1.0)
    assert config_keys.unknown(config) == ["rope.factor", "never"]


def test_an_object_that_is_none():
    assert Config({"rope": None}, "config.json").part("rope").get("theta", 3) == 3
    with pytest.raises(InputError, match=r"config.json: rope is 3, and must be an object"):
        Config({"rope": 3}, "config.json").part("rope")


def test_unknown_keys_are_one_line_on_opening(edited: Callable[..., Path]):
    notes = load(edited(foo=1, bar={"x": 2}, nothing=None), "cpu").checkpoint.notes
    assert notes == ["config.json has keys that are not known here and not used: foo, bar"]


def test_known_keys_are_no_line(edited: Callable[..., Path]):
    assert load(edited(), "cpu").checkpoint.notes == []
    assert load(edited(use_cache=False, torchscript=True, directionality="bidi"), "cpu").checkpoint.notes == []


def test_a_line_stays_one_line_and_short(edited: Callable[..., Path]):
    names = {f"key{number}": 1 for number in range(100)} | {"steered\x1b[2J\n\u202e": 1}
    (note,) = load(edited(**{"bad\x1b[31m\n": 1}, **names, **{"x" * 5000: 1}), "cpu").checkpoint.notes
    assert note.isprintable()
    assert "bad\\x1b[31m\\n" in note
    assert note.endswith("and 91 more")
    assert len(note) < 300
    (note,) = load(edited(**{"x" * 5000: 1}), "cpu").checkpoint.notes
    assert len(note) < 200


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pruned_heads", {"0": [1, 2]}),
        ("per_layer_config", {"0": {"hidden_act": "relu"}}),
        ("tie_encoder_decoder", True),
    ],
)
def test_what_no_family_implements_is_refused(edited: Callable[..., Path], name: str, value: dict[str, Any] | bool):
    with pytest.raises(InputError, match=rf"config.json: {name} .* is not implemented"):
        load(edited(**{name: value}), "cpu")


@pytest.mark.parametrize(("name", "value"), [("pruned_heads", {}), ("per_layer_config", None)])
def test_unless_it_is_off(edited: Callable[..., Path], name: str, value: dict[str, Any] | None):
    assert load(edited(**{name: value}), "cpu").checkpoint.notes == []


def test_a_padding_id_that_cannot_be_is_refused_on_opening(edited: Callable[..., Path]):
    with pytest.raises(InputError, match="pad_token_id is -1"):
        load(edited(pad_token_id=-1), "cpu")


def test_families_read_through_the_config_alone():
    """A read past `Config`'s methods would not be noted, and its key be told as unknown."""
    families = list((ENGINE / "families").rglob("*.py"))
    assert len(families) > len(set(FAMILIES.values()))
    for path in [*families, ENGINE / "checkpoint.py"]:
        assert not re.search(r"config\.values\b", path.read_text("utf-8")), path


@pytest.mark.parametrize("model_type", FAMILIES)
def test_every_list_gives_its_reasons(model_type: str):
    for reason, names in getattr(family_of(model_type), "HARMLESS", {}).items():
        assert len(reason) > 5
        assert names
        assert len(set(names)) == len(names)
        assert isinstance(names, tuple)


@pytest.mark.parametrize("model", [None, "bundled:cbow", "bundled:skipgram"])
def test_the_bundled_models_say_nothing_unknown(model: str | None):
    assert load(model, "cpu").checkpoint.notes == []


def test_minilm_says_nothing_unknown(minilm: Encoder):
    assert minilm.checkpoint.notes == []


def processor(directory: Path, **more: Any):
    (directory / "preprocessor_config.json").write_text(
        json.dumps({"image_processor_type": "ViTImageProcessor", **more})
    )
    return open_processor(directory)


def test_processors_are_accounted_for_as_well(tmp_path: Path):
    assert processor(tmp_path, do_convert_rgb=True, size={"height": 4, "width": 4}, do_resize=False).notes == ()
    said = "preprocessor_config.json has keys that are not known here and not used: foo"
    assert processor(tmp_path, foo=1).notes == (said,)


def test_a_step_that_is_not_known_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match="do_flip_channel_order True is not implemented"):
        processor(tmp_path, do_flip_channel_order=True)
    assert processor(tmp_path, do_flip_channel_order=False).notes == ()


@pytest.mark.parametrize("value", ["1" + "0" * 400, "NaN", "Infinity", "-1", "true", '"1e-5"', "[1]", "1e39"])
def test_numbers_that_cannot_be_are_one_line(small_dir: Path, tmp_path: Path, value: str):
    directory = tmp_path / "model"
    shutil.copytree(small_dir, directory)
    text = (small_dir / "config.json").read_text()
    (directory / "config.json").write_text(re.sub(r'"layer_norm_eps": [^,]*', f'"layer_norm_eps": {value}', text))
    with pytest.raises(InputError, match=r"^.{0,300}layer_norm_eps is .*must be a number from 0 to less than 1e\+38$"):
        load(directory, "cpu")


def test_a_large_number_is_none_of_them_but_a_large_whole_number_is(edited: Callable[..., Path]):
    """torch takes the one, and refuses the other."""
    assert load(edited(layer_norm_eps=1e29), "cpu").run("the cat")["output"].read().shape[-1] == 32
    with pytest.raises(InputError, match=r"layer_norm_eps is 10+, and 9223372036854775807 is the most"):
        load(edited(layer_norm_eps=10**29), "cpu")
