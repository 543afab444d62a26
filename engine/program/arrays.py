"""What numpy's arrays are called where types are written: any number of axes, any dtype."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

Array = npt.NDArray[Any]
