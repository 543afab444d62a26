"""Commands that print: values, statistics, facts, help."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

from ..analysis.explain.formulas import formulas
from ..debugger.watches import write_watched
from ..messages.errors import InputError, nearest
from ..messages.translation import language, tr, use
from ..messages.visible import quoted, visible
from ..pages.facts import stats_facts, value_facts
from ..program.stage import MAIN, write_shape
from ..program.tokens import PIXELS, Tokens
from ..program.trace import Trace
from ..program.writing import write_stats, write_value
from ..traces.recorded_values import LeftOutValue
from .session import Session
from .table import Command, CommandTable, OfTable, Reply, Request, is_number


def _print(session: Session, rest: str) -> Reply:
    value, index = session.trace.at(session.target(rest))
    bound = value.bind(index)
    return Reply(write_value(value, bound, session.layout), facts=lambda: [value_facts(value, bound)])


def _stats(session: Session, rest: str) -> Reply:
    target = session.target(rest)
    value, index = session.trace.at(target)
    bound = value.bind(index)
    title = f"{value.name}[{index}]" if index else value.name
    return Reply(write_stats(title, value, bound), facts=lambda: [stats_facts(value, bound)])


# -- info ------------------------------------------------------------------------------------------------------


def _info_model(session: Session) -> str:
    trace = session.trace
    facts = {**trace.about, "stages": str(len(trace.program)), "layers": str(trace.program.layers)}
    facts["batch"] = f"{trace.tokens.shape[0]} x {trace.tokens.shape[1]} tokens"
    for name, (_, tokens) in trace.inputs.sizes.items():
        if name != MAIN:
            facts["batch"] += f", {name} {tokens}"
    if session.encoder is not None:
        facts |= session.encoder.facts()
    said = [] if session.encoder is not None else [("note", note) for note in trace.notes]
    return "\n".join(f"{name:<14}{visible(fact)}" for name, fact in (*facts.items(), *said))


def _info_stages(session: Session) -> str:
    lines: list[str] = []
    width = max(36, *(len(stage.name) for stage in session.trace.program))
    for position, stage in enumerate(session.trace.program):
        here = "=>" if position == session.debugger.position else "  "
        mark = "P" if stage.name in session.trace.patched else "~" if stage.name in session.trace.stale else " "
        shape = write_shape(session.trace.shapes[stage.name])
        lines.append(f"{here}{mark}{position:>4}  {stage.name:<{width}} {shape:<20} {', '.join(stage.axes)}")
    return "\n".join(lines)


def _info_breakpoints(session: Session) -> str:
    if not session.debugger.breakpoints:
        return "no breakpoints"
    lines = ["num  on  hits  where"]
    for point in session.debugger.breakpoints.values():
        if point.watch is not None and session.debugger.stage is not None:
            now = f" = {write_watched(point.watch.value(session.trace, session.debugger.stage))}"
        else:
            now = ""
        more = now + " (once)" * point.temporary + f" (lets {point.ignore} pass)" * bool(point.ignore)
        lines.append(f"{point.number:>3}  {'y' if point.enabled else 'n':<2}  {point.hits:>4}  {point}{more}")
    return "\n".join(lines)


def _info_tokens(session: Session) -> str:
    inputs, lines = session.trace.inputs, list[str]()
    for name, tokens in inputs.sequences.items():
        lines += [f"{name}:"] * bool(inputs.others) + _tokens_of(session.trace, tokens)
    return "\n".join(lines)


def _tokens_of(trace: Trace, tokens: Tokens) -> list[str]:
    """A table of one sequence."""
    lines: list[str] = []
    images = PIXELS in trace.program  # whose tokens are patches, with neither ids nor segments
    vectors = any(name.endswith("vectors") for name in tokens.arrays)  # which were given, and stand for no word
    for row, words in enumerate(tokens.strings):
        lines.append(f"{'image' if images else 'text'} {row}: {quoted(tokens.texts[row])}")
        lines.append("  at  mask  patch" if images else "  at     id  mask  segment  token")
        for at, word in enumerate(words):
            ids, mask, segment = tokens.ids[row, at], tokens.mask[row, at], tokens.segments[row, at]
            known = "-" if vectors else ids
            lines.append(
                f"{at:>4}  {mask:>4}  {word}" if images else f"{at:>4} {known:>6}  {mask:>4}  {segment:>7}  {word}"
            )
    return lines


def _info_stage(session: Session, name: str) -> str:
    trace, program = session.trace, session.trace.program
    stage = program[session.stage_or_here(name)]
    written, sized = formulas(trace, stage.name, language())
    value = trace.value(stage.name)
    others = [alias for alias, target in program.aliases.items() if target == stage.name]
    facts = {
        "stage": f"{stage.name}  ({program.index(stage.name) + 1} of {len(program)})",
        "also called": ", ".join([*others, *([stage.module] if stage.module else [])]),
        "source": stage.source,
        "formula": written,
        "shapes": sized,
        "axes": ", ".join(f"{axis}={size}" for axis, size in zip(value.axes, value.shape, strict=True)),
        "dtype": value.dtype,
        "numbers": value.refusal if isinstance(value, LeftOutValue) else "",
        "inputs": ", ".join(stage.inputs),
        "weights": ", ".join(f"{weight} {write_shape(trace.weight_shapes[weight])}" for weight in stage.weights),
        "beside it": ", ".join(f"{stage.name}@{what}" for what in trace.beside(stage) if what not in stage.symbols),
        "used by": ", ".join(program.users(stage.name)),
        "patched": "yes" if stage.name in trace.patched else "",
    }
    return "\n".join(f"{fact:<12}{text}" for fact, text in facts.items() if text)


INFO: dict[str, Callable[[Session], str]] = {
    "stages": _info_stages,
    "breakpoints": _info_breakpoints,
    "model": _info_model,
    "tokens": _info_tokens,
    "forks": lambda session: session.branches.write(),
}


def _info(session: Session, rest: str) -> Reply:
    if rest in INFO:
        return Reply(INFO[rest](session))
    try:
        return Reply(_info_stage(session, rest))
    except InputError:
        near = [word for word in INFO if rest and word.startswith(rest)]
        if len(near) == 1:
            return Reply(INFO[near[0]](session))
        if rest and not near and "." not in rest:
            raise InputError(
                f"info {rest!r} is not known{nearest(rest, INFO)}; write {' | '.join(INFO)} | STAGE"
            ) from None
        raise


def _set(session: Session, rest: str) -> Reply:
    known = {field.name: getattr(session.layout, field.name) for field in fields(session.layout)}
    if not rest:
        return Reply("\n".join(f"{name:<8} {number}" for name, number in {**known, "lang": language()}.items()))
    name, _, number = rest.partition(" ")
    if name == "lang":
        use(number.strip())
        return Reply(f"lang {number.strip()}", request=Request("language", number.strip()))
    if name not in known:
        raise InputError(f"{name!r} is no setting{nearest(name, [*known, 'lang'])}; write `{SET}`")
    if not is_number(number) or not 1 <= int(number) <= MOST[name]:
        raise InputError(f"{name} goes from 1 to {MOST[name]}, not {number or 'nothing'!r}; write `{SET}`")
    session.lay_out(name, int(number))
    return Reply(f"{name} {number}")


def _help(table: CommandTable, session: Session, rest: str) -> Reply:
    if rest:
        command = table.find(rest)
        keys = ", ".join(f"{key.name} ({tr(key.label)})" for key in command.keys)
        lines = [command.usage, f"  {tr(command.help)}"]
        lines += [f"  {tr('short')}: {', '.join(command.short)}"] * bool(command.short)
        lines += [f"  {tr('keys')}: {keys}"] * bool(keys)
        return Reply("\n".join(lines))
    width = max(len(command.usage) for command in table if len(command.usage) < 40)
    return Reply("\n".join(f"{command.usage:<{width}}  {tr(command.help)}" for command in table))


SET = "set digits|rows|columns|tables N | lang en|zh"
MOST = {"digits": 17, "rows": 100_000, "columns": 100_000, "tables": 100_000}

COMMANDS = (
    Command(
        "print", "print [STAGE][INDEX]", "Print a value or a window of it: print layers.0.attention.weights[head=3].",
        _print, "values", ("p",), (), "address",
    ),
    Command("stats", "stats [STAGE][INDEX]", "Print a value's statistics.", _stats, "values", (), (), "address"),
    Command(
        "info", f"info {'|'.join(INFO)}|STAGE", "Print facts: all stages, the breakpoints, the model, one stage.",
        _info, "values", ("i",), (), (*INFO,),
    ),
    Command(
        "set", SET, "Set how many digits, rows, columns and tables `print` writes, or the language; without a name, list them.",
        _set, "values", (), (), (*MOST, "lang"),
    ),
    Command("help", "help [COMMAND]", "List the commands, or explain one.", OfTable(_help), "values", (), (), "command"),
)  # fmt: skip
