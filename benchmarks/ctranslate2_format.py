"""A bundle's Transformer in the format of CTranslate2 (https://opennmt.net/CTranslate2).

The weights are those that the bundle's graphs compute with: what is stored as int8 has been
rounded, and is handed over as the float32 values that it stands for. So both engines run the same
model.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import ctranslate2  # type: ignore  # has no types, and is installed for this benchmark only
import torch

from ferryman_bundle import Bundle
from ferryman_bundle.quantization import Floats
from ferryman_bundle.tokenizer import BOS, EOS, UNKNOWN
from ferryman_export.transformer_blocks import query_power
from ferryman_training.positions import sinusoids

_LAYER_NORM_EPSILON: Final = 1e-5
"""torch.nn.LayerNorm's default, which training leaves as it is."""


class ConversionError(ValueError):
    """A bundle that has no counterpart in CTranslate2, with the reason."""


def convert(bundle: Bundle, directory: Path) -> None:
    """Write a bundle as a CTranslate2 model in float32.

    Args:
        bundle: A Transformer.
        directory: Of the model; made if it is missing.

    Raises:
        ConversionError: The bundle is of another family, or misses a weight.
    """
    manifest = bundle.manifest
    if manifest.family != "transformer":
        raise ConversionError(f"the family must be transformer, but is {manifest.family}")
    specification = _specification(
        bundle.tensors(),
        heads=_heads(bundle),
        positions=max(manifest.limits.max_source_tokens, manifest.limits.max_target_tokens) + 1,
    )
    pieces = [bundle.tokenizer.piece(i) for i in range(manifest.tokens.vocabulary_size)]
    specification.register_source_vocabulary(pieces)
    specification.register_target_vocabulary(pieces)
    config = specification.config
    config.unk_token, config.bos_token, config.eos_token = (pieces[i] for i in (UNKNOWN, BOS, EOS))
    config.decoder_start_token = pieces[BOS]
    config.add_source_eos = True
    config.layer_norm_epsilon = _LAYER_NORM_EPSILON
    specification.validate()
    specification.optimize()
    directory.mkdir(parents=True, exist_ok=True)
    specification.save(str(directory))


def _heads(bundle: Bundle) -> int:
    """Read the number of attention heads from the state: it is in the shape of no weight."""
    for tensor in bundle.manifest.variants["fp32"].state:
        if tensor.name == "memory.0.value":
            return int(tensor.shape[1])
    raise ConversionError("the manifest declares no memory.0.value, so the heads are unknown")


class _Weights:
    """Weights of a bundle, by the names of the trained module."""

    def __init__(self, tensors: Mapping[str, Floats], *, heads: int) -> None:
        self._tensors = tensors
        self._heads = heads

    def layers(self, stack: str) -> int:
        """Count the layers of ``encoder`` or ``decoder``."""
        return len({n.split(".")[1] for n in self._tensors if n.startswith(f"{stack}.")})

    def tensor(self, name: str) -> Floats:
        """Return one tensor; a bundle stores equal tensors once, so a name can be missing."""
        if name not in self._tensors:
            raise ConversionError(
                f"the bundle has no {name}; untrained and very narrow models cannot be "
                "converted: equal tensors are stored as one, and small ones in the graphs"
            )
        return self._tensors[name]

    def linear(self, specification: Any, name: str) -> None:
        """Fill in a projection; both sides keep its matrix as (out, in)."""
        specification.weight = self.tensor(f"{name}.weight")
        specification.bias = self.tensor(f"{name}.bias")

    def norm(self, specification: Any, name: str) -> None:
        """Fill in a layer normalisation."""
        specification.gamma = self.tensor(f"{name}.weight")
        specification.beta = self.tensor(f"{name}.bias")

    def self_attention(self, specification: Any, layer: str) -> None:
        """Fill in self-attention with the normalisation before it."""
        self.norm(specification.layer_norm, f"{layer}.attention_norm")
        self.linear(specification.linear[0], f"{layer}.attention.qkv")
        self.linear(specification.linear[1], f"{layer}.attention.output")

    def cross_attention(self, specification: Any, layer: int, layers: int) -> None:
        """Fill in attention to the source; keys and values of all layers are one matrix here."""
        name = f"decoder.{layer}"
        self.norm(specification.layer_norm, f"{name}.cross_norm")
        query = f"layers.{layer}.cross_query"
        power = query_power(self.tensor(f"{query}.weight").shape[0] // self._heads)
        specification.linear[0].weight = self.tensor(f"{query}.weight") / power
        specification.linear[0].bias = self.tensor(f"{query}.bias") / power
        weight, bias = self.tensor("cross_kv.weight"), self.tensor("cross_kv.bias")
        rows = len(bias) // layers
        own = slice(layer * rows, (layer + 1) * rows)
        specification.linear[1].weight, specification.linear[1].bias = weight[own], bias[own]
        self.linear(specification.linear[2], f"{name}.cross.output")

    def feed_forward(self, specification: Any, layer: str) -> None:
        """Fill in the feed-forward block with the normalisation before it."""
        self.norm(specification.layer_norm, f"{layer}.feed_forward_norm")
        self.linear(specification.linear_0, f"{layer}.feed_forward.expand")
        self.linear(specification.linear_1, f"{layer}.feed_forward.contract")


def _specification(tensors: Mapping[str, Floats], *, heads: int, positions: int) -> Any:
    """Return a `ctranslate2.specs.TransformerSpec` with every weight in its place.

    Args:
        tensors: See `Bundle.tensors`.
        heads: Attention heads.
        positions: How many positions either side can have.
    """
    weights = _Weights(tensors, heads=heads)
    specification = ctranslate2.specs.TransformerSpec.from_config(
        (weights.layers("encoder"), weights.layers("decoder")),
        heads,
        pre_norm=True,
        activation=ctranslate2.specs.Activation.RELU,
    )
    encoder, decoder = specification.encoder, specification.decoder
    embedding = weights.tensor("embedding.weight")  # (V, D)
    table = sinusoids(torch.arange(positions), embedding.shape[1]).numpy()
    # scale_embeddings is CTranslate2's default: times the root of the width, as here.
    for embeddings in (encoder.embeddings[0], decoder.embeddings, decoder.projection):
        embeddings.weight = embedding
    for stack, name in ((encoder, "encoder"), (decoder, "decoder")):
        stack.position_encodings.encodings = table
        weights.norm(stack.layer_norm, f"{name}_norm")
        for i, layer in enumerate(stack.layer):
            weights.self_attention(layer.self_attention, f"{name}.{i}")
            weights.feed_forward(layer.ffn, f"{name}.{i}")
    for i, layer in enumerate(decoder.layer):
        weights.cross_attention(layer.attention, i, len(decoder.layer))
    return specification
