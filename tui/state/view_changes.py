"""What looking elsewhere does to the view: plain functions from one `ViewState` to the next."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

from ...engine.messages.errors import InputError
from ...engine.program.addresses import has_none
from .comparison import against_of
from .first_look import in_its_view, in_words
from .plane import paged
from .position import Position, World
from .subject import in_every_layer, nearest_product, nearest_with_keys, window_at
from .view_state import ViewState
from .word_place import at_token

OF_VALUES_ALONE = (
    "why",
    "diff",
    "grid",
    "product",
    "map",
    "change",
    "words",
)  # views that take a stage's value, and have words for a weight
_LAYER = re.compile(r"\blayers\.(\d+)\b")


def at_stage(state: ViewState, stage: str) -> ViewState:
    """Look at another stage; view, head, text and cell stay as they are as far as the stage has them."""
    return replace(state, stage=stage, beside="")


def at_cursor(state: ViewState, position: Position) -> ViewState:
    """Look at the stage under the cursor, or at the one that comes first."""
    program = position.world.program
    return at_stage(state, position.stage or (program[0].name if len(program) else ""))


def on_tour(state: ViewState, view: str, position: Position) -> ViewState:
    """At a stop of the tour: its stage in its view, at the token and the head its question is about; or off it."""
    page = position.tour
    if page is None:
        return replace(state, explained=False)
    there = with_view(at_stage(state, page.stage), view, position.world)
    there = replace(there, explained=True, row=page.token, column=page.column, head=page.head)
    axes = position.world.program[page.stage].axes
    return at_token(there, axes, page.token) if "token" in axes[-1:] else there


def on_map(state: ViewState, how: str = "") -> ViewState:
    """The map on the whole screen; from there, back to the tree and the value, unless `there` is where to stay."""
    return at_home(state, "tree" if state.view == "map" and state.zoomed and how != "there" else "map")


def at_home(state: ViewState, home: str) -> ViewState:
    """`home map|tree`: the map on the whole screen, or the tree beside the value."""
    if home == "map":
        return replace(state, view="map", zoomed=True, beside="")
    return replace(state, view="heat", zoomed=False) if state.view == "map" else state


def with_whole(state: ViewState, how: str) -> ViewState:
    """`whole [largest|mean|off]`: all of the plane at once, down-sampled to the pane; without a word, one after the other."""
    now = state.whole if state.view == "heat" else ""
    how = how or {"": "largest", "largest": "mean"}.get(now, "off")
    return replace(state, view="heat", whole="" if how == "off" else how)


def off_map(before: ViewState, state: ViewState) -> ViewState:
    """Another view than the map has the tree beside it again: only the map needed the whole screen."""
    left = before.view == "map" and state.view != "map" and before.zoomed
    return replace(state, zoomed=False) if left else state


def with_view(state: ViewState, view: str, world: World) -> ViewState:
    """`view NAME`. Pictures of attention show the attention weights where the stage looked at cannot be shown so."""
    if view == "words":
        return in_words(state, world)
    plain = state.plain or (view == "heat" and in_its_view(state, world).view != "heat")
    there = replace(state, view=view, plain=plain, whole="")
    if state.stage not in world.program:
        return there
    axes, nearest = world.program[state.stage].axes, nearest_with_keys(world.program, world.program.index(state.stage))
    fits = {
        "lines": axes[-2:] == ("query", "key") or window_at(world.program, state.stage) is not None,
        "grid": bool(in_every_layer(world.program, state.stage)),
    }.get(view, True)
    return there if fits or not nearest else at_stage(there, nearest)


def product_to_go_to(state: ViewState, world: World) -> str:
    """The nearest product of two matrices, for whoever looks for one at a stage that is none; "" elsewhere."""
    if state.view != "product" or state.beside or state.stage not in world.program:
        return ""
    nearest = nearest_product(world.program, world.program.index(state.stage))
    return nearest if nearest != state.stage else ""


def with_weight(state: ViewState, argument: str, world: World) -> ViewState:
    """`weight [N|SYMBOL|next|off]`: one of the stage's weights, or its table of positions, in place of its value.

    Raises:
        InputError: it has no such weight, or none at all, or this is a recording, which holds none.
    """
    stage = world.program[state.stage]
    symbols = stage.own
    if argument == "off":
        return replace(state, beside="")
    if not symbols:
        raise InputError(f"{stage.name} has no weights; those that do have a letter in their formula: W, E, γ")
    if not world.live:
        raise InputError("a recording holds no weights; open the model itself to look at them")
    values_alone = ("map", "words") if stage.symbols else OF_VALUES_ALONE  # others have words for a weight
    state = replace(state, view="heat") if state.view in values_alone else state
    if argument == "next":
        return replace(state, beside=dict(pairwise(("", *symbols, ""))).get(state.beside, symbols[0]))
    if argument in symbols:
        return replace(state, beside=argument)
    if argument.isdigit() and 1 <= int(argument) <= len(symbols):
        return replace(state, beside=symbols[int(argument) - 1])
    raise InputError(f"{stage.name} has no weight {argument!r}; it has {', '.join(symbols)}")


def with_beside(state: ViewState, what: str, position: Position) -> ViewState:
    """`look STAGE@WHAT`: what a stage has besides its value, in a view that can show it.

    Raises:
        InputError: it has nothing of that name, or it cannot be had here.
    """
    stage = position.world.program[state.stage]
    if what in stage.own:
        return with_weight(state, what, position.world)
    against, beside = against_of(position.compared, stage), position.beside(stage)
    if what not in beside:
        raise InputError(against.refused) if against and against.refused else has_none(stage, beside, what)
    return replace(state, beside=what, view="heat" if state.view in OF_VALUES_ALONE else state.view)


def there_still(state: ViewState, position: Position) -> ViewState:
    """The value itself where what was shown besides it is not there any more, or is nothing that the view can show."""
    if not state.beside:
        return state
    stage = position.world.program[state.stage]
    shown = state.view not in OF_VALUES_ALONE or state.beside in stage.symbols
    return state if shown and state.beside in position.beside(stage) else replace(state, beside="")


def with_head(state: ViewState, argument: str, world: World) -> ViewState:
    """`head N|next|previous|mean`. The mean of all heads is drawn as lines.

    Raises:
        InputError: there is no such head, or the stage has none.
    """
    axis = paged(world.program[state.stage].axes)
    count = world.size(state.stage, axis) if axis else 0
    if not count:
        raise InputError(f"{state.stage} is not divided into heads; look at .scores, .weights or another that is")
    if argument == "mean":
        if axis != "head":
            raise InputError(f"{state.stage} is not divided into heads; look at .scores, .weights or another that is")
        return with_view(replace(state, mean=not (state.mean and state.view == "lines")), "lines", world)
    return replace(state, head=_number(axis, argument, state.head, count), mean=False)


def with_text(state: ViewState, argument: str, world: World) -> ViewState:
    """`text N|next|previous`.

    Raises:
        InputError: there is no such text.
    """
    return replace(state, text=_number("text", argument, state.text, world.tokens.shape[0]))


def with_layer(state: ViewState, argument: str, world: World) -> ViewState:
    """`layer N|next|previous`: the same stage of another layer.

    Raises:
        InputError: there is no such layer, or it has no such stage.
    """
    program, numbered = world.program, _LAYER.search(state.stage)
    if not numbered:
        raise InputError(f"{state.stage} is in no layer; name one: `look layers.0.output`")
    wanted = int(numbered[1]) + {"next": 1, "previous": -1}.get(argument, 0)
    wanted = wanted if argument in ("next", "previous") else int(argument)
    if not 0 <= wanted < program.layers:
        raise InputError(f"no layer {wanted}; there are {program.layers}, 0 to {program.layers - 1}")
    name = _LAYER.sub(f"layers.{wanted}", state.stage, count=1)
    if name not in program:
        raise InputError(f"layer {wanted} has no {name}")
    return replace(state, stage=program[name].name)


def stages_named(text: str, world: World) -> list[str]:
    """Stages whose names contain the text, whatever its case; failing that, those it means as a glob or foreign name.

    What stages are called in explanations, in either language, is looked through as well: `注意力得分` finds the scores.
    """
    names = [stage.name for stage in world.program]
    named = [name for name in names if text.lower() in name.lower()] or world.program.match(text)
    return named or _titled(text.lower(), world)


def _titled(text: str, world: World) -> list[str]:
    from ...engine.analysis.explain import stage_text
    from ...engine.messages.translation import LANGUAGES

    program = world.program
    return [
        stage.name
        for stage in program
        if any(text in stage_text(stage, program, language).title.lower() for language in LANGUAGES)
    ]


def next_found(state: ViewState, world: World, step: int) -> tuple[ViewState, int, int]:
    """The next stage found in that direction, round the ends.

    Args:
        step: 1 forwards, -1 backwards, 0 from the top.

    Returns:
        The state, which of the found it is (from 1), and how many there are.

    Raises:
        InputError: nothing is looked for, or nothing found.
    """
    if not state.sought:
        raise InputError("nothing has been looked for; write `find TEXT`")
    names = stages_named(state.sought, world)
    if not names:
        raise InputError(f"no stage's name contains {state.sought!r}")
    places = [world.program.index(name) for name in names]
    here = world.program.index(state.stage) if state.stage in world.program else -1
    if step > 0:
        at = next((at for at, place in enumerate(places) if place > here), 0)
    elif step < 0:
        at = next((at for at in reversed(range(len(places))) if places[at] < here), len(places) - 1)
    else:
        at = 0
    return at_stage(state, names[at]), at + 1, len(names)


def _number(what: str, argument: str, current: int, count: int) -> int:
    """A number from 0, or the neighbour of the current one, round the ends."""
    if argument in ("next", "previous"):
        return (min(current, count - 1) + (1 if argument == "next" else -1)) % count
    if int(argument) >= count:
        raise InputError(f"no {what} {argument}; there are {count}, 0 to {count - 1}")
    return int(argument)
