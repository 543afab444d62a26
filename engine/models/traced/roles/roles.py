"""Canonical names for the values of a graph, told from the data flow alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ....program.factors import Axes
from ..graph import Graph
from .attention import Attention, attentions_of
from .axes import axes_of
from .blocks import layer_of
from .dimensions import dimensions_of
from .embeddings import embeddings_of
from .flow import Flow, number, operand
from .layers import Unit, layers_of
from .naming import Names, name_attention, name_layer, settled
from .norms import norms_of
from .shared import name_biases, name_final_norm, name_mask, name_shown, name_turns
from .sides import Reading


@dataclass(frozen=True)
class HeadStack:
    """Values of heads computed one by one, which together are one value with a head axis.

    Attributes:
        name: of the whole: `layers.0.attention.weights`.
        values: one for each head, in the order in which their contexts are laid side by side.
    """

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class FusedAttention:
    """One `scaled_dot_product_attention`.

    Attributes:
        prefix: `layers.0.attention`; "" where its layer is not known.
        query, key, value: the values that go in, in heads.
        mask: what is added to the scores, or says which keys are seen; "" for none.
        scale: what scores are multiplied with; None for 1 / √head_dim.
        is_causal: whether what comes later is hidden.
    """

    prefix: str
    query: str
    key: str
    value: str
    mask: str = ""
    scale: float | None = None
    is_causal: bool = False


@dataclass(frozen=True)
class Roles:
    """What the values of a graph are.

    Attributes:
        names: value -> canonical name of a stage, of a call or an input; those alone that were recognised.
        axes: value -> names of its axes, where they are known.
        heads: values of heads that are computed one by one.
        fused: the fused attentions, by their value.
        folded: call -> the call that it is a step of; of several in each other the outermost.
    """

    names: Mapping[str, str] = field(default_factory=dict[str, str])
    axes: Mapping[str, Axes] = field(default_factory=dict[str, Axes])
    heads: tuple[HeadStack, ...] = ()
    fused: Mapping[str, FusedAttention] = field(default_factory=dict[str, FusedAttention])
    folded: Mapping[str, str] = field(default_factory=dict[str, str])


def roles_of(graph: Graph) -> Roles:
    """What each value of a graph is, as far as the data flow says so: never by the author's names.

    Attention is a softmax between two products of hidden vectors, or the fused operation; everything else is told from where it
    stands to one. What a rule is not sure of has no name.
    """
    flow = Flow(graph)
    known = Reading(flow, dimensions_of(flow), norms_of(flow))
    attentions = attentions_of(known)
    units = layers_of(known, attentions)
    layers = [layer_of(known, unit) for unit in units]
    names = Names()
    for norm in known.norms.values():
        names.fold(dict.fromkeys(norm.steps, norm.result))
    entry = layers[0].entry if layers else ""
    embedded = embeddings_of(known, entry) if entry else None
    if embedded is not None:
        for role, value in embedded.names.items():
            names.give(value, role)
        names.fold(embedded.inner)
    for at, (unit, layer) in enumerate(zip(units, layers, strict=True)):
        name_attention(known, names, unit, f"layers.{at}.attention")
        name_layer(names, layer, at)
    texts = embedded.texts if embedded is not None else ""
    name_mask(known, names, units)
    name_shown(known, names, units, texts)
    name_biases(known, names, units)
    name_turns(known, names, units)
    name_final_norm(known, names, layers)
    of, inner = settled(flow, names)
    told = {**of, **{value: name for name, values in names.heads.items() for value in values}}
    axes = axes_of(known, told, units, texts, entry or (units[0].source if units else ""))
    heads = tuple(HeadStack(name, values) for name, values in names.heads.items())
    return Roles(of, axes, heads, _fused(flow, attentions, units), inner)


def _fused(flow: Flow, attentions: tuple[Attention, ...], units: tuple[Unit, ...]) -> dict[str, FusedAttention]:
    prefixes = {part.core: f"layers.{at}.attention" for at, unit in enumerate(units) for part in unit.parts}
    fused: dict[str, FusedAttention] = {}
    for one in attentions:
        call = flow.call(one.core)
        if not one.fused or call is None:
            continue
        query, key, value = (operand(call, place) for place in range(3))
        scale = call.options.get("scale", number(call, 6))
        causal = call.options.get("is_causal", call.arguments[5] if len(call.arguments) > 5 else False)
        fused[one.core] = FusedAttention(
            prefixes.get(one.core, ""), query, key, value, one.masks[0] if one.masks else "",
            float(scale) if isinstance(scale, int | float) else None, causal is True,
        )  # fmt: skip
    return fused
