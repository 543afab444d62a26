"""Which stage somebody's name of a tensor means: ours, a module of transformers, an output of its models, a hook, a node of an ONNX graph."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ...program.foreign.names import foreign_names
from ...program.foreign.transformer_lens import HEADS
from ...program.program import Program

# What stands before a module's path in somebody's model, and after it for what comes out of it.
BEFORE = (
    "module",
    "model",
    "encoder_model",
    "orig_mod",
    "transformer",
    "base_model",
    "net",
    "backbone",
    "auto_model",
    "0",
)
OWN, LONG = 2, 2  # so many words of somebody's own may stand before a path of so many dots
AFTER = ("output", "output.0", "out", "out.0", "0", "hook.out", "result", "weight.output")
# transformers' names of what goes in and comes out, in one spelling -> the stage, or an alias of it.
OUTPUTS = {
    "input.ids": "tokens.ids", "attention.mask": "tokens.mask", "token.type.ids": "tokens.segments", "position.ids": "tokens.positions",
    "ids": "tokens.ids", "mask": "tokens.mask", "last.hidden.state": "output", "token.embeddings": "output",
    "sentence.embedding": "sentence", "pooler.output": "head.pooler.activation",
}  # fmt: skip
STATE = re.compile(r"(?:.*\.)?hidden\.states?\.(\d+)")
WEIGHTS = re.compile(r"(?:.*\.)?attentions?\.(\d+)")
STACKED = {"hidden.states": "state", "attentions": "weights"}
# The last part of a node's path in an ONNX graph: its operation and which output of it.
NODE = re.compile(r"[A-Z]\w*?(?:_\d+)?(?:_output_\d+)?")
SEPARATORS = re.compile(r"[/._\-:\[\]\s]+")


@dataclass(frozen=True, slots=True)
class MeantStage:
    """What a name means.

    Attributes:
        stage: its canonical name.
        part: which of several along a first axis of its own, for `hidden_states` in one array; -1 for all of it.
        node: whether it is the last node of a module of an ONNX graph, whose result is the module's only if no other comes after it.
    """

    stage: str
    part: int = -1
    node: bool = False


class EverybodysNames:
    """The names of a program's stages in everybody's spelling.

    Args:
        program: ours.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        every: dict[str, set[str]] = {}
        known: dict[str, list[str]] = foreign_names(program)
        known |= {alias: [stage] for alias, stage in program.aliases.items()}
        for number in range(program.layers):
            for hook, stage in HEADS.items():
                if f"layers.{number}.{stage}" in program:
                    known[f"{program.modules.blocks}.{number}.{hook}"] = [f"layers.{number}.{stage}"]
        for stage in program:
            known[stage.name] = [stage.name]
        for name, stages in known.items():
            every.setdefault(spelled(name), set()).update(stages)
        for word, stage in OUTPUTS.items():
            if stage in program:
                every.setdefault(word, set()).add(program[stage].name)
        self._known: Mapping[str, str] = {
            name: next(iter(stages)) for name, stages in every.items() if len(stages) == 1
        }
        ends: dict[str, set[str]] = {}
        for stage in program:
            words = spelled(stage.name).split(".")
            for at in range(1, len(words)):
                ends.setdefault(".".join(words[at:]), set()).add(stage.name)
        self._ends = {name: next(iter(stages)) for name, stages in ends.items() if len(stages) == 1}

    def meant(self, name: str) -> list[MeantStage]:
        """The stages a name means; several for one array of all hidden states, none where it is nobody's name."""
        word = spelled(name)
        if word in STACKED:
            return self._stacked(STACKED[word])
        if stage := self._of_model(word):
            return [MeantStage(stage)]
        for front in _fronts(word):
            if stage := self._plain(front):
                return [MeantStage(stage)]
        path, _, node = name.lstrip("/").rpartition("/")
        if path and NODE.fullmatch(node):
            for front in _fronts(spelled(path)):
                if stage := self._known.get(front):
                    return [MeantStage(stage, node=True)]
        return []

    def _plain(self, word: str) -> str | None:
        if word in self._known:
            return self._known[word]
        for end in AFTER:
            if word.endswith(f".{end}") and (stage := self._known.get(word[: -len(end) - 1])):
                return stage
        return self._ends.get(word)

    def _of_model(self, word: str) -> str | None:
        """Of `hidden_states.3`, `attentions.2`: what transformers' models give back in tuples."""
        if matched := STATE.fullmatch(word):
            return self._state(int(matched[1]))
        if matched := WEIGHTS.fullmatch(word):
            return self._known.get(f"layers.{int(matched[1])}.attention.weights")
        return None

    def _state(self, number: int) -> str | None:
        alias = "embeddings.output" if number == 0 else f"layers.{number - 1}.output"
        return self.program[alias].name if alias in self.program else None

    def _stacked(self, kind: str) -> list[MeantStage]:
        layers = self.program.layers
        if kind == "state":
            each = [self._state(number) for number in range(layers + 1)]
        else:
            each = [self._known.get(f"layers.{number}.attention.weights") for number in range(layers)]
        return [MeantStage(stage, part) for part, stage in enumerate(each) if stage is not None]


def spelled(name: str) -> str:
    """A name in one spelling: small letters, and dots between its parts."""
    return SEPARATORS.sub(".", name).strip(".").lower()


def _fronts(word: str) -> list[str]:
    """A name as it is, and without what stands before a module in somebody's own model."""
    fronts, left = [word], word
    while (first := left.partition("."))[2] and (
        first[0] in BEFORE or (len(fronts) <= OWN and first[2].count(".") >= LONG)
    ):
        left = first[2]
        fronts.append(left)
    return fronts


def without_numbers(name: str) -> str:
    """A name without its numbers: those of one family mean the same part of several layers."""
    return re.sub(r"\d+", "#", name)
