from collections.abc import Mapping
from os import PathLike

import torch

def load_file(filename: str | PathLike[str], device: str | int = "cpu") -> dict[str, torch.Tensor]: ...
def save_file(
    tensors: Mapping[str, torch.Tensor], filename: str | PathLike[str], metadata: Mapping[str, str] | None = None
) -> None: ...
