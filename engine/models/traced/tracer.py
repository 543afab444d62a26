"""A module watched while it computes: every operation torch is asked for, what it was given and what it gave.

Operations are seen where `torch.export` sees them: before autograd, autocast and devices, so that they are near what the author wrote, and the
very kernels run that run otherwise. Nothing is put on the module: which module is computing is told by hooks that torch calls for
all modules, and which keep none of its fast paths off.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from types import FrameType
from typing import Any, Protocol, cast

import torch
from torch import nn
from torch._dispatch.python import enable_pre_dispatch, enable_python_dispatcher
from torch._subclasses.schema_check_mode import SchemaCheckMode
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from ...program.generators import draws_on, state_of
from ...program.torch_calls import named_modules
from .frames import author_lines
from .graph import ArgumentPlace, Decision, Graph, Leaf, Ref, TorchCall, parts_of, references
from .higher_order import take_operators
from .kernels import autocast_dtype, fused_kernel
from .storages import Storages, is_same, is_wrapped, shape_of, share_memory
from .structures import named_tensors, tensors_within
from .written import argument_at, known_of, written_places

# What takes a number out of a tensor, where Python goes on with it.
TAKEN_OUT = frozenset({"item", "_local_scalar_dense", "is_nonzero", "equal", "allclose"})
FUSED = "scaled_dot_product_attention"


class Keep(Protocol):
    """Who keeps the values."""

    def put(self, name: str, tensor: torch.Tensor, call: TorchCall | None = None) -> None:
        """A value that was just made, and by what; None of one that went in."""
        ...

    def before_write(self, tensor: torch.Tensor) -> None:
        """A tensor that is about to be written to, and with it whatever shares its memory."""
        ...


@dataclass
class Passage:
    """What was seen of one passage.

    Attributes:
        graph: what was computed.
        weights: every weight that was used, by the name the graph has for it.
        inputs: every tensor that went in, by name.
        draws: the state of the random numbers before each call that drew any, by its name.
        result: what the module gave back.
        training: the modules that were in training mode, by their paths.
        grad: whether gradients were kept.
        unwrapped: names of tensors that were first met after torch.vmap or torch.func had been inside: what comes out of there, most likely.
        compiled: whether torch.compile had compiled the module or a part of it, which was put aside for the passage.
    """

    graph: Graph
    weights: Mapping[str, torch.Tensor]
    inputs: Mapping[str, torch.Tensor]
    draws: Mapping[str, torch.Tensor]
    result: Any
    training: Sequence[str] = ()
    grad: bool = False
    compiled: bool = False
    unwrapped: Sequence[str] = ()


@dataclass
class Seen:
    """What has been seen so far."""

    calls: list[TorchCall] = field(default_factory=list[TorchCall])
    inputs: dict[str, torch.Tensor] = field(default_factory=dict[str, torch.Tensor])
    weights: dict[str, torch.Tensor] = field(default_factory=dict[str, torch.Tensor])
    draws: dict[str, torch.Tensor] = field(default_factory=dict[str, torch.Tensor])
    decisions: list[Decision] = field(default_factory=list[Decision])
    modules: dict[str, str] = field(default_factory=dict[str, str])
    unwrapped: list[str] | None = None  # None until torch.vmap or torch.func has been inside


@dataclass(frozen=True, slots=True)
class PendingCall:
    """An operation that is asked for, and has not been done.

    Attributes:
        call: it, before it is known what it gives.
        word: its name as torch has it, `_` and all.
        writes: whether its results are what it was given, written to.
        state: of the random numbers, where it may draw some.
    """

    call: TorchCall
    word: str
    writes: bool
    state: torch.Tensor | None


class Tracer(SchemaCheckMode):
    """Watches one passage of a module, from the call of its `forward` to its return.

    It is one of the three kinds of mode that torch lets look before it dispatches; the checks of its parent are not made.

    Args:
        module: what is watched.
        keep: is given every value as it is made.

    Attributes:
        compiled: whether torch.compile had compiled the module or a part of it, which is put aside while it is watched.
        blind: why nothing more is seen; "" while all is well.
    """

    blind = ""
    _dispatch_key = torch._C.DispatchKey.PreDispatch  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]

    def __init__(self, module: nn.Module, keep: Keep) -> None:
        super().__init__()
        self._dispatch_key = torch._C.DispatchKey.PreDispatch  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]
        self._mode_key = None
        self.module, self._keep, self.seen = module, keep, Seen()
        self._paths = {id(part): _uncompiled(path) for path, part in named_modules(module)}
        self._at: list[str] = []
        self._words: Counter[str] = Counter()
        self._outermost: FrameType | None = None
        self._training: Sequence[str] = ()
        self._grad = False
        self.compiled = any(
            hasattr(part, "_orig_mod") or getattr(part, "_compiled_call_impl", None) for part in module.modules()
        )
        self._storages = Storages(self._emit)
        named = (*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False))
        self._weights: dict[int, tuple[str, torch.Tensor]] = {}
        for name, weight in named:
            self._weights.setdefault(id(weight), (_uncompiled(name), weight))

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """False: else torch.compile's machinery is loaded, for seconds, to be kept away from a mode that it never meets."""
        return False

    # -- from the call to the return ---------------------------------------------------------------------------------

    def run(self, arguments: Sequence[Any], options: Mapping[str, Any]) -> Passage:
        """Call the module once and watch it.

        Args:
            arguments, options: what it is called with.
        """
        with self.watching(arguments, options, sys._getframe()):  # pyright: ignore[reportPrivateUsage]
            result = self.module(*arguments, **options)
        return self.passage(result)

    @contextmanager
    def watching(
        self, arguments: Sequence[Any], options: Mapping[str, Any], outermost: FrameType | None, *, hooks: bool = True
    ) -> Generator[None]:
        """Watch what is computed until it is left, which is to be one passage of the module.

        Args:
            arguments, options: what it is called with.
            outermost: the frame that calls it: the author's lines are looked for no further out.
            hooks: whether torch is asked to say which module is computing; else somebody tells (`entered`, `left`).
        """
        self._training = tuple(_uncompiled(path) for path, part in named_modules(self.module) if part.training)
        self._grad = torch.is_grad_enabled()
        self._outermost = outermost
        for name, tensor in named_tensors(self.module, arguments, options):
            self._enter_value(name, tensor)
        with ExitStack() as stack:
            if self.compiled:
                stack.enter_context(torch.compiler.set_stance("force_eager"))
            if hooks:
                stack.callback(register_module_forward_pre_hook(self.entered).remove)
                stack.callback(register_module_forward_hook(self.left, always_call=True).remove)
            stack.enter_context(enable_python_dispatcher())
            stack.enter_context(enable_pre_dispatch())
            stack.enter_context(self)
            yield
        self._outermost = None

    def passage(self, result: Any = None) -> Passage:
        """What has been seen: of a passage that ended, or of one that broke, as far as it came.

        Args:
            result: what the module gave back.
        """
        outputs = {name: known for name, tensor in tensors_within(result) if (known := self._storages.name(tensor))}
        seen = self.seen
        graph = Graph(
            tuple(seen.calls), {name: _leaf(name, tensor) for name, tensor in seen.inputs.items()},
            {name: _leaf(name, tensor) for name, tensor in seen.weights.items()}, outputs, seen.modules, tuple(seen.decisions),
        )  # fmt: skip
        return Passage(
            graph, seen.weights, seen.inputs, seen.draws, result, self._training, self._grad, self.compiled, seen.unwrapped or ()
        )  # fmt: skip

    def _enter_value(self, name: str, tensor: torch.Tensor) -> None:
        if self._storages.name(tensor) is None and id(tensor) not in self._weights:
            self.seen.inputs[name] = tensor
            self._storages.give_name(tensor, name)

    def entered(self, module: nn.Module, given: Any = None) -> None:
        """A module begins to compute."""
        if torch.compiler.is_compiling():  # it is read by torch, for the branches of `torch.cond`, and computes nothing
            return
        path = self._paths.get(id(module), self._at[-1] if self._at else "")
        self._at.append(path)
        self.seen.modules.setdefault(path, type(module).__name__)

    def left(self, module: nn.Module, given: Any, result: Any) -> None:
        """It has computed, or raised."""
        if self._at and not torch.compiler.is_compiling():
            self._at.pop()

    # -- each operation ----------------------------------------------------------------------------------------------

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """See an operation, have it done, and name what it gives; what it raises itself is the module's, what seeing it raises is ours."""
        options = dict(kwargs or {})
        before = None if self.blind else self._seen_by(self._ask, func, args, options)
        with torch._C._DisablePythonDispatcher():  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue] # the kernels that run otherwise, no Python in their place
            result = func(*args, **options)
        if before is not None:
            self._seen_by(self._answer, before, args, options, result)
        return result

    def seen_whole(self, target: str, compute: Callable[[], Any], given: Sequence[Any]) -> Any:
        """See an operator that is given functions as one operation on tensors: inside it nothing is seen."""
        tensors = tuple(parts_of(given, torch.Tensor))
        before = None if self.blind else self._seen_by(self._ask_whole, target, tensors)
        result = compute()
        if before is not None:
            self._seen_by(self._answer, before, tensors, {}, result)
        return result

    def _ask_whole(self, target: str, tensors: Sequence[Any]) -> PendingCall:
        return PendingCall(self._call(target, self._refs(tuple(tensors))), target, False, None)

    def _seen_by(self, look: Callable[..., Any], *given: Any) -> Any:
        """What a part of ours makes of an operation; see `Watcher` for what becomes of an error in it."""
        return look(*given)

    def _ask(self, func: Any, args: Sequence[Any], options: Mapping[str, Any]) -> PendingCall:
        """What is asked for, and what is about to be written over."""
        arguments, named = self._refs(tuple(args)), self._refs(options)
        target, word, writes, random = known_of(func)
        written, secretly = written_places(word, writes, args, options)
        for place in (*written, *secretly):
            self._before_write(argument_at(place, args, options))
        kernel = fused_kernel(args, options) if word == FUSED else ""
        call = self._call(target, arguments, named, random, kernel, (*written, *secretly))
        state = state_of(draws_on(args, options)) if random else None
        return PendingCall(call, word, bool(written), state)

    def _answer(self, asked: PendingCall, args: Sequence[Any], options: Mapping[str, Any], result: Any) -> None:
        """What it gave."""
        call = asked.call
        if not _has_tensors(result):
            if asked.word in TAKEN_OUT and (refs := list(references((call.arguments, dict(call.options))))):
                self.seen.decisions.append(Decision(refs[0].name, result, call.target, call.lines))
            return
        names = [] if asked.writes else self._name(call, (args, options), result)
        names += self._write(call, {place: argument_at(place, args, options) for place in call.scribbles})
        if asked.state is not None and not torch.equal(asked.state, state_of(draws_on(args, options))):
            self.seen.draws.update(dict.fromkeys(names, asked.state))

    def _name(self, call: TorchCall, given: Any, result: Any) -> list[str]:
        """Name the tensors that an operation gave, those apart that it had been given."""
        single = isinstance(result, torch.Tensor)
        tensors = list(parts_of(given, torch.Tensor))
        names: list[str] = []
        for pick, tensor in enumerate([result] if single else result):
            if not isinstance(tensor, torch.Tensor):  # pyright: ignore[reportUnnecessaryIsInstance] # an operation may give None in its place
                continue
            same = next((part for part in tensors if is_same(part, tensor)), None)
            if same is not None:  # it gave back what it was given, perhaps as another object: dropout that is off
                self._storages.give_name(tensor, self._ref(same).name)
                continue
            names.append(self._add(call if single else replace(call, pick=pick), tensor))
            self._storages.give_name(tensor, names[-1])
        return names

    def _write(self, call: TorchCall, written: Mapping[ArgumentPlace, torch.Tensor]) -> list[str]:
        """Name the tensors that an operation wrote to, which are others now."""
        names: list[str] = []
        for place, tensor in written.items():
            names.append(self._add(replace(call, writes=place), tensor))
            self._storages.write(tensor, names[-1])
        return names

    def _before_write(self, tensor: torch.Tensor) -> None:
        """Keep what is about to be written over, of values and of what went in."""
        self._keep.before_write(tensor)
        for went_in in (self.seen.weights, self.seen.inputs):
            for name, other in went_in.items():
                if share_memory(other, tensor):
                    went_in[name] = other.detach().clone()

    def _refs(self, argument: Any) -> Any:
        """An argument with a `Ref` for every tensor in it."""
        if isinstance(argument, torch.Tensor):
            return self._ref(argument)
        if isinstance(argument, list | tuple):
            parts = [self._refs(part) for part in cast("Sequence[Any]", argument)]
            return tuple(parts) if isinstance(argument, tuple) else parts
        if isinstance(argument, dict):
            return {name: self._refs(part) for name, part in cast("dict[str, Any]", argument).items()}
        return argument

    def _ref(self, tensor: torch.Tensor) -> Ref:
        if (name := self._storages.name(tensor)) is not None:
            return Ref(name, tensor.requires_grad)
        if id(tensor) in self._weights:
            name = self._weights[id(tensor)][0]
        else:
            self._words["constant"] += 1
            name = f"constant_{self._words['constant']}"
            if is_wrapped(tensor):
                self.seen.unwrapped = self.seen.unwrapped or []
            elif self.seen.unwrapped is not None:
                self.seen.unwrapped.append(name)
        self.seen.weights[name] = tensor
        self._storages.give_name(tensor, name)
        return Ref(name, tensor.requires_grad)

    def _emit(self, target: str, arguments: tuple[object, ...], result: torch.Tensor) -> str:
        held = tuple(Ref(part) if isinstance(part, str) else part for part in arguments)
        return self._add(self._call(target, held), result)

    def _call(
        self, target: str, arguments: Any, options: Mapping[str, Any] | None = None, random: bool = False, kernel: str = "",
        scribbles: tuple[ArgumentPlace, ...] = (),
    ) -> TorchCall:  # fmt: skip
        """A call that is made just now, before it is known what it gives."""
        at = self._at[-1] if self._at else ""
        lines = author_lines(self._outermost)
        return TorchCall(
            "",
            target,
            tuple(arguments),
            options or {},
            module=at,
            lines=lines,
            scribbles=scribbles,
            random=random,
            kernel=kernel,
            grad=torch.is_grad_enabled(),
        )

    def _add(self, call: TorchCall, result: torch.Tensor) -> str:
        """Add a call with one tensor that it gave; what that is called."""
        word = call.target.split(".")[1].strip("_")
        name = f"{word}_{self._words[word]}" if self._words[word] else word
        self._words[word] += 1
        device, dtype = result.device.type, str(result.dtype).removeprefix("torch.")
        wide = autocast_dtype(device)
        autocast = str(wide).removeprefix("torch.") if wide is not None else ""
        call = call.with_result(name, shape_of(result), dtype, autocast)
        self.seen.calls.append(call)
        self._keep.put(name, result, call)
        return name


take_operators(Tracer)


def _has_tensors(result: Any) -> bool:
    return isinstance(result, torch.Tensor | list | tuple)


def _uncompiled(path: str) -> str:
    """The path of a module, or of a weight, without what torch.compile puts around it."""
    return ".".join(part for part in path.split(".") if part != "_orig_mod")


def _leaf(name: str, tensor: torch.Tensor) -> Leaf:
    return Leaf(name, shape_of(tensor), str(tensor.dtype).removeprefix("torch."))
