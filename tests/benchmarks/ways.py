"""The ways of looking at what one passage computes: ours, transformers' own, hooks, and other libraries', each keeping all that it exposes.

Every way has the same model before it, a BERT for masked words of MiniLM's size (TransformerLens has an adapter for no other
BERT), and is asked as its own documents say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any, cast

import torch
from encoder_tui.engine import Run, load, record
from encoder_tui.engine.program.torch_calls import named_modules
from passage import EVERYTHING, ids_of, opened, ours, theirs

KIND = "BertForMaskedLM"
Passage = Callable[[], Any]
Opened = Callable[[torch.Tensor], Passage]


@dataclass(frozen=True, slots=True)
class Way:
    """A way of looking.

    Attributes:
        opened: from a model's folder to a function of (batch, token) ids, which gives one that runs a passage and returns what it keeps.
        tensors: what it keeps, by whatever name.
        package: whose it is; "" where nothing needs be installed.
        ours: whether it is this project's.
    """

    opened: Callable[[str], Opened]
    tensors: Callable[[Any], Iterable[tuple[str, Any]]]
    package: str = ""
    ours: bool = False

    @property
    def there(self) -> bool:
        """Whether it can be tried."""
        return not self.package or find_spec(self.package) is not None


def exposed(named: Iterable[tuple[str, Any]]) -> int:
    """How many different tensors there are among some; one that has several names counts once."""
    kept = [tensor for _, value in named for tensor in tensors_in(value)]  # all held at once: memory is not used again
    return len({(one.data_ptr(), tuple(one.shape), one.stride(), one.dtype) for one in kept})


def tensors_in(value: Any) -> Iterator[torch.Tensor]:
    """The tensors of a value, through tuples, lists and mappings."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, Mapping | list | tuple):
        several = cast("Mapping[Any, Any] | Sequence[Any]", value)
        for one in several.values() if isinstance(several, Mapping) else several:
            yield from tensors_in(one)


def engine(folder: str, anew: bool = False) -> Opened:
    encoder = load(folder, device="cpu")
    return lambda ids: ours(encoder, encoder.run_ids(ids).tokens, anew=anew)


def recorded(folder: str) -> Opened:
    model = opened(folder, KIND)

    def of(ids: torch.Tensor) -> Passage:
        def passage() -> Any:
            with torch.no_grad():
                run = record(model, ids, attention_mask=torch.ones_like(ids))
            assert len(run) > 100  # its program is made as well
            return run

        return passage

    return of


def stages(run: Run) -> Iterator[tuple[str, Any]]:
    return ((stage.name, run[stage.name].tensor()) for stage in run.program)


def eager(folder: str) -> Opened:
    model = opened(folder, KIND)
    return lambda ids: theirs(model, ids, **EVERYTHING)


def sdpa(folder: str) -> Opened:
    model = opened(folder, KIND, attention="sdpa")
    return lambda ids: theirs(model, ids, output_hidden_states=True)


def hooks(folder: str) -> Opened:
    """The output of every module, which sees no operation between them."""
    model = opened(folder, KIND)
    return lambda ids: hooked(model, theirs(model, ids))


def hooked(module: torch.nn.Module, call: Passage) -> Callable[[], dict[str, Any]]:
    """A function that calls with hooks on all modules, and returns what each gave; of one called twice, the last."""

    def passage() -> dict[str, Any]:
        outputs: dict[str, Any] = {}

        def keep(name: str) -> Callable[[Any, Any, Any], None]:
            return lambda _, __, output: outputs.update({name: output})

        handles: list[Any] = [part.register_forward_hook(keep(name)) for name, part in named_modules(module)]
        call()
        for handle in handles:
            handle.remove()
        return outputs

    return passage


def transformer_lens(folder: str) -> Opened:
    """`run_with_cache` of its bridge around transformers' own module."""
    builder = import_module("transformer_lens.model_bridge.sources._bridge_builder")
    model = opened(folder, KIND)
    bridge = builder.build_bridge_from_module(model, KIND, hf_config=model.config).eval()

    def of(ids: torch.Tensor) -> Passage:
        more = {"attention_mask": torch.ones_like(ids), "token_type_ids": torch.zeros_like(ids)}

        def passage() -> Any:
            with torch.no_grad():
                return bridge.run_with_cache(ids, **more)[1]

        return passage

    return of


def nnsight(folder: str) -> Opened:
    """The output of every module that is called, in the order of the calls, as it wants them asked for."""
    model = opened(folder, KIND)
    called = list(hooked(model, theirs(model, ids_of(2)))())
    wrapped = import_module("nnsight").NNsight(model)
    envoys = {str(envoy.path).partition(".")[2]: envoy for envoy in wrapped.modules()}

    def of(ids: torch.Tensor) -> Passage:
        mask = torch.ones_like(ids)

        def passage() -> dict[str, Any]:
            kept: dict[str, Any] = {}
            with torch.no_grad(), wrapped.trace(input_ids=ids, attention_mask=mask):
                for name in called:
                    kept[name] = envoys[name].output.save()
            return kept

        return passage

    return of


def torchlens(folder: str) -> Opened:
    """Every operation, as it does it if nothing else is said."""
    lens, model = import_module("torchlens"), opened(folder, KIND)

    def of(ids: torch.Tensor) -> Passage:
        def passage() -> Any:
            with torch.no_grad():
                return lens.trace(model, input_kwargs={"input_ids": ids, "attention_mask": torch.ones_like(ids)})

        return passage

    return of


def items(kept: Any) -> Iterator[tuple[str, Any]]:
    return iter(kept.items())


WAYS: dict[str, Way] = {
    "engine, in the memory of an earlier run": Way(engine, stages, ours=True),
    "engine, in fresh memory": Way(partial(engine, anew=True), stages, ours=True),
    "`record`, with its program": Way(recorded, stages, ours=True),
    "transformers eager, attentions and hidden states": Way(eager, items),
    "transformers SDPA, hidden states": Way(sdpa, items),
    "forward hooks on all modules": Way(hooks, items),
    "TransformerLens `run_with_cache`": Way(transformer_lens, items, "transformer_lens"),
    "nnsight, the output of all modules": Way(nnsight, items, "nnsight"),
    "torchlens `trace`": Way(torchlens, lambda trace: ((op.label, op.out) for op in trace), "torchlens"),
}
EAGER = "transformers eager, attentions and hidden states"
