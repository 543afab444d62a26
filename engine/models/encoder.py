"""A loaded model: text goes in, a run comes out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import torch

from ..messages.errors import InputError
from ..program.inputs import Inputs, Size, sequences_of
from ..program.program import Program
from ..program.tokens import TOKEN_VECTORS, Tokens
from ..program.trace import Trace
from ..traces.compute import Computation
from ..traces.outline import Outline
from ..traces.ranges.weights import WeightSizes
from ..traces.run import Run
from ..traces.shapes import Shadow, shadows_of
from .devices import device_of, dtype_of
from .families import IMAGE, TEXT, Options
from .families.blocks import tasks as task_heads
from .notes import Tell, silent
from .program_of_vectors import in_place_of_tokens, program_of_vectors, size_of
from .settings import Settings
from .source import Source
from .text.given_ids import GivenText, given_texts, tokens_of_ids
from .text.reader import TextReader
from .weights import Weights

KEPT_SHADOWS = 16
Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


class Encoder:
    """A model made ready to run on one device, in one dtype. Made by `load`.

    Attributes:
        name: what was loaded, for people.
        checkpoint, program: where the numbers come from, and what is computed.
        settings: what it was opened with, device and side as they turned out to be. The same model otherwise is
            `Encoder(encoder.name, encoder.checkpoint, replace(encoder.settings, dtype="float64"))`.
        device, dtype: where and in what it computes; `meta` where there are no numbers to compute with.
        side: what it takes, `text` or `image`.
        tell: is told what is to be said of texts that are read by `run`, a sentence each; see `load`.

    Raises:
        InputError: a device or dtype that cannot be used, a side the model has not, training without dropout.
    """

    def __init__(self, name: str, checkpoint: Source, settings: Settings, tell: Tell = silent) -> None:
        device, self.dtype = device_of(settings.device), dtype_of(settings.dtype)
        self.side = settings.side or checkpoint.sides[0]
        if self.side not in checkpoint.sides:
            raise InputError(_wrong_side(name, checkpoint.config.model_type, self.side))
        self.settings = replace(settings, device=str(device), side=self.side)
        self.device = device if checkpoint.has_numbers else torch.device("meta")
        self.name, self.checkpoint, self.tell = name, checkpoint, tell
        options = Options(settings.dtype, settings.causal, settings.train_seed, settings.dropout, self.side)
        self.program: Program = checkpoint.program(options)
        if settings.train_seed is not None and not any(stage.kind == "Dropout" for stage in self.program):
            family = self.checkpoint.config.model_type
            raise InputError(
                f"--train-mode does nothing to {name}: its config sets no dropout (--dropout 0.1 does), or {family} has none here"
            )
        self.weights = Weights(checkpoint, self.program.weights, self.device, self.dtype, self.program.wide)
        self._weight_sizes = WeightSizes(self.weights)
        self._shadows: dict[tuple[bool, tuple[Size, ...]], dict[str, Shadow]] = {}

    @property
    def budget(self) -> int | None:
        """Bytes of values that a run keeps; None for no limit. Set, it holds for the runs to come."""
        return self.settings.budget

    @budget.setter
    def budget(self, budget: int | None) -> None:
        self.settings = replace(self.settings, budget=budget)

    def read(
        self,
        texts: str | Sequence[str],
        pair: str | None = None,
        max_length: int | None = None,
        prompt: str | None = None,
    ) -> Tokens:
        """Tokenise texts into one padded batch; see `TextReader.read`."""
        self._expect(TEXT)
        return self.checkpoint.reader.read(texts, pair, max_length, self.settings.prompt if prompt is None else prompt)

    @property
    def has_numbers(self) -> bool:
        """Whether values can be computed; of a preset too large for that only shapes and costs are known."""
        return self.checkpoint.has_numbers

    def trace(
        self,
        texts: str | Sequence[str] | Tokens | Inputs = (),
        pair: str | None = None,
        max_length: int | None = None,
        images: Paths = (),
        prompt: str | None = None,
    ) -> Trace:
        """A run, or an outline where there are no numbers; see `run`."""
        if self.has_numbers:
            return self.run(texts, pair, max_length, images=images, prompt=prompt)
        inputs = self.inputs(texts, pair, max_length, images, prompt)
        outline = Outline(self._program_of(inputs), inputs, self._shadows_of(inputs), self.about)
        outline.model_notes, outline.longest = tuple(self.checkpoint.notes), self._longest
        return outline

    def look(self, images: Paths) -> Tokens:
        """Read image files into one batch; see `ImageReader.read`."""
        self._expect(IMAGE)
        return self.checkpoint.images.read(images)

    def _expect(self, side: str) -> None:
        if side != self.side:
            raise InputError(_wrong_side(self.name, self.checkpoint.config.model_type, side))

    def inputs(
        self,
        texts: str | Sequence[str] | Tokens | Inputs = (),
        pair: str | None = None,
        max_length: int | None = None,
        images: Paths = (),
        prompt: str | None = None,
    ) -> Inputs:
        """What goes into a run, read by the tokenizer or the image processor; what they did to it is told; see `run`.

        Raises:
            InputError: text or images the model cannot take, or not the sequences that it has.
        """
        if isinstance(texts, Tokens | Inputs):
            return self._expected(Inputs.of(texts))
        if images and texts:
            raise InputError("a run takes texts or images, not both")
        tokens = self.look(images) if images or self.side == IMAGE else self.read(texts, pair, max_length, prompt)
        for note in tokens.notes:
            self.tell(note)
        return self._expected(Inputs(tokens))

    def _expected(self, inputs: Inputs) -> Inputs:
        """These, as long as they are the sequences that the program has."""
        given, wanted = tuple(inputs.sequences), sequences_of(self.program)
        if set(given) != set(wanted):
            raise InputError(
                f"{self.name} takes the sequences {', '.join(wanted)}, and {', '.join(given)} were given; give each of its own"
            )
        return inputs

    def run(
        self,
        texts: str | Sequence[str] | Tokens | Inputs = (),
        pair: str | None = None,
        max_length: int | None = None,
        instead_of: Run | None = None,
        images: Paths = (),
        prompt: str | None = None,
    ) -> Run:
        """A run over a batch. Nothing is computed until a value is read.

        Args:
            texts: one text, several, or what was read already: tokens, or several sequences of them.
            pair: a second segment for each text.
            max_length: cut longer texts to this many tokens.
            instead_of: an earlier run whose values are no longer needed; the new one computes in its memory, which
                saves the page faults of fresh memory (a quarter of the time at 512 tokens).
            images: paths of image files, for a model of images.
            prompt: name of the sentence-transformers prompt to put before each text; "" for none, None for the default.

        Raises:
            InputError: text or images the model cannot take, or a model without numbers.
        """
        if not self.has_numbers:
            raise InputError(f"{self.name} has no numbers to run with, only shapes and costs; open it with `cost`")
        inputs = self.inputs(texts, pair, max_length, images, prompt)
        computation = Computation(
            self._program_of(inputs), self.weights, inputs, self.device, self.dtype, self.budget,
            pool=instead_of.release() if instead_of is not None else None, shadows=self._shadows_of(inputs),
        )  # fmt: skip
        word = self._tokenizer[0].word if self._tokenizer[0] is not None else None
        run = Run(computation, inputs, self.about, self._weight_sizes, word)
        run.model_notes, run.longest = tuple(self.checkpoint.notes), self._longest
        return run

    @cached_property
    def _tokenizer(self) -> tuple[TextReader | None, str]:
        """What reads texts, or None and why there is nothing that does."""
        if self.side != TEXT or self.checkpoint.vector_size is not None:
            return None, ""
        try:
            return self.checkpoint.reader, ""
        except InputError as error:
            return None, str(error)

    def read_ids(self, rows: Sequence[GivenText]) -> Tokens:
        """Ids in place of a text as one padded batch; there need be no tokenizer.

        Raises:
            InputError: a model that takes no text, ids it has not, more than it takes, or parts that do not fit.
        """
        self._expect(TEXT)
        if self.checkpoint.vector_size is not None:
            raise InputError(f"{self.name} takes vectors, not ids; give --vectors PATH")
        reader, why = self._tokenizer
        limits = self.checkpoint.limits
        given = [part for part in ("segments", "positions") if f"tokens.{part}" in self.program]
        tokens = tokens_of_ids(
            rows, limits, padding=limits.padding_id if reader is None else reader.padding_id,
            left=reader is not None and reader.opened.pads_left, word=None if reader is None else reader.word,
            given=[part for part in given if self.program[f"tokens.{part}"].kind == "Given"],
        )  # fmt: skip
        said = [f"ids are shown as numbers: {why}"] if reader is None else reader.left_to_ids(tokens.shape[1])
        return replace(tokens, notes=tuple(said))

    def run_ids(
        self, ids: Any, mask: Any = None, segments: Any = None, positions: Any = None, instead_of: Run | None = None
    ) -> Run:
        """A run over ids in place of a text, with the tokenizer's special ones where they are wanted.

        Args:
            ids: of one text, or (batch, token), rows of any length; anything numpy takes, or a tensor.
            mask: 1 where an id counts and 0 where it is padding, of the shape of `ids`; None where all count.
            segments, positions: of the same shape; None for what a text alone has.
            instead_of: as of `run`.

        Raises:
            InputError: as of `read_ids`.
        """
        return self.run(self.read_ids(given_texts(ids, mask, segments, positions)), instead_of=instead_of)

    def run_vectors(self, vectors: Any, mask: Any = None, instead_of: Run | None = None, names: str = "vectors") -> Run:
        """A run over vectors, of a model that takes those, or in place of the embeddings of a text's tokens.

        Args:
            vectors: as the model itself takes them: (batch, token, size), or (token, batch, size) of a torch module with
                `batch_first=False`; (token, size) for a batch of one; anything numpy takes, or a tensor.
            mask: (batch, token), whatever comes first in the vectors; None where all count. Integers are an attention mask:
                1 counts, 0 is padding. Booleans are torch's `src_key_padding_mask`: True hides. So are floats of 0 and
                minus infinity, which hides; other floats are refused.
            instead_of: as of `run`.
            names: what the rows are called.

        Raises:
            InputError: a model that has no use for vectors, or shapes that do not fit.
        """
        from .vectors import rounded, vector_tokens

        size = self.checkpoint.vector_size
        first = size is None or self.checkpoint.batch_first
        width = size_of(self.program) if size is None else size
        tokens = vector_tokens(vectors, mask, size=width, names=names, batch_first=first)
        if size is None:
            longest = self.checkpoint.limits.longest
            tokens = in_place_of_tokens(tokens, self.program, longest)
        reader, _ = self._tokenizer
        left = reader.left_to_ids(tokens.shape[1]) if reader is not None else ()
        tokens = replace(tokens, notes=(*tokens.notes, *rounded(tokens, self.dtype), *left))
        for note in tokens.notes:
            self.tell(note)
        return self.run(tokens, instead_of=instead_of)

    def otherwise(self, settings: Settings) -> Encoder:
        """The same model with other settings: another dtype, another device.

        Raises:
            InputError: as of `load`.
        """
        return Encoder(self.name, self.checkpoint, settings)

    @property
    def about(self) -> dict[str, str]:
        """Facts for people."""
        about = {
            "model": self.name,
            "family": self.checkpoint.config.model_type,
            "device": str(self.device),
            "dtype": str(self.dtype).removeprefix("torch."),
        }
        return about | {"attention": "causal"} if self._is_causal else about

    @cached_property
    def _longest(self) -> int | None:
        """How many tokens of text it takes; None for any number, and where it takes images."""
        return self.checkpoint.limits.longest if self.side == TEXT else None

    @cached_property
    def _is_causal(self) -> bool:
        return any(stage.kind == "AdditiveMask" and stage.options.get("causal") for stage in self.program)

    def facts(self) -> dict[str, str]:
        """More facts: where it came from, how large it is, what of it is not used."""
        parameters = self.checkpoint.parameters(self.program)
        unused = self.checkpoint.unused(self.program)
        files = [path.name for path in self.checkpoint.files]
        facts = {
            "directory": str(self.checkpoint.directory),
            "weights": (files[0] if files else "in memory") + f" and {len(files) - 1} more shards" * (len(files) > 1),
            "parameters": f"{parameters:,}",
            "not used": ", ".join(map(str, self.checkpoint.leftovers(self.program))) or "none of the stored tensors",
            **task_heads.facts(self.checkpoint.config, unused),
        }
        if self.side == IMAGE:
            facts["pixels"] = self.checkpoint.images.processor.written()
        return facts | ({"note": "; ".join(self.checkpoint.notes)} if self.checkpoint.notes else {})

    @cached_property
    def _of_vectors(self) -> Program:
        return program_of_vectors(self.program)

    def _program_of(self, inputs: Inputs) -> Program:
        """What is computed of these tokens: where vectors stand for them, none are looked up."""
        return self._of_vectors if TOKEN_VECTORS in inputs.tokens.arrays else self.program

    def _shadows_of(self, inputs: Inputs) -> dict[str, Shadow]:
        key = TOKEN_VECTORS in inputs.tokens.arrays, tuple(inputs.sizes.values())
        if key not in self._shadows:
            if len(self._shadows) >= KEPT_SHADOWS:
                self._shadows.clear()
            self._shadows[key] = shadows_of(self._program_of(inputs), self.dtype, inputs.sizes)
        return self._shadows[key]


def _wrong_side(name: str, family: str, side: str) -> str:
    if side == IMAGE:
        return (
            f"model {name!r} ({family}) takes text and no images; give one that takes images, such as "
            "--model google/vit-base-patch16-224 or openai/clip-vit-base-patch32"
        )
    return f"model {name!r} ({family}) takes images and no text; give it --image PATH instead of a text"
