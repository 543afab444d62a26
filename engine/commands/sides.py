"""What a test gives to be compared, as two passages over the same inputs: modules, encoders, runs, recordings, paths of them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ..messages.errors import InputError
from ..program.tokens import PIXELS, TOKEN_VECTORS, VECTORS, Tokens
from ..program.trace import Trace
from ..traces.matched import Matched
from .foreign_sides import ONNX, Over, ids_among, over_graph, over_tensors, tensors_at, under_names_of

if TYPE_CHECKING:
    from torch import nn

    from ..analysis.matching.map_file import NameMap
    from ..models.encoder import Encoder

KINDS = "a torch.nn.Module, a pair (module, inputs), an Encoder, a run, a recording, or the path of a model, a recording or tensors"
# What `forward` of many a module calls the parts of a text, and what `run_ids` does.
OF_IDS = {"input_ids": "ids", "attention_mask": "mask", "token_type_ids": "segments", "position_ids": "positions"}


@dataclass(frozen=True)
class GivenInputs:
    """What is to be computed with, as a test gives it.

    Attributes:
        texts, pair: for whoever has a tokenizer; None for none.
        inputs: what modules are called with: a tensor, a tuple of arguments, or a dict of them by name; None for nothing.
        tokenizer: the directory of a tokenizer for modules, which have none.
        names: which of somebody's tensors is which stage; None where that is found out.
    """

    texts: Sequence[str] | None = None
    pair: str | None = None
    inputs: Any = None
    tokenizer: str | Path | None = None
    names: NameMap | None = None

    @property
    def nothing(self) -> bool:
        """Whether nothing is given to be computed with."""
        return self.texts is None and self.inputs is None


@dataclass(frozen=True)
class OneOfTwo:
    """One of two that are compared.

    Attributes:
        name: what it is called.
        trace: its passage; None where there is none yet.
        encoder: what computes one; None where nothing does.
        module: what is attached first; None for anything else.
        over: gives its passage over that of the other one, for what has no program; None for anything else.
        went_in: what tensors say that went in; {} where they do not.
    """

    name: str
    trace: Trace | None = None
    encoder: Encoder | None = None
    module: nn.Module | None = None
    over: Over | None = None
    went_in: Mapping[str, Any] = field(default_factory=dict[str, Any])


def both_sides(tried: object, reference: object, given: GivenInputs) -> tuple[OneOfTwo, OneOfTwo]:
    """Two passages over the same inputs: what is given, else what went into the one that has been computed already.

    Raises:
        TypeError: something that is no encoder of any kind.
        InputError: a path that leads to none, inputs that do not fit, or none at all.
    """
    if given.texts is not None and given.inputs is not None:
        raise InputError(
            "texts and inputs are both given; give one of them: a text is what a tokenizer makes inputs of"
        )
    opened = {side: _opened(thing) for side, thing in enumerate((tried, reference)) if not _is_path(thing)}
    for side, thing in enumerate((tried, reference)):
        if side not in opened:  # as the other one is, where it is one
            opened[side] = _of_path(cast("str | Path", thing), opened.get(1 - side), given.names)
    if all(side.over is not None for side in opened.values()):
        raise InputError(
            "both are tensors alone, which have no stages to be matched to; give a model, a module, a run or a recording as one of them"
        )
    if all(side.trace is not None or side.over is not None for side in opened.values()) and not given.nothing:
        raise InputError(
            "both have been computed already, so there is nothing to do with texts or inputs; leave them out"
        )
    said = [side.went_in for side in opened.values() if side.went_in]
    if given.nothing and said:
        given = replace(given, inputs=said[0])
    # who has a passage comes first, then who reads texts itself: a module takes the tokens that the other one made
    order = sorted(
        opened, key=lambda at: (opened[at].over is not None, opened[at].trace is None, opened[at].encoder is None)
    )
    for at in order:
        opened[at] = _computed(opened[at], opened[1 - at], given)
    return _under_one_program(opened[0], opened[1], given.names)


def _under_one_program(tried: OneOfTwo, reference: OneOfTwo, names: NameMap | None) -> tuple[OneOfTwo, OneOfTwo]:
    """Both, the one that is of somebody's program over that of the other: the one that is tried, where both are or none is."""
    assert tried.trace is not None
    assert reference.trace is not None
    if isinstance(tried.trace, Matched) or isinstance(reference.trace, Matched):
        return tried, reference
    if _is_of_family(tried) and not _is_of_family(reference):
        return tried, replace(reference, trace=under_names_of(tried.trace, reference.trace, names, reference.name))
    return replace(tried, trace=under_names_of(reference.trace, tried.trace, names, tried.name)), reference


def _is_of_family(side: OneOfTwo) -> bool:
    """Whether its program is one of ours, not what was seen of a module."""
    from ..models.traced.source import MODEL_TYPE

    return side.trace is not None and not side.trace.about.get("family", "").endswith(MODEL_TYPE)


def _is_path(thing: object) -> bool:
    return isinstance(thing, str | Path)


def _opened(thing: object) -> OneOfTwo:
    """What is no path."""
    if isinstance(thing, Trace):
        return OneOfTwo(str(thing.about.get("model", "")) or type(thing).__name__, thing)
    from torch import nn

    from ..models.encoder import Encoder
    from ..models.traced.attach import ModuleEncoder

    if isinstance(thing, ModuleEncoder):
        return OneOfTwo(thing.name, thing.first, thing)
    if isinstance(thing, Encoder):
        return OneOfTwo(thing.name, None, thing)
    if isinstance(thing, nn.Module):
        return OneOfTwo(type(thing).__name__, module=thing)
    pair = cast("tuple[object, ...]", thing) if isinstance(thing, tuple) else ()
    if len(pair) == 2 and isinstance(pair[0], nn.Module):
        return _attached(OneOfTwo(type(pair[0]).__name__, module=pair[0]), pair[1], None)
    kind = type(cast("object", thing)).__name__
    raise TypeError(f"assert_same takes {KINDS}, not a {kind}")


def _of_path(path: str | Path, other: OneOfTwo | None, names: NameMap | None) -> OneOfTwo:
    """A module of a file, somebody's tensors, an ONNX graph, a recording, or a model: that in the dtype and on the device of the other one."""
    place = os.path.expanduser(path)
    if ".py:" in place:
        from ..models.traced.user_file import module_from

        module, arguments = module_from(place)
        side = OneOfTwo(Path(place).name, module=module)
        return side if arguments is None else _attached(side, arguments, None)
    name = Path(place).name
    tensors = tensors_at(Path(place), names)
    if tensors is not None:
        return OneOfTwo(name, over=over_tensors(tensors, f"tensors {place}", names), went_in=ids_among(tensors))
    if name.endswith(ONNX) and os.path.isfile(place):
        return OneOfTwo(name, over=over_graph(Path(place), f"onnx {place}", names))
    if os.path.isfile(place):
        from ..traces.recording import open_snapshot

        return OneOfTwo(Path(place).name, open_snapshot(place))
    from ..models.loading import open_encoder
    from ..models.settings import Settings

    about = _about(other)
    encoder = open_encoder(Settings(str(path), about.get("device", "auto"), about.get("dtype", "float32")))
    return OneOfTwo(encoder.name, None, encoder)


def _about(side: OneOfTwo | None) -> Mapping[str, str]:
    """Dtype and device, as far as they are known."""
    if side is None:
        return {}
    if side.module is not None:
        from ..models.traced.source import dtype_of_module

        device = next((str(weight.device) for weight in side.module.parameters()), "cpu")
        return {"device": device, "dtype": str(dtype_of_module(side.module)).removeprefix("torch.")}
    source = side.trace or side.encoder
    return source.about if source is not None else {}


def _computed(side: OneOfTwo, other: OneOfTwo, given: GivenInputs) -> OneOfTwo:
    """The same with a passage."""
    if side.trace is not None:
        return side
    if side.over is not None:
        assert other.trace is not None  # of two that have none, one has a program, which comes first
        return replace(side, trace=side.over(other.trace))
    if side.module is not None:
        return _of_module(side, other, given)
    assert side.encoder is not None
    return replace(side, trace=_of_encoder(side.encoder, other.trace, given))


def _of_module(side: OneOfTwo, other: OneOfTwo, given: GivenInputs) -> OneOfTwo:
    tokenizer = given.tokenizer if given.tokenizer is not None else _directory_of(other.encoder)
    if given.inputs is not None:
        return _attached(side, given.inputs, tokenizer)
    from ..models.notes import silent
    from ..models.traced.attach import ModuleEncoder
    from ..program.inputs import Inputs

    assert side.module is not None
    encoder = ModuleEncoder(side.module, None, tokenizer=tokenizer, name=side.name, tell=silent)
    if other.trace is not None:  # the same tokens, whoever made them
        return replace(side, trace=encoder.run(Inputs(other.trace.original_tokens)), encoder=encoder)
    if given.texts is None:
        raise InputError(f"nothing to call {side.name} with; give texts=..., inputs=..., or a pair (module, inputs)")
    return replace(side, trace=encoder.run(given.texts, given.pair), encoder=encoder)


def _attached(side: OneOfTwo, inputs: object, tokenizer: str | Path | None) -> OneOfTwo:
    from ..models.notes import silent
    from ..models.traced.arguments import Arguments
    from ..models.traced.attach import ModuleEncoder

    assert side.module is not None
    encoder = ModuleEncoder(side.module, Arguments.of(inputs), tokenizer=tokenizer, name=side.name, tell=silent)
    return replace(side, trace=encoder.first, encoder=encoder)


def _directory_of(encoder: Encoder | None) -> Path | None:
    """Where the tokenizer of the other one lies, that ids are called alike on both sides."""
    directory = getattr(encoder.checkpoint, "directory", None) if encoder is not None else None
    return Path(directory) if directory is not None and Path(directory).is_dir() else None


def _of_encoder(encoder: Encoder, like: Trace | None, given: GivenInputs) -> Trace:
    if given.texts is not None:
        return encoder.run(given.texts, given.pair)
    if given.inputs is not None:
        return _of_inputs(encoder, given.inputs)
    if like is None:
        raise InputError(f"nothing to run {encoder.name} on; give texts=..., or inputs=...")
    tokens: Tokens = like.original_tokens
    for name in (VECTORS, TOKEN_VECTORS):
        if name in tokens.arrays:
            return encoder.run_vectors(tokens.arrays[name], tokens.mask)
    if tokens.from_ids:
        return encoder.run_ids(tokens.ids, tokens.mask)
    if PIXELS in like.program:
        return encoder.run(images=list(tokens.texts))
    return encoder.run(list(tokens.texts), tokens.pair)


def _of_inputs(encoder: Encoder, inputs: object) -> Trace:
    """A run over what a module is called with."""
    if isinstance(inputs, Mapping):
        named = {str(name): array for name, array in cast("Mapping[object, Any]", inputs).items() if array is not None}
        others = sorted(named.keys() - OF_IDS.keys())
        if others or "input_ids" not in named:
            said = f"inputs[{others[0]!r}] is" if others else "inputs without 'input_ids' are"
            raise InputError(f"{said} nothing that {encoder.name} takes; it takes {', '.join(OF_IDS)}")
        return encoder.run_ids(**{OF_IDS[name]: array for name, array in named.items()})
    positional = tuple(cast("Sequence[Any]", inputs)) if isinstance(inputs, tuple) else (inputs,)
    if len(positional) > 2:
        raise InputError(f"{len(positional)} inputs without names; {encoder.name} takes ids and a mask, or a dict of {', '.join(OF_IDS)}")  # fmt: skip
    ids, mask = (*positional, None)[:2]
    if "float" in str(getattr(ids, "dtype", "")):
        return encoder.run_vectors(ids, mask)
    return encoder.run_ids(ids, mask)
