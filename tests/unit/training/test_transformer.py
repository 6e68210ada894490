"""The Transformer against itself: step by step, padded, looking ahead, under its old names."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from ferryman_bundle.tokenizer import BOS, EOS
from ferryman_training.batching import pad
from ferryman_training.model_config import AlignedHead, TransformerConfig
from ferryman_training.transformer import Transformer

EXACT = {"rtol": 1e-11, "atol": 1e-11}
"""Both sides compute in float64; only the order of sums differs."""

VOCABULARY = 30

OPTIONS = [
    {"norm": norm, "positions": positions, "activation": activation, "tied_embeddings": tied}
    for norm, positions, activation, tied in itertools.product(
        ("pre", "post"),
        ("sinusoidal", "learned", "rotary"),
        ("relu", "gelu", "swiglu"),
        ("all", "output", "none"),
    )
]


def config(**options: object) -> TransformerConfig:
    sizes = {"encoder_layers": 1, "decoder_layers": 2, "width": 12, "heads": 3, "feed_forward": 20}
    return TransformerConfig(**(sizes | {"dropout": 0.0, "max_positions": 12} | options))


def build(config: TransformerConfig) -> Transformer:
    torch.manual_seed(3)
    model = Transformer(config, VOCABULARY).double().eval()
    for parameter in model.parameters():  # norms and biases must not be ones and zeros here
        nn.init.normal_(parameter, std=0.4)
    return model


@pytest.fixture(params=OPTIONS, ids=lambda options: "-".join(options.values()))
def model(request) -> Transformer:
    return build(config(**request.param))


def random_ids(*lengths: int, seed: int = 4) -> list[list[int]]:
    generator = np.random.default_rng(seed)
    return [generator.integers(EOS + 1, VOCABULARY, size=n).tolist() for n in lengths]


def test_teacher_forced_is_step_by_step(model):
    source = pad([[*s, EOS] for s in random_ids(6, 3, 9)])
    target = torch.tensor([[BOS, *t] for t in random_ids(7, 7, 7)])
    expected = model.logits(model(source, target))
    memory = model.encode(source)
    state = model.initial_state(memory)
    for t in range(target.shape[1]):
        logits, state = model.step(target[:, t], memory, state)
        torch.testing.assert_close(logits, expected[:, t], **EXACT)


def test_padding_never_leaks(model):
    sources, targets = random_ids(6, 1, 9, 4), random_ids(3, 8, 1, 5, seed=6)
    together = model(pad([[*s, EOS] for s in sources]), pad([[BOS, *t] for t in targets]))
    for row, (source, target) in enumerate(zip(sources, targets, strict=True)):
        alone = model(torch.tensor([[*source, EOS]]), torch.tensor([[BOS, *target]]))
        torch.testing.assert_close(together[row, : len(target) + 1], alone[0], **EXACT)


def test_no_position_sees_the_target_after_it(model):
    source = torch.tensor([[*random_ids(5)[0], EOS]])
    target = torch.tensor([[BOS, *random_ids(6)[0]]])
    changed = target.clone()
    changed[0, 4] += 1
    before, after = model(source, target), model(source, changed)
    torch.testing.assert_close(before[0, :4], after[0, :4], rtol=0, atol=0)
    assert not torch.allclose(before[0, 4], after[0, 4])


def test_no_weight_is_there_in_vain(model):
    """Every parameter gets a gradient: what is tied is not kept twice, what is not is used."""
    source = pad([[*s, EOS] for s in random_ids(6, 3)])
    target = pad([[BOS, *t] for t in random_ids(5, 2, seed=6)])
    model.logits(model(source, target)).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize(
    ("tied", "names"),
    [
        ("all", ["embedding.weight"]),
        ("output", ["embedding.weight", "encoder_embedding.weight"]),
        ("none", ["embedding.weight", "encoder_embedding.weight", "output.weight"]),
    ],
)
def test_tied_embeddings_are_one_matrix(tied, names):
    model = build(config(tied_embeddings=tied))
    found = [n for n, p in model.named_parameters() if p.shape == (VOCABULARY, 12)]
    assert found == names
    hidden = torch.randn(2, 12, dtype=torch.float64)
    matrix = model.get_parameter(names[-1] if tied == "none" else "embedding.weight")
    torch.testing.assert_close(model.logits(hidden), hidden @ matrix.T)
    assert model.output_weight is matrix
    assert model.target_embedding.weight is model.embedding.weight
    assert (model.source_embedding is model.target_embedding) == (tied == "all")


def test_the_parameters_of_the_first_models_keep_their_names_and_order():
    """Checkpoints are read by name, and an optimizer goes on by order."""

    def linear(*modules: str) -> list[str]:
        return [f"{module}.{part}" for module in modules for part in ("weight", "bias")]

    attention = ("attention_norm", "attention.qkv", "attention.output")
    cross = ("cross_norm", "cross.query", "cross.kv", "cross.output")
    feed_forward = ("feed_forward_norm", "feed_forward.expand", "feed_forward.contract")
    expected = [
        "embedding.weight",
        *linear(*(f"encoder.0.{m}" for m in (*attention, *feed_forward)), "encoder_norm"),
        *linear(*(f"decoder.{i}.{m}" for i in (0, 1) for m in (*attention, *cross, *feed_forward))),
        *linear("decoder_norm"),
    ]
    assert [name for name, _ in build(config()).named_parameters()] == expected


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("layer", [0, 1])
def test_the_attention_is_that_of_the_aligned_head(norm, layer):
    """Other heads, and what comes after the layer's attention, may change: its weights may not."""
    model = build(config(norm=norm, aligned_head=AlignedHead(layer=layer, head=1)))
    source = pad([[*s, EOS] for s in random_ids(6, 3)])
    target = pad([[BOS, *t] for t in random_ids(5, 2, seed=6)])
    before = model.attention(source, target)
    torch.testing.assert_close(before.sum(-1), torch.ones_like(before.sum(-1)))
    assert (before[1, :, 4:] == 0).all()
    cross = model.decoder[layer].cross
    with torch.no_grad():
        cross.query.weight[:4] += 1
        cross.query.weight[8:] += 1
        cross.output.weight += 1
        model.decoder[layer].feed_forward.expand.weight += 1
        for later in model.decoder[layer + 1 :]:
            later.cross.query.weight += 1
    torch.testing.assert_close(model.attention(source, target), before, rtol=0, atol=0)
    with torch.no_grad():
        cross.query.weight[4:8] += 1
    assert not torch.allclose(model.attention(source, target), before)


def test_a_guided_pass_tells_the_logarithm_of_the_attention():
    model = build(config(aligned_head=AlignedHead(layer=0, head=2)))
    source = pad([[*s, EOS] for s in random_ids(6, 3)])
    target = pad([[BOS, *t] for t in random_ids(5, 2, seed=6)])
    hidden, logs = model.forward_guided(source, target)
    assert logs.dtype == torch.float32
    torch.testing.assert_close(hidden, model(source, target), rtol=0, atol=0)
    torch.testing.assert_close(logs.exp().double(), model.attention(source, target))


def test_a_translation_that_runs_past_the_learned_positions_stays_at_the_last():
    model = build(config(positions="learned", max_positions=3))
    source = torch.tensor([[*random_ids(2)[0], EOS]])
    target = torch.tensor([[BOS, *random_ids(5)[0]]])
    assert model(source, target).isfinite().all()
    positions = torch.tensor([2, 3, 70])
    same = model.embed_target(torch.tensor([[5, 5, 5]]), positions)
    assert (same[0] == same[0, 0]).all()
