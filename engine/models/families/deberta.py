"""DeBERTa, the first version (He et al. 2021), with the operations of transformers' `modeling_deberta.py`, in their order.

It attends as v2 does (`deberta_v2.py`), but makes queries, keys and values in one product without a bias (`in_proj`), head by
head, and adds one to queries and values (`q_bias`, `v_bias`). Queries are divided before any product, so that only the queries
of positions are to be divided besides. Of the table of positions no more rows are used than a text has distances. Norms are
computed step by step in float32, whatever the dtype; that of the masked-LM head is torch's.
"""

from __future__ import annotations

from collections.abc import Container, Iterator

from ...ops import AddToEach, DivideByRoot, Part, RelativeIndex, SplitHeads, Table
from ...program.program import Program
from ..config import Config
from . import bert, deberta_v2
from .blocks import attention as parts
from .blocks import disentangled, post_norm, relative
from .blocks.builder import Builder
from .blocks.disentangled import RELATIVE, RELATIVE_HEADS, Body
from .family import Limits, Options

MODEL_TYPES = {"deberta": "Deberta"}
TOKENIZERS = {"deberta": "DebertaTokenizer"}
MARKS = {r"(^|\.)attention\.self\.in_proj\.": "DeBERTa"}
PREFIXES = disentangled.PREFIXES
TIED = deberta_v2.TIED
HARMLESS = disentangled.HARMLESS
MODULES = deberta_v2.MODULES
FUSED = ("batch", "token", "query_key_value")
FUSED_HEADS = ("batch", "head", "token", "query_key_value")


def _body(config: Config) -> Body:
    config.refuse("talking_head")
    return Body.of(config, vocabulary=50265, hidden=768, layers=12, heads=12, intermediate=3072, single=True)


def limits(config: Config) -> Limits:
    """What text it can take: of any length, unless absolute positions are added."""
    return _body(config).limits(config)


def build(config: Config, stored: Container[str], options: Options) -> Program:
    """The program of a DeBERTa checkpoint, with the heads whose weights are stored."""
    body, b = _body(config), Builder(MODULES)
    x = disentangled.embeddings(b, body)
    index, table = _positions(b, body, relative.distances(b, ahead=False))
    mask = disentangled.mask_of_pairs(b, options)
    for layer in range(body.layers):
        concat = _attention(b, body, layer, x, mask, index, table)
        x = post_norm.after_heads(b, layer, f"encoder.layer.{layer}", bert.LAYER, body.layer, x, concat)
        b.alias(f"layers.{layer}.output", x)
    b.alias("output", x)
    disentangled.heads(b, config, stored, body, x)
    return b.program()


def _positions(b: Builder, body: Body, far: str) -> tuple[str, str]:
    """`positions.index` and `positions.table`, cut to a text's distances; both "" where they play no part."""
    if not body.relative or not body.kinds:
        return "", ""
    index = b.add("positions.index", RelativeIndex(body.distance, cut=True), (far,), relative.PLACES)
    weights = [("encoder.rel_embeddings.weight", (2 * body.distance, body.hidden))]
    return index, b.add("positions.table", Table(cut=True), ("positions.query",), RELATIVE, weights)


def _attention(b: Builder, body: Body, layer: int, x: str, mask: str, index: str, table: str) -> str:
    block, module, hidden = f"layers.{layer}.attention", f"encoder.layer.{layer}.attention.self", body.hidden
    size = body.head_dim * (1 + len(body.named))  # every name counts, `none` as well
    qkv = b.linear(f"{block}.qkv", x, f"{module}.in_proj", hidden, 3 * hidden, FUSED, bias=False)
    fused = b.add(f"{block}.qkv_heads", SplitHeads(body.heads), (qkv,), FUSED_HEADS)
    query, key, value = (
        _role(b, body, block, module, number, role, fused) for number, role in enumerate(("query", "key", "value"))
    )
    query = b.add(f"{block}.query_scaled", DivideByRoot(size, rounded=True), (query,), parts.PER_HEAD)

    def distances() -> Iterator[str]:
        for kind, content, role in (("c2p", query, "key"), ("p2c", key, "query")):
            if index and kind in body.kinds:
                positions = _position_heads(b, body, block, module, role, table)
                if role == "query":
                    op = DivideByRoot(size, single=True)
                    positions = b.add(f"{block}.position_query_scaled", op, (positions,), RELATIVE_HEADS)
                yield disentangled.of_distances(b, block, kind, content, positions, index, 1, broadcast=True)

    return disentangled.attend_with_distances(b, block, (query, key), value, mask, distances())


def _role(b: Builder, body: Body, block: str, module: str, number: int, role: str, fused: str) -> str:
    """`query_heads`, `key_heads` or `value_heads`: a third of each head, with a bias for all but keys."""
    if role == "key":
        return b.add(f"{block}.key_heads", Part(number, 3), (fused,), parts.PER_HEAD)
    third = b.add(f"{block}.{role}_unbiased", Part(number, 3), (fused,), parts.PER_HEAD)
    bias = [(f"{module}.{role[0]}_bias", (body.hidden,))]
    return b.add(f"{block}.{role}_heads", AddToEach(body.heads), (third,), parts.PER_HEAD, bias)


def _position_heads(b: Builder, body: Body, block: str, module: str, role: str, table: str) -> str:
    """`position_key_heads` or `position_query_heads`: the table through a matrix; only queries have a bias."""
    own = f"{module}.pos_{'q_' if role == 'query' else ''}proj"
    name, size = f"{block}.position_{role}", body.hidden
    rows = b.linear(name, table, own, size, size, RELATIVE, bias=role == "query")
    return b.add(f"{name}_heads", SplitHeads(body.heads), (rows,), RELATIVE_HEADS)
