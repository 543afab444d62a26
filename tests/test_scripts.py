"""The scripts in samples/scripts do what they say, on the bundled model and on a real checkpoint."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from encoder_tui.tui.cli import main

SCRIPTS = Path(__file__).parent.parent / "samples" / "scripts"

# What each script must have printed: one pattern for each thing it shows.
SHOWN = {
    "conditions": [
        r"breakpoint 1 set at \d+ stages if unexpected\nat the end",
        r"breakpoint 2 at layers\.\d\.attention\.weights .*: head = \d, entropy = 0|breakpoint 2 at layers\.\d\.attention\.weights .*: head = \d, entropy = 1\.",
        r"breakpoint 3 at layers\.\d\.attention\.weights .*: x = 0\.\d+",
        r"absmax > 20: true -> false",
    ],
    "time-travel": [
        r"at embeddings\.norm",
        r"at layers\.1\.attention\.weights",
        r"breakpoint 1 at layers\.\d\.ffn\.up .*: max = ",
        r"at tokens\.ids",
    ],
    "patches-and-forks": [
        r"patched layers\.1\.attention\.context; \d+ stages downstream will be computed again",
        r"took back: ablate layers\.1\.attention\.context\[head=2\]",
        r"did again: ablate",
        r"fork 1 of 0; `switch 0` goes back",
        r'\*   1 fork: .*patch tokens\.ids\[0, token="cat"\] = "dog"',
        r"in the original",
    ],
    "compare": [r"float16", r"float64", r"inherit", r"old"],
    "why": [r"softmax|exp\(x", r"Σ", r"variance", r"slope", r"tokens\.ids"],
    "masks": [r"no fault found", r"padded key|gets? weight|too small|leaves"],
    "words": [
        r"3 to +0 \[PAD\] +0 \[PAD\] +2 the +176 king",
        r"head\.best\[batch=0, token=5 'son', rank\]",
        r"mean\[0\] = Σ word\[0\] / Σ ",
        r"negatives\.ids\[batch=0, token=5 'son', ",
        r"patched tokens\.ids; \d+ stages downstream",
        r"nearest to 'king' by cosine, in embeddings\.weight",
        r"man : king = woman : \?",
        r"made +\+0\.",
        r"there is no attention in this program",
    ],
}
# A script for other models than the bundled encoder and all-MiniLM.
MODELS = {"words": ("cbow", "skipgram")}


@pytest.mark.few(6)
@pytest.mark.parametrize(
    ("name", "model"), [(name, model) for name in sorted(SHOWN) for model in MODELS.get(name, ("bundled", "minilm"))]
)
def test_a_script_shows_what_it_is_there_to_show(
    name: str, model: str, minilm_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = SCRIPTS / f"{name}.txt"
    line = next(line for line in path.read_text().splitlines() if line.startswith("#     encoder-tui"))
    words = shlex.split(line.removeprefix("#     "))[1:]
    assert words[-2:] == ["-x", f"samples/scripts/{name}.txt"]
    words[-1] = str(path)
    if model != "bundled":
        words += ["--model", str(minilm_dir) if model == "minilm" else model]
    assert main(words) in (0, 3)
    printed = capsys.readouterr().out
    for pattern in SHOWN[name]:
        assert re.search(pattern, printed), pattern


def test_a_word_changes_the_loss_and_undo_brings_it_back(capsys: pytest.CaptureFixture[str]) -> None:
    text = "The king spoke to his son about the war"
    main([text, "--batch", "--model", "cbow", "-x", str(SCRIPTS / "words.txt")])
    first, second = re.findall(r"^loss\.mean\[batch\]\n +0\n +(\S+)$", capsys.readouterr().out, re.MULTILINE)
    assert float(first) > float(second)


def test_every_script_is_tested() -> None:
    assert {path.stem for path in SCRIPTS.glob("*.txt")} == set(SHOWN)


def test_time_travel_gives_the_same_numbers_both_ways(capsys: pytest.CaptureFixture[str]) -> None:
    main(["The cat sat.", "--batch", "-x", str(SCRIPTS / "time-travel.txt")])
    blocks = re.findall(r"layers\.1\.attention\.weights\n(?:  .*\n)+", capsys.readouterr().out)
    assert len(blocks) == 2
    assert blocks[0] == blocks[1]


def test_a_patch_taken_back_leaves_no_trace(capsys: pytest.CaptureFixture[str]) -> None:
    main(["The cat sat on the mat", "--batch", "-x", str(SCRIPTS / "patches-and-forks.txt")])
    rows = re.findall(r"layers\.3\.ffn\.norm\[batch=0, token=2.*\n.*\n(.*)", capsys.readouterr().out)
    original, ablated, undone, dog, switched = rows
    assert original == undone != ablated == switched
    assert dog not in (original, ablated)
