"""What one looks at beside the trace at hand: another text, model, dtype, device, a recording, a fork.

Every kind is a small function that takes the session and the words after its name, and gives a trace. `compare` and
`patch STAGE = text "..."` use them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..messages.errors import InputError, nearest
from ..models.settings import Settings
from ..program.tokens import PIXELS, TOKEN_VECTORS, VECTORS, Tokens
from ..program.trace import Trace
from . import foreign_references
from .foreign_references import more_than

if TYPE_CHECKING:
    from ..models.encoder import Encoder
    from .session import Session

USAGE = (
    'text "..." | image PATH | model M | dtype D | device D | snapshot PATH | fork N | module FILE.py:NAME | recording FILE | '
    "tensors DIR|FILE | onnx FILE | attention sdpa|eager|flash | compile"
)
# Kinds that say more after their first word themselves.
WORDY = ("text", "image", "module", "recording", "tensors", "onnx", "attention", "compile")
ALONE = ("compile",)  # kinds that say everything themselves
OPTIONS = "[texts FILE] [tolerance T] [all] [diagnose]"  # what `compare` takes after any of them


def reference(session: Session, words: Sequence[str]) -> Trace:
    """The trace that words name; nothing of it is computed yet.

    Args:
        words: a kind and its argument: `["model", "./port"]`.

    Raises:
        InputError: no such kind, or an argument it cannot use.
    """
    kind, *rest = words or [""]
    if kind not in REFERENCES:
        said = (
            f"{kind!r} is not something to compare with{nearest(kind, REFERENCES)}"
            if kind
            else "nothing to compare with"
        )
        raise InputError(f"{said}; write {USAGE}; and after it {OPTIONS} of `compare`")
    if kind not in ALONE and (not rest or not all(rest)):
        raise InputError(f"{kind} which? write `{_usage(kind)}`")
    if kind not in WORDY and len(rest) > 1:
        raise InputError(more_than(" ".join(rest[1:]), _usage(kind)))
    return REFERENCES[kind](session, rest)


def _usage(kind: str) -> str:
    return next(part for part in USAGE.split(" | ") if part.split()[0] == kind)


def _text(session: Session, rest: Sequence[str]) -> Trace:
    """Another text through the same model; words without quotes are one text."""
    encoder = _encoder(session, "text")
    _same_side(encoder, "text")
    alone = session.trace.tokens.shape[0] == 1
    return encoder.trace([" ".join(rest)] if alone else list(rest))


def _image(session: Session, rest: Sequence[str]) -> Trace:
    """Other images through the same model."""
    encoder = _encoder(session, "image")
    _same_side(encoder, "image")
    return encoder.trace(images=list(rest))


def _same_side(encoder: Encoder, side: str) -> None:
    """Refuse a text beside an image, also where a model takes both: their programs have little in common."""
    if encoder.side != side:
        raise InputError(
            f"this is a run of {encoder.side}, so it is compared with `{_usage(encoder.side)}`, not {side}"
        )


def _model(session: Session, rest: Sequence[str]) -> Trace:
    """The same texts through another model."""
    return trace_through(other_model(session, rest), session.trace, prompt_of(session))


def other_model(session: Session, rest: Sequence[str]) -> Encoder:
    """Another model, in the same dtype on the same device, causal where this was asked to be."""
    from ..models.loading import open_encoder

    known = session.encoder
    side = "image" if PIXELS in session.trace.program else "text"
    asked = _of_recording(session.trace) if known is None else known.settings
    # what is not said of the model itself: it may have no dropout, and other prompts
    return open_encoder(replace(asked, model=rest[0], side=side, train_seed=None, dropout=None, prompt=None))


def prompt_of(session: Session) -> str | None:
    """The prompt that was asked for here; "" for none, None for the default."""
    return session.encoder.settings.prompt if session.encoder is not None else None


def trace_through(encoder: Encoder, trace: Trace, asked: str | None) -> Trace:
    """What went into a trace, through another model: its texts, read by that one's own tokenizer, or what was given in their place.

    Args:
        asked: the prompt to put before texts, where that model has it.
    """
    tokens = trace.tokens
    if encoder.checkpoint.vector_size is not None:
        return encoder.run(_vectors(trace, encoder.checkpoint.vector_size))
    if TOKEN_VECTORS in tokens.arrays:
        return encoder.run_vectors(tokens.arrays[TOKEN_VECTORS], tokens.mask)
    if tokens.from_ids:
        return encoder.run_ids(tokens.ids, tokens.mask)
    images = tokens.texts if encoder.side == "image" else ()
    habits = encoder.checkpoint.reader.habits if encoder.side == "text" else None
    prompt = asked if asked == "" or (habits and asked in habits.prompts) else None
    texts = () if images else list(tokens.texts)
    return encoder.trace(texts, tokens.pair, cut_of(trace), images=images, prompt=prompt)


def _of_recording(trace: Trace) -> Settings:
    """What a recording says of how it was computed."""
    about = trace.about
    causal = about.get("attention") == "causal"
    return Settings(device=about.get("device", "cpu"), dtype=about.get("dtype", "float32"), causal=causal)


def _vectors(trace: Trace, size: int) -> Tokens:
    """What went in, of a trace whose model takes vectors, and its mask."""
    from ..models.vectors import vector_tokens

    if VECTORS not in trace.program or not trace.has(VECTORS):
        raise InputError("that model takes vectors, and text went in here")
    given = trace.original_tokens.arrays.get(VECTORS, trace.value(VECTORS).read())
    return vector_tokens(given, trace.original_tokens.mask, size=size)


def cut_of(trace: Trace) -> int | None:
    """How many tokens texts were cut to, where `--max-length` cut one; None where nothing was cut."""
    tokens = trace.tokens
    for row, text in enumerate(tokens.texts):
        end = max((stop for _, stop in tokens.places[row]), default=0) if row < len(tokens.places) else 0
        if tokens.pair is None and end < len(text.rstrip()):
            return tokens.shape[1]
    return None


def _dtype(session: Session, rest: Sequence[str]) -> Trace:
    """The same tokens, with the same patches, through the same model in another dtype."""
    encoder = _encoder(session, "dtype")
    return _otherwise(session, encoder, replace(encoder.settings, dtype=rest[0]))


def _device(session: Session, rest: Sequence[str]) -> Trace:
    """The same tokens, with the same patches, through the same model on another device."""
    encoder = _encoder(session, "device")
    return _otherwise(session, encoder, replace(encoder.settings, device=rest[0]))


def _otherwise(session: Session, encoder: Encoder, settings: Settings) -> Trace:
    run = encoder.otherwise(settings).run(session.trace.original_inputs)
    patches = getattr(session.trace, "patches", ())
    if patches:
        run.set_patches(patches)
    return run


def _snapshot(session: Session, rest: Sequence[str]) -> Trace:
    """A recording."""
    from ..traces.recording import open_snapshot

    return open_snapshot(rest[0])


def _fork(session: Session, rest: Sequence[str]) -> Trace:
    """Another fork of this session."""
    word, forks = rest[0], session.forks
    if not (word.isascii() and word.isdigit()) or int(word) not in forks:
        raise InputError(
            f"no fork {word!r}; there {'is only' if len(forks) == 1 else 'are'} {', '.join(map(str, forks))}"
        )
    return forks[int(word)]


def _encoder(session: Session, kind: str) -> Encoder:
    if session.encoder is None:
        raise InputError(f"a recording has no model to compute another {kind} with; compare it with `model M`")
    return session.encoder


REFERENCES: dict[str, Callable[[Session, Sequence[str]], Trace]] = {
    "text": _text,
    "image": _image,
    "model": _model,
    "dtype": _dtype,
    "device": _device,
    "snapshot": _snapshot,
    "fork": _fork,
    "module": foreign_references.on_these(foreign_references.module_anew),
    "recording": foreign_references.against_recording,
    "tensors": foreign_references.against_tensors,
    "onnx": foreign_references.on_these(foreign_references.onnx_anew),
    "attention": foreign_references.on_these(foreign_references.attention_anew),
    "compile": foreign_references.on_these(foreign_references.compiled_anew),
}
