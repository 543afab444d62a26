"""What Hugging Face's transformers calls our stages: the modules whose first output they are.

A module of one operation is named by its stage itself (`Stage.module`). Here are those that hold others: a layer, `encoder`,
`attention`. A family's names are a table, and a program's family is seen by the module of its first query.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..stage import Stages

# After a stage's name: its dropout, where the program has one. Between two: the second where the program lacks the first.
DROPPED, OR = "~", " or "
LIST = "it is a list of modules, which gives nothing by itself"
IDLE = "it is the dropout before a head, which gives what it takes"
FUNCTION = "transformers calls a function in its place, on the weights"


@dataclass(frozen=True, slots=True)
class Names:
    """The modules of a family.

    Attributes:
        query: the module of the first query (or of query, key and value in one), which other families call otherwise.
        prefixes: what a model with a head calls the encoder.
        layer: what layers are called, without their number.
        whole: module outside the layers -> stage.
        parts: module within a layer, "" for itself -> stage within that layer.
        heads: module of a head -> stage.
        none: module that is no stage -> why; `{}` stands for the number of a layer.
        having: a stage that a program of the family has, where another one calls its queries the same.
    """

    query: str
    prefixes: tuple[str, ...]
    layer: str
    whole: Mapping[str, str]
    parts: Mapping[str, str]
    heads: Mapping[str, str] = field(default_factory=dict)
    none: Mapping[str, str] = field(default_factory=dict)
    having: str = ""


BERT = Names(
    query="encoder.layer.0.attention.self.query",
    prefixes=("bert", "roberta", "electra", "ernie", "data2vec_text"),
    layer="encoder.layer",
    whole={"embeddings": "embeddings.norm~", "embeddings.dropout": "embeddings.norm~", "encoder": "output", "pooler.activation": "head.pooler.activation"},
    parts={
        "": "output", "attention": "attention.norm", "attention.self": "attention.concat", "attention.output": "attention.norm",
        "attention.output.dropout": "attention.output~", "intermediate": "ffn.activation", "output": "ffn.norm",
        "output.dropout": "ffn.down~",
    },
    heads={
        "cls": "head.words.logits", "cls.predictions": "head.words.logits", "cls.predictions.transform": "head.words.norm",
        "lm_head": "head.words.logits", "classifier": "head.classes.logits",
        "generator_predictions": "head.words.norm",
    },
    none={
        "encoder.layer": LIST, "encoder.layer.{}.attention.self.dropout": FUNCTION, "dropout": IDLE, "classifier.dropout": IDLE,
    },
)  # fmt: skip

DISCRIMINATOR = replace(
    BERT,
    having="head.replaced.logits",
    none={
        **BERT.none, "discriminator_predictions": "it is [batch, token] there: head.replaced.logits without its last axis",
    },
)  # fmt: skip

DISTILBERT = Names(
    query="transformer.layer.0.attention.q_lin",
    prefixes=("distilbert",),
    layer="transformer.layer",
    whole={"embeddings": "embeddings.output", "embeddings.dropout": "embeddings.norm~", "transformer": "output"},
    parts={"": "output", "attention": "attention.output", "ffn": "ffn.down~", "ffn.dropout": "ffn.down~"},
    none={
        "transformer.layer": LIST, "transformer.layer.{}.attention.dropout": FUNCTION,
        "mlm_loss_fct": "it is the loss, which is not computed", "dropout": IDLE,
    },
)  # fmt: skip

SQUARE = "it is [query, key, head] there and [batch, head, query, key] here: the same numbers are"
TWICE = "it is called twice, on embeddings.token and on final.norm"
T5 = Names(
    query="encoder.block.0.layer.0.SelfAttention.q",
    prefixes=("transformer",),
    layer="encoder.block",
    whole={"encoder": "output"},
    parts={
        "": "output", "layer.0": "attention.residual", "layer.0.SelfAttention": "attention.output",
        "layer.0.dropout": "attention.output~", "layer.1": "ffn.residual", "layer.1.DenseReluDense": "ffn.down",
        "layer.1.DenseReluDense.dropout": "ffn.gated or ffn.activation", "layer.1.dropout": "ffn.down~",
    },
    none={
        "shared": "transformers calls encoder.embed_tokens, which shares its matrix", "encoder.dropout": TWICE,
        "encoder.block": LIST, "encoder.block.{}.layer": LIST, "dropout": IDLE,
        "encoder.block.0.layer.0.SelfAttention.relative_attention_bias": f"{SQUARE} positions.bias",
    },
)  # fmt: skip

UMT5 = replace(
    T5,
    having="layers.0.attention.position_bias",
    none={
        **T5.none,
        "encoder.block.{}.layer.0.SelfAttention.relative_attention_bias": f"{SQUARE} layers.{{}}.attention.position_bias",
    },
)

MPNET = replace(
    BERT,
    query="encoder.layer.0.attention.attn.q",
    prefixes=("mpnet",),
    parts={
        **{part: stage for part, stage in BERT.parts.items() if not part.startswith("attention.")},
        "attention.attn": "attention.output", "attention.dropout": "attention.output~",
    },
    none={
        "encoder.layer": LIST, "encoder.layer.{}.attention.attn.dropout": FUNCTION, "dropout": IDLE, "classifier.dropout": IDLE,
        "encoder.relative_attention_bias": f"{SQUARE} positions.bias",
    },
)  # fmt: skip

VIT = Names(
    query="layers.0.attention.q_proj",
    prefixes=("vit", "deit"),
    layer="layers",
    whole={"embeddings.dropout": "embeddings.sum"},
    parts={"": "output", "attention": "attention.output", "mlp": "ffn.down", "dropout": "ffn.down"},
    none={
        "layers": LIST,
        "embeddings.patch_embeddings":
            "it is [batch, patch, hidden] there: the same numbers are embeddings.patches, [batch, hidden, row, column]",
    },
)  # fmt: skip

MODERNBERT = Names(
    query="layers.0.attn.Wqkv",
    prefixes=("model",),
    layer="layers",
    whole={"embeddings": "embeddings.norm", "embeddings.drop": "embeddings.norm"},
    parts={
        "": "output", "attn": "attention.output", "attn.out_drop": "attention.output", "mlp": "ffn.down", "mlp.drop": "ffn.gated",
    },
    heads={"head": "head.words.norm"},
    none={
        "layers": LIST, "layers.0.attn_norm": "the first layer norms nothing: it is embeddings.norm",
        "rotary_emb": "it is two tensors, cosines and sines",
    },
)  # fmt: skip

DEBERTA = replace(
    BERT,
    query="encoder.layer.0.attention.self.query_proj",
    prefixes=("deberta",),
    whole={"embeddings.dropout": "embeddings.masked~", "encoder": "output"},
    heads={module: stage for module, stage in BERT.heads.items() if module.startswith("cls")},
    none={
        **BERT.none, "encoder.layer.{}.attention.self.pos_dropout": "it is a dropout of the table of positions",
        "encoder.rel_embeddings": "transformers reads its matrix and never calls it: positions.table",
    },
)  # fmt: skip

FAMILIES = (DISCRIMINATOR, BERT, DISTILBERT, UMT5, T5, MPNET, VIT, MODERNBERT, DEBERTA)


def modules(program: Stages) -> Iterator[tuple[str, str]]:
    """Each module with the stage that its output is: those of one operation, and those that hold others."""
    names = family(program)
    for stage in program:
        if stage.module:
            yield stage.module, stage.name
    if names is None:
        return
    heads = [stage.module for stage in program if stage.room == "head"]
    for module, stage in _holding(names, program.layers):
        if (name := _dropped(program, stage)) is not None:
            yield module, name
            yield from ((f"{prefix}.{module}", name) for prefix in names.prefixes)
    yield from ((prefix, "output") for prefix in names.prefixes)
    yield from ((module, name) for module, name in names.heads.items() if _known(module, heads))
    for stage in program:
        if (stage.module and stage.room != "head") or stage.module.startswith("pooler"):
            yield from ((f"{prefix}.{stage.module}", stage.name) for prefix in names.prefixes)


def _holding(names: Names, layers: int) -> Iterator[tuple[str, str]]:
    yield from names.whole.items()
    for number in range(layers):
        for part, stage in names.parts.items():
            room = f"layers.{number}."
            yield f"{names.layer}.{number}" + f".{part}" * bool(part), room + stage.replace(OR, OR + room)


def reasons(program: Stages) -> Iterator[tuple[str, str]]:
    """Each module that is none of our stages, and why."""
    names = family(program)
    for module, why in names.none.items() if names else ():
        for number in range(program.layers) if "{}" in module else (0,):
            full, why = module.format(number), why.format(number)
            yield full, why
            if names is not None:
                yield from ((f"{prefix}.{full}", why) for prefix in names.prefixes)


def family(program: Stages) -> Names | None:
    """The table that a program's modules are named by."""
    first = ("layers.0.attention.query", "layers.0.attention.qkv")
    called = [program[stage].module for stage in first if stage in program]
    return next(
        (names for names in FAMILIES if names.query in called and (not names.having or names.having in program)), None
    )


def _dropped(program: Stages, stages: str) -> str | None:
    """The first of some stages that the program has, or its dropout, as `DROPPED` and `OR` say."""
    for stage in stages.split(OR):
        name = stage.removesuffix(DROPPED)
        if name in program:
            dropped = f"{program[name].name}_dropout"
            return dropped if stage.endswith(DROPPED) and dropped in program else name
    return None


def _known(module: str, heads: list[str]) -> bool:
    """Whether the program has the head that a module belongs to."""
    return any(head.startswith(f"{module}.") for head in heads)
