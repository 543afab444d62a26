"""Word2vec (Mikolov et al. 2013, "Efficient Estimation of Word Representations in Vector Space"): CBOW and skip-gram.

Every word of a sentence is one example. CBOW guesses it from the mean of the words around it; skip-gram guesses each of
the words around it from the word itself. Both have one table of vectors that all places share, and a second one that
turns a vector into a score for every word of the vocabulary.

The loss is shown twice: against the whole vocabulary (`head`, `loss`), and as the models were trained, against a few
words drawn at random (`negatives`). What negative sampling learns is how much likelier a word is here than when drawn at
random, not how likely it is (Levy and Goldberg 2014); `head.logits` therefore adds what training left out, the
logarithm of each word's share in the drawing, made at export from the counts alone.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from ...messages.errors import InputError
from ...ops import Best, Linear, Lookup, OneHot, Softmax
from ...ops.word_losses import (
    Dots,
    MeanLoss,
    NegativeLog,
    Negatives,
    OutputLookup,
    PickIds,
    SamplingLoss,
    Sigmoid,
    WordBias,
)
from ...ops.words import Around, AroundMask, PlaceMean, PlaceSum
from ...program.program import Program
from ..config import Config
from .blocks import attention as parts
from .blocks.builder import HIDDEN, Builder
from .family import Limits, Options

MODEL_TYPES = {"cbow": "", "skipgram": ""}
PREFIXES: tuple[str, ...] = ()
TIED: dict[str, str] = {}

TOKENS = parts.TOKENS
PLACES = (*TOKENS, "place")
OVER_WORDS = (*TOKENS, "vocabulary")
SHOWN_PREDICTIONS = 10
MOST_PLACES = 100


@dataclass(frozen=True, slots=True)
class Word2Vec:
    """Sizes of a word2vec model.

    Attributes:
        vocabulary, hidden: rows and columns of both tables.
        reach: how many words to each side are its context.
        negatives: how many words are drawn for each target; seed: of the drawing.
        padding: id of the padding token.
    """

    vocabulary: int
    hidden: int
    reach: int
    negatives: int
    seed: int
    padding: int

    @classmethod
    def of(cls, config: Config) -> Word2Vec:
        """Read the sizes from a config.json.

        Raises:
            InputError: a size that cannot be.
        """
        vocabulary = config.size("vocab_size", 12_000)
        return cls(
            vocabulary=vocabulary,
            hidden=config.size("hidden_size", 96),
            reach=config.size("window", 5, most=MOST_PLACES),
            negatives=config.size("negative", 5, most=MOST_PLACES),
            seed=config.index("negative_seed", 0, 2**31),
            padding=config.index("pad_token_id", 0, vocabulary),
        )


def limits(config: Config) -> Limits:
    """Any length of text: no word sees beyond its window."""
    sizes = Word2Vec.of(config)
    return Limits(sizes.vocabulary, None, padding_id=sizes.padding)


def build(config: Config, stored: Container[str], options: Options) -> Program:
    """CBOW or skip-gram, as the config's `model_type` says.

    Raises:
        InputError: a causal mask is asked for; there is no attention to mask.
    """
    if options.causal:
        raise InputError("a causal mask needs attention, and word2vec has none; leave the option out")
    sizes, b = Word2Vec.of(config), Builder()
    parts.tokens(b, sizes.vocabulary, also=())
    b.add("context.ids", Around(sizes.reach, sizes.padding), ("tokens.ids",), PLACES)
    b.add("context.mask", AroundMask(sizes.reach), ("tokens.mask",), PLACES)
    if config.model_type == "cbow":
        _cbow(b, sizes)
    else:
        _skipgram(b, sizes)
    return b.program()


def _cbow(b: Builder, sizes: Word2Vec) -> None:
    """The words around each word, added and averaged, guess it."""
    b.add("context.one_hot", OneHot(sizes.vocabulary), ("context.ids",), (*PLACES, "vocabulary"))
    around = _rows(b, sizes, "embeddings.context", "context.ids", (*PLACES, "hidden"))
    total = b.add("embeddings.sum", PlaceSum(), (around, "context.mask"))
    mean = b.add("embeddings.mean", PlaceMean(), (total, "context.mask"))
    _guess(b, sizes, mean, "tokens.ids", "tokens.mask", TOKENS)


def _skipgram(b: Builder, sizes: Word2Vec) -> None:
    """Each word guesses the words around it."""
    word = _rows(b, sizes, "embeddings.token", "tokens.ids", HIDDEN)
    _guess(b, sizes, word, "context.ids", "context.mask", PLACES)


def _guess(b: Builder, sizes: Word2Vec, x: str, target: str, mask: str, axes: tuple[str, ...]) -> None:
    """From a vector for each token to the loss, once over all words and once against words drawn at random.

    Args:
        x: name of the vectors, (batch, token, hidden).
        target, mask: names of the ids to be guessed, and of where there are any.
        axes: of target and mask.
    """
    b.alias("embeddings.output", x)
    b.alias("output", x)
    b.alias("loss.target", target)
    table = [("decoder.weight", (sizes.vocabulary, sizes.hidden))]
    scores = b.add("head.scores", Linear(), (x,), OVER_WORDS, table, "decoder")
    logits = b.add("head.logits", WordBias(), (scores,), OVER_WORDS, [("decoder.bias", (sizes.vocabulary,))])
    words = b.add("head.probabilities", Softmax("vocabulary"), (logits,), OVER_WORDS)
    b.add("head.best", Best(SHOWN_PREDICTIONS), (words,), (*TOKENS, "rank"))

    picked = b.add("loss.probability", PickIds(), (words, target), axes)
    loss = b.add("loss.word", NegativeLog(), (picked, mask), axes)
    b.add("loss.mean", MeanLoss(), (loss, mask), ("batch",))

    several = (*axes, "negative")
    vector = b.add("negatives.target_vector", OutputLookup(), (target,), (*axes, "hidden"), table)
    score = b.add("negatives.target_score", Dots(), (vector, x), axes)
    accepted = b.add("negatives.target_sigmoid", Sigmoid(), (score,), axes)
    drawing = [("noise.weight", (sizes.vocabulary,))]
    drawn = b.add("negatives.ids", Negatives(sizes.negatives, sizes.seed), (target,), several, drawing)
    vectors = b.add("negatives.vectors", OutputLookup(), (drawn,), (*several, "hidden"), table)
    against = b.add("negatives.scores", Dots(), (vectors, x), several)
    refused = b.add("negatives.sigmoid", Sigmoid(negated=True), (against,), several)
    loss = b.alias("loss.negative", b.add("negatives.loss", SamplingLoss(), (accepted, refused, mask), axes))
    b.alias("loss.negative_mean", b.add("negatives.mean", MeanLoss(), (loss, mask), ("batch",)))


def _rows(b: Builder, sizes: Word2Vec, name: str, ids: str, axes: tuple[str, ...]) -> str:
    """Rows of the shared table."""
    return b.add(name, Lookup(), (ids,), axes, [("embeddings.weight", (sizes.vocabulary, sizes.hidden))], "embeddings")
