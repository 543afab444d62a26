"""The tokenizers that transformers 5 builds itself, whatever pipeline a tokenizer.json has: one `Kind` for each class.

Of a tokenizer.json they take the vocabulary alone; how a text is cleaned, cut into words and put between special tokens is
the class's, with what tokenizer_config.json says (`do_lower_case`, `add_prefix_space`, ...). Sources: the files
`tokenization_*.py` of transformers 5.23, named after the families below.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ....program.token_names import CARRIED_ON, PIECE_SPACE
from .settings import NAMED, TokenizerSettings

if TYPE_CHECKING:
    from tokenizers import Tokenizer

ENDS: Mapping[str, str] = dict(zip(NAMED, ("<s>", "</s>", "<unk>", "</s>", "<pad>", "<s>", "<mask>"), strict=True))
BRACKETS = {
    "unk_token": "[UNK]",
    "sep_token": "[SEP]",
    "pad_token": "[PAD]",
    "cls_token": "[CLS]",
    "mask_token": "[MASK]",
}
# CLIP's words (Radford et al. 2021): contractions, letters, single digits, runs of anything else.
CLIP_WORDS = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


@dataclass(slots=True)
class Words:
    """A vocabulary, whatever file it came from.

    Attributes:
        ids: id of each word, of WordPiece and of byte pairs; empty of Unigram.
        merges: of byte pairs, in order.
        pieces: text and score of each, of Unigram.
        unknown: id of the piece for what no piece covers, where the file says it.
        characters: SentencePiece's compiled table of characters; empty where there is none.
        special: more special tokens that the file lists, besides what the settings say.
    """

    ids: dict[str, int] = field(default_factory=dict[str, int])
    merges: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    pieces: list[tuple[str, float]] = field(default_factory=list[tuple[str, float]])
    unknown: int | None = None
    characters: bytes = b""
    special: list[Any] = field(default_factory=list[Any])


Special = Mapping[str, Any]  # what it is for -> its text, or an AddedToken


@dataclass(frozen=True, slots=True)
class Kind:
    """One class of tokenizers.

    Attributes:
        model: `WordPiece`, `BPE` or `Unigram`.
        files: what it is read from where there is no tokenizer.json; the first are words or pieces, then merges.
        special: its special tokens, where nothing else is said.
        build: from words, settings and special tokens, the tokenizer without what goes around a text.
        around: sets what goes around a text; it is called when all tokens are there.
        segments: whether it gives segments; where not, a model takes 0 for all.
        spaced: of which special tokens take the space before them along.
        plain: whether its special tokens are matched in the text as it is cleaned, not as it was typed.
        keeps_end: whether what tokenizer.json puts around a text goes before the class's own.
    """

    model: str
    files: tuple[str, ...]
    special: Mapping[str, str]
    build: Callable[[Words, TokenizerSettings, Special], Tokenizer]
    around: Callable[[Tokenizer, TokenizerSettings, Special], None]
    segments: bool = False
    spaced: tuple[str, ...] = ()
    plain: bool = False
    keeps_end: bool = False

    def named(self, settings: TokenizerSettings) -> dict[str, Any]:
        """Its special tokens, with what the files say in place of its own, in the order they are added in."""
        from tokenizers import AddedToken

        tokens = {**self.special, **settings.special}
        for name, one in tokens.items():
            if isinstance(one, str) and name in self.special and (self.plain or name in self.spaced):
                tokens[name] = AddedToken(one, lstrip=name in self.spaced, special=not self.plain)
        return {name: tokens[name] for name in (*NAMED, *tokens) if name in tokens}


def token_text(one: Any) -> str:
    """The text of a token."""
    return one if isinstance(one, str) else str(one.content)


def _bert(words: Words, settings: TokenizerSettings, special: Special) -> Tokenizer:
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

    tokenizer = Tokenizer(models.WordPiece(words.ids, unk_token=token_text(special["unk_token"])))
    tokenizer.normalizer = normalizers.BertNormalizer(  # type: ignore[assignment]
        clean_text=True,
        handle_chinese_chars=settings.flag("tokenize_chinese_chars", True),
        strip_accents=settings.choice("strip_accents"),
        lowercase=settings.flag("do_lower_case", True),
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()  # type: ignore[assignment]
    tokenizer.decoder = decoders.WordPiece(prefix=CARRIED_ON)  # type: ignore[assignment]
    return tokenizer


def _roberta(words: Words, settings: TokenizerSettings, special: Special) -> Tokenizer:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    tokenizer = Tokenizer(models.BPE(words.ids, words.merges, continuing_subword_prefix="", end_of_word_suffix="", fuse_unk=False))  # fmt: skip
    spaced = settings.flag("add_prefix_space", False)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=spaced)  # type: ignore[assignment]
    tokenizer.decoder = decoders.ByteLevel()  # type: ignore[assignment]
    return tokenizer


def _clip(words: Words, settings: TokenizerSettings, special: Special) -> Tokenizer:
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

    tokenizer = Tokenizer(
        models.BPE(
            words.ids, words.merges, continuing_subword_prefix="", end_of_word_suffix="</w>", fuse_unk=False,
            unk_token=token_text(special["unk_token"]),
        )
    )  # fmt: skip
    tokenizer.normalizer = normalizers.Sequence(  # type: ignore[assignment]
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(  # type: ignore[assignment]
        [
            pre_tokenizers.Split(Regex(CLIP_WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()  # type: ignore[assignment]
    return tokenizer


def _unigram(words: Words, unknown: int, normalizer: Any, split: list[Any], scheme: str) -> Tokenizer:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    tokenizer = Tokenizer(models.Unigram(words.pieces, unk_id=unknown, byte_fallback=False))
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    space = pre_tokenizers.Metaspace(replacement=PIECE_SPACE, prepend_scheme=scheme)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*split, space])  # type: ignore[assignment]
    tokenizer.decoder = decoders.Metaspace(replacement=PIECE_SPACE, prepend_scheme=scheme)  # type: ignore[assignment]
    return tokenizer


def _spaced(settings: TokenizerSettings) -> str:
    return "always" if settings.flag("add_prefix_space", True) else "never"


def _compiled(words: Words) -> Any:
    from tokenizers import normalizers

    return normalizers.Precompiled(words.characters) if words.characters else None


def _apart() -> list[Any]:
    from tokenizers import pre_tokenizers

    return [pre_tokenizers.WhitespaceSplit()]


def _xlm_roberta(words: Words, settings: TokenizerSettings, special: Special) -> Tokenizer:
    return _unigram(words, 3, _compiled(words), _apart(), _spaced(settings))


def _camembert(words: Words, settings: TokenizerSettings, special: Special) -> Tokenizer:
    unknown = token_text(special["unk_token"])
    number = next((at for at, (piece, _) in enumerate(words.pieces) if piece == unknown), 0)
    return _unigram(words, number, _compiled(words), _apart(), _spaced(settings))


def _t5(words: Words, settings: TokenizerSettings, special: Special) -> Tokenizer:
    return _unigram(words, 2, _compiled(words), _apart(), "always")


def _albert(words: Words, settings: TokenizerSettings, special: Special) -> Tokenizer:
    from tokenizers import normalizers

    steps: list[Any] = [normalizers.Replace("``", '"'), normalizers.Replace("''", '"')]
    if not settings.flag("keep_accents", False):
        steps += [normalizers.NFKD(), normalizers.StripAccents()]
    steps += [normalizers.Lowercase()] if settings.flag("do_lower_case", True) else []
    steps += [normalizers.Precompiled(words.characters)] if words.characters else []
    return _unigram(words, 1, normalizers.Sequence(steps), _apart(), _spaced(settings))


def _deberta_v2(words: Words, settings: TokenizerSettings, special: Special) -> Tokenizer:
    from tokenizers import Regex, normalizers, pre_tokenizers

    piece = (token_text(special["unk_token"]), 0.0)
    said = settings.number("unk_id") if words.unknown is None else words.unknown
    unknown = words.pieces.index(piece) if piece in words.pieces else 1 if said is None else said
    steps: list[Any] = [normalizers.Lowercase()] if settings.flag("do_lower_case", False) else []
    steps += [normalizers.Replace(Regex(r"\s{2,}|[\n\r\t]"), " "), normalizers.NFC(), normalizers.Strip(left=False)]
    apart = [pre_tokenizers.Punctuation("isolated")] if settings.flag("split_by_punct", False) else []
    scheme = "always" if settings.flag("add_prefix_space", True) else "first"
    return _unigram(words, unknown, normalizers.Sequence(steps), apart, scheme)


def _template(tokenizer: Tokenizer, one: str, two: str, tokens: Mapping[str, Any]) -> None:
    """Put tokens around a text; `one` and `two` say where, by what each is for: `cls $A sep`."""
    from tokenizers import processors

    names = {word: token_text(token) for word, token in tokens.items()}
    ids = [(text, _id(tokenizer, text)) for text in dict.fromkeys(names.values())]
    single, pair = ([_place(names, part) for part in template.split()] for template in (one, two))
    tokenizer.post_processor = processors.TemplateProcessing(single=single, pair=pair, special_tokens=ids)  # type: ignore[assignment,call-arg]


def _place(names: Mapping[str, str], part: str) -> str:
    word, colon, segment = part.partition(":")
    return names.get(word, word) + (colon + segment or ":0")


def _id(tokenizer: Tokenizer, text: str) -> int:
    number = tokenizer.token_to_id(text)
    if number is None:
        raise ValueError(f"its vocabulary has no {text!r}, which goes around a text")
    return number


def _two_segments(tokenizer: Tokenizer, settings: TokenizerSettings, special: Special) -> None:
    tokens = {"cls": special["cls_token"], "sep": special["sep_token"]}
    _template(tokenizer, "cls $A sep", "cls $A sep $B:1 sep:1", tokens)


def _albert_ends(tokenizer: Tokenizer, settings: TokenizerSettings, special: Special) -> None:
    _template(tokenizer, "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", {"[CLS]": "[CLS]", "[SEP]": "[SEP]"})


def _one_segment(first: str, last: str) -> Callable[[Tokenizer, TokenizerSettings, Special], None]:
    """Two of `last` between the texts of a pair, and all of it one segment."""

    def around(tokenizer: Tokenizer, settings: TokenizerSettings, special: Special) -> None:
        tokens = {"first": special[first], "last": special[last]}
        _template(tokenizer, "first $A last", "first $A last last $B last", tokens)

    return around


def _ended(tokenizer: Tokenizer, settings: TokenizerSettings, special: Special) -> None:
    _template(tokenizer, "$A </s>", "$A </s> $B </s>", {"</s>": "</s>"})


def _byte_ends(first: str, last: str, spaces: bool | None) -> Callable[[Tokenizer, TokenizerSettings, Special], None]:
    """RoBERTa's way: two of `last` between the texts of a pair; `spaces` None leaves them to the settings."""

    def around(tokenizer: Tokenizer, settings: TokenizerSettings, special: Special) -> None:
        from tokenizers import processors

        begin, end = (token_text(special[name]) for name in (first, last))
        trim = settings.flag("trim_offsets", True) if spaces is None else spaces
        spaced = settings.flag("add_prefix_space", False) if spaces is None else False
        tokenizer.post_processor = processors.RobertaProcessing(  # type: ignore[assignment]
            (end, _id(tokenizer, end)), (begin, _id(tokenizer, begin)), trim_offsets=trim, add_prefix_space=spaced
        )

    return around


_PIECES = "sentencepiece.bpe.model"
ANY_PIECES = "tokenizer.model"  # what the file of any SentencePiece model may be called
_BERT = Kind("WordPiece", ("vocab.txt",), BRACKETS, _bert, _two_segments, segments=True)
_BRACKETED = BRACKETS | {"bos_token": "[CLS]", "eos_token": "[SEP]"}
_CLIP_ENDS = dict.fromkeys(("eos_token", "unk_token", "pad_token"), "<|endoftext|>") | {"bos_token": "<|startoftext|>"}
KINDS: Mapping[str, Kind] = {
    "BertTokenizer": _BERT,
    "DistilBertTokenizer": Kind("WordPiece", ("vocab.txt",), BRACKETS, _bert, _two_segments),
    "MPNetTokenizer": Kind(
        "WordPiece", ("vocab.txt",), {**ENDS, "unk_token": "[UNK]"}, _bert, _byte_ends("cls_token", "sep_token", True),
        spaced=("mask_token",), plain=True,
    ),
    "RobertaTokenizer": Kind(
        "BPE", ("vocab.json", "merges.txt"), ENDS, _roberta, _byte_ends("cls_token", "sep_token", None)
    ),
    "CLIPTokenizer": Kind(
        "BPE", ("vocab.json", "merges.txt"), _CLIP_ENDS, _clip, _byte_ends("bos_token", "eos_token", False)
    ),
    "XLMRobertaTokenizer": Kind("Unigram", (_PIECES,), ENDS, _xlm_roberta, _one_segment("bos_token", "eos_token")),
    "CamembertTokenizer": Kind(
        "Unigram", (_PIECES,), ENDS, _camembert, _one_segment("bos_token", "eos_token"), spaced=("mask_token",)
    ),
    "AlbertTokenizer": Kind(
        "Unigram", ("spiece.model",),
        _BRACKETED | {"unk_token": "<unk>", "pad_token": "<pad>"},
        _albert, _albert_ends, keeps_end=True,
    ),
    "DebertaTokenizer": Kind(
        "BPE", ("vocab.json", "merges.txt"), _BRACKETED, _roberta, _one_segment("cls_token", "sep_token"), segments=True
    ),
    "DebertaV2Tokenizer": Kind(
        "Unigram", ("spm.model",), _BRACKETED, _deberta_v2, _two_segments,
        segments=True,
    ),
    "T5Tokenizer": Kind(
        "Unigram", ("spiece.model",), {name: ENDS[name] for name in ("eos_token", "unk_token", "pad_token")}, _t5, _ended
    ),
}  # fmt: skip
# Other names of the same classes.
SAME = {
    **dict.fromkeys(
        ("ElectraTokenizer", "MobileBertTokenizer", "ConvBertTokenizer", "SqueezeBertTokenizer", "LayoutLMTokenizer"),
        "BertTokenizer",
    ),
    **dict.fromkeys(("BartTokenizer", "LongformerTokenizer"), "RobertaTokenizer"),
}  # fmt: skip
