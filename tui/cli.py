"""The command line. It imports nothing heavy: neither textual for batch mode nor torch for the screen."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast

from ..engine.messages.errors import InputError, one_line
from ..engine.messages.translation import LANGUAGES, language_of, tr, use
from ..engine.models.settings import Settings
from .app.faults import Faults
from .app.pace import set_pace
from .app.streams import gated
from .app.version import ShowVersion
from .option_rules import SHELLS, check_together
from .output import write_out
from .preferences.kept import Kept, kept_for
from .scripts import given_lines, typed_texts

if TYPE_CHECKING:
    from ..engine.commands.session import Session

EXAMPLE = "The animal didn't cross the street because it was too tired"
DEFAULT_MEMORY = "2GiB"
ONCE = (
    "commands", "batch", "export", "select", "against", "map", "check", "report", "json", "tour", "help", "version",
    "list_models", "no_config", "man", "print_completion",
)  # fmt: skip


Opener = Callable[[Callable[[str], None]], "Session"]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; `encoder-tui --help` shows how it is called")

    def _print_message(self, message: str, file: Any = None) -> None:
        """Print `--help` and `--version` as everything else is printed: a full disk is told of."""
        if message and file in (None, sys.stdout):
            write_out(message, end="")
        else:
            super()._print_message(message, file)


def parser() -> argparse.ArgumentParser:
    """Every option, in the order the help shows them."""
    p = _Parser(
        prog="encoder-tui",
        description=tr("Step through a Transformer encoder, forwards and backwards, and look at every tensor."),
        epilog=tr(
            "Without --batch it opens the screen; `?` shows its keys, `q` leaves. `encoder-tui serve ...` opens it in a browser."
        ),
        allow_abbrev=False,
    )
    p.add_argument(
        "text",
        nargs="*",
        metavar="TEXT",
        help=tr("several texts are one padded batch; - reads lines from standard input"),
    )
    p.add_argument("--pair", metavar="TEXT", help=tr("a second segment"))
    p.add_argument(
        "--image",
        action="append",
        default=[],
        metavar="PATH",
        help=tr("an image instead of a text, for a model that takes images; repeatable, several are one batch"),
    )
    p.add_argument(
        "--ids",
        action="append",
        default=[],
        metavar="IDS",
        help=tr(
            "ids instead of a text: '12 5 7', or a file (.npy, .npz, .safetensors, JSON lines); repeatable, several are one "
            "batch; needs no tokenizer"
        ),
    )
    p.add_argument(
        "--vectors",
        metavar="PATH",
        help=tr(
            "vectors instead of text, of a model that takes those, or for the embeddings of a text's tokens: .npy, .npz or .safetensors, "
            "(batch, token, size), or (token, batch, size) if its batch_first is false; a mask beside them: integers, 1 counts, "
            "or booleans, True hides"
        ),
    )
    p.add_argument(
        "-m",
        "--model",
        metavar="MODEL",
        help=tr("directory, Hub id or preset:NAME; the bundled model if not given"),
    )
    p.add_argument(
        "--module",
        metavar="FILE.py:NAME",
        help=tr(
            "a module of your own, or a function that returns one, or (module, inputs); the file is run as `python FILE.py` "
            "runs it"
        ),
    )
    p.add_argument(
        "--tokenizer", metavar="DIR", help=tr("with --module: the tokenizer to read texts with, and to name ids")
    )
    p.add_argument(
        "--via",
        choices=("transformers",),
        metavar="transformers",
        help=tr("have transformers open the model and watch what it computes, whatever its architecture"),
    )
    p.add_argument(
        "--list-models",
        action="store_true",
        help=tr("list the bundled model, the local Hub cache and the families, and exit"),
    )
    p.add_argument(
        "--device", default="auto", metavar="auto|cpu|cuda|cuda:N|mps", help=tr("where to compute (default: auto)")
    )
    p.add_argument(
        "--dtype",
        default="float32",
        metavar="float32|float64|bfloat16|float16",
        help=tr("what to compute in (default: float32)"),
    )
    p.add_argument(
        "--causal", action="store_true", help=tr("hide from each token those after it, as in a masked self-attention")
    )
    p.add_argument(
        "-b",
        "--break",
        dest="commands",
        action=_Command,
        metavar="'STAGE [if COND]'",
        help=tr("set a breakpoint; repeatable"),
    )
    p.add_argument(
        "-ex",
        "--command",
        dest="commands",
        action=_Command,
        metavar="CMD",
        help=tr("run a command after start; repeatable, in order"),
    )
    p.add_argument(
        "-x", "--script", dest="commands", action=_Command, metavar="FILE", help=tr("run the commands in a file")
    )
    p.add_argument(
        "--batch",
        action="store_true",
        help=tr(
            "no screen: run, print, exit (0 ran to its end, 3 stopped at a breakpoint, differs or has a fault, 2 bad input)"
        ),
    )
    p.add_argument(
        "--against",
        action="append",
        default=[],
        metavar="'model M'",
        help=tr(
            "compare every stage with a text, model, dtype, snapshot, module, tensors, ..., as `compare` does; repeatable"
        ),
    )
    p.add_argument("--map", metavar="FILE", help=tr("with --against: which tensor of theirs is which stage of ours"))
    p.add_argument(
        "--check",
        action="append",
        default=[],
        choices=("masks", "padding", "weights"),
        metavar="masks|padding|weights",
        help=tr("look for faults of a known kind, as `check` does; repeatable"),
    )
    p.add_argument(
        "--report",
        metavar="PATH",
        help=tr("with --batch --against: what differs, where and why, as one file to be shown: .html, .md or .json"),
    )
    p.add_argument("--json", action="store_true", help=tr("with --batch: print JSON, one object a line"))
    p.add_argument(
        "--export", metavar="PATH", help=tr("with --batch: write what was reached: .safetensors, .npz, .html")
    )
    p.add_argument("--select", metavar="GLOB", help=tr("with --export: only these stages"))
    p.add_argument("--open", metavar="SNAPSHOT", help=tr("look at a recording; no model needed"))
    p.add_argument(
        "--train-mode", action="store_true", help=tr("run as in training: with dropout, its masks stages of their own")
    )
    p.add_argument(
        "--seed", type=int, metavar="N", help=tr("with --train-mode: what dropout is drawn from (default: 0)")
    )
    p.add_argument(
        "--dropout", type=float, metavar="RATE", help=tr("with --train-mode: a rate in place of the config's")
    )
    p.add_argument("--tour", action="store_true", help=tr("take the guided tour through the text"))
    p.add_argument(
        "--max-length", type=int, metavar="N", help=tr("cut longer texts to N tokens, whatever the model's files say")
    )
    p.add_argument(
        "--prompt",
        metavar="NAME",
        help=tr(
            "which prompt of a sentence-transformers model goes before each text (default: the one its files name)"
        ),
    )
    p.add_argument(
        "--no-prompt", dest="prompt", action="store_const", const="", help=tr("put no prompt before the texts")
    )
    p.add_argument(
        "--memory",
        default=DEFAULT_MEMORY,
        metavar="SIZE",
        help=tr("budget for kept values, such as 512MiB (default: {size})", size=DEFAULT_MEMORY),
    )
    p.add_argument(
        "--lang",
        choices=tuple(LANGUAGES),
        metavar="|".join(LANGUAGES),
        help=tr("language (default: that of the locale)"),
    )
    p.add_argument(
        "--no-config",
        action="store_true",
        help=tr("read and keep nothing of yours: no config.toml, no init, no history; --batch never does"),
    )
    p.add_argument(
        "--print-completion",
        choices=SHELLS,
        metavar="|".join(SHELLS),
        help=tr("print a script that completes options, commands and the model's stages in a shell, and exit"),
    )
    p.add_argument("--man", action="store_true", help=tr("print the manual page, and exit"))
    p.add_argument("--version", action=ShowVersion, nargs=0, help="show program's version number and exit")
    return p


class _Command(argparse.Action):
    """Collects -b, -ex and -x in the order they were given."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        kind = {"-b": "break", "--break": "break", "-x": "script", "--script": "script"}.get(
            option_string or "", "line"
        )
        setattr(namespace, self.dest, [*(getattr(namespace, self.dest) or []), (kind, values)])


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        The exit status: 0 done, 3 stopped at a breakpoint (batch mode), 2 bad input, 1 a fault of ours, 130 Ctrl-C.
    """
    with gated():
        return _main(sys.argv[1:] if argv is None else argv)


def _main(argv: Sequence[str]) -> int:
    faults = Faults(tuple(argv))
    try:
        kept = kept_for(argv)
        use(_language(argv, kept.preferences.language))
        if argv[:1] == ["serve"]:
            from .serve import serve

            return serve(argv[1:], parser, lambda options: _prepared(options)[1](lambda _: None))
        return _run(parser().parse_args(argv), faults, kept)
    except InputError as error:
        return _fail(f"encoder-tui: {one_line(error)}", 2)
    except KeyboardInterrupt:
        return _fail("encoder-tui: interrupted", 130)
    except Exception as error:
        return _fail(f"encoder-tui: {faults.told(error)}", 1)


def _language(argv: Sequence[str], chosen: str = "") -> str:
    """The language asked for, wherever `--lang` stands: `--help` is to be in it as well; else the one chosen before, or the locale's."""
    words = " ".join(argv).replace("--lang=", "--lang ").split()
    asked = [word for option, word in pairwise(words) if option == "--lang" and word in LANGUAGES]
    return asked[-1] if asked else chosen or language_of(os.environ)


def _fail(message: str, status: int) -> int:
    if os.environ.get("ENCODER_TUI_DEBUG"):
        traceback.print_exc()
    print(message, file=sys.stderr)
    return status


def _run(options: argparse.Namespace, faults: Faults, kept: Kept) -> int:
    if options.list_models:
        from ..engine.models.listing import write_models

        write_out(write_models())
        return 0
    if options.man:
        from .documents.printing import printed_manual

        write_out(printed_manual(parser), end="")
        return 0
    lines, start, texts = _prepared(options)
    faults.words = _again(options, texts)
    if options.print_completion:
        from .documents.printing import printed_completion

        program = start(lambda _: None).trace.program
        write_out(printed_completion(options.print_completion, parser(), program), end="")
        return 0
    if options.batch:
        from .batch import run_batch

        return run_batch(
            faults.watching(start), lines, options.export, options.select, options.against, options.check, options.report,
            as_json=options.json,
        )  # fmt: skip
    set_pace()
    from .app.app import run_app

    more = [*(f"compare {words}" for words in options.against), *(f"check {name}" for name in options.check)]
    return run_app(start, [*lines, *more], faults, kept)


def _prepared(options: argparse.Namespace) -> tuple[list[str], Opener, list[str]]:
    """The command lines to run first, what makes the session, and the texts: all that can be wrong before it is made."""
    check_together(options)
    lines = [*(["tour"] * options.tour), *given_lines(options.commands or [])]
    texts = typed_texts(options) or _example(options)
    return lines, _starter(options, texts), texts


def _example(options: argparse.Namespace) -> list[str]:
    """What is read where nothing is given, by whoever reads texts."""
    return [] if options.open or options.image or options.ids or options.module else [EXAMPLE]


def _again(options: argparse.Namespace, texts: Sequence[str]) -> tuple[str, ...]:
    """The command line that begins such a session again, without the commands and what is done at the end."""
    words: list[str] = []
    for action in parser()._actions:
        value = getattr(options, action.dest, action.default)
        if not action.option_strings or action.dest in ONCE or value == action.default:
            continue
        name = action.option_strings[-1]
        several = cast("list[object]", value) if isinstance(value, list) else [value]
        for one in several:
            words += [name] if one is True else [f"{name}={one}"] if str(one).startswith("-") else [name, str(one)]
    return (*words, *["--"] * any(text.startswith("-") for text in texts), *texts)


def _starter(options: argparse.Namespace, texts: list[str]) -> Opener:
    """What makes the session; it is called on the engine's thread, and only then is torch imported."""
    settings = Settings(
        options.model, options.device, options.dtype, options.budget, options.causal,
        train_seed=(options.seed or 0) if options.train_mode else None, dropout=options.dropout,
        side="image" if options.image else "text", prompt=options.prompt,
    )  # fmt: skip

    def start(progress: Callable[[str], None]) -> Session:
        from ..engine.commands.session import Session

        if options.open:
            from ..engine.traces.recording import open_snapshot

            return Session(open_snapshot(options.open))
        progress("importing torch")
        if options.module or options.via:
            from ..engine.models.traced.opening import open_module

            progress("watching the module compute")
            run, encoder = open_module(
                options.module, options.model, options.tokenizer, texts, options.ids, options.pair,
                options.max_length, options.budget,
            )  # fmt: skip
            return Session(run, encoder)
        from ..engine.models.loading import open_encoder

        encoder = open_encoder(settings, progress)  # the session has its notes too
        if options.vectors:
            from ..engine.models.vectors import read_vectors

            progress("reading the vectors")
            vectors, mask = read_vectors(options.vectors)
            return Session(encoder.run_vectors(vectors, mask, names=Path(options.vectors).name), encoder)
        if options.ids:
            from ..engine.models.text.given_ids import read_ids

            progress("reading the ids")
            return Session(encoder.trace(encoder.read_ids(read_ids(options.ids))), encoder)
        progress(f"reading the {settings.side}")
        return Session(encoder.trace(texts, options.pair, options.max_length, images=options.image), encoder)

    return start
