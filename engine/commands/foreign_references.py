"""References that somebody else computed: a module, a recording of one, tensors in files, an ONNX graph; matched to our stages."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..messages.errors import InputError
from ..program.trace import Trace
from ..traces.matched import Matched

if TYPE_CHECKING:
    from torch import nn

    from ..analysis.matching.map_file import NameMap
    from .session import Session

MAP, MAP_OUT = "map", "map-out"
ComputedAnew = Callable[[Trace], Trace]


@dataclass(frozen=True, slots=True)
class ForeignRequest:
    """What is said after a kind of foreign reference.

    Attributes:
        place: a path, or FILE.py:NAME.
        named: the mapping file that was read; None without one.
        written: where to write the map that was guessed; "" for nowhere.
    """

    place: str
    named: NameMap | None
    written: str


def more_than(words: str, usage: str) -> str:
    """What is said of words after a reference that nobody reads; one that lacks its value is told before."""
    return f"{words!r} is more than `{usage}` takes; quote what has spaces, and write texts FILE, tolerance T, all or diagnose of `compare` last"


def read_request(rest: Sequence[str], usage: str) -> ForeignRequest:
    """Read `DIR map names.toml map-out guessed.toml`.

    Raises:
        InputError: it is written otherwise, or the map cannot be read.
    """
    place, *more = rest
    said: dict[str, str] = {}
    while more:
        word = more.pop(0)
        if word not in (MAP, MAP_OUT):
            raise InputError(more_than(word, usage))
        if word in said:
            raise InputError(f"{word} is said twice; write `{usage}`")
        if not more:
            raise InputError(f"{word}: which file? write `{word} names.toml`")
        said[word] = more.pop(0)
    from ..analysis.matching import read_map

    return ForeignRequest(place, read_map(said[MAP]) if MAP in said else None, said.get(MAP_OUT, ""))


def against_tensors(session: Session, rest: Sequence[str]) -> Trace:
    """Tensors in files, which need no manifest."""
    from ..analysis.matching import match_tensors
    from ..traces.dump import read_dump

    wanted = read_request(rest, "tensors DIR|FILE [map FILE] [map-out FILE]")
    files = read_dump(wanted.place, wanted.named.raw if wanted.named is not None else None)
    matched = match_tensors(
        session.trace, files, title=f"tensors {wanted.place}", named=wanted.named, stopped=session.stopped
    )
    return _kept(matched, wanted)


def against_recording(session: Session, rest: Sequence[str]) -> Trace:
    """A recording: of ours as it is, of somebody's module matched."""
    from ..analysis.matching import match_trace
    from ..traces.recording import open_snapshot

    wanted = read_request(rest, "recording FILE [map FILE] [map-out FILE]")
    theirs = open_snapshot(wanted.place)
    if wanted.named is None and not wanted.written and _is_ours(theirs, session.trace):
        return theirs
    return _kept(
        match_trace(
            session.trace, theirs, title=f"recording {wanted.place}", named=wanted.named, stopped=session.stopped
        ),
        wanted,
    )


def _is_ours(theirs: Trace, ours: Trace) -> bool:
    """Whether a recording has the stages of a program of ours, by the same names with the same operations."""
    kinds = {stage.name: stage.kind for stage in ours.program}
    own = [stage for stage in theirs.program if kinds.get(stage.name) == stage.kind]
    return len(own) > len(theirs.program) // 2


def module_anew(session: Session, rest: Sequence[str]) -> ComputedAnew:
    """Somebody's own module, for the tokens of any trace of ours: attached, so that it has weights and formulas, or else recorded."""
    from ..analysis.matching import match_trace
    from ..models.traced.on_inputs import module_on
    from ..models.traced.user_file import module_from

    wanted = read_request(rest, "module FILE.py:NAME [map FILE] [map-out FILE]")
    own, given = module_from(wanted.place)

    meant: dict[str, str] = {}

    def through(ours: Trace) -> Trace:
        theirs, title = (
            module_on(own, given, ours.original_inputs, name=wanted.place.rpartition("/")[2]),
            f"module {wanted.place}",
        )
        matched = match_trace(ours, theirs, title=title, named=wanted.named, meant=meant, stopped=session.stopped)
        return _kept(_remembered(matched, meant), wanted, ours is session.trace)

    return through


def onnx_anew(session: Session, rest: Sequence[str]) -> ComputedAnew:
    """An ONNX graph, for the tokens of any trace of ours, node by node; `optimised` after its path for what the runtime makes of it."""
    from ..analysis.matching import match_tensors
    from ..models.onnx_graph import onnx_passage

    optimised = "optimised" in rest[1:]
    wanted = read_request(
        [word for at, word in enumerate(rest) if not at or word != "optimised"], "onnx MODEL.onnx [optimised]"
    )
    title = f"onnx {wanted.place}" + " optimised" * optimised

    meant: dict[str, str] = {}

    def through(ours: Trace) -> Trace:
        passage = onnx_passage(Path(os.path.expanduser(wanted.place)), ours.original_tokens, optimised=optimised)
        matched = match_tensors(
            ours, passage.tensors, title=title, named=wanted.named, meant=meant, stopped=session.stopped
        )
        matched.model_notes = (*passage.notes, *matched.model_notes)
        return _kept(_remembered(matched, meant), wanted, ours is session.trace)

    return through


def attention_anew(session: Session, rest: Sequence[str]) -> ComputedAnew:
    """What transformers gives with another of its ways to attend, for the tokens of any trace of ours."""
    from ..analysis.matching import match_trace
    from ..models.traced.by_transformers import ATTENTION, FLASH, has_flash_attention
    from ..models.traced.kernels import NO_KERNEL, kernels_of, only_flash
    from ..models.traced.on_inputs import module_on

    wanted = rest[0]
    if wanted not in ATTENTION or len(rest) > 1:
        raise InputError(
            f"attention {' '.join(rest)!r} is none of {', '.join(ATTENTION)}; write `attention {'|'.join(ATTENTION)}`"
        )
    module, name, notes = _module_of(session, "attention", wanted)

    meant: dict[str, str] = {}

    def through(ours: Trace) -> Trace:
        try:
            with only_flash() if wanted == FLASH and not has_flash_attention() else nullcontext():
                theirs = module_on(module, None, ours.original_inputs, name=name, notes=tuple(notes))
        except InputError as error:
            if NO_KERNEL not in str(error):
                raise
            where = f"{ours.about.get('dtype', '')} on {ours.about.get('device', '')}"
            refused = f"torch has no flash kernel for the attention of {name} in {where}"
            raise InputError(f"{refused}; write `attention sdpa`, which lets it choose") from None
        kernels = kernels_of(theirs.program)
        matched = match_trace(ours, theirs, title=f"attention {wanted}", meant=meant, stopped=session.stopped)
        _remembered(matched, meant)
        attention = f"attention by torch's kernel {' and '.join(kernels)}" if kernels else f"attention {wanted}"
        matched.way = f"{attention}, as transformers runs {name},"
        matched.model_notes = (*notes, *matched.model_notes)
        return matched

    return through


def compiled_anew(session: Session, rest: Sequence[str]) -> ComputedAnew:
    """What torch.compile makes of the module: its parts' results, for the tokens of any trace of ours."""
    from ..analysis.matching import match_tensors
    from ..models.traced.compiled import compiled_results

    if rest:
        raise InputError(f"{' '.join(rest)!r} is more than `compile` takes")
    module, name, notes = _module_of(session, "compile", "")
    session.tell(f"torch.compile of {name}: the first time this takes minutes, as C++ is written and compiled")

    def through(ours: Trace) -> Trace:
        results = compiled_results(copy.deepcopy(module), ours.original_inputs, name, stopped=session.stopped)
        matched = match_tensors(ours, results, title=f"torch.compile of {name}", stopped=session.stopped)
        matched.way = "what torch.compile makes of it"
        said = f"{name} as torch.compile makes it, {len(results)} results of its modules"
        matched.model_notes = (said, *notes, *matched.model_notes)
        return matched

    return through


def on_these(made: Callable[[Session, Sequence[str]], ComputedAnew]) -> Callable[[Session, Sequence[str]], Trace]:
    """The same for the tokens of the session's trace."""
    return lambda session, rest: made(session, rest)(session.trace)


def _module_of(session: Session, kind: str, attention: str) -> tuple[nn.Module, str, list[str]]:
    """The module to look at: a copy of one's own, or the model as transformers opens it."""
    from ..models.hub import locate
    from ..models.traced.attach import ModuleEncoder
    from ..models.traced.by_transformers import attending, transformers_module

    encoder = session.encoder
    if encoder is None:
        raise InputError(f"a recording has no model for `compare {kind}`; open the model itself")
    if isinstance(encoder, ModuleEncoder):
        module = copy.deepcopy(encoder.module)
        return (attending(module, attention) if attention else module), encoder.name, []
    model = encoder.settings.model
    if model is not None and not isinstance(model, str | Path):
        raise InputError(
            f"`compare {kind}` opens a model directory by transformers, and this model is a module in memory; attach it"
        )
    name, directory = locate(None if model is None else str(model), lambda _: None)
    module, notes = transformers_module(directory, attention)
    return module.to(device=encoder.device, dtype=encoder.dtype), name, notes


def _remembered(matched: Matched, meant: dict[str, str]) -> Matched:
    """Keep which tensor is which stage, so that on other tokens, of which there may be few, it is the same one."""
    meant.update({match.theirs: match.stage for match in matched.matches if match.how != "moved"})
    return matched


def _kept(matched: Matched, wanted: ForeignRequest, first: bool = True) -> Matched:
    """Write the map that was found, if that is asked for, and these tokens are those it was asked for with."""
    if wanted.written and first:
        from ..analysis.matching import write_map

        write_map(
            wanted.written,
            matched.matches,
            matched.unmatched,
            [f"which tensor of {wanted.place} is which stage; correct it, and give it back with `map`"],
        )
    return matched
