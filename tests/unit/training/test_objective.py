"""The loss of a batch and its gradients: whole, in chunks of the target, with sampling."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from ferryman_bundle.tokenizer import PAD
from ferryman_training.batching import Batch, TokenPair, collate
from ferryman_training.model_config import RecurrentConfig, TransformerConfig
from ferryman_training.objective import Objective
from ferryman_training.optimizer_config import OptimizerConfig
from ferryman_training.precision import Precision
from ferryman_training.recurrent import Recurrent
from ferryman_training.run_config import RunConfig
from ferryman_training.seq2seq import Seq2Seq, build_model

VOCABULARY = 23
FLOAT32 = Precision(RunConfig(precision="float32"))
SCALE = 0.25

TRANSFORMER = TransformerConfig(
    encoder_layers=1, decoder_layers=1, width=8, heads=2, feed_forward=16, dropout=0.0
)
RECURRENT = [
    RecurrentConfig(
        cell=cell,
        attention=attention,
        input_feeding=attention == "luong",
        encoder_layers=2,
        decoder_layers=2,
        width=8,
        bridge=bridge,
        tied_embeddings=tied,
        dropout=0.0,
    )
    for cell, attention, (bridge, tied) in itertools.product(
        ("gru", "lstm"), ("none", "bahdanau", "luong"), (("dense", True), ("copy", False))
    )
]


@pytest.fixture
def batch() -> Batch:
    """Five pairs of different lengths; the longest target has nine tokens and its end."""
    generator = torch.Generator().manual_seed(3)
    draw = lambda n: tuple(torch.randint(4, VOCABULARY, (n,), generator=generator).tolist())  # noqa: E731
    return collate(
        [TokenPair(draw(n), draw(m)) for n, m in ((3, 9), (7, 2), (1, 5), (4, 4), (6, 1))]
    )


def build(config) -> Seq2Seq:
    torch.manual_seed(4)
    return build_model(config, VOCABULARY).double().train()


def gradients(model: Seq2Seq, batch: Batch, *, step: int = 1, **options) -> dict[str, Tensor]:
    """Return the gradients that the objective makes."""
    model.zero_grad()
    objective = Objective(model, OptimizerConfig(**options), FLOAT32)
    objective.backward(batch, step=step, scale=SCALE)
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


def smoothed(model: Seq2Seq, hidden: Tensor, outputs: Tensor, smoothing: float) -> Tensor:
    return functional.cross_entropy(
        model.logits(hidden).flatten(0, 1),
        outputs.flatten(),
        ignore_index=PAD,
        reduction="sum",
        label_smoothing=smoothing,
    )


@pytest.mark.parametrize("config", [TRANSFORMER, RECURRENT[0], RECURRENT[-1]], ids=str)
def test_whole_targets_have_the_gradients_of_torchs_cross_entropy(batch, config):
    model = build(config)
    found = gradients(model, batch, label_smoothing=0.1)
    model.zero_grad()
    hidden = model(batch.source, batch.target_input)
    (smoothed(model, hidden, batch.target_output, 0.1) * SCALE).backward()
    assert found.keys() == {n for n, p in model.named_parameters() if p.grad is not None}
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            torch.testing.assert_close(found[name], parameter.grad, msg=name)


def test_the_loss_is_the_sum_over_tokens_without_smoothing_or_scale(batch):
    model = build(TRANSFORMER)
    objective = Objective(model, OptimizerConfig(label_smoothing=0.3), FLOAT32)
    loss, tokens = objective.backward(batch, step=1, scale=SCALE)
    hidden = model(batch.source, batch.target_input)
    expected = smoothed(model, hidden, batch.target_output, 0.0).detach()
    assert loss == pytest.approx(float(expected))
    assert tokens == 9 + 2 + 5 + 4 + 1 + 5


@pytest.mark.parametrize("config", RECURRENT, ids=str)
@pytest.mark.parametrize("length", [10, 500])
def test_a_chunk_that_covers_the_target_has_the_whole_gradient(batch, config, length):
    model = build(config)
    whole = gradients(model, batch)
    chunked = gradients(model, batch, truncate_targets=length)
    assert whole.keys() == chunked.keys()
    for name, gradient in whole.items():
        torch.testing.assert_close(chunked[name], gradient, msg=name)


def truncated_by_hand(model: Recurrent, batch: Batch, length: int) -> Tensor:
    """Return the loss over chunks, with one graph through encoder and all chunks.

    Only the state between chunks is cut, which is all that truncation means.
    """
    memory = model.encode(batch.source)
    state = model.initial_state(memory)
    total = torch.zeros((), dtype=torch.float64)
    for start in range(0, batch.target_input.shape[1], length):
        if start:
            state = type(state)(*(part.detach() for part in state))
        stretch = slice(start, start + length)
        hidden, state = model.decode(memory, batch.target_input[:, stretch], state)
        total = total + smoothed(model, hidden, batch.target_output[:, stretch], 0.1)
    return total


@pytest.mark.parametrize("config", RECURRENT, ids=str)
@pytest.mark.parametrize("length", [1, 3, 5])
def test_chunks_have_the_gradient_of_one_graph_that_is_cut_between_them(batch, config, length):
    model = build(config)
    found = gradients(model, batch, truncate_targets=length, label_smoothing=0.1)
    whole = gradients(model, batch, label_smoothing=0.1)
    model.zero_grad()
    (truncated_by_hand(model, batch, length) * SCALE).backward()
    for name, parameter in model.named_parameters():
        if parameter.grad is None:
            assert name not in found
        else:
            torch.testing.assert_close(found[name], parameter.grad, msg=name)
    assert any(not torch.allclose(found[name], whole[name]) for name in found)


@pytest.mark.parametrize("length", [0, 4])
def test_truncation_changes_no_loss(batch, length):
    model = build(RECURRENT[-1])
    objective = Objective(model, OptimizerConfig(truncate_targets=length), FLOAT32)
    loss, tokens = objective.backward(batch, step=1, scale=1.0)
    hidden = model(batch.source, batch.target_input)
    expected = smoothed(model, hidden, batch.target_output, 0.0).detach()
    assert loss == pytest.approx(float(expected))
    assert tokens == 26


@pytest.mark.parametrize("length", [0, 4])
def test_sampling_feeds_the_share_of_own_predictions_that_is_due(batch, monkeypatch, length):
    shares = []
    decode = Recurrent.decode

    def note(self, memory, target, state, *, sampling=0.0):
        shares.append(sampling)
        return decode(self, memory, target, state, sampling=sampling)

    monkeypatch.setattr(Recurrent, "decode", note)
    options = {"sampling": "linear", "sampling_halfway": 100, "truncate_targets": length}
    model = build(RECURRENT[-1])
    teacher_forced = gradients(model, batch)
    for step, share in ((50, 0.25), (150, 0.5)):
        shares.clear()
        torch.manual_seed(1)
        sampled = gradients(model, batch, step=step, **options)
        assert shares == [share] * (3 if length else 1)
        assert any(not torch.allclose(sampled[n], teacher_forced[n]) for n in sampled)


def test_the_same_seed_samples_the_same(batch):
    model = build(RECURRENT[-1])
    options = {"sampling": "exponential", "sampling_halfway": 1, "sampling_limit": 0.5}
    found = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        found.append(gradients(model, batch, **options))
    first, same, other = found
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)
