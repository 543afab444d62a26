"""What theirs may do otherwise, a family of causes a file; each looks at a case and gives the hypotheses that are worth a try.

The commonest come first: of two that close a gap equally well the first is named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..case import Case
from ..hypothesis import Hypothesis
from .activations import activations
from .attention import head_counts, swapped_sides
from .biases import biases
from .dropout import dropout_left_on
from .layers import other_layers
from .lost_rows import lost_rows
from .masks import masks
from .norms import norms
from .overflow import overflows
from .placement import placement
from .positions import positions
from .precision import kept_in_half
from .products import products
from .rotary import rotations
from .scales import scales
from .sentence import sentence_heads
from .sums import summands
from .tokens import token_ids

KindsOfCause = Callable[[Case], Iterator[Hypothesis]]
CAUSES: tuple[KindsOfCause, ...] = (
    token_ids, sentence_heads, positions, rotations, activations, norms, placement, summands, biases, scales, lost_rows, masks, head_counts, swapped_sides,
    other_layers, products, dropout_left_on, overflows, kept_in_half,
)  # fmt: skip
