"""A module watched while it computes: every operation torch is asked for, what it was given and what it gave.

Operations are seen where `torch.export` sees them: before autograd, autocast and devices, so that they are near what the author wrote, and the
very kernels run that run otherwise. Nothing is put on the module: which module is computing is told by hooks that torch calls for
all modules, and which keep none of its fast paths off.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, Protocol

import torch
from torch import nn
from torch._dispatch.python import enable_pre_dispatch, enable_python_dispatcher
from torch._subclasses.schema_check_mode import SchemaCheckMode
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.utils._pytree import tree_leaves, tree_map_only

from ...program.torch_calls import named_modules
from .frames import author_lines
from .graph import Decision, Graph, Leaf, Ref, TorchCall, references
from .storages import Storages, is_same
from .structures import named_tensors, tensors_within

# What takes a number out of a tensor, where Python goes on with it.
TAKEN_OUT = frozenset({"item", "_local_scalar_dense", "is_nonzero", "equal", "allclose"})
UNWRITTEN = frozenset({"detach_", "requires_grad_"})  # in place, and no number changes


class Keep(Protocol):
    """Who keeps the values."""

    def put(self, name: str, tensor: torch.Tensor) -> None:
        """A value that was just made."""
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


@dataclass
class Seen:
    """What has been seen so far."""

    calls: list[TorchCall] = field(default_factory=list[TorchCall])
    inputs: dict[str, torch.Tensor] = field(default_factory=dict[str, torch.Tensor])
    weights: dict[str, torch.Tensor] = field(default_factory=dict[str, torch.Tensor])
    draws: dict[str, torch.Tensor] = field(default_factory=dict[str, torch.Tensor])
    decisions: list[Decision] = field(default_factory=list[Decision])
    modules: dict[str, str] = field(default_factory=dict[str, str])


class Tracer(SchemaCheckMode):
    """Watches one passage of a module, from the call of its `forward` to its return.

    It is one of the three kinds of mode that torch lets look before it dispatches; the checks of its parent are not made.

    Args:
        module: what is watched.
        keep: is given every value as it is made.
    """

    _dispatch_key = torch._C.DispatchKey.PreDispatch  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]

    def __init__(self, module: nn.Module, keep: Keep) -> None:
        super().__init__()
        self._dispatch_key = torch._C.DispatchKey.PreDispatch  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]
        self._mode_key = None
        self.module, self._keep, self.seen = module, keep, Seen()
        self._paths = {id(part): path for path, part in named_modules(module)}
        self._at: list[str] = []
        self._words: Counter[str] = Counter()
        self._outermost: FrameType | None = None
        self._storages = Storages(self._emit)
        named = (*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False))
        self._weights: dict[int, tuple[str, torch.Tensor]] = {}
        for name, weight in named:
            self._weights.setdefault(id(weight), (name, weight))

    # -- from the call to the return ---------------------------------------------------------------------------------

    def run(self, arguments: Sequence[Any], options: Mapping[str, Any]) -> Passage:
        """TorchCall the module once and watch it.

        Args:
            arguments, options: what it is called with.
        """
        training = [path for path, part in named_modules(self.module) if part.training]
        compiled = any(
            hasattr(part, "_orig_mod") or getattr(part, "_compiled_call_impl", None) for part in self.module.modules()
        )
        grad = torch.is_grad_enabled()
        self._outermost = sys._getframe()  # pyright: ignore[reportPrivateUsage]
        for name, tensor in named_tensors(self.module, arguments, options):
            self._enter_value(name, tensor)
        with ExitStack() as stack:
            if compiled:
                stack.enter_context(torch.compiler.set_stance("force_eager"))
            for handle in (
                register_module_forward_pre_hook(self._enter),
                register_module_forward_hook(self._leave, always_call=True),
            ):
                stack.callback(handle.remove)
            stack.enter_context(enable_python_dispatcher())
            stack.enter_context(enable_pre_dispatch())
            stack.enter_context(self)
            result = self.module(*arguments, **options)
        self._outermost = None
        outputs = {name: known for name, tensor in tensors_within(result) if (known := self._storages.name(tensor))}
        seen = self.seen
        graph = Graph(
            tuple(seen.calls), {name: _leaf(name, tensor) for name, tensor in seen.inputs.items()},
            {name: _leaf(name, tensor) for name, tensor in seen.weights.items()}, outputs, seen.modules, tuple(seen.decisions),
        )  # fmt: skip
        return Passage(graph, seen.weights, seen.inputs, seen.draws, result, training, grad, compiled)

    def _enter_value(self, name: str, tensor: torch.Tensor) -> None:
        if self._storages.name(tensor) is None and id(tensor) not in self._weights:
            self.seen.inputs[name] = tensor
            self._storages.give_name(tensor, name)

    def _enter(self, module: nn.Module, _: Any) -> None:
        path = self._paths.get(id(module), self._at[-1] if self._at else "")
        self._at.append(path)
        self.seen.modules.setdefault(path, type(module).__name__)

    def _leave(self, module: nn.Module, _: Any, __: Any) -> None:
        if self._at:
            self._at.pop()

    # -- each operation ----------------------------------------------------------------------------------------------

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """See an operation, have it done, and name what it gives."""
        options = dict(kwargs or {})
        arguments, named = tree_map_only(torch.Tensor, self._ref, (tuple(args), options))
        word = func._schema.name.rpartition("::")[2]
        written = _written(func, args) if word not in UNWRITTEN else ()
        for place in written:
            self._keep.before_write(args[place])
        random = torch.Tag.nondeterministic_seeded in func.tags
        state = torch.get_rng_state() if random else None
        with torch._C._DisablePythonDispatcher():  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue] # the kernels that run otherwise, no Python in their place
            result = func(*args, **options)
        if not _has_tensors(result):
            if word in TAKEN_OUT and (refs := list(references(arguments))):
                self.seen.decisions.append(Decision(refs[0].name, result, str(func), author_lines(self._outermost)))
            return result
        before = len(self.seen.calls)
        if written:
            self._write(func, args, arguments, named, written, random)
        else:
            self._name(func, args, options, arguments, named, result, random)
        if state is not None:
            self.seen.draws.update((call.name, state) for call in self.seen.calls[before:] if call.random)
        return result

    def _name(self, func: Any, args: Any, kwargs: Any, arguments: Any, options: Any, result: Any, random: bool) -> None:
        single = isinstance(result, torch.Tensor)
        given = tree_leaves((args, kwargs))
        for pick, tensor in enumerate([result] if single else result):
            if not isinstance(tensor, torch.Tensor):  # pyright: ignore[reportUnnecessaryIsInstance] # an operation may give None in its place
                continue
            same = next((part for part in given if isinstance(part, torch.Tensor) and is_same(part, tensor)), None)
            if same is not None:  # it gave back what it was given, perhaps as another object: dropout that is off
                self._storages.give_name(tensor, self._ref(same).name)
                continue
            call = self._add(str(func), arguments, options, tensor, None if single else pick, random=random)
            self._storages.give_name(tensor, call)
            self._keep.put(call, tensor)

    def _write(
        self, func: Any, args: Sequence[Any], arguments: Any, options: Any, written: Sequence[int], random: bool
    ) -> None:
        for place in written:
            tensor = args[place]
            call = self._add(str(func), arguments, options, tensor, None, random=random, writes=place)
            self._storages.write(tensor, call)
            self._keep.put(call, tensor)

    def _ref(self, tensor: torch.Tensor) -> Ref:
        if (name := self._storages.name(tensor)) is not None:
            return Ref(name)
        if id(tensor) in self._weights:
            name = self._weights[id(tensor)][0]
        else:
            self._words["constant"] += 1
            name = f"constant_{self._words['constant']}"
        self.seen.weights[name] = tensor
        self._storages.give_name(tensor, name)
        return Ref(name)

    def _emit(self, target: str, arguments: tuple[object, ...], result: torch.Tensor) -> str:
        held = tuple(Ref(part) if isinstance(part, str) else part for part in arguments)
        name = self._add(target, held, {}, result, None)
        self._keep.put(name, result)
        return name

    def _add(
        self, target: str, arguments: Any, options: Mapping[str, Any], result: torch.Tensor, pick: int | None, *,
        random: bool = False, writes: int | None = None,
    ) -> str:  # fmt: skip
        word = target.split(".")[1].strip("_")
        name = f"{word}_{self._words[word]}" if self._words[word] else word
        self._words[word] += 1
        device = result.device.type
        autocast = (
            str(torch.get_autocast_dtype(device)).removeprefix("torch.") if torch.is_autocast_enabled(device) else ""
        )
        self.seen.calls.append(
            TorchCall(
                name, target, tuple(arguments), options, pick, tuple(result.shape), str(result.dtype).removeprefix("torch."),
                self._at[-1] if self._at else "", author_lines(self._outermost), writes, random, autocast,
            )
        )  # fmt: skip
        return name


def _has_tensors(result: Any) -> bool:
    return isinstance(result, torch.Tensor | list | tuple)


def _written(func: Any, args: Sequence[Any]) -> list[int]:
    """The places among the arguments of the tensors that are written to."""
    places = [
        place
        for place, part in enumerate(func._schema.arguments)
        if part.alias_info is not None and part.alias_info.is_write
    ]
    return [place for place in places if place < len(args) and isinstance(args[place], torch.Tensor)]


def _leaf(name: str, tensor: torch.Tensor) -> Leaf:
    return Leaf(name, tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))
