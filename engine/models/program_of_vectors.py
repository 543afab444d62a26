"""A program of text with vectors in the place of its embeddings of tokens: what transformers calls `inputs_embeds`."""

from __future__ import annotations

from dataclasses import replace

from ..messages.errors import InputError
from ..ops import Given, GivenNumbers
from ..program.program import Program
from ..program.stage import Stage
from ..program.tokens import TOKEN_VECTORS, Tokens
from .families.blocks import attention as parts


def size_of(program: Program) -> int:
    """How many numbers a vector has that stands for a token.

    Raises:
        InputError: a model whose tokens are not looked up in one table.
    """
    return int(program.weights[_lookup(program).weights[0]][-1])


def program_of_vectors(program: Program) -> Program:
    """The program from `embeddings.token` on, which is given; ids take no part in it.

    Positions that are counted from ids go on from token to token, as transformers counts them where there are none.

    Raises:
        InputError: a model that takes something else from the ids.
    """
    lookup = _lookup(program)
    stages: list[Stage] = []
    scaled = next((stage.name for stage in program if stage.kind == "Multiply" and stage.inputs == (lookup.name,)), "")
    for stage in program:
        if stage.name == scaled:  # transformers scales what it looks up, and takes vectors as they are
            continue
        if scaled in stage.inputs:
            stage = replace(stage, inputs=tuple(lookup.name if name == scaled else name for name in stage.inputs))
        if stage.name in ("tokens.ids", "tokens.one_hot"):
            continue
        if stage is lookup:
            size = (size_of(program),)
            stage = replace(stage, op=GivenNumbers("token", size, by_token=True), inputs=(), weights=())
        elif stage.kind == "PositionsAfterPadding":
            stage = Stage(stage.name, Given("positions"), (), (), parts.TOKENS)
        elif "tokens.ids" in stage.inputs:
            if not stage.card.counts:  # of the ids it takes how many there are alone
                raise InputError(
                    f"{stage.name} is made of the ids, which vectors do not have; give this model text or ids"
                )
            stage = replace(
                stage, inputs=tuple("tokens.mask" if name == "tokens.ids" else name for name in stage.inputs)
            )
        stages.append(stage)
    used = {name for stage in stages for name in stage.weights}
    weights = {name: shape for name, shape in program.weights.items() if name in used}
    aliases = {other: lookup.name if name == scaled else name for other, name in program.aliases.items()}
    return Program(stages, aliases, weights, set(program.wide), program.modules)


def in_place_of_tokens(tokens: Tokens, program: Program, longest: int | None) -> Tokens:
    """Vectors as what stands for the tokens of a text: positions are 0, 1, 2, ..., or begin behind that of padding.

    Args:
        tokens: with the vectors, as a model has them that takes nothing else.
        program: of the text.
        longest: how many tokens the model takes; None for any number.

    Raises:
        InputError: more vectors than that.
    """
    if longest is not None and tokens.shape[1] > longest:
        raise InputError(f"there are {tokens.shape[1]} vectors a text, and the model takes {longest}; give fewer")
    first = next((int(stage.options["padding"]) + 1 for stage in program if stage.kind == "PositionsAfterPadding"), 0)
    return replace(
        tokens, positions=tokens.positions + first, arrays={TOKEN_VECTORS: next(iter(tokens.arrays.values()))}
    )


def _lookup(program: Program) -> Stage:
    if (
        TOKEN_VECTORS in program
        and program[TOKEN_VECTORS].kind == "Lookup"
        and program[TOKEN_VECTORS].inputs == ("tokens.ids",)
    ):
        return program[TOKEN_VECTORS]
    raise InputError(f"this model has no {TOKEN_VECTORS} that is looked up by ids, in whose place vectors could stand")
