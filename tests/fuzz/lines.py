"""Command lines, by the grammar that the table of commands and the options themselves give: right, nearly right, and wrong."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

from .bases import build_base, inputs
from .rounds import rounds
from .values import EVIL, LETTERS, word

MODELS = ("bert", "classes", "cbow", "sentence", "vit", "vectors")
STAGES = ["layers.0.attention.weights", "layers.1.ffn.norm", "embeddings.sum", "output", "tokens.ids", "tokens.one_hot", "mask.additive",
          "layers.0.attention.query_heads", "blocks.0.attn.hook_pattern", "encoder.layer.1.output", "layers.0.output", "layers.*.ffn.up",
          "*", "head.classes.best", "head.sentence.normalized", "context.vectors", "image.pixels", "weights", "embeddings.patches", "1.ffn.up"]  # fmt: skip
PARTS = ["0", "-1", "1", ":", "...", "::2", "::-1", "1:", ":3", "99", "-99", "head=1", "query=0", 'key="cat"', 'token="the"', 'query="[SEP]"',
         "batch=0", "hidden=3", "1e3", "None", "x", '"', "0:99999999999999999999", "::0", "axis=1", 'token="', "label=0", "label=yes"]  # fmt: skip
NUMBERS = [
    "0",
    "1",
    "2",
    "3",
    "10",
    "-1",
    "00",
    "1e3",
    "1.5",
    "999999",
    "9" * 18,
    "9" * 30,
    "nan",
    "inf",
    "-inf",
    "0x10",
    "٣",
    "½",
    "",
    "1_0",
]
FUNCTIONS = [
    "max",
    "min",
    "mean",
    "abs",
    "sum",
    "absmax",
    "std",
    "entropy",
    "norm",
    "any",
    "all",
    "count",
    "isnan",
    "argmax",
    "sqrt",
    "nosuch",
]
NAMES = [
    "x",
    "absmax",
    "min",
    "max",
    "mean",
    "std",
    "nan",
    "inf",
    "zeros",
    "shape",
    "head",
    "layer",
    "entropy",
    "unexpected",
    "weights",
]
OPERATORS = ["<", "<=", ">", ">=", "==", "!=", "=", "and", "or", "not", "+", "-", "*", "/", "**", "%", "&", ",", "is"]


def stage(random: Random) -> str:
    """A stage: in one of its names, nearly, or something else."""
    name = random.choice(STAGES)
    return (
        name
        if random.random() < 0.85
        else random.choice([name[:-2], name.upper(), word(random), f"{name}@W", f"{name}.{word(random)}"])
    )


def index(random: Random) -> str:
    """An index with its brackets."""
    text = "[" + ", ".join(random.choice(PARTS) for _ in range(random.choice([0, 1, 1, 2, 3, 4, 7]))) + "]"
    return text if random.random() < 0.95 else text[: random.randrange(len(text))]


def expression(random: Random, depth: int = 0) -> str:
    """An expression or a condition."""
    kind = random.random()
    if depth > 3 or kind < 0.3:
        return random.choice(
            [random.choice(NAMES), random.choice(NUMBERS), stage(random) + index(random), "x" + index(random)]
        )
    if kind < 0.5:
        return f"{random.choice(FUNCTIONS)}({expression(random, depth + 1)})"
    if kind < 0.6:
        return f"({expression(random, depth + 1)})" if random.random() < 0.9 else "(" * 500 + "x" + ")" * 500
    if kind < 0.65:
        return random.choice(["not ", "-", "+", "- -" * 300]) + expression(random, depth + 1)
    return f"{expression(random, depth + 1)} {random.choice(OPERATORS)} {expression(random, depth + 1)}"


def path(random: Random) -> str:
    """Where to write or to read: `{place}` is the case's own folder."""
    names = ["{place}/out/a.safetensors", "{place}/out/b.npz", "{place}/out/none/c.npz", "{place}/out", "{place}/out/x.txt", "{good}", "/dev/null",
             "{fifo}.safetensors", "{place}/out/" + EVIL + ".npz", "{model}", "{place}/rows.npy", ""]  # fmt: skip
    return random.choice(names)


def text(random: Random) -> str:
    """A text."""
    return random.choice(
        [
            "the cat sat",
            "a dog",
            "it was too tired",
            "",
            "   ",
            "cat",
            word(random),
            "the " * 200,
            "می\u200cخواهم 👩\u200d👧",
            "a" * 5000,
        ]
    )


def quoted(random: Random) -> str:
    """A text between quotes."""
    return f'"{text(random)}"'


# What stands in a usage in capitals -> what may be written there.
PLACEHOLDERS: dict[str, Callable[[Random], str]] = {
    "STAGE": stage, "INDEX": lambda random: index(random)[1:-1], "COND": expression, "EXPR": expression, "VALUE": expression,
    "N": lambda random: random.choice(NUMBERS), "COUNT": lambda random: random.choice(NUMBERS), "T": lambda random: random.choice(NUMBERS),
    "FACTOR": expression, "DEVIATION": lambda random: random.choice(NUMBERS), "SEED": lambda random: random.choice(NUMBERS),
    "PATH": path, "SNAPSHOT": path, "GLOB": stage, "TEXT": text, "WORD": lambda random: random.choice(["cat", "dog", "the", word(random)]),
    "A": lambda random: "cat", "B": lambda random: "dog", "C": word, "SYMBOL": lambda random: random.choice(["W", "b", "γ", word(random)]),
    "WHAT": lambda random: random.choice(["W", "b", "reference", "difference", "*", word(random)]),
    "M": lambda random: random.choice(["{model}", "preset:gpt3-width", "none/such", word(random)]), "WEIGHT": lambda random: "W",
    "D": lambda random: random.choice(["float16", "float64", "cpu", "cuda:9", word(random)]),
    "COMMAND": lambda random: random.choice(["print", "break", "step", word(random)]), "CMD": lambda random: line(random), "SIZE": lambda random: random.choice(["1", "1KB", "512MiB", "2GB", "0", *NUMBERS]),
    "MODEL": lambda random: random.choice(["{model}", "preset:gpt3-width", "org/none", "{fifo}", word(random)]), "RATE": lambda random: random.choice(NUMBERS),
    "DIR": path, "FILE": lambda random: random.choice(["{script}", "{place}/none", word(random)]), "NAME": word, "IDS": lambda random: random.choice(["1 2 3", "{place}/rows.npy", *NUMBERS]),
}  # fmt: skip


def written(usage: str, random: Random) -> str:
    """One thing that a usage says may be written."""
    choice = random.choice(_split(usage, " | "))
    words: list[str] = []
    for item in _split(choice, " "):
        if item == "..." and words:
            words += [words[-1]] * random.randint(0, 3)
            continue
        words.append(_item(random.choice(_split(item, "|")), random))
    return " ".join(word for word in words if word)


def _item(item: str, random: Random) -> str:
    """A part of a usage without spaces around it: literal, in capitals, or in brackets, which are left out at times."""
    if item in ('"..."', '"TEXT"'):
        return quoted(random)
    out = ""
    for part in re.findall(r"\[[^\[\]]*\]|[^\[\]]+", item):
        inner = part[1:-1]
        if part == "[INDEX]":
            out += index(random) if random.random() < 0.8 else ""
        elif part.startswith("["):
            out += written(inner, random) if random.random() < 0.7 else ""
        else:
            out += re.sub(r"\b[A-Z]+\b", lambda found: PLACEHOLDERS.get(found[0], word)(random), part)
    return out


def _split(usage: str, mark: str) -> list[str]:
    """The parts between marks, where no bracket is open."""
    parts, depth = [""], 0
    at = 0
    while at < len(usage):
        depth += (usage[at] == "[") - (usage[at] == "]")
        if depth == 0 and usage.startswith(mark, at):
            parts.append("")
            at += len(mark)
            continue
        parts[-1] += usage[at]
        at += 1
    return parts


def line(random: Random) -> str:
    """A command line."""
    from encoder_tui.engine.commands import TABLE

    command = random.choice(TABLE.commands)
    text = f"{command.name} {written(command.usage.removeprefix(command.name).strip(), random)}".strip()
    if random.random() < 0.2 and command.short:
        text = text.replace(command.name, random.choice(command.short), 1)
    if random.random() < 0.15:
        at = random.randrange(len(text) + 1)
        text = (
            text[:at]
            + random.choice([random.choice(LETTERS), word(random), ""])
            + text[at + random.choice([0, 0, 1, 5]) :]
        )
    return text


def option(random: Random) -> list[str]:
    """An option of the program, with what it takes."""
    from encoder_tui.tui.cli import parser

    known = [
        action for action in parser()._actions if action.option_strings and "--list-models" not in action.option_strings
    ]
    action = random.choice(known)
    name = random.choice(action.option_strings)
    if action.nargs == 0:
        return [name]
    usage = str(action.metavar or "NAME").strip("'").replace("'model M'", "model M")
    value = written("compare text TEXT|model M|dtype D|fork N"[8:] if name == "--against" else usage, random)
    return [name, value if random.random() < 0.9 else word(random)]


_good: dict[str, str] = {}


def prepare(place: Path) -> None:
    """Models, a recording, a script."""
    import os

    from encoder_tui.tui.cli import main

    for name in MODELS:
        _good[name] = str(build_base(name, place / "models" / name))
    _good["good"] = str(place / "good.safetensors")
    assert main(["the cat sat", "-m", _good["bert"], "--batch", "--export", _good["good"]]) == 0
    (place / "script").write_text("step 2\nprint output\n")
    _good["script"] = str(place / "script")
    _good["fifo"] = str(place / "fifo")
    for suffix in ("", ".safetensors"):
        os.mkfifo(_good["fifo"] + suffix)


def draw(random: Random) -> Any:
    """A model, options, and commands."""
    options = [found for _ in range(random.choice([0, 0, 0, 1, 2])) for found in option(random)]
    lines = [line(random) for _ in range(random.choice([1, 2, 3, 4]))]
    if random.random() < 0.5:
        lines.insert(0, random.choice(["goto end", "finish", "step 7", "fork", "continue"]))
    return {
        "model": random.choice(MODELS),
        "more": [[], ["a dog ran"]][random.random() < 0.3],
        "options": options,
        "lines": lines,
    }


def build(recipe: Any, place: Path) -> list[str]:
    """The command line, with the places of its files."""
    model = _good[recipe["model"]]
    where = {
        "{place}": str(place),
        "{model}": model,
        **{f"{{{name}}}": _good[name] for name in ("good", "script", "fifo")},
    }

    def put(text: str) -> str:
        for mark, there in where.items():
            text = text.replace(mark, there)
        return text

    given = [] if "--open" in recipe["options"] else [*inputs(recipe["model"], Path(model)), *recipe["more"]]
    chosen = [] if {"-m", "--model", "--open"} & {*recipe["options"]} else ["-m", model]
    commands = [part for line in recipe["lines"] for part in ("-ex", put(line))]
    return [*given, *chosen, *map(put, recipe["options"]), "--batch", *commands]


def main(argv: Sequence[str]) -> int:
    """Run many; see `rounds`."""
    return rounds("lines", argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
