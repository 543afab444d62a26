"""Commands that change what the screen shows. They reach the screen as requests; batch mode has none."""

from __future__ import annotations

from collections.abc import Callable

from ..messages.errors import InputError, nearest
from .session import Session
from .table import Command, Key, Reply, Request, is_number, nothing_more, shell_words

# Every view by its name, with its key.
VIEW_KEYS = {
    "heat": "1", "numbers": "2", "heads": "3", "stats": "4", "why": "5", "diff": "6", "lines": "7", "grid": "8",
    "product": "9", "change": "0", "words": "p", "source": "i",
}  # fmt: skip
VIEWS = tuple(VIEW_KEYS)
STEPS = ("left", "right", "up", "down", "page-up", "page-down", "row-start", "row-end", "top", "bottom")
SEEKS = ("largest", "smallest", "next-nonzero", "next-nan")  # places that only the numbers themselves tell
MOVES = (*STEPS, *SEEKS)
NEIGHBOURS = ("next", "previous")
HOMES = ("map", "tree")
COPIED, FORMS = ("number", "row", "window"), ("tsv", "python")
PICTURES, SCREENSHOT = (".svg", ".html"), "screenshot PATH"
COPY = f"copy [{'|'.join(COPIED)}] [{'|'.join(FORMS)}]"


def _one_of(what: str, words: tuple[str, ...]) -> Callable[[Session, str], Reply]:
    def run(session: Session, rest: str) -> Reply:
        if rest not in words:
            raise InputError(f"{what} {rest!r} is not known{nearest(rest, words)}; write one of {', '.join(words)}")
        return Reply(request=Request(what, rest))

    return run


def _neighbour(what: str, *more: str) -> Callable[[Session, str], Reply]:
    def run(session: Session, rest: str) -> Reply:
        if rest not in (*NEIGHBOURS, *more) and not is_number(rest):
            raise InputError(f"{what} {rest!r} is not a number; write `{what} N`, `{what} next` or `{what} previous`")
        return Reply(request=Request(what, rest))

    return run


def _alone(what: str) -> Callable[[Session, str], Reply]:
    def run(session: Session, rest: str) -> Reply:
        nothing_more(rest, what)
        return Reply(request=Request(what))

    return run


def _look(session: Session, rest: str) -> Reply:
    if rest not in ("up", "down", "here", "first", "last"):
        name, at, symbol = rest.partition("@")
        rest = session.stage_or_here(name) + at + symbol
    return Reply(request=Request("look", rest))


def _find(session: Session, rest: str) -> Reply:
    if not rest:
        raise InputError("find what? write `find TEXT`: part of a stage's name")
    return Reply(request=Request("find", rest))


def _follow(session: Session, rest: str) -> Reply:
    if rest not in ("", "back") and not is_number(rest):
        raise InputError(f"{rest!r} is not the number of an operand; write `follow`, `follow N` or `follow back`")
    return Reply(request=Request("follow", rest))


def _copy(session: Session, rest: str) -> Reply:
    words = rest.split()
    what = words.pop(0) if words and words[0] in COPIED else "number"
    form = words.pop(0) if words and words[0] in FORMS else ""
    if words:
        raise InputError(f"copy does not know {words[0]!r}{nearest(words[0], (*COPIED, *FORMS))}; write `{COPY}`")
    return Reply(request=Request("copy", f"{what} {form}".strip()))


def _screenshot(session: Session, rest: str) -> Reply:
    words = shell_words(rest, SCREENSHOT)
    if len(words) != 1 or not words[0].endswith(PICTURES):
        raise InputError(f"screenshot where? write `{SCREENSHOT}`; the path ends in {' or '.join(PICTURES)}")
    return Reply(request=Request("screenshot", words[0]))


def _source(session: Session, rest: str) -> Reply:
    nothing_more(rest, "source")
    return Reply(request=Request("view", "source"))


def _theme(session: Session, rest: str) -> Reply:
    return Reply(request=Request("theme", rest))


def _weight(session: Session, rest: str) -> Reply:
    return Reply(request=Request("weight", rest or "next"))


def _whole(session: Session, rest: str) -> Reply:
    return _one_of("whole", ("largest", "mean", "off"))(session, rest) if rest else Reply(request=Request("whole"))


COMMANDS = (
    Command(
        "look", "look STAGE|STAGE@WHAT|up|down|here", "Show a stage, or what is beside it (a weight, a difference), without moving the cursor.", _look, "screen", (),
        (
            Key("u", "look up", "stage above"), Key("d", "look down", "stage below"),
            Key("H", "look here", "back to the cursor"),
        ), "address",
    ),
    Command(
        "view", f"view {'|'.join(VIEWS)}", "Show the value another way.",
        _one_of("view", VIEWS), "screen", (),
        tuple(Key(key, f"view {name}", name) for name, key in VIEW_KEYS.items()), VIEWS,
    ),
    Command(
        "source", "source", "Show the line of code that the stage comes from, with the values of the line; a click in the margin sets a breakpoint.",
        _source, "screen",
    ),
    Command(
        "move", f"move {'|'.join(MOVES)}", "Move the cell cursor.", _one_of("move", MOVES), "screen", (),
        (
            Key("h", "move left", "left"), Key("left", "move left", "left", "←"),
            Key("l", "move right", "right"), Key("right", "move right", "right", "→"),
            Key("k", "move up", "up"), Key("up", "move up", "up", "↑"),
            Key("j", "move down", "down"), Key("down", "move down", "down", "↓"),
            Key("pageup", "move page-up", "page up", "PgUp"), Key("pagedown", "move page-down", "page down", "PgDn"),
            Key("home", "move row-start", "start of row", "Home"), Key("end", "move row-end", "end of row", "End"),
            Key("g", "move top", "first row"), Key("G", "move bottom", "last row"),
            Key("M", "move largest", "largest number"), Key("L", "move smallest", "smallest number"),
            Key("asterisk", "move next-nonzero", "next that is not 0", "*"),
            Key("exclamation_mark", "move next-nan", "next NaN", "!"),
        ), MOVES,
    ),
    Command(
        "follow", "follow [N|back]",
        "Show why the number under the cursor is what it is; there, go to the operand that is chosen, or back; in the grid, open the head.",
        _follow, "screen", (),
        (Key("enter", "follow", "why; then to the operand", "enter"), Key("o", "follow back", "back from the operand")),
        ("back",),
    ),
    Command(
        "weight", "weight [SYMBOL|N|next|off]",
        "Show a weight of the stage, or its table of all positions, in place of its value, then the next one, then the value again.",
        _weight, "screen", (), (Key("W", "weight next", "weights, value"),), ("next", "off"),
    ),
    Command(
        "head", "head N|next|previous|mean", "Show another head, or lines of the mean of all heads.", _neighbour("head", "mean"),
        "screen", (),
        (
            Key("left_square_bracket", "head previous", "head before", "["),
            Key("right_square_bracket", "head next", "next head", "]"),
            Key("A", "head mean", "mean of all heads"),
        ), (*NEIGHBOURS, "mean"),
    ),
    Command(
        "layer", "layer N|next|previous", "Show the same stage of another layer.", _neighbour("layer"), "screen", (),
        (
            Key("left_curly_bracket", "layer previous", "layer before", "{"),
            Key("right_curly_bracket", "layer next", "next layer", "}"),
        ), NEIGHBOURS,
    ),
    Command(
        "text", "text N|next|previous", "Show another text of the batch.", _neighbour("text"), "screen", (),
        (
            Key("less_than_sign", "text previous", "text before", "<"),
            Key("greater_than_sign", "text next", "next text", ">"),
        ), NEIGHBOURS,
    ),
    Command(
        "contrast", "contrast up|down|reset", "Make small numbers more or less visible.",
        _one_of("contrast", ("up", "down", "reset")), "screen", (),
        (
            Key("plus", "contrast up", "more colour", "+"), Key("minus", "contrast down", "less colour", "-"),
            Key("equals_sign", "contrast reset", "colour as it was", "="),
        ), ("up", "down", "reset"),
    ),
    Command("map", "map", "Show the whole encoder as boxes, each with a picture of its value; Enter opens one.",
            _alone("map"), "screen", (), (Key("m", "map", "map"),)),
    Command(
        "whole", "whole [largest|mean|off]",
        "Show all of the value in the pane: each cell the largest or the mean of several numbers, exact ones around the cursor.",
        _whole, "screen", (), (Key("Z", "whole", "all of it"),), ("largest", "mean", "off"),
    ),
    Command("home", "home map|tree", "Choose what is seen first, the map or the tree; the choice is remembered.",
            _one_of("home", HOMES), "screen", (), (), HOMES),
    Command("theme", "theme [NAME]", "Choose the colours, which is remembered; without a name, list them.", _theme, "screen", (), (), "theme"),
    Command("zoom", "zoom", "Give the value the whole screen, and back.", _alone("zoom"), "screen", (),
            (Key("z", "zoom", "zoom"),)),
    Command(
        "explanation", "explanation", "Show or hide the explanation of the stage that is looked at.",
        _alone("explanation"), "screen", (), (Key("x", "explanation", "explain"),),
    ),
    Command(
        "fold", "fold", "Open or close the part of the tree that is looked at.", _alone("fold"), "screen", (),
        (Key("space", "fold", "open or close"),),
    ),
    Command(
        "find", "find TEXT", "Look for a stage by part of its name.", _find, "screen", (),
        (Key("slash", "find ", "find a stage", "/"),),
    ),
    Command("find-next", "find-next", "The next stage found.", _alone("find-next"), "screen", (),
            (Key("full_stop", "find-next", "next found", "."),)),
    Command("find-previous", "find-previous", "The stage found before.", _alone("find-previous"), "screen", (),
            (Key("comma", "find-previous", "found before", ","),)),
    Command("copy", COPY, "Copy the number under the cell cursor, its row, or the window on screen, as a table or as Python.", _copy,
            "screen", (), (Key("y", "copy", "copy"), Key("Y", "copy window", "copy window")), (*COPIED, *FORMS)),
    Command("screenshot", SCREENSHOT, "Write what is on the screen to .svg or .html, to be shown to others.", _screenshot, "screen", (), (), "path"),
    Command("console", "console", "Type commands.", _alone("console"), "screen", (),
            (Key("colon", "console", "command line", ":"),)),
    Command("palette", "palette", "Choose a command from a list.", _alone("palette"), "screen", (),
            (Key("ctrl+p", "palette", "palette"),)),
    Command("reply", "reply", "Read the last answer on the whole screen.", _alone("reply"), "screen", (),
            (Key("v", "reply", "read the answer"),)),
    Command("keys", "keys", "Show all keys.", _alone("keys"), "screen", (), (Key("question_mark", "keys", "keys", "?"), Key("f1", "keys", "keys"))),
)  # fmt: skip
