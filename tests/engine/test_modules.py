"""Torch modules that are not quite plain: each opened exactly, or refused in one line that names the part."""

from __future__ import annotations

import copy
import functools
import json
import warnings
from collections.abc import Callable
from typing import Any, cast

import pytest
import torch
from encoder_tui.engine import InputError, load, load_module
from encoder_tui.engine.models.torch_module.reading import config_of
from encoder_tui.engine.program.torch_calls import without_fast_path
from family_torch_encoder import _weighing
from family_torch_encoder import save as save_encoder
from torch import nn
from torch.nn import functional
from torch.nn.modules import module as every
from torch.nn.utils import parametrizations, parametrize, prune, spectral_norm, weight_norm

SIZE = 16
pytestmark = pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning", "ignore:enable_nested_tensor")


def encoder(layers: int = 2, norm: bool = True, **options: Any) -> Any:
    torch.manual_seed(1)
    settings: dict[str, Any] = {"d_model": SIZE, "nhead": 2, "dim_feedforward": 24, "batch_first": True} | options
    last = nn.LayerNorm(SIZE) if norm else None
    module = nn.TransformerEncoder(
        nn.TransformerEncoderLayer(**settings), layers, norm=last, enable_nested_tensor=False
    )
    for weight in module.parameters():
        nn.init.normal_(weight, std=0.3)
    return module.eval()


def slow(module: Any, vectors: torch.Tensor) -> torch.Tensor:
    """What the module gives on the path that computes attention weights, (batch, token, size)."""
    module = getattr(module, "_orig_mod", module)
    attentions = {getattr(layer, "_orig_mod", layer).self_attn for layer in module.layers}
    for attention in attentions:
        attention.forward = _weighing(attention.forward)
    try:
        with torch.no_grad(), without_fast_path():
            return module(vectors)
    finally:
        for attention in attentions:
            del attention.forward


def expect_exact(module: Any):
    """Opened from the object, the numbers are the module's; so they are when what can be saved of it is."""
    opened = load_module(module)
    vectors = torch.randn(2, 5, SIZE, dtype=opened.dtype)
    theirs = slow(module, vectors)
    first = opened.checkpoint.batch_first
    ours = opened.run_vectors(vectors)["output"].tensor()
    assert torch.equal(ours if first else ours.transpose(0, 1), theirs)
    return opened


class Doubled(nn.Linear):
    def forward(self, input: torch.Tensor):
        return super().forward(input) * 2


class Centred(nn.Module):
    def forward(self, weight: torch.Tensor):
        return weight - weight.mean()


class OwnLayer(nn.TransformerEncoderLayer):
    pass


class OwnAttention(nn.MultiheadAttention):
    pass


class OwnEncoder(nn.TransformerEncoder):
    pass


class OwnNorm(nn.LayerNorm):
    pass


class OwnDropout(nn.Dropout):
    pass


class OwnReLU(nn.ReLU):
    pass


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(encoder())


class OwnTensor(torch.Tensor):
    pass


def double(*given: Any):
    return given[-1]


def swap(name: str, part: Callable[[Any], object]):
    """Put a part in place of one of the last layer's."""

    def spoil(module: Any):
        room, _, last = name.rpartition(".")
        setattr(module.layers[1].get_submodule(room) if room else module.layers[1], last, part(module.layers[1]))

    return spoil


def own_forward(module: Any):
    module.layers[0].norm2.forward = double


def own_block(module: Any):
    module.layers[0]._ff_block = double


def own_tensor(module: Any):
    weight = module.layers[0].linear1.weight
    module.layers[0].linear1.weight = nn.Parameter(weight.detach().as_subclass(OwnTensor), requires_grad=False)


def halved(module: Any):
    module.layers[1].norm1.half()


def shaped(module: Any):
    module.layers[1].linear2.weight = nn.Parameter(torch.zeros(SIZE, 7))


def quantised(module: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return cast(Any, torch.ao.quantization).quantize_dynamic(module, {nn.Linear}, dtype=torch.qint8)  # still met


def mixed_batch_first(module: Any):
    module.layers[1].self_attn.batch_first = False


REFUSED: dict[str, Callable[[Any], Any]] = {
    "layers.1 has a forward hook (test_modules.double)": lambda m: m.layers[1].register_forward_hook(double) and None,
    "layers.0.self_attn has a forward pre-hook": lambda m: m.layers[0].self_attn.register_forward_pre_hook(double) and None,
    "norm has a forward hook": lambda m: m.norm.register_forward_hook(double) and None,
    "the module has a forward hook": lambda m: m.register_forward_hook(double) and None,
    "layers.0.dropout1 has a forward hook": lambda m: m.layers[0].dropout1.register_forward_hook(double) and None,
    "layers.1.linear2 is a Doubled, a subclass of Linear; only torch.nn.Linear itself is known": swap("linear2", lambda _: Doubled(24, SIZE)),
    "layers.0.linear1 is a torch.ao.nn.quantized.dynamic.modules.linear.Linear;": quantised,
    "layers.1.norm1 is a OwnNorm, a subclass of LayerNorm; only torch.nn.LayerNorm or torch.nn.RMSNorm": swap("norm1", lambda _: OwnNorm(SIZE)),
    "layers.1.norm2 is a Identity;": swap("norm2", lambda _: nn.Identity()),
    "layers.1.norm2 has no weight (elementwise_affine=False)": swap("norm2", lambda _: nn.LayerNorm(SIZE, elementwise_affine=False)),
    "layers.1.dropout2 is a OwnDropout, a subclass of Dropout": swap("dropout2", lambda _: OwnDropout(0.1)),
    "layers.1.self_attn is a OwnAttention, a subclass of MultiheadAttention": swap("self_attn", lambda _: OwnAttention(SIZE, 2)),
    "layers.1.self_attn has add_bias_kv or add_zero_attn": swap("self_attn", lambda _: nn.MultiheadAttention(SIZE, 2, add_bias_kv=True)),
    "layers.1.self_attn has a kdim or vdim": swap("self_attn", lambda _: nn.MultiheadAttention(SIZE, 2, kdim=8)),
    "layers.1.activation is a OwnReLU, a subclass of ReLU": swap("activation", lambda _: OwnReLU()),
    "layers.1.activation is a Softplus": swap("activation", lambda _: nn.Softplus()),
    "layers.1.activation is torch.cos, which is not implemented; known: gelu": swap("activation", lambda _: torch.cos),
    "layers.1.activation is test_modules.<lambda>": swap("activation", lambda _: (lambda: None)),
    "layers.1.linear1 is missing": swap("linear1", lambda _: None),
    "layers.1 is a OwnLayer, a subclass of TransformerEncoderLayer": lambda m: m.layers.__setitem__(1, OwnLayer(SIZE, 2)),
    "layers.1 is a Identity; only torch.nn.TransformerEncoderLayer itself": lambda m: m.layers.__setitem__(1, nn.Identity()),
    "layers is a NoneType": lambda m: setattr(m, "layers", None),
    "layers.0.norm2 has a forward of its own (test_modules.double)": own_forward,
    "layers.0 has a _ff_block of its own (test_modules.double)": own_block,
    "layers.0.linear1.weight is a test_modules.OwnTensor; only plain tensors": own_tensor,
    "layers.1.norm1.weight has the dtype float16, and layers.0.self_attn.in_proj_weight float32": halved,
    "layers.0.self_attn.in_proj_weight lies on the meta device": lambda m: m.to("meta"),
    "layers.1.linear2.weight is [16, 7] and should be [16, 24]": shaped,
    "layers.1 has batch_first False and layers.0 True": mixed_batch_first,
    "the module is a OwnEncoder, a subclass of TransformerEncoder": lambda _: OwnEncoder(nn.TransformerEncoderLayer(SIZE, 2), 1),
    "the module is a TransformerEncoderLayer; only torch.nn.TransformerEncoder itself is known": lambda m: m.layers[0],
    "the module is a Classifier; only torch.nn.TransformerEncoder itself is known; give its body.0, which is one": lambda _: Classifier(),
    "the module is a DataParallel": lambda m: nn.DataParallel(m),
    "this TransformerEncoder has no layers": lambda m: setattr(m, "layers", nn.ModuleList()),
}  # fmt: skip


@pytest.mark.parametrize("said", REFUSED)
def test_what_is_not_known_is_refused_by_its_name(said: str):
    module = encoder()
    spoiled = REFUSED[said](module)
    with pytest.raises(InputError) as error:
        load_module(module if spoiled is None else spoiled)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_hook_for_every_module_is_refused():
    for register in (every.register_module_forward_hook, every.register_module_forward_pre_hook):
        handle = register(double)
        try:
            with pytest.raises(InputError, match=f"every module has a hook .*{register.__name__}"):
                load_module(encoder())
        finally:
            handle.remove()
    expect_exact(encoder())


def test_hooks_of_gradients_change_nothing():
    module = encoder()
    module.layers[0].register_full_backward_hook(double)
    expect_exact(module)


MADE: dict[str, Callable[[Any], object]] = {
    "parametrised": lambda m: parametrize.register_parametrization(m.layers[0].linear1, "weight", Centred()),
    "parametrised bias": lambda m: parametrize.register_parametrization(m.layers[0].norm1, "bias", Centred()),
    "parametrised attention": lambda m: parametrize.register_parametrization(m.layers[0].self_attn, "in_proj_weight", Centred()),
    "parametrised out_proj": lambda m: parametrize.register_parametrization(m.layers[0].self_attn.out_proj, "weight", Centred()),
    "weight norm": lambda m: parametrizations.weight_norm(m.layers[1].linear2),
    "old weight norm": lambda m: weight_norm(m.layers[1].linear2),
    "spectral norm": lambda m: parametrizations.spectral_norm(m.layers[1].linear2),
    "old spectral norm": lambda m: spectral_norm(m.layers[1].linear2),
    "orthogonal": lambda m: parametrizations.orthogonal(m.layers[1].linear2),
    "pruned": lambda m: cast(Any, prune).l1_unstructured(m.layers[0].linear1, "weight", 0.5),
    "pruned twice": lambda m: [cast(Any, prune).random_unstructured(m.layers[0].linear1, "weight", 0.3) for _ in range(2)],
}  # fmt: skip


@pytest.mark.parametrize("how", MADE)
def test_weights_that_are_made_are_those_of_the_next_call(how: str):
    module = encoder()
    MADE[how](module)
    with torch.no_grad():
        for weight in module.parameters():
            weight.mul_(1.25)  # what the hooks made before is stale now
    before = {name: value.clone() for name, value in module.state_dict().items()}
    expect_exact(module)
    after = module.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_a_norm_in_training_is_not_changed():
    """In training the spectral norm takes a step each time its weight is looked at."""
    module = encoder(dropout=0.0)
    parametrizations.spectral_norm(module.layers[0].linear1)
    spectral_norm(module.layers[0].linear2)
    module.train()
    before = copy.deepcopy(dict(module.named_buffers()))
    assert before
    opened = load_module(module)
    assert all(torch.equal(value, before[name]) for name, value in module.named_buffers())
    vectors = torch.randn(1, 3, SIZE)
    assert torch.equal(opened.run_vectors(vectors)["output"].tensor(), slow(module.eval(), vectors))


def rms(module: Any):
    for layer in module.layers:
        layer.norm1, layer.norm2 = nn.RMSNorm(SIZE, eps=1e-3), nn.RMSNorm(SIZE)
        nn.init.normal_(layer.norm1.weight)


def other_sizes(module: Any):
    other = nn.TransformerEncoderLayer(
        SIZE, 4, 9, activation="gelu", norm_first=True, layer_norm_eps=0.1, batch_first=True
    )
    module.layers[1] = other.eval()


def other_norms(module: Any):
    module.layers[0].norm2.eps = 0.5
    module.layers[1].norm1 = nn.RMSNorm(SIZE, eps=1e-4)
    module.norm = nn.RMSNorm(SIZE, eps=0.01)


def other_biases(module: Any):
    module.layers[0].linear1.bias = None
    module.layers[1].norm2.bias = None
    module.layers[1].self_attn.in_proj_bias = None
    module.layers[0].self_attn.out_proj.bias = None


def other_activations(module: Any):
    for layer, activation in zip(
        module.layers, (nn.SiLU(), functools.partial(functional.gelu, approximate="tanh")), strict=True
    ):
        layer.activation, layer.activation_relu_or_gelu = activation, 0


def without_dropout(module: Any):
    for layer in module.layers:
        layer.dropout, layer.dropout1 = nn.Identity(), nn.AlphaDropout(0.5)
    module.eval()


def shared(module: Any):
    module.layers = nn.ModuleList([module.layers[0]] * 3)


def compiled(module: Any):
    module.layers[1] = torch.compile(module.layers[1], backend="eager")


UNLIKE: dict[str, Callable[[Any], object]] = {
    "frozen": lambda m: m.requires_grad_(False), "one frozen": lambda m: m.layers[1].requires_grad_(False),
    "RMSNorm": rms, "layers of other sizes": other_sizes, "other norms": other_norms, "biases in some parts": other_biases,
    "other activations": other_activations, "no dropout": without_dropout, "one layer thrice": shared, "compiled": compiled,
    "listed": lambda m: setattr(m, "layers", nn.Sequential(*m.layers)),
}  # fmt: skip


@pytest.mark.few(8)
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("how", UNLIKE)
def test_parts_that_are_not_alike_are_exact(how: str, batch_first: bool):
    module = encoder(batch_first=batch_first, bias=how != "RMSNorm")
    UNLIKE[how](module)
    for layer in module.layers:
        getattr(layer, "_orig_mod", layer).self_attn.batch_first = batch_first
    opened = expect_exact(module)
    if how == "compiled":
        return
    again = load(save_encoder(module), "cpu")  # and so are they in a directory, by its config
    vectors = torch.randn(2, 3, SIZE)
    assert torch.equal(opened.run_vectors(vectors)["output"].tensor(), again.run_vectors(vectors)["output"].tensor())


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_a_norm_without_a_mean_in_other_dtypes(dtype: torch.dtype):
    module = encoder(bias=False)
    rms(module)
    expect_exact(module.to(dtype))


def test_a_compiled_module_is_the_module():
    module = encoder()
    compiled: Any = torch.compile(module, backend="eager")
    with pytest.warns(UserWarning, match="the module is compiled: shown is what it says"):
        opened = load_module(compiled)
    vectors = torch.randn(1, 3, SIZE)
    assert torch.equal(opened.run_vectors(vectors)["output"].tensor(), slow(module, vectors))


def test_the_projection_that_torch_never_calls():
    """A hook on `out_proj`, or a subclass of it, does nothing in torch, which only reads its weights; and nothing here."""
    module = encoder()
    module.layers[0].self_attn.out_proj.register_forward_hook(double)
    swap("self_attn.out_proj", lambda _: Doubled(SIZE, SIZE))(module)
    with pytest.warns(
        UserWarning, match=r"torch reads the weight of layers\.0\.self_attn\.out_proj and never calls it"
    ):
        opened = expect_exact(module)
    assert len(opened.checkpoint.notes) == 2
    assert "layers.1.self_attn.out_proj" in opened.facts()["note"]


def test_training_mode_is_told():
    module = encoder(dropout=0.25)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_module(module)
        load_module(encoder(dropout=0.0).train())
    for part, said in (
        (module.layers[1].dropout2, "layers.1.dropout2 is"),
        (module, "layers.0.self_attn and the module are"),
    ):
        part.train()
        with pytest.warns(UserWarning, match=rf"{said} in training mode: .* \(rate 0\.25\)"):
            load_module(module)
        assert part.training


def test_a_fast_path_that_computes_another_activation_is_told():
    """torch remembers what the activation was when the layer was made, and takes every GELU for the exact one."""
    module = encoder(activation="relu", layers=1)
    module.layers[0].activation = torch.tanh
    with pytest.warns(
        UserWarning, match="layers.0.activation is tanh, and torch's fast path of eval mode computes relu"
    ):
        expect_exact(module)
    with pytest.warns(UserWarning, match="is gelu_pytorch_tanh, and torch's fast path of eval mode computes gelu"):
        expect_exact(encoder(activation=nn.GELU(approximate="tanh")))


def test_another_dtype_is_told():
    module = encoder().to(torch.bfloat16)
    with pytest.warns(UserWarning, match="the module is bfloat16 and is computed in float32"):
        load(module, "cpu")
    with pytest.warns(UserWarning, match="computed in float32"):
        load_module(module, "float32")


def test_dtypes_that_differ_are_brought_to_the_one_asked_for():
    module = encoder()
    halved(module)
    assert load_module(module, "float32", device="cpu").about["dtype"] == "float32"


def test_what_nobody_thought_of_is_found_beside_the_module(monkeypatch: pytest.MonkeyPatch):
    """A method of torch replaced for all modules is no part's own; the numbers tell."""
    forward = nn.Linear.forward

    def larger(self: nn.Linear, x: torch.Tensor) -> torch.Tensor:
        return forward(self, x) * 1.5

    monkeypatch.setattr(nn.Linear, "forward", larger)
    with pytest.raises(
        InputError, match=r"layers\.0 gives other numbers than its parts do, by up to .* on random vectors"
    ):
        load_module(encoder())


def test_a_module_that_cannot_be_run(monkeypatch: pytest.MonkeyPatch):
    def fail(self: object, x: object):
        raise ValueError("no\nnumbers")

    monkeypatch.setattr(nn.LayerNorm, "forward", fail)
    with pytest.raises(InputError, match=r"layers\.0 cannot be run: no numbers"):
        load_module(encoder())


def test_opening_leaves_nothing_behind():
    module = encoder()
    before, state = {*module.layers[0].__dict__}, torch.get_rng_state()
    load_module(module)
    assert torch.equal(torch.get_rng_state(), state)
    assert vars(module.layers[0]).keys() == before
    assert all(weight.grad is None for weight in module.parameters())


def test_weights_without_numbers_to_compare_are_opened_all_the_same():
    """A model that overflows is what a debugger is for."""
    module = encoder()
    with torch.no_grad():
        module.layers[0].linear1.weight.fill_(1e38)
    load_module(module)
    with torch.inference_mode():
        other = encoder()
    load_module(other)


def test_the_config_of_a_plain_one_says_each_thing_once():
    assert config_of(encoder()) == {
        "model_type": "torch_transformer_encoder", "num_layers": 2, "d_model": SIZE, "nhead": 2, "dim_feedforward": 24,
        "activation": "relu", "norm_first": False, "batch_first": True, "layer_norm_eps": 1e-5, "bias": True,
        "norm": "LayerNorm", "norm_eps": 1e-5, "norm_bias": True,
    }  # fmt: skip


APART: list[tuple[dict[str, Any], str]] = [
    ({"layers": [{}]}, "layers must be a list of 2 objects"),
    ({"layers": [{}, {"d_model": 8}]}, r"layers\[1\] has 'd_model'; known: nhead"),
    ({"layers": [{}, {"nhead": 3}]}, "nhead 3 does not divide d_model 16"),
    ({"norm1": "BatchNorm"}, "norm1 is 'BatchNorm', and must be one of LayerNorm, RMSNorm"),
    ({"norm2_eps": None}, "norm2_eps is None"),
    ({"linear1_bias": 1}, "linear1_bias is 1, and must be true or false"),
]


@pytest.mark.parametrize(("said", "match"), APART)
def test_a_config_with_parts_said_apart(said: dict[str, Any], match: str):
    directory = save_encoder(encoder())
    config = json.loads((directory / "config.json").read_text())
    (directory / "config.json").write_text(json.dumps(config | said))
    with pytest.raises(InputError, match=match):
        load(directory)
