"""Completion for bash, zsh and fish, written from the options: `encoder-tui --print-completion SHELL`.

The script stands alone: nothing of Python runs when Tab is pressed. It has the names of the stages of the model it was printed
for. shtab (1.13) writes scripts for these shells as well, but they complete nothing inside a quoted command, `-ex 'stats tok`, and
in bash no word with a colon or an equals sign in it, `preset:bert-base`, `--lang=zh`.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

_LAYER = re.compile(r"\blayers\.\d+\b")
# What stands after an option, by what its help calls it: files, stages, commands; others are words or nothing.
_KINDS = {
    "PATH": "files", "SNAPSHOT": "files", "FILE": "files", "IDS": "files", "MODEL": "models",
    "'STAGE [if COND]'": "stages", "GLOB": "stages", "CMD": "commands",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Completed:
    """What is completed besides options and files."""

    stages: tuple[str, ...]
    commands: tuple[str, ...]
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Option:
    """An option, to a shell.

    Attributes:
        names: `-m`, `--model`.
        help: one line.
        kind: `flag`, `files`, `models`, `stages`, `commands`, `words` or `text`.
        words: of the kind `words`.
        repeats: whether it may be given again.
    """

    names: tuple[str, ...]
    help: str
    kind: str
    words: tuple[str, ...] = ()
    repeats: bool = False


def script_for(shell: str, parser: argparse.ArgumentParser, words: Completed) -> str:
    """The script for one of `SHELLS`."""
    options = tuple(options_of(parser))
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell](options, words)


def with_globs(stages: Iterable[str]) -> tuple[str, ...]:
    """Names of stages, and the globs that mean them in all layers."""
    stages = tuple(stages)
    return tuple(dict.fromkeys([*stages, *(_LAYER.sub("layers.*", name) for name in stages)]))


def options_of(parser: argparse.ArgumentParser) -> Iterator[Option]:
    """The options of a parser, in its order."""
    for action in parser._actions:
        if not action.option_strings:
            continue
        metavar = str(action.metavar or "")
        choices = tuple(map(str, action.choices or ())) or tuple(word for word in metavar.split("|") if word.islower())
        kind = "flag" if action.nargs == 0 else _KINDS.get(metavar, "words" if "|" in metavar or choices else "text")
        text = " ".join((action.help or "").replace("%%", "%").split())
        yield Option(tuple(action.option_strings), text, kind, choices if kind == "words" else (), _repeats(action))


def _repeats(action: argparse.Action) -> bool:
    return isinstance(action.default, list) or action.dest == "commands"


def _quoted(text: str) -> str:
    """For bash and zsh, which read alike within single quotes."""
    return "'" + text.replace("'", "'\\''") + "'"


def _bash(options: Sequence[Option], words: Completed) -> str:
    cases: list[str] = []
    for option in options:
        listed = _quoted(" ".join(option.words))
        take = {"words": f"_encoder_tui_words {listed}", "text": ":"}.get(option.kind, f"_encoder_tui_{option.kind}")
        if option.kind != "flag":
            cases.append(f"        {'|'.join(option.names)}) {take}; return ;;")
    every = " ".join(name for option in options for name in option.names)
    return f"""# Completion of encoder-tui for bash: source it, or keep it as ~/.local/share/bash-completion/completions/encoder-tui
_encoder_tui_words() {{ mapfile -t COMPREPLY < <(compgen -W "$1" -- "$whole"); }}
_encoder_tui_files() {{ compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$whole"); }}
_encoder_tui_stages() {{ compopt -o nospace; _encoder_tui_words {_quoted(" ".join(words.stages))}; }}
_encoder_tui_models() {{
    compopt -o filenames
    mapfile -t COMPREPLY < <(compgen -d -- "$whole"; compgen -W {_quoted(" ".join(words.models))} -- "$whole")
}}
_encoder_tui_commands() {{  # a name, then stages, within one quoted word
    local head=
    if [[ $whole == *" "* ]]; then
        head="${{whole% *}} " whole=${{whole##* }}
        _encoder_tui_stages
    else
        compopt -o nospace; _encoder_tui_words {_quoted(" ".join(words.commands))}
    fi
    COMPREPLY=("${{COMPREPLY[@]/#/$head}}")
}}
_encoder_tui() {{
    local at=$COMP_CWORD cur=${{COMP_WORDS[COMP_CWORD]}} whole before
    COMPREPLY=()
    case $cur in  # bash breaks words at : and =
        ":") whole=${{COMP_WORDS[at-1]}}: cur= at=$((at-1)) ;;
        "=") whole= cur= at=$((at+1)) ;;
        *) whole=$cur ;;
    esac
    while ((at > 1)) && [[ ${{COMP_WORDS[at-1]}} == ":" ]]; do
        whole=${{COMP_WORDS[at-2]}}:$whole at=$((at-2))
    done
    before=${{COMP_WORDS[at-1]}}
    [[ $before == "=" ]] && before=${{COMP_WORDS[at-2]}}
    whole=${{whole#[\\"\\']}}
    local typed=$whole
    _encoder_tui_after "$before"
    [[ $typed == *:* ]] && COMPREPLY=("${{COMPREPLY[@]#"${{typed%"$cur"}}"}}")
}}
_encoder_tui_after() {{
    case $1 in
{chr(10).join(cases)}
    esac
    if [[ $whole == -* ]]; then _encoder_tui_words {_quoted(every)}; fi
}}
complete -F _encoder_tui encoder-tui
"""


def _zsh(options: Sequence[Option], words: Completed) -> str:
    lines = [f"        {_zsh_option(option)} \\" for option in options]
    return f"""#compdef encoder-tui
# Completion of encoder-tui for zsh: keep it as _encoder-tui in a folder of $fpath, or source it after compinit
_encoder_tui() {{
    local context state state_descr line expl
    typeset -A opt_args
    local -a stage_names command_names model_names
    stage_names=({" ".join(map(_quoted, words.stages))})
    command_names=({" ".join(words.commands)})
    model_names=({" ".join(words.models)})
    _arguments \\
{chr(10).join(lines)[:-2]} && return
    case $state in
        stages) _wanted stages expl stage compadd -S '' -a stage_names ;;
        models) _wanted models expl model compadd -a model_names; _files -/ ;;
        commands)  # a name, then stages, within one quoted word
            if compset -P '* '; then
                _wanted stages expl stage compadd -S '' -a stage_names
            else
                _wanted commands expl command compadd -S ' ' -a command_names
            fi ;;
    esac
}}
if [[ $funcstack[1] == _encoder_tui || $zsh_eval_context[-1] == loadautofunc ]]; then
    _encoder_tui "$@"
else
    compdef _encoder_tui encoder-tui
fi
"""


def _zsh_option(option: Option) -> str:
    told = re.sub(r"([\[\]:\\])", r"\\\1", option.help)
    action = {
        "flag": "", "files": ":file:_files", "text": ":text: ", "words": f":word:({' '.join(option.words)})",
    }.get(option.kind, f":{option.kind}:->{option.kind}")  # fmt: skip
    first = "*" if option.repeats else f"({' '.join(option.names)})"
    return " ".join(_quoted(f"{first}{name}[{told}]{action}") for name in option.names)


def _fish(options: Sequence[Option], words: Completed) -> str:
    lines = [
        "# Completion of encoder-tui for fish: keep it as ~/.config/fish/completions/encoder-tui.fish",
        f"set -g __encoder_tui_stages {' '.join(map(_fish_quoted, words.stages))}",
        f"set -g __encoder_tui_commands {' '.join(words.commands)}",
        f"set -g __encoder_tui_models {' '.join(words.models)}",
        "function __encoder_tui_line  # a name, then stages, within one quoted word",
        "    set -l line (commandline -ct | string trim -l -c '\"\\'')",
        "    set -l parts (string match -r '^(.* |)(\\S*)$' -- $line)",
        "    if test -n \"$parts[2]\"",
        "        for stage in $__encoder_tui_stages; echo $parts[2]$stage; end",
        "    else",
        "        for command in $__encoder_tui_commands; echo \"$command \"; end",
        "    end",
        "end",
        "complete -c encoder-tui -f",
    ]  # fmt: skip
    after = {
        "flag": "", "files": " -r -F", "text": " -x", "stages": " -x -a '$__encoder_tui_stages'",
        "models": " -r -a '$__encoder_tui_models (__fish_complete_directories)' -f", "commands": " -x -a '(__encoder_tui_line)'",
    }  # fmt: skip
    for option in options:
        names = " ".join(
            f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" if len(name) == 2 else f"-o {name[1:]}"
            for name in option.names
        )
        takes = after.get(option.kind, f" -x -a {_fish_quoted(' '.join(option.words))}")
        lines.append(f"complete -c encoder-tui {names}{takes} -d {_fish_quoted(option.help)}")
    return "\n".join(lines) + "\n"


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
