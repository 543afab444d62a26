"""What the files beside a tokenizer say of it: tokenizer_config.json, special_tokens_map.json, added_tokens.json.

They are brought together as transformers 5 does it (`PreTrainedTokenizerBase._from_pretrained`): what a later file says
of a special token wins, unless tokenizer_config.json lists `added_tokens_decoder`; then it alone counts. Every key is
read, or known to change no id, or told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....messages.errors import InputError
from ....program.json_values import is_list, is_object
from ...config_keys import Harmless, unread
from ...files import read_object

if TYPE_CHECKING:
    from tokenizers import AddedToken

CONFIG, SPECIAL, ADDED, WHOLE = (
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "tokenizer.json",
)
NAMED = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
FLAGS = (
    "do_lower_case",
    "tokenize_chinese_chars",
    "keep_accents",
    "split_by_punct",
    "add_prefix_space",
    "trim_offsets",
)
SIDES = ("left", "right")

READ = {
    *NAMED, *FLAGS, "strip_accents", "tokenizer_class", "additional_special_tokens", "extra_special_tokens",
    "model_specific_special_tokens", "added_tokens_decoder", "padding_side", "truncation_side", "model_max_length",
    "max_len", "model_input_names", "split_special_tokens", "unk_id", "extra_ids", "add_bos_token", "add_eos_token",
    "auto_map",
}  # fmt: skip
HARMLESS: Harmless = {
    "no chat is written here": ("chat_template", "response_template", "response_schema", "chat_control_tokens"),
    "it is of turning ids back into text": (
        "clean_up_tokenization_spaces", "errors", "spaces_between_special_tokens", "decode_with_prefix_space",
        "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output",
    ),
    "it counts only in a call that asks for it": (
        "max_length", "truncation", "truncation_strategy", "stride", "padding", "pad_to_multiple_of",
        "pad_token_type_id", "return_token_type_ids",
    ),
    "transformers 5 passes it by": (
        "do_basic_tokenize", "never_split", "wordpieces_prefix", "legacy", "sp_model_kwargs", "remove_space", "vocab_type",
        "use_fast", "from_slow", "vocab_size", "init_inputs", "verbose", "clean_text",
    ),
    "it says where the files came from": (
        "name_or_path", "special_tokens_map_file", "tokenizer_file", "full_tokenizer_file", "vocab_file", "merges_file",
        "files_loaded", "is_local", "local_files_only", "backend", "processor_class", "transformers_version", "device_map",
        "tokenizer_type",
    ),
}  # fmt: skip


@dataclass(slots=True)
class TokenizerSettings:
    """What is said of a tokenizer besides its vocabulary.

    Attributes:
        directory: where the files are.
        kind: `tokenizer_class` without `Fast`; "" where tokenizer_config.json is silent.
        values: the flags and sizes of tokenizer_config.json, as they stand.
        special: text of each special token by what it is for: `pad_token`, then those of the model's own.
        added: tokens besides the vocabulary, by id.
        extra: more special tokens; None where nothing is said of them.
        notes: keys that are not known, a sentence each.
    """

    directory: Path
    kind: str = ""
    values: dict[str, Any] = field(default_factory=dict[str, Any])
    special: dict[str, Any] = field(default_factory=dict[str, Any])
    added: dict[int, AddedToken] = field(default_factory=dict[int, "AddedToken"])
    extra: list[Any] | None = None
    notes: list[str] = field(default_factory=list[str])

    @property
    def where(self) -> Path:
        """The file, for messages."""
        return self.directory / CONFIG

    def flag(self, name: str, default: bool) -> bool:
        """True or false.

        Raises:
            InputError: something else.
        """
        value = self.values.get(name, default)
        if not isinstance(value, bool):
            raise InputError(f"{self.where}: {name} is {value!r}, and must be true or false")
        return value

    def choice(self, name: str) -> bool | None:
        """True, false, or null, which is also what silence means."""
        return None if self.values.get(name) is None else self.flag(name, False)

    def number(self, name: str) -> int | None:
        """A whole number of 0 or more; None where there is none, or one so large that it means none (1e30)."""
        value = self.values.get(name)
        if value is None or (isinstance(value, int | float) and not isinstance(value, bool) and value > 10**9):
            return None
        if not isinstance(value, int | float) or isinstance(value, bool) or value < 0 or value != int(value):
            raise InputError(f"{self.where}: {name} is {value!r}, and must be a whole number of 0 or more")
        return int(value)

    def side(self, name: str) -> str | None:
        """`left` or `right`; None where nothing is said."""
        value = self.values.get(name)
        if value is not None and value not in SIDES:
            raise InputError(f"{self.where}: {name} is {value!r}, and must be 'left' or 'right'")
        return value


def read_settings(directory: Path, added: list[Any]) -> TokenizerSettings:
    """Bring the files of a directory together.

    Args:
        added: what its tokenizer.json adds to the vocabulary.

    Raises:
        InputError: one that cannot be read, or a value that is none.
    """
    given = read_object(directory / CONFIG)
    settings = TokenizerSettings(directory, notes=_unknown(given))
    kind = given.get("tokenizer_class")
    if kind is not None and not isinstance(kind, str):
        raise InputError(f"{settings.where}: tokenizer_class is {kind!r}, and must be the name of a class")
    settings.kind = (kind or "").removesuffix("Fast")
    if given.get("auto_map"):
        settings.notes.append(f"{CONFIG}: auto_map names code of its own for this tokenizer, which is not run")
    if "additional_special_tokens" in given and not given.get("extra_special_tokens"):
        given["extra_special_tokens"] = given.pop("additional_special_tokens")
    decoder = given.pop("added_tokens_decoder", None)
    if decoder is None:
        _legacy(settings, given, added)
    else:
        settings.added = {
            _id(settings.where, number): token(written, settings.where) for number, written in decoder.items()
        }
    by_text = {str(one.content): one for one in settings.added.values()}
    _named(settings, given)
    settings.special = {
        name: by_text.get(_text(one), one) if name in NAMED else one for name, one in settings.special.items()
    }
    settings.values = given
    return settings


def token(written: Any, where: Path, special: bool | None = None) -> AddedToken:
    """A token as these files write it: its text, or an object with that and what it takes along.

    Raises:
        InputError: neither.
    """
    from tokenizers import AddedToken

    if isinstance(written, AddedToken):
        return written
    if isinstance(written, str):
        return AddedToken(written, special=bool(special))
    if not is_object(written) or not isinstance(written.get("content"), str):
        raise InputError(f"{where}: {str(written)[:60]!r} is no token; one is its text, or an object with `content`")
    flags = {
        name: written[name] for name in ("lstrip", "rstrip", "single_word", "normalized", "special") if name in written
    }
    if not all(isinstance(flag, bool) for flag in flags.values()):
        raise InputError(f"{where}: token {written['content']!r} has {flags}; each must be true or false")
    return AddedToken(written["content"], **(flags if special is None else flags | {"special": special}))


def _unknown(given: Mapping[str, Any]) -> list[str]:
    """What is told of unknown keys; a special token may be called anything that ends in `_token`."""
    return unread(CONFIG, (name for name, value in given.items() if not _names_token(name, value)), READ, HARMLESS)


def _names_token(name: str, value: Any) -> bool:
    return name.endswith("_token") and (value is None or _is_token(value))


def _legacy(settings: TokenizerSettings, given: dict[str, Any], added: list[Any]) -> None:
    """Before `added_tokens_decoder`: the map of special tokens, then added_tokens.json, then what tokenizer.json adds."""
    directory = settings.directory
    for name, written in read_object(directory / SPECIAL).items():
        if name == "additional_special_tokens":
            name = "extra_special_tokens"
        if name == "extra_special_tokens" and is_list(written):
            before = given.get(name)
            given[name] = [*(before if is_list(before) else []), *written]
        elif name == "extra_special_tokens" or _is_token(written):
            given[name] = (
                token(written, directory / SPECIAL, True) if is_object(written) and "content" in written else written
            )
        elif written is not None:
            settings.notes += unread(SPECIAL, (name,), ())
    words = {_text(given[name]) for name in NAMED if _is_token(given.get(name))}
    extra = given.get("extra_special_tokens") or ()
    words |= {_text(one) for one in (extra if is_list(extra) else extra.values() if is_object(extra) else ())}
    for text, number in read_object(directory / ADDED).items():
        special = text in words
        written = {"content": text, "normalized": not special, "special": special}
        settings.added[_id(directory / ADDED, number)] = token(written, directory / ADDED)
    for written in added:
        number = written.get("id") if is_object(written) else None
        settings.added[_id(directory / WHOLE, number)] = token(written, directory / WHOLE)


def _named(settings: TokenizerSettings, given: dict[str, Any]) -> None:
    """Take the tokens that have a purpose, and the special ones that have none, out of what is given."""
    own: dict[str, Any] = {}
    for name in [name for name, value in given.items() if name.endswith("_token") and _is_token(value)]:
        (settings.special if name in NAMED else own)[name] = _token_or_text(given.pop(name), settings.where)
    for name in NAMED:
        if given.get(name) is None:  # null: there is none
            given.pop(name, None)
            continue
        token(given[name], settings.where)  # which it is not: this says so
    extra = given.pop("extra_special_tokens", None)
    if extra is None:
        pass
    elif is_object(extra):
        own |= {name: _token_or_text(one, settings.where) for name, one in extra.items()}
    elif is_list(extra):
        settings.extra = [_token_or_text(one, settings.where) for one in extra]
    else:
        raise InputError(f"{settings.where}: extra_special_tokens is {extra!r}, and must be a list of tokens")
    of_model: dict[str, Any] = given.pop("model_specific_special_tokens", None) or {}
    own |= {name: _token_or_text(one, settings.where) for name, one in of_model.items()}
    settings.special = {name: settings.special[name] for name in NAMED if name in settings.special} | own


def _token_or_text(written: Any, where: Path) -> Any:
    """A plain text stays one: the class that takes it says what it strips."""
    return written if isinstance(written, str) else token(written, where)


def _is_token(value: Any) -> bool:
    from tokenizers import AddedToken

    return isinstance(value, str | AddedToken) or (is_object(value) and isinstance(value.get("content"), str))


def _text(one: Any) -> str:
    return str(one.get("content")) if is_object(one) else one if isinstance(one, str) else str(one.content)


def _id(where: Path, written: Any) -> int:
    if isinstance(written, str) and written.isdecimal() and len(written) < 10:
        written = int(written)
    if not isinstance(written, int) or isinstance(written, bool) or not 0 <= written < 10**9:
        raise InputError(f"{where}: an added token has the id {written!r}, and must have a whole number of 0 or more")
    return written
