"""What ERNIE has that BERT has not is refused by its name."""

import json

import pytest
from encoder_tui.engine import InputError, load
from family_ernie import SAMPLE
from family_kit import open_pair, random_model


def test_task_embeddings_are_refused():
    encoder, _ = open_pair(SAMPLE, random_model(SAMPLE))
    config = encoder.checkpoint.directory / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"use_task_id": True}))
    with pytest.raises(InputError, match="use_task_id True is not implemented"):
        load(encoder.checkpoint.directory, "cpu")
