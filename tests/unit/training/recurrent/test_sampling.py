"""Scheduled sampling against its twin, which feeds predictions back by hand."""

from __future__ import annotations

import torch

EXACT = {"rtol": 1e-10, "atol": 1e-11}
"""Both sides compute in float64; only the order of sums differs."""


def own_predictions(model, source, target, own):
    """Decode, feeding back what is likeliest where `own` says so; returns what was fed."""
    memory = model.encode(source)
    state, fed, hidden = model.initial_state(memory), [target[:, 0]], []
    for t in range(target.shape[1]):
        if t:
            likeliest = model.logits(hidden[-1][:, 0]).argmax(-1)
            fed.append(torch.where(own[:, t], likeliest, target[:, t]))
        out, state = model.decode(memory, fed[-1][:, None], state)
        hidden.append(out)
    return torch.stack(fed, dim=1), torch.cat(hidden, dim=1)


def test_scheduled_sampling_at_one_feeds_nothing_but_own_predictions(lstm, source, target):
    memory = lstm.encode(source)
    hidden, state = lstm.decode(memory, target, lstm.initial_state(memory), sampling=1.0)
    everything = torch.ones(target.shape, dtype=torch.bool)
    fed, expected = own_predictions(lstm, source, target, everything)
    assert not torch.equal(fed, target)
    torch.testing.assert_close(hidden, expected, **EXACT)
    # The whole of it again, teacher-forced with what was fed.
    torch.testing.assert_close(hidden, lstm(source, fed), **EXACT)
    _, last = lstm.decode(memory, fed, lstm.initial_state(memory))
    torch.testing.assert_close(state, last, **EXACT)


def test_scheduled_sampling_between_draws_each_token(lstm, source, target):
    memory = lstm.encode(source)
    torch.manual_seed(11)
    hidden, _ = lstm.decode(memory, target, lstm.initial_state(memory), sampling=0.5)
    torch.manual_seed(11)
    own = torch.rand(target.shape) < 0.5
    _, expected = own_predictions(lstm, source, target, own)
    torch.testing.assert_close(hidden, expected, **EXACT)


def test_scheduled_sampling_at_zero_is_teacher_forcing_and_draws_nothing(lstm, source, target):
    memory = lstm.encode(source)
    before = torch.random.get_rng_state()
    hidden, _ = lstm.decode(memory, target, lstm.initial_state(memory), sampling=0.0)
    assert torch.equal(before, torch.random.get_rng_state())
    torch.testing.assert_close(hidden, lstm(source, target), rtol=0, atol=0)


def test_own_predictions_have_gradients_as_if_they_were_the_target(lstm, source, target):

    def gradients(fed, sampling):
        lstm.zero_grad()
        memory = lstm.encode(source)
        hidden, _ = lstm.decode(memory, fed, lstm.initial_state(memory), sampling=sampling)
        lstm.logits(hidden).square().sum().backward()
        return [parameter.grad.clone() for parameter in lstm.parameters()]

    fed, _ = own_predictions(lstm, source, target, torch.ones(target.shape, dtype=torch.bool))
    torch.testing.assert_close(gradients(target, 1.0), gradients(fed, 0.0), **EXACT)
