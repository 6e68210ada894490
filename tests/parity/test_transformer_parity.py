"""The model, its steps and its graphs compute the same: every tensor, every step.

Tolerances: float32 has a relative precision of 6e-8; sums over a few hundred terms, taken in
another order by another library, through four layers, move values of size 1 to 10 by some 1e-6.
The bound of 1e-4 leaves room for other CPUs, and is far below what any real fault makes.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from ferryman_bundle.tokenizer import BOS
from ferryman_export.greedy import decode_graphs_greedily
from ferryman_export.parity import Comparison, compare_teacher_forced
from ferryman_export.runner import GraphRunner
from ferryman_training.batching import TokenPair, collate
from ferryman_training.decoding import decode_greedily

TOLERANCE = 1e-4


@torch.no_grad()
def test_teacher_forcing_equals_step_by_step(model, tokens):
    chosen = [pair for pair in tokens if len(pair.target) < 60][:12]
    batch = collate(chosen)
    expected = model.logits(model(batch.source, batch.target_input))
    memory = model.encode(batch.source)
    cache = model.initial_state(memory)
    for t in range(batch.target_input.shape[1]):
        logits, cache = model.step(batch.target_input[:, t], memory, cache)
        rows = torch.tensor([t <= len(pair.target) for pair in chosen])
        torch.testing.assert_close(logits[rows], expected[rows, t], atol=TOLERANCE, rtol=0)


def test_graphs_equal_the_model_at_every_step_in_every_tensor(model, runner, tokens, state):
    comparison = Comparison()
    compare_teacher_forced(model, runner, tokens[:16], comparison)
    names = {tensor.output or tensor.name for tensor in state}
    outputs = {"candidate_log_probs", "log_probs", "token_log_probs", "attention"}
    assert comparison.worst.keys() == names | outputs
    assert max(comparison.worst.values()) < TOLERANCE
    assert comparison.steps == sum(len(pair.target) + 1 for pair in tokens[:16])
    assert comparison.agreed == comparison.steps


@pytest.mark.parametrize(
    "name", ["encoder.0.attention.qkv.weight", "decoder.1.cross.output.weight"]
)
def test_one_wrong_weight_does_not_go_unnoticed(model, lowered, tokens, name):
    wrong = lowered.values[name].copy()
    wrong[5, 7] += 0.5
    harmed = dataclasses.replace(lowered, values={**lowered.values, name: wrong})
    comparison = Comparison()
    compare_teacher_forced(model, GraphRunner(harmed), tokens[:4], comparison)
    assert comparison.worst["candidate_log_probs"] > 10 * TOLERANCE


def test_a_nan_is_never_compared_away(model, lowered, tokens):
    poisoned = {name: tensor.copy() for name, tensor in lowered.values.items()}
    poisoned["cross_kv.weight"][0] = np.nan
    harmed = dataclasses.replace(lowered, values=poisoned)
    comparison = Comparison()
    for pair in tokens[:2]:
        compare_teacher_forced(model, GraphRunner(harmed), [pair], comparison)
    assert np.isnan(comparison.worst["memory.0.key"])


def test_greedy_search_gives_the_same_ids_and_log_probabilities(model, runner, tokens):
    sources = [pair.source for pair in tokens if len(pair.source) < 30][:12]
    expected = decode_greedily(model, sources)
    found = decode_graphs_greedily(runner, sources, batch_size=5)
    assert [f.ids for f in found] == [e.ids for e in expected]
    for e, f in zip(expected, found, strict=True):
        assert f.log_prob == pytest.approx(e.log_probability, abs=TOLERANCE * (len(e.ids) + 1))
        assert f.margin > 0


@torch.no_grad()
def test_rows_of_different_lengths_run_together(model, runner, tokens):
    """One row is at its first token while others are far along: continuous batching."""
    chosen = [
        TokenPair(pair.source[:9], pair.target[:n])
        for pair, n in zip(tokens, (0, 7, 3, 12), strict=False)
    ]
    lengths = np.array([len(pair.target) for pair in chosen], np.int32)
    sources = [pair.source for pair in chosen]
    state = {**runner.encode(sources), **runner.empty_caches(len(chosen), 16)}
    inputs = [(BOS, *pair.target) for pair in chosen]
    for t in range(lengths.max()):
        newest = np.array([[row[min(t, len(row) - 1)]] for row in inputs])
        at = np.minimum(t, lengths).astype(np.int32)
        _, _, state = runner.step(newest, at, state, candidates=1)
    newest = np.array([[row[-1]] for row in inputs])
    log_probs, ids, _ = runner.step(newest, lengths, state, candidates=5)
    for row, pair in enumerate(chosen):
        batch = collate([pair])
        logits = model.logits(model(batch.source, batch.target_input))[0, -1]
        expected = torch.log_softmax(logits, dim=-1)[torch.from_numpy(ids[row])]
        np.testing.assert_allclose(log_probs[row], expected, atol=TOLERANCE)


def test_a_beam_shares_its_source(runner, tokens, draw):
    """W hypotheses per source give what each gives alone, within rounding."""
    sources = [pair.source[:20] for pair in tokens[:3]]
    width, steps = 4, 5
    fed = draw.integers(4, 600, (steps, len(sources), width))
    memory = runner.encode(sources)
    state = {**memory, **runner.empty_caches(len(sources) * width, steps)}
    for t in range(steps):
        at = np.full(len(sources) * width, t, np.int32)
        log_probs, ids, state = runner.step(fed[t], at, state, candidates=3)
    for row in range(len(sources) * width):
        source, beam = divmod(row, width)
        single = {name: tensor[source : source + 1] for name, tensor in memory.items()}
        single |= runner.empty_caches(1, steps)
        for t in range(steps):
            alone, alone_ids, single = runner.step(
                fed[t, source : source + 1, beam : beam + 1],
                np.array([t], np.int32),
                single,
                candidates=3,
            )
        assert alone_ids[0].tolist() == ids[row].tolist()
        np.testing.assert_allclose(alone[0], log_probs[row], atol=TOLERANCE)


@pytest.mark.parametrize("k", [1, 2, 9, 597])
def test_candidates_are_the_best_that_may_come_with_the_model_s_probabilities(
    model, runner, tokens, bundle, k
):
    sources = [tokens[0].source, tokens[1].source]
    state = {**runner.encode(sources), **runner.empty_caches(2, 1)}
    start = np.full((2, 1), BOS)
    log_probs, ids, _ = runner.step(start, np.zeros(2, np.int32), state, candidates=k)
    banned = bundle.manifest.tokens.never_generated
    assert ids.shape == log_probs.shape == (2, k)
    assert not np.isin(ids, banned).any()
    assert (np.diff(log_probs, axis=1) <= 0).all()
    memory = model.encode(collate([TokenPair(s, ()) for s in sources]).source)
    logits, _ = model.step(torch.full((2,), BOS), memory, model.initial_state(memory))
    expected = torch.log_softmax(logits.detach(), dim=-1)
    np.testing.assert_allclose(log_probs, expected.gather(1, torch.from_numpy(ids)), atol=TOLERANCE)
    if k == 597:
        # All that may come: with what may not, the probabilities sum to one.
        forbidden = expected[:, list(banned)].exp().sum(dim=1)
        np.testing.assert_allclose(np.exp(log_probs).sum(axis=1) + forbidden.numpy(), 1, atol=1e-5)
