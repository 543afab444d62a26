"""Heads that were fine-tuned for a task: classes of a text, labels of its tokens, the place of an answer.

Several of transformers' classes store their head under one name (`classifier.weight`), so the weights alone do not say
which it is: the config's `architectures` does. Where that says nothing such a head is left out, and `facts` says so. What the
numbers become after the logits follows transformers' training and pipelines: a softmax over labels, a sigmoid of each where
`problem_type` is `multi_label_classification`, nothing where the head gives numbers rather than classes.
"""

from __future__ import annotations

from collections.abc import Container, Iterable

from ....messages.errors import InputError
from ....messages.visible import visible
from ....ops import Activation, Best, FirstToken, Pick, Softmax
from ....program.json_values import is_list, is_object
from ...config import Config
from .builder import Builder

CLASSES, LABELS, ANSWER, CHOICE = (
    "ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering", "ForMultipleChoice",
)  # fmt: skip
TASKS = (CLASSES, LABELS, ANSWER, CHOICE)
PROBLEMS = ("regression", "single_label_classification", "multi_label_classification")
ENDS = ("start", "end")
SHOWN = 10
FEW = 20
MOST_LABELS = 10**6


def task_of(config: Config) -> str:
    """Which of `TASKS` a checkpoint was trained for, from its config's `architectures`; "" where that names none."""
    named = config.get("architectures")
    for name in named if is_list(named) else ():
        for task in TASKS:
            if isinstance(name, str) and name.endswith(task):
                return task
    return ""


def has(config: Config, stored: Container[str], task: str, weight: str) -> bool:
    """Whether a checkpoint carries the head of a task: `architectures` says so, and the weight is stored."""
    return task_of(config) == task and weight in stored


def label_names(config: Config) -> tuple[str, ...]:
    """What the classes are called: `id2label`; `LABEL_0`, ... where it is silent. Their number is that of the head's rows.

    Raises:
        InputError: an `id2label` that is no mapping from numbers to names.
    """
    named = config.get("id2label")
    if named is None:
        return _numbered(config.size("num_labels", 2, most=MOST_LABELS))
    if not is_object(named) or not all(str(number).isdecimal() for number in named):
        raise InputError(f"{config.where}: id2label is {named!r}, and must give a name for each number")
    count = config.get("num_labels")
    if count is not None and count != len(named):  # transformers then forgets the names
        return _numbered(config.size("num_labels", 2, most=MOST_LABELS))
    names = {int(number): visible(str(name)) for number, name in named.items()}
    return tuple(names.get(number, name) for number, name in enumerate(_numbered(len(names))))


def bert_heads(b: Builder, config: Config, stored: Container[str], size: int, x: str, pooled: str = "") -> None:
    """The heads of BERT and whoever does as it does: `classifier` on what the pooler gives or on each token, `qa_outputs`.

    Args:
        size: of a token's vector.
        x: what leaves the encoder, (batch, token, hidden).
        pooled: what leaves the pooler, (batch, hidden); "" where there is none.
    """
    if pooled and has(config, stored, CLASSES, "classifier.weight"):
        classes(b, config, pooled, "classifier", size)
    if pooled and has(config, stored, CHOICE, "classifier.weight"):
        choice(b, pooled, "classifier", size)
    if has(config, stored, LABELS, "classifier.weight"):
        labels(b, config, x, "classifier", size)
    if has(config, stored, ANSWER, "qa_outputs.weight"):
        answer(b, x, "qa_outputs", size)


def classes(b: Builder, config: Config, x: str, module: str, size: int, *, bias: bool = True) -> None:
    """`head.classes.logits`, `.probabilities` and `.best` of a whole text, from its vector (batch, hidden)."""
    names = label_names(config)
    axes = ("batch", "label")
    logits = b.linear("head.classes.logits", x, module, size, len(names), axes, bias=bias, labels=names)
    problem = config.get("problem_type")
    if problem not in (None, *PROBLEMS):
        raise InputError(
            f"{config.where}: problem_type {problem!r} is not known; it is one of {', '.join(PROBLEMS)}, or null"
        )
    # One number is no choice between classes: a score, which transformers trains as a regression unless told otherwise.
    if problem == "regression" or (problem is None and len(names) == 1):
        return
    several = problem == "multi_label_classification"
    best(b, "head.classes", logits, ("batch",), names, several=several)


def from_first(b: Builder, x: str, block: str, dense: str, activation: str, size: int, module: str = "") -> str:
    """The first token's vector through a layer of its own, as many heads have it instead of a pooler: (batch, hidden).

    Args:
        block: `head.classes`; the stages are its `.first`, `.dense` and `.activation`.
        dense: module of the layer; `module` that of the activation, "" where it is a function.
    """
    axes = ("batch", "hidden")
    first = b.add(f"{block}.first", FirstToken(), (x,), axes)
    x = b.linear(f"{block}.dense", first, dense, size, size, axes)
    return b.activation(f"{block}.activation", x, activation, axes, module)


def labels(b: Builder, config: Config, x: str, module: str, size: int, *, bias: bool = True) -> None:
    """`head.labels.logits`, `.probabilities` and `.best` of each token, from (batch, token, hidden)."""
    names = label_names(config)
    axes = ("batch", "token", "label")
    logits = b.linear("head.labels.logits", x, module, size, len(names), axes, bias=bias, labels=names)
    best(b, "head.labels", logits, ("batch", "token"), names)


def answer(b: Builder, x: str, module: str, size: int, *, bias: bool = True) -> None:
    """Where in the text an answer starts and ends: `head.answer.logits`, and of `.start` and `.end` what follows.

    transformers' model hides nothing: padding, the question and special tokens have logits as well, and their share of
    the probabilities. `.start_best` and `.end_best` are numbers of tokens.
    """
    axes = ("batch", "token", "label")
    both = b.linear("head.answer.logits", x, module, size, len(ENDS), axes, bias=bias, labels=ENDS)
    for place, end in enumerate(ENDS):
        logits = b.add(f"head.answer.{end}", Pick(place, end), (both,), axes[:-1])
        shares = b.add(f"head.answer.{end}_probabilities", Softmax("token"), (logits,), axes[:-1])
        b.add(f"head.answer.{end}_best", Best(SHOWN, "tokens"), (shares,), ("batch", "place"))


def choice(b: Builder, x: str, module: str, size: int, *, bias: bool = True) -> None:
    """`head.choice.logits`: how well each text of the batch does as the answer among several; the softmax is over texts."""
    b.linear("head.choice.logits", x, module, size, 1, ("batch", "label"), bias=bias, labels=("score",))


def best(
    b: Builder, block: str, logits: str, lead: tuple[str, ...], names: tuple[str, ...], *, several: bool = False
) -> None:
    """`.probabilities` and `.best` of logits over labels.

    Args:
        block: `head.classes`.
        lead: axes before that of the labels.
        several: whether more than one label may hold at once, each with a probability of its own.
    """
    op = Activation("sigmoid") if several else Softmax("label")
    shares = b.add(f"{block}.probabilities", op, (logits,), (*lead, "label"), labels=names)
    b.add(f"{block}.best", Best(SHOWN, "labels"), (shares,), (*lead, "rank"), labels=names)


def facts(config: Config, unused: Iterable[str]) -> dict[str, str]:
    """What people should know of a checkpoint's task: the names of its labels, and a head that nobody can tell apart.

    Args:
        unused: names of stored tensors that the program does not use.
    """
    task = task_of(config)
    if task in (CLASSES, LABELS):
        names = label_names(config)
        more = f", and {len(names) - FEW} more" if len(names) > FEW else ""
        return {"labels": ", ".join(f"{number} {name}" for number, name in enumerate(names[:FEW])) + more}
    heads = sorted(
        {name.partition(".")[0] for name in unused} & {"classifier", "pre_classifier", "qa_outputs", "sequence_summary"}
    )
    if not heads:
        return {}
    named = config.get("architectures")
    says = f"says {named!r}" if named else "is missing"
    return {"left out": f"{', '.join(heads)}: what for is not known, since architectures {says}"}


def _numbered(count: int) -> tuple[str, ...]:
    return tuple(f"LABEL_{number}" for number in range(count))
