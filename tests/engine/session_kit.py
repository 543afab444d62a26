"""Sessions and runs in tests: commands one after the other, every stage one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from encoder_tui.engine import Inputs, Program, Session, Tokens
from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.traces.compute import Computation
from encoder_tui.engine.traces.run import Run


def do(session: Session, *lines: str) -> str:
    """Run commands; the last one's answer."""
    return [TABLE.execute(session, line).text for line in lines][-1]


def walk(run: Any) -> None:
    """Step through every stage."""
    for position in range(len(run.program)):
        run.reach(position)


def run_of(
    program: Program, weights: Mapping[str, torch.Tensor], tokens: Tokens | Inputs, device: str = "cpu", **more: Any
) -> Run:
    """A run without an encoder, in float32."""
    inputs = Inputs.of(tokens)
    return Run(Computation(program, weights, inputs, torch.device(device), torch.float32, **more), inputs)
