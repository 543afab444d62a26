"""The operations encoders are made of. Each computes, writes its formula, bounds its result and explains an element of it."""

from . import given_tensor as given_tensor
from . import patches as patches  # every operation is known once this package is
from . import torch_operation as torch_operation
from . import word_losses as word_losses
from . import words as words
from .activations import ACTIVATIONS, Activation
from .attention import AddMask, Concat, Context, Scale, Scores, Softmax, SplitHeads
from .base import Op, Out, Tensors, no_memory
from .disentangled import (
    AddToEach,
    ContentToPosition,
    Convolution,
    PositionToContent,
    RelativeIndex,
    RelativeScores,
    Table,
)
from .dropout import Dropout, DropoutMask
from .gate import ClampInfinite, Gate
from .heads import Best, FirstToken, Normalize, Pick
from .linear import LayerNorm, Linear, Multiply, Sum
from .pair_masks import FillMasked, MaskTokens, PairMask
from .pooling import Beside, FirstSeen, LastSeen, MaxPool, MeanPool, WeightedMeanPool, WithoutPrompt
from .positions import PositionsAfterPadding, PositionsFrom, Sinusoid
from .relative import AddBias, Buckets, Distances, DivideByRoot, LogBuckets, Places, PositionBias
from .rms_norm import RMSNorm
from .rotary import Part, RotaryTable, Rotate
from .tokens import AdditiveMask, Given, GivenNumbers, Lookup, OneHot
from .torch_attention import ScaleQuery, TokenFirstActivation, TokenFirstLinear

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "AddBias",
    "AddMask",
    "AddToEach",
    "AdditiveMask",
    "Beside",
    "Best",
    "Buckets",
    "ClampInfinite",
    "Concat",
    "ContentToPosition",
    "Context",
    "Convolution",
    "Distances",
    "DivideByRoot",
    "Dropout",
    "DropoutMask",
    "FillMasked",
    "FirstSeen",
    "FirstToken",
    "Gate",
    "Given",
    "GivenNumbers",
    "LastSeen",
    "LayerNorm",
    "Linear",
    "LogBuckets",
    "Lookup",
    "MaskTokens",
    "MaxPool",
    "MeanPool",
    "Multiply",
    "Normalize",
    "OneHot",
    "Op",
    "Out",
    "PairMask",
    "Part",
    "Pick",
    "Places",
    "PositionBias",
    "PositionToContent",
    "PositionsAfterPadding",
    "PositionsFrom",
    "RMSNorm",
    "RelativeIndex",
    "RelativeScores",
    "RotaryTable",
    "Rotate",
    "Scale",
    "ScaleQuery",
    "Scores",
    "Sinusoid",
    "Softmax",
    "SplitHeads",
    "Sum",
    "Table",
    "Tensors",
    "TokenFirstActivation",
    "TokenFirstLinear",
    "WeightedMeanPool",
    "WithoutPrompt",
    "no_memory",
]
