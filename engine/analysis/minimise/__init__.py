"""The least that still shows a difference: the fewest texts, the shortest of them, the fewest weights.

`ddmin` leaves out what is not needed, `spans` cuts a text to some of its tokens, `batch` tries what goes in, `texts` and `weights` leave out of
what goes in and of theirs in our weights, `minimal` puts it together, `text` writes it down.
"""

from .batch import Batch
from .minimal import Minimal, minimise, minimise_weights
from .text import verdict_of_minimal, write_minimal

__all__ = ["Batch", "Minimal", "minimise", "minimise_weights", "verdict_of_minimal", "write_minimal"]
