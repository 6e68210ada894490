"""The scorer says of whole targets what torch says: how likely they are, and what they look at.

Every family is held against its scorer in `test_every_family.py` and `benchmarks.parity`; here is
what the exported bundle's does with real sentences and with padding.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ferryman_bundle.tokenizer import BOS, EOS
from ferryman_export.greedy import decode_graphs_greedily
from ferryman_training.batching import TokenPair

TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def chosen(tokens):
    """Pairs of very different lengths, with an empty target among them."""
    found = sorted((p for p in tokens if len(p.target) < 60), key=lambda p: len(p.target))
    return [TokenPair(found[3].source, ()), *found[::6]]


def score(runner, pairs):
    return runner.score([pair.source for pair in pairs], [pair.target for pair in pairs])


@torch.no_grad()
def test_log_probabilities_and_attention_are_those_of_torch(model, runner, chosen):
    found = score(runner, chosen)
    for row, pair in enumerate(chosen):
        source = torch.tensor([[*pair.source, EOS]])
        target = torch.tensor([[BOS, *pair.target]])
        labels = torch.tensor([*pair.target, EOS])
        log_probs = torch.log_softmax(model.logits(model(source, target)), dim=-1)[0]
        expected = log_probs.gather(1, labels[:, None])[:, 0].numpy()
        steps, length = len(labels), source.shape[1]
        np.testing.assert_allclose(
            found["token_log_probs"][row, :steps], expected, atol=TOLERANCE, rtol=0
        )
        looks = model.attention(source, target)[0].numpy()
        np.testing.assert_allclose(
            found["attention"][row, :steps, :length], looks, atol=TOLERANCE, rtol=0
        )


def test_padding_is_given_nothing(runner, chosen):
    found = score(runner, chosen)
    assert found["token_log_probs"].shape[1] % 8 == 0
    for row, pair in enumerate(chosen):
        steps, length = len(pair.target) + 1, len(pair.source) + 1
        assert not found["token_log_probs"][row, steps:].any()
        assert not found["attention"][row, steps:].any()
        assert not found["attention"][row, :, length:].any()
        sums = found["attention"][row, :steps].sum(axis=1)
        np.testing.assert_allclose(sums, 1.0, atol=TOLERANCE)


def test_a_greedy_translation_scores_what_its_steps_summed_to(runner, chosen):
    sources = [pair.source for pair in chosen]
    translations = decode_graphs_greedily(runner, sources)
    found = runner.score(sources, [translation.ids for translation in translations])
    for row, translation in enumerate(translations):
        # Random weights do not end a sentence: all were cut off, and have no end to count.
        scored = found["token_log_probs"][row, : len(translation.ids)]
        assert scored.sum() == pytest.approx(translation.log_prob, abs=1e-3)


def test_company_changes_a_score_by_rounding_only(runner, chosen):
    together = score(runner, chosen)
    for row, pair in enumerate(chosen):
        alone = score(runner, [pair])
        steps = len(pair.target) + 1
        np.testing.assert_allclose(
            alone["token_log_probs"][0, :steps],
            together["token_log_probs"][row, :steps],
            atol=TOLERANCE,
            rtol=0,
        )
