"""The fused loss against torch's cross-entropy."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from ferryman_training import loss
from ferryman_training.loss import smoothed_cross_entropy


def inputs(tokens: int, dtype: torch.dtype = torch.float32):
    generator = torch.Generator().manual_seed(tokens)
    hidden = torch.randn(tokens, 6, generator=generator).to(dtype).requires_grad_()
    weight = torch.randn(11, 6, generator=generator).to(dtype).requires_grad_()
    return hidden, weight, torch.randint(11, (tokens,), generator=generator)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.6])
@pytest.mark.parametrize("tokens", [1, 8, 9, 30])
def test_it_is_torchs_with_its_gradients_whatever_the_chunks(monkeypatch, tokens, smoothing):
    monkeypatch.setattr(loss, "_CHUNK", 8)
    hidden, weight, targets = inputs(tokens)
    smoothed, plain = smoothed_cross_entropy(hidden, weight, targets, smoothing=smoothing)
    (smoothed / 7).backward()
    found = hidden.grad, weight.grad

    hidden, weight, targets = inputs(tokens)
    logits = hidden @ weight.T
    expected = functional.cross_entropy(logits, targets, reduction="sum", label_smoothing=smoothing)
    (expected / 7).backward()

    torch.testing.assert_close(smoothed, expected)
    torch.testing.assert_close(plain, functional.cross_entropy(logits, targets, reduction="sum"))
    torch.testing.assert_close(found, (hidden.grad, weight.grad))


def test_bfloat16_gradients_are_those_of_float32_rounded():
    hidden, weight, targets = inputs(40, torch.bfloat16)
    smoothed_cross_entropy(hidden, weight, targets, smoothing=0.1)[0].backward()
    exact_hidden, exact_weight = (x.detach().float().requires_grad_() for x in (hidden, weight))
    smoothed_cross_entropy(exact_hidden, exact_weight, targets, smoothing=0.1)[0].backward()
    assert hidden.grad.dtype == weight.grad.dtype == torch.bfloat16
    # bfloat16 keeps 8 bits; logits, softmax and the sums round once each.
    torch.testing.assert_close(hidden.grad.float(), exact_hidden.grad, rtol=0.05, atol=0.03)
    torch.testing.assert_close(weight.grad.float(), exact_weight.grad, rtol=0.05, atol=0.1)


def test_the_plain_loss_has_no_gradient():
    hidden, weight, targets = inputs(4)
    _, plain = smoothed_cross_entropy(hidden, weight, targets, smoothing=0.1)
    assert not plain.requires_grad


def test_the_losses_are_the_same_where_no_gradient_is_wanted():
    hidden, weight, targets = inputs(9)
    expected = smoothed_cross_entropy(hidden, weight, targets, smoothing=0.1)
    with torch.no_grad():
        found = smoothed_cross_entropy(hidden, weight, targets, smoothing=0.1)
    assert found[0].grad_fn is None
    assert [x.item() for x in found] == [x.detach().item() for x in expected]


def test_a_bias_is_added_to_every_logit_and_has_its_gradient(monkeypatch):
    monkeypatch.setattr(loss, "_CHUNK", 8)
    hidden, weight, targets = inputs(20)
    bias = torch.linspace(-1, 1, 11).requires_grad_()
    smoothed, _ = smoothed_cross_entropy(hidden, weight, targets, smoothing=0.1, bias=bias)
    (smoothed / 7).backward()
    found = hidden.grad, weight.grad, bias.grad

    hidden, weight, targets = inputs(20)
    bias = torch.linspace(-1, 1, 11).requires_grad_()
    logits = hidden @ weight.T + bias
    expected = functional.cross_entropy(logits, targets, reduction="sum", label_smoothing=0.1)
    (expected / 7).backward()

    torch.testing.assert_close(smoothed, expected)
    torch.testing.assert_close(found, (hidden.grad, weight.grad, bias.grad))
