"""A debugger on somebody's own module: its passage becomes a program, which is stepped, patched and forked like any other."""

from __future__ import annotations

import copy
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from ...messages.errors import InputError, one_line
from ...program.inputs import Inputs
from ...program.program import Program
from ...program.tokens import Tokens
from ...traces.compute import Computation
from ...traces.ranges.weights import WeightSizes
from ...traces.run import Run
from ..devices import device_of, dtype_of
from ..encoder import Encoder, Paths
from ..families import TEXT
from ..notes import Tell, warn
from ..settings import Settings
from .arguments import Arguments, arguments_for_tokens, tensors_of_inputs, with_arrays
from .frames import line_of_error
from .higher_order import TARGET
from .kept import KeptValues
from .lengths import fitted_together
from .program import Made, program_of
from .randomness import RandomStates, from_states
from .source import LiveWeights, ModuleSource, dtype_of_module
from .storages import has_storage
from .tracer import Passage, Tracer
from .wiring import told_of_opened

FEW = 3


def attach(
    module: nn.Module, *inputs: Any, tokenizer: str | Path | None = None, name: str = "", budget: int | None = None, tell: Tell = warn,
    **named: Any,
) -> ModuleEncoder:  # fmt: skip
    """An encoder of somebody's own module, as it is: in whatever mode, dtype and place it is in.

    It is called once, and what it computed becomes a program: `encoder.first` is the run of these inputs. Every stage is computed again beside
    what the module computed; whether all are equal to the last bit is said (`encoder.notes`). The module is not changed: its buffers and all
    random numbers are as before.

    Args:
        module: anybody's.
        inputs, named: what it is called with.
        tokenizer: the directory of its tokenizer, for texts and for the tokens of ids.
        name: what to call it; its class if not given.
        budget, tell: as of `load`.

    Raises:
        InputError: it raises, or gives back no tensor.
    """
    return ModuleEncoder(module, Arguments(inputs, named), tokenizer=tokenizer, name=name, budget=budget, tell=tell)


class ModuleEncoder(Encoder):
    """Somebody's module, made ready to be walked. Made by `attach`.

    Args:
        module: anybody's.
        given: what it is called with; None for what a text alone gives, which `run` is called with then.
        tokenizer, name, budget, tell: as of `attach`.

    Attributes:
        module: it.
        first: the run of what it was attached with.
    """

    def __init__(
        self, module: nn.Module, given: Arguments | None, *, tokenizer: str | Path | None = None, name: str = "",
        budget: int | None = None, tell: Tell = warn,
    ) -> None:  # fmt: skip
        self.module, self.tell, self.name, self.side = module, tell, name or type(module).__name__, TEXT
        self.dtype = dtype_of_module(module)
        self.device = next((weight.device for weight in (*module.parameters(), *module.buffers())), torch.device("cpu"))
        self.checkpoint = ModuleSource(module, self.name, None if tokenizer is None else Path(tokenizer))
        self.settings = Settings(module, str(self.device), str(self.dtype).removeprefix("torch."), budget, side=TEXT)
        self._given: Arguments | None = None
        self._stages_given: Mapping[str, str] = {}
        self.program = Program(())
        self.first: Run | None = None
        if given is not None:
            self.first = self._run(given, None, None)

    # -- runs --------------------------------------------------------------------------------------------------------

    def run(
        self, texts: str | Sequence[str] | Tokens | Inputs = (), pair: str | None = None, max_length: int | None = None,
        instead_of: Run | None = None, images: Paths = (), prompt: str | None = None,
    ) -> Run:  # fmt: skip
        """A run over texts, or over what went into another run of this module; see `Encoder.run`.

        Raises:
            InputError: there is no tokenizer, the module takes something else, or it raises.
        """
        if images:
            self.look(images)
        if isinstance(texts, Tokens | Inputs):
            inputs = Inputs.of(texts)
        else:
            if isinstance(texts, str) or texts:
                inputs = Inputs(self.read(texts, pair, max_length, prompt))
                for note in inputs.tokens.notes:
                    self.tell(note)
            elif self.first is not None:
                inputs = self.first.original_inputs
            else:
                raise InputError(
                    f"{self.name} was given nothing to be called with; give it a text, or inputs of its own"
                )
        return self._run(*self._arguments(inputs), inputs)

    def _arguments(self, inputs: Inputs) -> tuple[Arguments, list[str]]:
        """What to call the module with for these inputs."""
        if self._given is None or (inputs.tokens.arrays.keys() < self._arrays and not inputs.tokens.arrays):
            return arguments_for_tokens(self.module, inputs.tokens, self.device)
        like = self._given.tensors(self.module)
        return self._given.with_tensors(self.module, tensors_of_inputs(inputs, self._stages_given, like)), []

    @property
    def _arrays(self) -> set[str]:
        """What goes in besides the parts of a text."""
        return {stage for stage in self._stages_given.values() if not stage.startswith("tokens.")}

    def _run(self, given: Arguments, notes: Sequence[str] | None, inputs: Inputs | None) -> Run:
        passage, made = self._passage(given)
        self._given, self._stages_given = given, made.given
        word = self._tokenizer[0].word if self._tokenizer[0] is not None else None
        self.program, own = fitted_together(made.program, made.shapes, made.given, passage.inputs, word, self.name)
        inputs = own if inputs is None else with_arrays(Inputs(inputs.tokens, own.others), own.tokens.arrays)
        weights = LiveWeights(passage.weights, self.name)
        computation = Computation(self.program, weights, inputs, self.device, self.dtype, self.budget)
        run = Run(computation, inputs, self.about, WeightSizes(weights), word)
        told = (*self.checkpoint.notes, *(notes or ()), *_told(passage, made, self.name))
        for note in told:
            self.tell(note)
        exact = _exact(made, self.name)
        run.model_notes, run.assurances = (*told, *exact), frozenset(exact)
        return run

    def _passage(self, given: Arguments) -> tuple[Passage, Made]:
        """One passage of the module, and the program of it; the module and the random numbers are as before."""
        kept = KeptValues()
        if self.device.type == "meta":
            raise InputError(
                f"{self.name} is on the device meta, which holds no numbers; give it weights, or `record` it, which keeps the shapes"
            )
        with undisturbed(self.module):
            try:
                passage = Tracer(self.module, kept).run(given.positional, given.named)
            except InputError:
                raise
            except Exception as error:  # whatever the module raises
                raise InputError(
                    f"{self.name} raised {type(error).__name__}: {one_line(error)}{line_of_error(error)}"
                ) from error
            self._expect_numbers(passage, kept)
            if not passage.graph.outputs:
                raise InputError(
                    f"{self.name} gave back no tensor that it computed; give a module whose forward returns one"
                )
            return passage, program_of(passage, kept, self.dtype)

    def _expect_numbers(self, passage: Passage, kept: KeptValues) -> None:
        """Refuse what no program computes with: values that are no arrays of numbers, of which neither shape nor equality can be asked.

        Raises:
            InputError: the module is given, has or makes one.
        """
        lines = {call.name: call.lines for call in passage.graph.calls}
        for call in passage.graph.calls:
            if call.target.startswith(TARGET):
                at = f" at {_short(call.lines)}" if call.lines else ""
                raise InputError(
                    f"{self.name} computes with torch's {call.word}{at}, which is given functions, and no program is made of that; `record` it, which shows all else"
                )
        for name, tensor in (*passage.inputs.items(), *passage.weights.items(), *kept.items()):
            if tensor.is_nested or not has_storage(tensor):
                kind = "nested" if tensor.is_nested else "sparse, or inside torch.vmap or torch.func"
                at = f" at {_short(lines[name])}" if lines.get(name) else ""
                raise InputError(
                    f"{self.name} computes with {name}{at}, which is {kind}, and no program is made of that; `record` it, which shows all else"
                )

    # -- what is asked of encoders -----------------------------------------------------------------------------------

    def facts(self) -> dict[str, str]:
        """Where it came from, how large it is."""
        program = self.first.program if self.first is not None else self.program
        return {
            "module": type(self.module).__module__ + "." + type(self.module).__qualname__,
            "parameters": f"{self.checkpoint.parameters(program):,}",
            "not used": ", ".join(map(str, self.checkpoint.leftovers(program))) or "none of its parameters",
        }

    def otherwise(self, settings: Settings) -> ModuleEncoder:
        """A copy of the module in another dtype or on another device.

        Raises:
            InputError: a device or dtype that cannot be used, or a module that cannot be copied.
        """
        device, dtype = device_of(settings.device), dtype_of(settings.dtype)
        try:
            module = copy.deepcopy(self.module).to(device=device, dtype=dtype)
        except Exception as error:  # whatever its parts raise
            raise InputError(
                f"{self.name} cannot be copied to {settings.dtype} on {device}: {one_line(error)}"
            ) from error
        other = ModuleEncoder(
            module, None, tokenizer=self.checkpoint.tokenizer, name=self.name, budget=settings.budget, tell=self.tell
        )
        if self._given is not None:
            moved = {
                name: tensor.to(other.device, other.dtype if tensor.is_floating_point() else tensor.dtype)
                for name, tensor in self._given.tensors(self.module).items()
            }
            other._given, other._stages_given = self._given.with_tensors(self.module, moved), self._stages_given
        return other


def _exact(made: Made, name: str) -> Sequence[str]:
    if made.inexact:
        return ()
    computed = len(made.program) - len(made.program.shown)
    return (f"{computed} stages from one passage of {name}, each equal to the module's own to the last bit",)


def _told(passage: Passage, made: Made, name: str) -> list[str]:
    """What is to be said of how far this is what the module does."""
    notes: list[str] = []
    if made.inexact:
        first = made.inexact[0]
        notes.append(
            f"{len(made.inexact)} of {len(made.program)} stages give other numbers when they are computed again: the first is {first.stage}, "
            f"by up to {first.difference:.3g}"
        )
    notes += told_of_opened(made.opened)
    if passage.training and passage.draws:
        notes.append(
            f"{name} is in training mode, and dropout draws: the same numbers again in each stage, others in each run"
        )
    if passage.compiled:
        notes.append(
            "torch.compile was put aside: shown is what the code says, whose last bits may differ from what was compiled"
        )
    for decision in passage.graph.decisions[:FEW]:
        notes.append(
            f"the code looked at a number ({decision.saw:g}) at {_short(decision.lines)}: a patch before that does not change the way it took"
        )
    return notes


@contextmanager
def undisturbed(module: nn.Module) -> Generator[None]:
    """Bring buffers and random numbers back to what they were: a module in training mode counts and draws, and some put others in the place of buffers."""
    buffers = [(buffer, buffer.detach().clone()) for buffer in module.buffers()]
    # A part that torch.jit made holds its buffers where Python puts none in another's place.
    parts = [part for part in module.modules() if not isinstance(part, torch.jit.ScriptModule)]
    named = [cast("dict[str, torch.Tensor | None]", vars(part)["_buffers"]) for part in parts]
    as_named = [dict(each) for each in named]
    with from_states(RandomStates.now()):
        try:
            yield
        finally:
            for each, before in zip(named, as_named, strict=True):
                each.clear()
                each.update(before)
            with torch.no_grad():
                for buffer, before in buffers:
                    if not torch.equal(buffer, before):
                        buffer.copy_(before)


def _short(lines: Sequence[str]) -> str:
    path, _, line = (lines[0] if lines else "").rpartition(":")
    return f"{Path(path).name}:{line}" if path else "a line that is not known"
