"""The Transformer against the paper's formulas, torch's own layers, and itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ferryman_bundle.tokenizer import BOS, EOS, PAD
from ferryman_training.batching import pad
from ferryman_training.model_config import TransformerConfig
from ferryman_training.transformer import (
    DecoderLayer,
    EncoderLayer,
    FeedForward,
    Transformer,
    sinusoids,
)

EXACT = {"rtol": 1e-11, "atol": 1e-11}
"""Both sides compute in float64; only the order of sums differs."""

CONFIG = TransformerConfig(
    encoder_layers=2, decoder_layers=2, width=12, heads=3, feed_forward=20, dropout=0.0
)
VOCABULARY = 30


@pytest.fixture
def model() -> Transformer:
    torch.manual_seed(3)
    model = Transformer(CONFIG, VOCABULARY).double().eval()
    for parameter in model.parameters():  # norms and biases must not be ones and zeros here
        nn.init.normal_(parameter, std=0.4)
    return model


def random_ids(*lengths: int, seed: int = 4) -> list[list[int]]:
    generator = np.random.default_rng(seed)
    return [generator.integers(EOS + 1, VOCABULARY, size=n).tolist() for n in lengths]


def causal(length: int) -> Tensor:
    return torch.full((length, length), float("-inf"), dtype=torch.float64).triu(1)


def test_sinusoids_are_section_3_5_with_sines_before_cosines():
    width, positions = 16, np.array([0, 1, 2, 77, 500])
    expected = np.zeros((len(positions), width))
    for i in range(width // 2):
        angle = positions / 10_000 ** (2 * i / width)
        expected[:, i], expected[:, width // 2 + i] = np.sin(angle), np.cos(angle)
    found = sinusoids(torch.from_numpy(positions), width).numpy()
    # float32 angles up to 500 are rounded by up to 500 * 2**-24 = 3e-5.
    np.testing.assert_allclose(found, expected, atol=4e-5)


def test_the_feed_forward_is_equation_2():
    torch.manual_seed(5)
    module = FeedForward(6, 10).double()
    x = torch.randn(2, 3, 6, dtype=torch.float64)
    w1, b1, w2, b2 = (p.detach().numpy() for p in module.parameters())
    expected = np.maximum(0, x.numpy() @ w1.T + b1) @ w2.T + b2
    np.testing.assert_allclose(module(x).detach().numpy(), expected, **EXACT)


def test_an_encoder_layer_adds_blocks_of_normalised_inputs(model):
    layer = model.encoder[0]
    x = torch.randn(1, 4, 12, dtype=torch.float64)

    def norm(y: np.ndarray, module: nn.LayerNorm) -> np.ndarray:
        """(y - mean) / sqrt(variance + eps) * gain + bias: Ba et al. 2016, equations 2 and 3."""
        centred = y - y.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + module.eps)
        return scaled * module.weight.detach().numpy() + module.bias.detach().numpy()

    def block(module: nn.Module, y: np.ndarray, *rest: None) -> np.ndarray:
        return module(torch.from_numpy(y), *rest).detach().numpy()

    y = x.numpy()
    y = y + block(layer.attention, norm(y, layer.attention_norm), None)
    y = y + block(layer.feed_forward, norm(y, layer.feed_forward_norm))
    np.testing.assert_allclose(layer(x, None).detach().numpy(), y, **EXACT)


def torch_layer(kind: type[nn.Module]) -> nn.Module:
    return kind(
        CONFIG.width, CONFIG.heads, CONFIG.feed_forward, dropout=0.0,
        batch_first=True, norm_first=True, dtype=torch.float64,
    )  # fmt: skip


def copy(target: nn.Module, source: nn.Module) -> None:
    target.load_state_dict(source.state_dict())


@torch.no_grad()
def torch_encoder_layer(ours: EncoderLayer) -> nn.Module:
    """Return torch's layer with our weights."""
    theirs = torch_layer(nn.TransformerEncoderLayer)
    copy_self_attention(theirs.self_attn, ours)
    for name, module in (("norm1", ours.attention_norm), ("norm2", ours.feed_forward_norm),
                         ("linear1", ours.feed_forward.expand),
                         ("linear2", ours.feed_forward.contract)):  # fmt: skip
        copy(getattr(theirs, name), module)
    return theirs


@torch.no_grad()
def torch_decoder_layer(ours: DecoderLayer) -> nn.Module:
    """Return torch's layer with our weights."""
    theirs = torch_layer(nn.TransformerDecoderLayer)
    copy_self_attention(theirs.self_attn, ours)
    cross = theirs.multihead_attn
    cross.in_proj_weight.copy_(torch.cat([ours.cross.query.weight, ours.cross.kv.weight]))
    cross.in_proj_bias.copy_(torch.cat([ours.cross.query.bias, ours.cross.kv.bias]))
    copy(cross.out_proj, ours.cross.output)
    for name, module in (("norm1", ours.attention_norm), ("norm2", ours.cross_norm),
                         ("norm3", ours.feed_forward_norm),
                         ("linear1", ours.feed_forward.expand),
                         ("linear2", ours.feed_forward.contract)):  # fmt: skip
        copy(getattr(theirs, name), module)
    return theirs


def copy_self_attention(theirs: nn.MultiheadAttention, ours: EncoderLayer | DecoderLayer) -> None:
    theirs.in_proj_weight.copy_(ours.attention.qkv.weight)
    theirs.in_proj_bias.copy_(ours.attention.qkv.bias)
    copy(theirs.out_proj, ours.attention.output)


def test_the_whole_model_is_torchs_given_the_same_weights(model):
    encoder = [torch_encoder_layer(layer) for layer in model.encoder]
    decoder = [torch_decoder_layer(layer) for layer in model.decoder]
    source = pad([[*s, EOS] for s in random_ids(6, 3)])
    target = pad([[BOS, *t] for t in random_ids(5, 7)])
    hidden = source == PAD

    x = model.embed(source, torch.arange(7))
    for layer in encoder:
        x = layer(x, src_key_padding_mask=hidden)
    memory = model.encoder_norm(x)
    y = model.embed(target, torch.arange(8))
    for layer in decoder:
        y = layer(y, memory, tgt_mask=causal(8), memory_key_padding_mask=hidden)
    expected = model.decoder_norm(y)

    torch.testing.assert_close(model(source, target), expected, **EXACT)


def test_teacher_forced_is_step_by_step(model):
    source = pad([[*s, EOS] for s in random_ids(6, 3, 9)])
    target = torch.tensor([[BOS, *t] for t in random_ids(7, 7, 7)])
    expected = model.logits(model(source, target))
    memory = model.encode(source)
    state = model.initial_state(memory)
    for t in range(target.shape[1]):
        logits, state = model.step(target[:, t], memory, state)
        torch.testing.assert_close(logits, expected[:, t], **EXACT)


def test_the_attention_is_the_mean_of_the_last_layers_softmaxes(model):
    source = pad([[*s, EOS] for s in random_ids(6, 3)])
    target = pad([[BOS, *t] for t in random_ids(5, 2, seed=6)])
    seen = []

    def catch(_module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        seen[:] = [tensor.detach().numpy() for tensor in arguments]

    cross = model.decoder[-1].cross
    handle = cross.register_forward_pre_hook(catch)
    model(source, target)
    handle.remove()
    x, keys, _, bias = seen
    heads, size = CONFIG.heads, CONFIG.width // CONFIG.heads
    queries = (x @ cross.query.weight.detach().numpy().T) + cross.query.bias.detach().numpy()
    queries = queries.reshape(*x.shape[:2], heads, size)
    scores = np.einsum("bthk,bhsk->bhts", queries, keys) / np.sqrt(size) + bias
    weights = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    found = model.attention(source, target).detach().numpy()
    np.testing.assert_allclose(found, weights.mean(1), **EXACT)
    assert (found[1, :, 4:] == 0).all()


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


def test_source_target_and_output_share_one_matrix(model):
    names = [n for n, p in model.named_parameters() if p.shape == (VOCABULARY, CONFIG.width)]
    assert names == ["embedding.weight"]
    hidden = torch.randn(2, CONFIG.width, dtype=torch.float64)
    torch.testing.assert_close(model.logits(hidden), hidden @ model.embedding.weight.T)
