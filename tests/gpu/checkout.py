"""Makes the checkout importable where nothing of it is installed: the machine with the GPU may have torch and little else."""

from __future__ import annotations

import importlib
import os
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from family_kit import Sample

ROOT = Path(__file__).parent.parent.parent
PACKAGE = "encoder_tui"


class Anything:
    """What hypothesis would be, where it is not installed: families describe random configs with it, and none is drawn here."""

    def __call__(self, *given: Any, **named: Any) -> Any:
        return self

    def __getitem__(self, item: Any) -> Any:
        return self

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self


def use() -> None:
    """Have `encoder_tui` mean the folders of this checkout, and the tests' own modules found."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    if PACKAGE not in sys.modules:
        package = ModuleType(PACKAGE)
        package.__path__ = [str(ROOT)]
        sys.modules[PACKAGE] = package
    sys.path.insert(0, str(ROOT / "tests" / "engine"))
    try:
        importlib.import_module("hypothesis")
    except ImportError:
        stand_in = ModuleType("hypothesis")
        stand_in.__spec__ = ModuleSpec("hypothesis", None)  # torch looks for it
        stand_in.strategies = Anything()  # type: ignore[attr-defined]
        sys.modules["hypothesis"] = stand_in


def family_samples() -> tuple[list[Sample], dict[str, str]]:
    """Every family this transformers has, and for each file with one it has not, why."""
    known: list[Sample] = []
    missing: dict[str, str] = {}
    for path in sorted((ROOT / "tests" / "engine").glob("family_*.py")):
        try:
            module = importlib.import_module(path.stem)
        except ImportError as error:
            missing[path.stem] = str(error)
            continue
        known += getattr(module, "SAMPLES", [])
        known += [module.SAMPLE] if hasattr(module, "SAMPLE") else []
    return known, missing
