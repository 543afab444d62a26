"""How far torch's own ways of computing a `torch.nn.TransformerEncoder` lie apart: against ours, which is its slow path with weights.

python tests/benchmarks/torch_encoder.py
"""

import warnings
from typing import Any

import torch
from encoder_tui.engine import load_module
from torch import nn

SIZES: dict[str, Any] = {"d_model": 256, "nhead": 8, "dim_feedforward": 1024, "batch_first": True}


def main() -> None:
    """Print the largest differences of the output, absolute and relative to its largest magnitude."""
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    for norm_first in (False, True):
        layer = nn.TransformerEncoderLayer(**SIZES, norm_first=norm_first)
        module = nn.TransformerEncoder(layer, 6, norm=nn.LayerNorm(SIZES["d_model"])).eval()
        for dtype in (torch.float32, torch.bfloat16, torch.float16):
            same = module.to(dtype)
            given = torch.randn(2, 64, SIZES["d_model"], dtype=dtype)
            ours = load_module(same).run_vectors(given)["output"].tensor()
            for fast in (False, True):
                torch.backends.mha.set_fastpath_enabled(fast)
                with torch.no_grad():
                    theirs = same(given)
                off, most = float((ours - theirs).abs().max()), float(theirs.abs().max())
                path = "fast path" if fast else "slow path without weights"
                order = "pre-norm" if norm_first else "post-norm"
                print(f"{order:<10} {dtype!s:<15} {path:<26} {off:.2g} absolute, {off / most:.2g} relative")


if __name__ == "__main__":
    main()
