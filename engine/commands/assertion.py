"""`encoder_tui.testing.assert_same`: a test that fails says where the two part, why, and in which line of whose code."""

from __future__ import annotations

import linecache
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from ..messages.errors import InputError, one_line
from ..messages.visible import visible
from ..program.source_lines import is_own_code, split_source
from ..program.trace import LiveTrace, Trace
from ..traces.matched import Matched
from .foreign_sides import unmatched_numbers
from .sides import GivenInputs, both_sides

if TYPE_CHECKING:
    from ..analysis.compare import Comparison
    from ..analysis.diagnose import Diagnosis
    from ..traces.run import Run


def assert_same(
    tried: object,
    reference: object,
    *,
    texts: str | Sequence[str] | None = None,
    inputs: Any = None,
    pair: str | None = None,
    tokenizer: str | Path | None = None,
    tolerance: float | None = None,
    names: str | Path | None = None,
) -> None:
    """Fail unless every stage that both have is the same, up to what rounding may do.

    The message of the failure is the report: the first stage that is apart, the line of the author's code that computes it, the numbers
    around it, and the cause, where one is found (`diagnose`).

        assert_same(my_port, "./my-bert", texts=["a text", "another, longer text"])
        assert_same(my_port, original, inputs={"input_ids": ids, "attention_mask": mask})
        assert_same("recording.safetensors", "./my-bert")
        assert_same("their_hooks.npz", "./my-bert", texts="a text")

    Args:
        tried: a torch.nn.Module, a pair (module, inputs), an `Encoder`, a run, a recording, or the path of a model, of a recording, of a
            module (`my_model.py:build`), of somebody's tensors (.npz, .safetensors, .pt, a directory of them or of raw numbers) or of an ONNX
            graph. A module is as it is: in training mode its dropout draws. What calls its stages otherwise is matched to those of the
            other one, as `compare` does: by name, by what the numbers are.
        reference: what it is to be, of the same kinds. A path is opened in the dtype and on the device of the other one.
        texts: one text or several, padded to one batch; whoever has a tokenizer reads them, and the other is given those tokens.
        inputs: what modules are called with: a tensor, a tuple of arguments, or a dict of them by name. An encoder of a text takes the ids and
            masks among them. Without texts and inputs both compute what went into the one that is a run or a recording, or the `input_ids`
            that stand among tensors.
        pair: a second segment for each text.
        tokenizer: the directory of a tokenizer, where only modules are compared.
        tolerance: how far apart a stage may be, relative to the reference's largest magnitude; None allows what rounding may do in these
            dtypes and so many layers, 0 nothing.
        names: a mapping file, which of somebody's tensors is which stage, as of `compare ... map FILE`.

    Raises:
        AssertionError: they are not the same.
        TypeError: something that is no encoder of any kind.
        InputError: a path that leads to none, inputs that do not fit, or not one stage that both have.
    """
    __tracebackhide__ = True
    texts = [texts] if isinstance(texts, str) else texts
    if tolerance is not None and not 0 <= tolerance < float("inf"):
        raise InputError(f"tolerance {tolerance} is not a number of 0 or more; give for instance 1e-5")
    from ..analysis.matching import read_map

    mapped = read_map(str(names)) if names is not None else None
    ours, theirs = both_sides(tried, reference, GivenInputs(texts, pair, inputs, tokenizer, mapped))
    assert ours.trace is not None
    assert theirs.trace is not None
    message = _difference(ours.trace, theirs.trace, tolerance, (ours.name, theirs.name), _config_of(theirs.encoder))
    if message:
        raise AssertionError(message)


def _config_of(encoder: Any) -> Any:
    config = getattr(getattr(encoder, "checkpoint", None), "config", None)
    return getattr(config, "values", {})


def _difference(ours: Trace, theirs: Trace, tolerance: float | None, names: tuple[str, str], settings: Any) -> str:
    """What is to be said of a difference; "" where there is none."""
    from ..analysis.compare import compare

    comparison = compare(ours, theirs, tolerance=tolerance, title=names[1], exact=False)
    if not comparison.equal:
        diagnosis, refusal = _looked_for(lambda: _diagnosis(ours, theirs, tolerance, settings))
        return write_failure(ours, theirs, comparison, diagnosis, refusal, names)

    def with_result_as(result: str, nearest: str) -> Diagnosis:
        return _diagnosis(_taken_for(ours, theirs, {result: nearest}, names[0]), theirs, tolerance, settings)

    return _not_looked_at(ours, theirs, names) or _other_result(ours, theirs, comparison, names, with_result_as)


def _looked_for(find: Callable[[], Diagnosis]) -> tuple[Diagnosis | None, str]:
    """What was found, or why no cause was looked for."""
    try:
        return find(), ""
    except Exception as error:  # whatever it is, what differs is told
        return None, f"no cause was looked for: {one_line(error)}"


def _taken_for(ours: Trace, theirs: Trace, meant: Mapping[str, str], title: str) -> Trace:
    """Ours over the reference's program, where that can be computed otherwise, with stages taken for those that they come nearest to."""
    from ..analysis.matching import match_trace

    if isinstance(ours, Matched) or not isinstance(theirs, LiveTrace):
        return ours
    return match_trace(theirs, ours, title=title, meant=meant)


def _not_looked_at(ours: Trace, theirs: Trace, names: tuple[str, str]) -> str:
    """What is to be said of tensors of which so little is any stage that what comes out is not among it; "" where it is."""
    for trace in (ours, theirs):
        left = unmatched_numbers(trace) if isinstance(trace, Matched) else []
        if left:
            said = f"{visible(names[0])} is not known to be the same as {visible(names[1])}: what was matched is the same, but {len(left)} of its tensors"
            said += f" {'is' if len(left) == 1 else 'are'} no stage, and what comes out was not matched; say with names= which is which, or leave them out"
            return "\n\n".join([said, *_matches(ours, theirs)])
    return ""


def _matches(*traces: Trace) -> list[str]:
    """How somebody's tensors were matched, and which were not."""
    from ..analysis.matching import write_matches

    written = ["\n".join(write_matches(trace)) for trace in traces if isinstance(trace, Matched)]
    return [each for each in written if each]


def _other_result(
    ours: Trace,
    theirs: Trace,
    comparison: Comparison,
    names: tuple[str, str],
    with_result_as: Callable[[str, str], Diagnosis],
) -> str:
    """What is to be said where all that has the same names is the same and what comes out is not; "" where it is.

    A module may end in what the reference has no name for: that is held against the reference's own last values.

    Args:
        with_result_as: looks for the cause, where what comes out is taken for a stage of the reference.
    """
    from ..analysis.diagnose import verdict_of, write_diagnosis

    result = _result(ours)
    if result in {row.name for row in comparison.rows} or not ours.has(result):
        return ""
    value = ours.value(result)
    likely = {_result(theirs), *(stage.name for stage in theirs.program if stage.room in ("head", "final"))}
    alike = [name for name in likely if theirs.shapes[name] == value.shape and theirs.has(name)]
    allowed = max((row.tolerance for row in comparison.rows if row.dtype), default=0.0)
    apart = [_apart(value.numpy(), theirs.value(name).numpy()) for name in alike]
    if any(each <= allowed for each in apart):
        return ""
    source = ours.program[result].source if is_own_code(ours.program[result]) else ""
    where = f" ({short_source(source)})" if source else ""
    said = f"its stages of the same names are the same, but what it gives back, {result}{where}, is none of the reference's"
    if apart:
        said += f"; the nearest differs by {min(apart):.3g} of its largest value"
    nearest = min(zip(apart, alike, strict=True), default=(0.0, ""))[1]
    diagnosis, refusal = _looked_for(lambda: with_result_as(result, nearest)) if nearest else (None, "")
    named = diagnosis is not None and diagnosis.causes
    said += f"; {verdict_of(diagnosis)}" if diagnosis is not None and named else ""
    parts = [f"{visible(names[0])} is not the same as {visible(names[1])}: {said}", *_line_of(source)]
    parts += [write_diagnosis(diagnosis)] if diagnosis is not None and named else [refusal] * bool(refusal)
    return "\n\n".join(parts)


def _result(trace: Trace) -> str:
    program = trace.program
    return program["output"].name if "output" in program else program[len(program) - 1].name


def _apart(ours: npt.NDArray[Any], theirs: npt.NDArray[Any]) -> float:
    """The largest difference as a share of theirs' largest magnitude; infinite where one side alone is no number."""
    a, b = ours.astype(np.float64), theirs.astype(np.float64)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    if same.all():
        return 0.0
    gap, size = float(np.abs(np.where(same, 0.0, a) - np.where(same, 0.0, b)).max()), float(np.nanmax(np.abs(b)))
    return gap / size if np.isfinite(gap) and size else float("inf")


def _diagnosis(ours: Trace, theirs: Trace, tolerance: float | None, settings: Any) -> Diagnosis:
    """The reference is what is computed otherwise, where it can be, so that the lines that are named are those of what is tried."""
    from ..analysis.diagnose import diagnose

    if isinstance(theirs, LiveTrace):
        made = diagnose(cast("Run", theirs), ours, tolerance=tolerance, settings=settings)
        return made.seen_from_theirs()
    if isinstance(ours, LiveTrace):
        return diagnose(cast("Run", ours), theirs, tolerance=tolerance)
    raise InputError("a cause is found by computing one side otherwise, and both are recordings")


def write_failure(
    ours: Trace,
    theirs: Trace,
    comparison: Comparison,
    diagnosis: Diagnosis | None,
    refusal: str,
    names: tuple[str, str],
) -> str:
    """The message of a failure: what it comes to in a line, the author's line, the comparison, the diagnosis.

    Args:
        refusal: why there is no diagnosis.
    """
    from ..analysis.compare import write_comparison
    from ..analysis.diagnose import verdict_of, write_diagnosis

    first = comparison.shape_first or comparison.first
    source = _source(ours, first.name, diagnosis) if first is not None else ""
    said = f"{visible(names[0])} is not the same as {visible(names[1])}"
    if first is not None:
        said += f": it begins at {first.name}" + (f" ({short_source(source)})" if source else "")
    if diagnosis is not None and diagnosis.causes:
        said += f"; {verdict_of(diagnosis)}"
    parts = [said, *_line_of(source), *_notes(ours), *_matches(ours, theirs), write_comparison(comparison)]
    parts += [write_diagnosis(diagnosis)] if diagnosis is not None else [refusal] * bool(refusal)
    return "\n\n".join(parts)


def _source(ours: Trace, name: str, diagnosis: Diagnosis | None) -> str:
    """The line of the author's where it begins: that of the cause, where one is named, else that of the stage."""
    if diagnosis is not None and diagnosis.causes and diagnosis.causes[0].line:
        return diagnosis.causes[0].line
    program, called = ours.program, name
    if isinstance(ours, Matched):  # the author's own program, where there is one
        if ours.origin is None or not ours.has(name):
            return ""
        program, called = ours.origin.program, ours.by_stage[name].theirs
    return program[called].source if called in program and is_own_code(program[called]) else ""


def short_source(source: str) -> str:
    """`models/mine.py:42`, from where the tests run, where it lies below; else the whole path."""
    file, line = split_source(source)
    beside = os.path.relpath(file) if os.path.isabs(file) else file
    return visible(f"{file if beside.startswith('..') else beside}:{line}")


def _line_of(source: str) -> list[str]:
    file, number = split_source(source)
    line = linecache.getline(file, number).strip() if number else ""
    return [f"    {short_source(source)}    {visible(line)}"] if line else []


def _notes(ours: Trace) -> list[str]:
    """What is told of how the module was watched, where it may be why."""
    own = ours.origin if isinstance(ours, Matched) and ours.origin is not None else ours
    telling = [note for note in own.notes if "training mode" in note or "give other numbers" in note]
    return ["\n".join(f"note       {note}" for note in telling)] if telling else []
