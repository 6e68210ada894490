"""Recurrent models against torch's modules and themselves."""

from __future__ import annotations

import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

EXACT = {"rtol": 1e-10, "atol": 1e-11}
"""Both sides compute in float64; only the order of sums differs."""


def test_the_encoder_is_torchs_module_over_packed_sequences(model, sources, source):
    lengths = torch.tensor([len(s) for s in sources])
    embedded = model.source_embedding(source) * model.config.width**0.5
    packed = pack_padded_sequence(embedded, lengths, batch_first=True, enforce_sorted=False)
    outputs, last = model.encoder.rnn(packed)
    outputs, _ = pad_packed_sequence(outputs, batch_first=True)
    encoded = model.encoder(embedded, lengths)
    for row, length in enumerate(lengths):
        torch.testing.assert_close(encoded.outputs[row, :length], outputs[row, :length], **EXACT)
    theirs = last if isinstance(last, tuple) else (last,)
    for found, expected in zip(encoded[1:], theirs, strict=False):
        directions = expected.transpose(0, 1).reshape(len(sources), -1, model.config.width)
        torch.testing.assert_close(found, directions, **EXACT)


def test_the_decoder_without_attention_is_torchs_module(plain, source, target):
    memory = plain.encode(source)
    first = [part.transpose(0, 1).contiguous() for part in (memory.hidden, memory.cell)]
    state = tuple(first) if plain.config.cell == "lstm" else first[0]
    embedded = plain.target_embedding(target) * plain.config.width**0.5
    expected, _ = plain.decoder.rnn(embedded, state)
    torch.testing.assert_close(plain(source, target), expected, **EXACT)


def test_teacher_forced_is_step_by_step(model, source, target):
    expected = model.logits(model(source, target))
    memory = model.encode(source)
    state = model.initial_state(memory)
    for t in range(target.shape[1]):
        logits, state = model.step(target[:, t], memory, state)
        torch.testing.assert_close(logits, expected[:, t], **EXACT)


def test_padding_never_leaks(model, sources, targets, source, target):
    together = model(source, target)
    for row, (s, t) in enumerate(zip(sources, targets, strict=True)):
        alone = model(torch.tensor([s]), torch.tensor([t]))
        torch.testing.assert_close(together[row, : len(t)], alone[0], **EXACT)


def test_every_row_of_attention_sums_to_one_and_padding_has_none_of_it(
    model, sources, source, target
):
    weights = model.attention(source, target)
    if weights is None:
        assert model.config.attention == "none"
        return
    assert weights.shape == (*target.shape, source.shape[1])
    torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights[..., 0]))
    for row, s in enumerate(sources):
        assert (weights[row, :, len(s) :] == 0).all()
        assert (weights[row, :, : len(s)] > 0).all()


def test_stretches_of_the_target_are_the_whole_of_it(model, source, target):
    memory = model.encode(source)
    state = model.initial_state(memory)
    parts = []
    for start, end in ((0, 2), (2, 3), (3, 6)):
        hidden, state = model.decode(memory, target[:, start:end], state)
        parts.append(hidden)
    torch.testing.assert_close(torch.cat(parts, dim=1), model(source, target), **EXACT)


def test_gradients_flow_to_every_parameter(model, source, target):
    model.train()  # through the dropout, as in training
    model.logits(model(source, target)).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


def test_rows_of_the_state_are_hypotheses(model, source, target):
    memory = model.encode(source)
    _, state = model.step(target[:, 0], memory, model.initial_state(memory))
    rows = torch.tensor([2, 0, 0, 3])
    chosen = type(memory)(*(tensor[rows] for tensor in memory))
    kept = type(state)(*(tensor[rows] for tensor in state))
    expected, _ = model.step(target[:, 1], memory, state)
    found, _ = model.step(target[rows, 1], chosen, kept)
    torch.testing.assert_close(found, expected[rows], **EXACT)
