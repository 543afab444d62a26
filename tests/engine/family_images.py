"""ViT, DeiT and both encoders of CLIP for the tests that every family passes."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
import transformers.models.clip.modeling_clip as modeling_clip
import transformers.models.deit.modeling_deit as modeling_deit
import transformers.models.vit.modeling_vit as modeling_vit
from encoder_tui.engine import Encoder, Tokens
from encoder_tui.engine.models.families import sight_of
from encoder_tui.engine.models.images.reader import image_tokens
from encoder_tui.engine.ops import ACTIVATIONS
from family_kit import EAGER, SIZES, Sample, family_of, random_tokens
from hypothesis import strategies as st
from transformers import (
    CLIPConfig,
    CLIPForImageClassification,
    CLIPModel,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPVisionConfig,
    CLIPVisionModel,
    CLIPVisionModelWithProjection,
    DeiTConfig,
    DeiTForImageClassification,
    DeiTForImageClassificationWithTeacher,
    DeiTModel,
    ViTConfig,
    ViTForImageClassification,
    ViTForMaskedImageModeling,
    ViTModel,
)

LAYERS: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 40}
IMAGE: dict[str, Any] = {"image_size": 24, "patch_size": 4}
VIT = {"model": ViTModel, "classes": ViTForImageClassification, "hidden": ViTForMaskedImageModeling}
DEIT = {
    "model": DeiTModel, "classes": DeiTForImageClassification, "teacher": DeiTForImageClassificationWithTeacher,
}  # fmt: skip
CLIP_IMAGE = {"model": CLIPVisionModel, "projection": CLIPVisionModelWithProjection}
CLIP_TEXT = {"model": CLIPTextModel, "projection": CLIPTextModelWithProjection}


class CLIPModelOfText(CLIPModel):
    """CLIP whole, called for its text."""

    def forward(self, input_ids: Any, attention_mask: Any, **more: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride] # called by these names alone
        return cast(Any, self).get_text_features(input_ids, attention_mask, **more)


class CLIPModelOfImages(CLIPModel):
    """CLIP whole, called for its images."""

    def forward(self, pixel_values: Any, **more: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride] # called by these names alone
        return cast(Any, self).get_image_features(pixel_values, **more)


def random_images(lengths: Sequence[int], random: np.random.Generator, encoder: Encoder) -> Tokens:
    """Images of random pixels; of each as many tokens are seen as its length says, and those after them are hidden."""
    sight = sight_of(family_of(encoder), encoder.checkpoint.config)
    size = (sight.channels, sight.height, sight.width)
    pixels = [random.normal(0, 1, size).astype(np.float32) for _ in lengths]
    tokens = image_tokens(sight, pixels, [f"{row}.png" for row in range(len(lengths))])
    mask = np.array([[place < length for place in range(tokens.shape[1])] for length in lengths], dtype=np.int64)
    return replace(tokens, mask=mask)


def whole_images(lengths: Sequence[int], random: np.random.Generator, encoder: Encoder) -> Tokens:
    """The same with every token seen: CLIP takes no mask for images."""
    tokens = random_images(lengths, random, encoder)
    return replace(tokens, mask=np.ones_like(tokens.mask))


def ended_texts(lengths: Sequence[int], random: np.random.Generator, encoder: Encoder) -> Tokens:
    """Random texts, most of which have a token that ends them."""
    tokens = random_tokens(lengths, random, encoder)
    config = encoder.checkpoint.config.values
    end = config.get("text_config", config)["eos_token_id"]
    for row, length in enumerate(lengths):
        if length > 1 and end < tokens.vocabulary_size:
            tokens.ids[row, random.integers(1, length)] = end
    return tokens


def pixels(tokens: Tokens) -> dict[str, torch.Tensor]:
    return {"pixel_values": torch.from_numpy(tokens.arrays["image.pixels"])}


def pixels_and_mask(tokens: Tokens) -> dict[str, torch.Tensor]:
    return {**pixels(tokens), "attention_mask": torch.from_numpy(tokens.mask)}


def ids_and_mask(tokens: Tokens) -> dict[str, torch.Tensor]:
    return {"input_ids": torch.from_numpy(tokens.ids), "attention_mask": torch.from_numpy(tokens.mask)}


def vit(kind: str = "classes", pooler: bool = True, labels: int = 3, **options: Any) -> Any:
    config = ViTConfig(**{**LAYERS, **IMAGE, "encoder_stride": 4, "num_labels": labels, **options}, **EAGER)
    return VIT[kind](config, **({"add_pooling_layer": pooler} if kind == "model" else {}))


def deit(kind: str = "teacher", pooler: bool = True, labels: int = 3, **options: Any) -> Any:
    config = DeiTConfig(**{**LAYERS, **IMAGE, "num_labels": labels, **options}, **EAGER)
    return DEIT[kind](config, **({"add_pooling_layer": pooler} if kind == "model" else {}))


def clip_image(kind: str = "projection", **options: Any) -> Any:
    return CLIP_IMAGE[kind](CLIPVisionConfig(**{**LAYERS, **IMAGE, "projection_dim": 20, **options}, **EAGER))


def clip_text(kind: str = "projection", **options: Any) -> Any:
    given = {**LAYERS, "vocab_size": 99, "max_position_embeddings": 64, "eos_token_id": 98, "projection_dim": 20}
    return CLIP_TEXT[kind](CLIPTextConfig(**{**given, **options}, **EAGER))


def clip(side: type[CLIPModel], text: dict[str, Any], image: dict[str, Any], projection: int = 20) -> Any:
    text = {**LAYERS, "vocab_size": 99, "max_position_embeddings": 64, "eos_token_id": 98, **text}
    config = CLIPConfig(text_config=text, vision_config={**LAYERS, **IMAGE, **image}, projection_dim=projection)
    config._attn_implementation = "eager"
    return side(config)


def clip_of_text(projection: int = 20, **options: Any) -> Any:
    return clip(CLIPModelOfText, options, {"hidden_size": 8, "num_attention_heads": 2}, projection)


def clip_of_images(projection: int = 20, **options: Any) -> Any:
    return clip(CLIPModelOfImages, {"hidden_size": 8, "num_attention_heads": 2}, options, projection)


def clip_classes(labels: int = 3, **options: Any) -> Any:
    options = {"vision_config": {**LAYERS, **IMAGE, **options}, "num_labels": labels, **EAGER}
    return CLIPForImageClassification(CLIPConfig(**options))


@st.composite
def layers(draw: st.DrawFn) -> dict[str, Any]:
    hidden, heads = draw(SIZES)
    return {
        "hidden_size": hidden,
        "num_attention_heads": heads,
        "num_hidden_layers": draw(st.integers(1, 3)),
        "intermediate_size": draw(st.integers(2, 50)),
        "layer_norm_eps": draw(st.sampled_from([1e-12, 1e-5, 0.1])),
        "hidden_act": draw(st.sampled_from(sorted(ACTIVATIONS))),
    }


@st.composite
def vit_options(draw: st.DrawFn, kinds: tuple[str, ...]) -> dict[str, Any]:
    """Any that is small: images and patches that are no squares, a patch that does not divide the image."""
    more = {
        "image_size": draw(st.sampled_from([24, 9, [12, 20], [20, 13]])),
        "patch_size": draw(st.sampled_from([4, 5, [4, 3], [3, 5]])),
        "num_channels": draw(st.sampled_from([1, 3])),
        "qkv_bias": draw(st.booleans()),
        "kind": draw(st.sampled_from(kinds)),
        "pooler": draw(st.booleans()),
        "labels": draw(st.integers(1, 7)),
        "pooler_output_size": draw(st.sampled_from([None, 5])),
        "pooler_act": draw(st.sampled_from(["tanh", "relu"])),
    }
    if more["kind"] == "hidden":  # its decoder, which is not compared, takes squares only
        more |= {"image_size": 24, "patch_size": 4}
    return draw(layers()) | more


@st.composite
def image_options(draw: st.DrawFn) -> dict[str, Any]:
    size, patch = draw(st.sampled_from([(24, 4), (9, 4), (20, 7), (5, 5)]))
    return draw(layers()) | {"image_size": size, "patch_size": patch, "num_channels": draw(st.sampled_from([1, 3]))}


@st.composite
def text_options(draw: st.DrawFn) -> dict[str, Any]:
    """An end of 2 is the mistake of CLIP's first configs; 49407 is in no text of a small vocabulary."""
    return draw(layers()) | {"eos_token_id": draw(st.sampled_from([2, 5, 98, 49407]))}


def either(options: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """With a projection or without."""

    def joined(drawn: dict[str, Any], kind: str, size: int) -> dict[str, Any]:
        return drawn | {"kind": kind, "projection_dim": size}

    return st.builds(joined, options, st.sampled_from(["model", "projection"]), st.sampled_from([1, 20]))


def projected(drawn: dict[str, Any], size: int) -> dict[str, Any]:
    return drawn | {"projection": size}


def labelled(drawn: dict[str, Any], count: int) -> dict[str, Any]:
    return drawn | {"labels": count}


UNNAMED = ("embeddings.concat", "embeddings.position", "embeddings.class_token", "*.attention.concat", "*.residual")
CLASSES = ("head.classes.first", "head.classes.probabilities", "head.classes.best")
POOLED = ("head.pooler.first", "head.embedding.normalized")  # the latter is compared in test_clip_both_sides.py

SAMPLES = [
    Sample(
        family="ViT",
        example="google/vit-base-patch16-224",
        model=vit,
        options=vit_options(("model", "classes", "hidden")),
        longest=37,
        modeling=(modeling_vit,),
        outputs={"logits": "head.classes.logits"},
        inputs=pixels_and_mask,
        tokens=random_images,
        not_compared=("image.pixels", *UNNAMED, *CLASSES, "head.pooler.first"),
    ),
    Sample(
        family="DeiT",
        example="facebook/deit-base-distilled-patch16-224",
        model=deit,
        options=vit_options(("model", "classes", "teacher")),
        longest=38,
        modeling=(modeling_deit,),
        outputs={
            "logits": "head.classes.logits",
            "cls_logits": "head.classes.class_logits",
            "distillation_logits": "head.classes.distillation_logits",
        },
        inputs=pixels_and_mask,
        tokens=random_images,
        not_compared=(
            "image.pixels",
            *UNNAMED,
            "embeddings.distillation_token",
            *CLASSES,
            "head.classes.distilled",
            "head.pooler.first",
        ),
    ),
    Sample(
        family="CLIP images",
        example="openai/clip-vit-base-patch32",
        model=clip_of_images,
        options=st.builds(projected, image_options(), st.sampled_from([1, 20])),
        longest=37,
        modeling=(modeling_clip,),
        outputs={"pooler_output": "head.embedding.projection"},
        inputs=pixels,
        tokens=whole_images,
        not_compared=("image.pixels", *UNNAMED, *POOLED),
        load={"side": "image"},
    ),
    Sample(
        family="CLIP text",
        example="openai/clip-vit-base-patch32",
        model=clip_of_text,
        options=st.builds(projected, text_options(), st.sampled_from([1, 20])),
        modeling=(modeling_clip,),
        outputs={"pooler_output": "head.embedding.projection"},
        inputs=ids_and_mask,
        tokens=ended_texts,
        not_compared=(*UNNAMED, "head.pooler.token", *POOLED),
    ),
    Sample(
        family="CLIP images alone",
        example="laion/CLIP-ViT-H-14-laion2B-s32B-b79K",
        model=clip_image,
        options=either(image_options()),
        longest=37,
        modeling=(modeling_clip,),
        inputs=pixels,
        tokens=whole_images,
        not_compared=("image.pixels", *UNNAMED, *POOLED),
    ),
    Sample(
        family="CLIP text alone",
        example="openai/clip-vit-large-patch14",
        model=clip_text,
        options=either(text_options()),
        modeling=(modeling_clip,),
        outputs={"pooler_output": "head.pooler.token", "text_embeds": "head.embedding.projection"},
        inputs=ids_and_mask,
        tokens=ended_texts,
        not_compared=(*UNNAMED, "head.pooler.token", *POOLED),
    ),
    Sample(
        family="CLIP classes",
        example="openai/clip-vit-base-patch32",
        model=clip_classes,
        options=st.builds(labelled, image_options(), st.integers(1, 7)),
        longest=37,
        modeling=(modeling_clip,),
        outputs={"logits": "head.classes.logits"},
        inputs=pixels,
        tokens=whole_images,
        not_compared=("image.pixels", *UNNAMED, *CLASSES, "head.classes.mean"),
    ),
]
