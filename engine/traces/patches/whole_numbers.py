"""What may stand in the stages that hold whole numbers: ids of tokens, segments, positions, zeros and ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...messages.errors import InputError, nearest
from ...program.token_names import form_in

if TYPE_CHECKING:
    import torch

    from ...program.trace import LiveTrace


def check_range(run: LiveTrace, name: str) -> None:
    """Refuse numbers that a later lookup could not find.

    Raises:
        InputError: a number out of range.
    """
    stage = run.program[name]
    most = run.program.pairs[name][1].highest(run.inputs.sizes[stage.sequence][1], _rows(run, name))
    if most is None:
        return
    tensor = run.tensor(name)
    low, high = int(tensor.min()), int(tensor.max())
    if low < 0 or high > most:
        raise InputError(f"{low if low < 0 else high} is out of range for {name}, which goes from 0 to {most}")


def _rows(run: LiveTrace, name: str) -> int:
    """How many rows the smallest table has that is looked up with this stage."""
    users = [run.program[user] for user in run.program.users(name)]
    sizes = (run.program.weights[user.weights[0]][-2] for user in users if user.card.looks_up)
    return min(sizes, default=2**31)


def token_id(run: LiveTrace, name: str, text: str) -> torch.Tensor:
    """The id of a token given by its text.

    Raises:
        InputError: the stage holds no ids, the vocabulary has no such token, or there is no tokenizer that knew.
    """
    import torch

    if not name.endswith(".ids"):
        raise InputError(
            f"{name} holds no tokens; only ids of tokens, such as tokens.ids, can be given text such as {text!r}"
        )
    words = {
        run.word(number): number for number in range(run.inputs.sequences[run.program[name].sequence].vocabulary_size)
    }
    form = form_in(text, words)
    if form is not None:
        return torch.tensor(words[form])
    if not run.knows_words:
        raise InputError(
            f"there is no tokenizer, so no token is known as {text!r}: give its id, as in `{name}[0, 1] = 7`"
        )
    raise InputError(f"{text!r} is not one token of this vocabulary{nearest(text, words)}; patch several tokens apart")
