"""The engine of encoder-tui: load an encoder, run it stage by stage, look at every value.

    from encoder_tui.engine import load
    run = load().run("The animal didn't cross the street because it was too tired")
    run["layers.0.attention.weights"].read("head=3")

Nothing is imported before it is used: whoever only opens a snapshot never loads torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .commands.session import Session
    from .commands.stop_inside import debug
    from .debugger.breakpoints import Breakpoint
    from .debugger.cursor import Debugger, Stop
    from .messages.errors import InputError
    from .models.encoder import Encoder
    from .models.loading import load
    from .models.settings import Settings
    from .models.torch_module.reading import load_module
    from .models.traced.attach import attach
    from .models.traced.record import record
    from .program.inputs import Inputs
    from .program.program import Program
    from .program.stage import Stage
    from .program.stats import Stats
    from .program.tokens import Tokens
    from .program.value import Value
    from .traces.recording import Recording, open_snapshot
    from .traces.run import Run
    from .traces.saving import save

_HOMES = {
    "Breakpoint": "debugger.breakpoints", "Debugger": "debugger.cursor", "Stop": "debugger.cursor", "Encoder": "models.encoder", "load": "models.loading", "Settings": "models.settings", "load_module": "models.torch_module.reading", "record": "models.traced.record",
    "attach": "models.traced.attach", "debug": "commands.stop_inside",
    "InputError": "messages.errors", "Inputs": "program.inputs", "Program": "program.program", "Stage": "program.stage", "Run": "traces.run", "Session": "commands.session",
    "Recording": "traces.recording", "open_snapshot": "traces.recording", "save": "traces.saving", "Stats": "program.stats", "Tokens": "program.tokens",
    "Value": "program.value",
}  # fmt: skip

__all__ = [
    "Breakpoint", "Debugger", "Encoder", "InputError", "Inputs", "Program", "Recording", "Run", "Session", "Settings", "Stage",
    "Stats", "Stop", "Tokens", "Value", "attach", "debug", "load", "load_module", "open_snapshot", "record", "save",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
