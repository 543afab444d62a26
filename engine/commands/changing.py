"""Commands that change what is computed: patches, ablations, forks, another text."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..messages.errors import InputError
from ..models.text.coverage import unknown_words
from ..program.index import parse_index, split_index
from ..program.per_text import is_rectangle
from ..program.torch_calls import from_numpy
from ..program.trace import expect_live
from ..program.writing import write_texts
from ..traces.patches.whole_numbers import check_range, token_id
from .references import REFERENCES, reference
from .session import Session
from .table import Command, Key, Reply, is_number, nothing_more, shell_words

if TYPE_CHECKING:
    import torch

    from ..program.patch import Change
    from ..program.per_text import Index

PATCH = "patch STAGE[INDEX] = VALUE"
ABLATE = "ablate STAGE[INDEX] [zero|mean]"
NOISE = "noise STAGE[INDEX] DEVIATION [SEED]"
SCALE = "scale STAGE[INDEX] FACTOR"
SWAP = "swap STAGE[INDEX] [INDEX]"
INSIDE = r"""(?:[^\]"']|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')*"""  # what stands between brackets, past any quoted token


def _target(session: Session, text: str, usage: str) -> tuple[str, Index]:
    """The stage and the window that are to be changed."""
    from ..traces.patches.changes import window_of

    if not text:
        raise InputError(f"which stage? write `{usage}`")
    run = expect_live(session.trace)
    name, index = split_index(text)
    name = session.stage_or_here(name)
    if run.program[name].kind == "OneHot":
        raise InputError(f"{name} is never built; patch tokens.ids instead")
    return name, window_of(run, name, parse_index(index or ""))


def _put(session: Session, name: str, text: str, change: Change, *windows: Index, note: str = "") -> Reply:
    """Put a change on a stage and say what follows from it, and where, if a token's name means another place in each text."""
    from ..program.patch import Patch

    stage = session.trace.program[name]
    along = session.trace.inputs.strings_along(stage)
    named = [write_texts(stage.axes, index, along) for index in windows if not is_rectangle(index)]
    session.branches.patch(Patch(name, text, change), lambda run: check_range(run, name))
    session.changed()
    later = len(session.trace.program.downstream(name))
    where = f" ({'; '.join(filter(None, [*named, note]))})" if named or note else ""
    return Reply(f"patched {name}{where}; {later} stage{'s' * (later != 1)} downstream will be computed again")


def _patch(session: Session, rest: str) -> Reply:
    from ..traces.patches.changes import Assign, Replace, patch_expression

    parts = re.match(rf"""((?:[^="'\[]|\[{INSIDE}\])*)=(?!=)(.*)$""", rest, re.DOTALL)
    if not parts or not parts[2].strip():
        raise InputError(
            f'cannot read {rest!r}; write `{PATCH}`: a number, an expression of x, a "token", fork N, text "..."'
        )
    name, index = _target(session, parts[1].strip(), PATCH)
    written = parts[2].strip()
    line = f"patch {rest}"
    if written.split()[0] in REFERENCES:
        return _put(session, name, line, Replace(index, _borrowed(session, name, index, written)), index)
    if written[0] in "\"'" and written[-1] == written[0] and len(written) > 1:
        number = token_id(expect_live(session.trace), name, written[1:-1])
        token = session.trace.word(int(number))
        note = f"{written[1:-1]!r} is the token {token!r}" if token != written[1:-1] else ""
        return _put(session, name, line, Replace(index, number), index, note=note)
    return _put(session, name, line, Assign(index, patch_expression(written)), index)


def _borrowed(session: Session, name: str, index: Index, written: str) -> torch.Tensor:
    other = reference(session, shell_words(written, PATCH))
    if name not in other.program:
        raise InputError(f"`{written}` has no stage {name}")
    value, own = other.value(name), expect_live(session.trace).shapes[name]
    if value.shape != own:
        raise InputError(
            f"`{written}` has {name} of shape {list(value.shape)}, and here it is {list(own)}; the texts must have the same number of tokens"
        )
    return from_numpy(value.read(index).copy())


def _ablate(session: Session, rest: str) -> Reply:
    from ..traces.patches.changes import Assign, Mean, patch_expression

    parts = re.match(r"(.*?)(?:\s+(zero|mean))?$", rest, re.DOTALL)
    assert parts
    name, index = _target(session, parts[1].strip(), ABLATE)
    axes = expect_live(session.trace).program[name].axes
    change = Mean(index, axes) if parts[2] == "mean" else Assign(index, patch_expression("0"))
    return _put(session, name, f"ablate {rest}", change, index)


def _numbers_after(rest: str, usage: str, least: int, most: int) -> tuple[str, list[float]]:
    """A target and the numbers that follow it."""
    parts = re.match(r"([^\[\s]*\s*(?:\[.*\])?)\s*([^\]]*)$", rest.strip(), re.DOTALL)
    words = parts[2].split() if parts else []
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        numbers = []
    if not parts or not least <= len(numbers) <= most or len(numbers) != len(words):
        raise InputError(f"cannot read {rest!r}; write `{usage}`")
    return parts[1].strip(), numbers


def _noise(session: Session, rest: str) -> Reply:
    from ..traces.patches.changes import Noise

    target, numbers = _numbers_after(rest, NOISE, 1, 2)
    seed = numbers[1] if len(numbers) > 1 else 0.0
    if not numbers[0] >= 0 or numbers[0] == float("inf") or not 0 <= seed < 2**63 or seed != int(seed):
        raise InputError(f"cannot read {rest!r}: the deviation is 0 or more, the seed a whole number; write `{NOISE}`")
    name, index = _target(session, target, NOISE)
    return _put(session, name, f"noise {rest}", Noise(index, numbers[0], int(seed)), index)


def _scale(session: Session, rest: str) -> Reply:
    from ..traces.patches.changes import Assign, patch_expression

    target, numbers = _numbers_after(rest, SCALE, 1, 1)
    name, index = _target(session, target, SCALE)
    return _put(session, name, f"scale {rest}", Assign(index, patch_expression(f"x * ({numbers[0]!r})")), index)


def _swap(session: Session, rest: str) -> Reply:
    from ..traces.patches.changes import Swap, window_of

    parts = re.fullmatch(rf"([^\[]*\[{INSIDE}\])\s*\[({INSIDE})\]", rest.strip())
    if not parts:
        raise InputError(
            f"cannot read {rest!r}; write `{SWAP}`, for instance swap layers.0.attention.weights[head=1] [head=2]"
        )
    name, one = _target(session, parts[1], SWAP)
    run = expect_live(session.trace)
    other = window_of(run, name, parse_index(parts[2]))
    value = run.value(name)
    if value.window_shape(one) != value.window_shape(other):
        raise InputError(
            f"the two windows have shapes {list(value.window_shape(one))} and {list(value.window_shape(other))}; they must be equal"
        )
    return _put(session, name, f"swap {rest}", Swap(one, other), one, other)


def _exchange(which: str) -> Callable[[Session, str], Reply]:
    def run(session: Session, rest: str) -> Reply:
        nothing_more(rest, which)
        before, after = session.branches.undo() if which == "undo" else session.branches.redo()
        session.changed()
        patch = next(patch for patch in (*before, *after) if (patch in before) != (patch in after))
        return Reply(f"{'took back' if which == 'undo' else 'did again'}: {patch.text}")

    return run


def _fork(session: Session, rest: str) -> Reply:
    nothing_more(rest, "fork")
    branch = session.branches.fork()
    session.changed()
    return Reply(f"fork {branch.number} of {branch.parent}; `switch {branch.parent}` goes back")


def _switch(session: Session, rest: str) -> Reply:
    if not is_number(rest):
        raise InputError(f"{rest!r} is not the number of a fork; write `switch N`; `info forks` lists them")
    session.branches.switch(int(rest))
    session.changed()
    return Reply(f"in fork {rest}" if rest != "0" else "in the original")


def _drop(session: Session, rest: str) -> Reply:
    if not is_number(rest):
        raise InputError(f"{rest!r} is not the number of a fork; write `drop N`; `info forks` lists them")
    here = session.drop(int(rest))
    return Reply(f"dropped fork {rest}; in {f'fork {here}' if here else 'the original'}")


def _run(session: Session, rest: str) -> Reply:
    texts = shell_words(rest, 'run "TEXT" ...')
    if not texts:
        raise InputError('run what? write `run "TEXT" ...`; several texts are one padded batch')
    if session.encoder is None:
        raise InputError("this is a recording: there is no model to run another text with")
    side = session.encoder.side
    session.show(session.encoder.trace(texts) if side == "text" else session.encoder.trace(images=texts))
    words = session.trace.tokens.shape
    said = f"{words[0]} {side}{'s' * (words[0] != 1)} of {words[1]} tokens; the cursor is before the first stage"
    tokens = session.trace.tokens
    return Reply("\n".join(filter(None, (said, *tokens.notes, unknown_words(tokens)))))


COMMANDS = (
    Command(
        "patch", PATCH,
        "Change a value: a number, an expression of the old one (x * 0), a token, another run's (fork 0, text \"...\").",
        _patch, "changes", (), (), "stage",
    ),
    Command("ablate", ABLATE, "Set a window to zero, or to its mean over batch and tokens.", _ablate, "changes", (), (), "stage"),
    Command("scale", SCALE, "Make a window larger or smaller.", _scale, "changes", (), (), "stage"),
    Command("noise", NOISE, "Add normal noise to a window; the same seed gives the same noise.", _noise, "changes", (), (), "stage"),
    Command("swap", SWAP, "Exchange two windows of a value.", _swap, "changes", (), (), "stage"),
    Command("undo", "undo", "Take the last change back.", _exchange("undo"), "changes", (),
            (Key("U", "undo", "take a change back"),)),
    Command("redo", "redo", "Do again what was taken back.", _exchange("redo"), "changes", (),
            (Key("R", "redo", "do it again"),)),
    Command("fork", "fork", "Go on in a copy; the original stays as it is.", _fork, "changes"),
    Command("switch", "switch N", "Go to another fork; 0 is the original.", _switch, "changes"),
    Command("drop", "drop N", "Forget a fork and give its memory back; forks of it stay.", _drop, "changes"),
    Command("run", 'run "TEXT" ...', "Start over with other texts; of a model of images, with other files.", _run, "changes"),
)  # fmt: skip
