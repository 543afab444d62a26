"""The operations encoders are made of. Each computes, writes its formula, and some can compute rows alone."""

from .attention import AddMask, Concat, Context, Scale, Scores, Softmax, SplitHeads
from .base import Op, Out, Tensors, no_memory
from .heads import Best, FirstToken, MeanPool, Normalize
from .linear import ACTIVATIONS, Activation, LayerNorm, Linear, Sum
from .tokens import AdditiveMask, Given, GivenNumbers, Lookup, OneHot

__all__ = [
    "ACTIVATIONS", "Activation", "AddMask", "AdditiveMask", "Best", "Concat", "Context", "FirstToken", "Given",
    "GivenNumbers", "LayerNorm", "Linear", "Lookup", "MeanPool", "Normalize", "OneHot", "Op", "Out", "Scale", "Scores", "Softmax",
    "SplitHeads", "Sum", "Tensors", "no_memory",
]  # fmt: skip
