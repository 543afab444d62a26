"""Seeds of random numbers that belong to a name, so that one stage's or weight's do not depend on another's."""

from __future__ import annotations

import hashlib

BYTES = 7  # a seed of torch is a signed 64-bit number


def seed_of(number: int, name: str) -> int:
    """The seed for a name under a seed that a person chose: the same on every machine and in every process."""
    return int.from_bytes(hashlib.sha256(f"{number} {name}".encode()).digest()[:BYTES], "big")
