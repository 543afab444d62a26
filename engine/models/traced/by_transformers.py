"""A checkpoint opened by transformers itself, for architectures that are no family here; nothing in the directory is run."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from torch import nn

from ...messages.errors import InputError, one_line

FEW = 3
FLASH = "flash"
# Ways to attend, as one asks for them -> as transformers calls them.
ATTENTION = {"sdpa": "sdpa", "eager": "eager", FLASH: "flash_attention_2"}


def implementation(attention: str) -> str:
    """As transformers calls a way to attend: `flash` is torch's own fused attention where the package flash-attn is not, as on a CPU."""
    if attention == FLASH and not has_flash_attention():
        return ATTENTION["sdpa"]
    return ATTENTION[attention]


def has_flash_attention() -> bool:
    """Whether transformers can take the package flash-attn here."""
    try:
        from transformers import utils
    except ImportError:
        return False
    return bool(cast(Any, utils).is_flash_attn_2_available())


def transformers_module(directory: Path, attention: str = "") -> tuple[nn.Module, list[str]]:
    """The model in a directory as `transformers.AutoModel` makes it, in eval mode, and what is to be said of it.

    Args:
        attention: one of `ATTENTION`; "" for its own choice.

    Raises:
        InputError: transformers is not installed, or cannot open it.
    """
    try:
        import transformers
    except ImportError:
        raise InputError("--via transformers needs transformers: pip install transformers") from None
    automatic: Any = transformers.AutoModel
    more = {"attn_implementation": implementation(attention)} if attention else {}
    try:
        with _quiet(transformers.utils.logging):
            module, loaded = automatic.from_pretrained(
                str(directory), local_files_only=True, trust_remote_code=False, output_loading_info=True, **more
            )
    except Exception as error:  # whatever transformers raises of a directory
        said = f"no {one_line(error)} in one of its files" if isinstance(error, KeyError) else one_line(error)
        raise InputError(f"transformers cannot open {directory}: {said}") from None
    return module.eval(), _told(sorted(loaded["missing_keys"]))


def attending(module: nn.Module, attention: str) -> nn.Module:
    """A module of transformers with another way to attend.

    Raises:
        InputError: it is none of transformers', or cannot attend so.
    """
    choose: Any = getattr(module, "set_attn_implementation", None)
    if choose is None:
        raise InputError(f"{type(module).__name__} is no model of transformers, which alone can be told how to attend")
    try:
        choose(implementation(attention))
    except Exception as error:  # whatever transformers raises
        raise InputError(
            f"{type(module).__name__} cannot attend by {implementation(attention)}: {one_line(error)}"
        ) from None
    return module


def _told(missing: Sequence[str]) -> list[str]:
    """That weights were drawn, whose numbers would look like the model's."""
    if not missing:
        return []
    shown = ", ".join(missing[:FEW]) + (f", ... ({len(missing)} in all)" if len(missing) > FEW else "")
    return [f"drawn at random by transformers, as the checkpoint lacks them: {shown}"]


@contextmanager
def _quiet(logging: Any) -> Generator[None]:
    """No bar and no report of transformers: what is to be said of the weights is said here."""
    verbosity, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bar:
            logging.enable_progress_bar()
