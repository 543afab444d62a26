"""A small encoder in numpy, for tests of the screen: no torch, no files, the same numbers every time.

Two texts (the second padded), two layers, four heads, and real formulas: softmax rows sum to one, the mask masks.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from encoder_tui.engine.commands.session import Session
from encoder_tui.engine.program.index import TOKEN_AXES, Along
from encoder_tui.engine.program.inputs import Inputs
from encoder_tui.engine.program.patch import Patch
from encoder_tui.engine.program.per_text import Index
from encoder_tui.engine.program.program import Program
from encoder_tui.engine.program.stage import Shape, Stage
from encoder_tui.engine.program.tokens import Tokens
from encoder_tui.engine.program.trace import LiveTrace, Trace
from encoder_tui.engine.program.value import ArrayValue, Value

Array = npt.NDArray[Any]

LAYERS, HEADS, HIDDEN, WIDE, VOCABULARY = 2, 4, 32, 64, 30_522
TEXTS = ("The animal didn't cross the street: it was tired", "東京 is 🎉 café")
STRINGS = (
    ("[CLS]", "the", "animal", "didn", "'", "t", "cross", "the", "street", ":", "it", "was", "tired", "[SEP]"),
    ("[CLS]", "東", "京", "is", "🎉", "cafe", "##s", "[SEP]", *["[PAD]"] * 6),
)


@dataclass(frozen=True, slots=True)
class Does:
    """An operation that only knows how it is written."""

    pattern: str
    symbols: tuple[str, ...] = ()

    def write(self, *operands: str) -> str:
        return self.pattern.format(*operands)


class OneHot(Value):
    """Rows of the identity, made when they are read; refuses to be read whole, as the real one would suffer to be."""

    def __init__(self, name: str, ids: Array, size: int, tokens: Along) -> None:
        self.name, self.axes, self.dtype, self.tokens = name, ("batch", "token", "vocabulary"), "float32", tokens
        self.ids, self.shape = ids, (*ids.shape, size)
        self.largest = 0

    def read(self, index: Index | str = ()) -> Array:
        bound: Any = self.bind(index)  # nothing here asks for another place of each text
        count = int(np.prod(self.window_shape(bound), dtype=np.int64))
        self.largest = max(self.largest, count)
        assert count <= 1 << 20, f"{self.name} read whole"
        vocabulary = np.arange(self.shape[2])[bound[2]]
        ids = self.ids[bound[:2]]
        return (ids[..., None] == vocabulary if np.ndim(vocabulary) else ids == vocabulary).astype(np.float32)


class FakeTrace(LiveTrace):
    """A recording whose values are all in memory; `reached` counts how far it was asked to run."""

    def __init__(self, program: Program, tokens: Tokens, values: Mapping[str, Value]) -> None:
        self.program, self.inputs, self.values = program, Inputs(tokens), dict(values)
        self.about = {"model": "fake", "family": "bert", "device": "cpu", "dtype": "float32"}
        self.reached = -1
        self.by_hand: frozenset[str] = frozenset()
        self.without: frozenset[str] = frozenset()

    def value(self, name: str) -> Value:
        return self.values[name]

    def has(self, name: str) -> bool:
        return name not in self.without

    @property
    def shapes(self) -> dict[str, Shape]:
        return {name: value.shape for name, value in self.values.items()}

    @property
    def weight_shapes(self) -> dict[str, Shape]:
        shapes: dict[str, Shape] = {}
        for layer in range(LAYERS):
            for part in ("query", "key", "value", "output"):
                shapes[f"layers.{layer}.{part}.weight"] = (HIDDEN, HIDDEN)
            shapes[f"layers.{layer}.up.weight"] = (WIDE, HIDDEN)
            shapes[f"layers.{layer}.down.weight"] = (HIDDEN, WIDE)
        return shapes

    def reach(self, position: int) -> None:
        self.reached = max(self.reached, position)

    @property
    def patched(self) -> frozenset[str]:
        return self.by_hand

    @property
    def patches(self) -> tuple[Patch, ...]:
        return ()

    def put(self, name: str, array: Array) -> None:
        """Replace a value, as a patch would."""
        old = self.values[name]
        self.values[name] = ArrayValue(name, old.axes, array, None, old.tokens)


FakeTrace.__abstractmethods__ = frozenset()  # it is looked at and never changed


class Gate:
    """A condition that holds a motion up until a test lets it go."""

    text = "gate"

    def __init__(self) -> None:
        self.reached, self.opened = threading.Event(), threading.Event()

    def holds(self, trace: Trace, stage: Stage) -> str:
        self.reached.set()
        assert self.opened.wait(30)
        return ""

    def place(self, trace: Trace, stage: Stage) -> tuple[()]:
        return ()


class _Builder:
    """Writes program and values side by side."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self.stages: list[Stage] = []
        self.values: dict[str, Value] = {}
        self.random = np.random.default_rng(7)

    def add(
        self, name: str, axes: str, array: Array, how: str, inputs: Sequence[str] = (), weights: Sequence[str] = ()
    ) -> Array:
        symbols = tuple("W" for _ in weights)
        self.stages.append(Stage(name, Does(how, symbols), tuple(inputs), tuple(weights), tuple(axes.split())))
        stored = array.astype(np.float32) if array.dtype == np.float64 else array
        self.values[name] = ArrayValue(
            name, tuple(axes.split()), stored, None, dict.fromkeys(TOKEN_AXES, self.tokens.strings)
        )
        return stored.astype(
            np.float64
        )  # computed in float64, the last bits of float32 are the same on every processor

    def matrix(self, rows: int, columns: int) -> Array:
        return self.random.standard_normal((rows, columns)) / np.sqrt(rows)


def _norm(array: Array) -> Array:
    mean = array.mean(-1, keepdims=True)
    return (array - mean) / np.sqrt(array.var(-1, keepdims=True) + 1e-12)


def _softmax(array: Array) -> Array:
    raised = np.exp(array - array.max(-1, keepdims=True))
    return raised / raised.sum(-1, keepdims=True)


def fake_tokens() -> Tokens:
    """Fourteen tokens and eight, padded to fourteen."""
    mask = np.array([[int(token != "[PAD]") for token in row] for row in STRINGS], dtype=np.int64)
    ids = np.random.default_rng(3).integers(1000, 30_000, mask.shape) * mask
    positions = np.broadcast_to(np.arange(mask.shape[1], dtype=np.int64), mask.shape).copy()
    return Tokens(TEXTS, None, ids, mask, np.zeros_like(mask), positions, STRINGS, (), VOCABULARY)


def fake_trace() -> FakeTrace:
    """Every stage of a two-layer encoder, with its value."""
    tokens = fake_tokens()
    build = _Builder(tokens)
    build.add("tokens.ids", "batch token", tokens.ids, "ids of the texts")
    build.add("tokens.mask", "batch token", tokens.mask, "1 where a token stands")
    build.stages.append(
        Stage("tokens.one_hot", Does("one_hot({0})"), ("tokens.ids",), (), ("batch", "token", "vocabulary"))
    )
    build.values["tokens.one_hot"] = OneHot("tokens.one_hot", tokens.ids, VOCABULARY, {"token": STRINGS})
    size = (*tokens.shape, HIDDEN)
    looked_up = build.random.standard_normal(size)
    looked_up = build.add(
        "embeddings.token", "batch token hidden", looked_up, "row of table for each of {0}", ["tokens.ids"]
    )
    hidden = build.add(
        "embeddings.norm", "batch token hidden", _norm(looked_up), "layer_norm({0})", ["embeddings.token"]
    )
    lowest = float(np.finfo(np.float32).min)
    additive = np.where(tokens.mask[:, None, None, :] == 1, 0.0, lowest).repeat(tokens.shape[1], 2)
    additive = build.add("mask.additive", "batch head query key", additive, "(1 - {0}) · lowest", ["tokens.mask"])
    before = "embeddings.norm"
    for layer in range(LAYERS):
        hidden, before = _layer(build, layer, hidden, before, additive)
    aliases = {f"layers.{layer}.output": f"layers.{layer}.ffn.norm" for layer in range(LAYERS)}
    aliases |= {"embeddings.output": "embeddings.norm", "output": before}
    return FakeTrace(Program(build.stages, aliases), tokens, build.values)


def _layer(build: _Builder, layer: int, hidden: Array, before: str, additive: Array) -> tuple[Array, str]:
    batch, length, _ = hidden.shape
    part, flat = f"layers.{layer}.attention.", "batch token hidden"
    heads: dict[str, Array] = {}
    for name in ("query", "key", "value"):
        weight = [f"layers.{layer}.{name}.weight"]
        rows = build.add(part + name, flat, hidden @ build.matrix(HIDDEN, HIDDEN), "{0} · {1}ᵀ", [before], weight)
        split = rows.reshape(batch, length, HEADS, -1).transpose(0, 2, 1, 3).copy()
        heads[name] = build.add(
            f"{part}{name}_heads", "batch head token head_dim", split, "split {0} into heads", [part + name]
        )
    square = "batch head query key"
    inputs = [part + "query_heads", part + "key_heads"]
    scores = build.add(part + "scores", square, heads["query"] @ heads["key"].swapaxes(2, 3), "{0} · {1}ᵀ", inputs)
    scaled = scores / np.sqrt(HIDDEN // HEADS)
    scaled = build.add(part + "scaled", square, scaled, "{0} / √8", [part + "scores"])
    masked = build.add(part + "masked", square, scaled + additive, "{0} + {1}", [part + "scaled", "mask.additive"])
    weights = build.add(part + "weights", square, _softmax(masked), "softmax({0}) over key", [part + "masked"])
    inputs = [part + "weights", part + "value_heads"]
    context = build.add(part + "context", "batch head token head_dim", weights @ heads["value"], "{0} · {1}", inputs)
    joined = context.transpose(0, 2, 1, 3).reshape(hidden.shape)
    joined = build.add(part + "concat", flat, joined, "{0}, heads side by side", [part + "context"])
    weight = [f"layers.{layer}.output.weight"]
    output = build.add(
        part + "output", flat, joined @ build.matrix(HIDDEN, HIDDEN), "{0} · {1}ᵀ", [part + "concat"], weight
    )
    added = build.add(part + "residual", flat, output + hidden, "{0} + {1}", [part + "output", before])
    middle = build.add(part + "norm", flat, _norm(added), "layer_norm({0})", [part + "residual"])
    feed, wide = f"layers.{layer}.ffn.", "batch token intermediate"
    up = build.add(
        feed + "up",
        wide,
        middle @ build.matrix(HIDDEN, WIDE),
        "{0} · {1}ᵀ",
        [part + "norm"],
        [f"layers.{layer}.up.weight"],
    )
    active = build.add(feed + "activation", wide, np.maximum(up, 0), "relu({0})", [feed + "up"])
    weight = [f"layers.{layer}.down.weight"]
    down = build.add(
        feed + "down", flat, active @ build.matrix(WIDE, HIDDEN), "{0} · {1}ᵀ", [feed + "activation"], weight
    )
    added = build.add(feed + "residual", flat, down + middle, "{0} + {1}", [feed + "down", part + "norm"])
    return build.add(feed + "norm", flat, _norm(added), "layer_norm({0})", [feed + "residual"]), feed + "norm"


def fake_session(reached: str = "output") -> Session:
    """A session whose cursor stands on a stage; "" leaves it before the first."""
    session = Session(fake_trace())
    if reached:
        session.debugger.goto(session.trace.program.index(reached))
    return session


def value_session(name: str, axes: str, array: Array, strings: Sequence[Sequence[str]] = STRINGS) -> Session:
    """A session of one stage whose value is this array: for tests that need particular numbers."""
    tokens, ids = fake_tokens(), fake_tokens().ids
    value = ArrayValue(name, tuple(axes.split()), array, None, dict.fromkeys(TOKEN_AXES, strings))
    program = Program([Stage(name, Does("made by hand"), (), (), value.axes)])
    rows = tuple(tuple(row) for row in strings)
    trace = FakeTrace(program, Tokens(tokens.texts, None, ids, ids, ids, ids, rows, (), VOCABULARY), {name: value})
    session = Session(trace)
    session.debugger.goto(0)
    return session
