"""Checks that know what is right: the mask followed from the tokenizer to the softmax, and padding that must not matter."""

from .findings import Checked, Finding, write_checked
from .masks import check_masks
from .padding import check_padding

__all__ = ["Checked", "Finding", "check_masks", "check_padding", "write_checked"]
