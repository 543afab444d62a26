"""Two traces side by side: which tokens belong together, how far apart every stage is, and where that begins.

`align` pairs tokens, `measure` compares numbers, `added_error` runs one of our stages on the reference's inputs, `walk` goes
through both programs text by text (`text_gaps`, `hidden_keys`, `rounding`), `comparison` holds what came of it, `text` writes it
down, `view` shows the reference and the difference as values; `gaps` asks no more than where two are first apart, `over_texts` of
many texts (`many_texts` has them go through, `over_texts_text` writes it down).
"""

from .align import Alignment, align
from .comparison import Comparison, Difference
from .text import write_comparison
from .view import Reference
from .walk import compare

__all__ = [
    "Alignment", "Comparison", "Difference", "Reference", "align", "compare", "write_comparison",
]  # fmt: skip
