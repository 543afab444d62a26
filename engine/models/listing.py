"""Which models can be opened without asking anybody: the bundled ones, and what the local Hub cache holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..messages.errors import InputError
from ..messages.visible import visible
from .families import FAMILIES
from .files import read_object
from .hub import BUNDLED, BUNDLED_WORDS, SAMPLES
from .presets import PREFIX, PRESETS


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A model that is at hand.

    Attributes:
        name: as `--model` takes it.
        model_type: what its config.json says; "" where it has none.
        bytes: on disk.
        lacks: why it cannot be opened, in a few words; "" where it can.
    """

    name: str
    model_type: str
    bytes: int
    lacks: str = ""


def bundled() -> Iterator[ListedModel]:
    """The models that come with the package."""
    names = {"bundled (when no --model is given)": BUNDLED} | {name: SAMPLES / name for name in BUNDLED_WORDS}
    for name, directory in names.items():
        yield ListedModel(name, _model_type(directory), sum(path.stat().st_size for path in directory.iterdir()))


def cached() -> Iterator[ListedModel]:
    """The models in the local Hub cache, by name; each in its newest revision."""
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        cache = scan_cache_dir()
    except CacheNotFound:
        return
    for repo in sorted(cache.repos, key=lambda repo: repo.repo_id):
        if repo.repo_type != "model" or not repo.revisions:
            continue
        newest = max(repo.revisions, key=lambda revision: revision.last_modified)
        yield ListedModel(
            repo.repo_id, _model_type(newest.snapshot_path), repo.size_on_disk, _lacks(newest.snapshot_path)
        )


def _model_type(directory: Path) -> str:
    try:
        return str(read_object(directory / "config.json").get("model_type", ""))
    except InputError:
        return ""


def _lacks(directory: Path) -> str:
    model_type = _model_type(directory)
    if not (directory / "config.json").is_file():
        return "no config.json"
    if model_type not in FAMILIES:
        return f"family {model_type!r} is not known" if model_type else "config.json names no model_type"
    return "" if any(path.suffix in (".safetensors", ".bin") for path in directory.iterdir()) else "no weights"


def write_models() -> str:
    """What `--list-models` prints: the bundled models, the Hub cache, the families."""
    lines = ["bundled", *map(_line, bundled()), "", "in the local Hub cache"]
    lines += [_line(model) for model in cached()] or ["  nothing yet; --model org/name downloads a model once"]
    lines += ["", "presets: published sizes, not trained"]
    lines += [f"  {PREFIX + name:<48} {made.about}" for name, made in PRESETS.items()]
    lines += ["", "families (model_type in config.json)"]
    by_module: dict[str, list[str]] = {}
    for model_type, module in FAMILIES.items():
        by_module.setdefault(module, []).append(model_type)
    lines += [f"  {', '.join(types)}" for types in by_module.values()]
    return "\n".join(lines)


def _line(model: ListedModel) -> str:
    lacks = f"  (cannot be opened: {model.lacks})" if model.lacks else ""
    return f"  {visible(model.name):<48} {visible(model.model_type):<16} {model.bytes / 1e6:>8.1f} MB{lacks}"
