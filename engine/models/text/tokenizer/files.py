"""From a directory to its tokenizer, chosen and put together as transformers 5's `AutoTokenizer` does it.

Which class is asked of `tokenizer_class` and the family. Some classes take a tokenizer.json as it stands; others (`KINDS`)
take the vocabulary out of it, or out of older files, and make the rest themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....messages.errors import InputError
from ...families.declarations import of_all_families
from ...files import regular
from .bounded import bounded, character_table, leaves, library_errors
from .kinds import ANY_PIECES, KINDS, SAME, Kind, Words, token_text
from .library_calls import add_tokens, padding_of
from .sentencepiece import byte_tokenizer, words_of_pieces
from .settings import WHOLE, TokenizerSettings, read_settings, token
from .tokenizer_json import STEPS, WholeTokenizer, states

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# Family -> its class in transformers 5; families that are not here take tokenizer.json as it stands.
REGISTERED: Mapping[str, str | None] = of_all_families("TOKENIZERS")
AS_IT_STANDS = ("TokenizersBackend", "PreTrainedTokenizer", "PythonBackend")
BYTES = "ByT5Tokenizer"
# Classes that transformers has in Python: what they do is in no file.
IN_PYTHON = (
    "BertJapaneseTokenizer", "BertweetTokenizer", "BertGenerationTokenizer", "BioGptTokenizer", "BartphoTokenizer",
    "CanineTokenizer", "CTRLTokenizer", "EsmTokenizer", "FlaubertTokenizer", "FSMTTokenizer", "GPTNeoXJapaneseTokenizer",
    "M2M100Tokenizer", "MarianTokenizer", "MLukeTokenizer", "MyT5Tokenizer", "PerceiverTokenizer", "PhobertTokenizer",
    "ProphetNetTokenizer", "RoCBertTokenizer", "SiglipTokenizer", "TapasTokenizer", "XLMTokenizer",
)  # fmt: skip
# Old files by whose name a class is known where nobody says one.
BY_FILE = {"vocab.txt": "BertTokenizer", "spm.model": "DebertaV2Tokenizer", "spiece.model": "T5Tokenizer"}
RESAVE = "have transformers write it: `AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR)`"


@dataclass(slots=True)
class Tokenization:
    """A tokenizer, with what its files say of how it is used.

    Attributes:
        tokenizer: of the `tokenizers` library.
        kind: its class in transformers; "" where tokenizer.json is read as it stands.
        padding: text of the padding token; None where none is named.
        unknown: text of the token for unknown words; None where there is none.
        masking: text of the token for a word that is to be guessed; None where there is none.
        pads_left, cuts_left: whether texts are padded, and cut, at their beginning.
        longest: `model_max_length`, which nothing but sentence-transformers enforces; None for no limit.
        segments: whether it gives segments.
        as_it_stands: tokenizer.json's own, where the class makes another of it.
        notes: what is not known of the files, a sentence each.
    """

    tokenizer: Tokenizer
    kind: str = ""
    padding: str | None = None
    unknown: str | None = None
    masking: str | None = None
    pads_left: bool = False
    cuts_left: bool = False
    longest: int | None = None
    segments: bool = False
    as_it_stands: Tokenizer | None = None
    notes: list[str] = field(default_factory=list[str])


def open_tokenizer(directory: Path, model_type: str = "", config_kind: Any = None) -> Tokenization:
    """The tokenizer of a checkpoint directory.

    Args:
        model_type: of its config.json.
        config_kind: the `tokenizer_class` of its config.json, which counts where tokenizer_config.json is silent.

    Raises:
        InputError: there is none, it cannot be read, or its class is not implemented.
    """
    whole = WholeTokenizer(directory / WHOLE) if regular(directory / WHOLE) else None
    settings = read_settings(directory, whole.added if whole is not None else [])
    with library_errors(f"cannot read the tokenizer in {directory}"):
        opened = _open(directory, settings, _kind(settings, model_type, config_kind), whole)
    opened.tokenizer = bounded(opened.tokenizer)
    if opened.as_it_stands is not None:
        opened.as_it_stands = bounded(opened.as_it_stands)
    return opened


def _kind(settings: TokenizerSettings, model_type: str, config_kind: Any) -> str:
    """The class that `AutoTokenizer` takes; "" for tokenizer.json as it stands.

    Raises:
        InputError: one that is not implemented, by its name.
    """
    said = settings.kind or (config_kind.removesuffix("Fast") if isinstance(config_kind, str) else "")
    registered = REGISTERED.get(model_type)
    if model_type in REGISTERED and registered is None and said != BYTES:
        return ""
    said = said or registered or ""
    kind = SAME.get(said, said)
    if kind in KINDS or kind == BYTES:
        return kind
    if kind in IN_PYTHON:
        raise InputError(
            f"{settings.directory}: tokenizer_class {said!r} is not implemented; give ids in place of a text (--ids)"
        )
    if kind and kind not in AS_IT_STANDS:
        if not regular(settings.directory / WHOLE):
            raise InputError(
                f"{settings.directory}: tokenizer_class {said!r} is not implemented without a {WHOLE}; {RESAVE}"
            )
        settings.notes.append(f"tokenizer_class {said!r} is not known here: {WHOLE} is read as it stands")
    return ""


def _open(directory: Path, settings: TokenizerSettings, kind: str, whole: WholeTokenizer | None) -> Tokenization:
    if kind == BYTES:
        made = Tokenization(byte_tokenizer(settings), BYTES, "<pad>", "<unk>")
        return _used(made, settings, None)
    if whole is None and not kind:
        kind = next((name for file, name in BY_FILE.items() if regular(directory / file)), "")
    if kind:
        words = _words(directory, whole, kind, settings)
        if words is not None:
            return _used(_made(kind, words, settings, whole), settings, whole)
    if whole is None:
        raise _nothing(directory)
    own, special = whole.as_it_stands(), dict(settings.special)
    padding = padding_of(own)
    if padding is not None:
        special.setdefault("pad_token", padding["pad_token"])
    if own.post_processor is None:
        _nothing_around(own)
    _add(own, settings, special, settings.extra or [])
    made = Tokenization(own, "", *_texts(special), notes=settings.notes)
    return _used(made, settings, whole)


def _made(kind: str, words: Words, settings: TokenizerSettings, whole: WholeTokenizer | None) -> Tokenization:
    """The tokenizer that a class makes of words."""
    how, own = KINDS[kind], whole.steps() if whole is not None else None
    special = how.named(settings)
    tokenizer = how.build(words, settings, special)
    extra = words.special if settings.extra is None else settings.extra
    _add(tokenizer, settings, special, extra)
    if how.keeps_end and own is not None and own.post_processor is not None:
        tokenizer.post_processor = own.post_processor
    else:
        how.around(tokenizer, settings, special)
    other = None
    if whole is not None and own is not None and (whole.model.get("byte_fallback") or states(own) != states(tokenizer)):
        other = _beside(whole, own, tokenizer)
    notes = [*settings.notes, *_not_in_vocabulary(tokenizer, settings, kind)]
    return Tokenization(tokenizer, kind, *_texts(special), segments=how.segments, as_it_stands=other, notes=notes)


def _beside(whole: WholeTokenizer, steps: Tokenizer, made: Tokenizer) -> Tokenizer:
    """A tokenizer.json as it stands, beside what a class makes of it: around the same words, where they are looked up alike."""
    from tokenizers import Tokenizer

    if whole.model.get("byte_fallback"):
        return whole.as_it_stands()
    other = Tokenizer(made.model)
    for name in STEPS:
        if getattr(steps, name) is not None:
            setattr(other, name, getattr(steps, name))
    add_tokens(other, [token(written, whole.path) for written in whole.added])
    return other


def _not_in_vocabulary(tokenizer: Tokenizer, settings: TokenizerSettings, kind: str) -> list[str]:
    """What is put around a text and had to be added, though no file adds it: the model may never have seen it."""
    there = tokenizer.get_vocab_size(with_added_tokens=False)
    said = {token.content for token in settings.added.values()}
    around = tokenizer.encode("")
    new = [word for word, number in zip(around.tokens, around.ids, strict=True) if number >= there and word not in said]
    return [
        f"the vocabulary has no {word}, which {kind} puts around a text: it is added" for word in dict.fromkeys(new)
    ]


def _used(made: Tokenization, settings: TokenizerSettings, whole: WholeTokenizer | None) -> Tokenization:
    """With the sides, the limit, and what goes in; the lengths in tokenizer.json count for nothing: a call says those."""
    padding, cut = (
        "" if whole is None else str(whole.said_of(part).get("direction")).lower() for part in ("padding", "truncation")
    )
    made.pads_left = (settings.side("padding_side") or padding) == "left"
    made.cuts_left = (settings.side("truncation_side") or cut) == "left"
    made.longest = settings.number("model_max_length" if "model_max_length" in settings.values else "max_len")
    names = settings.values.get("model_input_names")
    if names is not None:
        if not isinstance(names, list):
            raise InputError(f"{settings.where}: model_input_names is {names!r}, and must be a list of names")
        made.segments = "token_type_ids" in names
    made.tokenizer.encode_special_tokens = settings.flag("split_special_tokens", False)
    for tokenizer in (made.tokenizer, made.as_it_stands):
        if tokenizer is not None:
            tokenizer.no_padding()
            tokenizer.no_truncation()
    return made


def _add(tokenizer: Tokenizer, settings: TokenizerSettings, special: Mapping[str, Any], extra: list[Any]) -> None:
    """Add what the files add, then the special tokens that are not among them (`TokenizersBackend.__init__`)."""
    from tokenizers import AddedToken

    named = {token_text(one) for one in special.values()}
    tokens: list[Any] = [token for _, token in sorted(settings.added.items())]
    there = {token.content for token in tokenizer.get_added_tokens_decoder().values()} | set(map(token_text, tokens))
    for one in (*special.values(), *extra):
        if token_text(one) not in there and one not in tokens:
            tokens.append(one)
    made: list[AddedToken] = []
    for one in tokens:
        token = AddedToken(one, special=True) if isinstance(one, str) else one
        if not token.special and token.content in named:
            token.special = True
        made.append(token)
    add_tokens(tokenizer, made)


def _words(directory: Path, whole: WholeTokenizer | None, kind: str, settings: TokenizerSettings) -> Words | None:
    """The vocabulary that a class takes; None where tokenizer.json holds another model, which is then read as it stands.

    Raises:
        InputError: none of its files is there.
    """
    how = KINDS[kind]
    if whole is not None:
        return _of_whole(whole, how, kind, settings)
    files = [directory / name for name in how.files]
    if not all(map(regular, files)):
        if how.model != "Unigram" or not regular(directory / ANY_PIECES):
            raise _nothing(directory, kind)
        files = [directory / ANY_PIECES]
    if how.model == "Unigram":
        return words_of_pieces(files[0], kind, settings)
    from tokenizers import models

    if how.model == "WordPiece":
        return Words(models.WordPiece.read_file(str(files[0])))
    ids, merges = models.BPE.read_file(*map(str, files))
    return Words(ids, merges)


def _of_whole(whole: WholeTokenizer, how: Kind, kind: str, settings: TokenizerSettings) -> Words | None:
    """The vocabulary of a tokenizer.json."""
    if (how.model == "Unigram") != isinstance(whole.model.get("vocab"), list):
        settings.notes.append(
            f"{WHOLE} has a model of type {whole.model.get('type')!r}, not the {how.model} of {kind}: it is read as it stands"
        )
        return None
    if how.model == "Unigram":
        tables = [
            step for step in leaves(whole.values.get("normalizer"), "normalizers") if step.get("type") == "Precompiled"
        ]
        characters = character_table(tables[0]) if tables else b""
        return Words(pieces=whole.pieces, characters=characters, special=_sentinels(kind, settings))
    return Words(whole.words, whole.merges)


def _sentinels(kind: str, settings: TokenizerSettings) -> list[str]:
    """T5's `<extra_id_0>`, ..., which are special tokens."""
    from .sentencepiece import EXTRA_IDS

    count = settings.number("extra_ids")
    return (
        [f"<extra_id_{number}>" for number in range(EXTRA_IDS if count is None else count)]
        if kind == "T5Tokenizer"
        else []
    )


def _nothing_around(tokenizer: Tokenizer) -> None:
    from tokenizers import processors

    tokenizer.post_processor = processors.TemplateProcessing(single="$A:0", pair="$A:0 $B:1", special_tokens=[])  # type: ignore[assignment,call-arg]


def _texts(special: Mapping[str, Any]) -> tuple[str | None, str | None, str | None]:
    """Text of the padding token, of that for unknown words, and of that for words to be guessed."""
    padding, unknown, masking = (special.get(name) for name in ("pad_token", "unk_token", "mask_token"))
    return (
        None if padding is None else token_text(padding),
        None if unknown is None else token_text(unknown),
        None if masking is None else token_text(masking),
    )


def _nothing(directory: Path, kind: str = "") -> InputError:
    """What to say where none of a class's files is there; those of another class are named."""
    files = " and ".join(KINDS[kind].files) if kind else "vocab.txt"
    others = [
        path.name
        for path in sorted((directory / name) for name in ("vocab.txt", "vocab.json", "merges.txt"))
        if regular(path)
    ]
    others += [path.name for path in sorted(directory.glob("*.model"))]
    if others:
        of = f"{kind} is read from {files}" if kind else "no tokenizer_class says how it is read"
        return InputError(f"no {WHOLE} in {directory}, and of {', '.join(others)}: {of}; {RESAVE}")
    return InputError(
        f"no tokenizer in {directory}: {WHOLE} or {files} is needed; without one, give ids in place of a text (--ids)"
    )
