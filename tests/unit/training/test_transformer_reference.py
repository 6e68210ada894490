"""The whole Transformer against the papers' equations, one sentence at a time, in float64 NumPy.

Nothing here comes from our modules but the weights. Where the order of dimensions is free, ours is
another than the papers', so the reference takes the paper's and permutes.
"""

from __future__ import annotations

import itertools
import math
from typing import TypeAlias

import numpy as np
import pytest
import torch
from torch import nn

from ferryman_bundle.tokenizer import BOS, EOS
from ferryman_training.model_config import TransformerConfig
from ferryman_training.transformer import Transformer

EXACT = {"rtol": 1e-10, "atol": 1e-10}
"""Both sides compute in float64; only the order of sums differs."""
ANGLES = {"rtol": 2e-5, "atol": 2e-5}
"""Angles are float32 in the model: 20 radians are rounded by up to 1e-6, which layers pass on."""

VOCABULARY = 30
Array: TypeAlias = np.ndarray
Weights: TypeAlias = dict[str, Array]


class Reference:
    """The model of a config, computed from its weights."""

    def __init__(self, config: TransformerConfig, weights: Weights) -> None:
        self.config = config
        self.weights = weights

    def logits(self, source: list[int], target: list[int]) -> Array:
        memory = self.encode(source)
        y = self.embed(target, "decoder", "embedding")
        causal = np.tri(len(target), dtype=bool)
        everything = np.ones((len(target), len(source)), dtype=bool)
        for i in range(self.config.decoder_layers):
            y = self.sublayer(
                f"decoder.{i}.attention_norm",
                y,
                lambda z, i=i: self.multi_head(f"decoder.{i}.attention", z, z, causal),
            )
            y = self.sublayer(
                f"decoder.{i}.cross_norm",
                y,
                lambda z, i=i: self.multi_head(f"decoder.{i}.cross", z, memory, everything),
            )
            y = self.feed_forward(f"decoder.{i}", y)
        return self.end("decoder_norm", y) @ self.output_matrix().T

    def encode(self, source: list[int]) -> Array:
        tied = self.config.tied_embeddings == "all"
        x = self.embed(source, "encoder", "embedding" if tied else "encoder_embedding")
        everything = np.ones((len(source), len(source)), dtype=bool)
        for i in range(self.config.encoder_layers):
            x = self.sublayer(
                f"encoder.{i}.attention_norm",
                x,
                lambda z, i=i: self.multi_head(f"encoder.{i}.attention", z, z, everything),
            )
            x = self.feed_forward(f"encoder.{i}", x)
        return self.end("encoder_norm", x)

    def output_matrix(self) -> Array:
        """Section 3.4: the matrix of the target embedding, where they are tied."""
        untied = self.config.tied_embeddings == "none"
        return self.weights["output.weight" if untied else "embedding.weight"]

    def embed(self, ids: list[int], side: str, table: str) -> Array:
        """Section 3.4: "we multiply those weights by the square root of d_model"."""
        width = self.config.width
        embedded = np.stack([self.weights[f"{table}.weight"][i] for i in ids]) * math.sqrt(width)
        match self.config.positions:
            case "sinusoidal":
                return embedded + np.stack([self.sinusoid(p) for p in range(len(ids))])
            case "learned":
                places = self.weights[f"{side}_positions.embedding.weight"]
                return embedded + places[: len(ids)] * math.sqrt(width)
        return embedded

    def sinusoid(self, position: int) -> Array:
        """Section 3.5: PE(pos, 2i) = sin(pos / 10000^(2i/d)), PE(pos, 2i+1) = cos(the same)."""
        width = self.config.width
        encoding = np.zeros(width)
        for i in range(width // 2):
            angle = position / 10_000 ** (2 * i / width)
            encoding[2 * i], encoding[2 * i + 1] = math.sin(angle), math.cos(angle)
        return np.concatenate([encoding[0::2], encoding[1::2]])

    def sublayer(self, norm: str, x: Array, block) -> Array:
        """Section 5.4, LayerNorm(x + Sublayer(x)); or arXiv 2002.04745, table 1."""
        if self.config.norm == "pre":
            return x + block(self.layer_norm(norm, x))
        return self.layer_norm(norm, x + block(x))

    def end(self, norm: str, x: Array) -> Array:
        """A final normalisation, in arXiv 2002.04745 (table 1) only."""
        return self.layer_norm(norm, x) if self.config.norm == "pre" else x

    def layer_norm(self, name: str, x: Array) -> Array:
        """Ba et al. 2016, arXiv 1607.06450, equations 3 and 4."""
        mean = x.mean(axis=-1, keepdims=True)
        deviation = np.sqrt(((x - mean) ** 2).mean(axis=-1, keepdims=True) + 1e-5)
        gain, bias = (self.weights[f"{name}.{part}"] for part in ("weight", "bias"))
        return gain * (x - mean) / deviation + bias

    def multi_head(self, name: str, x: Array, y: Array, allowed: Array) -> Array:
        """Section 3.2.2: Concat(head_1, ..., head_h) W^O."""
        if name.endswith("cross"):
            queries = self.linear(f"{name}.query", x)
            keys, values = np.split(self.linear(f"{name}.kv", y), 2, axis=1)
        else:
            queries, keys, values = np.split(self.linear(f"{name}.qkv", x), 3, axis=1)
            if self.config.positions == "rotary":
                queries, keys = self.rotated(queries), self.rotated(keys)
        size = self.config.width // self.config.heads
        heads = [
            self.attention(
                *(part[:, h * size : (h + 1) * size] for part in (queries, keys, values)), allowed
            )
            for h in range(self.config.heads)
        ]
        return self.linear(f"{name}.output", np.concatenate(heads, axis=1))

    def attention(self, queries: Array, keys: Array, values: Array, allowed: Array) -> Array:
        """Equation 1: softmax(Q K^T / sqrt(d_k)) V."""
        rows = []
        for query, row in zip(queries, allowed, strict=True):
            scores = np.exp([query @ key / math.sqrt(len(query)) for key in keys[row]])
            rows.append(scores / scores.sum() @ values[row])
        return np.stack(rows)

    def rotated(self, x: Array) -> Array:
        """Su et al. 2021, arXiv 2104.09864, equation 34, each head by itself."""
        size = self.config.width // self.config.heads
        turned = np.empty_like(x)
        for m, h in itertools.product(range(len(x)), range(self.config.heads)):
            part = slice(h * size, (h + 1) * size)
            vector = x[m, part].reshape(2, -1).T.reshape(-1)  # neighbours are paired in the paper
            theta = np.repeat([10_000 ** (-2 * i / size) for i in range(size // 2)], 2)
            swapped = np.stack([-vector[1::2], vector[0::2]], axis=1).reshape(-1)
            turned[m, part] = vector * np.cos(m * theta) + swapped * np.sin(m * theta)
        return turned

    def feed_forward(self, layer: str, x: Array) -> Array:
        """Equation 2, and with a gate arXiv 2002.05202, equation 6, with biases."""

        def block(z: Array) -> Array:
            expanded = self.linear(f"{layer}.feed_forward.expand", z)
            match self.config.activation:
                case "relu":
                    hidden = np.maximum(0, expanded)
                case "gelu":
                    # x Phi(x), arXiv 1606.08415, section 2.
                    normal = np.vectorize(lambda v: (1 + math.erf(v / math.sqrt(2))) / 2)
                    hidden = expanded * normal(expanded)
                case "swiglu":
                    gate, value = np.split(expanded, 2, axis=1)
                    hidden = gate / (1 + np.exp(-gate)) * value
            return self.linear(f"{layer}.feed_forward.contract", hidden)

        return self.sublayer(f"{layer}.feed_forward_norm", x, block)

    def linear(self, name: str, x: Array) -> Array:
        return x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]


OPTIONS = list(
    itertools.product(
        ("pre", "post"),
        ("sinusoidal", "learned", "rotary"),
        ("relu", "gelu", "swiglu"),
        ("all", "output", "none"),
    )
)


@pytest.mark.parametrize(("norm", "positions", "activation", "tied"), OPTIONS)
def test_the_model_is_what_the_papers_say(norm, positions, activation, tied):
    config = TransformerConfig(
        encoder_layers=1,
        decoder_layers=2,
        width=12,
        heads=3,
        feed_forward=20,
        norm=norm,
        positions=positions,
        max_positions=12,
        activation=activation,
        tied_embeddings=tied,
    )
    torch.manual_seed(3)
    model = Transformer(config, VOCABULARY).double().eval()
    for parameter in model.parameters():  # norms and biases must not be ones and zeros here
        nn.init.normal_(parameter, std=0.4)
    generator = np.random.default_rng(4)
    source = [*generator.integers(EOS + 1, VOCABULARY, size=6).tolist(), EOS]
    target = [BOS, *generator.integers(EOS + 1, VOCABULARY, size=4).tolist()]

    with torch.no_grad():
        found = model.logits(model(torch.tensor([source]), torch.tensor([target])))[0].numpy()
    weights = {name: weight.numpy() for name, weight in model.state_dict().items()}
    expected = Reference(config, weights).logits(source, target)
    tolerance = EXACT if positions == "learned" else ANGLES
    np.testing.assert_allclose(found, expected, **tolerance)
