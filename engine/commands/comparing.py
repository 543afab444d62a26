"""The command that holds this run against another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..messages.errors import InputError
from ..program.element import write_place
from ..traces.matched import Matched
from .diagnosing import diagnosed
from .over_texts import OverTextsRequest, TextsCompared, compare_over_texts, over_texts_request
from .references import ALONE, OPTIONS, REFERENCES, USAGE, reference
from .session import Session
from .table import Command, Key, Reply, Request, shell_words

if TYPE_CHECKING:
    from ..analysis.compare import Comparison
    from ..analysis.diagnose import Diagnosis
    from ..pages.facts import JsonObject
    from ..program.trace import Trace

COMPARE = f"compare {USAGE} {OPTIONS}"
# An option that lacks what follows it -> what is asked then.
VALUES = {
    "tolerance": "how much? write for instance `tolerance 1e-5`",
    "texts": "of which file? write `texts FILE`, a text a line",
}


@dataclass(frozen=True, slots=True)
class CompareRequest:
    """What a line of `compare` asks for, read but not compared yet.

    Attributes:
        title: the reference as it was typed.
        trace: the reference.
        tolerance: as given; None for the default.
        everything: whether to write all stages.
        diagnosed: whether to look for the cause.
        line: all of it, as it was typed.
    """

    title: str
    trace: Trace
    tolerance: float | None
    everything: bool
    diagnosed: bool = False
    line: str = ""


@dataclass(frozen=True, slots=True)
class CompareLine:
    """What stands after `compare`, of which nothing is opened yet.

    Attributes:
        words: the reference: a kind and its argument.
        tolerance, everything, diagnosed: as of `CompareRequest`.
        texts: the file of texts; "" for none.
    """

    words: tuple[str, ...]
    tolerance: float | None
    everything: bool
    diagnosed: bool
    texts: str


def read_compare_line(line: str) -> CompareLine:
    """Read `model M tolerance 1e-5 all`.

    Raises:
        InputError: it cannot be read.
    """
    words, tolerance, everything, diagnosed, texts = shell_words(line, COMPARE), None, False, False, ""
    least = 1 if words[:1] and words[0] in ALONE else 2  # what names the reference itself
    while len(words) > least:
        if _is_option(words[-1], "all"):
            everything = True
            words.pop()
        elif _is_option(words[-1], "diagnose"):
            diagnosed = True
            words.pop()
        elif len(words) > least + 1 and _is_option(words[-2], "tolerance"):
            tolerance = _tolerance(words[-1])
            del words[-2:]
        elif len(words) > least + 1 and _is_option(words[-2], "texts"):
            texts = words[-1]
            del words[-2:]
        else:
            break
    for option, asked in VALUES.items():
        if len(words) > least and _is_option(words[-1], option):
            raise InputError(f"{option}: {asked}")
    return CompareLine(tuple(words), tolerance, everything, diagnosed, texts)


def _is_option(word: str, name: str) -> bool:
    """Whether a word is an option, written as a word or as on a command line: `diagnose`, `--diagnose`."""
    return word in (name, f"--{name}")


def against(session: Session, line: str) -> CompareRequest | OverTextsRequest:
    """Read `model M tolerance 1e-5 all` and get the reference ready.

    Raises:
        InputError: it cannot be read, or there is no such reference.
    """
    read = read_compare_line(line)
    if read.texts and (read.everything or read.diagnosed):
        raise InputError(
            f"`{'diagnose' if read.diagnosed else 'all'}` is of one text, and `texts {read.texts}` of many; leave one of them out"
        )
    if read.texts:
        return over_texts_request(session, read.words, read.texts, read.tolerance)
    theirs = reference(session, read.words)
    return CompareRequest(" ".join(read.words), theirs, read.tolerance, read.everything, read.diagnosed, line)


def _tolerance(word: str) -> float:
    try:
        number = float(word)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise InputError(f"tolerance {word!r} is not a number of 0 or more; write for instance `tolerance 1e-5`")
    return number


@dataclass(frozen=True, slots=True)
class ComparedWith:
    """What came of it.

    Attributes:
        ours: what was compared.
        comparison: as it is.
        asides: what else is to be said of the two, a line each.
        diagnosis: of the difference; None where there is none, or none was asked for.
        text: both, for people.
    """

    ours: Trace
    comparison: Comparison
    asides: tuple[str, ...]
    diagnosis: Diagnosis | None
    text: str

    @property
    def equal(self) -> bool:
        """Whether nothing is beyond tolerance."""
        return self.comparison.equal

    def facts(self) -> list[JsonObject]:
        """Both, for JSON."""
        from ..pages.facts import comparison_facts, diagnosis_facts

        told = [diagnosis_facts(self.diagnosis)] if self.diagnosis is not None else []
        return [comparison_facts(self.comparison, self.ours, self.asides), *told]


def compare_against(session: Session, wanted: CompareRequest | OverTextsRequest) -> ComparedWith | TextsCompared:
    """Compare, remember the reference for the view of differences, and write it down."""
    from ..analysis.compare import Reference, compare, write_comparison

    if isinstance(wanted, OverTextsRequest):
        return compare_over_texts(session, wanted)
    comparison = compare(
        session.trace, wanted.trace, tolerance=wanted.tolerance, title=wanted.title,
        stopped=session.stopped,
    )  # fmt: skip
    session.hold_against(
        Reference(wanted.title, wanted.trace, session.trace, comparison.alignment, comparison, session.generation),
        wanted.line,
    )
    way = _of_the_way(comparison, wanted.trace)
    before = way + asides_of(session.trace, wanted.trace, everything=wanted.everything)
    text = before + write_comparison(comparison, everything=wanted.everything)
    diagnosis = diagnosed(session, wanted.tolerance) if wanted.diagnosed and not comparison.equal else None
    if diagnosis is not None:
        from ..analysis.diagnose import write_diagnosis  # which has torch come in

        text = f"{text}\n\n{write_diagnosis(diagnosis)}"
    return ComparedWith(session.trace, comparison, tuple(before.splitlines()), diagnosis, text)


def asides_of(ours: Trace, theirs: Trace, *, everything: bool = False) -> str:
    """What is to be said of two traces besides how far apart they are, a line each."""
    matched = "".join(f"{line}\n" for line in _how_matched(theirs, everything))
    return _read_otherwise(ours, theirs) + _patches_of(ours, theirs) + matched


def _read_otherwise(ours: Trace, theirs: Trace) -> str:
    """What was done to the other's model or texts, and not to ours, a line each: a layer left out, a prompt, a cut."""
    said = [note for note in theirs.notes if note not in ours.notes]
    return "".join(f"theirs     {note}\n" for note in said)


def _how_matched(theirs: Trace, everything: bool) -> list[str]:
    """Which of somebody's tensors were taken for which stages, and how."""
    if not isinstance(theirs, Matched):
        return []
    from ..analysis.matching import write_matches

    return write_matches(theirs, everything=everything)


def _of_the_way(comparison: Comparison, theirs: Trace) -> str:
    """A line on how much it changes that theirs was computed another way, so that nobody hunts last bits; "" where it was not."""
    way = theirs.way if isinstance(theirs, Matched) else ""
    if not way:
        return ""
    floats = [row for row in comparison.rows if row.dtype]
    most = max(floats, key=lambda row: row.relative, default=None)
    if not comparison.equal:
        said = "changes more than rounding may: it is not the same computation, or there is a fault"
    elif most is None or not any(row.differing for row in floats):
        said = "changes no bit"
    else:
        said = f"changes numbers by up to {most.relative:.2g} of a stage's largest, at {most.name}: that is rounding, and no fault"
    return f"{'way':<11}{way} {said}\n"


def _patches_of(ours: Trace, theirs: Trace) -> str:
    """A line on whose stages are patched, so that nobody takes a patch for a fault; "" where none is."""
    sides = [
        f"{side} {', '.join(sorted(trace.patched))}"
        for side, trace in (("ours", ours), ("theirs", theirs))
        if trace.patched
    ]
    if not sides:
        return ""
    both = len(sides) == 2
    return f"patched    {'; '.join(sides)}{'' if both else '; the other side is not'}\n"


def _difference(session: Session, rest: str) -> Reply:
    reference = session.reference
    comparison = reference.comparison if reference is not None else None
    if reference is None or comparison is None:
        raise InputError(f"nothing has been compared yet; write `compare {USAGE}`")
    if reference.ours is not session.trace or reference.generation != session.generation:
        raise InputError(f"values have changed since; write `compare {reference.title}` again")
    if not rest and comparison.first is None:
        raise InputError(f"no stage is beyond tolerance against {reference.title}; name one: difference STAGE")
    name = session.stage_or_here(rest) if rest else comparison.first.name if comparison.first else ""
    row = next((row for row in comparison.rows if row.name == name), None)
    if row is None:
        raise InputError(f"{name} was not compared with {reference.title}")
    if row.place is None:
        raise InputError(f"{name} is equal to the last bit against {reference.title}")
    first = " is the first stage beyond tolerance;" if row is comparison.first else ":"
    return Reply(
        f"{name}{first} {'largest difference' if row.dtype else 'ids differ'} at {write_place(row.axes, row.place)}: "
        f"ours {row.ours:.9g}, theirs {row.theirs:.9g}",
        request=Request("difference", f"{name}[{', '.join(map(str, row.place))}]"),
    )


def _compare(session: Session, rest: str) -> Reply:
    return _told(compare_against(session, against(session, rest)))


def _told(compared: ComparedWith | TextsCompared) -> Reply:
    return Reply(compared.text, verdict=compared.text.splitlines()[-1], facts=compared.facts)


def _diagnose(session: Session, rest: str) -> Reply:
    from ..analysis.diagnose import write_diagnosis
    from ..pages.facts import diagnosis_facts

    if rest:
        return _told(compare_against(session, against(session, f"{rest} diagnose")))
    comparison = session.expect_reference().comparison
    diagnosis = diagnosed(session, comparison.given if comparison is not None else None)
    text = write_diagnosis(diagnosis)
    return Reply(text, verdict=text.splitlines()[-1], facts=lambda: [diagnosis_facts(diagnosis)])


COMMANDS = (
    Command(
        "compare", COMPARE,
        "Compare every stage with another text, image, model, dtype, device or fork, or with somebody's module, recording or tensors: what differs, where it begins.",
        _compare, "values", ("cmp",), (), tuple(REFERENCES),
    ),
    Command(
        "diagnose", f"diagnose [{USAGE}]",
        "Name the cause of a difference: what the reference may do otherwise is tried in this run until the gap is closed.",
        _diagnose, "values", (), (), tuple(REFERENCES),
    ),
    Command(
        "difference", "difference [STAGE]",
        "After `compare`, go to the largest difference of a stage; of the first beyond tolerance when none is named.",
        _difference, "values", (), (Key("D", "difference", "first difference"),), "stage",
    ),
)  # fmt: skip
