"""A pretend accelerator: a device torch takes for another than the CPU, on a machine that has none. `tensor` says what it can't do."""

from .backend import install
from .ledger import Entry, Ledger, ledger
from .mixing import NotOnOneDevice
from .tensor import DEVICE, PretendTensor

__all__ = ["DEVICE", "Entry", "Ledger", "NotOnOneDevice", "PretendTensor", "install", "ledger"]
