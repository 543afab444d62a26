"""Which words' vectors lie nearest: neighbours by cosine, and analogies, over a program's table of word vectors.

Cosine, not distance, is the usual measure for word vectors (Mikolov et al. 2013); an analogy "a is to b as c is to ?" is
the word nearest to b − a + c, each of length one, the three left out ("3CosAdd" in Levy and Goldberg 2014).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..messages.errors import InputError, nearest
from ..program.token_names import form_in
from ..program.torch_calls import row_norms
from ..program.trace import LiveTrace, Trace


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A word and how near it is.

    Attributes:
        id: in the vocabulary; word: its token.
        cosine: from −1 to 1.
    """

    id: int
    word: str
    cosine: float


class WordTable:
    """A program's table of word vectors, in float32 and each of length one.

    Args:
        trace: a run; a recording holds no weights.

    Attributes:
        name: of the weight.
        ids: of the words that can be asked for, by their token.

    Raises:
        InputError: a recording, or a program that looks up no words.
    """

    def __init__(self, trace: Trace) -> None:
        if not isinstance(trace, LiveTrace):
            raise InputError("a recording holds no word vectors; open the model itself to compare words")
        run = trace
        self.name = embedding_weight(trace)
        self._run = run
        vectors = run.weights[self.name].float()
        length = row_norms(vectors)  # (vocabulary,)
        self._unit = vectors / length.clamp(min=1e-30)[:, None]  # (vocabulary, hidden)
        # What has no direction, and what stands for no word, is nobody's neighbour.
        self._real = (length > 0) & torch.isfinite(length)
        self.ids: dict[str, int] = {}
        for number in range(min(len(vectors), run.tokens.vocabulary_size)):
            word = run.word(number)
            self.ids.setdefault(word, number)
            if is_special(word):
                self._real[number] = False

    def has_vector(self, word: str) -> bool:
        """Whether a token of the table is a word with a direction: not `[UNK]`, which stands for many."""
        return word in self.ids and bool(self._real[self.ids[word]])

    def find(self, text: str) -> int:
        """The id of a word in the first of the `forms` that the vocabulary has.

        Raises:
            InputError: the vocabulary does not have it, or no vector of its own for it.
        """
        form = form_in(text, self.ids)
        if form is not None:
            if not bool(self._real[self.ids[form]]):
                raise InputError(f"{text!r} has no vector to compare; give a word of the text")
            return self.ids[form]
        if not self._run.knows_words:
            raise InputError(f"there is no tokenizer, so no word is known as {text!r}: give its id")
        words = [word for word in self.ids if not is_special(word)]
        raise InputError(f"{text!r} is not a word of this vocabulary{nearest(text.lower(), words)}")

    def called(self, text: str) -> str:
        """The token that is meant by a word.

        Raises:
            InputError: as `find`.
        """
        return self._run.word(self.find(text))

    def near(self, word: str, count: int) -> list[Neighbour]:
        """The words nearest to a word, itself left out; equally near ones in the order of their ids.

        Raises:
            InputError: the vocabulary does not have it.
        """
        number = self.find(word)
        return self._nearest(self._unit[number], {number}, count)

    def analogy(self, a: str, b: str, c: str, count: int) -> list[Neighbour]:
        """What is to c as b is to a: the words nearest to b − a + c, the three left out.

        Raises:
            InputError: a word the vocabulary does not have.
        """
        ids = [self.find(word) for word in (a, b, c)]
        first, second, third = (self._unit[number] for number in ids)
        return self._nearest(second - first + third, set(ids), count)

    def _nearest(self, vector: torch.Tensor, besides: set[int], count: int) -> list[Neighbour]:
        cosines = self._unit @ (vector / row_norms(vector).clamp(min=1e-30))
        cosines = torch.where(self._real, cosines, torch.full_like(cosines, -torch.inf))
        cosines[list(besides)] = -torch.inf
        numbers = cosines.cpu().numpy()
        order = np.argsort(-numbers, kind="stable")[:count]
        return [Neighbour(int(i), self._run.word(int(i)), float(numbers[i])) for i in order if np.isfinite(numbers[i])]


def embedding_weight(trace: Trace) -> str:
    """The weight that holds a vector for each word: that of the first lookup of `tokens.ids` or of what stands around.

    Raises:
        InputError: there is none.
    """
    for stage in trace.program:
        if stage.kind == "Lookup" and stage.inputs[0] in ("tokens.ids", "context.ids"):
            return stage.weights[0]
    raise InputError("this program looks up no words, so there are no word vectors to compare")


def is_special(word: str) -> bool:
    """Whether a token stands for no word: `[UNK]`, `<pad>`, `[unused7]`."""
    return len(word) > 2 and (word[0] + word[-1]) in ("[]", "<>")
