"""Reference decoding in torch: plain, batched, without any of the engine's cleverness.

Validation during training uses it, and the exporter holds its graphs against it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ferryman_bundle.tokenizer import BOS, EOS, PAD, UNKNOWN
from ferryman_training.batching import pad
from ferryman_training.seq2seq import Seq2Seq

NEVER_GENERATED = (PAD, UNKNOWN, BOS)
"""Ids that are no part of any translation."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """One translation as token ids."""

    ids: tuple[int, ...]
    """Without start and end."""
    log_probability: float
    """Sum over the tokens, the end included where it came, in nats."""
    finished: bool
    """False where the limit cut it off."""


def length_limit(source_tokens: int) -> int:
    """Return how many tokens a translation of so many source tokens may have."""
    return 2 * source_tokens + 16


@torch.no_grad()
def decode_greedily(
    model: Seq2Seq, sources: Sequence[Sequence[int]], *, batch_size: int = 64
) -> list[Decoded]:
    """Translate by taking the likeliest token at every step.

    Args:
        model: In evaluation mode.
        sources: Source ids without the end of sentence.
        batch_size: Sentences decoded together, sorted by length.

    Returns:
        One result per source, in their order.
    """
    order = sorted(range(len(sources)), key=lambda i: len(sources[i]))
    results: dict[int, Decoded] = {}
    for start in range(0, len(order), batch_size):
        chunk = order[start : start + batch_size]
        decoded = _decode_batch(model, [sources[i] for i in chunk])
        results.update(zip(chunk, decoded, strict=True))
    return [results[i] for i in range(len(sources))]


def _decode_batch(model: Seq2Seq, sources: Sequence[Sequence[int]]) -> list[Decoded]:
    device = model.output_weight.device
    memory = model.encode(pad([(*s, EOS) for s in sources]).to(device))
    state = model.initial_state(memory)
    limits = [length_limit(len(s)) for s in sources]
    ids = torch.full((len(sources),), BOS, device=device)
    tokens: list[list[int]] = [[] for _ in sources]
    totals = [0.0] * len(sources)
    finished = [False] * len(sources)
    running = set(range(len(sources)))
    while running:
        logits, state = model.step(ids, memory, state)
        log_probabilities = torch.log_softmax(logits.float(), dim=-1)
        log_probabilities[:, list(NEVER_GENERATED)] = float("-inf")
        best, ids = log_probabilities.max(dim=-1)
        chosen, gains = ids.tolist(), best.tolist()
        for row in sorted(running):
            totals[row] += gains[row]
            if chosen[row] == EOS:
                finished[row] = True
                running.remove(row)
                continue
            tokens[row].append(chosen[row])
            if len(tokens[row]) == limits[row]:
                running.remove(row)
    return [
        Decoded(tuple(t), total, done)
        for t, total, done in zip(tokens, totals, finished, strict=True)
    ]
