"""What a person, a terminal and a cat on the keyboard may do to the screen: drawn at random, and written a line each.

send 'text'     characters or escape sequences, as a terminal sends them; '\\udcff' stands for the byte 0xff
size 5 1        the terminal has another size now
wait            until the screen rests
stop            to the background and back again
"""

from __future__ import annotations

import ast
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.commands.screen import MOVES, VIEWS

SIZES = (
    (120, 40),
    (80, 24),
    (60, 18),
    (59, 17),
    (200, 60),
    (30, 10),
    (100, 30),
    (5, 1),
    (1, 1),
    (12, 3),
    (2, 50),
    (300, 2),
)
KEYS = {
    "up": "\x1b[A", "down": "\x1b[B", "right": "\x1b[C", "left": "\x1b[D", "home": "\x1b[H", "end": "\x1b[F",
    "pageup": "\x1b[5~", "pagedown": "\x1b[6~", "delete": "\x1b[3~", "f5": "\x1b[15~", "f9": "\x1b[20~",
    "f10": "\x1b[21~", "f11": "\x1b[23~", "backspace": "\x7f", "enter": "\r", "tab": "\t", "shift+tab": "\x1b[Z",
    "escape": "\x1b", "ctrl+p": "\x10", "ctrl+c": "\x03", "space": " ", "left_square_bracket": "[",
    "right_square_bracket": "]", "left_curly_bracket": "{", "right_curly_bracket": "}", "less_than_sign": "<",
    "greater_than_sign": ">", "plus": "+", "minus": "-", "equals_sign": "=", "full_stop": ".", "comma": ",",
    "slash": "/", "colon": ":", "question_mark": "?", "dollar_sign": "$",
}  # fmt: skip
STAGES = (
    "tokens.ids", "tokens.mask", "embeddings.norm", "layers.0.attention.weights", "layers.0.attention.scores", "head",
    "layers.1.ffn.up", "layers.*.attention.weights", "output", "words.mean", "nonsense", "", "layers.0.output", "*",
)  # fmt: skip
INDICES = ("", "[0]", "[0, 0, 1, 2]", "[head=3]", "[-1]", "[99]", "[0, :, 1:3]", '[query="cat"]', "[", "[...]", "[ ")
ARGUMENTS = (
    "0", "1", "2", "-1", "99", "next", "previous", "absmax > 1", "if nan", "if absmax > 0.5", "= x * 0", "= nan", "= 7",
    "= fork 0", "mean", "fork 1", "dtype float64", "dtype float16", 'text "a dog ran"', "masks", "padding", "lang zh",
    "lang en", "start", "end", "model", "forks", "breakpoints", "all", "out.npz", '"a"', '"two words" "and more"', "king",
    "man king woman", "up", "digits 3", "unexpected", "here", "W", "off", "zero", "0.5", "[0] [1]", "attention", "注意力",
    "snapshot recording.safetensors", "recording.safetensors", "no such file",
)  # fmt: skip
PASTES = (
    "step", "step\nnext\nfinish", "?qq", "q", "东京 is 🎉 café", "x" * 500, "\x1b[31mred", "\x00\x01\x02", "‮evil", "a\rb\tc",
    "\ud83d", "[bold]text[/", "quit", "👩‍👩‍👧‍👦" * 9, "patch tokens.ids[0, 1] = 7\n",
)  # fmt: skip
RAW = (
    "\x1b", "\x1b\x1b", "\x1b[", "\x1b[<", "\x1b[<0;1M", "\x1b[<99;99999;99999M", "\x1b[1;1R", "\x1b[I", "\x1b[O",
    "\x1bO", "\x1b[200~", "\x1b[201~", "\udcff", "\udcc3", "\udced\udca0\udc80", "\x00", "\x1b]11;rgb:00/00/00\x07", "\x1b[99999999999999u",
    "\x1b[57358u", "\x1b[97;5u", "\x1b[?2026;2$y", "\x1b[?2048;0$y", "\x1bP>|x\x1b\\", "\x9b", "\x1a\x1a", "\x1b[1;5A", "\x1b[<35;2;2M",
    "\x1b[0;0;0;0;0u", "\x1b[48;0;0;0;0t", "\x1b[27;5;113~", "\x1b[<0;-1;-1M", "\x1b[M   ", "\x85", "\x14", "\x12",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Gesture:
    """One thing that is done.

    Attributes:
        kind: `send`, `size`, `wait` or `stop`.
        text: what is sent.
        size: columns and lines.
    """

    kind: str
    text: str = ""
    size: tuple[int, int] = (0, 0)

    @property
    def bytes(self) -> bytes:
        """What the terminal sends."""
        return self.text.encode("utf-8", "surrogateescape" if not _half(self.text) else "surrogatepass")

    def __str__(self) -> str:
        if self.kind == "send":
            return f"send {self.text!a}"
        return f"size {self.size[0]} {self.size[1]}" if self.kind == "size" else self.kind


def _half(text: str) -> bool:
    """Whether half a pair stands in it that is no byte."""
    return any("\ud800" <= letter <= "\udfff" and not "\udc80" <= letter <= "\udcff" for letter in text)


def read(line: str) -> Gesture:
    """A gesture from how it is written."""
    kind, _, rest = line.strip().partition(" ")
    if kind == "send":
        return Gesture("send", ast.literal_eval(rest))
    if kind == "size":
        width, height = map(int, rest.split())
        return Gesture("size", size=(width, height))
    assert kind in ("wait", "stop"), line
    return Gesture(kind)


def send(text: str) -> Gesture:
    """Characters."""
    return Gesture("send", text)


# -- drawing -----------------------------------------------------------------------------------------------------------


def draw(chance: random.Random, count: int, *, calm: bool = False) -> list[Gesture]:
    """So many gestures, one key counted as one.

    Args:
        calm: whether the screen may rest after each, in place of being rushed.
    """
    drawn: list[Gesture] = []
    while len(drawn) < count:
        (kind,) = chance.choices([kind for kind, _ in KINDS], [weight for _, weight in KINDS])
        for gesture in kind(chance):
            drawn.append(gesture)
            if calm and gesture.kind == "send" and chance.random() < 0.3:
                drawn.append(Gesture("wait"))
    return drawn


def _bound() -> list[str]:
    """What a terminal sends for each key that has a command, but for that which leaves."""
    keys = [key.key for command in TABLE for key in command.keys if key.line != "quit"]
    return [KEYS.get(key, key) for key in keys if len(KEYS.get(key, key)) == 1 or key in KEYS]


BOUND = _bound()


def _key(chance: random.Random) -> Iterator[Gesture]:
    yield send(chance.choice(BOUND))


def _again(chance: random.Random) -> Iterator[Gesture]:
    """One key, held down."""
    key = chance.choice(BOUND)
    for _ in range(chance.randint(2, 9)):
        yield send(key)


def _line(chance: random.Random) -> Iterator[Gesture]:
    """A command, typed; sometimes not to its end."""
    yield send(chance.choice("::::::/Bwe"))
    word = chance.choice([command.name for command in TABLE if command.name not in ("quit",)])
    parts = [word, chance.choice(STAGES) + chance.choice(INDICES), *chance.choices(ARGUMENTS, k=2)]
    line = " ".join(part for part in (parts[0], *chance.sample(parts[1:], chance.randint(0, 2))))
    if word in ("view", "move"):
        line = f"{word} {chance.choice(VIEWS if word == 'view' else MOVES)}"
    if chance.random() < 0.2:
        line = line[: chance.randint(0, len(line))] + "\t"
    if chance.random() < 0.2:
        line += chance.choice(("\x1b[A", "\x1b[B", "\x1b[D\x1b[D", "\x15", "\x7f\x7f", "\x01", "\x1b[5~", "\t\t"))
    yield send(line)
    yield send(chance.choice("\r\r\r\r\x1b\x03"))
    if chance.random() < 0.5:
        yield send("\x1b")


def _over(chance: random.Random) -> Iterator[Gesture]:
    """A screen over the screen, and keys that close it more than once."""
    yield send(chance.choice("?v\x10"))
    for _ in range(chance.randint(0, 5)):
        yield send(chance.choice(("j", "k", "G", "\x1b[B", "\x1b[6~", "\r", "\t", "s", "a", "theme", "step", "?")))
    for _ in range(chance.randint(1, 3)):
        yield send(chance.choice(("\x1b", "x", "\r", "o", "z")))
    if chance.random() < 0.3:
        yield send("?xx")
    if chance.random() < 0.1:
        yield send("?qq")


def _mouse(chance: random.Random) -> Iterator[Gesture]:
    """Clicks, double clicks, drags, the wheel; on the screen and beside it."""
    width, height = chance.choice(SIZES)
    x, y = chance.randint(1, width + 1), chance.randint(1, height + 1)
    match chance.randint(0, 4):
        case 0:
            yield send(f"\x1b[<{chance.choice((64, 65, 66, 67))};{x};{y}M")
        case 1:
            yield send(f"\x1b[<0;{x};{y}M")
            yield send(f"\x1b[<32;{x + 3};{y + 1}M")
            yield send(f"\x1b[<0;{x + 3};{y + 1}m")
        case 2:
            yield send(f"\x1b[<35;{x};{y}M")
        case _:
            for _ in range(chance.randint(1, 3)):
                yield send(f"\x1b[<{chance.choice((0, 0, 1, 2))};{x};{y}M\x1b[<0;{x};{y}m")


def _paste(chance: random.Random) -> Iterator[Gesture]:
    yield send(f"\x1b[200~{chance.choice(PASTES)}\x1b[201~")


def _raw(chance: random.Random) -> Iterator[Gesture]:
    """What no keyboard sends, or no terminal should."""
    yield send(chance.choice(RAW))


def _size(chance: random.Random) -> Iterator[Gesture]:
    for _ in range(chance.randint(1, 3)):
        yield Gesture("size", size=chance.choice(SIZES))
    if chance.random() < 0.5:
        yield Gesture("size", size=(120, 40))


def _wait(chance: random.Random) -> Iterator[Gesture]:
    yield Gesture("wait")


def _stop(chance: random.Random) -> Iterator[Gesture]:
    yield Gesture("stop")


KINDS: Sequence[tuple[Callable[[random.Random], Iterator[Gesture]], float]] = (
    (_key, 40), (_again, 3), (_line, 12), (_over, 6), (_mouse, 8), (_paste, 2), (_raw, 3), (_size, 3), (_wait, 2), (_stop, 0.3),
)  # fmt: skip
