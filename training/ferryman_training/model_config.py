"""Which model a run trains: its family, and the sizes and choices of that family."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Discriminator, Field, Tag, ValidationInfo, field_validator

from ferryman_training.config_section import Fraction, Positive, Section

Activation: TypeAlias = Literal["relu", "gelu", "swiglu"]


class AlignedHead(Section):
    """One head of cross-attention, by its place."""

    layer: Annotated[int, Field(ge=0)]
    """Of the decoder, from 0."""
    head: Annotated[int, Field(ge=0)] = 0
    """Of the layer, from 0."""


class TransformerConfig(Section):
    """The Transformer (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762)."""

    family: Literal["transformer"] = "transformer"
    encoder_layers: Positive = 6
    decoder_layers: Positive = 2
    width: Positive = 256
    """Size of embeddings and layer outputs, d_model in the paper."""
    heads: Positive = 4
    feed_forward: Positive = 1024
    """Size of the hidden layer of the feed-forward blocks, d_ff in the paper."""
    dropout: Fraction = 0.1
    norm: Literal["pre", "post"] = "pre"
    """Where layers normalise: the input of each block, or as in the paper its sum with the input.

    ``post`` needs a longer warm-up or a lower learning rate the more layers there are.
    """
    activation: Activation = "relu"
    """Of the feed-forward blocks; ``swiglu`` has half as many weights again at equal size."""
    positions: Literal["sinusoidal", "learned", "rotary"] = "sinusoidal"
    max_positions: Positive = 256
    """How many positions are learnt, for ``learned``; the others know any."""
    tied_embeddings: Literal["all", "output", "none"] = "all"
    """Which embeddings are one matrix: of source, target and output; of target and output; none."""
    aligned_head: AlignedHead | None = None
    """The head of cross-attention that training holds to word links; none where left out."""

    @field_validator("width")
    @classmethod
    def _width_is_even(cls, width: int) -> int:
        if width % 2:
            raise ValueError(f"{width} is odd; sinusoidal positions come in pairs")
        return width

    @field_validator("heads")
    @classmethod
    def _heads_divide_width(cls, heads: int, info: ValidationInfo) -> int:
        width = info.data.get("width")
        if width is not None and width % heads:
            raise ValueError(f"{heads} does not divide model.width {width}")
        return heads

    @field_validator("positions")
    @classmethod
    def _rotation_comes_in_pairs(cls, positions: str, info: ValidationInfo) -> str:
        width, heads = info.data.get("width"), info.data.get("heads")
        if positions == "rotary" and width and heads and (width // heads) % 2:
            raise ValueError(
                f'"rotary" turns pairs of dimensions, but model.width {width} / model.heads '
                f"{heads} is {width // heads}, which is odd"
            )
        return positions

    @field_validator("aligned_head")
    @classmethod
    def _the_aligned_head_is_there(
        cls, aligned: AlignedHead | None, info: ValidationInfo
    ) -> AlignedHead | None:
        if aligned is None:
            return aligned
        for name, index, setting in (
            ("layer", aligned.layer, "decoder_layers"),
            ("head", aligned.head, "heads"),
        ):
            count = info.data.get(setting)
            if count is not None and index >= count:
                raise ValueError(
                    f"{name} {index} is not there: model.{setting} is {count}, and the first is 0"
                )
        return aligned


class RecurrentConfig(Section):
    """Recurrent encoder and decoder, with or without attention between them."""

    family: Literal["recurrent"] = "recurrent"
    cell: Literal["rnn", "lstm", "gru"] = "lstm"
    """``rnn`` is Elman's, with tanh."""
    encoder_layers: Positive = 2
    bidirectional: bool = True
    """Whether the encoder reads the source in both directions, each with half the width."""
    decoder_layers: Positive = 2
    width: Positive = 256
    """Size of embeddings, of the encoder's outputs and of the decoder's hidden states."""
    attention: Literal["none", "bahdanau", "luong"] = "luong"
    """``none``: all the decoder sees of the source is the encoder's last state."""
    score: Literal["dot", "general", "concat"] = "general"
    """How ``luong`` compares a decoder state with the source; the others ignore it."""
    input_feeding: bool = False
    """Whether each step of ``luong`` is fed the attentional vector of the one before."""
    bridge: Literal["zero", "copy", "dense"] = "dense"
    """What the decoder begins with: nothing, the encoder's last states, or a layer on them."""
    dropout: Fraction = 0.2
    """On everything that is not recurrent: embeddings, between layers, before the output."""
    tied_embeddings: bool = True
    """Whether source, target and output embeddings are one matrix."""

    @field_validator("width")
    @classmethod
    def _both_directions_get_half(cls, width: int, info: ValidationInfo) -> int:
        if info.data.get("bidirectional") and width % 2:
            raise ValueError(f"{width} is odd; model.bidirectional gives each direction half")
        return width

    @field_validator("input_feeding")
    @classmethod
    def _luong_feeds_its_input(cls, input_feeding: bool, info: ValidationInfo) -> bool:
        attention = info.data.get("attention")
        if input_feeding and attention == "none":
            raise ValueError('there is nothing to feed where model.attention is "none"')
        if input_feeding and attention == "bahdanau":
            raise ValueError(
                'belongs to model.attention "luong"; with "bahdanau" every step reads the source '
                "before its cell anyway"
            )
        return input_feeding

    @field_validator("bridge")
    @classmethod
    def _the_bridge_carries(cls, bridge: str, info: ValidationInfo) -> str:
        if bridge == "zero" and info.data.get("attention") == "none":
            raise ValueError(
                '"zero" shows the decoder nothing of the source where model.attention is "none"'
            )
        encoder, decoder = (info.data.get(f"{side}_layers") for side in ("encoder", "decoder"))
        if bridge == "copy" and encoder and decoder and encoder != decoder:
            raise ValueError(
                f'"copy" needs equal depths, but model.encoder_layers is {encoder} and '
                f"model.decoder_layers {decoder}"
            )
        return bridge


def _family(section: Any) -> str | None:
    """Return which family a section is of; one that does not say is a Transformer."""
    if isinstance(section, dict):
        return str(section.get("family", "transformer"))
    return getattr(section, "family", None)


ModelConfig: TypeAlias = Annotated[
    Annotated[TransformerConfig, Tag("transformer")] | Annotated[RecurrentConfig, Tag("recurrent")],
    Discriminator(_family),
]
"""The section of either family, told apart by ``family``."""
