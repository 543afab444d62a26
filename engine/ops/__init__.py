"""The operations encoders are made of. Each computes, writes its formula, and some can compute rows alone."""

from .attention import AddMask, Concat, Context, Scale, Scores, Softmax, SplitHeads
from .base import Op, Out, Tensors, no_memory
from .dropout import Dropout, DropoutMask
from .heads import Best, FirstToken, Normalize, Pick
from .linear import ACTIVATIONS, Activation, LayerNorm, Linear, Multiply, Sum
from .pooling import Beside, FirstSeen, LastSeen, MaxPool, MeanPool, WeightedMeanPool
from .positions import Sinusoid
from .tokens import AdditiveMask, Given, GivenNumbers, Lookup, OneHot

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "AddMask",
    "AdditiveMask",
    "Beside",
    "Best",
    "Concat",
    "Context",
    "Dropout",
    "DropoutMask",
    "FirstSeen",
    "FirstToken",
    "Given",
    "GivenNumbers",
    "LastSeen",
    "LayerNorm",
    "Linear",
    "Lookup",
    "MaxPool",
    "MeanPool",
    "Multiply",
    "Normalize",
    "OneHot",
    "Op",
    "Out",
    "Pick",
    "Scale",
    "Scores",
    "Sinusoid",
    "Softmax",
    "SplitHeads",
    "Sum",
    "Tensors",
    "WeightedMeanPool",
    "no_memory",
]
