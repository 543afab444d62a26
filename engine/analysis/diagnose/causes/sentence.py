"""A sentence embedding made otherwise: another pooling, padding or a prompt counted, no norm, a Dense layer that is missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from ....ops.heads import Normalize
from ....ops.pooling import POOLINGS
from ....program.program import Program
from ....program.stage import Shape, Stage
from ....program.torch_calls import from_numpy
from ..case import Case
from ..edit import Edit
from ..hypothesis import Hypothesis, only_at
from ..otherwise import Otherwise, followed_by, op_of, plainly
from ..paired import SENTENCE

HEAD = "head.sentence."
# Pooling mode of sentence-transformers -> what it takes, and how that is written.
TAKES = {
    "mean": ("the mean over tokens", "(x * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)"),
    "cls": ("the first token", "x[:, 0]"),
    "max": ("the largest of each feature", "x.masked_fill(mask[..., None] == 0, -torch.inf).amax(1)"),
    "lasttoken": ("the last token", "x[torch.arange(len(x)), mask.sum(1) - 1]"),
    "mean_sqrt_len_tokens": ("the sum over tokens by the root of their count", "(x * mask[..., None]).sum(1) / mask.sum(1, keepdim=True).sqrt()"),
    "weightedmean": ("a mean that counts later tokens more", "(x * w[..., None]).sum(1) / w.sum(1, keepdim=True), w = mask.cumsum(1) * mask"),
}  # fmt: skip


def sentence_heads(case: Case) -> Iterator[Hypothesis]:
    """What may be otherwise on the way from the last layer to the embedding of a text."""
    for suspect in case.suspects:
        if not suspect.name.startswith(HEAD):
            continue
        if (mode := _mode(suspect)) is not None:
            yield from _poolings(case, suspect, mode)
        elif suspect.kind == "Normalize":
            yield _left_out(suspect, [suspect], "sentence not normalised", "theirs does not bring the sentence embedding to length 1, ours does",
                            "torch.nn.functional.normalize(embedding)")  # fmt: skip
        elif suspect.kind == "Linear":
            dense = [suspect, *_activation_of(case.ours.program, suspect)]
            yield _left_out(suspect, dense, "Dense left out", f"theirs has no {_written(case.ours.program, suspect)} after the pooling, ours has",
                            f"load the Dense layer of {suspect.weights[0].partition('.')[0]}/")  # fmt: skip
        if suspect.name == case.ours.program.aliases.get(SENTENCE):
            if suspect.kind != "Normalize":
                yield _normalised(suspect)
            yield from _their_head(case, suspect)


# -- poolings ----------------------------------------------------------------------------------------------------------


def _mode(stage: Stage) -> str | None:
    """What sentence-transformers calls a pooling; None for what is none."""
    return next((mode for mode, (_, op) in POOLINGS.items() if op == stage.op), None)


def _poolings(case: Case, suspect: Stage, now: str) -> Iterator[Hypothesis]:
    """Every other pooling, over the tokens of ours, and over padding as well where there is any."""
    tokens = case.ours.original_inputs.tokens
    here = TAKES[now][0]
    for mode, (_, op) in POOLINGS.items():
        if mode != now:
            edit = Edit({suspect.name: replace(suspect, op=op, inputs=suspect.inputs[:2])})
            yield _pooling("pooling", f"theirs takes {TAKES[mode][0]}, ours {here}", suspect, edit, now, mode)
    if tokens.prompt_length:
        yield from _of_prompt(case, suspect, now)
    if (tokens.mask != 0).all():
        return
    for mode in dict.fromkeys([now, *POOLINGS]):
        op = POOLINGS[mode][1]

        def everywhere(xs: Any, ws: Any, op: Any = op) -> Any:
            return plainly(op, (xs[0], xs[1] * 0 + 1), ws)

        edit = Edit({suspect.name: replace(suspect, op=Otherwise(op, "over padding as well", everywhere))})
        ours = "ours only what is no padding" if mode == now else f"ours {here}, without padding"
        yield _pooling(
            "pooling counts padding",
            f"theirs takes {TAKES[mode][0]} with padding among them, {ours}",
            suspect,
            edit,
            now,
        )


def _of_prompt(case: Case, suspect: Stage, now: str) -> Iterator[Hypothesis]:
    """The prompt's tokens, which one side alone counts."""
    left_out = suspect.inputs[1] != "tokens.mask"
    if left_out:
        edit = Edit({suspect.name: replace(suspect, inputs=(suspect.inputs[0], "tokens.mask"))})
        cause = "theirs counts the tokens of the prompt in the pooling, ours leaves them out"
    else:
        counted = from_numpy(1 - case.ours.original_inputs.tokens.prompt)
        op = op_of(suspect)

        def without(xs: Any, ws: Any) -> Any:
            return plainly(op, (xs[0], xs[1] * counted.to(xs[1].device), *xs[2:]), ws)

        edit = Edit({suspect.name: replace(suspect, op=Otherwise(op, "without the prompt", without))})
        cause = "theirs leaves the tokens of the prompt out of the pooling, ours counts them"
    yield Hypothesis(
        "prompt in the pooling", cause, suspect.name, only_at(suspect.name, edit),
        ours=f'1_Pooling/config.json: "include_prompt": {"true" if left_out else "false"}', spreads=False,
        theirs=f"pool over the tokens {'after' if left_out else 'of the text and'} the prompt ({now})",
    )  # fmt: skip


def _pooling(kind: str, cause: str, suspect: Stage, edit: Edit, now: str, other: str = "") -> Hypothesis:
    ours = f'1_Pooling/config.json: "pooling_mode": "{other}"' if other else ""
    return Hypothesis(
        kind, cause, suspect.name, only_at(suspect.name, edit), ours=ours, theirs=TAKES[now][1], spreads=False
    )


# -- what comes after it -----------------------------------------------------------------------------------------------


def _left_out(suspect: Stage, stages: Sequence[Stage], kind: str, cause: str, theirs: str) -> Hypothesis:
    """Stages that pass on what they are given."""
    given = Otherwise(Normalize(), "as it is", lambda xs, _: xs[0] * 1)  # of its shape, whatever theirs was
    edit = Edit({stage.name: replace(stage, op=given, weights=()) for stage in stages})
    return Hypothesis(kind, cause, suspect.name, only_at(suspect.name, edit), theirs=theirs, spreads=False)


def _normalised(suspect: Stage) -> Hypothesis:
    def length_one(x: Any) -> Any:
        import torch

        return torch.nn.functional.normalize(x, dim=-1)

    edit = Edit({suspect.name: replace(suspect, op=followed_by(suspect, "of length 1", length_one))})
    return Hypothesis(
        "sentence normalised", "theirs brings the sentence embedding to length 1, ours does not", suspect.name, only_at(suspect.name, edit),
        ours="modules.json: a module Normalize at the end", theirs="without torch.nn.functional.normalize", spreads=False,
    )  # fmt: skip


def _activation_of(program: Program, dense: Stage) -> list[Stage]:
    """The function that a Dense layer ends in, where it does."""
    users = (program[name] for name in program.users(dense.name))
    return [stage for stage in users if stage.kind == "Activation" and stage.name.startswith(HEAD)]


def _written(program: Program, dense: Stage) -> str:
    """`Dense layer (384 → 256, tanh)`."""
    out, fan_in = program.weights[dense.weights[0]]
    ends = "".join(f", {stage.options['kind']}" for stage in _activation_of(program, dense))
    return f"Dense layer ({fan_in} → {out}{ends})"


def _their_head(case: Case, result: Stage) -> Iterator[Hypothesis]:
    """The whole of theirs in the place of ours, where it has layers that ours lacks and their weights are at hand."""
    live = case.live
    if live is None or SENTENCE not in live.program.aliases or "output" not in case.ours.program:
        return
    head = [stage for stage in live.program if stage.name.startswith(HEAD)]
    mine = {_sizes(case.ours.program, stage) for stage in case.ours.program if stage.name.startswith(HEAD)}
    more = [stage for stage in head if stage.weights and _sizes(live.program, stage) not in mine]
    if not more:
        return
    last, outputs = live.program.aliases[SENTENCE], (live.program["output"].name, case.ours.program["output"].name)
    called = {outputs[0]: outputs[1], last: result.name}
    called |= {stage.name: f"{stage.name}_of_theirs" for stage in head if stage.name != last}
    stages = {
        called[stage.name]: replace(
            stage, name=called[stage.name], inputs=tuple(called.get(name, name) for name in stage.inputs),
            weights=tuple(f"theirs/{name}" for name in stage.weights),
        )
        for stage in head
    }  # fmt: skip
    like = case.ours.weights[next(iter(case.ours.program.weights))]
    weights = {
        f"theirs/{name}": live.weights[name].detach().to(like.device, like.dtype)
        for stage in head
        for name in stage.weights
    }
    said = " and a ".join(_word(live.program, stage) for stage in more)
    yield Hypothesis(
        "Dense ours has not" if more[0].kind == "Linear" else "norm ours has not", f"theirs has a {said} after the pooling, ours has not",
        result.name, only_at(result.name, Edit(stages, weights)), ours="modules.json: the modules that theirs has", theirs=f"without the {said}",
        spreads=False,
    )  # fmt: skip


def _sizes(program: Program, stage: Stage) -> tuple[str, *tuple[Shape, ...]]:
    """What a layer is, whatever its weights hold and it ends in."""
    return stage.kind, *(program.weights[name] for name in stage.weights)


def _word(program: Program, stage: Stage) -> str:
    """What a module is called, with its sizes."""
    return _written(program, stage) if stage.kind == "Linear" else stage.kind
