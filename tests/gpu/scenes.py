"""What the commands are tried on: each scene opens a session on a device and gives it lines. One list, for the pretend device and for a card.

On the pretend device every answer is the CPU's to the letter (tests/engine/test_pretend_commands.py, which also holds that each
command of the table is in a scene); on a card it is in the same words (`debugging`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

TEXTS = ["The animal didn't cross the street because it was too tired", "The cat sat."]
HERE = "HERE"  # stands for the scene's folder in a line
FEW = ["the cat sat on the mat", "a dog"]


@dataclass(frozen=True)
class Scene:
    """A session, and what it is told.

    Attributes:
        name: for people.
        open: device, folder -> the session.
        lines: commands, in order; `HERE` is the folder. A function where the engine's own words make them.
        says: what the answer to a line has in it on every device, by the line's beginning.
        otherwise: beginnings of lines whose answer says more of the device than numbers: it is not compared.
        coarse: whether it computes so coarsely that another device may put other words first.
        not_pretended: beginnings of lines that only a real device can do, with why.
        may_refuse: beginnings of lines that need what a machine may lack.
    """

    name: str
    open: Callable[[str, Path], Any]
    lines: tuple[str, ...] | Callable[[], tuple[str, ...]]
    says: tuple[tuple[str, str], ...] = ()
    otherwise: tuple[str, ...] = ()
    coarse: bool = False
    not_pretended: tuple[tuple[str, str], ...] = ()
    may_refuse: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name

    @property
    def told(self) -> tuple[str, ...]:
        """Its lines."""
        return self.lines() if callable(self.lines) else self.lines

    def unsaid(self, answers: Sequence[Answer]) -> list[str]:
        """What the answers lack of what they are to say on every device."""
        lacking: list[str] = []
        for begins, words in self.says:
            texts = [answer.text for answer in answers if answer.line.startswith(begins)]
            lacking += [] if texts and all(words in text for text in texts) else [f"{begins}: no {words!r}"]
        return lacking


@dataclass(frozen=True, slots=True)
class Answer:
    """What a line was answered.

    Attributes:
        line: the command.
        text: what was printed, or the error's one line.
        stop: where the cursor came to rest, and why; "" where it did not move.
        refused: whether it was an error of the user's.
    """

    line: str
    text: str
    stop: str
    refused: bool = False


def play(scene: Scene, device: str, folder: Path, pretends: bool = False) -> list[Answer]:
    """Open a scene and give it its lines; paths and the device's name are written alike on every device.

    Raises:
        Exception: what is no `InputError`: a fault of the engine's.
    """
    session = scene.open(device, folder)
    assert session.trace.about["device"].partition(":")[0] == device.partition(":")[0]
    skipped = tuple(begins for begins, _ in scene.not_pretended) if pretends else ()
    return [told(session, line, folder, device) for line in scene.told if not line.startswith(skipped or ("\0",))]


def told(session: Any, line: str, folder: Path, device: str) -> Answer:
    """One line's answer."""
    from encoder_tui.engine.commands import TABLE
    from encoder_tui.engine.messages.errors import InputError

    try:
        reply = TABLE.execute(session, line.replace(HERE, str(folder)))
    except InputError as error:
        return Answer(line, alike(str(error), folder, device), "", True)
    stop = reply.stop
    rest = "" if stop is None else f"{stop.position} {stop.reason} {stop.held} {stop.place}"
    return Answer(line, alike(reply.text, folder, device), rest)


def alike(text: str, folder: Path, device: str) -> str:
    """An answer without the folder, the device's name, and what a clock or a file's size says."""
    text, device = text.replace(str(folder), HERE), device.partition(":")[0]
    if device != "cpu":
        text = re.sub(rf" --device {device}(:\d+)?\b", "", text)
        text = re.sub(rf"\b{device}(:\d+)?(?![\w./])", "cpu", text)
    text = re.sub(r"[\d,]+ bytes, to", "# bytes, to", text)  # a file's size, with the device's name in it
    return re.sub(r" +[\d.,]+ [mµn]?s +[\d.]+%[ ▏▎▍▌▋▊▉█]*| +\d+ kB$", " #", text, flags=re.M)


# -- ways in -----------------------------------------------------------------------------------------------------------


def bundled(device: str, folder: Path, texts: Any = TEXTS, model: str | None = None, **options: Any) -> Any:
    """A session on a bundled model."""
    from encoder_tui.engine import load
    from encoder_tui.engine.commands.session import Session

    encoder = load(None if model is None else str(samples() / model), device, **options)
    return Session(encoder.run(texts), encoder)


def samples() -> Path:
    """Where the bundled models lie."""
    from encoder_tui import samples as bundled_samples  # pyright: ignore[reportMissingTypeStubs] # files, no interface

    return Path(bundled_samples.__file__).parent


def checkpoint(folder: Path, name: str = "original", change: Callable[[Any], object] | None = None) -> Path:
    """A tiny random BERT as transformers saves it, the same each time; `change` alters its weights."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import WhitespaceSplit
    from transformers import BertConfig, BertModel
    from transformers.utils import logging

    logging.disable_progress_bar()
    torch.manual_seed(0)
    words = ["[PAD]", "[UNK]", *TEXTS[0].lower().split(), "cat", "sat", "dog", "a", "on", "mat"]
    config = BertConfig(
        vocab_size=64, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
        max_position_embeddings=64, initializer_range=0.3, pad_token_id=0,
    )  # fmt: skip
    model = BertModel(config, add_pooling_layer=False).eval()
    with torch.no_grad():
        if change is not None:
            change(model)
        model.save_pretrained(folder / name)
    tokenizer: Any = Tokenizer(WordLevel({word: at for at, word in enumerate(dict.fromkeys(words))}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.save(str(folder / name / "tokenizer.json"))
    return folder / name


def scale_a_row(model: Any) -> None:
    """Plant a fault in the second layer."""
    model.encoder.layer[1].intermediate.dense.weight[7] *= 8


PORT = '''"""Somebody's port of a checkpoint beside this file, with a fault."""
import json
from pathlib import Path

import torch
from ports import Port, Ported
from safetensors.torch import load_file

HERE = Path(__file__).parent / "original"


def port(fault=""):
    config = json.loads((HERE / "config.json").read_text())
    return Port.of(load_file(HERE / "model.safetensors"), Ported.of(config, fault=fault)).eval()


def right():
    return port()


def wrong():
    return port("tanh gelu")


class There(Port):
    """On the encoder's device, places and all."""

    def positions(self, ids, mask):
        return torch.arange(ids.shape[1], device=ids.device).expand(ids.shape)


def there(fault=""):
    config = json.loads((HERE / "config.json").read_text())
    return There.of(load_file(HERE / "model.safetensors"), Ported.of(config, fault=fault)).eval().to("DEVICE")


def wrong_there():
    return there("tanh gelu")
'''


def with_port(device: str, folder: Path) -> Any:
    """A session on a checkpoint, with a port of it, what that computed, and a copy with a broken weight beside it."""
    from encoder_tui.engine import load, record, save
    from encoder_tui.engine.commands.session import Session

    checkpoint(folder)
    checkpoint(folder, "broken", scale_a_row)
    (folder / "port.py").write_text(PORT.replace("DEVICE", device))
    (folder / "texts.txt").write_text("the animal\nthe cat sat on the mat\n")
    encoder = load(str(folder / "original"), device)
    run = encoder.run(["the animal was too tired", "a cat"])
    given = [torch.from_numpy(part.copy()).to(device) for part in (run.tokens.ids, run.tokens.mask)]
    for name in ("there", "wrong_there"):
        with torch.no_grad():
            save(record(getattr(module_of(folder / "port.py"), name)(), *given), folder / f"{name}.safetensors")
    return Session(run, encoder)


def module_of(path: Path) -> Any:
    """A file of Python, imported."""
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def book(device: str, training: bool = False) -> tuple[Any, torch.Tensor, torch.Tensor]:
    """Somebody's encoder on a device, its ids and its mask."""
    from own_modules import IDS, MASK, BookEncoder

    torch.manual_seed(0)
    module = BookEncoder().train(training).to(device)
    torch.manual_seed(1)  # what was drawn for the weights was drawn on the host: each device begins here
    return module, IDS.to(device), MASK.to(device)


def attached(device: str, folder: Path, training: bool = False) -> Any:
    """A session on a module that was attached to."""
    from encoder_tui.engine import attach
    from encoder_tui.engine.commands.session import Session

    module, ids, mask = book(device, training)
    encoder: Any = attach(module, ids, mask)
    return Session(encoder.first, encoder)


def recorded(device: str, folder: Path, training: bool = False) -> Any:
    """A session on a passage of a module that was recorded."""
    from encoder_tui.engine import record
    from encoder_tui.engine.commands.session import Session

    module, ids, mask = book(device, training)
    return Session(record(module, ids, mask, budget=100_000))


def of_vectors(device: str, folder: Path) -> Any:
    """A session on torch's own encoder, which takes vectors."""
    from encoder_tui.engine import load
    from encoder_tui.engine.commands.session import Session

    torch.manual_seed(0)
    layer = torch.nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)
    module = torch.nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).eval().to(device)
    encoder = load(module, device)
    return Session(encoder.run_vectors(torch.randn(2, 9, 32).to(device)), encoder)


def of_images(device: str, folder: Path) -> Any:
    """A session on a ViT."""
    from encoder_tui.engine.commands.session import Session
    from family_kit import open_pair, random_model, sample_of, tokens_for

    sample = sample_of("ViT")
    encoder, _ = open_pair(sample, random_model(sample), device=device)
    return Session(encoder.run(tokens_for(sample, encoder, [1, 1])), encoder)


# -- scenes ------------------------------------------------------------------------------------------------------------


def conditions() -> tuple[str, ...]:
    """A breakpoint for every word and function a condition may have, and the run to it."""
    from encoder_tui.engine.debugger.conditions import FUNCTIONS, PLACES, WORDS

    lines: list[str] = []
    for word in (*WORDS, *PLACES):
        lines += ["goto start", f"tbreak layers.1.attention.weights if {word} >= 0", "continue", "delete"]
    for function in FUNCTIONS:
        lines += ["goto start", f"tbreak layers.1.attention.weights if {function}(x[0, 0, 1]) > 0", "continue", "delete"] if function != "abs" else [
            "goto start", "tbreak layers.1.attention.scores if abs(x[0, 0, 1, 2]) > 0", "continue", "delete",
        ]  # fmt: skip
    return (
        *lines, "break *.weights if max > 2", "break * if absmax > 1e9 or nan", 'break *.attention.weights if x[batch=1, head=1, query="cat", key=0] > 0',
        "watch layers.0.output[0, 1, 2]", "watch absmax > 30", "break unexpected", "goto start", "continue", "continue", "ignore 23 2", "disable 23", "enable 23",
        "info breakpoints", "toggle layers.1.output", "delete",
    )  # fmt: skip


WALK = (
    "info model", "step 12", "finish", "next", "until layers.1.ffn.up", "reverse-step 3", "reverse-next", "reverse-finish", "goto end", "reverse-continue",
    "back", "forward", "goto end", "info stages", "info tokens", "info layers.0.attention.weights",
)  # fmt: skip
LOOK = (
    "print layers.0.attention.weights[0, head=0]", 'print layers.0.attention.weights[1, 1, "cat", ::-2]', "print tokens.one_hot[0, 0:3, 0:9]", "print tokens.ids", "print layers.1.ffn.up@W[0:3, 0:4]",
    "stats layers.0.attention.scores", "stats layers.0.attention.scores[0, 1]", "why layers.0.attention.scores[0, 1, 2, 3]", "why 1", "why back", "why layers.1.ffn.up[0, 2, 5]",
    "why layers.1.attention.weights[0, 1, 2, 3]", "why layers.0.output[0, 1, 2]", "explain layers.0.attention.weights", "explain layers.1.ffn.norm[0, 1, 2]",
    "nearest cat 3", "analogy cat mat dog 3", "cost", "cost all", "tour", "tour next", "tour try", "tour back", "tour leave",
)  # fmt: skip
CHANGE = (
    "patch layers.0.attention.weights[head=1] = 0", "undo", "redo", "goto end", "fork", "ablate layers.1.ffn.activation", "ablate layers.0.attention.context[head=0] mean",
    "noise layers.0.output 0.1 3", "scale layers.1.attention.output 0.5", "swap layers.0.attention.query_heads[head=0] [head=1]", "patch layers.1.output[0] = x * 2",
    "patch layers.0.ffn.up[0, 1] = fork 0", 'patch layers.0.output[0, 1] = text "The animal didn\'t cross a street because it was too tired" "The cat sat."', 'patch tokens.ids[0, 2] = "dog"', "patch layers.1.ffn.up[0, 0, :] = abs(x) + 1",
    "goto end", "info forks", "print output[0, 0, 0:8]", "compare fork 0", "difference", "difference layers.0.output", "diagnose fork 0", "undo", "fork", "drop 2", "switch 0", "undo", "goto end",
)  # fmt: skip
COMPARE = (
    f"export {HERE}/all.safetensors", f"export {HERE}/some.npz layers.0.*", f"export {HERE}/walk.html", f"compare snapshot {HERE}/all.safetensors", f"compare tensors {HERE}/some.npz",
    "compare dtype bfloat16", "diagnose", "compare device cpu", 'compare text "The animal crossed the street"', "compare attention eager", "compare attention sdpa", "diagnose attention sdpa",
    f"report {HERE}/report.html", f"report {HERE}/report.md", f"report {HERE}/report.json", "check masks", "check padding", "check weights", 'run "the cat" "a dog sat"', "goto end",
    "print output[1, 0, 0:8]", f"open {HERE}/all.safetensors", "print output[1, 0, 0:8]", "why layers.0.attention.scores[0, 1, 2, 3]",
)  # fmt: skip
BEYOND = (
    f"compare module {HERE}/port.py:right", f"compare module {HERE}/port.py:wrong", "difference", f"diagnose module {HERE}/port.py:wrong", f"compare module {HERE}/port.py:right texts {HERE}/texts.txt",
    f"compare module {HERE}/port.py:there", f"diagnose module {HERE}/port.py:wrong_there", f"compare recording {HERE}/there.safetensors", f"diagnose recording {HERE}/wrong_there.safetensors",
    f"minimise module {HERE}/port.py:wrong", f"compare model {HERE}/broken", "diagnose", f"diagnose model {HERE}/broken", f"minimise model {HERE}/broken", f"report {HERE}/broken.md",
    f"compare model {HERE}/broken texts {HERE}/texts.txt", "check weights", "minimise dtype bfloat16", "compare attention sdpa", "minimise attention sdpa",
)  # fmt: skip
MODULE = (
    "info model", "step 3", "next", "finish", "goto end", "print output", "stats output", "check masks", "cost", "explain", "why [0, 1, 2]", "break * if nan", "break unexpected",
    "goto start", "continue", "delete", "goto end", "source", f"export {HERE}/module.safetensors", f"compare snapshot {HERE}/module.safetensors",
)  # fmt: skip
COMPILED = ("compare compile", "torch's compiler makes no code for the pretend device")

EQUAL = "equal: all"
OF_MODULES = (
    ("check masks", "no fault found"),
    ("compare snapshot", EQUAL),
    ("cost", "parameters"),
    ("break unexpected", "set at"),
)
SCENES: tuple[Scene, ...] = (
    Scene("a batch walked", bundled, (*WALK, *LOOK)),
    Scene("conditions", bundled, conditions),
    Scene("a batch changed", bundled, (*WALK[:1], *CHANGE)),
    Scene(
        "a batch compared", bundled, ("goto end", *COMPARE), otherwise=("compare device",),
        says=(
            (f"compare snapshot {HERE}", EQUAL), ("compare device cpu", "equal"), ("compare dtype", "rounding: bfloat16 explains all of it"), ("compare attention sdpa", "that is rounding, and no fault"), ("compare attention eager", "equal"),
            ("diagnose attention sdpa", "that is rounding"), ("report", "wrote"), ("check masks", "no fault found"), ("check padding", "no fault found"), ("check weights", "nothing unlikely found"),
        ),
    ),
    Scene("within a budget", lambda device, folder: bundled(device, folder, budget=200_000), (*WALK, *LOOK[:12], *CHANGE[:11])),
    Scene("in float64", lambda device, folder: bundled(device, folder, dtype="float64"), ("goto end", *LOOK[:12], *CHANGE[:10])),
    Scene("in bfloat16", lambda device, folder: bundled(device, folder, dtype="bfloat16"), ("goto end", *LOOK[:12], *CHANGE[:10]), coarse=True),
    Scene("in training mode", lambda device, folder: bundled(device, folder, train_seed=3, dropout=0.1), ("goto end", *LOOK[:14], *CHANGE[:10])),
    Scene("word vectors", lambda device, folder: bundled(device, folder, FEW, "cbow"), ("goto end", "info model", "stats output", "nearest cat 3", "analogy cat mat dog 3", "explain output", "why output[0, 1, 2]", "check weights")),
    Scene("skip-gram", lambda device, folder: bundled(device, folder, FEW, "skipgram"), ("goto end", "info model", "stats output", "nearest cat 3", "why output[0, 1, 2]", "explain output", "patch output[0, 1] = 0", "goto end")),
    Scene(
        "images", of_images,
        ("goto end", "print image.pixels[0, 0, 0:4, 0:4]", "picture layers.0.attention.weights[0, 0, 0, :]", "why layers.0.output[0, 1, 2]", "patch layers.0.output[0, 1] = 0", "goto end", "stats output", "check weights"),
    ),
    Scene(
        "vectors into torch's own encoder", of_vectors,
        ("goto end", "info model", "stats output", "why output[0, 1, 2]", "patch layers.0.output[0, 1] = 0", "goto end", "print output[0, 0]", "check masks", "check weights"),
    ),
    Scene(
        "beside a port", with_port, BEYOND,
        says=(
            (f"compare module {HERE}/port.py:right", "equal"), (f"compare module {HERE}/port.py:wrong", "=>  layers.0.ffn.activation"), (f"diagnose module {HERE}/port.py:wrong", "tanh"),
            (f"compare module {HERE}/port.py:there", "equal"), (f"diagnose module {HERE}/port.py:wrong_there", "tanh"), (f"compare recording {HERE}/there", "equal"), (f"diagnose recording {HERE}/wrong_there", "tanh"),
            (f"minimise module {HERE}/port.py:wrong", "smallest: 'a' still differs at layers.0.ffn.activation"), (f"compare model {HERE}/broken", "layers.1.ffn.up"),
            ("diagnose model", "differs in row 7 (theirs is ours times 8) alone"), (f"minimise model {HERE}/broken", "by row 7 of encoder.layer.1.intermediate.dense.weight"),
            ("check weights", "nothing unlikely found"), ("compare attention sdpa", "that is rounding, and no fault"), ("minimise attention", "nothing to minimise"),
        ),
    ),
    Scene("compiled", with_port, ("goto end", "compare compile"), not_pretended=(COMPILED,), may_refuse=("compare compile",)),
    Scene(
        "a module attached", attached, (*MODULE, "patch output[0, 1] = 0", "undo", "fork", "ablate output", "goto end", "compare fork 0", "switch 0", "check weights", "compare dtype float64"),
        says=OF_MODULES,
    ),
    Scene("a module attached, training", lambda device, folder: attached(device, folder, True), MODULE, says=OF_MODULES),
    Scene("a module recorded", recorded, MODULE, says=OF_MODULES),
    Scene("a module recorded, training", lambda device, folder: recorded(device, folder, True), MODULE, says=(*OF_MODULES, ("info model", "operations drew: dropout"))),
)  # fmt: skip
