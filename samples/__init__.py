"""The bundled sample: a small masked-language-model encoder (see README.md beside this file)."""

from pathlib import Path

ENCODER = Path(__file__).parent / "encoder"
