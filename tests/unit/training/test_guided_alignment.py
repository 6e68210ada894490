"""Guided alignment: its loss, where its gradient goes, and how agreement is counted."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from ferryman_bundle.tokenizer import EOS
from ferryman_training.batching import TokenPair, collate
from ferryman_training.guided_alignment import (
    Agreement,
    Guide,
    alignment_loss,
    batch_links,
    measure_agreement,
)
from ferryman_training.lexicon import learn_lexicon
from ferryman_training.links import WordLinker
from ferryman_training.model_config import AlignedHead, TransformerConfig
from ferryman_training.parallel_tokens import ParallelTokens
from ferryman_training.transformer import Transformer

SHIFT, VOCABULARY = 30, 70
"""Piece x is translated by piece x + SHIFT; the order is reversed."""

WIDTH, HEADS, LAYER, HEAD = 12, 3, 1, 2


def reversed_pairs(count: int, *, seed: int) -> list[TokenPair]:
    generator = np.random.default_rng(seed)
    sources = [generator.permutation(25)[: generator.integers(2, 7)] + 4 for _ in range(count)]
    return [TokenPair(tuple(s.tolist()), tuple((s[::-1] + SHIFT).tolist())) for s in sources]


@pytest.fixture(scope="module")
def linker(seed) -> WordLinker:
    corpus = ParallelTokens.of(reversed_pairs(300, seed=seed))
    lexicon = learn_lexicon(corpus, VOCABULARY, passes=6, tension=0.0, watch=lambda _: None)
    return WordLinker(lexicon, tension=0.0)


@pytest.fixture
def model() -> Transformer:
    config = TransformerConfig(
        encoder_layers=1,
        decoder_layers=3,
        width=WIDTH,
        heads=HEADS,
        feed_forward=16,
        dropout=0.0,
        tied_embeddings="none",
        aligned_head=AlignedHead(layer=LAYER, head=HEAD),
    )
    torch.manual_seed(3)
    model = Transformer(config, VOCABULARY)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    return model


def test_the_loss_is_the_cross_entropy_of_the_linked_tokens():
    weights = torch.tensor([[[0.5, 0.3, 0.2], [0.1, 0.6, 0.3], [0.25, 0.25, 0.5]]])
    links = torch.tensor([[[1, 0, 0], [0, 0, 0], [0, 1, 1]]], dtype=torch.bool)
    expected = -math.log(0.5) - (math.log(0.25) + math.log(0.5)) / 2
    assert alignment_loss(weights.log(), links).item() == pytest.approx(expected, rel=1e-6)


def test_padding_of_minus_infinity_leaves_loss_and_gradient_finite():
    scores = torch.tensor([[[1.0, 2.0, -math.inf]]], requires_grad=True)
    links = torch.tensor([[[True, False, False]]])
    loss = alignment_loss(torch.log_softmax(scores, -1), links)
    loss.backward()
    assert loss.item() == pytest.approx(math.log(1 + math.e))
    assert scores.grad is not None
    assert scores.grad.isfinite().all()


def test_links_stand_where_the_model_gives_the_target_token(linker, seed):
    pairs = reversed_pairs(8, seed=seed + 1)
    links = batch_links(linker, collate(pairs)).intersection
    for row, pair in zip(links, pairs, strict=True):
        length = len(pair.source)
        expected = np.zeros_like(row)
        expected[range(length), range(length - 1, -1, -1)] = True
        np.testing.assert_array_equal(row, expected)


def test_the_gradient_reaches_the_aligned_head_and_what_it_reads_alone(model, linker, seed):
    batch = collate(reversed_pairs(6, seed=seed + 1))
    _, loss = Guide(model, linker, weight=0.3).forward(batch)
    loss.backward()
    size = WIDTH // HEADS
    reached = {
        name
        for name, parameter in model.named_parameters()
        if parameter.grad is not None and parameter.grad.abs().max() > 0
    }
    own = {f"decoder.{LAYER}.cross.query", f"decoder.{LAYER}.cross.kv"}
    before = ("embedding.", "encoder", "decoder.0.", f"decoder.{LAYER}.attention")
    for name, _ in model.named_parameters():
        module = name.rpartition(".")[0]
        reads = name.startswith(before) or module in own | {f"decoder.{LAYER}.cross_norm"}
        assert (name in reached) == reads, name

    head = slice(HEAD * size, (HEAD + 1) * size)
    cross = model.decoder[LAYER].cross
    queries, both = cross.query.weight.grad.clone(), cross.kv.weight.grad.clone()
    assert queries[head].abs().min() > 0
    assert both[head].abs().min() > 0
    queries[head], both[head] = 0, 0
    assert not queries.any()
    assert not both.any()


def test_a_guided_pass_is_the_pass_with_a_loss_beside_it(model, linker, seed):
    batch = collate(reversed_pairs(6, seed=seed + 1))
    hidden, loss = Guide(model, linker, weight=0.3).forward(batch)
    expected = model(batch.source, batch.target_input)
    torch.testing.assert_close(hidden, expected, rtol=0, atol=0)
    attention = model.attention(batch.source, batch.target_input)
    links = torch.from_numpy(batch_links(linker, batch).intersection).transpose(1, 2)
    assert loss.item() == pytest.approx(0.3 * -attention[links].log().sum().item(), rel=1e-5)


def test_a_guided_head_learns_the_links(model, linker, seed):
    """By the alignment loss alone; the rest of the model is as random as before."""
    held_out = reversed_pairs(40, seed=seed + 2)
    before = measure_agreement(model, held_out, linker).error_rate
    batches = [collate(reversed_pairs(40, seed=seed + i)) for i in range(3, 8)]
    guide, optimizer = Guide(model, linker, weight=1.0), torch.optim.Adam(model.parameters(), 0.01)
    for step in range(60):
        optimizer.zero_grad()
        _, loss = guide.forward(batches[step % len(batches)])
        (loss / 200).backward()
        optimizer.step()
    after = measure_agreement(model, held_out, linker).error_rate
    assert before > 0.6
    assert after < before - 0.2


def brute_force(model: Transformer, pairs: list[TokenPair], linker: WordLinker) -> Agreement:
    """Count link by link, a sentence at a time, as Och and Ney define it."""
    found, sure, both, allowed = 0, 0, 0, 0
    for pair in pairs:
        batch = collate([pair])
        weights = model.attention(batch.source, batch.target_input)[0].detach().numpy()
        links = linker.link(np.array([pair.source]), np.array([pair.target]))
        certain = set(zip(*np.nonzero(links.intersection[0]), strict=True))
        possible = set(zip(*np.nonzero(links.grown()[0]), strict=True))
        hypotheses = set()
        for t in range(len(pair.target)):
            s = max(range(len(pair.source) + 1), key=lambda s, t=t: weights[t, s])
            if batch.source[0, s] != EOS:
                hypotheses.add((s, t))
        found += len(hypotheses)
        sure += len(certain)
        both += len(hypotheses & certain)
        allowed += len(hypotheses & possible)
    return Agreement(found, sure, both, allowed)


def test_agreement_is_counted_as_it_is_defined(model, seed):
    """On noisy pairs, whose links of the two directions differ."""
    generator = np.random.default_rng(seed)
    pairs = [
        TokenPair(*(tuple(generator.integers(4, 20, size=n).tolist()) for n in both))
        for both in generator.integers(1, 8, size=(60, 2))
    ]
    lexicon = learn_lexicon(
        ParallelTokens.of(pairs), VOCABULARY, passes=2, tension=4.0, watch=lambda _: None
    )
    linker = WordLinker(lexicon, tension=4.0)
    found = measure_agreement(model, pairs, linker, batch_size=7)
    assert found == brute_force(model, pairs, linker)
    assert 0 < found.found_sure < found.found_possible < found.found


def test_the_alignment_error_rate_is_that_of_och_and_ney():
    assert Agreement(found=8, sure=5, found_sure=4, found_possible=6).error_rate == pytest.approx(
        1 - (4 + 6) / (8 + 5)
    )
    assert Agreement(found=5, sure=5, found_sure=5, found_possible=5).error_rate == 0
    assert Agreement(1, 2, 3, 4) + Agreement(10, 20, 30, 40) == Agreement(11, 22, 33, 44)
