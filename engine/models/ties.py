"""Tied weights as transformers 5 ties them on loading: the config proposes, what is stored decides.

`PreTrainedModel.tie_weights` goes through pairs of a target and the source it is tied to, where `tie_word_embeddings` is true or
the config silent. Where only one of a pair is stored, that one serves for both, whichever it is. Where both are stored and equal
they are one; where they differ the config is wrong about them, and each is used as it is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ties:
    """What stands for what.

    Attributes:
        instead: a weight -> the stored one that is read for it.
        differing: targets that are stored and are not what they are said to be tied to -> that.
    """

    instead: Mapping[str, str]
    differing: Mapping[str, str]


def ties_of(pairs: Mapping[str, str], stored: Container[str], equal: Callable[[str, str], bool]) -> Ties:
    """Which of the pairs hold.

    Args:
        pairs: target -> source, of those that the config does not untie.
        stored: names of the weights there are.
        equal: whether two stored weights have the same numbers.
    """
    instead: dict[str, str] = {}
    differing: dict[str, str] = {}
    for target, source in pairs.items():
        if target not in stored and source in stored:
            instead[target] = source
        elif target in stored and source not in stored:
            instead[source] = target
        elif target in stored and equal(target, source):
            instead[target] = source
        elif target in stored:
            differing[target] = source
    return Ties(instead, differing)
