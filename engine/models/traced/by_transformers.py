"""A checkpoint opened by transformers itself, for architectures that are no family here; nothing in the directory is run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from ...messages.errors import InputError, one_line


def transformers_module(directory: Path) -> nn.Module:
    """The model in a directory as `transformers.AutoModel` makes it, in eval mode.

    Raises:
        InputError: transformers is not installed, or cannot open it.
    """
    try:
        import transformers
    except ImportError:
        raise InputError("--via transformers needs transformers: pip install transformers") from None
    automatic: Any = transformers.AutoModel
    try:
        return automatic.from_pretrained(str(directory), local_files_only=True, trust_remote_code=False).eval()
    except Exception as error:  # whatever transformers raises of a directory
        raise InputError(f"transformers cannot open {directory}: {one_line(error)}") from None
