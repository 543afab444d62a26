"""What the tests of every family share: random checkpoints as transformers saves them, and transformers' own values.

A family is described by one `Sample` in a file `family_<name>.py` beside this one, by the name `SAMPLE` or `SAMPLES`;
`test_families.py` finds it there and puts it through everything, and the README's table is measured with it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from encoder_tui.engine import Encoder, Run, Tokens, load
from encoder_tui.engine.models.checkpoint import Checkpoint
from encoder_tui.engine.models.families import Family
from hypothesis import strategies as st
from scratch import scratch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers.utils import logging

Values = dict[str, torch.Tensor]
logging.disable_progress_bar()

# Small, so that a checkpoint is made, saved and run in well under a second; odd, so that no two sizes are alike.
SIZES = st.sampled_from([(8, 1), (12, 3), (32, 4), (66, 6), (64, 2), (48, 1)])  # (hidden, heads)

# What any config takes; transformers' own types leave it out.
EAGER: dict[str, Any] = {"attn_implementation": "eager"}

# What is made after transformers' own output, or never named there.
NOT_COMPARED_IN_HEADS = (
    "head.*.first", "head.*.probabilities", "head.*.best", "head.answer.*_probabilities", "head.answer.*_best",
)  # fmt: skip


@st.composite
def with_head(draw: st.DrawFn, names: Sequence[str]) -> dict[str, Any]:
    """One of a family's heads by name, and how many labels those that have labels have."""
    head = draw(st.sampled_from(list(names)))
    problems = [None, "single_label_classification", "multi_label_classification", "regression"]
    if head == "classes":
        problem = draw(st.sampled_from(problems))
        single = problem == "single_label_classification"
        return {"head": head, "problem_type": problem, "num_labels": draw(st.integers(1 + single, 4))}
    labels = draw(st.integers(1, 4)) if head == "labels" else 2  # an answer has a start and an end
    return {"head": head, "problem_type": None, "num_labels": labels}


@dataclass(frozen=True)
class Sample:
    """What the tests need to know of a family.

    Attributes:
        family: as the README calls it.
        example: a checkpoint on the Hub that is one.
        model: options of the config -> a transformers model with eager attention and random weights.
        options: hypothesis' choice of options: layers, heads, sizes, activations, epsilons, tied or not, optional parts.
        longest: how many tokens the model of no options takes; a number to try where there is no limit.
        modeling: transformers' modules whose `eager_attention_forward` is to be written down.
        record: a context that writes down more of what transformers computes; it is given the model and the values.
        outputs: a field of transformers' output -> the stage that holds the same: `{"logits": "head.words.logits"}`.
        inputs: tokens -> what transformers' model is called with; None for ids, mask, and segments where there are any.
        tokens: lengths of the rows, random generator, encoder -> what goes in; None for random ids.
        not_compared: globs of stages that transformers never has by themselves (with why, in a comment).
        exact_from: how far off a stage may be, in absolute terms, where operations cannot be the same: glob -> limit.
        why_not: the reason in a few words, for the README, where some stage is not equal to the last bit.
        dtypes: to be tried besides float32.
        shortest: how few tokens make sense.
        load: options to open it with: `{"side": "image"}`.
        opener: model, dtype and options of `load` -> our encoder and the reference, of what transformers does not save.
    """

    family: str
    example: str
    model: Callable[..., torch.nn.Module]
    options: st.SearchStrategy[dict[str, Any]]
    longest: int = 64
    modeling: tuple[ModuleType, ...] = ()
    record: Callable[[Any, Run, Values], AbstractContextManager[None]] = lambda model, run, found: nullcontext()
    outputs: Mapping[str, str] = field(default_factory=dict[str, str])
    inputs: Callable[[Tokens], dict[str, Any]] | None = None
    tokens: Callable[[Sequence[int], np.random.Generator, Encoder], Tokens] | None = None
    not_compared: tuple[str, ...] = ()
    exact_from: Mapping[str, float] = field(default_factory=dict[str, float])
    why_not: str = ""
    dtypes: tuple[str, ...] = ("bfloat16", "float16", "float64")
    shortest: int = 1
    load: Mapping[str, Any] = field(default_factory=dict[str, Any])
    opener: Callable[..., tuple[Encoder, Any]] | None = None

    def __str__(self) -> str:
        return self.family


def samples() -> list[Sample]:
    """Every family that is described beside this file."""
    found: list[Sample] = []
    for path in sorted(Path(__file__).parent.glob("family_*.py")):
        module = importlib.import_module(path.stem)
        found += getattr(module, "SAMPLES", [])
        found += [module.SAMPLE] if hasattr(module, "SAMPLE") else []
    return found


def sample_of(family: str) -> Sample:
    """A family by its name; the first where several files describe it."""
    return next(sample for sample in samples() if sample.family == family)


def random_model(sample: Sample, seed: int = 0, **options: Any) -> Any:
    """A model with every weight random: new ones have zeros and ones where mistakes would hide."""
    torch.manual_seed(seed)
    model = sample.model(**options)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("bias") or "norm" in name.lower() or weight.ndim < 2:
                torch.nn.init.normal_(weight, 0.5, 0.3)
            elif float(weight.std()) < 0.1:
                torch.nn.init.normal_(weight, 0.0, 0.3)
    return model.eval()


def open_pair(
    sample: Sample, model: Any, dtype: str = "float32", *, device: str = "cpu", **more: Any
) -> tuple[Encoder, Any]:
    """The same checkpoint, saved by transformers, opened by us and by transformers in the same dtype on the same device."""
    if sample.opener is not None:
        return sample.opener(model, dtype, device=device, **more)
    directory = scratch("family")
    model.save_pretrained(directory)
    words = {f"w{number}": number for number in range(getattr(model.config, "vocab_size", 0))}
    Tokenizer(WordLevel(words)).save(f"{directory}/tokenizer.json")
    Path(directory, "tokenizer_config.json").write_text(
        '{"tokenizer_class": "PreTrainedTokenizerFast"}'
    )  # as it stands
    encoder = load(directory, device, dtype, **{**sample.load, **more})
    theirs = model.__class__.from_pretrained(directory, attn_implementation="eager", dtype=getattr(torch, dtype))
    return encoder, theirs.eval().to(device)


def tokens_for(sample: Sample, encoder: Encoder, lengths: Sequence[int], seed: int = 0) -> Tokens:
    """A batch of rows of these lengths, padded at the end."""
    random = np.random.default_rng(seed)
    if sample.tokens is not None:
        return sample.tokens(lengths, random, encoder)
    return random_tokens(lengths, random, encoder)


def family_of(encoder: Encoder) -> Family:
    """The family of an encoder that was read from a checkpoint."""
    assert isinstance(encoder.checkpoint, Checkpoint)
    return encoder.checkpoint.family


def random_tokens(lengths: Sequence[int], random: np.random.Generator, encoder: Encoder) -> Tokens:
    """Random ids, none of them the padding's."""
    limits = family_of(encoder).limits(encoder.checkpoint.config)
    shape = (len(lengths), max(lengths))
    ids = random.integers(0, limits.vocabulary - 1, shape)
    ids += ids >= limits.padding_id
    mask = np.array([[place < length for place in range(shape[1])] for length in lengths], dtype=np.int64)
    ids = np.where(mask, ids, limits.padding_id)
    segments = np.where(mask, random.integers(0, limits.segments or 1, shape), 0)
    positions = np.broadcast_to(np.arange(shape[1]), shape).copy()
    strings = tuple(tuple(str(number) for number in row) for row in ids)
    return Tokens(
        tuple(f"text {row}" for row in range(shape[0])), None, ids, mask, segments, positions, strings,
        tuple(((0, 0),) * shape[1] for _ in lengths), limits.vocabulary,
    )  # fmt: skip


def reference_values(sample: Sample, model: Any, run: Run) -> Values:
    """What transformers computes for the very tokens of a run, by our stages' names."""
    found: Values = {}
    with ExitStack() as stack:
        stack.enter_context(torch.no_grad())
        stack.enter_context(_modules(model, run, found))
        for modeling in sample.modeling:
            stack.enter_context(written_attention(modeling, run, found))
        stack.enter_context(sample.record(model, run, found))
        given = (sample.inputs or plain_inputs)(run.tokens)
        inputs = {
            name: value.to(run.device) if isinstance(value, torch.Tensor) else value for name, value in given.items()
        }
        output = model(**inputs, output_attentions=True, output_hidden_states=True)
    for name, stage in sample.outputs.items():
        if stage in run.program and name in output:
            found[stage] = output[name]
    return {name: value for name, value in found.items() if name in run.program}


def plain_inputs(tokens: Tokens) -> dict[str, torch.Tensor]:
    """Ids, mask, and segments where there are any."""
    given = {"input_ids": tokens.ids, "attention_mask": tokens.mask}
    if tokens.segments.any():
        given["token_type_ids"] = tokens.segments
    return {name: torch.from_numpy(np.array(array)) for name, array in given.items()}


@contextmanager
def _modules(model: Any, run: Run, found: Values) -> Generator[None]:
    """Hooks on every module that a stage says it is the output of; of shared ones, each call in its turn."""
    stages: dict[str, list[str]] = {}
    for stage in run.program:
        if stage.module:
            stages.setdefault(stage.module, []).append(stage.name)
    handles: list[Any] = []
    met: set[str] = set()
    for full, module in model.named_modules():
        name = next((part for part in _ends(full) if part in stages), None)
        if name is not None and name not in met:
            met.add(name)
            handles.append(module.register_forward_hook(_writer(found, list(stages[name]))))
    assert met == set(stages), f"transformers has no such modules: {set(stages) - met}"
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _ends(full: str) -> Iterator[str]:
    """The name itself, and without the prefix that a model with a head puts before it."""
    yield full
    yield full.partition(".")[2]


def _writer(found: Values, names: list[str]) -> Any:
    def write(module: Any, args: Any, output: Any) -> None:
        if names:
            found[names.pop(0)] = (output if isinstance(output, torch.Tensor) else output[0]).clone()

    return write


@contextmanager
def written_attention(modeling: ModuleType, run: Run, found: Values) -> Generator[None]:
    """transformers' eager attention, wrapped: what goes in, the steps between again as it does them, what comes out."""
    original = modeling.eager_attention_forward
    layers = iter(range(run.program.layers))

    def attention(module: Any, query: Any, key: Any, value: Any, mask: Any, scaling: Any = None, **more: Any) -> Any:
        context, weights = original(module, query, key, value, mask, scaling=scaling, **more)
        layer = next(layers, None)
        if layer is None:  # a decoder's
            return context, weights
        scores = torch.matmul(query, key.transpose(2, 3))
        scaled = scores * (query.shape[-1] ** -0.5 if scaling is None else scaling)
        masked = scaled if mask is None else scaled + mask
        softmax = torch.softmax(masked, -1)
        single = torch.softmax(masked, -1, dtype=torch.float32).to(softmax.dtype)
        same = any(torch.equal(found, weights.to(softmax.dtype)) for found in (softmax, single))
        assert same, "the reference's own steps do not give its result"
        steps = {
            "query_heads": query, "key_heads": key, "value_heads": value, "scores": scores, "scaled": scaled,
            "masked": masked, "weights": weights, "context": context.transpose(1, 2),
        }  # fmt: skip
        block = f"layers.{layer}.attention"
        found.update({f"{block}.{part}": step.clone() for part, step in steps.items()})
        shape = (query.shape[0], 1, query.shape[2], key.shape[2])
        found.setdefault("mask.additive", query.new_zeros(shape) if mask is None else mask.expand(shape))
        return context, weights

    modeling.eager_attention_forward = attention  # type: ignore[attr-defined]
    try:
        yield
    finally:
        modeling.eager_attention_forward = original  # type: ignore[attr-defined]


def differences(run: Run, expected: Values) -> dict[str, float]:
    """The largest difference of every stage that is not equal to the last bit; inf where shape or dtype differ."""
    wrong: dict[str, float] = {}
    for name, theirs in expected.items():
        ours = run[name].tensor()
        theirs = theirs.to(ours.device)  # places, which a sample makes itself
        if (
            ours.shape[1:] == theirs.shape
        ):  # a table without a batch, which is of a batch of one, or of every text, to us
            theirs = theirs[None]
        if theirs.ndim == ours.ndim and theirs.shape != ours.shape:  # looked up or made once for all texts
            theirs = theirs.expand(ours.shape)
        if ours.dtype != theirs.dtype or ours.shape != theirs.shape:
            wrong[name] = float("inf")
        elif not torch.equal(ours, theirs):
            wrong[name] = float((ours.double() - theirs.double()).abs().max())
    return wrong
