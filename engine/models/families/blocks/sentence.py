"""`head.sentence.*`: what sentence-transformers puts on top of an encoder of any family, down to the sentence embedding."""

from __future__ import annotations

from ....messages.errors import InputError
from ....ops import Beside, Given, Normalize, WithoutPrompt
from ....ops.pooling import POOLINGS
from ....program.program import Program
from ...sentence_transformers import Module, Sentence
from . import attention as parts
from .builder import Builder

BLOCK = "head.sentence"
VECTOR = ("batch", "hidden")
# torch's names of what sentence-transformers' Dense may end in, and ours; Identity is no stage.
ACTIVATIONS = {"Identity": "", "Tanh": "tanh", "ReLU": "relu", "GELU": "gelu", "SiLU": "silu"}
OF_TEXT = "sentence_embedding"


def with_sentence(program: Program, sentence: Sentence) -> Program:
    """The program and, after its `output`, the stages of a sentence-transformers directory's modules.

    Raises:
        InputError: a module, or a setting of one, that is not implemented, by its name.
    """
    if sentence.refused:
        raise InputError("; ".join(sentence.refused))
    b = Builder.after(program)
    x, pooled = "output", False
    for module in sentence.modules:
        if module.kind == "Pooling":
            x, pooled = _pool(b, module, program["output"].name), True
        elif not pooled:
            raise InputError(f"modules.json: {module.kind} before the pooling is not implemented")
        elif module.kind == "Dense":
            x = _dense(b, module, x)
        elif module.kind == "LayerNorm":
            size = _size(module, "dimension")
            x = b.norm(b.fresh(f"{BLOCK}.norm"), x, f"{module.path}.norm", size, 1e-5, VECTOR)
        elif module.kind == "Normalize":
            for name in ("module_input_name", "module_output_name"):
                _only(module, name, OF_TEXT)
            x = b.add(b.fresh(f"{BLOCK}.normalized"), Normalize(), (x,), VECTOR)
        else:
            raise InputError(f"modules.json: {module.kind} is not implemented")
    if pooled:
        b.alias("sentence", x)
    return b.program()


def _pool(b: Builder, module: Module, x: str) -> str:
    include = module.settings.get("include_prompt", True)
    if not isinstance(include, bool):
        raise InputError(f"{module.path}: include_prompt is {include!r}, and must be true or false")
    mask = "tokens.mask" if include else _counted(b)
    pooled: list[str] = []
    for mode in module.modes:
        if mode not in POOLINGS:
            raise InputError(f"{module.path}: pooling_mode {mode!r} is not implemented; known: {', '.join(POOLINGS)}")
        part, op = POOLINGS[mode]
        whole = () if include or mode != "weightedmean" else ("tokens.mask",)
        pooled.append(b.add(f"{BLOCK}.{part}", op, (x, mask, *whole), VECTOR))
    return pooled[0] if len(pooled) == 1 else b.add(f"{BLOCK}.pooled", Beside(), pooled, VECTOR)


def _counted(b: Builder) -> str:
    """Which tokens a pooling counts that leaves out the prompt."""
    if f"{BLOCK}.mask" not in {stage.name for stage in b.stages}:
        b.add("tokens.prompt", Given("prompt"), axes=parts.TOKENS)
        b.add(f"{BLOCK}.mask", WithoutPrompt(), ("tokens.mask", "tokens.prompt"), parts.TOKENS)
    return f"{BLOCK}.mask"


def _dense(b: Builder, module: Module, x: str) -> str:
    for name in ("module_input_name", "module_output_name"):
        _only(module, name, OF_TEXT)
    _only(module, "use_residual", False)
    fan_in, fan_out = _size(module, "in_features"), _size(module, "out_features")
    bias = bool(module.settings.get("bias", True))
    x = b.linear(b.fresh(f"{BLOCK}.dense"), x, f"{module.path}.linear", fan_in, fan_out, VECTOR, bias=bias)
    written = str(module.settings.get("activation_function", "torch.nn.modules.activation.Tanh"))
    front, _, kind = written.rpartition(".")
    if not front.startswith("torch.nn") or kind not in ACTIVATIONS:
        raise InputError(
            f"{module.path}: activation_function {written!r} is not implemented; known: {', '.join(ACTIVATIONS)}"
        )
    return b.activation(b.fresh(f"{BLOCK}.activation"), x, ACTIVATIONS[kind], VECTOR) if ACTIVATIONS[kind] else x


def _only(module: Module, name: str, value: object) -> None:
    setting = module.settings.get(name)
    if setting not in (None, value):
        raise InputError(f"{module.path}: {name} {setting!r} is not implemented; only {value!r} is")


def _size(module: Module, name: str) -> int:
    size = module.settings.get(name)
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise InputError(f"{module.path}: {name} is {size!r}, and must be a whole number of 1 or more")
    return size
