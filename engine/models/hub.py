"""Where a model is: bundled, in a directory, or on the Hugging Face Hub."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..messages.errors import InputError, nearest, one_line
from .folders import ADAPTER, OPEN_CLIP, PIPELINE
from .images.processor import PROCESSORS
from .sentence_transformers import LISTED, ROOT, SETTINGS
from .text.tokenizer.kinds import ANY_PIECES, KINDS
from .text.tokenizer.settings import ADDED, CONFIG, SPECIAL, WHOLE

SAMPLES = Path(__file__).parents[2] / "samples"
BUNDLED = SAMPLES / "encoder"
# What comes with the program, by the name it is loaded by; `bundled:NAME` means it whatever lies in the current directory.
BUNDLED_WORDS = ("cbow", "skipgram")
PREFIX = "bundled:"
# What a model's directory is asked for, in itself and in the folders of sentence-transformers' modules (`0_Transformer`, `1_Pooling`). Each
# of these files changes numbers or says why there are none: one that was left behind would be passed by without a word.
FILES = (
    "config.json", *(WHOLE, CONFIG, SPECIAL, ADDED), *sorted({name for kind in KINDS.values() for name in kind.files}), ANY_PIECES,
    *PROCESSORS, *SETTINGS, ADAPTER,
)  # fmt: skip
FOLDERS = "[0-9]_*"
NEEDED = (LISTED, ROOT, OPEN_CLIP, PIPELINE, *FILES, *(f"{FOLDERS}/{name}" for name in FILES))
WEIGHTS = tuple(
    folder + name
    for folder in ("", f"{FOLDERS}/")
    for name in ("model.safetensors", "model-*.safetensors", "model.safetensors.index.json")
)
# Only where a repository has no safetensors.
OLD_WEIGHTS = tuple(
    folder + name
    for folder in ("", f"{FOLDERS}/")
    for name in ("pytorch_model.bin", "pytorch_model-*.bin", "pytorch_model.bin.index.json")
)
BAR = 20


def locate(model: str | Path | None, say: Callable[[str], None]) -> tuple[str, Path]:
    """A model's name for people and its directory, downloaded first if it is a Hub id.

    Raises:
        InputError: neither a directory nor a Hub id, or a download that failed.
    """
    if model is None:
        return "bundled", BUNDLED
    if str(model) in BUNDLED_WORDS or str(model).startswith(PREFIX):
        return _bundled(str(model))
    path = Path(os.path.expanduser(model))
    if os.path.isdir(path):  # unlike Path.is_dir it says no, rather than raising, to a name too long for a file
        whole = path.resolve()
        return whole.name if whole.name not in ("model", "checkpoint", "encoder") else "/".join(whole.parts[-2:]), path
    if os.path.exists(path):
        raise InputError(f"model {str(model)!r} is a file; give the directory it is in")
    text = str(model)
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?(@[\w./-]+)?", text) or text.startswith("."):
        raise InputError(f"no model directory {text!r}; give a directory, or a Hub id such as org/name")
    return text, _download(text, say)


def _bundled(model: str) -> tuple[str, Path]:
    """A model that comes with the program; a directory of its name that is not it has to be told from it.

    Raises:
        InputError: no such model, or a directory of that name lies here.
    """
    name = model.removeprefix(PREFIX)
    known = (BUNDLED.name, *BUNDLED_WORDS)
    if name not in known:
        raise InputError(f"no bundled model {name!r}{nearest(name, known)}; there are {', '.join(known)}")
    if name == model and os.path.isdir(name) and not os.path.samefile(name, SAMPLES / name):
        raise InputError(
            f"{name!r} is a bundled model and a directory here; write ./{name} for the directory, {PREFIX}{name} for the model"
        )
    return name if name in BUNDLED_WORDS else "bundled", SAMPLES / name


def _download(model: str, say: Callable[[str], None]) -> Path:
    from huggingface_hub import errors
    from huggingface_hub.utils.logging import set_verbosity

    set_verbosity(logging.CRITICAL)  # what goes wrong is said here, once
    name, _, revision = model.partition("@")
    say(f"looking for {model} on the Hub")
    try:
        directory = _fetch(name, revision, (*NEEDED, *WEIGHTS), say)
        if not any(directory.rglob("*.safetensors")):
            directory = _fetch(name, revision, OLD_WEIGHTS, say)
    except errors.GatedRepoError:
        raise InputError(f"model {name!r} is gated: ask for access on its page, then `hf auth login`") from None
    except errors.RepositoryNotFoundError:
        raise InputError(
            f"no model {name!r}: no such directory here, and the Hub has none (or it is private: `hf auth login`)"
        ) from None
    except errors.RevisionNotFoundError:
        raise InputError(f"model {name!r} has no revision {revision!r}") from None
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled):
        where = "HF_HUB_OFFLINE is set" if os.environ.get("HF_HUB_OFFLINE") else "the Hub cannot be reached"
        raise InputError(f"model {model!r} is no directory here and not in the local Hub cache, and {where}") from None
    except errors.HFValidationError as error:
        raise InputError(f"model {model!r} is no directory here and not a Hub id ({one_line(error)})") from None
    except Exception as error:  # network failures come in many classes
        raise InputError(f"download of {model!r} failed: {one_line(error)}; try again, or give a directory") from None
    return directory


def _fetch(name: str, revision: str, patterns: Sequence[str], say: Callable[[str], None]) -> Path:
    """A repository's files of these patterns, from the local cache or downloaded into it; its directory."""
    from huggingface_hub import snapshot_download  # pyright: ignore[reportUnknownVariableType] # its user_agent is a bare dict

    directory = snapshot_download(
        name, revision=revision or None, allow_patterns=list(patterns), tqdm_class=_progress(say)
    )
    return Path(directory)


def _progress(say: Callable[[str], None]) -> Any:
    """A tqdm bar that tells `say` instead of drawing."""
    from tqdm.auto import tqdm

    class Told(tqdm):  # type: ignore[type-arg]
        def __init__(self, *args: Any, **options: Any) -> None:
            options.pop("name", None)
            options["file"] = open(os.devnull, "w")  # noqa: SIM115 - closed with the bar
            options["disable"] = False
            super().__init__(*args, **options)  # pyright: ignore[reportUnknownMemberType] # a bare tqdm, of anything

        def display(self, *args: Any, **options: Any) -> None:
            if self.unit == "B" and self.total:
                done = round(BAR * min(1.0, self.n / self.total))
                bar = "━" * done + "─" * (BAR - done)
                say(f"downloading {bar} {self.n / 1e6:.0f} of {self.total / 1e6:.0f} MB")

        def close(self) -> None:
            super().close()
            if not self.fp.closed:
                self.fp.close()

    return Told
