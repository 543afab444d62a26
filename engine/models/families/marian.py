"""The encoder of Marian's translators (Junczys-Dowmunt et al. 2018), with the operations of transformers' `modeling_marian.py`.

BART's, but for positions, which are waves (sines, then cosines) and begin at 0, and for vectors of tokens that are not normed.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace

from ...ops import Sinusoid, Sum
from ...program.program import Program
from ..config import Config
from . import bart
from .blocks import attention as parts
from .blocks.builder import Builder
from .family import Limits, Options

MODEL_TYPES = {"marian": "Marian"}
TOKENIZERS = {"marian": "MarianTokenizer"}
POSITIONS = {"marian": 1024}
PREFIXES = bart.PREFIXES
TIED = bart.TIED
MODULES = replace(bart.MODULES, decoders=("decoder", "lm_head"))
HARMLESS = {
    **bart.HARMLESS,
    "of the decoder, which is not used": (
        *bart.HARMLESS["of the decoder, which is not used"], "decoder_vocab_size", "share_encoder_decoder_embeddings",
    ),
}  # fmt: skip


def limits(config: Config) -> Limits:
    """What text it can take."""
    sizes = _sizes(config)
    return Limits(sizes.vocabulary, sizes.places, padding_id=sizes.padding)


def build(config: Config, stored: Container[str], options: Options) -> Program:
    """The program of the encoder of a Marian checkpoint; positions are computed unless they are stored."""
    sizes, b = _sizes(config), Builder(MODULES)
    hidden, module = sizes.layer.hidden, "encoder.embed_positions"
    parts.tokens(b, sizes.vocabulary, also=("positions",))
    token = bart.tokens(b, sizes)
    if f"{module}.weight" in stored:
        position = b.lookup("embeddings.position", "tokens.positions", module, sizes.places, hidden)
    else:
        waves = Sinusoid(hidden, options.dtype, "halves", sizes.places)
        position = b.add("embeddings.position", waves, ("tokens.positions",), module=module)
    x = b.add("embeddings.sum", Sum(), (token, position))
    bart.layers(b, sizes, b.alias("embeddings.output", x), options)
    return b.program()


def _sizes(config: Config) -> bart.Bart:
    return bart.Bart.of(config, vocabulary=58101, padding=58100)
