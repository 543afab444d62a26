"""What is unlikely in a checkpoint, without a reference: each weight is held against its like in the same model.

`stored` reads every weight once and keeps a few figures of it, `odds` says how many of its like are as far out; each other
file knows one thing that may be unlikely, and `check` asks them all.
"""

from .check import check_weights

__all__ = ["check_weights"]
