"""Calls of the tokenizers library whose stubs leave types unsaid, with the types that they have."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# Here alone: what the library does not say of these is said below, and everyone else asks for them here.

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from tokenizers import AddedToken, Tokenizer


def add_tokens(tokenizer: Tokenizer, tokens: Sequence[AddedToken]) -> None:
    """Add tokens to the vocabulary, as each of them says."""
    tokenizer.add_tokens(list(tokens))


def add_special_tokens(tokenizer: Tokenizer, tokens: Sequence[AddedToken]) -> None:
    """Add tokens, each as a special one."""
    tokenizer.add_special_tokens(list(tokens))


def padding_of(tokenizer: Tokenizer) -> dict[str, Any] | None:
    """How it pads, `pad_token` among the rest; None where it does not."""
    return tokenizer.padding


def cut_to(tokenizer: Tokenizer, most: int, side: Literal["left", "right"]) -> None:
    """Have it cut what is longer, at this side; special tokens count."""
    tokenizer.enable_truncation(most, direction=side)
